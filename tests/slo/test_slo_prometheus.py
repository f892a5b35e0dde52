"""Any objective gives rules that Prometheus takes; a time scale changes windows and nothing else."""

from __future__ import annotations

import functools
import re
import subprocess
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import promql_parser
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from ruamel.yaml import YAML
from slo_promtool import check_story

from otel_agentops import slo
from otel_agentops.semconv import attributes as A
from otel_agentops.semconv import metrics as M
from otel_agentops.slo import burn, prometheus
from otel_agentops.slo.ground_truth import is_on_outcome_events
from otel_agentops.slo.spec import Minimum
from otel_agentops.slo.units import EVALUATION_DELAY_S
from otel_agentops.slo.variables import VARIABLES
from otel_agentops.written_files import is_current
from rotation import scale_examples
from stack import ROOT

COMMITTED = ROOT / "backends" / "prometheus" / "otel-agentops.rules.yaml"
TESTS = sorted((ROOT / "backends" / "prometheus" / "tests").glob("*.test.yaml"))
# Stories that promtool takes longest for.
SECONDS = {
    "fast burn": 35,
    "slow burn": 35,
    "a slow burn long after a move": 26,
    "a burn after a move": 19,
    "standing": 17,
    "a budget is weighted by events": 10,
    "no burn": 10,
}
ONE = slo.Slo(name="answers", sli="task_completed", objective=0.95, owner="o", runbook="r")


def every_rule(content: dict[str, Any]) -> list[dict[str, Any]]:
    return [rule for group in content["groups"] for rule in group["rules"]]


def check(promtool: Path, file: Path) -> str:
    done = subprocess.run([promtool, "check", "rules", file], capture_output=True, text=True)
    return done.stdout + done.stderr


# -- promtool


def test_committed_rules_match_the_committed_objectives() -> None:
    files = prometheus.files(slo.load(ROOT / "slo"), evaluation_delay=EVALUATION_DELAY_S)
    assert is_current(COMMITTED, files["prometheus/otel-agentops.rules.yaml"])


@functools.cache
def load_committed_groups() -> list[dict[str, Any]]:
    """Return the rules without the wait for samples: a story has them at the very second of an evaluation."""
    delay = f" offset {EVALUATION_DELAY_S:g}s"
    text = COMMITTED.read_text()
    assert delay in text
    return list(YAML(typ="safe").load(text.replace(delay, "").replace("offset 1m10s", "offset 1m"))["groups"])


def list_stories() -> Iterator[Any]:
    """Yield the stories of the test files, each apart; they take turns."""
    for file in TESTS:
        topic = file.name.removesuffix(".test.yaml")
        content = YAML(typ="safe").load(file)
        assert content["rule_files"] == ["../otel-agentops.rules.yaml"]
        for story in content["tests"]:
            name = story.get("name", topic)
            marks = pytest.mark.rotation("stories", f"{topic}: {name}", 8, seconds=SECONDS.get(name, 4))
            yield pytest.param(content["evaluation_interval"], story, marks=marks, id=f"{topic}: {name}")


@pytest.mark.parametrize(("every", "story"), [*list_stories()])
def test_what_the_rules_mean(promtool: Path, tmp_path: Path, every: str, story: dict[str, Any]) -> None:
    check_story(promtool, tmp_path, load_committed_groups(), story, every)


@pytest.mark.parametrize("scale", [1, 1.5, 12, 60, 75, 300, 360, 600])
def test_promtool_accepts_every_scale(promtool: Path, tmp_path: Path, scale: float) -> None:
    (tmp_path / "rules.yaml").write_text(prometheus.render_rules(slo.load(ROOT / "slo"), scale))
    assert "SUCCESS" in check(promtool, tmp_path / "rules.yaml")


TEXTS = st.text(min_size=1, max_size=40).filter(lambda text: _valid(owner=text))
SERVICES = st.one_of(st.just(".*"), st.from_regex(r"[a-z][a-z0-9._+\"\\|*-]{0,20}", fullmatch=True), TEXTS)


OWN = st.fixed_dictionaries(
    {
        "name": st.from_regex(r"own_[a-z0-9_]{0,20}", fullmatch=True),
        "type": st.sampled_from(["proxy", "direct"]),
        "on": st.sampled_from(["task", "tool", "model", "retrieval"]),
        "eligible": st.just('attributes["gen_ai.operation.name"] != nil'),
        "bad": st.just('attributes["error.type"] != nil'),
        "about": TEXTS,
    }
)


@st.composite
def specs(draw: st.DrawFn) -> slo.Slo:
    """Valid ones: what the model refuses is drawn again."""
    fields = {
        "name": draw(st.from_regex(r"[a-z]([a-z0-9_-]{0,20}[a-z0-9])?", fullmatch=True)),
        "sli": draw(st.sampled_from(sorted(slo.BUILT_IN)) | OWN.filter(lambda own: _valid(sli=own))),
        "objective": draw(st.floats(0.21, 1, exclude_max=True)),
        "owner": draw(TEXTS),
        "runbook": draw(TEXTS),
        "service": draw(SERVICES.filter(lambda text: _valid(service=text))),
        "window": f"{draw(st.integers(7, 90))}d",
        "trip_policy": draw(st.none() | TEXTS),
        "severity": draw(st.sampled_from(["page", "ticket"])),
        "minimum": Minimum(events=draw(st.integers(1, 10**6)), failures=draw(st.integers(1, 10**6))),
    }
    return slo.Slo.model_validate(fields)


def _valid(**field: Any) -> bool:
    try:
        slo.Slo.model_validate({**dict(ONE), **field})
    except ValueError:
        return False
    return True


@given(st.lists(specs(), max_size=2, unique_by=lambda one: one.name), st.floats(1, 600))
@settings(max_examples=scale_examples(40), deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_any_objective_gives_rules_that_parse(slos: list[slo.Slo], scale: float) -> None:
    content = prometheus.build_rules(slos, scale)
    text = prometheus.render_rules(slos, scale)
    read = YAML(typ="safe").load(text)
    assert [_stripped(rule) for rule in every_rule(read)] == every_rule(content), "YAML keeps every character"
    for rule in every_rule(content):
        promql_parser.parse(rule["expr"])
    identities = [(rule.get("record"), rule.get("alert"), str(rule.get("labels"))) for rule in every_rule(content)]
    assert len(identities) == len(set(identities)), "two rules of one name and the same labels overwrite each other"


def _stripped(rule: dict[str, Any]) -> dict[str, Any]:
    return {**rule, "expr": rule["expr"].rstrip("\n")}


@given(slos=st.lists(specs(), min_size=1, max_size=3, unique_by=lambda one: one.name), scale=st.floats(1, 600))
@settings(max_examples=scale_examples(12), deadline=None, suppress_health_check=list(HealthCheck))
def test_any_objective_gives_rules_that_promtool_takes(
    promtool: Path, tmp_path: Path, slos: list[slo.Slo], scale: float
) -> None:
    (tmp_path / "rules.yaml").write_text(prometheus.render_rules(slos, scale))
    assert "SUCCESS" in check(promtool, tmp_path / "rules.yaml")


# -- names


ALERTS = {
    "OtelAgentopsBurnAfterMove",
    "OtelAgentopsCollectorNotScraped",
    "OtelAgentopsCountsMissing",
    "OtelAgentopsErrorBudgetBurn",
    "OtelAgentopsEvalSetStale",
    "OtelAgentopsGroundTruthStale",
    "OtelAgentopsModelDrifted",
    "OtelAgentopsNeverSeen",
    "OtelAgentopsNoData",
    "OtelAgentopsProxyDisagreesWithTruth",
    "OtelAgentopsProxyWithoutTruth",
    "OtelAgentopsRateLimitNear",
    "OtelAgentopsRulesStale",
    "OtelAgentopsScrapedTooSeldom",
    "OtelAgentopsSlowRegression",
    "OtelAgentopsTaskDoesNotEnd",
    "OtelAgentopsUnlistedValue",
    "OtelAgentopsVariableMoved",
    "OtelAgentopsVariableSkewed",
}
OWN_LABELS = {"slo", "severity", "rule_group"} | {
    "word",
    "theta",
    "counted",
    "explains",
    "surface",
    "name",
    "kind",
    "reason",
    "variable",
    "scope",
    "value",
    "previous",
    "against",
    "place",
    "elsewhere",
}
FOR_PEOPLE = {  # no rule reads them
    "otel_agentops:slo_budget:remaining",
    "otel_agentops:slo_corrected:remaining",
    "otel_agentops:slo_truth:coverage",
    "otel_agentops:slo_truth:delay",
    "otel_agentops:traffic:distance",
    # triage and the texts of alerts read these
    "otel_agentops:sli_value_events:increase6h",
    "otel_agentops:sli_value_bad:increase5m",
    "otel_agentops:sli_value_bad:increase6h",
    "otel_agentops:sli_value:ratio",
    "otel_agentops:surface:well",
}
# `up` and the labels of a target are Prometheus' own.
TARGET = {"job", "instance"}
HISTOGRAM = {"le"}


def nodes(expr: str) -> list[Any]:
    """Every part of an expression, the selector within a range too."""
    found: list[Any] = []
    promql_parser.walk(promql_parser.parse(expr), lambda node: found.append(getattr(node, "vector_selector", node)))
    return found


def selectors(expr: str) -> list[promql_parser.VectorSelector]:
    """Every series that an expression reads."""
    return [node for node in nodes(expr) if isinstance(node, promql_parser.VectorSelector)]


def labels(expr: str) -> Iterator[str]:
    """Every label that an expression names: matched, grouped, joined on or written."""
    for node in nodes(expr):
        if isinstance(node, promql_parser.VectorSelector):
            yield from (matcher.name for matcher in node.matchers.matchers)
        if isinstance(node, promql_parser.AggregateExpr):
            yield from node.modifier.labels
        if isinstance(node, promql_parser.BinaryExpr) and node.modifier:
            yield from node.modifier.group_labels or ()
            yield from node.modifier.matching.labels if node.modifier.matching else ()
        if isinstance(node, promql_parser.Call) and node.func.name in ("label_join", "label_replace"):
            strings = [argument.val for argument in node.args[1:]]
            yield strings[0]
            yield from strings[2:] if node.func.name == "label_join" else filter(None, strings[2:3])


def test_names_are_registered_or_recorded() -> None:
    rules = every_rule(prometheus.build_rules(slo.load(ROOT / "slo")))
    recorded = {rule["record"] for rule in rules if "record" in rule}
    assert {rule["alert"] for rule in rules if "alert" in rule} == ALERTS
    used = {node.name for rule in rules for node in selectors(rule["expr"])}
    registered = {metric.prometheus for metric in M.METRICS.values()}
    histograms = [metric.prometheus for metric in M.METRICS.values() if metric.instrument == "histogram"]
    registered |= {f"{name}_{part}" for name in histograms for part in ("bucket", "count")}
    assert used - recorded - {"up"} <= registered
    assert recorded - used == FOR_PEOPLE
    counted = {name for name in registered if name.startswith("otel_agentops_") and "observations" in name}
    assert counted <= used, "every variable is read"


def test_labels_are_registered_or_ours() -> None:
    used = {
        label for rule in every_rule(prometheus.build_rules(slo.load(ROOT / "slo"))) for label in labels(rule["expr"])
    }
    named = {name for metric in M.METRICS.values() for name in metric.labels}
    known = {name.replace(".", "_") for name in named | CORE}
    assert used - known == OWN_LABELS | TARGET | HISTOGRAM


# Labels of core's conventions, which the registry cannot refer to.
CORE = {A.SERVICE_NAME, A.DEPLOYMENT_ENVIRONMENT_NAME, A.CLOUD_REGION, A.SERVICE_VERSION, A.FEATURE_FLAG_KEY} | {
    A.FEATURE_FLAG_RESULT_VARIANT
}


def test_a_variable_is_made_of_labels_that_its_metric_has() -> None:
    for variable, (metric, scope, value) in VARIABLES.items():
        assert {*scope, value, A.ROLLOUT_STAGE} - CORE == set(M.METRICS[metric].labels), variable


# -- thresholds


def thresholds(one: slo.Slo, severity: str) -> list[str]:
    rules = every_rule(prometheus.build_rules([one]))
    (burn,) = (
        rule
        for rule in rules
        if rule.get("record") == "otel_agentops:slo_burn:ratio" and rule["labels"]["severity"] == severity
    )
    return [f"{window} {value}" for window, value in re.findall(r"ratio(\w+)\{.*\} > (\S+)", burn["expr"])]


def sudden(budget: str, half: str) -> list[str]:
    """The budget over each window of a sudden loss and over the shortest one, and half of it while the loss goes on."""
    shortest = f"15m {budget}"
    return [shortest, f"30m {budget}", shortest, f"1h {budget}", shortest, f"15m {half}"]


def test_thresholds_of_the_workbook() -> None:
    one = ONE.model_copy(update={"objective": 0.999, "sli": "tool_success"})
    assert thresholds(one, "page") == ["5m 0.0144", "1h 0.0144", "30m 0.006", "6h 0.006", *sudden("0.001", "0.0005")]
    assert thresholds(one, "ticket") == ["2h 0.003", "1d 0.003", "6h 0.001", "3d 0.001"]
    assert burn.list_rescalings([one]) == []


def test_a_factor_that_can_never_be_reached_is_rescaled_and_said() -> None:
    one = ONE.model_copy(update={"objective": 0.9})
    assert thresholds(one, "page") == ["5m 0.8", "1h 0.8", "30m 0.6", "6h 0.6", *sudden("0.1", "0.05")]
    sentence = (
        "answers: 14.4 times the budget of 0.1 is 1.44 of all events, which nothing can exceed; the alert over 5m and "
        "1h takes 8 times (0.8) instead"
    )
    assert burn.list_rescalings([one]) == [sentence]
    alerts = every_rule(prometheus.build_rules([one]))
    said = [rule["labels"]["severity"] for rule in alerts if sentence in str(rule.get("annotations"))]
    assert said == ["page"]


def test_an_objective_with_no_alert_left_is_refused() -> None:
    one = ONE.model_copy(update={"objective": 0.1})
    with pytest.raises(burn.UnreachableError) as error:
        prometheus.build_rules([one])
    assert str(error.value) == (
        "answers: objective: with a budget of 0.9 even 0.8 of bad events burn it only 0.89 times as fast as promised, "
        "and no alert is left; promise more than 0.2"
    )


@given(specs())
@settings(max_examples=60, deadline=None)
def test_every_alert_can_fire(one: slo.Slo) -> None:
    found = [*(thresholds(one, "page") if one.severity == "page" else ()), *thresholds(one, "ticket")]
    for each in found:
        assert 0 < Decimal(each.split()[1]) < 1


def test_a_ticket_never_pages() -> None:
    rules = every_rule(prometheus.build_rules([ONE.model_copy(update={"severity": "ticket"})]))
    assert {rule["labels"]["severity"] for rule in rules if "alert" in rule} == {"ticket", "info"}


# -- the spec in the rules


def test_the_service_is_a_matcher_of_every_rule_of_the_objective() -> None:
    one = ONE.model_copy(update={"service": 'a"b\\.c'})
    rules = every_rule(prometheus.build_rules([one]))
    selected = [rule["expr"] for rule in rules if 'otel_agentops_sli_name="task_completed"' in rule["expr"]]
    assert len(selected) >= 4
    for expr in selected:
        matchers = [{each.name: each.value for each in node.matchers.matchers} for node in selectors(expr)]
        # where the objective is a label already, the services are those that it was made of
        assert all("slo" in found or found["service_name"] == 'a"b\\.c' for found in matchers)


def test_a_text_that_looks_like_a_template_is_none(promtool: Path, tmp_path: Path) -> None:
    one = ONE.model_copy(update={"owner": "{{ $labels.x }} {{", "trip_policy": "{{end}}"})
    (tmp_path / "rules.yaml").write_text(prometheus.render_rules([one]))
    assert "SUCCESS" in check(promtool, tmp_path / "rules.yaml")
    alert = next(rule for rule in every_rule(prometheus.build_rules([one])) if "alert" in rule)
    assert alert["labels"]["owner"] == '{{ "{{" }} $labels.x }} {{ "{{" }}'


def test_a_proxy_is_called_one() -> None:
    for name, sli in slo.BUILT_IN.items():
        rules = every_rule(prometheus.build_rules([ONE.model_copy(update={"sli": name})]))
        texts = [rule["annotations"] for rule in rules if rule.get("labels", {}).get("slo") and "alert" in rule]
        assert len(texts) == (10 if sli.type == "proxy" and is_on_outcome_events(sli) else 7)
        for text in texts:
            assert f"({sli.type}: {name})" in text["summary"]
            if "budget of" in text["summary"]:
                assert ("This is a proxy" in text["description"]) == (sli.type == "proxy")


# -- time scale


@pytest.mark.parametrize("scale", [0, 0.99, 601, float("nan"), float("inf")])
def test_a_scale_out_of_range(scale: float) -> None:
    with pytest.raises(ValueError, match=r"time_scale is .*; take one between 1 and 600"):
        prometheus.build_rules([ONE], scale)


def test_names_do_not_depend_on_the_scale() -> None:
    names = [
        [
            (rule.get("record"), rule.get("alert"), rule.get("labels"))
            for rule in every_rule(prometheus.build_rules([ONE], s))
        ]
        for s in (1, 7, 300, 600)
    ]
    assert all(each == names[0] for each in names)


@pytest.mark.parametrize(
    ("scale", "tick", "windows"),
    [
        (1, "1m", {"5m": 300, "30m": 1800, "1h": 3600, "6h": 21600, "3d": 259200}),
        (12, "5s", {"5m": 25, "30m": 150, "1h": 300, "6h": 1800, "3d": 21600}),
        (60, "1s", {"5m": 5, "30m": 30, "1h": 60, "6h": 360, "3d": 4320}),
        (300, "1s", {"5m": 4, "30m": 6, "1h": 12, "6h": 72, "3d": 864}),
        (600, "1s", {"5m": 4, "30m": 4, "1h": 6, "6h": 36, "3d": 432}),
    ],
)
def test_windows(scale: float, tick: str, windows: dict[str, float]) -> None:
    content = prometheus.build_rules([ONE], scale)
    assert [group["interval"] for group in content["groups"]][:2] == [tick, tick]
    by_record = {rule["record"]: rule["expr"] for rule in every_rule(content) if "record" in rule}
    for nominal, seconds in windows.items():
        found = re.fullmatch(r"sum_over_time\(.*\[(.*)\]\)", by_record[f"otel_agentops:sli_bad:increase{nominal}"])
        assert found
        assert promql_parser.parse_duration(found[1]).total_seconds() == pytest.approx(seconds - 0.001), nominal
