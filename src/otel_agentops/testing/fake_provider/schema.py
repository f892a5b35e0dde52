"""The smallest value that a JSON schema allows: what a model that was bound to a schema says."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

_SIMPLE: dict[str, Any] = {"string": "text", "integer": 1, "number": 0.5, "boolean": True, "null": None}


def example(schema: Mapping[str, Any], root: Mapping[str, Any] | None = None) -> Any:
    root = root or schema
    if "$ref" in schema:
        return example(_referred(schema["$ref"], root), root)
    for key in ("const", "default"):
        if key in schema:
            return schema[key]
    if options := schema.get("enum"):
        return options[0]
    for key in ("anyOf", "oneOf", "allOf"):
        if options := schema.get(key):
            return example(options[0], root)
    return _of_type(schema, root)


def wanted(body: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """The schema that a request binds its answer to, in any of the dialects."""
    bound = body.get("response_format") or (body.get("text") or {}).get("format")
    bound = bound or (body.get("output_config") or {}).get("format") or body.get("output_format") or {}
    if bound.get("type") == "json_object":  # those of Cohere's two versions and of Hugging Face; or no schema
        return bound.get("json_schema") or bound.get("schema") or bound.get("value")
    if bound.get("type") != "json_schema":
        return None
    schema: Mapping[str, Any] = bound.get("json_schema", bound).get("schema", {})
    return schema


def is_json(text: str) -> bool:
    try:
        json.loads(text)
    except ValueError:
        return False
    return True


def _of_type(schema: Mapping[str, Any], root: Mapping[str, Any]) -> Any:
    kind = schema.get("type", "object" if "properties" in schema else "string")
    kind = kind[0] if isinstance(kind, list) else kind
    if kind == "object":
        return {name: example(inner, root) for name, inner in schema.get("properties", {}).items()}
    if kind == "array":
        return [example(schema.get("items", {}), root)] * max(1, schema.get("minItems", 1))
    return _SIMPLE[kind]


def _referred(reference: str, root: Mapping[str, Any]) -> Mapping[str, Any]:
    found: Any = root
    for part in reference.removeprefix("#/").split("/"):
        found = found[part]
    return dict(found)
