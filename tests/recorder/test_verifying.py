"""Verification: a changed byte, a removed or rewritten entry and a rolled-back log are named; what is whole is ok."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Sequence
from pathlib import Path

import pytest
from recorder_entries import make_body, make_encode, make_writer, offer
from typer.testing import CliRunner

from otel_agentops import cli
from otel_agentops.recorder import keys, segment, writer
from otel_agentops.recorder.commands import log
from otel_agentops.recorder.keys import KeyRing, load_master_key
from otel_agentops.recorder.parts import PartMaker
from otel_agentops.recorder.reading import list_segment_files, open_records, read_part
from otel_agentops.recorder.segment import MAGIC, SegmentError, iterate_frames, pack_frame
from otel_agentops.recorder.verifying import KeptHead, verify_records
from otel_agentops.recorder.writer import Encoded, RecordWriter, Settings, TreeHead


def write_log(root: Path, count: int = 60) -> list[TreeHead]:
    heads: list[TreeHead] = []
    recorder = RecordWriter(Settings(root), lambda: {"service.name": "shop"}, heads.append)
    for number in range(count):
        offer(recorder, number)
    assert recorder.close(10)
    return heads


def find_problems(root: Path, heads: list[KeptHead] | None = None, ring: KeyRing | None = None) -> list[str]:
    return [finding.text for finding in verify_records(root, heads or (), ring) if finding.level == "problem"]


def test_whole_log_is_verified_against_the_kept_head(tmp_path: Path) -> None:
    (head,) = write_log(tmp_path)
    assert head.size == 60
    assert find_problems(tmp_path, [KeptHead(head.writer, head.size, head.root)]) == []


def test_any_changed_byte_is_a_problem(tmp_path: Path) -> None:
    write_log(tmp_path, 5)
    (file,) = list_segment_files(tmp_path)
    whole = file.read_bytes()
    for place in range(0, len(whole), 97):
        file.write_bytes(whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :])
        assert find_problems(tmp_path) != [], place
    file.write_bytes(whole)
    assert find_problems(tmp_path) == []


def test_log_that_was_written_anew_is_not_that_of_the_kept_head(tmp_path: Path) -> None:
    (head,) = write_log(tmp_path)
    (file,) = list_segment_files(tmp_path)
    kept = KeptHead(head.writer, head.size, head.root)
    other = RecordWriter(Settings(tmp_path / "other"), lambda: {"service.name": "shop"})
    other.id = head.writer  # whoever owns the host can write another history under the same name
    for number in range(60):
        offer(other, number + 1)
    assert other.close(10)
    shutil.copy(list_segment_files(tmp_path / "other")[0], file)
    shutil.rmtree(tmp_path / "other")
    assert find_problems(tmp_path) == []
    assert find_problems(tmp_path, [kept]) == ["its first 60 entries are not those of the head that was kept"]


def test_removed_segment_is_missed_by_the_kept_head(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writer, "_PIECE_BYTES", 2000)
    (head,) = write_log(tmp_path)
    kept = [KeptHead(head.writer, head.size, head.root)]
    assert find_problems(tmp_path, kept) == []
    list_segment_files(tmp_path)[-1].unlink()
    (problem,) = find_problems(tmp_path, kept)
    assert "had 60 entries when a head was kept" in problem


def test_command_line_lists_and_verifies(tmp_path: Path) -> None:
    write_log(tmp_path, 3)
    runner = CliRunner()
    listed = runner.invoke(log.app, ["ls", str(tmp_path), "--task", "t", "--json"])
    assert [json.loads(line)["attributes"]["number"] for line in listed.output.splitlines()] == [0, 1, 2]
    assert runner.invoke(log.app, ["ls", str(tmp_path), "--task", "other", "--json"]).output == ""
    verified = runner.invoke(log.app, ["verify", str(tmp_path)])
    assert verified.exit_code == 0 and "3 entries, sealed" in verified.output
    (file,) = list_segment_files(tmp_path)
    file.write_bytes(file.read_bytes()[:-3])
    assert runner.invoke(log.app, ["verify", str(tmp_path)]).exit_code == 1


def write_encrypted(root: Path, ring: KeyRing, tenants: Sequence[str] = ("acme", "globex"), count: int = 20) -> None:
    recorder = make_writer(root)
    maker = PartMaker({"request": "full"}, None, None)
    for number in range(count):
        tenant = tenants[number % len(tenants)]

        def encode(number: int = number, tenant: str = tenant) -> Encoded:
            encoded = make_encode(number, maker=maker, task=tenant)()
            return encoded._replace(cipher=ring.find_key(tenant, encoded.head["time_ns"]))

        recorder.offer(1000, encode)
    assert recorder.close(10)


def test_content_without_its_key_is_unreadable(tmp_path: Path) -> None:
    key_file = tmp_path / "master.key"
    key_file.write_text("5f" * 32)
    root = tmp_path / "log"
    ring = KeyRing(root, load_master_key(str(key_file)))
    write_encrypted(root, ring)
    (file,) = list_segment_files(root)
    assert b"You help" not in file.read_bytes()
    entries = list(open_records(root, KeyRing(root, load_master_key(str(key_file)))))
    assert all(read_part(entry, "request") for entry in entries)
    with pytest.raises(SegmentError, match="no key is at hand"):
        read_part(next(open_records(root)), "request")
    assert KeyRing(root, load_master_key(str(key_file))).delete_tenant("acme")
    ring = KeyRing(root, load_master_key(str(key_file)))
    for entry in open_records(root, ring):
        if entry.task_id == "acme":
            with pytest.raises(SegmentError, match="is gone"):
                read_part(entry, "request")
        elif entry.task_id == "globex":
            assert read_part(entry, "request")
    assert sorted(finding.level for finding in verify_records(root, (), ring)) == ["note", "ok"]


def test_content_of_many_tenants_is_read_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """More keys than streams: those that were not written for longest begin anew."""
    monkeypatch.setattr(segment, "_MOST_STREAMS", 3)
    monkeypatch.setattr(segment, "FULL_FRAME", 500)
    ring = KeyRing(tmp_path, bytes(32))
    write_encrypted(tmp_path, ring, [f"tenant-{number}" for number in range(8)], 80)
    entries = list(open_records(tmp_path, KeyRing(tmp_path, bytes(32))))
    assert [read_part(entry, "request") for entry in entries] == [
        make_body(int(entry.attributes["number"])) for entry in entries
    ]
    assert len(entries) == 80
    assert find_problems(tmp_path, ring=KeyRing(tmp_path, bytes(32))) == []


def change_content(file: Path) -> None:
    """Change a byte of the first block of content, and all hashes that anybody can make anew."""
    data, digest, is_changed = MAGIC, b"", False
    with file.open("rb") as opened:
        frames = list(iterate_frames(opened))
    for frame in frames:
        content = frame.content
        if content and not is_changed:
            content, is_changed = content[:-1] + bytes([content[-1] ^ 1]), True
        previous = digest or frame.previous
        packed = pack_frame(
            frame.kind, frame.heads, previous, content, frame.codec, frame.key, frame.first_piece, frame.begins_stream
        )
        data, digest = data + packed, hashlib.sha256(packed).digest()
    file.write_bytes(data)


@pytest.mark.parametrize("is_encrypted", [False, True])
def test_changed_content_is_a_problem_whatever_hashes_say(tmp_path: Path, is_encrypted: bool) -> None:
    ring = KeyRing(tmp_path, bytes(32))
    if is_encrypted:
        write_encrypted(tmp_path, ring)
    else:
        write_log(tmp_path, 20)
    (file,) = list_segment_files(tmp_path)
    change_content(file)
    assert {finding.level for finding in verify_records(tmp_path, (), ring)} == {"problem"}


def test_content_that_is_not_verified_says_why(tmp_path: Path) -> None:
    write_encrypted(tmp_path, KeyRing(tmp_path, bytes(32)))
    texts = [
        [finding.text for finding in verify_records(tmp_path, (), ring) if finding.level == "note"]
        for ring in (None, KeyRing(tmp_path, bytes([1]) * 32))
    ]
    no_key, (other_key,) = texts
    assert no_key == ["the content of 20 entries was not read: the content is encrypted, and no key is at hand"]
    assert other_key.startswith("the content of 20 entries was not read: ") and "another master key" in other_key


def test_key_of_another_master_is_refused(tmp_path: Path) -> None:
    KeyRing(tmp_path, bytes(32)).find_key("acme", 0)
    with pytest.raises(SegmentError, match="another master key"):
        KeyRing(tmp_path, bytes([1]) * 32).find_key("acme", 0)


def test_key_that_another_process_replaced_is_loaded_anew(tmp_path: Path) -> None:
    rings = [KeyRing(tmp_path, bytes(32)) for _ in range(3)]
    old = [ring.find_key("acme", 0).id for ring in rings]
    assert len(set(old)) == 1
    rings[0].delete_tenant("acme")
    new = rings[1].find_key("acme", 0).id
    assert new == old[0]  # it has not looked again
    for ring in rings[1:]:
        ring.look_again()
    assert rings[1].find_key("acme", 0).id == rings[2].find_key("acme", 0).id != old[0]


def test_master_key_comes_from_a_command() -> None:
    assert load_master_key(f"command:echo {'ab' * 32}") == bytes.fromhex("ab" * 32)


@pytest.mark.parametrize(
    ("source", "sentence"),
    [
        ("command:false", "the command exits with 1"),
        ("command:", "the command cannot be run: no command is named"),
        ("command:no-such-program", "the command cannot be run: No such file or directory"),
        ("command:sleep 30", "the command takes longer than 0 s"),
        ("ab" * 32, "it is the key itself, not a file that has the key"),
        ("/no/file", "the file cannot be read: No such file or directory"),
        (__file__, "the key is not 32 bytes, raw, as hex or as base64"),
    ],
)  # fmt: skip
def test_key_that_cannot_be_had_is_a_sentence_without_it(
    source: str, sentence: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if "sleep" in source:
        monkeypatch.setattr(keys, "_COMMAND_S", 0)
    with pytest.raises(ValueError) as refused:
        load_master_key(source)
    assert str(refused.value) == sentence


def test_keys_of_a_directory_are_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also if the variable names the directory of another program."""
    (tmp_path / "key").write_bytes(bytes(32))
    write_encrypted(tmp_path / "log", KeyRing(tmp_path / "log", bytes(32)))
    monkeypatch.setenv("OTEL_AGENTOPS_RECORDER", str(tmp_path / "other"))
    monkeypatch.setenv("OTEL_AGENTOPS_RECORDER_KEY", str(tmp_path / "key"))
    arguments = ["record", "export", "acme", "--html", str(tmp_path / "page.html"), "--dir", str(tmp_path / "log")]
    exported = CliRunner().invoke(cli._build_app(), arguments)
    assert exported.exit_code == 0 and "is not in it" not in exported.output
    verified = CliRunner().invoke(cli._build_app(), ["record", "verify", str(tmp_path / "log")])
    assert verified.exit_code == 0 and "no key" not in verified.output


def test_export_says_what_it_could_not_read(tmp_path: Path) -> None:
    write_encrypted(tmp_path / "log", KeyRing(tmp_path / "log", bytes(32)))
    page = tmp_path / "page.html"
    arguments = ["record", "export", "acme", "--html", str(page), "--dir", str(tmp_path / "log")]
    exported = CliRunner().invoke(cli._build_app(), arguments)
    assert exported.exit_code == 0 and page.exists()
    assert "the content of 10 entries is not in it: " in exported.output
    assert "the content is encrypted, and no key is at hand" in exported.output


@pytest.mark.parametrize(
    ("command", "subject"),
    [("verify", "the master key"), ("traces", "OTEL_AGENTOPS_RECORDER_KEY")],
)
def test_key_in_the_place_of_its_file_is_not_printed(
    command: str, subject: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OTEL_AGENTOPS_RECORDER_KEY", "ab" * 32)
    monkeypatch.setenv("OTEL_AGENTOPS_RECORDER", str(tmp_path))
    result = CliRunner().invoke(cli._build_app(), ["record", command])
    sentence = f"otel-agentops record {command}: {subject}: it is the key itself, not a file that has the key\n"
    assert (result.exit_code, result.output) == (1, sentence)
