"""A key that cannot be had: it is told at once, nothing is on disk in the clear, and recording begins with the key."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path

import pytest
from recorder_entries import dump_disk, wait_until

import otel_agentops
from otel_agentops import _config, _telemetry
from otel_agentops._sinks import recorder_keys
from otel_agentops.recorder import writer
from otel_agentops.recorder.entries import Entry, Gap
from otel_agentops.recorder.keys import KeyRing
from otel_agentops.recorder.reading import open_records, read_json
from otel_agentops.recorder.writer import RecordWriter, Settings
from otel_agentops.semconv import attributes as A
from otel_agentops.semconv import metrics as M
from otel_agentops.testing import Capture

MASTER = "name a file with 32 bytes, raw, as hex or as base64, or command: and a command that prints them"
SIGNING = "name a file with a key of Ed25519, as PEM or 32 raw bytes"
NO_CONTENT, NOTHING = "no entry with content is recorded", "nothing is recorded"
# Variable, its value, what is in the file of that name, what is wrong, what is not recorded, what to do.
WRONG_KEYS = [
    ("KEY", "{}/key", None, "='{}/key': the file cannot be read: No such file or directory", NO_CONTENT, MASTER),
    ("KEY", "{}/key", b"short", "='{}/key': the key is not 32 bytes, raw, as hex or as base64", NO_CONTENT, MASTER),
    ("KEY", "command:cat {}/key", None, "='command:cat ...': the command exits with 1", NO_CONTENT, MASTER),
    ("SIGNING_KEY", "{}/key", None, "='{}/key': No such file or directory", NOTHING, SIGNING),
    ("SIGNING_KEY", "{}/key", b"short", "='{}/key': no private key of Ed25519 is in it", NOTHING, SIGNING),
]
wrong_keys = pytest.mark.parametrize(("variable", "value", "data", "wrong", "loss", "advice"), WRONG_KEYS)


class Program:
    """A program that records below `root`, with keys in `keys`."""

    def __init__(self, root: Path) -> None:
        self.root, self.keys = root / "log", root / "keys"
        self.keys.mkdir()
        self.seen = Capture()

    def start(self, **settings: str) -> RecordWriter:
        environ = {"OTEL_AGENTOPS_RECORDER": str(self.root), "OTEL_AGENTOPS_RECORDER_MODE": "full"}
        environ.update({f"OTEL_AGENTOPS_RECORDER_{name}": value for name, value in settings.items()})
        telemetry = _telemetry.Telemetry(_config.read_config(environ), **self.seen.providers)
        _telemetry.replace_default(telemetry)
        assert telemetry._recorder is not None
        return telemetry._recorder.writer

    def read(self, ring: KeyRing | None = None) -> list[Entry]:
        return list(open_records(self.root, ring)) if self.root.exists() else []


@pytest.fixture
def program(tmp_path: Path) -> Iterator[Program]:
    before = _telemetry.replace_default(None)
    yield Program(tmp_path)
    _telemetry.replace_default(before)


def refund() -> None:
    with otel_agentops.task("support", user="jane"), otel_agentops.tool("refund", arguments={"order": "A-1"}):
        pass


def read_warnings(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING]


@wrong_keys
def test_wrong_key_is_told_once_before_anything_is_recorded(
    program: Program, caplog: pytest.LogCaptureFixture, variable: str, value: str, data: bytes | None, wrong: str,
    loss: str, advice: str,
) -> None:  # fmt: skip
    if data is not None:
        (program.keys / "key").write_bytes(data)
    recorder = program.start(**{variable: value.format(program.keys)})
    wait_until(lambda: bool(caplog.records))
    refund()
    refund()
    assert recorder.close(10)
    problem = f"OTEL_AGENTOPS_RECORDER_{variable}{wrong.format(program.keys)}"
    assert read_warnings(caplog) == [f"{problem}; {loss} until that is corrected; {advice}"]


@wrong_keys
def test_nothing_is_on_disk_in_the_clear_without_the_key(
    program: Program, variable: str, value: str, data: bytes | None, wrong: str, loss: str, advice: str
) -> None:
    if data is not None:
        (program.keys / "key").write_bytes(data)
    recorder = program.start(**{variable: value.format(program.keys)})
    refund()
    refund()
    assert recorder.close(10)
    (point,) = program.seen.metrics[M.RECORDER_LOST]
    assert (point["attributes"], point["value"]) == ({A.RECORDER_REASON: "key"}, 2)
    gaps = [(entry.reason, entry.count) for entry in program.read() if isinstance(entry, Gap)]
    assert gaps == ([("key", 2)] if variable == "KEY" else [])
    assert len(program.read()) == len(gaps)
    assert "A-1" not in dump_disk(program.root)


def test_encrypted_recording_begins_when_the_key_is_there(program: Program, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recorder_keys, "_RETRY_S", 0.0)
    recorder = program.start(KEY=str(program.keys / "key"))
    refund()
    wait_until(lambda: recorder.losses == {"key": 1})
    (program.keys / "key").write_bytes(bytes(32))
    refund()
    assert recorder.close(10)
    gap, tool = sorted(program.read(KeyRing(program.root, bytes(32))), key=lambda entry: entry.kind)
    assert isinstance(gap, Gap) and (gap.reason, gap.count, tool.kind) == ("key", 1, "tool")
    assert read_json(tool, "arguments") == {"order": "A-1"}
    assert recorder.losses == {"key": 1}


def test_signed_recording_begins_when_the_key_is_there(program: Program, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writer, "_RETRY_S", 0.01)
    recorder = program.start(SIGNING_KEY=str(program.keys / "key"))
    wait_until(lambda: recorder.trouble is not None)
    refund()
    (program.keys / "key").write_bytes(bytes(32))
    wait_until(lambda: recorder.trouble is None)
    assert recorder.close(10)
    (tool,) = program.read()
    assert read_json(tool, "arguments") == {"order": "A-1"}  # it has waited in memory
    assert recorder.losses == {}


def test_master_key_of_others_is_told_and_counted(program: Program, caplog: pytest.LogCaptureFixture) -> None:
    for number in range(2):
        (program.keys / "key").write_bytes(bytes([number]) * 32)
        recorder = program.start(KEY=str(program.keys / "key"))
        refund()
        assert recorder.close(10)
    assert recorder.losses == {"key": 1}
    (message,) = read_warnings(caplog)
    problem = f"OTEL_AGENTOPS_RECORDER_KEY='{program.keys / 'key'}': {program.root}"
    assert message.startswith(problem) and "another master key has wrapped this key; no entry with" in message


def test_process_that_records_nothing_leaves_the_directory_alone(tmp_path: Path) -> None:
    (tmp_path / "key").write_bytes(bytes(32))
    answers = [False]
    recorder = RecordWriter(Settings(tmp_path / "log", signing_key=str(tmp_path / "key"), retire=answers.pop))
    assert not recorder._start_token and recorder.close(10)
    assert answers == [False] and not (tmp_path / "log").exists()
