"""A task of the application, the unit that error budgets count; inside another one, an agent of it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import ExitStack
from time import time_ns
from typing import TypeAlias

from opentelemetry.trace import get_current_span
from typing_extensions import override

from otel_agentops import _coerce, _telemetry
from otel_agentops._block import Block
from otel_agentops._context import NO_SCOPE, Scope, current_scope, enter_scope
from otel_agentops._endpoint import Content
from otel_agentops._guard import guard, say_once
from otel_agentops._observation import Observation
from otel_agentops._placement import placement_below
from otel_agentops.gold import is_gold
from otel_agentops.helpers._observed import error_type_of, observe_block, tell_content
from otel_agentops.helpers._receipt import read_receipt
from otel_agentops.operations import AgentResult, AgentRun, Attributes, Value
from otel_agentops.semconv import attributes as A
from otel_agentops.task_totals import TaskTotals


class task(Block):  # noqa: N801  a verb, used like contextlib's own
    """One task of the application from start to outcome: the unit that error budgets count.

    The facts are stamped on every GenAI span below. Inside another task this is an agent of that task: its calls count
    for the outer one, and it has no outcome of its own. In a service that was called by another's task, that task's id
    is taken over from the baggage, and the sums on its span are those of this service.

    Args:
        name: Low-cardinality kind of task.
        id: None for a new one; it goes to other services, so no person should be in it.
        tenant: Whose request it is.
        user: Id of the person who is served. It is on no span and goes nowhere: the flight recorder keeps a keyed hash
            of it, by which `record delete --user` finds what is to go. Inside another task the outer one's counts, too.
        segment: Part of the traffic.
        intent: What the user wants, as a low-cardinality kind.
        stage: Stage of a roll-out.
        route: Route of a roll-out.
        retry: True if this repeats an earlier task of the same user; None if the application does not know.
        input: The words that it begins with: a text, or messages with `role` and `parts` (or a text as `content`). They
            stay here unless content is recorded, see docs/content.md.
        instructions: The system instructions of an agent, likewise; the conventions have none for a whole task.
    """

    def __init__(
        self,
        name: str,
        *,
        id: str | None = None,
        tenant: str | None = None,
        user: str | None = None,
        segment: str | None = None,
        intent: str | None = None,
        stage: str | None = None,
        route: str | None = None,
        retry: bool | None = None,
        input: _Words = None,
        instructions: str | None = None,
    ) -> None:
        super().__init__(
            name, id=id, tenant=tenant, user=user, segment=segment, intent=intent, stage=stage, route=route,
            retry=retry, input=input, instructions=instructions,
        )  # fmt: skip
        self.name = str(name)
        self.id = id
        self._requested_id = id
        self._user = user
        self._declared = {
            A.TRAFFIC_TENANT: tenant,
            A.TRAFFIC_SEGMENT: segment,
            A.TRAFFIC_INTENT: intent,
            A.ROLLOUT_STAGE: stage,
            A.ROLLOUT_ROUTE: route,
        }
        self._retry = retry
        self._input = input
        self._instructions = instructions
        self._result: Attributes = {}  # sums and outcome of a task that has ended
        self._scope = NO_SCOPE
        self._is_root = True  # False for an agent of another task, here or in the calling service
        self._has_totals = True  # False if an outer block sums up
        self._outcome: str | None = None
        self._failure: str | None = None  # a kind of failure that came without an exception
        self._observation: Observation | None = None

    @override
    def enter_block(self, stack: ExitStack) -> None:
        outer = current_scope()
        self._observation = self._outcome = None
        self._result = {}
        totals = outer.task or self._make_totals(outer)
        self.id = totals.id
        # An agent that judges is no task of the application, and no budget counts it.
        self._has_totals = outer.task is None and outer.judge is None
        self._is_root = self._has_totals and A.TASK_ID not in outer.facts
        depth = outer.depth
        if self._has_totals:
            totals.open()
            stack.callback(totals.close)
        if self._is_root:
            totals.root_facts = self._read_root_facts()
        else:
            depth = placement_below(get_current_span(), outer).depth + 1
        declared = _coerce.as_texts(self._declared)
        facts: Attributes = {**outer.facts, **declared, A.TASK_ID: totals.id, A.TASK_NAME: totals.name}
        user = _coerce.as_text(self._user)
        users = (*outer.users, user) if user else outer.users
        self._scope = outer._replace(task=totals, facts=facts, depth=depth, users=users)
        enter_scope(stack, self._scope, sends_baggage=True)
        run = AgentRun(self.name, totals.root_facts if self._is_root else {}, self._is_root, depth)
        self._observation = observation = observe_block(stack, run)
        if self._is_root:
            _stamp_cohort(totals)
        if observation.hooks.request_read:
            content: Content = {}
            if not self._is_root and isinstance(self._instructions, str):
                content[A.GEN_AI_SYSTEM_INSTRUCTIONS] = [{"type": "text", "content": self._instructions}]
            if messages := _read_messages(self._input, "user"):
                content[A.GEN_AI_INPUT_MESSAGES] = messages
            elif self._input is not None:
                say_once(
                    "input", "the input of %r is left out: give a text, or messages with a role and parts", self.name
                )
            tell_content(observation.hooks.request_read, observation, content)

    @override
    @guard
    def record_result(self, result: object) -> None:
        """Record the answer, if content is recorded at all; that of a decorated function is known.

        result: a text, or messages as `input` has them; anything else is left out.
        """
        observation = self._observation
        if observation is None or not observation.hooks.response_received:
            return
        if messages := _read_messages(result, "assistant"):
            content = {A.GEN_AI_OUTPUT_MESSAGES: [{"finish_reason": "stop", **message} for message in messages]}
            tell_content(observation.hooks.response_received, observation, content)

    @override
    def exit_block(self, error: BaseException | None) -> None:
        totals = self._scope.task
        if self._observation is None or totals is None:
            return
        self._result = totals.sum_up() if self._has_totals else {}
        if self._is_root:
            self._result[A.TASK_OUTCOME] = self._outcome or _outcome_of(error)
            if values := totals.list_values():
                self._result[A.TASK_VALUES] = values
        self._observation.finish(AgentResult(self._result, self._failure), error_type_of(error))

    @guard
    def used(self, ids: Iterable[object]) -> None:
        """Record the documents, or their ids, on which the answer rests; call it as often as there are some.

        The root span says how many different ones, and how many of these no retrieval of the task returned. The second
        is unknown, and absent, if a retrieval of the task did not tell its documents; see `retrieval.documents`.
        """
        totals = self._scope.task
        if totals is None:
            return
        hashes = _coerce.hash_documents(ids) if isinstance(ids, Iterable) else None
        if hashes is None:
            say_once("used", "the documents that a task used are left out: give their ids, each a text or a number")
        else:
            totals.add_used(hashes)

    @guard
    def outcome(self, outcome: str) -> None:
        """Set how the task ended: completed, failed, escalated, abandoned, cancelled or interrupted.

        Without it a block that ends is completed, one that raises is failed, one that is stopped from outside (by a
        cancellation, an interrupt, or because nobody reads its generator to the end) is cancelled.
        """
        if not self._is_root:
            say_once(f"agent:{self.name}", _AGENT_OUTCOME, self.name)
        elif _coerce.is_enum_value("task outcome", outcome, A.TASK_OUTCOME_VALUES):
            self._outcome = outcome

    def receipt(self) -> dict[str, Value]:
        """Return the facts of the task to keep with its result until the truth about it is known; see `outcome`.

        JSON-serialisable: task id and name, the identities last seen, the traffic facts, the last judge's score and the
        sums. Best taken when the block has ended: then the outcome and the sums are those of the root span; inside the
        block they are those so far, and an outcome is in it only if it was told.
        """
        receipt = read_receipt(self._scope, self._result)
        if self._outcome:
            receipt[A.TASK_OUTCOME] = self._outcome
        return receipt

    def _make_totals(self, outer: Scope) -> TaskTotals:
        """Return sums of a new task, or of the calling service's task as far as this service takes part in it."""
        arrived_id = outer.facts.get(A.TASK_ID)
        if arrived_id is None:
            return TaskTotals(self.name, _coerce.as_text(self._requested_id))
        return TaskTotals(str(outer.facts.get(A.TASK_NAME, self.name)), str(arrived_id))

    def _read_root_facts(self) -> Attributes:
        facts: Attributes = {A.TASK_STARTED_AT: time_ns() // 1_000_000_000}
        if self._retry is True or self._retry is False:
            facts[A.TASK_RETRY] = self._retry
        elif self._retry is not None:
            say_once("retry", "retry=%.60r is neither True nor False and is left out", self._retry)
        return facts


def _stamp_cohort(totals: TaskTotals) -> None:
    """Say on the root span, which is current, and on the receipt if the task is in the gold cohort."""
    ratio = _telemetry.get_default().config.gold_ratio
    span = get_current_span()
    if ratio is not None and span.get_span_context().is_valid:
        is_in_cohort = is_gold(span.get_span_context().trace_id, ratio)
        totals.root_facts[A.TASK_GOLD] = is_in_cohort
        span.set_attribute(A.TASK_GOLD, is_in_cohort)


_Words: TypeAlias = "str | Sequence[Mapping[str, object]] | None"


def _read_messages(words: object, role: str) -> list[dict[str, object]] | None:
    """Return messages as the convention has them; None if these words are neither a text nor messages."""
    messages = [{"content": words}] if isinstance(words, str) else words
    if not isinstance(messages, Sequence) or not messages:
        return None
    read: list[dict[str, object]] = []
    for message in messages:
        if not isinstance(message, Mapping):
            return None
        members = {"role": role, **message}
        if isinstance(text := members.pop("content", None), str):
            members.setdefault("parts", [{"type": "text", "content": text}])
        if "parts" not in members:
            return None
        read.append(members)
    return read


_AGENT_OUTCOME = (
    "the outcome of %r is left out: it is an agent of another task here, and only the task's own block has an outcome"
)


def _outcome_of(error: BaseException | None) -> str:
    """Return the outcome of a block; an error that is no `Exception` stopped it from outside."""
    if error is None:
        return "completed"
    return "failed" if isinstance(error, Exception) else "cancelled"
