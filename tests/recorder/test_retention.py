"""Retention: segments by age and size, content by class; each goes once, with a tombstone, and the log verifies."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from kept_kinds import ALL, list_problems, list_stones, read_kinds, retain, set_age, write_kinds
from recorder_entries import make_encode, read_numbers, wait_until

from otel_agentops import _config, _telemetry
from otel_agentops.recorder import files, retention, writer
from otel_agentops.recorder.entries import Tombstone
from otel_agentops.recorder.journal import lock_deletions
from otel_agentops.recorder.keys import KeyRing
from otel_agentops.recorder.reading import open_records
from otel_agentops.recorder.retention import Limits, Retention, parse_limits
from otel_agentops.recorder.subjects import Subject, delete_subject
from otel_agentops.recorder.verifying import verify_records
from otel_agentops.recorder.writer import RecordWriter, Settings
from otel_agentops.testing import Capture

DAY_S = 86_400
REASON = "older or more than is kept"


def test_setting_is_an_age_a_size_and_ages_of_classes() -> None:
    assert parse_limits("30d,2GB") == Limits(30 * DAY_S, 2_000_000_000)
    assert parse_limits("12h, 500MB, retrieval = 7d,tool=1y") == Limits(
        DAY_S / 2, 500_000_000, {"retrieval": 7 * DAY_S, "tool": 365 * DAY_S}
    )
    assert parse_limits("retrieval=7d") == Limits(None, None, {"retrieval": 7 * DAY_S})


@pytest.mark.parametrize("word", ["soon", "documents=7d", "tool=1GB", "=7d", "7w", ""])
def test_wrong_setting_is_one_sentence_and_keeps_all(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, word: str
) -> None:
    environ = {
        "OTEL_AGENTOPS_RECORDER": str(tmp_path),
        "OTEL_AGENTOPS_RECORDER_MODE": "full",
        "OTEL_AGENTOPS_RECORDER_KEEP": f"90d,{word}",
    }
    telemetry = _telemetry.Telemetry(_config.read_config(environ), **Capture().providers)
    assert telemetry._recorder is not None and telemetry._recorder.writer._settings.retire is None
    assert [record.getMessage() for record in caplog.records] == [
        f"OTEL_AGENTOPS_RECORDER_KEEP='90d,{word}': {word!r} is wrong; write an age (h, d or y), a size (MB or GB) and "
        "an age for each class (call, tool, retrieval, judgement), such as 90d,20GB,retrieval=7d; everything is kept"
    ]


def test_class_has_one_age() -> None:
    with pytest.raises(ValueError, match="'tool=2d' is wrong"):
        parse_limits("tool=1d,tool=2d")


def test_old_and_surplus_segments_are_deleted_with_a_tombstone(tmp_path: Path) -> None:
    before = [write_kinds(tmp_path, days) for days in (5, 4, 3, 2)]
    kept_bytes = sum(file.stat().st_size for file in before[-2:])
    Retention(tmp_path, Limits(None, kept_bytes)).run()
    assert [file for file in before if file.exists()] == before[-2:]
    assert list_stones(tmp_path) == [("retention", "segments", 2)]
    retain(tmp_path, "60h")
    assert [file for file in before if file.exists()] == before[-1:]
    assert list_stones(tmp_path) == [("retention", "segments", 1), ("retention", "segments", 2)]
    assert list_problems(tmp_path) == []
    assert read_kinds(before[-1]) == ALL


@pytest.mark.parametrize(
    ("keep", "age_days", "lost"),
    [
        ("retrieval=7d", 8, ["retrieval"]),
        ("retrieval=7d", 6, []),
        ("90d,tool=7d", 8, ["intent", "tool"]),
        ("90d,call=7d,judgement=9d", 8, ["call"]),
        ("90d,tool=1y", 100, ["call", "judgement", "retrieval"]),
        ("90d,tool=1y,call=95d", 93, ["judgement", "retrieval"]),
    ],
)
def test_content_of_a_class_goes_at_its_age(tmp_path: Path, keep: str, age_days: int, lost: list[str]) -> None:
    file = write_kinds(tmp_path, age_days)
    lines = [entry.line for entry in open_records(file)]
    retain(tmp_path, keep)
    assert read_kinds(file) == [kind for kind in ALL if kind not in lost]
    assert [entry.line for entry in open_records(file)] == lines
    classes = ", ".join(sorted(set(lost) - {"intent"}))
    assert list_stones(tmp_path) == ([("retention", f"content of {classes}", len(lost))] if lost else [])
    notes = [finding.text for finding in verify_records(file) if finding.level == "note"]
    note = f"the content of {len(lost)} entries was stripped: content of {classes}, by retention: {REASON}"
    assert notes == ([note] if lost else []) and list_problems(tmp_path) == []


def test_segment_stays_until_the_longest_age(tmp_path: Path) -> None:
    old, older = write_kinds(tmp_path, 364), write_kinds(tmp_path, 366)
    retain(tmp_path, "90d,tool=1y,retrieval=7d")
    assert not older.exists() and read_kinds(old) == ["intent", "tool"]


def test_segment_is_written_once_for_a_rule(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file, other = write_kinds(tmp_path, 8), write_kinds(tmp_path, 8, ["call"])
    retain(tmp_path, "retrieval=7d,tool=9d")
    states = [(each.stat().st_ino, each.read_bytes()) for each in (file, other)]
    retain(tmp_path, "retrieval=7d,tool=9d")  # another process
    assert [(each.stat().st_ino, each.read_bytes()) for each in (file, other)] == states
    set_age(file, 10)
    retain(tmp_path, "retrieval=7d,tool=9d")
    assert read_kinds(file) == ["call", "judgement"] and other.stat().st_ino == states[1][0]
    assert list_stones(tmp_path) == [
        ("retention", "content of retrieval", 1),
        ("retention", "content of tool", 2),
    ]
    looked_at: list[Path] = []
    find_classes = retention._find_classes

    def find(path: Path) -> frozenset[str]:
        looked_at.append(path)
        return find_classes(path)

    monkeypatch.setattr(retention, "_find_classes", find)
    again = Retention(tmp_path, parse_limits("retrieval=7d,tool=9d"))
    again.run()
    assert set(looked_at) == {file, other}
    again.run()
    assert len(looked_at) == 2


def test_run_that_the_disk_refused_is_made_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = write_kinds(tmp_path, 8)
    limits = Retention(tmp_path, parse_limits("retrieval=7d"))

    def refuse(*args: object) -> Path:
        raise OSError("No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(retention, "write_journal", refuse)
        with pytest.raises(OSError, match="No space left"):
            limits.run()
    assert read_kinds(file) == ALL
    limits.run()
    assert "retrieval" not in read_kinds(file)


def test_run_takes_a_few_segments_newest_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    files = [write_kinds(tmp_path, 30 - number) for number in range(5)]
    monkeypatch.setattr(retention, "_MOST_BYTES", max(file.stat().st_size for file in files) + 1)
    keeper = Retention(tmp_path, parse_limits("retrieval=7d"))
    stripped = []
    for is_more in (True, True, False):
        assert keeper.run() is is_more
        stripped.append([file for file in files if read_kinds(file) != ALL])
    assert stripped == [files[-2:], files[-4:], files]
    assert [count for _, _, count in list_stones(tmp_path)] == [1, 2, 2]


def test_run_looks_at_a_few_segments(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file, *_ = [write_kinds(tmp_path, 9), write_kinds(tmp_path, 8, ["call"])]
    monkeypatch.setattr(retention, "_MOST_LOOKED_AT", 1)
    keeper = Retention(tmp_path, parse_limits("retrieval=7d"))
    assert keeper.run() is True and read_kinds(file) == ALL
    assert keeper.run() is True and read_kinds(file) != ALL
    assert keeper.run() is False


def test_writer_goes_on_while_there_is_more(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writer, "_PIECE_BYTES", 1)
    monkeypatch.setattr(writer, "_RETIRE_S", 0.0)
    answers = [False, False, True, True]  # the last one is that of the end
    recorder = RecordWriter(Settings(tmp_path, retire=answers.pop))
    recorder.offer(1000, make_encode(0))
    wait_until(lambda: answers == [False])
    assert recorder.close(10) and answers == []


def test_segment_without_a_list_of_kinds_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A segment that was repaired after a crash has no summary."""
    with monkeypatch.context() as patch:
        patch.setattr(RecordWriter, "_summarise", lambda *_: None)
        file, other = write_kinds(tmp_path, 8), write_kinds(tmp_path, 8, ["call"])
    state = other.stat().st_ino
    retain(tmp_path, "retrieval=7d")
    assert read_kinds(file) == [kind for kind in ALL if kind != "retrieval"] and other.stat().st_ino == state


def test_hold_keeps_content_until_it_is_gone(tmp_path: Path) -> None:
    file, old = write_kinds(tmp_path, 8), write_kinds(tmp_path, 99)
    hold = file.parent / "hold"
    hold.touch()
    keeper = Retention(tmp_path, parse_limits("90d,retrieval=7d"))
    keeper.run()
    assert read_kinds(file) == read_kinds(old) == ALL and list_stones(tmp_path) == []
    hold.unlink()
    keeper.run()
    assert "retrieval" not in read_kinds(file) and not old.exists()


def test_encrypted_content_of_a_class_goes(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    file = write_kinds(tmp_path, 8, keys=KeyRing(tmp_path, bytes(32)))
    before = file.read_bytes()
    retain(tmp_path, "retrieval=7d")
    assert file.read_bytes() == before and not list(tmp_path.glob("deletion-*.json"))
    assert f"{file}: what is too old in it stays: {file}: the content is encrypted, and no key" in caplog.text
    keys = KeyRing(tmp_path, bytes(32))
    retain(tmp_path, "retrieval=7d", keys)
    assert read_kinds(file, keys) == [kind for kind in ALL if kind != "retrieval"]
    assert {finding.level for finding in verify_records(tmp_path, (), keys)} == {"note", "ok"}


def test_torn_bytes_go_at_the_shortest_age(tmp_path: Path) -> None:
    file = write_kinds(tmp_path, 8)
    old, young = file.with_suffix(".torn-1"), file.with_suffix(".torn-2")
    for torn, days in ((old, 8), (young, 6)):
        torn.write_bytes(b"half a frame of anybody")
        set_age(torn, days)
    retain(tmp_path, "90d,judgement=7d")
    assert file.exists() and young.exists() and not old.exists()


def test_two_do_not_delete_at_once(tmp_path: Path) -> None:
    file = write_kinds(tmp_path, 8)
    with lock_deletions(tmp_path):
        retain(tmp_path, "7d")
    assert file.exists()
    retain(tmp_path, "7d")
    assert not file.exists()


def test_killed_retention_is_finished_by_the_next(tmp_path: Path) -> None:
    script = str(Path(__file__).parent / "killed_retention.py")
    done = subprocess.run([sys.executable, script, str(tmp_path)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.endswith("of them on their way\n")


def test_retention_whose_tombstone_fails_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    write_kinds(tmp_path, 8)

    def fail(path: Path) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch, pytest.raises(OSError, match="tombstone could not be written"):
        patch.setattr(files, "create_file", fail)
        retain(tmp_path, "7d")
    text = "is not finished; the next retention or `record delete` does that"
    assert list_problems(tmp_path) == [f"the deletion of segments, by retention, {text}"]
    write_kinds(tmp_path, 0)
    assert f"the deletion of segments {text}" in caplog.text
    plan = delete_subject(tmp_path, Subject("task", ("nobody",)), actor="jane", reason="")
    assert plan.unfinished == ("segments",)
    assert list_stones(tmp_path) == [("retention", "segments", 1)] and list_problems(tmp_path) == []


def test_writer_applies_it_when_a_segment_is_closed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    old = write_kinds(tmp_path, 8)
    monkeypatch.setattr(writer, "_PIECE_BYTES", 1)
    recorder = RecordWriter(Settings(tmp_path, retire=Retention(tmp_path, parse_limits("7d")).run))
    recorder.offer(1000, make_encode(0))
    wait_until(lambda: list_stones(tmp_path) == [("retention", "segments", 1)])
    assert not old.exists() and recorder.close(10)
    assert read_numbers(tmp_path) == [0]


def test_failed_retention_is_no_trouble_of_the_log(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    def fail() -> bool:
        raise OSError(30, "Read-only file system")

    recorder = RecordWriter(Settings(tmp_path, retire=fail))
    recorder.offer(1000, make_encode(0))
    assert recorder.close(10) and recorder.trouble is None
    assert f"{tmp_path}: what is kept no longer cannot be deleted yet ([Errno 30] Read-only" in caplog.text
    assert read_numbers(tmp_path) == [0]


def test_process_that_ends_leaves_its_tombstone(tmp_path: Path) -> None:
    """No thread can be started at the end of a process, from Python 3.12 on."""
    old = write_kinds(tmp_path, 8)
    script = "import otel_agentops\nwith otel_agentops.retrieval('articles', query='where'): pass"
    environ = {
        **os.environ,
        "OTEL_AGENTOPS_RECORDER": str(tmp_path),
        "OTEL_AGENTOPS_RECORDER_MODE": "full",
        "OTEL_AGENTOPS_RECORDER_KEEP": "7d",
    }
    subprocess.run([sys.executable, "-c", script], check=True, env=environ)
    assert not old.exists()
    kinds = sorted(entry.kind for entry in open_records(tmp_path))
    assert kinds == ["retrieval", "tombstone"]
    assert [entry.deletion for entry in open_records(tmp_path) if isinstance(entry, Tombstone)] != [None]
