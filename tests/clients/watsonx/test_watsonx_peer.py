"""Beside OpenLLMetry: a span it makes for a call is enriched, whoever patched first; what it does not see is ours."""

from __future__ import annotations

from contextlib import ExitStack
from typing import Any

import pytest
from both import drained
from opentelemetry.instrumentation.watsonx import WatsonxInstrumentor
from watsonx_subject import WatsonxSubject

from otel_agentops.clients.watsonx import Instrumentor
from otel_agentops.testing import Capture, capture
from otel_agentops.testing.fake_provider import FakeProvider

ASK: Any = [{"role": "user", "content": "hi"}]
ORDERS = {"ours first": (Instrumentor, WatsonxInstrumentor), "theirs first": (WatsonxInstrumentor, Instrumentor)}


@pytest.fixture(params=ORDERS)
def beside(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Both instrumentations, in this order."""
    monkeypatch.setenv("TRACELOOP_TRACE_CONTENT", "false")
    with ExitStack() as stack:
        yield stack.enter_context(capture(*(make() for make in ORDERS[request.param])))


def calls(seen: Capture) -> list[dict[str, Any]]:
    """The spans of calls of a model; it also makes some of the making of model objects."""
    return [found for found in seen.spans if found["name"] not in {"watsonx.model_init", "watsonx.get_details"}]


async def test_call_beside_openllmetry_is_one_span(provider: FakeProvider, beside: Capture) -> None:
    model = WatsonxSubject().client("sync", provider).model(model_id="granite-x")
    model.generate("hi")
    await drained(model.generate_text_stream("hi", raw_response=True))
    model.chat(messages=ASK)
    found = calls(beside)
    assert [each["name"] for each in found] == ["watsonx.generate", "watsonx.generate_text_stream", "chat granite-x"]
    assert [each["attributes"]["otel_agentops.model.resolution"] for each in found] == ["resolved"] * 3
    assert [each["attributes"]["gen_ai.usage.output_tokens"] for each in found] == [5] * 3
    assert [each["attributes"]["otel_agentops.attempt.count"] for each in found] == [1] * 3
