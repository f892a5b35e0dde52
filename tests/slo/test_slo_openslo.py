"""Out to OpenSLO v1 and back: the same objective; what theirs cannot say here is one sentence with its line."""

# ruff: noqa: E501 (a sentence a line)

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import jsonschema
import pytest
from hypothesis import given, settings
from ruamel.yaml import YAML
from slo_strategies import ONE, objectives

from otel_agentops import slo
from otel_agentops.slo.exchange import openslo, own
from otel_agentops.slo.exchange.openslo_read import Additions, Imported, read_file
from stack import ROOT

EXPORTED = """\
apiVersion: openslo/v1
kind: SLO
metadata:
  name: slow-answers
  displayName: 'slow_answers (direct: latency)'
  labels:
    sli-type: direct
  annotations:
    otel-agentops.name: slow_answers
    otel-agentops.service: support-.*
    otel-agentops.sli: '{"use": "latency", "threshold": 8.0}'
    otel-agentops.owner: o
    otel-agentops.runbook: r
    otel-agentops.severity: ticket
    otel-agentops.minimum-events: '20'
    otel-agentops.minimum-failures: '3'
    otel-agentops.trip-policy: t
spec:
  description: 0.1 % in 28d may be model calls that took longer than 8 s.
  service: any-service
  indicator:
    metadata:
      name: latency
    spec:
      ratioMetric:
        counter: true
        bad:
          metricSource:
            type: Prometheus
            spec:
              query: otel_agentops_sli_bad_total{otel_agentops_sli_name="latency", service_name=~"support-.*"}
        total:
          metricSource:
            type: Prometheus
            spec:
              query: otel_agentops_sli_events_total{otel_agentops_sli_name="latency", service_name=~"support-.*"}
  timeWindow:
    - duration: 28d
      isRolling: true
  budgetingMethod: Occurrences
  objectives:
    - displayName: slow_answers
      target: 0.999
"""
# What the text of the specification asks of an SLO with an indicator of its own:
# https://github.com/OpenSLO/OpenSLO/blob/main/README.md#slo
NAME = {"type": "string", "pattern": "^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$"}
HALF = {
    "type": "object",
    "required": ["metricSource"],
    "properties": {"metricSource": {"type": "object", "required": ["type", "spec"]}},
}
FACTS: dict[str, Any] = {
    "type": "object",
    "required": ["apiVersion", "kind", "metadata", "spec"],
    "properties": {
        "apiVersion": {"const": "openslo/v1"},
        "kind": {"const": "SLO"},
        "metadata": {
            "required": ["name"],
            "properties": {
                "name": NAME,
                "displayName": {"type": "string", "minLength": 1},
                "labels": {"additionalProperties": {"type": "string"}},
                "annotations": {
                    "propertyNames": {"pattern": "^[a-z0-9A-Z]([-._a-z0-9A-Z]{0,61}[a-z0-9A-Z])?$"},
                    "additionalProperties": {"type": "string"},
                },
            },
        },
        "spec": {
            "required": ["service", "indicator", "timeWindow", "budgetingMethod", "objectives"],
            "properties": {
                "description": {"type": "string", "maxLength": 1050},
                "service": NAME,
                "indicator": {
                    "required": ["metadata", "spec"],
                    "properties": {
                        "metadata": {"required": ["name"], "properties": {"name": NAME}},
                        "spec": {
                            "properties": {
                                "ratioMetric": {
                                    "required": ["counter", "bad", "total"],
                                    "properties": {"counter": {"const": True}, "bad": HALF, "total": HALF},
                                }
                            },
                            "required": ["ratioMetric"],
                        },
                    },
                },
                "timeWindow": {
                    "maxItems": 1,
                    "minItems": 1,
                    "items": {
                        "properties": {"duration": {"pattern": "^[1-9][0-9]*[mhdwMQY]$"}, "isRolling": {"const": True}}
                    },
                },
                "budgetingMethod": {"enum": ["Occurrences", "Timeslices", "RatioTimeslices"]},
                "objectives": {
                    "minItems": 1,
                    "items": {
                        "required": ["target"],
                        "properties": {"target": {"type": "number", "minimum": 0, "exclusiveMaximum": 1}},
                    },
                },
            },
        },
    },
}


def test_a_whole_export() -> None:
    fields = {"name": "slow_answers", "sli": {"use": "latency", "threshold": 8}, "objective": 0.999, "window": "28d"}
    said = {"owner": "o", "runbook": "r", "service": "support-.*", "severity": "ticket", "trip_policy": "t"}
    assert openslo.render_text([slo.Slo.model_validate(fields | said)]) == EXPORTED


def test_the_projects_own_objectives_come_back(tmp_path: Path) -> None:
    ours = slo.load(ROOT / "slo")
    (tmp_path / "x.yaml").write_text(openslo.render_text(ours))
    assert read_file(tmp_path / "x.yaml", Additions()) == Imported([(one, "") for one in ours], [], [])


@given(objectives())
@settings(max_examples=40, deadline=None)
def test_any_objective_comes_back(one: slo.Slo) -> None:
    with TemporaryDirectory() as directory:
        file = Path(directory, "x.yaml")
        file.write_text(openslo.render_text([one]), "utf-8")
        jsonschema.validate(YAML(typ="safe").load(file), FACTS)
        assert read_file(file, Additions()) == Imported([(one, "")], [], [])


@given(objectives())
@settings(max_examples=40, deadline=None)
def test_any_objective_is_written_as_a_spec(one: slo.Slo) -> None:
    with TemporaryDirectory() as directory:
        file = Path(directory, "x.yaml")
        file.write_text(own.render_text(one, "two\nlines"), "utf-8")
        assert slo.load(file) == [one]


def test_two_names_that_become_one() -> None:
    twins = [ONE.model_copy(update={"name": name}) for name in ("a_b", "a-b")]
    with pytest.raises(ValueError, match="a_b and a-b have one name in OpenSLO, 'a-b'; rename one of them"):
        openslo.render_text(twins)


# -- theirs

THEIRS = """\
apiVersion: openslo/v1
kind: Service
metadata: {name: shop.eu}
spec: {description: x}
---
apiVersion: openslo/v1
kind: SLI
metadata: {name: errors}
spec:
  ratioMetric:
    counter: true
    good: {metricSource: {metricSourceRef: dd, spec: {query: q}}}
    total: {metricSource: {type: Datadog, spec: {query: q}}}
---
apiVersion: openslo/v1
kind: SLO
metadata: {name: search}
spec:
  description: Search works.
  service: shop.eu
  indicatorRef: errors
  timeWindow: [{duration: 4w, isRolling: true}]
  budgetingMethod: Occurrences
  objectives: [{targetPercent: 99.9}]
  alertPolicies: [p]
---
apiVersion: openslo/v1
kind: DataSource
metadata: {name: dd}
spec: {type: Datadog, connectionDetails: {}}
"""
SAID = Additions({"errors": {"use": "latency", "threshold": 3}}, "shop-team", "https://r")


def theirs(directory: Path, old: str = "", new: str = "") -> Path:
    file = directory / "theirs.yaml"
    file.write_text(THEIRS.replace(old, new, 1))
    return file


def test_what_can_be_mapped_is(tmp_path: Path) -> None:
    file = theirs(tmp_path)
    found = read_file(file, SAID)
    search = {"name": "search", "sli": {"use": "latency", "threshold": 3}, "objective": 0.999, "window": "28d"}
    said = {"owner": "shop-team", "runbook": "https://r", "service": "shop\\.eu"}
    assert found.slos == [(slo.Slo.model_validate(search | said), "Search works.")]
    assert found.problems == []
    assert found.notes == [
        f"{file}:1: Service shop.eu is left out: a service is what spans call themselves (service.name)",
        f"{file}:25: SLO search: alertPolicies are left out: alerts follow from the objective (docs/slo.md), and who is "
        "told is for Alertmanager to say",
        f"{file}:20: SLO search: service shop.eu is taken for the service.name of its spans",
        f"{file}:27: DataSource dd is left out: our counters come from the collector",
    ]


@pytest.mark.parametrize(
    ("old", "new", "said", "sentence"),
    [
        ("", "", Additions({}, "o", "r"), "21: spec.indicatorRef: SLO search: errors (good of dd, total of Datadog) is not translated; say which indicator means the same: --sli 'errors=task_completed', or"),
        ("indicatorRef: errors", "indicatorRef: other", SAID, "21: spec.indicatorRef: SLO search: other (not in this file) is not translated; say"),
        ("indicatorRef: errors", "indicator: {spec: {thresholdMetric: {metricSource: {type: Redshift, spec: {}}}}}", SAID, "21: spec.indicator: SLO search: search (thresholdMetric of Redshift) is not translated; say which indicator means the same: --sli 'search="),
        ("  indicatorRef: errors\n", "", SAID, "18: spec: SLO search: has no indicator of its own; a composite is no objective of ours"),
        ("", "", Additions(SAID.slis, None, "r"), "17: metadata: SLO search: has no owner, for which OpenSLO has no field; say it: --owner …"),
        ("", "", Additions(SAID.slis, "o"), "17: metadata: SLO search: has no runbook, for which OpenSLO has no field; say it: --runbook …"),
        ("{duration: 4w, isRolling: true}", "{duration: 1M, calendar: {startTime: 2020-01-21 12:30:00, timeZone: Europe/Berlin}}", SAID, "22: spec.timeWindow: SLO search: only rolling windows of days (d) or weeks (w) can be counted, not 1M"),
        ("duration: 4w", "duration: 12h", SAID, "22: spec.timeWindow: SLO search: only rolling windows of days (d) or weeks (w) can be counted, not 12h"),
        ("duration: 4w", "duration: 1d", SAID, "15: SLO search: window: '1d' is not between 7d and 90d; the slowest alert looks at 3 days"),
        ("Occurrences", "Timeslices", SAID, "23: spec.budgetingMethod: SLO search: Timeslices cannot be counted; our budgets are of Occurrences"),
        ("[{targetPercent: 99.9}]", "[{target: 0.9}, {target: 0.8}]", SAID, "24: spec.objectives: SLO search: an objective of ours has one target; write each into an SLO of its own"),
        ("targetPercent: 99.9", "target: 0.9, op: lte, value: 3", SAID, "24: spec.objectives.0: SLO search: a threshold of a metric is no ratio of events; say when an event is bad instead"),
        ("targetPercent: 99.9", "displayName: x", SAID, "24: spec.objectives.0: SLO search: target is missing; add it"),
        ("99.9", "most", SAID, "24: spec.objectives.0.targetPercent: SLO search: 'most' is no number; write for instance 0.95"),
        ("name: search", "name: 1search", SAID, "15: SLO search: name: '1search' is no name; take a-z, 0-9, - and _, at most 63, a letter first, no - or _ last"),
        ("name: search", "name: search, annotations: {otel-agentops.minimum-events: few}", SAID, "15: SLO search: minimum.events: 'few' will not do: input should be a valid integer"),
        ("name: search", "name: search, annotations: {otel-agentops.sli: '{x'}", Additions({}, "o", "r"), "17: metadata.annotations.otel-agentops.sli: SLO search: is no JSON ("),
    ],
)  # fmt: skip
def test_what_cannot_be_mapped_is_named(tmp_path: Path, old: str, new: str, said: Additions, sentence: str) -> None:
    file = theirs(tmp_path, old, new)
    found = read_file(file, said)
    assert found.slos == []
    (problem,) = found.problems
    assert problem.startswith(f"{file}:{sentence}".replace("SLO search: name", "SLO 1search: name"))


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("- a", ":1: is no OpenSLO object; it is a mapping with apiVersion, kind, metadata and spec"),
        ("apiVersion: sloth.slok.dev/v1\n", ":1: apiVersion: 'sloth.slok.dev/v1' is not read; openslo/v1 is"),
        ("kind: SLO\napiVersion: openslo/v1\nmetadata: {}\nspec: {}\n", ":3: metadata.name: is missing; add it"),
        ("a: [", ":1: is no YAML: expected"),
    ],
)
def test_not_openslo(tmp_path: Path, text: str, sentence: str) -> None:
    (tmp_path / "x.yaml").write_text(text)
    with pytest.raises(slo.SpecError, match=re.escape(f"x.yaml{sentence[:20]}")):
        read_file(tmp_path / "x.yaml", Additions())


# -- the command


def run(directory: Path, *arguments: str) -> tuple[int, str, str]:
    command = [sys.executable, "-m", "otel_agentops.cli", "slo", *arguments]
    done = subprocess.run(command, cwd=directory, capture_output=True, text=True)
    return done.returncode, done.stdout, done.stderr


def test_import_and_export(tmp_path: Path) -> None:
    theirs(tmp_path)
    said = ("--owner", "shop-team", "--runbook", "https://r", "--sli", "errors={use: latency, threshold: 3}")
    code, printed, _ = run(tmp_path, "import", "openslo", "theirs.yaml", *said)
    assert (code, printed) == (0, "slo/search.yaml\n")
    written = (tmp_path / "slo" / "search.yaml").read_text()
    assert written == (
        "# Search works.\nname: search\nsli:\n  use: latency\n  threshold: 3.0\nobjective: 0.999\nowner: shop-team\n"
        "runbook: https://r\nservice: shop\\.eu\nwindow: 28d\n"
    )
    assert run(tmp_path, "export", "openslo", "--out", "exported.yaml") == (0, "", "")
    assert (tmp_path / "exported.yaml").read_text() == openslo.render_text(slo.load(tmp_path / "slo"))
    (tmp_path / "slo" / "search.yaml").write_text("name: other")
    code, printed, stderr = run(tmp_path, "import", "openslo", "theirs.yaml", *said)
    there = "slo/search.yaml: is there already and says something else; move it away, or rename one of them"
    assert (code, printed, stderr) == (1, "", f"otel-agentops slo: {there}\n")
