"""xAI's SDK: chats over gRPC, sampled, streamed, parsed and deferred.

The calls of a chat go through the stub that it was made with; each chat gets a copy of it whose methods are observed,
so that also a client that was made before us is. There the request is final, and the SDK's own span is current.
"""

from __future__ import annotations

import importlib
import inspect
import json
from collections.abc import Callable, Iterable, Iterator
from typing import Any, NamedTuple
from weakref import WeakKeyDictionary

from otel_agentops import _patching
from otel_agentops._client_call import Endpoint
from otel_agentops._guard import guard
from otel_agentops._patching import ClientInfo, NativeTracing, PatchedLibrary, Target
from otel_agentops.clients._families import grpc
from otel_agentops.clients._protocols.fields import (
    Fields,
    as_double,
    as_int,
    as_text,
    as_texts,
    drop_none,
    drop_none_attributes,
    flatten_instructions,
)
from otel_agentops.clients._protocols.protobuf import as_json, plain, word
from otel_agentops.operations import Answer, Attributes, ModelCall
from otel_agentops.semconv import attributes as A

FIELDS = Fields(
    {
        "temperature": (A.GEN_AI_REQUEST_TEMPERATURE, as_double),
        "top_p": (A.GEN_AI_REQUEST_TOP_P, as_double),
        "max_tokens": (A.GEN_AI_REQUEST_MAX_TOKENS, as_int),
        "frequency_penalty": (A.GEN_AI_REQUEST_FREQUENCY_PENALTY, as_double),
        "presence_penalty": (A.GEN_AI_REQUEST_PRESENCE_PENALTY, as_double),
        "seed": (A.GEN_AI_REQUEST_SEED, as_int),
        "n": (A.GEN_AI_REQUEST_CHOICE_COUNT, as_int),
        "stop": (A.GEN_AI_REQUEST_STOP_SEQUENCES, as_texts),
        "previous_response_id": (A.GEN_AI_REQUEST_PREVIOUS_RESPONSE_ID, as_text),
        "reasoning_effort": (A.GEN_AI_REQUEST_REASONING_LEVEL, lambda name: name.removeprefix("EFFORT_").lower()),
    },
    frozenset(["model", "user", "seed", "previous_response_id", "store_messages", "include", "safety_identifier"]),
)
_APART = frozenset({"messages", "tools"})
# Numbers of the wire, which a protocol never gives to something else.
_SYSTEM = frozenset({3, 6})  # MessageRole: ROLE_SYSTEM, ROLE_DEVELOPER
_OURS = frozenset({0, 1})  # ToolCallType: TOOL_CALL_TYPE_CLIENT_SIDE_TOOL, or not said; the rest runs at the provider
_PENDING = 3  # DeferredStatus
_CREDENTIALS = frozenset({"authorization", "extra_headers"})  # of an MCP server


class Place(NamedTuple):
    """What a chat knows beside its request. server: empty where its client was made before us."""

    server: Attributes
    conversation: str | None


# -- requests


def request(sent: Any, place: Place) -> ModelCall:
    """`xai_api.Chat/GetCompletion`, and its siblings. sent: the message; a field that is not set is not in it."""
    body = {field.name: plain(field, value) for field, value in sent.ListFields() if field.name not in _APART}
    if body.get("n") == 1:
        del body["n"]  # the SDK says so where the application says nothing
    attributes = FIELDS.read_attributes(body, place.server)
    if place.conversation:
        attributes[A.GEN_AI_CONVERSATION_ID] = place.conversation
    if (form := body.get("response_format")) is not None:
        attributes[A.GEN_AI_OUTPUT_TYPE] = "text" if form.get("format_type") == "FORMAT_TYPE_TEXT" else "json"
    system, forced = flatten_instructions(_system(sent.messages)), bool(sent.tool_choice.function_name)
    tools = [offered.SerializeToString(deterministic=True) for offered in sent.tools]
    params = FIELDS.read_parameters(body)
    return ModelCall("chat", "x_ai", body.get("model"), attributes, system, tools, tool, params, is_tool_forced=forced)


def stream_request(sent: Any, place: Place) -> ModelCall:
    """`xai_api.Chat/GetCompletionChunk`."""
    call = request(sent, place)
    call.attributes[A.GEN_AI_REQUEST_STREAM] = True
    return call


def tool(wire: bytes) -> dict[str, Any]:
    """The identity material of one tool, from its bytes. A tool of the provider's has settings in place of a schema."""
    message = importlib.import_module("xai_sdk.proto").chat_pb2.Tool.FromString(wire)
    kind = message.WhichOneof("tool")
    if kind != "function":
        settings = as_json(getattr(message, kind)) if kind else {}
        kept = {name: value for name, value in settings.items() if name not in _CREDENTIALS}
        return {"name": settings.get("server_label") or str(kind), "settings": kept}
    function = message.function
    return drop_none(
        name=function.name,
        description=function.description or None,
        input_schema=_schema(function.parameters),
        strict=function.strict or None,
    )


def _schema(parameters: str) -> Any:
    """A schema travels as text: read, it has one identity whatever the order and the blanks in it."""
    try:
        return json.loads(parameters) if parameters else None
    except ValueError:  # the provider is about to refuse it
        return parameters


def _system(messages: Iterable[Any]) -> Iterator[list[Any]]:
    for message in messages:
        if message.role in _SYSTEM:
            yield [part.text or as_json(part) for part in message.content]


# -- answers


def response(result: Any) -> Answer:
    """A `GetChatCompletionResponse`."""
    reasons = [word(output, "finish_reason") for output in result.outputs]
    usage = result.usage if result.HasField("usage") else None
    answer = _answer(result, reasons, usage)
    if "REASON_TOOL_CALLS" in reasons:
        answer = answer._replace(
            tool_calls=_asked(call for output in result.outputs for call in output.message.tool_calls)
        )
    if result.HasField("settings"):
        used = ((name, getattr(result.settings, name)) for name in _EFFECTIVE if result.settings.HasField(name))
        answer = answer._replace(effective_params=dict(used))
    return answer


_EFFECTIVE = ("temperature", "top_p", "max_tokens", "reasoning_effort")


def deferred_response(result: Any) -> Answer:
    """A `GetDeferredCompletionResponse` that is not pending: it is done, or it never will be."""
    if result.HasField("response"):
        return response(result.response)
    return Answer(None, {}, error=word(result, "status"))


def fold(state: dict[str, Any], chunk: Any) -> bool:
    """A `GetChatCompletionChunk`. What the first one says is told at once: the SDK's span may end with any item."""
    told = "first" not in state
    if told:
        state["first"] = chunk
    if chunk.HasField("usage"):
        state["usage"] = chunk.usage
    for output in chunk.outputs:
        if output.finish_reason:
            state.setdefault("reasons", {})[output.index] = word(output, "finish_reason")
        if calls := output.delta.tool_calls:
            state.setdefault("tools", []).extend(calls)
    return told


def settled(state: dict[str, Any]) -> Answer:
    """What the chunks of a stream added up to."""
    reasons = state.get("reasons", {})
    answer = _answer(state["first"], [reasons[index] for index in sorted(reasons)], state.get("usage"))
    return answer._replace(tool_calls=_asked(state["tools"])) if "tools" in state else answer


def _asked(calls: Iterable[Any]) -> list[tuple[str, Any]]:
    return [(call.function.name, call.function.arguments) for call in calls if getattr(call, "type", 0) in _OURS]


def _answer(head: Any, reasons: list[Any], usage: Any) -> Answer:
    attributes = drop_none_attributes(
        (A.GEN_AI_RESPONSE_ID, head.id or None),
        (A.GEN_AI_RESPONSE_FINISH_REASONS, [reason for reason in reasons if reason] or None),
        (A.OPENAI_RESPONSE_SYSTEM_FINGERPRINT, head.system_fingerprint or None),
    )
    if usage is None:
        return Answer(head.model or None, attributes)
    attributes[A.GEN_AI_USAGE_CACHE_READ_INPUT_TOKENS] = usage.cached_prompt_text_tokens
    attributes[A.GEN_AI_USAGE_REASONING_OUTPUT_TOKENS] = usage.reasoning_tokens
    # What was thought is counted beside what was said: https://docs.x.ai/docs/key-information/consumption-and-rate-limits
    said = usage.completion_tokens + usage.reasoning_tokens
    return Answer(head.model or None, attributes, usage.prompt_tokens, said)


# How often it was tried is unknown: gRPC's core repeats calls that were UNAVAILABLE up to five times, and says nothing.
CHAT = Endpoint(request, response, fold, settled, error_type=grpc.failure, reports_attempts=False)
STREAM = CHAT._replace(request=stream_request)
DEFERRED = CHAT._replace(response=deferred_response)

# -- where it is patched


def _pending(result: Any) -> bool:
    """Of StartDeferredResponse and GetDeferredCompletionResponse: the first has no status."""
    return bool(getattr(result, "status", _PENDING) == _PENDING)


def _methods(kind: grpc.Kind, chat: Any, patched: PatchedLibrary) -> dict[str, Any]:
    place = Place(_SERVERS.get(chat._stub, {}), getattr(chat, "_conversation_id", None))
    part = kind.polled(DEFERRED, place, _pending)
    return {
        "GetCompletion": kind.unary(patched, CHAT, place),
        "GetCompletionChunk": kind.stream(patched, STREAM, place),
        "StartDeferredCompletion": part,
        "GetDeferredCompletion": part,
    }


_SERVERS: WeakKeyDictionary[Any, Attributes] = WeakKeyDictionary()  # by the stub of a client


def _client(original: Callable[..., Any], patched: PatchedLibrary) -> Callable[..., Any]:
    default = inspect.signature(original).parameters["api_host"].default

    def __init__(client: Any, *args: Any, **kwargs: Any) -> None:  # noqa: N807
        original(client, *args, **kwargs)
        _remember(client, kwargs.get("api_host", default))

    return __init__


@guard
def _remember(client: Any, host: str) -> None:
    _SERVERS[client.chat._stub] = grpc.server(host)


_KINDS = (("sync", grpc.SYNC), ("aio", grpc.AIO))
LIBRARY = PatchedLibrary(
    "xai-sdk",
    ">=1.4,<2",
    (
        Target("xai_sdk.client", "BaseClient", "__init__", _client, ("api_host",)),
        *(
            Target(f"xai_sdk.{name}.chat", "Chat", "__init__", kind.stubbed(_methods), ("stub",))
            for name, kind in _KINDS
        ),
        *(Target(f"xai_sdk.{name}.chat", "Chat", "_defer", kind.around(DEFERRED)) for name, kind in _KINDS),
    ),
    ClientInfo(
        operations=("chat",),
        native="on by default; its span is enriched",
        tracing=NativeTracing(">=1.4", "XAI_SDK_DISABLE_TRACING", "1"),
        not_covered=(
            "attempts: gRPC repeats calls by itself and does not say how often",
            "images and video: the convention has no operation for them; batches, collections.search",
        ),
    ),
)


class Instrumentor(_patching.Instrumentor):
    """Entry point `agentops_xai`."""

    libraries = (LIBRARY,)
