"""The fields in which two schemas of a tool differ: their names and types, and never a text or a value of them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

_MOST_FIELDS = 3  # that are told; further ones are counted
_MAX_NAME = 64  # characters of a field's name
_MAX_DEPTH = 8
_TYPES = frozenset({"array", "boolean", "integer", "null", "number", "object", "string"})
# Members of a JSON schema whose names may be told; another member may be anybody's.
_KEYWORDS = frozenset({
    "additionalProperties", "allOf", "anyOf", "const", "default", "description", "enum", "exclusiveMaximum",
    "exclusiveMinimum", "format", "maxItems", "maxLength", "maximum", "minItems", "minLength", "minimum", "oneOf",
    "pattern", "title",
})  # fmt: skip
_PARTS = {"input_schema": "parameters", "output_schema": "result"}  # of the identity material, with the names of fields


def describe_schema_change(before: Mapping[str, object], after: Mapping[str, object]) -> str:
    """Return the fields that changed, as `parameters.amount type number -> string`.

    Args:
        before: Identity material of a tool: name, description, input_schema, ...
        after: The same later.
    """
    changes: list[str] = []
    for key in sorted({*before, *after}):
        old, new = before.get(key), after.get(key)
        if old == new:
            continue
        if key in _PARTS and isinstance(old, Mapping) and isinstance(new, Mapping):
            changes += _compare_schemas(_PARTS[key], old, new, _MAX_DEPTH)
        else:
            changes.append(f"{_PARTS.get(key) or _clean_name(key)} {_name_change(old, new)}")
    # A title follows from the rest in most servers, and what has another type is what breaks a call.
    changes = [change for change in changes if " title " not in change] or changes
    changes.sort(key=lambda change: " type " not in change)
    more = f", {len(changes) - _MOST_FIELDS} more" if len(changes) > _MOST_FIELDS else ""
    return ", ".join(changes[:_MOST_FIELDS]) + more


def _compare_schemas(path: str, old: Mapping[str, object], new: Mapping[str, object], depth: int) -> Iterator[str]:
    if old.get("type") != new.get("type"):
        yield f"{path} type {_name_type(old)} -> {_name_type(new)}"
    for key in sorted(_KEYWORDS):
        if old.get(key) != new.get(key):
            yield f"{path} {key} {_name_change(old.get(key), new.get(key))}"
    required = [{*value} if isinstance(value := schema.get("required"), list) else set() for schema in (old, new)]
    for name in sorted(map(str, required[0] ^ required[1])):
        yield f"{path}.{_clean_name(name)} {'is' if name in required[1] else 'no longer'} required"
    for name, (one, other) in _pair_fields(old, new):
        inner = f"{path}{name}"
        if isinstance(one, Mapping) and isinstance(other, Mapping) and depth:
            yield from _compare_schemas(inner, one, other, depth - 1)
        elif one != other:
            yield f"{inner} {_name_change(one, other)}"


def _pair_fields(old: Mapping[str, object], new: Mapping[str, object]) -> Iterator[tuple[str, tuple[object, object]]]:
    """Yield the items and the properties of two schemas, None where one does not have them."""
    for key in ("properties", "$defs"):
        one, other = (value if isinstance(value := schema.get(key), Mapping) else {} for schema in (old, new))
        for name in sorted({*map(str, one), *map(str, other)}):
            yield f".{_clean_name(name)}", (one.get(name), other.get(name))
    yield "[]", (old.get("items"), new.get("items"))


def _name_change(old: object, new: object) -> str:
    return "added" if old is None else "removed" if new is None else "changed"


def _name_type(schema: Mapping[str, object]) -> str:
    kind = schema.get("type")
    kinds = kind if isinstance(kind, list) else [kind]
    return "|".join(one if isinstance(one, str) and one in _TYPES else "any" for one in kinds)


def _clean_name(name: str) -> str:
    return re.sub(r"[^\w.-]", "?", name[:_MAX_NAME], flags=re.ASCII)
