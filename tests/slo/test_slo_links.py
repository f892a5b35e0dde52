"""The links of alerts: a runbook that exists and the dashboard with the numbers; and the files that hold the alerts."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from bench.detect.world import write_json
from ruamel.yaml import YAML

from otel_agentops import slo
from otel_agentops.slo import generate, prometheus
from otel_agentops.slo.links import Links
from stack import ROOT

PAGES = ROOT / "backends" / "runbooks"
ONE = slo.Slo(name="answers", sli="task_completed", objective=0.95, owner="o", runbook="ask them")
SERVICE = "var-service={{ $labels.service_name | urlquery }}"
ENVIRONMENT = "var-environment={{ $labels.deployment_environment_name | urlquery }}"


def list_alerts(one: slo.Slo = ONE, links: Links = Links()) -> list[dict[str, Any]]:  # noqa: B008
    groups = prometheus.build_rules([one], 1, links)["groups"]
    return [dict(rule) for group in groups for rule in group["rules"] if "alert" in rule]


ALERTS = sorted({rule["alert"] for rule in list_alerts()})


def find_alert(name: str, one: slo.Slo = ONE, links: Links = Links()) -> dict[str, str]:  # noqa: B008
    rule = next(rule for rule in list_alerts(one, links) if rule["alert"] == f"OtelAgentops{name}")
    annotations: dict[str, str] = rule["annotations"]
    return annotations


def test_every_alert_has_a_page() -> None:
    assert sorted(path.stem for path in PAGES.iterdir()) == ALERTS
    pages = {path: text for path, text in generate.files([ONE]).items() if path.startswith("runbooks/")}
    assert len(pages) == len(ALERTS)
    assert generate.find_stale_files(pages, PAGES.parent) == []


@pytest.mark.parametrize("name", ALERTS)
def test_page_says_what_to_do(name: str) -> None:
    text = (PAGES / f"{name}.md").read_text()
    assert f"\n# {name}\n" in text
    assert re.findall("^## (.*)$", text, re.M)[:2] == ["Meaning", "What to do"]
    for target in re.findall(r"\]\(([^)]+)\)", text):
        assert (PAGES / target).exists(), "a page is read alone: it links to its own kind"


def test_alert_without_objective_names_its_page() -> None:
    for name in ("VariableMoved", "ModelDrifted", "EvalSetStale", "CollectorNotScraped", "RulesStale"):
        annotations = find_alert(name)
        assert annotations["runbook"] == f"runbooks/OtelAgentops{name}.md"
        assert not {"runbook_url", "dashboard_url"} & set(annotations)


def test_objective_keeps_its_own_runbook() -> None:
    url = ONE.model_copy(update={"runbook": "https://wiki.example/answers"})
    links = Links("https://runbooks.example")
    assert find_alert("ErrorBudgetBurn", url, links)["runbook_url"] == "https://wiki.example/answers"
    assert find_alert("ErrorBudgetBurn", url)["runbook_url"] == "https://wiki.example/answers"
    text = find_alert("ErrorBudgetBurn", ONE, links)
    assert text["runbook"] == "ask them"
    assert text["runbook_url"] == "https://runbooks.example/OtelAgentopsErrorBudgetBurn.md"


@pytest.mark.parametrize(
    ("base", "url"),
    [
        ("https://a.example/x", "https://a.example/x/OtelAgentopsNoData.md"),
        ("https://a.example/x/", "https://a.example/x/OtelAgentopsNoData.md"),
        ("https://a.example/{alert}?raw", "https://a.example/OtelAgentopsNoData?raw"),
    ],
)
def test_runbook_url_follows_from_the_base(base: str, url: str) -> None:
    assert find_alert("NoData", ONE, Links(base))["runbook_url"] == url


@pytest.mark.parametrize(
    ("name", "view"),
    [
        ("ErrorBudgetBurn", f"agentops-budget?{SERVICE}&{ENVIRONMENT}&var-slo={{{{ $labels.slo | urlquery }}}}"),
        ("BurnAfterMove", f"agentops-budget?{SERVICE}&{ENVIRONMENT}&var-slo={{{{ $labels.slo | urlquery }}}}"),
        ("VariableMoved", f"agentops-moved?{SERVICE}&{ENVIRONMENT}"),
        ("EvalSetStale", f"agentops-moved?{SERVICE}"),
        ("NeverSeen", "agentops-budget?var-slo={{ $labels.slo | urlquery }}"),
        ("NoData", "agentops-pipeline"),
        ("RulesStale", "agentops-pipeline"),
    ],
)
def test_dashboard_url_shows_the_service(name: str, view: str) -> None:
    url = find_alert(name, ONE, Links(grafana="https://grafana.example/"))["dashboard_url"]
    assert url == f"https://grafana.example/d/{view}"


def test_traces_url_asks_tempo_for_what_the_alert_is_about(tmp_path: Path, promtool: Path) -> None:
    """The link is what Grafana 10 and newer reads: panes by name, as JSON in one parameter."""
    links = Links(grafana="https://grafana.example/", tempo="T1")
    for name in ("ErrorBudgetBurn", "VariableMoved", "BurnAfterMove"):
        assert "traces_url" not in find_alert(name, ONE, Links(grafana="https://grafana.example/"))
        template = find_alert(name, ONE, links)
        labels = {"service_name": 'a "b" & c', "variable": "model", "value": "m%1", "scope": "gpt-x"}
        traceql, url = expand_templates(promtool, tmp_path, labels, template["traceql"], template["traces_url"])
        assert url.startswith("https://grafana.example/explore?")
        (panes,) = parse_qs(urlsplit(url).query)["panes"]
        (pane,) = json.loads(panes).values()
        source = {"type": "tempo", "uid": "T1"}
        query = {"refId": "A", "datasource": source, "queryType": "traceql", "limit": 20, "query": traceql}
        assert 'resource.service.name = "a \\"b\\" & c"' in traceql
        assert pane == {"datasource": "T1", "queries": [query], "range": {"from": "-3600000", "to": "0"}}


def expand_templates(promtool: Path, folder: Path, labels: dict[str, str], *templates: str) -> list[str]:
    """Return the templates as Prometheus expands them for an alert with these labels at time 0."""
    annotations = {f"a{number}": template for number, template in enumerate(templates)}
    alert = {"alert": "A", "expr": "x", "annotations": annotations}
    write_json(folder / "rules.yaml", {"groups": [{"name": "g", "interval": "1m", "rules": [alert]}]})
    pairs = ", ".join(f"{key}={json.dumps(value)}" for key, value in labels.items())
    test = {
        "interval": "1m",
        "input_series": [{"series": f"x{{{pairs}}}", "values": "1"}],
        "alert_rule_test": [{"eval_time": "0m", "alertname": "A", "exp_alerts": []}],
    }
    write_json(folder / "test.yaml", {"rule_files": ["rules.yaml"], "evaluation_interval": "1m", "tests": [test]})
    done = subprocess.run([promtool, "test", "rules", folder / "test.yaml"], capture_output=True, text=True)
    got = (done.stdout + done.stderr).partition("got:")[2]
    return [json.loads(f'"{text}"') for text in re.findall(r'a\d="((?:\\.|[^"\\])*)"', got)]


def test_links_come_from_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_AGENTOPS_RUNBOOK_URL", "https://runbooks.example")
    monkeypatch.setenv("OTEL_AGENTOPS_GRAFANA_URL", "https://grafana.example")
    links = Links("https://runbooks.example", "https://grafana.example")
    run_generate(tmp_path)
    assert generate.find_stale_files(generate.files([ONE], links=links), tmp_path / "out") == []


def test_prometheusrule_holds_the_same_rules(tmp_path: Path, promtool: Path) -> None:
    run_generate(tmp_path, "--format", "prometheusrule", "--format", "plain")
    files = read_files(tmp_path / "out")
    resource = YAML(typ="safe").load(files["prometheus/otel-agentops.prometheusrule.yaml"])
    assert resource.pop("spec") == YAML(typ="safe").load(files["prometheus/otel-agentops.rules.yaml"])
    assert resource == {
        "apiVersion": "monitoring.coreos.com/v1",
        "kind": "PrometheusRule",
        "metadata": {
            "name": "otel-agentops",
            "labels": {"app.kubernetes.io/name": "otel-agentops", "prometheus": "k8s", "role": "alert-rules"},
        },
    }
    run_generate(tmp_path, "--format", "prometheusrule", out="operator")
    rules = [path for path in read_files(tmp_path / "operator") if path.startswith("prometheus/")]
    assert rules == ["prometheus/otel-agentops.prometheusrule.yaml"]


# The custom resource's definition has these: https://github.com/prometheus-operator/prometheus-operator, bundle.yaml.
DURATION = r"^(0|(([0-9]+)y)?(([0-9]+)w)?(([0-9]+)d)?(([0-9]+)h)?(([0-9]+)m)?(([0-9]+)s)?(([0-9]+)ms)?)$"
GROUP, RULE = {"name", "interval", "rules"}, {"alert", "record", "expr", "for", "labels", "annotations"}


@pytest.mark.parametrize("scale", [1, 7, 600])
def test_prometheusrule_has_the_fields_of_its_definition(scale: float) -> None:
    text = prometheus.files([ONE], scale, formats=["prometheusrule"])["prometheus/otel-agentops.prometheusrule.yaml"]
    for group in YAML(typ="safe").load(text)["spec"]["groups"]:
        assert set(group) <= GROUP
        assert re.match(DURATION, group["interval"])
        for rule in group["rules"]:
            assert set(rule) <= RULE
            assert re.match(DURATION, rule.get("for", "0"))
            texts = {**rule.get("labels", {}), **rule.get("annotations", {})}
            assert all(isinstance(value, str) for value in texts.values())


def run_generate(directory: Path, *arguments: str, out: str = "out") -> None:
    (directory / "slo.yaml").write_text(
        "{name: answers, sli: task_completed, objective: 0.95, owner: o, runbook: ask them}"
    )
    command = [sys.executable, "-m", "otel_agentops.cli", "slo", "generate", "--slo", "slo.yaml", "--out", out]
    subprocess.run([*command, *arguments], cwd=directory, check=True, capture_output=True)


def read_files(directory: Path) -> dict[str, str]:
    paths = sorted(path for path in directory.rglob("*") if path.is_file())
    return {path.relative_to(directory).as_posix(): path.read_text() for path in paths}
