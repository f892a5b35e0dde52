"""LiteLLM: what the application asked for is the operation; what is sent for it, to whomever, are its attempts.

The functions of the package and the methods of its Router are patched, the outermost counts. What is said of the call
is learned inside, where whoever else is patched has begun: from the log that LiteLLM keeps of each call, from its HTTP
handlers and from our adapters of the SDKs that it uses. The application's lists of callbacks are not touched.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from otel_agentops import _patching
from otel_agentops._client_call import UNOBSERVED, ClientCall, begin_call
from otel_agentops._guard import guard
from otel_agentops._patching import ClientInfo, PatchedLibrary, Target
from otel_agentops._streams import observe_class
from otel_agentops.clients._protocols.fields import as_text
from otel_agentops.clients.litellm import _wire
from otel_agentops.clients.litellm._inside import TARGETS, Asked, answered, call_of, current, is_stream, refused
from otel_agentops.clients.litellm._wire import OPERATIONS, Operation

# What LiteLLM adds to the arguments when it calls itself for the same operation.
_PASSED_ON = frozenset({"litellm_call_id", "litellm_logging_obj", "litellm_trace_id", "model_info"})


def _calling(operation: Operation, positional: tuple[str, ...], router: bool = False) -> Callable[..., Any]:
    def wrap(original: Callable[..., Any], patched: PatchedLibrary) -> Callable[..., Any]:
        def call(*args: Any, **kwargs: Any) -> Any:
            with _begin(patched, operation, router, positional, args, kwargs) or UNOBSERVED as watch:
                try:
                    result = original(*args, **kwargs)
                except BaseException as error:
                    _raised(error)
                    raise
                _returned(patched, watch, result)
                return result

        return call

    return wrap


def _async_calling(operation: Operation, positional: tuple[str, ...], router: bool = False) -> Callable[..., Any]:
    def wrap(original: Callable[..., Any], patched: PatchedLibrary) -> Callable[..., Any]:
        async def call(*args: Any, **kwargs: Any) -> Any:
            with _begin(patched, operation, router, positional, args, kwargs) or UNOBSERVED as watch:
                try:
                    result = await original(*args, **kwargs)
                except BaseException as error:
                    _raised(error)
                    raise
                _returned(patched, watch, result)
                return result

        return call

    return wrap


@guard
def _begin(
    patched: PatchedLibrary,
    operation: Operation,
    router: bool,
    positional: tuple[str, ...],
    args: Any,
    kwargs: dict[str, Any],
) -> ClientCall | None:
    """A watch over the outermost call; what LiteLLM calls for it inside is only noted."""
    given = {**dict(zip(positional, args[1:] if router else args, strict=False)), **kwargs} if args else kwargs
    outer = current()
    if outer is not None and outer.context.operation.kind == operation.kind and not _PASSED_ON.isdisjoint(given):
        if outer.context.alias is not None:  # with what the Router's deployment adds
            outer.context = outer.context._replace(given=given)
        return None
    watch = begin_call(patched, operation.endpoint)
    if watch is not None:
        watch.accepts_nested = True
        watch.context = Asked(operation, as_text(given.get("model")) if router else None, given)
    return watch


@guard
def _raised(error: BaseException) -> None:
    watch = current()
    if watch is None:
        return
    if not watch.has_started:  # a Router without a deployment that is not cooling down
        watch.operation_known(call_of(watch.context))
    if watch.is_attempt_in_flight:
        refused(watch, error)


@guard
def _returned(patched: PatchedLibrary, watch: ClientCall | None, result: Any) -> None:
    if watch is None:
        return
    if not watch.has_started:
        watch.operation_known(call_of(watch.context))
    if watch.is_attempt_in_flight:
        watch.attempt_finished(200)
    watch.use_endpoint(_wire.believed(watch.endpoint, watch.context.given, result))
    if is_stream(result):
        observe_class(patched, result, watch)
    else:
        answered(watch, result)


def _targets() -> Iterator[Target]:
    for name, (operation, positional, routed) in OPERATIONS.items():
        yield Target("litellm", "", name, _calling(operation, positional))
        yield Target("litellm", "", f"a{name}", _async_calling(operation, positional))
        yield Target("litellm", "Router", name, _calling(operation, routed, True), optional=True)
        yield Target("litellm", "Router", f"a{name}", _async_calling(operation, routed, True), optional=True)


LIBRARY = PatchedLibrary(
    "litellm",
    ">=1.100,<2",  # before, its streams do not tell which model answers
    (*_targets(), *TARGETS),
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
