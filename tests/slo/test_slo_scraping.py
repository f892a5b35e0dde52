"""Counts are exact for every scrape interval and phase between scrape and evaluation; what is lost is reported."""

from __future__ import annotations

import random
import subprocess
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest
from bench.detect.world import write_json
from promql_evaluator import Labels, Sample, Store, evaluate_at
from typer.testing import CliRunner

from otel_agentops import slo
from otel_agentops.semconv import attributes as A
from otel_agentops.semconv import metrics as M
from otel_agentops.slo import cli, generate
from otel_agentops.slo import series as S
from otel_agentops.slo._promql import Clock, express_growth
from otel_agentops.slo.moves import build_move_rules
from otel_agentops.slo.prometheus.health import build_health_rules
from otel_agentops.slo.prometheus.moves import build_move_alerts
from otel_agentops.slo.units import EVALUATION_DELAY_S
from otel_agentops.slo.variables import build_observed_rules

METRIC = "otel_agentops_sli_events_total"
TARGET: Labels = frozenset({("job", "otelcol"), ("instance", "c")})
EVENTS: Labels = TARGET | {("sli", "x")}
MINUTES, BORN, END = 40, 310.0, 2150.0  # seconds: the first event, and the last
Failing = Callable[[int], bool]


def count_events(at: float) -> int:
    """Return the counter's value: seven events a minute."""
    return max(0, int((min(at, END) - BORN) * 7 / 60) + 1) if at >= BORN else 0


def scrape_target(interval: float, phase: float, jitter: float, takes: float, is_failing: Failing) -> Store:
    """Scrape a counter until the end; a series without events does not exist."""
    chance = random.Random(f"{interval} {phase}")
    up, events = [], []
    for number in range(int(MINUTES * 60 / interval)):
        at = phase + number * interval + chance.uniform(-jitter, jitter)
        up.append(Sample(at, at + takes, float(not is_failing(number))))
        if not is_failing(number) and count_events(at):
            events.append(Sample(at, at + takes, count_events(at)))
    return {("up", TARGET): up, (METRIC, EVENTS): events}


def sum_increments(store: Store, clock: Clock, skipped: int = -1) -> int:
    """Return the sum over all evaluations, of which one may be left out."""
    expr = express_growth(METRIC, clock)
    times = (60.0 * minute for minute in range(1, MINUTES) if minute != skipped)
    return round(sum(sum(evaluate_at(expr, store, at).values()) for at in times))


def list_phases(interval: int) -> Iterator[float]:
    """Yield phases, those next to the evaluation too."""
    yield from (0.05, 1, interval / 2 + 0.3, interval - 1, interval - 0.05)


CASES = {
    # name: jitter s, seconds that a scrape takes, which scrapes fail, delay of the rules
    "exact": (0, 0, lambda _: False, 0),
    "jitter": (2, 0, lambda _: False, 0),
    "one_scrape_missed": (0.5, 0, lambda number: number % 9 == 5, 0),
    "samples_come_late": (0.5, 9, lambda _: False, EVALUATION_DELAY_S),
    "samples_come_at_once": (0.5, 0, lambda _: False, EVALUATION_DELAY_S),
    "everything": (2, 7, lambda number: number % 9 == 5, EVALUATION_DELAY_S),
}


@pytest.mark.parametrize("interval", [5, 15, 30, 60, 120])
@pytest.mark.parametrize("case", CASES)
def test_increments_add_up_at_every_phase(interval: int, case: str) -> None:
    jitter, takes, is_failing, delay = CASES[case]
    sums = {
        phase: sum_increments(scrape_target(interval, phase, jitter, takes, is_failing), Clock(1, delay))
        for phase in list_phases(interval)
    }
    assert sums == dict.fromkeys(sums, count_events(END))


def test_generated_rules_wait_for_samples(tmp_path: Path) -> None:
    """A scrape of which nothing can be read before its evaluation is over would never be counted."""
    one = slo.Slo(name="answers", sli="task_completed", objective=0.95, owner="o", runbook="r")
    offset = f"[1m] offset {EVALUATION_DELAY_S:g}s"
    path = "prometheus/otel-agentops.rules.yaml"
    assert offset in generate.files([one])[path]
    assert offset not in generate.files([one], evaluation_delay=0)[path]
    (tmp_path / "slo").mkdir()
    (tmp_path / "slo" / "answers.yaml").write_text(
        "name: answers\nsli: task_completed\nobjective: 0.95\nowner: o\nrunbook: r\n"
    )
    options = ["generate", "--slo", str(tmp_path / "slo"), "--out", str(tmp_path / "out")]
    done = CliRunner().invoke(cli.app, options)
    assert done.exit_code == 0, done.output
    assert offset in (tmp_path / "out" / path).read_text()


# -- moves

INTERVALS = {5: (0,), 15: (0, 5, 10), 30: (0, 10, 25), 60: (0, 5, 20, 35, 55)}  # s: phases
MOVE, LATEST = 50 * 60, 7 * 60  # s: the time of the move, and the time to name it


def list_scrapes(interval: int, phase: int, jittered: bool) -> set[int]:
    """Return the steps of five seconds with a scrape; with jitter some are a step off, and one is missed."""
    chance = random.Random(f"{interval} {phase}")
    steps = range(phase // 5, (MOVE + 15 * 60) // 5, interval // 5)
    if not jittered or interval < 15:
        return set(steps)
    missed = (MOVE + 120) // interval
    return {max(0, step + chance.choice((-1, 0, 1))) for number, step in enumerate(steps) if number != missed}


def build_services() -> Iterator[tuple[str, list[dict[str, str]]]]:
    """Yield each service with its target and the counters of its old and its new model."""
    for interval, phases in INTERVALS.items():
        for phase in phases:
            for jittered in (False, True):
                name = f"s{interval}_{phase}_{'jitter' if jittered else 'even'}"
                scrapes = list_scrapes(interval, phase, jittered)
                counters = {"old": lambda at: min(at, MOVE) // 6, "new": lambda at: max(0, at - MOVE) // 6}
                series = [_write_series("up", {"instance": name}, scrapes, lambda _: 1)]
                for value, count in counters.items():
                    labels = {A.SERVICE_NAME: name, A.GEN_AI_REQUEST_MODEL: "gpt-x", A.GEN_AI_RESPONSE_MODEL: value}
                    metric = M.METRICS[M.MODEL_OBSERVATIONS].prometheus
                    series.append(_write_series(metric, {"instance": name, **labels}, scrapes, count))
                yield name, series


def _write_series(
    metric: str, labels: Mapping[str, str], scrapes: set[int], count: Callable[[int], int]
) -> dict[str, str]:
    pairs = ", ".join(f'{key.replace(".", "_")}="{value}"' for key, value in {"job": "otelcol", **labels}.items())
    values = (str(count(5 * step)) if step in scrapes and count(5 * step) else "_" for step in range((MOVE + 900) // 5))
    return {"series": f"{metric}{{{pairs}}}", "values": " ".join(values)}


@pytest.mark.parametrize("delay", [0, EVALUATION_DELAY_S])
def test_move_is_named_within_seven_minutes_at_every_phase(promtool: Path, tmp_path: Path, delay: float) -> None:
    clock = Clock(1, delay)
    rules = [*build_observed_rules(clock), *build_move_rules(clock), *build_move_alerts([], clock)]
    write_json(tmp_path / "rules.yaml", {"groups": [{"name": "moves", "interval": "1m", "rules": rules}]})
    services = dict(build_services())
    named = [
        {"labels": f'{{service_name="{name}", previous="old", value="new"}}', "value": 1} for name in sorted(services)
    ]
    expr = 'group by (service_name, previous, value) (ALERTS{alertname="OtelAgentopsVariableMoved"})'
    test = {
        "interval": "5s",
        "input_series": [each for series in services.values() for each in series],
        "promql_expr_test": [
            {"expr": expr, "eval_time": f"{MOVE}s", "exp_samples": []},
            {"expr": expr, "eval_time": f"{MOVE + LATEST}s", "exp_samples": named},
        ],
    }
    write_json(tmp_path / "test.yaml", {"rule_files": ["rules.yaml"], "evaluation_interval": "1m", "tests": [test]})
    done = subprocess.run([promtool, "test", "rules", tmp_path / "test.yaml"], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


# -- alerts

SLI_LABELS: Labels = frozenset({("service_name", "shop"), ("otel_agentops_sli_name", "x")})


def find_alert(name: str, clock: Clock) -> str:
    """Return the expression of an alert of the pipeline."""
    return next(rule["expr"] for rule in build_health_rules(clock, []) if rule.get("alert") == name)


@pytest.mark.parametrize(
    ("takes", "delay", "skipped", "missing"),
    [
        (0, 0, lambda minute: False, None),
        (9, 10, lambda minute: False, None),
        (9, 0, lambda minute: False, 1.0),  # no scrape can be read before its evaluation is over
        (0, 0, lambda minute: minute % 10 == 3, 0.1),  # each tenth evaluation is left out
    ],
)
def test_events_that_rules_miss_are_reported(
    takes: float, delay: float, skipped: Callable[[int], bool], missing: float | None
) -> None:
    labels: Labels = TARGET | SLI_LABELS
    scrapes = [Sample(60.0 * minute - 1, 60.0 * minute - 1 + takes, 7.0 * minute) for minute in range(130)]
    store: dict[tuple[str, Labels], list[Sample]] = {(METRIC, labels): scrapes, ("up", TARGET): scrapes}
    clock = Clock(1, delay)
    growth = f"sum by (service_name, otel_agentops_sli_name) ({express_growth(METRIC, clock)})"
    recorded = store[S.SLI_EVENTS_INCREASE, SLI_LABELS] = []
    beats = [Sample(60.0 * minute, 60.0 * minute, 60.0 * minute) for minute in range(130)]
    store[S.RULES_EVALUATED, frozenset({("rule_group", "sli")})] = beats
    for minute in (minute for minute in range(1, 130) if not skipped(minute)):
        at = 60.0 * minute
        recorded += [Sample(at, at, value) for value in evaluate_at(growth, store, at).values()]
    reported = evaluate_at(find_alert("OtelAgentopsCountsMissing", clock), store, 128 * 60.0)
    assert reported == ({} if missing is None else {SLI_LABELS: pytest.approx(missing, abs=0.03)})


@pytest.mark.parametrize(
    ("interval", "phase", "failing", "reported"),
    [(15, 0, 0, False), (60, 59, 0, False), (60, 1, 0, False), (90, 0, 0, True), (120, 0, 0, True), (60, 0, 3, True)],
)
def test_target_scraped_too_seldom_is_reported(interval: int, phase: int, failing: int, reported: bool) -> None:
    times = range(phase, 7200, interval)
    up = [Sample(at, at, float(not failing or number % failing != 0)) for number, at in enumerate(times)]
    store: Store = {
        ("up", TARGET): up,
        (S.COLLECTOR_SCRAPED, TARGET): [Sample(at, at, 1) for at in range(0, 7200, 300)],
    }
    alert = find_alert("OtelAgentopsScrapedTooSeldom", Clock(1))
    assert {bool(evaluate_at(alert, store, at)) for at in range(3600, 7200, 300)} == {reported}
