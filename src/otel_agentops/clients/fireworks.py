"""Fireworks: OpenAI's chat and completions, and Anthropic's messages."""

from __future__ import annotations

from typing import Any

from otel_agentops import _patching
from otel_agentops._patching import Support
from otel_agentops.clients._families import stainless
from otel_agentops.clients._protocols.anthropic_messages import MESSAGES
from otel_agentops.clients._protocols.openai_chat import CHAT, COMPLETIONS
from otel_agentops.clients._servers import by_host


def provider(api: Any, host: str) -> str:
    """`gen_ai.provider.name`: the client's own, also behind a gateway of unknown name."""
    return by_host(host) or "fireworks"


ENDPOINTS = {
    "/chat/completions": CHAT,  # before the next, which it ends with
    "/completions": COMPLETIONS,
    "/messages": MESSAGES,
}
SUPPORT = Support(
    operations=("chat", "messages", "text_completion"),
    not_covered=("batch inference", "training and everything else that runs no model"),
)
CLIENT = stainless.client("fireworks-ai", ">=1.2,<2", ENDPOINTS, provider, module="fireworks", support=SUPPORT)


class Instrumentor(_patching.Instrumentor):
    """Entry point `agentops_fireworks`."""

    clients = (CLIENT,)
