"""Writer: OpenAI's chat under another path, and completions of Writer's own shape.

Patched is the Stainless base (`_families/stainless.py`):
https://github.com/writer/writer-python/blob/main/src/writerai/_base_client.py
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

from otel_agentops import _patching
from otel_agentops._endpoint import FoldState
from otel_agentops._patching import ClientInfo
from otel_agentops.clients._families import stainless
from otel_agentops.clients._protocols.fields import Fields, as_int, drop_none_attributes, get
from otel_agentops.clients._protocols.openai_chat import (
    CHAT,
    COMPLETIONS,
    FIELDS,
    finish_chat,
    read_chat_request,
    read_chat_response,
    read_completion_request,
)
from otel_agentops.clients._servers import Server, find_provider
from otel_agentops.operations import Answer, ModelCall
from otel_agentops.semconv import attributes as A

COMPLETION_FIELDS = Fields(
    {**FIELDS.readers, "random_seed": (A.GEN_AI_REQUEST_SEED, as_int)},
    FIELDS.not_parameters | {"random_seed"},
    sampling=("temperature", "top_p", "random_seed", "stop"),
)
CHAT_FIELDS = FIELDS.with_sampling("temperature", "top_p", "stop")


def name_provider(api: object, host: str) -> str:
    """Return `gen_ai.provider.name`; the service itself for an unknown host."""
    return find_provider(host) or "writer"


def read_response(result: object) -> Answer:
    """Read a `ChatCompletion`, or its JSON."""
    return _add_cached_tokens(read_chat_response(result), get(result, "usage"))


def finish_stream(state: FoldState) -> Answer:
    """Build the answer from a fully or partly folded chat."""
    return _add_cached_tokens(finish_chat(state), state.get("usage"))


def _add_cached_tokens(answer: Answer, usage: object) -> Answer:
    """Add the count that has a name of its own at Writer: `prompt_token_details`, without the plural."""
    cached = as_int(get(get(usage, "prompt_token_details"), "cached_tokens"))
    answer.attributes.update(drop_none_attributes((A.GEN_AI_USAGE_CACHE_READ_INPUT_TOKENS, cached)))
    return answer


def read_text_request(body: Mapping[str, Any], server: Server) -> ModelCall:
    """Read `POST /v1/completions`."""
    return read_completion_request(body, server, COMPLETION_FIELDS)


def fold_text_chunk(state: FoldState, chunk: object) -> bool:
    """Fold a chunk of a completion, which says nothing but its text."""
    state["has_chunk"] = True
    return False


def finish_text_stream(state: FoldState) -> Answer:
    """Build the answer of a streamed completion, which names neither model nor tokens."""
    return Answer(None, {})


ENDPOINTS = {
    "/v1/chat": CHAT._replace(
        request=partial(read_chat_request, fields=CHAT_FIELDS), response=read_response, finish_fold=finish_stream
    ),
    "/v1/completions": COMPLETIONS._replace(
        request=read_text_request, fold=fold_text_chunk, finish_fold=finish_text_stream
    ),
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


WriterInstrumentor = Instrumentor  # the name that others give theirs
