"""The smallest value that a JSON schema allows, which is the answer of a model that is bound to a schema."""

from __future__ import annotations

import dataclasses
import json

from otel_agentops.testing.fake_provider.behaviour import Answer, Body

_SIMPLE: dict[str, object] = {"string": "text", "integer": 1, "number": 0.5, "boolean": True, "null": None}


def find_schema(body: Body) -> Body | None:
    """Return the schema that a request binds its answer to, in the key of most dialects; None if it has none."""
    text, output_config = body.get("text") or {}, body.get("output_config") or {}
    format_: Body = (
        body.get("response_format")
        or text.get("format")
        or output_config.get("format")
        or body.get("output_format")
        or {}
    )
    if format_.get("type") == "json_object":  # Cohere's two versions and Hugging Face; or there is no schema
        return format_.get("json_schema") or format_.get("schema") or format_.get("value")
    if format_.get("type") != "json_schema":
        return None
    schema: Body = format_.get("json_schema", format_).get("schema", {})
    return schema


def bind_answer(answer: Answer, schema: Body | None) -> Answer:
    """Return the answer with a text that keeps to the schema; tool calls and JSON stay as they are."""
    if schema is None or answer.tool_calls:
        return answer
    try:
        json.loads(answer.text)
    except ValueError:
        return dataclasses.replace(answer, text=json.dumps(build_example(schema, schema)))
    return answer


def build_example(schema: Body, root: Body) -> object:
    """Return the smallest value that a schema allows; its references point into `root`."""
    if "$ref" in schema:
        referred = root
        for part in schema["$ref"].removeprefix("#/").split("/"):
            referred = referred[part]
        return build_example(referred, root)
    for key in ("const", "default"):
        if key in schema:
            return schema[key]
    if options := schema.get("enum"):
        return options[0]
    for key in ("anyOf", "oneOf", "allOf"):
        if options := schema.get(key):
            return build_example(options[0], root)
    kind = schema.get("type", "object" if "properties" in schema else "string")
    kind = kind[0] if isinstance(kind, list) else kind
    if kind == "object":
        return {name: build_example(inner, root) for name, inner in schema.get("properties", {}).items()}
    if kind == "array":
        return [build_example(schema.get("items", {}), root)] * max(1, schema.get("minItems", 1))
    return _SIMPLE[kind]
