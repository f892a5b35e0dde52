"""Any text of a spec arrives as it was written: in alerts of Prometheus and Grafana, and in Terraform."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from ruamel.yaml import YAML
from slo_strategies import valid

from otel_agentops import slo
from otel_agentops.slo import honeycomb, prometheus
from otel_agentops.slo.grafana import alerts
from otel_agentops.slo.honeycomb._terraform import Template, quote_text, render_file
from otel_agentops.slo.prometheus._text import render_yaml
from otel_agentops.slo.prometheus.objective import escape_template

FRAGMENTS = [
    "{{", "}}", "{", "}", "{{-", "-}}", "{{/*", "*/}}", "end", "$value", "$labels.x", "| query }}", "{{ $value }}", "$",
    "$$", "${", "$${", "%{", "%%{", "$__file{x}", '"', "'", "`", "\\", "\\n", "\\u0041", "<!channel>", "<@here>", "**",
    "[a](b)", "#", ": ", "- ", "|", ">", "&a", "*a", "!x", "%", "%s", "~", "\ufeff", "\u200b", "\u202e", "é", "😀", "x",
    " ",
]  # fmt: skip
LONG = "x" * 12_000 + "{{ y"  # longer than a line of YAML may be
TEXTS = st.one_of(
    st.lists(st.sampled_from(FRAGMENTS), min_size=1, max_size=6).map("".join), st.text(min_size=1, max_size=20)
).filter(lambda text: valid(owner=text))
FIELDS = ("about", "owner", "runbook", "trip_policy")
SPECS = st.lists(st.fixed_dictionaries(dict.fromkeys(FIELDS, TEXTS)), min_size=12, max_size=12)
# The live parts of the texts, and their values for a series of the value 1.
LIVE = {
    "{{ $labels.service_name }}": "shop",
    "{{ $value | humanizePercentage }}": "100%",
    "{{ $value | humanizeDuration }}": "1s",
    "{{ $value | humanizeTimestamp }}": "1970-01-01 00:00:01 +0000 UTC",
    "{{ $value | printf `%.1f` }}": "1.0",
}
# Look-ups of other series, which the tests have none of: their `else` is shown.
NO_SERIES = re.compile(r"\{\{ \$of := printf `[^`]*`[^}]*\}\}|\{\{ with [^}]*\}\}.*?\{\{ else \}\}(.*?)\{\{ end \}\}")
Rule = Any  # as it is read from a file, or as data


def build_slo(number: int, texts: Mapping[str, str]) -> slo.Slo:
    own = {"name": f"own_{number}", "type": "proxy", "on": "outcome", "eligible": 'attributes["a"] == 1'}
    sli = {**own, "bad": 'attributes["b"] == 1', "about": texts["about"]}
    return slo.Slo.model_validate(
        {"name": f"a{number}", "sli": sli, "objective": 0.99, **{field: texts[field] for field in FIELDS[1:]}}
    )


def list_alerts(slos: Sequence[slo.Slo]) -> list[Rule]:
    """Return the alerts of objectives, those of all services left out."""
    rules: Iterator[Rule] = (dict(rule) for group in prometheus.build_rules(slos)["groups"] for rule in group["rules"])
    return [rule for rule in rules if "alert" in rule and "slo" in rule["labels"]]


def fill_in(text: str, texts: Mapping[str, str]) -> str:
    """Return a text that was made with placeholders as a person gets it."""
    for live, value in LIVE.items():
        text = text.replace(live, value)
    text = NO_SERIES.sub(r"\1", text)
    assert "{{" not in text
    return re.sub(r"<<(\w+)>>", lambda match: " ".join(texts[match[1]].split()), text)


def pair_alerts(slos: Sequence[slo.Slo], specs: Sequence[Mapping[str, str]]) -> Iterator[tuple[Rule, Rule]]:
    """Yield each alert with what a person has to get, made from the same one with harmless texts."""
    harmless = {field: f"<<{field}>>" for field in FIELDS}
    wanted = list_alerts([build_slo(number, harmless) for number in range(len(specs))])
    for rule, like in zip(list_alerts(slos), wanted, strict=True):
        texts = specs[int(rule["labels"]["slo"][1:])]
        shown = {key: text for key, text in like["annotations"].items() if "<<" in text}
        yield (
            {**rule, "annotations": {key: rule["annotations"][key] for key in shown}},
            {
                "exp_labels": {key: fill_in(text, texts) for key, text in like["labels"].items()},
                "exp_annotations": {key: fill_in(text, texts) for key, text in shown.items()},
            },
        )


def write_test(directory: Path, pairs: Sequence[tuple[Rule, Rule]]) -> Path:
    """Write a test of promtool: each alert fires for one series, and its texts are compared."""
    rules: list[Rule] = []
    series = {}
    expected: defaultdict[str, list[Rule]] = defaultdict(list)
    for number, (rule, shown) in enumerate(pairs):
        labels = {"slo": rule["labels"]["slo"], "service_name": "shop", "number": str(number)}
        matchers = ", ".join(f'{name}="{value}"' for name, value in labels.items())
        series[f"texts{{{matchers}}}"] = "1 1"
        rules.append({key: rule[key] for key in ("alert", "labels", "annotations")} | {"expr": f"texts{{{matchers}}}"})
        expected[rule["alert"]].append({**shown, "exp_labels": {**labels, **shown["exp_labels"]}})
    test = {
        "interval": "1m",
        "input_series": [{"series": name, "values": values} for name, values in series.items()],
        "alert_rule_test": [
            {"eval_time": "1m", "alertname": name, "exp_alerts": shown} for name, shown in expected.items()
        ],
    }
    alerts_text = render_yaml({"groups": [{"name": "a", "interval": "1m", "rules": rules}]})
    (directory / "alerts.yaml").write_text(alerts_text, "utf-8")
    # JSON, since ruamel folds a line after U+FEFF, which then reads as a space more.
    content = {"rule_files": ["alerts.yaml"], "evaluation_interval": "1m", "tests": [test]}
    (directory / "test.yaml").write_text(json.dumps(content, ensure_ascii=False), "utf-8")
    return directory / "test.yaml"


def run_test(promtool: Path, directory: Path, specs: Sequence[Mapping[str, str]]) -> None:
    slos = [build_slo(number, texts) for number, texts in enumerate(specs)]
    test = write_test(directory, [*pair_alerts(slos, specs)])
    done = subprocess.run([promtool, "test", "rules", test], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


@given(specs=SPECS)
@settings(max_examples=4, deadline=None, suppress_health_check=list(HealthCheck))
def test_alerts_show_the_texts_of_the_spec(promtool: Path, tmp_path: Path, specs: list[dict[str, str]]) -> None:
    run_test(promtool, tmp_path, specs)


def test_alerts_show_texts_that_look_like_templates(promtool: Path, tmp_path: Path) -> None:
    texts = ["answers with {{placeholder}} left in", "a {{", "{", "{{ end }}", "{{/* x */}} y", "{{{", LONG]
    run_test(promtool, tmp_path, [dict.fromkeys(FIELDS, text) for text in texts])


def test_grafana_alerts_keep_the_texts_of_the_spec() -> None:
    """Compare with Prometheus' alerts: the templates are the same, but for the value."""
    texts = ["costs $value", "{{ $value | query }}", "x | query }}", "{{ $value", "$__file{x} $$ ${y}", "<!channel>"]
    specs = [dict.fromkeys(FIELDS, text) for text in texts]
    rules = list_alerts([build_slo(number, texts) for number, texts in enumerate(specs)])
    groups = YAML(typ="safe").load(alerts.render_alerts({"groups": [{"name": "a", "interval": "1m", "rules": rules}]}))
    for rule, made in zip(rules, groups["groups"][0]["rules"], strict=True):
        shown = {key: text.replace("$$", "$") for key, text in made["annotations"].items()}
        assert made["labels"]["owner"].replace("$$", "$") == rule["labels"]["owner"]
        about = specs[int(rule["labels"]["slo"][1:])]["about"]
        about = escape_template(f"may be {' '.join(about.split())}.")
        assert (about in shown["description"]) == (about in rule["annotations"]["description"])
        for field in FIELDS[1:]:
            assert shown[field] == rule["annotations"][field]


def test_terraform_reads_texts_as_they_were_written(tmp_path: Path) -> None:
    """Terraform itself evaluates both a text and a literal within an expression."""
    terraform = shutil.which("terraform") or shutil.which("tofu")
    if terraform is None:
        pytest.skip("neither terraform nor tofu is on PATH")
    # It takes a byte order mark off a text's start, where no text of a spec stands.
    texts = [*FRAGMENTS, *(first + second for first in FRAGMENTS for second in ("{x", "${x}", "%{x}", "\\", '"')), LONG]
    texts = [f"of {text}" for text in texts]
    content = {f"text_{number}": text for number, text in enumerate(texts)}
    literals = {f"literal_{number}": Template(f"${{{quote_text(text)}}}") for number, text in enumerate(texts)}
    (tmp_path / "main.tf.json").write_text(render_file({"locals": {"read": {**content, **literals}}}), "utf-8")
    done = subprocess.run(
        [terraform, "console"], cwd=tmp_path, input="jsonencode(local.read)", capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    read = json.loads(json.loads(done.stdout))
    assert [read[f"text_{number}"] for number in range(len(texts))] == texts
    assert [read[f"literal_{number}"] for number in range(len(texts))] == texts


def test_descriptions_fit_into_honeycomb() -> None:
    long = build_slo(0, dict.fromkeys(FIELDS, LONG))
    contents = [json.loads(text) for text in honeycomb.files([long]).values()]
    questions = next(each["locals"]["questions"] for each in contents if "questions" in each.get("locals", {}))
    assert max(len(each["description"]) for each in questions.values()) == 1023
    resources = [each.get("resource", {}) for each in contents]
    for kind, longest in (("slo", 1023), ("burn_alert", 1023), ("derived_column", 255)):
        bodies = [body for each in resources for body in each.get(f"honeycombio_{kind}", {}).values()]
        assert max(len(body["description"]) for body in bodies) == longest
