"""What is told as moved over days: ramps, canaries, a mix of traffic that shifts; and what is no move."""

from __future__ import annotations

from collections.abc import Iterator
from math import pi, sin
from pathlib import Path
from typing import NamedTuple

import pytest
from bench.detect.world import (
    Counter,
    Rate,
    World,
    count_observations,
    evaluate,
    keep_rate,
    query_end,
    step_rates,
    write_json,
)

from otel_agentops.slo import series as S
from otel_agentops.slo._promql import Clock
from otel_agentops.slo.moves import build_move_rules
from otel_agentops.slo.units import format_duration
from otel_agentops.slo.variables import build_observed_rules

CLOCK = Clock(300)  # an evaluation in five minutes: a day in 288 of them
HOUR, DAY = 60, 24 * 60
AT, END = 30 * HOUR, 41 * HOUR  # when all that moves begins to


def pair(service: str, new: Rate, total: float = 30, variable: str = "model") -> Iterator[Counter]:
    """What the new value gets the old one has lost."""
    yield count_observations(service, variable, "old", lambda minute: total * (1 - new(minute)))
    yield count_observations(service, variable, "new", lambda minute: total * new(minute))


def ramp(hours: float, start: float = 0.01) -> Rate:
    """From nearly nothing to all."""
    return lambda minute: 0 if minute < AT else min(1, start + (1 - start) * (minute - AT) / 60 / hours)


def rhythm(late: float = 0) -> Rate:
    """A share that is 0.1 by night and 0.9 by day, each day a bit later."""
    return lambda minute: 0.5 + 0.4 * sin(2 * pi * (minute - late * minute / DAY) / DAY)


MOVING = {
    "ramp_8h": list(pair("ramp_8h", ramp(8))),
    "canary": list(pair("canary", step_rates((AT, 0.05)))),
    "loose": list(pair("loose", step_rates((26 * HOUR, 0.05), (AT, 1)))),
    "more": list(pair("more", step_rates((0, 0.3), (AT, 0.7)))),
    "shift": list(pair("shift", step_rates((0, 0.3), (AT, 0.7)), variable="traffic")),
    "arrival": list(pair("arrival", step_rates((AT, 0.6)), variable="traffic")),
}
SEED = 4
QUIET = {
    "half": list(pair("half", keep_rate(0.5), 12)),
    "few": list(pair("few", keep_rate(0.5), 1)),
    "rare": list(pair("rare", keep_rate(0.3), 0.1)),
    "tides": list(pair("tides", rhythm(late=30))),
    "mix": list(pair("mix", keep_rate(0.3), 12, "traffic")),
    "mix_few": list(pair("mix_few", keep_rate(0.5), 0.5, "traffic")),
    "mix_tides": list(pair("mix_tides", rhythm(late=30), variable="traffic")),
    "mix_grows": [
        count_observations("mix_grows", "traffic", "free", step_rates((0, 10), (AT, 40))),
        count_observations("mix_grows", "traffic", "paid", step_rates((0, 20), (AT, 80))),
    ],
    # nobody from 20:00 to 08:00
    "nights": list(pair("nights", keep_rate(0.3), variable="traffic", total=20)),
}
# A ramp is told when its value is first seen, and on and on while it grows; what is let loose begins then, not before.
EXPECTED = {
    "ramp_8h": (0, 0.33, 7.75),
    "canary": (0, 0.33, 1.67),
    "loose": (0, 0.17, 2),
    "more": (0.17, 0.5, 2.33),
    "shift": (0.17, 0.42, 2),
    "arrival": (0.17, 0.33, 2),
}
MOVED = "otel_agentops:variable:moved"
CASE = "min by (service_name, variable, previous, value)"
SINCE = f"{round((END - AT) * 60 / CLOCK.scale)}s"
TIMES = f"{CASE} (min_over_time({MOVED}[{SINCE}]))"
TOLD = f"{CASE} (min_over_time(timestamp({MOVED})[{SINCE}:1s]))"
LONG = f"{CASE} (count_over_time({MOVED}[{SINCE}]))"


class Telling(NamedTuple):
    """Hours: the time that is told, when it was told first, for how long; counted from when the world moved."""

    time: float
    first: float
    long: float


def tellings(promtool: Path, folder: Path) -> dict[tuple[str, ...], Telling]:
    """Of all cases, each a service; one run, since promtool's time is that of the evaluations."""
    group = {
        "name": "moves",
        "interval": format_duration(CLOCK.tick),
        "rules": [*build_observed_rules(CLOCK), *build_move_rules(CLOCK)],
    }
    write_json(folder / "rules.yaml", {"groups": [group]})
    world = World([counted for case in (MOVING | QUIET).values() for counted in case], END, CLOCK, SEED)
    times, first, long = evaluate(promtool, world, folder / "rules.yaml", folder, TIMES, TOLD, LONG).values()
    hour, start = HOUR * 60 / CLOCK.scale, AT / HOUR
    return {key: Telling(times[key] / hour - start, first[key] / hour - start, long[key] / hour) for key in times}


@pytest.mark.rotation("simulations", "moves", 8, seconds=30)
def test_what_moved_is_told_and_nothing_else(promtool: Path, tmp_path: Path) -> None:
    told = tellings(promtool, tmp_path)
    moved = {("old", case, "new", "traffic" if case in ("shift", "arrival") else "model") for case in MOVING}
    assert set(told) == moved
    for (_, case, *_), telling in told.items():  # to twelve minutes: two evaluations of this clock
        assert telling[:2] == pytest.approx(EXPECTED[case][:2], abs=0.2), case
        assert telling.long == pytest.approx(EXPECTED[case][2], abs=0.5), case


def test_move_before_a_gap_of_evaluations_is_named(promtool: Path, tmp_path: Path) -> None:
    """A value is new four minutes before Prometheus is away for eight; another is gone when it is back."""
    clock, first, last, after = Clock(1), 11, 14, 22
    rules = [rule for rule in build_move_rules(clock) if rule["record"] in (S.VARIABLE_BEGAN, S.VARIABLE_MOVED)]
    write_json(tmp_path / "rules.yaml", {"groups": [{"name": "moves", "interval": "1m", "rules": rules}]})
    evaluated = [*range(last + 1), *range(after, 30)]
    new = [minute for minute in evaluated if minute >= first]
    before_gap = [minute for minute in new if minute <= last]

    def write_series(name: str, labels: str, minutes: list[int]) -> dict[str, str]:
        values = [str(60 * minute) if minute in minutes else "_" for minute in range(30)]
        values[last + 1] = "stale"  # promtool evaluates in the gap as well, and must not see what was before it
        return {"series": f"{name}{{{labels}}}", "values": " ".join(values)}

    series = [write_series(S.RULES_EVALUATED, 'rule_group="variables"', evaluated)]
    for service, active in (("stays", new), ("gone", before_gap)):
        labels = f'service_name="{service}", variable="model", scope="gpt-x", value='
        series += [
            write_series(S.VARIABLE_KNOWN, f'{labels}"old"', evaluated),
            write_series(S.VARIABLE_KNOWN, f'{labels}"new"', active),
            write_series(S.VARIABLE_FRESH, f'{labels}"new"', before_gap),
            write_series(S.VARIABLE_ACTIVE, f'{labels}"new"', active),
        ]
    expr = f"max by (service_name, previous, value) ({S.VARIABLE_MOVED})"
    for minute, moves in ((after - 1, []), (after, [("old", "stays", "new", 60 * first)])):
        answers = query_end(promtool, tmp_path, tmp_path / "rules.yaml", clock, series, minute, [expr])[expr]
        assert [(*(value for _, value in sorted(labels.items())), at) for labels, at in answers] == moves
