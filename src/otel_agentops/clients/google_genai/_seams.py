"""Google's client is patched around one call of the model as it is read, and around each attempt inside it.

`Models._generate_content` makes one request and reads its answer; automatic function calling, chats and continuations
repeat it, and each repetition is a call of the model. All other instrumentations patch the public methods around it.
`BaseApiClient._request_once` is one attempt with the final body. Nothing of the wire is parsed a second time: the
answer is the client's own object. Between two rounds the client executes the functions that the model asked for.

https://github.com/googleapis/python-genai/blob/main/google/genai/models.py
https://github.com/googleapis/python-genai/blob/main/google/genai/_api_client.py
https://github.com/googleapis/python-genai/blob/main/google/genai/_extra_utils.py
"""

from __future__ import annotations

import functools
import json
import re
from collections.abc import Callable, Iterable, Iterator
from typing import Any, NamedTuple, Protocol

from otel_agentops._client_call import ClientCall, active_call, begin_call
from otel_agentops._derive import name_error
from otel_agentops._endpoint import Endpoint
from otel_agentops._guard import guard
from otel_agentops._patching import ClientInfo, Method, PatchedLibrary, Target, Wrap
from otel_agentops._streams import ObservedAsyncStream, observe_async_stream, observe_lazy_stream
from otel_agentops._wrapping import Arguments, Around, Keywords, wrap_call, wrap_step
from otel_agentops.clients._families.tool_functions import Execution, has_own_span, wrap_execution
from otel_agentops.clients._servers import parse_address
from otel_agentops.operations import Attributes
from otel_agentops.semconv import attributes as A

_Begin = Callable[[PatchedLibrary, Arguments, Keywords], "ClientCall[GoogleCall] | None"]


class ApiClient(Protocol):
    """The part of a `BaseApiClient` that is read."""

    vertexai: bool | None


class GoogleCall(NamedTuple):
    """The context of a call: the API client whose attempts are those of the call."""

    api_client: ApiClient | None


class Address(NamedTuple):
    """The facts in the address of a request.

    Attributes:
        provider: `gen_ai.provider.name`.
        model: The model.
        attributes: Where it goes, and whether a stream is wanted.
    """

    provider: str
    model: str
    attributes: Attributes


def make_library(
    versions: str, content: Endpoint[Address], embeddings: Endpoint[Address], info: ClientInfo, beside: Iterable[Target]
) -> PatchedLibrary:
    """Return the client.

    Args:
        versions: The supported range.
        content: Endpoint of what generates content.
        embeddings: Endpoint of what embeds it.
        info: Facts for the README's table.
        beside: Further places to patch.
    """
    api, models = "google.genai._api_client", "google.genai.models"
    content_begin = _make_begin(content)
    around_content = Around(content_begin, _receive_result)
    around_embeddings = Around(_make_begin(embeddings), _receive_result)
    wrap_async_stream = wrap_call(Around(content_begin, _observe_chunks), is_async=True)
    targets = [
        Target(models, "Models", "_generate_content_stream", _wrap_lazy_stream(content_begin)),
        Target(models, "AsyncModels", "_generate_content_stream", wrap_async_stream),
    ]
    for is_async, owner, once in ((False, "Models", "_request_once"), (True, "AsyncModels", "_async_request_once")):
        wrap_embeddings = wrap_call(around_embeddings, is_async=is_async)
        invoke = "invoke_function_from_dict_args_async" if is_async else "invoke_function_from_dict_args"
        wrap_function = wrap_execution(_read_execution, _name_function_error, is_async=is_async)
        targets += [
            Target("google.genai._extra_utils", "", invoke, wrap_function, ("args", "function_to_invoke")),
            Target(api, "BaseApiClient", once, wrap_step(_ATTEMPT, is_async=is_async), ("http_request",)),
            Target(models, owner, "_generate_content", wrap_call(around_content, is_async=is_async)),
            Target(models, owner, "_embed_content", wrap_embeddings, own_only=True),
            Target(models, owner, "embed_content", wrap_embeddings, superseded_by="_embed_content"),  # before 1.64
        ]
    return PatchedLibrary("google-genai", versions, [*targets, *beside], info)


@functools.lru_cache(256)
def read_address(url: str, is_vertex: bool) -> Address:
    """Read `.../models/gemini-x:streamGenerateContent?alt=sse`; a tuned model and an endpoint keep their kind."""
    path, _, verb = url.partition("?")[0].rpartition(":")
    _, separator, model = path.rpartition("/models/")
    attributes = parse_address(url)
    if verb.startswith("stream"):
        attributes[A.GEN_AI_REQUEST_STREAM] = True
    name = model if separator else "/".join(path.split("/")[-2:])
    return Address("gcp.vertex_ai" if is_vertex else "gcp.gemini", name, attributes)


# -- a call


def _make_begin(endpoint: Endpoint[Address]) -> _Begin:
    def begin(library: PatchedLibrary, args: Arguments, kwargs: Keywords) -> ClientCall[GoogleCall] | None:
        return begin_call(library, endpoint, GoogleCall(getattr(args[0], "_api_client", None)))

    return begin


def _receive_result(call: ClientCall, result: object, args: Arguments, kwargs: Keywords) -> None:
    if not call.has_answer:
        call.response_received(result)


def _wrap_lazy_stream(begin: _Begin) -> Wrap:
    """Return the wrapper of a generator function, which makes the call when the first chunk is asked for."""
    guarded_begin = guard(begin)

    def wrap(original: Method, library: PatchedLibrary) -> Method:
        def stream(*args: Any, **kwargs: Any) -> Iterator[object]:
            return observe_lazy_stream(original(*args, **kwargs), lambda: guarded_begin(library, args, kwargs))

        return stream

    return wrap


def _observe_chunks(call: ClientCall, result: Any, args: Arguments, kwargs: Keywords) -> ObservedAsyncStream:
    """Return the stream of a coroutine that has made the call."""
    return observe_async_stream(result, call)


# -- an attempt


def _start_attempt(library: PatchedLibrary, args: Arguments, kwargs: Keywords) -> ClientCall | None:
    call = active_call(GoogleCall)
    api_client: ApiClient = args[0]
    if call is None or call.context.api_client is not api_client:
        return None
    request = args[1] if len(args) > 1 else kwargs["http_request"]
    call.attempt_started(request.data, read_address(request.url, bool(api_client.vertexai)))
    if call.wants_content:
        call.request_sent(_serialise_body(request.data))
    return call


def _serialise_body(body: object) -> bytes:
    """Return the bytes of a body as the client makes them inside `_request_once`, out of reach."""
    if isinstance(body, bytes):
        return body
    return json.dumps(body).encode() if body else b""


_ERROR = re.compile(r'\s*{\s*"error"\s*:')


def _finish_attempt(call: ClientCall, response: object, args: Arguments, kwargs: Keywords) -> None:
    """Record a good response; of an error in its body the client keeps nothing."""
    call.attempt_finished(200)
    texts = getattr(response, "response_stream", None)
    if call.hooks.wire_received:  # of a stream the texts are still to come
        content = texts[0].encode() if type(texts) is list and len(texts) == 1 else None
        call.wire_received(getattr(response, "headers", None), content)
    if type(texts) is not list:
        call.follow_body(texts)
    if type(texts) is list and texts and _ERROR.match(texts[0]):
        call.response_received(json.loads(texts[0]))


def _fail_attempt(call: ClientCall, error: BaseException, args: Arguments, kwargs: Keywords) -> None:
    call.attempt_failed(error)


_ATTEMPT = Around(_start_attempt, _finish_attempt, _fail_attempt)


# -- a function of the application


def _read_execution(args: Arguments, kwargs: Keywords) -> Execution | None:
    arguments, function = args  # the client gives both by position
    return None if has_own_span(function) else Execution(function.__name__, function.__doc__, arguments)


def _name_function_error(error: BaseException) -> str | None:
    """Return the name of the function's own exception, of which the client has made one text for the model."""
    cause = error.__context__
    return name_error(cause) if cause is not None and type(error).__name__ == "FunctionInvocationError" else None
