"""The client of models that DSPy has had since 3.4, beside litellm: each request is a call, as it is sent.

Patched are the methods of its provider classes that send and read, which all of them share:
https://github.com/stanfordnlp/dspy/blob/main/dspy/_vendor/lm15/providers/base.py
https://github.com/stanfordnlp/dspy/blob/main/dspy/_vendor/lm15/providers/async_base.py
"""

from __future__ import annotations

import json
from contextlib import suppress
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from otel_agentops._client_call import ClientCall, active_call, begin_call
from otel_agentops._endpoint import Endpoint, FoldState
from otel_agentops._guard import guard
from otel_agentops._patching import PatchedLibrary, Target
from otel_agentops._retry_after import parse_retry_after
from otel_agentops._streams import observe_lazy_async_stream, observe_lazy_stream
from otel_agentops._wrapping import Arguments, Around, Keywords, wrap_call, wrap_step
from otel_agentops.clients._protocols import anthropic_messages, openai_chat, openai_responses
from otel_agentops.clients._servers import Server, find_provider, parse_address
from otel_agentops.operations import Answer, Attributes
from otel_agentops.semconv import attributes as A


class WireCall(NamedTuple):
    """The context of a call: the provider class that sends it."""

    api: Any


Call = ClientCall[WireCall]


def fold_event(state: FoldState, event: Any) -> bool:
    """Fold an event of a stream, which is the same for all providers; several may end it, each with a part."""
    for name in ("model", "finish_reason", "usage"):
        if (value := getattr(event, name, None)) is not None:
            state[name] = value
    state["event"] = event
    return False


def finish_stream(state: FoldState) -> Answer:
    """Build the answer from what the events told."""
    usage, reason = state.get("usage"), state.get("finish_reason")
    attributes: Attributes = {} if reason is None else {A.GEN_AI_RESPONSE_FINISH_REASONS: [reason]}
    return Answer(
        state.get("model"), attributes, getattr(usage, "input_tokens", None), getattr(usage, "output_tokens", None)
    )


def find_status(error: BaseException) -> int | None:
    """Return the HTTP status that an exception is about; None if nothing came."""
    status = getattr(error, "status", None)
    return status if type(status) is int else None


# By the end of the path; requests to others are unobserved.
ENDPOINTS: dict[str, Endpoint[Server]] = {
    path: endpoint._replace(status=find_status)
    for path, endpoint in (
        ("/chat/completions", openai_chat.CHAT),
        ("/responses", openai_responses.RESPONSES),
        ("/messages", anthropic_messages.MESSAGES),
    )
}


def _find_endpoint(url: str) -> Endpoint[Server] | None:
    path = urlsplit(url).path
    return next((endpoint for end, endpoint in ENDPOINTS.items() if path.endswith(end)), None)


def _begin_call(library: PatchedLibrary, args: Arguments, kwargs: Keywords) -> Call | None:
    return begin_call(library, openai_chat.CHAT, WireCall(args[0]))  # which endpoint it is, the request says


def _fail_call(call: Call, error: BaseException, args: Arguments, kwargs: Keywords) -> None:
    call.call_failed(error)


def _start_attempt(call: Call, request: Any) -> bool:
    """Tell that a request is sent; return False if it goes to an endpoint that is not observed."""
    endpoint = _find_endpoint(request.url)
    if endpoint is None:
        return False
    parts = urlsplit(request.url)
    name = call.context.api.provider.removesuffix("-chat")  # it calls each API of a provider another one
    provider = find_provider(parts.hostname or "", parts.path) or name
    call.use_endpoint(endpoint)
    call.attempt_started(json.loads(request.body), Server(provider, parse_address(request.url)))
    call.request_sent(request.body)
    return True


def _begin_send(library: PatchedLibrary, args: Arguments, kwargs: Keywords) -> Call | None:
    call = active_call(WireCall)
    return call if call is not None and _start_attempt(call, args[1]) else None


def _receive_response(call: Call, response: Any, args: Arguments, kwargs: Keywords) -> None:
    headers = {name.lower(): value for name, value in response.headers}
    call.attempt_finished(response.status, parse_retry_after(headers), headers)
    if response.status < 400:
        with suppress(ValueError):  # the client refuses such a body
            call.response_received(json.loads(response.body))


# -- streams


class _Stream(NamedTuple):
    """A stream that is about to be sent: the arguments of the method that reads it."""

    library: PatchedLibrary
    api: Any
    request: Any


def _see_stream(library: PatchedLibrary, args: Arguments, kwargs: Keywords) -> _Stream | None:
    request = kwargs.get("req", args[2] if len(args) > 2 else None)
    if request is None or not library.active or _find_endpoint(request.url) is None:
        return None
    return _Stream(library, args[0], request)


def _hand_out(stream: _Stream, source: Any, args: Arguments, kwargs: Keywords) -> Any:
    """Return the observed iterator, which sends with its first item."""
    observe = observe_lazy_async_stream if hasattr(source, "__anext__") else observe_lazy_stream

    @guard
    def send(call: Call) -> None:
        if _start_attempt(call, stream.request):
            call.use_endpoint(call.endpoint._replace(fold=fold_event, finish_fold=finish_stream, content=None))

    return observe(source, lambda: begin_call(stream.library, openai_chat.CHAT, WireCall(stream.api)), send)


_COMPLETE, _SEND = Around(_begin_call, failed=_fail_call), Around(_begin_send, _receive_response)
_STREAM = wrap_step(Around(_see_stream, _hand_out))
SYNC = ("dspy._vendor.lm15.providers.base", "BaseProviderLM")
ASYNC = ("dspy._vendor.lm15.providers.async_base", "AsyncBaseProviderLM")
TARGETS = (
    Target(*SYNC, "complete", wrap_call(_COMPLETE), ("request",)),
    Target(*SYNC, "_send", wrap_step(_SEND), ("request",)),
    Target(*SYNC, "_stream_raw", _STREAM, ("req",)),
    Target(*ASYNC, "complete", wrap_call(_COMPLETE, is_async=True), ("request",)),
    Target(*ASYNC, "_send", wrap_step(_SEND, is_async=True), ("request",)),
    Target(*ASYNC, "_stream_raw", _STREAM, ("req",)),
)
