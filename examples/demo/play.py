"""The show itself: each phase moves its variable, then looks once a second until it has shown what it can."""

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
    """Return when the first tasks are seen. Raises NothingSeenError."""
    started = time.time()
    while not source.look().tasks:
        world.check()
        waited = time.time() - started
        if waited > PATIENCE:
            raise NothingSeenError(f"no task was seen within {PATIENCE} s; the logs are in {world.directory}")
        screen.say(f"waiting for the first tasks to be seen in {source.name} ({waited:.0f} s)")
        time.sleep(TICK)


def play(world: World, source: Source, scene: Scene, screen: Screen, shown: Callable[[Scene], None]) -> list[Ran]:
    """Every phase, and when it was. shown: is told after each look. Raises stack.NotReadyError where a part ends."""
    ran: list[Ran] = []
    while scene.number + 1 < len(scene.script):
        start = time.time()
        scene.begin(start)
        if scene.phase.act is not None:
            scene.phase.act(world)
        while not scene.over(time.time()):
            world.check()
            _look(source, scene)
            screen.show(scene)
            shown(scene)
            time.sleep(max(0.0, scene.look.at + TICK - time.time()))
        ran.append(Ran(scene.phase, start, time.time()))
    return ran


def _look(source: Source, scene: Scene) -> None:
    """Take a look; one that a busy machine is too late for is left out. Whether a part ended is asked elsewhere."""
    try:
        scene.see(source.look())
    except httpx.TimeoutException:
        scene.happened.append((time.time(), f"{source.name} did not answer in time"))
