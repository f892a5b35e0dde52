"""The collector's counters equal what was sent, to the unit."""

from __future__ import annotations

import random
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import httpx
import pytest
from overlay_signals import Event, Sender, Span, buckets, counters, histograms, series, wait_until_settled

from otel_agentops.semconv import attributes as A
from otel_agentops.semconv import events as E
from otel_agentops.semconv import metrics as M
from stack import OPENMETRICS, Collector

pytestmark = pytest.mark.collector


class Call(NamedTuple):
    asked: str
    answered: str | None
    prompt: str | None
    tools: str | None
    attempts: int


class Judged(NamedTuple):
    revision: str
    score: float | int | None
    threshold: float | None


class Task(NamedTuple):
    """One task and the truth about it."""

    name: str
    outcome: str
    segment: str | None
    calls: Sequence[Call]
    tools: Sequence[tuple[str, str | None]]  # name, error
    index: str | None
    judged: Judged


def make_tasks(count: int) -> list[Task]:
    pick = random.Random(7)

    def call() -> Call:
        answered = pick.choice(["gpt-x-2026-01", "gpt-x-2026-02", None])
        return Call(
            "gpt-x", answered, pick.choice(["aa01", "aa02", None]), pick.choice(["bb01", None]), pick.randint(1, 3)
        )

    def tool() -> tuple[str, str | None]:
        return pick.choice(["lookup", "refund"]), pick.choice([None, None, "TimeoutError", "ValueError"])

    return [
        Task(
            pick.choice(["answer", "summarize"]),
            pick.choice(["completed", "completed", "failed", "escalated", "abandoned", "cancelled"]),
            pick.choice(["free", "paid", None]),
            [call() for _ in range(pick.randint(0, 4))],
            [tool() for _ in range(pick.randint(0, 3))],
            pick.choice(["v1", "v2", None]),
            Judged(pick.choice(["r1", "r2"]), pick.choice([0, 0.25, 0.5, 1, None]), pick.choice([0.5, None])),
        )
        for _ in range(count)
    ]


# -- what is sent


def spans_of(task: Task) -> Iterator[Span]:
    scope = {A.TASK_ID: "t1", A.TASK_NAME: task.name, A.TRAFFIC_SEGMENT: task.segment}
    yield Span("retrieval docs", {A.GEN_AI_OPERATION_NAME: "retrieval", A.TRAFFIC_SEGMENT: task.segment})  # of no task
    for call in task.calls:
        facts = {
            A.GEN_AI_OPERATION_NAME: "chat",
            A.GEN_AI_PROVIDER_NAME: "openai",
            A.GEN_AI_REQUEST_MODEL: call.asked,
            A.GEN_AI_RESPONSE_MODEL: call.answered,
            A.PROMPT_HASH: call.prompt,
            A.GEN_AI_PROMPT_NAME: "greeting",
            A.TOOLS_HASH: call.tools,
            A.ATTEMPT_COUNT: call.attempts,
        }
        yield Span("chat gpt-x", {**scope, **facts}, seconds=0.3)
    for name, error in task.tools:
        facts = {A.GEN_AI_OPERATION_NAME: "execute_tool", A.GEN_AI_TOOL_NAME: name, A.TOOL_HASH: "cc01"}
        yield Span(f"execute_tool {name}", {**scope, **facts, A.ERROR_TYPE: error}, error is not None, 0.05)
    yield Span(
        "retrieval docs",
        {**scope, A.GEN_AI_OPERATION_NAME: "retrieval", A.INDEX_NAME: "docs", A.INDEX_VERSION: task.index},
        seconds=0.05,
    )
    yield Span("GET /orders", {"http.request.method": "GET"})
    yield Span("invoke_workflow", {**scope, **totals(task), A.GEN_AI_OPERATION_NAME: "invoke_workflow"}, seconds=1.5)


def totals(task: Task) -> dict[str, str | int]:
    return {
        A.TASK_OUTCOME: task.outcome,
        A.TASK_LLM_CALLS: len(task.calls),
        A.TASK_LLM_ATTEMPTS: sum(call.attempts for call in task.calls),
        A.TASK_TOOL_CALLS: len(task.tools),
        A.TASK_TOOL_FAILURES: sum(error is not None for _, error in task.tools),
        A.TASK_INPUT_TOKENS: 700 * len(task.calls),
        A.TASK_OUTPUT_TOKENS: 90 * len(task.calls),
    }


def events_of(task: Task) -> Iterator[Event]:
    judged = task.judged
    facts = {A.JUDGE_NAME: "helpful", A.JUDGE_REVISION: judged.revision, A.TASK_NAME: task.name}
    verdict = {A.GEN_AI_EVALUATION_SCORE_VALUE: judged.score, A.JUDGE_THRESHOLD: judged.threshold}
    yield Event({**facts, **verdict})
    yield Event({"message": "order shipped"}, None)


# -- what must be counted


def expected_counts(tasks: Sequence[Task]) -> Counter[str]:
    counts: Counter[str] = Counter()
    for task in tasks:
        name = {A.TASK_NAME: task.name}
        if task.outcome != "cancelled":
            _pair(counts, {A.SLI_NAME: "task_completed", A.SLI_TYPE: "proxy", **name}, task.outcome != "completed")
        for tool, error in task.tools:
            labels = {A.SLI_NAME: "tool_success", A.SLI_TYPE: "direct", A.GEN_AI_TOOL_NAME: tool}
            _pair(counts, labels, error is not None)
            counts[series(M.TOOL_OBSERVATIONS, {A.GEN_AI_TOOL_NAME: tool, A.TOOL_HASH: "cc01"})] += 1
        for call in task.calls:
            _count_call(counts, call, name)
        if task.index:
            counts[series(M.INDEX_OBSERVATIONS, {A.INDEX_NAME: "docs", A.INDEX_VERSION: task.index})] += 1
        if task.segment:
            counts[series(M.TRAFFIC_OBSERVATIONS, {A.TRAFFIC_SEGMENT: task.segment})] += 2
        _count_judged(counts, task.judged)
    return counts


CALL_SUCCESS = {A.SLI_NAME: "call_success", A.SLI_TYPE: "direct"}


def _pair(counts: Counter[str], labels: dict[str, str], bad: bool) -> None:
    counts[series(M.SLI_EVENTS, labels)] += 1
    counts[series(M.SLI_BAD, labels)] += bad


def _count_call(counts: Counter[str], call: Call, task: dict[str, str]) -> None:
    labels = {
        A.GEN_AI_OPERATION_NAME: "chat",
        A.GEN_AI_PROVIDER_NAME: "openai",
        A.GEN_AI_REQUEST_MODEL: call.asked,
        **task,
    }
    counts[series(M.LLM_CALLS, labels)] += 1
    counts[series(M.LLM_ATTEMPTS, labels)] += call.attempts
    _pair(counts, {**CALL_SUCCESS, A.GEN_AI_REQUEST_MODEL: call.asked}, False)
    if call.answered:
        models = {A.GEN_AI_REQUEST_MODEL: call.asked, A.GEN_AI_RESPONSE_MODEL: call.answered}
        counts[series(M.MODEL_OBSERVATIONS, models)] += 1
    if call.prompt:
        counts[
            series(M.PROMPT_OBSERVATIONS, {A.GEN_AI_PROMPT_NAME: "greeting", **task, A.PROMPT_HASH: call.prompt})
        ] += 1
    if call.tools:
        counts[series(M.TOOLS_OBSERVATIONS, {**task, A.TOOLS_HASH: call.tools})] += 1


def _count_judged(counts: Counter[str], judged: Judged) -> None:
    judge = {A.JUDGE_NAME: "helpful", A.JUDGE_REVISION: judged.revision}
    counts[series(M.JUDGE_OBSERVATIONS, judge)] += 1
    if judged.score is not None and judged.threshold is not None:
        labels = {A.SLI_NAME: "judge_score", A.SLI_TYPE: "proxy", **judge}
        _pair(counts, labels, judged.score < judged.threshold)


PER_TASK = {
    M.TASK_LLM_CALLS: A.TASK_LLM_CALLS,
    M.TASK_LLM_ATTEMPTS: A.TASK_LLM_ATTEMPTS,
    M.TASK_TOOL_CALLS: A.TASK_TOOL_CALLS,
    M.TASK_TOOL_FAILURES: A.TASK_TOOL_FAILURES,
    M.TASK_INPUT_TOKENS: A.TASK_INPUT_TOKENS,
    M.TASK_OUTPUT_TOKENS: A.TASK_OUTPUT_TOKENS,
}


def expected_sums(tasks: Sequence[Task]) -> Counter[str]:
    """Count and sum of the histograms."""
    sums: Counter[str] = Counter()
    for task in tasks:
        for metric, key in PER_TASK.items():
            labels = {A.TASK_NAME: task.name, A.TASK_OUTCOME: task.outcome}
            sums[series(metric, labels, "_count")] += 1
            sums[series(metric, labels, "_sum")] += int(totals(task)[key])
        for span in spans_of(task):
            if A.GEN_AI_OPERATION_NAME in span.attributes:
                labels = {key: str(span.attributes[key]) for key in DURATION_LABELS if span.attributes.get(key)}
                if span.error:
                    reason = "timeout" if span.attributes[A.ERROR_TYPE] == "TimeoutError" else "error"
                    labels |= {A.INCIDENT_SURFACE: "tool", A.INCIDENT_REASON: reason}
                sums[series(M.SPAN_DURATION, labels, "_count")] += 1
                sums[series(M.SPAN_DURATION, labels, "_sum")] += span.seconds  # type: ignore[assignment]
    return sums


DURATION_LABELS = (
    A.GEN_AI_OPERATION_NAME, A.GEN_AI_PROVIDER_NAME, A.GEN_AI_REQUEST_MODEL, A.GEN_AI_TOOL_NAME, A.INDEX_NAME,
    A.TASK_NAME, A.TASK_OUTCOME,
)  # fmt: skip


def test_counters_and_histograms_are_exact(collector: Collector, sender: Sender, service: str) -> None:
    tasks = make_tasks(200)
    for start in range(0, len(tasks), 20):
        part = tasks[start : start + 20]
        sender.spans(service, *(span for task in part for span in spans_of(task)))
        sender.events(service, *(event for task in part for event in events_of(task)))
    samples = wait_until_settled(collector, sender)
    assert counters(samples, service) == expected_counts(tasks)
    assert histograms(samples, service) == pytest.approx(expected_sums(tasks))
    outcome = {A.TASK_NAME: "answer", A.TASK_OUTCOME: "failed"}
    values = Counter(float(len(task.calls)) for task in tasks if (task.name, task.outcome) == ("answer", "failed"))
    found = buckets(samples, M.TASK_LLM_CALLS, service, outcome)
    assert {le: count for le, count in found.items() if count} == values, "0 to 4 are boundaries"


def test_unnamed_service_counts_as_unknown(collector: Collector, sender: Sender) -> None:
    failed = Span("execute_tool", {A.GEN_AI_OPERATION_NAME: "execute_tool"}, error=True)
    sender.spans(None, failed, Span("chat", {A.GEN_AI_OPERATION_NAME: "chat"}))
    sender.events(None, Event({A.GEN_AI_EVALUATION_SCORE_VALUE: 0.1, A.JUDGE_THRESHOLD: 0.5}))
    samples = wait_until_settled(collector, sender)
    tool = {A.SLI_NAME: "tool_success", A.SLI_TYPE: "direct", A.GEN_AI_TOOL_NAME: "unknown"}
    judge = {A.SLI_NAME: "judge_score", A.SLI_TYPE: "proxy", A.JUDGE_NAME: "unknown", A.JUDGE_REVISION: "unknown"}
    call = {A.GEN_AI_OPERATION_NAME: "chat", A.GEN_AI_PROVIDER_NAME: "unknown", A.GEN_AI_REQUEST_MODEL: "unknown"}
    expected: Counter[str] = Counter({series(M.LLM_CALLS, {**call, A.TASK_NAME: "unknown"}): 1})
    _pair(expected, tool, True)
    _pair(expected, judge, True)
    _pair(expected, {**CALL_SUCCESS, A.GEN_AI_REQUEST_MODEL: "unknown"}, False)
    assert counters(samples, "unknown") == expected
    incident = {A.INCIDENT_SURFACE: "tool", A.INCIDENT_REASON: "error"}
    durations = {
        series(M.SPAN_DURATION, {A.GEN_AI_OPERATION_NAME: "execute_tool", **incident}, "_count"): 1,
        series(M.SPAN_DURATION, {A.GEN_AI_OPERATION_NAME: "chat"}, "_count"): 1,
    }
    found = histograms(samples, "unknown")
    assert {name: value for name, value in found.items() if "_count" in name} == durations
    environments = {
        s.labels["deployment_environment_name"] for s in samples if s.labels.get("service_name") == "unknown"
    }
    assert environments == {"unknown"}


@pytest.mark.parametrize("key", ["deployment_environment_name", "deployment_environment"])
def test_the_environment_is_a_label_of_every_series(
    collector: Collector, sender: Sender, service: str, key: str
) -> None:
    task = make_tasks(40)[-1]
    sender.spans(service, *spans_of(task), **{key: "staging"})
    sender.events(service, *events_of(task), **{key: "staging"})
    samples = wait_until_settled(collector, sender)
    assert {s.labels["deployment_environment_name"] for s in samples if s.labels.get("service_name") == service} == {
        "staging"
    }


def test_every_label_is_registered_for_its_metric(collector: Collector, sender: Sender, service: str) -> None:
    for task in make_tasks(40):
        sender.spans(service, *spans_of(task))
    known = {metric.prometheus: {key.replace(".", "_") for key in metric.labels} for metric in M.METRICS.values()}
    # Those of core's conventions cannot be referred to by the registry.
    core = {A.SERVICE_VERSION, A.FEATURE_FLAG_KEY, A.FEATURE_FLAG_RESULT_VARIANT, A.CLOUD_REGION}
    everywhere = {"service_name", "deployment_environment_name", "le", *(key.replace(".", "_") for key in core)}
    for sample in wait_until_settled(collector, sender):
        family = sample.name
        for suffix in ("_bucket", "_count", "_sum", "_created"):
            family = family.removesuffix(suffix)
        assert set(sample.labels) - everywhere <= known[family], sample


def test_every_metric_has_type_unit_and_description(collector: Collector, sender: Sender, service: str) -> None:
    for task in make_tasks(40):
        sender.spans(service, *spans_of(task))
        sender.events(service, *events_of(task))
    model = {A.GEN_AI_OPERATION_NAME: "chat", A.GEN_AI_RESPONSE_MODEL: "gpt-y"}
    sent = {
        A.PROMPT_HASH: "p1",
        A.PROMPT_SENT_HASH: "s1",
        A.PARAMS_HASH: "c1",
        A.OPENAI_RESPONSE_SYSTEM_FINGERPRINT: "f1",
    }
    sender.spans(service, Span("chat", {**model, **sent, A.LOCK_UNLISTED: ["model"]}))
    flag = {A.FEATURE_FLAG_KEY: "rerank", A.FEATURE_FLAG_RESULT_VARIANT: "on", A.ROLLOUT_STAGE: "canary"}
    root = {A.TASK_OUTCOME: "completed", A.TASK_COST: 0.25, **flag}
    sender.spans(service, Span("invoke_workflow", root), service_version="1")
    truth = {A.TASK_OUTCOME: "completed", A.TRUTH_VERDICT: "good", A.TRUTH_DELAY: 60.5}
    change = {A.CHANGE_VARIABLE: "model", A.CHANGE_VALUE: "gpt-y", A.CHANGE_SOURCE: "declared"}
    schema = {**change, A.CHANGE_VARIABLE: "tool", A.CHANGE_SCOPE: "refund", A.CHANGE_FIELDS: "parameters.amount added"}
    events = (
        Event({A.EVAL_SET_NAME: "golden"}),
        Event(truth, E.OUTCOME),
        Event(change, E.CHANGE),
        Event(schema, E.CHANGE),
    )
    sender.events(service, *events)
    wait_until_settled(collector, sender)
    lines = httpx.get(collector.metrics, headers=OPENMETRICS).text.splitlines()
    found = {line for line in lines if line.startswith("# HELP")}
    # A gauge of ours comes from the process itself, and so do some counters.
    of_processes = {M.RETRIES, M.FALLBACKS, M.RETRY_AFTER_WAITS, M.RECORDER_LOST}
    expected_counts = [
        metric
        for metric in M.METRICS.values()
        if metric.name.startswith("otel_agentops.") and metric.instrument != "gauge" and metric.name not in of_processes
    ]
    registered = {f"# HELP {metric.prometheus.removesuffix('_total')} {metric.brief}" for metric in expected_counts}
    assert found == registered


def test_agent_span_with_models_is_not_a_model_call(collector: Collector, sender: Sender, service: str) -> None:
    models = {A.GEN_AI_REQUEST_MODEL: "gpt-x", A.GEN_AI_RESPONSE_MODEL: "gpt-x-2026-01"}
    sender.spans(service, Span("invoke_agent planner", {A.GEN_AI_OPERATION_NAME: "invoke_agent", **models}))
    assert counters(wait_until_settled(collector, sender), service) == {}


def test_exemplars_lead_to_calls_that_failed(collector: Collector, sender: Sender, service: str) -> None:
    good = Span("execute_tool x", {A.GEN_AI_OPERATION_NAME: "execute_tool", A.GEN_AI_TOOL_NAME: "x"}, seconds=0.3)
    bad = good._replace(attributes={**good.attributes, A.ERROR_TYPE: "ValueError"}, error=True)
    traces: list[str] = []
    found: set[str] = set()
    end = time.monotonic() + 20
    while not found and time.monotonic() < end:  # an exemplar is shown until the next flush, which a scrape may miss
        traces += sender.spans(service, *([good, bad] * 20))
        found = {
            sample.exemplar["trace_id"]
            for sample in collector.scrape()
            if sample.exemplar and {**sample.labels, "service_name": service, SURFACE: "tool"} == sample.labels
        }
    assert found
    assert found <= set(traces[1::2])


SURFACE = A.INCIDENT_SURFACE.replace(".", "_")
