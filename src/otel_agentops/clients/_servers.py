"""The server behind a base URL: its address, and `gen_ai.provider.name` from the name of its host."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, Generic, NamedTuple
from urllib.parse import unquote, urlsplit
from weakref import WeakKeyDictionary

from typing_extensions import TypeVar

from otel_agentops.operations import Attributes
from otel_agentops.semconv import attributes as A

C = TypeVar("C", default=Any)  # the client object, which SDKs leave untyped


class Server(NamedTuple):
    """The server that a client sends its calls to.

    Attributes:
        provider: `gen_ai.provider.name`; None if it is not known yet.
        attributes: `server.address` and, if known, `server.port`.
        model: The model, or the deployment of one, that the address names; None if the request's body names it.
    """

    provider: str | None
    attributes: Attributes
    model: str | None = None

    def choose_model(self, name: object) -> str | None:
        """Return the model that a request asks for; an empty name and null are none.

        name: the model in the request's body.
        """
        # An enum's member is a text by its value.
        return self.model or (str.__str__(name) if isinstance(name, str) and name else None)


# By the end of the host's name, with a dot before it. The value is the convention's name of the provider, or the
# service's own if the convention has none.
_PROVIDERS_BY_SUFFIX = (
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
# Hosts of the clouds have a region in their name: bedrock-runtime.eu-west-1.amazonaws.com,
# us-east1-aiplatform.googleapis.com, bedrock-mantle.us-east-1.api.aws,
# vpce-0a1b-2c.bedrock-runtime.eu-west-1.vpce.amazonaws.com. Other names below amazonaws.com are the application's, such
# as a load balancer or an API gateway.
_PROVIDERS_BY_PATTERN = (
    (re.compile(r"(^|\.)bedrock[a-z-]*\..*(amazonaws\.com|amazonaws\.com\.cn|api\.aws)$"), "aws.bedrock"),
    (re.compile(r"(^|[.-])aiplatform\.([a-z0-9-]+\.rep\.)?googleapis\.com$"), "gcp.vertex_ai"),
)
_DEPLOYMENT = re.compile(r"/deployments/([^/?#]+)")
_FOUNDRY = ".services.ai.azure.com"  # it has two APIs; that of Azure OpenAI is below /openai


def find_provider(host: str, path: str = "") -> str | None:
    """Return `gen_ai.provider.name` of a host; None for one that is not known.

    A port says nothing: anybody may listen on 11434.

    Args:
        host: The host of a base URL.
        path: The path of that URL, which tells the two APIs of Azure AI Foundry apart.
    """
    dotted = f".{host}"
    if dotted.endswith(_FOUNDRY) and path.startswith("/openai/"):
        return "azure.ai.openai"
    provider = next((name for suffix, name in _PROVIDERS_BY_SUFFIX if dotted.endswith(suffix)), None)
    return provider or next((name for pattern, name in _PROVIDERS_BY_PATTERN if pattern.search(host)), None)


def find_deployment(url: str) -> str | None:
    """Return the deployment of a model that a URL goes to (Azure OpenAI, watsonx); None if it names none."""
    deployment = _DEPLOYMENT.search(url)
    return unquote(deployment[1]) if deployment else None


def parse_address(url: str) -> Attributes:
    """Return `server.address` and `server.port` of a base URL; nothing if it has no host."""
    parts = urlsplit(url)
    if not parts.hostname:
        return {}
    return {A.SERVER_ADDRESS: parts.hostname, A.SERVER_PORT: parts.port or (80 if parts.scheme == "http" else 443)}


class Servers(Generic[C]):
    """The server of each client object, described once for each address that the object has.

    Args:
        describe: Client object to its server.
    """

    def __init__(self, describe: Callable[[C], Server]) -> None:
        self._describe = describe
        self._by_client: WeakKeyDictionary[C, tuple[object, Server]] = WeakKeyDictionary()

    def find(self, client: C, url: object) -> Server:
        """Return the server of a client object.

        url: the address that the client has now, the same object as long as it is the same address.
        """
        try:
            entry = self._by_client.get(client)
        except TypeError:  # a subclass of the application's may not be hashable
            return self._describe(client)
        if entry is None or entry[0] is not url:
            entry = self._by_client[client] = (url, self._describe(client))
        return entry[1]
