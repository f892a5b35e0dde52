"""Simulated tasks, one by one: the values that each used, if it was bad, and the counters that a collector makes of it.

Only so do the counters of two variables agree: tasks that used two new values are in the counts of both.
"""

from __future__ import annotations

import random
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import accumulate, groupby
from typing import NamedTuple

from bench.detect.world import BORN, Rate, count_arrivals, keep_rate
from otel_agentops.semconv import attributes as A
from otel_agentops.semconv import metrics as M
from otel_agentops.slo import series as S
from otel_agentops.slo.series import spell_label
from otel_agentops.slo.variables import VARIABLES

USUAL = 0.02  # part of the tasks that is bad whatever they use
FAILS = 0.001  # part of the operations that fails on a usual day
AWAY = 2  # evaluations for which a collector that starts anew is away
NEVER, ALWAYS, TEN = keep_rate(0), keep_rate(1), keep_rate(10)
Values = Mapping[str, str]  # variable → the value that a task used
Labels = tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Mix:
    """The values of a variable in a place of the program.

    Attributes:
        scope: The parts of its scope.
        shares: Nominal minute → value → its part of the tasks; the last value gets what is left.
        drawn_with: Variables with the same text draw once, so that the same tasks use the new value of each.
        used: The part of the tasks that use it at all, in a minute.
    """

    scope: tuple[str, ...]
    shares: Callable[[float], Mapping[str, float]]
    drawn_with: str = ""
    used: Rate = ALWAYS


@dataclass(frozen=True)
class Surface:
    """Operations of one kind, one in each task.

    Attributes:
        operation: Its gen_ai.operation.name.
        attribute: The attribute that names it.
        name: Its name.
        fails: The chance that it fails, by the minute and the values; seven of ten tasks are bad then.
    """

    operation: str
    attribute: str
    name: str
    fails: Callable[[float, Values], float] = lambda _, __: FAILS


def keep_value(value: str, *scope: str) -> Mix:
    """Return a variable that never moves."""
    return Mix(scope, lambda _: {value: 1.0})


PROVIDER = Surface("chat", A.GEN_AI_PROVIDER_NAME, "openai")
STEADY: Mapping[str, Mix] = {
    "model": keep_value("model-1", "gpt-x"),
    "prompt": keep_value("prompt-1", "support", "answer"),
    "traffic": keep_value("web"),
}


@dataclass(frozen=True)
class Service:
    """A service whose tasks are simulated.

    Attributes:
        name: Its service.name.
        mixes: Variables that are not STEADY; a variable with a second scope is called `prompt@nightly`.
        bad: The chance that a task is bad, by the minute and the values that it used.
        tasks: How many there are in a minute.
        surfaces: The operations below a task.
        judged: The part of the tasks that the judge scores.
        misjudged: The chance that it finds one bad, by the minute and the values.
        replicas: Collectors; each task goes to one of them.
        restarts: Minutes in which the first of them starts anew.
    """

    name: str
    mixes: Mapping[str, Mix] = field(default_factory=dict)
    bad: Callable[[float, Values], float] = lambda _, __: USUAL
    tasks: Rate = TEN
    surfaces: tuple[Surface, ...] = (PROVIDER,)
    judged: Rate = NEVER
    misjudged: Callable[[float, Values], float] = lambda _, __: USUAL
    replicas: int = 1
    restarts: Sequence[float] = ()


def build_service_series(
    service: Service, ticks: int, each: float, seed: str, has_yesterday: bool = True
) -> Iterator[dict[str, str]]:
    """Yield the counters of a service as promtool reads them.

    Args:
        service: The service.
        ticks: Number of evaluations.
        each: Nominal minutes of one.
        seed: Of the tasks.
        has_yesterday: True if the rules' figures of the day before are given, since no day is simulated.
    """
    chance = random.Random(seed)
    tallies: defaultdict[tuple[int, str, Labels], Counter[int]] = defaultdict(Counter)
    for tick in range(BORN, ticks + 1):
        minute = (tick - 1) * each  # a scrape has the tasks of the minute before it
        shares = [*_list_shares(service, minute)]
        for _ in range(round(count_arrivals(service.tasks(minute) * each, chance))):
            collector = chance.randrange(service.replicas) if service.replicas > 1 else 0
            for metric, labels, more in _run_task(service, minute, shares, chance):
                tallies[collector, metric, labels][tick] += more
    own = {A.SERVICE_NAME: service.name, A.DEPLOYMENT_ENVIRONMENT_NAME: "prod"}
    for name, labels, value in _describe_yesterday(service, chance) if has_yesterday else ():
        yield {"series": _name_series(name, {**own, **labels}), "values": f"{value:g}x{ticks}"}
    downs = [round(minute / each) for minute in service.restarts]
    for collector in range(service.replicas):
        target = {"job": "otelcol", "instance": f"{service.name}-{collector}"}
        away = {tick for down in downs for tick in range(down, down + AWAY)} if collector == 0 else set()
        up = ["0" if tick in away else "1" for tick in range(ticks + 1)]
        yield {"series": _name_series("up", target), "values": _shorten_values(up)}
        for (by, metric, labels), counts in tallies.items():
            if by == collector:
                values = _shorten_values(_scrape_counter(counts, ticks, away))
                yield {"series": _name_series(metric, {**target, **own, **dict(labels)}), "values": values}


def _describe_yesterday(service: Service, chance: random.Random) -> Iterator[tuple[str, dict[str, str], float]]:
    """Yield what the rules record of the day before: what is usual, and how much worse a value was than the others."""
    indicator = {A.SLI_NAME: "task_completed", A.SLI_TYPE: "proxy"}
    yield S.SLI_ERROR_USUAL, indicator, USUAL
    yield S.SLI_BAD_BURSTS, indicator, 1
    for surface in service.surfaces:
        yield S.SURFACE_USUAL, {"surface": "provider", "name": surface.name, "kind": "errors"}, FAILS
    for variable, mix, _ in _list_shares(service, 0):
        counts = {}
        for value, share in mix.shares(0).items():
            events = 24 * 60 * service.tasks(0) * share
            bad = events * service.bad(0, {variable: value})
            counts[value] = max(0, bad + chance.gauss(0, bad**0.5)) + 0.5, events
        for value, (bad, events) in counts.items():
            if others := [pair for other, pair in counts.items() if other != value]:
                ratio = bad / events / (sum(bad for bad, _ in others) / sum(events for _, events in others))
                place = {"variable": variable, "scope": "/".join(mix.scope) or "all", "value": value}
                yield S.SLI_VALUE_BEFORE, {**indicator, **place}, ratio


class _Choice(NamedTuple):
    """A variable in one place: its values, and where their shares end between 0 and 1."""

    variable: str
    mix: Mix
    ends: list[tuple[str, float]]


def _list_shares(service: Service, minute: float) -> Iterator[_Choice]:
    for place, mix in {**STEADY, **service.mixes}.items():
        shares = mix.shares(minute)
        if mix.used(minute):
            yield _Choice(place.partition("@")[0], mix, [*zip(shares, accumulate(shares.values()), strict=True)])


def _run_task(
    service: Service, minute: float, choices: Sequence[_Choice], chance: random.Random
) -> Iterator[tuple[str, Labels, int]]:
    """Yield what one task adds to which counters."""
    draws: dict[str, float] = {}
    values: dict[str, str] = {}
    changes: list[Labels] = []
    for variable, mix, ends in choices:
        used = mix.used(minute)
        if used < 1 and chance.random() >= used:
            continue
        point = draws.setdefault(mix.drawn_with or variable, chance.random()) if len(ends) > 1 else 0.0
        value = next((value for value, end in ends if point < end), ends[-1][0])
        metric, parts, key = VARIABLES[variable]
        yield M.METRICS[metric].prometheus, (*zip(parts, mix.scope, strict=True), (key, value)), 1
        # The values of a second place decide nothing.
        values.setdefault(variable, value)
        scope = "/".join(mix.scope) or "all"
        changes.append(((A.CHANGE_VARIABLE, variable), (A.CHANGE_SCOPE, scope), (A.CHANGE_VALUE, value)))
    is_bad = chance.random() < service.bad(minute, values)
    for surface in service.surfaces:
        has_failed = chance.random() < surface.fails(minute, values)
        is_bad = is_bad or (has_failed and chance.random() < 0.7)
        reason = ((A.INCIDENT_REASON, "timeout"),) if has_failed else ()
        labels = ((A.GEN_AI_OPERATION_NAME, surface.operation), (surface.attribute, surface.name), *reason)
        yield f"{M.METRICS[M.SPAN_DURATION].prometheus}_count", labels, 1
    yield from _count_verdict((), "task_completed", changes, is_bad)
    if (judged := service.judged(minute)) and chance.random() < judged:
        judge = ((A.JUDGE_NAME, "helpful"), (A.JUDGE_REVISION, values["judge"]))
        yield from _count_verdict(judge, "score_floor", changes, chance.random() < service.misjudged(minute, values))


def _count_verdict(
    labels: Labels, name: str, changes: Sequence[Labels], is_bad: bool
) -> Iterator[tuple[str, Labels, int]]:
    """Yield the verdict of an indicator, and the same for each value that the task used."""
    sli = ((A.SLI_NAME, name), (A.SLI_TYPE, "proxy"), *labels)
    pairs = (((), (M.SLI_EVENTS, M.SLI_BAD)), *((change, (M.SLI_VALUE_EVENTS, M.SLI_VALUE_BAD)) for change in changes))
    for more, (events, bad) in pairs:
        yield M.METRICS[events].prometheus, sli + more, 1
        yield M.METRICS[bad].prometheus, sli + more, int(is_bad)


def _scrape_counter(counts: Mapping[int, int], ticks: int, away: set[int]) -> Iterator[str]:
    """Yield the samples: none before the first count, none while its collector is away, and then from 0."""
    total, is_born = 0, False
    for tick in range(ticks + 1):
        if tick in away:
            yield "_" if tick - 1 in away else "stale"
            total, is_born = 0, False
            continue
        is_born = is_born or tick in counts
        total += counts.get(tick, 0)
        yield str(total) if is_born else "_"


def _shorten_values(values: Iterable[str]) -> str:
    """Write runs of a value as promtool reads them faster: `1x2` are three samples, `_x2` are two that are missing."""
    parts = []
    for value, run in groupby(values):
        times = len([*run]) - (value != "_")
        parts.append(f"{value}x{times}" if times else value)
    return " ".join(parts)


def _name_series(name: str, labels: Mapping[str, str]) -> str:
    pairs = (f'{spell_label(key)}="{value}"' for key, value in labels.items())
    return f"{name}{{{', '.join(pairs)}}}"
