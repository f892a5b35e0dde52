"""OpenRouter: chat, responses and embeddings through its own SDK, with what it charged for them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from otel_agentops import _patching
from otel_agentops._client_call import Endpoint
from otel_agentops._patching import ClientInfo
from otel_agentops.clients._families import speakeasy
from otel_agentops.clients._families.speakeasy import Package
from otel_agentops.clients._protocols import openai_chat as wire
from otel_agentops.clients._protocols import openai_responses as responses
from otel_agentops.clients._protocols.fields import as_double, as_text, get
from otel_agentops.clients._servers import Server, find_provider
from otel_agentops.operations import Answer, ModelCall
from otel_agentops.semconv import attributes as A

# Beside what nobody's answer is shaped by, what OpenRouter passes on to those who watch, and never to the model.
FIELDS = wire.FIELDS._replace(not_parameters=wire.FIELDS.not_parameters | {"session_id", "trace", "debug"})
# What the client library sends by itself where the application says nothing.
_DEFAULTS = {"service_tier": "auto"}


def request(body: Mapping[str, Any], server: Server) -> ModelCall:
    """`POST /chat/completions`."""
    call = wire.read_chat_request(body, server, FIELDS)
    if effort := as_text(get(body.get("reasoning"), "effort")):
        call.attributes[A.GEN_AI_REQUEST_REASONING_LEVEL] = effort
    return call


def responses_request(body: Mapping[str, Any], server: Server) -> ModelCall:
    """`POST /responses`."""
    return responses.read_responses_request(body, server, FIELDS)._replace(default_params=_DEFAULTS)


def embeddings_request(body: Mapping[str, Any], server: Server) -> ModelCall:
    """`POST /embeddings`."""
    attributes = FIELDS.read_attributes(body, server.attributes)
    return wire.make_model_call("embeddings", body, server, attributes, fields=FIELDS)


def response(result: Any) -> Answer:
    """A `ChatResult`, or its JSON."""
    return _charged(wire.read_chat_response(result), get(result, "usage"))


def fold(state: dict[str, Any], chunk: Any) -> bool:
    """A `ChatStreamChunk`. Who answers may fail when the stream has begun: then a chunk says so, and is the last."""
    if chunk.error:
        state["error"] = chunk.error.code
    return wire.fold_chat_chunk(state, chunk)


def settled(state: dict[str, Any]) -> Answer:
    """What the chunks of a chat added up to."""
    answer = _charged(wire.finish_chat(state), state.get("usage"))
    return answer._replace(error=str(state["error"])) if "error" in state else answer


def responses_response(result: Any) -> Answer:
    """An `OpenResponsesResult`, or its JSON."""
    return _charged(responses.read_responses_response(result), get(result, "usage"))


def responses_settled(state: dict[str, Any]) -> Answer:
    """What the stream's last snapshot of the response says."""
    return responses_response(state["response"])


def embeddings_response(result: Any) -> Answer:
    """A `CreateEmbeddingsResponseBody`, or its JSON."""
    return _charged(wire.read_embeddings_response(result), get(result, "usage"))


def _charged(answer: Answer, usage: Any) -> Answer:
    """What the account is charged. With a key of the user's own that is a fee; the rest goes on another's bill."""
    usd = as_double(get(usage, "cost"))
    if usd is not None and get(usage, "is_byok") is True:
        upstream = as_double(get(get(usage, "cost_details"), "upstream_inference_cost"))
        usd = None if upstream is None else usd + upstream
    return answer if usd is None else answer._replace(usd=usd)


CHAT = Endpoint(request, response, fold, settled)
RESPONSES = Endpoint(responses_request, responses_response, responses.fold_responses_event, responses_settled)
EMBEDDINGS = Endpoint(embeddings_request, embeddings_response, wire.refuse_stream, settled)
_METHODS = {
    "chat.Chat.send": CHAT,
    "responses.Responses.send": RESPONSES,
    "beta_responses.BetaResponses.send": RESPONSES,
    "embeddings.Embeddings.generate": EMBEDDINGS,
}
LIBRARY = speakeasy.client(
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
