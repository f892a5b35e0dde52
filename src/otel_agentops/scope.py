"""Which run are we in: the facts that hold for every span until the block ends.

A `Scope` is an immutable value in a context variable, so it follows asyncio tasks and `contextvars.copy_context()`
by itself; it is in the OpenTelemetry context as well, for threads that are given that one alone. The one mutable thing
in it is the `Run` of a task: the sum of what happened below its root, shared by all parallel branches. Between
processes the facts travel as W3C baggage.
"""

from __future__ import annotations

import math
import uuid
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, MutableMapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import NamedTuple

from opentelemetry import baggage
from opentelemetry import context as otel_context

from otel_agentops._guard import say_once
from otel_agentops._held import Held
from otel_agentops.operations import Attributes, Value
from otel_agentops.semconv import attributes as A

# Facts of each group that may travel over HTTP, out and in; which groups do is OTEL_AGENTOPS_BAGGAGE.
TRAVELLING = {
    "task": (A.TASK_ID, A.TASK_NAME),
    "traffic": (A.TRAFFIC_SEGMENT, A.TRAFFIC_INTENT),
    "tenant": (A.TRAFFIC_TENANT,),
    "rollout": (A.ROLLOUT_STAGE, A.ROLLOUT_ROUTE),
}
_OURS = frozenset(key for keys in TRAVELLING.values() for key in keys)
_UNBOUNDED = frozenset({A.TASK_ID, A.TRAFFIC_TENANT})  # one for each run or customer; the others become metric labels
_LONGEST = 256  # characters of a fact that travels; a longer one is not one of ours
_TOOLS = 1000  # hashes of tools that are kept outside of any run
_EXECUTIONS = 10_000  # of tools in one task, of which the arguments are compared
_DOCUMENTS = 10_000  # ids that one task remembers
_MOST = 200  # different values of a label that are believed when they come over the network


class Prompt(NamedTuple):
    """A prompt template that the application declared. hash: None where neither its text nor its version is known."""

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

    __slots__ = (
        "__weakref__",
        "agents",
        "asked",
        "calls",
        "declared",
        "executed",
        "facts",
        "fetched",
        "id",
        "indexes",
        "judged",
        "name",
        "returned",
        "tool_results",
        "tools",
        "used",
    )

    def __init__(self, name: str, id: str | None = None) -> None:
        self.name = name
        self.id = id or uuid.uuid4().hex
        # Attempts, input tokens, output tokens, USD of each model call; None: not known.
        self.calls: list[tuple[int | None, int | None, int | None, float | None]] = []
        # Input and output tokens that a fetch told of what a call had begun; None: not known.
        self.fetched: list[tuple[int | None, int | None]] = []
        self.tool_results: list[bool] = []  # one entry a tool call: did it succeed
        # What tools were called with, as hashes of `_near`: as executed, and as the models asked for it.
        self.executed: list[int] = []
        self.asked: list[int] = []
        # Hashes of document ids: of each retrieval, None where it does not tell them; and of what the answer used.
        self.returned: list[Sequence[int] | None] = []
        self.used: list[Sequence[int]] = []
        self.agents: list[int] = []  # the depth of each nested agent
        self.declared: Attributes = {}  # what holds for the task from its start, on its root alone
        self.judged: Attributes = {}  # by whom the task was judged last, and how
        self.facts: Attributes = {}  # last seen identities: what the receipt carries
        self.indexes: list[str] = []  # name@version that fed the model calls so far
        self.tools: MutableMapping[str, str] = {}  # tool name -> hash, learned from the wire

    def totals(self) -> Attributes:
        """The sums for the root span. A token sum is absent where no call below reported that count.

        Attempts and cost are absent where one call's are unknown, the repeats where nobody saw a tool's arguments, the
        documents where the application did not say which it used.
        """
        calls = list(self.calls)
        sums: Attributes = {
            A.TASK_LLM_CALLS: len(calls),
            A.TASK_TOOL_CALLS: len(self.tool_results),
            A.TASK_TOOL_FAILURES: self.tool_results.count(False),
            A.TASK_AGENTS: len(self.agents),
            A.TASK_DEPTH: max(self.agents, default=0),
        }
        tried = [call[0] for call in calls if call[0] is not None]
        if len(tried) == len(calls):
            sums[A.TASK_LLM_ATTEMPTS] = sum(tried)
        counted = [*(call[1:3] for call in calls), *self.fetched]
        for position, total in enumerate((A.TASK_INPUT_TOKENS, A.TASK_OUTPUT_TOKENS)):
            if given := [tokens for pair in counted if (tokens := pair[position]) is not None]:
                sums[total] = sum(given)
        paid = [call[3] for call in calls]
        if paid and None not in paid:
            sums[A.TASK_COST] = math.fsum(usd for usd in paid if usd is not None)
        if seen := [max(Counter(keys).values()) for keys in (self.executed, self.asked) if keys]:
            sums[A.TASK_TOOL_REPEATS] = max(seen)
        return {**sums, **self._documents()}

    def execute(self, key: int | None) -> None:
        """A tool is executed. key: the hash of its arguments, None where they are not known."""
        if key is not None and len(self.executed) < _EXECUTIONS:
            self.executed.append(key)

    def ask(self, keys: Iterable[int | None]) -> None:
        """A model asks for tools to be executed."""
        if len(self.asked) < _EXECUTIONS:
            self.asked.extend(key for key in keys if key is not None)

    def retrieve(self, ids: Sequence[int] | None) -> None:
        """A retrieval came back with these documents, None where it does not tell which."""
        room = _DOCUMENTS - sum(len(known) for known in self.returned if known)
        self.returned.append(ids if ids is not None and len(ids) <= room else None)

    def use(self, ids: Sequence[int]) -> None:
        """The answer rests on these documents."""
        if sum(map(len, self.used)) + len(ids) <= _DOCUMENTS:
            self.used.append(ids)
        else:
            say_once("used", "a task's answer uses more than %d documents; further ones are not counted", _DOCUMENTS)

    def _documents(self) -> Attributes:
        if not self.used:
            return {}
        used = {key for ids in self.used for key in ids}
        counts: Attributes = {A.TASK_DOCUMENTS_USED: len(used)}
        returned = [ids for ids in self.returned if ids is not None]
        if len(returned) == len(self.returned):  # else it may be one of those that nobody told
            counts[A.TASK_DOCUMENTS_UNFOUNDED] = len(used.difference(*returned))
        return counts


class Scope(NamedTuple):
    """Everything that holds here.

    facts: attributes for every GenAI span in the scope. depth: how many agents deep below the task root. output: where
    the spans of model calls wait for the word on what they brought.
    """

    run: Run | None = None
    facts: Mapping[str, Value] = {}
    prompt: Prompt | None = None
    judge: Judge | None = None
    depth: int = 0
    output: Held | None = None


NOWHERE = Scope()
_CURRENT: ContextVar[Scope] = ContextVar("otel_agentops.scope", default=NOWHERE)
_KEY = otel_context.create_key("otel_agentops.scope")
_LEARNED: ContextVar[Mapping[str, str] | None] = ContextVar("otel_agentops.tools", default=None)


_travelling: frozenset[str] = frozenset()
_arrived: dict[str, set[str]] = {}  # values of labels that came over the network


def let_travel(groups: Iterable[str]) -> None:
    """From now on send the facts of these groups to other services, and believe them when they come from one."""
    global _travelling
    _travelling = frozenset(key for group in groups for key in TRAVELLING[group])


def current() -> Scope:
    """The scope of this context; outside of any, what an incoming request's baggage says, else `NOWHERE`."""
    scope = _CURRENT.get()
    if scope is not NOWHERE:
        return scope
    context = otel_context.get_current()
    carried = context.get(_KEY)
    if isinstance(carried, Scope):
        return carried
    arrived = baggage.get_all(context)
    facts = _received(arrived) if arrived else None
    return Scope(facts=facts) if facts else NOWHERE


@contextmanager
def entered(scope: Scope, telling: bool = False) -> Iterator[Scope]:
    """The scope for the length of a block. telling: its facts that may travel are in outgoing requests' baggage."""
    token = _CURRENT.set(scope)
    context = otel_context.set_value(_KEY, scope)
    attached = otel_context.attach(_with_baggage(scope.facts, context) if telling else context)
    try:
        yield scope
    finally:
        otel_context.detach(attached)
        _CURRENT.reset(token)


def untold(context: otel_context.Context) -> otel_context.Context:
    """The current context with none of our facts in its baggage, and the same scope; itself where there were none."""
    arrived = baggage.get_all(context)
    told = arrived.keys() & _OURS if arrived else ()
    if told:
        context = otel_context.set_value(_KEY, current(), context)  # where it came as baggage it is known by that alone
    for key in told:
        context = baggage.remove_baggage(key, context)
    return context


def receipt(scope: Scope) -> Attributes:
    """The facts of the scope's task, to be kept with its result: who asked, and the identities last seen."""
    if scope.run is None:
        return dict(scope.facts)
    facts: Attributes = {**scope.facts, **scope.run.facts}
    if scope.run.indexes:
        facts[A.RETRIEVAL_INDEXES] = list(dict.fromkeys(scope.run.indexes))
    return facts


def whole_receipt(scope: Scope, totals: Attributes | None = None) -> Attributes:
    """The receipt with everything that a proxy is computed from. totals: of a task that has ended, else those now."""
    if scope.run is None:
        return receipt(scope)
    return {**receipt(scope), **scope.run.declared, **scope.run.judged, **(totals or scope.run.totals())}


def learn_tools(hashes: Mapping[str, str], run: Run | None) -> None:
    """Keep the hashes of offered tools for the tool calls that follow: in the run, else in this context alone."""
    if run is not None:
        run.tools.update(hashes)
        return
    known = _LEARNED.get() or {}
    if not hashes.items() <= known.items():
        _LEARNED.set({**known, **hashes} if len(known) < _TOOLS else dict(hashes))


def learned_tool(name: str) -> str | None:
    """The hash under which a tool was last offered to a model here, None where that is unknown."""
    run = current().run
    known = run.tools if run is not None else _LEARNED.get()
    return known.get(name) if known else None


def _with_baggage(facts: Mapping[str, Value], context: otel_context.Context) -> otel_context.Context:
    for key in facts.keys() & _travelling:
        value = str(facts[key])
        if len(value) <= _LONGEST:
            context = baggage.set_baggage(key, value, context)
        else:
            say_once(f"long:{key}", "a %s of more than %d characters stays in this service", key, _LONGEST)
    return context


def _received(arrived: Mapping[str, object]) -> Attributes:
    """The facts that we asked for and that can be ours; a task has an id and a name, or it is none."""
    facts = {key: str(arrived[key]) for key in arrived.keys() & _travelling if _is_fact(key, arrived[key])}
    if not facts.keys() >= {A.TASK_ID, A.TASK_NAME}:
        facts = {key: value for key, value in facts.items() if key not in TRAVELLING["task"]}
    return dict(facts)


def _is_fact(key: str, value: object) -> bool:
    if not isinstance(value, str) or not 0 < len(value) <= _LONGEST or not value.isprintable():
        return False
    known = _arrived.setdefault(key, set())
    if key in _UNBOUNDED or value in known:
        return True
    if len(known) >= _MOST:
        say_once(f"arrived:{key}", _TOO_MANY, _MOST, key)
        return False
    known.add(value)
    return True


_TOO_MANY = (
    "more than %d different values of %s came as baggage, further ones are ignored: let only services of your own send "
    "it, e.g. remove the baggage header of requests from outside"
)
