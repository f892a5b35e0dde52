"""Reading of the flight recorder: entries in the order in which they were written, and their content on demand.

    for entry in open_records("/var/lib/recorder"):
        if isinstance(entry, Call) and entry.model == "gpt-x":
            body = read_request(entry)          # the bytes of its last attempt
            answer = read_response(entry)       # None of a stream: read_chunks(entry)

A path is a directory, of which every segment is read, or one file. A segment that is still being written is read up
to its last whole frame. Content is decoded when one of the functions asks for it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Any

from otel_agentops.recorder.entries import KINDS, OFF, Attempt, Call, Chunk, Entry, FoundChunk, Part, SegmentHead
from otel_agentops.recorder.segment import Content, Decipher, Segment, SegmentError, iterate_lines

# Every head begins with it; any other order is valid, too, and is parsed.
_REF = re.compile(rb'\{"ref":\s?(\d+),')
_PART_MEMBERS = ("name", "attempt", "form", "byte_size", "sha256", "hmac")


def open_records(path: str | Path, decipher: Decipher | None = None) -> Iterator[Entry]:
    """Yield the entries of a directory or a file; writer by writer, each in the order in which it wrote.

    Args:
        path: A directory of the recorder, or one of its segments.
        decipher: The keys of encrypted content; None if there are none at hand.

    Raises:
        SegmentError: A file is no segment.
    """
    for segment in open_segments(path, decipher):
        yield from read_entries(segment)


def list_segment_files(path: str | Path) -> list[Path]:
    """Return the segments of a directory, sealed and open, by day, writer and number; a file is returned as it is."""
    root = Path(path)
    if root.suffix == ".open" and not root.exists():
        root = root.with_suffix(".seg")  # sealed since somebody named it
    if root.is_file():
        return [root]
    files = [file for ending in ("seg", "open") for file in root.glob(f"v1/*/*/*.{ending}")]
    return sorted(files, key=_order_file)


def _order_file(file: Path) -> tuple[str, str, int]:
    writer, _, number = file.stem.rpartition("-")
    return file.parent.as_posix(), writer, int(number) if number.isdecimal() else 0


def open_segments(path: str | Path, decipher: Decipher | None = None) -> Iterator[Segment]:
    """Yield the segments of a directory or a file; an open one that has no whole frame yet is left out."""
    for file in list_segment_files(path):
        try:
            yield Segment(file, decipher)
        except FileNotFoundError:
            if (sealed := file.with_suffix(".seg")).exists():  # sealed since it was listed
                yield Segment(sealed, decipher)
        except SegmentError:
            if file.suffix != ".open":
                raise


def read_head(segment: Segment) -> SegmentHead:
    """Return what a segment says of itself."""
    names = [name for name in SegmentHead.__dataclass_fields__ if name not in {"path", "frontier"}]
    members = {name: segment.head.get(name) for name in names}
    return SegmentHead(path=segment.path, frontier=tuple(segment.head["frontier"]), **members)  # type: ignore[arg-type]


def read_entries(segment: Segment, refs: Collection[str] | None = None) -> Iterator[Entry]:
    """Yield the entries of a segment; only those with one of these refs, which are found without parsing the others."""
    writer, index = segment.head["writer"], segment.head["first_index"]
    for number, lines in iterate_lines(segment.frames):
        for position, line in enumerate(lines):
            if refs is None or _find_ref(line, writer) in refs:
                place = {"line": line, "segment": segment, "frame": number, "position": position}
                entry = parse_entry(line, writer, index, place)
                if entry is not None:
                    yield entry
            index += 1


def _find_ref(line: bytes, writer: str) -> str:
    found = _REF.match(line)
    return f"{writer}/{json.loads(line)['ref'] if found is None else int(found[1])}"


def parse_entry(line: bytes, writer: str, index: int, place: Mapping[str, Any]) -> Entry | None:
    """Return the record of a line; None if a later version of the format has a kind that this one does not know."""
    members = json.loads(line)
    kind = KINDS.get(members.pop("kind"))
    if kind is None:
        return None
    fields = kind.__dataclass_fields__
    members = {name: value for name, value in members.items() if name in fields}
    members["ref"] = f"{writer}/{members['ref']}"
    for name in ("missing", "refs", "users"):
        if members.get(name) is not None:
            members[name] = tuple(members[name])
    if kind is Call:
        members["attempts"] = tuple(Attempt(**attempt) for attempt in members.get("attempts", ()))
    return kind(index=index, **members, **place)


def find_record(path: str | Path, ref: str, decipher: Decipher | None = None) -> Entry | None:
    """Return the entry with a ref, as it is on a span; None if it is not there, or not yet on disk."""
    writer = ref.partition("/")[0]
    for file in list_segment_files(path):
        if file.stem.rpartition("-")[0] == writer:
            for segment in open_segments(file, decipher):
                for entry in read_entries(segment, {ref}):
                    return entry
    return None


# -- content


def read_parts(entry: Entry) -> tuple[Part, ...]:
    """Return what content an entry has; nothing if it has none or if it was stripped.

    Raises:
        SegmentError: The key of the content is gone or not at hand, or the file is damaged.
    """
    content = _read_content(entry)
    return () if content is None else tuple(map(_make_part, content.manifest["parts"]))


def _make_part(facts: Mapping[str, Any]) -> Part:
    members = {name: facts[name] for name in _PART_MEMBERS if name in facts}
    found = tuple(
        FoundChunk(**{name: value for name, value in chunk.items() if name in FoundChunk.__dataclass_fields__})
        for chunk in facts.get("found", ())
    )
    return Part(**members, times_ns=tuple(facts.get("times_ns", ())), found=found)


def _read_content(entry: Entry) -> Content | None:
    if entry.segment is None or entry.commitment is None:
        return None
    return entry.segment.read_content(entry.frame, entry.position)


def read_part(entry: Entry, name: str, attempt: int | None = None) -> bytes | None:
    """Return the bytes of a part; None if the entry does not have it, or has its hash alone.

    Args:
        entry: The entry.
        name: Its name, see `Part`.
        attempt: The number of the attempt of a request, negative from the last; None for the last part of that name.
    """
    content = _read_content(entry)
    if content is None or entry.segment is None:
        return None
    numbers = [number for number, facts in enumerate(content.manifest["parts"]) if facts["name"] == name]
    if attempt is not None:
        count = len(entry.attempts) if isinstance(entry, Call) else 0
        wanted = attempt + count if attempt < 0 else attempt
        numbers = [number for number in numbers if content.manifest["parts"][number].get("attempt") == wanted]
    if not numbers:
        return None
    facts, recipe = content.manifest["parts"][numbers[-1]], content.recipes[numbers[-1]]
    is_left_out = "hmac" in facts or facts["form"] == OFF or bool(facts["byte_size"] and not recipe)
    return None if is_left_out or entry.mode == "hashes" else entry.segment.rebuild(entry.frame, recipe)


def read_request(call: Call, attempt: int | None = None) -> bytes | None:
    """Return the body of an attempt, of the last one by default; None if it was not recorded."""
    return read_part(call, "request", attempt)


def read_response(call: Call) -> bytes | None:
    """Return the body of the answer; None if it was a stream, failed, or was not recorded."""
    return read_part(call, "response")


def read_headers(call: Call) -> Mapping[str, str]:
    """Return the headers of the answer that are recorded; none if the client does not show them."""
    content = _read_content(call)
    parts = () if content is None else content.manifest["parts"]
    return next((part["value"] for part in parts if part["name"] == "headers" and "value" in part), {})


def read_chunks(call: Call) -> list[Chunk]:
    """Return the chunks of a stream in order, each with its time; none of what was no stream."""
    data = read_part(call, "chunks")
    if not data:
        return []
    times = next(part.times_ns for part in read_parts(call) if part.name == "chunks")
    return [Chunk(time_ns=time, data=line) for time, line in zip(times, data.split(b"\n"), strict=True)]


def read_stream(call: Call) -> bytes | None:
    """Return the bytes of a stream as far as the client has read them; None of what was no stream, or not recorded."""
    return read_part(call, "stream")


def read_json(entry: Entry, name: str) -> Any:
    """Return a part as JSON: arguments, result, query, documents or configuration; None if it is not recorded."""
    data = read_part(entry, name)
    return None if data is None else json.loads(data)
