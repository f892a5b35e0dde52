"""Models of Google ADK whose provider has no client here.

Each class of a model has a `generate_content_async` of its own:
https://github.com/google/adk-python/blob/main/src/google/adk/models/base_llm.py
"""

from __future__ import annotations

from typing import Any, NamedTuple

from otel_agentops._endpoint import FoldState
from otel_agentops._patching import PatchedLibrary
from otel_agentops._wrapping import Arguments, Keywords
from otel_agentops.frameworks._model_calls import (
    FrameworkCall,
    begin_model_call,
    describe_call,
    describe_function,
    make_answer,
    make_endpoint,
    name_arguments,
    watch_models,
    wrap_method,
)
from otel_agentops.operations import Answer, ModelCall

_PARAMETERS = ("temperature", "top_p", "top_k", "seed", "presence_penalty", "frequency_penalty")


class ModelRun(NamedTuple):
    """The context of a call: the model and its request."""

    model: Any
    request: Any

    def read_request(self) -> tuple[ModelCall, dict[str, Any]]:
        """Return the call, and its body as far as the library knows it."""
        request, config = self.request, self.request.config
        settings = {name: getattr(config, name, None) for name in _PARAMETERS}
        settings |= {"max_tokens": config.max_output_tokens, "stop": config.stop_sequences}
        instructions = config.system_instruction
        call = describe_call(
            None,
            request.model or getattr(self.model, "model", None),
            settings,
            [instructions] if isinstance(instructions, str) and instructions else [],
            [_describe_tool(each) for group in config.tools or () for each in _list_functions(group)] or None,
        )
        turns = [
            {"role": each.role, "content": [part.text for part in each.parts or () if part.text]}
            for each in request.contents
        ]
        return call, {"messages": turns, **settings}


def _list_functions(tool: Any) -> list[Any]:
    return getattr(tool, "function_declarations", None) or []


def _describe_tool(declaration: Any) -> dict[str, Any]:
    schema = declaration.parameters_json_schema
    if schema is None and declaration.parameters is not None:
        schema = declaration.parameters.model_dump(mode="json", exclude_none=True)
    return describe_function(declaration.name, declaration.description, schema)


def fold_response(state: FoldState, response: Any) -> bool:
    """Keep what one response says of the answer; the calls of tools are in those that are not partial."""
    for name in ("model_version", "finish_reason", "usage_metadata"):
        if (value := getattr(response, name, None)) is not None:
            state[name] = value
    if not response.partial and response.content is not None:
        functions = [part.function_call for part in response.content.parts or () if part.function_call]
        state.setdefault("calls", []).extend((each.name, each.args) for each in functions)
    return False


def finish_fold(state: FoldState) -> Answer:
    """Build the answer from the responses of a stream."""
    usage, reason = state.get("usage_metadata"), state.get("finish_reason")
    tokens = (None, None) if usage is None else (usage.prompt_token_count, usage.candidates_token_count)
    name = None if reason is None else str(getattr(reason, "value", reason))
    return make_answer(state.get("model_version"), tokens, None, name, state.get("calls", ()))


ENDPOINT = make_endpoint(finish_fold, fold_response, finish_fold)


def _begin(library: PatchedLibrary, args: Arguments, kwargs: Keywords) -> FrameworkCall | None:
    given = name_arguments(("llm_request",), args[1:2], kwargs)
    return begin_model_call(library, ENDPOINT, ModelRun(args[0], given["llm_request"]))


TARGET = watch_models(
    "google.adk.models.base_llm", "BaseLlm", {"generate_content_async": wrap_method(_begin, "async_iterator")}
)
