"""xAI's SDK: chats over gRPC, sampled, streamed, parsed and deferred.

A chat calls the stub that it was made with. Each chat gets a copy of the stub whose methods are observed, so that a
client that was made before it was instrumented is observed as well. In the stub's methods the request is final, and the
SDK's own span is current.
https://github.com/xai-org/xai-sdk-python/blob/main/src/xai_sdk/sync/chat.py
"""

from __future__ import annotations

import importlib
import inspect
import json
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple
from weakref import WeakKeyDictionary

from otel_agentops import _patching
from otel_agentops._endpoint import Endpoint, FoldState
from otel_agentops._foreign_spans import ForeignSpans
from otel_agentops._guard import guard
from otel_agentops._patching import ClientInfo, Method, NativeTracing, PatchedLibrary, Target, Wrap
from otel_agentops.clients._families import grpc
from otel_agentops.clients._protocols import xai_content
from otel_agentops.clients._protocols.fields import (
    Fields,
    as_double,
    as_int,
    as_text,
    as_texts,
    drop_none,
    drop_none_attributes,
    flatten_instructions,
    get,
)
from otel_agentops.clients._protocols.protobuf import convert_message, convert_value, read_enum_name
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
    sampling=("temperature", "top_p", "frequency_penalty", "presence_penalty", "seed", "stop"),
)
_APART = frozenset({"messages", "tools"})
# Numbers of the wire: https://github.com/xai-org/xai-proto/blob/main/proto/xai/api/v1/chat.proto
_SYSTEM = frozenset({3, 6})  # MessageRole: ROLE_SYSTEM, ROLE_DEVELOPER
_CLIENT_SIDE = frozenset(
    {0, 1}
)  # ToolCallType: unset or TOOL_CALL_TYPE_CLIENT_SIDE_TOOL; the rest runs at the provider
_PENDING = 3  # DeferredStatus
_CREDENTIALS = frozenset({"authorization", "extra_headers"})  # of an MCP server
_EFFECTIVE = ("temperature", "top_p", "max_tokens", "reasoning_effort")  # settings that a response repeats


class ChatFacts(NamedTuple):
    """Facts of a chat beside its request.

    Attributes:
        server: `server.*`; empty if its client was made before it was instrumented.
        conversation_id: None if it has none.
    """

    server: Attributes
    conversation_id: str | None


# -- requests


def read_chat_request(message: Any, chat: ChatFacts) -> ModelCall:
    """Read `xai_api.Chat/GetCompletion`, and its siblings.

    Args:
        message: The protobuf message; a field that is not set is not in it.
        chat: The chat that sends it.
    """
    body = {
        field.name: convert_value(field, value) for field, value in message.ListFields() if field.name not in _APART
    }
    if body.get("n") == 1:
        del body["n"]  # the SDK sets it if the application does not
    attributes = FIELDS.read_attributes(body, chat.server)
    if chat.conversation_id:
        attributes[A.GEN_AI_CONVERSATION_ID] = chat.conversation_id
    if (response_format := body.get("response_format")) is not None:
        is_text = get(response_format, "format_type") == "FORMAT_TYPE_TEXT"
        attributes[A.GEN_AI_OUTPUT_TYPE] = "text" if is_text else "json"
    return ModelCall(
        "chat",
        "x_ai",
        as_text(body.get("model")) or None,
        attributes,
        flatten_instructions(_find_instructions(message.messages)),
        [tool.SerializeToString(deterministic=True) for tool in message.tools],
        normalise_tool,
        FIELDS.read_parameters(body),
        is_tool_forced=bool(message.tool_choice.function_name),
    )


def read_stream_request(message: Any, chat: ChatFacts) -> ModelCall:
    """Read `xai_api.Chat/GetCompletionChunk`."""
    operation = read_chat_request(message, chat)
    operation.attributes[A.GEN_AI_REQUEST_STREAM] = True
    return operation


def normalise_tool(wire: bytes) -> dict[str, object]:
    """Return the identity material of one tool, from its bytes.

    A tool that runs at the provider has settings in place of a schema.
    """
    message = importlib.import_module("xai_sdk.proto").chat_pb2.Tool.FromString(wire)
    kind = message.WhichOneof("tool")
    if kind != "function":
        settings = convert_message(getattr(message, kind)) if kind else {}
        identity = {name: value for name, value in settings.items() if name not in _CREDENTIALS}
        return {"name": settings.get("server_label") or str(kind), "settings": identity}
    function = message.function
    return drop_none(
        name=function.name,
        description=function.description or None,
        input_schema=_parse_schema(function.parameters),
        strict=function.strict or None,
    )


def _parse_schema(parameters: str) -> object:
    """Parse a schema that travels as text, so that its order and blanks do not change its identity."""
    try:
        return json.loads(parameters) if parameters else None
    except ValueError:  # the provider is about to refuse it
        return parameters


def _find_instructions(messages: Iterable[Any]) -> Iterator[list[object]]:
    for message in messages:
        if message.role in _SYSTEM:
            yield [part.text or convert_message(part) for part in message.content]


# -- answers


def read_chat_response(result: Any) -> Answer:
    """Read a `GetChatCompletionResponse`."""
    reasons = [read_enum_name(output, "finish_reason") for output in result.outputs]
    answer = _make_answer(result, reasons, result.usage if result.HasField("usage") else None)
    if "REASON_TOOL_CALLS" in reasons:
        calls = (call for output in result.outputs for call in output.message.tool_calls)
        answer = answer._replace(tool_calls=_read_tool_calls(calls))
    if result.HasField("settings"):
        settings = ((name, getattr(result.settings, name)) for name in _EFFECTIVE if result.settings.HasField(name))
        answer = answer._replace(effective_params=dict(settings))
    return answer


def read_deferred_response(result: Any) -> Answer:
    """Read a `GetDeferredCompletionResponse` that is not pending: it is done, or it never will be."""
    if result.HasField("response"):
        return read_chat_response(result.response)
    return Answer(None, {}, error=read_enum_name(result, "status"))


def fold_chunk(state: FoldState, chunk: Any) -> bool:
    """Fold a `GetChatCompletionChunk`; return True on the first one.

    The SDK may end its span with any chunk, so that what the first one says is told at once.
    """
    is_first = "first" not in state
    if is_first:
        state["first"] = chunk
    if chunk.HasField("usage"):
        state["usage"] = chunk.usage
    if chunk.model:
        state["head"] = chunk
    for output in chunk.outputs:
        if output.finish_reason:
            state.setdefault("reasons", {})[output.index] = read_enum_name(output, "finish_reason")
        if calls := output.delta.tool_calls:
            state.setdefault("tools", []).extend(calls)
    return is_first


def finish_stream(state: FoldState) -> Answer:
    """Build the answer from a fully or partly folded stream."""
    reasons = state.get("reasons", {})
    answer = _make_answer(
        state.get("head", state["first"]), [reasons[index] for index in sorted(reasons)], state.get("usage")
    )
    return answer._replace(tool_calls=_read_tool_calls(state["tools"])) if "tools" in state else answer


def _read_tool_calls(calls: Iterable[Any]) -> list[tuple[str, str]]:
    return [(call.function.name, call.function.arguments) for call in calls if getattr(call, "type", 0) in _CLIENT_SIDE]


def _make_answer(head: Any, reasons: Iterable[str | None], usage: Any) -> Answer:
    """Return the answer of a response, or of a stream by its first chunk; usage: None if there is none."""
    attributes = drop_none_attributes(
        (A.GEN_AI_RESPONSE_ID, head.id or None),
        (A.GEN_AI_RESPONSE_FINISH_REASONS, [reason for reason in reasons if reason] or None),
        (A.OPENAI_RESPONSE_SYSTEM_FINGERPRINT, head.system_fingerprint or None),
    )
    if usage is None:
        return Answer(head.model or None, attributes)
    attributes[A.GEN_AI_USAGE_CACHE_READ_INPUT_TOKENS] = usage.cached_prompt_text_tokens
    attributes[A.GEN_AI_USAGE_REASONING_OUTPUT_TOKENS] = usage.reasoning_tokens
    # xAI counts reasoning beside the completion: https://docs.x.ai/docs/key-information/consumption-and-rate-limits
    output_tokens = usage.completion_tokens + usage.reasoning_tokens
    return Answer(head.model or None, attributes, usage.prompt_tokens, output_tokens)


CHAT = Endpoint(
    read_chat_request,
    read_chat_response,
    fold_chunk,
    finish_stream,
    error_type=grpc.read_error_type,
    # gRPC's core repeats calls that were UNAVAILABLE up to five times, and tells nobody how often.
    reports_attempts=False,
    metric_labels=(A.OPENAI_RESPONSE_SYSTEM_FINGERPRINT,),
    content=xai_content.CHAT,
)
STREAM = CHAT._replace(request=read_stream_request)
DEFERRED = CHAT._replace(response=read_deferred_response, content=xai_content.DEFERRED)

# -- where it is patched


def _is_pending(result: Any) -> bool:
    """Return True if no answer is there yet; a `StartDeferredResponse` has no status at all."""
    return bool(getattr(result, "status", _PENDING) == _PENDING)


def _read_facts(chat: Any) -> ChatFacts:
    return ChatFacts(_SERVERS.get(chat._stub, {}), getattr(chat, "_conversation_id", None))


def _make_stub_wrappers(is_async: bool) -> dict[str, Wrap]:
    poll = grpc.wrap_poll(_is_pending, is_async=is_async)
    return {
        "GetCompletion": grpc.wrap_unary(CHAT, is_async=is_async),
        "GetCompletionChunk": grpc.wrap_stream(STREAM, is_async=is_async),
        "StartDeferredCompletion": poll,
        "GetDeferredCompletion": poll,
    }


def _make_chat_targets(module: str, is_async: bool) -> Iterator[Target]:
    yield Target(module, "Chat", "__init__", grpc.wrap_holder(_make_stub_wrappers(is_async), _read_facts), ("stub",))
    yield Target(module, "Chat", "_defer", grpc.wrap_polling(DEFERRED, is_async=is_async))


_SERVERS: WeakKeyDictionary[Any, Attributes] = WeakKeyDictionary()  # by the stub of a client


def _wrap_client(original: Method, library: PatchedLibrary) -> Method:
    default = inspect.signature(original).parameters["api_host"].default

    def __init__(client: object, *args: object, **kwargs: object) -> None:  # noqa: N807
        original(client, *args, **kwargs)
        _remember_server(client, kwargs.get("api_host", default))

    return __init__


@guard
def _remember_server(client: Any, host: Any) -> None:
    _SERVERS[client.chat._stub] = grpc.parse_target(host)


LIBRARY = PatchedLibrary(
    "xai-sdk",
    ">=1.4,<2",
    (
        Target("xai_sdk.client", "BaseClient", "__init__", _wrap_client, ("api_host",)),
        *_make_chat_targets("xai_sdk.sync.chat", is_async=False),
        *_make_chat_targets("xai_sdk.aio.chat", is_async=True),
    ),
    ClientInfo(
        operations=("chat",),
        native="on by default; its span is enriched",
        tracing=NativeTracing(">=1.4", "XAI_SDK_DISABLE_TRACING", "1"),
        not_covered=(
            "attempts: gRPC repeats calls by itself and does not say how often",
            "images and video: the convention has no operation for them; batches, collections.search",
        ),
        foreign_spans=ForeignSpans(unmeasured_scopes=frozenset({"xai_sdk.sync.chat", "xai_sdk.aio.chat"})),
    ),
)


class Instrumentor(_patching.Instrumentor):
    """Entry point `agentops_xai`."""

    libraries = (LIBRARY,)


XAIInstrumentor = Instrumentor  # the name that others give theirs
