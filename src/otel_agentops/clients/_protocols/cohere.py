"""Cohere's chats, embeddings and rankings as they go over the wire, in both versions of its API."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from otel_agentops._endpoint import ContentReader, Endpoint, FoldState
from otel_agentops.clients._protocols import cohere_content, openai_chat
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
    join_arguments,
    merge_members,
    read_error,
)
from otel_agentops.clients._protocols.openai_chat import find_system_contents, read_tool_calls
from otel_agentops.clients._servers import Server
from otel_agentops.operations import OTHER_ERROR, Answer, ModelCall
from otel_agentops.semconv import attributes as A

FIELDS = Fields(
    {
        "temperature": (A.GEN_AI_REQUEST_TEMPERATURE, as_double),
        "p": (A.GEN_AI_REQUEST_TOP_P, as_double),
        "k": (A.GEN_AI_REQUEST_TOP_K, as_int),
        "frequency_penalty": (A.GEN_AI_REQUEST_FREQUENCY_PENALTY, as_double),
        "presence_penalty": (A.GEN_AI_REQUEST_PRESENCE_PENALTY, as_double),
        "max_tokens": (A.GEN_AI_REQUEST_MAX_TOKENS, as_int),
        "seed": (A.GEN_AI_REQUEST_SEED, as_int),
        "stop_sequences": (A.GEN_AI_REQUEST_STOP_SEQUENCES, as_texts),
        "conversation_id": (A.GEN_AI_CONVERSATION_ID, as_text),
        "output_dimension": (A.GEN_AI_EMBEDDINGS_DIMENSION_COUNT, as_int),
        "embedding_types": (A.GEN_AI_REQUEST_ENCODING_FORMATS, as_texts),
        "top_n": (A.GEN_AI_RETRIEVAL_TOP_K, as_int),
        "stream": (A.GEN_AI_REQUEST_STREAM, lambda stream: stream is True or None),  # the convention: only if streaming
    },
    not_parameters=frozenset([
        "model", "messages", "message", "chat_history", "preamble", "conversation_id", "tools", "tool_results",
        "stream", "documents", "query", "texts", "images", "inputs", "seed",
    ]),
    sampling=("temperature", "p", "k", "frequency_penalty", "presence_penalty", "seed", "stop_sequences"),
)  # fmt: skip
# v1 accepts "any Python data type" as a type: https://docs.cohere.com/v1/docs/tools
_SCHEMA_TYPES = {
    "str": "string",
    "int": "integer",
    "float": "number",
    "bool": "boolean",
    "list": "array",
    "dict": "object",
}
_NAMED = frozenset({"name", "description", "parameter_definitions"})  # members with a name of ours in the identity
_REPLACED = frozenset({"type", "required"})  # members of a definition that a schema has elsewhere
_FAILED = frozenset({"ERROR", "TIMEOUT"})  # finish reasons of an operation that failed


def normalise_tool(wire: object) -> dict[str, Any]:
    """Return the identity material of one tool.

    A tool of v2 has OpenAI's shape; v1 spells the same schema its own way.
    """
    if not isinstance(wire, Mapping) or "parameter_definitions" not in wire:
        return openai_chat.normalise_tool(wire)
    definitions: Mapping[str, Any] = wire["parameter_definitions"] or {}
    has_schema = all(isinstance(each, Mapping) and each.get("type") in _SCHEMA_TYPES for each in definitions.values())
    return drop_members(wire, _NAMED) | drop_none(
        name=str(wire.get("name")),
        description=wire.get("description"),
        input_schema=_make_schema(definitions) if has_schema else definitions,
    )


def _make_schema(definitions: Mapping[str, Mapping[str, object]]) -> dict[str, object]:
    required = [name for name, definition in definitions.items() if definition.get("required")]
    properties = {
        name: {
            "type": _SCHEMA_TYPES[str(definition["type"])],
            **{key: value for key, value in definition.items() if key not in _REPLACED and value is not None},
        }
        for name, definition in definitions.items()
    }
    return {"type": "object", "properties": properties, **({"required": required} if required else {})}


# -- requests


def read_request(operation: str, body: Mapping[str, Any], server: Server) -> ModelCall:
    """Read the request of any endpoint.

    v1 has its instructions in a `preamble` and in the history, v2 in system turns.
    """
    attributes = FIELDS.read_attributes(body, server.attributes)
    if get(body.get("response_format"), "type") == "json_object":
        attributes[A.GEN_AI_OUTPUT_TYPE] = "json"
    history = as_list(body.get("chat_history"))
    instructions = (
        body.get("preamble"),
        *(get(turn, "message") for turn in history if get(turn, "role") == "SYSTEM"),
        *find_system_contents(body.get("messages")),
    )
    return ModelCall(
        operation,
        server.provider,
        server.choose_model(body.get("model")),
        attributes,
        flatten_instructions(instructions),
        as_list(body.get("tools")),
        normalise_tool,
        FIELDS.read_parameters(body),
    )


# -- answers


def read_chat_response(result: object) -> Answer:
    """Read a chat response of v2."""
    answer = _make_answer(result, get(result, "id"), get(result, "finish_reason"), get(result, "usage"))
    calls = as_list(get(get(result, "message"), "tool_calls"))
    return answer._replace(tool_calls=read_tool_calls(get(call, "function") for call in calls)) if calls else answer


def read_v1_chat_response(result: object) -> Answer:
    """Read a chat response of v1, which is also in the last event of its stream."""
    response_id = as_text(get(result, "response_id")) or get(result, "generation_id")
    answer = _make_answer(result, response_id, get(result, "finish_reason"), get(result, "meta"))
    calls = [(as_text(get(call, "name")), get(call, "parameters")) for call in as_list(get(result, "tool_calls"))]
    return answer._replace(tool_calls=[(name, arguments) for name, arguments in calls if name is not None])


def read_meta_response(result: object) -> Answer:
    """Read embeddings or a ranking, of either version: both have their counts in `meta`."""
    return _make_answer(result, get(result, "id"), None, get(result, "meta"))


def fold_event(state: FoldState, event: Any) -> bool:
    """Fold an event of either version; the last one carries the usage."""
    kind = getattr(event, "type", None) or getattr(event, "event_type", None)
    if kind == "content-delta" or kind == "text-generation":
        return False
    if kind == "message-start":
        state["id"] = get(event, "id")
    elif kind == "tool-call-start" or kind == "tool-call-delta":
        function = get(get(get(get(event, "delta"), "message"), "tool_calls"), "function")
        pieces = state.setdefault("tools", {}).setdefault(as_int(get(event, "index")), [as_text(get(function, "name"))])
        if (part := get(function, "arguments")) is not None:
            pieces.append(part)
    elif kind == "stream-start":
        state["id"] = get(event, "generation_id")
    elif kind == "message-end":
        state["end"] = merge_members(state.get("end"), get(event, "delta"))
    elif kind == "stream-end":
        state["response"] = get(event, "response")
        state["reason"] = get(event, "finish_reason")
    elif kind is None and (error := _read_failure(event)):
        state["error"] = error
    return kind == "message-end" or kind == "stream-end"


def finish_stream(state: FoldState) -> Answer:
    """Build the answer from a fully or partly folded stream."""
    if state.get("response") is not None:
        head = {"generation_id": state.get("id"), "finish_reason": state.get("reason")}
        return read_v1_chat_response(merge_members(head, state["response"]))
    end = state.get("end")
    answer = _make_answer(end, state.get("id"), get(end, "finish_reason") or state.get("reason"), get(end, "usage"))
    tools = state.get("tools", {}).values()
    calls = [(name, join_arguments(parts)) for name, *parts in tools if name]
    return answer._replace(tool_calls=calls, error=state.get("error") or answer.error)


def _make_answer(result: object, response_id: object, reason: object, usage: object) -> Answer:
    """Return an answer without a model, which no response names."""
    reason = as_text(reason)
    attributes = drop_none_attributes(
        (A.GEN_AI_RESPONSE_ID, as_text(response_id)),
        (A.GEN_AI_RESPONSE_FINISH_REASONS, [reason] if reason else None),
        (A.GEN_AI_USAGE_CACHE_READ_INPUT_TOKENS, as_int(get(usage, "cached_tokens"))),
    )
    return Answer(
        None,
        attributes,
        _read_count(usage, "input_tokens"),
        _read_count(usage, "output_tokens"),
        error=reason if reason in _FAILED else _read_failure(result) if usage is None else None,
    )


def _read_failure(body: object) -> str | None:
    """Return the error in a body, of a gateway or of the service, whose errors are a message; None if it has none."""
    return read_error(body) or (None if as_text(get(body, "message")) is None else OTHER_ERROR)


def _read_count(usage: object, name: str) -> int | None:
    """Return the billed count, which the convention wants if there are two."""
    count = as_int(get(get(usage, "billed_units"), name))
    if count is None:
        count = as_int(get(get(usage, "tokens"), name))
    return None if count is None or count < 0 else count  # -1 is how the client for Bedrock says unknown


def _make_endpoint(
    operation: str, read_response: Callable[[object], Answer], content: ContentReader | None = None
) -> Endpoint[Server]:
    return Endpoint(partial(read_request, operation), read_response, fold_event, finish_stream, content=content)


CHAT = _make_endpoint("chat", read_chat_response, cohere_content.CHAT)
V1_CHAT = _make_endpoint("chat", read_v1_chat_response, cohere_content.V1_CHAT)
EMBED = _make_endpoint("embeddings", read_meta_response)
RERANK = _make_endpoint(
    "retrieval", read_meta_response, cohere_content.RERANK
)  # the convention has no operation of its own for a ranking
