"""The writer: everything that it took is on disk or counted, whatever happens to the disk and the process."""

from __future__ import annotations

import hashlib
import os
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from itertools import pairwise
from pathlib import Path

import pytest
from recorder_entries import find_gaps, make_body, make_writer, offer, read_numbers, wait_until

from otel_agentops.recorder import codec, writer
from otel_agentops.recorder.entries import Gap
from otel_agentops.recorder.notes import parse_checkpoint, verify_checkpoint
from otel_agentops.recorder.reading import (
    find_record,
    list_segment_files,
    open_records,
    open_segments,
    read_head,
    read_part,
)
from otel_agentops.recorder.tree import compute_root, hash_leaf
from otel_agentops.recorder.writer import Encoded

NOBODY = 65534


def test_entries_are_read_back_in_order(tmp_path: Path) -> None:
    recorder = make_writer(tmp_path)
    refs = [offer(recorder, number) for number in range(500)]
    assert recorder.close(10)
    assert read_numbers(tmp_path) == list(range(500))
    assert [entry.ref for entry in open_records(tmp_path)] == refs
    assert [entry.index for entry in open_records(tmp_path)] == list(range(500))
    (file,) = list_segment_files(tmp_path)
    assert file.parts[-4:-2] == ("v1", "shop") and file.suffix == ".seg" and file.stat().st_mode & 0o77 == 0
    found = find_record(tmp_path, str(refs[7]))
    assert found is not None and read_part(found, "request") == make_body(7)


def test_footer_has_root_and_signature_of_all_entries(tmp_path: Path) -> None:
    recorder = make_writer(tmp_path)
    for number in range(50):
        offer(recorder, number)
    assert recorder.close(10)
    (segment,) = open_segments(tmp_path)
    key = read_head(segment).verifier_key
    assert segment.foot is not None and key is not None
    checkpoint = parse_checkpoint(segment.foot["checkpoint"])
    root = compute_root([hash_leaf(entry.line) for entry in open_records(tmp_path)])
    assert (checkpoint.size, checkpoint.root) == (50, root)
    assert verify_checkpoint(segment.foot["checkpoint"], key)
    assert not verify_checkpoint(segment.foot["checkpoint"].replace("\n50\n", "\n51\n"), key)


def test_head_of_the_log_is_told_while_it_grows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writer, "_HEAD_S", 0.0)  # a minute
    heads: list[writer.TreeHead] = []
    recorder = writer.RecordWriter(writer.Settings(tmp_path), dict, heads.append)
    offer(recorder, 0)
    wait_until(lambda: bool(heads))
    offer(recorder, 1)
    wait_until(lambda: heads[-1].size == 2)
    assert recorder.close(10)
    leaves = [hash_leaf(entry.line) for entry in open_records(tmp_path)]
    assert {head.size for head in heads} == {1, 2}
    assert all(head.root == compute_root(leaves[: head.size]) and head.writer == recorder.id for head in heads)


def test_second_segment_goes_on_from_the_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writer, "_PIECE_BYTES", 4000)
    recorder = make_writer(tmp_path)
    for number in range(300):
        offer(recorder, number)
    assert recorder.close(10)
    segments = list(open_segments(tmp_path))
    assert len(segments) > 3 and read_numbers(tmp_path) == list(range(300))
    for before, after in pairwise(segments):
        assert after.frames[0].previous == before.frames[-1].digest
        assert before.foot is not None
        assert after.head["first_index"] == parse_checkpoint(before.foot["checkpoint"]).size


def test_large_value_is_kept_whole(tmp_path: Path) -> None:
    recorder = make_writer(tmp_path)
    offer(recorder, 1, 1024 * 1024)
    assert recorder.close(10)
    (entry,) = open_records(tmp_path)
    body = read_part(entry, "request")
    assert body is not None
    assert hashlib.sha256(body).digest() == hashlib.sha256(make_body(1, 1024 * 1024)).digest()


def test_zlib_is_read_and_written_without_zstd(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(codec, "BEST", codec.ZLIB)
    recorder = make_writer(tmp_path)
    for number in range(20):
        offer(recorder, number)
    assert recorder.close(10)
    assert read_numbers(tmp_path) == list(range(20))


def test_full_queue_drops_and_names_the_loss(tmp_path: Path) -> None:
    recorder = make_writer(tmp_path, queue_bytes=writer.RESERVE + 100_000)
    release = threading.Event()
    recorder.offer(0, lambda: release.wait() and None)  # type: ignore[arg-type, return-value]
    wait_until(lambda: not recorder._queue)
    kept = [offer(recorder, number) for number in range(100)]
    lost = kept.count(None)
    assert lost and offer(recorder, 1000, has_effect=True) is not None  # of the reserve
    recorder.losses.clear()
    release.set()
    assert recorder.close(10)
    assert recorder.losses["queue_full"] == lost
    gap = next(gap for gap in find_gaps(tmp_path) if isinstance(gap, Gap) and gap.reason == "queue_full")
    assert gap.count == lost and gap.refs == (f"{recorder.id}/{100 - lost + 1}", f"{recorder.id}/100")
    assert len(read_numbers(tmp_path)) == 101 - lost


def test_entry_that_cannot_be_encoded_is_a_gap(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("otel_agentops._guard.is_strict", False)
    recorder = make_writer(tmp_path)
    offer(recorder, 1)
    recorder.offer(0, lambda: 1 / 0)  # type: ignore[arg-type, return-value]
    offer(recorder, 3)
    assert recorder.close(10)
    assert read_numbers(tmp_path) == [1, 3]
    (gap,) = find_gaps(tmp_path)
    assert isinstance(gap, Gap) and (gap.reason, gap.count) == ("encoding", 1)


def test_acknowledged_entry_is_on_disk_at_once(tmp_path: Path) -> None:
    recorder = make_writer(tmp_path)
    for number in range(5):
        offer(recorder, number, has_effect=True, deadline_s=10)
        assert read_numbers(tmp_path) == list(range(number + 1))
    recorder.close(10)


def test_removed_directory_is_counted_and_made_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writer, "_SYNC_S", 0.0)
    recorder = make_writer(tmp_path)
    offer(recorder, 1, deadline_s=10)
    shutil.rmtree(tmp_path / "v1")
    offer(recorder, 2, deadline_s=10)
    offer(recorder, 3, deadline_s=10)
    assert recorder.close(10)
    assert read_numbers(tmp_path) == [3]
    assert recorder.losses == {"removed": 2}
    assert [(gap.reason, gap.count) for gap in find_gaps(tmp_path) if isinstance(gap, Gap)] == [("removed", 2)]


def count_threads() -> int:
    """Return how many threads the system has for this process."""
    return len([*Path("/proc/self/task").iterdir()])


def run_in_child(work: object) -> int:
    """Run a function in a forked child; return its exit status."""
    if (pid := os.fork()) == 0:
        status = 1
        try:
            work()  # type: ignore[operator]
            status = 0
        finally:
            os._exit(status)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def test_full_disk_loses_nothing_that_fits_in_memory(tmp_path: Path) -> None:
    def fill() -> None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        recorder = make_writer(tmp_path)
        offer(recorder, 0, deadline_s=10)
        (file,) = list_segment_files(tmp_path)
        resource.setrlimit(resource.RLIMIT_FSIZE, (file.stat().st_size + 100, resource.RLIM_INFINITY))
        assert all(offer(recorder, number) for number in range(1, 200))
        wait_until(lambda: recorder.trouble is not None)
        assert read_numbers(tmp_path) == [0]
        resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
        wait_until(lambda: recorder.trouble is None)
        assert recorder.close(10)

    assert run_in_child(fill) == 0
    assert read_numbers(tmp_path) == list(range(200))
    assert all(segment.is_sealed and not segment.is_torn for segment in open_segments(tmp_path))


def test_lost_permission_loses_nothing_that_fits_in_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writer, "_PIECE_BYTES", 4000)  # a new file every few entries
    with tempfile.TemporaryDirectory() as directory:  # that of pytest is closed to other users
        root = Path(directory)
        threads = count_threads()
        warm = make_writer(root / "warm")  # imports what the child may not be allowed to read
        offer(warm, 0)
        assert warm.close(10)
        wait_until(lambda: count_threads() == threads)  # OpenSSL takes locks while a thread ends

        def work() -> None:
            if os.geteuid() == 0:  # nothing is forbidden to root
                os.chown(root, NOBODY, NOBODY)
                os.seteuid(NOBODY)
            recorder = make_writer(root / "records")
            offer(recorder, 0, deadline_s=10)
            (file,) = list_segment_files(root / "records")
            file.parent.chmod(0o500)
            assert all(offer(recorder, number) for number in range(1, 200))
            wait_until(lambda: recorder.trouble is not None)
            assert "Permission denied" in str(recorder.trouble)
            file.parent.chmod(0o700)
            wait_until(lambda: recorder.trouble is None)
            assert recorder.close(10) and recorder.losses == {}

        assert run_in_child(work) == 0
        assert read_numbers(root / "records") == list(range(200))
        assert all(segment.is_sealed and not segment.is_torn for segment in open_segments(root / "records"))


def test_fork_writes_a_segment_of_its_own(tmp_path: Path) -> None:
    recorder = make_writer(tmp_path)
    offer(recorder, 1, deadline_s=10)
    parent = recorder.id

    def work() -> None:
        assert recorder.id != parent
        offer(recorder, 2)
        assert recorder.close(10)

    assert run_in_child(work) == 0
    offer(recorder, 3)
    assert recorder.close(10)
    by_writer: dict[str, list[object]] = {}
    for entry in open_records(tmp_path):
        by_writer.setdefault(entry.ref.partition("/")[0], []).append(entry.attributes["number"])
    assert by_writer.pop(parent) == [1, 3]
    assert list(by_writer.values()) == [[2]]


def test_fork_waits_until_the_thread_is_between_two_entries(tmp_path: Path) -> None:
    """A lock of OpenSSL that the thread had at the fork is taken for ever in the child."""
    recorder = make_writer(tmp_path)
    is_encoding, steps = threading.Event(), list[str]()

    def encode() -> Encoded:
        is_encoding.set()
        time.sleep(0.05)
        steps.append("encoded")
        return Encoded({"kind": "call", "time_ns": 1, "monotonic_ns": 1, "attributes": {}})

    assert recorder.offer(100, encode)
    assert is_encoding.wait(10)
    assert run_in_child(lambda: steps.index("encoded")) == 0
    assert recorder.close(10)


def test_fork_does_not_wait_for_ever(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writer, "_FORK_S", 0.01)
    recorder = make_writer(tmp_path)
    is_encoding, is_over = threading.Event(), threading.Event()

    def encode() -> Encoded:
        is_encoding.set()
        assert is_over.wait(10)
        return Encoded({"kind": "call", "time_ns": 1, "monotonic_ns": 1, "attributes": {}})

    assert recorder.offer(100, encode)
    assert is_encoding.wait(10)
    assert run_in_child(is_over.is_set) == 0
    is_over.set()
    assert recorder.close(10)
    assert len(list(open_records(tmp_path))) == 1


def test_burst_of_two_seconds_is_kept_whole(tmp_path: Path) -> None:
    """500 calls a second of 40 kB, and the disk takes none of them meanwhile."""
    recorder = make_writer(tmp_path)
    with recorder._working:
        refs = [offer(recorder, number, size=40_000) for number in range(1000)]
    assert None not in refs
    assert recorder.close(60)
    assert (read_numbers(tmp_path), recorder.losses) == (list(range(1000)), {})


def test_clock_step_changes_no_order(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    recorder = make_writer(tmp_path)
    offer(recorder, 1, deadline_s=10)
    real = time.time_ns
    monkeypatch.setattr(time, "time_ns", lambda: real() - 7_200_000_000_000)
    offer(recorder, 2)
    assert recorder.close(10)
    first, second = open_records(tmp_path)
    assert first.index < second.index and first.monotonic_ns < second.monotonic_ns and first.time_ns > second.time_ns


def test_torn_tail_is_set_aside_and_reported(tmp_path: Path) -> None:
    def work() -> None:
        recorder = make_writer(tmp_path)
        for number in range(20):
            offer(recorder, number, deadline_s=10)
        os.kill(os.getpid(), signal.SIGKILL)

    assert run_in_child(work) == -signal.SIGKILL
    (file,) = list_segment_files(tmp_path)
    file.write_bytes(file.read_bytes() + b"half a frame")
    assert read_numbers(tmp_path) == list(range(20))
    recorder = make_writer(tmp_path)
    offer(recorder, 20)
    assert recorder.close(10)
    assert sorted(read_numbers(tmp_path)) == list(range(21))
    (gap,) = find_gaps(tmp_path)
    assert isinstance(gap, Gap) and gap.reason == "crashed" and "20 entries are whole, 12 torn bytes" in gap.detail
    (torn,) = tmp_path.glob("v1/shop/*/*.torn-*")
    assert torn.read_bytes() == b"half a frame"
    assert all(segment.is_sealed and not segment.is_torn for segment in open_segments(tmp_path))


@pytest.mark.rotation("long runs", "killed recorders", 9, seconds=25)
def test_killed_writers_keep_what_was_acknowledged(tmp_path: Path) -> None:
    """At 200 random moments; in a process of its own, for a fork of the whole suite takes a second."""
    program = Path(__file__).with_name("killed_writers.py")
    done = subprocess.run([sys.executable, program, tmp_path, "200"], capture_output=True, text=True, timeout=300)
    assert (done.returncode, done.stdout) == (0, "200 writers were killed\n"), done.stderr[-2000:]


PROGRAM = """
import signal, sys, time
sys.path[:0] = {paths!r}
from pathlib import Path
from recorder_entries import make_writer, offer
recorder = make_writer(Path({root!r}))
for number in range(50):
    offer(recorder, number)
signal.signal(signal.SIGTERM, lambda *_: sys.exit(3))
print("ready", flush=True)
time.sleep({seconds})
"""


@pytest.mark.parametrize(("seconds", "status"), [(0, 0), (30, 3)], ids=["end", "SIGTERM"])
def test_everything_is_written_when_the_process_ends(tmp_path: Path, seconds: int, status: int) -> None:
    program = PROGRAM.format(paths=[str(Path(__file__).parent)], root=str(tmp_path), seconds=seconds)
    process = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE)
    assert process.stdout is not None and process.stdout.readline() == b"ready\n"
    if status:
        process.send_signal(signal.SIGTERM)
    assert process.wait(20) == status
    process.stdout.close()
    assert read_numbers(tmp_path) == list(range(50))
    assert all(segment.is_sealed for segment in open_segments(tmp_path))
