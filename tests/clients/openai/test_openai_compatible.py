"""Whoever speaks OpenAI's protocol through OpenAI's client is named by where the calls go."""

from __future__ import annotations

import importlib
import json
from typing import Any

import openai
import pytest

from otel_agentops.clients._servers import find_provider
from otel_agentops.clients.openai import Instrumentor
from otel_agentops.testing import capture

SERVICES = {
    "https://api.openai.com/v1": "openai",
    "https://eu.api.openai.com/v1": "openai",
    "https://shop.openai.azure.com/openai/v1/": "azure.ai.openai",
    "https://shop.openai.azure.us/openai/v1/": "azure.ai.openai",
    "https://shop.cognitiveservices.azure.com/openai/v1/": "azure.ai.openai",
    "https://shop.services.ai.azure.com/openai/v1/": "azure.ai.openai",
    "https://shop.services.ai.azure.com/models": "azure.ai.inference",
    "https://model-x.eastus.models.ai.azure.com/v1": "azure.ai.inference",
    "https://models.github.ai/inference": "github",
    "https://models.inference.ai.azure.com": "github",
    "https://openrouter.ai/api/v1": "openrouter",
    "https://api.deepseek.com": "deepseek",
    "https://api.together.xyz/v1": "together_ai",
    "https://api.together.ai/v1": "together_ai",
    "https://api.fireworks.ai/inference/v1": "fireworks",
    "https://api.groq.com/openai/v1": "groq",
    "https://api.perplexity.ai": "perplexity",
    "https://api.x.ai/v1": "x_ai",
    "https://us-east-1.api.x.ai/v1": "x_ai",
    "https://api.mistral.ai/v1": "mistral_ai",
    "https://api.cerebras.ai/v1": "cerebras",
    "https://api.sambanova.ai/v1": "sambanova",
    "https://integrate.api.nvidia.com/v1": "nvidia",
    "https://api.moonshot.ai/v1": "moonshot_ai",
    "https://api.moonshot.cn/v1": "moonshot_ai",
    "https://dbc-a1b2.cloud.databricks.com/serving-endpoints": "databricks",
    "https://adb-12.3.azuredatabricks.net/serving-endpoints": "databricks",
    "https://router.huggingface.co/v1": "huggingface",
    "https://a1b2.eu-west-1.aws.endpoints.huggingface.cloud/v1": "huggingface",
    "https://bedrock-runtime.us-west-2.amazonaws.com/openai/v1": "aws.bedrock",
    "https://bedrock-runtime-fips.us-west-2.amazonaws.com/openai/v1": "aws.bedrock",
    "https://bedrock-mantle.us-east-1.api.aws/v1": "aws.bedrock",
    "https://vpce-0a1b-2c.bedrock-runtime.eu-west-1.vpce.amazonaws.com/openai/v1": "aws.bedrock",
    "https://us-east1-aiplatform.googleapis.com/v1/projects/p/locations/us-east1/endpoints/openapi": "gcp.vertex_ai",
    "https://aiplatform.googleapis.com/v1/projects/p/locations/global/endpoints/openapi": "gcp.vertex_ai",
    "https://aiplatform.us.rep.googleapis.com/v1/projects/p/locations/us/endpoints/openapi": "gcp.vertex_ai",
    "https://generativelanguage.googleapis.com/v1beta/openai/": "gcp.gemini",
    "https://us-south.ml.cloud.ibm.com/ml/gateway/v1": "ibm.watsonx.ai",
    "https://ollama.com/v1": "ollama",
}
# Of these nothing is known but the protocol that they speak, which is OpenAI's.
OWN = [
    "http://localhost:11434/v1",  # Ollama, by default
    "http://localhost:1234/v1",  # LM Studio
    "http://127.0.0.1:8080/v1",  # llama.cpp
    "http://vllm.models.svc.cluster.local:8000/v1",
    "https://llm-1234.eu-west-1.elb.amazonaws.com/v1",
    "https://a1b2.execute-api.eu-west-1.amazonaws.com/v1",
    "https://api.openai.com.example.org/v1",
    "https://notopenrouter.ai/v1",
]
HTTP: Any = importlib.import_module(openai.DefaultHttpxClient.__mro__[1].__module__.partition(".")[0])  # httpx, httpx2
ANSWER = {"id": "1", "object": "chat.completion", "created": 1, "model": "m", "choices": []}


def asked(base: str) -> Any:
    """The attributes of the span of one call to this address, which a transport answers."""
    transport = HTTP.MockTransport(lambda request: HTTP.Response(200, content=json.dumps(ANSWER).encode()))
    client = openai.OpenAI(api_key="k", base_url=base, http_client=HTTP.Client(transport=transport))
    with capture(Instrumentor()) as seen:
        client.chat.completions.create(model="m", messages=[{"role": "user", "content": "hi"}])
    (span,) = seen.spans
    return span["attributes"]


@pytest.mark.parametrize(("base", "provider"), SERVICES.items())
def test_known_service_has_its_provider_name(base: str, provider: str) -> None:
    assert asked(base)["gen_ai.provider.name"] == provider


@pytest.mark.parametrize("base", OWN)
def test_unknown_server_has_the_provider_name_openai(base: str) -> None:
    attributes = asked(base)
    assert find_provider(attributes["server.address"]) is None
    assert attributes["gen_ai.provider.name"] == "openai"
