"""Service level indicators: which events are eligible, and which of them are bad."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Literal

from otel_agentops.semconv import attributes as A

On = Literal["task", "model", "tool", "retrieval", "evaluation", "outcome"]


@dataclass(frozen=True)
class Indicator:
    """A service level indicator.

    Attributes:
        name: Value of the label `otel_agentops.sli.name`.
        type: `proxy` if it stands in for something else.
        on: The operation or event that is counted.
        eligible: OTTL condition. A bare `attributes[...]` is that of the span or of the event.
        bad: OTTL condition, evaluated only if `eligible` holds.
        labels: Attributes that its points carry besides name and type.
        about: A description of the bad events, in the plural.
        floor: The lowest good score, or the attribute that has it; None if the conditions alone say what is bad.
        judge: The only judge whose scores are counted.
    """

    name: str
    type: Literal["proxy", "direct"]
    on: On
    eligible: str
    bad: str
    labels: tuple[str, ...]
    about: str
    floor: float | str | None = None
    judge: str | None = None


@dataclass(frozen=True)
class Parametrised:
    """A built-in that compares a number of each event with a threshold: `{use: latency, threshold: 8}`.

    Attributes:
        make: Builds the indicator from a name, a threshold and an operation.
        unit: The unit of the threshold.
        ons: The operations that it can count, the usual one first.
        default: None if only the team can know it.
        most: The highest threshold that means anything.
    """

    make: Callable[[str, float, On], Indicator]
    unit: str
    ons: tuple[On, ...]
    default: float | None = None
    most: float | None = None


def verdict_attribute(name: str) -> str:
    """Return the attribute that holds an indicator's 0 or 1."""
    return A.SLI_TASK_COMPLETED_BAD.replace("task_completed", name)


# -- words of the conditions
#
# Applications send anything, so a value of another type, NaN and absurd numbers are not eligible. A comparison of two
# types is false, and `nil` is neither above nor below anything. No function is called on a value that it would fail
# for, since the collector would log a line for every span.

_MOST = 1_000_000_000  # no count, score or price is above it


def _read_attribute(key: str) -> str:
    return f'attributes["{key}"]'


def _match_pattern(value: str, pattern: str) -> str:
    return f"IsMatch({value}, {json.dumps(pattern)})"


def _at_least(value: str, lowest: int) -> str:
    return f"{value} >= {lowest} and {value} < {_MOST}"


def _is_one_of(value: str, *values: str) -> str:
    return " or ".join(f'{value} == "{each}"' for each in values)


def _write_number(value: float) -> str:
    """Write a number without an exponent, which OTTL does not read."""
    return f"{Decimal(repr(value)).normalize():f}"


_OPERATION = _read_attribute(A.GEN_AI_OPERATION_NAME)
_OUTCOME = _read_attribute(A.TASK_OUTCOME)
_ERROR = _read_attribute(A.ERROR_TYPE)
_FAILED = f"span.status.code == STATUS_CODE_ERROR or {_ERROR} != nil"
_SUCCEEDED = f"span.status.code != STATUS_CODE_ERROR and {_ERROR} == nil"


# -- tasks

_TASK = (A.TASK_NAME,)
_ENDED = _is_one_of(_OUTCOME, "completed", "failed", "escalated", "abandoned")  # neither `cancelled` nor an unknown one


def _build_task_indicator(name: str, eligible: str, bad: str, about: str) -> Indicator:
    return Indicator(name, "proxy", "task", eligible, bad, _TASK, about)


def _build_user_retry() -> Indicator:
    retry = _read_attribute(A.TASK_RETRY)
    eligible = f"{retry} == true or {retry} == false"
    return _build_task_indicator("user_retry", eligible, f"{retry} == true", "tasks that a user had to ask for again")


def _build_grounded() -> Indicator:
    documents, unfounded = _read_attribute(A.TASK_DOCUMENTS_USED), _read_attribute(A.TASK_DOCUMENTS_UNFOUNDED)
    about = "tasks whose answer used a document that no retrieval returned"
    return _build_task_indicator(
        "grounded", f"{_at_least(documents, 1)} and {_at_least(unfounded, 0)}", f"{unfounded} > 0", about
    )


def _build_tool_failure_cluster(name: str, threshold: float, on: On) -> Indicator:
    calls, failed = _read_attribute(A.TASK_TOOL_CALLS), _read_attribute(A.TASK_TOOL_FAILURES)
    about = f"tasks with {_write_number(threshold)} or more failed tool executions"
    return _build_task_indicator(
        name, f"{_at_least(calls, 1)} and {_at_least(failed, 0)}", f"{failed} >= {_write_number(threshold)}", about
    )


def _build_loop_free(name: str, threshold: float, on: On) -> Indicator:
    repeated = _read_attribute(A.TASK_TOOL_REPEATS)
    about = f"tasks that called one tool {_write_number(threshold)} times or more with near-same arguments"
    return _build_task_indicator(name, _at_least(repeated, 1), f"{repeated} >= {_write_number(threshold)}", about)


def _build_cost_ceiling(name: str, threshold: float, on: On) -> Indicator:
    cost, usd = _read_attribute(A.TASK_COST), _write_number(threshold)
    return _build_task_indicator(name, _at_least(cost, 0), f"{cost} > {usd}", f"tasks that cost more than {usd} USD")


def _build_user_rework(name: str, threshold: float, on: On) -> Indicator:
    rework, part = _read_attribute(A.TASK_REWORK), _write_number(threshold)
    about = f"tasks of whose proposal the user changed more than {part}"
    return Indicator(name, "proxy", on, f"{rework} >= 0 and {rework} <= 1", f"{rework} > {part}", _TASK, about)


_SCORE = _read_attribute(A.GEN_AI_EVALUATION_SCORE_VALUE)
_SCORED = f"{_SCORE} > -{_MOST} and {_SCORE} < {_MOST}"  # NaN is neither above nor below a number
_JUDGE = (A.JUDGE_NAME, A.JUDGE_REVISION)


def _build_judge_score() -> Indicator:
    """Build the indicator of scores; the threshold comes with the event.

    NaN is neither above nor below it; two texts could be, hence the bounds.
    """
    threshold = _read_attribute(A.JUDGE_THRESHOLD)
    return Indicator(
        "judge_score",
        "proxy",
        "evaluation",
        f"{_SCORED} and ({_SCORE} >= {threshold} or {_SCORE} < {threshold})",
        f"{_SCORE} < {threshold}",
        _JUDGE,
        "answers that the judge scored below its threshold",
        floor=A.JUDGE_THRESHOLD,
    )


def _build_score_floor(name: str, threshold: float, on: On) -> Indicator:
    """Build the indicator of scores of judges that have no threshold."""
    floor = _write_number(threshold)
    about = f"answers that the judge scored below {floor}"
    return Indicator(name, "proxy", on, _SCORED, f"{_SCORE} < {floor}", _JUDGE, about, floor=threshold)


def narrow_to_judge(indicator: Indicator, judge: str) -> Indicator:
    """Return the indicator of one judge's evaluations."""
    eligible = f"{_read_attribute(A.JUDGE_NAME)} == {json.dumps(judge, ensure_ascii=False)} and {indicator.eligible}"
    return replace(indicator, eligible=eligible, judge=judge)


# -- model calls

_MODEL = (A.GEN_AI_REQUEST_MODEL,)
# A caller that goes away is no failure of the provider; HTTP proxies answer 499 then.
_CANCELLED = _match_pattern(_ERROR, "(?i)cancel|^499$")
# The reasons of an output that is cut off, withheld or broken, as OpenAI, Anthropic, Gemini, Bedrock, Cohere, Mistral
# and the convention spell it. The attribute is a list, which IsMatch reads as JSON; some instrumentations write a text.
_BROKEN = (
    "length|model_length|max_(output_)?tokens|model_context_window_exceeded|error_limit"  # cut off
    "|content_filter(ed)?|refusal|guardrail_intervened|safety|recitation|language|blocklist|prohibited_content|spii"
    "|image_(safety|recitation|prohibited_content)|error_toxic"  # withheld
    "|malformed_(function_call|model_output|tool_use)|incomplete|error"  # broken
)
# Clients raise these if the output has the wrong form. ValidationException is Bedrock's answer to a bad request.
_UNPARSED = r"JSONDecodeError|OutputPars|ResponseValidationError|(^|\.)ValidationError$|FinishReasonError"


def _build_valid_output() -> Indicator:
    reasons, valid, unparsed = (
        _read_attribute(A.GEN_AI_RESPONSE_FINISH_REASONS),
        _read_attribute(A.OUTPUT_VALID),
        _match_pattern(_ERROR, _UNPARSED),
    )
    in_list = f'IsList({reasons}) and Len({reasons}) > 0 and IsString({reasons}[0]) and {reasons}[0] != ""'
    reported = f'({in_list}) or (IsString({reasons}) and {reasons} != "")'
    broken = _match_pattern(reasons, f'(?i)(^|")({_BROKEN})("|$)')
    return Indicator(
        "valid_output",
        "proxy",
        "model",
        f"{unparsed} or ({_SUCCEEDED} and ({valid} == true or {valid} == false or {reported}))",
        f"{unparsed} or {valid} == false or {broken}",
        _MODEL,
        "outputs that were cut off, withheld or not valid",
    )


# -- tools


def _build_tool_success() -> Indicator:
    """Build the indicator of tool failures.

    MCP reports one in the result, a map or a text of JSON; ParseJSON is called only for what may be one.
    """
    result = _read_attribute(A.GEN_AI_TOOL_CALL_RESULT)
    may_say = _match_pattern(result, r'(?s)^\s*\{.*"isError"\s*:\s*true.*\}\s*$')
    reported = f'IsMap({result}) and {result}["isError"] == true'
    in_json = f'IsString({result}) and {may_say} and ParseJSON({result})["isError"] == true'
    return Indicator(
        "tool_success",
        "direct",
        "tool",
        f'{_OPERATION} == "execute_tool"',
        f"{_FAILED} or ({reported}) or ({in_json})",
        (A.GEN_AI_TOOL_NAME,),
        "tool executions that failed",
    )


def _build_empty_result() -> Indicator:
    """Build the indicator of results that hold nothing; a tool that changes something need not return anything."""
    empty, effect = _read_attribute(A.TOOL_RESULT_EMPTY), _read_attribute(A.TOOL_EFFECT)
    return Indicator(
        "empty_result",
        "proxy",
        "tool",
        f'({empty} == true or {empty} == false) and {effect} != "write" and {effect} != "irreversible"',
        f"{empty} == true",
        (A.GEN_AI_TOOL_NAME,),
        "tool executions whose result held nothing",
    )


# -- every operation

_TIMED: Mapping[On, tuple[str, tuple[str, ...]]] = {
    "model": ("model calls", _MODEL),
    "task": ("tasks", _TASK),
    "tool": ("tool executions", (A.GEN_AI_TOOL_NAME,)),
    "retrieval": ("retrievals", _TASK),
}


def _build_latency(name: str, threshold: float, on: On) -> Indicator:
    """Build the indicator of slow successes.

    A failure that came quickly is no quick answer.
    """
    start, end = "span.start_time_unix_nano", "span.end_time_unix_nano"
    succeeded = f'{_OUTCOME} == "completed"' if on == "task" else _SUCCEEDED
    nouns, labels = _TIMED[on]
    slow = f"{end} - {start} > {round(Decimal(repr(threshold)) * 10**9)}"
    about = f"{nouns} that took longer than {_write_number(threshold)} s"
    return Indicator(name, "direct", on, f"{succeeded} and {start} > 0 and {end} >= {start}", slow, labels, about)


# -- all of them

BUILT_IN: Mapping[str, Indicator] = {
    each.name: each
    for each in (
        _build_task_indicator(
            "task_completed",
            _ENDED,
            f'{_OUTCOME} != "completed"',
            "tasks that failed, were escalated or abandoned",
        ),
        _build_task_indicator(
            "abandonment", _ENDED, _is_one_of(_OUTCOME, "abandoned"), "tasks that the user abandoned"
        ),
        _build_task_indicator(
            "escalation", _ENDED, _is_one_of(_OUTCOME, "escalated"), "tasks that were handed to a human"
        ),
        _build_user_retry(),
        _build_grounded(),
        _build_judge_score(),
        _build_valid_output(),
        _build_tool_success(),
        _build_empty_result(),
        Indicator("call_success", "direct", "model", f"not {_CANCELLED}", _FAILED, _MODEL, "model calls that failed"),
    )
}
PARAMETRISED: Mapping[str, Parametrised] = {
    "tool_failure_cluster": Parametrised(_build_tool_failure_cluster, "failed executions", ("task",), default=3),
    "loop_free": Parametrised(_build_loop_free, "near-same calls", ("task",), default=3),
    "user_rework": Parametrised(_build_user_rework, "part of the proposal", ("outcome",), most=0.99),
    "cost_ceiling": Parametrised(_build_cost_ceiling, "USD", ("task",)),
    "score_floor": Parametrised(_build_score_floor, "score", ("evaluation",)),
    "latency": Parametrised(_build_latency, "s", ("model", "task", "tool", "retrieval")),
}
