"""Sums of everything below one task root, each counted exactly once.

Parallel branches only append to lists: that is one atomic step in CPython, so nothing is lost and no lock is taken on
the path of a call.
"""

from __future__ import annotations

import math
import os
import time
import uuid
import weakref
from collections import Counter
from collections.abc import Iterable, MutableMapping, Sequence

from opentelemetry.trace import SpanKind, get_current_span

from otel_agentops._guard import say_once
from otel_agentops._retries import APPLICATION, MODEL, NODE, TOOL, Failure
from otel_agentops._task_values import format_values
from otel_agentops.operations import SERVER, Attributes, Fetch, ModelCall, Operation, Retrieval, ToolCall, Value
from otel_agentops.semconv import attributes as A

_MAX_EXECUTIONS = 10_000  # tool calls of one task whose arguments are compared
_MAX_DOCUMENTS = 10_000  # document ids that one task remembers
_MAX_UNATTRIBUTED = 10_000  # operations of no task that one task counts
_MAX_FAILURES = 100  # that one task compares with what follows them

_RETRY_SUMS = {
    MODEL: A.TASK_MODEL_RETRIES,
    NODE: A.TASK_NODE_RETRIES,
    TOOL: A.TASK_TOOL_RETRIES,
    APPLICATION: A.TASK_APPLICATION_RETRIES,
}

# The tasks whose block is open in this process, by the id of their sums: empty in most programs at most times, so that
# a call which belongs to no task can tell at once that it was lost by none.
open_tasks: dict[int, weakref.ref[TaskTotals]] = {}


class TaskTotals:
    """The mutable part of a scope: shared by all parallel branches of one task."""

    __slots__ = (
        "__weakref__",
        "agent_depths",
        "call_identities",
        "executed_hashes",
        "facts",
        "failures",
        "fallbacks",
        "fetched_tokens",
        "id",
        "indexes",
        "judge_facts",
        "model_calls",
        "name",
        "opened_at",
        "requested_hashes",
        "retried_levels",
        "retrieved_documents",
        "root_facts",
        "tool_hashes",
        "tool_results",
        "unattributed",
        "used_documents",
        "used_identities",
    )

    def __init__(self, name: str, id: str | None = None) -> None:
        self.name = name
        # Not by uuid4: a program whose tests replace it with a counter would get other ids with us than without.
        self.id = id or uuid.UUID(bytes=os.urandom(16), version=4).hex
        self.opened_at = 0.0  # seconds of a clock that only grows; 0 before its block is entered
        # Attempts, input tokens, output tokens, USD of each model call; None: not known.
        self.model_calls: list[tuple[int | None, int | None, int | None, float | None]] = []
        # Input and output tokens that a fetch reported for an earlier call; None: not known.
        self.fetched_tokens: list[tuple[int | None, int | None]] = []
        self.tool_results: list[bool] = []  # one entry a tool call: True if it succeeded
        # Hashes of tool calls with their arguments: as executed, and as the models requested them.
        self.executed_hashes: list[int] = []
        self.requested_hashes: list[int] = []
        # Hashes of document ids: of each retrieval (None if it does not tell them), and of what the answer used.
        self.retrieved_documents: list[Sequence[int] | None] = []
        self.used_documents: list[Sequence[int]] = []
        self.failures: list[Failure] = []  # that nothing has followed yet
        self.retried_levels: list[str] = []  # of each retry that was seen
        self.fallbacks: list[str] = []  # the tool or model that each fallback stands in for
        self.agent_depths: list[int] = []  # of each nested agent
        self.root_facts: Attributes = {}  # facts known at the start, on the root span alone
        self.judge_facts: Attributes = {}  # the last judge and its score
        self.facts: Attributes = {}  # identities last seen: what the receipt carries
        self.indexes: list[str] = []  # name@version that fed the model calls so far
        self.unattributed: list[type] = []  # kind of each operation of no task while this one was open
        self.tool_hashes: MutableMapping[str, str] = {}  # by tool name, learned from the wire
        # Keys alone, each once and in order of use; to set one is atomic, too. None: not known.
        # Of model calls: the model asked for, the model that answered, prompt name, prompt hash, tools hash, hash of
        # the instructions sent under a template, params hash, fingerprint.
        self.call_identities: dict[tuple[Value | None, ...], None] = {}
        # Of tools, indexes and judges: variable, name, hash or version.
        self.used_identities: dict[tuple[str, Value | None, Value | None], None] = {}

    def open(self) -> None:
        """Expect that operations elsewhere in this process may be this task's, until `close`."""
        self.opened_at = time.monotonic()
        key = id(self)
        open_tasks[key] = weakref.ref(self, lambda _: open_tasks.pop(key, None))

    def close(self) -> None:
        """Expect no more operations."""
        open_tasks.pop(id(self), None)

    def add_execution(self, arguments_hash: int | None) -> None:
        """Record an executed tool call. None: its arguments are not known."""
        if arguments_hash is not None and len(self.executed_hashes) < _MAX_EXECUTIONS:
            self.executed_hashes.append(arguments_hash)

    def add_requests(self, arguments_hashes: Iterable[int | None]) -> None:
        """Record the tool calls that a model requested."""
        if len(self.requested_hashes) < _MAX_EXECUTIONS:
            self.requested_hashes.extend(value for value in arguments_hashes if value is not None)

    def add_failure(self, failure: Failure) -> None:
        """Remember a failed operation, until one does it again or stands in for it."""
        if len(self.failures) >= _MAX_FAILURES:
            del self.failures[0]
        self.failures.append(failure)

    def add_retrieval(self, document_hashes: Sequence[int] | None) -> None:
        """Record the documents of a retrieval. None: it does not tell which."""
        room = _MAX_DOCUMENTS - sum(len(hashes) for hashes in self.retrieved_documents if hashes)
        fits = document_hashes is not None and len(document_hashes) <= room
        self.retrieved_documents.append(document_hashes if fits else None)

    def add_used(self, document_hashes: Sequence[int]) -> None:
        """Record documents on which the answer rests."""
        if sum(map(len, self.used_documents)) + len(document_hashes) <= _MAX_DOCUMENTS:
            self.used_documents.append(document_hashes)
        else:
            say_once(
                "used", "a task's answer uses more than %d documents; further ones are not counted", _MAX_DOCUMENTS
            )

    def distinct_indexes(self) -> list[str]:
        """Return the indexes that fed the task so far, each once, in order."""
        return list(dict.fromkeys(self.indexes))

    def list_values(self) -> list[str]:
        """Return `variable/scope=value` of each variable that the task used so far, with the scopes of the metrics."""
        values: list[tuple[str, Value | None, Value | None]] = []
        details: list[tuple[str, Value | None, Value | None]] = []  # last, as a task has a limit of values
        for requested, answered, prompt_name, prompt_hash, tools_hash, *detail in list(self.call_identities):
            sent_hash, params_hash, fingerprint = detail
            prompt_scope = f"{self.name}/{prompt_name or 'unknown'}"
            values.append(("model", requested, answered))
            values.append(("prompt", prompt_scope, prompt_hash))
            values.append(("tools", self.name, tools_hash))
            details.append(("params", requested, params_hash))
            details.append(("instructions", f"{prompt_scope}/{prompt_hash}", sent_hash))
            details.append(("fingerprint", requested, fingerprint))
        for variable, name, value in list(self.used_identities):
            is_offered = variable == "tool" and value is None  # a framework's span does not say what was offered
            values.append((variable, name, self.tool_hashes.get(str(name)) if is_offered else value))
        return format_values([*values, *details])

    def sum_up(self) -> Attributes:
        """Return the sums for the root span.

        A token sum is absent if no call below reported that count. Attempts and cost are absent if one call's are
        unknown, the repeats if nobody saw a tool's arguments, the documents if the application did not say which it
        used. A kind of operation that may be missing, because a thread lost the task, has no sums.
        """
        sums: Attributes = {A.TASK_AGENTS: len(self.agent_depths), A.TASK_DEPTH: max(self.agent_depths, default=0)}
        lost = set(self.unattributed)
        if lost:
            sums[A.TASK_UNATTRIBUTED] = len(self.unattributed)
        if ModelCall not in lost:
            sums.update(self._sum_model_calls(knows_tokens=Fetch not in lost))
        if ToolCall not in lost:
            sums[A.TASK_TOOL_CALLS] = len(self.tool_results)
            sums[A.TASK_TOOL_FAILURES] = self.tool_results.count(False)
        if not lost & {ModelCall, ToolCall}:
            hash_lists = (self.executed_hashes, self.requested_hashes)
            if repeats := [max(Counter(hashes).values()) for hashes in hash_lists if hashes]:
                sums[A.TASK_TOOL_REPEATS] = max(repeats)
        levels = Counter(self.retried_levels)
        sums.update({_RETRY_SUMS[level]: count for level, count in levels.items()})
        if self.fallbacks:
            sums[A.TASK_FALLBACKS] = len(self.fallbacks)
        return {**sums, **self._count_documents()}

    def _sum_model_calls(self, knows_tokens: bool) -> Attributes:
        calls = list(self.model_calls)
        sums: Attributes = {A.TASK_LLM_CALLS: len(calls)}
        attempts = [call[0] for call in calls if call[0] is not None]
        if len(attempts) == len(calls):
            sums[A.TASK_LLM_ATTEMPTS] = sum(attempts)
        token_pairs = [*(call[1:3] for call in calls), *self.fetched_tokens]
        for position, key in enumerate((A.TASK_INPUT_TOKENS, A.TASK_OUTPUT_TOKENS)):
            if knows_tokens and (counts := [tokens for pair in token_pairs if (tokens := pair[position]) is not None]):
                sums[key] = sum(counts)
        costs = [call[3] for call in calls]
        if costs and None not in costs:
            sums[A.TASK_COST] = math.fsum(usd for usd in costs if usd is not None)
        return sums

    def _count_documents(self) -> Attributes:
        if not self.used_documents:
            return {}
        used = {value for hashes in self.used_documents for value in hashes}
        counts: Attributes = {A.TASK_DOCUMENTS_USED: len(used)}
        retrieved = [hashes for hashes in self.retrieved_documents if hashes is not None]
        if (
            len(retrieved) == len(self.retrieved_documents) and Retrieval not in self.unattributed
        ):  # else it may be one of those that nobody told
            counts[A.TASK_DOCUMENTS_UNFOUNDED] = len(used.difference(*retrieved))
        return counts


def record_unattributed(operation: Operation) -> None:
    """Count an operation of no task for every task that is open elsewhere in this process: it may be theirs.

    It may not if it has a context of its own: then it is part of a request that has no task, or such a request itself.
    """
    if not isinstance(operation, (ModelCall, Fetch, ToolCall, Retrieval)) or _is_in_request():
        return
    if isinstance(operation, ToolCall) and operation.span_kind == SERVER:
        return
    for reference in list(open_tasks.values()):
        if (task := reference()) is not None and len(task.unattributed) < _MAX_UNATTRIBUTED:
            task.unattributed.append(type(operation))
            say_once("unattributed", _UNATTRIBUTED, operation.span_name, task.name)


_UNATTRIBUTED = (
    "%r ran outside of any task while the task %r was open, so the sums of that task are not known and are left out: "
    "hand the context to the thread with contextvars.copy_context().run, or install otel-agentops[threads], which does "
    "it for all threads and executors; work that is no part of a task needs a task or a server span of its own"
)


def _is_in_request() -> bool:
    """Return True if the current span is part of another trace that is known; a lost context has none, or a new one."""
    span = get_current_span()
    if not span.get_span_context().is_valid:
        return False
    is_root = getattr(span, "parent", span) is None
    return not is_root or getattr(span, "kind", None) in (SpanKind.SERVER, SpanKind.CONSUMER)
