"""OpenAI's protocol as everybody speaks it: what a chat or an embedding says in JSON, as records.

Nothing here is OpenAI's own: its `openai.*` attributes are added by the client that they belong to. What one service
spells differently is the business of its adapter, which calls these functions and corrects what they found.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from otel_agentops._observation import Endpoint
from otel_agentops.clients._protocols.fields import (
    Fields,
    double,
    get,
    instructions,
    is_object,
    items,
    present,
    present_attributes,
    text,
    texts,
    whole,
)
from otel_agentops.clients._servers import Server
from otel_agentops.operations import Answer, Attributes, ModelCall
from otel_agentops.semconv import attributes as A

_NOT_PARAMETERS = frozenset([
    "model", "messages", "input", "instructions", "tools", "functions", "prompt", "suffix", "stream", "stream_options",
    "user", "metadata", "seed", "store", "conversation", "previous_response_id", "prompt_cache_key",
    "safety_identifier", "prediction", "include",
])  # fmt: skip
FIELDS = Fields(
    {
        "temperature": (A.GEN_AI_REQUEST_TEMPERATURE, double),
        "top_p": (A.GEN_AI_REQUEST_TOP_P, double),
        "top_k": (A.GEN_AI_REQUEST_TOP_K, whole),
        "frequency_penalty": (A.GEN_AI_REQUEST_FREQUENCY_PENALTY, double),
        "presence_penalty": (A.GEN_AI_REQUEST_PRESENCE_PENALTY, double),
        "max_tokens": (A.GEN_AI_REQUEST_MAX_TOKENS, whole),
        "max_completion_tokens": (A.GEN_AI_REQUEST_MAX_TOKENS, whole),
        "max_output_tokens": (A.GEN_AI_REQUEST_MAX_TOKENS, whole),
        "seed": (A.GEN_AI_REQUEST_SEED, whole),
        "n": (A.GEN_AI_REQUEST_CHOICE_COUNT, lambda n: None if n == 1 else whole(n)),  # the convention: if not 1
        "stop": (A.GEN_AI_REQUEST_STOP_SEQUENCES, texts),
        "reasoning_effort": (A.GEN_AI_REQUEST_REASONING_LEVEL, text),
        "previous_response_id": (A.GEN_AI_REQUEST_PREVIOUS_RESPONSE_ID, text),
        "dimensions": (A.GEN_AI_EMBEDDINGS_DIMENSION_COUNT, whole),
        "encoding_format": (A.GEN_AI_REQUEST_ENCODING_FORMATS, texts),
        "stream": (A.GEN_AI_REQUEST_STREAM, lambda stream: stream is True or None),  # the convention: only if streaming
    },
    not_parameters=_NOT_PARAMETERS,
)
_SYSTEM = frozenset({"system", "developer"})
_FORCED = frozenset({"function", "custom"})  # what a `tool_choice` is that names one tool
_CREDENTIALS = frozenset({"headers", "authorization"})  # of an MCP server: they differ by user and shape nothing


def tool(wire: Any) -> dict[str, Any]:
    """The identity material of one tool, in either spelling of the wire: nested under its type, or flat."""
    if not isinstance(wire, Mapping):  # not a tool, but sent as one
        return {"name": "unknown", "settings": wire}
    kind = wire.get("type", "function")
    inner: Any = wire.get(kind) if isinstance(wire.get(kind), Mapping) else wire
    if "name" not in inner:  # a built-in: all of its settings shape it
        settings = {name: value for name, value in wire.items() if name not in _CREDENTIALS}
        return {"name": str(wire.get("server_label") or kind), "settings": settings}
    return present(
        name=inner["name"],
        description=inner.get("description"),
        input_schema=inner.get("parameters") or inner.get("format"),
        output_schema=inner.get("output_schema"),
        strict=inner.get("strict"),
    )


# -- requests


def chat_request(body: Mapping[str, Any], server: Server, fields: Fields = FIELDS) -> ModelCall:
    """`POST /chat/completions`. fields: where a service has others."""
    attributes = fields.attributes(body, server.attributes)
    output_type(attributes, body.get("response_format"))
    if "audio" in items(body.get("modalities")):
        attributes[A.GEN_AI_OUTPUT_TYPE] = "speech"
    return model_call("chat", body, server, attributes, instructions(system(body.get("messages"))), fields=fields)


def completion_request(body: Mapping[str, Any], server: Server, fields: Fields = FIELDS) -> ModelCall:
    """`POST /completions`."""
    return model_call("text_completion", body, server, fields.attributes(body, server.attributes), fields=fields)


def embeddings_request(body: Mapping[str, Any], server: Server, defaults: Mapping[str, Any] | None = None) -> ModelCall:
    """`POST /embeddings`. defaults: see `model_call`."""
    return model_call("embeddings", body, server, FIELDS.attributes(body, server.attributes), defaults=defaults)


def system(turns: Any) -> list[Any]:
    """The contents of the system and developer turns of a conversation, which may be long."""
    return [turn.get("content") for turn in items(turns) if is_object(turn) and turn.get("role") in _SYSTEM]


def model_call(
    operation: str,
    body: Mapping[str, Any],
    server: Server,
    attributes: Attributes,
    told: tuple[Any, ...] = (),
    defaults: Mapping[str, Any] | None = None,
    fields: Fields = FIELDS,
) -> ModelCall:
    """What every request has. told: its instructions. defaults: what the client library fills in by itself."""
    stored = body.get("prompt")
    return ModelCall(
        operation,
        server.provider,
        text(body.get("model")),
        attributes,
        told,
        items(body.get("tools")) or items(body.get("functions")),
        tool,
        fields.parameters(body),
        defaults,
        (str(stored["id"]), stored.get("version")) if isinstance(stored, Mapping) and stored.get("id") else None,
        get(body.get("tool_choice"), "type") in _FORCED,
    )


def output_type(attributes: Attributes, wanted: Any) -> None:
    """Which form of answer is asked for, where a format is."""
    kind = text(get(wanted, "type"))
    if kind is not None:
        attributes[A.GEN_AI_OUTPUT_TYPE] = "json" if kind.startswith("json") else kind


# -- answers


def chat_response(result: Any) -> Answer:
    """A `ChatCompletion`, or its JSON."""
    choices = items(get(result, "choices"))
    reasons = [str(reason) for choice in choices if (reason := get(choice, "finish_reason"))]
    answer = answer_of(result, get(result, "usage"), reasons)
    if "tool_calls" not in reasons:
        return answer
    calls = items(get(get(choices[0], "message"), "tool_calls"))
    return answer._replace(asked=asked(get(call, "function") for call in calls))


def chat_fold(state: dict[str, Any], chunk: Any) -> bool:
    """A `ChatCompletionChunk`. The usage chunk, where one is sent, comes last of all: no chunk is surely last."""
    if type(chunk) is dict:
        return chat_fold_json(state, chunk)
    if not state.get("model"):  # Azure's first chunk is about its content filter: no model, no id, no choices
        state["model"], state["first"] = chunk.model, chunk
    if chunk.usage is not None:
        state["usage"] = chunk.usage
    for choice in chunk.choices or ():
        if choice.finish_reason is not None:
            state.setdefault("reasons", {})[choice.index] = choice.finish_reason
        if pieces := getattr(getattr(choice, "delta", None), "tool_calls", None):
            state.setdefault("tools", []).extend(pieces if choice.index == 0 else ())
    return False


def chat_fold_json(state: dict[str, Any], chunk: dict[str, Any]) -> bool:
    """The same of a chunk that is left as JSON."""
    if not state.get("model"):
        state["model"], state["first"] = chunk.get("model"), chunk
    if (usage := chunk.get("usage")) is not None:
        state["usage"] = usage
    for choice in items(chunk.get("choices")):
        if (reason := get(choice, "finish_reason")) is not None:
            state.setdefault("reasons", {})[get(choice, "index")] = reason
        if pieces := get(get(choice, "delta"), "tool_calls"):
            state.setdefault("tools", []).extend(pieces if get(choice, "index") == 0 else ())
    return False


def chat_settled(state: dict[str, Any]) -> Answer:
    """What the chunks of a chat added up to."""
    reasons = state.get("reasons", {})
    answer = answer_of(state["first"], state.get("usage"), [str(reasons[index]) for index in sorted(reasons)])
    return answer._replace(asked=_joined(state["tools"])) if "tools" in state else answer


def asked(calls: Iterable[Any]) -> list[tuple[str, Any]]:
    """Name and arguments of each call; a custom tool's one argument is a text."""
    named = ((text(get(call, "name")), call) for call in calls)
    return [(name, get(call, "arguments") or get(call, "input")) for name, call in named if name is not None]


def _joined(pieces: Sequence[Any]) -> list[tuple[str, Any]]:
    """The same of a stream: a call's first piece has its name, and each a part of its arguments."""
    calls: list[dict[str, str]] = []
    latest: dict[Any, dict[str, str]] = {}  # by index, which some servers give twice
    for piece in pieces:
        function, index = get(piece, "function"), get(piece, "index")
        name, part = get(function, "name"), get(function, "arguments")
        if name or index not in latest:
            latest[index] = {"name": name, "arguments": ""}
            calls.append(latest[index])
        latest[index]["arguments"] += part or ""
    return asked(calls)


def embeddings_response(result: Any) -> Answer:
    """A `CreateEmbeddingResponse`, or its JSON. Embeddings have no output tokens."""
    return Answer(text(get(result, "model")) or None, {}, whole(get(get(result, "usage"), "prompt_tokens")))


def answer_of(result: Any, usage: Any, reasons: list[str]) -> Answer:
    """What every answer has."""
    attributes = present_attributes(
        (A.GEN_AI_RESPONSE_ID, text(get(result, "id")) or None),
        (A.GEN_AI_RESPONSE_FINISH_REASONS, reasons or None),
    )
    return Answer(text(get(result, "model")) or None, attributes, *tokens(attributes, usage))


def tokens(attributes: Attributes, usage: Any) -> tuple[int | None, int | None]:
    """Totals of input and output; both counts include their details (cached, reasoning), which become attributes."""
    chat = get(usage, "prompt_tokens") is not None
    read = get(usage, "prompt_tokens_details" if chat else "input_tokens_details")
    written = get(usage, "completion_tokens_details" if chat else "output_tokens_details")
    attributes.update(
        present_attributes(
            (A.GEN_AI_USAGE_CACHE_READ_INPUT_TOKENS, whole(get(read, "cached_tokens"))),
            (A.GEN_AI_USAGE_CACHE_CREATION_INPUT_TOKENS, whole(get(read, "cache_write_tokens"))),
            (A.GEN_AI_USAGE_REASONING_OUTPUT_TOKENS, whole(get(written, "reasoning_tokens"))),
        )
    )
    if chat:
        return whole(get(usage, "prompt_tokens")), whole(get(usage, "completion_tokens"))
    return whole(get(usage, "input_tokens")), whole(get(usage, "output_tokens"))


def no_stream(state: dict[str, Any], chunk: Any) -> bool:
    """The fold of an operation whose answer comes whole."""
    raise TypeError("this operation does not stream")


CHAT = Endpoint(chat_request, chat_response, chat_fold, chat_settled)
COMPLETIONS = Endpoint(completion_request, chat_response, chat_fold, chat_settled)
EMBEDDINGS = Endpoint(embeddings_request, embeddings_response, no_stream, chat_settled)
