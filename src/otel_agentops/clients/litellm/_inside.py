"""What LiteLLM does inside a call: the log that it keeps of each, its HTTP handlers, the last step of a result.

Whoever else is patched has begun by then, and its span is still open.
"""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable, Iterator, Mapping
from contextvars import copy_context
from typing import Any, NamedTuple

from otel_agentops._client_call import ACTIVE_CALL, ClientCall, parse_retry_after
from otel_agentops._guard import guard
from otel_agentops._patching import PatchedLibrary, Target
from otel_agentops.clients._protocols.fields import as_text, get
from otel_agentops.clients._servers import Server, parse_address
from otel_agentops.clients.litellm import _arguments, _wire
from otel_agentops.clients.litellm._wire import Operation
from otel_agentops.operations import ModelCall


class Asked(NamedTuple):
    """The arguments of a call. alias: the model's name in a Router, None for a call without one."""

    operation: Operation
    alias: str | None
    given: Mapping[str, Any]


def current() -> ClientCall | None:
    """The watch over the call of LiteLLM that this is inside of."""
    watch = ACTIVE_CALL.get()
    return watch if watch is not None and watch.is_open and type(watch.context) is Asked else None


def call_of(asked: Asked) -> ModelCall:
    found = _arguments.named(sys.modules["litellm"], asked.given)
    body = _arguments.body(sys.modules["litellm"], asked.given, found)
    if asked.alias is not None:
        body["model"] = asked.alias
    name = _arguments.provider(found.provider) if found.provider else None
    call = asked.operation.endpoint.request(body, Server(name, {}))
    assert isinstance(call, ModelCall)
    return call._replace(prompt=_arguments.prompt(asked.given) or call.prompt, routed_model=found.model)


def refused(watch: ClientCall, error: BaseException) -> None:
    """An attempt failed. LiteLLM gives errors without a response a status of its own: the client's error has none."""
    response = next((found for each in _causes(error) if (found := getattr(each, "response", None)) is not None), None)
    status = getattr(response, "status_code", None)
    watch.attempt_finished(status if type(status) is int else 0, parse_retry_after(getattr(response, "headers", None)))


def _causes(error: BaseException) -> Iterator[BaseException]:
    """The errors of HTTP clients that this one was made of."""
    cause: BaseException | None = error
    while cause is not None:
        if type(cause).__module__.partition(".")[0] in ("httpx", "openai"):
            yield cause
        cause = cause.__cause__ or cause.__context__


def answered(watch: ClientCall, result: Any) -> None:
    if name := as_text(_wire.hidden(result, "custom_llm_provider")):
        watch.set_server(_arguments.provider(name), {})
    watch.response_received(result)


def is_stream(result: Any) -> bool:
    return hasattr(result, "__next__") or hasattr(result, "__anext__")


def _describing(original: Callable[..., Any], patched: PatchedLibrary) -> Callable[..., Any]:
    """`Logging.update_environment_variables`: first when a call begins, then when its provider is known."""

    def update_environment_variables(log: Any, *args: Any, **kwargs: Any) -> Any:
        result = original(log, *args, **kwargs)
        _described(kwargs)
        return result

    return update_environment_variables


@guard
def _described(known: Mapping[str, Any]) -> None:
    watch = current()
    if watch is None:
        return
    watch.operation_known(call_of(watch.context))
    if name := as_text(known.get("custom_llm_provider")):
        watch.set_server(_arguments.provider(name), {}, as_text(known.get("model")))


def _sending(original: Callable[..., Any], patched: PatchedLibrary) -> Callable[..., Any]:
    """`Logging.pre_call`: the body is ready and goes out next, to the handlers below or to an SDK."""

    def pre_call(log: Any, *args: Any, **kwargs: Any) -> Any:
        result = original(log, *args, **kwargs)  # the application's callbacks, which may call models themselves
        _leaving(log, kwargs)
        return result

    return pre_call


@guard
def _leaving(log: Any, kwargs: Mapping[str, Any]) -> None:
    details = kwargs.get("additional_args") or {}
    watch = current()
    if watch is None or details.get("complete_input_dict") is None:  # a mocked answer has none
        return
    watch.attempt_started(None)
    server = parse_address(str(details.get("api_base")))  # a text, or the URL object of a client
    name = as_text(get(get(log, "model_call_details"), "custom_llm_provider"))
    watch.set_server(_arguments.provider(name, server) if name else None, server)


def _posting(original: Callable[..., Any], patched: PatchedLibrary) -> Callable[..., Any]:
    def post(handler: Any, *args: Any, **kwargs: Any) -> Any:
        watch = _due(args, kwargs)
        try:
            response = original(handler, *args, **kwargs)
        except BaseException as error:
            _posted(watch, None, error)
            raise
        _posted(watch, response)
        return response

    return post


def _async_posting(original: Callable[..., Any], patched: PatchedLibrary) -> Callable[..., Any]:
    async def post(handler: Any, *args: Any, **kwargs: Any) -> Any:
        watch = _due(args, kwargs)
        try:
            response = await original(handler, *args, **kwargs)
        except BaseException as error:
            _posted(watch, None, error)
            raise
        _posted(watch, response)
        return response

    return post


@guard
def _due(args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> ClientCall | None:
    """The watch whose request this is: one for a token comes before its body is ready."""
    watch = current()
    if watch is None or not watch.is_attempt_in_flight:
        return None
    watch.set_server(None, parse_address(str(args[0] if args else kwargs.get("url"))))
    return watch


@guard
def _posted(watch: ClientCall | None, response: Any, error: BaseException | None = None) -> None:
    if watch is None:
        return
    if error is None:
        watch.attempt_finished(response.status_code)
    else:
        refused(watch, error)


def _completing(original: Callable[..., Any], patched: PatchedLibrary) -> Callable[..., Any]:
    """`ResponseMetadata.apply`: the answer is complete; whoever made a span for the call still has it open."""

    def apply(metadata: Any) -> Any:
        result = original(metadata)
        _completed(metadata.result)
        return result

    return apply


@guard
def _completed(result: Any) -> None:
    watch = current()
    if watch is None or not watch.wants_early_answer or is_stream(result):
        return
    if watch.is_attempt_in_flight:
        watch.attempt_finished(200)
    answered(watch, result)


def _crossing(original: Callable[..., Any], patched: PatchedLibrary) -> Callable[..., Any]:
    """`run_async_function`: inside a running loop it goes on in a thread, which knows nothing of where it came from."""

    def run_async_function(async_function: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        return original(_brought(async_function) or async_function, *args, **kwargs)

    return run_async_function


@guard
def _brought(function: Callable[..., Any]) -> Callable[..., Any] | None:
    if current() is None:
        return None
    context = copy_context()

    @functools.wraps(function)
    async def brought(*args: Any, **kwargs: Any) -> Any:
        for variable, value in context.items():
            variable.set(value)
        return await function(*args, **kwargs)

    return brought


_CORE = "litellm.litellm_core_utils"
_HANDLERS = "litellm.llms.custom_httpx.http_handler"
TARGETS = (
    *(
        Target(module, "", "run_async_function", _crossing, ("async_function",), optional=True)
        for module in (f"{_CORE}.asyncify", f"{_CORE}.fallback_utils", "litellm.router")
    ),
    Target(f"{_CORE}.litellm_logging", "Logging", "update_environment_variables", _describing),
    Target(f"{_CORE}.litellm_logging", "Logging", "pre_call", _sending, ("additional_args",)),
    Target(_HANDLERS, "HTTPHandler", "post", _posting, ("url",)),
    Target(_HANDLERS, "AsyncHTTPHandler", "post", _async_posting, ("url",)),
    Target(f"{_CORE}.llm_response_utils.response_metadata", "ResponseMetadata", "apply", _completing),
)
