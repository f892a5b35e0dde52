"""Fireworks: OpenAI's chat and completions, and Anthropic's messages."""

from __future__ import annotations

from typing import Any

from otel_agentops import _patches
from otel_agentops._patches import Support
from otel_agentops.clients import _stainless
from otel_agentops.clients._anthropic_wire import MESSAGES
from otel_agentops.clients._openai_wire import CHAT, COMPLETIONS
from otel_agentops.clients._providers import by_host


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
CLIENT = _stainless.client("fireworks-ai", ">=1.2,<2", ENDPOINTS, provider, module="fireworks", support=SUPPORT)


class Instrumentor(_patches.Instrumentor):
    """Entry point `agentops_fireworks`."""

    clients = (CLIENT,)
