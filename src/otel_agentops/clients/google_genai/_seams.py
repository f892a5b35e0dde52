"""Where Google's client is patched: around one call of the model as it is read, and around each attempt inside it.

`Models._generate_content` makes one request and reads its answer; automatic function calling, chats and continuations
repeat it, and each repetition is a call of the model. All other instrumentations patch the public methods around it.
`BaseApiClient._request_once` is one attempt with the final body. Nothing of the wire is parsed a second time: the
answer is the client's own object.
"""

from __future__ import annotations

import functools
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from typing import Any, NamedTuple

from otel_agentops._client_call import ACTIVE_CALL, UNOBSERVED, ClientCall, Endpoint, begin_call, parse_retry_after
from otel_agentops._guard import guard
from otel_agentops._patching import ClientInfo, PatchedLibrary, Target
from otel_agentops._streams import observe_async_stream, observe_lazy_stream
from otel_agentops.clients._servers import parse_address
from otel_agentops.operations import Attributes
from otel_agentops.semconv import attributes as A

_Wrap = Callable[[Callable[..., Any], PatchedLibrary], Callable[..., Any]]


def client(
    versions: str, content: Endpoint, embeddings: Endpoint, info: ClientInfo, further: Iterable[Target] = ()
) -> PatchedLibrary:
    """The client; the two endpoints get a `Sent` as their facts. further: where it is patched beside."""
    api, models = "google.genai._api_client", "google.genai.models"
    targets = [
        Target(api, "BaseApiClient", "_request_once", _once, ("http_request",)),
        Target(api, "BaseApiClient", "_async_request_once", _async_once, ("http_request",)),
        Target(models, "Models", "_generate_content", _whole(content)),
        Target(models, "AsyncModels", "_generate_content", _async_whole(content)),
        Target(models, "Models", "_generate_content_stream", _stream(content)),
        Target(models, "AsyncModels", "_generate_content_stream", _async_stream(content)),
        Target(models, "Models", "_embed_content", _whole(embeddings), own_only=True),
        Target(models, "AsyncModels", "_embed_content", _async_whole(embeddings), own_only=True),
        Target(models, "Models", "embed_content", _whole(embeddings), superseded_by="_embed_content"),  # before 1.64
        Target(models, "AsyncModels", "embed_content", _async_whole(embeddings), superseded_by="_embed_content"),
    ]
    return PatchedLibrary("google-genai", versions, [*targets, *further], info)


class Sent(NamedTuple):
    """What the address of a request says. attributes: where it goes, and whether a stream is asked for."""

    provider: str
    model: str
    attributes: Attributes


@functools.lru_cache(256)
def sent(url: str, vertex: bool) -> Sent:
    """Of `.../models/gemini-x:streamGenerateContent?alt=sse`; a tuned model and an endpoint keep their kind."""
    path, _, verb = url.partition("?")[0].rpartition(":")
    _, known, model = path.rpartition("/models/")
    attributes = parse_address(url)
    if verb.startswith("stream"):
        attributes[A.GEN_AI_REQUEST_STREAM] = True
    name = model if known else "/".join(path.split("/")[-2:])
    return Sent("gcp.vertex_ai" if vertex else "gcp.gemini", name, attributes)


# -- a call


@guard
def _begin(patched: PatchedLibrary, endpoint: Endpoint, models: Any) -> ClientCall | None:
    watch = begin_call(patched, endpoint)
    if watch is not None:
        watch.context = getattr(models, "_api_client", None)  # whose attempts are those of this call
    return watch


def _whole(endpoint: Endpoint) -> _Wrap:
    def wrap(original: Callable[..., Any], patched: PatchedLibrary) -> Callable[..., Any]:
        def call(models: Any, *args: Any, **kwargs: Any) -> Any:
            watch = _begin(patched, endpoint, models)
            with watch or UNOBSERVED:
                result = original(models, *args, **kwargs)
                if watch is not None:
                    watch.response_received(result)
                return result

        return call

    return wrap


def _async_whole(endpoint: Endpoint) -> _Wrap:
    def wrap(original: Callable[..., Any], patched: PatchedLibrary) -> Callable[..., Any]:
        async def call(models: Any, *args: Any, **kwargs: Any) -> Any:
            watch = _begin(patched, endpoint, models)
            with watch or UNOBSERVED:
                result = await original(models, *args, **kwargs)
                if watch is not None:
                    watch.response_received(result)
                return result

        return call

    return wrap


def _stream(endpoint: Endpoint) -> _Wrap:
    """A generator, which makes its call when the first chunk is asked for."""

    def wrap(original: Callable[..., Any], patched: PatchedLibrary) -> Callable[..., Any]:
        def call(models: Any, *args: Any, **kwargs: Any) -> Iterator[Any]:
            return observe_lazy_stream(
                original(models, *args, **kwargs), functools.partial(_begin, patched, endpoint, models)
            )

        return call

    return wrap


def _async_stream(endpoint: Endpoint) -> _Wrap:
    """A coroutine, which makes the call and gives a generator of the chunks."""

    def wrap(original: Callable[..., Any], patched: PatchedLibrary) -> Callable[..., Any]:
        async def call(models: Any, *args: Any, **kwargs: Any) -> AsyncIterator[Any]:
            watch = _begin(patched, endpoint, models)
            with watch or UNOBSERVED:
                source: AsyncIterator[Any] = await original(models, *args, **kwargs)
            return source if watch is None else observe_async_stream(source, watch)

        return call

    return wrap


# -- an attempt


def _once(original: Callable[..., Any], patched: PatchedLibrary) -> Callable[..., Any]:
    def _request_once(api: Any, http_request: Any, *args: Any, **kwargs: Any) -> Any:
        watch = _leaving(api, http_request)
        if watch is None:
            return original(api, http_request, *args, **kwargs)
        try:
            response = original(api, http_request, *args, **kwargs)
        except BaseException as error:
            _refused(watch, error)
            raise
        watch.attempt_finished(200)
        return response

    return _request_once


def _async_once(original: Callable[..., Any], patched: PatchedLibrary) -> Callable[..., Any]:
    async def _async_request_once(api: Any, http_request: Any, *args: Any, **kwargs: Any) -> Any:
        watch = _leaving(api, http_request)
        if watch is None:
            return await original(api, http_request, *args, **kwargs)
        try:
            response = await original(api, http_request, *args, **kwargs)
        except BaseException as error:
            _refused(watch, error)
            raise
        watch.attempt_finished(200)
        return response

    return _async_request_once


@guard
def _leaving(api: Any, request: Any) -> ClientCall | None:
    """The watch over the call that a request belongs to, told what goes out."""
    watch = ACTIVE_CALL.get()
    if watch is None or watch.context is not api:
        return None
    watch.attempt_started(request.data, sent(request.url, bool(api.vertexai)))
    return watch


@guard
def _refused(watch: ClientCall, error: BaseException) -> None:
    code = getattr(error, "code", None)
    headers = getattr(getattr(error, "response", None), "headers", None)
    watch.attempt_finished(code if type(code) is int else 0, parse_retry_after(headers))
