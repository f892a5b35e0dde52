"""The verbs for code that nobody wraps: what the application alone can say about its run.

Each verb is a context manager and a decorator, for sync and async code alike:

    with task("support") as run:              @tool("lookup_order", effect="read")
        ...                                    async def lookup_order(order_id: str) -> dict: ...
        run.outcome("completed")

Nothing here raises for telemetry's sake, and no content is recorded: prompts and schemas are hashed, documents are
counted. Where no SDK is configured the verbs cost a few microseconds and emit nothing.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from typing import Any

from opentelemetry.trace import Span, SpanKind, use_span
from typing_extensions import override

from otel_agentops import _telemetry
from otel_agentops import scope as scopes
from otel_agentops._block import Block
from otel_agentops._safe import guard, say_once
from otel_agentops.record import Attributes, Value
from otel_agentops.scope import Judge as JudgeScope
from otel_agentops.scope import Prompt as PromptScope
from otel_agentops.scope import Run, Scope
from otel_agentops.semconv import attributes as A
from otel_agentops.semconv import events as E


class task(Block):  # noqa: N801  a verb, used like contextlib's own
    """One task of the application from start to outcome: the unit that error budgets count.

    name: low-cardinality kind of task. id: None for a new one. The other facts are stamped on every GenAI span below.
    Inside another task this is an agent of that task: its calls count for the outer one, and it has no outcome of
    its own. In a service that was called by another's task, that task's id is taken over from the baggage.
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
    ) -> None:
        super().__init__(name, id=id, tenant=tenant, segment=segment, intent=intent, stage=stage, route=route)
        self.name = name
        self.id = id
        self._facts = _present(
            {
                A.TRAFFIC_TENANT: tenant,
                A.TRAFFIC_SEGMENT: segment,
                A.TRAFFIC_INTENT: intent,
                A.ROLLOUT_STAGE: stage,
                A.ROLLOUT_ROUTE: route,
            }
        )
        self._run: Run | None = None
        self._root = True  # false for an agent of another task, here or in the calling service
        self._counts = True  # false where the run below is summed by an outer block
        self._outcome: str | None = None
        self._span: Span | None = None

    @override
    def enter(self, stack: ExitStack) -> None:
        telemetry = _telemetry.get()
        outer = scopes.current()
        run = self._run = outer.run or self._new_run(outer)
        self.id = run.id
        self._counts = outer.run is None
        self._root = self._counts and A.TASK_ID not in outer.facts
        depth = outer.depth if self._root else outer.depth + 1
        facts: Attributes = {**outer.facts, **self._facts, A.TASK_ID: run.id, A.TASK_NAME: run.name}
        if not self._root:
            run.agents.append(depth)
        self._span = _start(stack, f"{self._operation} {self.name}", {**self._kind(), **facts})
        stack.enter_context(scopes.entered(outer._replace(run=run, facts=facts, depth=depth), telemetry.config.baggage))

    @override
    def exit(self, error: BaseException | None) -> None:
        if self._span is None or self._run is None:
            return
        ending: Attributes = self._run.totals() if self._counts else {}
        if self._root:
            ending[A.TASK_OUTCOME] = self._outcome or _ending(error)
        _telemetry.get().finish(self._span, ending, _error_type(error))

    @guard
    def outcome(self, outcome: str) -> None:
        """How the task ended: completed, failed, escalated, abandoned or cancelled.

        Without it a block that ends is completed, one that raises is failed, one that is cancelled is cancelled.
        """
        if _known("task outcome", outcome, A.TASK_OUTCOME_VALUES):
            self._outcome = outcome

    def receipt(self) -> dict[str, Value]:
        """The facts of the task to keep with its result until the truth about it is known; see `outcome`.

        JSON-serialisable: task id and name, the identities last seen, the traffic facts.
        """
        if self._run is None:
            return {}
        receipt: dict[str, Value] = {**self._facts, **self._run.facts}
        receipt |= {A.TASK_ID: self._run.id, A.TASK_NAME: self._run.name}
        if self._run.indexes:
            receipt[A.RETRIEVAL_INDEXES] = list(dict.fromkeys(self._run.indexes))
        if self._outcome:
            receipt[A.TASK_OUTCOME] = self._outcome
        return receipt

    def _new_run(self, outer: Scope) -> Run:
        arrived = outer.facts.get(A.TASK_ID)
        if arrived is None:
            return Run(self.name, self.id)
        return Run(str(outer.facts.get(A.TASK_NAME, self.name)), str(arrived))

    @property
    def _operation(self) -> str:
        return "invoke_workflow" if self._root else "invoke_agent"

    def _kind(self) -> Attributes:
        key = A.GEN_AI_WORKFLOW_NAME if self._root else A.GEN_AI_AGENT_NAME
        return {A.GEN_AI_OPERATION_NAME: self._operation, key: self.name}


class prompt(Block):  # noqa: N801
    """The template that the model calls inside are made from: its hash is the prompt's identity, not the rendered text.

    template: the text before anything is filled in; None where only name and version are known.
    """

    def __init__(
        self,
        name: str | None = None,
        *,
        template: str | None = None,
        version: str | None = None,
        variables: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(name, template=template, version=version, variables=variables)
        self.name = name
        self.template = template
        self.version = version
        self.variables = variables

    @property
    def text(self) -> str:
        """The template with its variables filled in by `str.format`. Raises KeyError where one is missing."""
        return (self.template or "").format(**self.variables) if self.variables else self.template or ""

    @override
    def enter(self, stack: ExitStack) -> None:
        identities = _telemetry.get().identities
        value = identities.text((self.template,)) if self.template is not None else None
        stack.enter_context(
            scopes.entered(scopes.current()._replace(prompt=PromptScope(self.name, self.version, value)))
        )


class tool(Block):  # noqa: N801
    """One execution of a tool that no framework instruments.

    schema: JSON schema of its arguments, for a tool that is not offered to a model on the wire; else the hash it was
    offered under is used. effect: none, read, write, irreversible. call_id: the id of the model's tool call.
    """

    def __init__(
        self,
        name: str,
        *,
        schema: Mapping[str, Any] | None = None,
        description: str | None = None,
        version: str | None = None,
        effect: str | None = None,
        tier: str | None = None,
        call_id: str | None = None,
    ) -> None:
        super().__init__(
            name, schema=schema, description=description, version=version, effect=effect, tier=tier, call_id=call_id
        )
        self.name = name
        self._schema = schema
        self._description = description
        self._facts = _present(
            {
                A.TOOL_VERSION: version,
                A.TOOL_EFFECT: effect
                if effect is None or _known("tool effect", effect, A.TOOL_EFFECT_VALUES)
                else None,
                A.TOOL_TIER: tier,
                A.GEN_AI_TOOL_CALL_ID: call_id,
            }
        )
        self._failure: str | None = None
        self._span: Span | None = None

    @override
    def enter(self, stack: ExitStack) -> None:
        attributes: Attributes = {
            A.GEN_AI_OPERATION_NAME: "execute_tool",
            A.GEN_AI_TOOL_NAME: self.name,
            A.GEN_AI_TOOL_TYPE: "function",
            **self._facts,
            **scopes.current().facts,
        }
        if value := scopes.learned_tool(self.name) or self._declared():
            attributes[A.TOOL_HASH] = value
        self._span = _start(stack, f"execute_tool {self.name}", attributes)

    @override
    def exit(self, error: BaseException | None) -> None:
        failure = _error_type(error) or self._failure
        if (run := scopes.current().run) is not None:
            run.tool_results.append(failure is None)
        if self._span is not None:
            _telemetry.get().finish(self._span, {}, failure)

    def fail(self, error_type: str = "tool_error") -> None:
        """The tool reports a failure without raising. error_type: a low-cardinality kind of failure."""
        self._failure = error_type

    def _declared(self) -> str | None:
        if self._schema is None:
            return None
        material = _present({"name": self.name, "description": self._description, "input_schema": self._schema})
        hashes = _telemetry.get().identities.tools([material], dict).hashes
        return hashes[self.name]


class retrieval(Block):  # noqa: N801
    """One query of an index that nobody instruments.

    index: what the application asked for. version: the index that answered, None where it does not know. built_at:
    ISO 8601. top_k: how many documents were asked for.
    """

    def __init__(
        self,
        index: str,
        *,
        version: str | None = None,
        embedding_model: str | None = None,
        built_at: str | None = None,
        top_k: int | None = None,
    ) -> None:
        super().__init__(index, version=version, embedding_model=embedding_model, built_at=built_at, top_k=top_k)
        self.index = index
        self.version = version
        self._facts = _present(
            {
                A.INDEX_VERSION: version,
                A.INDEX_EMBEDDING_MODEL: embedding_model,
                A.INDEX_BUILT_AT: built_at,
                A.GEN_AI_RETRIEVAL_TOP_K: top_k,
            }
        )
        self._found: int | None = None
        self._span: Span | None = None

    @override
    def enter(self, stack: ExitStack) -> None:
        attributes: Attributes = {
            A.GEN_AI_OPERATION_NAME: "retrieval",
            A.GEN_AI_DATA_SOURCE_ID: self.index,
            A.INDEX_NAME: self.index,
            A.INDEX_SOURCE: "declared" if self.version else "unknown",
            **self._facts,
            **scopes.current().facts,
        }
        self._span = _start(stack, f"retrieval {self.index}", attributes, SpanKind.CLIENT)

    def documents(self, found: Sequence[Any] | int) -> None:
        """What was found; only the number is kept."""
        self._found = found if isinstance(found, int) else len(found)

    @override
    def returned(self, result: Any) -> None:
        """A decorated function's list is what was found."""
        if self._found is None and isinstance(result, Sequence) and not isinstance(result, (str, bytes)):
            self.documents(result)

    @override
    def exit(self, error: BaseException | None) -> None:
        if (run := scopes.current().run) is not None and error is None:
            run.indexes.append(f"{self.index}@{self.version or 'unknown'}")
        if self._span is not None:
            _telemetry.get().finish(self._span, _present({A.RETRIEVAL_DOCUMENT_COUNT: self._found}), _error_type(error))


class judge(Block):  # noqa: N801
    """One judgement: the model calls inside are the judge's, its verdict is a `gen_ai.evaluation.result` event.

    model: the judge model asked for. prompt: its template. threshold: a score below it is bad; without one the score
    counts toward no error budget. params: sampling and whatever else shapes the verdict. The revision is the identity
    of all of these; two revisions measure two different things and are never added up.
    """

    def __init__(
        self,
        name: str,
        *,
        model: str | None = None,
        prompt: str | None = None,
        rubric_version: str | None = None,
        threshold: float | None = None,
        params: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(
            name, model=model, prompt=prompt, rubric_version=rubric_version, threshold=threshold, params=params
        )
        self.name = name
        self._configuration = _present(
            {"model": model, "rubric_version": rubric_version, "threshold": threshold, "params": params}
        )
        self._prompt = prompt
        self._scope: JudgeScope | None = None
        self._spoke = False

    @override
    def enter(self, stack: ExitStack) -> None:
        outer = scopes.current()
        self._scope = JudgeScope(self._identify(), [])
        stack.enter_context(scopes.entered(outer._replace(judge=self._scope, prompt=None)))

    @guard
    def score(
        self,
        value: float | None = None,
        *,
        label: str | None = None,
        response_id: str | None = None,
        task: Mapping[str, Value] | None = None,
    ) -> None:
        """The verdict, as a score, a label or both. response_id: of the answer that was judged.

        task: the receipt of the judged task, where the judgement is made later or elsewhere.
        """
        self._emit(
            {
                A.GEN_AI_EVALUATION_SCORE_VALUE: None if value is None else float(value),
                A.GEN_AI_EVALUATION_SCORE_LABEL: label,
                A.GEN_AI_RESPONSE_ID: response_id,
            },
            task or {},
        )

    @override
    def returned(self, result: Any) -> None:
        """A decorated function's number is its score."""
        if not self._spoke and type(result) in (int, float):
            self.score(result)

    @override
    def exit(self, error: BaseException | None) -> None:
        """A judge that failed says so: an evaluation without a score."""
        if error is not None and not self._spoke:
            self._emit({A.ERROR_TYPE: _error_type(error)}, {})

    def _identify(self) -> Attributes:
        identities = _telemetry.get().identities
        prompt = identities.text((self._prompt,)) if self._prompt is not None else None
        threshold = self._configuration.get("threshold")
        return _present(
            {
                A.JUDGE_NAME: self.name,
                A.JUDGE_REVISION: identities.text((_present({**self._configuration, "prompt": prompt}),)),
                A.JUDGE_PROMPT_HASH: prompt,
                A.JUDGE_RUBRIC_VERSION: self._configuration.get("rubric_version"),
                A.JUDGE_THRESHOLD: None if threshold is None else float(threshold),
            }
        )

    def _emit(self, verdict: Mapping[str, Any], receipt: Mapping[str, Value]) -> None:
        if self._scope is None:
            return
        self._spoke = True
        resolved = self._scope.models[-1] if self._scope.models else self._configuration.get("model")
        attributes = _present(
            {
                **scopes.current().facts,
                **receipt,
                **self._scope.facts,
                A.GEN_AI_EVALUATION_NAME: self.name,
                A.JUDGE_MODEL: resolved,
                **verdict,
            }
        )
        _telemetry.get().event(E.GEN_AI_EVALUATION_RESULT, attributes)


@guard
def outcome(
    good: bool,
    *,
    receipt: Mapping[str, Value],
    source: str,
    sampling: str = "unknown",
    timestamp: int | None = None,
) -> None:
    """The truth about a task, known late: an `otel_agentops.outcome` event that carries the task's receipt.

    good: was the task done right. receipt: of `task.receipt()`. source: who says so, e.g. human, ticket, refund.
    sampling: random where the label comes from a random sample, escalated where somebody complained, else unknown;
    only random labels say something about all tasks. timestamp: ns since the epoch of the judgement, None for now.
    """
    if not _known("sampling", sampling, A.TRUTH_SAMPLING_VALUES):
        sampling = "unknown"
    truth = {A.TRUTH_VERDICT: "good" if good else "bad", A.TRUTH_SOURCE: source, A.TRUTH_SAMPLING: sampling}
    _telemetry.get().event(E.OUTCOME, {**receipt, **truth}, timestamp)


@guard
def change(variable: str, *, scope: str, value: str, previous: str | None = None, timestamp: int | None = None) -> None:
    """Somebody moves a variable on purpose: an `otel_agentops.change` event that triage sets against the observations.

    variable: model, prompt, judge, index, tools or traffic. scope: which one, e.g. the alias or the index name. value,
    previous: identities, None where unknown. timestamp: ns since the epoch, None for now.
    """
    if not _known("variable", variable, A.CHANGE_VARIABLE_VALUES):
        return
    attributes = {
        A.CHANGE_VARIABLE: variable,
        A.CHANGE_SCOPE: scope,
        A.CHANGE_VALUE: value,
        A.CHANGE_PREVIOUS: previous,
        A.CHANGE_SOURCE: "declared",
    }
    _telemetry.get().event(E.CHANGE, {**scopes.current().facts, **_present(attributes)}, timestamp)


def _start(stack: ExitStack, name: str, attributes: Attributes, kind: SpanKind = SpanKind.INTERNAL) -> Span:
    telemetry = _telemetry.get()
    telemetry.watch_provider()
    span = telemetry.start(name, attributes, kind)
    stack.enter_context(use_span(span, end_on_exit=False, record_exception=False, set_status_on_exception=False))
    return span


def _ending(error: BaseException | None) -> str:
    if error is None:
        return "completed"
    return "cancelled" if isinstance(error, asyncio.CancelledError) else "failed"


def _error_type(error: BaseException | None) -> str | None:
    return None if error is None else _telemetry.error_type(error)


def _known(what: str, value: str, values: Sequence[str]) -> bool:
    if value in values:
        return True
    say_once(f"{what}={value}", "%r is not a %s and is left out; use one of %s", value, what, ", ".join(values))
    return False


def _present(attributes: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in attributes.items() if value is not None}
