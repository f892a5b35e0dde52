"""Together beside its chat: rankings and completions."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest
from both import done, drained
from together_subject import TogetherSubject

from otel_agentops._hashing import identity
from otel_agentops.clients.together import Instrumentor
from otel_agentops.testing import SECONDS, Capture
from otel_agentops.testing.fake_provider import FakeProvider, Status
from otel_agentops.testing.subject import Subject, name_sources

SUBJECT = TogetherSubject()
FRUIT = ["pear", "apple", "plum"]


@pytest.fixture
def instrumentor() -> Instrumentor:
    return Instrumentor()


@pytest.fixture
async def client(kind: str, provider: FakeProvider) -> AsyncIterator[Any]:
    provider.alias("m-x", "m-x-2026-03-01")
    talking = SUBJECT.client(kind, provider)
    yield talking
    await done(SUBJECT.close(talking))


def span(provider: FakeProvider, name: str, **attributes: Any) -> dict[str, Any]:
    common = {
        "gen_ai.provider.name": "together_ai",
        "gen_ai.request.model": "m-x",
        "gen_ai.response.model": "m-x-2026-03-01",
        "otel_agentops.attempt.count": 1,
        "otel_agentops.attempt.statuses": [200],
        "otel_agentops.model.resolution": "resolved",
        "otel_agentops.prompt.source": "none",
        "server.address": "127.0.0.1",
        "server.port": int(provider.url.rpartition(":")[2]),
    }
    given = {key.replace("__", "."): value for key, value in attributes.items()}
    kept = {key: value for key, value in {**common, **given}.items() if value is not None}
    return {"name": name, "kind": "CLIENT", "status": "UNSET", "parent": None, "attributes": dict(sorted(kept.items()))}


async def test_a_ranking(provider: FakeProvider, client: Any, seen: Capture) -> None:
    ranked = await done(client.rerank.create(model="m-x", query="which fruit?", documents=FRUIT, top_n=2))
    assert [result.index for result in ranked.results] == [0, 1]
    assert seen.spans == [
        span(
            provider,
            "retrieval m-x",
            gen_ai__operation__name="retrieval",
            gen_ai__response__id="rr-fake",
            gen_ai__retrieval__top_k=2,
            gen_ai__usage__input_tokens=11,
            gen_ai__usage__output_tokens=0,
            otel_agentops__param__top_n__source="explicit",
            otel_agentops__params__hash=identity({"top_n": 2}),
        )
    ]
    assert "fruit" not in str(seen.spans)
    assert "pear" not in str(seen.spans)


COMPLETION: Any = {
    "gen_ai__operation__name": "text_completion",
    "gen_ai__request__max_tokens": 9,
    "gen_ai__response__finish_reasons": ["stop"],
    "gen_ai__response__id": "cmpl-fake",
    "gen_ai__usage__cache_read__input_tokens": 4,
    "gen_ai__usage__input_tokens": 11,
    "gen_ai__usage__output_tokens": 5,
    "gen_ai__usage__reasoning__output_tokens": 2,
    "otel_agentops__param__max_tokens__source": "explicit",
    **{name.replace(".", "__"): source for name, source in name_sources((*Subject.sampling, "top_k")).items()},
    "otel_agentops__params__hash": identity({"max_tokens": 9}),
}


async def test_a_completion(provider: FakeProvider, client: Any, seen: Capture) -> None:
    said = await done(client.completions.create(model="m-x", prompt="Once upon", max_tokens=9))
    assert said.choices[0].text == "Hello there."
    assert seen.spans == [span(provider, "text_completion m-x", **COMPLETION)]


async def test_a_streamed_completion(provider: FakeProvider, client: Any, seen: Capture) -> None:
    counted = {"stream_options": {"include_usage": True}}
    stream = await done(
        client.completions.create(model="m-x", prompt="Once upon", max_tokens=9, stream=True, extra_body=counted)
    )
    assert len(await drained(stream)) == 5
    streamed = {"gen_ai__request__stream": True, "gen_ai__response__time_to_first_chunk": SECONDS}
    assert seen.spans == [span(provider, "text_completion m-x", **COMPLETION, **streamed)]


async def test_calls_without_a_model_make_no_span(provider: FakeProvider, client: Any, seen: Capture) -> None:
    provider.script(Status(404))
    with pytest.raises(Exception, match="404"):
        await done(client.batches.create(input_file_id="f", endpoint="/v1/chat/completions"))
    assert seen.spans == []
