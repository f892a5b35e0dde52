"""Google's interactions: a model or an agent, with what was said before kept by the provider."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from otel_agentops._client_call import Endpoint
from otel_agentops._patching import Target
from otel_agentops.clients._families import speakeasy
from otel_agentops.clients._families.speakeasy import Package
from otel_agentops.clients._protocols.fields import (
    as_int,
    as_list,
    as_text,
    drop_none,
    drop_none_attributes,
    flatten_instructions,
    get,
)
from otel_agentops.clients._servers import Server, find_provider
from otel_agentops.clients.google_genai._schema import camel, camel_name
from otel_agentops.clients.google_genai._wire import FIELDS, code, mapping, output_type, total
from otel_agentops.operations import Answer, ModelCall
from otel_agentops.semconv import attributes as A

_CREDENTIALS = frozenset({"headers"})  # of an MCP server: they differ by user and shape nothing
_RUNNING = frozenset({"queued", "in_progress"})


def request(body: Mapping[str, Any], server: Server) -> ModelCall:
    """`POST interactions`."""
    flat = _flat(body)
    attributes = FIELDS.read_attributes(flat, server.attributes)
    if kind := _output_type(body, flat):
        attributes[A.GEN_AI_OUTPUT_TYPE] = kind
    model = as_text(body.get("model"))
    return ModelCall(
        "invoke_agent" if body.get("agent") else "generate_content",
        server.provider,
        model and model.removeprefix("models/"),
        attributes,
        flatten_instructions((body.get("system_instruction"),)),
        as_list(body.get("tools")),
        tool,
        FIELDS.read_parameters(flat),
    )


def _flat(body: Mapping[str, Any]) -> dict[str, Any]:
    """The settings as the other API spells them, so that one setting is one parameter."""
    found = {camel_name(name): value for name, value in body.items()}
    return {**found, **camel(dict(mapping(body.get("generation_config"))))}


def _output_type(body: Mapping[str, Any], flat: Mapping[str, Any]) -> str | None:
    mime = mapping(body.get("response_format")).get("mime_type")
    modalities = [str(each).upper() for each in as_list(body.get("response_modalities"))]
    return output_type({"responseModalities": modalities, "responseMimeType": mime or flat.get("responseMimeType")})


def tool(wire: Any) -> dict[str, Any]:
    """The identity material of one tool: of a function, or of a built-in with its settings."""
    if not isinstance(wire, Mapping):  # not a tool, but sent as one
        return {"name": "unknown", "settings": wire}
    if wire.get("type") != "function":
        settings = {name: value for name, value in wire.items() if name not in _CREDENTIALS}
        return {"name": str(wire.get("name") or wire.get("type")), "settings": settings}
    return drop_none(
        name=str(wire.get("name")), description=wire.get("description"), input_schema=wire.get("parameters")
    )


def response(result: Any) -> Answer:
    """An `Interaction`, or its JSON."""
    calls = [step for step in as_list(get(result, "steps")) if get(step, "type") == "function_call"]
    return _answer(result, [(get(call, "name"), get(call, "arguments")) for call in calls])


def fold(state: dict[str, Any], event: Any) -> bool:
    """An `InteractionSSEEvent`: the first and the last carry the interaction, without its steps."""
    kind = event.event_type
    if kind == "step.delta":
        if "calls" in state and (part := getattr(event.delta, "arguments", None)) is not None:
            state["calls"].get(event.index, []).append(part)
    elif kind == "step.start":
        if event.step.type == "function_call":
            state.setdefault("calls", {})[event.index] = [event.step.name]  # and then the parts of its arguments
    elif kind in ("interaction.created", "interaction.completed"):
        state["interaction"] = event.interaction
        return bool(kind == "interaction.completed")
    elif kind == "error":
        state["error"] = event.error
    return False


def settled(state: dict[str, Any]) -> Answer:
    """What the events of a stream added up to."""
    called = state.get("calls", {}).values()
    answer = _answer(state.get("interaction"), [(name, "".join(parts)) for name, *parts in called])
    return answer._replace(error=as_text(get(state["error"], "code")) or "error") if "error" in state else answer


def _answer(interaction: Any, calls: list[tuple[str, Any]]) -> Answer:
    """Its status is the reason why it ended. Thoughts are counted apart, cached input is not."""
    status, usage = as_text(get(interaction, "status")), get(interaction, "usage")
    thoughts = as_int(get(usage, "total_thought_tokens"))
    attributes = drop_none_attributes(
        (A.GEN_AI_RESPONSE_ID, as_text(get(interaction, "id"))),
        (A.GEN_AI_RESPONSE_FINISH_REASONS, [status] if status and status not in _RUNNING else None),
        (A.GEN_AI_USAGE_CACHE_READ_INPUT_TOKENS, as_int(get(usage, "total_cached_tokens"))),
        (A.GEN_AI_USAGE_REASONING_OUTPUT_TOKENS, thoughts),
    )
    read = total(get(usage, "total_input_tokens"), get(usage, "total_tool_use_tokens"))
    failed = as_text(get(get(interaction, "error"), "code")) or "failed" if status == "failed" else None
    return Answer(
        as_text(get(interaction, "model")), attributes, read, total(get(usage, "total_output_tokens"), thoughts),
        error=failed, tool_calls=calls,
    )  # fmt: skip


PACKAGE = Package(
    "google.genai._gaos",
    lambda host: find_provider(host) or "gcp.gemini",
    {"interactions.Interactions.create": Endpoint(request, response, fold, settled, error_type=code)},
    split=True,
)
# Versions before 2.9 do not have these modules: nothing of them is expected.
TARGETS: list[Target] = [target._replace(own_only=True) for target in speakeasy.targets(PACKAGE)]
