"""A writer with entries of a simple kind, for tests of what becomes of them."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path

from otel_agentops.recorder.entries import Entry
from otel_agentops.recorder.parts import PartMaker
from otel_agentops.recorder.reading import open_records, open_segments, read_request
from otel_agentops.recorder.writer import Encoded, RecordWriter, Settings
from otel_agentops.semconv import attributes as A


def make_writer(root: Path, **settings: object) -> RecordWriter:
    return RecordWriter(Settings(root, **settings), lambda: {"service.name": "shop", "service.version": "1.2"})  # type: ignore[arg-type]


def make_body(number: int, size: int = 0) -> bytes:
    messages = [
        {"role": "system", "content": "You help. " * 30},
        {"role": "user", "content": f"{number} " + "x" * size},
    ]
    return json.dumps({"model": "gpt-x", "messages": messages}).encode()


def make_encode(number: int, size: int = 0, maker: PartMaker | None = None, task: str = "t") -> Callable[[], Encoded]:
    def encode() -> Encoded:
        head = {
            "kind": "call",
            "time_ns": time.time_ns(),
            "monotonic_ns": time.monotonic_ns(),
            "attempts": [{"status": 200}],
            "attributes": {A.TASK_ID: task, "number": number},
        }
        part = (maker or PartMaker({"request": "full"}, None, None)).make(
            "request", make_body(number, size), task, attempt=0
        )
        return Encoded(head, [] if part is None else [part], task)

    return encode


def offer(writer: RecordWriter, number: int, size: int = 0, **options: object) -> str | None:
    return writer.offer(2000 + size, make_encode(number, size), **options)  # type: ignore[arg-type]


def read_numbers(root: Path) -> list[int]:
    """The numbers of the entries that can be read, content included."""
    numbers = []
    for entry in open_records(root):
        if "number" in entry.attributes:
            number = entry.attributes["number"]
            body = read_request(entry)  # type: ignore[arg-type]
            assert body is not None and json.loads(body)["messages"][1]["content"].startswith(f"{number} ")
            numbers.append(number)
    return numbers


def dump_disk(root: Path) -> str:
    """All that is on disk, uncompressed: heads, manifests and pieces."""
    texts = []
    for segment in open_segments(root):
        for entry in open_records(segment.path):
            texts.append(entry.line.decode())
            assert entry.segment is not None
            contents = entry.segment.load_contents(entry.frame) if entry.commitment else ()
            texts += [content.line.decode() for content in contents if content is not None]
            texts += [piece.decode() for pieces in entry.segment._pieces.values() for piece in pieces]
    return "\n".join(texts)


def list_kinds(root: Path) -> list[str]:
    return [entry.kind for entry in open_records(root)]


def find_gaps(root: Path) -> list[Entry]:
    return [entry for entry in open_records(root) if entry.kind == "gap"]


def wait_until(is_true: Callable[[], bool], seconds: float = 10) -> None:
    end = time.monotonic() + seconds
    while not is_true():
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.01)
