"""Writer: a chat as OpenAI's but for its path, and completions of its own shape."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from otel_agentops import _patching
from otel_agentops._patching import ClientInfo
from otel_agentops.clients._families import stainless
from otel_agentops.clients._protocols.fields import as_int, drop_none_attributes, get
from otel_agentops.clients._protocols.openai_chat import (
    CHAT,
    COMPLETIONS,
    FIELDS,
    finish_chat,
    read_chat_response,
    read_completion_request,
)
from otel_agentops.clients._servers import Server, find_provider
from otel_agentops.operations import Answer, ModelCall
from otel_agentops.semconv import attributes as A

COMPLETION_FIELDS = FIELDS._replace(
    readers={**FIELDS.readers, "random_seed": (A.GEN_AI_REQUEST_SEED, as_int)},
    not_parameters=FIELDS.not_parameters | {"random_seed"},
)


def name_provider(api: object, host: str) -> str:
    """Return `gen_ai.provider.name`; the service itself for an unknown host."""
    return find_provider(host) or "writer"


def response(result: Any) -> Answer:
    """A `ChatCompletion`, or its JSON."""
    return _with_cached(read_chat_response(result), get(result, "usage"))


def settled(state: dict[str, Any]) -> Answer:
    """What the chunks of a chat added up to."""
    return _with_cached(finish_chat(state), state.get("usage"))


def _with_cached(answer: Answer, usage: Any) -> Answer:
    """The detail whose name is Writer's own."""
    cached = as_int(get(get(usage, "prompt_token_details"), "cached_tokens"))
    answer.attributes.update(drop_none_attributes((A.GEN_AI_USAGE_CACHE_READ_INPUT_TOKENS, cached)))
    return answer


def text_request(body: Mapping[str, Any], server: Server) -> ModelCall:
    """`POST /v1/completions`."""
    return read_completion_request(body, server, COMPLETION_FIELDS)


def text_fold(state: dict[str, Any], chunk: Any) -> bool:
    """A piece of a completion, which says nothing but its text."""
    state["came"] = True
    return False


def text_settled(state: dict[str, Any]) -> Answer:
    """A completion that came in pieces: neither its model nor its tokens are said."""
    return Answer(None, {})


ENDPOINTS = {
    "/v1/chat": CHAT._replace(response=response, finish_fold=settled),
    "/v1/completions": COMPLETIONS._replace(request=text_request, fold=text_fold, finish_fold=text_settled),
}
INFO = ClientInfo(
    operations=("chat", "text_completion"),
    not_covered=(
        "applications, questions to a graph, vision, translation and tools: they name no model or have no operation "
        "in the conventions",
        "files",
    ),
    peers=("opentelemetry-instrumentation-writer",),
)
_HELPERS = (("lib.streaming.chat._completions", "ChatCompletionStream"),)
LIBRARY = stainless.make_library(
    "writer-sdk", ">=2.2,<4", ENDPOINTS, name_provider, module="writerai", helpers=_HELPERS, info=INFO
)


class Instrumentor(_patching.Instrumentor):
    """Entry point `agentops_writer`."""

    libraries = (LIBRARY,)
