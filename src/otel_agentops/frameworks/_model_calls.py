"""Model calls of a framework whose provider has no client here: told at their end, if nobody else observed them."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal, Protocol

from opentelemetry.trace import Span
from typing_extensions import override

from otel_agentops._client_call import ClientCall, begin_call
from otel_agentops._endpoint import Endpoint, FoldState
from otel_agentops._foreign_spans import Description, describe_span
from otel_agentops._guard import guard
from otel_agentops._patching import Method, PatchedLibrary, Target, Wrap, watch_subclasses
from otel_agentops._streams import observe_lazy_async_stream, observe_lazy_stream
from otel_agentops._wrapping import Arguments, Around, Keywords, wrap_call
from otel_agentops.clients._protocols.openai_chat import normalise_tool
from otel_agentops.operations import Answer, Attributes, LibraryOperation, ModelCall
from otel_agentops.semconv import attributes as A


class ModelRun(Protocol):
    """The context of a call: the framework's model and what it is given."""

    def read_request(self) -> tuple[ModelCall, Mapping[str, Any]]:
        """Return the call, and a body with the turns of the user to compare it with others."""


class FrameworkCall(ClientCall[Any]):
    """A call of a model through a framework, which has no span as long as a client inside may make one.

    Attributes:
        is_covered: True if a client inside has observed it.
        foreign_span: The span that another instrumentation has of a stream, which may be read in another context.
    """

    __slots__ = ("foreign_span", "is_covered")

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.is_covered = False
        self.foreign_span: Span | None = None

    @override
    def expects(self, operation: LibraryOperation) -> bool:
        """Return False: an inference that a client inside starts is the operation, and this call is none."""
        if isinstance(operation, ModelCall) and operation.is_inference:  # an embedding or a search is another
            self.is_covered = True
        if self._outer is not None:
            self._outer.expects(operation)
        return False

    @override
    def chunk_received(self, chunk: Any) -> None:
        """Record one chunk; the first one comes after the request was made."""
        self.start_late()
        super().chunk_received(chunk)

    @override
    def response_received(self, result: Any) -> None:
        """Record the whole answer, unless a client inside has, or it was told inside another's span."""
        self.start_late()
        if self.has_started and not self.has_answer:
            super().response_received(result)

    @override
    def call_failed(self, error: BaseException) -> None:
        """End a call that raised."""
        self.start_late()
        super().call_failed(error)

    @guard
    def start_late(self) -> None:
        """Start the operation when the request was made, unless a client inside has observed it."""
        if self.is_covered or self.has_started:
            return
        operation, body = self.context.read_request()
        if self._outer is not None:
            self._outer.expects(operation)
        self.body = body
        self.operation = operation
        if self.foreign_span is not None:
            describe_span(self.foreign_span, Description("chat"))
        self.start_operation(operation)

    def start_operation(self, operation: ModelCall) -> None:
        """Start the operation; nothing runs inside any more."""
        if self.start(operation) and self.span is not None:
            self.span.detach()


def begin_model_call(
    library: PatchedLibrary, endpoint: Endpoint, run: ModelRun, kind: type[FrameworkCall] = FrameworkCall
) -> FrameworkCall | None:
    """Return the observation of a call that is about to be made; None if it is to pass unobserved."""
    call = begin_call(library, endpoint, run, accepts_nested=True, kind=kind)
    return call if isinstance(call, FrameworkCall) else None


def take_response(call: FrameworkCall, response: Any, args: Arguments, kwargs: Keywords) -> None:
    """Tell the whole answer that a method returned."""
    call.response_received(response)


def describe_call(
    provider: str | None,
    model: object,
    settings: Mapping[str, Any],
    instructions: Sequence[str],
    tools: Sequence[Any] | None,
    operation: str = "chat",
) -> ModelCall:
    """Return a call with the facts that frameworks have of one.

    Args:
        provider: `gen_ai.provider.name`; None if nobody says it.
        model: The name of the model asked for; it is unknown if this is no text.
        settings: Parameters by OpenAI's names; those that are None are unknown.
        instructions: The texts of the system.
        tools: The tools offered, as OpenAI has them.
        operation: `gen_ai.operation.name`.
    """
    params = {name: value for name, value in settings.items() if value is not None}
    model = model if isinstance(model, str) else None  # a class of a program may have anything in its place
    sampling = {
        A.GEN_AI_REQUEST_TEMPERATURE: params.get("temperature"),
        A.GEN_AI_REQUEST_MAX_TOKENS: params.get("max_tokens"),
        A.GEN_AI_REQUEST_STOP_SEQUENCES: params.get("stop"),
    }
    attributes: Attributes = {name: value for name, value in sampling.items() if value is not None}
    return ModelCall(
        operation,
        provider,
        model,
        attributes,
        instructions=tuple(instructions),
        tools=tools,
        normalise_tool=normalise_tool,
        params=params,
    )


def describe_function(name: object, description: object, parameters: object) -> dict[str, Any]:
    """Return a tool as OpenAI has it; what is None is left out."""
    function = {"name": name, "description": description, "parameters": parameters}
    return {"type": "function", "function": {key: value for key, value in function.items() if value is not None}}


def _refuse_body(body: Mapping[str, Any], facts: Any) -> LibraryOperation:
    raise TypeError("the operation is read when the call is over")


def make_endpoint(read_answer: Method, fold: Method | None = None, finish: Method | None = None) -> Endpoint:
    """Return the endpoint of a framework's models: how an answer is read, and the chunks of one."""
    endpoint = Endpoint(_refuse_body, read_answer, reports_attempts=False)
    return endpoint if fold is None or finish is None else endpoint._replace(fold=fold, finish_fold=finish)


def fold_last(state: FoldState, chunk: Any) -> bool:
    """Keep the last chunk, if a framework repeats in each what came before."""
    state["last"] = chunk
    return False


def make_answer(
    model: object,
    tokens: tuple[object, object],
    response_id: str | None = None,
    finish_reason: str | None = None,
    tool_calls: Sequence[tuple[str, Any]] = (),
) -> Answer:
    """Return an answer; what the framework does not tell is None, and a count that is no number is unknown."""
    attributes: Attributes = {} if finish_reason is None else {A.GEN_AI_RESPONSE_FINISH_REASONS: [finish_reason]}
    if response_id:
        attributes[A.GEN_AI_RESPONSE_ID] = response_id
    input_tokens, output_tokens = (count if type(count) is int else None for count in tokens)
    return Answer(str(model) if model else None, attributes, input_tokens, output_tokens, tool_calls=list(tool_calls))


# -- classes of models, whose methods are those of each class

Kind = Literal["call", "coroutine", "iterator", "async_iterator"]
Begin = Callable[[PatchedLibrary, Arguments, Keywords], "ClientCall | None"]


def wrap_stream(begin: Begin, *, is_async: bool = False) -> Wrap:
    """Return the wrapper of a method that returns a stream, which makes its request with the first item."""
    observe: Callable[..., Any] = observe_lazy_async_stream if is_async else observe_lazy_stream
    begin_guarded = guard(begin)

    def wrap(original: Method, library: PatchedLibrary) -> Method:
        def stream(*args: Any, **kwargs: Any) -> Any:
            source = original(*args, **kwargs)
            return observe(source, lambda: begin_guarded(library, args, kwargs)) if library.active else source

        return stream

    return wrap


def wrap_method(begin: Begin, kind: Kind) -> Wrap:
    """Return the wrapper of a method that asks a model."""
    if kind in ("iterator", "async_iterator"):
        return wrap_stream(begin, is_async=kind == "async_iterator")
    around: Around[FrameworkCall] = Around(begin, take_response)
    return wrap_call(around, is_async=kind == "coroutine")


def patch_methods(library: PatchedLibrary, owner: type, methods: Mapping[str, Wrap]) -> None:
    """Patch the methods that a class defines itself; an abstract one asks nothing."""
    for name, wrap in methods.items():
        method = vars(owner).get(name)
        if inspect.isfunction(method) and not getattr(method, "__isabstractmethod__", False):
            library.patch_class(owner, name, wrap)


def watch_models(module: str, base: str, methods: Mapping[str, Wrap], leaves_out: str | None = None) -> Target:
    """Return the target that patches the classes of models below a base class, also those that are made later.

    Args:
        module: A module of the library that has the base class, its own or one that imports it.
        base: The base class.
        methods: The wrappers of the methods that ask a model, by name.
        leaves_out: The name of a package whose classes are left alone; None for none.
    """

    def find_base() -> type | None:
        return getattr(sys.modules.get(module), base, None)

    @guard
    def patch_class(library: PatchedLibrary, owner: type) -> None:
        if leaves_out is not None and f"{owner.__module__}.".startswith(f"{leaves_out}."):
            return
        patch_methods(library, owner, methods)

    return Target(module, base, "__init_subclass__", watch_subclasses(find_base, patch_class))


def name_arguments(names: Sequence[str], args: Arguments, kwargs: Keywords) -> dict[str, Any]:
    """Return the arguments of a method by name; those that are not given are None."""
    return {**dict.fromkeys(names), **dict(zip(names, args, strict=False)), **kwargs}
