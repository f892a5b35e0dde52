"""Chat models of LangChain whose provider has no client here: a call is told at its end, if nobody else observed it.

Patched are the method that every `invoke` of a chat model ends in, and the two that stream:
https://github.com/langchain-ai/langchain/blob/master/libs/core/langchain_core/language_models/chat_models.py
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from typing_extensions import override

from otel_agentops._client_call import ClientCall, active_call, begin_call
from otel_agentops._context import current_scope
from otel_agentops._derive import derive_request
from otel_agentops._endpoint import FoldState
from otel_agentops._patching import PatchedLibrary, Target
from otel_agentops._telemetry import get_default
from otel_agentops._wrapping import Arguments, Around, Keywords, wrap_call, wrap_step
from otel_agentops.frameworks import _model_calls
from otel_agentops.frameworks._langchain_tracers import find_tracers
from otel_agentops.frameworks._model_calls import FrameworkCall, describe_call, take_response, wrap_stream
from otel_agentops.operations import Answer, ModelCall
from otel_agentops.semconv import attributes as A

# LangChain's word for a provider to that of the convention, if they differ.
_PROVIDERS = {
    "amazon_bedrock": "aws.bedrock",
    "azure": "azure.ai.openai",
    "google_genai": "gcp.gemini",
    "google_vertexai": "gcp.vertex_ai",
    "mistral": "mistral_ai",
    "ibm": "ibm.watsonx.ai",
    "xai": "x_ai",
}
_PARAMETERS = ("tool_choice", "response_format", "top_p", "top_k", "seed")  # as far as a call is bound to them


class ModelRun(NamedTuple):
    """The context of a call: the chat model and what it is given."""

    model: Any
    messages: Any
    stop: Sequence[str] | None
    options: Mapping[str, Any]

    def read_request(self) -> tuple[ModelCall, Mapping[str, Any]]:
        """Return the call, and its body as far as LangChain knows it."""
        messages = self.model._convert_input(self.messages).to_messages()
        turns = [{"role": each.type, "content": each.content} for each in messages]
        return read_call(self, messages), {"messages": turns, **self.options}


class LangChainCall(FrameworkCall):
    """A call of a chat model, which another instrumentation of LangChain may describe only when it ends."""

    __slots__ = ()

    @override
    def start_operation(self, operation: ModelCall) -> None:
        """Start the operation; without a span of ours if another instrumentation is going to have one."""
        telemetry = get_default()
        if telemetry.config.mode != "own" and telemetry.spans.find_foreign(self) is None and find_tracers():
            # Their span says what it is at its end, or names another model: it is not found, and there is no second.
            scope = current_scope()
            params, _ = telemetry.identities.identify_params(operation)
            self.request_attributes = {**derive_request(operation, scope, telemetry.identities), **params}
            self.adopt(operation, scope)
        else:
            super().start_operation(operation)


def read_call(run: ModelRun, messages: Sequence[Any]) -> ModelCall:
    """Read a call from what LangChain itself tells a tracer, and what the model is bound to."""
    from langchain_core.language_models import BaseChatModel

    model, options = run.model, run.options
    facts = model._get_ls_params(stop=run.stop, **options)
    # The base class makes up a provider from the name of the class.
    is_named = type(model)._get_ls_params is not BaseChatModel._get_ls_params
    provider = facts.get("ls_provider") if is_named else None
    settings = {name: options.get(name) for name in _PARAMETERS}
    settings |= {name: facts.get(f"ls_{name}") for name in ("temperature", "max_tokens", "stop")}
    return describe_call(
        provider and _PROVIDERS.get(provider, provider),
        facts.get("ls_model_name"),
        settings,
        [each.content for each in messages if each.type == "system"],
        options.get("tools"),
    )


def read_result(result: Any) -> Answer:
    """Read the result of a call that was not streamed."""
    message = result.generations[0].message
    return make_answer(
        {**(result.llm_output or {}), **message.response_metadata},
        getattr(message, "usage_metadata", None),  # a message of another class than AIMessage has none
        message.id,
        [(call["name"], call["args"]) for call in getattr(message, "tool_calls", ())],
    )


def fold_chunk(state: FoldState, chunk: Any) -> bool:
    """Add one chunk: what it says of the answer, and pieces of tool calls; no text is kept."""
    state.setdefault("metadata", {}).update(chunk.response_metadata)
    state.setdefault("id", chunk.id)  # that of the last one is made up
    if (usage := getattr(chunk, "usage_metadata", None)) is not None:
        state["usage"] = {
            key: state.get("usage", {}).get(key, 0) + usage[key] for key in ("input_tokens", "output_tokens")
        }
    for piece in getattr(chunk, "tool_call_chunks", ()):
        call = state.setdefault("calls", {}).setdefault(piece.get("index"), ["", ""])
        call[0] += piece.get("name") or ""
        call[1] += piece.get("args") or ""
    return False


def finish_fold(state: FoldState) -> Answer:
    """Build the answer from the chunks of a stream."""
    calls = [(name, arguments) for name, arguments in state.get("calls", {}).values()]
    return make_answer(state["metadata"], state.get("usage"), state.get("id"), calls)


def make_answer(
    metadata: Mapping[str, Any], usage: Mapping[str, int] | None, id: str | None, tool_calls: list[tuple[str, Any]]
) -> Answer:
    """Return the answer; LangChain makes up an id for a message that has none."""
    reason = metadata.get("finish_reason") or metadata.get("stop_reason")
    own_id = id or metadata.get("id")
    answer = _model_calls.make_answer(
        metadata.get("model_name") or metadata.get("model"),
        (None, None) if usage is None else (usage.get("input_tokens"), usage.get("output_tokens")),
        None if own_id and own_id.startswith(("lc_run-", "run-", "lc_")) else own_id,
        None if reason is None else str(reason),
        tool_calls,
    )
    if fingerprint := metadata.get("system_fingerprint"):
        answer.attributes[A.OPENAI_RESPONSE_SYSTEM_FINGERPRINT] = fingerprint
    return answer


ENDPOINT = _model_calls.make_endpoint(read_result, fold_chunk, finish_fold)
_FIXED = frozenset({"run_manager", "stop", "config", "messages", "input"})


def _begin(library: PatchedLibrary, args: Arguments, kwargs: Keywords) -> ClientCall | None:
    """Begin a call; the arguments after the messages are told apart by name, as LangChain gives them."""
    messages = args[1] if len(args) > 1 else kwargs.get("messages", kwargs.get("input"))
    options = {name: value for name, value in kwargs.items() if name not in _FIXED}
    run = ModelRun(args[0], messages, kwargs.get("stop"), options)
    return begin_call(library, ENDPOINT, run, accepts_nested=True, kind=LangChainCall)


def _begin_cached(library: PatchedLibrary, args: Arguments, kwargs: Keywords) -> None:
    """Leave out a call whose answer is in LangChain's cache: no model runs for it."""
    call = active_call(ModelRun)
    if isinstance(call, FrameworkCall):
        call.is_covered = True


_AROUND: Around[FrameworkCall] = Around(_begin, take_response)
CHAT_MODEL = ("langchain_core.language_models.chat_models", "BaseChatModel")
TARGETS = (
    Target(*CHAT_MODEL, "_generate_with_cache", wrap_call(_AROUND), ("messages", "stop")),
    Target(*CHAT_MODEL, "_agenerate_with_cache", wrap_call(_AROUND, is_async=True), ("messages", "stop")),
    Target(*CHAT_MODEL, "_convert_cached_generations", wrap_step(Around(_begin_cached)), optional=True),
    Target(*CHAT_MODEL, "stream", wrap_stream(_begin), ("input", "stop")),
    Target(*CHAT_MODEL, "astream", wrap_stream(_begin, is_async=True), ("input", "stop")),
)
