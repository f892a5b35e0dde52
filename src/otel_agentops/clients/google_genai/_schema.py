"""Google's spelling of a JSON schema as the plain one, and member names that have two spellings as one.

Its clients send the same schema differently by version: types in capitals, `nullable`, and now and then `min_length`
beside `minLength`. What a model is told is the same, and so is its identity here.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Mapping
from typing import Any

_OUTER = ("title", "description", "default")  # said of a property as a whole, not of one of its alternatives
_NAMES = {"defs": "$defs", "ref": "$ref"}


@functools.lru_cache(1024)
def camel_name(name: str) -> str:
    """`min_length` as `minLength`."""
    return re.sub(r"(?<=[a-z0-9])_([a-z])", lambda found: found[1].upper(), name)


def camel(value: Any) -> Any:
    """JSON with all member names in the one spelling."""
    if type(value) is dict:
        return {camel_name(name): camel(member) for name, member in value.items()}
    return list(map(camel, value)) if type(value) is list else value


def json_schema(google: Any) -> Any:
    """The plain JSON schema that one in Google's spelling stands for."""
    if not isinstance(google, Mapping):
        return google
    members = {camel_name(name): value for name, value in google.items()}
    nullable = members.pop("nullable", False)
    plain = {_NAMES.get(name, name): _READ.get(name, _same)(value) for name, value in members.items()}
    if "properties" in plain:
        plain["properties"] = _with_defaults(plain, google["properties"])
    if "anyOf" in plain and plain.get("type") == "object" and "properties" not in plain:
        del plain["type"]  # which the API wants beside alternatives, whatever their types are
    return _or_null(plain) if nullable else plain


def _or_null(plain: dict[str, Any]) -> dict[str, Any]:
    outer = {name: plain.pop(name) for name in _OUTER if name in plain}
    return {"anyOf": [*(plain.get("anyOf") or [plain]), {"type": "null"}], **outer}


def _with_defaults(plain: Mapping[str, Any], google: Mapping[str, Any]) -> dict[str, Any]:
    """What may be left out and may be null is null by default; this spelling has no way to say so."""
    required = plain.get("required") or ()
    return {
        name: {**schema, "default": None}
        if name not in required and google[name].get("nullable") and "default" not in schema
        else schema
        for name, schema in plain["properties"].items()
    }


def _each(value: Any) -> Any:
    return {name: json_schema(inner) for name, inner in value.items()} if isinstance(value, Mapping) else value


def _all(value: Any) -> Any:
    return list(map(json_schema, value)) if isinstance(value, list) else value


def _lower(value: Any) -> Any:
    return value.lower() if isinstance(value, str) else value


def _same(value: Any) -> Any:
    return value


_READ = {
    "type": _lower,
    "properties": _each,
    "defs": _each,
    "items": json_schema,
    "additionalProperties": json_schema,
    "anyOf": _all,
    "prefixItems": _all,
}
