"""OpenAI, and everything that speaks its protocol: chat completions, responses, embeddings."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from otel_agentops import _engine
from otel_agentops._engine import Endpoint
from otel_agentops.clients import _stainless
from otel_agentops.clients._providers import by_host
from otel_agentops.clients._stainless import Server
from otel_agentops.clients._wire import (
    Fields,
    double,
    get,
    instructions,
    items,
    present,
    present_attributes,
    text,
    texts,
    whole,
)
from otel_agentops.record import Answer, Attributes, ModelCall
from otel_agentops.semconv import attributes as A

FIELDS = Fields(
    {
        "temperature": (A.GEN_AI_REQUEST_TEMPERATURE, double),
        "top_p": (A.GEN_AI_REQUEST_TOP_P, double),
        "top_k": (A.GEN_AI_REQUEST_TOP_K, whole),
        "frequency_penalty": (A.GEN_AI_REQUEST_FREQUENCY_PENALTY, double),
        "presence_penalty": (A.GEN_AI_REQUEST_PRESENCE_PENALTY, double),
        "max_tokens": (A.GEN_AI_REQUEST_MAX_TOKENS, whole),
        "max_completion_tokens": (A.GEN_AI_REQUEST_MAX_TOKENS, whole),
        "max_output_tokens": (A.GEN_AI_REQUEST_MAX_TOKENS, whole),
        "seed": (A.GEN_AI_REQUEST_SEED, whole),
        "n": (A.GEN_AI_REQUEST_CHOICE_COUNT, lambda n: None if n == 1 else whole(n)),  # the convention: if not 1
        "stop": (A.GEN_AI_REQUEST_STOP_SEQUENCES, texts),
        "reasoning_effort": (A.GEN_AI_REQUEST_REASONING_LEVEL, text),
        # The convention: if the value is not 'auto'.
        "service_tier": (A.OPENAI_REQUEST_SERVICE_TIER, lambda tier: None if tier == "auto" else text(tier)),
        "previous_response_id": (A.GEN_AI_REQUEST_PREVIOUS_RESPONSE_ID, text),
        "dimensions": (A.GEN_AI_EMBEDDINGS_DIMENSION_COUNT, whole),
        "encoding_format": (A.GEN_AI_REQUEST_ENCODING_FORMATS, texts),
        "stream": (A.GEN_AI_REQUEST_STREAM, lambda stream: stream is True or None),  # the convention: only if streaming
    },
    not_parameters=frozenset(
        [
            "model",
            "messages",
            "input",
            "instructions",
            "tools",
            "functions",
            "prompt",
            "stream",
            "stream_options",
            "user",
            "metadata",
            "seed",
            "store",
            "conversation",
            "previous_response_id",
            "prompt_cache_key",
            "safety_identifier",
            "prediction",
            "include",
        ]
    ),
)
_SYSTEM = frozenset({"system", "developer"})
_FORCED = frozenset({"function", "custom"})  # what a `tool_choice` is that names one tool
_CREDENTIALS = frozenset({"headers", "authorization"})  # of an MCP server: they differ by user and shape nothing


def provider(api: Any, host: str) -> str:
    """`gen_ai.provider.name` for a client object and the host of its base URL."""
    return by_host(host) or ("azure.ai.openai" if "Azure" in type(api).__name__ else "openai")


def tool(wire: Any) -> dict[str, Any]:
    """The identity material of one tool, in either spelling of the wire: nested under its type, or flat."""
    if not isinstance(wire, Mapping):  # not a tool, but sent as one
        return {"name": "unknown", "settings": wire}
    kind = wire.get("type", "function")
    inner: Any = wire.get(kind) if isinstance(wire.get(kind), Mapping) else wire
    if "name" not in inner:  # a built-in: all of its settings shape it
        return {
            "name": str(wire.get("server_label") or kind),
            "settings": {k: v for k, v in wire.items() if k not in _CREDENTIALS},
        }
    return present(
        name=inner["name"],
        description=inner.get("description"),
        input_schema=inner.get("parameters") or inner.get("format"),
        output_schema=inner.get("output_schema"),
        strict=inner.get("strict"),
    )


# -- requests


def chat_request(body: Mapping[str, Any], server: Server) -> ModelCall:
    """`POST /chat/completions`."""
    attributes = FIELDS.attributes(body, server.attributes)
    attributes[A.OPENAI_API_TYPE] = "chat_completions"
    _output_type(attributes, body.get("response_format"))
    return _call("chat", body, server, attributes, instructions(_system(body.get("messages"))))


def responses_request(body: Mapping[str, Any], server: Server) -> ModelCall:
    """`POST /responses`."""
    attributes = FIELDS.attributes(body, server.attributes)
    attributes[A.OPENAI_API_TYPE] = "responses"
    _output_type(attributes, get(body.get("text"), "format"))
    conversation = body.get("conversation")
    attributes |= present_attributes(
        (A.GEN_AI_REQUEST_REASONING_LEVEL, text(get(body.get("reasoning"), "effort"))),
        (A.GEN_AI_CONVERSATION_ID, text(conversation) or text(get(conversation, "id"))),
    )
    system = instructions((body.get("instructions"), *_system(body.get("input"))))
    return _call("chat", body, server, attributes, system)


def embeddings_request(body: Mapping[str, Any], server: Server) -> ModelCall:
    """`POST /embeddings`."""
    attributes = FIELDS.attributes(body, server.attributes)
    # The client library asks for base64 by itself where the application names no format.
    return _call("embeddings", body, server, attributes, defaults={"encoding_format": "base64"})


def _system(turns: Any) -> Iterator[Any]:
    """The contents of the system and developer turns of a conversation."""
    for turn in items(turns):
        if isinstance(turn, Mapping) and turn.get("role") in _SYSTEM:
            yield turn.get("content")


def _call(
    operation: str,
    body: Mapping[str, Any],
    server: Server,
    attributes: Attributes,
    system: tuple[Any, ...] = (),
    defaults: Mapping[str, Any] | None = None,
) -> ModelCall:
    stored = body.get("prompt")
    return ModelCall(
        operation,
        server.provider,
        text(body.get("model")),
        attributes,
        system,
        items(body.get("tools")) or items(body.get("functions")),
        tool,
        FIELDS.parameters(body),
        defaults,
        (str(stored["id"]), stored.get("version")) if isinstance(stored, Mapping) and stored.get("id") else None,
        get(body.get("tool_choice"), "type") in _FORCED,
    )


def _output_type(attributes: Attributes, wanted: Any) -> None:
    kind = text(get(wanted, "type"))
    if kind is not None:
        attributes[A.GEN_AI_OUTPUT_TYPE] = "json" if kind.startswith("json") else kind


# -- answers


def chat_response(result: Any) -> Answer:
    """A `ChatCompletion`, or its JSON."""
    choices = items(get(result, "choices"))
    reasons = [str(reason) for choice in choices if (reason := get(choice, "finish_reason"))]
    answer = _answer(result, get(result, "usage"), reasons)
    if "tool_calls" not in reasons:
        return answer
    return answer._replace(asked=_asked(get(call, "function") for call in _tool_calls(choices[0])))


def chat_fold(state: dict[str, Any], chunk: Any) -> bool:
    """A `ChatCompletionChunk`. The usage chunk, where one is sent, comes last of all: no chunk is surely last."""
    if type(chunk) is dict:
        return False  # the application asked for plain JSON: not worth a slower look at everybody's chunks
    if not state.get("model"):  # Azure's first chunk is about its content filter: no model, no id, no choices
        state["model"], state["first"] = chunk.model, chunk
    if chunk.usage is not None:
        state["usage"] = chunk.usage
    for choice in chunk.choices or ():
        if choice.finish_reason is not None:
            state.setdefault("reasons", {})[choice.index] = choice.finish_reason
        if pieces := getattr(getattr(choice, "delta", None), "tool_calls", None):
            state.setdefault("tools", []).extend(pieces if choice.index == 0 else ())
    return False


def chat_settled(state: dict[str, Any]) -> Answer:
    """What the chunks of a chat added up to."""
    reasons = state.get("reasons", {})
    answer = _answer(state["first"], state.get("usage"), [str(reasons[index]) for index in sorted(reasons)])
    return answer._replace(asked=_joined(state["tools"])) if "tools" in state else answer


def _tool_calls(choice: Any) -> Sequence[Any]:
    return items(get(get(choice, "message"), "tool_calls"))


def _asked(calls: Iterable[Any]) -> list[tuple[str, Any]]:
    """Name and arguments of each call; a custom tool's one argument is a text."""
    named = ((text(get(call, "name")), call) for call in calls)
    return [(name, get(call, "arguments") or get(call, "input")) for name, call in named if name is not None]


def _joined(pieces: Sequence[Any]) -> list[tuple[str, Any]]:
    """The same of a stream: a call's first piece has its name, and each a part of its arguments."""
    calls: list[dict[str, str]] = []
    latest: dict[Any, dict[str, str]] = {}  # by index, which some servers give twice
    for piece in pieces:
        name, part = get(piece.function, "name"), get(piece.function, "arguments")
        if name or piece.index not in latest:
            latest[piece.index] = {"name": name, "arguments": ""}
            calls.append(latest[piece.index])
        latest[piece.index]["arguments"] += part or ""
    return _asked(calls)


_EFFECTIVE = ("temperature", "top_p", "max_output_tokens")


def responses_response(result: Any) -> Answer:
    """A `Response`, or its JSON."""
    reasons = _response_reasons(result)
    answer = _answer(result, get(result, "usage"), reasons)
    if reasons == ["tool_calls"]:
        answer = answer._replace(asked=_asked(item for item in get(result, "output") if _is_function(item)))
    effective = {name: value for name in _EFFECTIVE if (value := get(result, name)) is not None}
    return answer._replace(effective=effective, error=text(get(get(result, "error"), "code")))


# The events that carry the response as it is by then, and whether it is the last of them.
_SNAPSHOTS = {
    "response.created": False,
    "response.queued": False,
    "response.in_progress": False,
    "response.completed": True,
    "response.incomplete": True,
    "response.failed": True,
}


def responses_fold(state: dict[str, Any], event: Any) -> bool:
    """A response stream event: the ones that carry the response replace each other, the last is complete."""
    last = _SNAPSHOTS.get(getattr(event, "type", ""))
    if last is None:
        return False
    state["response"] = event.response
    return last


def responses_settled(state: dict[str, Any]) -> Answer:
    """What the stream's last snapshot of the response says."""
    return responses_response(state["response"])


def embeddings_response(result: Any) -> Answer:
    """A `CreateEmbeddingResponse`, or its JSON. Embeddings have no output tokens."""
    return Answer(text(get(result, "model")) or None, {}, whole(get(get(result, "usage"), "prompt_tokens")))


def _answer(result: Any, usage: Any, reasons: list[str]) -> Answer:
    attributes = present_attributes(
        (A.GEN_AI_RESPONSE_ID, text(get(result, "id")) or None),
        (A.GEN_AI_RESPONSE_FINISH_REASONS, reasons or None),
        (A.OPENAI_RESPONSE_SERVICE_TIER, text(get(result, "service_tier"))),
        (A.OPENAI_RESPONSE_SYSTEM_FINGERPRINT, text(get(result, "system_fingerprint"))),
    )
    return Answer(text(get(result, "model")) or None, attributes, *_usage(attributes, usage))


def _usage(attributes: Attributes, usage: Any) -> tuple[int | None, int | None]:
    """Totals of input and output; both counts include their details (cached, reasoning), which become attributes."""
    if usage is None:
        return None, None
    chat = get(usage, "prompt_tokens") is not None
    read = get(usage, "prompt_tokens_details" if chat else "input_tokens_details")
    written = get(usage, "completion_tokens_details" if chat else "output_tokens_details")
    attributes.update(
        present_attributes(
            (A.GEN_AI_USAGE_CACHE_READ_INPUT_TOKENS, whole(get(read, "cached_tokens"))),
            (A.GEN_AI_USAGE_CACHE_CREATION_INPUT_TOKENS, whole(get(read, "cache_write_tokens"))),
            (A.GEN_AI_USAGE_REASONING_OUTPUT_TOKENS, whole(get(written, "reasoning_tokens"))),
        )
    )
    if chat:
        return whole(get(usage, "prompt_tokens")), whole(get(usage, "completion_tokens"))
    return whole(get(usage, "input_tokens")), whole(get(usage, "output_tokens"))


def _response_reasons(result: Any) -> list[str]:
    """A response has a status where a chat has finish reasons; one that is still running has none."""
    status = get(result, "status")
    if status == "completed":
        calls = any(_is_function(item) for item in items(get(result, "output")))
        return ["tool_calls" if calls else "stop"]
    if status == "incomplete":
        reason = str(get(get(result, "incomplete_details"), "reason") or status)
        return ["length" if reason == "max_output_tokens" else reason]
    return ["error"] if status in {"failed", "cancelled"} else []


def _is_function(item: Any) -> bool:
    return get(item, "type") in {"function_call", "custom_tool_call"}


def _no_stream(state: dict[str, Any], chunk: Any) -> bool:
    raise TypeError("embeddings do not stream")


ENDPOINTS = {
    "/chat/completions": Endpoint(chat_request, chat_response, chat_fold, chat_settled),
    "/responses": Endpoint(responses_request, responses_response, responses_fold, responses_settled),
    "/embeddings": Endpoint(embeddings_request, embeddings_response, _no_stream, chat_settled),
}
_HELPERS = (
    ("lib.streaming.chat._completions", "ChatCompletionStream"),
    ("lib.streaming.responses._responses", "ResponseStream"),
)
_SERVED = "x-ms-served-model"  # Azure's responses name the deployment, and the model only in this header
CLIENT = _stainless.client("openai", ">=2,<4", ENDPOINTS, provider, subclass="OpenAI", helpers=_HELPERS, served=_SERVED)


class Instrumentor(_engine.Instrumentor):
    """Entry point `agentops_openai`."""

    clients = (CLIENT,)
