"""Every built-in indicator, and a team's own, on signals of known value: exact counters from a real collector."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import pytest
from overlay_signals import (
    QUICK,
    Attributes,
    Event,
    Sender,
    Span,
    counters,
    errors,
    histograms,
    series,
    wait_until_settled,
)

import stack
from otel_agentops.semconv import attributes as A
from otel_agentops.semconv import events as E
from otel_agentops.semconv import metrics as M
from otel_agentops.slo import collector as fragment
from otel_agentops.slo.indicators import BUILT_IN, PARAMETRISED, Indicator, narrow_to_judge

pytestmark = pytest.mark.collector

OWN = Indicator(
    "own",
    "proxy",
    "retrieval",
    'attributes["otel_agentops.index.name"] == "docs" and span.kind != SPAN_KIND_SERVER',
    'attributes["otel_agentops.retrieval.document.count"] < 1 or IsMatch(attributes["x"], "^a$|\\\\$")',
    (A.INDEX_NAME,),
    "searches that found nothing",
)
# What fails for a value is neither good nor bad: `ParseJSON` of what is no JSON.
FRAGILE = Indicator(
    "fragile", "direct", "tool", 'attributes["x"] != nil', 'ParseJSON(attributes["x"])["bad"] == true', (), "x"
)
INDICATORS = {
    **BUILT_IN,
    "tool_failure_cluster": PARAMETRISED["tool_failure_cluster"].make("tool_failure_cluster", 3, "task"),
    "loop_free": PARAMETRISED["loop_free"].make("loop_free", 3, "task"),
    "user_rework": PARAMETRISED["user_rework"].make("user_rework", 0.3, "outcome"),
    "cost_ceiling": PARAMETRISED["cost_ceiling"].make("cost_ceiling", 0.05, "task"),
    "score_floor": PARAMETRISED["score_floor"].make("score_floor", 0.5, "evaluation"),
    "one_judge": narrow_to_judge(PARAMETRISED["score_floor"].make("one_judge", 3, "evaluation"), 'a "$1" judge'),
    "latency": PARAMETRISED["latency"].make("latency", 0.5, "model"),
    "slow_task": PARAMETRISED["latency"].make("slow_task", 2, "task"),
    "own": OWN,
    "fragile": FRAGILE,
}


class Case(NamedTuple):
    """Signals for one indicator, by what it must call them."""

    good: Sequence[Span | Event] = ()
    bad: Sequence[Span | Event] = ()
    neither: Sequence[Span | Event] = ()
    labels: Mapping[str, str] = {}


NAN, INF = float("nan"), float("inf")
NUMBERS = ("3", "", True, NAN, INF, -1, 1e300, [1])  # what is no count, no cost and no distance


def task(outcome: object = "completed", error: bool = False, seconds: float = 0.2, **facts: object) -> Span:
    return _span("invoke_workflow", error, seconds, {A.TASK_OUTCOME: outcome, **_keys("otel_agentops.task", facts)})


def model(operation: str = "chat", error: bool = False, seconds: float = 0.2, **facts: object) -> Span:
    return _span(operation, error, seconds, _keys("", facts))


def tool(error: bool = False, **facts: object) -> Span:
    return _span("execute_tool", error, 0.2, {A.GEN_AI_TOOL_NAME: "lookup", **_keys("", facts)})


def outcome(**facts: object) -> Event:
    attributes: Attributes = {**_keys("otel_agentops.task", facts)}  # type: ignore[dict-item]
    return Event(attributes, E.OUTCOME)


def evaluation_of(
    score: object, threshold: object = 0.5, name: str | None = E.GEN_AI_EVALUATION_RESULT, judge: str = "helpful"
) -> Event:
    facts = {A.GEN_AI_EVALUATION_SCORE_VALUE: score, A.JUDGE_THRESHOLD: threshold, A.JUDGE_NAME: judge}
    return Event({**facts, A.JUDGE_REVISION: "r1"}, name)  # type: ignore[dict-item]


def _span(operation: str, error: bool, seconds: float, facts: Mapping[str, object]) -> Span:
    attributes: Attributes = {A.GEN_AI_OPERATION_NAME: operation, **facts}  # type: ignore[dict-item]
    return Span(operation, attributes, error, seconds)


def _keys(prefix: str, facts: Mapping[str, object]) -> dict[str, object]:
    """`error__type` is error.type; of a task `retry` is otel_agentops.task.retry."""
    dotted = {key.replace("__", "."): value for key, value in facts.items()}
    return {f"{prefix}.{key}" if prefix and "." not in key else key: value for key, value in dotted.items()}


def ending(reason: object, **facts: object) -> Span:
    return model(**{"gen_ai.response.finish_reasons": reason}, **facts)  # type: ignore[arg-type]


def result(told: str) -> Span:
    return tool(**{"gen_ai.tool.call.result": told})


ENDED = [task("completed"), task("failed", True), task("escalated"), task("abandoned")]
NOT_ENDED = [task("cancelled"), task("exploded"), task(7), task(True), model(), outcome(outcome="completed")]
CALLED = {A.GEN_AI_OPERATION_NAME: "chat"}

CASES: dict[str, Case] = {
    "task_completed": Case(ENDED[:1], ENDED[1:], NOT_ENDED),
    "abandonment": Case(ENDED[:3], ENDED[3:], NOT_ENDED),
    "escalation": Case([*ENDED[:2], ENDED[3]], ENDED[2:3], NOT_ENDED),
    "tool_failure_cluster": Case(
        [task(tool_calls=5, tool_failures=0), task(tool_calls=5, tool_failures=2)],
        [
            task(tool_calls=5, tool_failures=3),
            task(tool_calls=9, tool_failures=9),
            task(tool_calls=5, tool_failures=3.0),
        ],
        [
            task(),
            task(tool_calls=0, tool_failures=0),
            task(tool_failures=5),
            model(**{A.TASK_TOOL_CALLS: 5, A.TASK_TOOL_FAILURES: 5}),  # type: ignore[arg-type]
            *(task(tool_calls=5, tool_failures=value) for value in NUMBERS),
            *(task(tool_calls=value, tool_failures=5) for value in NUMBERS),
        ],
    ),
    "user_retry": Case(
        [task(retry=False)], [task(retry=True)], [task(), *(task(retry=x) for x in ("true", 1, "", NAN))]
    ),
    "user_rework": Case(
        [outcome(rework=0.0), outcome(rework=0.3), outcome(rework=0)],
        [outcome(rework=0.31), outcome(rework=1), outcome(rework=1.0)],
        [outcome(), task(rework=0.9), *(outcome(rework=value) for value in (*NUMBERS, 1.01))],
    ),
    "grounded": Case(
        [task(documents_used=2, documents_unfounded=0)],
        [task(documents_used=2, documents_unfounded=1), task(documents_used=1, documents_unfounded=1.0)],
        [
            task(),
            task(documents_used=0, documents_unfounded=0),
            task(documents_used=2),
            *(task(documents_used=2, documents_unfounded=value) for value in NUMBERS if value != "3"),
            *(task(documents_used=value, documents_unfounded=1) for value in NUMBERS),
        ],
    ),
    "loop_free": Case(
        [task(tool_repeats=1), task(tool_repeats=2)],
        [task(tool_repeats=3), task(tool_repeats=40)],
        [task(), task(tool_repeats=0), *(task(tool_repeats=value) for value in NUMBERS)],
    ),
    "cost_ceiling": Case(
        [task(cost=0.0), task(cost=0.05), task(cost=0)],
        [task(cost=0.0501), task(cost=3)],
        [task(), model(**{A.COST: 3.0}), *(task(cost=value) for value in NUMBERS)],  # type: ignore[arg-type]
    ),
    "valid_output": Case(
        [
            *(ending([reason]) for reason in ("stop", "end_turn", "tool_calls", "STOP", "COMPLETE", "pause_turn")),
            ending("stop"),
            ending(["stop", "lengthy"]),
            model(**{A.OUTPUT_VALID: True}),  # type: ignore[arg-type]
        ],
        [
            *(ending([one]) for one in ("length", "max_tokens", "MAX_TOKENS", "max_output_tokens", "model_length")),
            *(ending([one]) for one in ("content_filter", "content_filtered", "refusal", "SAFETY", "RECITATION")),
            *(ending([one]) for one in ("MALFORMED_FUNCTION_CALL", "malformed_tool_use", "error", "incomplete")),
            *(ending([one]) for one in ("guardrail_intervened", "model_context_window_exceeded", "ERROR_TOXIC")),
            ending("length"),
            ending(["stop", "length"]),
            ending(["stop"], **{A.OUTPUT_VALID: False}),
            model(**{A.OUTPUT_VALID: False}),  # type: ignore[arg-type]
            model(error=True, error__type="json.decoder.JSONDecodeError"),
            model(error__type="pydantic_core.ValidationError"),
            model(error__type="OutputParserException"),
        ],
        [
            model(),
            model(**{A.OUTPUT_VALID: "false"}),  # type: ignore[arg-type]
            model(**{A.OUTPUT_VALID: 0}),  # type: ignore[arg-type]
            *(ending(value) for value in ("", [""], 7, True, NAN)),
            ending(["stop"], error=True),
            ending(["length"], error__type="APITimeoutError"),
            model(error__type="ValidationException"),
            tool(**{"gen_ai.response.finish_reasons": ["length"]}),  # type: ignore[arg-type]
        ],
    ),
    "judge_score": Case(
        [evaluation_of(0.5), evaluation_of(1), evaluation_of(4, 3), evaluation_of(0.0, 0.0), evaluation_of(-1, -2.5)],
        [evaluation_of(0.4), evaluation_of(0), evaluation_of(-3, 0.5)],
        [
            *(evaluation_of(value) for value in ("0.4", True, NAN, INF, None, [1.0])),
            *(evaluation_of(0.4, value) for value in ("high", True, NAN, None)),
            evaluation_of("0.4", "0.5"),
            evaluation_of(0.4, name=E.OUTCOME),
            evaluation_of(0.4, name="else"),
        ],
        {A.JUDGE_NAME: "helpful", A.JUDGE_REVISION: "r1"},
    ),
    "score_floor": Case(
        [evaluation_of(value, None) for value in (0.5, 1, 4.5)],
        [*(evaluation_of(value, None) for value in (0.49, 0, -3)), evaluation_of(0.4, 0.3), evaluation_of(0.4, "high")],
        [
            *(evaluation_of(value, None) for value in ("0.4", True, NAN, INF, -INF, None, [1.0])),
            evaluation_of(0.4, None, name=E.OUTCOME),
            evaluation_of(0.4, None, name="else"),
        ],
        {A.JUDGE_NAME: "helpful", A.JUDGE_REVISION: "r1"},
    ),
    "one_judge": Case(
        [evaluation_of(4, None, judge='a "$1" judge')],
        [evaluation_of(2, None, judge='a "$1" judge')],
        [evaluation_of(2, None), evaluation_of("2", None, judge='a "$1" judge')],
        {A.JUDGE_NAME: 'a "$1" judge', A.JUDGE_REVISION: "r1"},
    ),
    "tool_success": Case(
        [
            tool(),
            result("{}"),
            result('{"isError": false}'),
            result('no JSON: "isError": true'),
            result('{"content": [{"text": "{\\"isError\\": true}"}]}'),
            result('{"content": {"isError": true}, "isError": false}'),
            result("[1, 2]"),
        ],
        [
            tool(error=True),
            tool(error__type="tool_error"),
            result('{"content": [], "isError": true}'),
            result(' {"isError":\n true}\n'),
        ],
        [model(error=True), task(error=True)],
        {A.GEN_AI_TOOL_NAME: "lookup"},
    ),
    "empty_result": Case(
        [tool(**{A.TOOL_RESULT_EMPTY: False})],  # type: ignore[arg-type]
        [tool(**{A.TOOL_RESULT_EMPTY: True}), tool(**{A.TOOL_RESULT_EMPTY: True, A.TOOL_EFFECT: "read"})],  # type: ignore[arg-type]
        [
            tool(),
            *(tool(**{A.TOOL_RESULT_EMPTY: value}) for value in ("true", 1, NAN)),  # type: ignore[arg-type]
            *(tool(**{A.TOOL_RESULT_EMPTY: True, A.TOOL_EFFECT: effect}) for effect in ("write", "irreversible")),  # type: ignore[arg-type]
            model(**{A.TOOL_RESULT_EMPTY: True}),  # type: ignore[arg-type]
        ],
        {A.GEN_AI_TOOL_NAME: "lookup"},
    ),
    "call_success": Case(
        [model(), model("embeddings"), model("generate_content"), model("text_completion")],
        [model(error=True), model(error__type="429"), model("embeddings", error__type=500)],
        [
            model(error=True, error__type="asyncio.exceptions.CancelledError"),
            model(error__type="cancelled"),
            model(error__type=499),
            tool(error=True),
            model("invoke_agent", error=True),
            model(error=True, otel_agentops__judge__name="helpful"),
        ],
    ),
    "latency": Case(
        [model(seconds=0.2), model("embeddings", seconds=0.45)],
        [model(seconds=0.51), model(seconds=30)],
        [
            model(error=True, seconds=9),
            model(error__type="x", seconds=9),
            tool(),
            model("plan", seconds=9),
            model(seconds=9, otel_agentops__judge__name="helpful"),
        ],
    ),
    "slow_task": Case(
        [task(seconds=1.9)], [task(seconds=2.1)], [task("failed", seconds=9), task("escalated", seconds=9)]
    ),
    "own": Case(
        [Span("r", {A.GEN_AI_OPERATION_NAME: "retrieval", A.INDEX_NAME: "docs", A.RETRIEVAL_DOCUMENT_COUNT: 2})],
        [
            Span("r", {A.GEN_AI_OPERATION_NAME: "retrieval", A.INDEX_NAME: "docs", A.RETRIEVAL_DOCUMENT_COUNT: 0}),
            Span("r", {A.GEN_AI_OPERATION_NAME: "retrieval", A.INDEX_NAME: "docs", "x": "a"}),
            Span("r", {A.GEN_AI_OPERATION_NAME: "retrieval", A.INDEX_NAME: "docs", "x": "5 $"}),
        ],
        [Span("r", {A.GEN_AI_OPERATION_NAME: "retrieval"}), tool(**{A.INDEX_NAME: "docs"})],  # type: ignore[arg-type]
        {A.INDEX_NAME: "docs"},
    ),
    "fragile": Case([tool(x='{"bad": false}')], [tool(x='{"bad": true}')], [tool(x="no JSON"), tool()]),
}


@pytest.fixture(scope="module")
def running(otelcol: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[stack.Collector]:
    """One collector that counts all of them, from the generated fragment."""
    directory = tmp_path_factory.mktemp("indicators")
    (directory / "slo.yaml").write_text(fragment.render_yaml(fragment.build_fragment(list(INDICATORS.values()))))
    configs = [stack.BASE, stack.OVERLAY, directory / "slo.yaml", *QUICK]
    with stack.collector(configs, directory) as collector:
        yield collector
        wrong = [line for line in errors(collector) if "sli.fragile.bad" not in line]
        assert wrong == [], "a condition fails for what it reads, which would be a line for each span"


def test_every_indicator_has_a_case() -> None:
    assert CASES.keys() == INDICATORS.keys()


@pytest.fixture(scope="module")
def counters_by_case(running: stack.Collector) -> dict[str, dict[str, float]]:
    """The counters of each case, a service each."""
    sender = Sender(running.otlp)
    for name, case in CASES.items():
        signals = [*case.good, *case.bad, *case.neither]
        sender.spans(name, *(one for one in signals if isinstance(one, Span)))
        sender.events(name, *(one for one in signals if isinstance(one, Event)))
    samples = wait_until_settled(running, sender)
    return {name: counters(samples, name) for name in CASES}


@pytest.mark.parametrize("name", CASES)
def test_events_and_bad_are_exact(counters_by_case: Mapping[str, Mapping[str, float]], name: str) -> None:
    case, indicator = CASES[name], INDICATORS[name]
    outcomes_of = {label: case.labels.get(label, "unknown") for label in indicator.labels}
    labels = {A.SLI_NAME: name, A.SLI_TYPE: indicator.type, **outcomes_of}
    pair = {series(M.SLI_EVENTS, labels): len(case.good) + len(case.bad), series(M.SLI_BAD, labels): len(case.bad)}
    found = {one: value for one, value in counters_by_case[name].items() if f"otel_agentops_sli_name='{name}'" in one}
    assert found == pair


def test_every_events_counter_has_its_bad_counter(counters_by_case: Mapping[str, Mapping[str, float]]) -> None:
    """Every `events` has its `bad`, with the same labels; an indicator without an eligible event has neither."""
    for name, found in counters_by_case.items():
        events = {one.partition("{")[2] for one in found if one.startswith("otel_agentops_sli_events")}
        bad = {one.partition("{")[2] for one in found if one.startswith("otel_agentops_sli_bad")}
        assert events == bad, name


# -- the truth

RECEIPT = {A.TASK_NAME: "answer", A.TASK_TOOL_CALLS: 4, A.TASK_RETRY: False, A.TASK_COST: 0.01}


def outcomes_of(truth: object, sampling: object, outcome: object, times: int, **more: object) -> list[Event]:
    facts = {**RECEIPT, A.TASK_OUTCOME: outcome, A.TRUTH_VERDICT: truth, A.TRUTH_SAMPLING: sampling}
    return [Event({**facts, **more}, E.OUTCOME)] * times  # type: ignore[dict-item]


def test_confusion_counters_are_exact(running: stack.Collector) -> None:
    """Each indicator of tasks is evaluated on the receipt; what the receipt does not hold has no verdict."""
    service = "truth"
    sender = Sender(running.otlp)
    sender.events(
        service,
        *outcomes_of("good", "random", "completed", 7),
        *outcomes_of("bad", "random", "completed", 3),
        *outcomes_of("bad", "random", "failed", 4),
        *outcomes_of("good", "escalated", "escalated", 2),
        *outcomes_of("bad", None, "completed", 1),
        *outcomes_of("good", "rumour", "abandoned", 1),
        *outcomes_of("bad", "random", "cancelled", 1),
        *outcomes_of(None, "random", "failed", 5),
        *outcomes_of("maybe", "random", "failed", 5),
        *outcomes_of("bad", "random", None, 1, **{A.JUDGE_NAME: "j", A.JUDGE_REVISION: "r", **JUDGED}),
    )
    found = counters(wait_until_settled(running, sender), service)
    labels = {one: value for one, value in found.items() if one.startswith("otel_agentops_truth_labels")}
    assert labels == expected_labels()
    assert not [one for one in found if one.startswith("otel_agentops_sli_")], "no outcome is a second task"


JUDGED = {A.GEN_AI_EVALUATION_SCORE_VALUE: 0.2, A.JUDGE_THRESHOLD: 0.5}


def expected_labels() -> Counter[str]:
    """Proxy, truth and sampling of each event that has both."""
    counts: Counter[str] = Counter()
    rows = [
        ("good", "random", "completed", 7),
        ("bad", "random", "completed", 3),
        ("bad", "random", "failed", 4),
        ("good", "escalated", "escalated", 2),
        ("bad", "unknown", "completed", 1),
        ("good", "unknown", "abandoned", 1),
        ("bad", "random", "cancelled", 1),
        ("bad", "random", None, 1),
    ]
    for truth, sampling, outcome_, times in rows:
        for name, is_bad in proxy_verdicts(outcome_).items():
            counts[_truth(name, is_bad, truth, sampling)] += times
    judge = {A.JUDGE_NAME: "j", A.JUDGE_REVISION: "r"}
    for name in ("judge_score", "score_floor"):
        counts[_truth(name, True, "bad", "random", **judge)] += 1
    return counts


def proxy_verdicts(outcome_: str | None) -> dict[str, bool]:
    """Return what each proxy says of such a receipt."""
    always = {"user_retry": False, "cost_ceiling": False}
    if outcome_ in (None, "cancelled"):
        return always
    ended = {
        "task_completed": outcome_ != "completed",
        "abandonment": outcome_ == "abandoned",
        "escalation": outcome_ == "escalated",
    }
    return {**always, **ended}


def _truth(name: str, is_bad: bool, truth: str, sampling: str, **judge: str) -> str:
    labels = {A.SLI_NAME: name, A.SLI_TYPE: "proxy", A.TASK_NAME: "answer", A.TRUTH_VERDICT: truth, **judge}
    return series(M.TRUTH_LABELS, {**labels, A.TRUTH_SAMPLING: sampling, A.TRUTH_PROXY: "bad" if is_bad else "good"})


def test_delay_and_cost_are_exact(running: stack.Collector) -> None:
    service, sender = "late", Sender(running.otlp)
    late = [{A.TRUTH_DELAY: delay} for delay in (30.5, 86400, *NUMBERS)]
    sender.events(service, *(event for more in late for event in outcomes_of("bad", "random", "failed", 1, **more)))
    sender.events(service, *outcomes_of(None, "random", "failed", 1, **{A.TRUTH_DELAY: 9.0}))
    sender.spans(service, *(task("failed", cost=cost) for cost in (0.25, 1, 0.0, *NUMBERS)))
    found = histograms(wait_until_settled(running, sender), service)
    delay = {A.TASK_NAME: "answer", A.TRUTH_SAMPLING: "random"}
    cost = {A.TASK_NAME: "unknown", A.TASK_OUTCOME: "failed"}
    wanted = {
        series(M.TRUTH_DELAY, delay, "_count"): 2,
        series(M.TRUTH_DELAY, delay, "_sum"): 86430.5,
        series(M.TASK_COST, cost, "_count"): 3,
        series(M.TASK_COST, cost, "_sum"): 1.25,
    }
    assert {one: value for one, value in found.items() if "delay" in one or "cost" in one} == wanted
