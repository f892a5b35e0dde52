"""Who answers at an address: `gen_ai.provider.name` from the host of a base URL, for what speaks OpenAI's protocol."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, NamedTuple
from urllib.parse import urlsplit
from weakref import WeakKeyDictionary

from otel_agentops.operations import Attributes
from otel_agentops.semconv import attributes as A


class Server(NamedTuple):
    """Where a client sends its calls. attributes: `server.address` and, where known, `server.port`.

    provider: None where it is not known yet.
    """

    provider: str | None
    attributes: Attributes


# By the end of the host's name with a dot before it. Names of the convention where it has one, else the service's own.
_ENDS = (
    (".api.openai.com", "openai"),  # and eu.api.openai.com
    (".openai.azure.com", "azure.ai.openai"),
    (".openai.azure.us", "azure.ai.openai"),
    (".openai.azure.cn", "azure.ai.openai"),
    (".cognitiveservices.azure.com", "azure.ai.openai"),
    (".services.ai.azure.com", "azure.ai.inference"),
    (".models.ai.azure.com", "azure.ai.inference"),
    (".models.inference.ai.azure.com", "github"),
    (".models.github.ai", "github"),
    (".api.anthropic.com", "anthropic"),
    (".api.cerebras.ai", "cerebras"),
    (".api.cohere.com", "cohere"),
    (".api.cohere.ai", "cohere"),
    (".cloud.databricks.com", "databricks"),
    (".gcp.databricks.com", "databricks"),
    (".azuredatabricks.net", "databricks"),
    (".api.deepinfra.com", "deepinfra"),
    (".api.deepseek.com", "deepseek"),
    (".api.fireworks.ai", "fireworks"),
    (".api.groq.com", "groq"),
    (".router.huggingface.co", "huggingface"),
    (".endpoints.huggingface.cloud", "huggingface"),
    (".ml.cloud.ibm.com", "ibm.watsonx.ai"),
    (".api.mistral.ai", "mistral_ai"),
    (".codestral.mistral.ai", "mistral_ai"),
    (".api.moonshot.ai", "moonshot_ai"),
    (".api.moonshot.cn", "moonshot_ai"),
    (".api.nvidia.com", "nvidia"),  # integrate.api.nvidia.com
    (".ollama.com", "ollama"),
    (".openrouter.ai", "openrouter"),
    (".api.perplexity.ai", "perplexity"),
    (".api.sambanova.ai", "sambanova"),
    (".api.together.ai", "together_ai"),
    (".api.together.xyz", "together_ai"),
    (".api.writer.com", "writer"),
    (".api.x.ai", "x_ai"),
    (".generativelanguage.googleapis.com", "gcp.gemini"),
)
# Of the clouds, where a region stands between: bedrock-runtime.eu-west-1.amazonaws.com,
# us-east1-aiplatform.googleapis.com, bedrock-mantle.us-east-1.api.aws,
# vpce-0a1b-2c.bedrock-runtime.eu-west-1.vpce.amazonaws.com. Other names below
# amazonaws.com are the application's: a load balancer, an API gateway.
_PATTERNS = (
    (re.compile(r"(^|\.)bedrock[a-z-]*\..*(amazonaws\.com|amazonaws\.com\.cn|api\.aws)$"), "aws.bedrock"),
    (re.compile(r"(^|[.-])aiplatform\.([a-z0-9-]+\.rep\.)?googleapis\.com$"), "gcp.vertex_ai"),
)
_FOUNDRY = ".services.ai.azure.com"  # has two APIs; that of Azure OpenAI is below /openai


def find_provider(host: str, path: str = "") -> str | None:
    """`gen_ai.provider.name` of who serves there; None for a host that nobody is known by, such as a local server.

    path: of the base URL. A port says nothing: who listens on 11434 may be anybody.
    """
    dotted = f".{host}"
    if dotted.endswith(_FOUNDRY) and path.startswith("/openai/"):
        return "azure.ai.openai"
    known = next((name for end, name in _ENDS if dotted.endswith(end)), None)
    return known or next((name for pattern, name in _PATTERNS if pattern.search(host)), None)


def parse_address(url: str) -> Attributes:
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

    def find(self, api: Any, url: Any) -> Server:
        """url: the address that the client object has now, the same object as long as it is the same."""
        try:
            known = self._known.get(api)
        except TypeError:  # a subclass of the application's that cannot be hashed
            return self._describe(api)
        if known is None or known[0] is not url:
            known = self._known[api] = (url, self._describe(api))
        return known[1]
