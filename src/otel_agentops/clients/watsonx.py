"""IBM watsonx.ai: chats, completions and embeddings, of models and of deployments.

A call is observed at the method that makes it, which has its answer as JSON. Its body is read in a function that the
SDK wraps once for each model object, and every attempt passes the SDK's own transport, below that. The SDK has no
public repository; patched are, in its wheel, `foundation_models/inference/*_inference.py`,
`foundation_models/embeddings/embeddings.py`, `_wrappers/httpx/rate_limited_retry/rate_limited_retry_decorator.py` and
`_wrappers/httpx/retry_transport/*.py`: https://pypi.org/project/ibm-watsonx-ai
"""

from __future__ import annotations

import functools
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import TypeAlias

from otel_agentops import _patching
from otel_agentops._client_call import ClientCall, active_call
from otel_agentops._endpoint import Content, ContentReader, Endpoint, FoldState
from otel_agentops._guard import guard
from otel_agentops._patching import ClientInfo, Method, PatchedLibrary, Target
from otel_agentops._retry_after import parse_retry_after
from otel_agentops._wrapping import Arguments, Around, Keywords, wrap_step
from otel_agentops.clients._families.methods import MethodCall, wrap_generator, wrap_method
from otel_agentops.clients._protocols import openai_chat
from otel_agentops.clients._protocols.fields import (
    Fields,
    as_int,
    as_list,
    as_text,
    as_texts,
    drop_none_attributes,
    get,
)
from otel_agentops.clients._protocols.openai_chat import FIELDS, find_head_text
from otel_agentops.clients._protocols.parts import make_answer, make_input, make_message, make_output, text_parts
from otel_agentops.clients._servers import Server, find_deployment, parse_address
from otel_agentops.operations import Answer, ModelCall
from otel_agentops.semconv import attributes as A

_FIRST_ERROR_STATUS = 400
_NOT_PARAMETERS = frozenset({"model_id", "project_id", "space_id", "crypto", "inputs", "parameters", "random_seed"})
CHATS = Fields(FIELDS.readers, FIELDS.not_parameters | _NOT_PARAMETERS, FIELDS.sampling)
GENERATION = Fields(
    {
        **FIELDS.readers,
        "max_new_tokens": (A.GEN_AI_REQUEST_MAX_TOKENS, as_int),
        "random_seed": (A.GEN_AI_REQUEST_SEED, as_int),
        "stop_sequences": (A.GEN_AI_REQUEST_STOP_SEQUENCES, as_texts),
    },
    CHATS.not_parameters,
    sampling=("temperature", "top_p", "top_k", "random_seed", "stop_sequences"),
)
ReadRequest: TypeAlias = "Callable[[Mapping[str, object], Server], ModelCall]"
AsyncMethod: TypeAlias = "Callable[..., Awaitable[object]]"


# -- requests; that of a deployment names it in its address, and no model


def read_chat_request(body: Mapping[str, object], server: Server) -> ModelCall:
    """Read `POST /ml/v1/text/chat`: OpenAI's shape, with another name for the model."""
    return openai_chat.read_chat_request({**body, "model": body.get("model_id")}, server, CHATS)


def read_inference_request(operation: str, body: Mapping[str, object], server: Server) -> ModelCall:
    """Read `POST /ml/v1/text/generation` or `/embeddings`: fields are in `parameters`, and beside it."""
    parameters = body.get("parameters")
    fields = {**body, **parameters} if isinstance(parameters, Mapping) else body
    attributes = GENERATION.read_attributes(fields, server.attributes)
    model = server.choose_model(body.get("model_id"))
    return ModelCall(operation, server.provider, model, attributes, params=GENERATION.read_parameters(fields))


def read_stream_request(read: ReadRequest, body: Mapping[str, object], server: Server) -> ModelCall:
    """Read the request of a stream, which nothing but its address says."""
    operation = read(body, server)
    operation.attributes[A.GEN_AI_REQUEST_STREAM] = True
    return operation


# -- answers


def _read_model(result: object) -> str | None:
    """Return the model, with its version if the service says it: under one id, versions come and go."""
    name = as_text(get(result, "model_id")) or as_text(get(result, "model"))
    version = as_text(get(result, "model_version"))
    return f"{name}@{version}" if name and version else name


def read_chat_response(result: object) -> Answer:
    """Read a chat's JSON."""
    return openai_chat.read_chat_response(result)._replace(model=_read_model(result))


def finish_chat(state: FoldState) -> Answer:
    """Build the answer from a fully or partly folded chat."""
    return openai_chat.finish_chat(state)._replace(model=_read_streamed_model(state))


def _read_streamed_model(state: FoldState) -> str | None:
    return _read_model({name: find_head_text(state, name) for name in ("model_id", "model", "model_version")})


def read_generation_response(result: object) -> Answer:
    """Read a text and its counts."""
    state: FoldState = {}
    fold_generation_chunk(state, result)
    return finish_generation(state)


def fold_generation_chunk(state: FoldState, chunk: object) -> bool:
    """Fold a piece of text; counts are those so far, and 0 in chunks that do not count."""
    state.setdefault("first", chunk)
    for result in as_list(get(chunk, "results")):
        for name in ("input_token_count", "generated_token_count"):
            if count := as_int(get(result, name)):
                state[name] = max(count, state.get(name, 0))
        if (reason := as_text(get(result, "stop_reason"))) and reason != "not_finished":
            state["reason"], state["end"] = reason, chunk
        if (seed := get(result, "seed")) is not None:
            state["seed"] = seed
    return False


def finish_generation(state: FoldState) -> Answer:
    """Build the answer from a fully or partly folded text."""
    return Answer(
        _read_streamed_model(state),
        drop_none_attributes((A.GEN_AI_RESPONSE_FINISH_REASONS, as_texts(state.get("reason")))),
        state.get("input_token_count"),
        state.get("generated_token_count"),
        effective_params={"random_seed": state["seed"]} if "seed" in state else None,
    )


def read_embeddings_response(result: object) -> Answer:
    """Read the count of embeddings."""
    return Answer(_read_model(result), {}, as_int(get(result, "input_token_count")))


_read_generation_request = functools.partial(read_inference_request, "text_completion")
CHAT = openai_chat.CHAT._replace(request=read_chat_request, response=read_chat_response, finish_fold=finish_chat)
CHAT_STREAM = CHAT._replace(request=functools.partial(read_stream_request, read_chat_request))


def _read_input(body: Mapping[str, object]) -> Content:
    return make_input([make_message("user", text_parts(body.get("input")))])


def _join_texts(chunks: Sequence[object]) -> Content:
    """Join the pieces of a text; an application that asks for text alone gets no more than that."""
    pieces = [[{"generated_text": chunk}] if isinstance(chunk, str) else get(chunk, "results") for chunk in chunks]
    results = [result for piece in pieces for result in as_list(piece)]
    text = "".join(as_text(get(result, "generated_text")) or "" for result in results)
    reasons = [reason for result in results if (reason := get(result, "stop_reason")) not in (None, "not_finished")]
    return make_output([make_answer(text_parts(text), reasons[-1] if reasons else None)])


GENERATE = Endpoint(
    _read_generation_request,
    read_generation_response,
    fold_generation_chunk,
    finish_generation,
    content=ContentReader(_read_input, lambda result: _join_texts([result]), _join_texts),
)
GENERATE_STREAM = GENERATE._replace(request=functools.partial(read_stream_request, _read_generation_request))
EMBEDDINGS = Endpoint(functools.partial(read_inference_request, "embeddings"), read_embeddings_response)


# -- inside the call: its requests, and the attempts that each is


def _wrap_decorator(original: Method, library: PatchedLibrary) -> Method:
    """Return the wrapper of a decorator; the SDK decorates the function that posts, once for each model object."""

    def rate_limited(decorator: object, request_function: Method, **kwargs: object) -> object:
        @functools.wraps(request_function)
        def post(*args: object, **request: object) -> object:
            _start_attempt(request)
            response = request_function(*args, **request)
            _hand_over_answer(response)
            return response

        return original(decorator, post, **kwargs)

    return rate_limited


def _wrap_async_decorator(original: Method, library: PatchedLibrary) -> Method:
    """Return the wrapper of the decorator of a coroutine function."""

    def rate_limited(decorator: object, request_function: AsyncMethod, **kwargs: object) -> object:
        @functools.wraps(request_function)
        async def post(*args: object, **request: object) -> object:
            _start_attempt(request)
            response = await request_function(*args, **request)
            _hand_over_answer(response)
            return response

        return original(decorator, post, **kwargs)

    return rate_limited


@guard
def _hand_over_answer(response: object) -> None:
    """Hand on the bytes that were received, which the SDK makes JSON of; a stream is a context manager without any."""
    call, content = active_call(MethodCall), getattr(response, "_content", None)
    if call is not None and isinstance(content, bytes) and call.hooks.wire_received:
        call.wire_received(getattr(response, "headers", None), content)


@guard
def _start_attempt(request: Mapping[str, object]) -> None:
    call, body = active_call(MethodCall), request.get("json")
    if call is not None and isinstance(body, Mapping):
        url = str(request.get("url"))
        call.attempt_started(body, Server("ibm.watsonx.ai", parse_address(url), find_deployment(url)))


def _find_attempt(library: PatchedLibrary, args: Arguments, kwargs: Keywords) -> ClientCall[MethodCall] | None:
    """Return the call whose attempt is in flight; None for a request on the way to a call, say for a token."""
    call = active_call(MethodCall)
    return call if call is not None and call.is_attempt_in_flight else None


def _hand_over_content(library: PatchedLibrary, args: Arguments, kwargs: Keywords) -> None:
    call = _find_attempt(library, args, kwargs)
    if call is not None and call.wants_content:
        call.context.content = content = args[1].content
        call.request_sent(content)


def _finish_attempt(call: ClientCall[MethodCall], pause_s: float | None, args: Arguments, kwargs: Keywords) -> None:
    """Record a response; if the transport is about to pause, it sends the request once more after that."""
    response = args[1] if len(args) > 1 else kwargs["response"]
    headers = getattr(response, "headers", None)
    call.attempt_finished(getattr(response, "status_code", 0), parse_retry_after(headers), headers)
    if pause_s is not None:
        _repeat_attempt(call)
    elif call.hooks.wire_received and getattr(response, "status_code", 0) < _FIRST_ERROR_STATUS:
        call.wire_received(response.headers)  # the transport has not read the body


def _lose_attempt(call: ClientCall[MethodCall], is_repeated: bool, args: Arguments, kwargs: Keywords) -> None:
    """Record a lost connection, if the transport sends the request once more; else its error says it."""
    if is_repeated:
        call.attempt_finished(0)
        _repeat_attempt(call)


def _repeat_attempt(call: ClientCall[MethodCall]) -> None:
    call.attempt_started({})
    if call.context.content is not None:
        call.request_sent(call.context.content)


_MODELS = "ibm_watsonx_ai.foundation_models"
_BASE, _HTTPX = f"{_MODELS}.inference.base_model_inference", "ibm_watsonx_ai._wrappers.httpx"
_DECORATOR, _TRANSPORT = f"{_HTTPX}.rate_limited_retry.rate_limited_retry_decorator", f"{_HTTPX}.retry_transport"
_METHODS = (
    (_BASE, "BaseModelInference", "_send_inference_payload", wrap_method(GENERATE)),
    (_BASE, "BaseModelInference", "_BaseModelInference__make_request", wrap_method(GENERATE)),
    (_BASE, "BaseModelInference", "_asend_inference_payload", wrap_method(GENERATE, is_async=True)),
    (_BASE, "BaseModelInference", "_generate_stream_with_url", wrap_generator(GENERATE_STREAM)),
    (_BASE, "BaseModelInference", "_agenerate_stream_with_url", wrap_generator(GENERATE_STREAM, is_async=True)),
    (f"{_MODELS}.embeddings.embeddings", "Embeddings", "_generate", wrap_method(EMBEDDINGS)),
    (f"{_MODELS}.embeddings.embeddings", "Embeddings", "_agenerate", wrap_method(EMBEDDINGS, is_async=True)),
    *(
        (f"{_MODELS}.inference.{kind.lower()}_model_inference", f"{kind}ModelInference", name, wrap)
        for kind, chats in (("FM", "chat"), ("Deployment", "deployment_chat"))
        for name, wrap in (
            ("chat", wrap_method(CHAT)),
            ("achat", wrap_method(CHAT, is_async=True)),
            (f"_generate_{chats}_stream_with_url", wrap_generator(CHAT_STREAM)),
            (f"_agenerate_{chats}_stream_with_url", wrap_generator(CHAT_STREAM, is_async=True)),
        )
    ),
)
_DECORATORS = {
    "rate_limited_retry": _wrap_decorator,
    "rate_limited_async_retry": _wrap_async_decorator,
    "rate_limited_retry_stream": _wrap_decorator,
    "rate_limited_async_retry_stream": _wrap_decorator,
}
_STEPS = (
    ("retry_transport", "RetryTransport", "handle_request", wrap_step(Around(_hand_over_content))),
    ("async_retry_transport", "AsyncRetryTransport", "handle_async_request", wrap_step(Around(_hand_over_content))),
    (
        "retry_transport_mixin",
        "RetryTransportMixin",
        "_get_sleep_time",
        wrap_step(Around(_find_attempt, _finish_attempt)),
    ),
    (
        "retry_transport_mixin",
        "RetryTransportMixin",
        "_is_retry_on_server_disconnect",
        wrap_step(Around(_find_attempt, _lose_attempt)),
    ),
)
LIBRARY = PatchedLibrary(
    "ibm-watsonx-ai",
    ">=1.8,<2",
    (
        *(Target(*method) for method in _METHODS),
        *(
            Target(_DECORATOR, "RateLimitedRetryDecorator", name, wrap, ("request_function",))
            for name, wrap in _DECORATORS.items()
        ),
        *(Target(f"{_TRANSPORT}.{module}", owner, name, wrap) for module, owner, name, wrap in _STEPS),
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


WatsonxInstrumentor = Instrumentor  # the name that others give theirs
