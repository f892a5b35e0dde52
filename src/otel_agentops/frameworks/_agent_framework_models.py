"""Models of Agent Framework whose provider has no client here.

Each class of a chat client has an `_inner_get_response` of its own, which returns a coroutine or a stream:
https://github.com/microsoft/agent-framework/blob/main/python/packages/core/agent_framework/_clients.py
"""

from __future__ import annotations

from collections.abc import Awaitable, Mapping, Sequence
from typing import Any, NamedTuple

from otel_agentops._endpoint import FoldState
from otel_agentops._guard import guard
from otel_agentops._patching import Method, PatchedLibrary
from otel_agentops._streams import observe_class
from otel_agentops._wrapping import Around, wrap_call
from otel_agentops.frameworks._model_calls import (
    FrameworkCall,
    begin_model_call,
    describe_call,
    make_answer,
    make_endpoint,
    take_response,
    watch_models,
)
from otel_agentops.operations import Answer, ModelCall

_PARAMETERS = ("temperature", "max_tokens", "top_p", "seed", "stop", "presence_penalty", "frequency_penalty")


class ModelRun(NamedTuple):
    """The context of a call: the chat client and what it is given."""

    client: Any
    messages: Any
    options: Mapping[str, Any]

    def read_request(self) -> tuple[ModelCall, Mapping[str, Any]]:
        """Return the call, and its body as far as the library knows it."""
        settings = {name: self.options.get(name) for name in _PARAMETERS}
        instructions = self.options.get("instructions")
        turns = [{"role": str(each.role), "content": each.text} for each in self.messages]
        texts = [each["content"] for each in turns if each["role"] == "system"]
        tools = [each.to_json_schema_spec() for each in self.options.get("tools") or () if _is_function(each)]
        name = self.options.get("model") or getattr(self.client, "model", None)
        call = describe_call(
            None,
            name,
            settings,
            [instructions, *texts] if isinstance(instructions, str) and instructions not in texts else texts,
            tools or None,
        )
        return call, {"messages": turns, **settings}


def _is_function(tool: object) -> bool:
    return hasattr(tool, "to_json_schema_spec")


def read_answer(response: Any) -> Answer:
    """Read a response."""
    state: FoldState = {"usage": response.usage_details}
    for message in response.messages:
        _fold_contents(state, message.contents)
    return finish_fold(_fold_facts(state, response))


def fold_update(state: FoldState, update: Any) -> bool:
    """Add one update: what it says of the answer, its tokens, and pieces of tool calls; no text is kept."""
    _fold_contents(_fold_facts(state, update), update.contents)
    return False


def _fold_facts(state: FoldState, response: Any) -> FoldState:
    for name in ("model", "response_id", "finish_reason"):
        if (value := getattr(response, name, None)) is not None:
            state[name] = str(value)
    return state


def _fold_contents(state: FoldState, contents: Sequence[Any]) -> None:
    calls = state.setdefault("calls", {})
    for content in contents:
        if content.type == "usage":
            state["usage"] = content.usage_details
        elif content.type == "function_call":
            call = calls.setdefault(content.call_id, ["", None])
            call[0] = content.name or call[0]
            is_piece = isinstance(call[1], str) and isinstance(content.arguments, str)
            call[1] = call[1] + content.arguments if is_piece else content.arguments


def finish_fold(state: FoldState) -> Answer:
    """Build the answer from what the updates of a stream said."""
    usage = state.get("usage") or {}
    return make_answer(
        state.get("model"),
        (usage.get("input_token_count"), usage.get("output_token_count")),
        state.get("response_id"),
        state.get("finish_reason"),
        [(name, arguments) for name, arguments in state["calls"].values()],
    )


ENDPOINT = make_endpoint(read_answer, fold_update, finish_fold)


@guard
def _begin(library: PatchedLibrary, client: Any, messages: Any = (), **given: Any) -> FrameworkCall | None:
    return begin_model_call(library, ENDPOINT, ModelRun(client, messages, given.get("options") or {}))


def wrap_response(original: Method, library: PatchedLibrary) -> Method:
    """Return the wrapper of a method that returns a coroutine, or a stream that stays the object that it is."""
    around: Around[FrameworkCall] = Around(
        lambda library, args, kwargs: _begin(library, *args, **kwargs), take_response
    )
    whole = wrap_call(around, is_async=True)(_as_coroutine(original), library)

    def get_response(*args: Any, **kwargs: Any) -> Any:
        if not library.active:
            return original(*args, **kwargs)
        if not kwargs.get("stream"):
            return whole(*args, **kwargs)
        stream = original(*args, **kwargs)
        if hasattr(stream, "__anext__") and (call := _begin(library, *args, **kwargs)) is not None:
            observe_class(library, stream, call)
        return stream

    return get_response


def _as_coroutine(original: Method) -> Method:
    async def method(*args: Any, **kwargs: Any) -> Any:
        answer: Awaitable[Any] = original(*args, **kwargs)
        return await answer

    return method


TARGET = watch_models("agent_framework._clients", "BaseChatClient", {"_inner_get_response": wrap_response})
