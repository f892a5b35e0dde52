"""New values that say nothing are no moves: rendered dates, nightly jobs, a provider's pool; deployments always are."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from bench.detect.world import Counter, Rate, World, count_observations, evaluate, write_json

from otel_agentops.slo._promql import Clock
from otel_agentops.slo.moves import build_move_rules
from otel_agentops.slo.prometheus.moves import build_move_alerts
from otel_agentops.slo.units import format_duration
from otel_agentops.slo.variables import build_observed_rules

CLOCK = Clock(300)  # an evaluation in five minutes
HOUR, DAY = 60.0, 24 * 60.0
DAYS = 4
OFFICE = (1.0, 10.0, 15.0, 9.0)  # hours of the days at which somebody deploys


def run_between(start: float, end: float) -> Rate:
    return lambda minute: 4 if start <= minute < end else 0


def observe(service: str, variable: str, *starts: float, end: float = DAYS * DAY) -> Iterator[Counter]:
    """Another value from each of some minutes on, in use until the next one."""
    for number, (start, until) in enumerate(zip(starts, (*starts[1:], end), strict=True)):
        yield count_observations(service, variable, f"value{number}", run_between(start, until))


def observe_nightly() -> Iterator[Counter]:
    """Another hash each day, in use for two hours from 01:00 on."""
    for day in range(DAYS):
        start = day * DAY + HOUR
        yield count_observations("nightly", "prompt", f"value{day}", run_between(start, start + 2 * HOUR))


def observe_pool() -> Iterator[Counter]:
    """Two systems that take turns every half hour, and on the third day a third one in place of the first."""

    def is_first(minute: float) -> bool:
        return minute % HOUR < HOUR / 2

    third = 2 * DAY + 12 * HOUR
    yield count_observations("pool", "fingerprint", "value0", lambda m: 4 if is_first(m) and m < third else 0)
    yield count_observations("pool", "fingerprint", "value1", lambda m: 0 if is_first(m) else 4)
    yield count_observations("pool", "fingerprint", "value2", lambda m: 4 if is_first(m) and m >= third else 0)


def observe_all() -> Iterator[Counter]:
    """Everything that moves, and everything that seems to."""
    yield from observe_nightly()
    yield from observe("deployed", "prompt", *(day * DAY + hour * HOUR for day, hour in enumerate(OFFICE)))
    midnights = [day * DAY for day in range(DAYS)]
    yield from observe("dated", "prompt", *midnights)
    yield from observe("rebuilt", "index", *midnights)  # a new version each night is meant
    yield from observe("sent", "instructions", 0, 2 * DAY)
    yield from observe("rendered", "instructions", *(HOUR * hour for hour in range(6)))
    yield from observe("params", "params", 0, 2 * DAY)
    yield from observe_pool()
    yield from observe("repointed", "model", 0, 2 * DAY)
    yield from observe("repointed", "fingerprint", 0, 2 * DAY)
    yield from observe("reserved", "fingerprint", 0, 2 * DAY)


@pytest.mark.rotation("simulations", "nights", 8, seconds=90)
def test_values_that_are_usually_new_are_no_moves(promtool: Path, tmp_path: Path) -> None:
    rules = [*build_observed_rules(CLOCK), *build_move_rules(CLOCK), *build_move_alerts([], CLOCK)]
    group = {"name": "moves", "interval": format_duration(CLOCK.tick), "rules": rules}
    write_json(tmp_path / "rules.yaml", {"groups": [group]})
    world = World([*observe_all()], DAYS * DAY, CLOCK, 1)
    whole = f"{round(DAYS * DAY * 60 / CLOCK.scale)}s"
    case = "count by (service_name, variable, value)"
    fired = f'{case} (count_over_time(ALERTS{{alertname="OtelAgentopsVariableMoved"}}[{whole}]))'
    moved = f"{case} (count_over_time(otel_agentops:variable:moved[{whole}]))"
    routine = f"count by (service_name, variable, reason) (count_over_time(otel_agentops:variable:routine[{whole}]))"
    results = evaluate(promtool, world, tmp_path / "rules.yaml", tmp_path, fired, moved, routine)
    alerts, moves, usual = ({tuple(sorted(key)) for key in result} for result in results.values())

    def name(service: str, variable: str, *numbers: int) -> set[tuple[str, ...]]:
        return {tuple(sorted((service, variable, f"value{number}"))) for number in numbers}

    always = (
        name("deployed", "prompt", 1, 2, 3)
        | name("dated", "prompt", 1, 2)
        | name("rebuilt", "index", 1, 2, 3)
        | name("sent", "instructions", 1)
        | name("rendered", "instructions", 1, 2)
        | name("params", "params", 1)
        | name("pool", "fingerprint", 2)
        | name("repointed", "model", 1)
        | name("reserved", "fingerprint", 1)
    )
    assert alerts == always | name("nightly", "prompt", 1, 2)
    assert moves == always | name("nightly", "prompt", 1, 2, 3), "a burn can still be put down to each"
    assert usual == {
        tuple(sorted(one))
        for one in (
            ("dated", "prompt", "daily"),
            ("rendered", "instructions", "rendered"),
            ("pool", "fingerprint", "pool"),
            ("repointed", "fingerprint", "model"),
        )
    }
