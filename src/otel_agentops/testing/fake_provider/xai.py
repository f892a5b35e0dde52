"""xAI's protocol: gRPC on loopback, with the same mind as every other wire.

    with XaiProvider() as provider:
        xai_sdk.Client(api_key="k", api_host=provider.xai_host, use_insecure_channel=True)

The messages are the SDK's own generated classes, so it has to be installed; nothing of it is imported before. An HTTP
status becomes the gRPC status that means the same (google/rpc/code.proto says which). A connection that is cut is
UNAVAILABLE, which is what a client sees of it.
"""

from __future__ import annotations

import importlib
import json
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from types import TracebackType
from typing import Any, NamedTuple

from otel_agentops.testing.fake_provider import wire
from otel_agentops.testing.fake_provider.behaviour import (
    Answer,
    Break,
    Call,
    Delay,
    Fail,
    Hang,
    Malformed,
    Ok,
    Status,
    Step,
)
from otel_agentops.testing.fake_provider.openai_wire import pieces
from otel_agentops.testing.fake_provider.provider import FakeProvider

_CODES = {
    400: "INVALID_ARGUMENT", 401: "UNAUTHENTICATED", 403: "PERMISSION_DENIED", 404: "NOT_FOUND", 409: "ABORTED",
    429: "RESOURCE_EXHAUSTED", 499: "CANCELLED", 500: "INTERNAL", 501: "UNIMPLEMENTED", 503: "UNAVAILABLE",
    504: "DEADLINE_EXCEEDED",
}  # fmt: skip
_NO_MESSAGE = b"\xff"  # a field number without an end


class XaiProvider(FakeProvider):
    """A provider that `xai_sdk` can talk to as well, at `xai_host`."""

    def __enter__(self) -> XaiProvider:
        super().__enter__()
        self._chat = _Chat(self)
        self.xai_host = self._chat.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._chat.stop()
        super().__exit__(kind, error, trace)


class _Deferred(NamedTuple):
    expired: bool
    response: Any


class _Chat:
    """The service `xai_api.Chat`."""

    def __init__(self, provider: FakeProvider) -> None:
        self._provider = provider
        self._grpc: Any = importlib.import_module("grpc")
        protos = importlib.import_module("xai_sdk.proto")
        self._pb, self._states = protos.chat_pb2, protos.deferred_pb2
        self._deferred: dict[str, list[_Deferred | None]] = {}  # what the polls of a request are still told
        self._server = self._grpc.server(ThreadPoolExecutor(16), handlers=[self._handlers()])

    def start(self) -> str:
        port = self._server.add_insecure_port("127.0.0.1:0")
        self._server.start()
        return f"127.0.0.1:{port}"

    def stop(self) -> None:
        self._server.stop(0).wait()

    def _handlers(self) -> Any:
        def unary(behaviour: Callable[..., Any], request: Any) -> Any:
            return self._grpc.unary_unary_rpc_method_handler(behaviour, request.FromString, _bytes)

        asked, poll = self._pb.GetCompletionsRequest, self._states.GetDeferredRequest
        stream = self._grpc.unary_stream_rpc_method_handler(self._stream, asked.FromString, _bytes)
        methods = {
            "GetCompletion": unary(self._completion, asked),
            "GetCompletionChunk": stream,
            "StartDeferredCompletion": unary(self._defer, asked),
            "GetDeferredCompletion": unary(self._poll, poll),
        }
        return self._grpc.method_handlers_generic_handler("xai_api.Chat", methods)

    # -- the methods

    def _completion(self, request: Any, context: Any) -> Any:
        step, answer, model = self._meet("GetCompletion", request, context)
        self._disturb(step, context)
        return _NO_MESSAGE if isinstance(step, Malformed) else self._response(request, model, answer)

    def _stream(self, request: Any, context: Any) -> Iterator[Any]:
        step, answer, model = self._meet("GetCompletionChunk", request, context)
        for position, chunk in enumerate(self._chunks(request, model, answer)):
            if not isinstance(step, (Ok, Delay)) and position == getattr(step, "after", 0):
                self._disturb(step, context)
            if isinstance(step, Malformed) and position == step.after:
                yield _NO_MESSAGE
                return
            if isinstance(step, Delay):
                self._disturb(step, context)
            yield chunk

    def _defer(self, request: Any, context: Any) -> Any:
        step, answer, model = self._meet("StartDeferredCompletion", request, context)
        id = f"deferred_{len(self._deferred)}"
        self._deferred[id] = [None, _Deferred(isinstance(step, Fail), self._response(request, model, answer))]
        return self._states.StartDeferredResponse(request_id=id)

    def _poll(self, request: Any, context: Any) -> Any:
        waiting = self._deferred.get(request.request_id, [])
        if not waiting:
            context.abort(self._grpc.StatusCode.NOT_FOUND, "no such request")
        told, status, kind = waiting.pop(0), self._states.DeferredStatus, self._pb.GetDeferredCompletionResponse
        if told is None:
            return kind(status=status.PENDING)
        return kind(status=status.EXPIRED) if told.expired else kind(status=status.DONE, response=told.response)

    # -- what goes wrong

    def _meet(self, method: str, request: Any, context: Any) -> tuple[Step, Answer, str]:
        body = importlib.import_module("google.protobuf.json_format").MessageToDict(
            request, preserving_proto_field_name=True
        )
        headers = {item.key: item.value for item in context.invocation_metadata()}
        model = self._provider.resolve(request.model)
        step, answer = self._provider.meet(Call(f"/xai_api.Chat/{method}", headers, body, model, "POST"))
        if answer.seconds:
            self._wait(answer.seconds, context)
        if isinstance(step, Status):
            self._refuse(step, context)
        return step, wire.bound(_as_openai(body), answer), model

    def _refuse(self, step: Status, context: Any) -> None:
        if step.retry_after is not None:
            context.set_trailing_metadata([("grpc-retry-pushback-ms", str(int(step.retry_after * 1000)))])
        context.abort(getattr(self._grpc.StatusCode, _CODES.get(step.status, "UNKNOWN")), step.message)

    def _disturb(self, step: Step, context: Any) -> None:
        if isinstance(step, (Delay, Hang)):
            self._wait(step.seconds, context)
        if isinstance(step, (Break, Hang)):
            context.abort(self._grpc.StatusCode.UNAVAILABLE, "Socket closed")
        if isinstance(step, Fail):
            context.abort(self._grpc.StatusCode.INTERNAL, step.message)

    def _wait(self, seconds: float, context: Any) -> None:
        gone = threading.Event()
        context.add_callback(gone.set)  # the call is over: cancelled, or this server stops
        gone.wait(seconds)

    # -- the shapes

    def _response(self, request: Any, model: str, answer: Answer) -> Any:
        message = {"role": self._pb.ROLE_ASSISTANT, "content": answer.text, "tool_calls": self._tool_calls(answer)}
        outputs = [
            {"index": index, "finish_reason": _reason(answer), "message": message} for index in range(request.n or 1)
        ]
        return self._pb.GetChatCompletionResponse(
            id=answer.id, model=model, system_fingerprint="fp_fake", outputs=outputs, usage=_usage(answer)
        )

    def _chunks(self, request: Any, model: str, answer: Answer) -> Iterator[Any]:
        def chunk(delta: dict[str, Any], **more: Any) -> Any:
            part = {"delta": {"role": self._pb.ROLE_ASSISTANT, **delta}, "finish_reason": more.pop("reason", None)}
            outputs = [{"index": index, **part} for index in range(request.n or 1)]
            head = {"id": answer.id, "model": model, "system_fingerprint": "fp_fake"}
            return self._pb.GetChatCompletionChunk(**head, outputs=outputs, **more)

        for text in pieces(answer.text, answer.chunks):
            yield chunk({"content": text})
        if answer.tool_calls:
            yield chunk({"tool_calls": self._tool_calls(answer)})
        yield chunk({}, reason=_reason(answer), usage=_usage(answer))

    def _tool_calls(self, answer: Answer) -> list[dict[str, Any]]:
        return [
            {"id": call.id, "function": {"name": call.name, "arguments": call.arguments}} for call in answer.tool_calls
        ]


def _bytes(message: Any) -> bytes:
    return message if isinstance(message, bytes) else bytes(message.SerializeToString())


def _reason(answer: Answer) -> str:
    return answer.finish or ("REASON_TOOL_CALLS" if answer.tool_calls else "REASON_STOP")


def _usage(answer: Answer) -> dict[str, int]:
    """Here, unlike at OpenAI, what was thought is counted apart from what was said."""
    return {
        "prompt_tokens": answer.input_tokens,
        "prompt_text_tokens": answer.input_tokens,
        "cached_prompt_text_tokens": answer.cached_tokens,
        "completion_tokens": answer.output_tokens - answer.reasoning_tokens,
        "reasoning_tokens": answer.reasoning_tokens,
        "total_tokens": answer.input_tokens + answer.output_tokens,
    }


def _as_openai(body: dict[str, Any]) -> dict[str, Any]:
    """A request's schema where `schema.wanted` looks for it."""
    given = body.get("response_format", {}).get("schema")
    return {"response_format": {"type": "json_schema", "schema": json.loads(given)}} if given else {}
