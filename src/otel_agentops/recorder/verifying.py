"""Verification of a directory: every frame, root, signature and rebuilt body, and heads that others have kept."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

from otel_agentops.recorder.entries import Entry
from otel_agentops.recorder.journal import find_unfinished
from otel_agentops.recorder.notes import parse_checkpoint, verify_checkpoint
from otel_agentops.recorder.reading import list_segment_files, parse_entry
from otel_agentops.recorder.segment import Decipher, NoKeyError, Segment, SegmentError, iterate_lines
from otel_agentops.recorder.tree import Frontier, hash_leaf


class KeptHead(NamedTuple):
    """A head of a writer's tree that somebody else has kept, say the tracing backend."""

    writer: str
    size: int
    root: bytes


class Finding(NamedTuple):
    """A result for one file.

    Attributes:
        level: ok, note or problem.
        path: The file.
        text: What was found.
    """

    level: str
    path: Path
    text: str


class _Log(NamedTuple):
    """A writer's tree as far as its segments are read."""

    frontier: Frontier
    digest: bytes
    number: int


def verify_records(
    path: str | Path, heads: Iterable[KeptHead] = (), decipher: Decipher | None = None, *, reads_content: bool = True
) -> list[Finding]:
    """Return what is wrong with the segments of a directory, and what is right.

    Args:
        path: The directory, or one segment.
        heads: Those that others have kept; the tree must have had each of them.
        decipher: The keys of encrypted content; without them it is left out.
        reads_content: False to verify heads and trees alone.
    """
    findings: list[Finding] = []
    logs: dict[str, _Log] = {}
    wanted: dict[str, dict[int, bytes]] = {}
    for head in heads:
        wanted.setdefault(head.writer, {})[head.size] = head.root
    for file in list_segment_files(path):
        try:
            segment = Segment(file, decipher)
        except SegmentError as error:
            findings.append(Finding("problem", file, str(error).removeprefix(f"{file}: ")))
            continue
        findings += _verify_segment(segment, logs, wanted, reads_content)
    for file, deletion in find_unfinished(Path(path)).items():
        what = f"the deletion of {deletion.scope}, by {deletion.actor}, is not finished"
        findings.append(Finding("problem", file, f"{what}; {deletion.finisher} does that"))
    for writer, kept in wanted.items():
        for size in kept:
            text = f"writer {writer} had {size} entries when a head was kept, and no file here has that many"
            findings.append(Finding("problem", Path(path), text))
    return findings


def _verify_segment(
    segment: Segment, logs: dict[str, _Log], wanted: dict[str, dict[int, bytes]], reads_content: bool
) -> list[Finding]:
    writer = str(segment.head["writer"])
    frontier = Frontier(segment.head["first_index"], [bytes.fromhex(root) for root in segment.head["frontier"]])
    problems = list(_check_start(segment, frontier, logs.get(writer)))
    kept = wanted.get(writer, {})
    count = unread = 0
    why_unread = ""
    stripped: list[str] = []
    for number, lines in iterate_lines(segment.frames):
        for position, line in enumerate(lines):
            frontier.append(hash_leaf(line))
            count += 1
            root = kept.pop(frontier.size, None)
            if root is not None and root != frontier.compute_root():
                problems.append(f"its first {frontier.size} entries are not those of the head that was kept")
            place: Mapping[str, object] = {"line": line, "segment": segment, "frame": number, "position": position}
            entry = parse_entry(line, writer, frontier.size - 1, place) if reads_content else None
            try:
                problems += [] if entry is None else _check_content(entry, segment, stripped)
            except NoKeyError as error:
                unread += 1
                why_unread = why_unread or str(error).removeprefix(f"{segment.path}: ")
            except SegmentError as error:
                text = str(error).removeprefix(f"{segment.path}: ")
                problems += [] if text in problems else [text]  # one block has the content of many entries
    if len(stripped) > sum(strip.get("count", 0) for strip in segment.strips):
        problems.append(f"the content of {len(stripped)} entries is gone, and its footer names no such deletion")
    problems += _check_end(segment, frontier)
    logs[writer] = _Log(frontier, segment.sealed_digest, segment.head["number"])
    findings = [Finding("problem", segment.path, text) for text in problems]
    for strip in segment.strips:
        lost, scope, actor, reason = (strip.get(name) for name in ("count", "scope", "actor", "reason"))
        text = f"the content of {lost} entries was stripped: {scope}, by {actor}: {reason}"
        findings.append(Finding("note", segment.path, text))
    if unread:
        findings.append(Finding("note", segment.path, f"the content of {unread} entries was not read: {why_unread}"))
    if not problems:
        state = "sealed" if segment.is_sealed else "open"
        findings.append(Finding("ok", segment.path, f"{count} entries, {state}; root {frontier.compute_root().hex()}"))
    return findings


def _check_start(segment: Segment, frontier: Frontier, before: _Log | None) -> Iterator[str]:
    if before is not None and before.number + 1 == segment.head["number"]:
        if segment.frames[0].previous != before.digest:
            yield "it does not follow on the segment before it"
        if before.frontier.compute_root() != frontier.compute_root():
            yield "its tree does not go on from the segment before it"


def _check_content(entry: Entry, segment: Segment, stripped: list[str]) -> Iterator[str]:
    """Yield what is wrong with the content of an entry; add its ref to those that were stripped if it is gone.

    Raises:
        SegmentError: It cannot be read.
    """
    if entry.commitment is None:
        return
    content = segment.read_content(entry.frame, entry.position)
    if content is None:
        stripped.append(entry.ref)
    elif hashlib.sha256(content.line).hexdigest() != entry.commitment:
        yield f"{entry.ref}: its content is not what was recorded"


def _check_end(segment: Segment, frontier: Frontier) -> Iterator[str]:
    if segment.is_torn:
        yield "bytes behind its last whole frame are torn, or were changed"
    if segment.foot is None:
        return
    note, key = segment.foot["checkpoint"], segment.head.get("verifier_key")
    checkpoint = parse_checkpoint(note)
    if (checkpoint.size, checkpoint.root) != (frontier.size, frontier.compute_root()):
        yield "its entries are not those of its checkpoint"
    if key and "repaired_ns" not in segment.foot and not verify_checkpoint(note, key):
        yield "the signature of its checkpoint is wrong"
