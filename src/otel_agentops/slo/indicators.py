"""What a service level indicator counts: events that are eligible, and which of them are bad."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal

from otel_agentops.semconv import attributes as A

On = Literal["task", "model", "tool", "retrieval", "evaluation", "outcome"]


@dataclass(frozen=True)
class Indicator:
    """A service level indicator.

    name: value of the label `otel_agentops.sli.name`. type: `proxy` where it stands in for something else. on: the
    operation or event that is counted. eligible, bad: OTTL conditions; `bad` is asked only where `eligible` holds. A
    bare `attributes[...]` is that of the span or of the event, wherever the condition is put. labels: attributes that
    its points carry besides name and type. about: what is bad, in the plural.
    """

    name: str
    type: Literal["proxy", "direct"]
    on: On
    eligible: str
    bad: str
    labels: tuple[str, ...]
    about: str


@dataclass(frozen=True)
class Parametrised:
    """A built-in that holds a number of each event against a threshold: `{use: latency, threshold: 8}`.

    make: the indicator of a name, a threshold and an operation. unit: of the threshold. default: None where only the
    team can know it. most: the highest threshold that means anything. ons: what it can count, the usual one first.
    """

    make: Callable[[str, float, On], Indicator]
    unit: str
    ons: tuple[On, ...]
    default: float | None = None
    most: float | None = None


def verdict(name: str) -> str:
    """The attribute that holds an indicator's 0 or 1."""
    return A.SLI_TASK_COMPLETED_BAD.replace("task_completed", name)


def _attribute(key: str) -> str:
    return f'attributes["{key}"]'


_OUTCOME = _attribute(A.TASK_OUTCOME)
_SCORE, _THRESHOLD = _attribute(A.GEN_AI_EVALUATION_SCORE_VALUE), _attribute(A.JUDGE_THRESHOLD)

BUILT_IN: Mapping[str, Indicator] = {
    each.name: each
    for each in (
        Indicator(
            "judge_score",
            "proxy",
            "evaluation",
            f"{_SCORE} >= {_THRESHOLD} or {_SCORE} < {_THRESHOLD}",  # neither holds for NaN or text
            f"{_SCORE} < {_THRESHOLD}",
            (A.JUDGE_NAME, A.JUDGE_REVISION),
            "answers that the judge scored below its threshold",
        ),
        Indicator(
            "task_completed",
            "proxy",
            "task",
            f'ContainsValue(["completed", "failed", "escalated", "abandoned"], {_OUTCOME})',
            f'{_OUTCOME} != "completed"',
            (A.TASK_NAME,),
            "tasks that failed, were escalated or abandoned",
        ),
        Indicator(
            "tool_success",
            "direct",
            "tool",
            f'{_attribute(A.GEN_AI_OPERATION_NAME)} == "execute_tool"',
            f"span.status.code == STATUS_CODE_ERROR or {_attribute(A.ERROR_TYPE)} != nil",
            (A.GEN_AI_TOOL_NAME,),
            "tool executions that failed",
        ),
    )
}


_OPERATION = _attribute(A.GEN_AI_OPERATION_NAME)
_SPANS: Mapping[On, tuple[str, str]] = {
    "task": (f"{_OUTCOME} != nil", "tasks"),
    "model": (
        f'ContainsValue(["chat", "embeddings", "generate_content", "text_completion"], {_OPERATION})',
        "model calls",
    ),
    "tool": (f'{_OPERATION} == "execute_tool"', "tool executions"),
    "retrieval": (f'{_OPERATION} == "retrieval"', "retrievals"),
}


def _latency(name: str, threshold: float, on: On) -> Indicator:
    eligible, nouns = _SPANS[on]
    return Indicator(
        name,
        "direct",
        on,
        eligible,
        f"span.end_time_unix_nano - span.start_time_unix_nano > {round(threshold * 1e9)}",
        (A.GEN_AI_TOOL_NAME,) if on == "tool" else (A.TASK_NAME,),
        f"{nouns} that took longer than {threshold:g} s",
    )


PARAMETRISED: Mapping[str, Parametrised] = {
    "latency": Parametrised(_latency, "s", ("model", "task", "tool", "retrieval")),
}
