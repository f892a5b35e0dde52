"""LiteLLM's results, which are OpenAI's with much of its own between, and the operations that it has."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from typing import Any, NamedTuple

from otel_agentops._client_call import Endpoint
from otel_agentops.clients._protocols import openai_chat, openai_responses
from otel_agentops.clients._protocols.fields import as_text, get
from otel_agentops.clients._protocols.openai_chat import FIELDS, make_model_call
from otel_agentops.clients._servers import Server
from otel_agentops.operations import Answer, LibraryResult, ModelCall
from otel_agentops.semconv import attributes as A

# -- results


def hidden(result: Any, name: str) -> Any:
    """What LiteLLM keeps beside a result."""
    return get(getattr(result, "_hidden_params", None), name)


def response(result: Any) -> Answer:
    """A `ModelResponse`, `TextCompletionResponse` or `ResponsesAPIResponse`."""
    if get(result, "choices") is not None:
        answer = openai_chat.read_chat_response(result)
    else:
        answer = openai_responses.read_responses_response(result)
    return _trusted(answer._replace(model=_served(result, answer.model)))


def _served(result: Any, model: str | None) -> str | None:
    """The model that the provider names; LiteLLM puts its own name of the provider before some."""
    said = as_text(hidden(result, "provider_response_model"))
    if said is not None or model is None:
        return said
    name = hidden(result, "custom_llm_provider")
    return model.removeprefix(f"{name}/") if name else model


def _trusted(answer: Answer) -> Answer:
    """Without the reasoning tokens that LiteLLM counts as 0 where a provider does not count them."""
    if answer.attributes.get(A.GEN_AI_USAGE_REASONING_OUTPUT_TOKENS) == 0:
        del answer.attributes[A.GEN_AI_USAGE_REASONING_OUTPUT_TOKENS]
    return answer


def fold(state: dict[str, Any], chunk: Any) -> bool:
    """A `ModelResponseStream` or a text completion's chunk; `model` of both is what was asked for."""
    if "first" not in state:
        state["first"] = chunk
    if state.get("model") is None:
        state["model"] = as_text(hidden(chunk, "provider_response_model"))
    if usage := getattr(chunk, "usage", None):
        state["usage"] = usage
    for choice in chunk.choices:
        if choice.finish_reason is not None:
            state.setdefault("reasons", {})[choice.index] = choice.finish_reason
        if pieces := getattr(getattr(choice, "delta", None), "tool_calls", None):
            state.setdefault("tools", []).extend(pieces if choice.index == 0 else ())
    return False


def settled(state: dict[str, Any]) -> Answer:
    """What the chunks of a stream added up to."""
    return _trusted(openai_chat.finish_chat(state)._replace(model=state.get("model")))


def embeddings_response(result: Any) -> Answer:
    """An `EmbeddingResponse`."""
    answer = openai_chat.read_embeddings_response(result)
    return answer._replace(model=_served(result, answer.model))


def rerank_request(given: Mapping[str, Any], server: Server) -> ModelCall:
    """A ranking is a retrieval in the words of the convention, which has none of its own for it."""
    return make_model_call("retrieval", given, server, FIELDS.read_attributes(given, server.attributes))


def rerank_response(result: Any) -> Answer:
    """A `RerankResponse`, which names no model; what it bills are searches."""
    return Answer(None, {A.GEN_AI_RESPONSE_ID: found} if (found := as_text(get(result, "id"))) else {})


# -- results that say more than is so


def believed(endpoint: Endpoint, given: Mapping[str, Any], result: Any) -> Endpoint:
    """The endpoint that reads of this result only what the provider said."""
    if _is_unspent(given, result):
        return _without(endpoint, True)
    return _without(endpoint, False) if type(result).__name__ == _TRANSLATED else endpoint


_TRANSLATED = "LiteLLMCompletionStreamingIterator"  # a chat's stream as responses': its model is the one asked for


def _is_unspent(given: Mapping[str, Any], result: Any) -> bool:
    """Whether the answer is made up for a test, or was given before and kept: no token was spent on it."""
    return (
        any(name.startswith("mock_") and value is not None for name, value in given.items())
        or hidden(result, "cache_hit") is True
        or getattr(result, "custom_llm_provider", None) == "cached_response"
    )


_USAGE = frozenset({
    A.GEN_AI_USAGE_CACHE_READ_INPUT_TOKENS, A.GEN_AI_USAGE_CACHE_CREATION_INPUT_TOKENS,
    A.GEN_AI_USAGE_REASONING_OUTPUT_TOKENS,
})  # fmt: skip


@functools.cache
def _without(endpoint: Endpoint, usage: bool) -> Endpoint:
    """The same without token counts, or without a model."""

    def less(answer: LibraryResult) -> LibraryResult:
        if not isinstance(answer, Answer):
            return answer
        if not usage:
            return answer._replace(model=None)
        kept = {name: value for name, value in answer.attributes.items() if name not in _USAGE}
        return answer._replace(attributes=kept, input_tokens=None, output_tokens=None)

    return endpoint._replace(
        response=lambda result: less(endpoint.response(result)),
        finish_fold=lambda state: less(endpoint.finish_fold(state)),
    )


# -- the operations


class Operation(NamedTuple):
    """What is called. kind: of calls that LiteLLM turns into one another."""

    kind: str
    endpoint: Endpoint


CHAT = Operation("inference", Endpoint(openai_chat.read_chat_request, response, fold, settled))
TEXT = Operation("inference", Endpoint(openai_chat.read_completion_request, response, fold, settled))
RESPONSES = Operation(
    "inference",
    openai_responses.RESPONSES._replace(response=response, finish_fold=lambda state: response(state["response"])),
)
EMBEDDINGS = Operation("embeddings", openai_chat.EMBEDDINGS._replace(response=embeddings_response))
RERANK = Operation("rerank", Endpoint(rerank_request, rerank_response, openai_chat.refuse_stream, settled))
# By the function's name: the operation, and its leading arguments, in the package and in a Router.
OPERATIONS = {
    "completion": (CHAT, ("model", "messages"), ("model", "messages")),
    "completion_with_retries": (CHAT, ("model", "messages"), ()),
    "text_completion": (TEXT, ("prompt", "model"), ("model", "prompt")),
    "responses": (RESPONSES, ("input", "model"), ()),
    "embedding": (EMBEDDINGS, ("model", "input"), ("model", "input")),
    "rerank": (RERANK, ("model", "query", "documents"), ("model",)),
}
