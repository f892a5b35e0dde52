"""Models of the OpenAI Agents SDK whose provider has no client here.

Each class of a model has a `get_response` and a `stream_response` of its own:
https://github.com/openai/openai-agents-python/blob/main/src/agents/models/interface.py
"""

from __future__ import annotations

from collections.abc import Mapping
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
from otel_agentops.operations import NO_ANSWER, Answer, ModelCall

_PARAMETERS = ("temperature", "max_tokens", "top_p", "presence_penalty", "frequency_penalty")
_ARGUMENTS = ("system_instructions", "input", "model_settings", "tools", "output_schema", "handoffs")


class ModelRun(NamedTuple):
    """The context of a call: the model and what it is given, by name."""

    model: Any
    given: Mapping[str, Any]

    def read_request(self) -> tuple[ModelCall, Mapping[str, Any]]:
        """Return the call, and its body as far as the SDK knows it."""
        settings = {name: getattr(self.given["model_settings"], name, None) for name in _PARAMETERS}
        instructions, turns = self.given["system_instructions"], self.given["input"]
        tools = [_describe_tool(each) for each in self.given["tools"] or () if hasattr(each, "params_json_schema")]
        name = getattr(self.model, "model", None)
        call = describe_call(
            None,
            name,
            settings,
            [instructions] if instructions else [],
            tools or None,
        )
        messages = [{"role": "user", "content": turns}] if isinstance(turns, str) else list(turns)
        return call, {"messages": messages, **settings}


def _describe_tool(tool: Any) -> dict[str, Any]:
    return describe_function(tool.name, tool.description, tool.params_json_schema)


def read_answer(response: Any, model: str | None = None) -> Answer:
    """Read a response; a usage without a request is that of a class which does not count."""
    usage = response.usage
    is_counted = usage is not None and (usage.total_tokens > 0 or getattr(usage, "requests", 1) > 0)
    items = [each for each in response.output if getattr(each, "type", None) == "function_call"]
    return make_answer(
        model,
        (usage.input_tokens, usage.output_tokens) if is_counted else (None, None),
        getattr(response, "response_id", None),
        tool_calls=[(each.name, each.arguments) for each in items],
    )


def fold_event(state: FoldState, event: Any) -> bool:
    """Keep the response of the last event, which has it whole."""
    if (response := getattr(event, "response", None)) is not None:
        state["response"] = response
    return False


def finish_fold(state: FoldState) -> Answer:
    """Read the response of a stream; None came if it was left early."""
    response = state.get("response")
    return NO_ANSWER if response is None else read_answer(response, response.model or None)


ENDPOINT = make_endpoint(read_answer, fold_event, finish_fold)


def _begin(library: PatchedLibrary, args: Arguments, kwargs: Keywords) -> FrameworkCall | None:
    return begin_model_call(library, ENDPOINT, ModelRun(args[0], name_arguments(_ARGUMENTS, args[1:], kwargs)))


TARGET = watch_models(
    "agents.models.interface",
    "Model",
    {"get_response": wrap_method(_begin, "coroutine"), "stream_response": wrap_method(_begin, "async_iterator")},
)
