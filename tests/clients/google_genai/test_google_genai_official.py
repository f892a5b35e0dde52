"""Whoever changes from the official instrumentation loses nothing: its attributes and metrics are a part of ours."""

from __future__ import annotations

from typing import Any

import pytest
from both import done, drained
from google_genai_subject import config

from otel_agentops.clients.google_genai import Instrumentor
from otel_agentops.testing import SECONDS, Capture, capture
from otel_agentops.testing.fake_provider import Answer, FakeProvider, Status, ToolCall
from otel_agentops.testing.subject import TOOL, ChatRequest

official = pytest.importorskip("opentelemetry.instrumentation.google_genai", reason="it is not installed")
# Content, which we never record by default; it does not either, but for the descriptions of tools.
CONTENT = {"gen_ai.input.messages", "gen_ai.output.messages", "gen_ai.system_instructions", "gen_ai.tool.definitions"}
EVERYTHING: Any = {
    "top_p": 0.9, "top_k": 3, "seed": 7, "stop_sequences": ["END"], "candidate_count": 2, "frequency_penalty": 0.5,
    "presence_penalty": 0.25, "response_mime_type": "application/json",
}  # fmt: skip


async def plain(client: Any) -> None:
    given = config(ChatRequest(tools=[TOOL]), **EVERYTHING)
    await done(client.models.generate_content(model="gemini-x", contents="hi", config=given))


async def stream(client: Any) -> None:
    given = config(ChatRequest(), **EVERYTHING)
    await drained(await done(client.models.generate_content_stream(model="gemini-x", contents="hi", config=given)))


async def embeddings(client: Any) -> None:
    given = {"output_dimensionality": 8}
    await done(client.models.embed_content(model="gemini-x", contents="hi", config=given))


async def failure(client: Any) -> None:
    with pytest.raises(Exception, match="429"):
        await done(client.models.generate_content(model="refused", contents="hi"))


async def emitted(instrumentor: Any, scenario: Any, client: Any) -> Capture:
    with capture(instrumentor) as seen:
        await scenario(client)
    return seen


def renamed(name: str, value: Any) -> Any:
    """It shortens the convention's provider name and lowers the provider's word for how an answer ended."""
    if name == "gen_ai.provider.name":
        return f"gcp.{value}"
    if name == "gen_ai.response.finish_reasons":
        return [reason.upper() for reason in value]
    return SECONDS if name == "gen_ai.response.time_to_first_chunk" else value


@pytest.mark.parametrize("scenario", [plain, stream, embeddings, failure], ids=lambda scenario: scenario.__name__)
async def test_our_span_has_everything_of_the_official_one(provider: FakeProvider, gemini: Any, scenario: Any) -> None:
    provider.answer(lambda call: Answer(tool_calls=(ToolCall("weather", "{}"),)))
    provider.script(Status(429), Status(429), when=lambda call: "refused" in call.path)
    theirs = await emitted(official.GoogleGenAiSdkInstrumentor(), scenario, gemini)
    ours = await emitted(Instrumentor(), scenario, gemini)
    (their_span,), (our_span,) = theirs.spans, ours.spans
    assert [our_span[part] for part in ("name", "kind", "status")] == [
        their_span[part] for part in ("name", "kind", "status")
    ]
    told = {name: renamed(name, value) for name, value in their_span["attributes"].items() if name not in CONTENT}
    assert {name: our_span["attributes"].get(name) for name in told} == told
    assert {name: len(points) for name, points in ours.metrics.items()} == {
        name: len(points) for name, points in theirs.metrics.items()
    }
