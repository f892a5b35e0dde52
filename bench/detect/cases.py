"""The cases: what moves in each, what gets worse by it, and what must be named for it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from math import pi, sin

from bench.detect.world import Counted, Rate, constant, judged, observed

from otel_agentops.semconv import attributes as A

HOUR, DAY = 60.0, 24 * 60.0
USUAL = constant(10)  # tasks a minute
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
    """One service. named: the variables that the burn must be put down to; none where nothing must be told."""

    name: str
    counters: tuple[Counted, ...]
    named: frozenset[str] = frozenset()
    harmless: frozenset[str] = field(default_factory=frozenset)


def moving(start: float) -> Iterator[Case]:
    """Everything that must be told, but the traffic."""
    at_once = _from(start)
    alone = [variable for variable in SCOPES if variable != "traffic"]
    yield from (_case(variable, {variable: at_once}, at_once, {variable}) for variable in alone)
    yield _case("two at once", {"model": at_once, "prompt": at_once}, at_once, {"model", "prompt"})
    quiet = {"prompt": _from(start - 1.5 * HOUR), "model": at_once}
    yield _case("one harmless, one not", quiet, at_once, {"model"}, harmless={"prompt"})
    ramp = _ramp(start, 4 * HOUR)
    yield _case("roll-out of 4 h", {"model": ramp}, ramp, {"model"})
    yield _case("low traffic", {"model": at_once}, at_once, {"model"}, tasks=constant(0.5))


def shifting(start: float) -> Iterator[Case]:
    """Another mix, whose new part is served badly."""
    yield _case("traffic", {"traffic": _from(start)}, _from(start), {"traffic"})
    most: Rate = lambda at: 0.8 if at >= start else 0.2  # noqa: E731
    yield _case("traffic, most of it", {"traffic": most}, lambda at: most(at) - 0.2, {"traffic"})


def restarted(start: float) -> Iterator[Case]:
    """A move, and nothing at all, while the collector starts anew."""
    yield _case("restart, model", {"model": _from(start)}, _from(start), {"model"})
    yield _case("restart, nothing", {}, constant(0))


def quiet() -> Iterator[Case]:
    """Nothing moves; some of it looks as if it did."""
    yield _case("nothing", {}, constant(0))
    yield _case("day and night", {}, constant(0), tasks=lambda at: 10 + 9 * sin(2 * pi * at / DAY))
    yield _case("closed at night", {}, constant(0), tasks=lambda at: 10 if 8 * HOUR <= at % DAY < 20 * HOUR else 0)
    yield _case("hardly anybody", {}, constant(0), tasks=constant(0.05))
    tide: Rate = lambda at: 0.5 + 0.4 * sin(2 * pi * at / DAY)  # noqa: E731
    yield _case("another mix by night", {"traffic": tide}, constant(0))
    yield _case("two prompts in one place", {"prompt": constant(0.4)}, constant(0))
    yield _case("a canary for good", {"model": constant(0.05)}, constant(0))
    yield _case("few, of two models", {"model": constant(0.5)}, constant(0), tasks=constant(0.2))


def _case(
    name: str,
    moves: Mapping[str, Rate],
    worse: Rate,
    named: set[str] | None = None,
    tasks: Rate = USUAL,
    harmless: set[str] | None = None,
) -> Case:
    """A service with all six variables. moves: shares of the new values. worse: the part that is broken."""
    counters = [
        counted for variable in SCOPES for counted in _observed(name, variable, tasks, moves.get(variable, constant(0)))
    ]
    return Case(
        name, (*counters, *_events(name, tasks, worse, moves)), frozenset(named or ()), frozenset(harmless or ())
    )


def _observed(service: str, variable: str, tasks: Rate, new: Rate) -> Iterator[Counted]:
    def rate(share: Rate) -> Rate:
        return lambda at: OFTEN[variable] * tasks(at) * share(at)

    yield observed(service, variable, f"{variable}-1", rate(lambda at: 1 - new(at)), SCOPES[variable])
    yield observed(service, variable, f"{variable}-2", rate(new), SCOPES[variable])


def _events(service: str, tasks: Rate, worse: Rate, moves: Mapping[str, Rate]) -> Iterator[Counted]:
    """Executions of a tool, of which one in a thousand fails as ever; and the verdicts of both revisions of a judge."""
    judge = moves.get("judge", constant(0))
    broken = (lambda _: USUALLY) if "judge" in moves else (lambda at: USUALLY + BROKEN * worse(at))
    yield from judged(
        service, "tool_success", "direct", {A.GEN_AI_TOOL_NAME: "lookup"}, lambda at: 1.5 * tasks(at), broken
    )
    for revision, share, bad in (("judge-1", lambda at: 1 - judge(at), 0.02), ("judge-2", judge, BROKEN)):
        labels = {A.JUDGE_NAME: "helpful", A.JUDGE_REVISION: revision}
        verdicts: Rate = lambda at, share=share: OFTEN["judge"] * tasks(at) * share(at)  # type: ignore[misc]  # noqa: E731
        if revision == "judge-1" or "judge" in moves:
            yield from judged(service, "judge_score", "proxy", labels, verdicts, constant(bad))


def _from(start: float) -> Rate:
    return lambda at: 1.0 if at >= start else 0.0


def _ramp(start: float, minutes: float) -> Rate:
    """From a hundredth to all."""
    return lambda at: 0.0 if at < start else min(1.0, 0.01 + 0.99 * (at - start) / minutes)
