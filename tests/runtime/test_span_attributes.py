"""Attributes written past the SDK's checks are what the SDK would have written, and its limits take the least."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

import openai
import pytest
from opentelemetry.sdk.trace import ReadableSpan, SpanLimits, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import Span

from otel_agentops._sinks.span_attributes import write_result
from otel_agentops.clients.openai import Instrumentor
from otel_agentops.semconv import attributes as A
from otel_agentops.testing.fake_provider import FakeProvider

REQUEST = {A.GEN_AI_OPERATION_NAME: "chat", A.GEN_AI_REQUEST_MODEL: "gpt-x", "gen_ai.request.seed": 7}
RESULT: dict[str, Any] = {
    "text": "x" * 20,
    "whole": 3,
    "part": 0.5,
    "flag": True,
    "texts": ["stop", "length"],
    "numbers": [429, 200],
    A.GEN_AI_REQUEST_MODEL: "gpt-y",
}


def export_span(limits: SpanLimits, result: Mapping[str, Any], by_sdk: bool, is_ended: bool = False) -> ReadableSpan:
    """Return a span with the result written by the SDK, or by us."""
    exporter = InMemorySpanExporter()
    provider = TracerProvider(span_limits=limits)
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    span = provider.get_tracer("t").start_span("chat gpt-x", attributes=REQUEST)
    if is_ended:
        span.end()
    if by_sdk:
        span.set_attributes(result)
    else:
        write_result(span, dict(result), REQUEST)
    if not is_ended:
        span.end()
    (exported,) = exporter.get_finished_spans()
    return exported


@pytest.mark.parametrize(
    ("limits", "result"),
    [
        (SpanLimits(), RESULT),
        (SpanLimits(max_span_attribute_length=5), RESULT),
        (SpanLimits(max_span_attributes=SpanLimits.UNSET), RESULT),
        (SpanLimits(), {**RESULT, "mapping": {"a": [1]}, "bytes": b"x", "tuple": (1, 2), "nothing": None}),
        (SpanLimits(), {}),
    ],
    ids=["defaults", "length", "no limit", "other types", "empty"],
)
def test_result_is_as_the_sdk_writes_it(limits: SpanLimits, result: Mapping[str, Any]) -> None:
    ours, sdk = (export_span(limits, result, by_sdk) for by_sdk in (False, True))
    assert dict(ours.attributes or {}) == dict(sdk.attributes or {})
    assert {key: type(value) for key, value in (ours.attributes or {}).items()} == {
        key: type(value) for key, value in (sdk.attributes or {}).items()
    }
    assert (ours.dropped_attributes, ours.status.status_code) == (sdk.dropped_attributes, sdk.status.status_code)


def test_ended_span_takes_no_result(caplog: pytest.LogCaptureFixture) -> None:
    assert dict(export_span(SpanLimits(), RESULT, by_sdk=False, is_ended=True).attributes or {}) == REQUEST
    assert [record.getMessage() for record in caplog.records] == ["Setting attribute on ended span."]


def test_list_of_the_application_is_copied() -> None:
    statuses = [200]
    provider = TracerProvider()
    span: Any = provider.get_tracer("t").start_span("chat")
    write_result(span, {A.ATTEMPT_STATUSES: statuses}, {})
    statuses.append(500)
    assert span.attributes[A.ATTEMPT_STATUSES] == (200,)


def call_with_limit(provider: FakeProvider, limit: int, around: str | None = None, **params: Any) -> list[ReadableSpan]:
    """Return the spans of one call of openai, in a foreign span of that name if there is one."""
    exporter = InMemorySpanExporter()
    tracer_provider = TracerProvider(span_limits=SpanLimits(max_span_attributes=limit))
    tracer_provider.add_span_processor(SimpleSpanProcessor(exporter))
    instrumentor = Instrumentor()
    instrumentor.instrument(tracer_provider=tracer_provider)
    try:
        gpt = openai.OpenAI(api_key="k", base_url=provider.openai_url)
        messages: Any = [{"role": "user", "content": "hi"}]
        if around is None:
            gpt.chat.completions.create(model="gpt-x", messages=messages, **params)
        else:
            facts = {A.GEN_AI_OPERATION_NAME: "chat", A.GEN_AI_REQUEST_MODEL: "gpt-x", "its.own": 1}
            with tracer_provider.get_tracer("a framework").start_as_current_span(around, attributes=facts):
                gpt.chat.completions.create(model="gpt-x", messages=messages, **params)
    finally:
        instrumentor.uninstrument()
    return list(exporter.get_finished_spans())


ESSENTIAL = {
    A.GEN_AI_OPERATION_NAME: "chat",
    A.GEN_AI_PROVIDER_NAME: "openai",
    A.GEN_AI_REQUEST_MODEL: "gpt-x",
    A.GEN_AI_RESPONSE_MODEL: "gpt-x-2026-03-01",
    A.GEN_AI_USAGE_INPUT_TOKENS: 11,
    A.GEN_AI_USAGE_OUTPUT_TOKENS: 5,
}


@pytest.mark.parametrize("limit", [8, 12, 32, 128])
def test_full_span_keeps_what_makes_it_a_call(provider: FakeProvider, limit: int) -> None:
    params = {"temperature": 0, "top_p": 1, "extra_body": {f"vendor_{number}": number for number in range(100)}}
    (span,) = call_with_limit(provider, limit, **params)
    attributes = span.attributes or {}
    assert len(attributes) <= limit
    assert {key: attributes.get(key) for key in ESSENTIAL} == ESSENTIAL
    sources = [key for key in attributes if key.startswith("otel_agentops.param.") and key.endswith(".source")]
    assert len(sources) <= 32
    if limit == 128:
        assert span.dropped_attributes == 0
        assert {A.PARAM_SOURCE.format("temperature"), A.PARAM_SOURCE.format("top_p")} <= set(sources)


def test_parameter_name_that_is_a_text_has_no_source(provider: FakeProvider) -> None:
    (span,) = call_with_limit(provider, 128, extra_body={"x" * 65: 1, "a\nb": 1, "é": 1, "kept_name": 1})
    sources = [key for key, value in (span.attributes or {}).items() if value == "explicit"]
    assert sources == [A.PARAM_SOURCE.format("kept_name")]


def test_full_foreign_span_loses_nothing_of_its_own(provider: FakeProvider, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING, "opentelemetry.attributes")
    (span,) = call_with_limit(provider, 10, around="chat gpt-x")
    attributes = span.attributes or {}
    assert len(attributes) == 10
    assert {key: attributes.get(key) for key in (A.GEN_AI_OPERATION_NAME, A.GEN_AI_REQUEST_MODEL, "its.own")} == {
        A.GEN_AI_OPERATION_NAME: "chat",
        A.GEN_AI_REQUEST_MODEL: "gpt-x",
        "its.own": 1,
    }
    assert not caplog.records


def test_span_of_another_sdk_is_written_by_the_api() -> None:
    class OtherSpan:
        """A span that is not the SDK's."""

        def set_attributes(self, attributes: Mapping[str, Any]) -> None:
            self.attributes = dict(attributes)

    span: Any = OtherSpan()
    assert not isinstance(span, Span)
    write_result(span, dict(RESULT), REQUEST)
    assert span.attributes == RESULT
