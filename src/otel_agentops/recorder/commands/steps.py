"""Entries with their content in memory: what all that reads, compares or replays a trace works on."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from otel_agentops._yaml import InputError
from otel_agentops.operations import Value
from otel_agentops.recorder.entries import OFF, Attempt, Call, Entry, Operation, Part
from otel_agentops.recorder.reading import read_headers, read_part, read_parts
from otel_agentops.recorder.segment import SegmentError
from otel_agentops.semconv import attributes as A


class Step(NamedTuple):
    """One entry and all of its content.

    Attributes:
        entry: The clear head.
        parts: What content it has, in order.
        contents: The bytes of each part, in the order of `parts`; None of one whose hash alone is kept.
        trouble: Why its content cannot be read; empty if it can.
        manifest: The bytes of which the entry's commitment is the SHA-256; None if they are not at hand.
    """

    entry: Entry
    parts: Sequence[Part] = ()
    contents: Sequence[bytes | None] = ()
    trouble: str = ""
    manifest: bytes | None = None

    def read(self, name: str, attempt: int | None = None) -> bytes | None:
        """Return the bytes of a part, of the last attempt by default; None if they are not recorded."""
        found = None
        for part, content in zip(self.parts, self.contents, strict=True):
            if part.name == name and (attempt is None or part.attempt == attempt):
                found = content
        return found

    def read_json(self, name: str) -> Any:
        """Return a part as JSON; None if it is not recorded, or is something else."""
        return parse_json(self.read(name))

    def read_chunks(self) -> list[tuple[int, Any]]:
        """Return the chunks of a stream, each with its time in ns after the call began."""
        data = self.read("chunks")
        if not data:
            return []
        times = next(part.times_ns for part in self.parts if part.name == "chunks")
        return [(time_ns, json.loads(line)) for time_ns, line in zip(times, data.split(b"\n"), strict=True)]

    @property
    def lane(self) -> Value:
        """Return the conversation that it belongs to: its task, or else its trace."""
        return self.entry.task_id or self.entry.trace_id or ""


def unwrap_event(chunk: Any) -> Any:
    """Return the event inside of what Speakeasy's clients make of a server-sent one: its lines, with data read."""
    is_wrapped = isinstance(chunk, dict) and "data" in chunk and chunk.keys() <= {"data", "event", "id", "retry"}
    return chunk["data"] if is_wrapped else chunk


def parse_json(data: bytes | None) -> Any:
    """Return bytes as JSON; None if there are none, or if they are something else."""
    try:
        return None if data is None else json.loads(data)
    except (ValueError, RecursionError):
        return None


def dump_json(document: object, indent: int | None = None, escaped: str = "") -> str:
    """Return JSON that can be written as UTF-8: half a character, which JSON may have, is escaped.

    Args:
        document: Anything that JSON has.
        indent: Spaces a level; None for one line.
        escaped: Further letters that are written as escapes; all stand inside of texts alone.
    """
    text = json.dumps(document, ensure_ascii=False, indent=indent, separators=(",", ":") if indent is None else None)
    return re.sub(rf"[\ud800-\udfff{escaped}]", lambda match: f"\\u{ord(match[0]):04x}", text)


def load_step(entry: Entry) -> Step:
    """Return an entry with its content."""
    try:
        parts = read_parts(entry)
        contents = tuple(
            dump_json(read_headers(entry)).encode()
            if isinstance(entry, Call) and part.name == "headers" and not (part.form == OFF or part.sha256 or part.hmac)
            else read_part(entry, part.name, part.attempt)
            for part in parts
        )
        if entry.commitment is not None and not parts:
            return Step(entry, trouble="its content was deleted")
        content = entry.segment.read_content(entry.frame, entry.position) if parts and entry.segment else None
    except SegmentError as error:
        return Step(entry, trouble=str(error))
    return Step(entry, parts, contents, manifest=None if content is None else content.line)


def load_steps(entries: Iterable[Entry]) -> list[Step]:
    """Return entries with their content, in the order in which they began."""
    return sorted(map(load_step, entries), key=lambda step: (step.entry.time_ns, step.entry.index))


def list_calls(steps: Iterable[Step]) -> list[Step]:
    """Return the calls of models among steps."""
    return [step for step in steps if isinstance(step.entry, Call)]


def choose_call(steps: Iterable[Step], number: int | None, name: str) -> Step:
    """Return a call of a trace.

    Args:
        steps: Of the trace.
        number: Its number, from 1; None for the last call.
        name: By which somebody named the trace.

    Raises:
        InputError: There is no such call.
    """
    calls = list_calls(steps)
    place = len(calls) if number is None else number
    if not 1 <= place <= len(calls):
        count = {0: "no call of a model", 1: "one call"}.get(len(calls), f"{len(calls)} calls")
        raise InputError(f"{name}: the trace has {count}; choose one with #, from 1")
    return calls[place - 1]


def list_attempts(call: Call) -> Sequence[Attempt]:
    """Return the attempts of a call; one of which nothing is known if the client hides them."""
    return call.attempts or (Attempt(),)


# The values of the six variables, each by the attributes that have them.
VARIABLES: Mapping[str, Sequence[str]] = {
    "model": (A.GEN_AI_REQUEST_MODEL, A.GEN_AI_RESPONSE_MODEL),
    "prompt": (A.PROMPT_HASH,),
    "tools": (A.TOOLS_HASH, A.TOOL_HASH),
    "index": (A.INDEX_NAME, A.INDEX_VERSION),
    "judge": (A.JUDGE_NAME, A.JUDGE_REVISION),
    "traffic": (A.TRAFFIC_SEGMENT, A.TRAFFIC_INTENT, A.TRAFFIC_TENANT),
}


def describe_end(entry: Entry) -> str:
    """Return how an operation ended, in a word: its error, or ok."""
    return (entry.error_type or "ok") if isinstance(entry, Operation) else ""
