"""Google's spelling of a JSON schema as the plain one, and member names that have two spellings as one.

Google's clients send the same schema differently by version: types in capitals, `nullable`, and now and then
`min_length` beside `minLength`. The model receives the same thing, and the identity here is the same.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Mapping, Sequence

from otel_agentops.clients._protocols.fields import as_list, get

_OUTER = ("title", "description", "default")  # about a property as a whole, not about one of its alternatives
_NAMES = {"defs": "$defs", "ref": "$ref"}


@functools.lru_cache(1024)
def normalise_name(name: str) -> str:
    """Return `min_length` as `minLength`."""
    return re.sub(r"(?<=[a-z0-9])_([a-z])", lambda match: match[1].upper(), name)


def normalise_names(members: Mapping[str, object]) -> dict[str, object]:
    """Return a JSON object with all member names, nested ones too, in the one spelling."""
    return {normalise_name(name): _normalise_nested(value) for name, value in members.items()}


def _normalise_nested(value: object) -> object:
    if type(value) is dict:
        return normalise_names(value)
    return list(map(_normalise_nested, value)) if type(value) is list else value


def normalise_schema(google: object) -> object:
    """Return the plain JSON schema that one in Google's spelling stands for."""
    if not isinstance(google, Mapping):
        return google
    members = {normalise_name(name): value for name, value in google.items()}
    is_nullable = members.pop("nullable", False)
    plain: dict[str, object] = {_NAMES.get(name, name): _convert_member(name, value) for name, value in members.items()}
    if isinstance(properties := plain.get("properties"), Mapping):
        plain["properties"] = _add_defaults(properties, as_list(plain.get("required")), members["properties"])
    if "anyOf" in plain and plain.get("type") == "object" and "properties" not in plain:
        del plain["type"]  # the API wants it beside alternatives, whatever their types are
    return _allow_null(plain) if is_nullable else plain


def _convert_member(name: str, value: object) -> object:
    if name == "type" and isinstance(value, str):
        return value.lower()
    if name in {"properties", "defs"} and isinstance(value, Mapping):
        return {inner_name: normalise_schema(inner) for inner_name, inner in value.items()}
    if name in {"items", "additionalProperties"}:
        return normalise_schema(value)
    if name in {"anyOf", "prefixItems"} and isinstance(value, list):
        return list(map(normalise_schema, value))
    return value


def _allow_null(plain: dict[str, object]) -> dict[str, object]:
    outer = {name: plain.pop(name) for name in _OUTER if name in plain}
    return {"anyOf": [*(as_list(plain.get("anyOf")) or [plain]), {"type": "null"}], **outer}


def _add_defaults(
    properties: Mapping[str, object], required: Sequence[str], google: Mapping[str, object]
) -> dict[str, object]:
    """Return the properties with null as the default of those that may be left out and may be null.

    Google's spelling has no way to say so.
    """
    return {
        name: {**schema, "default": None}
        if name not in required
        and isinstance(schema, Mapping)
        and get(google[name], "nullable")
        and "default" not in schema
        else schema
        for name, schema in properties.items()
    }
