"""Reading of recorded traces on the command line: list, look-up, conversation, difference."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import openai
import pytest
from recorded_tasks import SYSTEM, record_into, run_command, run_refund

import otel_agentops
from otel_agentops.recorder import codec, reading
from otel_agentops.recorder.commands.diff import compare_words
from otel_agentops.recorder.commands.index import COLUMNS, FILE_NAME, Filter, RecordIndex
from otel_agentops.recorder.commands.lists import list_traces
from otel_agentops.recorder.entries import Entry
from otel_agentops.recorder.writer import Encoded, RecordWriter, Settings
from otel_agentops.testing.fake_provider import FakeProvider


def run_json(folder: Path, *arguments: str, code: int = 0) -> Any:
    result = run_command(*arguments, "--dir", folder, "--json")
    assert result.exit_code == code, result.output
    return json.loads(result.stdout)


def test_list_names_tasks_models_and_verdicts(refunds: Path) -> None:
    traces = run_json(refunds, "traces")["traces"]
    assert [
        {name: trace[name] for name in ("task", "task_name", "tenant", "models", "calls", "tools", "errors", "verdict")}
        for trace in traces
    ] == [
        {
            "task": f"task-{name}",
            "task_name": "refund",
            "tenant": "acme",
            "models": [f"gpt-x → {model}"],
            "calls": 2,
            "tools": 1,
            "errors": "",
            "verdict": verdict,
        }
        for name, model, verdict in (("good", "gpt-x-2026-03-01", None), ("bad", "gpt-x-2026-06-01", "bad"))
    ]


@pytest.mark.parametrize(
    ("options", "tasks"),
    [
        (["--model", "gpt-x-2026-06-01"], ["task-bad"]),
        (["--model", "gpt-x"], ["task-good", "task-bad"]),
        (["--verdict", "bad"], ["task-bad"]),
        (["--tool", "find_order"], ["task-good", "task-bad"]),
        (["--tenant", "other"], []),
        (["--task", "task-good"], ["task-good"]),
        (["--since", "1h"], ["task-good", "task-bad"]),
        (["--until", "1h"], []),
    ],
)
def test_list_is_filtered(refunds: Path, options: list[str], tasks: list[str]) -> None:
    traces = run_json(refunds, "traces", *options)["traces"]
    assert [trace["task"] for trace in traces] == tasks
    assert all(trace["calls"] == 2 for trace in traces)  # a trace is counted whole, whatever found it


def test_touched_is_an_exact_list(refunds: Path) -> None:
    document = run_json(refunds, "touched", "--model", "gpt-x-2026-06-01", "--since", "1h")
    assert document["is_complete"]
    assert [(one["task"], one["tenant"], one["operations"]) for one in document["touched"]] == [("task-bad", "acme", 2)]
    assert run_json(refunds, "touched", "--model", "gpt-x-2026-06-01", "--until", "1h")["touched"] == []


@pytest.mark.parametrize(
    ("size", "tasks"), [(-100, {"task-good", "task-bad"}), (40, set())], ids=["its end", "its head"]
)
def test_damaged_segment_is_named_and_the_rest_is_read(
    refunds: Path, tmp_path: Path, provider: FakeProvider, size: int, tasks: set[str]
) -> None:
    folder = tmp_path / "copy"
    shutil.copytree(refunds, folder)
    (damaged,) = folder.glob("v1/*/*/*.seg")
    damaged.write_bytes(damaged.read_bytes()[:size])
    with record_into(folder):
        run_refund(provider.openai_url, "task-new")
    found = run_command("touched", "--dir", folder, "--json")
    document = json.loads(found.stdout)
    assert (found.exit_code, document["is_complete"]) == (3, False)
    assert {one["task"] for one in document["touched"]} == {*tasks, "task-new"}
    assert [(gap["reason"], gap["lost"], str(damaged) in gap["detail"]) for gap in document["gaps"]] == [
        ("damaged", None, True)
    ]
    told = run_command("stats", "--dir", folder).output
    assert f"an unknown number of entries are missing there (damaged: {damaged}: " in told.replace("\n", " ")
    assert run_json(folder, "show", "task-new")["turns"]
    listed = run_command("ls", folder, "--json")
    entries = [json.loads(line) for line in listed.stdout.splitlines() if line.startswith("{")]
    assert {entry["attributes"].get("otel_agentops.task.id") for entry in entries} >= {*tasks, "task-new"}
    assert f"otel-agentops record ls: {damaged}: " in listed.output
    after_ns = damaged.stat().st_mtime_ns + 1
    index = RecordIndex(folder)
    assert index.find_gaps(since_ns=after_ns) == []
    index.close()


def test_gap_counts_for_the_time_before_it_was_written(refunds: Path, tmp_path: Path, provider: FakeProvider) -> None:
    folder = tmp_path / "copy"
    shutil.copytree(refunds, folder, ignore=shutil.ignore_patterns(f"{FILE_NAME}*"))
    (crashed,) = folder.glob("v1/*/*/*.seg")
    crashed.rename(crashed.with_suffix(".open"))  # as a process leaves it that is killed
    with record_into(folder):
        run_refund(provider.openai_url, "task-new")
    index = RecordIndex(folder)
    (gap,) = index.find_gaps()
    last_ns = max(row["time_ns"] for row in index.find_rows() if row["file"].endswith(crashed.name))
    assert (gap["reason"], gap["time_ns"] > last_ns) == ("crashed", True)
    assert index.find_gaps(until_ns=last_ns) == []
    assert index.find_gaps(until_ns=last_ns + 1) == [gap]
    assert index.find_gaps(since_ns=gap["time_ns"]) == [gap]
    assert index.find_gaps(since_ns=gap["time_ns"] + 1) == []
    index.close()


def test_losses_of_one_reason_are_added(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("otel_agentops._guard.is_strict", False)

    def fail() -> Encoded:
        raise ValueError("no entry")

    for count in (1, 2):
        writer = RecordWriter(Settings(tmp_path), dict)
        for _ in range(count):
            writer.offer(100, fail)
        assert writer.close(10)
    assert run_json(tmp_path, "stats")["lost"] == {"encoding": 3}


def test_show_reads_like_a_conversation(refunds: Path) -> None:
    first, tool, second, outcome = run_json(refunds, "show", "task-bad")["turns"]
    assert [turn["title"] for turn in (first, tool, second, outcome)] == [
        "chat gpt-x → gpt-x-2026-06-01",
        "tool find_order (read)",
        "chat gpt-x → gpt-x-2026-06-01",
        "outcome bad",
    ]
    assert [tuple(line.values()) for line in first["lines"]] == [
        ("tools", "find_order: Find an order by its number."),
        ("system", SYSTEM),
        ("user", "Refund A-17"),
        ("assistant", '→ find_order({"number": "A-17"})'),
    ]
    assert [tuple(line.values()) for line in tool["lines"]] == [
        ("arguments", '{"number":"A-17"}'),
        ("result", '{"number":"A-17","total":80}'),
    ]
    assert [tuple(line.values()) for line in second["lines"]] == [
        ("tool", '← {"number": "A-17", "total": 80}'),
        ("assistant", "I have refunded 80 euros."),
    ]
    assert "3 earlier messages as before" in second["notes"]


def test_show_finds_a_call_by_its_number(refunds: Path) -> None:
    trace = run_json(refunds, "traces")["traces"][1]["name"]
    assert [turn["number"] for turn in run_json(refunds, "show", f"{trace[:12]}#2")["turns"]] == [2]
    shown = run_command("show", f"{trace}#9", "--dir", refunds)
    assert (shown.exit_code, "no such call" in shown.output) == (1, True)


def test_diff_names_the_variable_then_the_words(refunds: Path) -> None:
    document = run_json(refunds, "diff", "task-good", "task-bad", code=1)
    states = {one["variable"]: one["state"] for one in document["variables"]}
    assert states == {
        "model": "changed",
        "prompt": "unchanged",
        "tools": "unchanged",
        "index": "unknown",
        "judge": "unknown",
        "traffic": "unchanged",
    }
    assert [(text["place"], text["before"], text["after"]) for text in document["texts"]] == [
        ("call 2: answer", "A colleague has to approve 80 euros.", "I have refunded 80 euros.")
    ]
    shown = run_command("diff", "task-good", "task-bad", "--dir", refunds).output
    assert shown.index("model    changed") < shown.index("[-")
    assert run_json(refunds, "diff", "task-good", "task-good")["texts"] == []


def test_words_of_long_texts_are_shortened() -> None:
    same = "word " * 1000
    pairs = list(compare_words(f"{same}old {same}", f"{same}new {same}"))
    assert [pair for pair in pairs if pair[0] != pair[1]] == [("old", "new")]
    assert sum(len(first) for first, _ in pairs) < 500


def test_entry_is_found_without_parsing_the_others(refunds: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    index = RecordIndex(refunds)
    rows = index.find_rows(Filter(task="task-bad"))
    parsed: list[bytes] = []
    parse_entry = reading.parse_entry

    def parse(line: bytes, *place: Any) -> Entry | None:
        parsed.append(line)
        return parse_entry(line, *place)

    monkeypatch.setattr(reading, "parse_entry", parse)
    entries = index.load_entries(rows[1:2])
    whole = index.load_entries(index.find_rows())
    index.close()
    assert [entry.ref for entry in entries] == [rows[1]["ref"]]
    assert len(parsed) == 1 + len(whole)
    assert entries[0] in whole and entries[0].position == whole[whole.index(entries[0])].position


def test_newest_traces_are_counted_whole(refunds: Path) -> None:
    index = RecordIndex(refunds)
    every, none_left = list_traces(index, Filter(), 1000)
    newest, left_out = list_traces(index, Filter(), 1)
    by_tool, _ = list_traces(index, Filter(tool="find_order"), 1000)
    index.close()
    assert (newest, none_left, left_out) == (every[-1:], 0, len(every) - 1)
    assert by_tool == [trace for trace in every if trace.tools]
    assert [trace.began for trace in every] == sorted(trace.began for trace in every)


def test_index_is_rebuilt_from_the_segments(refunds: Path, tmp_path: Path) -> None:
    folder = tmp_path / "copy"
    shutil.copytree(refunds, folder)
    index = RecordIndex(folder)
    rows = index.find_rows()
    index.close()
    assert {*rows[0]} == {*COLUMNS}
    (folder / FILE_NAME).write_bytes(b"no database at all")
    again = RecordIndex(folder)
    assert again.find_rows() == rows
    again.close()
    for segment in folder.glob("v1/*/*/*.seg"):
        segment.unlink()
    emptied = RecordIndex(folder)
    assert emptied.find_rows(Filter()) == []
    emptied.close()


def test_open_segment_is_read_as_it_grows(provider: FakeProvider, tmp_path: Path) -> None:
    with record_into(tmp_path):
        run_refund(provider.openai_url, "first")
        run_refund(provider.openai_url, "second")
    assert [trace["task"] for trace in run_json(tmp_path, "traces")["traces"]] == ["first", "second"]


def test_segment_sealed_after_the_look_up_is_read(provider: FakeProvider, tmp_path: Path) -> None:
    with record_into(tmp_path):
        run_refund(provider.openai_url, "task-open")
        end, rows = time.monotonic() + 10, []
        while len(rows) < 2 and time.monotonic() < end:
            rows = list(RecordIndex(tmp_path).find_rows())
        assert rows[0]["file"].endswith(".open")
    entries = RecordIndex(tmp_path).load_entries(rows)
    assert {entry.task_id for entry in entries} == {"task-open"}


def test_embedding_shows_its_input_and_no_vectors(provider: FakeProvider, tmp_path: Path) -> None:
    with record_into(tmp_path):
        client = openai.OpenAI(api_key="k", base_url=provider.openai_url, max_retries=0)
        with otel_agentops.task("search", id="task-search"):
            client.embeddings.create(model="embed-x", input=["where is it"])
    (turn,) = run_json(tmp_path, "show", "task-search")["turns"]
    assert turn["title"] == "embeddings embed-x"
    assert turn["lines"] == [{"role": "input", "text": '["where is it"]'}]
    assert turn["notes"] == ["the vectors are left out here"]


COMMANDS = [
    ("traces",),
    ("touched",),
    ("stats",),
    ("show", "T-1"),
    ("ls",),
    ("verify",),
    ("ship", "store"),
    ("delete", "--task", "T-1", "--reason", "r"),
]


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command[0])
def test_missing_directory_is_one_sentence(tmp_path: Path, command: Sequence[str]) -> None:
    shown = run_command(*command, "--dir", tmp_path / "nowhere")
    assert shown.exit_code == 1
    assert "there is no such directory; name the one that OTEL_AGENTOPS_RECORDER has" in shown.output


@pytest.mark.parametrize(
    ("since", "until", "count"),
    [("99999999999d", "9999-12-31", 2), ("0001-01-01", "2300-01-01", 2)],
)
def test_far_times_are_compared(refunds: Path, since: str, until: str, count: int) -> None:
    assert len(run_json(refunds, "touched", "--since", since, "--until", until)["touched"]) == count


def test_times_in_the_wrong_order_are_refused(refunds: Path) -> None:
    shown = run_command("touched", "--dir", refunds, "--since", "1h", "--until", "2h")
    assert shown.exit_code == 2 and "nothing can be between 1h and 2h" in shown.output


def test_list_says_what_it_leaves_out(refunds: Path) -> None:
    assert run_json(refunds, "traces", "--limit", "1")["left_out"] == 1
    shown = run_command("traces", "--dir", refunds, "--limit", "1")
    assert "the newest 1 of 2 traces; --limit shows more" in shown.output
    assert "newest" not in run_command("traces", "--dir", refunds, "--limit", "2").output


@pytest.mark.parametrize("number", [0, 3])
def test_difference_of_a_call_that_is_not_there_is_refused(refunds: Path, number: int) -> None:
    shown = run_command("diff", f"task-good#{number}", f"task-bad#{number}", "--dir", refunds)
    sentence = f"task-good#{number}: the trace has 2 calls; choose one with #, from 1"
    assert (shown.exit_code, shown.output) == (2, f"otel-agentops record diff: {sentence}\n")


def test_entries_are_listed_by_trace_and_kind(refunds: Path) -> None:
    lines = run_command("ls", "--dir", refunds, "--json", "--kind", "call").stdout.splitlines()
    traces = [json.loads(line)["trace_id"] for line in lines]
    assert len(traces) == 4 and traces[0] == traces[1]
    short = run_command("ls", refunds, "--json", "--kind", "call", "--trace", traces[0][:12]).stdout.splitlines()
    assert [json.loads(line)["trace_id"] for line in short] == traces[:2]
    assert run_command("verify", "--store", f"file://{refunds}").exit_code == 0


def test_wrong_kind_of_entry_is_refused(refunds: Path) -> None:
    shown = run_command("ls", refunds, "--kind", "calls")
    assert shown.exit_code == 2 and "'calls' is no kind of entry" in shown.output


def test_lists_obey_no_recorded_escape(provider: FakeProvider, tmp_path: Path) -> None:
    provider.alias("gpt-x", "gpt\x1b]0;owned\x07-x")
    with record_into(tmp_path):
        run_refund(provider.openai_url, "task-\x1b[2J")
    for command in ("ls", "traces", "touched", "stats"):
        assert "\x1b" not in run_command(command, "--dir", tmp_path).output


def test_table_in_a_pipe_has_a_line_for_each_row(refunds: Path) -> None:
    program = [sys.executable, "-m", "otel_agentops.cli", "record"]
    environ = {name: value for name, value in os.environ.items() if name != "COLUMNS"}
    listed = subprocess.run([*program, "ls", refunds], capture_output=True, text=True, env=environ, check=True).stdout
    assert len(listed.splitlines()) == 1 + 7
    assert all(len(line.split()[-2]) == 32 for line in listed.splitlines()[1:-1])
    verified = subprocess.run([*program, "verify", refunds], capture_output=True, text=True, env=environ, check=True)
    assert re.search(r"root [0-9a-f]{64}\n", verified.stdout)


def test_missing_codec_is_one_sentence(refunds: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "copy"
    shutil.copytree(refunds, folder, ignore=shutil.ignore_patterns(f"{FILE_NAME}*"))
    with monkeypatch.context() as patch:
        patch.setattr(codec, "_zstd", None)
        for command in ("traces", "ls", "verify"):
            shown = run_command(command, "--dir", folder)
            assert shown.exit_code == 1
            assert "a block is compressed with zstd; install otel-agentops[recorder]" in shown.output
    assert len(run_json(folder, "traces")["traces"]) == 2


def test_directory_of_somebody_else_is_one_sentence(refunds: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A list would be empty without a word, for `glob` passes over what it cannot read."""
    day = next(refunds.glob("v1/*/*"))
    scan = os.scandir

    def refuse(path: Path) -> Any:
        if Path(path) == day:
            raise PermissionError(13, "Permission denied", str(path))
        return scan(path)

    monkeypatch.setattr(os, "scandir", refuse)
    shown = run_command("traces", "--dir", refunds)
    sentence = f"{day}: cannot be read: Permission denied; run this as the user of the application"
    assert (shown.exit_code, shown.output) == (1, f"otel-agentops record traces: {sentence}\n")


def test_index_is_read_by_its_owner_alone(refunds: Path, tmp_path: Path) -> None:
    folder = tmp_path / "copy"
    shutil.copytree(refunds, folder, ignore=shutil.ignore_patterns(f"{FILE_NAME}*"))
    index = RecordIndex(folder)
    index.find_rows()
    modes = {file.name: file.stat().st_mode & 0o777 for file in folder.glob(f"{FILE_NAME}*")}
    assert modes == {FILE_NAME: 0o600, f"{FILE_NAME}-shm": 0o600, f"{FILE_NAME}-wal": 0o600}
    index.close()
