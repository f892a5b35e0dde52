"""The scope: everything that holds for every span until the block ends.

A `Scope` is an immutable value in a context variable, so it follows asyncio tasks and `contextvars.copy_context()` by
itself; it is in the OpenTelemetry context as well, for threads that are given that one alone. Between processes its
facts travel as baggage (`_baggage`).
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import ExitStack
from contextvars import ContextVar, Token
from typing import NamedTuple

from opentelemetry import context as otel_context
from opentelemetry.context import Context

from otel_agentops import _baggage
from otel_agentops._held_spans import HeldSpans
from otel_agentops._retries import StepRetry
from otel_agentops.operations import Value
from otel_agentops.task_totals import TaskTotals


class PromptTemplate(NamedTuple):
    """A prompt template that the application declared.

    hash: None if neither its text nor its version is known.
    """

    name: str | None
    version: str | None
    hash: str | None


class JudgeScope(NamedTuple):
    """The judge whose verdict is being made.

    facts: attributes of its spans. models: of its calls, None where none is known to have answered. sent_hashes: of the
    instructions that were sent to them. inner_judges: names of the judges that ran inside, if the verdict is theirs;
    None if they are a part of this one.
    """

    facts: Mapping[str, Value]
    models: list[str | None]
    sent_hashes: list[str]
    inner_judges: list[str] | None = None


class Scope(NamedTuple):
    """The facts of one place in the program.

    Attributes:
        task: The sums of the task around; None outside of any.
        facts: Attributes for every GenAI span in the scope.
        prompt: The declared template; None if there is none.
        judge: The judge whose verdict is being made; None outside of one.
        depth: How many agents deep below the task root.
        held_spans: Collects the spans of model calls until their output is validated; None if nobody validates.
        step_retry: The step of a framework around, if it may be done again; None if there is none.
        users: Ids of the person who is served, for the flight recorder alone: on no span, and in no baggage.
    """

    task: TaskTotals | None = None
    facts: Mapping[str, Value] = {}
    prompt: PromptTemplate | None = None
    judge: JudgeScope | None = None
    depth: int = 0
    held_spans: HeldSpans | None = None
    step_retry: StepRetry | None = None
    users: tuple[str, ...] = ()


NO_SCOPE = Scope()
_CURRENT: ContextVar[Scope] = ContextVar("otel_agentops.scope", default=NO_SCOPE)
_KEY = otel_context.create_key("otel_agentops.scope")


def current_scope() -> Scope:
    """Return the scope of this context; outside of any, the facts of an incoming request's baggage, else `NO_SCOPE`."""
    scope = entered_scope()
    if scope is not NO_SCOPE:
        return scope
    facts = _baggage.read_facts(otel_context.get_current())
    return Scope(facts=facts) if facts else NO_SCOPE


def entered_scope() -> Scope:
    """Return the scope that was entered in this context; `NO_SCOPE` outside of any."""
    scope = _CURRENT.get()
    if scope is NO_SCOPE and isinstance(carried := otel_context.get_current().get(_KEY), Scope):
        return carried
    return scope


def swap_scope(scope: Scope) -> Scope:
    """Make a scope current until the next swap, and return the one before."""
    before = _CURRENT.get()
    _CURRENT.set(scope)
    return before


def enter_scope(stack: ExitStack, scope: Scope, *, sends_baggage: bool = False) -> None:
    """Make a scope current until a stack is closed.

    There is no generator in it: the garbage collector would end one of a dropped stream by itself, in the context of
    whoever runs just then.

    Args:
        stack: Closed where the block ends.
        scope: The scope.
        sends_baggage: True if its facts that may travel are in the baggage of outgoing requests.
    """
    stack.callback(_CURRENT.reset, _CURRENT.set(scope))
    context = otel_context.set_value(_KEY, scope)
    attached = otel_context.attach(_baggage.add_facts(scope.facts, context) if sends_baggage else context)
    stack.callback(otel_context.detach, attached)


def detach_baggage() -> Token[Context] | None:
    """Keep our facts out of the baggage that goes to a model provider.

    Returns:
        The token to detach; None if there was nothing to keep out.
    """
    context = otel_context.get_current()
    private = _baggage.remove_facts(context)
    if private is context:
        return None
    # Facts that came as baggage are known by that alone: keep them as the scope.
    return otel_context.attach(otel_context.set_value(_KEY, current_scope(), private))
