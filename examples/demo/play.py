"""The loop of the demo: each phase moves its variable, then looks once a second until it is over."""

from __future__ import annotations

import time
from collections.abc import Callable

import httpx

from demo.scene import Scene
from demo.screen import Screen
from demo.seen import Source
from demo.verdict import Ran
from demo.world import World

TICK = 1.0
PATIENCE = 60  # seconds for the first task to be seen; a busy machine takes long to start five processes


class NothingSeenError(Exception):
    """No task of the agent arrived; the text says where to look."""


def wait_for_tasks(world: World, source: Source, screen: Screen) -> None:
    """Wait until the first tasks are seen; raise NothingSeenError after 60 s."""
    started = time.time()
    while not source.take_look().tasks:
        world.check_servers()
        waited = time.time() - started
        if waited > PATIENCE:
            raise NothingSeenError(f"no task was seen within {PATIENCE} s; the logs are in {world.directory}")
        screen.show_line(f"waiting for the first tasks to be seen in {source.name} ({waited:.0f} s)")
        time.sleep(TICK)


def play_script(
    world: World, source: Source, scene: Scene, screen: Screen, record: Callable[[Scene], None]
) -> list[Ran]:
    """Play every phase and return when each was.

    Args:
        world: the running stack.
        source: tells what is seen.
        scene: collects what is shown.
        screen: shows the scene after each look.
        record: called with the scene after each look.

    Raises:
        stack.NotReadyError: a part of the stack has ended.
    """
    ran: list[Ran] = []
    while scene.number + 1 < len(scene.script):
        start = time.time()
        scene.begin_phase(start)
        if scene.phase.act is not None:
            scene.phase.act(world)
        while not scene.is_over(time.time()):
            world.check_servers()
            _look_once(source, scene)
            screen.show_scene(scene)
            record(scene)
            time.sleep(max(0.0, scene.look.at + TICK - time.time()))
        ran.append(Ran(scene.phase, start, time.time()))
    return ran


def _look_once(source: Source, scene: Scene) -> None:
    """Take a look, or note that the source of a busy machine answered too late."""
    try:
        scene.add_look(source.take_look())
    except httpx.TimeoutException:
        scene.events.append((time.time(), f"{source.name} did not answer in time"))
