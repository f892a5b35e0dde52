"""Google Gen AI: content and embeddings of Gemini, on its own API and on Vertex AI."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from otel_agentops import _patching
from otel_agentops._client_call import Endpoint
from otel_agentops._patching import ClientInfo
from otel_agentops.clients._protocols.fields import (
    as_int,
    as_list,
    as_text,
    drop_none,
    drop_none_attributes,
    flatten_instructions,
    get,
)
from otel_agentops.clients.google_genai import _interactions, _seams
from otel_agentops.clients.google_genai._schema import camel, camel_name, json_schema
from otel_agentops.clients.google_genai._seams import Sent
from otel_agentops.clients.google_genai._wire import FIELDS, code, mapping, output_type, total
from otel_agentops.operations import Answer, ModelCall
from otel_agentops.semconv import attributes as A

# -- requests


def content_request(body: Mapping[str, Any], to: Sent) -> ModelCall:
    """`POST models/<model>:generateContent`."""
    config = mapping(body.get("generationConfig"))
    flat = {**body, **config}
    for name, value in config.items():
        if type(value) is dict and name.endswith("Config"):  # a schema's names are the application's
            flat[name] = camel(value)
    calling = None
    if "toolConfig" in flat:
        calling = flat["toolConfig"] = get(
            flat["toolConfig"], "functionCallingConfig"
        )  # beside it is where the user is
    attributes = FIELDS.read_attributes(flat, to.attributes)
    if kind := output_type(config):
        attributes[A.GEN_AI_OUTPUT_TYPE] = kind
    system = flatten_instructions((as_list(get(body.get("systemInstruction"), "parts")),))
    return ModelCall(
        "generate_content", to.provider, to.model, attributes, system, _offered(as_list(body.get("tools"))), tool,
        FIELDS.read_parameters(flat), is_tool_forced=calling is not None and _forced(calling),
    )  # fmt: skip


def _forced(calling: Any) -> bool:
    return get(calling, "mode") == "ANY" and len(as_list(get(calling, "allowedFunctionNames"))) == 1


def embeddings_request(body: Mapping[str, Any], to: Sent) -> ModelCall:
    """`:batchEmbedContents`, and Vertex's `:embedContent` and `:predict`."""
    first = next(iter(as_list(body.get("requests")) or as_list(body.get("instances"))), body)
    settings = mapping(body.get("parameters") or body.get("embedContentConfig"))
    flat = camel({**mapping(first), **settings})
    flat.pop("embedContentConfig", None)
    return ModelCall(
        "embeddings",
        to.provider,
        to.model,
        FIELDS.read_attributes(flat, to.attributes),
        params=FIELDS.read_parameters(flat),
    )


def tool(wire: Any) -> dict[str, Any]:
    """The identity material of one tool: of a function, in either spelling, or of a built-in with its settings.

    Not of a function's result: whether its schema is sent depends on the version of the client.
    """
    if not isinstance(wire, Mapping):  # not a tool, but sent as one
        return {"name": "unknown", "settings": wire}
    if "name" not in wire:
        ((name, settings),) = wire.items()
        return {"name": name, "settings": settings}
    schema = wire.get("parameters_json_schema", wire.get("parametersJsonSchema"))
    if schema is None and (google := wire.get("parameters")) is not None:
        schema = json_schema(google)
    return drop_none(
        name=wire["name"], description=wire.get("description"), input_schema=schema, behavior=wire.get("behavior")
    )


def _offered(tools: Sequence[Any]) -> list[Any]:
    """One entry for each function and for each built-in, which share the objects of the wire."""
    found: list[Any] = []
    for each in tools:
        if not isinstance(each, Mapping):
            found.append(each)
            continue
        for kind, value in each.items():
            found.extend(as_list(value) if kind == "functionDeclarations" else [{kind: value}])
    return found


# -- answers


def content_response(result: Any) -> Answer:
    """A `GenerateContentResponse`; one that was asked for raw holds its body as text."""
    if result.candidates is None and (body := get(result.sdk_http_response, "body")) is not None:
        result = json.loads(body, object_hook=_Json)
    state: dict[str, Any] = {}
    content_fold(state, result)
    return content_settled(state)


def content_fold(state: dict[str, Any], chunk: Any) -> bool:
    """A chunk is a `GenerateContentResponse` too: each names model and id, and counts so far; none is surely last."""
    state["latest"] = chunk
    if (usage := chunk.usage_metadata) is not None:
        state["usage"] = usage
    for candidate in chunk.candidates or ():
        if (reason := candidate.finish_reason) is not None:
            state.setdefault("reasons", {})[candidate.index or 0] = reason
        if (content := candidate.content) is not None and not candidate.index:
            for part in content.parts or ():
                if (call := part.function_call) is not None:
                    state.setdefault("calls", []).append(call)
    return False


def content_settled(state: dict[str, Any]) -> Answer:
    """What the chunks of a stream added up to."""
    latest, usage, reasons = state["latest"], state.get("usage"), state.get("reasons", {})
    cached, thoughts = as_int(get(usage, "cached_content_token_count")), as_int(get(usage, "thoughts_token_count"))
    attributes = drop_none_attributes(
        (A.GEN_AI_RESPONSE_ID, as_text(get(latest, "response_id"))),
        (A.GEN_AI_RESPONSE_FINISH_REASONS, [str(as_text(reasons[index])) for index in sorted(reasons)] or None),
        (A.GEN_AI_USAGE_CACHE_READ_INPUT_TOKENS, cached),
        (A.GEN_AI_USAGE_REASONING_OUTPUT_TOKENS, thoughts),
    )
    read = total(get(usage, "prompt_token_count"), get(usage, "tool_use_prompt_token_count"))
    written = total(get(usage, "candidates_token_count"), thoughts)  # the API counts thoughts apart
    asked = [(name, get(call, "args")) for call in state.get("calls", ()) if (name := as_text(get(call, "name")))]
    return Answer(as_text(get(latest, "model_version")), attributes, read, written, tool_calls=asked)


def embeddings_response(result: Any) -> Answer:
    """An `EmbedContentResponse`: it names no model; Vertex counts each text, newer models of Gemini all of them."""
    counts = [as_int(get(get(each, "statistics"), "token_count")) for each in as_list(get(result, "embeddings"))]
    counted = get(get(result, "usage_metadata"), "prompt_token_count")
    return Answer(None, {}, as_int(counted) if counted is not None else total(*counts))


class _Json(dict[str, Any]):
    """A JSON object that is read like the client's own."""

    def __getattr__(self, name: str) -> Any:
        return self.get(camel_name(name))


def _no_stream(state: dict[str, Any], chunk: Any) -> bool:
    raise TypeError("embeddings do not stream")


CONTENT = Endpoint(content_request, content_response, content_fold, content_settled, error_type=code)
EMBEDDINGS = Endpoint(embeddings_request, embeddings_response, _no_stream, content_settled, error_type=code)
LIBRARY = _seams.client(
    ">=1.32,<4",
    CONTENT,
    EMBEDDINGS,
    ClientInfo(
        ("generate_content", "embeddings", "interactions (from 2.9)"),
        not_covered=(
            "live sessions (a websocket)",
            "Imagen, Veo and `count_tokens`: the convention has no operation for them",
        ),
        peers=(
            "opentelemetry-instrumentation-google-genai",
            "opentelemetry-instrumentation-google-generativeai",
            "openinference-instrumentation-google-genai",
        ),
    ),
    _interactions.TARGETS,
)


class Instrumentor(_patching.Instrumentor):
    """Entry point `agentops_google_genai`."""

    libraries = (LIBRARY,)
