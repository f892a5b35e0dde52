"""Bedrock's models that continue a text: a prompt in, and each family's own word for how the text came to its end."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from otel_agentops.clients._protocols.fields import (
    Fields,
    as_double,
    as_int,
    as_list,
    as_text,
    as_texts,
    drop_none_attributes,
    get,
)
from otel_agentops.clients._servers import Server
from otel_agentops.operations import Answer, ModelCall
from otel_agentops.semconv import attributes as A

# No two families mean different things by one name.
FIELDS = Fields(
    {
        "temperature": (A.GEN_AI_REQUEST_TEMPERATURE, as_double),
        "top_p": (A.GEN_AI_REQUEST_TOP_P, as_double),
        "topP": (A.GEN_AI_REQUEST_TOP_P, as_double),
        "p": (A.GEN_AI_REQUEST_TOP_P, as_double),
        "top_k": (A.GEN_AI_REQUEST_TOP_K, as_int),
        "k": (A.GEN_AI_REQUEST_TOP_K, as_int),
        "max_tokens": (A.GEN_AI_REQUEST_MAX_TOKENS, as_int),  # Mistral, Cohere, DeepSeek
        "max_gen_len": (A.GEN_AI_REQUEST_MAX_TOKENS, as_int),  # Llama
        "maxTokenCount": (A.GEN_AI_REQUEST_MAX_TOKENS, as_int),  # Titan
        "maxTokens": (A.GEN_AI_REQUEST_MAX_TOKENS, as_int),  # Jurassic
        "max_tokens_to_sample": (A.GEN_AI_REQUEST_MAX_TOKENS, as_int),  # Claude 2
        "stop": (A.GEN_AI_REQUEST_STOP_SEQUENCES, as_texts),
        "stop_sequences": (A.GEN_AI_REQUEST_STOP_SEQUENCES, as_texts),
        "stopSequences": (A.GEN_AI_REQUEST_STOP_SEQUENCES, as_texts),
        "num_generations": (A.GEN_AI_REQUEST_CHOICE_COUNT, lambda n: None if n == 1 else as_int(n)),
        "numResults": (A.GEN_AI_REQUEST_CHOICE_COUNT, lambda n: None if n == 1 else as_int(n)),
    },
    not_parameters=frozenset(["prompt", "inputText", "textGenerationConfig", "images", "anthropic_version", "stream"]),
)
_LISTS = ("outputs", "generations", "choices", "completions", "results")  # where an answer has more than one text
_REASONS = ("stop_reason", "finish_reason", "completionReason", "finishReason")


def request(body: Mapping[str, Any], server: Server) -> ModelCall:
    """A body with a `prompt`, or Titan's with an `inputText`."""
    config = body.get("textGenerationConfig")
    settings = {**body, **config} if isinstance(config, Mapping) else body
    attributes = FIELDS.read_attributes(settings, server.attributes)
    return ModelCall("text_completion", server.provider, None, attributes, params=FIELDS.read_parameters(settings))


def response(body: Any) -> Answer:
    """An answer, or the last chunk of a streamed one."""
    texts = _texts(body)
    reasons = [str(reason) for each in texts if (reason := _reason(each)) is not None]
    attributes = drop_none_attributes(
        (A.GEN_AI_RESPONSE_ID, as_text(get(body, "id")) or None),
        (A.GEN_AI_RESPONSE_FINISH_REASONS, reasons or None),
    )
    given = as_int(_either(body, "prompt_token_count", "inputTextTokenCount"))
    return Answer(None, attributes, given, _output(body, texts))


def _texts(body: Any) -> Sequence[Any]:
    return next((as_list(found) for name in _LISTS if (found := get(body, name)) is not None), (body,))


def _reason(each: Any) -> Any:
    found = next((found for name in _REASONS if (found := get(each, name)) is not None), None)
    return get(found, "reason") if isinstance(found, Mapping) else found  # Jurassic says why, with how long


def _output(body: Any, texts: Sequence[Any]) -> int | None:
    counted = [count for each in texts if (count := as_int(get(each, "tokenCount"))) is not None]
    if counted:
        return sum(counted)
    return as_int(_either(body, "generation_token_count", "totalOutputTextTokenCount"))


def _either(body: Any, name: str, other: str) -> Any:
    found = get(body, name)
    return get(body, other) if found is None else found
