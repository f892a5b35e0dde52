"""LiteLLM's arguments: the provider and its model, and which arguments are for the model and not for LiteLLM."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from typing import Any, NamedTuple

from otel_agentops.clients._protocols.fields import as_list, as_text, get
from otel_agentops.clients._protocols.openai_chat import FIELDS
from otel_agentops.clients._servers import find_provider
from otel_agentops.operations import Attributes
from otel_agentops.semconv import attributes as A

# LiteLLM's name of a provider to the convention's; the others are the service's own in both.
_PROVIDERS = {
    "text-completion-openai": "openai",
    "azure": "azure.ai.openai",
    "azure_text": "azure.ai.openai",
    "azure_ai": "azure.ai.inference",
    "anthropic_text": "anthropic",
    "bedrock": "aws.bedrock",
    "bedrock_converse": "aws.bedrock",
    "cohere_chat": "cohere",
    "fireworks_ai": "fireworks",
    "gemini": "gcp.gemini",
    "vertex_ai": "gcp.vertex_ai",
    "vertex_ai_beta": "gcp.vertex_ai",
    "mistral": "mistral_ai",
    "codestral": "mistral_ai",
    "text-completion-codestral": "mistral_ai",
    "moonshot": "moonshot_ai",
    "nvidia_nim": "nvidia",
    "ollama_chat": "ollama",
    "watsonx": "ibm.watsonx.ai",
    "watsonx_text": "ibm.watsonx.ai",
    "xai": "x_ai",
}
# Names under which any server that speaks OpenAI's protocol is called: its host says more.
_PROTOCOL = frozenset({"openai", "text-completion-openai", "custom_openai", "openai_like"})
_UNKNOWN: Attributes = {}


def name_provider(name: str, server: Attributes = _UNKNOWN) -> str:
    """Return `gen_ai.provider.name`.

    Args:
        name: LiteLLM's name of the provider.
        server: Where the call goes, as far as it is known.
    """
    by_host = find_provider(str(server.get(A.SERVER_ADDRESS))) if name in _PROTOCOL else None
    return by_host or _PROVIDERS.get(name) or ("gcp.vertex_ai" if name.startswith("vertex_ai") else name)


class ModelName(NamedTuple):
    """A model as it is sent, without the provider's name before it, and that name; None if it is not known yet."""

    provider: str | None
    model: str | None


def split_model(litellm: Any, arguments: Mapping[str, object]) -> ModelName:
    """Return the model of the arguments; LiteLLM's table of models knows the provider of one without."""
    model, provider = as_text(arguments.get("model")), as_text(arguments.get("custom_llm_provider"))
    if model is None:
        return ModelName(provider, None)
    first, slash, rest = model.partition("/")
    if slash and (first == provider or (provider is None and first in _list_providers(litellm))):
        return ModelName(first, rest)
    return ModelName(provider or as_text(get(litellm.model_cost.get(model), "litellm_provider")), model)


@functools.cache
def _list_providers(litellm: Any) -> frozenset[str]:
    return frozenset(str(each.value) for each in litellm.types.utils.LlmProviders)


# Arguments that are neither the model's nor in LiteLLM's own list of those.
_CONTROL = frozenset({
    "timeout", "base_url", "extra_headers", "deployment_id", "drop_params", "additional_drop_params", "organization",
    "extra_body", "extra_query", "engine", "query", "documents", "kwargs", "modify_params", "azure_ad_token",
})  # fmt: skip
_CLOUDS = ("aws_", "azure_", "gcs_", "litellm_", "mock_", "oci_", "vertex_", "watsonx_")  # credentials and places
_SECRETS = ("_key", "_token", "_secret", "_password", "_credentials", "_base", "_url", "_id")


_CONTENT = frozenset({"messages", "input", "instructions", "previous_response_id"})


@functools.cache
def _is_control(litellm: Any, name: str) -> bool:
    """Return True if an argument says how a call is made, not what the model is to do."""
    return (
        name in _CONTROL
        or name in litellm.types.utils.all_litellm_params
        or name.startswith(_CLOUDS)
        or (name.endswith(_SECRETS) and name not in FIELDS.readers)
        or name.startswith("_")
    )


def build_body(litellm: Any, arguments: Mapping[str, object], name: ModelName) -> dict[str, object]:
    """Return the request in OpenAI's words, without what LiteLLM drops because this model does not know it."""
    extra = arguments.get("extra_body")
    body = {
        key: value
        for key, value in ({**arguments, **extra} if isinstance(extra, Mapping) else arguments).items()
        if value is not None and (key in _CONTENT or not _is_control(litellm, key))
    }
    for key in _list_dropped(litellm, arguments, name, body):
        body.pop(key, None)
    body["model"] = name.model
    for key in ("response_format", "text_format"):
        if isinstance(model_class := body.get(key), type):
            body[key] = _build_schema(litellm, model_class)
    return body


def _list_dropped(
    litellm: Any, arguments: Mapping[str, object], name: ModelName, body: Mapping[str, object]
) -> list[str]:
    dropped = [str(key) for key in as_list(arguments.get("additional_drop_params"))]
    if not (arguments.get("drop_params") or litellm.drop_params) or name.provider is None or "messages" not in body:
        return dropped
    supported = litellm.get_supported_openai_params(model=name.model, custom_llm_provider=name.provider)
    parameters = litellm.constants.OPENAI_CHAT_COMPLETION_PARAMS
    return dropped + [key for key in body if supported and key in parameters and key not in supported]


@functools.cache
def _build_schema(litellm: Any, model_class: type) -> object:
    """Return what LiteLLM sends for a class of the application's that the answer is to be read into."""
    return litellm.utils.type_to_response_format_param(model_class)


def read_prompt(arguments: Mapping[str, object]) -> tuple[str, str | None] | None:
    """Return name and version of a template that is kept elsewhere; None if none is used."""
    name, version = as_text(arguments.get("prompt_id")), arguments.get("prompt_version")
    return (name, None if version is None else str(version)) if name else None
