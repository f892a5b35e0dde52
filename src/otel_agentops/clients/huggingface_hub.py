"""Hugging Face's InferenceClient: chat, completions and embeddings, on its router, routed providers and own servers.

A call is observed at the public method, whose result is parsed; its request is told from `_inner_post`, which has the
final body and the address.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import urlsplit

from otel_agentops import _patching
from otel_agentops._client_call import ACTIVE_CALL, UNOBSERVED, ClientCall, Endpoint, begin_call
from otel_agentops._guard import guard
from otel_agentops._patching import ClientInfo, PatchedLibrary, Target
from otel_agentops._streams import observe_async_stream, observe_stream
from otel_agentops.clients._protocols.fields import Fields, as_int, as_text, as_texts, drop_none_attributes, get
from otel_agentops.clients._protocols.openai_chat import (
    FIELDS,
    finish_chat,
    fold_chat_chunk,
    read_chat_request,
    read_chat_response,
    refuse_stream,
)
from otel_agentops.clients._servers import Server, find_provider, parse_address
from otel_agentops.operations import Answer, ModelCall
from otel_agentops.semconv import attributes as A

_ROUTER = "router.huggingface.co"
_OWN = frozenset({"", "v1", "models", "hf-inference"})  # paths of the router that name no provider, or its own service
# Where the router's word for a provider is not the one that the provider has everywhere else here.
_NAMES = {"fireworks-ai": "fireworks", "together": "together_ai"}
GENERATION = Fields(
    {
        **FIELDS.readers,
        "max_new_tokens": (A.GEN_AI_REQUEST_MAX_TOKENS, as_int),
        "grammar": (A.GEN_AI_OUTPUT_TYPE, lambda grammar: "json" if get(grammar, "type") == "json" else None),
    },
    FIELDS.not_parameters | {"inputs", "parameters"},
)


def server(url: str, named: str | None) -> Server:
    """Where a request goes. named: the provider that the application chose for its client, None for no certain one."""
    parts = urlsplit(url)
    if parts.hostname == _ROUTER:
        first = parts.path.split("/")[1]
        provider = "huggingface" if first in _OWN else first
    else:
        provider = find_provider(parts.hostname or "") or named or "huggingface"
    return Server(_NAMES.get(provider, provider), parse_address(url))


# -- requests; facts: the client library's own description of one, and where it goes


def chat(body: Mapping[str, Any], facts: tuple[Any, Server]) -> ModelCall:
    """OpenAI's protocol, with a word in the place of a model that a server of one model does not need."""
    call = read_chat_request(body, facts[1])
    return call._replace(model=None) if call.model == "dummy" else call


def inference(operation: str, body: Mapping[str, Any], facts: tuple[Any, Server]) -> ModelCall:
    """Completions and embeddings: the model is in the address, and what shapes the answer may be in `parameters`."""
    sent, target = facts
    inner = body.get("parameters")
    flat = {**body, **inner} if isinstance(inner, Mapping) else body
    model = as_text(body.get("model")) or as_text(sent.model)
    model = None if model is None or "://" in model else model
    attributes = GENERATION.read_attributes(flat, target.attributes)
    return ModelCall(operation, target.provider, model, attributes, params=GENERATION.read_parameters(flat))


# -- answers


def generated(result: Any) -> Answer:
    """A text alone, or with details where the application asked for them."""
    return _detailed(None if isinstance(result, str) else get(result, "details"))


def generated_fold(state: dict[str, Any], chunk: Any) -> bool:
    """A piece of text, or a token; the last one has the details."""
    details = None if isinstance(chunk, str) else chunk.details
    state["details"] = details
    return details is not None


def generated_settled(state: dict[str, Any]) -> Answer:
    """What the details say."""
    return _detailed(state["details"])


def _detailed(details: Any) -> Answer:
    attributes = drop_none_attributes((A.GEN_AI_RESPONSE_FINISH_REASONS, as_texts(get(details, "finish_reason"))))
    effective = {"seed": seed} if (seed := get(details, "seed")) is not None else None
    counts = (as_int(get(details, "input_length")), as_int(get(details, "generated_tokens")))
    return Answer(None, attributes, *counts, effective_params=effective)


def embedded(body: bytes) -> Answer:
    """A list of numbers says nothing; OpenAI's shape, which some providers have, is read from its end, past those."""
    model = _last(body, b'"model"')
    return Answer(as_text(model), {}, as_int(get(_last(body, b'"usage"'), "prompt_tokens")))


def _last(body: bytes, key: bytes) -> Any:
    """The value of the last member of that name; the rest of the body is numbers, and not looked at."""
    found = body.rfind(key)
    if found < 0:
        return None
    rest = body[found + len(key) : found + 1000].decode(errors="replace").lstrip(" :")
    try:
        return json.JSONDecoder().raw_decode(rest)[0]
    except ValueError:
        return None


# -- where it is patched


def _method(endpoint: Endpoint, original: Callable[..., Any], patched: PatchedLibrary) -> Callable[..., Any]:
    def method(api: Any, *args: Any, **kwargs: Any) -> Any:
        with _begin(patched, endpoint, api) or UNOBSERVED as watch:
            result = original(api, *args, **kwargs)
            if watch is None:
                return result
            if not hasattr(type(result), "__next__"):
                _answered(watch, result)
                return result
        return observe_stream(result, watch)

    return method


def _async_method(endpoint: Endpoint, original: Callable[..., Any], patched: PatchedLibrary) -> Callable[..., Any]:
    async def method(api: Any, *args: Any, **kwargs: Any) -> Any:
        with _begin(patched, endpoint, api) or UNOBSERVED as watch:
            result = await original(api, *args, **kwargs)
            if watch is None:
                return result
            if not hasattr(type(result), "__anext__"):
                _answered(watch, result)
                return result
        return observe_async_stream(result, watch)

    return method


@guard
def _begin(patched: PatchedLibrary, endpoint: Endpoint, api: Any) -> ClientCall | None:
    outer = ACTIVE_CALL.get()
    if outer is not None and outer.context is api:
        return None  # the method calls itself again without the parameters that the server has refused
    watch = begin_call(patched, endpoint)
    if watch is not None:
        watch.context = api
    return watch


@guard
def _answered(watch: ClientCall, result: Any) -> None:
    if not watch.has_answer and watch.endpoint is not EMBEDDINGS:  # of those see `_came`: this is an array
        watch.response_received(result)


def _post(original: Callable[..., Any], patched: PatchedLibrary) -> Callable[..., Any]:
    def _inner_post(api: Any, request_parameters: Any, **kwargs: Any) -> Any:
        watch = _leaving(api, request_parameters)
        try:
            body = original(api, request_parameters, **kwargs)
        except BaseException as error:
            if watch is not None:
                watch.attempt_failed(error)
            raise
        _came(watch, body)
        return body

    return _inner_post


def _async_post(original: Callable[..., Any], patched: PatchedLibrary) -> Callable[..., Any]:
    async def _inner_post(api: Any, request_parameters: Any, **kwargs: Any) -> Any:
        watch = _leaving(api, request_parameters)
        try:
            body = await original(api, request_parameters, **kwargs)
        except BaseException as error:
            if watch is not None:
                watch.attempt_failed(error)
            raise
        _came(watch, body)
        return body

    return _inner_post


@guard
def _leaving(api: Any, sent: Any) -> ClientCall | None:
    watch = ACTIVE_CALL.get()
    if watch is None or watch.context is not api:
        return None
    body = sent.json if isinstance(sent.json, Mapping) else {}
    by_address = "://" in str(sent.model or "") or "://" in str(api.model or "")
    chosen = None if by_address or api.provider in (None, "auto", "hf-inference") else api.provider
    watch.attempt_started(body, (sent, _server(sent.url, chosen)))
    return watch


_server = functools.lru_cache(256)(server)


@guard
def _came(watch: ClientCall | None, body: Any) -> None:
    if watch is not None:
        watch.attempt_finished(200)
        if watch.endpoint is EMBEDDINGS:
            watch.response_received(body)  # the method gives an array of what it found in it


def _status(error: BaseException) -> int | None:
    """Before 1 the errors of the async client are aiohttp's, which have no response and say it themselves."""
    return getattr(error, "status", None)


_complete, _embed = (functools.partial(inference, operation) for operation in ("text_completion", "embeddings"))
CHAT = Endpoint(chat, read_chat_response, fold_chat_chunk, finish_chat, _status)
COMPLETIONS = Endpoint(_complete, generated, generated_fold, generated_settled, _status)
EMBEDDINGS = Endpoint(_embed, embedded, refuse_stream, finish_chat, _status)
_METHODS = {"chat_completion": CHAT, "text_generation": COMPLETIONS, "feature_extraction": EMBEDDINGS}
_SYNC, _ASYNC = "huggingface_hub.inference._client", "huggingface_hub.inference._generated._async_client"
_TARGETS = [
    Target(_SYNC, "InferenceClient", "_inner_post", _post, ("request_parameters",)),
    Target(_ASYNC, "AsyncInferenceClient", "_inner_post", _async_post, ("request_parameters",)),
]
for _name, _endpoint in _METHODS.items():
    _TARGETS.append(Target(_SYNC, "InferenceClient", _name, functools.partial(_method, _endpoint)))
    _TARGETS.append(Target(_ASYNC, "AsyncInferenceClient", _name, functools.partial(_async_method, _endpoint)))
LIBRARY = PatchedLibrary(
    "huggingface_hub",
    ">=0.32,<3",
    _TARGETS,
    ClientInfo(
        operations=("chat", "text_completion (text_generation)", "embeddings (feature_extraction)"),
        not_covered=("all other tasks (images, audio, classification, ...): the convention has no operation for them",),
    ),
)


class Instrumentor(_patching.Instrumentor):
    """Entry point `agentops_huggingface_hub`."""

    libraries = (LIBRARY,)
