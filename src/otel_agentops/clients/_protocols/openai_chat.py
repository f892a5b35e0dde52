"""OpenAI's protocol as everybody speaks it: chats, completions and embeddings in JSON, as records.

Nothing here is OpenAI's own: its `openai.*` attributes are added by the client that they belong to. If one service
spells something differently, its adapter calls these functions and corrects the result.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from otel_agentops._endpoint import Endpoint
from otel_agentops.clients._protocols.fields import (
    Fields,
    as_double,
    as_int,
    as_list,
    as_text,
    as_texts,
    drop_members,
    drop_none,
    drop_none_attributes,
    flatten_instructions,
    get,
    is_object,
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
        "temperature": (A.GEN_AI_REQUEST_TEMPERATURE, as_double),
        "top_p": (A.GEN_AI_REQUEST_TOP_P, as_double),
        "top_k": (A.GEN_AI_REQUEST_TOP_K, as_int),
        "frequency_penalty": (A.GEN_AI_REQUEST_FREQUENCY_PENALTY, as_double),
        "presence_penalty": (A.GEN_AI_REQUEST_PRESENCE_PENALTY, as_double),
        "max_tokens": (A.GEN_AI_REQUEST_MAX_TOKENS, as_int),
        "max_completion_tokens": (A.GEN_AI_REQUEST_MAX_TOKENS, as_int),
        "max_output_tokens": (A.GEN_AI_REQUEST_MAX_TOKENS, as_int),
        "seed": (A.GEN_AI_REQUEST_SEED, as_int),
        "n": (A.GEN_AI_REQUEST_CHOICE_COUNT, lambda n: None if n == 1 else as_int(n)),  # the convention: if not 1
        "stop": (A.GEN_AI_REQUEST_STOP_SEQUENCES, as_texts),
        "reasoning_effort": (A.GEN_AI_REQUEST_REASONING_LEVEL, as_text),
        "previous_response_id": (A.GEN_AI_REQUEST_PREVIOUS_RESPONSE_ID, as_text),
        "dimensions": (A.GEN_AI_EMBEDDINGS_DIMENSION_COUNT, as_int),
        "encoding_format": (A.GEN_AI_REQUEST_ENCODING_FORMATS, as_texts),
        "stream": (A.GEN_AI_REQUEST_STREAM, lambda stream: stream is True or None),  # the convention: only if streaming
    },
    not_parameters=_NOT_PARAMETERS,
)
_SYSTEM = frozenset({"system", "developer"})
_FORCED = frozenset({"function", "custom"})  # what a `tool_choice` is that names one tool
_CREDENTIALS = frozenset({"headers", "authorization"})  # of an MCP server: they differ by user and shape nothing
# Members of a function that are part of its identity under a name of ours; a mark of the prompt's cache is none.
_NAMED = frozenset({
    "type", "name", "description", "parameters", "format", "output_schema", "strict", "cache_control",
})  # fmt: skip


def normalise_tool(wire: Any) -> dict[str, Any]:
    """Return the identity material of one tool, in either spelling of the wire: nested under its type, or flat."""
    if not isinstance(wire, Mapping):  # not a tool, but sent as one
        return {"name": "unknown", "settings": wire}
    kind = wire.get("type", "function")
    inner: Any = wire.get(kind) if isinstance(wire.get(kind), Mapping) else wire
    if "name" not in inner:  # a built-in: all of its settings shape it
        settings = {name: value for name, value in wire.items() if name not in _CREDENTIALS}
        return {"name": str(wire.get("server_label") or kind), "settings": settings}
    extras = drop_members(inner, _NAMED)
    if inner is not wire:
        extras |= drop_members(wire, _NAMED | {kind})
    return extras | drop_none(
        name=inner["name"],
        description=inner.get("description"),
        input_schema=inner.get("parameters") or inner.get("format"),
        output_schema=inner.get("output_schema"),
        strict=inner.get("strict"),
    )


# -- requests


def read_chat_request(body: Mapping[str, Any], server: Server, fields: Fields = FIELDS) -> ModelCall:
    """Read `POST /chat/completions`.

    fields: of a service that has others.
    """
    attributes = fields.read_attributes(body, server.attributes)
    set_output_type(attributes, body.get("response_format"))
    if "audio" in as_list(body.get("modalities")):
        attributes[A.GEN_AI_OUTPUT_TYPE] = "speech"
    return make_model_call(
        "chat",
        body,
        server,
        attributes,
        flatten_instructions(find_system_contents(body.get("messages"))),
        fields=fields,
    )


def read_completion_request(body: Mapping[str, Any], server: Server, fields: Fields = FIELDS) -> ModelCall:
    """Read `POST /completions`."""
    return make_model_call(
        "text_completion", body, server, fields.read_attributes(body, server.attributes), fields=fields
    )


def read_embeddings_request(
    body: Mapping[str, Any], server: Server, defaults: Mapping[str, Any] | None = None
) -> ModelCall:
    """Read `POST /embeddings`.

    defaults: see `make_model_call`.
    """
    return make_model_call(
        "embeddings", body, server, FIELDS.read_attributes(body, server.attributes), defaults=defaults
    )


def find_system_contents(turns: Any) -> list[Any]:
    """Return the contents of the system and developer turns of a conversation, which may be long."""
    return [turn.get("content") for turn in as_list(turns) if is_object(turn) and turn.get("role") in _SYSTEM]


def make_model_call(
    operation: str,
    body: Mapping[str, Any],
    server: Server,
    attributes: Attributes,
    system: tuple[Any, ...] = (),
    defaults: Mapping[str, Any] | None = None,
    fields: Fields = FIELDS,
) -> ModelCall:
    """Return the operation of any request of this protocol.

    Args:
        operation: `gen_ai.operation.name`.
        body: The wire body.
        server: Where it goes.
        attributes: Read from the body before.
        system: The instructions.
        defaults: Parameters that the client library fills in by itself.
        fields: Of a service that has others.
    """
    template = body.get("prompt")
    return ModelCall(
        operation,
        server.provider,
        as_text(body.get("model")),
        attributes,
        system,
        as_list(body.get("tools")) or as_list(body.get("functions")),
        normalise_tool,
        fields.read_parameters(body),
        defaults,
        (str(template["id"]), template.get("version"))
        if isinstance(template, Mapping) and template.get("id")
        else None,
        get(body.get("tool_choice"), "type") in _FORCED,
    )


def set_output_type(attributes: Attributes, wanted: Any) -> None:
    """Set the form of answer that a response format asks for, if there is one."""
    kind = as_text(get(wanted, "type"))
    if kind is not None:
        attributes[A.GEN_AI_OUTPUT_TYPE] = "json" if kind.startswith("json") else kind


# -- answers


def read_chat_response(result: Any) -> Answer:
    """Read a `ChatCompletion`, or its JSON."""
    choices = as_list(get(result, "choices"))
    reasons = [str(reason) for choice in choices if (reason := get(choice, "finish_reason"))]
    answer = make_answer(result, get(result, "usage"), reasons)
    if "tool_calls" not in reasons:
        return answer
    calls = as_list(get(get(choices[0], "message"), "tool_calls"))
    return answer._replace(tool_calls=read_tool_calls(get(call, "function") for call in calls))


def fold_chat_chunk(state: dict[str, Any], chunk: Any) -> bool:
    """Fold a `ChatCompletionChunk`; the usage chunk, if one is sent, comes last of all: no chunk is surely last."""
    if type(chunk) is dict:
        return fold_chat_json(state, chunk)
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


def fold_chat_json(state: dict[str, Any], chunk: dict[str, Any]) -> bool:
    """Fold a chunk that is left as JSON."""
    if not state.get("model"):
        state["model"], state["first"] = chunk.get("model"), chunk
    if (usage := chunk.get("usage")) is not None:
        state["usage"] = usage
    for choice in as_list(chunk.get("choices")):
        if (reason := get(choice, "finish_reason")) is not None:
            state.setdefault("reasons", {})[get(choice, "index")] = reason
        if pieces := get(get(choice, "delta"), "tool_calls"):
            state.setdefault("tools", []).extend(pieces if get(choice, "index") == 0 else ())
    return False


def finish_chat(state: dict[str, Any]) -> Answer:
    """Build the answer from a fully or partly folded chat."""
    reasons = state.get("reasons", {})
    answer = make_answer(state["first"], state.get("usage"), [str(reasons[index]) for index in sorted(reasons)])
    return answer._replace(tool_calls=_join_tool_calls(state["tools"])) if "tools" in state else answer


def read_tool_calls(calls: Iterable[Any]) -> list[tuple[str, Any]]:
    """Return name and arguments of each call; a custom tool's one argument is a text."""
    pairs = ((as_text(get(call, "name")), call) for call in calls)
    return [(name, get(call, "arguments") or get(call, "input")) for name, call in pairs if name is not None]


def _join_tool_calls(pieces: Sequence[Any]) -> list[tuple[str, Any]]:
    """Return the tool calls of a stream: the first piece of each has its name, every piece a part of its arguments."""
    calls: list[dict[str, str]] = []
    latest: dict[Any, dict[str, str]] = {}  # by index, which some servers give twice
    for piece in pieces:
        function, index = get(piece, "function"), get(piece, "index")
        name, part = get(function, "name"), get(function, "arguments")
        if name or index not in latest:
            latest[index] = {"name": name, "arguments": ""}
            calls.append(latest[index])
        latest[index]["arguments"] += part or ""
    return read_tool_calls(calls)


def read_embeddings_response(result: Any) -> Answer:
    """Read a `CreateEmbeddingResponse`, or its JSON; embeddings have no output tokens."""
    return Answer(as_text(get(result, "model")) or None, {}, as_int(get(get(result, "usage"), "prompt_tokens")))


def make_answer(result: Any, usage: Any, reasons: list[str]) -> Answer:
    """Return what every answer of this protocol has."""
    attributes = drop_none_attributes(
        (A.GEN_AI_RESPONSE_ID, as_text(get(result, "id")) or None),
        (A.GEN_AI_RESPONSE_FINISH_REASONS, reasons or None),
    )
    return Answer(as_text(get(result, "model")) or None, attributes, *read_tokens(attributes, usage))


def read_tokens(attributes: Attributes, usage: Any) -> tuple[int | None, int | None]:
    """Return the totals of input and output; their details (cached, reasoning) are included, and become attributes."""
    prompt_tokens = get(usage, "prompt_tokens")
    chat = prompt_tokens is not None
    input_details = get(usage, "prompt_tokens_details" if chat else "input_tokens_details")
    output_details = get(usage, "completion_tokens_details" if chat else "output_tokens_details")
    attributes.update(
        drop_none_attributes(
            (A.GEN_AI_USAGE_CACHE_READ_INPUT_TOKENS, as_int(get(input_details, "cached_tokens"))),
            (A.GEN_AI_USAGE_CACHE_CREATION_INPUT_TOKENS, as_int(get(input_details, "cache_write_tokens"))),
            (A.GEN_AI_USAGE_REASONING_OUTPUT_TOKENS, as_int(get(output_details, "reasoning_tokens"))),
        )
    )
    if chat:
        return as_int(prompt_tokens), as_int(get(usage, "completion_tokens"))
    return as_int(get(usage, "input_tokens")), as_int(get(usage, "output_tokens"))


CHAT = Endpoint(read_chat_request, read_chat_response, fold_chat_chunk, finish_chat)
COMPLETIONS = Endpoint(read_completion_request, read_chat_response, fold_chat_chunk, finish_chat)
EMBEDDINGS = Endpoint(read_embeddings_request, read_embeddings_response)
