"""Verdicts as `gen_ai.evaluation.result` events, with the judge's identity and the model that answered for it."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from otel_agentops._coerce import drop_none
from otel_agentops._observation import Observation
from otel_agentops.operations import Judgement, Value, Verdict
from otel_agentops.semconv import attributes as A
from otel_agentops.semconv import events as E

EmitEvent = Callable[[str, Mapping[str, Value]], object]


class EvaluationSink:
    """Emits one event per judgement."""

    hears_calls = False

    def __init__(self, emit_event: EmitEvent) -> None:
        self._emit_event = emit_event

    def ended(self, observation: Observation) -> None:
        """Emit the verdict; a judge that failed has an `error.type` and no score."""
        judgement, verdict = observation.operation, observation.result
        if not isinstance(judgement, Judgement) or not isinstance(verdict, Verdict):
            return
        judge = observation.scope.judge
        models = dict.fromkeys(filter(None, judge.models)) if judge is not None else ()
        self._emit_event(
            E.GEN_AI_EVALUATION_RESULT,
            drop_none(
                {
                    A.GEN_AI_EVALUATION_NAME: judgement.name,
                    **verdict.attributes,  # one of several scores has a name of its own
                    **judgement.attributes,
                    A.JUDGE_MODEL: ",".join(models) or None,
                    A.ERROR_TYPE: observation.error_type or verdict.error,
                }
            ),
        )
