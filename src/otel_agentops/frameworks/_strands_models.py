"""Models of Strands Agents whose provider has no client here.

Each class of a model has a `stream` of its own, which is all that agents read:
https://github.com/strands-agents/sdk-python/blob/main/src/strands/models/model.py
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from typing_extensions import override

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

_PARAMETERS = ("temperature", "max_tokens", "top_p", "top_k", "seed", "stop")


class ModelRun(NamedTuple):
    """The context of a call: the model and what it is given, by name."""

    model: Any
    given: Mapping[str, Any]

    def read_request(self) -> tuple[ModelCall, Mapping[str, Any]]:
        """Return the call, and its body as far as the library knows it."""
        config = self.model.get_config()
        if not isinstance(config, Mapping):  # it may be of any class
            config = {name: getattr(config, name, None) for name in ("model_id", *_PARAMETERS)}
        settings = {**(config.get("params") or {}), **config}
        wanted = {name: settings.get(name) for name in _PARAMETERS}
        instructions = self.given["system_prompt"]
        tools = [
            describe_function(each["name"], each["description"], each["inputSchema"]["json"])
            for each in self.given["tool_specs"] or ()
        ]
        call = describe_call(
            None, config.get("model_id"), wanted, [] if instructions is None else [instructions], tools or None
        )
        return call, {"messages": self.given["messages"], **wanted}


class StrandsCall(FrameworkCall):
    """A call whose stream may begin with an event that the class makes before it asks anybody."""

    __slots__ = ("_is_preparing",)

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self._is_preparing = True

    @property
    @override
    def is_preparing(self) -> bool:
        return self._is_preparing

    @override
    def chunk_received(self, chunk: Any) -> None:
        """Record one chunk, if it is of an answer."""
        if "messageStart" not in chunk:
            self._is_preparing = False
            super().chunk_received(chunk)


def fold_event(state: FoldState, event: Mapping[str, Any]) -> bool:
    """Add one event: why the model stopped, its tokens, and pieces of tool calls; no text is kept."""
    if stop := event.get("messageStop"):
        state["reason"] = stop.get("stopReason")
    if (usage := (event.get("metadata") or {}).get("usage")) is not None:
        state["tokens"] = (usage.get("inputTokens"), usage.get("outputTokens"))
    if tool_use := (event.get("contentBlockStart") or {}).get("start", {}).get("toolUse"):
        state.setdefault("calls", []).append([tool_use["name"], ""])
    if piece := (event.get("contentBlockDelta") or {}).get("delta", {}).get("toolUse"):
        state["calls"][-1][1] += piece.get("input") or ""
    return False


def finish_fold(state: FoldState) -> Answer:
    """Build the answer from the events of a stream; none of them names the model that answered."""
    calls = [(name, arguments) for name, arguments in state.get("calls", ())]
    return make_answer(None, state.get("tokens", (None, None)), None, state.get("reason"), calls)


ENDPOINT = make_endpoint(finish_fold, fold_event, finish_fold)


def _begin(library: PatchedLibrary, args: Arguments, kwargs: Keywords) -> FrameworkCall | None:
    given = name_arguments(("messages", "tool_specs", "system_prompt"), args[1:], kwargs)
    return begin_model_call(library, ENDPOINT, ModelRun(args[0], given), StrandsCall)


TARGET = watch_models("strands.models.model", "Model", {"stream": wrap_method(_begin, "async_iterator")})
