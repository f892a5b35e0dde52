"""Models of smolagents whose provider has no client here, such as those that run in this process.

Each class of a model has a `generate` of its own, and may have a `generate_stream`:
https://github.com/huggingface/smolagents/blob/main/src/smolagents/models.py
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from otel_agentops._endpoint import FoldState
from otel_agentops._patching import PatchedLibrary
from otel_agentops._wrapping import Arguments, Keywords
from otel_agentops.frameworks._model_calls import (
    FrameworkCall,
    begin_model_call,
    describe_call,
    make_answer,
    make_endpoint,
    name_arguments,
    watch_models,
    wrap_method,
)
from otel_agentops.operations import Answer, ModelCall

_PARAMETERS = ("temperature", "max_tokens", "top_p", "top_k", "seed", "tool_choice", "response_format")


class ModelRun(NamedTuple):
    """The context of a call: the model and what it is given, by name."""

    model: Any
    given: Mapping[str, Any]

    def read_request(self) -> tuple[ModelCall, Mapping[str, Any]]:
        """Return the call, and its body as far as the library knows it."""
        from smolagents.models import get_tool_json_schema

        turns = [_describe_turn(each) for each in self.given["messages"]]
        settings = {**(getattr(self.model, "kwargs", None) or {}), **self.given}
        wanted = {name: settings.get(name) for name in _PARAMETERS} | {"stop": self.given["stop_sequences"]}
        call = describe_call(
            None,
            getattr(self.model, "model_id", None),
            wanted,
            [each["content"] for each in turns if each["role"] == "system"],
            [get_tool_json_schema(each) for each in self.given["tools_to_call_from"] or ()] or None,
        )
        return call, {"messages": turns, **wanted}


def _describe_turn(message: Any) -> dict[str, Any]:
    """Return a message, which is an object or the mapping of one, as OpenAI has it."""
    is_mapping = isinstance(message, Mapping)
    role = message["role"] if is_mapping else message.role
    content = message["content"] if is_mapping else message.content
    if isinstance(content, Sequence) and not isinstance(content, str):
        content = "\n".join(part["text"] for part in content if isinstance(part.get("text"), str))
    return {"role": str(getattr(role, "value", role)).replace("tool-response", "user"), "content": content}


def read_answer(message: Any) -> Answer:
    """Read the message that a model returned; a provider's own is in `raw`."""
    usage, raw = message.token_usage, message.raw
    model = raw.get("model") if isinstance(raw, Mapping) else getattr(raw, "model", None)
    calls = [(each.function.name, each.function.arguments) for each in message.tool_calls or ()]
    return make_answer(
        model if isinstance(model, str) else None,
        (None, None) if usage is None else (usage.input_tokens, usage.output_tokens),
        tool_calls=calls,
    )


def fold_delta(state: FoldState, delta: Any) -> bool:
    """Add the tokens of one piece of a stream."""
    if (usage := delta.token_usage) is not None:
        before = state.get("tokens", (0, 0))
        state["tokens"] = (before[0] + usage.input_tokens, before[1] + usage.output_tokens)
    return False


ENDPOINT = make_endpoint(read_answer, fold_delta, lambda state: make_answer(None, state.get("tokens", (None, None))))


def _begin(library: PatchedLibrary, args: Arguments, kwargs: Keywords) -> FrameworkCall | None:
    given = name_arguments(("messages", "stop_sequences", "response_format", "tools_to_call_from"), args[1:], kwargs)
    return begin_model_call(library, ENDPOINT, ModelRun(args[0], given))


TARGET = watch_models(
    "smolagents.models",
    "Model",
    {"generate": wrap_method(_begin, "call"), "generate_stream": wrap_method(_begin, "iterator")},
)
