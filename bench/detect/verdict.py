"""The reports of the rules in each case, compared with what they must report."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from bench.detect.cases import Case
from bench.detect.world import World, evaluate
from otel_agentops.slo._promql import Rule

# These alerts are about variables and budgets. Others report that there is no ground truth, as in these worlds.
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
    """Cases in one world, each a service. start: the minute in which the moves begin."""

    cases: Sequence[Case]
    start: float
    world: World


@dataclass(frozen=True)
class Verdict:
    """The result of a case: minutes since the moves began, by variable for `moved_minutes` and `blamed_minutes`."""

    case: Case
    burns: float | None
    moved_minutes: Mapping[str, float]
    blamed_minutes: Mapping[str, float]
    wrong: Sequence[str]
    tick: float

    @property
    def is_good(self) -> bool:
        """Return True if each variable is named in time and nothing else is reported.

        It is named first, unless something harmless moved before.
        """
        if not self.case.culprits:
            return not self.wrong
        if self.wrong or self.burns is None or not self.case.culprits <= set(self.blamed_minutes):
            return False
        first = min(self.blamed_minutes.values())
        named_minutes = [self.blamed_minutes[variable] for variable in self.case.culprits]
        return (min(named_minutes) == first or bool(self.case.harmless)) and max(
            named_minutes
        ) <= self.burns + LATE * self.tick

    def build_row(self) -> tuple[str, ...]:
        """Return the row of the table."""
        burns = "no" if self.burns is None else f"{self.burns:.0f} min"
        moved_minutes = ", ".join(f"{variable} {at:.0f} min" for variable, at in _sort_times(self.moved_minutes)) or "-"
        named_minutes = (
            ", ".join(f"{variable} {at:.0f} min" for variable, at in _sort_times(self.blamed_minutes)) or "-"
        )
        return self.case.name, burns, moved_minutes, named_minutes, ", ".join(self.wrong) or "0", self._mark()

    def _mark(self) -> str:
        return "ok" if self.is_good else "MISSED"


def simulate_cases(promtool: Path, rules: Path, folder: Path, setting: Setting) -> list[Verdict]:
    """Run the rules and return the verdict of each case."""
    world = replace(setting.world, counters=[counter for case in setting.cases for counter in case.counters])
    (samples,) = evaluate(promtool, world, rules, folder, f"min by ({BY}) ({FIRST})").values()
    seconds = {key if len(key) == 3 else (*key, ""): at for key, at in samples.items()}
    minutes = {key: at * world.clock.scale / 60 - setting.start for key, at in seconds.items()}
    return [_judge_case(case, minutes, world.clock.tick * world.clock.scale / 60) for case in setting.cases]


def build_first_rule() -> Rule:
    """Return the rule of when each alert fired first.

    A range of a fortnight is too much for promtool.
    """
    alerts = f'ALERTS{{alertname=~"{"|".join(ABOUT)}"}}'
    return {"record": FIRST, "expr": f"{FIRST} or min by ({BY}) ({alerts}) * 0 + time()"}


def _judge_case(case: Case, minutes: Mapping[tuple[str, ...], float], tick: float) -> Verdict:
    of = {(name, variable): at for (name, service, variable), at in minutes.items() if service == case.name}
    moved_minutes = {variable: at for (name, variable), at in of.items() if name == "OtelAgentopsVariableMoved"}
    blamed_minutes = {variable: at for (name, variable), at in of.items() if name == "OtelAgentopsBurnAfterMove"}
    # An undeclared move of a model is a drift as well, by its definition.
    drift_alerts = {"OtelAgentopsModelDrifted"} if "model" in case.culprits | case.harmless else set()
    moved_variables = case.culprits | case.harmless
    wrong = [
        f"{name} {variable}".strip()
        for (name, variable) in sorted(of)
        if _is_wrong(name, variable, case, moved_variables, drift_alerts)
    ]
    return Verdict(case, of.get(("OtelAgentopsErrorBudgetBurn", "")), moved_minutes, blamed_minutes, wrong, tick)


def _is_wrong(name: str, variable: str, case: Case, moved_variables: frozenset[str], drift_alerts: set[str]) -> bool:
    if name in drift_alerts:
        return False
    if name == "OtelAgentopsErrorBudgetBurn":
        return not case.culprits
    return not (name in ("OtelAgentopsVariableMoved", "OtelAgentopsBurnAfterMove") and variable in moved_variables)


def _sort_times(times: Mapping[str, float]) -> list[tuple[str, float]]:
    return sorted(times.items(), key=lambda item: item[1])
