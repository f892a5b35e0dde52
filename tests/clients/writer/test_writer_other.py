"""Writer beside its plain chat: completions of its own shape, tools that are no functions, and the stream manager."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest
from both import block, done, drained
from writer_subject import WriterSubject

from otel_agentops._hashing import identity
from otel_agentops.clients._protocols.openai_chat import normalise_tool
from otel_agentops.clients.writer import Instrumentor
from otel_agentops.testing import SECONDS, Capture
from otel_agentops.testing.contract import Bench
from otel_agentops.testing.fake_provider import FakeProvider
from otel_agentops.testing.subject import MODEL, RESOLVED, ChatRequest, name_sources

SUBJECT = WriterSubject()
ASKED = SUBJECT.arguments(ChatRequest())


@pytest.fixture
def instrumentor() -> Instrumentor:
    return Instrumentor()


@pytest.fixture
async def client(kind: str, provider: FakeProvider) -> AsyncIterator[Any]:
    provider.alias(MODEL, RESOLVED)
    talking = SUBJECT.client(kind, provider)
    yield talking
    await done(SUBJECT.close(talking))


def completed(provider: FakeProvider, **attributes: Any) -> dict[str, Any]:
    """The span of a completion: its answer has neither id nor counts."""
    given = {key.replace("__", "."): value for key, value in attributes.items()}
    found = {
        "gen_ai.operation.name": "text_completion",
        "gen_ai.provider.name": "writer",
        "gen_ai.request.model": MODEL,
        "gen_ai.request.seed": 7,
        "gen_ai.request.temperature": 0.0,
        "otel_agentops.attempt.count": 1,
        "otel_agentops.attempt.statuses": [200],
        "otel_agentops.param.temperature.source": "explicit",
        **name_sources(["top_p", "stop"]),
        **name_sources(["random_seed"], "explicit"),
        "otel_agentops.params.hash": identity({"temperature": 0}),
        "otel_agentops.prompt.source": "none",
        "server.address": "127.0.0.1",
        "server.port": int(provider.url.rpartition(":")[2]),
        **given,
    }
    return {
        "name": f"text_completion {MODEL}",
        "kind": "CLIENT",
        "status": "UNSET",
        "parent": None,
        "attributes": dict(sorted(found.items())),
    }


async def test_a_completion(provider: FakeProvider, client: Any, seen: Capture) -> None:
    said = await done(client.completions.create(model=MODEL, prompt="Once upon", temperature=0, random_seed=7))
    assert said.choices[0].text == "Hello there."
    resolved = {"gen_ai__response__model": RESOLVED, "otel_agentops__model__resolution": "resolved"}
    assert seen.spans == [completed(provider, **resolved)]


async def test_a_streamed_completion_names_no_model(provider: FakeProvider, client: Any, seen: Capture) -> None:
    stream = await done(
        client.completions.create(model=MODEL, prompt="Once upon", temperature=0, random_seed=7, stream=True)
    )
    assert "".join(chunk.value for chunk in await drained(stream)) == "Hello there."
    streamed: Any = {"gen_ai__request__stream": True, "gen_ai__response__time_to_first_chunk": SECONDS}
    assert seen.spans == [completed(provider, **streamed, otel_agentops__model__resolution="unreported")]


async def test_the_stream_manager_left_early(provider: FakeProvider, kind: str, client: Any, seen: Capture) -> None:
    if not hasattr(client.chat, "stream"):
        pytest.skip("this version has no stream manager")
    async with block(client.chat.stream(**ASKED)):
        pass
    (found,) = seen.spans
    expected = Bench(SUBJECT, kind, provider).expect_span("begun")
    unread = ("gen_ai.response.time_to_first_chunk", "gen_ai.response.id", "gen_ai.response.model")
    unread += ("otel_agentops.model.resolution",)
    kept = {key: value for key, value in expected["attributes"].items() if key not in unread}
    assert found == {**expected, "attributes": kept}


def test_tool_without_a_function_is_hashed_by_its_settings() -> None:
    graph = {"type": "graph", "function": {"graph_ids": ["g"], "subqueries": True}}
    assert normalise_tool(graph) == {"name": "graph", "settings": graph}
