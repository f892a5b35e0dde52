"""The shape of a tool's result: members and types on the span, and an event when they change; never a value."""

from __future__ import annotations

import dataclasses
import json
import threading
from collections.abc import Callable
from typing import Any

import pytest

from otel_agentops import task, tool
from otel_agentops._hashing import identity
from otel_agentops._result_shapes import STEADY
from otel_agentops.testing import Capture

ORDER = {"id": 7, "state": "sent", "price": 9.5, "secret note": "nobody may read this"}
SHAPE = "otel_agentops.tool.result.shape"
EMPTY = "otel_agentops.tool.result.empty"


def hash_lines(*lines: str) -> str:
    return identity(sorted(lines))


def run_tool(result: object, name: str = "lookup") -> None:
    tool(name)(lambda: result)()


def run_steadily(make: Callable[[int], object], answers: int = STEADY) -> None:
    for number in range(answers):
        run_tool(make(number))


def read_facts(seen: Capture) -> list[tuple[object, object]]:
    return [(span["attributes"].get(SHAPE), span["attributes"].get(EMPTY)) for span in seen.spans]


def read_changes(seen: Capture) -> list[tuple[Any, Any]]:
    """Return the paths that came and those that went, of each event."""
    names = ("added", "removed")
    return [
        tuple(event["attributes"].get(f"otel_agentops.tool.result.{name}") for name in names) for event in seen.events
    ]


def test_shape_is_members_and_types_alone(seen: Capture) -> None:
    run_tool({"items": [ORDER, {**ORDER, "id": 8}], "next": None, "is_last": True})
    lines = ["$: object", "$.is_last: boolean", "$.items: list", "$.items[*]: object"]
    of_order = ["$.items[*].*: text", "$.items[*].id: number", "$.items[*].price: number", "$.items[*].state: text"]
    (span,) = seen.spans
    assert span == {
        "name": "execute_tool lookup",
        "kind": "INTERNAL",
        "status": "UNSET",
        "parent": None,
        "attributes": {
            "gen_ai.operation.name": "execute_tool",
            "gen_ai.tool.name": "lookup",
            "gen_ai.tool.type": "function",
            SHAPE: hash_lines(*lines, *of_order),
            EMPTY: False,
        },
    }
    assert seen.events == []


def test_json_and_records_have_the_shape_of_their_value(seen: Capture) -> None:
    @dataclasses.dataclass
    class Found:
        items: list[int]

    value = {"items": [1]}
    for result in (value, json.dumps(value), Found([1]), {"items": (2, 3)}):
        run_tool(result)
    assert set(read_facts(seen)) == {(hash_lines("$: object", "$.items: list", "$.items[*]: number"), False)}


@pytest.mark.parametrize(
    ("result", "is_empty"),
    [
        (None, True), ("", True), (" \n", True), ([], True), ({}, True), ("[]", True), ("{}", True), ("null", True),
        ({"result": []}, True), ('{"items": [], "next": null}', True), ((), True), (set(), True),
        (0, False), (False, False), ("no", False), ([None], False), ({"count": 0}, False), (object(), None),
    ],
)  # fmt: skip
def test_result_without_anything_is_empty(seen: Capture, result: object, is_empty: bool | None) -> None:
    run_tool(result)
    assert [facts[1] for facts in read_facts(seen)] == [is_empty]


def test_renamed_member_is_a_change_at_once(seen: Capture) -> None:
    run_steadily(lambda number: {"items": [ORDER] * (number % 3), "total": number})
    before, after = hash_lines("$: object", "$.items: list", "$.total: number"), {"results": [ORDER], "total": 1}
    run_tool({"items": [], "total": 0})
    assert seen.events == []
    with task("support"):
        run_tool(after)
    run_tool(after)
    of_order = ["$.results[*].*: text", "$.results[*].id: number", "$.results[*].price: number"]
    lines = ["$: object", "$.results: list", "$.results[*]: object", *of_order, "$.results[*].state: text"]
    (root,) = [span["attributes"] for span in seen.spans if "otel_agentops.task.id" in span["attributes"]][1:]
    assert seen.events == [
        {
            "event_name": "otel_agentops.change",
            "in_span": True,
            "attributes": {
                "otel_agentops.change.variable": "tool",
                "otel_agentops.change.scope": "lookup",
                "otel_agentops.change.value": hash_lines(*lines, "$.total: number"),
                "otel_agentops.change.previous": before,
                "otel_agentops.change.source": "first_seen",
                "otel_agentops.tool.result.added": ["$.results"],
                "otel_agentops.tool.result.removed": ["$.items"],
                "otel_agentops.task.id": root["otel_agentops.task.id"],
                "otel_agentops.task.name": "support",
            },
        }
    ]
    assert "nobody" not in str(seen.events) + str(seen.spans)


def test_way_back_is_a_change_as_well(seen: Capture) -> None:
    run_steadily(lambda number: {"items": [number]})
    run_steadily(lambda number: {"results": [number]}, STEADY)
    run_tool({"items": [1]})
    assert read_changes(seen) == [(["$.results"], ["$.items"]), (None, ["$.results"])]


def test_other_type_is_a_change(seen: Capture) -> None:
    run_steadily(lambda number: {"price": number})
    run_tool({"price": None})
    run_tool({"price": 1.5})
    run_tool({"price": "9 EUR"})
    run_tool("<html>")
    assert read_changes(seen) == [(["$.price: text"], None), (["$: text"], None)]


def test_optional_members_are_no_change(seen: Capture) -> None:
    members = ("a", "b", "c")
    run_steadily(lambda number: [{name: 1 for name in members if number % 4 or name != "b"} for _ in range(2)], 60)
    assert seen.events == []


def test_keys_that_are_data_are_no_change(seen: Capture) -> None:
    run_steadily(lambda number: {f"order-{number:06d}": ORDER}, 30)
    run_steadily(lambda number: {"ann": ORDER, "bob@example.com": ORDER})
    for number in range(100):
        run_tool({f"user{'abcdefghij'[number // 10]}{'abcdefghij'[number % 10]}": 1}, "count")
    assert seen.events == []
    assert read_facts(seen)[-20:] == [(hash_lines("$: object", "$.*: number"), False)] * 20


def test_change_names_eight_fields_at_most(seen: Capture) -> None:
    run_steadily(lambda number: {"id": number})
    run_tool({"id": 1, **{f"field_{name}": 1 for name in "abcdefghij"}, "jo@example.com": 1, "x" * 65: 1})
    assert read_changes(seen) == [([f"$.field_{name}" for name in "abcdefgh"], None)]


def test_failure_and_unknown_result_have_no_shape(seen: Capture) -> None:
    with tool("lookup") as failed:
        failed.record_result({"items": []})
        failed.fail()
    with pytest.raises(KeyError), tool("lookup") as raised:
        raised.record_result({"items": []})
        raise KeyError
    with tool("lookup"):
        pass
    assert read_facts(seen) == [(None, None)] * 3


def test_long_json_has_no_shape_and_is_no_change(seen: Capture) -> None:
    run_steadily(lambda number: json.dumps({"text": "short"}))
    run_tool(json.dumps({"text": "x" * 100_000}))
    assert read_facts(seen)[-1] == (None, False)
    assert seen.events == []


def test_result_is_bounded_in_depth_and_values(seen: Capture) -> None:
    loop: list[Any] = []
    loop.append(loop)
    run_tool(loop)
    run_tool([[[[[[1] * 9] * 9] * 9] * 9] * 9])
    run_tool("[" * 90_000)
    assert [facts[1] for facts in read_facts(seen)] == [False] * 3


def test_threads_tell_a_change_once(seen: Capture) -> None:
    run_steadily(lambda number: {"items": [ORDER]})
    barrier = threading.Barrier(8)

    def run() -> None:
        barrier.wait(10)
        run_steadily(lambda number: {"results": [ORDER]}, 50)

    threads = [threading.Thread(target=run) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    told = [path for paths in read_changes(seen) for part in paths for path in part or ()]
    assert sorted(told) == ["$.items", "$.results"]
