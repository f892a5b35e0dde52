"""Deletion of what was recorded of one subject: a task, a conversation, a trace, a tenant or a person.

    subject = Subject("task", ("T-17",))
    plan = plan_deletion("/var/lib/recorder", subject)      # reads alone
    delete_subject("/var/lib/recorder", subject, actor="jane", reason="request 4711")

The content goes, of whole entries: what was sent, answered, called and found. Clear heads stay, because the tree is
made of them. They have the names that the application gave to tasks, conversations and tenants, and no words.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from otel_agentops.recorder.deletion import find_hold, write_tombstone
from otel_agentops.recorder.entries import Entry
from otel_agentops.recorder.files import lock_file
from otel_agentops.recorder.keys import KeyRing
from otel_agentops.recorder.reading import open_segments
from otel_agentops.recorder.stripping import UNFINISHED, find_content, strip_segment
from otel_agentops.semconv import attributes as A

KINDS = ("task", "conversation", "trace", "tenant", "user")
_LOCK = "deletion.lock"


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
        return f"{self.kind} {', '.join(self.names)}"

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
    """

    segments: Mapping[Path, int]
    open_count: int
    torn: tuple[Path, ...]
    hold: Path | None

    @property
    def entry_count(self) -> int:
        """Return how many entries lose their content."""
        return sum(self.segments.values())

    def describe(self, root: Path) -> dict[str, object]:
        """Return it as JSON has it."""
        names = {path.relative_to(root).as_posix(): count for path, count in self.segments.items()}
        return {
            "entries": self.entry_count,
            "segments": names,
            "entries_still_written": self.open_count,
            "torn": [path.relative_to(root).as_posix() for path in self.torn],
            "hold": None if self.hold is None else str(self.hold),
        }


def plan_deletion(root: Path, subject: Subject, keys: KeyRing | None = None) -> Plan:
    """Return what a deletion would take away; nothing is changed.

    Raises:
        SegmentError: A segment is damaged, or content is encrypted and no key is at hand.
    """
    counts: dict[Path, int] = {}
    segments: dict[Path, int] = {}
    for segment in open_segments(root, keys):
        if count := len(find_content(segment, subject.has)):
            counts[segment.path] = count
            if segment.is_sealed:
                segments[segment.path] = count
    torn = tuple(file for path in segments for file in sorted(path.parent.glob(f"{path.stem}.torn-*")))
    holds = (find_hold(path, root) for path in counts)
    hold = next((hold for hold in holds if hold is not None), None)
    return Plan(segments, sum(counts.values()) - sum(segments.values()), torn, hold)


def delete_subject(root: Path, subject: Subject, *, actor: str, reason: str, keys: KeyRing | None = None) -> Plan:
    """Delete the content of a subject from all sealed segments, leave a tombstone, and return what was deleted.

    Of a tenant the keys are destroyed as well, so that copies of its segments are unreadable, too.

    Args:
        root: The directory of the recorder.
        subject: Whose content it is.
        actor: Who deletes it, for the tombstone.
        reason: Why, for the tombstone; it stays readable.
        keys: Of encrypted content; None if there are none at hand.

    Raises:
        DeletionError: A legal hold keeps some of it, or another deletion is at work.
        SegmentError: A segment is damaged, or content is encrypted and no key is at hand.
        OSError: A file cannot be written; what was done before is done, and it can be run again.
    """
    with _lock_directory(root):
        plan = plan_deletion(root, subject, keys)
        if plan.hold is not None:
            text = (
                f"{plan.hold}: {subject.scope}: a legal hold keeps it, and nothing was deleted; remove the file first"
            )
            raise DeletionError(text)
        note = {"actor": actor, "reason": reason, "scope": subject.scope}
        for path in plan.segments:
            strip_segment(path, subject.has, note, keys)
        for file in plan.torn:
            file.unlink(missing_ok=True)
        key_count = 0
        if keys is not None and subject.kind == "tenant":
            key_count = sum(len(keys.delete_tenant(name)) for name in subject.names)
            plan = plan._replace(open_count=plan_deletion(root, subject, keys).open_count)  # unreadable by now
        if plan.entry_count or key_count:
            write_tombstone(root, note, plan.entry_count or key_count)
        return plan


@contextmanager
def _lock_directory(root: Path) -> Iterator[None]:
    """Let one deletion at a time work in a directory, and clear away what one that was killed has left."""
    with (root / _LOCK).open("ab") as file:
        if not lock_file(file):
            raise DeletionError(f"{root}: another deletion is at work there; run this one again when it has ended")
        for left in root.glob(f"v1/*/*/*{UNFINISHED}"):
            left.unlink()
        yield
