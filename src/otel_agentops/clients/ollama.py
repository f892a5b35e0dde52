"""Ollama: chat, completions and embeddings of a local or hosted server, through objects and module functions alike.

Patched are `_request`, which every public method calls, and `_request_raw`, the one HTTP request of a plain call:
https://github.com/ollama/ollama-python/blob/v0.6.3/ollama/_client.py#L141-L203. The latter sits inside every other
instrumentation that patches `_request`, whoever came first.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext, suppress
from functools import partial
from typing import Any, NamedTuple, TypeAlias

from otel_agentops import _patching
from otel_agentops._client_call import ClientCall, active_call, begin_call
from otel_agentops._endpoint import Endpoint, FoldState
from otel_agentops._guard import guard
from otel_agentops._patching import ClientInfo, PatchedLibrary, Target
from otel_agentops._streams import BeginStream, observe_lazy_async_stream, observe_lazy_stream
from otel_agentops._wrapping import Arguments, Around, Keywords, wrap_call, wrap_step
from otel_agentops.clients._protocols import ollama_content
from otel_agentops.clients._protocols.fields import (
    Fields,
    as_double,
    as_int,
    as_list,
    as_text,
    as_texts,
    drop_none_attributes,
    flatten_instructions,
    get,
)
from otel_agentops.clients._protocols.openai_chat import find_system_contents, normalise_tool
from otel_agentops.clients._servers import Server, Servers, parse_address
from otel_agentops.operations import Answer, ModelCall
from otel_agentops.semconv import attributes as A

FIELDS = Fields(
    {
        "temperature": (A.GEN_AI_REQUEST_TEMPERATURE, as_double),
        "top_p": (A.GEN_AI_REQUEST_TOP_P, as_double),
        "top_k": (A.GEN_AI_REQUEST_TOP_K, as_int),
        "frequency_penalty": (A.GEN_AI_REQUEST_FREQUENCY_PENALTY, as_double),
        "presence_penalty": (A.GEN_AI_REQUEST_PRESENCE_PENALTY, as_double),
        "num_predict": (A.GEN_AI_REQUEST_MAX_TOKENS, as_int),
        "seed": (A.GEN_AI_REQUEST_SEED, as_int),
        "stop": (A.GEN_AI_REQUEST_STOP_SEQUENCES, as_texts),
        "think": (A.GEN_AI_REQUEST_REASONING_LEVEL, as_text),  # or a boolean, which is no level
        "format": (A.GEN_AI_OUTPUT_TYPE, lambda wanted: "json" if wanted else None),  # the word, or a schema
        "dimensions": (A.GEN_AI_EMBEDDINGS_DIMENSION_COUNT, as_int),
        "stream": (A.GEN_AI_REQUEST_STREAM, lambda stream: stream is True or None),  # the convention: only if streaming
    },
    not_parameters=frozenset([
        "model", "messages", "tools", "stream", "options", "prompt", "suffix", "system", "context", "images", "input",
        "seed", "keep_alive",
    ]),
    sampling=("temperature", "top_p", "top_k", "frequency_penalty", "presence_penalty", "seed", "stop"),
)  # fmt: skip
_STREAM_ERROR = -1  # `status_code` of an error that a stream reports in one of its lines


# -- requests and answers


def read_request(operation: str, body: Mapping[str, object], server: Server) -> ModelCall:
    """Read the request of any endpoint; sampling parameters are in `options`."""
    options = body.get("options")
    fields = {**body, **options} if isinstance(options, Mapping) else body
    return ModelCall(
        operation,
        server.provider,
        server.choose_model(body.get("model")),
        FIELDS.read_attributes(fields, server.attributes),
        flatten_instructions((body.get("system"), *find_system_contents(body.get("messages")))),
        as_list(body.get("tools")),
        normalise_tool,
        FIELDS.read_parameters(fields),
    )


def read_response(result: object) -> Answer:
    """Read a whole answer, or the last chunk of a stream, which has the counts."""
    return Answer(
        as_text(get(result, "model")),
        drop_none_attributes((A.GEN_AI_RESPONSE_FINISH_REASONS, as_texts(get(result, "done_reason")))),
        as_int(get(result, "prompt_eval_count")),
        as_int(get(result, "eval_count")),
        tool_calls=_read_tool_calls(get(result, "message")),
    )


def _read_tool_calls(message: object) -> list[tuple[str, object]]:
    functions = [get(tool_call, "function") for tool_call in as_list(get(message, "tool_calls"))]
    return [(name, get(function, "arguments")) for function in functions if (name := as_text(get(function, "name")))]


def fold_chunk(state: FoldState, chunk: Any) -> bool:
    """Fold a chunk of a chat or a completion; tools may be called in any chunk of a chat."""
    state["chunk"] = chunk
    if chunk.model is not None:
        state["model"] = chunk.model
    if (message := getattr(chunk, "message", None)) is not None and message.tool_calls:
        state.setdefault("tool_calls", []).extend(_read_tool_calls(message))
    return bool(chunk.done)


def finish_stream(state: FoldState) -> Answer:
    """Build the answer from the last chunk that came and the tool calls of all."""
    answer = read_response(state["chunk"])
    return answer._replace(model=as_text(state.get("model")), tool_calls=state.get("tool_calls", ()))


def find_status(error: BaseException) -> int | None:
    """Return 200 for an error in a line of a stream, whose response was a good one; None if the error says it."""
    return 200 if getattr(error, "status_code", None) == _STREAM_ERROR else None


# -- where it is patched


class OllamaCall(NamedTuple):
    """The context of a call: the client object, and the path and JSON body that it sends."""

    api: Any
    path: str
    body: Any


Call: TypeAlias = "ClientCall[OllamaCall]"


def _begin_request(
    library: PatchedLibrary, args: Arguments, kwargs: Keywords
) -> Call | AbstractContextManager[object] | None:
    endpoint = ENDPOINTS.get(args[3]) if len(args) > 3 else None  # after the client, the answer's class and the method
    if endpoint is None:
        return None
    context = OllamaCall(args[0], args[3], kwargs["json"])
    if kwargs.get("stream"):
        return nullcontext(lambda: begin_call(library, endpoint, context))
    return begin_call(library, endpoint, context)


def _hand_out(call: Call | BeginStream, result: Any, args: Arguments, kwargs: Keywords) -> object:
    """Record the answer of a plain call; return the observed iterator of a stream, which sends with its first item."""
    if not isinstance(call, ClientCall):
        observe = observe_lazy_async_stream if hasattr(result, "__anext__") else observe_lazy_stream
        return observe(result, call, _start_attempt)
    if not call.has_answer:
        call.response_received(result)
    return None


@guard
def _start_attempt(call: Call) -> None:
    api, path, body = call.context
    call.attempt_started(body, _SERVERS.find(api, api._client.base_url))
    if call.wants_content:
        call.request_sent(api._client.build_request("POST", path, json=body).content)


def _start_raw_attempt(library: PatchedLibrary, args: Arguments, kwargs: Keywords) -> Call | None:
    call = active_call(OllamaCall)
    if call is None or call.context.body is not kwargs.get("json"):
        return None
    _start_attempt(call)
    return call


def _receive_reply(call: Call, reply: Any, args: Arguments, kwargs: Keywords) -> None:
    call.attempt_finished(reply.status_code)
    if call.hooks.wire_received:
        call.wire_received(reply.headers, reply.content)
    if call.wants_early_answer:  # a foreign span may end before we see the result
        with suppress(ValueError):
            call.response_received(reply.json())


def _describe_server(api: Any) -> Server:
    return Server("ollama", parse_address(str(api._client.base_url)))


_SERVERS = Servers(_describe_server)
CHAT = Endpoint(
    partial(read_request, "chat"),
    read_response,
    fold_chunk,
    finish_stream,
    find_status,
    content=ollama_content.GENERATION,
)
ENDPOINTS = {
    "/api/chat": CHAT,
    "/api/generate": CHAT._replace(request=partial(read_request, "text_completion")),
    "/api/embed": Endpoint(partial(read_request, "embeddings"), read_response),
    "/api/embeddings": Endpoint(partial(read_request, "embeddings"), read_response),
}
_REQUEST, _REQUEST_RAW = Around(_begin_request, _hand_out), Around(_start_raw_attempt, _receive_reply)
LIBRARY = PatchedLibrary(
    "ollama",
    ">=0.4.4,<1",
    [
        Target("ollama._client", "Client", "_request", wrap_call(_REQUEST), ("cls", "stream")),
        Target("ollama._client", "AsyncClient", "_request", wrap_call(_REQUEST, is_async=True), ("cls", "stream")),
        Target("ollama._client", "Client", "_request_raw", wrap_step(_REQUEST_RAW)),
        Target("ollama._client", "AsyncClient", "_request_raw", wrap_step(_REQUEST_RAW, is_async=True)),
    ],
    ClientInfo(
        operations=("chat", "text_completion (generate)", "embeddings"),
        not_covered=("systemone, web_search, web_fetch; pull, push, create and what else keeps models",),
        peers=("opentelemetry-instrumentation-ollama", "openinference-instrumentation-ollama"),
    ),
)


class Instrumentor(_patching.Instrumentor):
    """Entry point `agentops_ollama`."""

    libraries = (LIBRARY,)


OllamaInstrumentor = Instrumentor  # the name that others give theirs
