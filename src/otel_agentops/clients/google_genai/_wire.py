"""The common parts of Google's two APIs of its models: names of settings, kinds of output, counts of tokens."""

from __future__ import annotations

from collections.abc import Mapping

from otel_agentops.clients._protocols.fields import Fields, as_double, as_int, as_list, as_text, as_texts, get
from otel_agentops.semconv import attributes as A

FIELDS = Fields(
    {
        "temperature": (A.GEN_AI_REQUEST_TEMPERATURE, as_double),
        "topP": (A.GEN_AI_REQUEST_TOP_P, as_double),
        "topK": (A.GEN_AI_REQUEST_TOP_K, as_int),
        "frequencyPenalty": (A.GEN_AI_REQUEST_FREQUENCY_PENALTY, as_double),
        "presencePenalty": (A.GEN_AI_REQUEST_PRESENCE_PENALTY, as_double),
        "maxOutputTokens": (A.GEN_AI_REQUEST_MAX_TOKENS, as_int),
        "candidateCount": (A.GEN_AI_REQUEST_CHOICE_COUNT, lambda n: None if n == 1 else as_int(n)),  # as OpenAI's `n`
        "stopSequences": (A.GEN_AI_REQUEST_STOP_SEQUENCES, as_texts),
        "seed": (A.GEN_AI_REQUEST_SEED, as_int),
        "thinkingConfig": (A.GEN_AI_REQUEST_REASONING_LEVEL, lambda config: as_text(get(config, "thinkingLevel"))),
        "thinkingLevel": (A.GEN_AI_REQUEST_REASONING_LEVEL, as_text),
        "previousInteractionId": (A.GEN_AI_REQUEST_PREVIOUS_RESPONSE_ID, as_text),
        "agent": (A.GEN_AI_AGENT_NAME, as_text),
        "stream": (A.GEN_AI_REQUEST_STREAM, lambda stream: stream is True or None),  # the convention: only if streaming
        "outputDimensionality": (A.GEN_AI_EMBEDDINGS_DIMENSION_COUNT, as_int),
    },
    not_parameters=frozenset([
        "contents", "systemInstruction", "tools", "generationConfig", "seed", "labels",
        "cachedContent",  # the name that a copy of prompt and tools has until it expires
        "continuationToken",
        "model", "content", "title",  # of each embedding request
        "input", "stream", "store", "background", "previousInteractionId", "webhookConfig", "environment", "agent",
    ]),
    sampling=("temperature", "topP", "topK", "frequencyPenalty", "presencePenalty", "seed", "stopSequences"),
)  # fmt: skip
_IMAGE, _SPEECH = "IMAGE", "AUDIO"


def as_object(value: object) -> Mapping[str, object]:
    """Return a JSON object; an empty one for anything else, which the provider is about to refuse."""
    return value if isinstance(value, Mapping) else {}


def find_output_type(config: Mapping[str, object]) -> str | None:
    """Return `gen_ai.output.type` of the settings of a call; None if they do not say."""
    modalities = as_list(config.get("responseModalities"))
    if _IMAGE in modalities or _SPEECH in modalities:
        return "image" if _IMAGE in modalities else "speech"
    kind = as_text(config.get("responseMimeType"))
    return kind and ("json" if kind == "application/json" else "text")


def sum_counts(*counts: object) -> int | None:
    """Return the sum of the counts that are there; None if none is."""
    numbers = [number for count in counts if (number := as_int(count)) is not None]
    return sum(numbers) if numbers else None


def read_status(error: BaseException) -> int | None:
    """Return the status of an error response; None if an exception is about something else."""
    status: object = getattr(error, "code", None) or getattr(error, "status_code", None)
    return status if type(status) is int else None


def name_error(error: BaseException) -> str | None:
    """Return the status as `error.type`: the client has one class for all of 4xx, and one for all of 5xx."""
    status = read_status(error)
    return None if status is None else str(status)
