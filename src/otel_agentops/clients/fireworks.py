"""Fireworks: OpenAI's chat and completions, and Anthropic's messages.

Patched is the Stainless base (`_families/stainless.py`):
https://github.com/fw-ai-external/python-sdk/blob/main/src/fireworks/_base_client.py
"""

from __future__ import annotations

from otel_agentops import _patching
from otel_agentops._patching import ClientInfo
from otel_agentops.clients._families import stainless
from otel_agentops.clients._protocols.anthropic_messages import MESSAGES
from otel_agentops.clients._protocols.openai_chat import TOP_K_CHAT, TOP_K_COMPLETIONS
from otel_agentops.clients._servers import find_provider


def name_provider(api: object, host: str) -> str:
    """Return `gen_ai.provider.name`; the service itself for an unknown host."""
    return find_provider(host) or "fireworks"


ENDPOINTS = {
    "/chat/completions": TOP_K_CHAT,  # before the next, whose path is its end
    "/completions": TOP_K_COMPLETIONS,
    "/messages": MESSAGES,
}
INFO = ClientInfo(
    operations=("chat", "messages", "text_completion"),
    not_covered=("batch inference", "training and everything else that runs no model"),
)
LIBRARY = stainless.make_library("fireworks-ai", ">=1.2,<2", ENDPOINTS, name_provider, module="fireworks", info=INFO)


class Instrumentor(_patching.Instrumentor):
    """Entry point `agentops_fireworks`."""

    libraries = (LIBRARY,)


FireworksInstrumentor = Instrumentor  # the name that others give theirs
