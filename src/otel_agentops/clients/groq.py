"""Groq: OpenAI's chat and embeddings, with the service's own members under `x_groq`.

Patched is the Stainless base (`_families/stainless.py`):
https://github.com/groq/groq-python/blob/main/src/groq/_base_client.py
"""

from __future__ import annotations

from otel_agentops import _patching
from otel_agentops._endpoint import FoldState
from otel_agentops._patching import ClientInfo
from otel_agentops.clients._families import stainless
from otel_agentops.clients._protocols.fields import get
from otel_agentops.clients._protocols.openai_chat import CHAT, EMBEDDINGS, fold_chat_chunk
from otel_agentops.clients._servers import find_provider


def name_provider(api: object, host: str) -> str:
    """Return `gen_ai.provider.name`; the service itself for an unknown host."""
    return find_provider(host) or "groq"


def fold_chunk(state: FoldState, chunk: object) -> bool:
    """Fold a chunk of a chat.

    The last one has the usage under `x_groq`, even if the application does not ask for it.
    """
    if (usage := get(get(chunk, "x_groq"), "usage")) is not None:
        state.setdefault("usage", usage)
    return fold_chat_chunk(state, chunk)


ENDPOINTS = {
    "/chat/completions": CHAT._replace(fold=fold_chunk),
    "/embeddings": EMBEDDINGS,
}
INFO = ClientInfo(
    operations=("chat", "embeddings"),
    not_covered=("audio: the conventions have no operation for it", "batches", "files"),
    peers=("opentelemetry-instrumentation-groq", "openinference-instrumentation-groq"),
)
LIBRARY = stainless.make_library("groq", ">=0.24,<2", ENDPOINTS, name_provider, info=INFO)


class Instrumentor(_patching.Instrumentor):
    """Entry point `agentops_groq`."""

    libraries = (LIBRARY,)


GroqInstrumentor = Instrumentor  # the name that others give theirs
