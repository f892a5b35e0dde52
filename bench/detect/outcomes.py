"""The outcome of each run of a cause: who was named first and when, over many seeds, by the verdict of the rules.

The rules of the day before the burn are left out, and what they would record is given: the usual part of bad tasks.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from statistics import median
from typing import NamedTuple

from bench.detect.causes import ONSET, Cause
from bench.detect.tasks import build_service_series
from bench.detect.world import query_end, write_json
from otel_agentops import slo
from otel_agentops.slo import prometheus
from otel_agentops.slo import series as S
from otel_agentops.slo._promql import Clock, Rule, RuleGroup
from otel_agentops.slo.evidence.verdicts import FEWEST, LIKELY, SURE
from stack import ROOT

END = ONSET + 45  # nominal minutes
BATCH = 70  # services in one run of promtool
PROMISES = ("answers", "judged")
NAMED, MISSED = 0.99, 0.01  # goals: runs with the right name, and with a wrong one
LATE = 2  # evaluations after the evidence was there

HEAD = (
    "cause",
    "runs",
    "burns",
    "right",
    "tie",
    "cannot tell",
    "wrong",
    "burn",
    "named",
    "after evidence",
    "changes",
    "false",
    "",
)
_NAMING = "it_is|likely|moved_no_contrast|sick"
_BURNS = f"on (service_name) (max by (service_name) ({S.SLO_BURN_SINCE}))"
# Ten bad events since the onset. The rules do not know it, and sum from an hour before the burn.
_ALL_BAD = f"sum_over_time({S.SLI_BAD_INCREASE}[{END:g}m]%s)"
_BAD = f"({_ALL_BAD % ''} - {_ALL_BAD % f' @ {ONSET * 60:g}'})"
_ENOUGH = f"on (service_name) (max by (service_name) ({_BAD}) >= {FEWEST})"
_VALUE = "service_name, variable, value"
_SICK = f'label_replace({S.SURFACE_SICK}, "sick", "$1", "name", "(.*)")'
# The first time of each, by name of the bench's series; and what is true at the end.
FIRSTS = {
    "bench:burn": f"max by (service_name) ({S.SLO_BURN_SINCE})",
    "bench:named": f'max by ({_VALUE}, word) ({S.SLO_BURN_VERDICT}{{word=~"{_NAMING}"}})',
    "bench:sick": f'max by (service_name, sick) ({_SICK}) and on (service_name) {S.SLO_BURN_VERDICT}{{word="sick"}}',
    "bench:crossed": f"max by ({_VALUE}) ({S.SLI_VALUE_EVIDENCE}) >= {LIKELY} and {_BURNS} and {_ENOUGH}",
    # What did not move is one of many values that could be.
    "bench:stands": f"max by ({_VALUE}) ({S.SLI_VALUE_EVIDENCE}) / on (service_name) group_left () "
    f"count by (service_name) ({S.SLI_VALUE_EVIDENCE}) >= {SURE} and {_BURNS} and {_ENOUGH}",
    "bench:moved": f"max by ({_VALUE}) ({S.VARIABLE_MOVED}) and {_BURNS} and {_ENOUGH}",
    "bench:tied": f"max by (service_name) ({S.SLI_VALUE_TIED}) and {_BURNS}",
}
_LAST = f"max by (service_name, word) ({S.SLO_BURN_VERDICT})"
# 1 while the alert of a burn says that a move explains it, 0 while it does not: each change is another message.
_BURN = "service_name, slo, severity"
_EXPLAINED = f"""\
max by ({_BURN}) ({S.SLO_BURN_VERDICT}{{word=~"it_is|likely"}}) ^ 0 and on ({_BURN}) {S.SLO_BURN_SINCE}
or max by ({_BURN}) ({S.SLO_BURN_SINCE}) * 0"""
_CHANGES = f"max by (service_name) (changes(bench:explained[{END:g}m]))"
_SERIES = re.compile(S.VARIABLE_MOVED.partition(":")[0] + r":\w+:\w+")


class Run(NamedTuple):
    """One run of a cause, with minutes since the onset.

    Attributes:
        outcome: right, wrong, tie, cannot tell, nothing moved or no burn: by the first name, else by the last word.
        burn: The budget began to burn.
        named: The first name was given.
        evidence: There was enough evidence for the culprit.
        false_names: Wrong names at any time.
        changes: How often the alert of the burn began or ceased to say that a move explains it.
    """

    outcome: str
    burn: float | None
    named: float | None
    evidence: float | None
    false_names: Sequence[str]
    changes: float = 0


def simulate_cause(promtool: Path, folder: Path, cause: Cause, seeds: Sequence[int]) -> list[Run]:
    """Return the runs of a cause: services in batches, each batch in one run of promtool."""
    clock = Clock(1)
    write_json(folder / "causes.yaml", {"groups": select_rules(clock)})
    runs: list[Run] = []
    for first in range(0, len(seeds), BATCH):
        services = {str(seed): replace(cause.service, name=str(seed)) for seed in seeds[first : first + BATCH]}
        series = [
            each
            for seed, service in services.items()
            for each in build_service_series(service, round(END), 1, f"{seed} {cause.name}")
        ]
        answers = query_end(promtool, folder, folder / "causes.yaml", clock, series, END, [*FIRSTS, _LAST, _CHANGES])
        for name in services:
            of = {
                query: [(labels, at) for labels, at in samples if labels["service_name"] == name]
                for query, samples in answers.items()
            }
            runs.append(_judge_run(cause, of))
    return runs


def select_rules(clock: Clock) -> list[RuleGroup]:
    """Return the rules that the verdict of a burn needs, and those that keep when it was first given."""
    rules: list[Rule] = [{"record": name, "expr": f"{name} or ({expr}) * 0 + time()"} for name, expr in FIRSTS.items()]
    rules.append({"record": "bench:explained", "expr": _EXPLAINED})
    return choose_rules(clock, rules, [_LAST], without=("budget", "history"))


def choose_rules(
    clock: Clock,
    own: Sequence[Rule],
    queries: Sequence[str] = (),
    alerts: Sequence[str] = (),
    without: Sequence[str] = (),
) -> list[RuleGroup]:
    """Return the rules that rules of the bench, its queries and some alerts need, and these themselves at the end.

    Args:
        clock: The time scale.
        own: Rules of the bench.
        queries: Questions at the end.
        alerts: Names of alerts.
        without: Groups whose series are given.
    """
    promises = [each for each in slo.load(ROOT / "slo") if each.name in PROMISES]
    groups = [
        group
        for group in prometheus.build_rules(promises, clock.scale)["groups"]
        if group["name"].rpartition("_")[2] not in without
    ]
    rules = [rule for group in groups for rule in group["rules"]]
    chosen = [rule for rule in rules if rule.get("alert") in alerts]
    wanted, size = set(_SERIES.findall(" ".join([*queries, *(rule["expr"] for rule in [*own, *chosen])]))), 0
    while size < len(wanted):
        size = len(wanted)
        wanted |= {name for rule in rules if rule.get("record") in wanted for name in _SERIES.findall(rule["expr"])}
    chosen_groups: list[RuleGroup] = [
        {**group, "rules": [rule for rule in group["rules"] if rule in chosen or rule.get("record") in wanted]}
        for group in groups
    ]
    bench: RuleGroup = {"name": "bench", "interval": groups[0]["interval"], "rules": [*own]}
    return [group for group in [*chosen_groups, bench] if group["rules"]]


def _judge_run(cause: Cause, of: Mapping[str, Sequence[tuple[Mapping[str, str], float]]]) -> Run:
    named, stands, crossed, moved = (
        {
            f"{labels['variable']} {labels['value']}": at / 60 - ONSET
            for labels, at in sorted(of[f"bench:{name}"], key=lambda sample: -sample[1])  # the first one stays
            if "variable" in labels
        }
        for name in ("named", "stands", "crossed", "moved")
    )
    names = {**named, **{f"sick {labels['sick']}": at / 60 - ONSET for labels, at in of["bench:sick"]}}
    burn = min((at / 60 - ONSET for _, at in of["bench:burn"]), default=None)
    false_names = sorted({*names} - cause.culprits)
    first = min(names.values(), default=None)
    words = {labels["word"].replace("_", " ") for labels, _ in of[_LAST]}
    if burn is None:
        outcome = "no burn"
    elif first is not None:
        outcome = "right" if any(at == first for key, at in names.items() if key in cause.culprits) else "wrong"
    elif of["bench:tied"]:
        outcome = "tie"
    else:
        outcome = next((word for word in ("nothing moved", "cannot tell") if word in words), "over")
    sources = (stands,) if cause.is_standing else (crossed, moved)
    of_culprits = ({key: at for key, at in each.items() if key in cause.culprits} for each in sources)
    evidence = min(next(filter(None, of_culprits), {}).values(), default=None)
    changes = max((value for _, value in of[_CHANGES]), default=0)
    return Run(outcome, burn, first, evidence, false_names, changes)


def is_good(cause: Cause, runs: Sequence[Run]) -> bool:
    """Return True if a cause reaches the goals."""
    is_clean = sum(bool(run.false_names) for run in runs) <= MISSED * len(runs)
    if not cause.culprits:
        return is_clean and sum(run.outcome in cause.words for run in runs) >= NAMED * len(runs)
    burning = [run for run in runs if run.burn is not None]
    late = sum(lag > LATE for lag in _list_lags(runs))
    right = sum(run.outcome == "right" for run in burning)
    return bool(burning) and is_clean and right >= NAMED * len(burning) and late <= MISSED * len(burning)


def build_row(cause: Cause, runs: Sequence[Run]) -> tuple[str, ...]:
    """Return the row of a cause."""
    outcomes = [run.outcome for run in runs]
    unnamed = sum(outcomes.count(word) for word in ("cannot tell", "nothing moved", "over"))
    lags = _list_lags(runs)
    late = sum(lag > LATE for lag in lags)
    false_names = Counter(name for run in runs for name in run.false_names)
    return (
        cause.name,
        str(len(runs)),
        str(sum(run.burn is not None for run in runs)),
        str(outcomes.count("right")),
        str(outcomes.count("tie")),
        str(unnamed),
        str(outcomes.count("wrong")),
        _describe_range([run.burn for run in runs if run.burn is not None]),
        _describe_range([run.named for run in runs if run.named is not None]),
        _describe_range(lags) + (f" ({late} late)" if late else ""),
        _describe_range([run.changes for run in runs if run.burn is not None]),
        ", ".join(f"{name} {count}x" for name, count in sorted(false_names.items())) or "0",
        "ok" if is_good(cause, runs) else "MISSED",
    )


def _list_lags(runs: Sequence[Run]) -> list[float]:
    """Return the minutes from the evidence to the name."""
    return [run.named - run.evidence for run in runs if run.named is not None and run.evidence is not None]


def _describe_range(figures: Sequence[float]) -> str:
    """Return median and highest."""
    return f"{median(figures):.0f}, {max(figures):.0f}" if figures else "-"
