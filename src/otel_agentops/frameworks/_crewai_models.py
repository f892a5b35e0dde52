"""Models of CrewAI whose provider has no client here.

Each class of a model has a `call` of its own, and may have an `acall`:
https://github.com/crewAIInc/crewAI/blob/main/lib/crewai/src/crewai/llms/base_llm.py
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

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
from otel_agentops.operations import ModelCall

_PARAMETERS = ("temperature", "max_tokens", "top_p", "seed", "stop", "presence_penalty", "frequency_penalty")


class ModelRun(NamedTuple):
    """The context of a call: the model and what it is given, by name."""

    model: Any
    given: Mapping[str, Any]

    def read_request(self) -> tuple[ModelCall, Mapping[str, Any]]:
        """Return the call, and its body as far as the library knows it."""
        settings = {name: getattr(self.model, name, None) or None for name in _PARAMETERS}
        messages = self.given["messages"]
        turns = [{"role": "user", "content": messages}] if isinstance(messages, str) else list(messages or ())
        call = describe_call(
            None,
            getattr(self.model, "model", None),
            settings,
            [each["content"] for each in turns if each["role"] == "system"],
            self.given["tools"] or None,
        )
        return call, {"messages": turns, **settings}


# An answer is a text, or the calls of tools in the form of whichever provider: nothing of it is read.
ENDPOINT = make_endpoint(lambda result: make_answer(None, (None, None)))


def _begin(library: PatchedLibrary, args: Arguments, kwargs: Keywords) -> FrameworkCall | None:
    return begin_model_call(
        library, ENDPOINT, ModelRun(args[0], name_arguments(("messages", "tools"), args[1:], kwargs))
    )


TARGET = watch_models(
    "crewai.llms.base_llm",
    "BaseLLM",
    {"call": wrap_method(_begin, "call"), "acall": wrap_method(_begin, "coroutine")},
)
