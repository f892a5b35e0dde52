"""Knowledge bases: a lookup is a retrieval and no call of a model; an answer made of documents names its base."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from bedrock_subject import BedrockSubject, call, made
from both import done, drained
from content_schemas import read_content, read_words

from otel_agentops import task
from otel_agentops._hashing import identity
from otel_agentops.recorder.reading import read_part, read_parts
from otel_agentops.testing import SECONDS, Capture
from otel_agentops.testing.fake_provider import FakeProvider
from otel_agentops.testing.subject import name_sources

BASE = "KB12345678"
MODEL = "arn:aws:bedrock:eu-west-1::foundation-model/anthropic.claude-3-haiku-20240307-v1:0"
LOOKUP: Any = {
    "knowledgeBaseId": BASE,
    "retrievalQuery": {"text": "Where is it?"},
    "retrievalConfiguration": {"vectorSearchConfiguration": {"numberOfResults": 3}},
}
TEMPLATE = "Answer from $search_results$ only."
ASKED: Any = {
    "input": {"text": "Where is it?"},
    "retrieveAndGenerateConfiguration": {
        "type": "KNOWLEDGE_BASE",
        "knowledgeBaseConfiguration": {
            "knowledgeBaseId": BASE,
            "modelArn": MODEL,
            "retrievalConfiguration": {
                "vectorSearchConfiguration": {
                    "numberOfResults": 3,
                    "filter": {"equals": {"key": "shop", "value": "eu"}},
                }
            },
            "generationConfiguration": {
                "inferenceConfig": {"textInferenceConfig": {"temperature": 0.2, "maxTokens": 64}},
                "promptTemplate": {"textPromptTemplate": TEMPLATE},
                "guardrailConfiguration": {"guardrailId": "gr-1", "guardrailVersion": "2"},
            },
        },
    },
}
PARAMS = {
    "numberOfResults": 3,
    "temperature": 0.2,
    "maxTokens": 64,
    "guardrailConfiguration": {"guardrailId": "gr-1", "guardrailVersion": "2"},
}


def of_base(provider: FakeProvider) -> dict[str, Any]:
    return {
        "aws.bedrock.knowledge_base.id": BASE,
        "gen_ai.data_source.id": BASE,
        "gen_ai.provider.name": "aws.bedrock",
        "gen_ai.retrieval.top_k": 3,
        "otel_agentops.attempt.count": 1,
        "otel_agentops.attempt.statuses": [200],
        "otel_agentops.index.name": BASE,
        "otel_agentops.index.source": "unknown",
        "server.address": "127.0.0.1",
        "server.port": int(provider.url.rpartition(":")[2]),
    }


def span(name: str, attributes: dict[str, Any], parent: str | None = None) -> dict[str, Any]:
    return {
        "name": name,
        "kind": "CLIENT",
        "status": "UNSET",
        "parent": parent,
        "attributes": dict(sorted(attributes.items())),
    }


def answered(provider: FakeProvider, **more: Any) -> dict[str, Any]:
    return span(
        f"chat {MODEL}",
        {
            **of_base(provider),
            "aws.bedrock.guardrail.id": "gr-1",
            "gen_ai.operation.name": "chat",
            "gen_ai.request.max_tokens": 64,
            "gen_ai.request.model": MODEL,
            "gen_ai.request.temperature": 0.2,
            "otel_agentops.model.resolution": "unreported",
            "otel_agentops.params.hash": identity(PARAMS),
            **name_sources(["topP", "stopSequences"]),
            **{f"otel_agentops.param.{name}.source": "explicit" for name in PARAMS},
            "otel_agentops.prompt.hash": identity([TEMPLATE]),
            "otel_agentops.prompt.source": "instructions",
            **more,
        },
    )


async def test_lookup_is_a_retrieval_span(provider: FakeProvider, seen: Capture, make: Any) -> None:
    result = await done(call(make("bedrock-agent-runtime"), "retrieve", **LOOKUP))
    assert len(result["retrievalResults"]) == 3
    found = {
        **of_base(provider),
        "gen_ai.operation.name": "retrieval",
        "otel_agentops.retrieval.document.count": 3,
    }
    assert seen.spans == [span(f"retrieval {BASE}", found)]
    assert "otel_agentops.model.resolution" not in found


def test_lookup_is_recorded_as_query_and_documents(provider: FakeProvider, tmp_path: Path) -> None:
    from every_client import record_calls  # it needs tools/, which the programs of tests/coexistence do not have

    mode = "full,query=hashes,documents=off"
    with (
        record_calls(BedrockSubject(), Capture(), tmp_path, mode) as read,
        closing(made("sync", "bedrock-agent-runtime", provider.url)) as client,
    ):
        client.retrieve(**LOOKUP)
        (entry,) = read()
    assert entry.kind == "retrieval"
    assert {part.name: (part.form, part.sha256 is None, read_part(entry, part.name)) for part in read_parts(entry)} == {
        "request": ("wire", False, None),
        "response": ("off", True, None),
        "headers": ("object", True, b""),
        "query": ("object", False, None),
        "documents": ("off", True, None),
    }


async def test_retrieve_and_generate_is_one_span(provider: FakeProvider, seen: Capture, make: Any) -> None:
    await done(call(make("bedrock-agent-runtime"), "retrieve_and_generate", **ASKED))
    assert seen.spans == [answered(provider, **{"gen_ai.conversation.id": "session-fake"})]


async def test_streamed_retrieve_and_generate_is_one_span(provider: FakeProvider, seen: Capture, make: Any) -> None:
    result = await done(call(make("bedrock-agent-runtime"), "retrieve_and_generate_stream", **ASKED))
    assert [next(iter(event)) for event in await drained(result["stream"])] == ["output"] * 3 + ["citation"]
    streamed = {"gen_ai.request.stream": True, "gen_ai.response.time_to_first_chunk": SECONDS}
    assert seen.spans == [answered(provider, **streamed)]


async def test_documents_in_the_request_name_no_index(provider: FakeProvider, seen: Capture, make: Any) -> None:
    """No knowledge base is asked."""
    source = {"sourceType": "S3", "s3Location": {"uri": "s3://docs/0.txt"}}
    asked = {
        "input": {"text": "Where is it?"},
        "retrieveAndGenerateConfiguration": {
            "type": "EXTERNAL_SOURCES",
            "externalSourcesConfiguration": {"modelArn": MODEL, "sources": [source]},
        },
    }
    await done(call(make("bedrock-agent-runtime"), "retrieve_and_generate", **asked))
    (found,) = seen.spans
    assert found["name"] == f"chat {MODEL}"
    assert not [name for name in found["attributes"] if "index" in name or "knowledge" in name]


async def test_task_names_the_index_that_fed_its_calls(provider: FakeProvider, seen: Capture, make: Any) -> None:
    """The lookup is no call of a model, and the base is named on the calls after it."""
    client = make("bedrock-agent-runtime")
    with task("answer"):
        await done(call(client, "retrieve", **LOOKUP))
        await done(call(client, "retrieve_and_generate", **ASKED))
    lookup, answer, root = seen.spans
    assert "otel_agentops.retrieval.indexes" not in lookup["attributes"]
    assert answer["attributes"]["otel_agentops.retrieval.indexes"] == [f"{BASE}@unknown"]
    assert root["attributes"]["otel_agentops.task.llm_calls"] == 1


async def test_content_of_a_lookup(content: Capture, make: Any) -> None:
    result = await done(call(make("bedrock-agent-runtime"), "retrieve", **LOOKUP))
    (only,) = content.spans
    assert only["attributes"]["gen_ai.retrieval.query.text"] == "Where is it?"
    documents = read_content(content)["gen_ai.retrieval.documents"]
    texts = [document["content"]["text"] for document in result["retrievalResults"]]
    assert [document["content"] for document in documents] == texts
    assert all(document["id"] for document in documents)


@pytest.mark.parametrize("stream", ["", "_stream"])
async def test_content_of_an_answer(content: Capture, make: Any, stream: str) -> None:
    result = await done(call(make("bedrock-agent-runtime"), f"retrieve_and_generate{stream}", **ASKED))
    if stream:
        await drained(result["stream"])
    assert read_words(content) == [("user", "Where is it?"), ("assistant", "Hello there.")]
