"""Ollama: chat, completions and embeddings of a local or hosted server, through objects and module functions alike."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import partial
from typing import Any

from otel_agentops import _patching
from otel_agentops._client_call import ACTIVE_CALL, UNOBSERVED, ClientCall, Endpoint, begin_call
from otel_agentops._guard import guard
from otel_agentops._patching import ClientInfo, PatchedLibrary, Target
from otel_agentops._streams import observe_lazy_async_stream, observe_lazy_stream
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
from otel_agentops.clients._protocols.openai_chat import find_system_contents, normalise_tool, refuse_stream
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
)  # fmt: skip


def request(operation: str, body: Mapping[str, Any], server: Server) -> ModelCall:
    """Every endpoint. What other protocols have beside each other is here in `options`."""
    options = body.get("options")
    flat = {**body, **options} if isinstance(options, Mapping) else body
    told = flatten_instructions((body.get("system"), *find_system_contents(body.get("messages"))))
    return ModelCall(
        operation,
        server.provider,
        as_text(body.get("model")),
        FIELDS.read_attributes(flat, server.attributes),
        told,
        as_list(body.get("tools")),
        normalise_tool,
        FIELDS.read_parameters(flat),
    )


def response(result: Any) -> Answer:
    """The whole answer, or the last chunk of a stream, which has the counts."""
    attributes = drop_none_attributes((A.GEN_AI_RESPONSE_FINISH_REASONS, as_texts(get(result, "done_reason"))))
    counts = (as_int(get(result, "prompt_eval_count")), as_int(get(result, "eval_count")))
    return Answer(as_text(get(result, "model")), attributes, *counts, tool_calls=_asked(get(result, "message")))


def _asked(message: Any) -> list[tuple[str, Any]]:
    called = (get(call, "function") for call in as_list(get(message, "tool_calls")))
    return [(name, get(function, "arguments")) for function in called if (name := as_text(get(function, "name")))]


def fold(state: dict[str, Any], chunk: Any) -> bool:
    """A chunk of a chat or a completion; tools may be called in any of a chat's."""
    state["chunk"] = chunk
    if (message := getattr(chunk, "message", None)) is not None and message.tool_calls:
        state.setdefault("asked", []).extend(_asked(message))
    return bool(chunk.done)


def settled(state: dict[str, Any]) -> Answer:
    """What the last chunk that came says."""
    return response(state["chunk"])._replace(tool_calls=state.get("asked", ()))


def status(error: BaseException) -> int | None:
    """An error that a stream reports in one of its lines has -1: the response itself was a good one."""
    return 200 if getattr(error, "status_code", None) == -1 else None


# -- where it is patched


def _request(original: Callable[..., Any], patched: PatchedLibrary) -> Callable[..., Any]:
    def _request(api: Any, *args: Any, **kwargs: Any) -> Any:
        endpoint = ENDPOINTS.get(args[2]) if len(args) > 2 else None  # after the answer's class and the HTTP method
        if endpoint is None:
            return original(api, *args, **kwargs)
        started = partial(_begin, patched, endpoint, api, kwargs)
        if kwargs.get("stream"):
            return observe_lazy_stream(original(api, *args, **kwargs), started, _leave)
        with started() or UNOBSERVED as watch:
            result = original(api, *args, **kwargs)
            _answered(watch, result)
        return result

    return _request


def _async_request(original: Callable[..., Any], patched: PatchedLibrary) -> Callable[..., Any]:
    async def _request(api: Any, *args: Any, **kwargs: Any) -> Any:
        endpoint = ENDPOINTS.get(args[2]) if len(args) > 2 else None
        if endpoint is None:
            return await original(api, *args, **kwargs)
        started = partial(_begin, patched, endpoint, api, kwargs)
        if kwargs.get("stream"):
            return observe_lazy_async_stream(await original(api, *args, **kwargs), started, _leave)
        with started() or UNOBSERVED as watch:
            result = await original(api, *args, **kwargs)
            _answered(watch, result)
        return result

    return _request


@guard
def _begin(patched: PatchedLibrary, endpoint: Endpoint, api: Any, kwargs: dict[str, Any]) -> ClientCall | None:
    watch = begin_call(patched, endpoint)
    if watch is not None:
        watch.context = (kwargs["json"], _SERVERS.find(api, api._client.base_url))
    return watch


def _raw(original: Callable[..., Any], patched: PatchedLibrary) -> Callable[..., Any]:
    """The one request of a plain call: inside everybody who patches `_request` as well, whoever came first."""

    def _request_raw(api: Any, *args: Any, **kwargs: Any) -> Any:
        watch = _leaving(kwargs)
        reply = original(api, *args, **kwargs)
        _came(watch, reply)
        return reply

    return _request_raw


def _async_raw(original: Callable[..., Any], patched: PatchedLibrary) -> Callable[..., Any]:
    async def _request_raw(api: Any, *args: Any, **kwargs: Any) -> Any:
        watch = _leaving(kwargs)
        reply = await original(api, *args, **kwargs)
        _came(watch, reply)
        return reply

    return _request_raw


@guard
def _leave(watch: ClientCall) -> None:
    watch.attempt_started(*watch.context)


@guard
def _leaving(kwargs: dict[str, Any]) -> ClientCall | None:
    watch = ACTIVE_CALL.get()
    if watch is None or type(watch.context) is not tuple or watch.context[0] is not kwargs.get("json"):
        return None
    _leave(watch)
    return watch


@guard
def _came(watch: ClientCall | None, reply: Any) -> None:
    if watch is None:
        return
    watch.attempt_finished(reply.status_code)
    if watch.wants_early_answer:
        with suppress(ValueError):
            watch.response_received(reply.json())  # whose span it is may end it before we see the result


@guard
def _answered(watch: ClientCall | None, result: Any) -> None:
    if watch is not None and not watch.has_answer:
        watch.response_received(result)


def _server(api: Any) -> Server:
    return Server("ollama", parse_address(str(api._client.base_url)))


_SERVERS = Servers(_server)
ENDPOINTS = {
    "/api/chat": Endpoint(partial(request, "chat"), response, fold, settled, status),
    "/api/generate": Endpoint(partial(request, "text_completion"), response, fold, settled, status),
    "/api/embed": Endpoint(partial(request, "embeddings"), response, refuse_stream, settled),
    "/api/embeddings": Endpoint(partial(request, "embeddings"), response, refuse_stream, settled),
}
LIBRARY = PatchedLibrary(
    "ollama",
    ">=0.4.4,<1",
    [
        Target("ollama._client", "Client", "_request", _request, ("cls", "stream")),
        Target("ollama._client", "AsyncClient", "_request", _async_request, ("cls", "stream")),
        Target("ollama._client", "Client", "_request_raw", _raw),
        Target("ollama._client", "AsyncClient", "_request_raw", _async_raw),
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
