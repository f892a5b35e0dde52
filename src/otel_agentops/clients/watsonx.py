"""IBM watsonx.ai: chats, completions and embeddings, of models and of deployments.

A call is observed at the method that makes it, which has its answer as JSON. Its body leaves through a function that
the SDK wraps once for each model object, and every attempt passes the SDK's own transport, below that.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from typing import Any

from otel_agentops import _patching
from otel_agentops._client_call import ACTIVE_CALL, Endpoint, parse_retry_after
from otel_agentops._guard import guard
from otel_agentops._patching import ClientInfo, PatchedLibrary, Target
from otel_agentops.clients._families import methods
from otel_agentops.clients._protocols.fields import (
    Fields,
    as_int,
    as_list,
    as_text,
    as_texts,
    drop_none_attributes,
    get,
)
from otel_agentops.clients._protocols.openai_chat import (
    FIELDS,
    finish_chat,
    fold_chat_chunk,
    read_chat_request,
    read_chat_response,
    refuse_stream,
)
from otel_agentops.clients._servers import Server, parse_address
from otel_agentops.operations import Answer, ModelCall
from otel_agentops.semconv import attributes as A

_APART = frozenset({"model_id", "project_id", "space_id", "crypto", "inputs", "parameters", "random_seed"})
CHATS = Fields(FIELDS.readers, FIELDS.not_parameters | _APART)
GENERATION = Fields(
    {
        **FIELDS.readers,
        "max_new_tokens": (A.GEN_AI_REQUEST_MAX_TOKENS, as_int),
        "random_seed": (A.GEN_AI_REQUEST_SEED, as_int),
        "stop_sequences": (A.GEN_AI_REQUEST_STOP_SEQUENCES, as_texts),
    },
    CHATS.not_parameters,
)


# -- requests; a deployment's names no model


def chat(body: Mapping[str, Any], server: Server) -> ModelCall:
    """`POST /ml/v1/text/chat`: OpenAI's shape, with another name for the model."""
    return read_chat_request({**body, "model": body.get("model_id")}, server, CHATS)


def inference(operation: str, body: Mapping[str, Any], server: Server) -> ModelCall:
    """`POST /ml/v1/text/generation` and `/embeddings`: what shapes the answer is in `parameters`, and beside it."""
    inner = body.get("parameters")
    flat = {**body, **inner} if isinstance(inner, Mapping) else body
    attributes = GENERATION.read_attributes(flat, server.attributes)
    model = as_text(body.get("model_id"))
    return ModelCall(operation, server.provider, model, attributes, params=GENERATION.read_parameters(flat))


def streamed(asked: Callable[[Mapping[str, Any], Server], ModelCall], body: Any, server: Server) -> ModelCall:
    """The same for a methods.stream, which only the address says."""
    call = asked(body, server)
    call.attributes[A.GEN_AI_REQUEST_STREAM] = True
    return call


# -- answers


def _model(result: Any) -> str | None:
    """The model, with its version where the service says it: under one id, versions come and go."""
    name, version = (
        as_text(get(result, "model_id")) or as_text(get(result, "model")),
        as_text(get(result, "model_version")),
    )
    return f"{name}@{version}" if name and version else name


def chat_answer(result: Any) -> Answer:
    """OpenAI's shape again."""
    return read_chat_response(result)._replace(model=_model(result))


def chat_end(state: dict[str, Any]) -> Answer:
    """What the chunks of a chat added up to."""
    return finish_chat(state)._replace(model=_model(state["first"]))


def generated(result: Any) -> Answer:
    """The text and its counts."""
    state: dict[str, Any] = {}
    generated_fold(state, result)
    return generated_end(state)


def generated_fold(state: dict[str, Any], chunk: Any) -> bool:
    """A piece of text. Counts are those so far, and 0 in chunks that do not count."""
    state.setdefault("first", chunk)
    for result in as_list(get(chunk, "results")):
        for name in ("input_token_count", "generated_token_count"):
            if count := as_int(get(result, name)):
                state[name] = max(count, state.get(name, 0))
        if (reason := as_text(get(result, "stop_reason"))) and reason != "not_finished":
            state["reason"] = reason
        if (seed := get(result, "seed")) is not None:
            state["seed"] = seed
    return False


def generated_end(state: dict[str, Any]) -> Answer:
    """What the pieces added up to."""
    attributes = drop_none_attributes((A.GEN_AI_RESPONSE_FINISH_REASONS, as_texts(state.get("reason"))))
    effective = {"random_seed": state["seed"]} if "seed" in state else None
    counts = (state.get("input_token_count"), state.get("generated_token_count"))
    return Answer(_model(state["first"]), attributes, *counts, effective_params=effective)


def embedded(result: Any) -> Answer:
    """Vectors, and what they cost."""
    return Answer(_model(result), {}, as_int(get(result, "input_token_count")))


_generation = functools.partial(inference, "text_completion")
CHAT = Endpoint(chat, chat_answer, fold_chat_chunk, chat_end)
CHAT_STREAM = CHAT._replace(request=functools.partial(streamed, chat))
TEXT = Endpoint(_generation, generated, generated_fold, generated_end)
TEXT_STREAM = TEXT._replace(request=functools.partial(streamed, _generation))
EMBEDDINGS = Endpoint(functools.partial(inference, "embeddings"), embedded, refuse_stream, chat_end)


# -- inside the call: its requests, and the attempts that each is


def _leaves(original: Callable[..., Any], patched: PatchedLibrary) -> Callable[..., Any]:
    """The SDK wraps what posts, for each model object, into what posts again; every post is told, with its body."""

    def rate_limited(decorator: Any, request_function: Callable[..., Any], **kwargs: Any) -> Any:
        @functools.wraps(request_function)
        def post(*args: Any, **sent: Any) -> Any:
            _leaving(sent)
            return request_function(*args, **sent)

        return original(decorator, post, **kwargs)

    return rate_limited


@guard
def _leaving(sent: dict[str, Any]) -> None:
    watch = ACTIVE_CALL.get()
    if watch is not None and isinstance(sent.get("json"), Mapping):
        watch.attempt_started(sent["json"], Server("ibm.watsonx.ai", parse_address(str(sent.get("url")))))


def _responded(original: Callable[..., Any], patched: PatchedLibrary) -> Callable[..., Any]:
    def _get_sleep_time(transport: Any, response: Any, attempt: int) -> Any:
        pause = original(transport, response, attempt)
        _over(response, again=pause is not None)
        return pause

    return _get_sleep_time


def _lost(original: Callable[..., Any], patched: PatchedLibrary) -> Callable[..., Any]:
    def _is_retry_on_server_disconnect(*args: Any, **kwargs: Any) -> Any:
        again = original(*args, **kwargs)
        if again:
            _over(None, again=True)
        return again

    return _is_retry_on_server_disconnect


@guard
def _over(response: Any, again: bool) -> None:
    """An attempt is over. response: None where none came. again: the transport sends the request once more."""
    watch = ACTIVE_CALL.get()
    if watch is None or not watch.is_attempt_in_flight:  # a request on the way to the call, say for a token
        return
    watch.attempt_finished(getattr(response, "status_code", 0), parse_retry_after(getattr(response, "headers", None)))
    if again:
        watch.attempt_started({}, None)


_MODELS = "ibm_watsonx_ai.foundation_models"
_BASE, _RETRIES = f"{_MODELS}.inference.base_model_inference", "ibm_watsonx_ai._wrappers.httpx"
_CALLS: tuple[tuple[str, str, str, Any, Endpoint], ...] = (
    (_BASE, "BaseModelInference", "_send_inference_payload", methods.whole, TEXT),
    (_BASE, "BaseModelInference", "_BaseModelInference__make_request", methods.whole, TEXT),
    (_BASE, "BaseModelInference", "_asend_inference_payload", methods.async_whole, TEXT),
    (_BASE, "BaseModelInference", "_generate_stream_with_url", methods.stream, TEXT_STREAM),
    (_BASE, "BaseModelInference", "_agenerate_stream_with_url", methods.async_stream, TEXT_STREAM),
    (f"{_MODELS}.embeddings.embeddings", "Embeddings", "_generate", methods.whole, EMBEDDINGS),
    (f"{_MODELS}.embeddings.embeddings", "Embeddings", "_agenerate", methods.async_whole, EMBEDDINGS),
    *(
        (f"{_MODELS}.inference.{kind.lower()}_model_inference", f"{kind}ModelInference", name, wrap, endpoint)
        for kind, chats in (("FM", "chat"), ("Deployment", "deployment_chat"))
        for name, wrap, endpoint in (
            ("chat", methods.whole, CHAT),
            ("achat", methods.async_whole, CHAT),
            (f"_generate_{chats}_stream_with_url", methods.stream, CHAT_STREAM),
            (f"_agenerate_{chats}_stream_with_url", methods.async_stream, CHAT_STREAM),
        )
    ),
)
_POSTS = (
    "rate_limited_retry",
    "rate_limited_async_retry",
    "rate_limited_retry_stream",
    "rate_limited_async_retry_stream",
)
_RETRY, _TRANSPORT = f"{_RETRIES}.rate_limited_retry.rate_limited_retry_decorator", f"{_RETRIES}.retry_transport"
LIBRARY = PatchedLibrary(
    "ibm-watsonx-ai",
    ">=1.8,<2",
    (
        *(Target(module, owner, name, functools.partial(wrap, end)) for module, owner, name, wrap, end in _CALLS),
        *(Target(_RETRY, "RateLimitedRetryDecorator", name, _leaves, ("request_function",)) for name in _POSTS),
        Target(f"{_TRANSPORT}.retry_transport_mixin", "RetryTransportMixin", "_get_sleep_time", _responded),
        Target(f"{_TRANSPORT}.retry_transport_mixin", "RetryTransportMixin", "_is_retry_on_server_disconnect", _lost),
    ),
    ClientInfo(
        operations=("chat", "text_completion", "embeddings"),
        not_covered=(
            "model objects made before",
            "embeddings of more than one batch",
            "rerank, time series, audio and the model gateway",
        ),
    ),
)


class Instrumentor(_patching.Instrumentor):
    """Entry point `agentops_watsonx`."""

    libraries = (LIBRARY,)
