"""Names are typed in the registry alone: Python takes the constants, configs and rules are compared with it."""

from __future__ import annotations

from pathlib import Path

import pytest
import semconv_names as names

from generate import PACKAGE, ROOT

SOURCES = sorted(path for path in (ROOT / "src").rglob("*.py") if not path.is_relative_to(ROOT / PACKAGE))
CONFIGS = sorted(path for path in (ROOT / "collector-config").rglob("*.yaml") if path.name != "manifest.yaml")
FRAGMENTS = [ROOT / "tests" / "lock" / "fragment.yaml"]
BACKENDS = sorted(path for end in ("yaml", "yml", "json", "md") for path in (ROOT / "backends").rglob(f"*.{end}"))

# Keys inside the process: context variables and an entry of a response's `extensions`. They are never emitted.
INTERNAL = frozenset(
    {
        f"otel_agentops.{key}"
        for key in (
            *("scope", "started", "tools", "call", "active_call", "run", "open_retrieval"),
            *("langchain_core.run", "openai_agents.tool", "llama_index.call", "mcp.served", "mcp.request"),
        )
    }
)


def _id(path: Path) -> str:
    return str(path.relative_to(ROOT))


@pytest.mark.parametrize("path", SOURCES, ids=_id)
def test_no_name_is_typed_by_hand_in_python(path: Path) -> None:
    found = [(line, text) for line, text in names.typed_by_hand(path.read_text()) if text not in INTERNAL]
    assert found == [], "take the constant from otel_agentops.semconv"


def test_internal_keys_are_no_registered_names() -> None:
    assert [key for key in INTERNAL if names.unregistered(key) != [key]] == []


@pytest.mark.parametrize("path", CONFIGS + FRAGMENTS + BACKENDS, ids=_id)
def test_every_name_in_configs_and_backends_is_registered(path: Path) -> None:
    parsed = [names.without_rule_groups(content) for content in names.parse(path)]
    assert sorted({name for text in names.strings(parsed) for name in names.unregistered(text)}) == []


@pytest.mark.parametrize("path", BACKENDS, ids=_id)
def test_backends_use_only_series_that_the_rules_record(path: Path) -> None:
    rules = [content for rule_file in (ROOT / "backends").rglob("*.rules.yaml") for content in names.parse(rule_file)]
    made = {
        rule["record"]
        for content in rules
        for group in content["groups"]
        for rule in group["rules"]
        if "record" in rule
    }
    assert len(made) > 20
    used = {name for content in names.parse(path) for text in names.strings(content) for name in names.recorded(text)}
    assert used - made == set()


@pytest.mark.parametrize("path", CONFIGS, ids=_id)
def test_metrics_of_the_collector_are_as_registered(path: Path) -> None:
    assert [problem for content in names.parse(path) for problem in names.connector_problems(content)] == []


# -- the lint itself


def test_lint_sees_literals_but_no_prose() -> None:
    source = '''
"""otel_agentops.prompt.hash in a docstring."""
A = "otel_agentops.prompt.hash"
def f(x):
    """gen_ai.request.model too."""
    return f"gen_ai.request.{x}" or "see gen_ai.request.model" or {"otel_agentops.x": 1}
'''
    found = [(3, "otel_agentops.prompt.hash"), (6, "gen_ai.request."), (6, "otel_agentops.x")]
    assert sorted(names.typed_by_hand(source)) == found


@pytest.mark.parametrize(
    ("text", "wrong"),
    [
        ('set(span.attributes["otel_agentops.sli.tool_success.bad"], 1)', []),
        ('set(span.attributes["otel_agentops.sli.tool_sucess.bad"], 1)', ["otel_agentops.sli.tool_sucess.bad"]),
        ('span.attributes["gen_ai.operation.name"] == "execute_tool"', []),
        ('span.attributes["gen_ai.operation"] == "execute_tool"', ["gen_ai.operation"]),
        ("signal_to_metrics/otel_agentops_variables", []),
        ("otel_agentops.span", []),
        ("otel_agentops.task", []),
        ("otel_agentops.tasks", ["otel_agentops.tasks"]),
        ("otel_agentops.param.temperature.source", []),
        ("sum by (service_name, otel_agentops_sli_name) (rate(otel_agentops_sli_bad_total[5m]))", []),
        (
            "sum by (otel_agentops_sli) (rate(otel_agentops_sli_bad[5m]))",
            ["otel_agentops_sli", "otel_agentops_sli_bad"],
        ),
        ("histogram_quantile(0.9, otel_agentops_span_duration_seconds_bucket)", []),
        ("rate(otel_agentops_span_duration_bucket[5m])", ["otel_agentops_span_duration_bucket"]),
        ("otel_agentops:sli_error:ratio_rate5m > 0.1", []),
        ('label_replace(x, "value", "$1", "gen_ai_response_model", "(.*)")', []),
        ('label_replace(x, "value", "$1", "gen_ai_respose_model", "(.*)")', ["gen_ai_respose_model"]),
        ("collector-config/otel_agentops.yaml", []),
    ],
)
def test_lint_of_a_text(text: str, wrong: list[str]) -> None:
    assert names.unregistered(text) == wrong


@pytest.mark.parametrize(
    ("text", "found"),
    [
        (
            'otel_agentops:slo_burn:ratio{slo="a"} / otel_agentops:sli_error:ratio5m',
            {"otel_agentops:slo_burn:ratio", "otel_agentops:sli_error:ratio5m"},
        ),
        ("`otel_agentops:slo_burn:ratio`, `:since`", {"otel_agentops:slo_burn:ratio"}),
        ("otel_agentops_sli_bad_total", set()),
    ],
)
def test_lint_of_recorded_series(text: str, found: set[str]) -> None:
    assert set(names.recorded(text)) == found


def test_lint_of_connectors() -> None:
    bad = "Number of events that count against a service level indicator."
    good = {
        "name": "otel_agentops.sli.bad",
        "unit": "{event}",
        "description": bad,
        "attributes": [{"key": "otel_agentops.sli.name"}],
        "sum": {"value": "1"},
    }
    other = {**good, "unit": "1", "attributes": [{"key": "otel_agentops.task.id"}]}
    config = {
        "connectors": {
            "signal_to_metrics/x": {"spans": [good, other], "logs": [{**good, "name": "otel_agentops.sli.x"}]},
            "span_metrics/x": {"namespace": "otel_agentops.span", "dimensions": [{"name": "gen_ai.tool.call.id"}]},
            "span_metrics/y": {"namespace": "otel_agentops.x"},
        }
    }
    assert list(names.connector_problems(config)) == [
        f"otel_agentops.sli.bad is ('counter', '1', '{bad}'), registered is ('counter', '{{event}}', '{bad}')",
        "otel_agentops.sli.bad has the labels ['otel_agentops.task.id'], which are not registered for it",
        "otel_agentops.sli.x is no registered metric",
        "otel_agentops.span.duration has the labels ['gen_ai.tool.call.id'], which are not registered for it",
        "otel_agentops.x.duration is no registered metric",
    ]


def test_names_of_rule_groups_are_for_people() -> None:
    rules = {"groups": [{"name": "otel_agentops_burn", "rules": [{"expr": "otel_agentops_nonsense"}]}]}
    assert list(names.strings(names.without_rule_groups(rules))) == ["rules", "expr", "otel_agentops_nonsense"]
