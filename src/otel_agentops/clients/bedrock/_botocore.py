"""The seams of botocore and aiobotocore: one call of a service, its attempts, and what is read of it afterwards.

`BaseClient._make_api_call` is the call as every client object makes it, whatever the service; `Endpoint._get_response`
is one attempt, from the signed request to the parsed response, and is called through `self`: our wrapper is inside
everybody else's whatever the order of patching. There a span of others is still recording, and every attempt passes
with its status, in each of botocore's retry modes.

What is read later keeps its object. An event is seen where it is parsed, which others wrap on each stream, and the end
of a stream where it is iterated; for a body see `_botocore_body`.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from typing import Any, NamedTuple

from otel_agentops._client_call import (
    ACTIVE_CALL,
    UNOBSERVED,
    ClientCall,
    Endpoint,
    begin_call,
    parse_retry_after,
    pass_unobserved,
)
from otel_agentops._guard import guard
from otel_agentops._patching import NO_INFO, ClientInfo, PatchedLibrary, Target
from otel_agentops._streams import observe_async_stream, observe_stream
from otel_agentops.clients._protocols.fields import as_text, get
from otel_agentops.clients._servers import parse_address
from otel_agentops.clients.bedrock import _botocore_body
from otel_agentops.clients.bedrock._botocore_body import Held, async_reads, reads
from otel_agentops.operations import Attributes

_KEY = "_otel_agentops_held"  # in an event stream's own attributes: what is held goes where the stream goes
_HTTPX = "AioHttpxStreamingBody"  # of aiobotocore's newer backend
_REFUSED = 300  # botocore's own border between a result and an error


class Call(NamedTuple):
    """One operation of a service.

    endpoint: its four functions. prepare: parameters of the call and body of its request to what `request` is given,
    and an endpoint where that body decides which. events: the member of the result that is an event stream. body: the
    member that is an unread body.
    """

    service: str
    endpoint: Endpoint
    prepare: Callable[[Mapping[str, Any], Any], Prepared]
    events: str | None = None
    body: str | None = None


_GENERAL = frozenset({"ClientError", "EventStreamError"})  # of a code that the service's model does not have


def code(error: BaseException) -> str | None:
    """The service's code of an error whose class says no more than that there was one."""
    if type(error).__name__ not in _GENERAL:
        return None
    return as_text(get(get(getattr(error, "response", None), "Error"), "Code"))


class Prepared(NamedTuple):
    """What a call asks. facts: given to `request` beside the body and the address."""

    endpoint: Endpoint
    body: Mapping[str, Any]
    facts: Any


class Addressed(NamedTuple):
    """What `request` is given beside the body. server: attributes of where the call goes."""

    server: Attributes
    facts: Any


class _Made(NamedTuple):
    """The call that a watch is about."""

    call: Call
    params: Mapping[str, Any]


def client(
    distribution: str,
    versions: str,
    calls: Mapping[str, Call],
    *,
    asynchronous: bool = False,
    info: ClientInfo = NO_INFO,
) -> PatchedLibrary:
    """botocore, or aiobotocore on top of it. calls: by the name of the operation; all others pass."""
    shells = _Shells(calls)
    attempt = ("request", "operation_model", "context")
    made = ("operation_name", "api_params")
    reading = ("read", "readinto")
    if asynchronous:
        return PatchedLibrary(
            distribution,
            versions,
            [
                Target("aiobotocore.client", "AioBaseClient", "_make_api_call", shells.async_call, made),
                Target("aiobotocore.endpoint", "AioEndpoint", "_get_response", shells.async_attempt, attempt),
                Target("aiobotocore.eventstream", "AioEventStream", "_parse_event", shells.async_parsing, ("event",)),
                Target("aiobotocore.eventstream", "AioEventStream", "__aiter__", shells.async_iterating),
                *(Target("aiobotocore.response", "StreamingBody", name, async_reads) for name in reading),
                *(Target("aiobotocore.response", _HTTPX, name, async_reads, own_only=True) for name in reading),
            ],
            info,
        )
    return PatchedLibrary(
        distribution,
        versions,
        [
            Target("botocore.client", "BaseClient", "_make_api_call", shells.call, made),
            Target("botocore.endpoint", "Endpoint", "_get_response", shells.attempt, attempt),
            Target("botocore.eventstream", "EventStream", "_parse_event", shells.parsing, ("event",)),
            Target("botocore.eventstream", "EventStream", "__iter__", shells.iterating),
            Target("botocore.eventstream", "EventStream", "close", shells.closing),
            *(Target("botocore.response", "StreamingBody", name, reads) for name in reading),
        ],
        info,
    )


class _Shells:
    """What replaces the methods: each makes the original call once, unguarded, and tells the watch what it saw."""

    def __init__(self, calls: Mapping[str, Call]) -> None:
        self._calls = calls

    # -- the call

    def call(self, original: Callable[..., Any], patched: PatchedLibrary) -> Callable[..., Any]:
        calls = self._calls

        def _make_api_call(api: Any, operation_name: str, api_params: Any) -> Any:
            if operation_name not in calls and ACTIVE_CALL.get() is None:
                return original(api, operation_name, api_params)  # every call of every service comes by
            with self._begin(patched, api, operation_name, api_params) or UNOBSERVED:
                return original(api, operation_name, api_params)

        return _make_api_call

    def async_call(self, original: Callable[..., Any], patched: PatchedLibrary) -> Callable[..., Any]:
        calls = self._calls

        async def _make_api_call(api: Any, operation_name: str, api_params: Any) -> Any:
            if operation_name not in calls and ACTIVE_CALL.get() is None:
                return await original(api, operation_name, api_params)
            with self._begin(patched, api, operation_name, api_params) or UNOBSERVED:
                return await original(api, operation_name, api_params)

        return _make_api_call

    @guard
    def _begin(
        self, patched: PatchedLibrary, api: Any, operation_name: str, api_params: Any
    ) -> AbstractContextManager[Any]:
        call = self._calls.get(operation_name)
        if call is None or api.meta.service_model.service_id.hyphenize() != call.service:
            return pass_unobserved(api_params)  # made for an observed one on its way, say for its credentials
        watch = begin_call(patched, call.endpoint)
        if watch is None:
            return pass_unobserved(api_params)
        watch.context = _Made(call, api_params)
        return watch

    # -- one attempt

    def attempt(self, original: Callable[..., Any], patched: PatchedLibrary) -> Callable[..., Any]:
        def _get_response(endpoint: Any, request: Any, operation_model: Any, context: Any) -> Any:
            watch = ACTIVE_CALL.get()
            if watch is None or type(watch.context) is not _Made:
                return original(endpoint, request, operation_model, context)
            _leaving(watch, request)
            outcome = original(endpoint, request, operation_model, context)
            _came(watch, outcome)
            return outcome

        return _get_response

    def async_attempt(self, original: Callable[..., Any], patched: PatchedLibrary) -> Callable[..., Any]:
        async def _get_response(endpoint: Any, request: Any, operation_model: Any, context: Any) -> Any:
            watch = ACTIVE_CALL.get()
            if watch is None or type(watch.context) is not _Made:
                return await original(endpoint, request, operation_model, context)
            _leaving(watch, request)
            outcome = await original(endpoint, request, operation_model, context)
            _came(watch, outcome)
            return outcome

        return _get_response

    # -- event streams

    def parsing(self, original: Callable[..., Any], patched: PatchedLibrary) -> Callable[..., Any]:
        def _parse_event(stream: Any, event: Any) -> Any:
            parsed = original(stream, event)
            held = vars(stream).get(_KEY)
            if held is not None:
                held.watch.chunk_received(parsed)
            return parsed

        return _parse_event

    def async_parsing(self, original: Callable[..., Any], patched: PatchedLibrary) -> Callable[..., Any]:
        async def _parse_event(stream: Any, event: Any) -> Any:
            parsed = await original(stream, event)
            held = vars(stream).get(_KEY)
            if held is not None:
                held.watch.chunk_received(parsed)
            return parsed

        return _parse_event

    def iterating(self, original: Callable[..., Any], patched: PatchedLibrary) -> Callable[..., Any]:
        def each(stream: Any) -> Any:
            source = original(stream)
            held = vars(stream).get(_KEY)
            return source if held is None else observe_stream(source, held.watch, has_own_hook=True)

        return each

    def async_iterating(self, original: Callable[..., Any], patched: PatchedLibrary) -> Callable[..., Any]:
        def each(stream: Any) -> Any:
            source = original(stream)
            held = vars(stream).get(_KEY)
            return source if held is None else observe_async_stream(source, held.watch, has_own_hook=True)

        return each

    def closing(self, original: Callable[..., Any], patched: PatchedLibrary) -> Callable[..., Any]:
        def close(stream: Any) -> Any:
            held = vars(stream).get(_KEY)
            if held is not None:
                held.watch.end()
            return original(stream)

        return close


@guard
def _leaving(watch: ClientCall, request: Any) -> None:
    if watch.has_sent:
        watch.attempt_started({}, None)
        return
    made: _Made = watch.context
    prepared = made.call.prepare(made.params, request.body)
    watch.use_endpoint(prepared.endpoint)
    watch.attempt_started(prepared.body, Addressed(_address(_origin(request.url)), prepared.facts))


def _origin(url: str) -> str:
    """Scheme and host: the path names the model."""
    end = url.find("/", url.find("://") + 3)
    return url if end < 0 else url[:end]


_address = functools.lru_cache(maxsize=64)(parse_address)


def wait(headers: Mapping[str, str]) -> float | None:
    """The seconds that a response asked to wait; AWS has a header of its own beside the general one, in ms."""
    asked = headers.get("x-amz-retry-after") or ""
    return int(asked) / 1000 if asked.isdigit() else parse_retry_after(headers)


@guard
def _came(watch: ClientCall, outcome: Any) -> None:
    """One attempt is over. outcome: what came, None where nothing did, and the error that it ended with."""
    came = outcome[0]
    if came is None:
        watch.attempt_finished(0)
        return
    http, parsed = came
    if http.status_code >= _REFUSED:
        watch.attempt_finished(http.status_code, wait(http.headers))
        return
    watch.attempt_finished(http.status_code)
    call: Call = watch.context.call
    if call.events is not None:
        vars(parsed[call.events])[_KEY] = Held(watch)
    elif call.body is not None:
        headers = parsed["ResponseMetadata"]["HTTPHeaders"]
        watch.head_received(headers=headers)
        _botocore_body.observe(parsed[call.body], watch, headers)
    else:
        watch.response_received(parsed)
