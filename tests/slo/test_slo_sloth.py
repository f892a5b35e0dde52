"""Our objectives as sloth reads them, and what its rules then say of our counters."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import promql_parser
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from ruamel.yaml import YAML
from slo_strategies import ONE, objectives

from otel_agentops import slo
from otel_agentops.slo.exchange import sloth
from stack import ROOT

BY = (
    "service_name, deployment_environment_name, otel_agentops_sli_name, otel_agentops_sli_type, "
    "otel_agentops_judge_name, otel_agentops_judge_revision"
)
TICKET = {"name": "judged", "sli": "judge_score", "objective": 0.9, "owner": "{{o}}", "runbook": "r", "service": "shop"}
EXPECTED = f"""\
version: prometheus/v1
service: any-service
slos:
  - name: answers
    objective: 95.0
    description: '5 % in 30d may be tasks that failed, were escalated or abandoned. This is a proxy: it stands in for what users care about.'
    labels:
      sli_type: proxy
    sli:
      events:
        error_query: sum by ({BY}) (rate(otel_agentops_sli_bad_total{{otel_agentops_sli_name="task_completed"}}[{{{{.window}}}}]))
        total_query: sum by ({BY}) (rate(otel_agentops_sli_events_total{{otel_agentops_sli_name="task_completed"}}[{{{{.window}}}}]))
    alerting:
      name: OtelAgentopsErrorBudgetBurn
      labels:
        slo: answers
        owner: o
      annotations:
        summary: 'Error budget of answers burns (proxy: task_completed)'
        runbook: r
      page_alert:
        labels:
          severity: page
      ticket_alert:
        labels:
          severity: ticket
---
version: prometheus/v1
service: shop
slos:
  - name: judged
    objective: 90.0
    description: '10 % in 30d may be answers that the judge scored below its threshold. This is a proxy: it stands in for what users care about.'
    labels:
      sli_type: proxy
    sli:
      events:
        error_query: sum by ({BY}) (rate(otel_agentops_sli_bad_total{{otel_agentops_sli_name="judge_score", service_name=~"shop"}}[{{{{.window}}}}]))
        total_query: sum by ({BY}) (rate(otel_agentops_sli_events_total{{otel_agentops_sli_name="judge_score", service_name=~"shop"}}[{{{{.window}}}}]))
    alerting:
      name: OtelAgentopsErrorBudgetBurn
      labels:
        slo: judged
        owner: '{{{{ "{{{{" }}}}o}}}}'
      annotations:
        summary: 'Error budget of judged burns (proxy: judge_score)'
        runbook: r
      page_alert:
        disable: true
      ticket_alert:
        labels:
          severity: ticket
"""  # noqa: E501


REVISION = "otel_agentops_judge_revision"


@pytest.fixture(scope="session")
def binary() -> str:
    found = shutil.which(os.environ.get("SLOTH") or "sloth")
    if found is None:
        pytest.skip("no sloth on PATH or in $SLOTH; go install github.com/slok/sloth/cmd/sloth@v0.16.0")
    return found


def test_a_whole_export() -> None:
    assert sloth.render_text([slo.Slo.model_validate(TICKET | {"severity": "ticket"}), ONE]) == EXPECTED


def test_what_is_lost_is_said() -> None:
    odd = ONE.model_copy(update={"window": "14d", "objective": 0.9})
    minimum = "sloth has no minimum of events (20) or failures (3) before an alert"
    assert sloth.list_notes([ONE, odd]) == [
        f"answers: {minimum}",
        "answers: sloth knows no window of 14d; give it a file of windows (--slo-period-windows-path)",
        "answers: sloth pages at 14.4 times the budget, which no ratio reaches here; its fast alert can never fire",
        f"answers: {minimum}",
    ]


@given(st.lists(objectives(), min_size=1, max_size=3, unique_by=lambda one: one.name))
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_any_objective_gives_queries_that_parse(slos: list[slo.Slo]) -> None:
    documents = list(YAML(typ="safe").load_all(sloth.render_text(slos)))
    made = [one for document in documents for one in document["slos"]]
    assert sorted(one["name"] for one in made) == sorted(one.name for one in slos)
    for one in made:
        for query in one["sli"]["events"].values():
            promql_parser.parse(query.replace("{{.window}}", "5m").replace('{{ "{{" }}', "{{"))


def generate(binary: str, directory: Path, slos: list[slo.Slo]) -> Path:
    (directory / "spec.yaml").write_text(sloth.render_text(slos), "utf-8")
    command = [binary, "generate", "-i", directory / "spec.yaml", "-o", directory / "rules.yaml"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    # Two documents in one file are more than Prometheus reads; sloth leaves the cutting to its user.
    groups = [group for each in YAML(typ="safe").load_all(directory / "rules.yaml") if each for group in each["groups"]]
    YAML().dump({"groups": groups}, directory / "rules.yaml")
    return directory / "rules.yaml"


def test_sloth_makes_rules_that_promtool_takes(binary: str, promtool: Path, tmp_path: Path) -> None:
    evil = {"name": "odd", "owner": "{{ .a }} $b", "service": "(a|b){{2}}.*", "objective": 0.999, "runbook": '"r"'}
    slos = [*slo.load(ROOT / "slo"), slo.Slo.model_validate(TICKET | evil)]
    done = subprocess.run(
        [promtool, "check", "rules", generate(binary, tmp_path, slos)], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert "SUCCESS: 67 rules found" in done.stdout  # 17 an objective; `judged` pages nobody


def test_sloths_ratio_is_that_of_the_counters(binary: str, promtool: Path, tmp_path: Path) -> None:
    """One event a second, of the second revision every fifth is bad, and revisions are not mixed."""
    generate(binary, tmp_path, [slo.Slo.model_validate(TICKET)])
    common = 'otel_agentops_sli_name="judge_score", otel_agentops_sli_type="proxy", service_name="shop"'
    series = [
        {"series": f'otel_agentops_sli_{half}_total{{{common}, {REVISION}="{revision}"}}', "values": values}
        for revision, half, values in (
            ("1", "events", "0+60x60"), ("1", "bad", "0x60"), ("2", "events", "0+60x60"), ("2", "bad", "0+12x60"),
        )
    ]  # fmt: skip
    sloths = 'sloth_id="shop-judged", sloth_service="shop", sloth_slo="judged", sloth_window="5m", sli_type="proxy"'
    samples = [
        {
            "labels": f'slo:sli_error:ratio_rate5m{{{common}, {sloths}, {REVISION}="{each}"}}',
            "value": value,
        }
        for each, value in (("1", 0), ("2", 0.2))
    ]
    expected = [{"expr": "slo:sli_error:ratio_rate5m", "eval_time": "30m", "exp_samples": samples}]
    test = {
        "rule_files": ["rules.yaml"],
        "tests": [{"interval": "1m", "input_series": series, "promql_expr_test": expected}],
    }
    YAML().dump(test, tmp_path / "test.yaml")
    done = subprocess.run([promtool, "test", "rules", tmp_path / "test.yaml"], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
