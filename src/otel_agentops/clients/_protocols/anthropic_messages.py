"""Anthropic's messages as they go over the wire of its own service and of the clouds.

https://docs.anthropic.com/en/api/messages
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from otel_agentops._endpoint import Endpoint, FoldState
from otel_agentops.clients._protocols import anthropic_content
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
from otel_agentops.clients._protocols.openai_chat import set_output_type
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
    not_parameters=frozenset([
        "model", "messages", "system", "tools", "stream", "metadata", "mcp_servers", "container", "thread",
        # The clients of the clouds move these headers into the body.
        "anthropic_version", "anthropic_beta", "user_profile_id",
    ]),
    sampling=("temperature", "top_p", "top_k", "stop_sequences"),
)  # fmt: skip

# Members of a tool that are part of its identity under a name of ours; a mark of the prompt's cache is none.
_NAMED = frozenset({"type", "name", "description", "input_schema", "strict", "cache_control"})


def normalise_tool(wire: object) -> dict[str, Any]:
    """Return the identity material of one tool.

    A tool that runs at the provider has a dated type, and settings in place of a schema.
    """
    if not isinstance(wire, Mapping):  # not a tool, but sent as one
        return {"name": "unknown", "settings": wire}
    tool_name = str(wire.get("name") or wire.get("type"))
    if "input_schema" not in wire:
        return {
            "name": tool_name,
            "settings": {name: value for name, value in wire.items() if name != "cache_control"},
        }
    return drop_members(wire, _NAMED) | drop_none(
        name=tool_name,
        description=wire.get("description"),
        input_schema=wire["input_schema"],
        strict=wire.get("strict"),
    )


def read_request(body: Mapping[str, Any], server: Server) -> ModelCall:
    """Read `POST /v1/messages`."""
    attributes = FIELDS.read_attributes(body, server.attributes)
    set_output_type(attributes, get(body.get("output_config"), "format") or body.get("output_format"))
    if effort := as_text(get(body.get("output_config"), "effort")):
        attributes[A.GEN_AI_REQUEST_REASONING_LEVEL] = effort
    return ModelCall(
        "chat",
        server.provider,
        server.choose_model(body.get("model")),
        attributes,
        flatten_instructions((body.get("system"),)),
        as_list(body.get("tools")),
        normalise_tool,
        FIELDS.read_parameters(body),
        is_tool_forced=get(body.get("tool_choice"), "type") == "tool",
    )


def read_response(result: object) -> Answer:
    """Read a `Message`, or its JSON."""
    reason, usage = get(result, "stop_reason"), get(result, "usage")
    answer = _make_answer(result, reason, usage)
    if reason != "tool_use":
        return answer._replace(error=read_error(result)) if usage is None else answer
    return answer._replace(tool_calls=_read_tool_calls(as_list(get(result, "content"))))


def fold_event(state: FoldState, event: object) -> bool:
    """Fold a raw message stream event; `message_stop` is the last.

    The counts of a `message_delta` are those so far.
    """
    kind = get(event, "type")
    if kind == "content_block_delta":
        if "tools" in state and (part := get(get(event, "delta"), "partial_json")):
            state["tools"].get(as_int(get(event, "index")), []).append(part)
    elif kind == "content_block_start":
        block = get(event, "content_block")
        if get(block, "type") == "tool_use" and (name := as_text(get(block, "name"))) is not None:
            # and then the parts of its arguments
            state.setdefault("tools", {})[as_int(get(event, "index"))] = [name]
    elif kind == "message_start":
        state["message"] = merge_members(state.get("message"), get(event, "message"))
    elif kind == "message_delta":
        state["delta"] = merge_members(state.get("delta"), event)
    elif kind == "error" or (kind is None and get(event, "error") is not None):
        state["error"] = read_error(event)
    return bool(kind == "message_stop")


def finish_message(state: FoldState) -> Answer:
    """Build the answer from a fully or partly folded stream."""
    message, delta = state.get("message"), state.get("delta")
    answer = _make_answer(message, get(get(delta, "delta"), "stop_reason"), get(delta, "usage"), get(message, "usage"))
    tool_calls = [(name, join_arguments(parts)) for name, *parts in state.get("tools", {}).values()]
    return answer._replace(tool_calls=tool_calls, error=state.get("error"))


def _read_tool_calls(blocks: Iterable[object]) -> list[tuple[str, Any]]:
    """Return name and arguments of each tool that the application is to execute.

    The tools that run at the provider have another type.
    """
    pairs = ((as_text(get(block, "name")), block) for block in blocks if get(block, "type") == "tool_use")
    return [(name, get(block, "input")) for name, block in pairs if name is not None]


def _make_answer(message: object, reason: object, usage: object, start_usage: object = None) -> Answer:
    """Return the answer of a message.

    start_usage: the usage with which a stream began; its input counts hold if the end leaves them out.
    """

    def read_count(name: str) -> int | None:
        count = as_int(get(usage, name))
        return as_int(get(start_usage, name)) if count is None else count

    cached, written = read_count("cache_read_input_tokens"), read_count("cache_creation_input_tokens")
    attributes: Attributes = drop_none_attributes(
        (A.GEN_AI_RESPONSE_ID, as_text(get(message, "id"))),
        (A.GEN_AI_RESPONSE_FINISH_REASONS, as_texts(reason)),
        (A.GEN_AI_USAGE_CACHE_READ_INPUT_TOKENS, cached),
        (A.GEN_AI_USAGE_CACHE_CREATION_INPUT_TOKENS, written),
        (A.GEN_AI_USAGE_REASONING_OUTPUT_TOKENS, as_int(get(get(usage, "output_tokens_details"), "thinking_tokens"))),
    )
    fresh = read_count("input_tokens")
    total = None if fresh is None else fresh + (cached or 0) + (written or 0)  # the API counts cached input apart
    return Answer(as_text(get(message, "model")), attributes, total, as_int(get(usage, "output_tokens")))


MESSAGES = Endpoint(read_request, read_response, fold_event, finish_message, content=anthropic_content.MESSAGES)
