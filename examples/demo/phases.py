"""The script of the demo: which variable each phase moves, and so which one has to be named."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from demo import brain
from demo.seen import Move
from demo.world import World, build_drifted_tools, read_published_tools
from otel_agentops._identity import Identities
from otel_agentops.clients._protocols.openai_chat import normalise_tool as wire_tool
from otel_agentops.semconv import attributes as A

TASK = "support"  # as examples/support_agent calls what it does


class Phase(NamedTuple):
    """One phase of the script.

    Attributes:
        name: name of the phase in the summary.
        story: what happens, for the reader.
        act: moves a variable at the start of the phase; None if nothing is moved.
        move: the move that the source has to name.
        hurts: True if answers get worse by the move. The phase then ends as soon as an alert joins a burn with a
            move, else as soon as the move is named and no page fires any more.
        at_least: seconds before which the phase does not end.
        at_most: seconds after which it ends in any case.
    """

    name: str
    story: str
    act: Callable[[World], None] | None
    move: Move | None
    hurts: bool
    at_least: float
    at_most: float


def build_script() -> Sequence[Phase]:
    """Build the phases in their order; together they last 88 seconds, and more where the machine is busy."""
    repointed = Move("model", brain.ALIAS, brain.HASTY, brain.CAREFUL)
    renamed = build_tools_move(read_published_tools(), build_drifted_tools())
    return (
        Phase("healthy", "nothing is moved", None, None, False, 20, 20),
        Phase("model", f"the provider repoints {brain.ALIAS}", _repoint_alias, repointed, True, 16, 45),
        Phase(
            "restored",
            f"{brain.ALIAS} points to the old model again",
            _restore_alias,
            reverse_move(repointed),
            False,
            22,
            45,
        ),
        Phase("tool", "an argument of lookup_order is renamed", _publish_drifted, renamed, True, 16, 45),
        Phase(
            "tool restored",
            "the old schema is published again",
            _publish_original,
            reverse_move(renamed),
            False,
            14,
            45,
        ),
    )


def reverse_move(move: Move) -> Move:
    """Return the move back to the previous value."""
    return move._replace(value=move.previous, previous=move.value)


def _repoint_alias(world: World) -> None:
    world.repoint_alias(brain.HASTY)


def _restore_alias(world: World) -> None:
    world.repoint_alias(brain.CAREFUL)


def _publish_drifted(world: World) -> None:
    world.publish_tools(build_drifted_tools())


def _publish_original(world: World) -> None:
    world.publish_tools(read_published_tools())


def build_tools_move(before: Sequence[Mapping[str, Any]], after: Sequence[Mapping[str, Any]]) -> Move:
    """Build the move of the tool set of the task, named by its hashes."""
    return Move("tools", TASK, _hash_tools(after), _hash_tools(before))


def _hash_tools(definitions: Sequence[Mapping[str, Any]]) -> str:
    """Hash tool definitions as the agent's process does, which has no key."""
    wire = [{"type": "function", "function": definition} for definition in definitions]
    return str(Identities(None, 1).identify_tools(wire, wire_tool).attributes[A.TOOLS_HASH])
