"""LiteLLM's results, which are OpenAI's with much of its own between, and the operations that it has."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from otel_agentops._endpoint import Endpoint, FoldState
from otel_agentops.clients._protocols import cohere_content, openai_chat, openai_chat_content, openai_responses
from otel_agentops.clients._protocols.fields import as_text, get
from otel_agentops.clients._protocols.openai_chat import FIELDS, make_model_call
from otel_agentops.clients._servers import Server
from otel_agentops.operations import Answer, LibraryResult, ModelCall
from otel_agentops.semconv import attributes as A

# -- results


def get_hidden(result: object, name: str) -> object:
    """Return a member of what LiteLLM keeps beside a result."""
    return get(getattr(result, "_hidden_params", None), name)


def read_response(result: object) -> Answer:
    """Read a `ModelResponse`, `TextCompletionResponse` or `ResponsesAPIResponse`."""
    is_chat = get(result, "choices") is not None
    answer = (openai_chat.read_chat_response if is_chat else openai_responses.read_responses_response)(result)
    return _drop_uncounted(answer._replace(model=_read_served_model(result, answer.model)))


def _read_served_model(result: object, model: str | None) -> str | None:
    """Return the model that the provider names; LiteLLM puts its own name of the provider before some."""
    provider_model = as_text(get_hidden(result, "provider_response_model"))
    if provider_model is not None or model is None:
        return provider_model
    name = get_hidden(result, "custom_llm_provider")
    return model.removeprefix(f"{name}/") if name else model


def _drop_uncounted(answer: Answer) -> Answer:
    """Drop the reasoning tokens that LiteLLM counts as 0 if a provider does not count them."""
    if answer.attributes.get(A.GEN_AI_USAGE_REASONING_OUTPUT_TOKENS) == 0:
        del answer.attributes[A.GEN_AI_USAGE_REASONING_OUTPUT_TOKENS]
    return answer


def fold_chunk(state: FoldState, chunk: Any) -> bool:
    """Fold a `ModelResponseStream` or a text completion's chunk; `model` of both is what was asked for."""
    state.setdefault("first", chunk)
    if state.get("model") is None:
        state["model"] = as_text(get_hidden(chunk, "provider_response_model"))
    if usage := getattr(chunk, "usage", None):
        openai_chat.keep_usage(state, usage, chunk)
    for choice in chunk.choices:
        if choice.finish_reason is not None:
            state.setdefault("reasons", {})[choice.index] = choice.finish_reason
        if pieces := getattr(getattr(choice, "delta", None), "tool_calls", None):
            state.setdefault("tools", []).extend(pieces if choice.index == 0 else ())
    return False


def finish_stream(state: FoldState) -> Answer:
    """Build the answer from a fully or partly folded stream."""
    return _drop_uncounted(openai_chat.finish_chat(state)._replace(model=state.get("model")))


def finish_responses_stream(state: FoldState) -> Answer:
    """Build the answer from the last snapshot of the response in a stream."""
    return read_response(state["response"])


def read_embeddings_response(result: object) -> Answer:
    """Read an `EmbeddingResponse`."""
    answer = openai_chat.read_embeddings_response(result)
    return answer._replace(model=_read_served_model(result, answer.model))


def read_rerank_request(body: Mapping[str, object], server: Server) -> ModelCall:
    """Read a ranking, which is a retrieval in the words of the convention: it has none of its own for it."""
    return make_model_call("retrieval", body, server, FIELDS.read_attributes(body, server.attributes))


def read_rerank_response(result: object) -> Answer:
    """Read a `RerankResponse`, which names no model; what it bills are searches."""
    response_id = as_text(get(result, "id"))
    return Answer(None, {A.GEN_AI_RESPONSE_ID: response_id} if response_id else {})


# -- results that say more than is so


def limit_endpoint(endpoint: Endpoint, arguments: Mapping[str, object], result: object) -> Endpoint:
    """Return the endpoint that reads of this result only what the provider said."""
    if _is_unspent(arguments, result):
        return _drop_usage(endpoint)
    return _drop_model(endpoint) if type(result).__name__ == _TRANSLATED else endpoint


_TRANSLATED = "LiteLLMCompletionStreamingIterator"  # a chat's stream as responses': its model is the one asked for


def _is_unspent(arguments: Mapping[str, object], result: object) -> bool:
    """Return True if the answer is made up for a test, or comes from a cache: no token was spent on it."""
    return (
        any(name.startswith("mock_") and value is not None for name, value in arguments.items())
        or get_hidden(result, "cache_hit") is True
        or getattr(result, "custom_llm_provider", None) == "cached_response"
    )


_USAGE = frozenset({
    A.GEN_AI_USAGE_CACHE_READ_INPUT_TOKENS, A.GEN_AI_USAGE_CACHE_CREATION_INPUT_TOKENS,
    A.GEN_AI_USAGE_REASONING_OUTPUT_TOKENS,
})  # fmt: skip


@functools.cache
def _drop_usage(endpoint: Endpoint) -> Endpoint:
    def drop(answer: Answer) -> Answer:
        attributes = {name: value for name, value in answer.attributes.items() if name not in _USAGE}
        return answer._replace(attributes=attributes, input_tokens=None, output_tokens=None)

    return _change_answers(endpoint, drop)


@functools.cache
def _drop_model(endpoint: Endpoint) -> Endpoint:
    return _change_answers(endpoint, lambda answer: answer._replace(model=None))


def _change_answers(endpoint: Endpoint, change: Callable[[Answer], Answer]) -> Endpoint:
    """Return the endpoint with answers that are changed after they are read."""

    def change_answer(result: LibraryResult) -> LibraryResult:
        return change(result) if isinstance(result, Answer) else result

    return endpoint._replace(
        response=lambda result: change_answer(endpoint.response(result)),
        finish_fold=lambda state: change_answer(endpoint.finish_fold(state)),
    )


# -- the operations


class Operation(NamedTuple):
    """An operation that LiteLLM has.

    Attributes:
        kind: The same for all that LiteLLM turns into one another.
        endpoint: The functions that read it.
    """

    kind: str
    endpoint: Endpoint


_CHAT = openai_chat.CHAT._replace(response=read_response, fold=fold_chunk, finish_fold=finish_stream)
CHAT = Operation("inference", _CHAT)
TEXT = Operation(
    "inference",
    _CHAT._replace(request=openai_chat.read_completion_request, content=openai_chat_content.COMPLETION),
)
RESPONSES = Operation(
    "inference", openai_responses.RESPONSES._replace(response=read_response, finish_fold=finish_responses_stream)
)
EMBEDDINGS = Operation("embeddings", openai_chat.EMBEDDINGS._replace(response=read_embeddings_response))
RERANK = Operation("rerank", Endpoint(read_rerank_request, read_rerank_response, content=cohere_content.RERANK))
# By the function's name: the operation, and its leading arguments, in the package and in a Router.
OPERATIONS = {
    "completion": (CHAT, ("model", "messages"), ("model", "messages")),
    "completion_with_retries": (CHAT, ("model", "messages"), ()),
    "text_completion": (TEXT, ("prompt", "model"), ("model", "prompt")),
    "responses": (RESPONSES, ("input", "model"), ()),
    "embedding": (EMBEDDINGS, ("model", "input"), ("model", "input")),
    "rerank": (RERANK, ("model", "query", "documents"), ("model",)),
}
