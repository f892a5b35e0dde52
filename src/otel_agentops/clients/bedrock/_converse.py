"""Bedrock's own shape of a conversation: Converse, ConverseStream, and the models that were trained to speak it.

https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_Converse.html
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from otel_agentops._endpoint import Endpoint, FoldState
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
from otel_agentops.clients.bedrock import _content
from otel_agentops.clients.bedrock._botocore import read_error_code
from otel_agentops.clients.bedrock._models import PROVIDER, RequestFacts
from otel_agentops.operations import Answer, Attributes, ModelCall
from otel_agentops.semconv import attributes as A

FIELDS = Fields(
    {
        "temperature": (A.GEN_AI_REQUEST_TEMPERATURE, as_double),
        "topP": (A.GEN_AI_REQUEST_TOP_P, as_double),
        "topK": (A.GEN_AI_REQUEST_TOP_K, as_int),
        "maxTokens": (A.GEN_AI_REQUEST_MAX_TOKENS, as_int),
        "max_new_tokens": (A.GEN_AI_REQUEST_MAX_TOKENS, as_int),  # Nova's older spelling
        "stopSequences": (A.GEN_AI_REQUEST_STOP_SEQUENCES, as_texts),
        "guardrailConfig": (A.AWS_BEDROCK_GUARDRAIL_ID, lambda config: as_text(get(config, "guardrailIdentifier"))),
    },
    not_parameters=frozenset(
        [
            "modelId",
            "messages",
            "system",
            "toolConfig",
            "inferenceConfig",  # its members are parameters
            "promptVariables",
            "requestMetadata",
            "projectIdentifier",
            "additionalModelResponseFieldPaths",
            "schemaVersion",
        ]
    ),
    sampling=("temperature", "topP", "stopSequences"),
)
NOVA_FIELDS = FIELDS.with_sampling("temperature", "topP", "topK", "stopSequences")
# Of `additionalModelRequestFields`, whose members are the models' own.
_MODEL_FIELDS = Fields(
    {
        "top_k": (A.GEN_AI_REQUEST_TOP_K, as_int),
        "k": (A.GEN_AI_REQUEST_TOP_K, as_int),
        "seed": (A.GEN_AI_REQUEST_SEED, as_int),
        "frequency_penalty": (A.GEN_AI_REQUEST_FREQUENCY_PENALTY, as_double),
        "presence_penalty": (A.GEN_AI_REQUEST_PRESENCE_PENALTY, as_double),
        "reasoning_effort": (A.GEN_AI_REQUEST_REASONING_LEVEL, as_text),
    },
    not_parameters=frozenset(),
)

_NAMED = frozenset({"name", "description", "inputSchema", "strict"})  # members with a name of ours in the identity


def normalise_tool(wire: object) -> dict[str, object]:
    """Return the identity material of one tool: that of any client for the same name, description and schema."""
    spec = get(wire, "toolSpec")
    if not isinstance(spec, Mapping):  # a system tool, which has a name alone, or something that is sent as a tool
        return {"name": str(get(get(wire, "systemTool"), "name") or "unknown"), "settings": wire}
    return drop_members(spec, _NAMED) | drop_none(
        name=str(spec.get("name")),
        description=spec.get("description"),
        input_schema=get(spec.get("inputSchema"), "json"),
        strict=spec.get("strict"),
    )


# -- requests


def read_converse_request(body: Mapping[str, Any], facts: RequestFacts, fields: Fields = FIELDS) -> ModelCall:
    """Read `POST /model/{modelId}/converse` and `converse-stream`.

    fields: of a model that has others.
    """
    tool_config = as_mapping(body.get("toolConfig"))
    tool_choice = tool_config.get("toolChoice")
    settings = {**body, **as_mapping(body.get("inferenceConfig"))}  # on one level; on the wire sampling is a member
    if tool_choice is not None:
        settings["toolChoice"] = tool_choice
    attributes = fields.read_attributes(settings, facts.server)
    attributes |= _MODEL_FIELDS.read_attributes(as_mapping(body.get("additionalModelRequestFields")), {})
    if facts.is_streaming:
        attributes[A.GEN_AI_REQUEST_STREAM] = True
    output_config = as_mapping(body.get("outputConfig"))
    if output_type := as_text(get(output_config.get("textFormat"), "type")):
        attributes[A.GEN_AI_OUTPUT_TYPE] = "json" if output_type.startswith("json") else output_type
    if effort := as_text(output_config.get("effort")):
        attributes[A.GEN_AI_REQUEST_REASONING_LEVEL] = effort
    return ModelCall(
        "chat",
        PROVIDER,
        facts.model.id,
        attributes,
        flatten_instructions((_strip_marks(as_list(body.get("system"))),)),
        _strip_marks(as_list(tool_config.get("tools"))),
        normalise_tool,
        fields.read_parameters(settings),
        prompt=facts.model.prompt,
        is_tool_forced="tool" in as_mapping(tool_choice),
    )


def as_mapping(value: object) -> Mapping[str, Any]:
    """Return a JSON object; an empty one for anything else."""
    return value if isinstance(value, Mapping) else {}


def _strip_marks(blocks: Sequence[object]) -> Sequence[object]:
    """Return blocks without the marks that ask to cache, and guarded text as its text."""
    if not any("text" not in block and "toolSpec" not in block for block in blocks if isinstance(block, Mapping)):
        return blocks
    return [_unwrap_guarded(block) for block in blocks if get(block, "cachePoint") is None]


def _unwrap_guarded(block: object) -> object:
    text = get(get(block, "guardContent"), "text")
    return block if text is None else text


# -- answers


def read_converse_response(result: object) -> Answer:
    """Read the result of Converse, or a body of the same shape."""
    blocks = as_list(get(get(get(result, "output"), "message"), "content"))
    tool_uses = [use for block in blocks if (use := get(block, "toolUse")) is not None]
    names = ((as_text(get(use, "name")), use) for use in tool_uses)
    tool_calls = [(name, get(use, "input")) for name, use in names if name is not None]
    answer = _make_answer(get(result, "stopReason"), result)
    return answer._replace(tool_calls=tool_calls, error=None if answer.attributes else read_error(result))


def fold_event(state: FoldState, event: Mapping[str, Any]) -> bool:
    """Fold an event of ConverseStream; `metadata` is the last."""
    if (delta := event.get("contentBlockDelta")) is not None:
        if "tools" in state and (part := get(get(get(delta, "delta"), "toolUse"), "input")):
            state["tools"].get(as_int(get(delta, "contentBlockIndex")), []).append(part)
        return False
    if (metadata := event.get("metadata")) is not None:
        state["metadata"] = merge_members(state.get("metadata"), metadata)
        return True
    if (stop := event.get("messageStop")) is not None:
        state["reason"] = get(stop, "stopReason")
    elif (start := event.get("contentBlockStart")) is not None:
        name = as_text(get(get(get(start, "start"), "toolUse"), "name"))
        if name is not None:
            # and then the parts of its input
            state.setdefault("tools", {})[as_int(get(start, "contentBlockIndex"))] = [name]
    elif "messageStart" in event:
        state["begun"] = True
    elif "error" in event:
        state["error"] = read_error(event)
    return False


def finish_stream(state: FoldState) -> Answer:
    """Build the answer from a fully or partly folded stream."""
    tool_calls = [(name, join_arguments(parts)) for name, *parts in state.get("tools", {}).values()]
    answer = _make_answer(state.get("reason"), state.get("metadata"))
    return answer._replace(tool_calls=tool_calls, error=state.get("error"))


def _make_answer(reason: object, result: object) -> Answer:
    """Return the end of an answer.

    Args:
        reason: Its `stopReason`.
        result: What has the usage. The model is told only if a router chose it; the counts leave cached input out.
    """
    usage = get(result, "usage")
    read = _read_count(usage, "cacheReadInputTokens", "cacheReadInputTokenCount")
    written = _read_count(usage, "cacheWriteInputTokens", "cacheWriteInputTokenCount")
    attributes: Attributes = drop_none_attributes(
        (A.GEN_AI_RESPONSE_FINISH_REASONS, as_texts(reason)),
        (A.GEN_AI_USAGE_CACHE_READ_INPUT_TOKENS, read),
        (A.GEN_AI_USAGE_CACHE_CREATION_INPUT_TOKENS, written),
    )
    fresh = as_int(get(usage, "inputTokens"))
    total = None if fresh is None else fresh + (read or 0) + (written or 0)
    model = as_text(get(get(get(result, "trace"), "promptRouter"), "invokedModelId"))
    return Answer(model, attributes, total, as_int(get(usage, "outputTokens")))


def _read_count(usage: object, name: str, nova_name: str) -> int | None:
    count = as_int(get(usage, name))
    return as_int(get(usage, nova_name)) if count is None else count


CONVERSE = Endpoint(
    read_converse_request,
    read_converse_response,
    fold_event,
    finish_stream,
    error_type=read_error_code,
    content=_content.CONVERSE,
)
