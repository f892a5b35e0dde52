"""OpenAI's protocol as everybody speaks it: chats, completions and embeddings in JSON, as records.

Nothing here is OpenAI's own: its `openai.*` attributes are added by the client that they belong to. If one service
spells something differently, its adapter calls these functions and corrects the result.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from typing import Any

from otel_agentops._endpoint import Endpoint
from otel_agentops.clients._protocols import openai_chat_content
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
    join_arguments,
    list_reasons,
    merge_members,
    read_error,
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
    sampling=("temperature", "top_p", "frequency_penalty", "presence_penalty", "seed", "stop"),
)
TOP_K_FIELDS = FIELDS.with_sampling(*FIELDS.sampling, "top_k")  # of those who offer OpenAI's protocol for open models
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
        server.choose_model(body.get("model")),
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
    reasons = [reason for choice in choices if (reason := as_text(get(choice, "finish_reason")))]
    answer = make_answer(result, get(result, "usage"), reasons)
    if not choices:
        return answer._replace(error=read_error(result))
    if "tool_calls" not in reasons:
        return answer
    calls = as_list(get(get(choices[0], "message"), "tool_calls"))
    return answer._replace(tool_calls=read_tool_calls(get(call, "function") for call in calls))


def fold_chat_chunk(state: dict[str, Any], chunk: Any) -> bool:
    """Fold a `ChatCompletionChunk`; the usage chunk, if one is sent, comes last of all: no chunk is surely last."""
    if type(chunk) is dict:
        return fold_loose_chunk(state, chunk)
    try:
        if "named" not in state:
            state.setdefault("first", chunk)
            if chunk.model:  # Azure's first chunk is about its content filter: no model, no id, no choices
                state["named"] = chunk
        if chunk.usage is not None:
            keep_usage(state, chunk.usage, chunk)
        for choice in chunk.choices:
            if choice.finish_reason is not None:
                state.setdefault("reasons", {})[choice.index] = choice.finish_reason
                state["end"] = chunk
            if pieces := choice.delta.tool_calls:
                state.setdefault("tools", []).extend(() if choice.index else pieces)
    except (AttributeError, TypeError):  # the client checks no shapes, and a gateway has its own
        fold_loose_chunk(state, chunk)
    return False


def fold_loose_chunk(state: dict[str, Any], chunk: Any) -> bool:
    """Fold a chunk that is left as JSON, or whose shape is not that of its class; each member is read apart."""
    state.setdefault("first", chunk)
    if "named" not in state and as_text(get(chunk, "model")):
        state["named"] = chunk
    if (usage := get(chunk, "usage")) is not None:
        keep_usage(state, usage, chunk)
    choices = as_list(get(chunk, "choices"))
    if not choices and (error := read_error(chunk)) is not None:
        state["error"] = error
    for choice in choices:
        index = as_int(get(choice, "index"))
        if (reason := get(choice, "finish_reason")) is not None:
            state.setdefault("reasons", {})[index] = reason
            state["end"] = chunk
        if (pieces := as_list(get(get(choice, "delta"), "tool_calls"))) and not index:
            tools = state.setdefault("tools", [])
            known_ids = set(map(id, tools))  # of a chunk that turned out to be loose after some of it was read
            tools.extend(piece for piece in pieces if id(piece) not in known_ids)
    return False


def keep_usage(state: dict[str, Any], usage: Any, chunk: Any) -> None:
    """Keep the counts of a chunk, and those before that it leaves out."""
    state["usage"] = merge_members(state["usage"], usage) if "usage" in state else usage
    state["end"] = chunk


def find_head_text(state: dict[str, Any], name: str) -> str | None:
    """Return a text that every chunk of a stream repeats, from the first of them that has it."""
    for key in ("named", "first", "end"):
        if text := as_text(get(state.get(key), name)):
            return text
    return None


def finish_chat(state: dict[str, Any]) -> Answer:
    """Build the answer from a fully or partly folded chat."""
    head = {"id": find_head_text(state, "id"), "model": find_head_text(state, "model")}
    answer = make_answer(head, state.get("usage"), list_reasons(state.get("reasons", {})))
    if "error" in state:
        answer = answer._replace(error=state["error"])
    return answer._replace(tool_calls=_join_tool_calls(state["tools"])) if "tools" in state else answer


def read_tool_calls(calls: Iterable[Any]) -> list[tuple[str, Any]]:
    """Return name and arguments of each call; a custom tool's one argument is a text."""
    pairs = ((as_text(get(call, "name")), call) for call in calls)
    return [(name, get(call, "arguments") or get(call, "input")) for name, call in pairs if name is not None]


def _join_tool_calls(pieces: Sequence[Any]) -> list[tuple[str, Any]]:
    """Return the tool calls of a stream: the first piece of each has its name, every piece a part of its arguments."""
    calls: list[list[Any]] = []
    latest: dict[int | None, list[Any]] = {}  # by index, which some servers give twice
    for piece in pieces:
        function, index = get(piece, "function"), as_int(get(piece, "index"))
        name, part = as_text(get(function, "name")), get(function, "arguments")
        if name or index not in latest:
            latest[index] = [name]
            calls.append(latest[index])
        if part is not None:
            latest[index].append(part)
    return [(name, join_arguments(parts)) for name, *parts in calls if name is not None]


def read_embeddings_response(result: Any) -> Answer:
    """Read a `CreateEmbeddingResponse`, or its JSON; embeddings have no output tokens."""
    model, usage = as_text(get(result, "model")) or None, get(result, "usage")
    return Answer(
        model, {}, as_int(get(usage, "prompt_tokens")), error=read_error(result) if model is usage is None else None
    )


def make_answer(result: Any, usage: Any, reasons: list[str]) -> Answer:
    """Return what every answer of this protocol has."""
    attributes = drop_none_attributes(
        (A.GEN_AI_RESPONSE_ID, as_text(get(result, "id")) or None),
        (A.GEN_AI_RESPONSE_FINISH_REASONS, reasons or None),
    )
    return Answer(as_text(get(result, "model")) or None, attributes, *read_tokens(attributes, usage))


def read_tokens(attributes: Attributes, usage: Any) -> tuple[int | None, int | None]:
    """Return the totals of input and output; their details (cached, reasoning) are included, and become attributes."""
    prompt_tokens, completion_tokens = get(usage, "prompt_tokens"), get(usage, "completion_tokens")
    chat = prompt_tokens is not None or completion_tokens is not None
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
        return as_int(prompt_tokens), as_int(completion_tokens)
    return as_int(get(usage, "input_tokens")), as_int(get(usage, "output_tokens"))


CHAT = Endpoint(read_chat_request, read_chat_response, fold_chat_chunk, finish_chat, content=openai_chat_content.CHAT)
COMPLETIONS = CHAT._replace(
    request=read_completion_request, fold=fold_loose_chunk, content=openai_chat_content.COMPLETION
)
TOP_K_CHAT = CHAT._replace(request=partial(read_chat_request, fields=TOP_K_FIELDS))
TOP_K_COMPLETIONS = COMPLETIONS._replace(request=partial(read_completion_request, fields=TOP_K_FIELDS))
EMBEDDINGS = Endpoint(read_embeddings_request, read_embeddings_response)
