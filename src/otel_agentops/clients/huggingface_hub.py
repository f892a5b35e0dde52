"""Hugging Face's InferenceClient: chat, completions and embeddings, on its router, routed providers and own servers.

A call is observed at the public method, whose result is parsed; its request is read in `_inner_post`, which has the
final body and the address:
https://github.com/huggingface/huggingface_hub/blob/v2.4.0/src/huggingface_hub/inference/_client.py#L253-L293
"""

from __future__ import annotations

import functools
import importlib
import json
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from typing import NamedTuple, Protocol
from urllib.parse import urlsplit
from weakref import ReferenceType, ref

from otel_agentops import _patching
from otel_agentops._client_call import ClientCall, active_call, begin_call
from otel_agentops._endpoint import Content, ContentReader, Endpoint, FoldState
from otel_agentops._patching import ClientInfo, PatchedLibrary, Target, Wrap
from otel_agentops._streams import ObservedAsyncStream, ObservedStream, observe_async_stream, observe_stream
from otel_agentops._wrapping import Arguments, Around, Keywords, wrap_call, wrap_step
from otel_agentops.clients._protocols import openai_chat, openai_chat_content
from otel_agentops.clients._protocols.fields import (
    Fields,
    as_int,
    as_text,
    as_texts,
    drop_none_attributes,
    get,
    merge_members,
    read_error,
)
from otel_agentops.clients._protocols.openai_chat import (
    FIELDS,
    finish_chat,
    fold_chat_chunk,
    read_chat_response,
)
from otel_agentops.clients._protocols.parts import make_answer, make_input, make_message, make_output, text_parts
from otel_agentops.clients._servers import Server, find_provider, parse_address
from otel_agentops.operations import Answer, ModelCall
from otel_agentops.semconv import attributes as A

_ROUTER = "router.huggingface.co"
_OWN = frozenset({"", "v1", "models", "hf-inference"})  # paths of the router that name no provider, or its own service
# The router's word for a provider to the one that the provider has everywhere else here, if they differ.
_PROVIDERS = {"fireworks-ai": "fireworks", "together": "together_ai"}
GENERATION = Fields(
    {
        **FIELDS.readers,
        "max_new_tokens": (A.GEN_AI_REQUEST_MAX_TOKENS, as_int),
        "grammar": (A.GEN_AI_OUTPUT_TYPE, lambda grammar: "json" if get(grammar, "type") == "json" else None),
    },
    FIELDS.not_parameters | {"inputs", "parameters"},
    sampling=("temperature", "top_p", "top_k", "frequency_penalty", "seed", "stop"),
)


class Request(Protocol):
    """The client library's own description of a request (`RequestParameters`)."""

    url: str
    model: str | None
    json: object


class Client(Protocol):
    """An `InferenceClient` or `AsyncInferenceClient`."""

    model: str | None
    provider: str | None


class RequestFacts(NamedTuple):
    """The facts beside a request's body: its description, and where it goes."""

    request: Request
    server: Server


class HuggingfaceCall(NamedTuple):
    """The context of a call: the client object, which dies with the application's last reference to it."""

    api: ReferenceType[Client]


@functools.lru_cache(256)
def find_server(url: str, chosen_provider: str | None) -> Server:
    """Return where a request goes.

    Args:
        url: Its address.
        chosen_provider: The provider that the application chose for its client; None if it chose no certain one.
    """
    parts = urlsplit(url)
    if parts.hostname == _ROUTER:
        first = parts.path.split("/")[1]
        provider = "huggingface" if first in _OWN else first
    else:
        provider = find_provider(parts.hostname or "") or chosen_provider or "huggingface"
    return Server(_PROVIDERS.get(provider, provider), parse_address(url))


# -- requests


def read_chat_request(body: Mapping[str, object], facts: RequestFacts) -> ModelCall:
    """Read a chat: a server of one model gets `dummy` in the place of the model's name."""
    operation = openai_chat.read_chat_request(body, facts.server)
    return operation._replace(model=None) if operation.model == "dummy" else operation


def read_inference_request(operation: str, body: Mapping[str, object], facts: RequestFacts) -> ModelCall:
    """Read a completion or embeddings: the address has the model, `parameters` may have what shapes the answer."""
    request, server = facts
    parameters = body.get("parameters")
    fields = {**body, **parameters} if isinstance(parameters, Mapping) else body
    model = as_text(body.get("model")) or as_text(request.model)
    return ModelCall(
        operation,
        server.provider,
        None if model is None or "://" in model else model,
        GENERATION.read_attributes(fields, server.attributes),
        params=GENERATION.read_parameters(fields),
    )


# -- answers


def read_completion_response(result: object) -> Answer:
    """Read a text alone, which says nothing, or one with the details that the application asked for."""
    return _read_details(None if isinstance(result, str) else get(result, "details"))


def fold_completion_chunk(state: FoldState, chunk: object) -> bool:
    """Fold a piece of text, or a token; the last one has the details."""
    details = None if isinstance(chunk, str) else get(chunk, "details")
    state["details"] = merge_members(state.get("details"), details)
    return details is not None


def finish_completion(state: FoldState) -> Answer:
    """Build the answer from the details of the last piece."""
    return _read_details(state["details"])


def _read_details(details: object) -> Answer:
    seed = get(details, "seed")
    return Answer(
        None,
        drop_none_attributes((A.GEN_AI_RESPONSE_FINISH_REASONS, as_texts(get(details, "finish_reason")))),
        as_int(get(details, "input_length")),
        as_int(get(details, "generated_tokens")),
        effective_params=None if seed is None else {"seed": seed},
    )


def read_embeddings_response(body: bytes) -> Answer:
    """Read embeddings: a list of numbers says nothing, OpenAI's shape is read from its end, past the numbers."""
    model, usage = _read_last_member(body, b'"model"'), _read_last_member(body, b'"usage"')
    error = read_error({"error": _read_last_member(body, b'"error"')}) if model is usage is None else None
    return Answer(as_text(model), {}, as_int(get(usage, "prompt_tokens")), error=error)


def _read_last_member(body: bytes, key: bytes) -> object:
    """Return the value of the last member of that name; the rest of the body is numbers, and not parsed."""
    start = body.rfind(key)
    if start < 0:
        return None
    rest = body[start + len(key) : start + 1000].decode(errors="replace").lstrip(" :")
    try:
        return json.JSONDecoder().raw_decode(rest)[0]
    except ValueError:
        return None


def find_status(error: BaseException) -> int | None:
    """Return the status of an error of aiohttp (the async client before 1), which has no response; None for others."""
    return getattr(error, "status", None)


# -- what is said in a completion


def _read_inputs(body: Mapping[str, object]) -> Content:
    return make_input([make_message("user", text_parts(body.get("inputs")))])


def _join_pieces(pieces: Sequence[object]) -> Content:
    """Read pieces of text, tokens, or one whole text; the last piece has the details, if there are any."""
    texts = [
        piece if isinstance(piece, str) else get(piece, "generated_text") or get(get(piece, "token"), "text")
        for piece in pieces
    ]
    whole = texts[-1] if get(pieces[-1], "generated_text") else "".join(text for text in texts if isinstance(text, str))
    reason = None if isinstance(pieces[-1], str) else get(get(pieces[-1], "details"), "finish_reason")
    return make_output([make_answer(text_parts(whole), reason)])


# -- where it is patched


def wrap_method(endpoint: Endpoint, *, is_async: bool) -> Wrap:
    """Return the wrapper of a public method."""

    def begin(library: PatchedLibrary, args: Arguments, kwargs: Keywords) -> ClientCall[HuggingfaceCall] | None:
        outer = active_call(HuggingfaceCall)
        if outer is not None and outer.context.api() is args[0]:
            return None  # the method calls itself again without the parameters that the server has refused
        return begin_call(library, endpoint, HuggingfaceCall(ref(args[0])))

    return wrap_call(Around(begin, _hand_out), is_async=is_async)


def _hand_out(
    call: ClientCall[HuggingfaceCall], result: object, args: Arguments, kwargs: Keywords
) -> ObservedStream | ObservedAsyncStream | None:
    if isinstance(result, AsyncIterator):
        return observe_async_stream(result, call)
    if isinstance(result, Iterator):
        return observe_stream(result, call)
    if not call.has_answer and call.endpoint is not EMBEDDINGS:  # an array: its body was read in `_finish_attempt`
        call.response_received(result)
    return None


def _start_attempt(library: PatchedLibrary, args: Arguments, kwargs: Keywords) -> ClientCall[HuggingfaceCall] | None:
    call = active_call(HuggingfaceCall)
    api: Client = args[0]
    if call is None or call.context.api() is not api:
        return None
    request: Request = args[1] if len(args) > 1 else kwargs["request_parameters"]
    body = request.json if isinstance(request.json, Mapping) else {}
    has_address = "://" in str(request.model or "") or "://" in str(api.model or "")
    chosen_provider = None if has_address or api.provider in (None, "auto", "hf-inference") else api.provider
    call.attempt_started(body, RequestFacts(request, find_server(request.url, chosen_provider)))
    if call.wants_content and isinstance(request.json, Mapping):
        call.request_sent(_serialise_body(request))
    return call


def _serialise_body(request: Request) -> bytes:
    """Return the bytes of a body as the HTTP session makes them below us; before 1 that is one of `requests`."""
    build = getattr(importlib.import_module("huggingface_hub.utils").get_session(), "build_request", None)
    content: bytes = (
        json.dumps(request.json).encode() if build is None else build("POST", request.url, json=request.json).content
    )
    return content


def _finish_attempt(call: ClientCall[HuggingfaceCall], body: bytes, args: Arguments, kwargs: Keywords) -> None:
    call.attempt_finished(200)
    if call.hooks.wire_received and isinstance(body, bytes):
        call.wire_received(None, body)
    if call.endpoint is EMBEDDINGS:
        call.response_received(body)  # the method makes an array of it


def _fail_attempt(call: ClientCall[HuggingfaceCall], error: BaseException, args: Arguments, kwargs: Keywords) -> None:
    call.attempt_failed(error)


CHAT = Endpoint(
    read_chat_request, read_chat_response, fold_chat_chunk, finish_chat, find_status, content=openai_chat_content.CHAT
)
COMPLETIONS = Endpoint(
    functools.partial(read_inference_request, "text_completion"),
    read_completion_response,
    fold_completion_chunk,
    finish_completion,
    find_status,
    content=ContentReader(_read_inputs, lambda result: _join_pieces([result]), _join_pieces),
)
EMBEDDINGS = Endpoint(
    functools.partial(read_inference_request, "embeddings"),
    read_embeddings_response,
    status=find_status,
)
_METHODS = {"chat_completion": CHAT, "text_generation": COMPLETIONS, "feature_extraction": EMBEDDINGS}
_POST = Around(_start_attempt, _finish_attempt, _fail_attempt)
_TARGETS = [
    target
    for module, owner, is_async in (
        ("huggingface_hub.inference._client", "InferenceClient", False),
        ("huggingface_hub.inference._generated._async_client", "AsyncInferenceClient", True),
    )
    for target in (
        Target(module, owner, "_inner_post", wrap_step(_POST, is_async=is_async), ("request_parameters",)),
        *(Target(module, owner, name, wrap_method(end, is_async=is_async)) for name, end in _METHODS.items()),
    )
]
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


HuggingFaceHubInstrumentor = Instrumentor  # the name that others give theirs
