"""Terraform for Honeycomb: arguments that the provider takes, and fields that are true, false or null by verdict."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from slo_strategies import ONE, objectives
from typer.testing import CliRunner

from otel_agentops import slo
from otel_agentops.slo import generate, honeycomb
from otel_agentops.slo.cli import app
from otel_agentops.slo.honeycomb._terraform import HEAD
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
VARIABLES = """\
services          = { "support" = "support-agent", "shop" = "shop-eu" }
judge_revisions   = ["r1", "r2"]
create_columns    = true
page_recipients   = ["p"]
ticket_recipients = ["t"]
change            = { variable = "prompt", scope = "support", previous = "a", value = "b" }
"""


FILES = honeycomb.files(SLOS)
Labels = dict[str, dict[str, Any]]


def iterate_blocks(texts: Mapping[str, str]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Yield kind and type, label, and body of each resource and each source of data."""
    for text in texts.values():
        content: dict[str, dict[str, Labels]] = json.loads(text)
        for kind in ("resource", "data"):
            for type_name, bodies in content.get(kind, {}).items():
                for label, body in bodies.items():
                    yield f"{kind} {type_name}", label, body


def find_resources(texts: Mapping[str, str], kind: str) -> Labels:
    """Return the bodies of one type of resource by their labels."""
    return {label: body for each, label, body in iterate_blocks(texts) if each == f"resource {kind}"}


# -- what the provider takes

META = {"for_each", "count", "depends_on", "lifecycle"}


def find_mistakes(where: str, body: Mapping[str, Any], arguments: Mapping[str, Any]) -> Iterator[str]:
    """Yield the arguments that the provider does not have, and the required ones that are missing."""
    inner = {name: list_bodies(value) if isinstance(value, (dict, list)) else value for name, value in body.items()}
    for name, dynamic in inner.pop("dynamic", [{}])[0].items():
        inner[name] = [*inner.get(name, ()), *(each["content"] for each in list_bodies(dynamic))]
    for name, value in inner.items():
        if name not in arguments and name not in META:
            yield f"{where} has no {name}"
        elif isinstance(arguments.get(name), dict):
            yield from (text for each in value for text in find_mistakes(f"{where}.{name}", each, arguments[name]))
    for name, level in arguments.items():
        if level == "required" and name not in inner:
            yield f"{where} lacks {name}"


def list_bodies(value: Any) -> list[Any]:
    """Return the bodies of a block, of which JSON may hold one or a list."""
    return value if isinstance(value, list) else [value]


def test_every_argument_is_one_of_the_provider() -> None:
    mistakes = [
        text
        for kind, label, body in iterate_blocks(FILES)
        for text in find_mistakes(f"{kind} {label}", body, ARGUMENTS[kind])
    ]
    assert mistakes == []


def test_find_mistakes_names_wrong_arguments() -> None:
    arguments = ARGUMENTS["resource honeycombio_slo"]
    assert list(find_mistakes("slo", {"name": "x", "sli": "y", "target": 9, "time_period": 1}, arguments)) == [
        "slo has no target",
        "slo lacks target_percentage",
    ]


def test_find_mistakes_looks_into_dynamic_blocks() -> None:
    board = {
        "name": "x",
        "panel": {"type": "text", "text": {}},
        "dynamic": {"panel": [{"for_each": [], "content": {"type": "slo", "slo_panel": {}}}]},
    }
    assert list(find_mistakes("board", board, ARGUMENTS["resource honeycombio_flexible_board"])) == [
        "board.panel has no text",
        "board.panel.slo_panel lacks slo_id",
    ]


@pytest.fixture(scope="session")
def terraform() -> str:
    program = shutil.which("terraform") or shutil.which("tofu")
    if program is None:
        pytest.skip("neither terraform nor tofu is on PATH")
    return program


def run_terraform(terraform: str, directory: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    # An address where nothing answers: a plan of what is new asks nobody.
    nobody = {"HONEYCOMB_API_KEY": "none", "HONEYCOMB_API_ENDPOINT": "http://127.0.0.1:9", "CHECKPOINT_DISABLE": "1"}
    command = [terraform, *arguments]
    return subprocess.run(command, cwd=directory, env={**os.environ, **nobody}, capture_output=True, text=True)


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    generate.write(FILES, tmp_path)
    (tmp_path / "honeycomb" / "team.auto.tfvars").write_text(VARIABLES)
    return tmp_path / "honeycomb"


def test_the_provider_plans_it(terraform: str, directory: Path) -> None:
    """With the provider itself, where terraform can get it; TF_CLI_CONFIG_FILE may name one that is here."""
    valid = run_terraform(terraform, directory, "validate", "-no-color")
    if "required provider" in valid.stderr or "Missing required provider" in valid.stderr:
        run_terraform(terraform, directory, "init", "-input=false", "-no-color")
        valid = run_terraform(terraform, directory, "validate", "-no-color")
    if "required provider" in valid.stderr or "Missing required provider" in valid.stderr:
        pytest.skip("terraform has no provider honeycombio/honeycombio here, and cannot fetch it")
    assert valid.returncode == 0, valid.stderr
    planned = run_terraform(terraform, directory, "plan", "-input=false", "-no-color", "-refresh=false")
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
    bodies = find_resources(honeycomb.files(slos), "honeycombio_slo")
    assert set(bodies) == {one.name for one in slos if one.objective <= 0.999999}


# -- what the fields say


def evaluate_field(expression: str, event: Mapping[str, Any]) -> bool | None:
    """Evaluate a calculated field of an event, in the few functions that are used.

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
    result = eval(python, {"__builtins__": {}}, functions)
    assert result is None or isinstance(result, bool)
    return result


TASK, JUDGE, TOOL, LATE = (
    f"otel_agentops.sli.{name}.bad" for name in ("task_completed", "score_floor", "tool_success", "empty_search")
)
SOURCE, VERDICT, REVISION = "otel_agentops.truth.source", "otel_agentops.truth.verdict", "otel_agentops.judge.revision"


@pytest.mark.parametrize(
    ("name", "event", "expected"),
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
def test_a_field_is_true_false_or_null(name: str, event: dict[str, Any], expected: bool | None) -> None:
    expression = find_resources(FILES, "honeycombio_derived_column")[name]["expression"]
    assert evaluate_field(expression, event) is expected


def test_no_query_mixes_revisions_of_a_judge() -> None:
    for kind, label, body in iterate_blocks(FILES):
        if kind == "data honeycombio_query_specification" and JUDGE in str(body):
            assert REVISION in body["breakdowns"], label


# -- burn alerts


def list_alerts(name: str) -> dict[str, tuple[float, ...]]:
    """Return minutes and per cent of the budget, or minutes until there is none, by what follows the name."""
    rate = ("budget_rate_window_minutes", "budget_rate_decrease_percent", "exhaustion_minutes")
    return {
        label.removeprefix(f"{name}_"): tuple(float(body[key]) for key in rate if key in body)
        for label, body in find_resources(FILES, "honeycombio_burn_alert").items()
        if label.startswith(f"{name}_")
    }


def test_burn_alerts_are_those_of_the_rules() -> None:
    assert list_alerts("answers") == {
        "page_1h": (60, 2),  # 14.4 times, an hour of 30 days
        "page_6h": (360, 5),
        "ticket_1d": (1440, 10),
        "ticket_3d": (4320, 10),
        "exhausted": (1440,),
    }


def test_windows_and_severities() -> None:
    assert list_alerts("some") == {"ticket_1d": (1440, 42.8571), "ticket_3d": (4320, 42.8571), "exhausted": (1440,)}


def test_a_factor_that_nothing_reaches_is_lowered() -> None:
    """Half may be bad: 0.8 of all events burn 1.6 times as fast as promised."""
    assert list_alerts("most") == {
        "page_1h": (60, 0.2222),
        "page_6h": (360, 1.3333),
        "ticket_1d": (1440, 5.3333),
        "ticket_3d": (4320, 10),
        "exhausted": (1440,),
    }


def test_more_than_honeycomb_can_promise_is_left_out() -> None:
    assert "beyond" not in find_resources(FILES, "honeycombio_slo")
    assert honeycomb.notes(SLOS) == [
        "beyond: honeycomb: takes no objective above 99.9999 %, so there is no SLO of it there"
    ]


def test_columns_are_of_their_registered_type() -> None:
    types = json.loads(FILES["honeycomb/columns.tf.json"])["locals"]["columns"]
    assert types[TASK] == types[LATE] == types["otel_agentops.attempt.count"] == "integer"
    assert types["otel_agentops.task.cost"] == "float"
    in_fields = {name for text in FILES.values() for name in re.findall(r"\$([a-z_]+\.[a-z_.]+)", text)}
    in_queries = {
        name
        for _, _, body in iterate_blocks(FILES)
        for name in re.findall(r'"([a-z_]+(?:\.[a-z_]+)+)"', json.dumps(body))
    }
    assert in_fields <= set(types)
    assert {name for name in in_queries if name.startswith(("otel_agentops.", "gen_ai."))} <= set(types)


# -- the texts of a team


def test_texts_of_a_team_are_literal() -> None:
    (description,) = {
        body["description"]
        for body in find_resources(FILES, "honeycombio_derived_column").values()
        if "searches" in body["description"]
    }
    assert description == "False for searches $${x} that found %%{nothing} (proxy: empty_search)."
    questions = json.loads(FILES["honeycomb/board.tf.json"])["locals"]["questions"]
    assert "searches $${x} that found %%{nothing}" in questions["error_empty_search"]["description"]


def test_service_pattern_is_a_literal_in_its_expression() -> None:
    quoting = ONE.model_copy(update={"name": "a", "service": r'a"\d${x}'})
    services = json.loads(honeycomb.files([quoting])["honeycomb/objectives.tf.json"])["locals"]["a_promised"]
    pattern = r'"^(?:a\"\\d$${x})$"'
    assert services == (
        f"${{{{ for dataset, service in var.services : dataset => service if can(regex({pattern}, service)) }}}}"
    )


# -- files of earlier versions


def test_superseded_files_are_found_by_their_head(tmp_path: Path) -> None:
    generate.write(FILES, tmp_path)
    assert honeycomb.find_superseded_files(tmp_path) == []
    superseded = tmp_path / "honeycomb" / "board.tf"
    superseded.write_text(
        "# Generated by `otel-agentops slo generate`; do not edit. "
        "How to apply it: backends/honeycomb/README.md of otel-agentops.\n\nlocals {\n}\n"
    )
    (tmp_path / "honeycomb" / "recipients.tf").write_text("# of the team\n")
    assert honeycomb.find_superseded_files(tmp_path) == [superseded]


def test_generate_deletes_superseded_files(tmp_path: Path) -> None:
    arguments = ["generate", "--slo", str(ROOT / "slo"), "--out", str(tmp_path)]
    assert CliRunner().invoke(app, arguments).exit_code == 0
    superseded = tmp_path / "honeycomb" / "board.tf"
    superseded.write_text(f"# {HEAD}\n\nlocals {{\n}}\n")
    checked = CliRunner().invoke(app, [*arguments, "--check"])
    assert checked.exit_code == 1 and f"{superseded}: not what follows from" in checked.output
    assert CliRunner().invoke(app, arguments).exit_code == 0
    assert not superseded.exists()
