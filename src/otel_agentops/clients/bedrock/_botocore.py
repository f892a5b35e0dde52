"""Patches of botocore and aiobotocore: a call of a service, its attempts, and the reads of what it returned.

`BaseClient._make_api_call` is the call as every client object makes it, whatever the service. `Endpoint._get_response`
is one attempt, from the signed request to the parsed response. It is called through `self`, so that our wrapper is
inside everybody else's whatever the order of patching: the span of another instrumentation is still recording there,
and every attempt passes with its status, in each of botocore's retry modes.

An event stream stays the object that it is. An event is seen where it is parsed, which others wrap on each stream, and
the end of a stream where it is iterated. For an unread body see `_botocore_body`.

https://github.com/boto/botocore/blob/develop/botocore/client.py (`_make_api_call`)
https://github.com/boto/botocore/blob/develop/botocore/endpoint.py (`_get_response`)
https://github.com/boto/botocore/blob/develop/botocore/eventstream.py (`EventStream`)
https://github.com/aio-libs/aiobotocore/tree/main/aiobotocore has the async version of each under the same name.
"""

from __future__ import annotations

import functools
import io
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from typing import Any, NamedTuple, Protocol

from otel_agentops._client_call import ClientCall, active_call, begin_call, pass_unobserved
from otel_agentops._endpoint import Endpoint
from otel_agentops._patching import NO_INFO, ClientInfo, PatchedLibrary, Target
from otel_agentops._retry_after import parse_retry_after
from otel_agentops._streams import ObservedAsyncStream, ObservedStream, observe_async_stream, observe_stream
from otel_agentops._wrapping import Arguments, Around, Keywords, wrap_call, wrap_step
from otel_agentops.clients._protocols.fields import as_text, get
from otel_agentops.clients._servers import parse_address
from otel_agentops.clients.bedrock._botocore_body import READ, HeldCall, observe_body
from otel_agentops.clients.bedrock._models import RequestFacts
from otel_agentops.operations import Attributes

_KEY = "_otel_agentops_held"  # in an event stream's own attributes, so that the call is dropped with the stream
_FIRST_ERROR_STATUS = 300  # botocore's own border between a result and an error
_GENERAL_ERRORS = frozenset({"ClientError", "EventStreamError"})  # of a code that the service's model does not have


class PreparedCall(NamedTuple):
    """The functions that read a call, and what the first of them is given.

    Attributes:
        endpoint: Depends on the body in InvokeModel.
        body: The wire body, or the parameters that it is made of.
        facts: The facts beside the body.
    """

    endpoint: Endpoint[RequestFacts]
    body: Mapping[str, object]
    facts: RequestFacts


class ServiceOperation(NamedTuple):
    """One observed operation of a service.

    Attributes:
        service: The service's hyphenated id.
        endpoint: Its functions until the first attempt is prepared.
        prepare: Parameters of the call, body of its request and `server.*` attributes to a `PreparedCall`.
        events_member: The member of the result that is an event stream; None if there is none.
        body_member: The member of the result that is an unread body; None if there is none.
    """

    service: str
    endpoint: Endpoint[RequestFacts]
    prepare: Callable[[Mapping[str, object], object, Attributes], PreparedCall]
    events_member: str | None = None
    body_member: str | None = None


class BedrockCall(NamedTuple):
    """The context of a call: the operation and the parameters that the application gave."""

    operation: ServiceOperation
    params: Mapping[str, object]


class SignedRequest(Protocol):
    """A request of botocore that is about to leave."""

    url: str
    body: object


def make_library(
    distribution: str,
    versions: str,
    operations: Mapping[str, ServiceOperation],
    *,
    is_async: bool = False,
    info: ClientInfo = NO_INFO,
) -> PatchedLibrary:
    """Return botocore, or aiobotocore on top of it.

    Args:
        distribution: Its name on PyPI, and of its package.
        versions: The supported range.
        operations: By the name of the operation; all others pass.
        is_async: True for aiobotocore.
        info: Facts for the README's table.
    """

    def begin(
        library: PatchedLibrary, args: Arguments, kwargs: Keywords
    ) -> ClientCall[BedrockCall] | AbstractContextManager[None]:
        api, name, params = _bind_arguments(args, kwargs, "operation_name", "api_params")
        operation = operations.get(name)  # every call of every service comes by
        if operation is None or api.meta.service_model.service_id.hyphenize() != operation.service:
            return pass_unobserved()  # perhaps made for an observed call, say for its credentials
        call = begin_call(library, operation.endpoint, BedrockCall(operation, params))
        return pass_unobserved() if call is None else call

    prefix = "Aio" if is_async else ""
    wrap_read = wrap_step(READ, is_async=is_async)
    targets = [
        Target(
            f"{distribution}.client",
            f"{prefix}BaseClient",
            "_make_api_call",
            wrap_call(Around(begin), is_async=is_async),
            ("operation_name", "api_params"),
        ),
        Target(
            f"{distribution}.endpoint",
            f"{prefix}Endpoint",
            "_get_response",
            wrap_step(Around(_start_attempt, _finish_attempt), is_async=is_async),
            ("request", "operation_model", "context"),
        ),
        Target(
            f"{distribution}.eventstream",
            f"{prefix}EventStream",
            "_parse_event",
            wrap_step(Around(_find_held_call, _receive_event), is_async=is_async),
            ("event",),
        ),
        *(Target(f"{distribution}.response", "StreamingBody", name, wrap_read) for name in ("read", "readinto")),
    ]
    return PatchedLibrary(
        distribution, versions, [*targets, *(_list_async_targets() if is_async else _list_sync_targets())], info
    )


def _list_sync_targets() -> Iterator[Target]:
    module, owner = "botocore.eventstream", "EventStream"
    yield Target(module, owner, "__iter__", wrap_step(Around(_find_held_call, _observe_events)))
    yield Target(module, owner, "close", wrap_step(Around(_end_held_call)))  # aiobotocore inherits it


def _list_async_targets() -> Iterator[Target]:
    # `__aiter__` is no coroutine function: it returns an asynchronous generator.
    wrap_iterator = wrap_step(Around(_find_held_call, _observe_async_events))
    yield Target("aiobotocore.eventstream", "AioEventStream", "__aiter__", wrap_iterator)
    wrap_read = wrap_step(READ, is_async=True)
    for name in ("read", "readinto"):  # of the httpx backend, which aiobotocore has since 3
        yield Target("aiobotocore.response", "AioHttpxStreamingBody", name, wrap_read, own_only=True)


def _bind_arguments(args: Arguments, kwargs: Keywords, *names: str) -> Arguments:
    """Return the object and the named arguments of a method, by position or by keyword."""
    return args + tuple(kwargs[name] for name in names[len(args) - 1 :]) if kwargs else args


def read_error_code(error: BaseException) -> str | None:
    """Return the service's code if the class of an error says no more than that there was one."""
    if type(error).__name__ not in _GENERAL_ERRORS:
        return None
    return as_text(get(get(getattr(error, "response", None), "Error"), "Code"))


# -- an attempt


def _start_attempt(library: PatchedLibrary, args: Arguments, kwargs: Keywords) -> ClientCall[BedrockCall] | None:
    call = active_call(BedrockCall)
    if call is None:
        return None
    request: SignedRequest = args[1] if len(args) > 1 else kwargs["request"]
    if call.has_sent:
        call.attempt_started(None)
    else:
        operation, params = call.context
        end = request.url.find("/", request.url.find("://") + 3)  # the path names the model: every address another
        address = _parse_address(request.url if end < 0 else request.url[:end])
        prepared = operation.prepare(params, _peek_body(request.body), address)
        call.use_endpoint(prepared.endpoint)
        call.attempt_started(prepared.body, prepared.facts)
    if call.wants_content and isinstance(content := _peek_body(request.body), (bytes, bytearray)):
        call.request_sent(bytes(content))
    return call


def _peek_body(body: object) -> object:
    """Return the bytes of a body that is in memory; a file is the application's, and not read for us."""
    return body.getvalue()[body.tell() :] if type(body) is io.BytesIO else body


_parse_address = functools.lru_cache(maxsize=64)(parse_address)


def parse_aws_retry_after(headers: Mapping[str, str]) -> float | None:
    """Return the seconds that a response asked to wait; AWS has a header of its own beside the general one, in ms."""
    milliseconds = headers.get("x-amz-retry-after") or ""
    return int(milliseconds) / 1000 if milliseconds.isdigit() else parse_retry_after(headers)


def _get_read_content(response: object) -> bytes | None:
    """Return the body that the parser has read; `content` of aiobotocore's response is a coroutine."""
    content = getattr(response, "_content", None)
    return content if isinstance(content, bytes) else None


def _finish_attempt(call: ClientCall[BedrockCall], outcome: Any, args: Arguments, kwargs: Keywords) -> None:
    """Record the end of an attempt.

    outcome: a pair of the response with its parsed form, None if none came, and the error.
    """
    if outcome[0] is None:
        call.attempt_finished(0)
        return
    response, parsed = outcome[0]
    if response.status_code >= _FIRST_ERROR_STATUS:
        call.attempt_finished(response.status_code, parse_aws_retry_after(response.headers))
        if call.hooks.wire_received:
            call.wire_received(response.headers, _get_read_content(response))
        return
    call.attempt_finished(response.status_code)
    operation = call.context.operation
    if call.hooks.wire_received:  # what streams is not read here
        is_read = operation.events_member is None and operation.body_member is None
        call.wire_received(response.headers, _get_read_content(response) if is_read else None)
    if operation.events_member is not None:
        vars(parsed[operation.events_member])[_KEY] = HeldCall(call)
    elif operation.body_member is not None:
        headers = parsed["ResponseMetadata"]["HTTPHeaders"]
        call.head_received(headers=headers)
        observe_body(parsed[operation.body_member], call, headers)
    else:
        call.response_received(parsed)


# -- event streams


def _find_held_call(library: PatchedLibrary, args: Arguments, kwargs: Keywords) -> ClientCall | None:
    held: HeldCall | None = vars(args[0]).get(_KEY)
    return None if held is None else held.call


def _receive_event(call: ClientCall, event: object, args: Arguments, kwargs: Keywords) -> None:
    call.chunk_received(event)


def _observe_events(call: ClientCall, source: Any, args: Arguments, kwargs: Keywords) -> ObservedStream:
    return observe_stream(source, call, has_own_hook=True)


def _observe_async_events(call: ClientCall, source: Any, args: Arguments, kwargs: Keywords) -> ObservedAsyncStream:
    return observe_async_stream(source, call, has_own_hook=True)


def _end_held_call(library: PatchedLibrary, args: Arguments, kwargs: Keywords) -> None:
    call = _find_held_call(library, args, kwargs)
    if call is not None:
        call.end()
