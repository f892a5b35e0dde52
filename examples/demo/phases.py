"""The script of the demo: what is moved, when, and how long it is looked at; and so what has to be named."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from demo import brain
from demo.seen import Move
from demo.world import World, drifted, published
from otel_agentops._identity import Identities
from otel_agentops.clients._protocols.openai_chat import normalise_tool as wire_tool
from otel_agentops.semconv import attributes as A

TASK = "support"  # as examples/support_agent calls what it does


class Phase(NamedTuple):
    """One phase. act: what is moved at its start.

    move: what that is. hurts: whether answers get worse by it. at_least, at_most: seconds; it ends between them, as
    soon as something was named and an alert fires (hurts), or no alert fires any more (not hurts).
    """

    name: str
    story: str
    act: Callable[[World], None] | None
    move: Move | None
    hurts: bool
    at_least: float
    at_most: float


def script() -> Sequence[Phase]:
    """The phases in their order. The longest run of all is 106 seconds."""
    repointed = Move("model", brain.ALIAS, brain.HASTY, brain.CAREFUL)
    renamed = tools_moved(published(), drifted())
    return (
        Phase("healthy", "nothing is moved", None, None, False, 20, 20),
        Phase("model", f"the provider repoints {brain.ALIAS}", _repoint, repointed, True, 16, 22),
        Phase("restored", f"{brain.ALIAS} points to the old model again", _restore, back(repointed), False, 22, 25),
        Phase("tool", "an argument of lookup_order is renamed", _drift, renamed, True, 16, 21),
        Phase("tool restored", "the old schema is published again", _undrift, back(renamed), False, 14, 18),
    )


def back(move: Move) -> Move:
    return move._replace(value=move.previous, previous=move.value)


def _repoint(world: World) -> None:
    world.repoint(brain.HASTY)


def _restore(world: World) -> None:
    world.repoint(brain.CAREFUL)


def _drift(world: World) -> None:
    world.publish(drifted())


def _undrift(world: World) -> None:
    world.publish(published())


def tools_moved(before: Sequence[Mapping[str, Any]], after: Sequence[Mapping[str, Any]]) -> Move:
    """The set of tools that is offered in a task, by its identity; that of the one tool moves with it."""
    return Move("tools", TASK, _identity(after), _identity(before))


def _identity(definitions: Sequence[Mapping[str, Any]]) -> str:
    """As the agent's process computes it, which has no key, from the definitions that it is given."""
    wire = [{"type": "function", "function": definition} for definition in definitions]
    return str(Identities(None, 1).identify_tools(wire, wire_tool).attributes[A.TOOLS_HASH])
