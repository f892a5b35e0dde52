"""InvokeModel: a body in the words of the model's family, which is found by the model's id, else by the body itself."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from otel_agentops._client_call import Endpoint
from otel_agentops.clients._protocols import anthropic_messages, cohere, openai_chat
from otel_agentops.clients._protocols.fields import Fields, as_int, as_texts, get
from otel_agentops.clients._servers import Server
from otel_agentops.clients.bedrock import _completion, _converse
from otel_agentops.clients.bedrock._botocore import Addressed
from otel_agentops.clients.bedrock._invoke import Family, endpoint
from otel_agentops.clients.bedrock._models import Asked, Model
from otel_agentops.operations import Answer, ModelCall
from otel_agentops.semconv import attributes as A


def _keep(state: dict[str, Any], chunk: Any) -> bool:
    """The first chunk is remembered, then the last: nothing between them says anything."""
    state["chunk"] = chunk
    return False


def _settle(whole: Callable[[Any], Answer]) -> Callable[[dict[str, Any]], Answer]:
    return lambda state: whole(state.get("chunk"))


def _nova(body: Mapping[str, Any], server: Server) -> ModelCall:
    return _converse.request(body, Addressed(server.attributes, Asked(Model(None, ""))))


def _chat_whole(body: Any) -> Answer:
    return openai_chat.read_chat_response(_reasoned(body))


def _chat_fold(state: dict[str, Any], chunk: Any) -> bool:
    return openai_chat.fold_chat_json(state, _reasoned(chunk))


def _reasoned(body: Any) -> Any:
    """Mistral's `stop_reason` as everybody's `finish_reason`."""
    choices = get(body, "choices")
    if not isinstance(choices, list) or not any("stop_reason" in choice for choice in choices if type(choice) is dict):
        return body
    return {**body, "choices": [{**choice, "finish_reason": get(choice, "stop_reason")} for choice in choices]}


def _chat_settled(state: dict[str, Any]) -> Answer:
    return openai_chat.finish_chat(state) if "first" in state else Answer(None, {})


def _command_whole(body: Any) -> Answer:
    return cohere.read_v1_chat_response(get(body, "response") or body)


_EMBEDDINGS = Fields(
    {
        "dimensions": (A.GEN_AI_EMBEDDINGS_DIMENSION_COUNT, as_int),  # Titan
        "output_dimension": (A.GEN_AI_EMBEDDINGS_DIMENSION_COUNT, as_int),  # Cohere
        "embeddingTypes": (A.GEN_AI_REQUEST_ENCODING_FORMATS, as_texts),
        "embedding_types": (A.GEN_AI_REQUEST_ENCODING_FORMATS, as_texts),
    },
    not_parameters=frozenset(["inputText", "inputImage", "texts", "images", "inputs", "schemaVersion"]),
)


def _embed(body: Mapping[str, Any], server: Server) -> ModelCall:
    attributes = _EMBEDDINGS.read_attributes(body, server.attributes)
    return ModelCall("embeddings", server.provider, None, attributes, params=_EMBEDDINGS.read_parameters(body))


def _embedded(body: Any) -> Answer:
    return Answer(None, {}, as_int(get(body, "inputTextTokenCount")))


def _rerank(body: Mapping[str, Any], server: Server) -> ModelCall:
    return cohere.read_request("retrieval", body, server)


def _unknown(body: Mapping[str, Any], server: Server) -> ModelCall:
    """What shapes the answer and what is content cannot be told apart: neither is read."""
    return ModelCall("generate_content", server.provider, None, dict(server.attributes), instructions=None)


def _nothing(body: Any) -> Answer:
    return Answer(None, {})


CLAUDE = endpoint(
    Family(
        anthropic_messages.read_request,
        anthropic_messages.read_response,
        anthropic_messages.fold_event,
        anthropic_messages.finish_message,
        (b'"message_', b'"tool_use"', b'"input_json_delta"'),
    )
)
NOVA = endpoint(
    Family(
        _nova,
        _converse.response,
        _converse.fold,
        _converse.settled,
        (b'"messageStop"', b'"metadata"', b'"toolUse"'),
    )
)
CHAT = endpoint(
    Family(
        openai_chat.read_chat_request,
        _chat_whole,
        _chat_fold,
        _chat_settled,
        (b'"tool_calls"', b'_reason":"', b'_reason": "', b'"usage":{', b'"usage": {'),
    )
)
COMMAND = endpoint(Family(partial(cohere.read_request, "chat"), _command_whole, _keep, _settle(_command_whole)))
COMPLETION = endpoint(Family(_completion.request, _completion.response, _keep, _settle(_completion.response)))
EMBED = endpoint(Family(_embed, _embedded, _keep, _settle(_nothing), counted=True, wordless=True))
RERANK = endpoint(Family(_rerank, _nothing, _keep, _settle(_nothing), counted=True, wordless=True))
UNKNOWN = endpoint(Family(_unknown, _nothing, _keep, _settle(_nothing), counted=True))


def of(model: str, body: Mapping[str, Any]) -> Endpoint:
    """The kind of bodies that a model has. model: its bare id, empty where that is hidden."""
    if "embed" in model:
        return EMBED
    if "rerank" in model:
        return RERANK
    if "messages" in body:
        return _talking(model, body)
    if "message" in body:
        return COMMAND
    if "prompt" in body and not model.startswith(_PICTURES):
        return COMPLETION
    if "inputText" in body and ("textGenerationConfig" in body or model.startswith("amazon.titan-t")):
        return COMPLETION
    return UNKNOWN


_PICTURES = ("stability.", "luma.")  # their prompt is one for images and films


def _talking(model: str, body: Mapping[str, Any]) -> Endpoint:
    """Claude's bodies must have an `anthropic_version`; Nova's have what no other's have, or its id."""
    if "anthropic_version" in body:
        return CLAUDE
    nova = model.startswith("amazon.nova") or "inferenceConfig" in body or "schemaVersion" in body
    return NOVA if nova else CHAT
