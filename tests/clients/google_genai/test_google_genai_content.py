"""What a request says: settings, instructions, who serves which model, and what is asked for."""

from __future__ import annotations

from typing import Any

import pytest
from both import done, drained
from expected_gemini import NO_AFC, embedded, parameters, streamed, whole
from google.genai import types
from google_genai_subject import COUNTED

from otel_agentops._hashing import identity
from otel_agentops.clients.google_genai import read_content_request, read_content_response, read_embeddings_request
from otel_agentops.clients.google_genai._seams import read_address
from otel_agentops.testing import Capture
from otel_agentops.testing.fake_provider import Answer, FakeProvider

EVERYTHING: Any = {
    "temperature": 0.0, "top_p": 0.9, "top_k": 3, "max_output_tokens": 64, "seed": 7, "stop_sequences": ["END"],
    "candidate_count": 2, "frequency_penalty": 0.5, "presence_penalty": 0.25,
}  # fmt: skip
SENT = {
    "temperature": 0.0, "topP": 0.9, "topK": 3, "maxOutputTokens": 64, "stopSequences": ["END"],
    "candidateCount": 2, "frequencyPenalty": 0.5, "presencePenalty": 0.25,
}  # fmt: skip
ASKED: Any = {
    "otel_agentops__param__seed__source": "explicit",
    "gen_ai__request__choice__count": 2,
    "gen_ai__request__frequency_penalty": 0.5,
    "gen_ai__request__max_tokens": 64,
    "gen_ai__request__presence_penalty": 0.25,
    "gen_ai__request__seed": 7,
    "gen_ai__request__stop_sequences": ["END"],
    "gen_ai__request__temperature": 0.0,
    "gen_ai__request__top_k": 3,
    "gen_ai__request__top_p": 0.9,
    "gen_ai__response__finish_reasons": ["STOP", "STOP"],
}


def ask(client: Any, model: str = "gemini-x", **config: Any) -> Any:
    return client.models.generate_content(model=model, contents="hi", config=config or None)


async def test_settings_are_parameters(provider: FakeProvider, seen: Capture, gemini: Any) -> None:
    await done(ask(gemini, **EVERYTHING))
    assert seen.spans == [whole(provider, **ASKED, **parameters(**SENT))]


async def test_settings_of_a_stream_are_parameters(provider: FakeProvider, seen: Capture, gemini: Any) -> None:
    await drained(await done(gemini.models.generate_content_stream(model="gemini-x", contents="hi", config=EVERYTHING)))
    assert seen.spans == [streamed(provider, **ASKED, **parameters(**SENT))]


@pytest.mark.parametrize(
    ("given", "parts"),
    [
        ("Be brief.", ["Be brief."]),
        (types.Part(text="Be brief."), ["Be brief."]),
        (["Be brief.", "Be kind."], ["Be brief.", "Be kind."]),
        (types.Content(parts=[types.Part(text="Be brief.")]), ["Be brief."]),
    ],
)
async def test_instructions(provider: FakeProvider, seen: Capture, gemini: Any, given: Any, parts: list[str]) -> None:
    await done(ask(gemini, system_instruction=given))
    prompt = {"otel_agentops__prompt__source": "instructions", "otel_agentops__prompt__hash": identity(parts)}
    assert seen.spans == [whole(provider, **prompt)]


@pytest.mark.parametrize(
    ("config", "kind"),
    [
        ({"response_mime_type": "application/json"}, "json"),
        ({"response_mime_type": "text/plain"}, "text"),
        ({"response_modalities": ["TEXT", "IMAGE"]}, "image"),
        ({"response_modalities": ["AUDIO"]}, "speech"),
        ({"response_modalities": ["TEXT"]}, None),
        ({"response_mime_type": "application/json", "response_schema": {"type": "OBJECT", "properties": {}}}, "json"),
    ],
)
async def test_output_types(seen: Capture, gemini: Any, config: Any, kind: str | None) -> None:
    await done(ask(gemini, **config))
    (only,) = seen.spans
    assert only["attributes"].get("gen_ai.output.type") == kind


async def test_thinking(provider: FakeProvider, seen: Capture, gemini: Any) -> None:
    """The client spells the members of this setting differently by version; they are one parameter."""
    await done(ask(gemini, thinking_config={"include_thoughts": True, "thinking_budget": 5}))
    config = {"includeThoughts": True, "thinkingBudget": 5}
    assert seen.spans == [whole(provider, **parameters(thinkingConfig=config))]


@pytest.mark.skipif("thinking_level" not in types.ThinkingConfig.model_fields, reason="this version has budgets alone")
async def test_a_thinking_level(seen: Capture, gemini: Any) -> None:
    await done(ask(gemini, thinking_config={"thinking_level": "LOW"}))
    (only,) = seen.spans
    assert only["attributes"]["gen_ai.request.reasoning.level"] == "LOW"


async def test_labels_cache_and_location_are_not_parameters(provider: FakeProvider, seen: Capture, vertex: Any) -> None:
    """It differs by call or by user: labels, the name of a cache, where the user is."""
    where = {"retrieval_config": {"lat_lng": {"latitude": 1.5, "longitude": 2.5}}}
    await done(ask(vertex, labels={"team": "a"}, cached_content="cachedContents/1", tool_config=where))
    assert seen.spans == [whole(provider, gen_ai__provider__name="gcp.vertex_ai")]
    body = provider.requests[-1].body
    assert {"labels", "cachedContent", "toolConfig"} <= set(body), "and yet all of it was sent"


async def test_extra_body_is_part_of_the_request(provider: FakeProvider, seen: Capture, make: Any) -> None:
    """`extra_body` is merged when the request is made."""
    client = make(extra_body={"generationConfig": {"topK": 3}, "safetySettings": []})
    await done(ask(client, temperature=0.5))
    sent = {"temperature": 0.5, "topK": 3, "safetySettings": []}
    known = {"gen_ai__request__temperature": 0.5, "gen_ai__request__top_k": 3}
    assert seen.spans == [whole(provider, **known, **parameters(**sent))]


@pytest.mark.parametrize("wrong", [{"tools": ["x", 3]}, {"tools": [{"functionDeclarations": "x"}]}, {"tools": {}}])
async def test_malformed_body_still_makes_a_span(seen: Capture, make: Any, wrong: Any) -> None:
    """What cannot be read of it is left out; the call is a span all the same."""
    client = make(extra_body=wrong)
    await done(client.models.generate_content(model="gemini-x", contents="hi"))
    (only,) = seen.spans
    assert only["attributes"]["gen_ai.response.model"] == "gemini-x-001"


def test_malformed_settings_are_ignored() -> None:
    to = read_address("http://127.0.0.1:1/v1/models/m:generateContent", False)
    names = ("temperature", "topP", "topK", "frequencyPenalty", "presencePenalty", "seed", "stopSequences")
    assert read_content_request({"generationConfig": "x"}, to).params == dict.fromkeys(names)
    assert read_embeddings_request({"requests": ["x"], "parameters": 3}, to).params == dict.fromkeys(names)


# -- who serves which model


@pytest.mark.parametrize("model", ["gemini-x", "models/gemini-x"])
async def test_spellings_of_a_model(provider: FakeProvider, seen: Capture, gemini: Any, model: str) -> None:
    await done(ask(gemini, model))
    assert seen.spans == [whole(provider)]


@pytest.mark.parametrize("model", ["gemini-x", "publishers/google/models/gemini-x", "google/gemini-x"])
async def test_spellings_of_a_model_on_vertex(provider: FakeProvider, seen: Capture, vertex: Any, model: str) -> None:
    await done(ask(vertex, model))
    assert seen.spans == [whole(provider, gen_ai__provider__name="gcp.vertex_ai")]
    assert provider.requests[-1].path.endswith(
        "/projects/p/locations/l/publishers/google/models/gemini-x:generateContent"
    )


async def test_a_stream_of_vertex(provider: FakeProvider, seen: Capture, vertex: Any) -> None:
    await drained(await done(vertex.models.generate_content_stream(model="gemini-x", contents="hi")))
    assert seen.spans == [streamed(provider, gen_ai__provider__name="gcp.vertex_ai")]


async def test_a_tuned_model(seen: Capture, gemini: Any, vertex: Any) -> None:
    await done(ask(gemini, "tunedModels/12"))
    await done(ask(vertex, "projects/p/locations/l/endpoints/77"))
    assert [found["name"] for found in seen.spans] == [
        "generate_content tunedModels/12",
        "generate_content endpoints/77",
    ]


# -- embeddings


async def test_embeddings(provider: FakeProvider, seen: Capture, gemini: Any) -> None:
    config = {"output_dimensionality": 8, "task_type": "RETRIEVAL_QUERY"}
    await done(gemini.models.embed_content(model="gemini-x", contents=["two words", "one"], config=config))
    sent = parameters(outputDimensionality=8, taskType="RETRIEVAL_QUERY")
    counted = {"gen_ai__usage__input_tokens": 3 if COUNTED else None}
    assert seen.spans == [embedded(provider, gen_ai__embeddings__dimension__count=8, **sent, **counted)]


async def test_embeddings_of_vertex(provider: FakeProvider, seen: Capture, vertex: Any) -> None:
    """Its answer counts the tokens of each text; the same settings are the same parameters."""
    config = {"output_dimensionality": 8, "task_type": "RETRIEVAL_QUERY"}
    await done(vertex.models.embed_content(model="gemini-x", contents=["two words", "one"], config=config))
    sent = parameters(outputDimensionality=8, taskType="RETRIEVAL_QUERY")
    known = {"gen_ai__provider__name": "gcp.vertex_ai", "gen_ai__usage__input_tokens": 3}
    assert seen.spans == [embedded(provider, gen_ai__embeddings__dimension__count=8, **sent, **known)]


@pytest.mark.skipif(not COUNTED, reason="this version sends all models of Vertex to :predict")
async def test_embeddings_of_a_newer_model_of_vertex(provider: FakeProvider, seen: Capture, vertex: Any) -> None:
    model, config = "gemini-embedding-2", {"output_dimensionality": 8}
    await done(vertex.models.embed_content(model=model, contents=["two words"], config=config))
    assert provider.requests[-1].path.endswith(":embedContent")
    known = {
        "gen_ai__provider__name": "gcp.vertex_ai",
        "gen_ai__usage__input_tokens": 2,
        "gen_ai__request__model": model,
    }
    sent = parameters(outputDimensionality=8)
    assert seen.spans == [embedded(provider, gen_ai__embeddings__dimension__count=8, **sent, **known)]


# -- answers


async def test_finish_reason_is_recorded(provider: FakeProvider, seen: Capture, gemini: Any) -> None:
    provider.answer(lambda call: Answer(finish="MAX_TOKENS"))
    await done(ask(gemini))
    assert seen.spans == [whole(provider, gen_ai__response__finish_reasons=["MAX_TOKENS"])]


async def test_thoughts_are_part_of_the_output(provider: FakeProvider, seen: Capture, gemini: Any) -> None:
    provider.answer(lambda call: Answer(thinking="Hm.", output_tokens=9, reasoning_tokens=6))
    await done(ask(gemini))
    counted = {"gen_ai__usage__output_tokens": 9, "gen_ai__usage__reasoning__output_tokens": 6}
    assert seen.spans == [whole(provider, **counted)]


def test_missing_counts_are_unknown() -> None:
    """A prompt that was blocked: no candidate, no count of one; and no count at all."""
    said = types.GenerateContentResponse.model_validate(
        {"promptFeedback": {"blockReason": "SAFETY"}, "usageMetadata": {"promptTokenCount": 8, "totalTokenCount": 8}}
    )
    assert read_content_response(said)[:4] == (None, {}, 8, None)
    assert read_content_response(types.GenerateContentResponse())[:4] == (None, {}, None, None)


def test_tokens_of_server_tools_are_input() -> None:
    usage = {"promptTokenCount": 8, "toolUsePromptTokenCount": 30, "candidatesTokenCount": 2, "totalTokenCount": 40}
    said = types.GenerateContentResponse.model_validate({"usageMetadata": usage})
    assert read_content_response(said)[2:4] == (38, 2)


# -- what makes no span


async def test_counting_tokens_makes_no_span(provider: FakeProvider, seen: Capture, gemini: Any) -> None:
    await done(gemini.models.count_tokens(model="gemini-x", contents="hi"))
    assert provider.requests[-1].path.endswith(":countTokens")
    assert seen.spans == []


async def test_call_without_function_calling_is_one_span(seen: Capture, gemini: Any) -> None:
    await done(ask(gemini, **NO_AFC))
    assert len(seen.spans) == 1
