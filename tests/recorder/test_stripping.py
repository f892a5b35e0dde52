"""Deletion by subject: content goes from sealed segments, what others share stays, and the log still verifies."""

from __future__ import annotations

import hashlib
import json
import os
import random
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import pytest
from recorder_entries import dump_disk, make_writer, wait_until

from otel_agentops.recorder import files, segment, stripping, writer
from otel_agentops.recorder.entries import Call, Entry, Tombstone
from otel_agentops.recorder.journal import Deletion, lock_deletions, write_journal
from otel_agentops.recorder.keys import KeyRing
from otel_agentops.recorder.parts import PartMaker
from otel_agentops.recorder.reading import list_segment_files, open_records, read_parts, read_request
from otel_agentops.recorder.segment import KeyGoneError, SegmentError
from otel_agentops.recorder.stripping import strip_segment
from otel_agentops.recorder.subjects import DeletionError, Plan, Subject, delete_subject, plan_deletion
from otel_agentops.recorder.verifying import verify_records
from otel_agentops.recorder.writer import Encoded, RecordWriter
from otel_agentops.semconv import attributes as A

SHARED = "You help people of the shop with their orders. " * 3
TASKS = ("task-a", "task-b", "task-a", "task-c", "task-b")
TASK_A = Subject("task", ("task-a",))


def make_body(number: int, task: str) -> bytes:
    """A turn of a task: all share the first message, and those of one task have it in each."""
    own = f"this is only of {task} " * 4
    contents = [SHARED, own, f"turn {number} of {task} " + hashlib.sha512(b"%d" % number).hexdigest()]
    return json.dumps({"messages": [{"role": "user", "content": content} for content in contents]}).encode()


def offer_call(recorder: RecordWriter, number: int, task: str, keys: KeyRing | None = None) -> None:
    def encode() -> Encoded:
        attributes = {
            A.TASK_ID: task,
            A.GEN_AI_CONVERSATION_ID: f"talk-{task}",
            A.TRAFFIC_TENANT: f"tenant-{task}",
            "number": number,
        }
        head = {
            "kind": "call",
            "time_ns": time.time_ns(),
            "monotonic_ns": time.monotonic_ns(),
            "attributes": attributes,
        }
        head["trace_id"] = hashlib.md5(task.encode()).hexdigest()
        part = PartMaker({"request": "full"}, None, None).make("request", make_body(number, task), task, attempt=0)
        assert part is not None
        cipher = None if keys is None else keys.find_key(f"tenant-{task}", time.time_ns())
        return Encoded(head, [part], task, cipher)

    recorder.offer(2000, encode)


def write_log(root: Path, tasks: Sequence[str] = TASKS, keys: KeyRing | None = None) -> None:
    recorder = make_writer(root)
    for number, task in enumerate(tasks):
        offer_call(recorder, number, task, keys)
    assert recorder.close(10)


def read_bodies(root: Path, keys: KeyRing | None = None) -> list[bytes | None]:
    calls = sorted((entry for entry in open_records(root, keys) if isinstance(entry, Call)), key=read_number)
    return [read_request(entry) for entry in calls]


def read_number(entry: Entry) -> int:
    return int(entry.attributes["number"])


def keep_bodies(tasks: Sequence[str], *gone: str) -> list[bytes | None]:
    return [None if task in gone else make_body(number, task) for number, task in enumerate(tasks)]


def delete(root: Path, subject: Subject = TASK_A, keys: KeyRing | None = None) -> Plan:
    return delete_subject(root, subject, actor="jane", reason="asked for it", keys=keys)


def find_levels(root: Path, keys: KeyRing | None = None) -> list[tuple[str, str]]:
    return [(found.level, found.text.partition("; root")[0]) for found in verify_records(root, (), keys)]


@pytest.mark.parametrize(
    "subject",
    [
        TASK_A,
        Subject("conversation", ("talk-task-a",)),
        Subject("tenant", ("tenant-task-a",)),
        Subject("trace", (hashlib.md5(b"task-a").hexdigest(),)),
    ],
)
def test_content_of_a_subject_goes_and_the_log_verifies(tmp_path: Path, subject: Subject) -> None:
    write_log(tmp_path)
    lines = [entry.line for entry in open_records(tmp_path)]
    commitments = [entry.commitment for entry in open_records(tmp_path)]
    (file,) = list_segment_files(tmp_path)
    assert plan_deletion(tmp_path, subject) == Plan({file: 2}, 0, (), None, is_known=True)
    assert dump_disk(tmp_path).count("only of task-a") > 0
    assert delete(tmp_path, subject).entry_count == 2
    disk = dump_disk(tmp_path)
    assert "only of task-a" not in disk and "of task-a" not in disk.replace(subject.scope, "")
    assert all(word in disk for word in (SHARED, "only of task-b", "only of task-c"))
    assert read_bodies(tmp_path) == keep_bodies(TASKS, "task-a")
    calls = list(open_records(file))
    assert [entry.line for entry in calls] == lines
    assert [entry.commitment for entry in calls] == commitments and all(commitments)
    assert [len(read_parts(entry)) for entry in calls] == [0, 1, 0, 1, 1]
    (stone,) = [entry for entry in open_records(tmp_path) if isinstance(entry, Tombstone)]
    assert (stone.actor, stone.reason, stone.scope, stone.count) == ("jane", "asked for it", subject.scope, 2)
    assert find_levels(file) == [
        ("note", f"the content of 2 entries was stripped: {subject.scope}, by jane: asked for it"),
        ("ok", "5 entries, sealed"),
    ]
    assert {level for level, _ in find_levels(tmp_path)} == {"note", "ok"}
    assert delete(tmp_path, subject).entry_count == 0
    assert sum(isinstance(entry, Tombstone) for entry in open_records(tmp_path)) == 1


def test_piece_that_nobody_else_has_goes(tmp_path: Path) -> None:
    write_log(tmp_path)
    delete(tmp_path)
    delete(tmp_path, Subject("task", ("task-b",)))
    assert SHARED in dump_disk(tmp_path)
    assert read_bodies(tmp_path) == keep_bodies(TASKS, "task-a", "task-b")
    delete(tmp_path, Subject("task", ("task-c",)))
    assert SHARED not in dump_disk(tmp_path)
    assert read_bodies(tmp_path) == [None] * len(TASKS)
    assert {level for level, _ in find_levels(tmp_path)} == {"note", "ok"}


def test_segments_of_a_writer_still_follow_on_each_other(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writer, "_PIECE_BYTES", 500)
    tasks = TASKS * 4
    write_log(tmp_path, tasks)
    files = list_segment_files(tmp_path)
    assert len(files) > 3
    states = [file.stat().st_mtime_ns for file in files]
    assert delete(tmp_path).entry_count == 8
    found = find_levels(tmp_path)
    assert {level for level, _ in found} == {"note", "ok"}
    assert sum(level == "ok" for level, _ in found) == len(files) + 1  # the tombstone has a segment of its own
    assert [file.stat().st_mtime_ns for file in files] == states  # retention goes by it
    delete(tmp_path, Subject("task", ("task-b",)))
    assert {level for level, _ in find_levels(tmp_path)} == {"note", "ok"}
    assert read_bodies(tmp_path) == keep_bodies(tasks, "task-a", "task-b")


def test_any_order_of_deletions_leaves_the_rest(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(segment, "FULL_FRAME", 700)  # many frames
    monkeypatch.setattr(segment, "_MOST_STREAMS", 2)
    chance = random.Random(4)
    names = [f"task-{number}" for number in range(8)]
    tasks = [chance.choice(names) for _ in range(80)]
    keys = KeyRing(tmp_path, bytes(32))
    write_log(tmp_path, tasks, keys)
    chance.shuffle(names)
    (file,) = list_segment_files(tmp_path)
    sizes = set()
    for count in range(1, len(names) + 1):
        keys = KeyRing(tmp_path, bytes(32))
        assert delete(tmp_path, Subject("task", (names[count - 1],)), keys).entry_count == tasks.count(names[count - 1])
        assert read_bodies(tmp_path, keys) == keep_bodies(tasks, *names[:count])
        assert {level for level, _ in find_levels(tmp_path, keys)} == {"note", "ok"}
        sizes.add(file.stat().st_size)
    assert len(sizes) == len(names)


def test_states_of_a_segment_have_different_sizes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Copies are known by name and size: a footer that would make both states equally long is padded."""
    write_log(tmp_path, TASKS * 3)
    (file,) = list_segment_files(tmp_path)
    size, data = file.stat().st_size, file.read_bytes()
    strip_segment(file, TASK_A.has, {"actor": "jane", "reason": "", "scope": "x"})
    missing = size - file.stat().st_size
    file.write_bytes(data)
    strip_segment(file, TASK_A.has, {"actor": "jane", "reason": "r" * missing, "scope": "x"})
    assert file.stat().st_size == size + 1
    assert {level for level, _ in find_levels(file)} == {"ok"} | {"note"}


def test_keys_of_a_tenant_are_destroyed_with_its_content(tmp_path: Path) -> None:
    write_log(tmp_path, keys=KeyRing(tmp_path, bytes(32)))
    with pytest.raises(SegmentError, match="no key is at hand"):
        delete(tmp_path)
    assert delete(tmp_path, TASK_A, KeyRing(tmp_path, bytes(32))).entry_count == 2
    assert len(list(tmp_path.glob("keys/*"))) == 3
    delete(tmp_path, Subject("tenant", ("tenant-task-b",)), KeyRing(tmp_path, bytes(32)))
    assert len(list(tmp_path.glob("keys/*"))) == 2
    keys = KeyRing(tmp_path, bytes(32))
    assert read_bodies(tmp_path, keys) == keep_bodies(TASKS, "task-a", "task-b")
    assert {level for level, _ in find_levels(tmp_path, keys)} == {"note", "ok"}


def test_content_whose_key_is_gone_does_not_stop_a_deletion(tmp_path: Path) -> None:
    write_log(tmp_path, keys=KeyRing(tmp_path, bytes(32)))
    KeyRing(tmp_path, bytes(32)).delete_tenant("tenant-task-b")
    keys = KeyRing(tmp_path, bytes(32))
    assert delete(tmp_path, Subject("task", ("task-b", "task-a")), keys).entry_count == 2
    bodies = [read_request(entry) for entry in open_records(tmp_path, keys) if entry.task_id == "task-c"]  # type: ignore[arg-type]
    assert bodies == [make_body(3, "task-c")]
    assert sorted(level for level, _ in find_levels(tmp_path, keys)) == ["note", "note", "ok", "ok"]


def test_legal_hold_refuses_a_deletion(tmp_path: Path) -> None:
    keys = KeyRing(tmp_path, bytes(32))
    write_log(tmp_path, keys=keys)
    (file,) = list_segment_files(tmp_path)
    before = file.read_bytes()
    hold = file.parent.parent / "hold"
    hold.touch()
    for subject in (TASK_A, Subject("tenant", ("tenant-task-a",))):
        with pytest.raises(DeletionError) as error:
            delete(tmp_path, subject, keys)
        assert str(error.value) == (
            f"{hold}: {subject.scope}: a legal hold keeps it, and nothing was deleted; remove the file first"
        )
    assert list_segment_files(tmp_path) == [file] and file.read_bytes() == before
    assert len(list(tmp_path.glob("keys/*"))) == 3


def test_segment_that_is_written_is_left_alone(tmp_path: Path) -> None:
    recorder = make_writer(tmp_path)
    offer_call(recorder, 0, "task-a")
    wait_until(lambda: bool(read_bodies(tmp_path)))
    assert delete(tmp_path)[:2] == ({}, 1)
    assert read_bodies(tmp_path) == [make_body(0, "task-a")]
    assert recorder.close(10)
    assert delete(tmp_path).entry_count == 1
    assert read_bodies(tmp_path) == [None]


def test_keys_of_a_tenant_make_what_is_written_unreadable(tmp_path: Path) -> None:
    recorder = make_writer(tmp_path)
    offer_call(recorder, 0, "task-a", KeyRing(tmp_path, bytes(32)))
    wait_until(lambda: bool(read_bodies(tmp_path, KeyRing(tmp_path, bytes(32)))))
    subject = Subject("tenant", ("tenant-task-a",))
    assert plan_deletion(tmp_path, subject, KeyRing(tmp_path, bytes(32))).open_count == 1
    assert delete(tmp_path, subject, KeyRing(tmp_path, bytes(32))) == Plan({}, 0, (), None, is_known=True)
    with pytest.raises(KeyGoneError):
        read_bodies(tmp_path, KeyRing(tmp_path, bytes(32)))
    (stone,) = [entry for entry in open_records(tmp_path) if isinstance(entry, Tombstone)]
    assert (stone.scope, stone.count) == (subject.scope, 1)
    assert recorder.close(10)


@pytest.mark.parametrize("step", ["fsync", "utime"])
def test_failed_deletion_leaves_the_segment_as_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    write_log(tmp_path)
    (file,) = list_segment_files(tmp_path)
    before = file.read_bytes()

    def fail(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch, pytest.raises(OSError, match="No space left"):
        patch.setattr(os, step, fail)
        delete(tmp_path)
    assert [path.name for path in file.parent.iterdir()] == [file.name] and file.read_bytes() == before
    delete(tmp_path)
    assert read_bodies(file) == keep_bodies(TASKS, "task-a")


def test_killed_deletion_is_finished_by_the_next(tmp_path: Path) -> None:
    script = str(Path(__file__).parent / "killed_deletions.py")
    done = subprocess.run([sys.executable, script, str(tmp_path)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.endswith("of them on their way\n")


def test_deletion_whose_tombstone_fails_is_finished_later(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_log(tmp_path)

    def fail(path: Path) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch, pytest.raises(OSError, match=r"tombstone could not be written: .*No space"):
        patch.setattr(files, "create_file", fail)
        delete(tmp_path)
    assert read_bodies(tmp_path) == keep_bodies(TASKS, "task-a")
    (journal,) = tmp_path.glob("deletion-*.json")
    text = f"the deletion of {TASK_A.scope}, by jane, is not finished; the next `record delete` does that"
    assert ("problem", text) in find_levels(tmp_path)
    assert delete(tmp_path, Subject("task", ("nobody",))) == Plan(
        {}, 0, (), None, is_known=False, unfinished=(TASK_A.scope,)
    )
    (stone,) = [entry for entry in open_records(tmp_path) if isinstance(entry, Tombstone)]
    assert (stone.actor, stone.reason, stone.scope, stone.count) == ("jane", "asked for it", TASK_A.scope, 2)
    assert not journal.exists() and {level for level, _ in find_levels(tmp_path)} == {"note", "ok"}


def test_killed_deletion_waits_for_the_end_of_a_hold(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    write_log(tmp_path)
    journal = write_journal(tmp_path, Deletion("1f", "jane", "asked for it", *TASK_A))
    hold = tmp_path / "v1" / "hold"
    hold.touch()
    assert delete(tmp_path, Subject("task", ("nobody",))).unfinished == ()
    assert journal.exists() and f"{hold}: {TASK_A.scope}: a legal hold keeps it" in caplog.text
    assert read_bodies(tmp_path) == keep_bodies(TASKS)
    hold.unlink()
    assert delete(tmp_path, Subject("task", ("nobody",))).unfinished == (TASK_A.scope,)
    assert not journal.exists() and read_bodies(tmp_path) == keep_bodies(TASKS, "task-a")


def test_killed_deletion_waits_for_its_key(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    write_log(tmp_path, keys=KeyRing(tmp_path, bytes(32)))
    journal = write_journal(tmp_path, Deletion("1f", "jane", "asked for it", *TASK_A))
    with pytest.raises(SegmentError, match="no key is at hand"):
        delete(tmp_path, Subject("task", ("task-c",)))
    assert journal.exists() and f"the earlier deletion of {TASK_A.scope} is still not finished" in caplog.text
    keys = KeyRing(tmp_path, bytes(32))
    assert delete(tmp_path, Subject("task", ("task-c",)), keys).unfinished == (TASK_A.scope,)
    assert not journal.exists() and read_bodies(tmp_path, keys) == keep_bodies(TASKS, "task-a", "task-c")


def test_writer_that_starts_names_a_killed_deletion(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    write_journal(tmp_path, Deletion("1f", "jane", "asked for it", *TASK_A))
    with lock_deletions(tmp_path):
        write_log(tmp_path)
    assert caplog.text == ""  # somebody is about to finish it
    write_log(tmp_path)
    assert f"the deletion of {TASK_A.scope} is not finished; the next `record delete` does that" in caplog.text


def test_two_deletions_do_not_work_at_once(tmp_path: Path) -> None:
    write_log(tmp_path)
    with lock_deletions(tmp_path), pytest.raises(DeletionError, match="another deletion is at work"):
        delete(tmp_path)
    assert read_bodies(tmp_path) == keep_bodies(TASKS)


def test_torn_bytes_beside_a_segment_go_with_it(tmp_path: Path) -> None:
    write_log(tmp_path)
    (file,) = list_segment_files(tmp_path)
    torn = file.with_suffix(".torn-1")
    torn.write_bytes(b"half a frame of anybody")
    assert delete(tmp_path, Subject("task", ("nobody",))).torn == () and torn.exists()
    assert delete(tmp_path).torn == (torn,) and not torn.exists()


def test_content_that_went_without_a_word_is_a_problem(tmp_path: Path) -> None:
    write_log(tmp_path)
    (file,) = list_segment_files(tmp_path)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(stripping, "STRIPPED", "other")
        patch.setattr(stripping, "_replace_segment", lambda old, data, keys: old.path.write_bytes(data))
        strip_segment(file, TASK_A.has, {})
    assert find_levels(tmp_path) == [
        ("problem", "the content of 2 entries is gone, and its footer names no such deletion")
    ]
