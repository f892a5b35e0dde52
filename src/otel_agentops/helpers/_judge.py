"""One judgement: the configuration that made it, and its verdict as an event."""

from __future__ import annotations

import math
from collections.abc import Mapping
from contextlib import ExitStack

from typing_extensions import override

from otel_agentops import _coerce, _telemetry
from otel_agentops._block import Block
from otel_agentops._context import NO_SCOPE, JudgeScope, current_scope, enter_scope
from otel_agentops._guard import guard
from otel_agentops._hashing import identity
from otel_agentops._identity import Identities
from otel_agentops._observation import Observation
from otel_agentops._telemetry import Telemetry
from otel_agentops.helpers._observed import error_type_of
from otel_agentops.helpers._receipt import read_identities
from otel_agentops.operations import Attributes, Judgement, Value, Verdict
from otel_agentops.semconv import attributes as A
from otel_agentops.semconv import events as E

NO_VERDICT = "no_verdict"  # `error.type` of a judge that ended without a score, a label and an error


class judge(Block):  # noqa: N801  a verb, used like contextlib's own
    """One judgement: the model calls inside are the judge's, its verdict is a `gen_ai.evaluation.result` event.

    The revision is the identity of the configuration; two revisions measure two different things and are never added
    up.

    Args:
        name: The judge's name.
        model: The judge model asked for.
        prompt: Its template.
        rubric_version: Version of the rubric, if it has one of its own.
        threshold: A score below it is bad; without one the score counts toward no error budget.
        params: Sampling and whatever else shapes the verdict.
        eval_set: The fixed set of cases that the judged one is from.
        eval_set_version: Its version.
    """

    reads_sent_prompts = True  # False if the declared prompt has everything that the sent ones are made from
    gives_way = False  # True if the verdict is that of a judge inside, if there is one

    def __init__(
        self,
        name: str,
        *,
        model: str | None = None,
        prompt: str | None = None,
        rubric_version: str | None = None,
        threshold: float | None = None,
        params: Mapping[str, object] | None = None,
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
        self._rubric_version = rubric_version
        self._threshold = threshold
        self._params = params
        self._eval_set = {A.EVAL_SET_NAME: eval_set, A.EVAL_SET_VERSION: eval_set_version}
        self._scope = NO_SCOPE
        self._judgement: Judgement | None = None
        self._has_verdict = False
        self._silent_try: tuple[Attributes, Mapping[str, Value] | None] = {}, None

    @override
    def enter_block(self, stack: ExitStack) -> None:
        self._has_verdict = False
        self._silent_try = {}, None
        self._judgement = _coerce.identify_json("a judge's configuration", self._identify_judge) or Judgement(
            self.name, {}, {A.JUDGE_NAME: self.name}
        )
        # The revision is not known before the models have answered.
        facts = {key: value for key, value in self._judgement.attributes.items() if key != A.JUDGE_REVISION}
        judge_scope = JudgeScope(facts, [], [], [] if self.gives_way else None)
        outer = current_scope()
        if outer.judge is not None and outer.judge.inner_judges is not None:
            outer.judge.inner_judges.append(self.name)
        self._scope = outer._replace(judge=judge_scope, prompt=None, held_spans=None)
        enter_scope(stack, self._scope)

    @guard
    def score(
        self,
        value: float | None = None,
        *,
        label: str | None = None,
        response_id: str | None = None,
        task: Mapping[str, Value] | None = None,
    ) -> None:
        """Record the verdict, as a score, a label or both.

        A call without both is no verdict. The judge may get one in a second try, before the block ends.

        Args:
            value: The score; NaN is none.
            label: The label.
            response_id: Of the answer that was judged.
            task: The receipt of the judged task, if the judgement is made later or elsewhere.
        """
        facts: Attributes = {**_coerce.as_texts({A.GEN_AI_RESPONSE_ID: response_id})}
        verdict: Attributes = {**_coerce.as_texts({A.GEN_AI_EVALUATION_SCORE_LABEL: label})}
        number = _coerce.as_number("score", value)
        if number is not None and not math.isnan(number):
            verdict[A.GEN_AI_EVALUATION_SCORE_VALUE] = number
        if verdict:
            self._record_verdict({**facts, **verdict}, task, None)
        else:
            self._silent_try = facts, task

    def skip(self) -> None:
        """Record nothing: the judge does not apply to the case."""
        self._has_verdict = True

    @override
    def record_result(self, result: object) -> None:
        """Record the number that a decorated function returns as its score."""
        if not self._has_verdict and isinstance(result, (int, float)) and not isinstance(result, bool):
            self.score(result)

    @override
    def exit_block(self, error: BaseException | None) -> None:
        """Record a judge that failed or fell silent: an evaluation without a score."""
        if not self._has_verdict:
            facts, receipt = self._silent_try
            self._record_verdict(facts, receipt, NO_VERDICT if error is None else error_type_of(error))

    def _find_telemetry(self) -> Telemetry:
        """Return where the verdict goes; an adapter has an installation of its own."""
        return _telemetry.get_default()

    def _identify_judge(self) -> Judgement:
        return identify_judge(
            self._find_telemetry().identities, self.name, model=self._model, prompt=self._prompt,
            rubric_version=self._rubric_version, threshold=self._threshold, params=self._params,
        )  # fmt: skip

    def _record_verdict(self, verdict: Attributes, receipt: Mapping[str, Value] | None, error_type: str | None) -> None:
        if self._judgement is None or self._scope.judge is None:
            return
        self._has_verdict = True
        if self._scope.judge.inner_judges:
            return
        attributes = {**self._read_task(receipt), **_coerce.as_texts(self._eval_set), **verdict}
        telemetry = self._find_telemetry()
        observation = Observation(telemetry)
        calls = self._scope.judge if self.reads_sent_prompts else self._scope.judge._replace(sent_hashes=[])
        judgement = revise_judgement(self._judgement, calls, telemetry.identities, error_type is not None)
        observation.adopt(judgement, self._scope)
        observation.finish(Verdict(attributes, is_of_current_task=receipt is None), error_type)

    def _read_task(self, receipt: Mapping[str, Value] | None) -> dict[str, Value]:
        """Return the identities of the judged task; its sums are the outcome's."""
        if receipt is None:
            return read_identities(self._scope)
        registered = E.EVENTS[E.GEN_AI_EVALUATION_RESULT]
        return {key: value for key, value in _coerce.validate_receipt(receipt).items() if key in registered}


class SentPrompts:
    """The text that each configuration of a judge sends, if that is not the declared prompt.

    A text counts once three verdicts in a row were made with it. So a prompt into which the judged answer is rendered
    never does, and a changed one does from its third verdict on.
    """

    def __init__(self) -> None:
        self._settled: dict[Value, str] = {}
        self._latest: dict[Value, tuple[str, int]] = {}

    def settle(self, revision: Value, sent_hash: str) -> str | None:
        """Return the text that counts for a declared revision, after another verdict was made with `sent_hash`."""
        if len(self._latest) >= _MAX_REVISIONS:
            self._latest.clear()
            self._settled.clear()
        latest, count = self._latest.get(revision, (sent_hash, 0))
        count = count + 1 if latest == sent_hash else 1
        self._latest[revision] = sent_hash, count
        if count >= _SETTLED:
            self._settled[revision] = sent_hash
        return self._settled.get(revision)


_MAX_REVISIONS = 256  # that are remembered, before the memory starts over
_SETTLED = 3  # verdicts in a row
SENT = SentPrompts()


def revise_judgement(judgement: Judgement, scope: JudgeScope, identities: Identities, has_failed: bool) -> Judgement:
    """Return a judgement with the revision of what judged: its models as they answered, and the prompt as it was sent.

    The revision is that of the declared configuration if both are as declared, or unknown. It is left out if the
    judge failed before a model answered: a failure is no other judge.

    Args:
        judgement: The declared configuration.
        scope: The calls that were made for the verdict.
        identities: Hashes.
        has_failed: True if there is no verdict.
    """
    attributes = dict(judgement.attributes)
    declared = attributes.get(A.JUDGE_REVISION)
    if declared is None:
        return judgement
    configuration = dict(judgement.configuration)
    if has_failed and (None in scope.models or ("model" in configuration and not scope.models)):
        del attributes[A.JUDGE_REVISION]
        return judgement._replace(attributes=attributes)
    if models := sorted({model for model in scope.models if model} - {configuration.get("model")}):
        configuration["resolved_models"] = models
    if hashes := sorted({*scope.sent_hashes} - {configuration.get("prompt")}):
        sent_hash = hashes[0] if len(hashes) == 1 else identity(hashes, identities.key)
        if settled := SENT.settle(declared, sent_hash):
            configuration["sent_prompt"] = settled
    if configuration != judgement.configuration:
        attributes[A.JUDGE_REVISION] = identities.hash_prompt((configuration,))
    return Judgement(judgement.name, configuration, attributes)


def identify_judge(
    identities: Identities,
    name: str,
    *,
    model: str | None = None,
    prompt: str | None = None,
    rubric_version: str | None = None,
    threshold: float | None = None,
    params: Mapping[str, object] | None = None,
) -> Judgement:
    """Return a judge's configuration with its identities; the arguments are those of `judge`."""
    judge_threshold = _coerce.as_number("threshold", threshold)
    prompt_hash = None if prompt is None else identities.hash_prompt((prompt,))
    version = _coerce.as_text(rubric_version)
    configuration = _coerce.drop_none(
        {
            "model": _coerce.as_text(model),
            "prompt": prompt_hash,
            "rubric_version": version,
            "threshold": judge_threshold,
            "params": params,
        }
    )
    attributes: Attributes = _coerce.drop_none(
        {
            A.JUDGE_NAME: name,
            A.JUDGE_REVISION: identities.hash_prompt((configuration,)),
            A.JUDGE_PROMPT_HASH: prompt_hash,
            A.JUDGE_PARAMS_HASH: None if params is None else identity(dict(params), identities.key),
            A.JUDGE_RUBRIC_VERSION: version,
            A.JUDGE_THRESHOLD: judge_threshold,
        }
    )
    return Judgement(name, configuration, attributes)
