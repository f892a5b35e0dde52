"""Beside the span: the convention's metrics, once a call, and no word of the conversation in any signal."""

from __future__ import annotations

import json
from typing import Any

import openai
import pytest
from both import block, done, drained
from openai_spans import BROKEN, failed

from otel_agentops.testing import SECONDS, Capture
from otel_agentops.testing.fake_provider import Answer, Break, FakeProvider, Status, ToolCall

ASK: Any = [{"role": "user", "content": "hi"}]

BACKEND = {"openai.response.service_tier": "default", "openai.response.system_fingerprint": "fp_fake"}


def labels(provider: FakeProvider, **more: Any) -> dict[str, Any]:
    return {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "openai",
        "gen_ai.request.model": "gpt-x",
        "gen_ai.response.model": "gpt-x-2026-03-01",
        "server.address": "127.0.0.1",
        "server.port": int(provider.url.rpartition(":")[2]),
        **more,
    }


def once(attributes: dict[str, Any], total: Any = SECONDS) -> dict[str, Any]:
    return {"attributes": attributes, "count": 1, "sum": total}


async def test_a_plain_call(provider: FakeProvider, client: Any, seen: Capture) -> None:
    await done(client.chat.completions.create(model="gpt-x", messages=ASK))
    found = {**labels(provider), **BACKEND}
    assert seen.metrics == {
        "gen_ai.client.operation.duration": [once(found)],
        "gen_ai.client.token.usage": [
            once({**found, "gen_ai.token.type": "input"}, 11),
            once({**found, "gen_ai.token.type": "output"}, 5),
        ],
    }


async def test_stream_metrics_hold_the_chunk_times(provider: FakeProvider, client: Any, seen: Capture) -> None:
    await drained(await done(client.chat.completions.create(model="gpt-x", messages=ASK, stream=True)))
    found = once(labels(provider))
    assert seen.metrics == {
        "gen_ai.client.operation.duration": [once({**labels(provider), **BACKEND})],
        "gen_ai.client.operation.time_to_first_chunk": [found],
        "gen_ai.client.operation.time_per_output_chunk": [found],
    }


async def test_metrics_of_a_broken_stream_hold_the_chunk_times(
    provider: FakeProvider, client: Any, seen: Capture
) -> None:
    """How its chunks came is no matter of how it ended."""
    provider.script(Break(after=2))
    with pytest.raises(BROKEN) as caught:
        await drained(await done(client.chat.completions.create(model="gpt-x", messages=ASK, stream=True)))
    found = once(labels(provider))
    error = {**BACKEND, **failed(caught.value)}
    assert seen.metrics == {
        "gen_ai.client.operation.duration": [once({**labels(provider), **error})],
        "gen_ai.client.operation.time_to_first_chunk": [found],
        "gen_ai.client.operation.time_per_output_chunk": [found],
    }


async def test_a_failed_call(provider: FakeProvider, client: Any, seen: Capture) -> None:
    provider.script(Status(429))
    with pytest.raises(openai.RateLimitError):
        await done(client.chat.completions.create(model="gpt-x", messages=ASK))
    found = labels(provider, **{"error.type": "openai.RateLimitError"})
    del found["gen_ai.response.model"]
    assert seen.metrics == {"gen_ai.client.operation.duration": [once(found)]}


async def test_embeddings_have_no_output(provider: FakeProvider, client: Any, seen: Capture) -> None:
    await done(client.embeddings.create(model="gpt-x", input="hi"))
    found = labels(provider, **{"gen_ai.operation.name": "embeddings"})
    assert seen.metrics == {
        "gen_ai.client.operation.duration": [once(found)],
        "gen_ai.client.token.usage": [once({**found, "gen_ai.token.type": "input"}, 1)],
    }


# -- content

ASKED, ANSWERED, SYSTEM = "WHERE-IS-ANN", "ANN-IS-HERE", "YOU-KNOW-ANN"
TOOLS = [
    {
        "name": "find",
        "description": "FINDS-ANN",
        "parameters": {"type": "object", "title": "PLACE-OF-ANN"},
        "strict": True,
    }
]
WORDS = (ASKED, ANSWERED, SYSTEM, "FINDS-ANN", "PLACE-OF-ANN", "ARGUMENT-ANN")


def emitted(seen: Capture) -> str:
    """Everything, as text: attributes, names, span events, statuses, log records, metric labels."""
    spans = [json.loads(found.to_json()) for found in seen.finished_spans]
    return json.dumps([spans, seen.events, seen.metrics])


@pytest.mark.parametrize("fails", [False, True])
async def test_no_signal_holds_content(provider: FakeProvider, client: Any, seen: Capture, fails: bool) -> None:
    provider.answer(lambda call: Answer(ANSWERED, tool_calls=(ToolCall("find", '{"who": "ARGUMENT-ANN"}'),)))
    turns: Any = [{"role": "system", "content": SYSTEM}, {"role": "user", "content": ASKED}]
    chat = {"model": "gpt-x", "messages": turns, "tools": [{"type": "function", "function": TOOLS[0]}]}
    ask = {"model": "gpt-x", "input": turns, "instructions": SYSTEM, "tools": [{"type": "function", **TOOLS[0]}]}
    calls = [
        lambda: client.chat.completions.create(**chat),
        lambda: client.chat.completions.create(**chat, stream=True),
        lambda: client.chat.completions.with_raw_response.create(**chat),
        lambda: client.responses.create(**ask),
        lambda: client.responses.create(**ask, stream=True),
        lambda: client.embeddings.create(model="gpt-x", input=ASKED),
    ]
    for call in calls:
        if fails:
            provider.script(Status(400, message=f"{ASKED} is not allowed"))
            with pytest.raises(openai.BadRequestError, match=ASKED):
                await done(call())
        elif hasattr(result := await done(call()), "response"):
            await drained(result)
    async with block(client.chat.completions.stream(**chat)) as stream:
        await drained(stream)
    assert len(seen.spans) == 7
    assert [word for word in WORDS if word in emitted(seen)] == []
