"""Mistral: chat, agents, conversations, responses, fill-in-the-middle, embeddings; on its service, Azure and Vertex.

Patched are the methods in `_METHODS` and the Speakeasy base around each attempt (`_families/speakeasy.py`):
https://github.com/mistralai/client-python/tree/main/src/mistralai/client
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from otel_agentops import _patching
from otel_agentops._endpoint import ContentReader, Endpoint, FoldState
from otel_agentops._foreign_spans import ForeignSpans
from otel_agentops._patching import ClientInfo
from otel_agentops.clients._families import speakeasy
from otel_agentops.clients._families.speakeasy import Package
from otel_agentops.clients._protocols import (
    mistral_content,
    openai_chat,
    openai_chat_content,
    openai_responses,
    openai_responses_content,
)
from otel_agentops.clients._protocols.fields import (
    Fields,
    as_int,
    as_list,
    as_text,
    drop_none_attributes,
    flatten_instructions,
    get,
    join_arguments,
    read_error,
)
from otel_agentops.clients._protocols.openai_chat import (
    find_system_contents,
    make_model_call,
    read_embeddings_response,
    read_tokens,
    read_tool_calls,
    set_output_type,
)
from otel_agentops.clients._protocols.openai_responses import finish_responses, read_responses_response
from otel_agentops.clients._servers import Server, find_provider
from otel_agentops.operations import Answer, Attributes, ModelCall
from otel_agentops.semconv import attributes as A

FIELDS = Fields(
    {
        **openai_chat.FIELDS.readers,
        "random_seed": (A.GEN_AI_REQUEST_SEED, as_int),
        "output_dimension": (A.GEN_AI_EMBEDDINGS_DIMENSION_COUNT, as_int),
        "agent_id": (A.GEN_AI_AGENT_ID, as_text),
        "agent_version": (
            A.GEN_AI_AGENT_VERSION,
            lambda version: str(version) if type(version) is int else as_text(version),
        ),
    },
    not_parameters=frozenset([
        "model", "messages", "input", "inputs", "instructions", "tools", "prompt", "suffix", "stream", "random_seed",
        "metadata", "prediction", "prompt_cache_key", "agent_id", "agent_version", "completion_args", "store", "name",
        "description", "from_entry_id",
    ]),
    sampling=("temperature", "top_p", "frequency_penalty", "presence_penalty", "random_seed", "stop"),
)  # fmt: skip
CHAT_FIELDS = FIELDS.with_sampling(*FIELDS.sampling, "top_k")
AGENT_FIELDS = CHAT_FIELDS.with_sampling(*CHAT_FIELDS.sampling[2:])  # an agent has its own temperature and `top_p`
FIM_FIELDS = FIELDS.with_sampling("temperature", "top_p", "random_seed", "stop")
RESPONSES_FIELDS = FIELDS.with_sampling("temperature", "top_p")
# The client library sends these by itself if the application says nothing: for fill-in-the-middle before version 3, for
# what goes on with a conversation, and for responses.
_DEFAULTS: Attributes = {
    "top_p": 1,
    "handoff_execution": "server",
    "parallel_tool_calls": True,
    "truncation": "disabled",
    "background": False,
    "top_logprobs": 0,
}


# -- requests


def read_chat_request(body: Mapping[str, object], server: Server) -> ModelCall:
    """Read `POST /v1/chat/completions`, or `/v1/agents/completions`, whose agent has the model."""
    fields = AGENT_FIELDS if "agent_id" in body else CHAT_FIELDS
    attributes = FIELDS.read_attributes(body, server.attributes)
    set_output_type(attributes, body.get("response_format"))
    instructions = flatten_instructions(find_system_contents(body.get("messages")))
    return make_model_call("chat", body, server, attributes, instructions, fields=fields)


def read_fim_request(body: Mapping[str, object], server: Server) -> ModelCall:
    """Read `POST /v1/fim/completions`."""
    attributes = FIELDS.read_attributes(body, server.attributes)
    return make_model_call("text_completion", body, server, attributes, defaults=_DEFAULTS, fields=FIM_FIELDS)


def read_embeddings_request(body: Mapping[str, object], server: Server) -> ModelCall:
    """Read `POST /v1/embeddings`."""
    return make_model_call("embeddings", body, server, FIELDS.read_attributes(body, server.attributes), fields=FIELDS)


def read_responses_request(body: Mapping[str, object], server: Server) -> ModelCall:
    """Read `POST /v1/responses`."""
    return openai_responses.read_responses_request(body, server, RESPONSES_FIELDS)._replace(default_params=_DEFAULTS)


def read_conversation_request(body: Mapping[str, object], server: Server) -> ModelCall:
    """Read `POST /v1/conversations`, or what goes on from one: the model's settings are an object of their own."""
    settings = body.get("completion_args")
    flat = {**body, **settings} if isinstance(settings, Mapping) else body
    attributes = FIELDS.read_attributes(flat, server.attributes)
    set_output_type(attributes, get(settings, "response_format"))
    instructions = flatten_instructions((body.get("instructions"), *find_system_contents(body.get("inputs"))))
    return make_model_call("chat", flat, server, attributes, instructions, _DEFAULTS, FIELDS)


# -- answers


def read_chat_response(result: object) -> Answer:
    """Read a `ChatCompletionResponse` or a `FIMCompletionResponse`, or its JSON."""
    return _drop_unset_counts(openai_chat.read_chat_response(result), get(result, "usage"))


def fold_chat_event(state: FoldState, event: Any) -> bool:
    """Fold a `CompletionEvent`; the last one has the usage, the first one tells the answer if the stream breaks."""
    chunk = event.data
    is_first = "first" not in state
    if is_first:
        state["first"] = chunk
    for choice in chunk.choices:
        if choice.finish_reason:
            state.setdefault("reasons", {})[choice.index] = choice.finish_reason
        if pieces := choice.delta.tool_calls:
            state.setdefault("tools", []).extend(pieces if choice.index == 0 else ())
    if chunk.usage:
        if "usage" not in state or "prompt_tokens" in chunk.usage.model_fields_set:  # unset counts are 0
            state["usage"] = chunk.usage
        return True
    return is_first


def finish_chat(state: FoldState) -> Answer:
    """Build the answer from a fully or partly folded chat."""
    return _drop_unset_counts(openai_chat.finish_chat(state), state.get("usage"))


def _drop_unset_counts(answer: Answer, usage: Any) -> Answer:
    """Drop the counts of tokens that the wire does not have: the client's usage says 0 for them."""
    said = getattr(usage, "model_fields_set", None)  # JSON has none
    return answer if said is None or "prompt_tokens" in said else answer._replace(input_tokens=None, output_tokens=None)


def read_conversation_response(result: object) -> Answer:
    """Read a `ConversationResponse`, or its JSON."""
    outputs = as_list(get(result, "outputs"))
    calls = [output for output in outputs if get(output, "type") == "function.call"]
    model = next((name for output in outputs if (name := as_text(get(output, "model")))), None)
    answer = _make_conversation_answer(get(result, "conversation_id"), model, get(result, "usage"), calls)
    return answer if outputs else answer._replace(error=read_error(result))


def fold_conversation_event(state: FoldState, event: Any) -> bool:
    """Fold a `ConversationEvents`; the one that ends the conversation has the usage."""
    data = event.data
    kind = data.type
    if kind == _INVALID:
        data = data.raw
        kind = get(data, "type")
    if kind == "message.output.delta":
        if not state.get("model"):
            state["model"] = as_text(get(data, "model"))
    elif kind == "function.call.delta":
        if not state.get("model"):
            state["model"] = as_text(get(data, "model"))
        state.setdefault("calls", {}).setdefault(as_text(get(data, "tool_call_id")), []).append(data)
    elif kind == "conversation.response.started":
        state["conversation"] = get(data, "conversation_id")
    elif kind == "conversation.response.error":
        state["error"] = get(data, "code")
    elif kind == "conversation.response.done":
        state["usage"] = get(data, "usage")
        return True
    elif data is not event.data and (error := read_error({"error": data} if get(data, "object") == "error" else data)):
        state["error"] = error
    return False


_INVALID = "UNKNOWN"  # type of an event in which the client finds a member of another kind than it expects


def finish_conversation(state: FoldState) -> Answer:
    """Build the answer from a fully or partly folded conversation."""
    calls = state.get("calls", {}).values()
    joined = [
        {
            "name": next((name for part in parts if (name := as_text(get(part, "name")))), None),
            "arguments": join_arguments([part for each in parts if (part := get(each, "arguments")) is not None]),
        }
        for parts in calls
    ]
    answer = _make_conversation_answer(state.get("conversation"), state.get("model"), state.get("usage"), joined)
    return answer._replace(error=str(state["error"])) if "error" in state else answer


def _make_conversation_answer(
    conversation_id: object, model: str | None, usage: object, calls: Sequence[object]
) -> Answer:
    attributes = drop_none_attributes((A.GEN_AI_CONVERSATION_ID, as_text(conversation_id)))
    tokens = read_tokens(attributes, usage)
    return _drop_unset_counts(Answer(model, attributes, *tokens, tool_calls=read_tool_calls(calls)), usage)


def fold_responses_event(state: FoldState, frame: Any) -> bool:
    """Fold a frame of a responses stream, whose event is inside."""
    return openai_responses.fold_responses_event(state, frame.data)


# -- where it is patched


def _join_frames(reader: ContentReader) -> ContentReader:
    """Return the reader of streams whose events are inside of frames."""
    return reader._replace(chunks=lambda frames: reader.chunks([frame.data for frame in frames]))


CHAT = Endpoint(
    read_chat_request,
    read_chat_response,
    fold_chat_event,
    finish_chat,
    content=_join_frames(openai_chat_content.CHAT),
)
FIM = CHAT._replace(request=read_fim_request, content=_join_frames(openai_chat_content.COMPLETION))
EMBEDDINGS = Endpoint(read_embeddings_request, read_embeddings_response)
RESPONSES = Endpoint(
    read_responses_request,
    read_responses_response,
    fold_responses_event,
    finish_responses,
    content=_join_frames(openai_responses_content.RESPONSES),
)
CONVERSATION = Endpoint(
    read_conversation_request,
    read_conversation_response,
    fold_conversation_event,
    finish_conversation,
    content=_join_frames(mistral_content.CONVERSATION),
)

_CHAT = {"chat.Chat.complete": CHAT, "chat.Chat.stream": CHAT}
_FIM = {"fim.Fim.complete": FIM, "fim.Fim.stream": FIM}
_CONVERSATIONS = {
    f"conversations.Conversations.{action}{stream}": CONVERSATION
    for action in ("start", "append", "restart")
    for stream in ("", "_stream")
}
_METHODS = {
    **_CHAT,
    **_FIM,
    **_CONVERSATIONS,
    "agents.Agents.complete": CHAT,
    "agents.Agents.stream": CHAT,
    "embeddings.Embeddings.create": EMBEDDINGS,
    "responses.Responses.create": RESPONSES,
}
# The client's own tracing starts a span for every attempt, and never ends those of the attempts that failed. It names
# them after the API's operations until it has read the request, and then a call of a remote agent `invoke_agent`.
_NATIVE_OPERATIONS = {
    "chat_completion_v1_chat_completions_post": "chat",
    "stream_chat": "chat",
    "agents_completion_v1_agents_completions_post": "chat",
    "stream_agents": "chat",
    **{
        f"agents_api_v1_conversations_{action}{stream}": "chat"
        for action in ("start", "append", "restart")
        for stream in ("", "_stream")
    },
    "fim_completion_v1_fim_completions_post": "text_completion",
    "stream_fim": "text_completion",
    "embeddings_v1_embeddings_post": "embeddings",
}
INFO = ClientInfo(
    operations=(
        "chat",
        "agents",
        "conversations",
        "responses",
        "text_completion (fill in the middle)",
        "embeddings",
    ),
    native="enriched; on by default before 3, in 3 only where asked for",
    not_covered=("OCR", "audio", "moderation and classification", "batch jobs", "realtime sessions"),
    peers=("opentelemetry-instrumentation-mistralai", "openinference-instrumentation-mistralai"),
    foreign_spans=ForeignSpans(
        operations_by_name={  # of OpenInference, which says the kind only when the span ends
            "MistralClient.chat": "chat",
            "MistralAsyncClient.chat": "chat",
            "MistralClient.agents": "chat",
            "MistralAsyncClient.agents": "chat",
        },
        attempt_scopes={"mistralai_sdk_tracer": _NATIVE_OPERATIONS},
        unmeasured_scopes=frozenset({"mistralai_sdk_tracer"}),
    ),
)
LIBRARY = speakeasy.make_library(
    "mistralai",
    ">=2,<4",
    (
        Package("mistralai.client", lambda host: find_provider(host) or "mistral_ai", _METHODS),
        Package("mistralai.azure.client", lambda host: find_provider(host) or "azure.ai.inference", _CHAT),
        Package("mistralai.gcp.client", lambda host: find_provider(host) or "gcp.vertex_ai", {**_CHAT, **_FIM}),
    ),
    INFO,
)


class Instrumentor(_patching.Instrumentor):
    """Entry point `agentops_mistralai`."""

    libraries = (LIBRARY,)


MistralAIInstrumentor = Instrumentor  # the name that others give theirs
