"""Google Gen AI: content and embeddings of Gemini, on its own API and on Vertex AI.

The places that are patched are in `_seams` and, for interactions, in `_interactions`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from otel_agentops import _patching
from otel_agentops._endpoint import Endpoint, FoldState
from otel_agentops._foreign_spans import ForeignSpans
from otel_agentops._patching import ClientInfo
from otel_agentops.clients._protocols.fields import (
    as_int,
    as_list,
    as_text,
    drop_members,
    drop_none,
    drop_none_attributes,
    flatten_instructions,
    get,
    list_reasons,
    read_error,
)
from otel_agentops.clients.google_genai import _content, _interactions, _seams
from otel_agentops.clients.google_genai._schema import normalise_name, normalise_names, normalise_schema
from otel_agentops.clients.google_genai._seams import Address
from otel_agentops.clients.google_genai._wire import (
    FIELDS,
    as_object,
    find_output_type,
    name_error,
    read_status,
    sum_counts,
)
from otel_agentops.operations import Answer, ModelCall
from otel_agentops.semconv import attributes as A

# -- requests


def read_content_request(body: Mapping[str, object], address: Address) -> ModelCall:
    """Read `POST models/<model>:generateContent`."""
    config = as_object(body.get("generationConfig"))
    flat = {**body, **config}
    for name, value in config.items():
        if type(value) is dict and name.endswith("Config"):  # a schema's names are the application's
            flat[name] = normalise_names(value)
    calling = None
    if "toolConfig" in flat:  # its other member is where the user is
        calling = flat["toolConfig"] = get(flat["toolConfig"], "functionCallingConfig")
    attributes = FIELDS.read_attributes(flat, address.attributes)
    if kind := find_output_type(config):
        attributes[A.GEN_AI_OUTPUT_TYPE] = kind
    return ModelCall(
        "generate_content",
        address.provider,
        address.model,
        attributes,
        flatten_instructions((as_list(get(body.get("systemInstruction"), "parts")),)),
        _list_tools(as_list(body.get("tools"))),
        normalise_tool,
        FIELDS.read_parameters(flat),
        is_tool_forced=get(calling, "mode") == "ANY" and len(as_list(get(calling, "allowedFunctionNames"))) == 1,
    )


def read_embeddings_request(body: Mapping[str, object], address: Address) -> ModelCall:
    """Read `:batchEmbedContents`, or Vertex's `:embedContent` and `:predict`."""
    first = next(iter(as_list(body.get("requests")) or as_list(body.get("instances"))), body)
    settings = as_object(body.get("parameters") or body.get("embedContentConfig"))
    flat = normalise_names({**as_object(first), **settings})
    flat.pop("embedContentConfig", None)
    attributes = FIELDS.read_attributes(flat, address.attributes)
    return ModelCall("embeddings", address.provider, address.model, attributes, params=FIELDS.read_parameters(flat))


# Members of a function with a name of ours in its identity, and the schema of its result.
_NAMED = frozenset({
    "name", "description", "parameters", "parametersJsonSchema", "parameters_json_schema", "response",
    "responseJsonSchema", "response_json_schema",
})  # fmt: skip


def normalise_tool(wire: object) -> dict[str, object]:
    """Return the identity material of one tool: of a function, in either spelling, or of a built-in with its settings.

    The schema of a function's result is left out: whether it is sent depends on the version of the client.
    """
    if not isinstance(wire, Mapping):  # not a tool, but sent as one
        return {"name": "unknown", "settings": wire}
    if "name" not in wire:
        ((name, settings),) = wire.items()
        return {"name": name, "settings": settings}
    schema: object = wire.get("parameters_json_schema", wire.get("parametersJsonSchema"))
    if schema is None and (google := wire.get("parameters")) is not None:
        schema = normalise_schema(google)
    return drop_members(wire, _NAMED) | drop_none(
        name=wire["name"], description=wire.get("description"), input_schema=schema
    )


def _list_tools(wire: Sequence[object]) -> list[object]:
    """Return one entry for each function and for each built-in, which share the objects of the wire."""
    tools: list[object] = []
    for shared in wire:
        if not isinstance(shared, Mapping):
            tools.append(shared)
            continue
        for kind, value in shared.items():
            tools.extend(as_list(value) if kind == "functionDeclarations" else [{kind: value}])
    return tools


# -- answers

_COUNTS = (
    "prompt_token_count",
    "tool_use_prompt_token_count",
    "candidates_token_count",
    "thoughts_token_count",
    "cached_content_token_count",
)


def read_content_response(result: Any) -> Answer:
    """Read a `GenerateContentResponse`; one that was asked for raw holds its body as text."""
    if type(result) is dict:  # no answer but an error
        return Answer(None, {}, error=read_error(result))
    if result.candidates is None and (body := get(result.sdk_http_response, "body")) is not None:
        result = json.loads(body, object_hook=_Json)
    state: FoldState = {}
    fold_content_chunk(state, result)
    return finish_content(state)


def fold_content_chunk(state: FoldState, chunk: Any) -> bool:
    """Fold a chunk, a `GenerateContentResponse` too: each has model, id and counts so far; none is surely last."""
    if (model := chunk.model_version) is not None:
        state["model"] = model
    if (response_id := chunk.response_id) is not None:
        state["id"] = response_id
    if (usage := chunk.usage_metadata) is not None:
        counts = state.setdefault("counts", {})
        for name in _COUNTS:
            if (count := as_int(get(usage, name))) is not None:
                counts[name] = count
    for candidate in as_list(chunk.candidates):
        index, content = as_int(get(candidate, "index")) or 0, get(candidate, "content")
        if (reason := get(candidate, "finish_reason")) is not None:
            state.setdefault("reasons", {})[index] = reason
        if content is not None and index == 0:
            calls = (get(part, "function_call") for part in as_list(get(content, "parts")))
            state.setdefault("calls", []).extend(call for call in calls if call is not None)
    return False


def finish_content(state: FoldState) -> Answer:
    """Build the answer from a fully or partly folded stream of content."""
    counts = state.get("counts", {})
    thoughts = counts.get("thoughts_token_count")
    attributes = drop_none_attributes(
        (A.GEN_AI_RESPONSE_ID, as_text(state.get("id"))),
        (A.GEN_AI_RESPONSE_FINISH_REASONS, list_reasons(state.get("reasons", {})) or None),
        (A.GEN_AI_USAGE_CACHE_READ_INPUT_TOKENS, counts.get("cached_content_token_count")),
        (A.GEN_AI_USAGE_REASONING_OUTPUT_TOKENS, thoughts),
    )
    calls = state.get("calls", ())
    return Answer(
        as_text(state.get("model")),
        attributes,
        sum_counts(counts.get("prompt_token_count"), counts.get("tool_use_prompt_token_count")),
        sum_counts(counts.get("candidates_token_count"), thoughts),  # the API counts thoughts apart
        tool_calls=[(name, get(call, "args")) for call in calls if (name := as_text(get(call, "name")))],
    )


def read_embeddings_response(result: object) -> Answer:
    """Read an `EmbedContentResponse`: it names no model; Vertex counts each text, newer models all of them."""
    counts = [as_int(get(get(each, "statistics"), "token_count")) for each in as_list(get(result, "embeddings"))]
    whole_count = get(get(result, "usage_metadata"), "prompt_token_count")
    input_tokens = as_int(whole_count) if whole_count is not None else sum_counts(*counts)
    return Answer(None, {}, input_tokens, error=None if counts else read_error(result))


class _Json(dict[str, object]):
    """A JSON object that is read like the client's own."""

    def __getattr__(self, name: str) -> object:
        return self.get(normalise_name(name))


CONTENT = Endpoint(
    read_content_request,
    read_content_response,
    fold_content_chunk,
    finish_content,
    status=read_status,
    error_type=name_error,
    content=_content.CONTENT,
)
EMBEDDINGS = Endpoint(
    read_embeddings_request, read_embeddings_response, error_type=CONTENT.error_type, status=CONTENT.status
)
LIBRARY = _seams.make_library(
    ">=1.32,<4",
    CONTENT,
    EMBEDDINGS,
    ClientInfo(
        (
            "generate_content",
            "embeddings",
            "interactions (from 2.9)",
            "execute_tool (functions that the client calls by itself)",
        ),
        not_covered=(
            "live sessions (a websocket)",
            "Imagen, Veo and `count_tokens`: the convention has no operation for them",
        ),
        peers=(
            "opentelemetry-instrumentation-google-genai",
            "opentelemetry-instrumentation-google-generativeai",
            "openinference-instrumentation-google-genai",
        ),
        # The official instrumentation names this operation beside the convention.
        foreign_spans=ForeignSpans(renamed_operations={"interactions.create": "generate_content"}),
    ),
    _interactions.TARGETS,
)


class Instrumentor(_patching.Instrumentor):
    """Entry point `agentops_google_genai`."""

    libraries = (LIBRARY,)


GoogleGenAiSdkInstrumentor = Instrumentor  # the name that others give theirs
