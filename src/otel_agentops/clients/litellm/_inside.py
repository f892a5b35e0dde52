"""Steps of LiteLLM inside a call: the log that it keeps of each, its HTTP handlers, the last step of a result.

Other instrumentations have begun by then, and their spans are still open. Patched are, below
https://github.com/BerriAI/litellm/blob/main/litellm, `litellm_core_utils/litellm_logging.py`,
`litellm_core_utils/asyncify.py`, `litellm_core_utils/llm_response_utils/response_metadata.py` and
`llms/custom_httpx/http_handler.py`.
"""

from __future__ import annotations

import functools
import sys
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextvars import copy_context
from typing import ParamSpec, Protocol, TypeAlias, TypeVar

from otel_agentops._client_call import ClientCall, active_call
from otel_agentops._guard import guard
from otel_agentops._patching import Method, PatchedLibrary, Target
from otel_agentops._retry_after import parse_retry_after
from otel_agentops._wrapping import Arguments, Around, Keywords, wrap_step
from otel_agentops.clients._protocols.fields import as_text, get
from otel_agentops.clients._servers import Server, parse_address
from otel_agentops.clients.litellm import _arguments
from otel_agentops.clients.litellm._wire import Operation, get_hidden
from otel_agentops.operations import ModelCall

P = ParamSpec("P")
R = TypeVar("R")


class LitellmCall:
    """The context of a call.

    Attributes:
        library: LiteLLM, as it is patched.
        operation: What is called.
        router_model: The model's name in a Router; None for a call without one.
        arguments: The arguments by name.
    """

    __slots__ = ("arguments", "library", "operation", "router_model")

    def __init__(
        self,
        library: PatchedLibrary,
        operation: Operation,
        router_model: str | None,
        arguments: Mapping[str, object],
    ) -> None:
        self.library = library
        self.operation = operation
        self.router_model = router_model
        self.arguments = arguments

    def use_deployment(self, arguments: Mapping[str, object]) -> None:
        """Use the arguments of the call that a Router makes, with what its deployment adds."""
        if self.router_model is not None:
            self.arguments = arguments


Call: TypeAlias = "ClientCall[LitellmCall]"


class Response(Protocol):
    """An `httpx.Response`, as far as it is read."""

    status_code: int
    headers: Mapping[str, str]


def find_open_call() -> Call | None:
    """Return the call of LiteLLM that this is inside of."""
    call = active_call(LitellmCall)
    return call if call is not None and call.is_open else None


def find_call(library: PatchedLibrary, args: Arguments, kwargs: Keywords) -> Call | None:
    """Return the call that a patched function is a step of."""
    return find_open_call()


def make_model_call(context: LitellmCall) -> ModelCall:
    """Return the operation that the arguments of a call ask for."""
    litellm = sys.modules["litellm"]
    name = _arguments.split_model(litellm, context.arguments)
    body = _arguments.build_body(litellm, context.arguments, name)
    if context.router_model is not None:
        body["model"] = context.router_model
    provider = _arguments.name_provider(name.provider) if name.provider else None
    operation = context.operation.endpoint.request(body, Server(provider, {}))
    assert isinstance(operation, ModelCall)
    prompt = _arguments.read_prompt(context.arguments) or operation.prompt
    return operation._replace(prompt=prompt, routed_model=name.model)


def fail_attempt(call: Call, error: BaseException) -> None:
    """Record a failed attempt.

    LiteLLM gives an error without a response a status of its own; the error of the HTTP client has none.
    """
    responses = (getattr(cause, "response", None) for cause in _list_causes(error))
    response = next((response for response in responses if response is not None), None)
    status, headers = getattr(response, "status_code", None), getattr(response, "headers", None)
    _hand_over_answer(call, response)
    call.attempt_finished(status if type(status) is int else 0, parse_retry_after(headers), headers)


def _list_causes(error: BaseException) -> Iterator[BaseException]:
    """Yield the errors of HTTP clients that this one was made of."""
    cause: BaseException | None = error
    while cause is not None:
        if type(cause).__module__.partition(".")[0] in ("httpx", "openai"):
            yield cause
        cause = cause.__cause__ or cause.__context__


def receive_result(call: Call, result: object) -> None:
    """Record a whole answer, and who gave it."""
    if name := as_text(get_hidden(result, "custom_llm_provider")):
        call.set_server(_arguments.name_provider(name), {})
    call.response_received(result)


def is_stream(result: object) -> bool:
    """Return True if the application iterates over the result."""
    return hasattr(result, "__next__") or hasattr(result, "__anext__")


# -- `Logging.update_environment_variables`: first when a call begins, then when its provider is known


def _learn_provider(call: Call, result: object, args: Arguments, kwargs: Keywords) -> None:
    call.operation_known(make_model_call(call.context), call.context.arguments)
    if name := as_text(kwargs.get("custom_llm_provider")):
        call.set_server(_arguments.name_provider(name), {}, as_text(kwargs.get("model")))


# -- `Logging.pre_call`: the body is ready and goes out next, to the handlers below or to an SDK; it also calls the
# -- application's callbacks, which may call models themselves, so that the attempt starts after it


def _start_attempt(call: Call, result: object, args: Arguments, kwargs: Keywords) -> None:
    details = kwargs.get("additional_args") or {}
    if details.get("complete_input_dict") is None:  # a mocked answer has none
        return
    call.attempt_started(None)
    server = parse_address(str(details.get("api_base")))  # a text, or the URL object of a client
    name = as_text(get(get(args[0], "model_call_details"), "custom_llm_provider"))
    call.set_server(_arguments.name_provider(name, server) if name else None, server)


# -- `HTTPHandler.post`


def _find_post(library: PatchedLibrary, args: Arguments, kwargs: Keywords) -> Call | None:
    """Return the call whose request this is: one for a token comes before the call's body is ready."""
    call = find_open_call()
    if call is None or not call.is_attempt_in_flight:
        return None
    call.set_server(None, parse_address(str(args[1] if len(args) > 1 else kwargs.get("url"))))
    return call


def _finish_post(call: Call, response: Response, args: Arguments, kwargs: Keywords) -> None:
    _hand_over_content(call, response)
    _hand_over_answer(call, response)
    call.attempt_finished(response.status_code, None, response.headers)
    if not hasattr(response, "_content"):  # it streams
        call.follow_body(response)


def _fail_post(call: Call, error: BaseException, args: Arguments, kwargs: Keywords) -> None:
    _hand_over_content(call, next(_list_causes(error), None))
    fail_attempt(call, error)


def _hand_over_content(call: Call, source: object) -> None:
    """Hand on the bytes that were sent; they come with the response, or with the HTTP client's error."""
    if call.wants_content:
        request = getattr(source, "_request", None)  # `request` raises if there is none, and `content` of an open file
        content = getattr(request, "_content", None)
        if content is not None:
            call.request_sent(content)


def _hand_over_answer(call: Call, response: object) -> None:
    """Hand on the headers and the bytes that were received; those of a stream are not read yet."""
    if response is not None and call.hooks.wire_received:
        content = getattr(response, "_content", None)  # `content` raises if nobody has read it
        call.wire_received(getattr(response, "headers", None), content if isinstance(content, bytes) else None)


# -- `ResponseMetadata.apply`: the answer is complete; whoever made a span for the call still has it open


def _complete_answer(call: Call, result: object, args: Arguments, kwargs: Keywords) -> None:
    answer = args[0].result
    if not call.wants_early_answer or is_stream(answer):
        return
    if call.is_attempt_in_flight:
        call.attempt_finished(200)
    receive_result(call, answer)


# -- `run_async_function`: inside a running loop it goes on in a thread, which has no context


def _wrap_thread_switch(original: Method, library: PatchedLibrary) -> Method:
    def run_async_function(async_function: Method, *args: object, **kwargs: object) -> object:
        return original(_carry_context(async_function) or async_function, *args, **kwargs)

    return run_async_function


@guard
def _carry_context(function: Callable[P, Awaitable[R]]) -> Callable[P, Awaitable[R]] | None:
    """Return a function that runs in a copy of this context; None if this is inside no call."""
    if find_open_call() is None:
        return None
    context = copy_context()

    @functools.wraps(function)
    async def run_in_context(*args: P.args, **kwargs: P.kwargs) -> R:
        for variable, value in context.items():
            variable.set(value)
        return await function(*args, **kwargs)

    return run_in_context


_CORE = "litellm.litellm_core_utils"
_HANDLERS = "litellm.llms.custom_httpx.http_handler"
_POST = Around(_find_post, _finish_post, _fail_post)
TARGETS = (
    *(
        Target(module, "", "run_async_function", _wrap_thread_switch, ("async_function",), optional=True)
        for module in (f"{_CORE}.asyncify", f"{_CORE}.fallback_utils", "litellm.router")
    ),
    Target(
        f"{_CORE}.litellm_logging",
        "Logging",
        "update_environment_variables",
        wrap_step(Around(find_call, _learn_provider)),
    ),
    Target(
        f"{_CORE}.litellm_logging",
        "Logging",
        "pre_call",
        wrap_step(Around(find_call, _start_attempt)),
        ("additional_args",),
    ),
    Target(_HANDLERS, "HTTPHandler", "post", wrap_step(_POST), ("url",)),
    Target(_HANDLERS, "AsyncHTTPHandler", "post", wrap_step(_POST, is_async=True), ("url",)),
    Target(
        f"{_CORE}.llm_response_utils.response_metadata",
        "ResponseMetadata",
        "apply",
        wrap_step(Around(find_call, _complete_answer)),
    ),
)
