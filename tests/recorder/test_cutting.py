"""Cutting: the pieces of a body are slices of it, and what comes again is cut in the same way."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from otel_agentops.recorder.cutting import Cutter

LANE = ("task", "request")
PATIENT = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])  # a busy machine is no failure
values: Any = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=80),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)
bodies = st.dictionaries(st.text(max_size=8), values | st.lists(values, max_size=6), max_size=5)


def make_body(turns: int, **members: object) -> bytes:
    messages = [{"role": "system", "content": "You help. " * 20}]
    messages += [{"role": "user", "content": f"question number {turn}, grüße"} for turn in range(turns)]
    tools = [
        {"type": "function", "function": {"name": f"tool_{number}", "description": "x" * 60}} for number in range(9)
    ]
    body = {"model": "gpt-x", "messages": messages, **members, "tools": tools, "temperature": 0}
    return json.dumps(body, ensure_ascii=False).encode()


@PATIENT
@given(st.lists(st.tuples(bodies, st.booleans(), st.sampled_from([None, 2])), min_size=1, max_size=4))
def test_pieces_of_any_json_are_the_body(cases: list[tuple[Any, bool, int | None]]) -> None:
    cutter = Cutter()
    for body, is_ascii, indent in cases:
        data = json.dumps(body, ensure_ascii=is_ascii, indent=indent).encode(errors="surrogatepass")
        assert b"".join(cutter.cut(data, LANE)) == data


@PATIENT
@given(st.lists(st.binary(max_size=200), max_size=4))
def test_pieces_of_any_bytes_are_the_body(cases: list[bytes]) -> None:
    cutter = Cutter()
    for data in cases:
        assert b"".join(cutter.cut(data, LANE)) == data


def test_growing_conversation_shares_all_earlier_pieces() -> None:
    cutter = Cutter()
    before = cutter.cut(make_body(5), LANE)
    after = cutter.cut(make_body(6), LANE)
    assert b"".join(after) == make_body(6)
    assert len(set(after) - set(before)) == 1
    assert len(after) == len(before) + 1


def test_pieces_of_before_are_the_same_objects() -> None:
    """Each knows its hash, so that a long conversation is not hashed again at each turn."""
    cutter = Cutter()
    before = cutter.cut(make_body(5), LANE)
    after = cutter.cut(make_body(6), LANE)
    assert len({id(piece) for piece in after} - {id(piece) for piece in before}) <= 2  # the message, and what follows


def test_new_lane_is_cut_like_the_last_body() -> None:
    cutter = Cutter()
    before = cutter.cut(make_body(5), LANE)
    after = cutter.cut(make_body(1, user="u" * 100), ("another", "request"))
    assert b"".join(after) == make_body(1, user="u" * 100)
    assert len(set(after) - set(before)) <= 3


def test_number_that_goes_on_is_one_piece() -> None:
    """The bodies are the same up to a place where the one before was cut."""
    cutter = Cutter()
    number = int("7" * 40)
    cutter.cut(json.dumps({"values": [number, number]}).encode(), LANE)
    longer = json.dumps({"values": [number, number * 10 + 7]}).encode()
    assert cutter.cut(longer, LANE) == Cutter().cut(longer, LANE)


def test_pieces_do_not_depend_on_the_body_before() -> None:
    cutter = Cutter()
    cutter.cut(make_body(8), LANE)
    assert cutter.cut(make_body(3, metadata={"a": "b" * 70}), LANE) == Cutter().cut(
        make_body(3, metadata={"a": "b" * 70}), LANE
    )
