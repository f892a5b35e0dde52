"""Models of AutoGen whose provider has no client here.

Each class of a model client has a `create` and a `create_stream` of its own:
https://github.com/microsoft/autogen/blob/main/python/packages/autogen-core/src/autogen_core/models/_model_client.py
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
    fold_last,
    make_answer,
    make_endpoint,
    name_arguments,
    watch_models,
    wrap_method,
)
from otel_agentops.operations import NO_ANSWER, Answer, ModelCall

_PARAMETERS = ("temperature", "max_tokens", "top_p", "top_k", "seed", "stop")
_CACHE = "autogen_ext.models.cache"  # its client asks another one, or nobody


class ModelRun(NamedTuple):
    """The context of a call: what the model is given, by name. No class has to say which model it is."""

    given: Mapping[str, Any]

    def read_request(self) -> tuple[ModelCall, Mapping[str, Any]]:
        """Return the call, and its body as far as the library knows it."""
        settings = self.given["extra_create_args"] or {}
        wanted = {name: settings.get(name) for name in _PARAMETERS}
        messages = self.given["messages"]
        tools = [_describe_tool(each) for each in self.given["tools"] or ()]
        call = describe_call(
            None,
            settings.get("model"),
            wanted,
            [each.content for each in messages if each.type == "SystemMessage"],
            tools or None,
        )
        turns = [{"role": "user", "content": each.content} for each in messages if each.type == "UserMessage"]
        return call, {"messages": turns, **wanted}


def _describe_tool(tool: Any) -> dict[str, Any]:
    schema = tool if isinstance(tool, Mapping) else tool.schema
    return describe_function(*map(schema.get, ("name", "description", "parameters")))


def read_answer(result: Any) -> Answer:
    """Read a result; a usage of zero tokens is that of a client which does not count."""
    usage = result.usage
    tokens = (usage.prompt_tokens, usage.completion_tokens)
    calls = [] if isinstance(result.content, str) else [(each.name, each.arguments) for each in result.content]
    return make_answer(None, tokens if any(tokens) else (None, None), None, result.finish_reason, calls)


def finish_fold(state: FoldState) -> Answer:
    """Read the last item of a stream, which is a result unless the stream was left early."""
    last = state["last"]
    return NO_ANSWER if isinstance(last, str) else read_answer(last)


ENDPOINT = make_endpoint(read_answer, fold_last, finish_fold)


def _begin(library: PatchedLibrary, args: Arguments, kwargs: Keywords) -> FrameworkCall | None:
    given = name_arguments(("messages", "tools", "extra_create_args"), args[1:2], kwargs)
    return begin_model_call(library, ENDPOINT, ModelRun(given))


TARGET = watch_models(
    "autogen_agentchat.agents._assistant_agent",  # not where it is made: that is in a library of its own
    "ChatCompletionClient",
    {"create": wrap_method(_begin, "coroutine"), "create_stream": wrap_method(_begin, "async_iterator")},
    leaves_out=_CACHE,
)
