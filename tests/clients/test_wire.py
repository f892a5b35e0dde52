"""Every value keeps its registered type; what has another one is left out."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from otel_agentops.clients._protocols import fields
from otel_agentops.clients._protocols.fields import (
    Fields,
    as_double,
    as_int,
    as_list,
    as_text,
    as_texts,
    flatten_instructions,
    get,
)


def same(found: Any, wanted: Any) -> bool:
    """Equal with equal types: 0 is not 0.0, and True is not 1."""
    return type(found) is type(wanted) and found == wanted


@pytest.mark.parametrize(
    ("value", "wanted"),
    [
        (0, 0.0), (0.0, 0.0), (1, 1.0), (-0.5, -0.5), (True, None), ("1", None), (None, None), ([1], None),
        (10**400, None), (float("inf"), None), (float("nan"), None),
    ],
)  # fmt: skip
def test_as_double_keeps_numbers_only(value: Any, wanted: Any) -> None:
    assert same(as_double(value), wanted)


@pytest.mark.parametrize(
    ("value", "wanted"),
    [
        (0, 0), (9, 9), (9.0, 9), (9.5, None), (True, None), ("9", None), (None, None), (2**63 - 1, 2**63 - 1),
        (2**63, None), (-(2**63), -(2**63)), (1e30, None), (float("inf"), None), (float("nan"), None),
    ],
)  # fmt: skip
def test_as_int_keeps_whole_numbers_only(value: Any, wanted: Any) -> None:
    assert same(as_int(value), wanted)


@pytest.mark.parametrize(("value", "wanted"), [("a", "a"), ("", ""), (5, None), (None, None), (["a"], None)])
def test_as_text_keeps_texts_only(value: Any, wanted: Any) -> None:
    assert same(as_text(value), wanted)


@pytest.mark.parametrize(
    ("value", "wanted"),
    [
        ("a", ["a"]),
        (["a", "b"], ["a", "b"]),
        (("a",), ["a"]),
        ([], None),
        (5, None),
        (["a", 5], None),
        (None, None),
    ],
)
def test_as_texts_keeps_lists_of_texts_only(value: Any, wanted: Any) -> None:
    assert same(as_texts(value), wanted)


def test_as_list_leaves_iterators_unread() -> None:
    turns = iter(["a"])
    assert (as_list(turns), as_list(None), as_list("ab"), as_list([1]), as_list((1,))) == ((), (), (), [1], (1,))
    assert next(turns) == "a"


def test_get_reads_objects_and_json_alike() -> None:
    for value in ({"model": "m"}, SimpleNamespace(model="m")):
        assert (get(value, "model"), get(value, "id")) == ("m", None)
    assert get(None, "model") is None


FIELDS = Fields(
    {"temperature": ("t", as_double), "max_tokens": ("n", as_int), "max_output_tokens": ("n", as_int)},
    not_parameters=frozenset({"model", "seed"}),
)


def test_fields_become_attributes_beside_the_server() -> None:
    server = {"server.address": "h"}
    body = {"model": "m", "temperature": 0, "max_tokens": "many", "max_output_tokens": 9}
    found = FIELDS.read_attributes(body, server)
    assert found == {"server.address": "h", "t": 0.0, "n": 9}
    assert type(found["t"]) is float
    assert server == {"server.address": "h"}


def test_read_parameters_keeps_what_shapes_the_answer() -> None:
    body = {"model": "m", "seed": 7, "temperature": 0, "logprobs": False, "top_p": None, "new": {"a": [1]}}
    assert FIELDS.read_parameters(body) == {"temperature": 0, "logprobs": False, "new": {"a": [1]}}


@pytest.mark.parametrize(
    ("contents", "wanted"),
    [
        (["a"], ("a",)),
        ([[{"type": "text", "text": "a"}]], ("a",)),
        ([[{"type": "input_text", "text": "a"}, {"type": "text", "text": "b"}]], ("a", "b")),
        (["a", None, 5, "b"], ("a", "b")),
        ([[{"type": "image_url"}, "a"]], ({"type": "image_url"}, "a")),
        ([], ()),
    ],
)
def test_flatten_instructions_joins_their_texts(contents: list[Any], wanted: tuple[Any, ...]) -> None:
    assert flatten_instructions(contents) == wanted


def test_drop_none_keeps_known_values() -> None:
    assert fields.drop_none(a=None, b=0, c="", d=False) == {"b": 0, "c": "", "d": False}
    assert fields.drop_none_attributes(("a", None), ("b", 0)) == {"b": 0}
