"""Deletion on the command line: what it says before it does it, and what becomes of copies in a store."""

from __future__ import annotations

import errno
import json
import os
import sys
from pathlib import Path

import pytest
from recorded_tasks import record_into, run_command, run_refund

from otel_agentops.recorder import stripping
from otel_agentops.recorder.commands import shipping
from otel_agentops.recorder.commands.index import FILE_NAME
from otel_agentops.recorder.commands.shipping import mirror_store, open_store, ship_segments
from otel_agentops.recorder.entries import Tombstone
from otel_agentops.recorder.journal import Deletion, write_journal
from otel_agentops.recorder.reading import open_records
from otel_agentops.recorder.users import hash_user, list_user_keys
from otel_agentops.testing.fake_provider import FakeProvider

SECRETIVE = "I am Jane Roe of Elm Street"
JANE = "jane.roe@example.org"


@pytest.fixture
def records(tmp_path: Path, provider: FakeProvider, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Two tasks of two people, in one segment."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    folder = tmp_path / "records"
    with record_into(folder):
        run_refund(provider.openai_url, "task-jane", user=SECRETIVE, person=JANE)
        run_refund(provider.openai_url, "task-joe", user="I am Joe Bloggs of Oak Street", person="joe")
    return folder


def show(folder: Path | str, task: str) -> str:
    return run_command("show", task, "--dir", folder).output


def delete(folder: Path | str, *options: str) -> list[str]:
    return run_command(
        "delete", *options, "--dir", folder, "--reason", "request 4711", "--actor", "ann"
    ).output.splitlines()


def count_tombstones(folder: Path) -> int:
    return sum(isinstance(entry, Tombstone) for entry in open_records(folder))


def test_nothing_is_deleted_without_a_word_of_consent(records: Path) -> None:
    assert SECRETIVE in show(records, "task-jane")
    (before,) = records.glob("v1/*/*/*.seg")
    data = before.read_bytes()
    assert delete(records, "--task", "task-jane") == [
        "task task-jane: the content of 1 entries in 1 segments",
        "nothing was deleted; --yes deletes it",
    ]
    assert [path.read_bytes() for path in records.glob("v1/*/*/*.seg")] == [data]


def test_deleted_task_is_shown_as_deleted_and_verifies(records: Path) -> None:
    show(records, "task-jane")  # makes the index
    (trace,) = json.loads(run_command("traces", "--task", "task-jane", "--dir", records, "--json").stdout)["traces"]
    options = ["--dir", records, "--reason", "request 4711", "--actor", "ann", "--json", "--yes"]
    done = run_command("delete", "--trace", trace["name"][:12], *options)
    (name,) = [
        path.relative_to(records).as_posix() for path in records.glob("v1/*/*/*.seg") if "-record" not in str(path)
    ]
    assert (done.exit_code, json.loads(done.stdout)) == (
        0,
        {"scope": f"trace {trace['name']}", "is_deleted": True, "is_known": True, "entries": 1, "segments": {name: 1},
         "entries_still_written": 0, "torn": [], "hold": None, "unfinished": []},
    )  # fmt: skip
    shown = show(records, "task-jane")
    assert SECRETIVE not in shown and "its content was deleted" in shown
    assert "Joe Bloggs" in show(records, "task-joe")
    verified = run_command("verify", records)
    assert verified.exit_code == 0
    assert f"the content of 1 entries was stripped: trace {trace['name']}, by ann: request 4711" in verified.output
    assert SECRETIVE.encode() not in (records / FILE_NAME).read_bytes()
    assert [entry.scope for entry in open_records(records) if isinstance(entry, Tombstone)] == [
        f"trace {trace['name']}"
    ]


def test_content_of_a_person_goes_and_nothing_names_the_person(records: Path) -> None:
    (key,) = list_user_keys(records, None, None)
    scope = f"user {hash_user(key, JANE)}"
    assert delete(records, "--user", "mary", "--yes")[0].endswith("the content of 0 entries in 0 segments")
    assert delete(records, "--user", JANE)[0] == f"{scope}: the content of 1 entries in 1 segments"
    assert delete(records, "--user", JANE, "--yes")[-1] == "deleted"
    assert SECRETIVE not in show(records, "task-jane")
    assert "Joe Bloggs" in show(records, "task-joe")
    assert (
        f"the content of 1 entries was stripped: {scope}, by ann: request 4711" in run_command("verify", records).output
    )
    assert [entry.scope for entry in open_records(records) if isinstance(entry, Tombstone)] == [scope]
    assert JANE.encode() not in b"".join(path.read_bytes() for path in records.rglob("*") if path.is_file())
    assert not any(JANE.encode() in entry.line for entry in open_records(records))


def test_person_is_found_in_a_store_by_who_has_the_key(
    records: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = tmp_path / "store"
    ship_segments(records, open_store(str(store)))
    assert not list(store.rglob("*users*"))
    assert delete(f"file://{store}", "--user", JANE, "--yes")[0].startswith("otel-agentops record delete: ")
    assert SECRETIVE in show(f"file://{store}", "task-jane")
    monkeypatch.setenv("OTEL_AGENTOPS_RECORDER", str(records))
    assert delete(f"file://{store}", "--user", JANE, "--yes")[-1] == "deleted"
    assert SECRETIVE not in show(f"file://{store}", "task-jane")


def test_deletion_that_was_killed_is_told_and_finished(records: Path) -> None:
    write_journal(records, Deletion("1f", "bob", "request 4700", "task", ("task-joe",)))
    assert delete(records, "--task", "task-jane")[1:] == [
        "an earlier deletion was not finished, and --yes does that: task task-joe",
        "nothing was deleted; --yes deletes it",
    ]
    assert delete(records, "--task", "task-jane", "--yes") == [
        "task task-jane: the content of 1 entries in 1 segments",
        "an earlier deletion is finished now: task task-joe",
        "deleted",
    ]
    assert "Joe Bloggs" not in show(records, "task-joe")
    assert run_command("verify", records).exit_code == 0


@pytest.mark.parametrize("options", [(), ("--yes",)])
def test_deletion_of_what_is_not_there_says_so(records: Path, options: tuple[str, ...]) -> None:
    arguments = ("delete", "--task", "task-jayne", *options, "--reason", "x", "--dir", records)
    done = run_command(*arguments)
    assert (done.exit_code, done.output.splitlines()) == (
        1,
        ["task task-jayne: the content of 0 entries in 0 segments",
         "no entry of it is in the log, so nothing of it was deleted; is it written as `record traces` has it?"],
    )  # fmt: skip
    assert json.loads(run_command(*arguments, "--json").stdout)["is_deleted"] is False
    assert delete(records, "--task", "task-jane", "--yes")[-1] == "deleted"
    assert run_command("delete", "--task", "task-jane", "--yes", "--reason", "x", "--dir", records).exit_code == 0


def test_deletion_on_a_full_disk_names_the_segment(records: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    (segment,) = records.glob("v1/*/*/*.seg")
    monkeypatch.setattr(stripping, "verify_records", lambda *_: refuse(0))
    told = delete(records, "--task", "task-jane", "--yes")
    assert told == [f"otel-agentops record delete: [Errno 28] it stays as it is: No space left on device: '{segment}'"]
    monkeypatch.undo()
    assert SECRETIVE in show(records, "task-jane")
    assert delete(records, "--task", "task-jane", "--yes")[-1] == "deleted"


def test_wrong_input_of_a_deletion_is_a_sentence(records: Path) -> None:
    two = run_command("delete", "--task", "a", "--tenant", "acme", "--reason", "x", "--dir", records)
    assert two.exit_code == 2 and "one kind of them alone" in two.output
    unknown = run_command("delete", "--trace", "ffff", "--reason", "x", "--dir", records)
    assert (unknown.exit_code, unknown.output) == (
        1,
        f"otel-agentops record delete: ffff: no trace begins so in {records}\n",
    )
    hold = records / "v1" / "hold"
    hold.touch()
    assert delete(records, "--task", "task-jane")[1:] == [
        f"a legal hold keeps it: {hold}",
        "nothing was deleted; remove the file of the hold first",
    ]
    assert delete(records, "--task", "task-jane", "--yes") == [
        f"otel-agentops record delete: {hold}: task task-jane: a legal hold keeps it, and nothing was deleted; "
        "remove the file first"
    ]
    assert SECRETIVE in show(records, "task-jane")


@pytest.mark.parametrize("scheme", ["file", "memory"])
def test_copies_in_a_store_follow_a_deletion(
    records: Path, tmp_path: Path, scheme: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if scheme == "memory":
        pytest.importorskip("fsspec", reason="fsspec is not installed here")
        from fsspec.implementations.memory import MemoryFileSystem

        MemoryFileSystem.store.clear()
        monkeypatch.setitem(sys.modules, "obstore", None)  # its memory is a new one each time
    url = f"{scheme}://{tmp_path}/store"
    ship_segments(records, open_store(url))
    assert SECRETIVE in show(url, "task-jane")
    delete(records, "--task", "task-jane", "--yes")
    assert SECRETIVE in show(url, "task-jane")
    shipped = ship_segments(records, open_store(url))
    assert (len(shipped.names), shipped.kept) == (2, [])  # the segment, and that of the tombstone
    assert SECRETIVE not in show(url, "task-jane") and "Joe Bloggs" in show(url, "task-joe")
    assert count_tombstones(mirror_store(url)) == 1
    assert ship_segments(records, open_store(url)).present_count == 2


def test_deletion_in_a_store_is_not_undone_by_shipping(records: Path, tmp_path: Path) -> None:
    url = f"file://{tmp_path}/store"
    ship_segments(records, open_store(url))
    delete(url, "--task", "task-jane", "--yes")
    assert SECRETIVE not in show(url, "task-jane") and "Joe Bloggs" in show(url, "task-joe")
    shipped = run_command("ship", tmp_path / "store", "--dir", records)
    (file,) = [path for path in records.glob("v1/*/*/*.seg") if "-record" not in str(path)]
    name = file.relative_to(records).as_posix()
    assert shipped.stderr == (
        f"otel-agentops record ship: {name}: content was deleted there and is still here; "
        "run the same `record delete` here\n"
    )
    assert SECRETIVE not in show(url, "task-jane")
    delete(records, "--task", "task-jane", "--yes")
    delete(records, "--task", "task-joe", "--yes")
    assert ship_segments(records, open_store(url)).kept == []
    assert "Joe Bloggs" not in show(url, "task-joe")


def test_deletion_that_did_not_reach_the_store_is_finished(
    records: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = f"file://{tmp_path}/store"
    ship_segments(records, open_store(url))

    def fail(*_: object) -> None:
        raise OSError(111, "Connection refused")

    with monkeypatch.context() as patch:
        patch.setattr(shipping, "ship_segments", fail)
        assert "Connection refused" in delete(url, "--task", "task-jane", "--yes")[0]
    assert SECRETIVE in show(url, "task-jane")
    assert delete(url, "--task", "nobody", "--yes")[1:] == [
        "an earlier deletion is finished now: task task-jane",
        "no entry of it is in the log, so nothing of it was deleted; is it written as `record traces` has it?",
    ]
    assert SECRETIVE not in show(url, "task-jane") and "Joe Bloggs" in show(url, "task-joe")
    assert count_tombstones(mirror_store(url)) == 1
    assert not list(mirror_store(url).glob("deletion-*"))


def test_hold_in_a_store_keeps_what_is_there(records: Path, tmp_path: Path) -> None:
    store = tmp_path / "store"
    url = f"file://{store}"
    ship_segments(records, open_store(url))
    (store / "v1" / "hold").touch()
    assert "a legal hold keeps it, and nothing was deleted" in delete(url, "--task", "task-jane", "--yes")[0]
    (store / "v1" / "hold").unlink()
    assert delete(url, "--task", "task-jane", "--yes")[-1] == "deleted"


def test_half_a_copy_in_a_store_is_put_again(records: Path, tmp_path: Path) -> None:
    store = open_store(f"{tmp_path}/store")
    (name,) = ship_segments(records, store).names
    whole = store.read(name)
    store.write(name, whole[:-10])
    assert ship_segments(records, store).names == [name]
    assert store.read(name) == whole
