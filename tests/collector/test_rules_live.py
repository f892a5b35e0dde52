"""The committed objectives on Prometheus and VictoriaMetrics: their numbers are those that were sent, to the unit."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterator, Sequence
from pathlib import Path
from typing import TypeVar

import pytest
from overlay_signals import Event, Sender, Span, wait_until_settled

import stack
from otel_agentops import slo
from otel_agentops.semconv import attributes as A
from otel_agentops.semconv import metrics as M
from otel_agentops.slo import prometheus as rules

pytestmark = pytest.mark.collector

# An evaluation each 2 s: at 1 s a busy machine may miss one, and with it what it would have counted. vmalert takes a
# request and a write for each rule.
SCALES = {"prometheus": 30, "victoria_metrics": 12}
T = TypeVar("T")

# SLI, what tells its series apart, events, bad
SENT = {
    ("task_completed", "proxy", "", ""): (120, 18),
    ("call_success", "direct", "", ""): (120, 0),
    ("tool_success", "direct", "", ""): (90, 1),
    ("score_floor", "proxy", "helpful", "r1"): (60, 3),
    ("score_floor", "proxy", "helpful", "r2"): (30, 30),
}
OBSERVED = {
    ("model", "gpt-x", "gpt-x-01"): 120,
    ("prompt", "support/greeting", "aa01"): 120,
    ("tools", "support", "bb01"): 120,
    ("tool", "refund", "cc01"): 90,
    ("index", "docs", "v1"): 30,
    ("judge", "helpful", "r1"): 60,
    ("judge", "helpful", "r2"): 30,
    ("traffic", "all", "paid"): 120,
}


def batches() -> Iterator[tuple[list[Span], list[Event]]]:
    """Three times forty tasks; the only failed tool is in the first one, so that its pair is born with it."""
    for batch in range(3):
        yield list(spans(batch)), list(events())


def spans(batch: int) -> Iterator[Span]:
    call = {
        A.GEN_AI_OPERATION_NAME: "chat",
        A.GEN_AI_REQUEST_MODEL: "gpt-x",
        A.GEN_AI_RESPONSE_MODEL: "gpt-x-01",
        A.GEN_AI_PROMPT_NAME: "greeting",
        A.PROMPT_HASH: "aa01",
        A.TOOLS_HASH: "bb01",
        A.TASK_NAME: "support",
    }
    tool = {A.GEN_AI_OPERATION_NAME: "execute_tool", A.GEN_AI_TOOL_NAME: "refund", A.TOOL_HASH: "cc01"}
    found = {A.GEN_AI_OPERATION_NAME: "retrieval", A.INDEX_NAME: "docs", A.INDEX_VERSION: "v1"}
    for number in range(40):
        outcome = "failed" if number < 6 else "completed"
        yield Span("chat gpt-x", call)
        yield Span("task", {A.TASK_NAME: "support", A.TASK_OUTCOME: outcome, A.TRAFFIC_SEGMENT: "paid"})
    for number in range(30):
        yield Span("execute_tool refund", tool, error=(batch, number) == (0, 0))
    yield from [Span("retrieval docs", found)] * 10


def events() -> Iterator[Event]:
    judge = {A.JUDGE_NAME: "helpful", A.JUDGE_THRESHOLD: 0.5}
    for number in range(20):
        score = 0.2 if number == 0 else 0.9
        yield Event({**judge, A.JUDGE_REVISION: "r1", A.GEN_AI_EVALUATION_SCORE_VALUE: score})
    yield from [Event({**judge, A.JUDGE_REVISION: "r2", A.GEN_AI_EVALUATION_SCORE_VALUE: 0.2})] * 10


def until(read: Callable[[], T], good: Callable[[T], bool], seconds: float) -> T:
    """Return what is read as soon as it is good, or the last of it for the assertion to show."""
    end = time.monotonic() + seconds
    while not good(found := read()) and time.monotonic() < end:
        time.sleep(0.2)
    return found


class Numbers:
    """Numbers of one service in a Prometheus."""

    def __init__(self, running: stack.Prometheus, service: str, patience: float) -> None:
        self.running = running
        self.service = service
        self.patience = patience

    def of(self, metric: str, *by: str, over: str = "") -> dict[tuple[str, ...], float]:
        """The sum of a metric by labels. over: a function of a range and the range, `sum_over_time 10m`."""
        series = f'{metric}{{service_name="{self.service}"}}'
        if over:
            function, _, window = over.partition(" ")
            series = f"{function}({series}[{window}])"
        found = self.running.query(f"sum by ({', '.join(by)}) ({series})")
        return {tuple(labels.get(label, "") for label in by): value for labels, value in found}

    def become(self, expected: object, metric: str, *by: str, over: str = "") -> None:
        """Scrapes and evaluations come in their own time."""
        found = until(lambda: self.of(metric, *by, over=over), lambda found: found == expected, self.patience)
        assert found == expected, metric

    def come(self, expected: Collection[tuple[str, ...]], metric: str, *by: str) -> None:
        """Wait for the series alone: a late vmalert leaves evaluations out, and a sum lacks what they would count."""
        found = until(lambda: set(self.of(metric, *by)), lambda found: found == set(expected), self.patience)
        assert found == set(expected), metric


@pytest.fixture
def collector(otelcol: Path, tmp_path: Path) -> Iterator[stack.Collector]:
    """Not the shared one: it shows an exemplar for 200 ms, and Prometheus comes once a second."""
    with stack.collector([stack.BASE, stack.OVERLAY, stack.PROMISES], tmp_path) as running:
        yield running


BACKENDS = {"prometheus": ("prometheus",), "victoria_metrics": ("victoria_metrics", "vmalert")}


@pytest.mark.parametrize(
    "backend",
    [
        "prometheus",
        pytest.param(
            "victoria_metrics",
            marks=[pytest.mark.slow, pytest.mark.rotation("long runs", "VictoriaMetrics", 9, seconds=170)],
        ),
    ],
)
def test_recorded_series_equal_the_sent_numbers(
    collector: stack.Collector, backend: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    for program in BACKENDS[backend]:
        request.getfixturevalue(program)
    slos = slo.load(stack.ROOT / "slo")
    service = "shop"
    (tmp_path / "rules.yaml").write_text(rules.render_rules(slos, SCALES[backend]))
    started = time.time()
    run = stack.prometheus if backend == "prometheus" else stack.victoria_metrics
    with run([collector.metrics.split("/")[2]], [tmp_path / "rules.yaml"], tmp_path) as running:
        # What is born after two evaluations of a scraped target is known to have grown from 0.
        assert until(lambda: running.query("count_over_time(up[1m]) > 5"), bool, 40)
        traces = send(collector, Sender(collector.otlp), service)
        # Of three rules that read each other vmalert needs three evaluations, 25 s each.
        numbers = Numbers(running, service, 40 if backend == "prometheus" else 150)
        for half, metric, name in ((0, M.SLI_EVENTS, "events"), (1, M.SLI_BAD, "bad")):
            expected = {key: float(counts[half]) for key, counts in SENT.items()}
            numbers.become(expected, M.METRICS[metric].prometheus, *SLI)
            if backend == "prometheus":
                numbers.become(expected, f"otel_agentops:sli_{name}:increase3d", *SLI)
            else:
                numbers.come(expected, f"otel_agentops:sli_{name}:increase3d", *SLI)
        if backend == "victoria_metrics":
            numbers.come(budgets(slos), "otel_agentops:slo_budget:remaining", "slo", SLI[3])
            observed = until(
                lambda: set(numbers.of("otel_agentops:variable:increase", *VARIABLE, over=ALL)),
                lambda observed: observed == set(OBSERVED),
                numbers.patience,
            )
            assert observed == set(OBSERVED)
            return  # it keeps no exemplars
        numbers.become(budgets(slos), "otel_agentops:slo_budget:remaining", "slo", SLI[3])
        numbers.become(OBSERVED, "otel_agentops:variable:increase", *VARIABLE, over=ALL)
        durations = f'{M.METRICS[M.SPAN_DURATION].prometheus}_bucket{{service_name="{service}"}}'
        exemplars = until(lambda: running.client.query_exemplars(durations, started, time.time()), bool, 20)
        assert exemplars
        assert {exemplar.labels["trace_id"] for exemplar in exemplars} <= traces


def send(collector: stack.Collector, sender: Sender, service: str) -> set[str]:
    """The traces of all batches, each in a scrape of its own."""
    traces: set[str] = set()
    for batch, judged in batches():
        traces |= set(sender.spans(service, *batch))
        sender.events(service, *judged)
        wait_until_settled(collector, sender)
        time.sleep(1.5)
    return traces


def budgets(slos: Sequence[slo.Slo]) -> dict[tuple[str, str], object]:
    return {
        (one.name, revision): pytest.approx(1 - bad / events / float(one.budget))
        for one in slos
        for (name, _, _, revision), (events, bad) in SENT.items()
        if name == one.indicator.name
    }


ALL = "sum_over_time 10m"
VARIABLE = ("variable", "scope", "value")
SLI = tuple(name.replace(".", "_") for name in (A.SLI_NAME, A.SLI_TYPE, A.JUDGE_NAME, A.JUDGE_REVISION))
