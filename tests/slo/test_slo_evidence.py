"""Which value explains the bad events: each cause in a world of its own, by the generated rules alone.

Each world is a service. All are evaluated in one run, over the counters and the series of other groups that the rules
of the evidence read. A world turns bad at BAD; the budget burns from BURNS on.
"""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from bench.detect.world import LABEL, READ, SAMPLE

from otel_agentops import slo
from otel_agentops.slo import series as S
from otel_agentops.slo._promql import Clock, Rule
from otel_agentops.slo.evidence import build_evidence_rules
from otel_agentops.slo.prometheus.burn import build_burn_rules

CLOCK = Clock(300)  # an evaluation a second, an hour is twelve of them
BAD, BURNS, END = 14, 24, 44  # evaluations
PROMISE = slo.Slo(name="answers", sli="task_completed", objective=0.95, owner="o", runbook="r")
SLI = {S.SLI_NAME: "task_completed", S.SLI_TYPE: "proxy"}
Counts = Callable[[int], float]  # tick → count in it


@dataclass(frozen=True)
class Part:
    """Events of one value of a variable: how many in a tick, and how many of them are bad."""

    variable: str
    scope: str
    value: str
    events: Counts
    bad: Counts


@dataclass(frozen=True)
class World:
    """A service; the first variable's parts add up to its totals. moves: (variable, scope, value, previous)."""

    parts: tuple[Part, ...]
    moves: tuple[tuple[str, str, str, str], ...] = ()
    sick: Mapping[str, tuple[float, Counts]] = field(default_factory=dict)  # reason to usual part and operations


def change_at(tick: int, before: float, after: float) -> Counts:
    return lambda at: after if at >= tick else before


def pair(variable: str, scope: str, share: Counts, good: float, worse: Counts, alike: Counts | None = None) -> Iterator[Part]:
    """Yield the old and the new value of a variable with 20 tasks a tick.

    Args:
        variable: Its name.
        scope: Its scope.
        share: The part of the new value.
        good: The part of bad tasks of the old value.
        worse: The part of bad tasks of the new value.
        alike: The part of bad tasks of the old value, if it changes.
    """
    old: Counts = lambda at: 20 * (1 - share(at))  # noqa: E731
    new: Counts = lambda at: 20 * share(at)  # noqa: E731
    usual = alike or (lambda _: good)
    yield Part(variable, scope, "old", old, lambda at: old(at) * usual(at))
    yield Part(variable, scope, "new", new, lambda at: new(at) * worse(at))


HALF, NONE, ALWAYS = change_at(BAD, 0, 0.5), change_at(0, 0, 0), change_at(0, 0.5, 0.5)
WORSE, OUTAGE = change_at(BAD, 0.02, 0.2), change_at(BAD, 0.02, 0.2)
MODEL, PROMPT = ("model", "gpt-x", "new", "old"), ("prompt", "support", "new", "old")
STEADY = tuple(pair("prompt", "support", NONE, 0.02, NONE, change_at(BAD, 0.02, 0.11)))
RETRIEVAL = {"": (0.999, change_at(0, 20, 20)), "timeout": (0.001, change_at(BAD, 0, 12))}
WORLDS = {
    "half": World((*pair("model", "gpt-x", HALF, 0.02, WORSE), *STEADY), (MODEL,)),
    "outage": World(tuple(pair("model", "gpt-x", HALF, 0.02, OUTAGE, OUTAGE)), (MODEL,)),
    "switch": World(tuple(pair("model", "gpt-x", change_at(BAD, 0, 1), 0.02, WORSE)), (MODEL,)),
    "tie": World(
        (*pair("model", "gpt-x", HALF, 0.02, WORSE), *pair("prompt", "support", HALF, 0.02, WORSE)), (MODEL, PROMPT)
    ),
    "rotten": World((*pair("model", "gpt-x", ALWAYS, 0.02, WORSE), *STEADY)),
    "retrieval": World(STEADY, sick=RETRIEVAL),
    "steady": World(STEADY),
    "few": World(tuple(pair("model", "gpt-x", NONE, 0.01, NONE)), (MODEL,)),
}


# -- the worlds as series


def write_counter(increments: Counts) -> str:
    """Return a counter that begins at 0 while its target is scraped."""
    total, values = 0.0, ["_"]
    for tick in range(1, END + 1):
        total += increments(tick)
        values.append(str(int(total + 1e-6)))
    return " ".join(values)


def write_gauge(value: Counts, start: int = 0) -> str:
    return " ".join("_" if tick < start else f"{value(tick):g}" for tick in range(END + 1))


def name_series(name: str, labels: Mapping[str, str]) -> str:
    return f"{name}{{{', '.join(f'{key}={json.dumps(value)}' for key, value in labels.items())}}}"


def count_whole(counts: Counts) -> Counts:
    """Return whole counts in a tick of a rate, as a counter has them."""
    return lambda tick: int(sum(counts(m) for m in range(1, tick + 1)) + 1e-6) - int(
        sum(counts(m) for m in range(1, tick)) + 1e-6
    )


def list_series(service: str, world: World) -> Iterator[dict[str, str]]:
    target = {"job": "otelcol", "instance": "c"}
    labels = {"service_name": service, "deployment_environment_name": "prod"}
    for part in world.parts:
        value = {f"otel_agentops_change_{key}": getattr(part, key) for key in ("variable", "scope", "value")}
        for metric, counts in (("events", part.events), ("bad", part.bad)):
            name = name_series(f"otel_agentops_sli_value_{metric}_total", {**target, **labels, **SLI, **value})
            yield {"series": name, "values": write_counter(counts)}
    first = [part for part in world.parts if part.variable == world.parts[0].variable]
    for record, key in ((S.SLI_EVENTS_INCREASE, "events"), (S.SLI_BAD_INCREASE, "bad")):
        total: Counts = lambda tick, key=key: sum(count_whole(getattr(part, key))(tick) for part in first)  # type: ignore[misc]  # noqa: E731
        yield {"series": name_series(record, {**labels, **SLI}), "values": write_gauge(total)}
    ratio = S.name_window(S.SLI_ERROR_RATIO, "1d")
    yield {"series": name_series(ratio, {**labels, **SLI}), "values": write_gauge(lambda _: 0.02)}
    burn = {**labels, **SLI, "slo": "answers", "severity": "page"}
    yield {"series": name_series(S.SLO_BURN_SINCE, burn), "values": write_gauge(lambda _: BURNS, BURNS)}
    yield {"series": name_series(S.SLO_BURN_RATIO, burn), "values": write_gauge(lambda _: 0.11, BURNS)}
    for part in world.parts:
        value = {key: getattr(part, key) for key in ("variable", "scope", "value")}
        yield {"series": name_series(S.VARIABLE_KNOWN, {**labels, **value}), "values": write_gauge(lambda _: 1)}
    for variable, scope, value, previous in world.moves:
        move = {**labels, "variable": variable, "scope": scope, "value": value, "previous": previous}
        yield {"series": name_series(S.VARIABLE_MOVED, move), "values": write_gauge(lambda _: BAD, BAD + 4)}
    for reason, (usual, counts) in world.sick.items():
        of = {"gen_ai_operation_name": "retrieval", "otel_agentops_index_name": "help-pages"}
        tag = {"otel_agentops_incident_reason": reason} if reason else {}
        name = name_series("otel_agentops_span_duration_seconds_count", {**target, **labels, **of, **tag})
        yield {"series": name, "values": write_counter(counts)}
        if reason:
            kind = {**labels, "surface": "retrieval", "name": "help-pages", "kind": "errors"}
            yield {"series": name_series(S.SURFACE_USUAL, kind), "values": write_gauge(lambda _: usual)}


# -- one run of the rules


@pytest.fixture(scope="module")
def answers(promtool: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[tuple[str, ...], float]]:
    """The result of each query at the end, by the values of the sorted labels."""
    folder = tmp_path_factory.mktemp("evidence")
    burns = [rule for rule in build_burn_rules([PROMISE], CLOCK) if not _is_input(rule)]
    group = {"name": "evidence", "interval": "1s", "rules": [*build_evidence_rules(CLOCK), *burns]}
    (folder / "rules.yaml").write_text(json.dumps({"groups": [group]}))
    series = [{"series": 'up{job="otelcol", instance="c"}', "values": f"1x{END}"}]
    series += [each for name, world in WORLDS.items() for each in list_series(name, world)]
    tests = [
        {"expr": expr, "eval_time": f"{tick}s", "exp_samples": [{"labels": "nothing", "value": 0}]}
        for expr, tick in QUERIES
    ]
    content = {"interval": "1s", "input_series": series, "promql_expr_test": tests, "alert_rule_test": []}
    file = {"rule_files": ["rules.yaml"], "evaluation_interval": "1s", "tests": [content]}
    (folder / "test.yaml").write_text(json.dumps(file))
    done = subprocess.run([promtool, "test", "rules", folder / "test.yaml"], capture_output=True, text=True)
    text = done.stdout + done.stderr
    read = {}
    for match in READ.finditer(text):
        labels = {tuple(v for _, v in sorted(LABEL.findall(s["labels"]))): float(s["value"]) for s in SAMPLE.finditer(match["got"])}
        read[match["expr"].replace('\\"', '"')] = labels
    assert len(read) == len(QUERIES), text[-3000:]
    return read


def _is_input(rule: Rule) -> bool:
    """Return True for the rules whose series the worlds give."""
    return rule.get("record") in (S.SLO_BURN_RATIO, S.SLO_BURN_SINCE)


WORDS = f"max by (service_name, word) ({S.SLO_BURN_VERDICT})"
EVIDENCE = f"max by (service_name, variable, value) ({S.SLI_VALUE_EVIDENCE})"
EXPLAINED = f'max by (service_name, variable) ({S.SLI_VALUE_EXPLAINED}{{value="new"}})'
SICK = f"max by (service_name, surface, name, kind) ({S.SURFACE_SICK})"
HALF_E = f'max by (value) ({S.SLI_VALUE_EVIDENCE}{{service_name="half", value="new"}})'
QUERIES = [(WORDS, END), (EVIDENCE, END), (EXPLAINED, END), (SICK, END)] + [(HALF_E + f" + 0 * {t}", t) for t in range(BAD, END)]


def test_x(answers) -> None:
    for key, value in answers.items():
        print(key)
        for a in sorted(value.items()): print("   ", a)
    assert 0
