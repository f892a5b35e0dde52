"""Models of LlamaIndex whose provider has no client here.

Each class of a model has methods of its own, which are patched when the class is made, after the library's decorators:
https://github.com/run-llama/llama_index/blob/main/llama-index-core/llama_index/core/base/llms/base.py
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from otel_agentops._client_call import UNOBSERVED
from otel_agentops._guard import guard
from otel_agentops._patching import Method, PatchedLibrary, Target, Wrap, watch_subclasses
from otel_agentops._streams import observe_lazy_async_stream, observe_lazy_stream
from otel_agentops._wrapping import Arguments, Around, Keywords, wrap_call
from otel_agentops.frameworks._model_calls import (
    FrameworkCall,
    begin_model_call,
    describe_call,
    fold_last,
    make_answer,
    make_endpoint,
    take_response,
)
from otel_agentops.operations import Answer, ModelCall

UNKNOWN_MODEL = "unknown"  # as the library calls a model without a name
_PARAMETERS = ("temperature", "max_tokens", "top_p", "top_k", "seed", "stop", "tool_choice")


class ModelRun(NamedTuple):
    """The context of a call: the model and what it is given.

    Attributes:
        model: The model.
        turns: Messages, or the prompt of a completion.
        options: The other arguments.
    """

    model: Any
    turns: Any
    options: Mapping[str, Any]

    def read_request(self) -> tuple[ModelCall, Mapping[str, Any]]:
        """Return the call, and its body as far as the library knows it."""
        is_completion = isinstance(self.turns, str)
        turns = [] if is_completion else [{"role": each.role.value, "content": each.content} for each in self.turns]
        name = self.model.metadata.model_name
        settings = {each: self.options.get(each, getattr(self.model, each, None)) for each in _PARAMETERS}
        call = describe_call(
            None,
            None if name == UNKNOWN_MODEL else name,
            settings,
            [each["content"] for each in turns if each["role"] == "system"],
            self.options.get("tools"),
            "text_completion" if is_completion else "chat",
        )
        return call, {"messages": turns, **settings} if turns else {"prompt": self.turns, **settings}


def read_answer(response: Any) -> Answer:
    """Read a response; a provider's own is in `raw`, as an object or decoded."""
    from llama_index.core.callbacks.token_counting import get_tokens_from_response

    tokens = get_tokens_from_response(response)  # two zeros if the library finds none
    raw = response.raw
    model = raw.get("model") if isinstance(raw, Mapping) else getattr(raw, "model", None)
    blocks: Sequence[Any] = getattr(getattr(response, "message", None), "blocks", ())
    calls = [(each.tool_name, each.tool_kwargs) for each in blocks if hasattr(each, "tool_kwargs")]
    return make_answer(
        model if isinstance(model, str) else None, tokens if any(tokens) else (None, None), tool_calls=calls
    )


ENDPOINT = make_endpoint(read_answer, fold_last, lambda state: read_answer(state["last"]))


def _begin(library: PatchedLibrary, args: Arguments, kwargs: Keywords) -> FrameworkCall | None:
    named = {"messages": None, "prompt": None, **kwargs}
    messages, prompt = named.pop("messages"), named.pop("prompt")
    run = ModelRun(args[0], args[1] if len(args) > 1 else messages or prompt, named)
    return begin_model_call(library, ENDPOINT, run)


_begin_stream = guard(_begin)


def _bind(wrap: Wrap) -> Wrap:
    """Return a wrapper that calls the original as a method, because its decorator asks for the object."""

    def wrap_bound(original: Any, library: PatchedLibrary) -> Method:
        return wrap(lambda self, *args, **kwargs: original.__get__(self, type(self))(*args, **kwargs), library)

    return wrap_bound


def _wrap_stream(original: Method, library: PatchedLibrary) -> Method:
    """Return the wrapper of a method that may send its request at once, or with the first item."""

    def stream(*args: Any, **kwargs: Any) -> Any:
        with (call := _begin_stream(library, args, kwargs)) or UNOBSERVED:
            source = original(*args, **kwargs)
        return source if call is None else observe_lazy_stream(source, lambda: call)

    return stream


def _wrap_async_stream(original: Method, library: PatchedLibrary) -> Method:
    async def stream(*args: Any, **kwargs: Any) -> Any:
        with (call := _begin_stream(library, args, kwargs)) or UNOBSERVED:
            source = await original(*args, **kwargs)
        return source if call is None else observe_lazy_async_stream(source, lambda: call)

    return stream


_AROUND: Around[FrameworkCall] = Around(_begin, take_response)
_WRAPS: Mapping[str, Wrap] = {
    **dict.fromkeys(("chat", "complete"), wrap_call(_AROUND)),
    **dict.fromkeys(("achat", "acomplete"), wrap_call(_AROUND, is_async=True)),
    **dict.fromkeys(("stream_chat", "stream_complete"), _wrap_stream),
    **dict.fromkeys(("astream_chat", "astream_complete"), _wrap_async_stream),
}
MODEL_METHODS = frozenset(_WRAPS)


@guard
def _patch_class(library: PatchedLibrary, owner: type) -> None:
    """Patch the methods that a class of models defines itself; an abstract one asks nothing."""
    for name, wrap in _WRAPS.items():
        method = vars(owner).get(name)
        if callable(method) and not getattr(method, "__isabstractmethod__", False):
            library.patch_class(owner, name, _bind(wrap))


def _find_base() -> type | None:
    """Return the class that all models have; None as long as the library is being imported."""
    return getattr(sys.modules.get("llama_index.core.base.llms.base"), "BaseLLM", None)


TARGETS = (
    Target(
        "llama_index.core.instrumentation",
        "DispatcherSpanMixin",
        "__init_subclass__",
        watch_subclasses(_find_base, _patch_class),
    ),
)
