"""Who answers at an address: `gen_ai.provider.name` from the host of a base URL, for what speaks OpenAI's protocol."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple
from urllib.parse import urlsplit
from weakref import WeakKeyDictionary

from otel_agentops.record import Attributes
from otel_agentops.semconv import attributes as A


class Server(NamedTuple):
    """Where a client sends its calls. attributes: `server.address` and, where known, `server.port`.

    provider: None where it is not known yet.
    """

    provider: str | None
    attributes: Attributes


# By the end of the host's name with a dot before it. Names of the convention where it has one, else the service's own.
_PROVIDERS = (
    (".api.openai.com", "openai"),
    (".openai.azure.com", "azure.ai.openai"),
    (".cognitiveservices.azure.com", "azure.ai.openai"),
    (".services.ai.azure.com", "azure.ai.inference"),
    (".api.anthropic.com", "anthropic"),
    (".api.cohere.com", "cohere"),
    (".api.cohere.ai", "cohere"),
    (".api.deepseek.com", "deepseek"),
    (".api.fireworks.ai", "fireworks"),
    (".api.groq.com", "groq"),
    (".api.mistral.ai", "mistral_ai"),
    (".api.moonshot.ai", "moonshot_ai"),
    (".api.moonshot.cn", "moonshot_ai"),
    (".api.perplexity.ai", "perplexity"),
    (".api.together.ai", "together_ai"),
    (".api.together.xyz", "together_ai"),
    (".api.writer.com", "writer"),
    (".api.x.ai", "x_ai"),
    (".amazonaws.com", "aws.bedrock"),
    (".generativelanguage.googleapis.com", "gcp.gemini"),
    ("aiplatform.googleapis.com", "gcp.vertex_ai"),  # us-east1-aiplatform.googleapis.com
    (".openrouter.ai", "openrouter"),
)


def by_host(host: str) -> str | None:
    """`gen_ai.provider.name` of who serves there; None for a host that nobody is known by, such as a local server."""
    dotted = f".{host}"
    return next((name for end, name in _PROVIDERS if dotted.endswith(end)), None)


def address(url: str) -> Attributes:
    """`server.address` and `server.port` of a base URL; none of an address without a host."""
    parts = urlsplit(url)
    if not parts.hostname:
        return {}
    return {A.SERVER_ADDRESS: parts.hostname, A.SERVER_PORT: parts.port or (80 if parts.scheme == "http" else 443)}


class Servers:
    """Where each client object sends its calls, found out once for each address that it has."""

    def __init__(self, describe: Callable[[Any], Server]) -> None:
        self._describe = describe
        self._known: WeakKeyDictionary[Any, tuple[Any, Server]] = WeakKeyDictionary()

    def of(self, api: Any, url: Any) -> Server:
        """url: the address that the client object has now, the same object as long as it is the same."""
        known = self._known.get(api)
        if known is None or known[0] is not url:
            known = self._known[api] = (url, self._describe(api))
        return known[1]
