"""What the rules said about each case, against what they must say."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from bench.detect.cases import Case
from bench.detect.world import World, evaluate

# What is about variables and budgets. That there is no ground truth, as in these worlds, is told by others.
ABOUT = (
    "OtelAgentopsErrorBudgetBurn",
    "OtelAgentopsVariableMoved",
    "OtelAgentopsBurnAfterMove",
    "OtelAgentopsVariableSkewed",
    "OtelAgentopsModelDrifted",
    "OtelAgentopsUnlistedValue",
    "OtelAgentopsEvalSetStale",
)
FIRST, BY = "bench:first", "alertname, service_name, variable"
LATE = 2  # evaluations after the burn within which the variable is to be named


@dataclass(frozen=True)
class Setting:
    """Cases in one world, each a service. start: the minute in which what moves begins to."""

    cases: Sequence[Case]
    start: float
    world: World


@dataclass(frozen=True)
class Verdict:
    """Times in minutes since what moves began to; `told` and `joined` by variable."""

    case: Case
    burns: float | None
    told: Mapping[str, float]
    joined: Mapping[str, float]
    wrong: Sequence[str]
    tick: float

    @property
    def is_good(self) -> bool:
        """Return True if each variable is named in time and nothing else is reported.

        It is named first, unless something harmless moved before.
        """
        if not self.case.named:
            return not self.wrong
        if self.wrong or self.burns is None or not self.case.named <= set(self.joined):
            return False
        first = min(self.joined.values())
        named = [self.joined[variable] for variable in self.case.named]
        return (min(named) == first or bool(self.case.harmless)) and max(named) <= self.burns + LATE * self.tick

    def build_row(self) -> tuple[str, ...]:
        """Return the row of the table."""
        burns = "no" if self.burns is None else f"{self.burns:.0f} min"
        told = ", ".join(f"{variable} {at:.0f} min" for variable, at in _sort_times(self.told)) or "-"
        named = ", ".join(f"{variable} {at:.0f} min" for variable, at in _sort_times(self.joined)) or "-"
        return self.case.name, burns, told, named, ", ".join(self.wrong) or "0", self._mark()

    def _mark(self) -> str:
        return "ok" if self.is_good else "MISSED"


def simulate_cases(promtool: Path, rules: Path, folder: Path, setting: Setting) -> list[Verdict]:
    """Run the rules and return the verdict of each case."""
    world = replace(setting.world, counters=[counted for case in setting.cases for counted in case.counters])
    (found,) = evaluate(promtool, world, rules, folder, f"min by ({BY}) ({FIRST})").values()
    seconds = {key if len(key) == 3 else (*key, ""): at for key, at in found.items()}
    minutes = {key: at * world.clock.scale / 60 - setting.start for key, at in seconds.items()}
    return [_judge_case(case, minutes, world.clock.tick * world.clock.scale / 60) for case in setting.cases]


def build_first_rule() -> dict[str, str]:
    """Return the rule of when each alert fired first: a range of a fortnight is too much for promtool."""
    alerts = f'ALERTS{{alertname=~"{"|".join(ABOUT)}"}}'
    return {"record": FIRST, "expr": f"{FIRST} or min by ({BY}) ({alerts}) * 0 + time()"}


def _judge_case(case: Case, minutes: Mapping[tuple[str, ...], float], tick: float) -> Verdict:
    of = {(name, variable): at for (name, service, variable), at in minutes.items() if service == case.name}
    told = {variable: at for (name, variable), at in of.items() if name == "OtelAgentopsVariableMoved"}
    joined = {variable: at for (name, variable), at in of.items() if name == "OtelAgentopsBurnAfterMove"}
    # An undeclared move of a model is a drift as well, by its definition.
    meant = {"OtelAgentopsModelDrifted"} if "model" in case.named | case.harmless else set()
    allowed = case.named | case.harmless
    wrong = [
        f"{name} {variable}".strip()
        for (name, variable) in sorted(of)
        if _is_wrong(name, variable, case, allowed, meant)
    ]
    return Verdict(case, of.get(("OtelAgentopsErrorBudgetBurn", "")), told, joined, wrong, tick)


def _is_wrong(name: str, variable: str, case: Case, allowed: frozenset[str], meant: set[str]) -> bool:
    if name in meant:
        return False
    if name == "OtelAgentopsErrorBudgetBurn":
        return not case.named
    return not (name in ("OtelAgentopsVariableMoved", "OtelAgentopsBurnAfterMove") and variable in allowed)


def _sort_times(times: Mapping[str, float]) -> list[tuple[str, float]]:
    return sorted(times.items(), key=lambda item: item[1])
