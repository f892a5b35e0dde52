"""Together: OpenAI's chat, completions and embeddings, and reranking.

Patched is the Stainless base (`_families/stainless.py`):
https://github.com/togethercomputer/together-py/blob/main/src/together/_base_client.py
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from otel_agentops import _patching
from otel_agentops._endpoint import Endpoint
from otel_agentops._patching import ClientInfo
from otel_agentops.clients._families import stainless
from otel_agentops.clients._protocols import cohere_content
from otel_agentops.clients._protocols.fields import Fields, as_int
from otel_agentops.clients._protocols.openai_chat import (
    EMBEDDINGS,
    TOP_K_CHAT,
    TOP_K_COMPLETIONS,
    read_chat_response,
)
from otel_agentops.clients._servers import Server, find_provider
from otel_agentops.operations import ModelCall
from otel_agentops.semconv import attributes as A

RERANK_FIELDS = Fields(
    {"top_n": (A.GEN_AI_RETRIEVAL_TOP_K, as_int)},
    not_parameters=frozenset({"model", "query", "documents", "return_documents"}),
)


def name_provider(api: object, host: str) -> str:
    """Return `gen_ai.provider.name`; the service itself for an unknown host."""
    return find_provider(host) or "together_ai"


def read_rerank_request(body: Mapping[str, Any], server: Server) -> ModelCall:
    """Read `POST /rerank`."""
    attributes = RERANK_FIELDS.read_attributes(body, server.attributes)
    parameters = RERANK_FIELDS.read_parameters(body)
    model = server.choose_model(body.get("model"))
    return ModelCall("retrieval", server.provider, model, attributes, params=parameters)


ENDPOINTS = {
    "/chat/completions": TOP_K_CHAT,  # before the next, whose path is its end
    "/completions": TOP_K_COMPLETIONS,
    "/embeddings": EMBEDDINGS,
    "/rerank": Endpoint(read_rerank_request, read_chat_response, content=cohere_content.RERANK),
}
INFO = ClientInfo(
    operations=("chat", "text_completion", "embeddings", "retrieval (rerank)"),
    not_covered=(
        "images, audio and videos: the conventions have no operation for them",
        "realtime (a websocket)",
        "batches, files, fine-tuning and everything that runs no model",
    ),
    peers=("opentelemetry-instrumentation-together", "openinference-instrumentation-together"),
)
LIBRARY = stainless.make_library("together", ">=2,<4", ENDPOINTS, name_provider, info=INFO)


class Instrumentor(_patching.Instrumentor):
    """Entry point `agentops_together`."""

    libraries = (LIBRARY,)


TogetherInstrumentor = Instrumentor  # the name that others give theirs
