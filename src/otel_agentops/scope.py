"""Which run are we in: the facts that hold for every span until the block ends.

A `Scope` is an immutable value in a context variable, so it follows asyncio tasks and `contextvars.copy_context()`
by itself. The one mutable thing in it is the `Run` of a task: the sum of what happened below its root, shared by all
parallel branches. Between processes the facts travel as W3C baggage.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Mapping, MutableMapping
from contextlib import contextmanager
from contextvars import ContextVar
from typing import NamedTuple

from opentelemetry import baggage
from opentelemetry import context as otel_context

from otel_agentops.record import Attributes, Value
from otel_agentops.semconv import attributes as A

# Facts of each group that may travel over HTTP; which groups do is OTEL_AGENTOPS_BAGGAGE.
TRAVELLING = {
    "task": (A.TASK_ID, A.TASK_NAME),
    "traffic": (A.TRAFFIC_SEGMENT, A.TRAFFIC_INTENT),
    "tenant": (A.TRAFFIC_TENANT,),
    "rollout": (A.ROLLOUT_STAGE, A.ROLLOUT_ROUTE),
}
_KEYS = tuple(key for keys in TRAVELLING.values() for key in keys)
_LONGEST = 256  # characters of a fact that came over the network; a longer one is not one of ours


class Prompt(NamedTuple):
    """A prompt template that the application declared. hash: None where only name and version are known."""

    name: str | None
    version: str | None
    hash: str | None


class Judge(NamedTuple):
    """The judge whose verdict is being made. facts: what its spans carry; models: those that answered for it."""

    facts: Mapping[str, Value]
    models: list[str]


class Run:
    """What happened below one task root, counted exactly once.

    Parallel branches only append to lists: that is one atomic step in CPython, so nothing is lost and no lock is
    taken on the path of a call.
    """

    __slots__ = ("__weakref__", "agents", "calls", "facts", "id", "indexes", "name", "tool_results", "tools")

    def __init__(self, name: str, id: str | None = None) -> None:
        self.name = name
        self.id = id or uuid.uuid4().hex
        self.calls: list[tuple[int, int | None, int | None]] = []  # attempts, input tokens, output tokens
        self.tool_results: list[bool] = []  # one entry a tool call: did it succeed
        self.agents: list[int] = []  # the depth of each nested agent
        self.facts: Attributes = {}  # last seen identities: what the receipt carries
        self.indexes: list[str] = []  # name@version that fed the model calls so far
        self.tools: MutableMapping[str, str] = {}  # tool name -> hash, learned from the wire

    def totals(self) -> Attributes:
        """The sums for the root span. A token sum is absent where no call below reported that count."""
        calls = list(self.calls)
        sums: Attributes = {
            A.TASK_LLM_CALLS: len(calls),
            A.TASK_LLM_ATTEMPTS: sum(attempts for attempts, _, _ in calls),
            A.TASK_TOOL_CALLS: len(self.tool_results),
            A.TASK_TOOL_FAILURES: self.tool_results.count(False),
            A.TASK_AGENTS: len(self.agents),
            A.TASK_DEPTH: max(self.agents, default=0),
        }
        if given := [tokens for _, tokens, _ in calls if tokens is not None]:
            sums[A.TASK_INPUT_TOKENS] = sum(given)
        if given := [tokens for _, _, tokens in calls if tokens is not None]:
            sums[A.TASK_OUTPUT_TOKENS] = sum(given)
        return sums


class Scope(NamedTuple):
    """Everything that holds here.

    facts: attributes for every GenAI span in the scope. depth: how many agents deep below the task root.
    """

    run: Run | None = None
    facts: Mapping[str, Value] = {}
    prompt: Prompt | None = None
    judge: Judge | None = None
    depth: int = 0


NOWHERE = Scope()
_CURRENT: ContextVar[Scope] = ContextVar("otel_agentops.scope", default=NOWHERE)
_LEARNED: ContextVar[MutableMapping[str, str] | None] = ContextVar("otel_agentops.tools", default=None)


def current() -> Scope:
    """The scope of this context; outside of any, what an incoming request's baggage says, else `NOWHERE`."""
    scope = _CURRENT.get()
    if scope is NOWHERE and (arrived := baggage.get_all()):
        return Scope(facts=_received(arrived))
    return scope


@contextmanager
def entered(scope: Scope, travelling: frozenset[str] = frozenset()) -> Iterator[Scope]:
    """The scope for the length of a block, its `travelling` groups of facts in the baggage of outgoing requests."""
    token = _CURRENT.set(scope)
    outgoing = otel_context.attach(_with_baggage(scope.facts, travelling)) if travelling else None
    try:
        yield scope
    finally:
        if outgoing is not None:
            otel_context.detach(outgoing)
        _CURRENT.reset(token)


def learn_tools(hashes: Mapping[str, str]) -> None:
    """Keep the hashes of offered tools for the tool calls that follow: in the run, else in this context alone."""
    run = _CURRENT.get().run
    if run is not None:
        run.tools.update(hashes)
    else:
        _LEARNED.set({**(_LEARNED.get() or {}), **hashes})


def learned_tool(name: str) -> str | None:
    """The hash under which a tool was last offered to a model here, None where that is unknown."""
    run = _CURRENT.get().run
    known = run.tools if run is not None else _LEARNED.get()
    return known.get(name) if known else None


def _with_baggage(facts: Mapping[str, Value], travelling: frozenset[str]) -> otel_context.Context:
    context = otel_context.get_current()
    for group in travelling:
        for key in TRAVELLING[group]:
            if key in facts:
                context = baggage.set_baggage(key, str(facts[key]), context)
    return context


def _received(arrived: Mapping[str, object]) -> Attributes:
    return {key: value for key in _KEYS if isinstance(value := arrived.get(key), str) and len(value) <= _LONGEST}
