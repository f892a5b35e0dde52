"""Which calls of a tool are near the same, and which are not."""

from __future__ import annotations

import datetime
import decimal
import enum
import pathlib
import uuid
from dataclasses import dataclass
from typing import Any

import pydantic
import pytest

from otel_agentops._tool_arguments import hash_tool_call as near


class Colour(enum.Enum):
    RED = "red"


@dataclass
class Point:
    x: float
    name: str = "P"


@dataclass
class Slotted:
    __slots__ = ("x",)
    x: int


class Model(pydantic.BaseModel):
    x: int
    note: str | None = None


ID = uuid.UUID(int=7)
SAME: list[tuple[Any, Any]] = [
    ({"q": "Weather in Oslo"}, {"q": " weather  in\noslo?"}),
    ({"q": "Straße"}, {"q": "STRASSE"}),
    ({"q": "ﬁne"}, {"q": "fine"}),  # a ligature
    ({"a": 1, "b": [2]}, {"b": [2], "a": 1}),
    ({"n": 1}, {"n": 1.0}),
    ({"n": 1}, {"n": "1.00"}),
    ({"n": 1500}, {"n": "1.5E3"}),
    ({"n": -0.0}, {"n": 0}),
    ({"b": True}, {"b": "True"}),
    ({"a": 1, "limit": None}, {"a": 1}),
    ({"a": 1, "limit": "null"}, {"a": 1}),
    ({"o": {"x": [{"Y": 1}]}}, {"o": {"x": [{"Y": "1"}]}}),
    ('{"a": 1, "b": "x"}', {"b": "X", "a": 1}),
    ("", {}),
    ("{}", {}),
    ("not JSON, but Text", " not json, but text."),
    ({"t": (1, 2)}, {"t": [1, 2]}),
    ({"s": {"b", "a"}}, {"s": {"a", "b"}}),
    ({"c": Colour.RED}, {"c": "red"}),
    ({"p": Point(1.0)}, {"p": {"name": "p", "x": 1}}),
    ({"p": Model(x=1)}, {"p": {"x": 1}}),
    ({"d": decimal.Decimal("1.50")}, {"d": 1.5}),
    ({"u": ID}, {"u": str(ID).upper()}),
    ({"d": datetime.date(2026, 1, 2)}, {"d": "2026-01-02"}),
    ({"p": pathlib.PurePosixPath("/a")}, {"p": "/a"}),
    ({"b": b"abc"}, {"b": bytearray(b"abc")}),
    ({"long": "x" * 5000}, {"long": "x" * 5000}),
]
OTHER: list[tuple[Any, Any]] = [
    ({"q": "Oslo"}, {"q": "Bergen"}),
    ({"q": "Oslo"}, {"place": "Oslo"}),
    ({"n": 1}, {"n": 2}),
    ({"n": -1}, {"n": -2}),  # of equal `hash` in Python
    ({"n": 1}, {"n": True}),
    ({"n": 0}, {"n": None}),
    ({"id": "007"}, {"id": "7"}),
    ({"l": [1, 2]}, {"l": [2, 1]}),
    ({"l": [1, None]}, {"l": [1]}),
    ({"a": "1", "b": "2"}, {"a": "2", "b": "1"}),
    ({"q": ""}, {}),
    ({"b": b"abc"}, {"b": "abc"}),
    ({"long": "x" * 5000}, {"long": "X" * 5000}),
    ({"n": 2**70}, {"n": 2**70 + 1}),
    ({"n": float("inf")}, {"n": float("-inf")}),
]


@pytest.mark.parametrize(("one", "other"), SAME)
def test_near_hash_ignores_trivial_differences(one: Any, other: Any) -> None:
    assert near("t", one) == near("t", other) is not None


@pytest.mark.parametrize(("one", "other"), OTHER)
def test_near_hash_differs_for_other_arguments(one: Any, other: Any) -> None:
    keys = near("t", one), near("t", other)
    assert None not in keys
    assert keys[0] != keys[1]


def test_near_hash_includes_the_name_of_the_tool() -> None:
    assert near("lookup", {"a": 1}) != near("refund", {"a": 1})


def deep(levels: int) -> Any:
    value: Any = 1
    for _ in range(levels):
        value = [value]
    return value


CYCLE: list[Any] = []
CYCLE.append(CYCLE)


@pytest.mark.parametrize(
    "arguments",
    [None, {"o": object()}, {"s": Slotted(1)}, deep(30), list(range(1001)), CYCLE, 10**5000],
    ids=["none", "object", "slots", "deep", "many", "cycle", "digits"],
)
def test_near_hash_of_unreadable_arguments_is_unknown(arguments: Any) -> None:
    assert near("t", None if arguments is None else {"a": arguments}) is None


def test_near_hash_takes_invalid_json_as_one_text() -> None:
    assert near("t", "[" * 100_000) == near("t", "[" * 100_000) != near("t", "[" * 99_999)
