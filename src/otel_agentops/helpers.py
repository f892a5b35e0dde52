"""The verbs for code that nobody wraps: what the application alone can say about its run.

Each verb is a context manager and a decorator, for sync and async code alike:

    with task("support") as run:              @tool("lookup_order", effect="read")
        ...                                    async def lookup_order(order_id: str) -> dict: ...
        run.outcome("completed")

Nothing here raises for telemetry's sake, and no content is recorded: prompts and schemas are hashed, documents are
counted. Where no SDK is configured a verb costs about ten microseconds and emits nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from typing import Any

from opentelemetry.trace import Span, SpanKind, get_current_span, use_span
from typing_extensions import override

from otel_agentops import _facts, _foreign, _telemetry
from otel_agentops import scope as scopes
from otel_agentops._block import Block
from otel_agentops._fingerprint import identity
from otel_agentops._processor import place_below
from otel_agentops._safe import guard, say_once
from otel_agentops.record import Attributes, Value
from otel_agentops.scope import NOWHERE, Run, Scope
from otel_agentops.scope import Judge as JudgeScope
from otel_agentops.semconv import attributes as A
from otel_agentops.semconv import events as E


class task(Block):  # noqa: N801  a verb, used like contextlib's own
    """One task of the application from start to outcome: the unit that error budgets count.

    name: low-cardinality kind of task. id: None for a new one; it goes to other services, so no person should be in it.
    The other facts are stamped on every GenAI span below. Inside another task this is an agent of that task: its calls
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
    ) -> None:
        super().__init__(name, id=id, tenant=tenant, segment=segment, intent=intent, stage=stage, route=route)
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
        self._scope = NOWHERE
        self._root = True  # false for an agent of another task, here or in the calling service
        self._counts = True  # false where the run below is summed by an outer block
        self._outcome: str | None = None
        self._span: Span | None = None

    @override
    def enter(self, stack: ExitStack) -> None:
        outer = scopes.current()
        self._span = self._outcome = None
        run = outer.run or self._new_run(outer)
        self.id = run.id
        self._counts = outer.run is None
        self._root = self._counts and A.TASK_ID not in outer.facts
        depth = outer.depth
        if not self._root:
            depth = place_below(get_current_span(), outer).depth + 1
            run.agents.append(depth)
        facts: Attributes = {**outer.facts, **_facts.texts(self._declared), A.TASK_ID: run.id, A.TASK_NAME: run.name}
        self._scope = outer._replace(run=run, facts=facts, depth=depth)
        stack.enter_context(scopes.entered(self._scope, telling=True))
        self._span = _start(stack, f"{self._operation} {self.name}", {**self._kind(), **facts})

    @override
    def exit(self, error: BaseException | None) -> None:
        run = self._scope.run
        if self._span is None or run is None:
            return
        ending: Attributes = run.totals() if self._counts else {}
        if self._root:
            ending[A.TASK_OUTCOME] = self._outcome or _ending(error)
        _telemetry.get().finish(self._span, ending, _error_type(error))

    @guard
    def outcome(self, outcome: str) -> None:
        """How the task ended: completed, failed, escalated, abandoned or cancelled.

        Without it a block that ends is completed, one that raises is failed, one that is stopped from outside (by a
        cancellation, an interrupt, or because nobody reads its generator to the end) is cancelled.
        """
        if not self._root:
            say_once(f"agent:{self.name}", _AGENT, self.name)
        elif _facts.known("task outcome", outcome, A.TASK_OUTCOME_VALUES):
            self._outcome = outcome

    def receipt(self) -> dict[str, Value]:
        """The facts of the task to keep with its result until the truth about it is known; see `outcome`.

        JSON-serialisable: task id and name, the identities last seen, the traffic facts.
        """
        receipt = scopes.receipt(self._scope)
        if self._outcome:
            receipt[A.TASK_OUTCOME] = self._outcome
        return receipt

    def _new_run(self, outer: Scope) -> Run:
        arrived = outer.facts.get(A.TASK_ID)
        if arrived is None:
            return Run(self.name, _facts.text(self._id))
        return Run(str(outer.facts.get(A.TASK_NAME, self.name)), str(arrived))

    @property
    def _operation(self) -> str:
        return "invoke_workflow" if self._root else "invoke_agent"

    def _kind(self) -> Attributes:
        key = A.GEN_AI_WORKFLOW_NAME if self._root else A.GEN_AI_AGENT_NAME
        return {A.GEN_AI_OPERATION_NAME: self._operation, key: self.name}


class prompt(Block):  # noqa: N801
    """The template that the model calls inside are made from: its hash is the prompt's identity, not the rendered text.

    template: the text before anything is filled in; where it is not given, name and version are the identity.
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
        name, version = _facts.text(self.name), _facts.text(self.version)
        declared = _facts.json("a prompt's template", lambda: identities.declared(name, version, self.template))
        stack.enter_context(scopes.entered(scopes.current()._replace(prompt=declared)))


class tool(Block):  # noqa: N801
    """One execution of a tool that no framework instruments.

    schema: JSON schema of its arguments, for a tool that is not offered to a model on the wire; else the hash it was
    offered under is used. effect: none, read, write, irreversible. tier: critical, high, medium, low. call_id: the id
    of the model's tool call. Inside a span that a framework made for this very execution there is no second one.
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
        self.name = str(name)
        self._schema = schema
        self._description = description
        self._facts = {
            A.TOOL_VERSION: version,
            A.TOOL_EFFECT: effect,
            A.TOOL_TIER: tier,
            A.GEN_AI_TOOL_CALL_ID: call_id,
        }
        self._failure: str | None = None
        self._run: Run | None = None
        self._span: Span | None = None
        self._found: Span | None = None

    @override
    def enter(self, stack: ExitStack) -> None:
        scope, current = scopes.current(), get_current_span()
        above = place_below(current, scope)
        counted = above.tool == self.name and not above.ours
        self._run = None if counted else scope.run
        self._failure = self._span = self._found = None
        attributes = self._attributes(scope)
        if self._is_made(current):
            self._found = current
            _telemetry.add_missing(current, attributes)
        else:
            self._span = _start(stack, f"execute_tool {self.name}", attributes)

    @override
    def exit(self, error: BaseException | None) -> None:
        failure = _error_type(error) or self._failure
        if self._run is not None:
            self._run.tool_results.append(failure is None)
        if self._span is not None:
            _telemetry.get().finish(self._span, {}, failure)
        elif self._found is not None and failure is not None:
            _telemetry.add_missing(self._found, {A.ERROR_TYPE: failure})

    def _attributes(self, scope: Scope) -> Attributes:
        attributes: Attributes = {
            A.GEN_AI_OPERATION_NAME: "execute_tool",
            A.GEN_AI_TOOL_NAME: self.name,
            A.GEN_AI_TOOL_TYPE: "function",
            **_facts.texts(self._facts),
            **scope.facts,
        }
        for what, key, values in _ENUMS:
            if key in attributes and not _facts.known(what, attributes[key], values):
                del attributes[key]
        if value := scopes.learned_tool(self.name) or self._declared():
            attributes[A.TOOL_HASH] = value
        return attributes

    def _is_made(self, span: Span) -> bool:
        """Whether a framework has made the span of this very execution."""
        if _telemetry.get().config.mode == "own" or _foreign.is_ours(span) or not span.is_recording():
            return False
        return _foreign.operation_of(span) == "execute_tool" and _foreign.tool_of(span) == self.name

    def fail(self, error_type: str = "tool_error") -> None:
        """The tool reports a failure without raising. error_type: a low-cardinality kind of failure."""
        self._failure = str(error_type)

    def _declared(self) -> str | None:
        if self._schema is None:
            return None
        material = _facts.present({"name": self.name, "description": self._description, "input_schema": self._schema})
        identities = _telemetry.get().identities
        return _facts.json("a tool's schema", lambda: identities.tools([material], dict).hashes[self.name])


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
        self.index = str(index)
        self.version = _facts.text(version)
        self._facts = {
            A.INDEX_VERSION: version,
            A.INDEX_EMBEDDING_MODEL: embedding_model,
            A.INDEX_BUILT_AT: built_at,
        }
        self._top_k = top_k
        self._found: int | None = None
        self._run: Run | None = None
        self._span: Span | None = None

    @override
    def enter(self, stack: ExitStack) -> None:
        scope = scopes.current()
        self._run = scope.run
        self._found = self._span = None
        attributes: Attributes = {
            A.GEN_AI_OPERATION_NAME: "retrieval",
            A.GEN_AI_DATA_SOURCE_ID: self.index,
            A.INDEX_NAME: self.index,
            A.INDEX_SOURCE: "declared" if self.version else "unknown",
            **_facts.texts(self._facts),
            **_facts.present({A.GEN_AI_RETRIEVAL_TOP_K: _facts.whole("top_k", self._top_k)}),
            **scope.facts,
        }
        self._span = _start(stack, f"retrieval {self.index}", attributes, SpanKind.CLIENT)

    @guard
    def documents(self, found: Sequence[Any] | int) -> None:
        """What was found; only the number is kept."""
        self._found = len(found) if hasattr(found, "__len__") else _facts.whole("number of documents", found)

    @override
    def returned(self, result: Any) -> None:
        """A decorated function's list is what was found."""
        if self._found is None and isinstance(result, Sequence) and not isinstance(result, (str, bytes)):
            self.documents(result)

    @override
    def exit(self, error: BaseException | None) -> None:
        if self._run is not None and error is None:
            self._run.indexes.append(f"{self.index}@{self.version or 'unknown'}")
        if self._span is not None:
            _telemetry.get().finish(
                self._span, _facts.present({A.RETRIEVAL_DOCUMENT_COUNT: self._found}), _error_type(error)
            )


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
        self.name = str(name)
        self._prompt = prompt
        self._model = model
        self._rubric = rubric_version
        self._threshold = threshold
        self._params = params
        self._scope = NOWHERE
        self._spoke = False

    @override
    def enter(self, stack: ExitStack) -> None:
        self._spoke = False
        facts = _facts.json("a judge's configuration", self._identify) or {A.JUDGE_NAME: self.name}
        self._scope = scopes.current()._replace(judge=JudgeScope(facts, []), prompt=None)
        stack.enter_context(scopes.entered(self._scope))

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
                A.GEN_AI_EVALUATION_SCORE_VALUE: _facts.number("score", value),
                **_facts.texts({A.GEN_AI_EVALUATION_SCORE_LABEL: label, A.GEN_AI_RESPONSE_ID: response_id}),
            },
            task,
        )

    @override
    def returned(self, result: Any) -> None:
        """A decorated function's number is its score."""
        if not self._spoke and isinstance(result, (int, float)) and not isinstance(result, bool):
            self.score(result)

    @override
    def exit(self, error: BaseException | None) -> None:
        """A judge that failed says so: an evaluation without a score."""
        if error is not None and not self._spoke:
            self._emit({A.ERROR_TYPE: _error_type(error)}, None)

    def _identify(self) -> Attributes:
        identities = _telemetry.get().identities
        threshold = _facts.number("threshold", self._threshold)
        configuration = _facts.present(
            {
                "model": _facts.text(self._model),
                "prompt": None if self._prompt is None else identities.text((self._prompt,)),
                "rubric_version": _facts.text(self._rubric),
                "threshold": threshold,
                "params": self._params,
            }
        )
        return _facts.present(
            {
                A.JUDGE_NAME: self.name,
                A.JUDGE_REVISION: identities.text((configuration,)),
                A.JUDGE_PROMPT_HASH: configuration.get("prompt"),
                A.JUDGE_PARAMS_HASH: None if self._params is None else identity(dict(self._params), identities.key),
                A.JUDGE_RUBRIC_VERSION: configuration.get("rubric_version"),
                A.JUDGE_THRESHOLD: threshold,
            }
        )

    def _emit(self, verdict: Mapping[str, Any], receipt: Mapping[str, Value] | None) -> None:
        if self._scope.judge is None:
            return
        self._spoke = True
        attributes = {
            **(scopes.receipt(self._scope) if receipt is None else _facts.receipt(receipt)),
            **self._scope.judge.facts,
            A.GEN_AI_EVALUATION_NAME: self.name,
            A.JUDGE_MODEL: ",".join(dict.fromkeys(self._scope.judge.models)) or None,
            **verdict,
        }
        _telemetry.get().event(E.GEN_AI_EVALUATION_RESULT, _facts.present(attributes))


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

    good: True or False, was the task done right. receipt: of `task.receipt()`. source: who says so, e.g. a refund.
    sampling: random where the label comes from a random sample, escalated where somebody complained, else unknown;
    only random labels say something about all tasks. timestamp: ns since the epoch of the judgement, None for now.
    """
    if good not in (True, False):
        say_once("good", "outcome(%.60r) is neither True nor False and is left out", good)
        return
    if not _facts.known("sampling", sampling, A.TRUTH_SAMPLING_VALUES):
        sampling = "unknown"
    truth = {A.TRUTH_VERDICT: "good" if good else "bad", A.TRUTH_SOURCE: str(source), A.TRUTH_SAMPLING: sampling}
    _telemetry.get().event(E.OUTCOME, {**_facts.receipt(receipt), **truth}, _facts.whole("timestamp", timestamp))


@guard
def change(variable: str, *, scope: str, value: str, previous: str | None = None, timestamp: int | None = None) -> None:
    """Somebody moves a variable on purpose: an `otel_agentops.change` event that triage sets against the observations.

    variable: model, prompt, judge, index, tools or traffic. scope: which one, e.g. the alias or the index name. value,
    previous: identities, None where unknown. timestamp: ns since the epoch, None for now.
    """
    if not _facts.known("variable", variable, A.CHANGE_VARIABLE_VALUES):
        return
    attributes = {
        A.CHANGE_VARIABLE: variable,
        A.CHANGE_SCOPE: scope,
        A.CHANGE_VALUE: value,
        A.CHANGE_PREVIOUS: previous,
        A.CHANGE_SOURCE: "declared",
    }
    _telemetry.get().event(
        E.CHANGE, {**scopes.current().facts, **_facts.texts(attributes)}, _facts.whole("timestamp", timestamp)
    )


def _start(stack: ExitStack, name: str, attributes: Attributes, kind: SpanKind = SpanKind.INTERNAL) -> Span:
    telemetry = _telemetry.get()
    telemetry.watch_provider()
    span = telemetry.start(name, attributes, kind)
    stack.enter_context(use_span(span, end_on_exit=False, record_exception=False, set_status_on_exception=False))
    return span


_ENUMS = (("tool effect", A.TOOL_EFFECT, A.TOOL_EFFECT_VALUES), ("tool tier", A.TOOL_TIER, A.TOOL_TIER_VALUES))
_AGENT = (
    "the outcome of %r is left out: it is an agent of another task here, and only the task's own block has an outcome"
)


def _ending(error: BaseException | None) -> str:
    """An error that is no `Exception` is not the task's: it was stopped from outside."""
    if error is None:
        return "completed"
    return "failed" if isinstance(error, Exception) else "cancelled"


def _error_type(error: BaseException | None) -> str | None:
    return None if error is None else _telemetry.error_type(error)
