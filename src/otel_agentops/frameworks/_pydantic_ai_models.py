"""Models of Pydantic AI whose provider has no client here.

Each class of a model has a `request` and a `request_stream` of its own, which are patched when an agent is about to use
an object of it: https://github.com/pydantic/pydantic-ai/blob/main/pydantic_ai_slim/pydantic_ai/models/__init__.py
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any, NamedTuple

from otel_agentops._client_call import UNOBSERVED
from otel_agentops._guard import guard
from otel_agentops._patching import Method, PatchedLibrary, Target
from otel_agentops._wrapping import Arguments, Around, Keywords, wrap_call, wrap_step
from otel_agentops.frameworks._model_calls import (
    FrameworkCall,
    begin_model_call,
    describe_call,
    describe_function,
    make_answer,
    make_endpoint,
    patch_methods,
    take_response,
)
from otel_agentops.operations import Answer, ModelCall

# The library's word for a provider to that of the convention, if they differ.
_PROVIDERS = {
    "azure": "azure.ai.openai",
    "bedrock": "aws.bedrock",
    "google": "gcp.gemini",
    "google-cloud": "gcp.vertex_ai",
    "mistral": "mistral_ai",
    "xai": "x_ai",
}
_PARAMETERS = ("temperature", "max_tokens", "top_p", "top_k", "seed", "presence_penalty", "frequency_penalty")


class ModelRun(NamedTuple):
    """The context of a call: the model and what it is given."""

    model: Any
    messages: Sequence[Any]
    settings: Mapping[str, Any] | None
    parameters: Any

    def read_request(self) -> tuple[ModelCall, Mapping[str, Any]]:
        """Return the call, and its body as far as the library knows it."""
        model, offered = self.model, self.parameters
        settings = {**(model.settings or {}), **(self.settings or {})}
        wanted = {name: settings.get(name) for name in _PARAMETERS} | {"stop": settings.get("stop_sequences")}
        parts = [part for message in self.messages for part in message.parts]
        instructions = [part.content for part in parts if part.part_kind == "system-prompt"]
        if own := next(
            (text for each in reversed(self.messages) if (text := getattr(each, "instructions", None))), None
        ):
            instructions.append(own)
        tools = [_describe_tool(each) for each in (*offered.function_tools, *offered.output_tools)]
        call = describe_call(
            _PROVIDERS.get(model.system, model.system), model.model_name, wanted, instructions, tools or None
        )
        turns = [{"role": "user", "content": part.content} for part in parts if part.part_kind == "user-prompt"]
        return call, {"messages": turns, **wanted}


def _describe_tool(definition: Any) -> dict[str, Any]:
    return describe_function(definition.name, definition.description, definition.parameters_json_schema)


def read_answer(response: Any) -> Answer:
    """Read the response of a model; a usage without any value is unknown."""
    usage = response.usage
    return make_answer(
        response.model_name,
        (usage.input_tokens, usage.output_tokens) if usage.has_values() else (None, None),
        getattr(response, "provider_response_id", None),
        getattr(response, "finish_reason", None),
        [(part.tool_name, part.args) for part in response.parts if part.part_kind == "tool-call"],
    )


ENDPOINT = make_endpoint(read_answer)


def _begin(library: PatchedLibrary, args: Arguments, kwargs: Keywords) -> FrameworkCall | None:
    named = dict(zip(("model", "messages", "model_settings", "model_request_parameters"), args, strict=False)) | kwargs
    run = ModelRun(named["model"], named["messages"], named["model_settings"], named["model_request_parameters"])
    return begin_model_call(library, ENDPOINT, run)


def _wrap_stream(original: Method, library: PatchedLibrary) -> Method:
    """Return the wrapper of a method that sends its request when the block of its result is entered."""
    begin = guard(_begin)

    @asynccontextmanager
    async def request_stream(*args: Any, **kwargs: Any) -> AsyncIterator[Any]:
        async with AsyncExitStack() as stack:
            with begin(library, args, kwargs) or UNOBSERVED as call:
                response = await stack.enter_async_context(original(*args, **kwargs))
                _start_stream(call)
            try:
                yield response
            except BaseException as error:
                _end_stream(call, response, error)
                raise
            _end_stream(call, response, None)

    return request_stream


@guard
def _start_stream(call: FrameworkCall | None) -> None:
    if call is not None:
        call.start_late()


@guard
def _end_stream(call: FrameworkCall | None, response: Any, error: BaseException | None) -> None:
    """End the call with what has come so far; a stream that is left early is no failure."""
    if call is not None:
        call.response_received(response.get())
        call.end(None if isinstance(error, GeneratorExit) else error)


_METHODS = {"request": wrap_call(Around(_begin, take_response), is_async=True), "request_stream": _wrap_stream}


def list_models(model: Any) -> Iterator[Any]:
    """Yield a model, and those that it asks in its place."""
    yield model
    for inner in (getattr(model, "wrapped", None), *getattr(model, "models", ())):
        if inner is not None:
            yield from list_models(inner)


def _patch_models(library: PatchedLibrary, args: Arguments, kwargs: Keywords) -> None:
    """Patch the classes of a model that is about to be asked."""
    for model in list_models(args[0] if args else kwargs["model"]):
        for owner in type(model).__mro__:
            patch_methods(library, owner, _METHODS)


GRAPH = "pydantic_ai._agent_graph"
TARGETS = tuple(
    Target(GRAPH, "", name, wrap_step(Around(_patch_models)), ("model",))
    for name in ("model_request", "model_request_stream")
)
