"""The generated tables say what the registry says, and lookups find templates by their members."""

from __future__ import annotations

import math

import pytest

from otel_agentops.semconv import attributes, check, events, metrics, table
from otel_agentops.semconv.rows import Attribute
from semconv_registry import Registry


def test_table_is_the_registry(registry: Registry) -> None:
    assert {a.name: Attribute(a.type, a.values, a.label) for a in registry.attributes} == table.ATTRIBUTES
    assert list(table.ATTRIBUTES) == sorted(table.ATTRIBUTES)


def test_metrics_are_the_registry(registry: Registry) -> None:
    found = {
        m.name: (m.instrument, m.unit, m.brief, m.prometheus, tuple(n for n, _, _ in m.attributes))
        for m in registry.of("metric")
    }
    assert {name: tuple(metric)[1:] for name, metric in metrics.METRICS.items()} == found
    assert all(name == metric.name for name, metric in metrics.METRICS.items())


def test_events_are_the_registry(registry: Registry) -> None:
    assert {e.name: tuple(n for n, _, _ in e.attributes) for e in registry.of("event")} == events.EVENTS


@pytest.mark.parametrize(
    ("metric", "prometheus"),
    [
        (metrics.SLI_EVENTS, "otel_agentops_sli_events_total"),
        (metrics.SLI_BAD, "otel_agentops_sli_bad_total"),
        (metrics.SPAN_DURATION, "otel_agentops_span_duration_seconds"),
        (metrics.TASK_LLM_CALLS, "otel_agentops_task_llm_calls"),
        (metrics.GEN_AI_CLIENT_TOKEN_USAGE, "gen_ai_client_token_usage"),
    ],
)
def test_name_in_prometheus(metric: str, prometheus: str) -> None:
    assert metrics.METRICS[metric].prometheus == prometheus


def test_lookup_of_a_name() -> None:
    assert check.find_attribute("otel_agentops.tools.versions") == Attribute("string[]", None, "no")
    assert check.find_attribute("otel_agentops.task.outcome") == Attribute(
        "string", attributes.TASK_OUTCOME_VALUES, "yes"
    )
    assert check.find_attribute("gen_ai.request.temperature") == Attribute("double", None, "no")
    assert check.find_attribute("otel_agentops.tools.version") is None


def test_lookup_of_a_template() -> None:
    source = Attribute("template[string]", attributes.PARAM_SOURCE_VALUES, "no")
    assert check.find_attribute(attributes.PARAM_SOURCE.format("temperature")) == source
    assert check.find_attribute(attributes.PARAM_SOURCE.format("text.format")) == source
    for wrong in (
        attributes.PARAM_SOURCE,
        "otel_agentops.param.source",
        "otel_agentops.param..source",
        "otel_agentops.param.x",
    ):
        assert check.find_attribute(wrong) is None, wrong


GOOD: dict[str, object] = {
    attributes.PROMPT_HASH: "9f86d081884c7d65",
    attributes.TASK_OUTCOME: "completed",
    attributes.TASK_LLM_CALLS: 0,
    attributes.JUDGE_THRESHOLD: 0.0,
    attributes.TOOL_REACHES_HUMAN: False,
    attributes.TOOLS_VERSIONS: ("a@1", "b@2"),
    attributes.ATTEMPT_STATUSES: [429, 200],
    attributes.ATTEMPT_RETRY_AFTER: (),
    attributes.PARAM_SOURCE.format("temperature"): "explicit",
    attributes.GEN_AI_REQUEST_TEMPERATURE: math.inf,
    attributes.GEN_AI_OPERATION_NAME: "a value that upstream does not list",
    attributes.GEN_AI_INPUT_MESSAGES: [{"role": "user"}],
}
BAD: list[tuple[str, object, str]] = [
    (
        "otel_agentops.promt.hash",
        "x",
        "otel_agentops.promt.hash is not registered: correct the name or add it to semconv/",
    ),
    ("http.route", "/", "http.route is not registered: correct the name or add it to semconv/"),
    (attributes.PROMPT_HASH, None, "otel_agentops.prompt.hash is None, which is no string"),
    (attributes.JUDGE_THRESHOLD, 0, "otel_agentops.judge.threshold is 0, which is no double"),
    (attributes.TASK_LLM_CALLS, True, "otel_agentops.task.llm_calls is True, which is no int"),
    (attributes.TASK_LLM_CALLS, 1.0, "otel_agentops.task.llm_calls is 1.0, which is no int"),
    (attributes.TOOL_REACHES_HUMAN, 1, "otel_agentops.tool.reaches_human is 1, which is no boolean"),
    (attributes.TOOLS_VERSIONS, "a@1", "otel_agentops.tools.versions is 'a@1', which is no string[]"),
    (attributes.ATTEMPT_STATUSES, (200, "200"), "otel_agentops.attempt.statuses is (200, '200'), which is no int[]"),
    (attributes.GEN_AI_INPUT_MESSAGES, None, "gen_ai.input.messages is None, which is no any"),
    (attributes.PARAM_SOURCE.format("seed"), 1, "otel_agentops.param.seed.source is 1, which is no string"),
    (
        attributes.PARAM_SOURCE.format("seed"),
        "guessed",
        "otel_agentops.param.seed.source is 'guessed', which is none of explicit, framework, echoed, unset, unknown",
    ),
    (
        attributes.TASK_OUTCOME,
        "done",
        "otel_agentops.task.outcome is 'done', which is none of completed, failed, escalated, abandoned, cancelled, "
        "interrupted",
    ),
]


def test_registered_attributes_are_no_problem() -> None:
    assert check.find_problems(GOOD) == []


@pytest.mark.parametrize(("name", "value", "sentence"), BAD)
def test_problem_is_one_sentence(name: str, value: object, sentence: str) -> None:
    assert check.find_problems({**GOOD, name: value}) == [sentence]


def test_every_problem_is_told() -> None:
    found = check.find_problems({"otel_agentops.x": 1, attributes.TASK_NAME: "fine", "otel_agentops.y": 2})
    assert [sentence.split()[0] for sentence in found] == ["otel_agentops.x", "otel_agentops.y"]
