"""Which sets of cases have scores about something that runs no more: over eight days, each service a case."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
from bench.detect.world import Counter, Rate, World, count_observations, evaluate, keep_rate, step_rates, write_json

from otel_agentops.semconv import attributes as A
from otel_agentops.semconv import metrics as M
from otel_agentops.slo._promql import Clock
from otel_agentops.slo.moves.appeared import build_appeared_rules
from otel_agentops.slo.moves.eval_sets import build_eval_set_rules
from otel_agentops.slo.moves.reported import build_moved_rule
from otel_agentops.slo.units import format_duration
from otel_agentops.slo.variables import build_observed_rules

CLOCK = Clock(600)  # an evaluation in ten minutes
DAY = 24 * 60
FIRST, MOVED, AGAIN, END = 0.5 * DAY, 2 * DAY, 3 * DAY, 8 * DAY


def evaluated(service: str, *starts: float, env: str = "prod", rate: float = 10) -> Counter:
    """A set of cases that is evaluated for an hour now and then."""
    labels = {A.SERVICE_NAME: service, A.DEPLOYMENT_ENVIRONMENT_NAME: env, A.EVAL_SET_NAME: "golden"}
    judge = {A.EVAL_SET_VERSION: "1", A.JUDGE_NAME: "helpful", A.JUDGE_REVISION: "r1"}
    return Counter(M.EVAL_SET_OBSERVATIONS, labels | judge, lambda at: rate * any(s <= at < s + 60 for s in starts))


def changed(service: str, variable: str, scope: tuple[str, ...]) -> Iterator[Counter]:
    yield count_observations(service, variable, "old", step_rates((0, 10), (MOVED, 0)), scope)
    yield count_observations(service, variable, "new", step_rates((MOVED, 10)), scope)


def elsewhere(counted: Counter, rate: Rate) -> Counter:
    return Counter(counted.metric, {**counted.labels, A.DEPLOYMENT_ENVIRONMENT_NAME: "ci"}, rate)


PROMPT = ("support", "answer")
CASES: Mapping[str, list[Counter]] = {
    "late": [*changed("late", "prompt", PROMPT), evaluated("late", FIRST, AGAIN)],
    "never": [*changed("never", "prompt", PROMPT), evaluated("never", FIRST)],
    "same": [count_observations("same", "model", "old", keep_rate(10)), evaluated("same", FIRST)],
    "judge": [*changed("judge", "judge", ("helpful",)), evaluated("judge", FIRST, AGAIN)],
    "other_judge": [*changed("other_judge", "judge", ("polite",)), evaluated("other_judge", FIRST, AGAIN)],
    # the new prompt was in use in the environment of the evaluations, a day before
    "before": [
        *changed("before", "prompt", PROMPT),
        elsewhere(count_observations("before", "prompt", "old", lambda _: 0, PROMPT), step_rates((0, 5), (DAY, 0))),
        elsewhere(
            count_observations("before", "prompt", "new", lambda _: 0, PROMPT), step_rates((DAY, 5), (1.2 * DAY, 0))
        ),
        evaluated("before", FIRST, DAY, AGAIN, env="ci"),
    ],
}
STALE = "otel_agentops:eval_set:stale"
RANGE = format_duration(END * 60 / CLOCK.scale)
BY = "min by (reason, service_name)"


def rules(folder: Path) -> Path:
    """Those that a stale set follows from: the others would take most of the time."""
    made = [
        *build_observed_rules(CLOCK),
        *build_appeared_rules(CLOCK),
        build_moved_rule(CLOCK),
        *build_eval_set_rules(CLOCK),
    ]
    write_json(
        folder / "rules.yaml", {"groups": [{"name": "sets", "interval": format_duration(CLOCK.tick), "rules": made}]}
    )
    return folder / "rules.yaml"


def stale(promtool: Path, folder: Path) -> dict[tuple[str, ...], list[float]]:
    """Days: the time that is told, and from when to when a set is told to be stale."""
    world = World([counted for case in CASES.values() for counted in case], END, CLOCK)
    when = f"timestamp({STALE})[{RANGE}:1s]"
    asked = [
        f"{BY} ({of})"
        for of in (f"max_over_time({STALE}[{RANGE}])", f"min_over_time({when})", f"max_over_time({when})")
    ]
    told = evaluate(promtool, world, rules(folder), folder, *asked).values()
    day = DAY * 60 / CLOCK.scale
    return {key: [round(answer[key] / day, 1) for answer in told] for key in next(iter(told))}


@pytest.mark.rotation("simulations", "evaluation sets", 8, seconds=34)
def test_stale_sets(promtool: Path, tmp_path: Path) -> None:
    assert stale(promtool, tmp_path) == {
        ("moved", "late"): [2, 2, 3],
        ("moved", "never"): [2, 2, 8],
        ("age", "never"): [0.6, 7.6, 8],
        ("age", "same"): [0.6, 7.6, 8],
        ("judge", "judge"): [2, 2, 3],
    }
