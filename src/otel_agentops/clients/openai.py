"""OpenAI, and everything that speaks its protocol through its client: what is OpenAI's own beside the shared wire."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from otel_agentops import _patching
from otel_agentops._observation import Endpoint
from otel_agentops._patching import Support
from otel_agentops.clients._families import stainless
from otel_agentops.clients._protocols import openai_chat, openai_responses
from otel_agentops.clients._protocols.fields import get, present_attributes, text
from otel_agentops.clients._protocols.openai_chat import chat_fold
from otel_agentops.clients._protocols.openai_responses import responses_fold
from otel_agentops.clients._servers import Server, by_host
from otel_agentops.operations import Answer, ModelCall
from otel_agentops.semconv import attributes as A


def provider(api: Any, host: str) -> str:
    """`gen_ai.provider.name` for a client object and the host of its base URL."""
    return by_host(host, urlsplit(str(api.base_url)).path) or (
        "azure.ai.openai" if "Azure" in type(api).__name__ else "openai"
    )


# -- requests


def chat_request(body: Mapping[str, Any], server: Server) -> ModelCall:
    """`POST /chat/completions`."""
    return _asking(openai_chat.chat_request(body, server), body, "chat_completions")


def responses_request(body: Mapping[str, Any], server: Server) -> ModelCall:
    """`POST /responses`."""
    return _asking(openai_responses.responses_request(body, server), body, "responses")


def embeddings_request(body: Mapping[str, Any], server: Server) -> ModelCall:
    """`POST /embeddings`. The client asks for base64 by itself where the application names no format."""
    return openai_chat.embeddings_request(body, server, {"encoding_format": "base64"})


def _asking(call: ModelCall, body: Mapping[str, Any], api: str) -> ModelCall:
    call.attributes[A.OPENAI_API_TYPE] = api
    if (tier := text(body.get("service_tier"))) is not None and tier != "auto":  # the convention: if not 'auto'
        call.attributes[A.OPENAI_REQUEST_SERVICE_TIER] = tier
    return call


def fetch_request(body: Mapping[str, Any], server: Server) -> ModelCall:
    """`GET /responses/{id}`."""
    return _asking(openai_responses.fetch_request(body, server), body, "responses")


# -- answers


def chat_response(result: Any) -> Answer:
    """A `ChatCompletion`, or its JSON."""
    return _answered(openai_chat.chat_response(result), result)


def chat_settled(state: dict[str, Any]) -> Answer:
    """What the chunks of a chat added up to."""
    return _answered(openai_chat.chat_settled(state), state["first"])


def responses_response(result: Any) -> Answer:
    """A `Response`, or its JSON."""
    return _answered(openai_responses.responses_response(result), result)


def responses_settled(state: dict[str, Any]) -> Answer:
    """What the stream's last snapshot of the response says."""
    return responses_response(state["response"])


def fetch_response(result: Any) -> Answer:
    """A `Response` that was made before, or its JSON."""
    return _answered(openai_responses.fetch_response(result), result)


def fetch_settled(state: dict[str, Any]) -> Answer:
    """What the last snapshot of a fetched stream says."""
    return _answered(openai_responses.fetch_settled(state), state["response"])


def _answered(answer: Answer, result: Any) -> Answer:
    answer.attributes.update(
        present_attributes(
            (A.OPENAI_RESPONSE_SERVICE_TIER, text(get(result, "service_tier"))),
            (A.OPENAI_RESPONSE_SYSTEM_FINGERPRINT, text(get(result, "system_fingerprint"))),
        )
    )
    return answer


ENDPOINTS = {
    "/chat/completions": Endpoint(chat_request, chat_response, chat_fold, chat_settled),
    "/responses": Endpoint(responses_request, responses_response, responses_fold, responses_settled),
    "/completions": openai_chat.COMPLETIONS,  # after the first, whose end it is
    "/embeddings": openai_chat.EMBEDDINGS._replace(request=embeddings_request),
}
FETCHED = {"/responses": Endpoint(fetch_request, fetch_response, responses_fold, fetch_settled)}
_HELPERS = (
    ("lib.streaming.chat._completions", "ChatCompletionStream"),
    ("lib.streaming.responses._responses", "ResponseStream"),
)
_SERVED = "x-ms-served-model"  # Azure's responses name the deployment, and the model only in this header
SUPPORT = Support(
    operations=(
        "chat (chat completions, responses)",
        "text_completion",
        "embeddings",
        "fetch_response (`responses.retrieve`)",
        "Azure and any `base_url`",
    ),
    not_covered=(
        "`realtime`, `live` and `responses.connect`: websockets",
        "batches, images, audio, videos, moderations and files: the convention has no operation for them",
        "`responses.compact`, `responses.cancel` and stored chat completions",
        "agents, assistants, vector stores, fine-tuning and evals",
    ),
    peers=(
        "opentelemetry-instrumentation-genai-openai",
        "opentelemetry-instrumentation-openai-v2",
        "opentelemetry-instrumentation-openai",
        "openinference-instrumentation-openai",
    ),
)
CLIENT = stainless.client(
    "openai",
    ">=2,<4",
    ENDPOINTS,
    provider,
    fetched=FETCHED,
    subclass="OpenAI",
    helpers=_HELPERS,
    served=_SERVED,
    support=SUPPORT,
)


class Instrumentor(_patching.Instrumentor):
    """Entry point `agentops_openai`."""

    clients = (CLIENT,)
