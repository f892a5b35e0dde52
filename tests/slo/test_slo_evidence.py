"""Which value explains the bad events: each cause in a world of its own, by the generated rules alone.

Each world is a service. All are evaluated in one run, over the counters and the series of other groups that the rules
of the evidence read. A world turns bad at BAD; the budget burns from BURNS on.
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import pytest
from bench.detect.world import LABEL, READ, SAMPLE, query_end, write_json

from otel_agentops import slo
from otel_agentops.slo import series as S
from otel_agentops.slo._promql import Clock, Rule
from otel_agentops.slo.evidence import build_evidence_rules, build_surface_rules
from otel_agentops.slo.prometheus.burn import build_burn_rules
from otel_agentops.slo.prometheus.moves import build_move_alerts
from otel_agentops.slo.prometheus.ratios import build_ratio_rules

CLOCK = Clock(300)  # an evaluation a second, an hour is twelve of them
BAD, BURNS, END = 14, 24, 44  # evaluations
PROMISE = slo.Slo(name="answers", sli="task_completed", objective=0.95, owner="o", runbook="r")
SLI = {S.SLI_NAME: "task_completed", S.SLI_TYPE: "proxy"}
TASKS = 20  # in each evaluation
Counts = Callable[[int], float]  # evaluation → count in it
Samples = dict[tuple[str, ...], float]  # by the values of the sorted labels


class Answers(NamedTuple):
    """The results of the queries, and promtool's comparison of alerts that are not as expected."""

    samples: dict[str, Samples]
    wrong_alerts: str


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
    fresh: tuple[tuple[str, str, str], ...] = ()  # (variable, scope, value) of what is new and not reported yet
    is_slow: bool = False  # its provider takes five times as long
    before: float | None = None  # how much worse than the old value the new one was the day before


def change_at(tick: int, before: float, after: float) -> Counts:
    return lambda at: after if at >= tick else before


def pair(
    variable: str, scope: str, share: Counts, good: float, worse: Counts, alike: Counts | None = None
) -> Iterator[Part]:
    """Yield the old and the new value of a variable that share all tasks.

    Args:
        variable: Its name.
        scope: Its scope.
        share: The part of the new value.
        good: The part of bad tasks of the old value.
        worse: The part of bad tasks of the new value.
        alike: The part of bad tasks of the old value, if it changes.
    """
    old: Counts = lambda at: TASKS * (1 - share(at))  # noqa: E731
    new: Counts = lambda at: TASKS * share(at)  # noqa: E731
    usual = alike or (lambda _: good)
    yield Part(variable, scope, "old", old, lambda at: old(at) * usual(at))
    yield Part(variable, scope, "new", new, lambda at: new(at) * worse(at))


HALF, NONE, ALWAYS = change_at(BAD, 0, 0.5), change_at(0, 0, 0), change_at(0, 0.5, 0.5)
NEARLY_HALF = change_at(BAD, 0, 0.48)
WORSE, OUTAGE = change_at(BAD, 0.02, 0.2), change_at(BAD, 0.02, 0.2)
MODEL, PROMPT = ("model", "gpt-x", "new", "old"), ("prompt", "support", "new", "old")
STEADY = tuple(pair("prompt", "support", NONE, 0.02, NONE, change_at(BAD, 0.02, 0.11)))
RETRIEVAL = {"": (0.999, change_at(0, 20, 20)), "timeout": (0.001, change_at(BAD, 0, 12))}
WORLDS = {
    "half": World((*pair("model", "gpt-x", HALF, 0.02, WORSE), *STEADY), (MODEL,)),
    "outage": World(tuple(pair("model", "gpt-x", HALF, 0.02, OUTAGE, OUTAGE)), (MODEL,)),
    "switch": World(tuple(pair("model", "gpt-x", change_at(BAD, 0, 1), 0.02, WORSE)), (MODEL,)),
    "tie": World(
        (*pair("model", "gpt-x", HALF, 0.02, WORSE), *pair("prompt", "support", NEARLY_HALF, 0.02, WORSE)),
        (MODEL, PROMPT),
    ),
    # The prompt of all tasks moved earlier; that half of them have another model is not reported yet.
    "unreported": World(
        (
            *pair("model", "gpt-x", HALF, 0.02, WORSE),
            *pair("prompt", "support", change_at(BAD - 6, 0, 1), 0.02, change_at(BAD, 0.02, 0.11)),
        ),
        (PROMPT,),
    ),
    # The same, and the rules of variables see that the model is new.
    "fresh": World(
        (
            *pair("model", "gpt-x", HALF, 0.02, WORSE),
            *pair("prompt", "support", change_at(BAD - 6, 0, 1), 0.02, change_at(BAD, 0.02, 0.11)),
        ),
        (PROMPT,),
        fresh=(MODEL[:3],),
    ),
    "rotten": World((*pair("model", "gpt-x", ALWAYS, 0.02, WORSE), *STEADY), before=1),
    # The other arm has no bad task at all, so that few of this one are enough.
    "spotless": World((*pair("model", "gpt-x", ALWAYS, 0, change_at(BAD, 0, 0.1)), *STEADY), before=1),
    "always": World(
        tuple(pair("traffic", "all", ALWAYS, 0.02, change_at(BAD, 0.14, 0.42), change_at(BAD, 0.02, 0.06))), before=7
    ),
    "retrieval": World(STEADY, sick=RETRIEVAL),
    # An index that fails since it has a new version is no outage of something that nobody touched.
    "rebuilt": World(
        tuple(pair("index", "help-pages", change_at(BAD, 0, 1), 0.02, change_at(BAD, 0.02, 0.11))),
        (("index", "help-pages", "new", "old"),),
        sick=RETRIEVAL,
    ),
    "slow": World(STEADY, is_slow=True),
    "steady": World(STEADY),
    "few": World(tuple(pair("model", "gpt-x", NONE, 0.01, NONE)), (MODEL,)),
    # A call that fails has no model; such calls are all bad, and say nothing of the model that the others had.
    "nameless": World(
        (
            Part("model", "gpt-x", "old", change_at(BAD, TASKS, 0.8 * TASKS), NONE),
            Part("model", "gpt-x", "unknown", change_at(BAD, 0, 0.2 * TASKS), change_at(BAD, 0, 0.2 * TASKS)),
        )
    ),
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
    return lambda tick: (
        int(sum(counts(m) for m in range(1, tick + 1)) + 1e-6) - int(sum(counts(m) for m in range(1, tick)) + 1e-6)
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
    if world.before is not None:
        new = {"variable": world.parts[1].variable, "scope": world.parts[1].scope, "value": "new"}
        name = name_series(S.SLI_VALUE_BEFORE, {**labels, **SLI, **new})
        yield {"series": name, "values": write_gauge(lambda _: world.before or 0)}
    for move_labels in world.moves:
        move = {**labels, **dict(zip(("variable", "scope", "value", "previous"), move_labels, strict=True))}
        yield {"series": name_series(S.VARIABLE_MOVED, move), "values": write_gauge(lambda _: BAD, BAD + 4)}
        burn_move = {**move, "slo": "answers", "severity": "page"}
        yield {"series": name_series(S.SLO_BURN_MOVED, burn_move), "values": write_gauge(lambda _: BAD, BURNS)}
    for new in world.fresh:
        value = {**labels, **dict(zip(("variable", "scope", "value"), new, strict=True))}
        yield {"series": name_series(S.VARIABLE_FRESH, value), "values": write_gauge(lambda tick: tick, BAD)}
        before = {**value, "value": "old", "against": "hours"}
        yield {"series": name_series(S.VARIABLE_SHARE_BEFORE, before), "values": write_gauge(lambda _: 1)}
    yield from list_surfaces(world, target, labels)


def list_surfaces(world: World, target: Mapping[str, str], labels: Mapping[str, str]) -> Iterator[dict[str, str]]:
    if world.is_slow:
        call = {**target, **labels, "gen_ai_operation_name": "chat", "gen_ai_provider_name": "openai"}
        duration = "otel_agentops_span_duration_seconds"
        yield {"series": name_series(f"{duration}_count", call), "values": write_counter(change_at(0, TASKS, TASKS))}
        for le, counts in (("1", change_at(BAD, TASKS, 0)), ("5", change_at(0, TASKS, TASKS))):
            yield {"series": name_series(f"{duration}_bucket", {**call, "le": le}), "values": write_counter(counts)}
        inf = name_series(f"{duration}_bucket", {**call, "le": "+Inf"})
        yield {"series": inf, "values": write_counter(change_at(0, TASKS, TASKS))}
        kind = {**labels, "surface": "provider", "name": "openai", "kind": "latency"}
        yield {"series": name_series(S.SURFACE_USUAL, kind), "values": write_gauge(lambda _: 0.95)}
    for reason, (usual, counts) in world.sick.items():
        of = {"gen_ai_operation_name": "retrieval", "otel_agentops_index_name": "help-pages"}
        tag = {"otel_agentops_incident_reason": reason} if reason else {}
        name = name_series("otel_agentops_span_duration_seconds_count", {**target, **labels, **of, **tag})
        yield {"series": name, "values": write_counter(counts)}
        if reason:
            kind = {**labels, "surface": "retrieval", "name": "help-pages", "kind": "errors"}
            yield {"series": name_series(S.SURFACE_USUAL, kind), "values": write_gauge(change_at(0, usual, usual))}


# -- one run of the rules


@pytest.fixture(scope="module")
def answers(promtool: Path, tmp_path_factory: pytest.TempPathFactory) -> Answers:
    folder = tmp_path_factory.mktemp("evidence")
    burns = [rule for rule in build_burn_rules([PROMISE], CLOCK) if not _is_input(rule)]
    burns += [rule for rule in build_move_alerts([PROMISE], CLOCK) if rule.get("alert") == "OtelAgentopsBurnAfterMove"]
    group = {
        "name": "evidence",
        "interval": "1s",
        "rules": [*build_evidence_rules(CLOCK), *build_surface_rules(CLOCK), *burns],
    }
    (folder / "rules.yaml").write_text(json.dumps({"groups": [group]}))
    series = [{"series": 'up{job="otelcol", instance="c"}', "values": f"1x{END}"}]
    series += [each for name, world in WORLDS.items() for each in list_series(name, world)]
    tests = [
        {"expr": expr, "eval_time": f"{tick}s", "exp_samples": [{"labels": "nothing", "value": 0}]}
        for expr, tick in QUERIES
    ]
    expected = [expect_alert(name) for name in WORLDS]
    alerts = {"eval_time": f"{END}s", "alertname": "OtelAgentopsErrorBudgetBurn", "exp_alerts": expected}
    content = {"interval": "1s", "input_series": series, "promql_expr_test": tests, "alert_rule_test": [alerts]}
    file = {"rule_files": ["rules.yaml"], "evaluation_interval": "1s", "tests": [content]}
    (folder / "test.yaml").write_text(json.dumps(file))
    done = subprocess.run([promtool, "test", "rules", folder / "test.yaml"], capture_output=True, text=True)
    text = done.stdout + done.stderr
    read = {}
    for match in READ.finditer(text):
        labels = {
            tuple(v for _, v in sorted(LABEL.findall(s["labels"]))): float(s["value"])
            for s in SAMPLE.finditer(match["got"])
        }
        read[match["expr"].replace('\\"', '"')] = labels
    assert len(read) == len(QUERIES), text[-3000:]
    return Answers(read, text[text.find("alertname:") :].split("expr:")[0] if "alertname:" in text else "")


def _is_input(rule: Rule) -> bool:
    """Return True for the rules whose series the worlds give."""
    return rule.get("record") in (S.SLO_BURN_RATIO, S.SLO_BURN_SINCE)


NOT_OBSERVED = ("model", "prompt", "tools", "index", "judge", "traffic")
NAMED = "More than 1,000,000 : 1, explains"
TEXTS = {  # verdict, worst, undo
    "half": (
        f"It is model gpt-x: old -> new. {NAMED} 99.64% of the excess. "
        "20% are bad with it, 1.935% without it in the same minutes.",
        "model gpt-x new: 20% bad.",
        "Pin gpt-x to old.",
    ),
    "outage": (
        "Cannot tell: no value is worse than the others beyond doubt. Moved, not it: model gpt-x: new.",
        "model gpt-x old: 20% bad.",
        "Nothing to undo is known.",
    ),
    "switch": (
        "Moved, no contrast: model gpt-x: old -> new. All events have it, so that only the timing speaks for it.",
        "model gpt-x new: 20% bad.",
        "For a part of the events first: that makes a contrast. Pin gpt-x to old.",
    ),
    "tie": (
        "Cannot tell: the same events used prompt support: old -> new and model gpt-x: old -> new.",
        "model gpt-x new: 20% bad.",
        "Undo one of them for a part of the events: that tells them apart.",
    ),
    "unreported": (
        "Cannot tell: no value is worse than the others beyond doubt. "
        "The strongest lead is model gpt-x: new with 138077498530 : 1.",
        "model gpt-x new: 20% bad.",
        "Nothing to undo is known.",
    ),
    "fresh": (
        f"It is model gpt-x: old -> new. {NAMED} 99.64% of the excess. "
        "20% are bad with it, 1.935% without it in the same minutes.",
        "model gpt-x new: 20% bad.",
        "Pin gpt-x to old.",
    ),
    "rotten": (
        f"It is model gpt-x: new. {NAMED} 100% of the excess. "
        "19.38% are bad with it, 1.875% without it in the same minutes.",
        "model gpt-x new: 19.38% bad.",
        "Take new of gpt-x out of use: it did not move, it has become worse.",
    ),
    "spotless": (
        f"It is model gpt-x: new. {NAMED} 100% of the excess. "
        "9.688% are bad with it, 0% without it in the same minutes.",
        "model gpt-x new: 9.688% bad.",
        "Take new of gpt-x out of use: it did not move, it has become worse.",
    ),
    "always": (
        "Nothing moved: no value is new, and none has become worse than the others.",
        "Nothing stands out.",
        "Nothing to undo is known.",
    ),
    "retrieval": (
        "No value explains it, but something is sick: retrieval help-pages (errors 37.5%).",
        "Sick: retrieval help-pages (errors 37.5%).",
        "Page the owner of what is sick; no variable is to blame.",
    ),
    "rebuilt": (
        "Moved, no contrast: index help-pages: old -> new. All events have it, so that only the timing speaks for it.",
        "index help-pages new: 10.97% bad. Sick: retrieval help-pages (errors 37.5%).",
        "For a part of the events first: that makes a contrast. Point help-pages back to old.",
    ),
    "slow": (
        "No value explains it, but something is sick: provider openai (latency 4.8s).",
        "Sick: provider openai (latency 4.8s).",
        "Page the owner of what is sick; no variable is to blame.",
    ),
    "steady": (
        "Nothing moved: no value is new, and none has become worse than the others.",
        "Nothing stands out.",
        "Nothing to undo is known.",
    ),
    "few": (
        "Cannot tell: 6 bad events are too few; 10 are needed.",
        "model gpt-x old: 0.9375% bad.",
        "Nothing to undo is known.",
    ),
    "nameless": (
        "Nothing moved: no value is new, and none has become worse than the others.",
        "model gpt-x unknown: 100% bad.",
        "Nothing to undo is known.",
    ),
}
FIELDS = {
    **dict.fromkeys(("half", "switch", "fresh", "rotten", "spotless"), "gen_ai.response.model"),
    "rebuilt": "otel_agentops.index.version",
}  # of the value that the alert names


def expect_alert(service: str) -> dict[str, object]:
    """Return the whole alert of a world's burn."""
    burn = {"slo": "answers", "severity": "page", "owner": "o"}
    verdict, worst, undo = TEXTS[service]
    observed = {part.variable for part in WORLDS[service].parts}
    of = f' && {{ span.{FIELDS[service]} = "new" }}' if service in FIELDS else ""
    bad = 'span.otel_agentops.task.outcome =~ "failed|escalated|abandoned"'
    annotations = {
        "summary": f"{service} burns the error budget of answers (proxy: task_completed)",
        "description": "Over 5 min or 30 min 11% are bad. 5 % in 30d may be tasks that failed, were escalated or "
        "abandoned. This is a proxy: it stands in for what users care about.",
        "verdict": verdict,
        "worst": worst,
        "undo": undo,
        "not_observed": ", ".join(name for name in NOT_OBSERVED if name not in observed),
        "traceql": f'{{ resource.service.name = "{service}" && {bad} }}{of}',
        "truth": "Too few random labels say how often it is right.",
        "service": service,
        "slo": "answers",
        "type": "proxy",
        "owner": "o",
        "runbook": "r",
    }
    labels = {"service_name": service, "deployment_environment_name": "prod", **SLI, **burn}
    return {"exp_labels": labels, "exp_annotations": annotations}


WORDS = f"max by (service_name, word) ({S.SLO_BURN_VERDICT})"
EVIDENCE = f"max by (service_name, variable, value) ({S.SLI_VALUE_EVIDENCE})"
EXPLAINED = f'max by (service_name, variable) ({S.SLI_VALUE_EXPLAINED}{{value="new"}})'
SICK = f"max by (service_name, surface, name, kind) ({S.SURFACE_SICK})"
WELL = f"max by (service_name, surface, name) ({S.SURFACE_WELL})"
AFTER_MOVE = 'max by (service_name, variable, explains) (ALERTS{alertname="OtelAgentopsBurnAfterMove"})'
OF_HALF = f'max by (value) ({S.SLI_VALUE_EVIDENCE}{{service_name="half", value="new"}})'
SOON = f"{WORDS} + 0 * {BURNS}"
QUERIES = [
    (SOON, BURNS + 2),
    *((expr, END) for expr in (WORDS, EVIDENCE, EXPLAINED, SICK, WELL, AFTER_MOVE)),
    *((f"{OF_HALF} + 0 * {at}", at) for at in range(BAD, END)),
]


def test_burn_has_one_verdict(answers: Answers) -> None:
    assert set(answers.samples[WORDS]) == {
        ("half", "it_is"),
        ("outage", "cannot_tell"),
        ("switch", "moved_no_contrast"),
        ("tie", "cannot_tell"),
        ("unreported", "cannot_tell"),
        ("fresh", "it_is"),
        ("rotten", "it_is"),
        ("spotless", "it_is"),
        ("retrieval", "sick"),
        ("rebuilt", "moved_no_contrast"),
        ("slow", "sick"),
        ("steady", "nothing_moved"),
        ("always", "nothing_moved"),
        ("few", "cannot_tell"),
        ("nameless", "nothing_moved"),
    }


def test_earlier_move_waits_for_the_report_of_a_later_one(answers: Answers) -> None:
    assert ("switch", "cannot_tell") in answers.samples[SOON]
    assert ("half", "it_is") in answers.samples[SOON]


def test_evidence_is_strong_only_beside_others_that_are_better(answers: Answers) -> None:
    """Return nothing for an outage and a switch of all events; one that was always worse has it and is not named."""
    named = {key[:2] for key, odds in answers.samples[EVIDENCE].items() if odds >= 20}
    assert named == {(name, "new") for name in ("half", "unreported", "fresh", "rotten", "spotless", "tie", "always")}
    assert all(odds < 3 for (service, *_), odds in answers.samples[EVIDENCE].items() if service in ("outage", "switch"))


def test_half_moved_is_named_after_as_many_tasks_as_simulated(answers: Answers) -> None:
    """The median of simulations is 90 tasks for 20 : 1 and 130 for 100 : 1, the 90th percentile 180 and 230."""
    first = {
        least: next(at for at in range(BAD, END) if answers.samples[f"{OF_HALF} + 0 * {at}"][("new",)] >= least)
        for least in (20, 100)
    }
    assert 60 <= (first[20] - BAD + 1) * TASKS <= 180
    assert 90 <= (first[100] - BAD + 1) * TASKS <= 230


def test_explained_part_is_that_of_the_excess(answers: Answers) -> None:
    assert answers.samples[EXPLAINED] == {
        ("always", "traffic"): pytest.approx(0.82, abs=0.01),
        ("half", "model"): pytest.approx(1, abs=0.05),
        ("outage", "model"): 0,
        ("rotten", "model"): pytest.approx(1, abs=0.05),
        ("spotless", "model"): 1,
        ("unreported", "model"): pytest.approx(1, abs=0.05),
        ("fresh", "model"): pytest.approx(1, abs=0.05),
        ("tie", "model"): pytest.approx(1, abs=0.05),
        ("tie", "prompt"): pytest.approx(1, abs=0.05),
    }


def test_surface_that_times_out_or_is_slow_is_sick(answers: Answers) -> None:
    assert answers.samples[SICK] == {
        **{("errors", "help-pages", service, "retrieval"): 0.375 for service in ("retrieval", "rebuilt")},
        ("latency", "openai", "slow", "provider"): pytest.approx(4.8),
    }
    assert answers.samples[WELL] == {}


def test_move_silences_a_burn_only_if_it_explains_it(answers: Answers) -> None:
    """The example of Alertmanager's config inhibits by the label `explains`."""
    assert set(answers.samples[AFTER_MOVE]) == {
        ("yes", "half", "model"),
        *(("no", name, variable) for name, variable in (("outage", "model"), ("switch", "model"), ("few", "model"))),
        *(("no", "tie", variable) for variable in ("model", "prompt")),
        ("no", "unreported", "prompt"),
        ("no", "fresh", "prompt"),
        ("no", "rebuilt", "index"),
    }


def test_alert_says_why_in_words(answers: Answers) -> None:
    assert answers.wrong_alerts == ""


# -- counters of which a scrape saw one before the other


def test_parts_are_never_above_the_whole(promtool: Path, tmp_path: Path) -> None:
    """At evaluation 10 the bad events of 11 are seen, the events themselves are not; only then is there a contrast."""
    own = {"job": "otelcol", "instance": "c", "service_name": "rare", **SLI}
    value = {"otel_agentops_change_variable": "model", "otel_agentops_change_scope": "gpt-x"}
    counts = {
        ("value_events", "old"): {10: 1},
        ("value_bad", "old"): {10: 0},
        ("value_events", "new"): {10: 1, 11: 2},
        ("value_bad", "new"): {10: 3},
        ("events", ""): {10: 2, 11: 2},
        ("bad", ""): {10: 3},
    }
    series = [{"series": 'up{job="otelcol", instance="c"}', "values": "1x12"}]
    for (metric, name), increments in counts.items():
        labels = {**own, **value, "otel_agentops_change_value": name} if name else own
        totals = (sum(more for tick, more in increments.items() if tick <= at) for at in range(10, 13))
        values = f"_x10 {' '.join(map(str, totals))}"
        series.append({"series": name_series(f"otel_agentops_sli_{metric}_total", labels), "values": values})
    rules = [*build_ratio_rules(CLOCK), *build_evidence_rules(CLOCK)]
    write_json(tmp_path / "rules.yaml", {"groups": [{"name": "all", "interval": "1s", "rules": rules}]})
    ratios = (S.SLI_VALUE_RATIO, S.SLI_VALUE_RATIO_OTHERS, S.name_window(S.SLI_ERROR_RATIO, "5m"))
    for tick, ratio in ((10, 1), (11, 0.75)):
        answers = query_end(promtool, tmp_path, tmp_path / "rules.yaml", CLOCK, series, 5 * tick, ratios)
        assert {name: sorted(value for _, value in answers[name]) for name in ratios} == {
            S.SLI_VALUE_RATIO: [0, 1],
            S.SLI_VALUE_RATIO_OTHERS: [0, 1],
            S.name_window(S.SLI_ERROR_RATIO, "5m"): [ratio],
        }
