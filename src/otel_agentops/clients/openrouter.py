"""OpenRouter: chat, responses and embeddings through its own SDK, with what it charged for them.

Patched are the methods in `_METHODS` and the Speakeasy base around each attempt (`_families/speakeasy.py`):
https://github.com/OpenRouterTeam/python-sdk/tree/main/src/openrouter
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from otel_agentops import _patching
from otel_agentops._endpoint import Endpoint, FoldState
from otel_agentops._patching import ClientInfo
from otel_agentops.clients._families import speakeasy
from otel_agentops.clients._families.speakeasy import Package
from otel_agentops.clients._protocols import openai_chat, openai_responses
from otel_agentops.clients._protocols.fields import Fields, as_double, as_text, get
from otel_agentops.clients._servers import Server, find_provider
from otel_agentops.operations import Answer, ModelCall
from otel_agentops.semconv import attributes as A

# OpenRouter passes these on to those who watch, and never to the model.
_NOT_FOR_MODEL = frozenset({"session_id", "trace", "debug"})
_SHARED = openai_chat.TOP_K_FIELDS
FIELDS = Fields(_SHARED.readers, _SHARED.not_parameters | _NOT_FOR_MODEL, _SHARED.sampling)
RESPONSES_FIELDS = FIELDS.with_sampling(*(name for name in FIELDS.sampling if name != "seed"))
# The client library sends these by itself if the application says nothing.
_DEFAULTS = {"service_tier": "auto"}


def read_chat_request(body: Mapping[str, object], server: Server) -> ModelCall:
    """Read `POST /chat/completions`."""
    call = openai_chat.read_chat_request(body, server, FIELDS)
    if effort := as_text(get(body.get("reasoning"), "effort")):
        call.attributes[A.GEN_AI_REQUEST_REASONING_LEVEL] = effort
    return call


def read_responses_request(body: Mapping[str, object], server: Server) -> ModelCall:
    """Read `POST /responses`."""
    return openai_responses.read_responses_request(body, server, RESPONSES_FIELDS)._replace(default_params=_DEFAULTS)


def read_embeddings_request(body: Mapping[str, object], server: Server) -> ModelCall:
    """Read `POST /embeddings`."""
    attributes = FIELDS.read_attributes(body, server.attributes)
    return openai_chat.make_model_call("embeddings", body, server, attributes, fields=FIELDS)


def read_chat_response(result: object) -> Answer:
    """Read a `ChatResult`, or its JSON."""
    return _add_charge(openai_chat.read_chat_response(result), get(result, "usage"))


def fold_chat_chunk(state: FoldState, chunk: Any) -> bool:
    """Fold a `ChatStreamChunk`; the last one of a provider that fails in mid-stream has its error."""
    if chunk.error:
        state["error"] = chunk.error.code
    return openai_chat.fold_chat_chunk(state, chunk)


def finish_chat(state: FoldState) -> Answer:
    """Build the answer from a fully or partly folded chat."""
    answer = _add_charge(openai_chat.finish_chat(state), state.get("usage"))
    return answer._replace(error=str(state["error"])) if "error" in state else answer


def read_responses_response(result: object) -> Answer:
    """Read an `OpenResponsesResult`, or its JSON."""
    return _add_charge(openai_responses.read_responses_response(result), get(result, "usage"))


def finish_responses(state: FoldState) -> Answer:
    """Build the answer from the last snapshot of the response in a stream."""
    return read_responses_response(state["response"])


def read_embeddings_response(result: object) -> Answer:
    """Read a `CreateEmbeddingsResponseBody`, or its JSON."""
    return _add_charge(openai_chat.read_embeddings_response(result), get(result, "usage"))


def _add_charge(answer: Answer, usage: object) -> Answer:
    """Add the cost to an answer.

    The account is charged a fee if the user brings a key of another provider, who bills the rest.
    """
    usd = as_double(get(usage, "cost"))
    if usd is not None and get(usage, "is_byok") is True:
        upstream = as_double(get(get(usage, "cost_details"), "upstream_inference_cost"))
        usd = None if upstream is None else usd + upstream
    return answer if usd is None else answer._replace(usd=usd)


CHAT = openai_chat.CHAT._replace(
    request=read_chat_request, response=read_chat_response, fold=fold_chat_chunk, finish_fold=finish_chat
)
RESPONSES = openai_responses.RESPONSES._replace(
    request=read_responses_request, response=read_responses_response, finish_fold=finish_responses
)
EMBEDDINGS = Endpoint(read_embeddings_request, read_embeddings_response)
_METHODS = {
    "chat.Chat.send": CHAT,
    "responses.Responses.send": RESPONSES,
    "beta_responses.BetaResponses.send": RESPONSES,
    "embeddings.Embeddings.generate": EMBEDDINGS,
}
LIBRARY = speakeasy.make_library(
    "openrouter",
    ">=1,<2",
    (Package("openrouter", lambda host: find_provider(host) or "openrouter", _METHODS),),
    ClientInfo(
        operations=("chat", "responses", "embeddings"),
        not_covered=("rerank", "images, videos and audio", "presets and batches", "everything that runs no model"),
    ),
)


class Instrumentor(_patching.Instrumentor):
    """Entry point `agentops_openrouter`."""

    libraries = (LIBRARY,)


OpenRouterInstrumentor = Instrumentor  # the name that others give theirs
