"""Writer: a chat as OpenAI's but for its path, and completions of its own shape."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from otel_agentops import _patching
from otel_agentops._patching import Support
from otel_agentops.clients._families import stainless
from otel_agentops.clients._protocols.fields import get, present_attributes, whole
from otel_agentops.clients._protocols.openai_chat import (
    CHAT,
    COMPLETIONS,
    FIELDS,
    chat_response,
    chat_settled,
    completion_request,
)
from otel_agentops.clients._servers import Server, by_host
from otel_agentops.operations import Answer, ModelCall
from otel_agentops.semconv import attributes as A

COMPLETION_FIELDS = FIELDS._replace(
    readers={**FIELDS.readers, "random_seed": (A.GEN_AI_REQUEST_SEED, whole)},
    not_parameters=FIELDS.not_parameters | {"random_seed"},
)


def provider(api: Any, host: str) -> str:
    """`gen_ai.provider.name`: the client's own, also behind a gateway of unknown name."""
    return by_host(host) or "writer"


def response(result: Any) -> Answer:
    """A `ChatCompletion`, or its JSON."""
    return _with_cached(chat_response(result), get(result, "usage"))


def settled(state: dict[str, Any]) -> Answer:
    """What the chunks of a chat added up to."""
    return _with_cached(chat_settled(state), state.get("usage"))


def _with_cached(answer: Answer, usage: Any) -> Answer:
    """The detail whose name is Writer's own."""
    cached = whole(get(get(usage, "prompt_token_details"), "cached_tokens"))
    answer.attributes.update(present_attributes((A.GEN_AI_USAGE_CACHE_READ_INPUT_TOKENS, cached)))
    return answer


def text_request(body: Mapping[str, Any], server: Server) -> ModelCall:
    """`POST /v1/completions`."""
    return completion_request(body, server, COMPLETION_FIELDS)


def text_fold(state: dict[str, Any], chunk: Any) -> bool:
    """A piece of a completion, which says nothing but its text."""
    state["came"] = True
    return False


def text_settled(state: dict[str, Any]) -> Answer:
    """A completion that came in pieces: neither its model nor its tokens are said."""
    return Answer(None, {})


ENDPOINTS = {
    "/v1/chat": CHAT._replace(response=response, settled=settled),
    "/v1/completions": COMPLETIONS._replace(request=text_request, fold=text_fold, settled=text_settled),
}
SUPPORT = Support(
    operations=("chat", "text_completion"),
    not_covered=(
        "applications, questions to a graph, vision, translation and tools: they name no model or have no operation "
        "in the conventions",
        "files",
    ),
    peers=("opentelemetry-instrumentation-writer",),
)
_HELPERS = (("lib.streaming.chat._completions", "ChatCompletionStream"),)
CLIENT = stainless.client(
    "writer-sdk", ">=2.2,<4", ENDPOINTS, provider, module="writerai", helpers=_HELPERS, support=SUPPORT
)


class Instrumentor(_patching.Instrumentor):
    """Entry point `agentops_writer`."""

    clients = (CLIENT,)
