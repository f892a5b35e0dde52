"""Cohere's chats, embeddings and rankings as they go over the wire, in both versions of its API."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import partial
from typing import Any

from otel_agentops._client_call import Endpoint
from otel_agentops.clients._protocols.fields import (
    Fields,
    as_double,
    as_int,
    as_list,
    as_text,
    as_texts,
    drop_none,
    drop_none_attributes,
    flatten_instructions,
    get,
)
from otel_agentops.clients._protocols.openai_chat import find_system_contents, read_tool_calls
from otel_agentops.clients._protocols.openai_chat import normalise_tool as openai_tool
from otel_agentops.clients._servers import Server
from otel_agentops.operations import Answer, ModelCall
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
)  # fmt: skip
# What v1 calls the types of JSON schema: "any Python data type".
_TYPES = {"str": "string", "int": "integer", "float": "number", "bool": "boolean", "list": "array", "dict": "object"}
_FAILED = frozenset({"ERROR", "TIMEOUT"})  # finish reasons of an operation that came to nothing


def tool(wire: Any) -> dict[str, Any]:
    """The identity material of one tool: v2 has OpenAI's shape, v1 its own for the same schema."""
    if not isinstance(wire, Mapping) or "parameter_definitions" not in wire:
        return openai_tool(wire)
    given: Mapping[str, Any] = wire["parameter_definitions"] or {}
    plain = all(isinstance(each, Mapping) and each.get("type") in _TYPES for each in given.values())
    schema = _schema(given) if plain else given
    return drop_none(name=str(wire.get("name")), description=wire.get("description"), input_schema=schema)


def _schema(given: Mapping[str, Any]) -> dict[str, Any]:
    required = [name for name, each in given.items() if each.get("required")]
    properties = {name: _property(each) for name, each in given.items()}
    return {"type": "object", "properties": properties, **({"required": required} if required else {})}


def _property(given: Mapping[str, Any]) -> dict[str, Any]:
    rest = {name: value for name, value in given.items() if name not in ("type", "required") and value is not None}
    return {"type": _TYPES[given["type"]], **rest}


def request(operation: str, body: Mapping[str, Any], server: Server) -> ModelCall:
    """Every endpoint: v1 has its instructions in a `preamble`, v2 in system turns."""
    attributes = FIELDS.read_attributes(body, server.attributes)
    if get(body.get("response_format"), "type") == "json_object":
        attributes[A.GEN_AI_OUTPUT_TYPE] = "json"
    told = flatten_instructions(
        (body.get("preamble"), *_said(body.get("chat_history")), *find_system_contents(body.get("messages")))
    )
    model, tools = as_text(body.get("model")), as_list(body.get("tools"))
    return ModelCall(operation, server.provider, model, attributes, told, tools, tool, FIELDS.read_parameters(body))


def _said(history: Any) -> Iterator[Any]:
    for turn in as_list(history):
        if get(turn, "role") == "SYSTEM":
            yield get(turn, "message")


def chat_response(result: Any) -> Answer:
    """v2's response."""
    calls = as_list(get(get(result, "message"), "tool_calls"))
    answer = _answer(get(result, "id"), get(result, "finish_reason"), get(result, "usage"))
    return answer._replace(tool_calls=read_tool_calls(get(call, "function") for call in calls)) if calls else answer


def old_chat_response(result: Any) -> Answer:
    """v1's response, which is also in the last event of its stream."""
    named = get(result, "response_id") or get(result, "generation_id")
    answer = _answer(named, get(result, "finish_reason"), get(result, "meta"))
    calls = [(as_text(get(call, "name")), get(call, "parameters")) for call in as_list(get(result, "tool_calls"))]
    return answer._replace(tool_calls=[(name, given) for name, given in calls if name is not None])


def ranked_response(result: Any) -> Answer:
    """Embeddings and rankings, of either version."""
    return _answer(get(result, "id"), None, get(result, "meta"))


def fold(state: dict[str, Any], event: Any) -> bool:
    """An event of either version; the last one carries the usage."""
    kind = getattr(event, "type", None) or getattr(event, "event_type", None)
    if kind == "content-delta" or kind == "text-generation":
        return False
    if kind == "message-start":
        state["id"] = event.id
    elif kind == "tool-call-start" or kind == "tool-call-delta":
        function = get(get(get(event.delta, "message"), "tool_calls"), "function")
        pieces = state.setdefault("tools", {}).setdefault(event.index, [as_text(get(function, "name")) or ""])
        pieces.append(get(function, "arguments") or "")
    elif kind == "stream-start":
        state["id"] = event.generation_id
    elif kind == "message-end":
        state["end"] = event.delta
    elif kind == "stream-end":
        state["response"] = event.response
    return kind in ("message-end", "stream-end")


def settled(state: dict[str, Any]) -> Answer:
    """What the events of a stream added up to."""
    if "response" in state:
        return old_chat_response(state["response"])
    end = state.get("end")
    answer = _answer(state.get("id"), get(end, "finish_reason"), get(end, "usage"))
    return answer._replace(
        tool_calls=[(name, "".join(parts)) for name, *parts in state.get("tools", {}).values() if name]
    )


def _answer(named: Any, reason: Any, usage: Any) -> Answer:
    """No answer names its model. The convention wants the billed counts where there are two."""
    attributes = drop_none_attributes(
        (A.GEN_AI_RESPONSE_ID, as_text(named)),
        (A.GEN_AI_RESPONSE_FINISH_REASONS, [str(reason)] if reason else None),
        (A.GEN_AI_USAGE_CACHE_READ_INPUT_TOKENS, as_int(get(usage, "cached_tokens"))),
    )
    counts = (_count(usage, "input_tokens"), _count(usage, "output_tokens"))
    return Answer(None, attributes, *counts, error=str(reason) if reason in _FAILED else None)


def _count(usage: Any, name: str) -> int | None:
    billed = get(get(usage, "billed_units"), name)
    count = as_int(get(get(usage, "tokens"), name) if billed is None else billed)
    return None if count is None or count < 0 else count  # -1 is how the client for Bedrock says unknown


def _endpoint(operation: str, response: Any) -> Endpoint:
    return Endpoint(partial(request, operation), response, fold, settled)


CHAT, OLD_CHAT = _endpoint("chat", chat_response), _endpoint("chat", old_chat_response)
# A ranking is a retrieval in the words of the convention, which has none of its own for it.
EMBED, RERANK = _endpoint("embeddings", ranked_response), _endpoint("retrieval", ranked_response)
