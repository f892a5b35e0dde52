"""Content of every kind of part, through real SDKs, in the convention's own shape."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from content_schemas import read_content

import ends
from otel_agentops.testing import Record, capture
from otel_agentops.testing.fake_provider import Answer, Break, FakeProvider

PNG = b"\x89PNG not a picture"
PNG_BASE64 = base64.b64encode(PNG).decode()
BLOB = {
    "type": "blob",
    "modality": "image",
    "mime_type": "image/png",
    "byte_size": len(PNG),
    "sha256": hashlib.sha256(PNG).hexdigest(),
}
URL = "https://shop.example/cat.png"
CALL = {"type": "tool_call", "id": "call_1", "name": "weather", "arguments": {"city": "Paris"}}
RESULT = {"type": "tool_call_response", "id": "call_1", "response": "rainy, 57°F"}
ANSWER = Answer(text="Take an umbrella.", thinking="It rains.")


def text(words: str) -> Record:
    return {"type": "text", "content": words}


REASONING = {"type": "reasoning", "content": "It rains."}


@pytest.fixture
def provider() -> Iterator[FakeProvider]:
    with FakeProvider() as running:
        running.answer(lambda call: ANSWER)
        yield running


def record_call(monkeypatch: pytest.MonkeyPatch, instrumentor: Any, call: Callable[[], object]) -> Record:
    """Make a call with content on its span; return the content."""
    monkeypatch.setenv("OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT", "SPAN_ONLY")
    with capture(instrumentor) as seen:
        call()
        assert seen.events == []
        return read_content(seen)


CHAT_TURNS: Any = [
    {"role": "developer", "content": "Be brief."},
    {
        "role": "user",
        "name": "ann",
        "content": [
            {"type": "text", "text": "Umbrella?"},
            {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{PNG_BASE64}"}},
            {"type": "image_url", "image_url": {"url": URL}},
            {"type": "input_audio", "input_audio": {"data": PNG_BASE64, "format": "wav"}},
            {"type": "file", "file": {"file_id": "file-7"}},
        ],
    },
    {
        "role": "assistant",
        "content": None,
        "tool_calls": [
            {"id": "call_1", "type": "function", "function": {"name": "weather", "arguments": '{"city": "Paris"}'}},
        ],
    },
    {"role": "tool", "tool_call_id": "call_1", "content": [{"type": "text", "text": "rainy, 57°F"}]},
]
CHAT_MESSAGES = [
    {"role": "developer", "parts": [text("Be brief.")]},
    {
        "role": "user",
        "name": "ann",
        "parts": [
            text("Umbrella?"),
            BLOB,
            {"type": "uri", "modality": "image", "uri": URL},
            {**BLOB, "modality": "audio", "mime_type": "audio/wav"},
            {"type": "file", "modality": "document", "file_id": "file-7"},
        ],
    },
    {"role": "assistant", "parts": [CALL]},
    {"role": "tool", "parts": [RESULT]},
]


@pytest.mark.parametrize("streams", [False, True])
def test_chat_has_every_kind_of_part(provider: FakeProvider, monkeypatch: pytest.MonkeyPatch, streams: bool) -> None:
    openai = pytest.importorskip("openai")
    from otel_agentops.clients.openai import Instrumentor

    def call() -> None:
        client = openai.OpenAI(api_key="k", base_url=provider.openai_url)
        result = client.chat.completions.create(
            model="m",
            messages=CHAT_TURNS,
            tools=[{"type": "function", "function": {"name": "weather"}}],
            stream=streams,
        )
        list(result)

    content = record_call(monkeypatch, Instrumentor(), call)
    assert content == {
        "gen_ai.input.messages": CHAT_MESSAGES,
        "gen_ai.output.messages": [
            {"role": "assistant", "parts": [text("Take an umbrella.")], "finish_reason": "stop"}
        ],
        "gen_ai.tool.definitions": [{"type": "function", "name": "weather"}],
    }


def test_completion_is_one_turn(provider: FakeProvider, monkeypatch: pytest.MonkeyPatch) -> None:
    openai = pytest.importorskip("openai")
    from otel_agentops.clients.openai import Instrumentor

    client = openai.OpenAI(api_key="k", base_url=provider.openai_url)
    content = record_call(monkeypatch, Instrumentor(), lambda: client.completions.create(model="m", prompt="Once"))
    assert content == {
        "gen_ai.input.messages": [{"role": "user", "parts": [text("Once")]}],
        "gen_ai.output.messages": [
            {"role": "assistant", "parts": [text("Take an umbrella.")], "finish_reason": "stop"}
        ],
    }


def test_embeddings_have_no_content(provider: FakeProvider, monkeypatch: pytest.MonkeyPatch) -> None:
    openai = pytest.importorskip("openai")
    from otel_agentops.clients.openai import Instrumentor

    client = openai.OpenAI(api_key="k", base_url=provider.openai_url)
    assert record_call(monkeypatch, Instrumentor(), lambda: client.embeddings.create(model="m", input="words")) == {}


@pytest.mark.parametrize("streams", [False, True])
def test_responses_have_every_kind_of_item(
    provider: FakeProvider, monkeypatch: pytest.MonkeyPatch, streams: bool
) -> None:
    openai = pytest.importorskip("openai")
    from otel_agentops.clients.openai import Instrumentor

    items: Any = [
        {
            "role": "user",
            "content": [
                {"type": "input_text", "text": "Umbrella?"},
                {"type": "input_image", "image_url": f"data:image/png;base64,{PNG_BASE64}", "detail": "low"},
                {"type": "input_file", "file_id": "file-7"},
            ],
        },
        {"type": "reasoning", "id": "rs_1", "summary": [{"type": "summary_text", "text": "It rains."}]},
        {"type": "function_call", "call_id": "call_1", "name": "weather", "arguments": '{"city": "Paris"}'},
        {"type": "function_call_output", "call_id": "call_1", "output": "rainy, 57°F"},
    ]

    def call() -> None:
        client = openai.OpenAI(api_key="k", base_url=provider.openai_url)
        list(client.responses.create(model="m", instructions="Be brief.", input=items, stream=streams))

    content = record_call(monkeypatch, Instrumentor(), call)
    output = content.pop("gen_ai.output.messages")
    assert content == {
        "gen_ai.system_instructions": [text("Be brief.")],
        "gen_ai.input.messages": [
            {
                "role": "user",
                "parts": [text("Umbrella?"), BLOB, {"type": "file", "modality": "document", "file_id": "file-7"}],
            },
            {"role": "assistant", "parts": [REASONING]},
            {"role": "assistant", "parts": [CALL]},
            {"role": "tool", "parts": [RESULT]},
        ],
    }
    assert [(message["parts"][-1], message["finish_reason"]) for message in output] == [
        (text("Take an umbrella."), "stop")
    ]


@pytest.mark.parametrize("streams", [False, True])
def test_messages_have_every_kind_of_block(
    provider: FakeProvider, monkeypatch: pytest.MonkeyPatch, streams: bool
) -> None:
    anthropic = pytest.importorskip("anthropic")
    from otel_agentops.clients.anthropic import Instrumentor

    turns: Any = [
        {
            "role": "user",
            "content": [
                {"type": "text", "text": "Umbrella?"},
                {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": PNG_BASE64}},
                {"type": "image", "source": {"type": "url", "url": URL}},
                {"type": "document", "source": {"type": "text", "media_type": "text/plain", "data": "Page one."}},
            ],
        },
        {
            "role": "assistant",
            "content": [
                {"type": "thinking", "thinking": "It rains.", "signature": "x"},
                {"type": "tool_use", "id": "call_1", "name": "weather", "input": {"city": "Paris"}},
            ],
        },
        {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "call_1", "content": "rainy, 57°F"}]},
    ]

    def call() -> None:
        client = anthropic.Anthropic(api_key="k", base_url=provider.url)
        list(client.messages.create(model="m", max_tokens=9, system="Be brief.", messages=turns, stream=streams))

    content = record_call(monkeypatch, Instrumentor(), call)
    assert content == {
        "gen_ai.system_instructions": [text("Be brief.")],
        "gen_ai.input.messages": [
            {
                "role": "user",
                "parts": [
                    text("Umbrella?"),
                    BLOB,
                    {"type": "uri", "modality": "image", "uri": URL},
                    text("Page one."),
                ],
            },
            {"role": "assistant", "parts": [REASONING, CALL]},
            {"role": "user", "parts": [RESULT]},
        ],
        "gen_ai.output.messages": [
            {"role": "assistant", "parts": [REASONING, text("Take an umbrella.")], "finish_reason": "stop"}
        ],
    }


def test_cut_stream_has_what_came_of_it(provider: FakeProvider, monkeypatch: pytest.MonkeyPatch) -> None:
    openai = pytest.importorskip("openai")
    from otel_agentops.clients.openai import Instrumentor

    provider.script(Break(after=2))

    def call() -> None:
        client = openai.OpenAI(api_key="k", base_url=provider.openai_url, max_retries=0)
        turns: Any = [{"role": "user", "content": "Umbrella?"}]
        with pytest.raises(Exception):  # noqa: B017  the HTTP client's, which differs by version
            list(client.chat.completions.create(model="m", messages=turns, stream=True))

    (message,) = record_call(monkeypatch, Instrumentor(), call)["gen_ai.output.messages"]
    assert message["finish_reason"] == "unknown"
    assert "Take an umbrella.".startswith(message["parts"][0]["content"])


def test_content_is_read_before_the_client_changes_it(provider: FakeProvider, monkeypatch: pytest.MonkeyPatch) -> None:
    """The application appends the answer to its list while the stream is still open."""
    openai = pytest.importorskip("openai")
    from otel_agentops.clients.openai import Instrumentor

    turns: Any = [{"role": "user", "content": "Umbrella?"}]

    def call() -> None:
        client = openai.OpenAI(api_key="k", base_url=provider.openai_url)
        for _ in client.chat.completions.create(model="m", messages=turns, stream=True):
            turns.append({"role": "assistant", "content": "more"})

    content = record_call(monkeypatch, Instrumentor(), call)
    assert content["gen_ai.input.messages"] == [{"role": "user", "parts": [text("Umbrella?")]}]


def test_contents_have_every_kind_of_part(provider: FakeProvider, monkeypatch: pytest.MonkeyPatch) -> None:
    genai = pytest.importorskip("google.genai")
    from otel_agentops.clients.google_genai import Instrumentor

    turns: Any = [
        {
            "role": "user",
            "parts": [
                {"text": "Umbrella?"},
                {"inline_data": {"data": PNG, "mime_type": "image/png"}},
                {"file_data": {"file_uri": URL, "mime_type": "image/png"}},
            ],
        },
        {"role": "model", "parts": [{"function_call": {"name": "weather", "args": {"city": "Paris"}}}]},
        {"role": "user", "parts": [{"function_response": {"name": "weather", "response": {"sky": "rainy"}}}]},
    ]

    def call() -> None:
        client = genai.Client(api_key="k", http_options={"base_url": provider.url})
        client.models.generate_content(model="m", contents=turns, config={"system_instruction": "Be brief."})

    content = record_call(monkeypatch, Instrumentor(), call)
    parts = content.pop("gen_ai.output.messages")[0]["parts"]
    assert parts[-1] == text("Take an umbrella.")
    assert content == {
        "gen_ai.system_instructions": [text("Be brief.")],
        "gen_ai.input.messages": [
            {
                "role": "user",
                "parts": [
                    text("Umbrella?"),
                    BLOB,
                    {"type": "uri", "modality": "image", "uri": URL, "mime_type": "image/png"},
                ],
            },
            {"role": "assistant", "parts": [{**CALL, "id": None}]},
            {"role": "user", "parts": [{**RESULT, "id": "weather", "response": {"sky": "rainy"}}]},
        ],
    }


def test_converse_has_every_kind_of_block(provider: FakeProvider, monkeypatch: pytest.MonkeyPatch) -> None:
    if lacking := ends.find_lacking("bedrock"):
        pytest.skip(f"{lacking} is not installed here")
    import boto3

    from otel_agentops.clients.bedrock import Instrumentor

    turns: Any = [
        {"role": "user", "content": [{"text": "Umbrella?"}, {"image": {"format": "png", "source": {"bytes": PNG}}}]},
        {
            "role": "assistant",
            "content": [{"toolUse": {"toolUseId": "call_1", "name": "weather", "input": {"city": "Paris"}}}],
        },
        {
            "role": "user",
            "content": [
                {"toolResult": {"toolUseId": "call_1", "content": [{"text": "rainy, 57°F"}]}},
                {"cachePoint": {"type": "default"}},
            ],
        },
    ]

    def call() -> None:
        client = boto3.client(
            "bedrock-runtime",
            endpoint_url=provider.url,
            region_name="eu-west-1",
            aws_access_key_id="k",
            aws_secret_access_key="s",
        )
        client.converse(modelId="m", messages=turns, system=[{"text": "Be brief."}])

    content = record_call(monkeypatch, Instrumentor(), call)
    parts = content.pop("gen_ai.output.messages")[0]["parts"]
    assert parts[-1] == text("Take an umbrella.")
    assert content == {
        "gen_ai.system_instructions": [text("Be brief.")],
        "gen_ai.input.messages": [
            {"role": "user", "parts": [text("Umbrella?"), BLOB]},
            {"role": "assistant", "parts": [CALL]},
            {"role": "user", "parts": [RESULT]},
        ],
    }


def test_ranking_has_query_and_scores(provider: FakeProvider, monkeypatch: pytest.MonkeyPatch) -> None:
    if lacking := ends.find_lacking("cohere"):  # the folder of its tests can be imported by that name
        pytest.skip(f"{lacking} is not installed here")
    import cohere

    from otel_agentops.clients.cohere import Instrumentor

    monkeypatch.setenv("OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT", "SPAN_AND_EVENT")
    with capture(Instrumentor()) as seen:
        client = cohere.ClientV2(api_key="k", base_url=provider.url)
        client.rerank(model="m", query="parcel", documents=["where is my parcel", "refunds"])
        assert seen.events == []
        documents = read_content(seen)["gen_ai.retrieval.documents"]
    assert seen.spans[0]["attributes"]["gen_ai.retrieval.query.text"] == "parcel"
    assert [document["id"] for document in documents]
    assert all(type(document["score"]) is float for document in documents)
