"""Spans and events that the user's own pipelines stored: the files of configs/stored.yaml as plain values."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple


class Stored(NamedTuple):
    """A span or a log record that was stored. name: the span's name, or the event's."""

    name: str
    attributes: dict[str, Any]


def spans(directory: Path, count: int) -> list[Stored]:
    """The spans in the order in which they were stored, when there are `count` of them."""
    return _when(directory / "traces.jsonl", count)


def logs(directory: Path, count: int) -> list[Stored]:
    """The log records in the order in which they were stored, when there are `count` of them."""
    return _when(directory / "logs.jsonl", count)


def _when(path: Path, count: int) -> list[Stored]:
    end = time.monotonic() + 15
    while time.monotonic() < end:
        found = list(_records(path)) if path.exists() else []
        if len(found) >= count:
            return found
        time.sleep(0.05)
    raise AssertionError(f"{path.name} holds {len(found)} of {count} records")


def _records(path: Path) -> Iterator[Stored]:
    for line in path.read_text().split("\n")[:-1]:  # not splitlines: a text may hold U+2028
        for record in _flat(json.loads(line)):
            attributes = {one["key"]: _value(one["value"]) for one in record.get("attributes", ())}
            yield Stored(record.get("name") or record.get("eventName", ""), attributes)


def _flat(payload: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for outer, inner, leaf in (("resourceSpans", "scopeSpans", "spans"), ("resourceLogs", "scopeLogs", "logRecords")):
        for resource in payload.get(outer, ()):
            for scope in resource[inner]:
                yield from scope[leaf]


def _value(value: dict[str, Any]) -> Any:
    ((kind, content),) = value.items()
    return int(content) if kind == "intValue" else content
