"""A check for tests that attributes are registered with their type; production never imports it."""

from __future__ import annotations

import re
from collections.abc import Mapping

from otel_agentops.semconv.rows import Attribute
from otel_agentops.semconv.table import ATTRIBUTES

_OWN = "otel_agentops."
_TEMPLATES = {
    re.compile(re.escape(name).replace(r"\{\}", r"[^.]+(?:\.[^.]+)*")): attribute
    for name, attribute in ATTRIBUTES.items()
    if "{}" in name
}
_TYPES: dict[str, type] = {"string": str, "int": int, "double": float, "boolean": bool}


def find_problems(attributes: Mapping[str, object]) -> list[str]:
    """Return a sentence for each attribute that is unknown or mistyped."""
    sentences = (_describe_problem(name, value) for name, value in attributes.items())
    return [problem for problem in sentences if problem]


def find_attribute(name: str) -> Attribute | None:
    """Return the registered attribute, or the template that a name belongs to."""
    if name in ATTRIBUTES:
        return None if "{}" in name else ATTRIBUTES[name]
    return next((attribute for pattern, attribute in _TEMPLATES.items() if pattern.fullmatch(name)), None)


def _describe_problem(name: str, value: object) -> str | None:
    attribute = find_attribute(name)
    if attribute is None:
        return f"{name} is not registered: correct the name or add it to semconv/"
    type_name = (
        attribute.type.removeprefix("template[")[:-1] if attribute.type.startswith("template[") else attribute.type
    )
    if not _has_type(value, type_name):
        return f"{name} is {value!r}, which is no {type_name}"
    if name.startswith(_OWN) and attribute.values and value not in attribute.values:
        return f"{name} is {value!r}, which is none of {', '.join(attribute.values)}"
    return None


def _has_type(value: object, type_name: str) -> bool:
    if type_name == "any":
        return value is not None
    if type_name.endswith("[]"):
        return isinstance(value, (list, tuple)) and all(_has_type(element, type_name[:-2]) for element in value)
    return (
        type(value) is _TYPES[type_name]
    )  # isinstance would take True for an int, and 0 for a double, which loses its type on the wire
