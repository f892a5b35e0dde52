"""Tasks with known truth, all the way to the rules: every figure is the arithmetic on the input.

make accuracy        100,000 tasks
make test            3,000
"""

from __future__ import annotations

import math
import os
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
from accuracy_arithmetic import Figures, Key, count_values, figures, proxies, remaining
from accuracy_plan import PROMPT, TOOLS, UNPRICED, plan
from accuracy_world import CHUNK, OBJECTIVES, World, world

from otel_agentops._hashing import identity
from otel_agentops.clients._protocols.openai_chat import normalise_tool

pytestmark = [pytest.mark.collector, pytest.mark.slow, pytest.mark.xdist_group("accuracy")]

RARE = 20  # events
DIRECT = {"call_success", "latency", "tool_success"}
OF_A_CALL = {"valid_output"}  # a proxy that no label of a task can be held against
TASKS = int(os.environ.get("ACCURACY_TASKS", "3000"))
THIRD = TASKS // 3 // CHUNK * CHUNK
REST = TASKS - 2 * THIRD


@pytest.fixture(scope="module")
def running(otelcol: Path, prometheus: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with world(tmp_path_factory.mktemp("accuracy")) as everything:
        yield everything


def truth(first: int, count: int, slow: Mapping[str, int]) -> Figures:
    """The figures of a range of tasks; how long its model calls took is the program's to say."""
    found = figures(map(plan, range(first, first + count)))
    found.events[Key("latency")] = slow["all"]
    found.bad[Key("latency")] = slow["slow"]
    return found


def together(*parts: Figures) -> Figures:
    return Figures(*(sum(counters, Counter()) for counters in zip(*parts, strict=True)))


def test_every_figure_is_the_arithmetic_on_the_input(running: World) -> None:
    """To the unit; for ratios to the precision of a double. Then a collector and a Prometheus go away and come back."""
    with running.program(0, THIRD) as program:
        first = truth(0, THIRD, program.wait())
    same(running.settled(), first)
    assert running.unlisted() == unlisted(0, THIRD)
    assert running.values() == by_value(0, THIRD)
    ratios(running, first)

    second = without_a_collector(running, first)
    third = without_a_prometheus(running, together(first, second))
    ratios(running, together(first, second, third))


def without_a_collector(running: World, before: Figures) -> Figures:
    """What was counted while the collector went away and came back.

    Lost is what was counted and not yet scraped, and what the collector held in its batch.
    """
    with running.program(THIRD, THIRD) as program:
        program.reaches(THIRD + THIRD // 2)
        running.collector.stop()
        begin, end = running.scraped(), program.done
        running.collector.start_again()
        expected = truth(THIRD, THIRD, program.wait())
    seen = minus(running.settled(), before)
    lost("the collector", seen, expected, begin, end, since=0)
    return seen


def without_a_prometheus(running: World, before: Figures) -> Figures:
    """What was counted while Prometheus went away and came back.

    The collector counts on, and no counter is behind. What the rules add up is: they compare with the last scrape from
    before, so that what was scraped after their last evaluation is in no sum.
    """
    counted = running.scraped()
    with running.program(2 * THIRD, REST) as program:
        program.reaches(2 * THIRD + REST // 2)
        begin = 2 * THIRD + running.scraped(at=running.evaluated()) - counted
        running.prometheus.stop()
        end = program.done
        running.prometheus.start_again()
        expected = truth(2 * THIRD, REST, program.wait())
    found = running.settled()
    assert running.scraped() - counted == REST
    seen = minus(found, before)
    lost("Prometheus", seen, expected, begin, end, since=2 * THIRD - counted)
    return seen


def lost(server: str, seen: Figures, expected: Figures, begin: int, end: int, since: int) -> None:
    """Of each figure at most what the tasks from one number to another can have, give or take what was under way."""
    span = range(max(begin - CHUNK, 0), end + 2 * CHUNK)
    most, few = figures(map(plan, span)), rare(range(since, end))
    most.events[Key("latency")] = most.bad[Key("latency")] = len(span)
    for now, told, under_way, any_ in zip(seen, expected, most, few, strict=True):
        missing = {key: told[key] - now[key] for key in told.keys() | now.keys()}
        allowed = {key: told[key] if any_[key] else under_way[key] for key in missing}
        assert {key: (n, allowed[key]) for key, n in missing.items() if not 0 <= n <= allowed[key]} == {}
    one = Key("abandonment")  # every task that ended
    count, of, at_most = expected.events[one] - seen.events[one], expected.events[one], most.events[one]
    exact = sum(not any_[key] for told, any_ in zip(expected, few, strict=True) for key in told)
    print(f"\n{server} away: {count} of {of} tasks lost, of {at_most} that were under way ({exact} figures held)")


def rare(numbers: range) -> Figures:
    """Figures with a series of few events since the collector's start: of these any part may be missing.

    A series that comes back at its old value or above it looks as if it had never been reset; `increase` has the same
    weakness. One that is born while a server comes back grew from nobody knows what, and its birth is left out.
    """
    each = [figures(one for one in map(plan, numbers) if one.name == name) for name in PROMPT]
    every = figures(map(plan, range(TASKS)))
    few = (
        Counter({key: any(one[key] < RARE for one in of) for key in total})
        for total, *of in zip(every, *each, strict=True)
    )
    return Figures(*few)


def minus(one: Figures, other: Figures) -> Figures:
    return Figures(*(Counter({key: now[key] - was[key] for key in now}) for now, was in zip(one, other, strict=True)))


def same(found: Figures, expected: Figures) -> None:
    for now, told in zip(found, expected, strict=True):
        assert {key: count for key, count in now.items() if count} == {k: count for k, count in told.items() if count}


def unlisted(first: int, count: int) -> dict[tuple[str, ...], int]:
    answered = Counter(one.model for one in map(plan, range(first, first + count)) if one.status == 200)
    return {("model", "m", UNPRICED): answered[UNPRICED]}


def by_value(first: int, count: int) -> Counter[tuple[str, ...]]:
    """What is counted for each value, with the identities of what the program sends."""
    tools = [normalise_tool(offered) for offered in TOOLS]
    hashes = {str(each["name"]): identity(each) for each in tools}
    return count_values(map(plan, range(first, first + count)), identity(sorted(hashes.values())), hashes)


def ratios(running: World, counted: Figures) -> None:
    """Budgets, and what random labels say about the proxies."""
    keys = list(counted.events)
    close(
        running,
        "slo_budget:remaining",
        {key: remaining(counted.events[key], counted.bad[key], OBJECTIVES[key.sli][0]) for key in keys},
    )
    made = proxies(counted, {name: objective for name, (objective, _) in OBJECTIVES.items()})
    for series, name in (
        ("slo_truth", "ppv"),
        ("slo_truth", "for"),
        ("slo_corrected", "error"),
        ("slo_corrected", "remaining"),
    ):
        close(running, f"{series}:{name}", made[name])
    labels, random = Counter[Key](), Counter[Key]()
    for (key, _, _, sampling), count in counted.cells.items():
        labels[key] += count
        random[key] += count * (sampling == "random")
    close(running, "slo_truth:labels", {key: float(count) for key, count in random.items()})
    close(
        running,
        "slo_truth:coverage",
        {key: labels[key] / counted.events[key] for key in keys if key.sli not in DIRECT | OF_A_CALL},
    )


def close(running: World, series: str, expected: Mapping[Key, float]) -> None:
    """As soon as it was evaluated; budgets are once in ten seconds."""
    found = running.becomes(series, lambda now: now.keys() == expected.keys() and not wrong(now, expected))
    assert found.keys() == expected.keys(), series
    assert wrong(found, expected) == {}, series


def wrong(found: Mapping[Key, float], expected: Mapping[Key, float]) -> dict[Key, tuple[float, float]]:
    return {
        key: (found[key], value)
        for key, value in expected.items()
        if not math.isclose(found[key], value, rel_tol=1e-9, abs_tol=1e-12)
    }
