"""Deletion of what was recorded of one subject: a task, a conversation, a trace, a tenant or a person.

    subject = Subject("task", ("T-17",))
    plan = plan_deletion("/var/lib/recorder", subject)      # reads alone
    delete_subject("/var/lib/recorder", subject, actor="jane", reason="request 4711")

The content goes, of whole entries: what was sent, answered, called and found. Clear heads stay, because the tree is
made of them. They have the names that the application gave to tasks, conversations and tenants, and no words.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from otel_agentops._guard import log
from otel_agentops.recorder.deletion import find_hold, has_tombstone, write_tombstone
from otel_agentops.recorder.entries import Entry
from otel_agentops.recorder.journal import (
    Deletion,
    describe_subject,
    find_unfinished,
    lock_deletions,
    read_journals,
    write_journal,
)
from otel_agentops.recorder.keys import KeyRing
from otel_agentops.recorder.reading import list_segment_files, open_segments, read_entries
from otel_agentops.recorder.retention import finish_retention, is_retention
from otel_agentops.recorder.segment import SegmentError
from otel_agentops.recorder.stripping import has_content, read_strips, remove_unfinished, strip_segment
from otel_agentops.semconv import attributes as A

KINDS = ("task", "conversation", "trace", "tenant", "user")


class DeletionError(ValueError):
    """A deletion that may not, or cannot, be done; nothing has been changed."""


class Subject(NamedTuple):
    """The entries that a deletion is about.

    Attributes:
        kind: task, conversation, trace, tenant or user.
        names: An entry of any of these belongs to it; of a user the hashes of `otel_agentops.recorder.users`, so that
            no id comes into the log.
    """

    kind: str
    names: tuple[str, ...]

    @property
    def scope(self) -> str:
        """Return it in words."""
        return describe_subject(self.kind, self.names)

    def has(self, entry: Entry) -> bool:
        """Return True if an entry belongs to it."""
        values: Mapping[str, Sequence[object]] = {
            "task": (entry.task_id,),
            "conversation": (entry.attributes.get(A.GEN_AI_CONVERSATION_ID),),
            "trace": (entry.trace_id,),
            "tenant": (entry.tenant,),
            "user": entry.users,
        }
        return any(value is not None and str(value) in self.names for value in values[self.kind])


class Plan(NamedTuple):
    """The content that a deletion would take away.

    Attributes:
        segments: How many entries have content, by sealed segment.
        open_count: Entries with content in segments that are still written: they cannot be deleted yet.
        torn: Files that a crash left beside these segments: they are deleted whole.
        hold: The file of a legal hold on a segment with such content; None if there is none.
        is_known: True if an entry of it is there, with content or without; False if nothing ever was, or no more.
        unfinished: The subjects of earlier deletions that were killed or failed, in words: the next one finishes them.
    """

    segments: Mapping[Path, int]
    open_count: int
    torn: tuple[Path, ...]
    hold: Path | None
    is_known: bool
    unfinished: tuple[str, ...] = ()

    @property
    def entry_count(self) -> int:
        """Return how many entries lose their content."""
        return sum(self.segments.values())

    def describe(self, root: Path) -> dict[str, object]:
        """Return it as JSON has it."""
        names = {path.relative_to(root).as_posix(): count for path, count in self.segments.items()}
        return {
            "is_known": self.is_known,
            "entries": self.entry_count,
            "segments": names,
            "entries_still_written": self.open_count,
            "torn": [path.relative_to(root).as_posix() for path in self.torn],
            "hold": None if self.hold is None else str(self.hold),
            "unfinished": list(self.unfinished),
        }


def plan_deletion(root: Path, subject: Subject, keys: KeyRing | None = None) -> Plan:
    """Return what a deletion would take away; nothing is changed.

    Raises:
        SegmentError: A segment is damaged, or content is encrypted and no key is at hand.
    """
    counts: dict[Path, int] = {}
    segments: dict[Path, int] = {}
    is_known = keys is not None and subject.kind == "tenant" and any(map(keys.list_tenant, subject.names))
    for segment in open_segments(root, keys):
        entries = list(filter(subject.has, read_entries(segment)))
        is_known = is_known or bool(entries)
        if count := sum(has_content(segment, entry) for entry in entries):
            counts[segment.path] = count
            if segment.is_sealed:
                segments[segment.path] = count
    torn = tuple(file for path in segments for file in _find_torn(path))
    holds = (find_hold(path, root) for path in counts)
    hold = next((hold for hold in holds if hold is not None), None)
    unfinished = tuple(deletion.scope for deletion in find_unfinished(root).values())
    return Plan(segments, sum(counts.values()) - sum(segments.values()), torn, hold, is_known, unfinished)


def _find_torn(path: Path) -> list[Path]:
    """Return what a crash tore off a segment."""
    return sorted(path.parent.glob(f"{path.stem}.torn-*"))


def delete_subject(
    root: Path,
    subject: Subject,
    *,
    actor: str,
    reason: str,
    keys: KeyRing | None = None,
    publish: Callable[[], object] | None = None,
) -> Plan:
    """Delete the content of a subject from all sealed segments, leave a tombstone, and return what was deleted.

    Of a tenant the keys are destroyed as well, so that copies of its segments are unreadable, too. Deletions that were
    killed, or failed, are finished first.

    Args:
        root: The directory of the recorder.
        subject: Whose content it is.
        actor: Who deletes it, for the tombstone.
        reason: Why, for the tombstone; it stays readable.
        keys: Of encrypted content; None if there are none at hand.
        publish: Brings what was changed to where others read it; only then a deletion is over. None for nowhere.

    Raises:
        DeletionError: A legal hold keeps some of it, or another deletion is at work.
        SegmentError: A segment is damaged, or content is encrypted and no key is at hand.
        OSError: A file cannot be written; what was done before is done, and the next deletion finishes it.
    """
    with lock_deletions(root) as is_ours:
        if not is_ours:
            raise DeletionError(f"{root}: another deletion is at work there; run this one again when it has ended")
        remove_unfinished(root)
        unfinished = tuple(earlier.scope for earlier in _finish_earlier(root, keys, publish))
        plan = plan_deletion(root, subject, keys)._replace(unfinished=unfinished)
        deletion = Deletion(os.urandom(8).hex(), actor, reason, *subject)
        if plan.hold is not None:
            raise DeletionError(_describe_hold(plan.hold, deletion))
        has_keys = keys is not None and subject.kind == "tenant" and any(map(keys.list_tenant, subject.names))
        if plan.entry_count or has_keys:
            journal = write_journal(root, deletion)
            count = _take_content(root, deletion, plan, keys, plan.segments)
            write_tombstone(root, deletion.note, count)
            _end(journal, publish)
        if has_keys:
            plan = plan._replace(open_count=plan_deletion(root, subject, keys).open_count)  # unreadable by now
        return plan


def _describe_hold(hold: Path, deletion: Deletion) -> str:
    return f"{hold}: {deletion.scope}: a legal hold keeps it, and nothing was deleted; remove the file first"


def _end(journal: Path, publish: Callable[[], object] | None) -> None:
    if publish is not None:
        publish()
    journal.unlink()


def _finish_earlier(root: Path, keys: KeyRing | None, publish: Callable[[], object] | None) -> Iterator[Deletion]:
    """Finish the deletions that are in the journal, and yield them; one that cannot be finished yet stays there."""
    for journal, deletion in read_journals(root).items():
        if is_retention(deletion):
            finish_retention(root, journal, deletion, lambda: keys)
            yield deletion
            continue
        try:
            plan = plan_deletion(root, Subject(deletion.kind, deletion.names), keys)
            if plan.hold is not None:
                raise DeletionError(_describe_hold(plan.hold, deletion))
            count = _take_content(root, deletion, plan, keys, list_segment_files(root))
        except (DeletionError, SegmentError) as error:
            log.warning("the earlier deletion of %s is still not finished: %s", deletion.scope, error)
            continue
        if not has_tombstone(root, deletion.id):
            write_tombstone(root, deletion.note, count)
        _end(journal, publish)
        yield deletion


def _take_content(
    root: Path, deletion: Deletion, plan: Plan, keys: KeyRing | None, changed: Iterable[Path]
) -> int | None:
    """Take each step of a deletion that is not taken yet; return of how many entries or keys, None if nobody knows.

    Args:
        root: The directory of the recorder.
        deletion: What is asked for.
        plan: What is still to be done.
        keys: Of encrypted content; None if there are none at hand.
        changed: The segments that may lose content by it, or have lost it before it was stopped.
    """
    subject = Subject(deletion.kind, deletion.names)
    for path in plan.segments:
        strip_segment(path, subject.has, deletion.note, keys)
    count = 0
    for path in changed:
        with path.open("rb") as file:
            strips = [strip for strip in read_strips(file) or () if strip.get("deletion") == deletion.id]
        count += sum(strip["count"] for strip in strips)
        for torn in _find_torn(path) if strips else ():
            torn.unlink(missing_ok=True)
    if keys is not None and deletion.kind == "tenant":
        key_count = sum(len(keys.delete_tenant(name)) for name in deletion.names)
        count = count or key_count
    return count or None
