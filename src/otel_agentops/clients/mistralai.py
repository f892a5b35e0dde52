"""Mistral: chat, agents, conversations, responses, fill-in-the-middle, embeddings; on its service, Azure and Vertex."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from otel_agentops import _patching
from otel_agentops._client_call import Endpoint
from otel_agentops._patching import ClientInfo
from otel_agentops.clients._families import speakeasy
from otel_agentops.clients._families.speakeasy import Package
from otel_agentops.clients._protocols import openai_chat
from otel_agentops.clients._protocols.fields import (
    Fields,
    as_int,
    as_list,
    as_text,
    drop_none_attributes,
    flatten_instructions,
    get,
)
from otel_agentops.clients._protocols.openai_chat import (
    find_system_contents,
    finish_chat,
    make_model_call,
    read_chat_response,
    read_embeddings_response,
    read_tokens,
    read_tool_calls,
    refuse_stream,
    set_output_type,
)
from otel_agentops.clients._protocols.openai_responses import (
    finish_responses,
    fold_responses_event,
    read_responses_request,
    read_responses_response,
)
from otel_agentops.clients._servers import Server, find_provider
from otel_agentops.operations import Answer, Attributes, ModelCall
from otel_agentops.semconv import attributes as A

FIELDS = Fields(
    {
        **openai_chat.FIELDS.readers,
        "random_seed": (A.GEN_AI_REQUEST_SEED, as_int),
        "output_dimension": (A.GEN_AI_EMBEDDINGS_DIMENSION_COUNT, as_int),
        "agent_id": (A.GEN_AI_AGENT_ID, as_text),
        "agent_version": (A.GEN_AI_AGENT_VERSION, lambda given: str(given) if type(given) is int else as_text(given)),
    },
    not_parameters=frozenset([
        "model", "messages", "input", "inputs", "instructions", "tools", "prompt", "suffix", "stream", "random_seed",
        "metadata", "prediction", "prompt_cache_key", "agent_id", "agent_version", "completion_args", "store", "name",
        "description", "from_entry_id",
    ]),
)  # fmt: skip
# What the client library sends by itself where the application says nothing: of fill-in-the-middle before 3, of what
# goes on with a conversation, and of responses.
_DEFAULTS = {
    "top_p": 1,
    "handoff_execution": "server",
    "parallel_tool_calls": True,
    "truncation": "disabled",
    "background": False,
    "top_logprobs": 0,
}


# -- requests


def request(body: Mapping[str, Any], server: Server) -> ModelCall:
    """`POST /v1/chat/completions`, and `/v1/agents/completions`, where the agent has the model."""
    attributes = FIELDS.read_attributes(body, server.attributes)
    set_output_type(attributes, body.get("response_format"))
    told = flatten_instructions(find_system_contents(body.get("messages")))
    return make_model_call("chat", body, server, attributes, told, fields=FIELDS)


def fim_request(body: Mapping[str, Any], server: Server) -> ModelCall:
    """`POST /v1/fim/completions`."""
    attributes = FIELDS.read_attributes(body, server.attributes)
    return make_model_call("text_completion", body, server, attributes, defaults=_DEFAULTS, fields=FIELDS)


def embeddings_request(body: Mapping[str, Any], server: Server) -> ModelCall:
    """`POST /v1/embeddings`."""
    return make_model_call("embeddings", body, server, FIELDS.read_attributes(body, server.attributes), fields=FIELDS)


def conversation_request(body: Mapping[str, Any], server: Server) -> ModelCall:
    """`POST /v1/conversations` and what goes on from one: the settings of the model are an object of their own."""
    settings = body.get("completion_args")
    flat = {**body, **settings} if isinstance(settings, Mapping) else body
    attributes = FIELDS.read_attributes(flat, server.attributes)
    set_output_type(attributes, get(settings, "response_format"))
    told = flatten_instructions((body.get("instructions"), *find_system_contents(body.get("inputs"))))
    return make_model_call("chat", flat, server, attributes, told, _DEFAULTS, FIELDS)


# -- answers


def response(result: Any) -> Answer:
    """A `ChatCompletionResponse` or a `FIMCompletionResponse`, or its JSON."""
    return _counted(read_chat_response(result), get(result, "usage"))


def fold(state: dict[str, Any], event: Any) -> bool:
    """A `CompletionEvent`; the last one has the usage. The first is worth as much where the stream will break."""
    chunk = event.data
    begun = "first" not in state
    if begun:
        state["first"] = chunk
    for choice in chunk.choices:
        if choice.finish_reason:
            state.setdefault("reasons", {})[choice.index] = choice.finish_reason
        if pieces := choice.delta.tool_calls:
            state.setdefault("tools", []).extend(pieces if choice.index == 0 else ())
    if chunk.usage:
        state["usage"] = chunk.usage
        return True
    return begun


def settled(state: dict[str, Any]) -> Answer:
    """What the chunks of a stream added up to."""
    return _counted(finish_chat(state), state.get("usage"))


def _counted(answer: Answer, usage: Any) -> Answer:
    """The client's usage says 0 for what the wire does not count."""
    if usage is None or type(usage) is dict or "prompt_tokens" in usage.model_fields_set:
        return answer
    return answer._replace(input_tokens=None, output_tokens=None)


def conversation_response(result: Any) -> Answer:
    """A `ConversationResponse`, or its JSON."""
    outputs = as_list(get(result, "outputs"))
    calls = [output for output in outputs if get(output, "type") == "function.call"]
    return _conversation(get(result, "conversation_id"), outputs, get(result, "usage"), calls)


def conversation_fold(state: dict[str, Any], event: Any) -> bool:
    """A `ConversationEvents`."""
    data = event.data
    kind = data.type
    if kind == "message.output.delta":
        if "output" not in state:
            state["output"] = data
    elif kind == "function.call.delta":
        state.setdefault("calls", {}).setdefault(data.tool_call_id, []).append(data)
    elif kind == "conversation.response.started":
        state["conversation"] = data.conversation_id
    elif kind == "conversation.response.error":
        state["error"] = data.code
    elif kind == "conversation.response.done":
        state["usage"] = data.usage
        return True
    return False


def conversation_settled(state: dict[str, Any]) -> Answer:
    """What the events of a stream added up to."""
    calls = state.get("calls", {}).values()
    joined = [{"name": parts[0].name, "arguments": "".join(part.arguments for part in parts)} for parts in calls]
    outputs = [state["output"]] if "output" in state else [parts[0] for parts in calls]
    answer = _conversation(state.get("conversation"), outputs, state.get("usage"), joined)
    return answer._replace(error=str(state["error"])) if "error" in state else answer


def _conversation(conversation: Any, outputs: Sequence[Any], usage: Any, calls: Sequence[Any]) -> Answer:
    model = next((name for output in outputs if (name := as_text(get(output, "model")))), None)
    attributes: Attributes = drop_none_attributes((A.GEN_AI_CONVERSATION_ID, as_text(conversation)))
    return _counted(
        Answer(model, attributes, *read_tokens(attributes, usage), tool_calls=read_tool_calls(calls)), usage
    )


# -- where it is patched

CHAT = Endpoint(request, response, fold, settled)
FIM = Endpoint(fim_request, response, fold, settled)
EMBEDDINGS = Endpoint(embeddings_request, read_embeddings_response, refuse_stream, settled)
RESPONSES = Endpoint(
    lambda body, server: read_responses_request(body, server, FIELDS)._replace(default_params=_DEFAULTS),
    read_responses_response,
    lambda state, frame: fold_responses_event(state, frame.data),
    finish_responses,
)
CONVERSATION = Endpoint(conversation_request, conversation_response, conversation_fold, conversation_settled)

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
LIBRARY = speakeasy.client(
    "mistralai",
    ">=2,<4",
    (
        Package("mistralai.client", lambda host: find_provider(host) or "mistral_ai", _METHODS),
        Package("mistralai.azure.client", lambda host: find_provider(host) or "azure.ai.inference", _CHAT),
        Package("mistralai.gcp.client", lambda host: find_provider(host) or "gcp.vertex_ai", {**_CHAT, **_FIM}),
    ),
    ClientInfo(
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
    ),
)


class Instrumentor(_patching.Instrumentor):
    """Entry point `agentops_mistralai`."""

    libraries = (LIBRARY,)
