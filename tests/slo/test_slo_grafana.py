"""The dashboards and alerts of Grafana: complete, valid for its models, with queries of existing series only."""

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

from dashboards import DIRECTORY, FILES, PanelQuery, fill_variables, list_panels, list_queries, read_dashboard
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

from otel_agentops.slo.links import DASHBOARDS

register_default_plugins()

every_file = pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
QUERIES = [query for path in FILES for query in list_queries(read_dashboard(path))]
every_query = pytest.mark.parametrize("query", QUERIES, ids=lambda query: query.id)


@pytest.fixture(scope="module")
def slos() -> list[Slo]:
    return slo.load(ROOT / "slo")


def test_committed_files_follow_from_the_objectives(slos: list[Slo]) -> None:
    files = grafana.files(slos)
    committed = {f"grafana/{path.name}" for path in DIRECTORY.iterdir() if path.name != "README.md"}
    assert set(files) == committed
    assert generate.find_stale_files(files, ROOT / "backends") == []
    assert grafana.files(slos) == files


def test_time_scale_shortens_the_view_and_the_intervals(slos: list[Slo]) -> None:
    files = grafana.files(slos, 60)
    budget = json.loads(files["grafana/agentops-budget.json"])
    assert (budget["time"]["from"], budget["refresh"]) == ("now-6m", "5s")
    groups = YAML(typ="safe").load(files["grafana/alerts.yaml"])["groups"]
    assert {group["interval"] for group in groups} == {"1s", "5s"}


def test_missing_models_give_a_note_and_no_dashboards(slos: list[Slo], monkeypatch: pytest.MonkeyPatch) -> None:
    assert grafana.notes() == []
    monkeypatch.setattr(grafana, "find_spec", lambda name: None)
    assert grafana.files(slos) == {}
    assert grafana.notes() == [
        "no dashboards: grafana-foundation-sdk 0.0.18, which they are made with, needs Python 3.11"
    ]


# -- dashboards


@every_file
def test_dashboard_survives_grafanas_own_model(path: Path) -> None:
    again = json.loads(json.dumps(Dashboard.from_json(read_dashboard(path)), cls=JSONEncoder))
    for link in again["links"]:
        del link["placement"]  # the model's own default, which is not in the file
    assert again == read_dashboard(path)


@every_file
def test_panel_has_title_description_and_unit(path: Path) -> None:
    content = read_dashboard(path)
    assert content["title"] and len(content["description"]) > 40
    shown = list_panels(content)
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
def test_panels_do_not_overlap(path: Path) -> None:
    taken: set[tuple[int, int]] = set()
    for panel in read_dashboard(path)["panels"]:
        at = panel["gridPos"]
        cells = {(at["x"] + dx, at["y"] + dy) for dx in range(at["w"]) for dy in range(at["h"])}
        assert not cells & taken and at["x"] + at["w"] <= 24, panel["title"]
        taken |= cells


@every_file
def test_used_variables_are_defined(path: Path) -> None:
    content = read_dashboard(path)
    defined = {variable["name"] for variable in content["templating"]["list"]}
    used = set(re.findall(r"\$\{?([a-z_]\w*)", json.dumps(content)))
    assert {name for name in used if not name.startswith("__")} <= defined
    assert "datasource" in defined


def test_dashboards_lead_to_each_other() -> None:
    assert len({read_dashboard(path)["uid"] for path in FILES}) == len(FILES)
    for path in FILES:
        content = read_dashboard(path)
        assert content["uid"] == path.stem
        (others,) = [link for link in content["links"] if link["type"] == "dashboards"]
        assert set(others["tags"]) == set(content["tags"]) == {"otel-agentops"}
        assert others["includeVars"] and others["keepTime"]


@pytest.mark.parametrize("uid", ["agentops-budget", "agentops-moved", "agentops-triage", "agentops-economics"])
def test_moves_are_drawn_at_their_own_time(uid: str) -> None:
    (moved,) = read_dashboard(DIRECTORY / f"{uid}.json")["annotations"]["list"]
    assert moved["expr"].startswith("otel_agentops:variable:moved{") and moved["expr"].endswith("} * 1000")
    assert moved["useValueForTime"] is True
    assert (moved["titleFormat"], moved["textFormat"]) == (
        "{{variable}} of {{scope}} moved",
        "{{previous}} → {{value}}",
    )
    promql_parser.parse(fill_variables(moved["expr"]))


def test_exemplars_are_asked_of_histograms() -> None:
    with_exemplars = {
        (content["uid"], panel["title"])
        for content in map(read_dashboard, FILES)
        for panel in list_panels(content)
        if any(target.get("exemplar") for target in panel["targets"])
    }
    assert ("agentops-triage", "Duration of model calls") in with_exemplars
    for uid, title in with_exemplars:
        (panel,) = [
            panel for panel in list_panels(read_dashboard(DIRECTORY / f"{uid}.json")) if panel["title"] == title
        ]
        assert any("_bucket" in target["expr"] for target in panel["targets"] if target.get("exemplar"))


# -- queries

# Labels that the rules give to their series, Prometheus to its own, and a histogram to its buckets.
LABELS = {"slo", "severity", "variable", "scope", "value", "previous", "le", "job", "instance", "rule_group"}
OTHERS = {"error", "exporter", "receiver", "processor", "otel_signal"}  # of a collector's own metrics
REGISTERED = {name.replace(".", "_") for name in table.ATTRIBUTES} | {"service_name", "deployment_environment_name"}


@every_query
def test_query_selects_registered_or_recorded_series(query: PanelQuery, slos: list[Slo]) -> None:
    rules = [rule for group in prometheus.build_rules(slos)["groups"] for rule in group["rules"]]
    recorded = {rule["record"] for rule in rules if "record" in rule}
    known = recorded | {name for metric in M.METRICS.values() for name in spell_series(metric.prometheus)}
    selected = list(iterate_selectors(promql_parser.parse(fill_variables(query.expr))))
    assert len(selected) == len(re.findall(r"\{|\bup$|_seconds$|(?:tracked|limit)\)", query.expr))
    for selector in selected:
        name = find_name(selector)
        assert name in known or name.startswith(FOREIGN), name
        labels = {matcher.name for matcher in selector.matchers.matchers} - {"__name__"}
        assert labels <= REGISTERED | LABELS | OTHERS, labels
        if name in known and name not in WITHOUT_ENVIRONMENT:
            assert {"service_name", "deployment_environment_name"} <= labels, f"{name} of services that were not chosen"


# What was promised is promised to all; sets are evaluated in any environment.
WITHOUT_ENVIRONMENT = {"otel_agentops:slo_objective:ratio", "otel_agentops:eval_set:stale"}
# What other programs count: the collector of itself, Prometheus of its scrapes and its rules.
FOREIGN = ("otelcol_", "prometheus_rule_", "scrape_duration_seconds", "up")


def spell_series(name: str) -> set[str]:
    return {name, f"{name}_bucket", f"{name}_count", f"{name}_sum"}


def find_name(selector: Any) -> str:
    """Return its name; of a regular expression what it begins with."""
    names = [matcher.value for matcher in selector.matchers.matchers if matcher.name == "__name__"]
    return selector.name or names[0].partition("(")[0]


def iterate_selectors(node: Any) -> Iterator[Any]:
    """Yield every vector selector in an expression."""
    if isinstance(node, promql_parser.VectorSelector):
        yield node
    for part in ("expr", "lhs", "rhs", "param", "vector_selector"):
        if (inner := getattr(node, part, None)) is not None:
            yield from iterate_selectors(inner)
    for argument in getattr(node, "args", None) or ():
        yield from iterate_selectors(argument)


# -- alerts


@pytest.fixture(scope="module")
def alerts() -> list[dict[str, Any]]:
    content = YAML(typ="safe").load(DIRECTORY / "alerts.yaml")
    assert content["apiVersion"] == 1
    return [rule for group in content["groups"] for rule in group["rules"]]


FIRST_PANELS = {(path.stem, str(list_panels(read_dashboard(path))[0]["id"])) for path in FILES}


def unescape_dollars(text: str) -> str:
    assert not re.search(r"(?<!\$)\$(?!\$)", text), f"Grafana takes {text} from its environment"
    return text.replace("$$", "$")


def test_every_alert_of_the_rules_is_in_grafana(alerts: list[dict[str, Any]], slos: list[Slo]) -> None:
    rules = [rule for group in prometheus.build_rules(slos)["groups"] for rule in group["rules"] if "alert" in rule]
    assert len(alerts) == len(rules) > 5
    for made, rule in zip(alerts, rules, strict=True):
        data, threshold = made["data"]
        assert unescape_dollars(data["model"]["expr"]) == rule["expr"]
        assert data["model"]["instant"] is True
        assert (made["condition"], threshold["model"]["type"], threshold["model"]["expression"]) == (
            "B",
            "threshold",
            "A",
        )
        assert made["for"] == rule.get("for", "0s")
        assert made["labels"] == rule["labels"]
        texts = {
            key: unescape_dollars(text).replace("$values.A.Value", "$value")
            for key, text in made["annotations"].items()
        }
        assert (texts.pop("__dashboardUid__"), texts.pop("__panelId__")) in FIRST_PANELS
        expected = {key: text for key, text in rule["annotations"].items() if "| query }}" not in text}
        if "description" not in expected:  # what it says if a look-up finds nothing
            assert re.match(r"Over \d (min|h) or \d+ (min|h) .* are bad\. ", texts.pop("description"))
        assert expected and texts == expected  # Grafana's templates cannot ask for another series
        assert made["title"].split()[0] == rule["alert"]
        assert Rule.from_json(made).uid == made["uid"]


def test_alerts_that_have_a_dashboard_exist(alerts: list[dict[str, Any]]) -> None:
    named = {f"OtelAgentops{name}" for names in DASHBOARDS.values() for name in names}
    assert named <= {alert["title"].split()[0] for alert in alerts}


def test_uids_and_titles_of_alerts_are_unique(alerts: list[dict[str, Any]]) -> None:
    for key in ("uid", "title"):
        assert len({alert[key] for alert in alerts}) == len(alerts)
    assert all(re.fullmatch(r"[A-Za-z0-9_-]{1,40}", alert["uid"]) for alert in alerts)


# -- questions to a trace store


def test_links_to_explore_hold_a_whole_pane() -> None:
    links = [link for path in FILES for link in read_dashboard(path)["links"] if link["type"] == "link"]
    assert len(links) > 3
    for link in links:
        parts = parse_qs(urlsplit(link["url"].replace("${", "<").replace("}", ">", 0)).query)
        pane = json.loads(unquote(parts["panes"][0]).replace("<", "${"))["a"]
        assert pane["datasource"] == "${traces}"
        (query,) = pane["queries"]
        assert query["queryType"] == "traceql" and "$" not in query["query"].replace("${service:pipe}", "")


def test_questions_name_attributes_of_the_registry() -> None:
    text = (DIRECTORY / "traceql.md").read_text()
    attributes = set(re.findall(r"(?:span|resource)\.([a-z_.]+)", text))
    assert attributes and attributes <= set(table.ATTRIBUTES) | {"service.name", "error.type"}
