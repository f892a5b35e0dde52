"""The first version of the API, which has its instructions, tools and counts in other places."""

from __future__ import annotations

from typing import Any

import pytest
from both import done, drained
from cohere_spans import PROMPT, RANK, STREAMED, chat, span
from content_schemas import read_words

from otel_agentops.clients._protocols.cohere import read_v1_chat_response
from otel_agentops.testing import Capture
from otel_agentops.testing.fake_provider import FakeProvider

CALL: Any = {"model": "command-x", "message": "hi"}


@pytest.mark.parametrize(
    "told",
    [{"preamble": "Be brief."}, {"chat_history": [{"role": "SYSTEM", "message": "Be brief."}]}],
    ids=["preamble", "history"],
)
async def test_chat(provider: FakeProvider, seen: Capture, old: Any, told: Any) -> None:
    assert (await done(old.chat(**CALL, **told))).text == "Hello there."
    assert seen.spans == [chat(provider, PROMPT)]


async def test_chat_stream(provider: FakeProvider, seen: Capture, old: Any) -> None:
    await drained(old.chat_stream(**CALL, conversation_id="c1", temperature=0.5))
    told = {"gen_ai.conversation.id": "c1", "gen_ai.request.temperature": 0.5}
    assert seen.spans == [chat(provider, STREAMED, told, params={"temperature": 0.5})]


async def test_rerank(provider: FakeProvider, seen: Capture, old: Any) -> None:
    await done(old.rerank(**RANK))
    assert seen.spans == [span(provider, "retrieval", "rank-x")]


async def test_embeddings_in_one_request_are_one_span(provider: FakeProvider, seen: Capture, old: Any) -> None:
    await done(old.embed(model="embed-x", texts=["a town"], input_type="search_query", batching=False))
    told = {"gen_ai.usage.input_tokens": 2}
    assert seen.spans == [span(provider, "embeddings", "embed-x", told, params={"input_type": "search_query"})]


async def test_embeddings_in_batches_are_one_span_each(provider: FakeProvider, seen: Capture, old: Any) -> None:
    """97 texts are two requests at once, on threads where the client is synchronous, and both are the task's."""
    with seen.tracer_provider.get_tracer("app").start_as_current_span("app"):
        answer = await done(old.embed(model="embed-x", texts=["a town"] * 97, input_type="search_query"))
    assert len(answer.embeddings) == 97
    spans = [each for each in seen.spans if each["name"] != "app"]
    assert sorted(each["attributes"]["gen_ai.usage.input_tokens"] for each in spans) == [2, 192]
    assert [each["parent"] for each in spans] == ["app", "app"]


def test_requested_tools_of_an_answer_are_known() -> None:
    calls = [{"name": "look", "parameters": {"a": 1}}, {"name": None}]
    assert read_v1_chat_response({"tool_calls": calls}).tool_calls == [("look", {"a": 1})]


async def test_content(content: Capture, old: Any) -> None:
    history = [{"role": "USER", "message": "hello"}, {"role": "CHATBOT", "message": "yes?"}]
    await done(old.chat(**CALL, preamble="Be brief.", chat_history=history))
    assert read_words(content) == [
        ("system", "Be brief."),
        ("user", "hello"),
        ("assistant", "yes?"),
        ("user", "hi"),
        ("assistant", "Hello there."),
    ]


async def test_content_of_a_stream(content: Capture, old: Any) -> None:
    await drained(old.chat_stream(**CALL))
    assert read_words(content) == [("user", "hi"), ("assistant", "Hello there.")]
