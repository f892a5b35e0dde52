"""The dashboards and alerts of Grafana: whole, valid for its models, and asking only for what there is."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import promql_parser
import pytest
from ruamel.yaml import YAML

from dashboards import DIRECTORY, FILES, Asked, filled, panels, queries, read
from generate import ROOT
from otel_agentops import slo
from otel_agentops.semconv import metrics as M
from otel_agentops.semconv import table
from otel_agentops.slo import generate, grafana, prometheus
from otel_agentops.slo.spec import Slo

pytest.importorskip("grafana_foundation_sdk", reason="grafana-foundation-sdk needs Python 3.11")

from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.cog.plugins import register_default_plugins
from grafana_foundation_sdk.models.alerting import Rule
from grafana_foundation_sdk.models.dashboard import Dashboard

from otel_agentops.slo.grafana.alerts import DASHBOARDS

register_default_plugins()

every_file = pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
QUERIES = [asked for path in FILES for asked in queries(read(path))]
every_query = pytest.mark.parametrize("asked", QUERIES, ids=lambda asked: asked.id)


@pytest.fixture(scope="module")
def slos() -> list[Slo]:
    return slo.load(ROOT / "slo")


def test_the_committed_files_are_what_follows_from_the_objectives(slos: list[Slo]) -> None:
    made = grafana.files(slos)
    committed = {f"grafana/{path.name}" for path in DIRECTORY.iterdir() if path.name != "README.md"}
    assert set(made) == committed
    assert generate.find_stale_files(made, ROOT / "backends") == []
    assert grafana.files(slos) == made


def test_a_time_scale_shows_a_shorter_time_and_evaluates_more_often(slos: list[Slo]) -> None:
    made = grafana.files(slos, 60)
    budget = json.loads(made["grafana/agentops-budget.json"])
    assert (budget["time"]["from"], budget["refresh"]) == ("now-6m", "5s")
    groups = YAML(typ="safe").load(made["grafana/alerts.yaml"])["groups"]
    assert {group["interval"] for group in groups} == {"1s", "5s"}


def test_without_the_models_there_are_no_dashboards_and_that_is_said(
    slos: list[Slo], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert grafana.notes() == []
    monkeypatch.setattr(grafana, "find_spec", lambda name: None)
    assert grafana.files(slos) == {}
    assert grafana.notes() == [
        "no dashboards: grafana-foundation-sdk 0.0.18, which they are made with, needs Python 3.11"
    ]


# -- dashboards


@every_file
def test_grafanas_own_model_reads_it_and_writes_it_again(path: Path) -> None:
    again = json.loads(json.dumps(Dashboard.from_json(read(path)), cls=JSONEncoder))
    for link in again["links"]:
        del link["placement"]  # the model's own default, which is not in the file
    assert again == read(path)


@every_file
def test_every_panel_says_what_it_shows_and_in_which_unit(path: Path) -> None:
    content = read(path)
    assert content["title"] and len(content["description"]) > 40
    shown = panels(content)
    assert len(shown) >= 4
    for panel in shown:
        assert panel["title"], panel
        assert len(panel["description"]) > 20, panel["title"]
        assert panel["description"].endswith("."), panel["title"]
        assert panel["fieldConfig"]["defaults"]["unit"], panel["title"]
        assert panel["targets"] and all(target["datasource"]["uid"] == "${datasource}" for target in panel["targets"])
    titles = [panel["title"] for panel in shown]
    assert len(set(titles)) == len(titles)
    ids = [panel["id"] for panel in content["panels"]]
    assert ids == list(range(1, len(ids) + 1))


@every_file
def test_no_panel_lies_on_another_one(path: Path) -> None:
    taken: set[tuple[int, int]] = set()
    for panel in read(path)["panels"]:
        at = panel["gridPos"]
        cells = {(at["x"] + dx, at["y"] + dy) for dx in range(at["w"]) for dy in range(at["h"])}
        assert not cells & taken and at["x"] + at["w"] <= 24, panel["title"]
        taken |= cells


@every_file
def test_every_variable_that_is_used_is_there(path: Path) -> None:
    content = read(path)
    defined = {variable["name"] for variable in content["templating"]["list"]}
    used = set(re.findall(r"\$\{?([a-z_]\w*)", json.dumps(content)))
    assert {name for name in used if not name.startswith("__")} <= defined
    assert "datasource" in defined


def test_dashboards_lead_to_each_other() -> None:
    assert len({read(path)["uid"] for path in FILES}) == len(FILES)
    for path in FILES:
        content = read(path)
        assert content["uid"] == path.stem
        (others,) = [link for link in content["links"] if link["type"] == "dashboards"]
        assert set(others["tags"]) == set(content["tags"]) == {"otel-agentops"}
        assert others["includeVars"] and others["keepTime"]


@pytest.mark.parametrize("uid", ["agentops-budget", "agentops-moved", "agentops-triage", "agentops-economics"])
def test_moves_are_drawn_at_their_own_time(uid: str) -> None:
    (moved,) = read(DIRECTORY / f"{uid}.json")["annotations"]["list"]
    assert moved["expr"].startswith("otel_agentops:variable:moved{") and moved["expr"].endswith("} * 1000")
    assert moved["useValueForTime"] is True
    assert (moved["titleFormat"], moved["textFormat"]) == (
        "{{variable}} of {{scope}} moved",
        "{{previous}} → {{value}}",
    )
    promql_parser.parse(filled(moved["expr"]))


def test_exemplars_are_asked_for_where_there_are_some() -> None:
    asked = {
        (content["uid"], panel["title"])
        for content in map(read, FILES)
        for panel in panels(content)
        if any(target.get("exemplar") for target in panel["targets"])
    }
    assert ("agentops-triage", "Duration of model calls") in asked
    for uid, title in asked:
        (panel,) = [panel for panel in panels(read(DIRECTORY / f"{uid}.json")) if panel["title"] == title]
        assert any("_bucket" in target["expr"] for target in panel["targets"] if target.get("exemplar"))


# -- queries

# Labels that the rules give to their series, Prometheus to its own, and a histogram to its buckets.
LABELS = {"slo", "severity", "variable", "scope", "value", "previous", "le", "job", "instance", "rule_group"}
OTHERS = {"error", "exporter", "receiver", "processor", "otel_signal"}  # of a collector's own metrics
REGISTERED = {name.replace(".", "_") for name in table.ATTRIBUTES} | {"service_name", "deployment_environment_name"}


@every_query
def test_a_query_is_valid_and_selects_what_is_registered_or_recorded(asked: Asked, slos: list[Slo]) -> None:
    rules = [rule for group in prometheus.build_rules(slos)["groups"] for rule in group["rules"]]
    recorded = {rule["record"] for rule in rules if "record" in rule}
    known = recorded | {name for metric in M.METRICS.values() for name in spelled(metric.prometheus)}
    selected = list(selectors(promql_parser.parse(filled(asked.expr))))
    assert len(selected) == len(re.findall(r"\{|\bup$|_seconds$|(?:tracked|limit)\)", asked.expr))
    for selector in selected:
        name = name_of(selector)
        assert name in known or name.startswith(FOREIGN), name
        labels = {matcher.name for matcher in selector.matchers.matchers} - {"__name__"}
        assert labels <= REGISTERED | LABELS | OTHERS, labels
        if name in known and name not in WITHOUT_ENVIRONMENT:
            assert {"service_name", "deployment_environment_name"} <= labels, f"{name} of services that were not chosen"


# What was promised is promised to all; sets are evaluated in any environment.
WITHOUT_ENVIRONMENT = {"otel_agentops:slo_objective:ratio", "otel_agentops:eval_set:stale"}
# What other programs count: the collector of itself, Prometheus of its scrapes and its rules.
FOREIGN = ("otelcol_", "prometheus_rule_", "scrape_duration_seconds", "up")


def spelled(name: str) -> set[str]:
    return {name, f"{name}_bucket", f"{name}_count", f"{name}_sum"}


def name_of(selector: Any) -> str:
    """Its name; of a regular expression what it begins with."""
    named = [matcher.value for matcher in selector.matchers.matchers if matcher.name == "__name__"]
    return selector.name or named[0].partition("(")[0]


def selectors(node: Any) -> Iterator[Any]:
    """Every vector selector in an expression."""
    if isinstance(node, promql_parser.VectorSelector):
        yield node
    for part in ("expr", "lhs", "rhs", "param", "vector_selector"):
        if (inner := getattr(node, part, None)) is not None:
            yield from selectors(inner)
    for argument in getattr(node, "args", None) or ():
        yield from selectors(argument)


# -- alerts


@pytest.fixture(scope="module")
def alerts() -> list[dict[str, Any]]:
    content = YAML(typ="safe").load(DIRECTORY / "alerts.yaml")
    assert content["apiVersion"] == 1
    return [rule for group in content["groups"] for rule in group["rules"]]


FIRST_PANELS = {(path.stem, str(panels(read(path))[0]["id"])) for path in FILES}


def unescaped(text: str) -> str:
    assert not re.search(r"(?<!\$)\$(?!\$)", text), f"Grafana takes {text} from its environment"
    return text.replace("$$", "$")


def test_each_alert_of_the_rules_is_one_of_grafana(alerts: list[dict[str, Any]], slos: list[Slo]) -> None:
    rules = [rule for group in prometheus.build_rules(slos)["groups"] for rule in group["rules"] if "alert" in rule]
    assert len(alerts) == len(rules) > 5
    for made, rule in zip(alerts, rules, strict=True):
        asked, present = made["data"]
        assert unescaped(asked["model"]["expr"]) == rule["expr"]
        assert asked["model"]["instant"] is True
        assert (made["condition"], present["model"]["type"], present["model"]["expression"]) == ("B", "threshold", "A")
        assert made["for"] == rule.get("for", "0s")
        assert made["labels"] == rule["labels"]
        texts = {key: unescaped(text).replace("$values.A.Value", "$value") for key, text in made["annotations"].items()}
        assert (texts.pop("__dashboardUid__"), texts.pop("__panelId__")) in FIRST_PANELS
        told = {key: text for key, text in rule["annotations"].items() if "| query }}" not in text}
        assert told and texts == told  # Grafana's templates cannot ask for another series
        assert made["title"].split()[0] == rule["alert"]
        assert Rule.from_json(made).uid == made["uid"]


def test_alerts_that_have_a_dashboard_exist(alerts: list[dict[str, Any]]) -> None:
    named = {f"OtelAgentops{name}" for names in DASHBOARDS.values() for name in names}
    assert named <= {alert["title"].split()[0] for alert in alerts}


def test_uids_and_titles_of_alerts_are_their_own(alerts: list[dict[str, Any]]) -> None:
    for key in ("uid", "title"):
        assert len({alert[key] for alert in alerts}) == len(alerts)
    assert all(re.fullmatch(r"[A-Za-z0-9_-]{1,40}", alert["uid"]) for alert in alerts)


# -- questions to a trace store


def test_links_to_explore_hold_a_whole_pane() -> None:
    links = [link for path in FILES for link in read(path)["links"] if link["type"] == "link"]
    assert len(links) > 3
    for link in links:
        parts = parse_qs(urlsplit(link["url"].replace("${", "<").replace("}", ">", 0)).query)
        pane = json.loads(unquote(parts["panes"][0]).replace("<", "${"))["a"]
        assert pane["datasource"] == "${traces}"
        (query,) = pane["queries"]
        assert query["queryType"] == "traceql" and "$" not in query["query"].replace("${service:pipe}", "")


def test_questions_name_attributes_of_the_registry() -> None:
    text = (DIRECTORY / "traceql.md").read_text()
    named = set(re.findall(r"(?:span|resource)\.([a-z_.]+)", text))
    assert named and named <= set(table.ATTRIBUTES) | {"service.name", "error.type"}
