"""Terraform for Honeycomb: what the provider takes, and fields that are true, false or null as the verdicts say."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import hcl2
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from slo_strategies import ONE, objectives

from otel_agentops import slo
from otel_agentops.slo import generate, honeycomb
from stack import ROOT

ARGUMENTS = json.loads(Path(__file__).with_name("honeycomb_arguments.json").read_text())
OWN = {
    "name": "empty_search",
    "type": "proxy",
    "on": "outcome",
    "eligible": 'attributes["a"] == 1',
    "bad": 'attributes["b"] == 1',
    "about": "searches ${x} that found %{nothing}",
}
SLOS = [
    *slo.load(ROOT / "slo"),
    ONE.model_copy(update={"name": "some", "service": "shop-(eu|us)", "window": "7d", "severity": "ticket"}),
    ONE.model_copy(update={"name": "most", "objective": 0.5}),
    ONE.model_copy(update={"name": "beyond", "objective": 0.9999999}),
    slo.Slo.model_validate({**dict(ONE), "name": "late", "sli": OWN, "minimum": {}}),
]
SAID = """\
services          = { "support" = "support-agent", "shop" = "shop-eu" }
judge_revisions   = ["r1", "r2"]
create_columns    = true
page_recipients   = ["p"]
ticket_recipients = ["t"]
change            = { variable = "prompt", scope = "support", previous = "a", value = "b" }
"""


parsed = cache(hcl2.loads)  # slow: a second for the board


def blocks(texts: Mapping[str, str]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Kind and type, label, and body of each resource and each source of data."""
    for text in texts.values():
        content = parsed(text)
        for kind in ("resource", "data"):
            for entry in content.get(kind, ()):
                for type_, labelled in entry.items():
                    for label, body in labelled.items():
                        yield f"{kind} {type_.strip(chr(34))}", label.strip('"'), body


def named(texts: Mapping[str, str], kind: str) -> dict[str, dict[str, Any]]:
    return {label: body for each, label, body in blocks(texts) if each == f"resource {kind}"}


MADE = honeycomb.files(SLOS)

# -- what the provider takes

META = {"for_each", "count", "depends_on", "lifecycle", "__is_block__"}


def wrong(where: str, body: Mapping[str, Any], known: Mapping[str, Any]) -> Iterator[str]:
    """Arguments that the provider does not have, and required ones that are missing."""
    inner = dict(body)
    for dynamic in inner.pop("dynamic", ()):
        for name, content in dynamic.items():
            if name != "__is_block__":
                inner[name.strip('"')] = content["content"]
    for name, value in inner.items():
        if name not in known and name not in META:
            yield f"{where} has no {name}"
        elif isinstance(known.get(name), dict):
            yield from (text for each in value for text in wrong(f"{where}.{name}", each, known[name]))
    yield from (f"{where} lacks {name}" for name, level in known.items() if level == "required" and name not in inner)


def test_every_argument_is_one_of_the_provider() -> None:
    found = [text for kind, label, body in blocks(MADE) for text in wrong(f"{kind} {label}", body, ARGUMENTS[kind])]
    assert found == []


def test_the_check_of_arguments_sees_what_is_wrong() -> None:
    known = ARGUMENTS["resource honeycombio_slo"]
    assert list(wrong("slo", {"name": "x", "sli": "y", "target": 9, "time_period": 1}, known)) == [
        "slo has no target",
        "slo lacks target_percentage",
    ]


@pytest.fixture(scope="session")
def terraform() -> str:
    found = shutil.which("terraform") or shutil.which("tofu")
    if found is None:
        pytest.skip("neither terraform nor tofu is on PATH")
    return found


def run(terraform: str, directory: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    # An address where nothing answers: a plan of what is new asks nobody.
    nobody = {"HONEYCOMB_API_KEY": "none", "HONEYCOMB_API_ENDPOINT": "http://127.0.0.1:9", "CHECKPOINT_DISABLE": "1"}
    command = [terraform, *arguments]
    return subprocess.run(command, cwd=directory, env={**os.environ, **nobody}, capture_output=True, text=True)


@pytest.fixture
def written(tmp_path: Path) -> Path:
    generate.write(MADE, tmp_path)
    (tmp_path / "honeycomb" / "said.auto.tfvars").write_text(SAID)
    return tmp_path / "honeycomb"


def test_terraform_would_write_it_so(terraform: str, written: Path) -> None:
    done = run(terraform, written, "fmt", "-check", "-diff")
    assert done.returncode == 0, done.stdout


def test_the_provider_plans_it(terraform: str, written: Path) -> None:
    """With the provider itself, where terraform can get it; TF_CLI_CONFIG_FILE may name one that is here."""
    valid = run(terraform, written, "validate", "-no-color")
    if "required provider" in valid.stderr or "Missing required provider" in valid.stderr:
        run(terraform, written, "init", "-input=false", "-no-color")
        valid = run(terraform, written, "validate", "-no-color")
    if "required provider" in valid.stderr or "Missing required provider" in valid.stderr:
        pytest.skip("terraform has no provider honeycombio/honeycombio here, and cannot fetch it")
    assert valid.returncode == 0, valid.stderr
    planned = run(terraform, written, "plan", "-input=false", "-no-color", "-refresh=false")
    assert planned.returncode == 0, planned.stderr
    slos = re.findall(r"# honeycombio_slo\.(\S+) will be created", planned.stdout)
    assert sorted(slos) == [
        'answers["shop"]', 'answers["support"]',
        'judged["shop/r1"]', 'judged["shop/r2"]', 'judged["support/r1"]', 'judged["support/r2"]',
        'late["shop"]', 'late["support"]', 'most["shop"]', 'most["support"]',
        'some["shop"]', 'tools["shop"]', 'tools["support"]',
    ]  # fmt: skip


@given(st.lists(objectives(), max_size=3, unique_by=lambda one: one.name))
@settings(max_examples=10, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_any_objective_gives_files_that_parse(slos: list[slo.Slo]) -> None:
    made = honeycomb.files(slos)
    bodies = named({"": made["honeycomb/objectives.tf"]} if slos else {}, "honeycombio_slo")
    assert set(bodies) == {one.name for one in slos if one.objective <= 0.999999}


# -- what the fields say


def evaluated(expression: str, event: Mapping[str, Any]) -> bool | None:
    """A calculated field of an event, in the few functions that are used.

    https://docs.honeycomb.io/reference/derived-column-formula/functions/
    """
    functions = {
        "IF": lambda condition, value: value if condition else None,
        "AND": lambda *parts: all(parts),
        "NOT": lambda part: not part,
        "EXISTS": lambda part: part is not None,
        "EQUALS": lambda one, other: one == other,
        "column": event.get,
    }
    python = re.sub(r"\$([a-z_.]+)", r'column("\1")', expression)
    found = eval(python, {"__builtins__": {}}, functions)
    assert found is None or isinstance(found, bool)
    return found


def expression(name: str) -> str:
    return str(json.loads(named(MADE, "honeycombio_derived_column")[name]["expression"]))


TASK, JUDGE, TOOL, LATE = (
    f"otel_agentops.sli.{name}.bad" for name in ("task_completed", "judge_score", "tool_success", "empty_search")
)
SOURCE, VERDICT, REVISION = "otel_agentops.truth.source", "otel_agentops.truth.verdict", "otel_agentops.judge.revision"


@pytest.mark.parametrize(
    ("name", "event", "said"),
    [
        ("answers", {TASK: 0}, True),
        ("answers", {TASK: 1}, False),
        ("answers", {}, None),
        ("answers", {TOOL: 1}, None),
        ("answers", {TASK: 1, VERDICT: "good"}, None),  # the outcome event repeats the task's verdict
        ("answers", {TASK: 1, SOURCE: "refund"}, None),
        ("tools", {TOOL: 1, TASK: 0}, False),
        ("judged", {JUDGE: 1, REVISION: "${each.key}"}, False),
        ("judged", {JUDGE: 0, REVISION: "${each.key}"}, True),
        ("judged", {JUDGE: 0, REVISION: "another"}, None),  # revisions are never one number
        ("judged", {JUDGE: 0}, None),
        ("late", {LATE: 1, SOURCE: "edit"}, False),
        ("late", {SOURCE: "edit"}, None),
    ],
)
def test_a_field_is_true_false_or_null(name: str, event: dict[str, Any], said: bool | None) -> None:
    assert evaluated(expression(name), event) is said


def test_no_query_mixes_revisions_of_a_judge() -> None:
    for kind, label, body in blocks(MADE):
        if kind == "data honeycombio_query_specification" and JUDGE in str(body):
            assert f'"{REVISION}"' in body["breakdowns"], label


# -- burn alerts


def alerts(name: str) -> dict[str, tuple[Any, ...]]:
    """By what follows the name: minutes and per cent of the budget, or minutes until there is none."""
    rate = ("budget_rate_window_minutes", "budget_rate_decrease_percent", "exhaustion_minutes")
    found = named(MADE, "honeycombio_burn_alert").items()
    return {
        label.removeprefix(f"{name}_"): tuple(float(body[key]) for key in rate if key in body)
        for label, body in found
        if label.startswith(f"{name}_")
    }


def test_burn_alerts_are_those_of_the_rules() -> None:
    assert alerts("answers") == {
        "page_1h": (60, 2),  # 14.4 times, an hour of 30 days
        "page_6h": (360, 5),
        "ticket_1d": (1440, 10),
        "ticket_3d": (4320, 10),
        "exhausted": (1440,),
    }


def test_windows_and_severities() -> None:
    assert alerts("some") == {"ticket_1d": (1440, 42.8571), "ticket_3d": (4320, 42.8571), "exhausted": (1440,)}


def test_a_factor_that_nothing_reaches_is_lowered() -> None:
    """Half may be bad: 0.8 of all events burn 1.6 times as fast as promised."""
    assert alerts("most") == {
        "page_1h": (60, 0.2222),
        "page_6h": (360, 1.3333),
        "ticket_1d": (1440, 5.3333),
        "ticket_3d": (4320, 10),
        "exhausted": (1440,),
    }


def test_more_than_honeycomb_can_promise_is_left_out() -> None:
    assert "beyond" not in named(MADE, "honeycombio_slo")
    assert honeycomb.notes(SLOS) == [
        "beyond: honeycomb: takes no objective above 99.9999 %, so there is no SLO of it there"
    ]


def test_columns_are_of_their_registered_type() -> None:
    (columns,) = [each["columns"] for each in parsed(MADE["honeycomb/columns.tf"])["locals"]]
    types = {name.strip('"'): value.strip('"') for name, value in columns.items() if name != "__is_block__"}
    assert types[TASK] == types[LATE] == types["otel_agentops.attempt.count"] == "integer"
    assert types["otel_agentops.task.cost"] == "float"
    read = {name for text in MADE.values() for name in re.findall(r"\$([a-z_]+\.[a-z_.]+)", text)}
    asked = {name for _, _, body in blocks(MADE) for name in re.findall(r'"([a-z_]+(?:\.[a-z_]+)+)"', str(body))}
    assert read <= set(types)
    assert {name for name in asked if name.startswith(("otel_agentops.", "gen_ai."))} <= set(types)
