"""What the sink makes of tools, retrievals, verdicts and outcomes, and what it leaves of an application alone."""

from __future__ import annotations

import gc
import subprocess
import sys
import weakref
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF
from recorder_entries import dump_disk, wait_until

import otel_agentops
from otel_agentops import _config, _telemetry, doctor
from otel_agentops._hashing import identity
from otel_agentops.recorder.entries import Entry, FoundChunk, Gap, Intent, Judgement, Outcome, Retrieval, ToolRun
from otel_agentops.recorder.keys import KeyRing
from otel_agentops.recorder.reading import list_segment_files, open_records, read_json, read_part, read_parts
from otel_agentops.recorder.subjects import Subject, delete_subject
from otel_agentops.recorder.verifying import verify_records
from otel_agentops.semconv import attributes as A
from otel_agentops.semconv import events as E
from otel_agentops.semconv import metrics as M
from otel_agentops.testing import Capture


def install(seen: Capture, root: Path, mode: str = "full", **settings: str) -> _telemetry.Telemetry:
    names = {f"OTEL_AGENTOPS_{name}": value for name, value in settings.items()}
    environ = {"OTEL_AGENTOPS_RECORDER": str(root), "OTEL_AGENTOPS_RECORDER_MODE": mode, **names}
    return _telemetry.Telemetry(_config.read_config(environ), **seen.providers)


@pytest.fixture
def seen() -> Capture:
    return Capture()


@pytest.fixture
def telemetry(seen: Capture, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[_telemetry.Telemetry]:
    telemetry = install(seen, tmp_path, **getattr(request, "param", {}))
    before = _telemetry.replace_default(telemetry)
    yield telemetry
    _telemetry.replace_default(before)


def read_all(telemetry: _telemetry.Telemetry, root: Path) -> list[Entry]:
    assert telemetry._recorder is not None and telemetry._recorder.writer.close(10)
    return list(open_records(root))


def run_task(tenant: str | None = None) -> None:
    @otel_agentops.tool("refund", effect="irreversible")
    def refund(order: str) -> dict[str, str]:
        return {"refunded": order}

    with otel_agentops.task("support", tenant=tenant) as run:
        refund("A-1")
        with otel_agentops.retrieval("articles", version="7", query="where is it") as search:
            search.documents([{"id": "shelf-9", "score": 0.5, "text": "here"}])
        with otel_agentops.judge("tone", model="j", threshold=0.5) as verdict:
            verdict.score(0.9)
        receipt = run.receipt()
    otel_agentops.outcome(True, receipt=receipt, source="refund")


def test_every_kind_is_recorded_with_its_content(telemetry: _telemetry.Telemetry, tmp_path: Path) -> None:
    run_task()
    intent, tool, retrieval, judgement, outcome = read_all(telemetry, tmp_path)
    assert isinstance(intent, Intent) and (intent.tool, intent.effect) == ("refund", "irreversible")
    assert read_json(intent, "arguments") == {"order": "A-1"}
    assert isinstance(tool, ToolRun) and (tool.effect, tool.intent) == ("irreversible", intent.ref)
    assert read_json(tool, "result") == {"refunded": "A-1"}
    assert isinstance(retrieval, Retrieval) and read_json(retrieval, "query") == "where is it"
    assert read_json(retrieval, "documents")[0]["id"] == "shelf-9"
    assert isinstance(judgement, Judgement) and judgement.attributes[A.GEN_AI_EVALUATION_SCORE_VALUE] == 0.9
    assert judgement.attributes[A.GEN_AI_EVALUATION_NAME] == "tone"
    assert read_json(judgement, "configuration")["model"] == "j"
    assert isinstance(outcome, Outcome) and outcome.attributes[A.TRUTH_VERDICT] == "good"
    assert {entry.task_id for entry in (intent, tool, retrieval, judgement, outcome)} == {intent.task_id}
    assert [entry.missing for entry in (intent, tool, retrieval, judgement, outcome)] == [()] * 5
    disk = dump_disk(tmp_path)
    assert all(word in disk for word in ("refunded", "A-1", "where is it", "shelf-9"))


def test_unsampled_tool_with_effects_is_recorded(tmp_path: Path, seen: Capture) -> None:
    environ = {"OTEL_AGENTOPS_RECORDER": str(tmp_path), "OTEL_AGENTOPS_RECORDER_MODE": "full"}
    telemetry = _telemetry.Telemetry(_config.read_config(environ), TracerProvider(sampler=ALWAYS_OFF))
    before = _telemetry.replace_default(telemetry)
    run_task()
    _telemetry.replace_default(before)
    assert [entry.kind for entry in read_all(telemetry, tmp_path)][:2] == ["intent", "tool"]


def test_intent_is_on_disk_before_the_tool_runs(telemetry: _telemetry.Telemetry, tmp_path: Path) -> None:
    kinds: list[list[str]] = []

    @otel_agentops.tool("pay", effect="write")
    def pay() -> None:
        kinds.append([entry.kind for entry in open_records(tmp_path)])

    pay()
    assert kinds == [["intent"]]
    read_all(telemetry, tmp_path)


@pytest.mark.parametrize("telemetry", [{"mode": "hashes", "HASH_KEY": "k"}], indirect=True)
def test_hashes_mode_keeps_no_word(telemetry: _telemetry.Telemetry, tmp_path: Path) -> None:
    run_task()
    entries = read_all(telemetry, tmp_path)
    parts = [part for entry in entries for part in read_parts(entry)]
    assert parts and all(part.hmac and part.sha256 is None and part.byte_size for part in parts)
    assert all(read_json(entry, "result") is None for entry in entries)


SECRET = "sk-ant-api03-" + "a1B2" * 12


@pytest.mark.parametrize("key", [None, b"k"])
@pytest.mark.parametrize("mode", ["full", "redacted", "hashes", "off"])
def test_found_chunks_are_named_in_their_order(seen: Capture, tmp_path: Path, mode: str, key: bytes | None) -> None:
    """In every mode a text can be found again by its hash, and no id is there that the mode does not keep."""
    settings = {} if key is None else {"HASH_KEY": key.decode()}
    telemetry = install(seen, tmp_path, f"full,documents={mode}", **settings)
    before = _telemetry.replace_default(telemetry)
    texts = ["Refunds take a week.", f"the key is {SECRET}"]
    with otel_agentops.retrieval("articles", query="refund") as search:
        search.documents([{"id": "shelf-9", "score": 0.5, "text": texts[0]}, {"id": "shelf-2", "text": texts[1]}, "id"])
    _telemetry.replace_default(before)
    (entry,) = read_all(telemetry, tmp_path)
    (part,) = [part for part in read_parts(entry) if part.name == "documents"]
    if mode == "redacted" and key is None:
        texts = [document["content"] for document in read_json(entry, "documents")[:2]]
        assert SECRET not in texts[1]
    names, hashes = ["shelf-9", "shelf-2", "id"], [*(identity(text, key) for text in texts), None]
    chunks = [
        FoundChunk(id_hash=identity(name, key), hash=text_hash)
        if mode == "hashes"
        else FoundChunk(id=name, hash=text_hash)
        for name, text_hash in zip(names, hashes, strict=True)
    ]
    expected = (replace(chunks[0], score=0.5), *chunks[1:])
    assert part.found == (() if mode == "off" else expected)
    assert ("shelf" in dump_disk(tmp_path)) == (mode in ("full", "redacted"))
    assert "shelf" not in entry.line.decode() and not any(each in entry.line.decode() for each in hashes[:2] if each)
    assert {finding.level for finding in verify_records(tmp_path)} == {"ok"}


TENANT_MODES = "full,documents=hashes,result=off,tenant:acme=off,tenant:globex=hashes,tenant:initech=full"


@pytest.mark.parametrize("telemetry", [{"mode": TENANT_MODES}], indirect=True)
@pytest.mark.parametrize(
    ("tenant", "others", "state"),
    [(None, "full", "recorded"), ("initech", "full", "recorded"), ("globex", "hashes", "hashes")],
)
def test_class_and_tenant_have_modes_of_their_own(
    telemetry: _telemetry.Telemetry, seen: Capture, tmp_path: Path, tenant: str | None, others: str, state: str
) -> None:
    run_task(tenant)
    entries = read_all(telemetry, tmp_path)
    kept = {
        (entry.kind, part.name): "full" if read_part(entry, part.name) else "hashes" if part.sha256 else part.form
        for entry in entries
        for part in read_parts(entry)
    }
    assert kept == {
        ("intent", "arguments"): others,
        ("tool", "arguments"): others,
        ("tool", "result"): "off",
        ("retrieval", "query"): others,
        ("retrieval", "documents"): "hashes",
        ("judgement", "configuration"): others,
    }
    assert [(entry.kind, entry.tenant, entry.mode, entry.missing) for entry in entries] == [
        (kind, tenant, others, ()) for kind in ("intent", "tool", "retrieval", "judgement", "outcome")
    ]
    disk = dump_disk(tmp_path)
    words = {word: word in disk for word in ("refunded", "A-1", "where is it", "shelf-9")}
    assert words == {"refunded": False, "A-1": others == "full", "where is it": others == "full", "shelf-9": False}
    states = [span["attributes"][A.CONTENT_STATE] for span in seen.spans if A.CONTENT_STATE in span["attributes"]]
    assert states == [state] * 2
    assert {finding.level for finding in verify_records(tmp_path)} == {"ok"}


@pytest.mark.parametrize("telemetry", [{"mode": TENANT_MODES}], indirect=True)
def test_tenant_that_is_off_leaves_no_trace(telemetry: _telemetry.Telemetry, seen: Capture, tmp_path: Path) -> None:
    run_task("acme")
    assert read_all(telemetry, tmp_path) == []
    assert not any(A.CONTENT_STATE in span["attributes"] for span in seen.spans)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("telemetry", [{"mode": "off,tenant:acme=full"}], indirect=True)
def test_one_tenant_alone_can_be_recorded(telemetry: _telemetry.Telemetry, tmp_path: Path) -> None:
    run_task()
    run_task("acme")
    assert [(entry.kind, entry.tenant) for entry in read_all(telemetry, tmp_path)] == [
        (kind, "acme") for kind in ("intent", "tool", "retrieval", "judgement", "outcome")
    ]


def test_head_of_the_log_is_told_at_the_end(telemetry: _telemetry.Telemetry, seen: Capture, tmp_path: Path) -> None:
    run_task()
    entries = read_all(telemetry, tmp_path)
    (head,) = [event for event in seen.events if event["event_name"] == E.RECORDER_HEAD]
    assert head["attributes"][A.RECORDER_TREE_SIZE] == len(entries)
    assert head["attributes"][A.RECORDER_WRITER] == entries[0].ref.partition("/")[0]


def test_lost_entries_are_in_the_metric_and_doctor(
    telemetry: _telemetry.Telemetry, seen: Capture, tmp_path: Path
) -> None:
    assert telemetry._recorder is not None
    telemetry._recorder.writer._drops.append(("queue_full", 0))
    run_task()
    entries = read_all(telemetry, tmp_path)
    assert [(point["attributes"], point["value"]) for point in seen.metrics[M.RECORDER_LOST]] == [
        ({A.RECORDER_REASON: "queue_full"}, 1)
    ]
    assert [(entry.reason, entry.count) for entry in entries if isinstance(entry, Gap)] == [("queue_full", 1)]
    environ = {"OTEL_AGENTOPS_RECORDER": str(tmp_path), "OTEL_AGENTOPS_RECORDER_MODE": "full"}
    findings = {finding.text: finding.level for finding in doctor.check_recorder(environ)}
    assert findings["queue_full: 1 entries lost in 1 gaps"] == "warning"
    assert findings[f"full content goes to {tmp_path}"] == "ok"


def test_signing_key_that_is_none_is_a_problem(tmp_path: Path) -> None:
    path = tmp_path / "signing"
    environ = {"OTEL_AGENTOPS_RECORDER": str(tmp_path), "OTEL_AGENTOPS_RECORDER_SIGNING_KEY": str(path)}
    name = f"OTEL_AGENTOPS_RECORDER_SIGNING_KEY='{path}'"
    advice = "name a file with a key of Ed25519, as PEM or 32 raw bytes"
    text = f"{name}: No such file or directory; nothing is recorded"
    assert list(doctor.check_settings(environ)) == [doctor.Finding("problem", "settings", text, advice)]
    path.write_text("no key\n")
    text = f"{name}: no private key of Ed25519 is in it; nothing is recorded"
    assert list(doctor.check_settings(environ)) == [doctor.Finding("problem", "settings", text, advice)]


def test_right_settings_of_the_recorder_are_no_finding(tmp_path: Path) -> None:
    (tmp_path / "signing").write_bytes(b"k" * 32)
    environ = {
        "OTEL_AGENTOPS_RECORDER": str(tmp_path),
        "OTEL_AGENTOPS_RECORDER_MODE": "redacted,documents=hashes",
        "OTEL_AGENTOPS_RECORDER_SYNC": "each",
        "OTEL_AGENTOPS_RECORDER_QUEUE": "1000000",
        "OTEL_AGENTOPS_RECORDER_KEEP": "90d,20GB,retrieval=7d",
        "OTEL_AGENTOPS_RECORDER_KEY": f"command:echo {'ab' * 32}",
        "OTEL_AGENTOPS_RECORDER_SIGNING_KEY": str(tmp_path / "signing"),
    }
    assert list(doctor.check_settings(environ)) == []


@pytest.mark.parametrize("telemetry", [{"RECORDER_QUEUE": "1"}], indirect=True)
def test_dropped_content_is_said_on_the_span(telemetry: _telemetry.Telemetry, seen: Capture, tmp_path: Path) -> None:
    with otel_agentops.retrieval("articles", query="where is it"):
        pass
    (span,) = seen.spans
    assert span["attributes"][A.CONTENT_STATE] == "dropped"
    assert A.CONTENT_REF not in span["attributes"]
    assert [entry.kind for entry in read_all(telemetry, tmp_path)] == ["gap"]


def test_mode_is_off_unless_it_is_named(tmp_path: Path) -> None:
    telemetry = _telemetry.Telemetry(_config.read_config({"OTEL_AGENTOPS_RECORDER": str(tmp_path)}))
    assert telemetry._recorder is None
    (finding,) = doctor.check_recorder({"OTEL_AGENTOPS_RECORDER": str(tmp_path)})
    assert finding.level == "warning" and "the mode is off" in finding.text


def test_doctor_names_the_modes_of_classes_and_tenants(tmp_path: Path) -> None:
    environ = {"OTEL_AGENTOPS_RECORDER": str(tmp_path), "OTEL_AGENTOPS_RECORDER_MODE": "hashes, tenant:acme=full"}
    findings = {finding.text: finding.level for finding in doctor.check_recorder(environ)}
    assert findings[f"hashes,tenant:acme=full content goes to {tmp_path}"] == "ok"
    assert findings["content is not encrypted on disk"] == "note"


def test_nothing_is_imported_unless_it_is_on() -> None:
    script = "import sys, otel_agentops; otel_agentops.task('t').__enter__(); print(sorted(sys.modules))"
    names = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout
    assert "otel_agentops._telemetry" in names
    assert "otel_agentops.recorder" not in names


def test_recording_imports_no_command(tmp_path: Path) -> None:
    script = "import sys, otel_agentops; otel_agentops.task('t').__enter__(); print(sorted(sys.modules))"
    environ = {"OTEL_AGENTOPS_RECORDER": str(tmp_path), "OTEL_AGENTOPS_RECORDER_MODE": "full"}
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, env=environ)
    assert "otel_agentops.recorder.writer" in done.stdout
    assert "otel_agentops.recorder.commands" not in done.stdout


def test_object_of_the_application_is_not_kept_alive(telemetry: _telemetry.Telemetry, tmp_path: Path) -> None:
    class Order:
        def __init__(self) -> None:
            self.number = "A-1"

    @otel_agentops.tool("find", effect="read")
    def find() -> Order:
        return Order()

    assert telemetry._recorder is not None
    telemetry._recorder.writer._start_token.clear()  # nobody takes it from the queue
    order = weakref.ref(find())
    gc.collect()
    assert telemetry._recorder.writer._queue and order() is None
    telemetry._recorder.writer._start_token.append(True)
    read_all(telemetry, tmp_path)


# Records one tool for each line that it is told, each in a segment of its own, and says so.
RECORDS_ON = """
import sys
import otel_agentops
from otel_agentops import _telemetry
from otel_agentops.recorder import writer
writer._PIECE_BYTES = 1
for line in sys.stdin:
    with otel_agentops.task("t", tenant=line.strip()), otel_agentops.tool("pay", effect="write", arguments={"n": 1}):
        pass
    recorder = _telemetry.get_default()._recorder
    print(recorder.writer.id, flush=True)
"""


def test_running_process_leaves_a_destroyed_key(tmp_path: Path) -> None:
    master, root = tmp_path / "master.key", tmp_path / "log"
    master.write_bytes(bytes(32))
    environ = {
        "OTEL_AGENTOPS_RECORDER": str(root),
        "OTEL_AGENTOPS_RECORDER_MODE": "full",
        "OTEL_AGENTOPS_RECORDER_KEY": str(master),
    }

    def list_sealed() -> list[Path]:
        return [file for file in list_segment_files(root) if file.suffix == ".seg"]

    with subprocess.Popen(
        [sys.executable, "-c", RECORDS_ON], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environ
    ) as process:
        assert process.stdin is not None and process.stdout is not None

        def record_tool(tenant: str) -> None:
            count = len(list_sealed())
            print(tenant, file=process.stdin, flush=True)
            assert process.stdout is not None and process.stdout.readline()
            wait_until(lambda: len(list_sealed()) >= count + 2)  # one of the intent, one of the tool

        record_tool("acme")
        record_tool("globex")
        subject = Subject("tenant", ("acme",))
        deleted = delete_subject(root, subject, actor="jane", reason="left", keys=KeyRing(root, bytes(32)))
        assert deleted.entry_count == 2
        record_tool("acme")
        record_tool("globex")
    states = []
    for entry in open_records(root, KeyRing(root, bytes(32))):
        if entry.kind == "intent":
            states.append((entry.tenant, read_json(entry, "arguments")))
    assert states == [("acme", None), ("globex", {"n": 1}), ("acme", {"n": 1}), ("globex", {"n": 1})]
