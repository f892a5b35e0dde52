"""LiteLLM: what the application asks for is the operation; what is sent for it, to any provider, are its attempts.

The functions of the package and the methods of its Router are patched; of nested ones the outermost is the operation.
What is known of the call is learned inside, where other instrumentations have begun: from the log that LiteLLM keeps of
each call, from its HTTP handlers (`_inside`) and from our adapters of the SDKs that it uses. The application's lists of
callbacks are not touched. Patched are https://github.com/BerriAI/litellm/blob/main/litellm/main.py and
https://github.com/BerriAI/litellm/blob/main/litellm/router.py.
"""

from __future__ import annotations

from collections.abc import Iterator

from otel_agentops import _patching
from otel_agentops._client_call import begin_call
from otel_agentops._patching import ClientInfo, Method, PatchedLibrary, Target, Wrap
from otel_agentops._streams import observe_class
from otel_agentops._wrapping import Arguments, Around, Keywords, wrap_call, wrap_step
from otel_agentops.clients._protocols.fields import as_text
from otel_agentops.clients.litellm._inside import (
    TARGETS,
    Call,
    LitellmCall,
    fail_attempt,
    find_call,
    find_open_call,
    is_stream,
    make_model_call,
    receive_result,
)
from otel_agentops.clients.litellm._wire import OPERATIONS, Operation, limit_endpoint

# What LiteLLM adds to the arguments when it calls itself for the same operation.
_PASSED_ON = frozenset({"litellm_call_id", "litellm_logging_obj", "litellm_trace_id", "model_info"})


def wrap_operation(
    operation: Operation, positional: tuple[str, ...], *, is_async: bool = False, is_router: bool = False
) -> Wrap:
    """Return the wrapper of a function of the package or of a method of a Router.

    Args:
        operation: What it does.
        positional: The names of its leading arguments.
        is_async: True for a coroutine function.
        is_router: True for a method, whose model is a name of the Router's.
    """

    def begin(library: PatchedLibrary, args: Arguments, kwargs: Keywords) -> Call | None:
        """Begin the outermost call; of a call that LiteLLM makes for it inside only the arguments are kept."""
        names = zip(positional, args[1:] if is_router else args, strict=False)
        arguments = {**dict(names), **kwargs} if args else kwargs
        outer = find_open_call()
        if (
            outer is not None
            and outer.context.operation.kind == operation.kind
            and not _PASSED_ON.isdisjoint(arguments)
        ):
            outer.context.use_deployment(arguments)
            return None
        router_model = as_text(arguments.get("model")) if is_router else None
        context = LitellmCall(library, operation, router_model, arguments)
        return begin_call(library, operation.endpoint, context, accepts_nested=True)

    wrap_whole = wrap_call(Around(begin, _hand_out), is_async=is_async)
    # An inner call that fails is an attempt of the outermost one, which alone has an observation.
    wrap_failure = wrap_step(Around(find_call, failed=_record_failure), is_async=is_async)

    def wrap(original: Method, library: PatchedLibrary) -> Method:
        return wrap_whole(wrap_failure(original, library), library)

    return wrap


def _record_failure(call: Call, error: BaseException, args: Arguments, kwargs: Keywords) -> None:
    if not call.is_open:
        return
    if not call.has_started:  # a Router without a deployment that is not cooling down
        call.operation_known(make_model_call(call.context), call.context.arguments)
    if call.is_attempt_in_flight:
        fail_attempt(call, error)


def _hand_out(call: Call, result: object, args: Arguments, kwargs: Keywords) -> None:
    if not call.has_started:
        call.operation_known(make_model_call(call.context), call.context.arguments)
    if call.is_attempt_in_flight:
        call.attempt_finished(200)
    call.use_endpoint(limit_endpoint(call.endpoint, call.context.arguments, result))
    if is_stream(result):
        observe_class(call.context.library, result, call)
    else:
        receive_result(call, result)


def _list_targets() -> Iterator[Target]:
    for name, (operation, positional, routed) in OPERATIONS.items():
        for is_async in (False, True):
            function = f"a{name}" if is_async else name
            yield Target("litellm", "", function, wrap_operation(operation, positional, is_async=is_async))
            wrap_method = wrap_operation(operation, routed, is_async=is_async, is_router=True)
            yield Target("litellm", "Router", function, wrap_method, optional=True)


LIBRARY = PatchedLibrary(
    "litellm",
    ">=1.100,<2",  # before, its streams do not tell which model answers
    (*_list_targets(), *TARGETS),
    ClientInfo(
        operations=("chat", "responses", "text completions", "embeddings", "retrieval (rerank)", "Router"),
        native='`litellm.callbacks=["otel"]` comes when the call has ended: its `raw_gen_ai_request` is below our span',
        not_covered=(
            "the proxy server",
            "images, audio, moderation, files, batches, assistants, `anthropic.messages`, `batch_completion`",
            "functions that were imported from `litellm` before the instrumentation",
        ),
    ),
)


class Instrumentor(_patching.Instrumentor):
    """Entry point `agentops_litellm`."""

    libraries = (LIBRARY,)


LiteLLMInstrumentor = Instrumentor  # the name that others give theirs
