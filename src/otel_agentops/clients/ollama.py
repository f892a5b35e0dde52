"""Ollama: chat, completions and embeddings of a local or hosted server, through objects and module functions alike."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import partial
from typing import Any

from otel_agentops import _patching
from otel_agentops._guard import guard
from otel_agentops._observation import UNOBSERVED, WATCH, Endpoint, Watch, begin
from otel_agentops._patching import Client, Support, Target
from otel_agentops._streams import async_lazily, lazily
from otel_agentops.clients._protocols.fields import (
    Fields,
    double,
    get,
    instructions,
    items,
    present_attributes,
    text,
    texts,
    whole,
)
from otel_agentops.clients._protocols.openai_chat import no_stream, system, tool
from otel_agentops.clients._servers import Server, Servers, address
from otel_agentops.operations import Answer, ModelCall
from otel_agentops.semconv import attributes as A

FIELDS = Fields(
    {
        "temperature": (A.GEN_AI_REQUEST_TEMPERATURE, double),
        "top_p": (A.GEN_AI_REQUEST_TOP_P, double),
        "top_k": (A.GEN_AI_REQUEST_TOP_K, whole),
        "frequency_penalty": (A.GEN_AI_REQUEST_FREQUENCY_PENALTY, double),
        "presence_penalty": (A.GEN_AI_REQUEST_PRESENCE_PENALTY, double),
        "num_predict": (A.GEN_AI_REQUEST_MAX_TOKENS, whole),
        "seed": (A.GEN_AI_REQUEST_SEED, whole),
        "stop": (A.GEN_AI_REQUEST_STOP_SEQUENCES, texts),
        "think": (A.GEN_AI_REQUEST_REASONING_LEVEL, text),  # or a boolean, which is no level
        "format": (A.GEN_AI_OUTPUT_TYPE, lambda wanted: "json" if wanted else None),  # the word, or a schema
        "dimensions": (A.GEN_AI_EMBEDDINGS_DIMENSION_COUNT, whole),
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
    told = instructions((body.get("system"), *system(body.get("messages"))))
    return ModelCall(
        operation,
        server.provider,
        text(body.get("model")),
        FIELDS.attributes(flat, server.attributes),
        told,
        items(body.get("tools")),
        tool,
        FIELDS.parameters(flat),
    )


def response(result: Any) -> Answer:
    """The whole answer, or the last chunk of a stream, which has the counts."""
    attributes = present_attributes((A.GEN_AI_RESPONSE_FINISH_REASONS, texts(get(result, "done_reason"))))
    counts = (whole(get(result, "prompt_eval_count")), whole(get(result, "eval_count")))
    return Answer(text(get(result, "model")), attributes, *counts, asked=_asked(get(result, "message")))


def _asked(message: Any) -> list[tuple[str, Any]]:
    called = (get(call, "function") for call in items(get(message, "tool_calls")))
    return [(name, get(function, "arguments")) for function in called if (name := text(get(function, "name")))]


def fold(state: dict[str, Any], chunk: Any) -> bool:
    """A chunk of a chat or a completion; tools may be called in any of a chat's."""
    state["chunk"] = chunk
    if (message := getattr(chunk, "message", None)) is not None and message.tool_calls:
        state.setdefault("asked", []).extend(_asked(message))
    return bool(chunk.done)


def settled(state: dict[str, Any]) -> Answer:
    """What the last chunk that came says."""
    return response(state["chunk"])._replace(asked=state.get("asked", ()))


def status(error: BaseException) -> int | None:
    """An error that a stream reports in one of its lines has -1: the response itself was a good one."""
    return 200 if getattr(error, "status_code", None) == -1 else None


# -- where it is patched


def _request(original: Callable[..., Any], patched: Client) -> Callable[..., Any]:
    def _request(api: Any, *args: Any, **kwargs: Any) -> Any:
        endpoint = ENDPOINTS.get(args[2]) if len(args) > 2 else None  # after the answer's class and the HTTP method
        if endpoint is None:
            return original(api, *args, **kwargs)
        started = partial(_begin, patched, endpoint, api, kwargs)
        if kwargs.get("stream"):
            return lazily(original(api, *args, **kwargs), started, _leave)
        with started() or UNOBSERVED as watch:
            result = original(api, *args, **kwargs)
            _answered(watch, result)
        return result

    return _request


def _async_request(original: Callable[..., Any], patched: Client) -> Callable[..., Any]:
    async def _request(api: Any, *args: Any, **kwargs: Any) -> Any:
        endpoint = ENDPOINTS.get(args[2]) if len(args) > 2 else None
        if endpoint is None:
            return await original(api, *args, **kwargs)
        started = partial(_begin, patched, endpoint, api, kwargs)
        if kwargs.get("stream"):
            return async_lazily(await original(api, *args, **kwargs), started, _leave)
        with started() or UNOBSERVED as watch:
            result = await original(api, *args, **kwargs)
            _answered(watch, result)
        return result

    return _request


@guard
def _begin(patched: Client, endpoint: Endpoint, api: Any, kwargs: dict[str, Any]) -> Watch | None:
    watch = begin(patched, endpoint)
    if watch is not None:
        watch.asked = (kwargs["json"], _SERVERS.of(api, api._client.base_url))
    return watch


def _raw(original: Callable[..., Any], patched: Client) -> Callable[..., Any]:
    """The one request of a plain call: inside everybody who patches `_request` as well, whoever came first."""

    def _request_raw(api: Any, *args: Any, **kwargs: Any) -> Any:
        watch = _leaving(kwargs)
        reply = original(api, *args, **kwargs)
        _came(watch, reply)
        return reply

    return _request_raw


def _async_raw(original: Callable[..., Any], patched: Client) -> Callable[..., Any]:
    async def _request_raw(api: Any, *args: Any, **kwargs: Any) -> Any:
        watch = _leaving(kwargs)
        reply = await original(api, *args, **kwargs)
        _came(watch, reply)
        return reply

    return _request_raw


@guard
def _leave(watch: Watch) -> None:
    watch.leaving(*watch.asked)


@guard
def _leaving(kwargs: dict[str, Any]) -> Watch | None:
    watch = WATCH.get()
    if watch is None or type(watch.asked) is not tuple or watch.asked[0] is not kwargs.get("json"):
        return None
    _leave(watch)
    return watch


@guard
def _came(watch: Watch | None, reply: Any) -> None:
    if watch is None:
        return
    watch.attempted(reply.status_code)
    if watch.operation is not None and not watch.operation.own:
        with suppress(ValueError):
            watch.answered(reply.json())  # whose span it is may end it before we see the result


@guard
def _answered(watch: Watch | None, result: Any) -> None:
    if watch is not None and watch.answer is None:
        watch.answered(result)


def _server(api: Any) -> Server:
    return Server("ollama", address(str(api._client.base_url)))


_SERVERS = Servers(_server)
ENDPOINTS = {
    "/api/chat": Endpoint(partial(request, "chat"), response, fold, settled, status),
    "/api/generate": Endpoint(partial(request, "text_completion"), response, fold, settled, status),
    "/api/embed": Endpoint(partial(request, "embeddings"), response, no_stream, settled),
    "/api/embeddings": Endpoint(partial(request, "embeddings"), response, no_stream, settled),
}
CLIENT = Client(
    "ollama",
    ">=0.4.4,<1",
    [
        Target("ollama._client", "Client", "_request", _request, ("cls", "stream")),
        Target("ollama._client", "AsyncClient", "_request", _async_request, ("cls", "stream")),
        Target("ollama._client", "Client", "_request_raw", _raw),
        Target("ollama._client", "AsyncClient", "_request_raw", _async_raw),
    ],
    Support(
        operations=("chat", "text_completion (generate)", "embeddings"),
        not_covered=("systemone, web_search, web_fetch; pull, push, create and what else keeps models",),
        peers=("opentelemetry-instrumentation-ollama", "openinference-instrumentation-ollama"),
    ),
)


class Instrumentor(_patching.Instrumentor):
    """Entry point `agentops_ollama`."""

    clients = (CLIENT,)
