"""A task of the application, the unit that error budgets count; inside another one, an agent of it."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import ExitStack
from time import time_ns
from typing import Any

from opentelemetry.trace import Span, get_current_span
from typing_extensions import override

from otel_agentops import _coerce, _telemetry
from otel_agentops import scope as scopes
from otel_agentops._block import Block
from otel_agentops._guard import guard, say_once
from otel_agentops._processor import place_below
from otel_agentops.helpers._span import error_type, start
from otel_agentops.operations import Attributes, Value
from otel_agentops.scope import NOWHERE, Run, Scope
from otel_agentops.semconv import attributes as A


class task(Block):  # noqa: N801  a verb, used like contextlib's own
    """One task of the application from start to outcome: the unit that error budgets count.

    name: low-cardinality kind of task. id: None for a new one; it goes to other services, so no person should be in it.
    The other facts are stamped on every GenAI span below. retry: whether this repeats an earlier task of the same user,
    None where the application does not know. Inside another task this is an agent of that task: its calls
    count for the outer one, and it has no outcome of its own. In a service that was called by another's task, that
    task's id is taken over from the baggage, and the sums on its span are those of this service.
    """

    def __init__(
        self,
        name: str,
        *,
        id: str | None = None,
        tenant: str | None = None,
        segment: str | None = None,
        intent: str | None = None,
        stage: str | None = None,
        route: str | None = None,
        retry: bool | None = None,
    ) -> None:
        super().__init__(
            name, id=id, tenant=tenant, segment=segment, intent=intent, stage=stage, route=route, retry=retry
        )
        self.name = str(name)
        self.id = id
        self._id = id
        self._declared = {
            A.TRAFFIC_TENANT: tenant,
            A.TRAFFIC_SEGMENT: segment,
            A.TRAFFIC_INTENT: intent,
            A.ROLLOUT_STAGE: stage,
            A.ROLLOUT_ROUTE: route,
        }
        self._retry = retry
        self._ending: Attributes = {}  # of a task that has ended
        self._scope = NOWHERE
        self._root = True  # false for an agent of another task, here or in the calling service
        self._counts = True  # false where the run below is summed by an outer block
        self._outcome: str | None = None
        self._span: Span | None = None

    @override
    def enter(self, stack: ExitStack) -> None:
        outer = scopes.current()
        self._span = self._outcome = None
        self._ending = {}
        run = outer.run or self._new_run(outer)
        self.id = run.id
        self._counts = outer.run is None
        self._root = self._counts and A.TASK_ID not in outer.facts
        depth = outer.depth
        if not self._root:
            depth = place_below(get_current_span(), outer).depth + 1
            run.agents.append(depth)
        else:
            run.declared = self._of_root()
        facts: Attributes = {**outer.facts, **_coerce.texts(self._declared), A.TASK_ID: run.id, A.TASK_NAME: run.name}
        self._scope = outer._replace(run=run, facts=facts, depth=depth)
        stack.enter_context(scopes.entered(self._scope, telling=True))
        on_root = run.declared if self._root else {}
        self._span = start(stack, f"{self._operation} {self.name}", {**self._kind(), **facts, **on_root})

    @override
    def exit(self, error: BaseException | None) -> None:
        run = self._scope.run
        if self._span is None or run is None:
            return
        self._ending = run.totals() if self._counts else {}
        if self._root:
            self._ending[A.TASK_OUTCOME] = self._outcome or _ending(error)
        _telemetry.get().finish(self._span, self._ending, error_type(error))

    @guard
    def used(self, ids: Iterable[Any]) -> None:
        """The documents that the answer rests on, or their ids; call it as often as there is something to say.

        On the root: how many different ones, and how many of these no retrieval of the task returned. Unknown, and
        absent, is the second where a retrieval of the task did not tell its documents; see `retrieval.documents`.
        """
        run = self._scope.run
        if run is None:
            return
        known = _coerce.documents(ids) if isinstance(ids, Iterable) else None
        if known is None:
            say_once("used", "the documents that a task used are left out: give their ids, each a text or a number")
        else:
            run.use(known)

    @guard
    def outcome(self, outcome: str) -> None:
        """How the task ended: completed, failed, escalated, abandoned or cancelled.

        Without it a block that ends is completed, one that raises is failed, one that is stopped from outside (by a
        cancellation, an interrupt, or because nobody reads its generator to the end) is cancelled.
        """
        if not self._root:
            say_once(f"agent:{self.name}", _AGENT, self.name)
        elif _coerce.known("task outcome", outcome, A.TASK_OUTCOME_VALUES):
            self._outcome = outcome

    def receipt(self) -> dict[str, Value]:
        """The facts of the task to keep with its result until the truth about it is known; see `outcome`.

        JSON-serialisable: task id and name, the identities last seen, the traffic facts, the last judge's score and the
        sums. Best taken when the block has ended: then the outcome and the sums are those of the root span; inside the
        block they are those so far, and an outcome is in it only where it was told.
        """
        receipt = scopes.whole_receipt(self._scope, self._ending)
        if self._outcome:
            receipt[A.TASK_OUTCOME] = self._outcome
        return receipt

    def _new_run(self, outer: Scope) -> Run:
        arrived = outer.facts.get(A.TASK_ID)
        if arrived is None:
            return Run(self.name, _coerce.text(self._id))
        return Run(str(outer.facts.get(A.TASK_NAME, self.name)), str(arrived))

    def _of_root(self) -> Attributes:
        started: Attributes = {A.TASK_STARTED_AT: time_ns() // 1_000_000_000}
        if self._retry is True or self._retry is False:
            started[A.TASK_RETRY] = self._retry
        elif self._retry is not None:
            say_once("retry", "retry=%.60r is neither True nor False and is left out", self._retry)
        return started

    @property
    def _operation(self) -> str:
        return "invoke_workflow" if self._root else "invoke_agent"

    def _kind(self) -> Attributes:
        key = A.GEN_AI_WORKFLOW_NAME if self._root else A.GEN_AI_AGENT_NAME
        return {A.GEN_AI_OPERATION_NAME: self._operation, key: self.name}


_AGENT = (
    "the outcome of %r is left out: it is an agent of another task here, and only the task's own block has an outcome"
)


def _ending(error: BaseException | None) -> str:
    """An error that is no `Exception` is not the task's: it was stopped from outside."""
    if error is None:
        return "completed"
    return "failed" if isinstance(error, Exception) else "cancelled"
