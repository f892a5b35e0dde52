"""Models that a program wrote for DSPy: a class with a `forward`, or an engine of `dspy.LM` with a `complete`.

`dspy.LM` itself is left alone: its answers may come from a cache, and its requests are observed where they are sent.
https://github.com/stanfordnlp/dspy/blob/main/dspy/clients/base_lm.py
https://github.com/stanfordnlp/dspy/blob/main/dspy/clients/lm.py
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from otel_agentops._patching import PatchedLibrary, Target
from otel_agentops._wrapping import Arguments, Around, Keywords, wrap_step
from otel_agentops.frameworks._dspy_client import finish_stream, fold_event
from otel_agentops.frameworks._model_calls import (
    FrameworkCall,
    begin_model_call,
    describe_call,
    describe_function,
    make_answer,
    make_endpoint,
    name_arguments,
    patch_methods,
    watch_models,
    wrap_method,
)
from otel_agentops.operations import Answer, ModelCall

_PARAMETERS = ("temperature", "max_tokens", "top_p", "seed", "stop", "tool_choice")


class ModelRun(NamedTuple):
    """The context of a call: the model and what it is given, by name."""

    model: Any
    given: Mapping[str, Any]

    def read_request(self) -> tuple[ModelCall, Mapping[str, Any]]:
        """Return the call, and its body as far as the library knows it."""
        settings = {**(getattr(self.model, "kwargs", None) or {}), **self.given}
        wanted = {name: settings.get(name) for name in _PARAMETERS}
        turns = list(self.given["messages"] or [{"role": "user", "content": self.given["prompt"]}])
        call = describe_call(
            None,
            getattr(self.model, "model", None),
            wanted,
            [each["content"] for each in turns if each["role"] == "system"],
            self.given.get("tools"),
        )
        return call, {"messages": turns, **wanted}


def read_answer(response: Any) -> Answer:
    """Read a response, which has the form of OpenAI's; a class may make its parts mappings or objects."""
    usage = _get(response, "usage")
    choices = _get(response, "choices")
    reason = _get(choices[0], "finish_reason") if choices else None
    model = _get(response, "model")
    return make_answer(
        model if isinstance(model, str) else None,
        (_get(usage, "prompt_tokens"), _get(usage, "completion_tokens")),
        None,
        reason if isinstance(reason, str) else None,
    )


def _get(value: Any, name: str) -> Any:
    return value.get(name) if isinstance(value, Mapping) else getattr(value, name, None)


ENDPOINT = make_endpoint(read_answer)


def _begin(library: PatchedLibrary, args: Arguments, kwargs: Keywords) -> FrameworkCall | None:
    given = name_arguments(("prompt", "messages"), args[1:], kwargs)
    return begin_model_call(library, ENDPOINT, ModelRun(args[0], given))


# -- engines


class EngineRun(NamedTuple):
    """The context of a call of an engine: the request, which is the same for all providers."""

    request: Any

    def read_request(self) -> tuple[ModelCall, Mapping[str, Any]]:
        """Return the call, and its body as far as the library knows it."""
        request = self.request
        settings = {name: getattr(request.config, name, None) or None for name in _PARAMETERS if name != "tool_choice"}
        if settings["stop"] is not None:
            settings["stop"] = list(settings["stop"])
        system = request.system
        texts = [system] if isinstance(system, str) else [each.text for each in system or () if hasattr(each, "text")]
        tools = [
            describe_function(each.name, each.description, each.parameters)
            for each in request.tools
            if each.type == "function"
        ]
        turns = [{"role": each.role, "content": each.text} for each in request.messages]
        call = describe_call(None, request.model, settings, texts, tools or None)
        return call, {"messages": turns, **settings}


def read_response(response: Any) -> Answer:
    """Read the response of an engine."""
    usage = response.usage
    tokens = (usage.input_tokens, usage.output_tokens)
    return make_answer(response.model, tokens, response.id, response.finish_reason)


ENGINE_ENDPOINT = make_endpoint(read_response, fold_event, finish_stream)


def _begin_complete(library: PatchedLibrary, args: Arguments, kwargs: Keywords) -> FrameworkCall | None:
    return begin_model_call(
        library, ENGINE_ENDPOINT, EngineRun(name_arguments(("request",), args[1:], kwargs)["request"])
    )


_ENGINE = {"complete": wrap_method(_begin_complete, "call"), "stream": wrap_method(_begin_complete, "iterator")}
_ASYNC_ENGINE = {
    "complete": wrap_method(_begin_complete, "coroutine"),
    "stream": wrap_method(_begin_complete, "async_iterator"),
}


def _patch_engines(library: PatchedLibrary, args: Arguments, kwargs: Keywords) -> None:
    """Patch the classes of the engines that a program made, which are about to be used."""
    for name, methods in (("engine", _ENGINE), ("async_engine", _ASYNC_ENGINE)):
        engine = kwargs.get(name)
        if engine is not None and not isinstance(engine, str):
            for owner in type(engine).__mro__:
                patch_methods(library, owner, methods)


TARGETS = (
    watch_models(
        "dspy.clients.base_lm",
        "BaseLM",
        {"forward": wrap_method(_begin, "call"), "aforward": wrap_method(_begin, "coroutine")},
        leaves_out="dspy.clients",
    ),
    Target("dspy.clients.lm", "LM", "__init__", wrap_step(Around(_patch_engines))),
)
