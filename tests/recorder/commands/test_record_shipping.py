"""Sealed segments in a store, and commands that read them there."""

from __future__ import annotations

import errno
import importlib
import json
import sys
from pathlib import Path
from types import ModuleType

import pytest
from recorded_tasks import run_command

from otel_agentops.recorder.commands import shipping
from otel_agentops.recorder.commands.shipping import mirror_store, open_store, ship_segments


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


def test_segments_are_put_once(refunds: Path, tmp_path: Path) -> None:
    store = tmp_path / "store"
    first = json.loads(run_command("ship", store, "--dir", refunds, "--json").stdout)
    assert (len(first["names"]), first["present_count"]) == (1, 0)
    assert run_command("ship", store, "--dir", refunds).output == "0 segments, 0 bytes put; 1 were there\n"
    (segment,) = refunds.glob("v1/*/*/*.seg")
    copy = store / first["names"][0]
    assert copy.read_bytes() == segment.read_bytes()
    assert copy.stat().st_mode & 0o777 == segment.stat().st_mode & 0o777 == 0o600


def test_full_disk_leaves_nothing_and_is_a_sentence(
    refunds: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(path: Path, target: Path) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Path, "replace", refuse)
    store = tmp_path / "store"
    shown = run_command("ship", store, "--dir", refunds)
    (segment,) = refunds.glob("v1/*/*/*.seg")
    sentence = f"{store / segment.relative_to(refunds)}: cannot be written: No space left on device"
    assert (shown.exit_code, shown.output) == (1, f"otel-agentops record ship: {sentence}\n")
    assert not [path for path in store.rglob("*") if path.is_file()]


@pytest.mark.parametrize("scheme", ["file", "memory"])
def test_store_is_read_like_a_directory(
    refunds: Path, tmp_path: Path, scheme: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if scheme == "memory":
        pytest.importorskip("fsspec", reason="fsspec is not installed here")
        from fsspec.implementations.memory import MemoryFileSystem

        MemoryFileSystem.store.clear()
        monkeypatch.setitem(sys.modules, "obstore", None)  # its memory is a new one each time
    url = f"{scheme}://{tmp_path}/store"
    store = open_store(url)
    assert len(ship_segments(refunds, store).names) == 1
    shown = run_command("traces", "--store", url, "--json")
    assert shown.exit_code == 0, shown.output
    assert [trace["task"] for trace in json.loads(shown.stdout)["traces"]] == ["task-good", "task-bad"]


def test_what_is_deleted_in_the_store_is_not_kept(refunds: Path, tmp_path: Path) -> None:
    url = f"file://{tmp_path}/store"
    ship_segments(refunds, open_store(url))
    assert len(list(mirror_store(url).glob("v1/*/*/*.seg"))) == 1
    for segment in (tmp_path / "store").glob("v1/*/*/*.seg"):
        segment.unlink()
    assert list(mirror_store(url).glob("v1/*/*/*.seg")) == []


def open_object_store(bucket: Path) -> tuple[ModuleType, shipping._ObjectStore]:
    obstore = pytest.importorskip("obstore", reason="obstore is not installed here")
    importlib.import_module("obstore.exceptions")
    importlib.import_module("obstore.store")
    bucket.mkdir()
    return obstore, shipping._ObjectStore(obstore, f"file://{bucket}")


@pytest.mark.parametrize("command", [("ship", "file:///{0}/bucket"), ("traces", "--store", "memory://{0}")])
def test_store_that_does_not_answer_is_a_sentence(
    refunds: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: tuple[str, ...]
) -> None:
    obstore, store = open_object_store(tmp_path / "bucket")

    def refuse(_: object) -> None:
        raise obstore.exceptions.GenericError("no route to the host\nat line 1\nat line 2")

    monkeypatch.setattr(obstore, "list", refuse)
    monkeypatch.setattr(shipping, "open_store", lambda url: store)
    more = ("--dir", refunds) if command[0] == "ship" else ()
    shown = run_command(*command, *more)
    assert shown.exit_code == 1 and shown.output.endswith("its list: no route to the host\n")


def test_store_of_obstore_is_read_like_a_directory(
    refunds: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, store = open_object_store(tmp_path / "bucket")
    monkeypatch.setattr(shipping, "open_store", lambda url: store)
    (name,) = ship_segments(refunds, store).names
    assert ship_segments(refunds, store).present_count == 1
    mirrored = mirror_store("s3://bucket") / name
    assert mirrored.read_bytes() == (refunds / name).read_bytes() == store.read(name)
    store.write(name, b"other")
    assert store.read(name) == mirrored.read_bytes()  # the first one that put it holds
    store.write(name, b"other", replaces=True)
    assert store.read(name) == b"other"
