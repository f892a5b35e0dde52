"""What Groq puts under `x_groq`: a stream is counted whether or not the application asks for it, and once."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import groq
import pytest
from both import done, drained
from groq_subject import GroqSubject

from otel_agentops.clients.groq import Instrumentor
from otel_agentops.testing import Capture
from otel_agentops.testing.contract import Bench
from otel_agentops.testing.fake_provider import FakeProvider
from otel_agentops.testing.subject import MODEL, RESOLVED, ChatRequest

SUBJECT = GroqSubject()
ASKED = SUBJECT.arguments(ChatRequest())
BODY = {**ASKED, "stream": True}


@pytest.fixture
def instrumentor() -> Instrumentor:
    return Instrumentor()


COUNTED: dict[str, Callable[[Any], Any]] = {
    "asked for": lambda client: client.chat.completions.create(
        **ASKED, stream=True, extra_body={"stream_options": {"include_usage": True}}
    ),
    "not asked for": lambda client: client.chat.completions.create(**ASKED, stream=True),
    "left as JSON": lambda client: client.post(
        "/openai/v1/chat/completions", body=BODY, cast_to=object, stream=True, stream_cls=_stream_class(client)
    ),
}


def _stream_class(client: Any) -> Any:
    return groq.AsyncStream[object] if isinstance(client, groq.AsyncGroq) else groq.Stream[object]


@pytest.mark.parametrize("how", COUNTED)
async def test_stream_usage_is_counted(provider: FakeProvider, kind: str, seen: Capture, how: str) -> None:
    provider.alias(MODEL, RESOLVED)
    client = SUBJECT.client(kind, provider)
    chunks = await drained(await done(COUNTED[how](client)))
    await done(client.close())
    assert any("x_groq" in str(chunk) for chunk in chunks)
    assert seen.spans == [Bench(SUBJECT, kind, provider).expect_span("stream")]
    assert [point["sum"] for point in seen.metrics["gen_ai.client.token.usage"]] == [11, 5]
