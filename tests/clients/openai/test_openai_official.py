"""Whoever changes from the official instrumentation loses nothing: its attributes and metrics are a part of ours."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import openai
import pytest
from both import block, done, drained

from otel_agentops.clients.openai import Instrumentor
from otel_agentops.testing import SECONDS, Capture, capture
from otel_agentops.testing.fake_provider import Answer, FakeProvider, Status, ToolCall

official = pytest.importorskip("opentelemetry.instrumentation.genai.openai", reason="it wants newer packages than ours")

# Content, which we never record by default; it does not either, but for the descriptions of tools.
CONTENT = {
    "gen_ai.input.messages",
    "gen_ai.output.messages",
    "gen_ai.system_instructions",
    "gen_ai.tool.definitions",
}
# It writes the name that follows the pinned convention's.
RENAMED = {"gen_ai.usage.cache_write.input_tokens": "gen_ai.usage.cache_creation.input_tokens"}
ASK: Any = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "hi"}]
SCHEMA: Any = {"type": "object", "properties": {}}
TOOLS: Any = [{"type": "function", "function": {"name": "weather", "parameters": SCHEMA}}]
FLAT: Any = [{"type": "function", "name": "weather", "parameters": SCHEMA, "strict": False}]
EVERYTHING: Any = {
    "temperature": 0.2, "top_p": 0.9, "max_tokens": 9, "seed": 7, "stop": "END", "n": 2, "frequency_penalty": 0.1,
    "presence_penalty": 0.1, "service_tier": "flex", "response_format": {"type": "json_object"}, "tools": TOOLS,
}  # fmt: skip
COUNTED: Any = {"include_usage": True}


async def plain(client: Any) -> None:
    await done(client.chat.completions.create(model="gpt-x", messages=ASK, **EVERYTHING))


async def stream(client: Any) -> None:
    made = client.chat.completions.create(
        model="gpt-x", messages=ASK, stream=True, stream_options=COUNTED, **EVERYTHING
    )
    await drained(await done(made))


async def raw(client: Any) -> None:
    (await done(client.chat.completions.with_raw_response.create(model="gpt-x", messages=ASK))).parse()


async def response(client: Any) -> None:
    await done(
        client.responses.create(
            model="gpt-x", input="hi", instructions="Be brief.", temperature=0.2, top_p=0.9, max_output_tokens=9,
            tools=FLAT, service_tier="flex", text={"format": {"type": "text"}}, reasoning={"effort": "low"},
            previous_response_id="resp_0",
        )
    )  # fmt: skip


async def response_stream(client: Any) -> None:
    async with block(client.responses.stream(model="gpt-x", input="hi", conversation="conv_1")) as events:
        await drained(events)


async def fetched(client: Any) -> None:
    await done(client.responses.retrieve("resp_fake"))


async def fetched_stream(client: Any) -> None:
    await drained(await done(client.responses.retrieve("resp_fake", stream=True, starting_after=1)))


async def embeddings(client: Any) -> None:
    await done(client.embeddings.create(model="gpt-x", input="hi", dimensions=64, encoding_format="float"))


async def failure(client: Any) -> None:
    with pytest.raises(openai.RateLimitError):
        await done(client.chat.completions.create(model="refused", messages=ASK))


HEAD = ("name", "kind", "status", "parent")
SCENARIOS = (plain, stream, raw, response, response_stream, fetched, fetched_stream, embeddings, failure)


async def emitted(instrumentor: Any, scenario: Callable[[Any], Awaitable[None]], client: Any) -> Capture:
    with capture(instrumentor) as seen:
        await scenario(client)
    return seen


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.__name__)
async def test_our_span_has_everything_of_the_official_one(provider: FakeProvider, client: Any, scenario: Any) -> None:
    provider.alias("", "gpt-x")  # of what is fetched
    provider.answer(lambda call: Answer(tool_calls=(ToolCall("weather", "{}"),), cache_write_tokens=3))
    provider.script(Status(429), Status(429), when=lambda call: call.body.get("model") == "refused")
    theirs = await emitted(official.OpenAIInstrumentor(), scenario, client)
    ours = await emitted(Instrumentor(), scenario, client)
    [their_span], [our_span] = theirs.spans, ours.spans
    assert {key: their_span[key] for key in HEAD} == {key: our_span[key] for key in HEAD}
    wanted = {RENAMED.get(key, key): value for key, value in their_span["attributes"].items() if key not in CONTENT}
    assert {key: our_span["attributes"].get(key) for key in wanted} == wanted | different(wanted)
    assert theirs.metrics.keys() <= ours.metrics.keys()
    for name, points in theirs.metrics.items():
        assert labels(points) <= labels(ours.metrics[name])


def different(wanted: dict[str, Any]) -> dict[str, Any]:
    """Where both are right: a time, and the end of a response, of which it names one for each item of the output."""
    found: dict[str, Any] = {}
    if "gen_ai.response.time_to_first_chunk" in wanted:
        found["gen_ai.response.time_to_first_chunk"] = SECONDS
    if wanted.get("gen_ai.response.finish_reasons") == ["stop", "tool_calls"]:
        found["gen_ai.response.finish_reasons"] = ["tool_calls"]
    return found


def labels(points: list[dict[str, Any]]) -> set[str]:
    return {key for point in points for key in point["attributes"]}
