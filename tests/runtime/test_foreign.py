"""Which spans of others stand for a model call, and for which one."""

from __future__ import annotations

from typing import Any

import openai
import pytest
from opentelemetry import trace

import otel_agentops.clients.anthropic  # knows the names of its other instrumentations
import otel_agentops.clients.cohere  # noqa: F401  so does this
from otel_agentops import _foreign_spans
from otel_agentops.testing import Capture


@pytest.mark.parametrize(
    ("name", "attributes", "operation"),
    [
        ("chat gpt-x", {}, "chat"),
        ("text_completion gpt-x", {}, "text_completion"),
        ("execute_tool weather", {}, "execute_tool"),
        ("openai.response", {}, "chat"),
        ("openai.embeddings", {}, "embeddings"),
        ("anthropic.messages.create", {}, "chat"),
        ("x", {"gen_ai.operation.name": "embeddings"}, "embeddings"),
        ("x", {"openinference.span.kind": "RETRIEVER"}, "retrieval"),
        ("x", {"openinference.span.kind": "RERANKER"}, "retrieval"),
        ("ClientV2.rerank", {}, "retrieval"),
        ("x", {"llm.invocation_parameters": "{}"}, "chat"),
        ("x", {"openinference.span.kind": "CHAIN"}, None),
        ("x", {"traceloop.span.kind": "workflow"}, "invoke_workflow"),
        ("chat", {}, None),
        ("chatter box", {}, None),
        ("", {}, None),
        ("POST /v1/chat", {}, None),
    ],
)
def test_span_operation_is_recognised(
    seen: Capture, name: str, attributes: dict[str, str], operation: str | None
) -> None:
    span = seen.tracer_provider.get_tracer("x").start_span(name, attributes=attributes)
    assert _foreign_spans.find_operation(span) == operation


def test_non_recording_span_has_no_operation() -> None:
    assert _foreign_spans.find_operation(trace.INVALID_SPAN) is None
    assert _foreign_spans.find_tool_name(trace.INVALID_SPAN) == ""
    assert not _foreign_spans.is_ours(trace.INVALID_SPAN)


ENRICHED = [
    ("chat openai/gpt-x", {}),
    ("chat gpt-x", {}),
    ("openai.chat", {}),
    ("my call", {"gen_ai.operation.name": "chat"}),
    ("my call", {"gen_ai.operation.name": "text_completion"}),
    ("my call", {"openinference.span.kind": "LLM"}),
    ("chat with a customer", {"gen_ai.operation.name": "chat"}),
]
NOT_ENRICHED = [
    ("chat openai/gpt-y", {}),
    ("chat ", {}),
    ("chat with a customer", {}),
    ("chat gpt-y", {}),
    ("embeddings gpt-x", {}),
    ("invoke_agent planner", {}),
    ("POST", {"http.request.method": "POST"}),
]


def call_inside(seen: Capture, gpt: openai.OpenAI, name: str, attributes: dict[str, Any]) -> list[str]:
    with seen.tracer_provider.get_tracer("x").start_as_current_span(name, attributes=attributes):
        gpt.chat.completions.create(model="gpt-x", messages=[])
    return [span["name"] for span in seen.spans]


@pytest.mark.parametrize(("name", "attributes"), ENRICHED)
def test_a_span_for_this_call_is_enriched(
    seen: Capture, gpt: openai.OpenAI, name: str, attributes: dict[str, Any]
) -> None:
    assert call_inside(seen, gpt, name, attributes) == [name]
    assert seen.spans[0]["attributes"]["gen_ai.response.model"] == "gpt-x-2026-03-01"


@pytest.mark.parametrize(
    ("theirs", "served"),
    [
        ("gpt-x", "gpt-x-2026-03-01"),
        ("gpt-x-2026-03-01", None),
        ("openai/gpt-x-2026-03-01", None),
    ],
)
def test_a_wrong_model_stays_beside_the_one_that_answered(
    seen: Capture, gpt: openai.OpenAI, theirs: str, served: str | None
) -> None:
    call_inside(seen, gpt, "openai.chat", {"gen_ai.response.model": theirs})
    attributes = seen.spans[0]["attributes"]
    assert attributes["gen_ai.response.model"] == theirs
    assert attributes.get("otel_agentops.model.served") == served


@pytest.mark.parametrize(("name", "attributes"), NOT_ENRICHED)
def test_a_span_for_something_else_is_left_alone(
    seen: Capture, gpt: openai.OpenAI, name: str, attributes: dict[str, Any]
) -> None:
    assert call_inside(seen, gpt, name, attributes) == ["chat gpt-x", name]
    assert seen.spans[1]["attributes"] == attributes


@pytest.mark.parametrize(
    ("name", "attributes", "model", "stands"),
    [
        ("rank", {"openinference.span.kind": "RERANKER"}, "rank-x", True),
        ("cohere.rerank", {"llm.request.type": "rerank"}, "rank-x", True),
        ("rank", {"gen_ai.operation.name": "retrieval", "gen_ai.request.model": "rank-x"}, "rank-x", True),
        ("search", {"openinference.span.kind": "RETRIEVER"}, "rank-x", False),
        ("retrieval docs", {"gen_ai.operation.name": "retrieval"}, "rank-x", False),
        ("search", {"openinference.span.kind": "RETRIEVER"}, None, True),
        ("retrieval docs", {"gen_ai.operation.name": "retrieval"}, None, True),
    ],
)
def test_framework_retrieval_span_is_not_a_rerank_call(
    seen: Capture, name: str, attributes: dict[str, str], model: str | None, stands: bool
) -> None:
    span = seen.tracer_provider.get_tracer("x").start_span(name, attributes=attributes)
    assert _foreign_spans.was_started_for(span, "retrieval", model) is stands
