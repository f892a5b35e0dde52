"""Bodies of InvokeModel in the words of a model's family, which is found by the model's id, else by the body itself."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from otel_agentops._endpoint import Endpoint, FoldState
from otel_agentops.clients._protocols import (
    anthropic_content,
    anthropic_messages,
    cohere,
    cohere_content,
    openai_chat,
    openai_chat_content,
)
from otel_agentops.clients._protocols.fields import Fields, as_int, as_texts, get, read_error
from otel_agentops.clients._servers import Server
from otel_agentops.clients.bedrock import _content, _converse
from otel_agentops.clients.bedrock._completion import read_completion_request, read_completion_response
from otel_agentops.clients.bedrock._invoke import Family, make_endpoint
from otel_agentops.clients.bedrock._models import SILENT_ANSWER, RequestFacts
from otel_agentops.operations import Answer, ModelCall
from otel_agentops.semconv import attributes as A

# -- families whose stream ends with the whole answer, or tells nothing but counts


def _keep_last(read_response: Callable[[object], Answer]) -> Callable[[FoldState, object], bool]:
    """Return a fold that keeps the last chunk; with what was said before, but for counts, which end the stream."""

    def fold(state: FoldState, chunk: object) -> bool:
        newer, older = read_response(chunk), state.get("answer", SILENT_ANSWER)
        state["answer"] = newer._replace(
            attributes={**older.attributes, **newer.attributes},
            error=newer.error or older.error,
            tool_calls=newer.tool_calls or older.tool_calls,
        )
        return False

    return fold


def _get_last(state: FoldState) -> Answer:
    answer: Answer = state.get("answer", SILENT_ANSWER)
    return answer


def _read_no_more_than_error(body: object) -> Answer:
    error = read_error(body)
    return SILENT_ANSWER._replace(error=error) if error else SILENT_ANSWER


# -- Nova


def _read_nova_request(body: Mapping[str, Any], server: Server) -> ModelCall:
    return _converse.read_converse_request(body, RequestFacts(server.attributes), _converse.NOVA_FIELDS)


# -- OpenAI's protocol: Mistral, AI21, gpt-oss and others


_CHAT_FIELDS = openai_chat.FIELDS.with_sampling("temperature", "top_p")  # the families differ in the others


def _read_chat_response(body: Any) -> Answer:
    return openai_chat.read_chat_response(_rename_stop_reason(body))


def _fold_chat_chunk(state: FoldState, chunk: Any) -> bool:
    return openai_chat.fold_loose_chunk(state, _rename_stop_reason(chunk))


def _rename_stop_reason(body: Any) -> Any:
    """Return a body with Mistral's `stop_reason` as everybody's `finish_reason`."""
    choices = get(body, "choices")
    if not isinstance(choices, list) or not any("stop_reason" in choice for choice in choices if type(choice) is dict):
        return body
    return {**body, "choices": [{**choice, "finish_reason": get(choice, "stop_reason")} for choice in choices]}


def _finish_chat(state: FoldState) -> Answer:
    return openai_chat.finish_chat(state) if "first" in state else SILENT_ANSWER


# -- Cohere's Command R


def _read_command_response(body: object) -> Answer:
    return cohere.read_v1_chat_response(get(body, "response") or body)


# -- embeddings, rankings, and bodies of nobody that is known

_EMBEDDINGS = Fields(
    {
        "dimensions": (A.GEN_AI_EMBEDDINGS_DIMENSION_COUNT, as_int),  # Titan
        "output_dimension": (A.GEN_AI_EMBEDDINGS_DIMENSION_COUNT, as_int),  # Cohere
        "embeddingTypes": (A.GEN_AI_REQUEST_ENCODING_FORMATS, as_texts),
        "embedding_types": (A.GEN_AI_REQUEST_ENCODING_FORMATS, as_texts),
    },
    not_parameters=frozenset(["inputText", "inputImage", "texts", "images", "inputs", "schemaVersion"]),
)


def _read_embeddings_request(body: Mapping[str, Any], server: Server) -> ModelCall:
    attributes = _EMBEDDINGS.read_attributes(body, server.attributes)
    return ModelCall("embeddings", server.provider, None, attributes, params=_EMBEDDINGS.read_parameters(body))


def _read_embeddings_response(body: object) -> Answer:
    return Answer(None, {}, as_int(get(body, "inputTextTokenCount")), error=read_error(body))


def _read_unknown_request(body: Mapping[str, Any], server: Server) -> ModelCall:
    """Read nothing: parameters and content cannot be told apart."""
    return ModelCall("generate_content", server.provider, None, dict(server.attributes), instructions=None)


CLAUDE = make_endpoint(
    Family(
        anthropic_messages.read_request,
        anthropic_messages.read_response,
        anthropic_messages.fold_event,
        anthropic_messages.finish_message,
        (b'"message_', b'"tool_use"', b'"input_json_delta"'),
        content=anthropic_content.MESSAGES,
    )
)
NOVA = make_endpoint(
    Family(
        _read_nova_request,
        _converse.read_converse_response,
        _converse.fold_event,
        _converse.finish_stream,
        (b'"messageStop"', b'"metadata"', b'"toolUse"'),
        content=_content.CONVERSE,
    )
)
CHAT = make_endpoint(
    Family(
        partial(openai_chat.read_chat_request, fields=_CHAT_FIELDS),
        _read_chat_response,
        _fold_chat_chunk,
        _finish_chat,
        (b'"tool_calls"', b'_reason":"', b'_reason": "', b'"usage":{', b'"usage": {'),
        content=openai_chat_content.CHAT,
    )
)
COMMAND = make_endpoint(
    Family(
        partial(cohere.read_request, "chat"),
        _read_command_response,
        _keep_last(_read_command_response),
        _get_last,
        (b'"stream-end"',),
        content=cohere_content.V1_CHAT,
    )
)
COMPLETION = make_endpoint(
    Family(
        read_completion_request,
        read_completion_response,
        _keep_last(read_completion_response),
        _get_last,
        (b'eason":"', b'eason": "'),
        content=_content.COMPLETION,
    )
)
_COUNTS = Family(
    _read_unknown_request,
    _read_no_more_than_error,
    _keep_last(_read_no_more_than_error),
    _get_last,
    has_only_counts=True,
)
EMBEDDINGS = make_endpoint(
    _COUNTS._replace(read_request=_read_embeddings_request, read_response=_read_embeddings_response, is_wordless=True)
)
RANKING = make_endpoint(
    _COUNTS._replace(
        read_request=partial(cohere.read_request, "retrieval"), is_wordless=True, content=cohere_content.RERANK
    )
)
UNKNOWN = make_endpoint(_COUNTS)

_PICTURES = ("stability.", "luma.")  # their prompt is one for images and films


# Of the models whose bodies have one shape alone: the family of a body that cannot be read.
_FAMILIES = {
    "amazon.nova-": NOVA,
    "amazon.titan-t": COMPLETION,
    "anthropic.claude-": CLAUDE,
    "ai21.j2-": COMPLETION,
    "ai21.jamba-": CHAT,
    "cohere.command-r": COMMAND,
    "cohere.command-text": COMPLETION,
    "cohere.command-light": COMPLETION,
    "meta.llama": COMPLETION,
    "openai.gpt-oss": CHAT,
    "qwen.": CHAT,
}
# These of them speak two, or make pictures, films and speech.
_AMBIGUOUS = (
    "anthropic.claude-v",
    "anthropic.claude-instant",
    "amazon.nova-canvas",
    "amazon.nova-reel",
    "amazon.nova-sonic",
)


def find_endpoint(bare_id: str, body: Mapping[str, object] | None) -> Endpoint[RequestFacts]:
    """Return the functions that read the bodies of a model.

    Args:
        bare_id: `Model.bare_id`, empty if the model is hidden.
        body: Of the request; None if it cannot be read, so that only the id tells.
    """
    if "embed" in bare_id:
        return EMBEDDINGS
    if "rerank" in bare_id:
        return RANKING
    if body is None:
        families = (family for prefix, family in _FAMILIES.items() if bare_id.startswith(prefix))
        return UNKNOWN if bare_id.startswith(_AMBIGUOUS) else next(families, UNKNOWN)
    if "messages" in body:
        return _find_chat_endpoint(bare_id, body)
    if "message" in body:
        return COMMAND
    if "prompt" in body and not bare_id.startswith(_PICTURES):
        return COMPLETION
    if "inputText" in body and ("textGenerationConfig" in body or bare_id.startswith("amazon.titan-t")):
        return COMPLETION
    return UNKNOWN


def _find_chat_endpoint(bare_id: str, body: Mapping[str, object]) -> Endpoint[RequestFacts]:
    """Return the functions of a chat.

    Claude's bodies must have an `anthropic_version`; Nova's have members that no other's have, or its id.
    """
    if "anthropic_version" in body:
        return CLAUDE
    is_nova = bare_id.startswith("amazon.nova") or "inferenceConfig" in body or "schemaVersion" in body
    return NOVA if is_nova else CHAT
