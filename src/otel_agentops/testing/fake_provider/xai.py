"""xAI's protocol: gRPC on loopback, with the aliases, script and answers of every other wire.

    with XaiProvider() as provider:
        xai_sdk.Client(api_key="k", api_host=provider.xai_host, use_insecure_channel=True)

The messages are the SDK's own generated classes, so it has to be installed; nothing imports it before. An HTTP status
becomes the gRPC status that means the same (google/rpc/code.proto has the table). A connection that is cut is
UNAVAILABLE, which is what a client sees of it.
"""

from __future__ import annotations

import importlib
import hashlib
import json
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from types import TracebackType
from typing import NamedTuple, NoReturn, Protocol

from otel_agentops.testing.fake_provider.behaviour import (
    Answer,
    Body,
    Break,
    Call,
    Delay,
    Fail,
    Hang,
    Json,
    Malformed,
    Ok,
    Status,
    Step,
)
from otel_agentops.testing.fake_provider.content import split_text
from otel_agentops.testing.fake_provider.provider import FakeProvider
from otel_agentops.testing.fake_provider.schema import bind_answer

_CODES = {
    400: "INVALID_ARGUMENT", 401: "UNAUTHENTICATED", 403: "PERMISSION_DENIED", 404: "NOT_FOUND", 409: "ABORTED",
    429: "RESOURCE_EXHAUSTED", 499: "CANCELLED", 500: "INTERNAL", 501: "UNIMPLEMENTED", 503: "UNAVAILABLE",
    504: "DEADLINE_EXCEEDED",
}  # fmt: skip
_NO_MESSAGE = b"\xff"  # a field number without an end


class _Metadatum(Protocol):
    key: str
    value: str


class _Context(Protocol):
    """The part of `grpc.ServicerContext` that is needed; grpc has no types."""

    def abort(self, code: object, details: str) -> NoReturn: ...

    def add_callback(self, callback: Callable[[], None]) -> bool: ...

    def invocation_metadata(self) -> Iterable[_Metadatum]: ...

    def set_trailing_metadata(self, metadata: Sequence[tuple[str, str]]) -> None: ...


class _Message(Protocol):
    """A message of protobuf."""

    def SerializeToString(self) -> bytes: ...  # noqa: N802


class _Request(_Message, Protocol):
    """A `GetCompletionsRequest`."""

    model: str
    n: int


class _Poll(_Message, Protocol):
    """A `GetDeferredRequest`."""

    request_id: str


class XaiProvider(FakeProvider):
    """A provider that `xai_sdk` can talk to as well.

    Attributes:
        xai_host: Host and port for the SDK's `api_host`; known inside the block.
    """

    xai_host: str

    def __enter__(self) -> XaiProvider:
        super().__enter__()
        chat = _Chat(self)
        self._grpc_server = chat.server
        self.xai_host = f"127.0.0.1:{chat.server.add_insecure_port('127.0.0.1:0')}"
        chat.server.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._grpc_server.stop(0).wait()
        super().__exit__(kind, error, trace)


class _Deferred(NamedTuple):
    is_expired: bool
    response: object


class _Chat:
    """The service `xai_api.Chat`."""

    def __init__(self, provider: FakeProvider) -> None:
        self._provider = provider
        self._grpc = importlib.import_module("grpc")
        self._pb = importlib.import_module("xai_sdk.proto").chat_pb2
        self._states = importlib.import_module("xai_sdk.proto").deferred_pb2
        self._to_dict = importlib.import_module("google.protobuf.json_format").MessageToDict
        self._deferred: dict[str, list[_Deferred | None]] = {}  # by request id, the results of the next polls
        unary, stream = self._grpc.unary_unary_rpc_method_handler, self._grpc.unary_stream_rpc_method_handler
        read, read_poll = self._pb.GetCompletionsRequest.FromString, self._states.GetDeferredRequest.FromString
        methods = {
            "GetCompletion": unary(self._complete_chat, read, _serialise),
            "GetCompletionChunk": stream(self._stream_chat, read, _serialise),
            "StartDeferredCompletion": unary(self._defer_chat, read, _serialise),
            "GetDeferredCompletion": unary(self._poll_chat, read_poll, _serialise),
        }
        handlers = self._grpc.method_handlers_generic_handler("xai_api.Chat", methods)
        self.server = self._grpc.server(ThreadPoolExecutor(16), handlers=[handlers])

    # -- the methods

    def _complete_chat(self, request: _Request, context: _Context) -> object:
        step, answer, model = self._meet_step("GetCompletion", request, context)
        self._disturb(step, context)
        return _NO_MESSAGE if isinstance(step, Malformed) else self._write_response(request, model, answer)

    def _stream_chat(self, request: _Request, context: _Context) -> Iterator[object]:
        step, answer, model = self._meet_step("GetCompletionChunk", request, context)
        for position, chunk in enumerate(self._write_chunks(request, model, answer)):
            if not isinstance(step, (Ok, Delay)) and position == getattr(step, "after", 0):
                self._disturb(step, context)
            if isinstance(step, Malformed) and position == step.after:
                yield _NO_MESSAGE
                return
            if isinstance(step, Delay):
                self._disturb(step, context)
            yield chunk

    def _defer_chat(self, request: _Request, context: _Context) -> object:
        step, answer, model = self._meet_step("StartDeferredCompletion", request, context)
        request_id = f"deferred_{len(self._deferred)}"
        result = _Deferred(isinstance(step, Fail), self._write_response(request, model, answer))
        self._deferred[request_id] = [None, result]
        return self._states.StartDeferredResponse(request_id=request_id)

    def _poll_chat(self, request: _Poll, context: _Context) -> object:
        results = self._deferred.get(request.request_id, [])
        if not results:
            context.abort(self._grpc.StatusCode.NOT_FOUND, "no such request")
        result, status, response = results.pop(0), self._states.DeferredStatus, self._pb.GetDeferredCompletionResponse
        if result is None:
            return response(status=status.PENDING)
        if result.is_expired:
            return response(status=status.EXPIRED)
        return response(status=status.DONE, response=result.response)

    # -- the script

    def _meet_step(self, method: str, request: _Request, context: _Context) -> tuple[Step, Answer, str]:
        body: Body = self._to_dict(request, preserving_proto_field_name=True)
        headers = {item.key: item.value for item in context.invocation_metadata()}
        model = self._provider.resolve(request.model)
        sha256 = hashlib.sha256(request.SerializeToString()).hexdigest()
        step, answer = self._provider.meet(Call(f"/xai_api.Chat/{method}", headers, body, model, "POST", sha256))
        if answer.seconds:
            _wait_for(answer.seconds, context)
        if isinstance(step, Status):
            if step.retry_after is not None:
                context.set_trailing_metadata([("grpc-retry-pushback-ms", str(int(step.retry_after * 1000)))])
            context.abort(getattr(self._grpc.StatusCode, _CODES.get(step.status, "UNKNOWN")), step.message)
        schema = body.get("response_format", {}).get("schema")
        return step, bind_answer(answer, json.loads(schema) if schema else None), model

    def _disturb(self, step: Step, context: _Context) -> None:
        if isinstance(step, (Delay, Hang)):
            _wait_for(step.seconds, context)
        if isinstance(step, (Break, Hang)):
            context.abort(self._grpc.StatusCode.UNAVAILABLE, "Socket closed")
        if isinstance(step, Fail):
            context.abort(self._grpc.StatusCode.INTERNAL, step.message)

    # -- the shapes

    def _write_response(self, request: _Request, model: str, answer: Answer) -> object:
        message = {"role": self._pb.ROLE_ASSISTANT, "content": answer.text, "tool_calls": _write_tool_calls(answer)}
        choice = {"finish_reason": _find_reason(answer), "message": message}
        outputs = [{"index": index, **choice} for index in range(request.n or 1)]
        head = {"id": answer.id, "model": model, "system_fingerprint": "fp_fake"}
        return self._pb.GetChatCompletionResponse(**head, outputs=outputs, usage=_write_usage(answer))

    def _write_chunks(self, request: _Request, model: str, answer: Answer) -> Iterator[object]:
        deltas: list[Json] = [{"content": text} for text in split_text(answer.text, answer.chunks)]
        if answer.tool_calls:
            deltas.append({"tool_calls": _write_tool_calls(answer)})
        for position, delta in enumerate([*deltas, {}]):
            is_last = position == len(deltas)
            reason = _find_reason(answer) if is_last else None
            part = {"delta": {"role": self._pb.ROLE_ASSISTANT, **delta}, "finish_reason": reason}
            outputs = [{"index": index, **part} for index in range(request.n or 1)]
            head = {"id": answer.id, "model": model, "system_fingerprint": "fp_fake"}
            usage = {"usage": _write_usage(answer)} if is_last else {}
            yield self._pb.GetChatCompletionChunk(**head, outputs=outputs, **usage)


def _write_tool_calls(answer: Answer) -> list[Json]:
    return [{"id": call.id, "function": {"name": call.name, "arguments": call.arguments}} for call in answer.tool_calls]


def _write_usage(answer: Answer) -> dict[str, int]:
    return {  # reasoning is counted apart from the completion
        "prompt_tokens": answer.input_tokens,
        "prompt_text_tokens": answer.input_tokens,
        "cached_prompt_text_tokens": answer.cached_tokens,
        "completion_tokens": answer.output_tokens - answer.reasoning_tokens,
        "reasoning_tokens": answer.reasoning_tokens,
        "total_tokens": answer.total_tokens,
    }


def _find_reason(answer: Answer) -> str:
    return answer.finish or ("REASON_TOOL_CALLS" if answer.tool_calls else "REASON_STOP")


def _serialise(message: bytes | _Message) -> bytes:
    return message if isinstance(message, bytes) else message.SerializeToString()


def _wait_for(seconds: float, context: _Context) -> None:
    ended = threading.Event()
    context.add_callback(ended.set)  # the call is over: it was cancelled, or this server stops
    ended.wait(seconds)
