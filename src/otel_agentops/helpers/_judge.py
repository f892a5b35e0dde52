"""One judgement: which configuration made it, and its verdict as an event."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import ExitStack
from typing import Any

from typing_extensions import override

from otel_agentops import _coerce, _telemetry
from otel_agentops import scope as scopes
from otel_agentops._block import Block
from otel_agentops._guard import guard
from otel_agentops._hashing import identity
from otel_agentops.helpers._span import error_type
from otel_agentops.operations import Attributes, Value
from otel_agentops.scope import NOWHERE
from otel_agentops.scope import Judge as JudgeScope
from otel_agentops.semconv import attributes as A
from otel_agentops.semconv import events as E


class judge(Block):  # noqa: N801
    """One judgement: the model calls inside are the judge's, its verdict is a `gen_ai.evaluation.result` event.

    model: the judge model asked for. prompt: its template. threshold: a score below it is bad; without one the score
    counts toward no error budget. params: sampling and whatever else shapes the verdict. The revision is the identity
    of all of these; two revisions measure two different things and are never added up. eval_set, eval_set_version: the
    fixed set of cases that the judged one is from.
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
        eval_set: str | None = None,
        eval_set_version: str | None = None,
    ) -> None:
        super().__init__(
            name, model=model, prompt=prompt, rubric_version=rubric_version, threshold=threshold, params=params,
            eval_set=eval_set, eval_set_version=eval_set_version,
        )  # fmt: skip
        self.name = str(name)
        self._prompt = prompt
        self._model = model
        self._rubric = rubric_version
        self._threshold = threshold
        self._params = params
        self._eval_set = {A.EVAL_SET_NAME: eval_set, A.EVAL_SET_VERSION: eval_set_version}
        self._scope = NOWHERE
        self._spoke = False

    @override
    def enter(self, stack: ExitStack) -> None:
        self._spoke = False
        facts = _coerce.json("a judge's configuration", self._identify) or {A.JUDGE_NAME: self.name}
        self._scope = scopes.current()._replace(judge=JudgeScope(facts, []), prompt=None, output=None)
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
                A.GEN_AI_EVALUATION_SCORE_VALUE: _coerce.number("score", value),
                **_coerce.texts({A.GEN_AI_EVALUATION_SCORE_LABEL: label, A.GEN_AI_RESPONSE_ID: response_id}),
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
            self._emit({A.ERROR_TYPE: error_type(error)}, None)

    def _identify(self) -> Attributes:
        identities = _telemetry.get().identities
        threshold = _coerce.number("threshold", self._threshold)
        configuration = _coerce.present(
            {
                "model": _coerce.text(self._model),
                "prompt": None if self._prompt is None else identities.text((self._prompt,)),
                "rubric_version": _coerce.text(self._rubric),
                "threshold": threshold,
                "params": self._params,
            }
        )
        return _coerce.present(
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
        self._keep(self._scope.judge.facts, verdict, receipt)
        attributes = {
            **self._of_task(receipt),
            **_coerce.texts(self._eval_set),
            **self._scope.judge.facts,
            A.GEN_AI_EVALUATION_NAME: self.name,
            A.JUDGE_MODEL: ",".join(dict.fromkeys(self._scope.judge.models)) or None,
            **verdict,
        }
        _telemetry.get().event(E.GEN_AI_EVALUATION_RESULT, _coerce.present(attributes))

    def _of_task(self, receipt: Mapping[str, Value] | None) -> dict[str, Value]:
        """The identities of a receipt; what it sums up is the outcome's."""
        if receipt is None:
            return scopes.receipt(self._scope)
        registered = E.EVENTS[E.GEN_AI_EVALUATION_RESULT]
        return {key: value for key, value in _coerce.receipt(receipt).items() if key in registered}

    def _keep(self, facts: Mapping[str, Value], verdict: Mapping[str, Any], receipt: object) -> None:
        """The last score is part of the receipt of the task around, where it is about that one."""
        score = verdict.get(A.GEN_AI_EVALUATION_SCORE_VALUE)
        if self._scope.run is not None and receipt is None and score is not None:
            known = {key: facts[key] for key in _KEPT if key in facts}
            self._scope.run.judged = {**known, A.GEN_AI_EVALUATION_SCORE_VALUE: score}


_KEPT = (A.JUDGE_NAME, A.JUDGE_REVISION, A.JUDGE_THRESHOLD)  # of a judge: who scored, and what a score is held against
