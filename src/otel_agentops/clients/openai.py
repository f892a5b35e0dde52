"""OpenAI, and everything that speaks its protocol through its client: what is OpenAI's own beside the protocol.

Patched is the Stainless base (`_families/stainless.py`):
https://github.com/openai/openai-python/blob/main/src/openai/_base_client.py
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar
from urllib.parse import urlsplit

from otel_agentops import _patching
from otel_agentops._endpoint import Endpoint, FoldState
from otel_agentops._foreign_spans import ForeignSpans
from otel_agentops._patching import ClientInfo
from otel_agentops.clients._families import stainless
from otel_agentops.clients._protocols import openai_chat, openai_responses, openai_responses_content
from otel_agentops.clients._protocols.fields import as_text, drop_none_attributes, get
from otel_agentops.clients._protocols.openai_chat import find_head_text
from otel_agentops.clients._protocols.openai_responses import BackgroundResponses, fold_responses_event
from otel_agentops.clients._servers import Server, find_provider
from otel_agentops.operations import Answer, Fetch, ModelCall
from otel_agentops.semconv import attributes as A

Call = TypeVar("Call", ModelCall, Fetch)


def name_provider(api: Any, host: str) -> str:
    """Return `gen_ai.provider.name` of a client object and the host of its base URL."""
    return find_provider(host, urlsplit(str(api.base_url)).path) or (
        "azure.ai.openai" if "Azure" in type(api).__name__ else "openai"
    )


# -- requests


def read_chat_request(body: Mapping[str, Any], server: Server) -> ModelCall:
    """Read `POST /chat/completions`."""
    return _add_request_facts(openai_chat.read_chat_request(body, server), body, "chat_completions")


def read_responses_request(body: Mapping[str, Any], server: Server) -> ModelCall:
    """Read `POST /responses`."""
    return _add_request_facts(openai_responses.read_responses_request(body, server), body, "responses")


def read_embeddings_request(body: Mapping[str, Any], server: Server) -> ModelCall:
    """Read `POST /embeddings`; the client asks for base64 by itself if the application names no format."""
    return openai_chat.read_embeddings_request(body, server, {"encoding_format": "base64"})


def read_fetch_request(body: Mapping[str, Any], server: Server) -> Fetch:
    """Read `GET /responses/{id}`."""
    return _add_request_facts(openai_responses.read_fetch_request(body, server), body, "responses")


def _add_request_facts(call: Call, body: Mapping[str, Any], api_type: str) -> Call:
    call.attributes[A.OPENAI_API_TYPE] = api_type
    if (tier := as_text(body.get("service_tier"))) is not None and tier != "auto":  # the convention: if not 'auto'
        call.attributes[A.OPENAI_REQUEST_SERVICE_TIER] = tier
    return call


# -- answers


def read_chat_response(result: Any) -> Answer:
    """Read a `ChatCompletion`, or its JSON."""
    return _add_response_facts(openai_chat.read_chat_response(result), result)


def finish_chat(state: FoldState) -> Answer:
    """Build the answer from a fully or partly folded chat."""
    head = {name: find_head_text(state, name) for name in ("service_tier", "system_fingerprint")}
    return _add_response_facts(openai_chat.finish_chat(state), head)


def _add_response_facts(answer: Answer, result: Any) -> Answer:
    answer.attributes.update(
        drop_none_attributes(
            (A.OPENAI_RESPONSE_SERVICE_TIER, as_text(get(result, "service_tier"))),
            (A.OPENAI_RESPONSE_SYSTEM_FINGERPRINT, as_text(get(result, "system_fingerprint"))),
        )
    )
    return answer


class ResponsesReader:
    """Reads responses and fetched responses; knows which of them this process began in the background."""

    def __init__(self) -> None:
        self.background = BackgroundResponses()

    def read_response(self, result: Any) -> Answer:
        """Read a `Response`, or its JSON."""
        self.background.remember(result)
        return _add_response_facts(openai_responses.read_responses_response(result), result)

    def finish_stream(self, state: FoldState) -> Answer:
        """Build the answer from the last snapshot of the response in a stream."""
        return self.read_response(state["response"])

    def read_fetched(self, result: Any) -> Answer:
        """Read a `Response` that was made before, or its JSON."""
        tells_usage = self.background.take_ended(result)
        return _add_response_facts(openai_responses.read_fetch_response(result, tells_usage), result)

    def finish_fetched_stream(self, state: FoldState) -> Answer:
        """Build the answer from the last snapshot of a fetched stream; read again, it is the same."""
        if "answer" not in state:
            state["answer"] = self.read_fetched(state["response"])
        answer: Answer = state["answer"]
        return answer


READER = ResponsesReader()
# The convention adds these to the client metrics if the provider is OpenAI.
METRIC_LABELS = (A.OPENAI_RESPONSE_SERVICE_TIER, A.OPENAI_RESPONSE_SYSTEM_FINGERPRINT)
ENDPOINTS = {
    "/chat/completions": openai_chat.CHAT._replace(
        request=read_chat_request, response=read_chat_response, finish_fold=finish_chat, metric_labels=METRIC_LABELS
    ),
    "/responses": Endpoint(
        read_responses_request,
        READER.read_response,
        fold_responses_event,
        READER.finish_stream,
        metric_labels=METRIC_LABELS,
        content=openai_responses_content.RESPONSES,
    ),
    "/completions": openai_chat.COMPLETIONS,  # after the first, whose end it is
    "/embeddings": openai_chat.EMBEDDINGS._replace(request=read_embeddings_request),
}
FETCH_ENDPOINTS = {
    "/responses": Endpoint(
        read_fetch_request,
        READER.read_fetched,
        fold_responses_event,
        READER.finish_fetched_stream,
        metric_labels=METRIC_LABELS,
        content=openai_responses_content.FETCHED,
    )
}
_HELPERS = (
    ("lib.streaming.chat._completions", "ChatCompletionStream"),
    ("lib.streaming.responses._responses", "ResponseStream"),
)
INFO = ClientInfo(
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
    foreign_spans=ForeignSpans(
        operations_by_name={  # of OpenLLMetry
            "openai.chat": "chat",
            "openai.response": "chat",
            "openai.completion": "text_completion",
            "openai.embeddings": "embeddings",
        },
        own_parent_scopes=frozenset({"langfuse-sdk"}),  # `trace_id=` and `parent_observation_id=` of `langfuse.openai`
    ),
)
LIBRARY = stainless.make_library(
    "openai",
    ">=2,<4",
    ENDPOINTS,
    name_provider,
    fetch_endpoints=FETCH_ENDPOINTS,
    subclass="OpenAI",
    helpers=_HELPERS,
    served_model_header="x-ms-served-model",  # Azure's responses name the deployment, and the model only here
    info=INFO,
)


class Instrumentor(_patching.Instrumentor):
    """Entry point `agentops_openai`."""

    libraries = (LIBRARY,)


OpenAIInstrumentor = Instrumentor  # the name that others give theirs
