"""Google's interactions: a model or an agent whose conversation is kept by the provider.

They are in a package of their own that Speakeasy generates:
https://github.com/googleapis/python-genai/blob/main/google/genai/_gaos/interactions.py
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from otel_agentops._endpoint import Endpoint, FoldState
from otel_agentops._patching import Target
from otel_agentops.clients._families import speakeasy
from otel_agentops.clients._families.speakeasy import Package
from otel_agentops.clients._protocols.fields import (
    as_int,
    as_list,
    as_text,
    drop_members,
    drop_none,
    drop_none_attributes,
    flatten_instructions,
    get,
    join_arguments,
    merge_members,
    read_error,
)
from otel_agentops.clients._servers import Server, find_provider
from otel_agentops.clients.google_genai import _content
from otel_agentops.clients.google_genai._schema import normalise_name, normalise_names
from otel_agentops.clients.google_genai._wire import FIELDS, as_object, find_output_type, name_error, sum_counts
from otel_agentops.operations import Answer, ModelCall
from otel_agentops.semconv import attributes as A

_CREDENTIALS = frozenset({"headers"})  # of an MCP server: they differ by user and shape nothing
_FIELDS = FIELDS.with_sampling("temperature", "topP", "seed", "stopSequences")
_RUNNING = frozenset({"queued", "in_progress"})


def read_interaction_request(body: Mapping[str, object], server: Server) -> ModelCall:
    """Read `POST interactions`."""
    flat = _flatten_settings(body)
    attributes = _FIELDS.read_attributes(flat, server.attributes)
    if kind := _find_output_type(body, flat):
        attributes[A.GEN_AI_OUTPUT_TYPE] = kind
    model = as_text(body.get("model")) or None
    return ModelCall(
        "invoke_agent" if body.get("agent") else "generate_content",
        server.provider,
        model and model.removeprefix("models/"),
        attributes,
        flatten_instructions((body.get("system_instruction"),)),
        as_list(body.get("tools")),
        normalise_tool,
        _FIELDS.read_parameters(flat),
    )


def _flatten_settings(body: Mapping[str, object]) -> dict[str, object]:
    """Return the settings as the other API spells them, so that one setting is one parameter."""
    members = {normalise_name(name): value for name, value in body.items()}
    return {**members, **normalise_names(as_object(body.get("generation_config")))}


def _find_output_type(body: Mapping[str, object], flat: Mapping[str, object]) -> str | None:
    mime = as_object(body.get("response_format")).get("mime_type")
    modalities = [str(modality).upper() for modality in as_list(body.get("response_modalities"))]
    return find_output_type(
        {"responseModalities": modalities, "responseMimeType": mime or flat.get("responseMimeType")}
    )


_NAMED = frozenset({"type", "name", "description", "parameters"})  # members with a name of ours in the identity


def normalise_tool(wire: object) -> dict[str, object]:
    """Return the identity material of one tool: of a function, or of a built-in with its settings."""
    if not isinstance(wire, Mapping):  # not a tool, but sent as one
        return {"name": "unknown", "settings": wire}
    if wire.get("type") != "function":
        settings = {name: value for name, value in wire.items() if name not in _CREDENTIALS}
        return {"name": str(wire.get("name") or wire.get("type")), "settings": settings}
    return drop_members(wire, _NAMED) | drop_none(
        name=str(wire.get("name")), description=wire.get("description"), input_schema=wire.get("parameters")
    )


def read_interaction(result: object) -> Answer:
    """Read an `Interaction`, or its JSON."""
    calls = [step for step in as_list(get(result, "steps")) if get(step, "type") == "function_call"]
    named = [(as_text(get(call, "name")), get(call, "arguments")) for call in calls]
    answer = _make_answer(result, [(name, arguments) for name, arguments in named if name is not None])
    return answer if answer.error or get(result, "status") else answer._replace(error=read_error(result))


def fold_interaction_event(state: FoldState, event: Any) -> bool:
    """Fold an `InteractionSSEEvent`: the first and the last carry the interaction, without its steps."""
    kind = event.event_type
    if kind == "step.delta":
        if "calls" in state and (part := get(event.delta, "arguments")) is not None:
            state["calls"].get(as_int(event.index), []).append(part)
    elif kind == "step.start":
        step = event.step
        if get(step, "type") == "function_call" and (name := as_text(get(step, "name"))) is not None:
            state.setdefault("calls", {})[as_int(event.index)] = [name]  # and then the parts of its arguments
    elif kind == "interaction.created" or kind == "interaction.completed":
        state["interaction"] = merge_members(state.get("interaction"), event.interaction)
        return bool(kind == "interaction.completed")
    elif kind == "error":
        state["error"] = event.error
    return False


def finish_interaction(state: FoldState) -> Answer:
    """Build the answer from a fully or partly folded interaction."""
    calls = state.get("calls", {}).values()
    answer = _make_answer(state.get("interaction"), [(name, join_arguments(parts)) for name, *parts in calls])
    return answer._replace(error=as_text(get(state["error"], "code")) or "error") if "error" in state else answer


def _make_answer(interaction: object, calls: Sequence[tuple[str, object]]) -> Answer:
    """Return the answer: its status is the finish reason; thoughts are counted apart, cached input is not."""
    status, usage = as_text(get(interaction, "status")), get(interaction, "usage")
    thoughts = as_int(get(usage, "total_thought_tokens"))
    attributes = drop_none_attributes(
        (A.GEN_AI_RESPONSE_ID, as_text(get(interaction, "id"))),
        (A.GEN_AI_RESPONSE_FINISH_REASONS, [status] if status and status not in _RUNNING else None),
        (A.GEN_AI_USAGE_CACHE_READ_INPUT_TOKENS, as_int(get(usage, "total_cached_tokens"))),
        (A.GEN_AI_USAGE_REASONING_OUTPUT_TOKENS, thoughts),
    )
    return Answer(
        as_text(get(interaction, "model")),
        attributes,
        sum_counts(get(usage, "total_input_tokens"), get(usage, "total_tool_use_tokens")),
        sum_counts(get(usage, "total_output_tokens"), thoughts),
        error=as_text(get(get(interaction, "error"), "code")) or "failed" if status == "failed" else None,
        tool_calls=calls,
    )


INTERACTION = Endpoint(
    read_interaction_request,
    read_interaction,
    fold_interaction_event,
    finish_interaction,
    error_type=name_error,
    content=_content.INTERACTION,
)
PACKAGE = Package(
    "google.genai._gaos",
    lambda host: find_provider(host) or "gcp.gemini",
    {"interactions.Interactions.create": INTERACTION},
    has_async_classes=True,
)
# Versions before 2.9 do not have these modules: nothing in them is expected.
TARGETS: list[Target] = [target._replace(own_only=True) for target in speakeasy.list_targets(PACKAGE)]
