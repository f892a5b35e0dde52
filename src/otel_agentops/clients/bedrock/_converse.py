"""Bedrock's own shape of a conversation: Converse, ConverseStream, and the models that were trained to speak it."""

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
from otel_agentops.clients.bedrock._botocore import Addressed, code
from otel_agentops.clients.bedrock._models import PROVIDER, Asked
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
        "guardrailConfig": (A.AWS_BEDROCK_GUARDRAIL_ID, lambda given: as_text(get(given, "guardrailIdentifier"))),
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
)
# Of `additionalModelRequestFields`, whose members are the models' own.
_MORE = {
    "top_k": (A.GEN_AI_REQUEST_TOP_K, as_int),
    "k": (A.GEN_AI_REQUEST_TOP_K, as_int),
    "seed": (A.GEN_AI_REQUEST_SEED, as_int),
    "frequency_penalty": (A.GEN_AI_REQUEST_FREQUENCY_PENALTY, as_double),
    "presence_penalty": (A.GEN_AI_REQUEST_PRESENCE_PENALTY, as_double),
    "reasoning_effort": (A.GEN_AI_REQUEST_REASONING_LEVEL, as_text),
}


def tool(wire: Any) -> dict[str, Any]:
    """The identity material of one tool: that of any client for the same name, description and schema."""
    spec = get(wire, "toolSpec")
    if not isinstance(spec, Mapping):  # a system tool, which has a name alone, or what is sent as one
        return {"name": str(get(get(wire, "systemTool"), "name") or "unknown"), "settings": wire}
    return drop_none(
        name=str(spec.get("name")),
        description=spec.get("description"),
        input_schema=get(spec.get("inputSchema"), "json"),
        strict=spec.get("strict"),
    )


def request(body: Mapping[str, Any], sent: Addressed) -> ModelCall:
    """`POST /model/{modelId}/converse` and `converse-stream`."""
    asked: Asked = sent.facts
    settings = _flat(body)
    attributes = FIELDS.read_attributes(settings, sent.server)
    attributes |= Fields(_MORE, frozenset()).read_attributes(_mapping(body.get("additionalModelRequestFields")), {})
    if asked.stream:
        attributes[A.GEN_AI_REQUEST_STREAM] = True
    output = _mapping(body.get("outputConfig"))
    if kind := as_text(get(output.get("textFormat"), "type")):
        attributes[A.GEN_AI_OUTPUT_TYPE] = "json" if kind.startswith("json") else kind
    if effort := as_text(output.get("effort")):
        attributes[A.GEN_AI_REQUEST_REASONING_LEVEL] = effort
    given = _mapping(body.get("toolConfig"))
    return ModelCall(
        "chat",
        PROVIDER,
        asked.model.id,
        attributes,
        flatten_instructions((_uncached(as_list(body.get("system"))),)),
        _uncached(as_list(given.get("tools"))),
        tool,
        FIELDS.read_parameters(settings),
        prompt=asked.model.prompt,
        is_tool_forced="tool" in _mapping(given.get("toolChoice")),
    )


def _flat(body: Mapping[str, Any]) -> Mapping[str, Any]:
    """What shapes the answer, on one level: the sampling is a member of its own on the wire, like the tool choice."""
    choice = get(body.get("toolConfig"), "toolChoice")
    more = {} if choice is None else {"toolChoice": choice}
    return {**body, **_mapping(body.get("inferenceConfig")), **more}


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _uncached(blocks: Sequence[Any]) -> Sequence[Any]:
    """Blocks without the marks of what is to be cached; guarded text as its text."""
    if not any("text" not in block and "toolSpec" not in block for block in blocks if isinstance(block, Mapping)):
        return blocks
    return [_unguarded(block) for block in blocks if get(block, "cachePoint") is None]


def _unguarded(block: Any) -> Any:
    guarded = get(get(block, "guardContent"), "text")
    return block if guarded is None else guarded


def response(result: Any) -> Answer:
    """The result of Converse, or a body of the same shape."""
    blocks = as_list(get(get(get(result, "output"), "message"), "content"))
    answer = answer_of(get(result, "stopReason"), result)
    called = [use for block in blocks if (use := get(block, "toolUse")) is not None]
    return answer._replace(tool_calls=_asked(called)) if called else answer


def _asked(uses: Sequence[Any]) -> list[tuple[str, Any]]:
    named = ((as_text(get(use, "name")), get(use, "input")) for use in uses)
    return [(name, given) for name, given in named if name is not None]


def fold(state: dict[str, Any], event: Any) -> bool:
    """An event of ConverseStream; `metadata` is the last."""
    if (delta := event.get("contentBlockDelta")) is not None:
        if "tools" in state and (part := get(get(delta.get("delta"), "toolUse"), "input")):
            state["tools"].get(delta.get("contentBlockIndex"), []).append(part)
        return False
    if (end := event.get("metadata")) is not None:
        state["metadata"] = end
        return True
    if (stop := event.get("messageStop")) is not None:
        state["reason"] = stop.get("stopReason")
    elif (start := event.get("contentBlockStart")) is not None:
        name = as_text(get(get(start.get("start"), "toolUse"), "name"))
        if name is not None:
            state.setdefault("tools", {})[start.get("contentBlockIndex")] = [name]  # and then the parts of its input
    elif "messageStart" in event:
        state["begun"] = True
    return False


def settled(state: dict[str, Any]) -> Answer:
    """What the events of a stream added up to."""
    answer = answer_of(state.get("reason"), state.get("metadata"))
    called = state.get("tools", {}).values()
    return answer._replace(tool_calls=[(name, "".join(parts)) for name, *parts in called]) if called else answer


def answer_of(reason: Any, result: Any) -> Answer:
    """The end of an answer. The model is told only where a router chose it; the counts leave cached input out."""
    usage = get(result, "usage")
    read = as_int(_either(usage, "cacheReadInputTokens", "cacheReadInputTokenCount"))
    written = as_int(_either(usage, "cacheWriteInputTokens", "cacheWriteInputTokenCount"))
    attributes: Attributes = drop_none_attributes(
        (A.GEN_AI_RESPONSE_FINISH_REASONS, [str(reason)] if reason else None),
        (A.GEN_AI_USAGE_CACHE_READ_INPUT_TOKENS, read),
        (A.GEN_AI_USAGE_CACHE_CREATION_INPUT_TOKENS, written),
    )
    fresh = as_int(get(usage, "inputTokens"))
    total = None if fresh is None else fresh + (read or 0) + (written or 0)
    model = as_text(get(get(get(result, "trace"), "promptRouter"), "invokedModelId"))
    return Answer(model, attributes, total, as_int(get(usage, "outputTokens")))


def _either(usage: Any, name: str, other: str) -> Any:
    found = get(usage, name)
    return get(usage, other) if found is None else found


CONVERSE = Endpoint(request, response, fold, settled, error_type=code)
