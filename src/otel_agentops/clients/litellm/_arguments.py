"""LiteLLM's arguments: who is asked, by which name, and what of them is for the model and not for LiteLLM itself."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from typing import Any, NamedTuple

from otel_agentops.clients._protocols.fields import as_text, get
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


def provider(name: str, server: Attributes = _UNKNOWN) -> str:
    """`gen_ai.provider.name`. server: where the call goes, as far as it is known."""
    if name in _PROTOCOL and (known := find_provider(str(server.get(A.SERVER_ADDRESS)))) is not None:
        return known
    return _PROVIDERS.get(name) or ("gcp.vertex_ai" if name.startswith("vertex_ai") else name)


class Named(NamedTuple):
    """A model as it is sent, without the provider's name before it, and that name; None where it is not known yet."""

    provider: str | None
    model: str | None


def named(litellm: Any, given: Mapping[str, Any]) -> Named:
    """What the arguments say; LiteLLM's table of models says whose one without a provider is."""
    model, told = as_text(given.get("model")), as_text(given.get("custom_llm_provider"))
    if model is None:
        return Named(told, None)
    first, slash, rest = model.partition("/")
    if slash and (first == told or (told is None and first in _provider_names(litellm))):
        return Named(first, rest)
    return Named(told or as_text(get(litellm.model_cost.get(model), "litellm_provider")), model)


@functools.cache
def _provider_names(litellm: Any) -> frozenset[str]:
    return frozenset(str(each.value) for each in litellm.types.utils.LlmProviders)


# Arguments that are neither the model's nor in LiteLLM's own list of those.
_CONTROL = frozenset({
    "timeout", "base_url", "extra_headers", "deployment_id", "drop_params", "additional_drop_params", "organization",
    "extra_body", "extra_query", "engine", "query", "documents", "kwargs", "modify_params", "azure_ad_token",
})  # fmt: skip
_CLOUDS = ("aws_", "azure_", "gcs_", "litellm_", "mock_", "oci_", "vertex_", "watsonx_")  # credentials and places
_SECRETS = ("_key", "_token", "_secret", "_password", "_credentials", "_base", "_url", "_id")


@functools.cache
def _is_control(litellm: Any, name: str) -> bool:
    """Whether an argument says how a call is made, not what the model is to do."""
    return (
        name in _CONTROL
        or name in litellm.types.utils.all_litellm_params
        or name.startswith(_CLOUDS)
        or (name.endswith(_SECRETS) and name not in FIELDS.readers)
        or name.startswith("_")
    )


def body(litellm: Any, given: Mapping[str, Any], found: Named) -> dict[str, Any]:
    """The request in OpenAI's words, without what LiteLLM takes out of it because this model does not know it."""
    extra = given.get("extra_body")
    asked = {
        name: value
        for name, value in ({**given, **extra} if isinstance(extra, Mapping) else given).items()
        if value is not None and (name in _CONTENT or not _is_control(litellm, name))
    }
    for name in _dropped(litellm, given, found, asked):
        asked.pop(name, None)
    asked["model"] = found.model
    for name in ("response_format", "text_format"):
        if isinstance(asked.get(name), type):
            asked[name] = _schema(litellm, asked[name])
    return asked


_CONTENT = frozenset({"messages", "input", "instructions", "previous_response_id"})


def _dropped(litellm: Any, given: Mapping[str, Any], found: Named, asked: Mapping[str, Any]) -> list[str]:
    named_ones = [str(name) for name in given.get("additional_drop_params") or ()]
    if not (given.get("drop_params") or litellm.drop_params) or found.provider is None or "messages" not in asked:
        return named_ones
    known = litellm.get_supported_openai_params(model=found.model, custom_llm_provider=found.provider)
    everybody = litellm.constants.OPENAI_CHAT_COMPLETION_PARAMS
    return named_ones + [name for name in asked if known and name in everybody and name not in known]


@functools.cache
def _schema(litellm: Any, model: Any) -> Any:
    """What LiteLLM sends for a class of the application's that the answer is to be read into."""
    return litellm.utils.type_to_response_format_param(model)


def prompt(given: Mapping[str, Any]) -> tuple[str, str | None] | None:
    """Name and version of a template that is kept elsewhere."""
    name, version = as_text(given.get("prompt_id")), given.get("prompt_version")
    return (name, None if version is None else str(version)) if name else None
