"""The fields in which two schemas of a tool differ are named with their types, and nothing of them is quoted."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from otel_agentops._schema_changes import describe_schema_change

SECRET = "Account 4711 of Jane Doe"
REFUND: dict[str, Any] = {
    "name": "refund_order",
    "description": "Refund an order.",
    "input_schema": {
        "type": "object",
        "properties": {
            "amount": {"type": "number", "description": "In euros."},
            "lines": {"type": "array", "items": {"type": "object", "properties": {"sku": {"type": "string"}}}},
        },
        "required": ["amount"],
    },
}


def change(*path: str, to: object) -> dict[str, Any]:
    """Return the tool with another member; None takes it away."""
    changed = copy.deepcopy(REFUND)
    parent = changed
    for key in path[:-1]:
        parent = parent[key]
    parent[path[-1]] = to
    if to is None:
        del parent[path[-1]]
    return changed


PROPERTIES = ("input_schema", "properties")


@pytest.mark.parametrize(
    ("after", "expected"),
    [
        (REFUND, ""),
        (change(*PROPERTIES, "amount", "type", to="string"), "parameters.amount type number -> string"),
        (change(*PROPERTIES, "amount", "type", to=["string", "null"]), "parameters.amount type number -> string|null"),
        (change(*PROPERTIES, "amount", "type", to=SECRET), "parameters.amount type number -> any"),
        (change(*PROPERTIES, "amount", "type", to=None), "parameters.amount type number -> any"),
        (change(*PROPERTIES, "amount", "enum", to=[SECRET]), "parameters.amount enum added"),
        (change(*PROPERTIES, "amount", "description", to=SECRET), "parameters.amount description changed"),
        (change(*PROPERTIES, "currency", to={"type": "string"}), "parameters.currency added"),
        (change(*PROPERTIES, "amount", to=None), "parameters.amount removed"),
        (change("input_schema", "required", to=[]), "parameters.amount no longer required"),
        (change("input_schema", "required", to=["amount", "lines"]), "parameters.lines is required"),
        (
            change(*PROPERTIES, "lines", "items", "properties", "sku", "type", to="integer"),
            "parameters.lines[].sku type string -> integer",
        ),
        (change(*PROPERTIES, "a b\n" + "x" * 99, to={}), f"parameters.a?b?{'x' * 60} added"),
        (change("description", to=SECRET), "description changed"),
        (change("input_schema", "title", to="refund"), "parameters title added"),
        (
            {
                **change(*PROPERTIES, "amount", to={"type": "string", "title": "B"}),
                "description": SECRET,
            },
            "parameters.amount type number -> string, description changed, parameters.amount description removed",
        ),
        (change("annotations", to={SECRET: True}), "annotations added"),
        (change("output_schema", to={"type": "object"}), "result added"),
        (
            change(*PROPERTIES, to={name: {} for name in "abc"}),
            "parameters.a added, parameters.amount removed, parameters.b added, 2 more",
        ),
    ],
)
def test_changed_fields_are_named(after: dict[str, Any], expected: str) -> None:
    assert describe_schema_change(REFUND, after) == expected


def test_schema_that_contains_itself_ends() -> None:
    one, other = ({"type": kind, "properties": {}} for kind in ("object", "array"))
    for schema in (one, other):
        schema["properties"] = {"self": schema}
    text = describe_schema_change({"input_schema": one}, {"input_schema": other})
    assert text.startswith("parameters type object -> array, parameters.self type object -> array, ")
