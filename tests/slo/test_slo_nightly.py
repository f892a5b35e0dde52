"""A job that renders its prompt anew each night is reported twice and then no more; deployments always are."""

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
DAYS = 6


def run_between(start: float, end: float) -> Rate:
    return lambda minute: 4 if start <= minute < end else 0


def observe(service: str, hours: float) -> Iterator[Counter]:
    """Another hash each day, in use for some hours from 01:00 on."""
    for day in range(DAYS):
        start = day * DAY + HOUR
        yield count_observations(service, "prompt", f"hash{day}", run_between(start, start + hours * HOUR))


@pytest.mark.rotation("simulations", "nights", 6, seconds=30)
def test_nightly_prompt_is_no_move_after_the_third_night(promtool: Path, tmp_path: Path) -> None:
    rules = [*build_observed_rules(CLOCK), *build_move_rules(CLOCK), *build_move_alerts([], CLOCK)]
    group = {"name": "moves", "interval": format_duration(CLOCK.tick), "rules": rules}
    write_json(tmp_path / "rules.yaml", {"groups": [group]})
    counters = [*observe("nightly", hours=2), *observe("deployed", hours=24)]
    world = World(counters, DAYS * DAY, CLOCK, 1)
    whole = f"{round(DAYS * DAY * 60 / CLOCK.scale)}s"
    fired = (
        f'count by (service_name, value) (count_over_time(ALERTS{{alertname="OtelAgentopsVariableMoved"}}[{whole}]))'
    )
    moved = f"count by (service_name, value) (count_over_time(otel_agentops:variable:moved[{whole}]))"
    alerts, moves = evaluate(promtool, world, tmp_path / "rules.yaml", tmp_path, fired, moved).values()
    deployed = {("deployed", f"hash{day}") for day in range(1, DAYS)}
    nightly = {("nightly", f"hash{day}") for day in range(1, DAYS)}
    assert set(moves) == deployed | nightly, "a burn can still be put down to each"
    assert set(alerts) == deployed | {("nightly", "hash1"), ("nightly", "hash2")}
