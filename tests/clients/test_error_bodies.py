"""An error in the body of a good response is a failure: for the span, for the metrics, and not for the application."""

from __future__ import annotations

from typing import Any

import pytest
from opentelemetry.semconv.attributes.error_attributes import ERROR_TYPE
from wire_answers import APIS, WAYS, Way, converse

from otel_agentops.clients._protocols.fields import read_error
from otel_agentops.testing import capture
from otel_agentops.testing.fake_provider import Fail, Say, Status, Step

ERROR = {"error": {"code": "rate_limit_exceeded", "type": "requests", "message": "You said: where is my order?"}}
# These keep no part of a body that is no answer.
SILENT = frozenset({"bedrock"})


@pytest.mark.parametrize(
    ("error", "code"),
    [
        ({"code": "rate_limit_exceeded", "type": "requests"}, "rate_limit_exceeded"),
        ({"code": None, "type": "server_error"}, "server_error"),
        ({"code": 429, "message": "slow down"}, "429"),
        ({"code": True, "status": "RESOURCE_EXHAUSTED"}, "RESOURCE_EXHAUSTED"),
        ({"code": "Where is my order?", "type": ["odd"]}, "_OTHER"),
        ({"message": "Where is my order?"}, "_OTHER"),
        ("model not found", "_OTHER"),
        (["odd"], "_OTHER"),
        (None, None),
        ({}, None),
    ],
)
def test_error_type_is_a_code_and_never_a_text(error: Any, code: str | None) -> None:
    assert read_error({"error": error}) == code


@pytest.mark.parametrize("way", [*WAYS, *APIS], ids=str)
def test_error_in_a_good_response_is_a_failure(way: Way) -> None:
    with converse(way) as conversation:
        if way.client in SILENT:
            pytest.skip(f"{way.client} hides the bodies that are no answers")
        ended, outcome = conversation.hear(Status(200))
        conversation.subject.instrumentor().uninstrument()
        conversation.provider.script(Status(200))
        without_us = conversation.ask()
    assert type(outcome) is type(without_us)
    if isinstance(outcome, Exception):
        assert ended.error_type is not None
    else:
        assert str(outcome) == str(without_us)
        assert ended.facts is not None
        assert ended.facts.error is not None


# An error in a stream of cohere's v1 is a finish reason, and an event of v2 says nothing there.
STREAMS = [way for way in (*WAYS, *APIS) if way.is_stream and way.api != "v1"]


@pytest.mark.parametrize("way", STREAMS, ids=str)
def test_error_in_a_stream_is_a_failure(way: Way) -> None:
    """What came before it is kept."""
    with converse(way) as conversation:
        before, _ = conversation.record()
        ended, _ = conversation.hear(
            Fail(after=2 if way.api == "conversations" else 1)
        )  # whose first event has no model
    assert ended.error_type or (ended.facts and ended.facts.error)
    assert before.facts is not None
    assert ended.facts is not None
    assert ended.facts.model == before.facts.model


@pytest.mark.parametrize("way", APIS, ids=str)
def test_error_of_a_gateway_is_a_failure(way: Way) -> None:
    """It is all that comes: the body of a plain answer, or the one chunk of a stream."""
    with converse(way) as conversation:
        ended, _ = conversation.hear_parts([ERROR])
    assert (ended.error_type or (ended.facts and ended.facts.error)) is not None


@pytest.mark.parametrize(
    ("step", "error_type"),
    [(Say([ERROR]), "rate_limit_exceeded"), (Say([{"error": "no such model"}]), "_OTHER")],
)
@pytest.mark.parametrize("client", ["openai", "anthropic", "groq", "google_genai"])
def test_error_body_marks_span_and_metrics(client: str, step: Step, error_type: str) -> None:
    way = next(way for way in WAYS if way.client == client and not way.is_stream)
    with converse(way) as conversation:
        subject = conversation.subject
        subject.instrumentor().uninstrument()
        with capture(subject.instrumentor()) as seen:
            conversation.provider.script(step)
            conversation.ask()
    (span,) = seen.spans
    assert (span["status"], span["attributes"][ERROR_TYPE]) == ("ERROR", error_type)
    (duration,) = seen.metrics["gen_ai.client.operation.duration"]
    assert duration["attributes"][ERROR_TYPE] == error_type
    assert "gen_ai.client.token.usage" not in seen.metrics
    assert "my order" not in f"{seen.spans} {seen.metrics} {seen.events}"
