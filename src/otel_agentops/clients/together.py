"""Together: OpenAI's chat, completions and embeddings, and reranking."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from otel_agentops import _patching
from otel_agentops._observation import Endpoint
from otel_agentops._patching import Support
from otel_agentops.clients._families import stainless
from otel_agentops.clients._protocols.fields import Fields, text, whole
from otel_agentops.clients._protocols.openai_chat import (
    CHAT,
    COMPLETIONS,
    EMBEDDINGS,
    chat_response,
    chat_settled,
    no_stream,
)
from otel_agentops.clients._servers import Server, by_host
from otel_agentops.operations import ModelCall
from otel_agentops.semconv import attributes as A

RERANK_FIELDS = Fields(
    {"top_n": (A.GEN_AI_RETRIEVAL_TOP_K, whole)},
    not_parameters=frozenset({"model", "query", "documents", "return_documents"}),
)


def provider(api: Any, host: str) -> str:
    """`gen_ai.provider.name`: the client's own, also behind a gateway of unknown name."""
    return by_host(host) or "together_ai"


def rerank_request(body: Mapping[str, Any], server: Server) -> ModelCall:
    """`POST /rerank`."""
    attributes = RERANK_FIELDS.attributes(body, server.attributes)
    parameters = RERANK_FIELDS.parameters(body)
    return ModelCall("retrieval", server.provider, text(body.get("model")), attributes, params=parameters)


ENDPOINTS = {
    "/chat/completions": CHAT,  # before the next, which it ends with
    "/completions": COMPLETIONS,
    "/embeddings": EMBEDDINGS,
    "/rerank": Endpoint(rerank_request, chat_response, no_stream, chat_settled),
}
SUPPORT = Support(
    operations=("chat", "text_completion", "embeddings", "retrieval (rerank)"),
    not_covered=(
        "images, audio and videos: the conventions have no operation for them",
        "realtime (a websocket)",
        "batches, files, fine-tuning and everything that runs no model",
    ),
    peers=("opentelemetry-instrumentation-together", "openinference-instrumentation-together"),
)
CLIENT = stainless.client("together", ">=2,<4", ENDPOINTS, provider, support=SUPPORT)


class Instrumentor(_patching.Instrumentor):
    """Entry point `agentops_together`."""

    clients = (CLIENT,)
