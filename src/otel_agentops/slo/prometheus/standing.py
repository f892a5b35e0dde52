"""Alerts of variables that are wrong without a move: skew, drift, unlisted values, stale evaluations.

They wake nobody: `ticket` is for somebody to look at, since none of these spends a budget by itself.
"""

from __future__ import annotations

from collections.abc import Iterator

from otel_agentops.semconv import attributes as A
from otel_agentops.slo import series as S
from otel_agentops.slo._promql import Rule
from otel_agentops.slo.prometheus._lookup import VALUE, describe_value
from otel_agentops.slo.prometheus.objective import SERVICE_TEXT

_TIME = "{{ $value | humanizeTimestamp }}"
_WHAT = "{{ $labels.variable }} of {{ $labels.scope }}"
_SET = f"{{{{ $labels.{A.EVAL_SET_NAME.replace('.', '_')} }}}}"
_REASONS = {
    "moved": f"Model, prompt, tools or index moved at {_TIME}, after it was last evaluated.",
    "judge": f"Its judge moved at {_TIME}, after it was last evaluated; scores of two revisions are never compared.",
    "age": f"It was last evaluated at {_TIME}.",
}


def build_standing_alerts() -> Iterator[Rule]:
    """Yield one alert of each kind, for all services."""
    yield _build_alert(
        "OtelAgentopsVariableSkewed",
        S.VARIABLE_SKEWED,
        f"{SERVICE_TEXT}: {_WHAT} is {VALUE} in {{{{ $labels.place }}}} and {{{{ $labels.elsewhere }}}} elsewhere",
        f"So it has been since {_TIME}.",
        "Roll one of the two out everywhere, or declare a roll-out stage where both are meant.",
        {"place": "{{ $labels.place }}", "elsewhere": "{{ $labels.elsewhere }}", "first_seen": _TIME},
    )
    yield _build_alert(
        "OtelAgentopsModelDrifted",
        S.VARIABLE_DRIFTED,
        f"{SERVICE_TEXT}: {{{{ $labels.scope }}}} is answered by {VALUE} and no more by {{{{ $labels.previous }}}}",
        f"The new model was first seen at {_TIME}, and no change to it was declared.",
        "Pin the model that was there before, or evaluate the new one and declare the change.",
        {"previous": "{{ $labels.previous }}", "first_seen": _TIME},
    )
    yield _build_alert(
        "OtelAgentopsUnlistedValue",
        S.VARIABLE_UNLISTED,
        f"{SERVICE_TEXT}: {_WHAT} is {VALUE}, which is not in the lock file",
        "{{ $value }} operations had it within an hour.",
        "Find out who brought it in; then take it back, or review it and add it to the lock file.",
        {},
    )
    yield _build_stale_alert()


def _build_alert(name: str, expr: str, summary: str, description: str, step: str, more: dict[str, str]) -> Rule:
    texts = {"summary": summary, "description": description, **describe_value(), **more}
    annotations = {**texts, "policy_step": step}
    return {"alert": name, "expr": expr, "labels": {"severity": "ticket"}, "annotations": annotations}


def _build_stale_alert() -> Rule:
    cases = [f'if eq $labels.reason "{reason}" }}}}{text}' for reason, text in _REASONS.items()]
    return {
        "alert": "OtelAgentopsEvalSetStale",
        "expr": S.EVAL_SET_STALE,
        "labels": {"severity": "ticket"},
        "annotations": {
            "summary": f"{SERVICE_TEXT}: the scores of {_SET} are not about what runs now",
            "description": "{{ " + "{{ else ".join(cases) + "{{ end }}",
            "service": SERVICE_TEXT,
            "eval_set": _SET,
            "policy_step": "Evaluate the set again, with the judge that judges now, before its scores decide anything.",
        },
    }
