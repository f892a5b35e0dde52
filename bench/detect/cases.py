"""The cases: what moves in each, what gets worse by it, and what must be named for it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from math import pi, sin

from bench.detect.world import Counter, Rate, count_observations, count_verdicts, keep_rate
from otel_agentops.semconv import attributes as A

HOUR, DAY = 60.0, 24 * 60.0
USUAL = keep_rate(10)  # tasks a minute
USUALLY = 0.001  # part of the executions that fail whatever is in use
BROKEN = 0.6  # part of the events that is bad where the new value is in use

SCOPES: Mapping[str, tuple[str, ...]] = {
    "model": ("gpt-x",),
    "prompt": ("support", "answer"),
    "tools": ("support",),
    "index": ("docs",),
    "judge": ("helpful",),
    "traffic": (),
}
# Of a task: calls, offers of tools, retrievals, evaluations (every fifth task), spans with a segment.
OFTEN = {"model": 2.0, "prompt": 2.0, "tools": 2.0, "index": 1.0, "judge": 0.2, "traffic": 5.0}


@dataclass(frozen=True)
class Case:
    """One service. culprits: the variables to put the burn down to; empty if nothing may be reported."""

    name: str
    counters: tuple[Counter, ...]
    culprits: frozenset[str] = frozenset()
    harmless: frozenset[str] = field(default_factory=frozenset)


def list_moving(start: float) -> Iterator[Case]:
    """Yield every move that must be reported, but that of the traffic."""
    at_once = _begin_at(start)
    alone = [variable for variable in SCOPES if variable != "traffic"]
    yield from (_build_case(variable, {variable: at_once}, at_once, {variable}) for variable in alone)
    yield _build_case("two at once", {"model": at_once, "prompt": at_once}, at_once, {"model", "prompt"})
    quiet = {"prompt": _begin_at(start - 1.5 * HOUR), "model": at_once}
    yield _build_case("one harmless, one not", quiet, at_once, {"model"}, harmless={"prompt"})
    ramp = _ramp_up(start, 4 * HOUR)
    yield _build_case("roll-out of 4 h", {"model": ramp}, ramp, {"model"})
    yield _build_case("low traffic", {"model": at_once}, at_once, {"model"}, tasks=keep_rate(0.5))


def list_shifting(start: float) -> Iterator[Case]:
    """Yield mixes whose new part is served badly."""
    yield _build_case("traffic", {"traffic": _begin_at(start)}, _begin_at(start), {"traffic"})
    most: Rate = lambda at: 0.8 if at >= start else 0.2  # noqa: E731
    yield _build_case("traffic, most of it", {"traffic": most}, lambda at: most(at) - 0.2, {"traffic"})


def list_restarted(start: float) -> Iterator[Case]:
    """Yield a move, and nothing at all, while the collector starts anew."""
    yield _build_case("restart, model", {"model": _begin_at(start)}, _begin_at(start), {"model"})
    yield _build_case("restart, nothing", {}, keep_rate(0))


def list_quiet() -> Iterator[Case]:
    """Yield cases in which nothing moves, though some look as if it did."""
    yield _build_case("nothing", {}, keep_rate(0))
    yield _build_case("day and night", {}, keep_rate(0), tasks=lambda at: 10 + 9 * sin(2 * pi * at / DAY))
    yield _build_case(
        "closed at night", {}, keep_rate(0), tasks=lambda at: 10 if 8 * HOUR <= at % DAY < 20 * HOUR else 0
    )
    yield _build_case("hardly anybody", {}, keep_rate(0), tasks=keep_rate(0.05))
    tide: Rate = lambda at: 0.5 + 0.4 * sin(2 * pi * at / DAY)  # noqa: E731
    yield _build_case("another mix by night", {"traffic": tide}, keep_rate(0))
    yield _build_case("two prompts in one place", {"prompt": keep_rate(0.4)}, keep_rate(0))
    yield _build_case("a canary for good", {"model": keep_rate(0.05)}, keep_rate(0))
    yield _build_case("few, of two models", {"model": keep_rate(0.5)}, keep_rate(0), tasks=keep_rate(0.2))


def _build_case(
    name: str,
    moves: Mapping[str, Rate],
    worse: Rate,
    culprits: set[str] | None = None,
    tasks: Rate = USUAL,
    harmless: set[str] | None = None,
) -> Case:
    """Build a service with all six variables.

    Args:
        name: Of the service.
        moves: Shares of the new values by variable.
        worse: The part that is broken.
        culprits: The variables that the burn must be put down to.
        tasks: How many there are in a minute.
        harmless: Variables that move and break nothing.
    """
    counters = [
        counter
        for variable in SCOPES
        for counter in _count_observations(name, variable, tasks, moves.get(variable, keep_rate(0)))
    ]
    return Case(
        name,
        (*counters, *_count_events(name, tasks, worse, moves)),
        frozenset(culprits or ()),
        frozenset(harmless or ()),
    )


def _count_observations(service: str, variable: str, tasks: Rate, new: Rate) -> Iterator[Counter]:
    def rate(share: Rate) -> Rate:
        return lambda at: OFTEN[variable] * tasks(at) * share(at)

    yield count_observations(service, variable, f"{variable}-1", rate(lambda at: 1 - new(at)), SCOPES[variable])
    yield count_observations(service, variable, f"{variable}-2", rate(new), SCOPES[variable])


def _count_events(service: str, tasks: Rate, worse: Rate, moves: Mapping[str, Rate]) -> Iterator[Counter]:
    """Yield executions of a tool and verdicts of a judge.

    One execution in a thousand fails as ever; both revisions of the judge have verdicts.
    """
    judge = moves.get("judge", keep_rate(0))
    broken = (lambda _: USUALLY) if "judge" in moves else (lambda at: USUALLY + BROKEN * worse(at))
    yield from count_verdicts(
        service, "tool_success", "direct", {A.GEN_AI_TOOL_NAME: "lookup"}, lambda at: 1.5 * tasks(at), broken
    )
    for revision, share, bad in (("judge-1", lambda at: 1 - judge(at), 0.02), ("judge-2", judge, BROKEN)):
        labels = {A.JUDGE_NAME: "helpful", A.JUDGE_REVISION: revision}
        verdicts: Rate = lambda at, share=share: OFTEN["judge"] * tasks(at) * share(at)  # type: ignore[misc]  # noqa: E731
        if revision == "judge-1" or "judge" in moves:
            yield from count_verdicts(service, "score_floor", "proxy", labels, verdicts, keep_rate(bad))


def _begin_at(start: float) -> Rate:
    return lambda at: 1.0 if at >= start else 0.0


def _ramp_up(start: float, minutes: float) -> Rate:
    """Return a share that grows from a hundredth to all."""
    return lambda at: 0.0 if at < start else min(1.0, 0.01 + 0.99 * (at - start) / minutes)
