"""Models of Bedrock that continue a text: a prompt in, and each family's own word for the reason why the text ends.

https://docs.aws.amazon.com/bedrock/latest/userguide/model-parameters.html
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from otel_agentops.clients._protocols.fields import (
    Fields,
    as_double,
    as_int,
    as_list,
    as_text,
    as_texts,
    drop_none_attributes,
    get,
    read_error,
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
    sampling=("temperature",),  # the others are spelled by each family in its own way
)
_LISTS = ("outputs", "generations", "choices", "completions", "results")  # of an answer with more than one text
_REASONS = ("stop_reason", "finish_reason", "completionReason", "finishReason")


def read_completion_request(body: Mapping[str, object], server: Server) -> ModelCall:
    """Read a body with a `prompt`, or Titan's with an `inputText`."""
    config = body.get("textGenerationConfig")
    settings = {**body, **config} if isinstance(config, Mapping) else body
    attributes = FIELDS.read_attributes(settings, server.attributes)
    return ModelCall("text_completion", server.provider, None, attributes, params=FIELDS.read_parameters(settings))


def read_completion_response(body: object) -> Answer:
    """Read an answer, or the last chunk of a streamed one."""
    texts = _list_texts(body)
    reasons = [reason for text in texts if (reason := as_text(_read_reason(text))) is not None]
    attributes = drop_none_attributes(
        (A.GEN_AI_RESPONSE_ID, as_text(get(body, "id")) or None),
        (A.GEN_AI_RESPONSE_FINISH_REASONS, reasons or None),
    )
    input_tokens = _read_count(body, "prompt_token_count", "inputTextTokenCount")
    counts = [count for text in texts if (count := as_int(get(text, "tokenCount"))) is not None]
    output_tokens = sum(counts) if counts else _read_count(body, "generation_token_count", "totalOutputTextTokenCount")
    error = read_error(body) if input_tokens is output_tokens is None and not reasons else None
    return Answer(None, attributes, input_tokens, output_tokens, error=error)


def _list_texts(body: object) -> Sequence[object]:
    return next((as_list(texts) for name in _LISTS if (texts := get(body, name)) is not None), (body,))


def _read_reason(text: object) -> object:
    reason = next((reason for name in _REASONS if (reason := get(text, name)) is not None), None)
    return get(reason, "reason") if isinstance(reason, Mapping) else reason  # Jurassic's is an object


def _read_count(body: object, name: str, other_name: str) -> int | None:
    count = as_int(get(body, name))
    return as_int(get(body, other_name)) if count is None else count
