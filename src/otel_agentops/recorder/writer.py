"""The writer: entries wait in memory, bounded in bytes, until one thread has them on the local disk.

The application's threads take a number, put one object on a deque and go on. The thread reads, compresses and writes;
when the disk refuses, it keeps what it has and tries again, and what no longer fits in memory is counted and named in
the log itself by a gap entry. A fork starts an empty writer of its own.
"""

from __future__ import annotations

import atexit
import os
import threading
import time
import weakref
from collections import deque
from collections.abc import Callable, Hashable, Mapping, Sequence
from contextlib import suppress
from itertools import count
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Any, BinaryIO, NamedTuple, TypeAlias

from otel_agentops._guard import guard, log, say_once
from otel_agentops._redaction import redact_secrets
from otel_agentops.recorder import files, notes
from otel_agentops.recorder.journal import find_unfinished
from otel_agentops.recorder.keys import KeyMissingError, import_ciphers, load_signer
from otel_agentops.recorder.segment import FORMAT, Cipher, PartData, SegmentWriter
from otel_agentops.recorder.tree import Frontier
from otel_agentops.semconv import attributes as A

FLUSH_S = 0.2  # that an entry waits for others in its frame
_SYNC_S = 1.0
_FEW = 64  # items: with more to do, the interpreter is shared at its own interval
_HEAD_S = 60.0
_RETRY_S = 1.0  # after the disk refused
_RETIRE_S = 5.0  # between two parts of what is to be deleted, so that the application has its processor
_CLOSE_S = 2.0  # that the end of the process waits for the thread
_FORK_S = 0.25  # that a fork waits until the thread is between two entries
_SEGMENT_BYTES = 8 * 1024 * 1024
_SEGMENT_S = 600.0
_PIECE_BYTES = 16 * 1024 * 1024  # of distinct pieces that are kept to be recognised
_URGENT_BYTES = 4 * 1024 * 1024  # that wait before the thread is woken early
_MOST_VALUES = 1000  # of one name in a footer: with so many a reader cannot skip the segment by it
# The values that a footer lists, by the attribute that has them.
SUMMARY_KEYS = {
    "models": A.GEN_AI_REQUEST_MODEL,
    "answered_models": A.GEN_AI_RESPONSE_MODEL,
    "prompts": A.PROMPT_HASH,
    "tools": A.GEN_AI_TOOL_NAME,
    "tenants": A.TRAFFIC_TENANT,
}
RESERVE = 8 * 1024 * 1024  # of the queue, for calls with effects


class Encoded(NamedTuple):
    """An entry as it is to be written.

    Attributes:
        head: Its clear head, without its number.
        parts: Its content.
        lane: The conversation that it belongs to.
        cipher: The encryption of its content; None for none.
    """

    head: Mapping[str, Any]
    parts: Sequence[PartData] = ()
    lane: Hashable = None
    cipher: Cipher | None = None


Encode = Callable[[], Encoded]


# Number, size, what makes it, and the event of somebody who waits for it. A plain tuple, for a named one is made by a
# call of Python on the application's thread.
_Item: TypeAlias = "tuple[int, int, Encode, threading.Event | None]"


class TreeHead(NamedTuple):
    """How far a writer's tree is: what a backend keeps as a witness."""

    writer: str
    size: int
    root: bytes
    verifier_key: str | None


class Settings(NamedTuple):
    """The settings of a writer.

    Attributes:
        root: The directory.
        mode: How content is kept, for the header.
        queue_bytes: That may wait in memory.
        sync: effects (tools with effects at once, the rest each second), second, or each (frame).
        signing_key: A file with the key of checkpoints; None for one of the process alone.
        retire: Deletes what is kept no longer, after each segment; returns True if there is more to do soon.
        renew_keys: Has the keys looked at again when they are next used, each second and for each segment: they may
            have been destroyed.
        load_keys: Loads what encrypts content; raises KeyMissingError if that cannot be had. Called when the writer is
            made, so that a wrong key is told then; None if content is not encrypted.
    """

    root: Path
    mode: str = "full"
    queue_bytes: int = 64 * 1024 * 1024
    sync: str = "effects"
    signing_key: str | None = None
    retire: Callable[[], bool] | None = None
    renew_keys: Callable[[], object] | None = None
    load_keys: Callable[[], object] | None = None


class RecordWriter:
    """The queue and the thread of one process.

    Args:
        settings: Its settings.
        describe: Returns the resource attributes of the service; called when the first entry is written.
        emit_head: Is told how far the tree is, each minute and at the end.

    Attributes:
        id: Of the writer, in file names and refs.
        losses: Entries lost so far, by reason.
        queued_bytes: That wait in memory, about.
        trouble: Why nothing can be written; None while everything can.
    """

    def __init__(
        self,
        settings: Settings,
        describe: Callable[[], Mapping[str, Any]] = dict,
        emit_head: Callable[[TreeHead], object] | None = None,
    ) -> None:
        self._settings = settings
        self._describe = describe
        self._emit_head = None if emit_head is None else guard(emit_head)
        self._drain_guarded = guard(self._drain, has_content=True)
        self._retire_guarded = guard(self._retire, has_content=True)
        self._encode_guarded = guard(self._encode, has_content=True)
        self._check_keys_guarded = guard(self._check_keys)
        self._reset()
        if not _writers:  # one that is made later, for a tombstone, changes no order at the end of the process
            atexit.unregister(_close_at_exit)
            atexit.register(_close_at_exit)
        _writers.add(self)
        self._has_keys = settings.load_keys is not None or settings.signing_key is not None
        if self._has_keys:
            # Not on the thread: a fork on the way would leave the child an import that never ends.
            guard(import_ciphers)()
            self._start()  # the first entry may be hours away, and who started the program is there now

    def _reset(self) -> None:
        """Start with nothing: the queue and the files of before are the parent's."""
        self.id = os.urandom(8).hex()
        self.losses: dict[str, int] = {}
        self.trouble: str | None = None
        self._trouble_reason = "disk"
        self._numbers = count()
        self._queue: deque[_Item] = deque()
        self.queued_bytes = 0
        self._drops: deque[tuple[str, int]] = deque()
        self._start_token = [True]  # popped by whoever starts the thread: a list's pop is atomic between threads
        self._effect_limit, self._limit = self._settings.queue_bytes, self._settings.queue_bytes - RESERVE
        self._is_idle = True  # whoever brings something starts or wakes the thread
        self._is_urgent = self._is_closing = self._is_dirty = self._has_surplus = False
        self._wake: SimpleQueue[None] = SimpleQueue()  # to set an event would take the caller 100 bytecodes
        self._closed = threading.Event()
        self._segment: SegmentWriter | None = None
        self._file: BinaryIO | None = None
        self._path = Path()
        self._segment_number = 0
        self._segment_start_s = self._synced_s = self._head_s = self._retired_s = 0.0
        self._previous = bytes(32)
        self._frontier = Frontier()
        self._signer: notes.Signer | None = None
        # Held by the thread while it works. OpenSSL's locks are no better in a child than others: one that the thread
        # had at the fork is taken there for ever.
        self._working = threading.RLock()
        self._is_fork_due = False
        self._waiting: list[threading.Event] = []
        self._gaps: dict[str, list[int]] = {}  # reason to count, first and last number
        self._summary: dict[str, set[str]] = {}

    # -- the application's threads

    def offer(self, size: int, encode: Encode, has_effect: bool = False, deadline_s: float = 0.0) -> str | None:
        """Take an entry; return its ref, or None if it is dropped.

        Args:
            size: About how many bytes it holds in memory.
            encode: Makes the entry, on the writer's thread.
            has_effect: True for an entry that may use the reserve.
            deadline_s: How long to wait until it is on the disk; 0 not to wait.
        """
        number = next(self._numbers)
        queued_bytes = self.queued_bytes + size
        if queued_bytes > (self._effect_limit if has_effect else self._limit):
            self._drop(number)
            return None
        synced = threading.Event() if deadline_s and not self.trouble else None
        self.queued_bytes = queued_bytes  # two threads at once may lose one: it is 0 whenever the queue is empty
        self._queue.append((number, size, encode, synced))
        if self._is_idle or synced is not None or queued_bytes > _URGENT_BYTES:
            self._rouse(is_urgent=synced is not None or queued_bytes > _URGENT_BYTES)
        if synced is not None and not synced.wait(deadline_s):
            say_once("recorder-sync", "the intent of a tool was not on disk within %s s; the tool runs", deadline_s)
        return f"{self.id}/{number}"

    def _drop(self, number: int) -> None:
        reason = self._trouble_reason if self.trouble else "queue_full"
        self._drops.append(("closed" if self._is_closing else reason, number))
        if self._start_token:
            self._start()

    def _rouse(self, *, is_urgent: bool) -> None:
        """Have the thread come, at once if it is urgent."""
        if self._start_token:
            self._start()
        if is_urgent and not self._is_urgent:
            self._is_urgent = True
            self._wake.put(None)
        elif self._is_idle:
            self._wake.put(None)

    def _start(self) -> None:
        try:
            self._start_token.pop()
        except IndexError:
            return
        thread = threading.Thread(target=self._run, name="otel-agentops-recorder", daemon=True)
        try:
            thread.start()
        except RuntimeError:  # the system allows no more threads, or the interpreter ends
            self._start_token.append(True)

    def write_alone(self, encode: Encode) -> None:
        """Write one entry on this thread, in a segment of its own; `trouble` says if the disk did not take it."""
        self._start_token.clear()
        self.offer(0, encode, has_effect=True)
        self._stop_taking()
        self._run()

    def close(self, deadline_s: float = _CLOSE_S) -> bool:
        """Write what waits and seal the segment; return False if that took longer than the deadline."""
        self._stop_taking()
        if self._start_token:
            return True
        self._wake.put(None)
        return self._closed.wait(deadline_s)

    def _stop_taking(self) -> None:
        self._effect_limit = self._limit = -1  # so that `offer` has one thing to look at
        self._is_closing = self._is_urgent = True

    # -- the thread

    def _run(self) -> None:
        self._is_idle = False
        self._head_s = time.monotonic()
        try:
            if self._has_keys:
                with self._working:
                    self._check_keys_guarded()
            while True:
                self._wait()
                is_last = self._is_closing
                with self._working:
                    self._drain_guarded()
                    if is_last:
                        self._lose_rest()
                        self._seal_guarded()
                        return
                    if self._has_surplus and time.monotonic() - self._retired_s >= _RETIRE_S:
                        self._retire_guarded()
        finally:
            self._closed.set()

    def _wait(self) -> None:
        if not self._queue and not self._drops and not self._has_pending():
            self._is_idle = True
            if not self._queue and not self._is_closing:  # one may have come before it could see that we are idle
                self._sleep(_HEAD_S)
            self._is_idle = False
        self._forget_wakes()  # before the flags are read: who sets one wakes us after it
        if not self._is_urgent and not self._is_closing:
            self._sleep(_RETRY_S if self.trouble else FLUSH_S)
        self._is_urgent = False
        self._forget_wakes()

    def _sleep(self, seconds: float) -> None:
        """Wait until somebody wakes the thread, or until the time is over."""
        with suppress(Empty):
            self._wake.get(timeout=seconds)

    def _forget_wakes(self) -> None:
        while not self._wake.empty():
            self._wake.get()

    def _has_pending(self) -> bool:
        is_unsynced = bool(self._waiting) or (self._segment is not None and self._is_dirty)
        return self.trouble is not None or self._has_surplus or is_unsynced

    def _drain(self) -> None:
        """Write what waits, as far as the disk takes it."""
        try:
            if self._segment is None:
                if not self._queue and not self._drops:
                    return
                self._open_segment()
            self._count_drops()
            while self._queue and self._segment is not None:
                number, size, encode, synced = self._queue.popleft()
                self.queued_bytes = self.queued_bytes - size if self._queue else 0
                if synced is not None:
                    self._waiting.append(synced)
                self._write_entry(number, encode)
                if self._is_fork_due:
                    self._let_fork()
                if len(self._queue) < _FEW:
                    time.sleep(0)  # let the application have the interpreter
            self._write_gaps()
            self._flush()
        except (OSError, KeyMissingError) as error:
            self._keep_trying(error)
            self._count_drops()
        else:
            self.trouble = None

    def _check_keys(self) -> None:
        """Warn of each key that cannot be had."""
        try:
            if self._settings.load_keys is not None:
                self._settings.load_keys()
        except KeyMissingError as error:
            _warn_of_key(error)
        try:
            self._load_signer()
        except KeyMissingError as error:
            self._keep_trying(error)

    def _load_signer(self) -> None:
        if self._signer is None:
            self._signer = load_signer(f"otel-agentops/{self.id}", self._settings.signing_key)

    def _keep_trying(self, error: OSError | KeyMissingError) -> None:
        """Say once why nothing can be written, because of the disk or of the signing key."""
        if isinstance(error, KeyMissingError):
            self.trouble, self._trouble_reason = error.problem, "key"
            _warn_of_key(error)
            return
        if self.trouble is None:
            log.warning("%s: the recorder cannot write (%s); it keeps trying", self._settings.root, error)
        self.trouble, self._trouble_reason = str(error), "disk"

    def _lose_rest(self) -> None:
        """Count what could not be written until the end."""
        while self._queue:
            number, _, _, synced = self._queue.popleft()
            self._lose(self._trouble_reason if self.trouble else "closed", number)
            if synced is not None:
                self._waiting.append(synced)

    def _let_fork(self) -> None:
        self._working.release()
        time.sleep(0.001)  # who waits for the lock gets it
        self._working.acquire()

    def pause(self, deadline_s: float) -> bool:
        """Hold the thread between two entries; return False if it is not there in time."""
        self._is_fork_due = True
        try:
            return self._working.acquire(timeout=max(0.0, deadline_s))
        finally:
            self._is_fork_due = False

    def resume(self) -> None:
        """Let the thread go on, from the thread that held it."""
        self._working.release()

    def _count_drops(self) -> None:
        while self._drops:
            reason, number = self._drops.popleft()
            self._lose(reason, number)

    def _lose(self, reason: str, number: int) -> None:
        self.losses[reason] = self.losses.get(reason, 0) + 1
        gap = self._gaps.setdefault(reason, [0, number, number])
        gap[0], gap[1], gap[2] = gap[0] + 1, min(gap[1], number), max(gap[2], number)

    def _encode(self, encode: Encode) -> Encoded | KeyMissingError:
        try:
            return encode()
        except KeyMissingError as error:
            return error

    def _write_entry(self, number: int, encode: Encode) -> None:
        assert self._segment is not None
        encoded = self._encode_guarded(encode)
        if encoded is None:
            self._lose("encoding", number)
            return
        if isinstance(encoded, KeyMissingError):
            _warn_of_key(encoded)
            self._lose("key", number)
            return
        self._summarise(encoded.head)
        self._is_dirty = True
        self._segment.add({"ref": number, **encoded.head}, encoded.parts, encoded.lane, encoded.cipher)
        if self._segment.size >= _SEGMENT_BYTES or self._segment.piece_bytes >= _PIECE_BYTES:
            self._seal()
            self._retire_guarded()
            self._open_segment()

    def _write_gaps(self) -> None:
        for reason, (lost, first, last) in self._gaps.items():
            refs = (f"{self.id}/{first}", f"{self.id}/{last}")
            self._write_own({"kind": "gap", "reason": reason, "count": lost, "refs": refs})
        self._gaps = {}

    def _write_own(self, head: Mapping[str, Any]) -> None:
        """Write an entry about the log itself."""
        assert self._segment is not None
        clock = {"time_ns": time.time_ns(), "monotonic_ns": time.monotonic_ns()}
        self._is_dirty = True
        self._segment.add({"ref": next(self._numbers), **clock, **head}, ())

    def _flush(self) -> None:
        if self._segment is None or self._file is None:
            return
        self._segment.flush()
        now = time.monotonic()
        is_due = now - self._synced_s >= _SYNC_S and self._is_dirty
        if is_due or (self._waiting and self._settings.sync != "second") or self._settings.sync == "each":
            self._segment.sync()
            self._synced_s, self._is_dirty = now, False
            self._renew_keys()
            if os.fstat(self._file.fileno()).st_nlink == 0:
                self._abandon_segment()
        for event in self._waiting:
            event.set()
        self._waiting = []
        if now - self._head_s >= _HEAD_S:
            self._head_s = now
            self._tell_head()
        if now - self._segment_start_s >= _SEGMENT_S and self._segment is not None and self._segment.entry_count:
            self._seal()
            self._retire_guarded()

    def _renew_keys(self) -> None:
        if self._settings.renew_keys is not None:
            self._settings.renew_keys()

    def _abandon_segment(self) -> None:
        """Go on in a new file, because somebody removed this one."""
        assert self._segment is not None and self._file is not None
        lost = self._segment.entry_count
        self._file.close()
        self._segment = self._file = None
        self.losses["removed"] = self.losses.get("removed", 0) + lost
        self._open_segment()
        self._write_own({"kind": "gap", "reason": "removed", "count": lost, "detail": f"{self._path.name} was removed"})

    def _open_segment(self) -> None:
        self._renew_keys()
        self._load_signer()
        resource = redact_secrets(dict(self._describe()))  # a detector has put the command line there
        service = resource.pop("service.name", None)
        now_ns = time.time_ns()
        folder = files.name_folder(self._settings.root, service, now_ns)
        repairs = self._repair_orphans() if self._segment_number == 0 else []
        path = folder / f"{self.id}-{self._segment_number}.open"
        file = files.create_file(path)
        head = {
            "format": FORMAT,
            "writer": self.id,
            "number": self._segment_number,
            "service": service,
            "service_version": resource.pop("service.version", None),
            "resource": resource,
            "started_ns": now_ns,
            "mode": self._settings.mode,
            "first_index": self._frontier.size,
            "frontier": [root.hex() for root in self._frontier.roots],
            "verifier_key": None if self._signer is None else self._signer.verifier_key,
        }
        try:
            segment = SegmentWriter(file, head, self._frontier, self._previous)
            os.fsync(file.fileno())
            files.sync_folder(folder)
        except OSError:
            file.close()
            path.unlink(missing_ok=True)
            raise
        self._path, self._file, self._segment = path, file, segment
        self._segment_number += 1
        self._segment_start_s = self._synced_s = time.monotonic()
        self._summary = {}
        for repair in repairs:
            self._write_own(repair)

    def _repair_orphans(self) -> list[Mapping[str, Any]]:
        """Seal what earlier writers left open, and return a gap for each."""
        for path, deletion in find_unfinished(self._settings.root).items():
            say_once(
                f"unfinished:{path}",
                "%s: the deletion of %s is not finished; %s does that",
                path,
                deletion.scope,
                deletion.finisher,
            )
        gaps: list[Mapping[str, Any]] = []
        for path in sorted(self._settings.root.glob("v1/*/*/*.open")):
            try:
                repair = files.repair_orphan(path)
            except OSError as error:
                say_once(f"repair:{path}", "%s: the segment of an earlier writer cannot be repaired (%s)", path, error)
                continue
            if repair is not None:
                torn = f", {repair.torn_bytes} torn bytes set aside in {repair.torn.name}" if repair.torn else ""
                name = path.name if repair.segment is None else repair.segment.name
                detail = f"{name}: its writer ended without closing it; {repair.entry_count} entries are whole{torn}"
                gaps.append({"kind": "gap", "reason": "crashed", "count": None, "detail": detail})
        return gaps

    def _seal(self) -> None:
        """Close the segment with a signed checkpoint."""
        if self._segment is None or self._file is None:
            return
        self._segment.flush()
        checkpoint = notes.make_checkpoint(
            f"otel-agentops/{self.id}", self._frontier.size, self._frontier.compute_root(), self._signer
        )
        summary = {name: sorted(values) for name, values in self._summary.items()}
        self._segment.seal(
            {"sealed_ns": time.time_ns(), "entries": self._segment.entry_count, **summary, "checkpoint": checkpoint}
        )
        self._segment.sync()
        self._previous = self._segment.digest
        files.seal_file(self._path)
        self._file.close()
        self._segment = self._file = None
        self._is_dirty = False

    def _retire(self) -> None:
        """Delete what is kept no longer; a failure of that is no trouble of the log."""
        self._has_surplus = False
        if self._settings.retire is None:
            return
        try:
            self._has_surplus = self._settings.retire()
        except (OSError, ValueError) as error:
            log.warning("%s: what is kept no longer cannot be deleted yet (%s)", self._settings.root, error)
        self._retired_s = time.monotonic()

    def _seal_guarded(self) -> None:
        try:
            self._seal()
        except OSError as error:
            log.warning("%s: the segment could not be closed (%s)", self._path, error)
        self._tell_head()
        for event in self._waiting:
            event.set()
        if self._segment_number:  # a process that has recorded nothing leaves the directory alone
            self._retire_guarded()

    def _tell_head(self) -> None:
        if self._emit_head is not None and self._frontier.size:
            key = None if self._signer is None else self._signer.verifier_key
            self._emit_head(TreeHead(self.id, self._frontier.size, self._frontier.compute_root(), key))

    def _summarise(self, head: Mapping[str, Any]) -> None:
        """Remember what the footer says is in the segment, so that a reader can skip it."""
        if "attributes" in head:
            self._summary.setdefault("kinds", set()).add(head["kind"])
        attributes = head.get("attributes", {})
        for name, key in SUMMARY_KEYS.items():
            value = attributes.get(key)
            values = self._summary.setdefault(name, set())
            if isinstance(value, str) and len(values) < _MOST_VALUES:
                values.add(value)


def _warn_of_key(error: KeyMissingError) -> None:
    say_once(f"recorder-key:{error.problem}", "%s until that is corrected; %s", error.problem, error.advice)


# Writers come and go, for each tombstone has one of its own; a hook at a fork would stay.
_writers: weakref.WeakSet[RecordWriter] = weakref.WeakSet()


_paused = threading.local()


def _pause_before_fork() -> None:
    end_s = time.monotonic() + _FORK_S
    _paused.writers = [writer for writer in list(_writers) if writer.pause(end_s - time.monotonic())]


def _resume_in_parent() -> None:
    for writer in _paused.__dict__.pop("writers", ()):
        writer.resume()


def _reset_in_child() -> None:
    _paused.__dict__.clear()
    for writer in list(_writers):
        writer._reset()


def _close_at_exit() -> None:
    for writer in list(_writers):
        writer.close()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_pause_before_fork, after_in_parent=_resume_in_parent, after_in_child=_reset_in_child)
