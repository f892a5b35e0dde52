"""What is the InferenceClient's own: generated text, features, and whom a request is routed to."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import huggingface_hub
import pytest
from both import done, drained
from content_schemas import read_words

from otel_agentops._hashing import identity
from otel_agentops.clients.huggingface_hub import find_server, read_embeddings_response
from otel_agentops.testing import SECONDS, Capture
from otel_agentops.testing.fake_provider import Fail, FakeProvider, Status
from otel_agentops.testing.subject import Subject, name_sources

MODEL = "/hf-inference/models/m-x"
FEATURES = f"{MODEL}/pipeline/feature-extraction"
STREAMED = {"gen_ai.request.stream": True, "gen_ai.response.time_to_first_chunk": SECONDS}
DETAILED = {
    "gen_ai.response.finish_reasons": ["eos_token"],
    "gen_ai.usage.output_tokens": 5,
    "otel_agentops.param.seed.source": "echoed",
}


SAMPLING = {
    "chat": Subject.sampling,
    "text_completion": ("temperature", "top_p", "top_k", "frequency_penalty", "seed", "stop"),
}


def span(
    provider: FakeProvider, operation: str, *changes: Mapping[str, Any], params: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """A span of a call of a server that has one model. changes: beside or in the place of the usual."""
    attributes: dict[str, Any] = {
        "gen_ai.operation.name": operation,
        "gen_ai.provider.name": "huggingface",
        "otel_agentops.attempt.count": 1,
        "otel_agentops.attempt.statuses": [200],
        "otel_agentops.model.resolution": "unreported",
        "otel_agentops.prompt.source": "none",
        "server.address": "127.0.0.1",
        "server.port": int(provider.url.rpartition(":")[2]),
    }
    if operation in ("chat", "text_completion"):
        attributes |= name_sources(SAMPLING[operation])
    if params:
        attributes["otel_agentops.params.hash"] = identity(dict(params))
        attributes |= {f"otel_agentops.param.{name}.source": "explicit" for name in params}
    for each in changes:
        attributes.update(each)
    kept = {name: attributes[name] for name in sorted(attributes) if attributes[name] is not None}
    status = "ERROR" if "error.type" in kept else "UNSET"
    return {"name": operation, "kind": "CLIENT", "status": status, "parent": None, "attributes": kept}


async def test_generated_text(provider: FakeProvider, seen: Capture, make: Any) -> None:
    """A text alone says nothing of what it cost."""
    client = make(model=f"{provider.url}{MODEL}")
    sampling = {"temperature": 0.5, "max_new_tokens": 9, "repetition_penalty": 1.5, "return_full_text": True}
    assert await done(client.text_generation("hi", seed=7, **sampling)) == "Hello there."
    told = {"gen_ai.request.temperature": 0.5, "gen_ai.request.max_tokens": 9, "gen_ai.request.seed": 7}
    told |= name_sources(["seed"], "explicit")
    assert seen.spans == [span(provider, "text_completion", told, params=_as_sent(provider, "seed"))]
    assert sampling.items() <= _as_sent(provider).items()


def _as_sent(provider: FakeProvider, *without: str) -> dict[str, Any]:
    """The parameters of the last request: versions before 1 send some by themselves."""
    sent = provider.requests[-1].body.get("parameters") or {}
    return {name: value for name, value in sent.items() if name not in without}


async def test_generated_text_with_details(provider: FakeProvider, seen: Capture, make: Any) -> None:
    client = make(model=f"{provider.url}{MODEL}")
    await done(client.text_generation("hi", details=True))
    assert seen.spans == [span(provider, "text_completion", DETAILED, params=_as_sent(provider))]


async def test_a_stream_of_text(provider: FakeProvider, seen: Capture, make: Any) -> None:
    client = make(model=f"{provider.url}{MODEL}")
    assert "".join(await drained(await done(client.text_generation("hi", stream=True)))) == "Hello there."
    assert seen.spans == [span(provider, "text_completion", STREAMED, params=_as_sent(provider))]


async def test_a_stream_of_tokens(provider: FakeProvider, seen: Capture, make: Any) -> None:
    """Its last token has the details, which here know the input as well."""
    client = make(model=f"{provider.url}{MODEL}")
    await drained(await done(client.text_generation("hi", stream=True, details=True)))
    told = {**STREAMED, **DETAILED, "gen_ai.usage.input_tokens": 11}
    assert seen.spans == [span(provider, "text_completion", told, params=_as_sent(provider))]


async def test_a_grammar_binds_to_json(provider: FakeProvider, seen: Capture, make: Any) -> None:
    grammar: Any = {"type": "json", "value": {"type": "object"}}
    await done(make(model=f"{provider.url}{MODEL}").text_generation("hi", grammar=grammar))
    (only,) = seen.spans
    assert only == span(provider, "text_completion", {"gen_ai.output.type": "json"}, params=_as_sent(provider))


async def test_an_error_in_a_stream(provider: FakeProvider, seen: Capture, make: Any) -> None:
    provider.script(Fail(after=1))
    with pytest.raises(huggingface_hub.errors.TextGenerationError):
        await drained(await done(make(model=f"{provider.url}{MODEL}").text_generation("hi", stream=True)))
    told = {**STREAMED, "error.type": "huggingface_hub.errors.GenerationError"}
    assert seen.spans == [span(provider, "text_completion", told, params=_as_sent(provider))]


async def test_error_type_is_that_of_the_application(provider: FakeProvider, seen: Capture, make: Any) -> None:
    """A refusal is parsed by the method; the span has what it made of it."""
    provider.script(Status(422))
    with pytest.raises(huggingface_hub.errors.ValidationError):
        await done(make(model=f"{provider.url}{MODEL}").text_generation("hi"))
    attributes = seen.spans[0]["attributes"]
    assert attributes["error.type"] == "huggingface_hub.errors.ValidationError"
    assert attributes["otel_agentops.attempt.statuses"] == [422]


@pytest.mark.filterwarnings("ignore:API endpoint/model for text-generation is not served via TGI")
async def test_refused_parameters_are_a_second_attempt(provider: FakeProvider, seen: Capture, make: Any) -> None:
    """The method calls itself without them: one operation of two attempts."""
    refusal = "The following `model_kwargs` are not used by the model: ['watermark'] (note: typos"
    provider.script(Status(400, message=refusal))
    client = make(model=f"{provider.url}{MODEL}/{id(provider)}")  # what was refused is remembered for each model
    await done(client.text_generation("hi", watermark=True))
    (only,) = seen.spans
    assert only["attributes"]["otel_agentops.attempt.statuses"] == [400, 200]
    assert len(provider.requests) == 2


async def test_feature_extraction_is_an_embeddings_span(provider: FakeProvider, seen: Capture, make: Any) -> None:
    found = await done(make().feature_extraction("a town", normalize=True, model=f"{provider.url}{FEATURES}"))
    assert found.shape == (1, 8)
    assert seen.spans == [span(provider, "embeddings", params={"normalize": True})]


@pytest.mark.parametrize(
    ("body", "model", "tokens"),
    [
        (b'{"data":[{"embedding":[0.1,2e-3]}],"model":"e-1","usage":{"prompt_tokens":3,"total_tokens":3}}', "e-1", 3),
        (b'{"data": [], "usage": {"prompt_tokens": 0}, "model" : "e-1"}', "e-1", 0),
        (b"[[0.1, 2e-3]]", None, None),
        (b'{"model": ', None, None),
        (b"", None, None),
    ],
)
def test_embeddings_response_of_a_provider_is_read(body: bytes, model: str | None, tokens: int | None) -> None:
    answer = read_embeddings_response(body)
    assert (answer.model, answer.input_tokens) == (model, tokens)


@pytest.mark.parametrize(
    ("url", "named", "provider"),
    [
        ("https://router.huggingface.co/v1/chat/completions", None, "huggingface"),
        ("https://router.huggingface.co/hf-inference/models/m/v1/chat/completions", None, "huggingface"),
        ("https://router.huggingface.co/groq/openai/v1/chat/completions", "groq", "groq"),
        ("https://router.huggingface.co/together/v1/chat/completions", "together", "together_ai"),
        ("https://router.huggingface.co/fireworks-ai/inference/v1/chat/completions", None, "fireworks"),
        ("https://api.groq.com/openai/v1/chat/completions", "groq", "groq"),
        ("https://api.cerebras.ai/v1/chat/completions", "cerebras", "cerebras"),
        ("https://api.together.xyz/v1/chat/completions", "together", "together_ai"),
        ("https://x.eu-west-1.aws.endpoints.huggingface.cloud/v1/chat/completions", None, "huggingface"),
        ("http://127.0.0.1:8080/v1/chat/completions", None, "huggingface"),
    ],
)
def test_provider_is_found_from_the_url(url: str, named: str | None, provider: str) -> None:
    assert find_server(url, named).provider == provider


async def test_routed_chat_names_its_provider(
    provider: FakeProvider, seen: Capture, make: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With a key of the provider's own the request goes there, and nothing in its address says who that is."""
    from huggingface_hub.hf_api import InferenceProviderMapping
    from huggingface_hub.inference._providers import _common

    known = {"hf_model_id": "meta/llama", "task": "conversational", "status": "live"}
    from huggingface_hub.inference import _providers

    mapping = InferenceProviderMapping(provider="cerebras", providerId="llama-x", **known)
    monkeypatch.setitem(_common.HARDCODED_MODEL_INFERENCE_MAPPING, "cerebras", {"meta/llama": mapping})
    monkeypatch.setattr(_providers.PROVIDERS["cerebras"]["conversational"], "base_url", provider.url)
    client = make(provider="cerebras", api_key="csk-1")
    await done(client.chat_completion([{"role": "user", "content": "hi"}], model="meta/llama"))
    attributes = seen.spans[0]["attributes"]
    assert attributes["gen_ai.provider.name"] == "cerebras"
    assert attributes["gen_ai.request.model"] == provider.requests[-1].body["model"]


async def test_server_of_one_model_has_no_request_model(provider: FakeProvider, seen: Capture, make: Any) -> None:
    client = make(base_url=f"{provider.url}/v1")
    await done(client.chat_completion([{"role": "user", "content": "hi"}]))
    (only,) = seen.spans
    assert provider.requests[-1].body["model"] == "dummy", "the client library's word for it"
    assert only["name"] == "chat"
    assert "gen_ai.request.model" not in only["attributes"]


async def test_other_tasks_make_no_span(provider: FakeProvider, seen: Capture, make: Any) -> None:
    with pytest.raises(Exception, match="404"):
        await done(make(model=f"{provider.url}/nowhere").text_classification("hi"))
    assert seen.spans == []


async def test_client_that_overrides_sending_is_left_alone(provider: FakeProvider, seen: Capture, make: Any) -> None:
    """Request and answer are seen in the method that it overrides; the array that is made of them is neither."""

    def sends(self: Any, request_parameters: Any, **_: Any) -> bytes:
        return b"[[0.5, 0.25]]"

    async def sends_async(self: Any, request_parameters: Any, **_: Any) -> bytes:
        return b"[[0.5, 0.25]]"

    client = make(base_url=provider.url)
    own = sends_async if isinstance(client, huggingface_hub.AsyncInferenceClient) else sends
    client.__class__ = type("Own", (type(client),), {"_inner_post": own})
    assert (await done(client.feature_extraction("hi"))).tolist() == [[0.5, 0.25]]
    assert seen.spans == []


@pytest.mark.parametrize("streams", [False, True])
@pytest.mark.parametrize("details", [False, True])
async def test_content_of_a_completion(
    provider: FakeProvider, content: Capture, make: Any, streams: bool, details: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The client remembers by model what a server refused, here in another test.
    monkeypatch.setattr("huggingface_hub.inference._common._UNSUPPORTED_TEXT_GENERATION_KWARGS", {})
    client = make(model=f"{provider.url}{MODEL}")
    answer = await done(client.text_generation("hi", stream=streams, details=details))
    if streams:
        await drained(answer)
    assert read_words(content) == [("user", "hi"), ("assistant", "Hello there.")]
