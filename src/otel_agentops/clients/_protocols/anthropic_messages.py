"""Anthropic's messages as they go over the wire, whoever carries them: its own service or a cloud."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
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
from otel_agentops.clients._servers import Server
from otel_agentops.operations import Answer, Attributes, ModelCall
from otel_agentops.semconv import attributes as A

FIELDS = Fields(
    {
        "temperature": (A.GEN_AI_REQUEST_TEMPERATURE, as_double),
        "top_p": (A.GEN_AI_REQUEST_TOP_P, as_double),
        "top_k": (A.GEN_AI_REQUEST_TOP_K, as_int),
        "max_tokens": (A.GEN_AI_REQUEST_MAX_TOKENS, as_int),
        "stop_sequences": (A.GEN_AI_REQUEST_STOP_SEQUENCES, as_texts),
        "thread": (A.GEN_AI_REQUEST_PREVIOUS_RESPONSE_ID, lambda thread: as_text(get(thread, "previous_message_id"))),
        "stream": (A.GEN_AI_REQUEST_STREAM, lambda stream: stream is True or None),  # the convention: only if streaming
    },
    not_parameters=frozenset(
        [
            "model",
            "messages",
            "system",
            "tools",
            "stream",
            "metadata",
            "mcp_servers",
            "container",
            "thread",
            "anthropic_version",  # this and the next two are headers, which the clients of the clouds move here
            "anthropic_beta",
            "user_profile_id",
        ]
    ),
)


def normalise_tool(wire: Any) -> dict[str, Any]:
    """The identity material of one tool. A server tool has a dated type and settings in the place of a schema."""
    if not isinstance(wire, Mapping):  # not a tool, but sent as one
        return {"name": "unknown", "settings": wire}
    if "input_schema" not in wire:
        settings = {name: value for name, value in wire.items() if name != "cache_control"}
        return {"name": str(wire.get("name") or wire.get("type")), "settings": settings}
    return drop_none(
        name=str(wire.get("name") or wire.get("type")),
        description=wire.get("description"),
        input_schema=wire["input_schema"],
        strict=wire.get("strict"),
    )


def read_request(body: Mapping[str, Any], server: Server) -> ModelCall:
    """`POST /v1/messages`."""
    attributes = FIELDS.read_attributes(body, server.attributes)
    wanted = get(get(body.get("output_config"), "format") or body.get("output_format"), "type")
    if kind := as_text(wanted):
        attributes[A.GEN_AI_OUTPUT_TYPE] = "json" if kind.startswith("json") else kind
    if effort := as_text(get(body.get("output_config"), "effort")):
        attributes[A.GEN_AI_REQUEST_REASONING_LEVEL] = effort
    system = flatten_instructions((body.get("system"),))
    parameters = FIELDS.read_parameters(body)
    model, tools = as_text(body.get("model")), as_list(body.get("tools"))
    forced = get(body.get("tool_choice"), "type") == "tool"
    return ModelCall(
        "chat", server.provider, model, attributes, system, tools, normalise_tool, parameters, is_tool_forced=forced
    )


def read_response(result: Any) -> Answer:
    """A `Message`, or its JSON."""
    reason = get(result, "stop_reason")
    answer = _answer(result, reason, get(result, "usage"))
    return answer._replace(tool_calls=_asked(as_list(get(result, "content")))) if reason == "tool_use" else answer


def fold_event(state: dict[str, Any], event: Any) -> bool:
    """A raw message stream event; `message_stop` is the last. The counts of a delta are those so far."""
    kind = get(event, "type")
    if kind == "content_block_delta":
        if "tools" in state and (part := get(get(event, "delta"), "partial_json")):
            state["tools"].get(get(event, "index"), []).append(part)
    elif kind == "content_block_start":
        block = get(event, "content_block")
        if get(block, "type") == "tool_use" and (name := as_text(get(block, "name"))) is not None:
            state.setdefault("tools", {})[get(event, "index")] = [name]  # and then the parts of its arguments
    elif kind == "message_start":
        state["message"] = get(event, "message")
    elif kind == "message_delta":
        state["delta"] = event
    return bool(kind == "message_stop")


def finish_message(state: dict[str, Any]) -> Answer:
    """What the events of a stream added up to."""
    message, delta = state.get("message"), state.get("delta")
    answer = _answer(message, get(get(delta, "delta"), "stop_reason"), get(delta, "usage"), get(message, "usage"))
    called = state.get("tools", {}).values()
    return answer._replace(tool_calls=[(name, "".join(parts)) for name, *parts in called]) if called else answer


def _asked(blocks: Sequence[Any]) -> list[tuple[str, Any]]:
    """Name and arguments of the tools that the application is to execute; the server's own are another type."""
    named = ((as_text(get(block, "name")), block) for block in blocks if get(block, "type") == "tool_use")
    return [(name, get(block, "input")) for name, block in named if name is not None]


def _answer(message: Any, reason: Any, usage: Any, at_start: Any = None) -> Answer:
    """at_start: the usage with which a stream began; its input counts hold where the end leaves them out."""

    def read(name: str) -> int | None:
        return as_int(get(at_start, name) if get(usage, name) is None else get(usage, name))

    cached, written = read("cache_read_input_tokens"), read("cache_creation_input_tokens")
    attributes: Attributes = drop_none_attributes(
        (A.GEN_AI_RESPONSE_ID, as_text(get(message, "id"))),
        (A.GEN_AI_RESPONSE_FINISH_REASONS, [str(reason)] if reason else None),
        (A.GEN_AI_USAGE_CACHE_READ_INPUT_TOKENS, cached),
        (A.GEN_AI_USAGE_CACHE_CREATION_INPUT_TOKENS, written),
        (A.GEN_AI_USAGE_REASONING_OUTPUT_TOKENS, as_int(get(get(usage, "output_tokens_details"), "thinking_tokens"))),
    )
    fresh = read("input_tokens")
    total = None if fresh is None else fresh + (cached or 0) + (written or 0)  # the API counts cached input apart
    return Answer(as_text(get(message, "model")), attributes, total, as_int(get(usage, "output_tokens")))


MESSAGES = Endpoint(read_request, read_response, fold_event, finish_message)
