"""Exported evidence: the page, its data, and what a browser makes of hostile words."""

from __future__ import annotations

import hashlib
import json
import os
import re
import subprocess
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import openai
import pytest
from openai.types.chat import ChatCompletion
from pyarrow.parquet import read_table
from recorded_tasks import record_into, run_command

import otel_agentops
from otel_agentops._hashing import identity
from otel_agentops.recorder.commands.bundle import (
    Bundle,
    dump_bundle,
    load_bundle,
    parse_bundle,
    read_bundle,
    redact_bundle,
)
from otel_agentops.recorder.commands.index import RecordIndex
from otel_agentops.recorder.commands.page import render_bundle
from otel_agentops.recorder.commands.serving import ReplayServer
from otel_agentops.recorder.notes import parse_checkpoint, verify_checkpoint
from otel_agentops.recorder.tree import hash_leaf, verify_inclusion
from otel_agentops.recorder.writer import Encoded, RecordWriter, Settings
from otel_agentops.semconv import attributes as A
from otel_agentops.testing.fake_provider import Answer, FakeProvider

HOSTILE = (
    "</script><script>document.title='owned'</script><!--<script>"
    '<img src="http://127.0.0.1:9/x" onerror="document.title=\'owned\'">\u2028\u2029 &amp; \ud83d'
)
SECRET = "sk-proj-abcdefghij0123456789"


def export(folder: Path, task: str) -> Bundle:
    index = RecordIndex(folder)
    bundle, _ = load_bundle(task, index)
    index.close()
    return bundle


def record_words(folder: Path, provider: FakeProvider, prompt: str, answer: str) -> Bundle:
    provider.answer(lambda call: Answer(text=answer))
    with record_into(folder):
        client = openai.OpenAI(api_key="k", base_url=provider.openai_url)
        ask: Any = {"model": "gpt-x", "messages": [{"role": "user", "content": prompt}]}
        httpx_body = json.dumps(ask).encode()  # the SDK cannot send half a character by itself
        client.post("/chat/completions", content=httpx_body, cast_to=ChatCompletion)
    index = RecordIndex(folder)
    (row,) = index.find_rows()
    index.close()
    return export(folder, row["ref"])


def test_bundle_keeps_every_byte(refunds: Path) -> None:
    bundle = export(refunds, "task-bad")
    document = json.loads(json.dumps(dump_bundle(bundle)))
    again = parse_bundle(document, "again")
    assert len(again.steps) == 4
    for step, other in zip(bundle.steps, again.steps, strict=True):
        assert (step.entry, step.parts, step.contents) == (other.entry, other.parts, other.contents)
        for part, content in zip(other.parts, other.contents, strict=True):
            assert part.sha256 in (hashlib.sha256(content or b"").hexdigest(), None if part.name == "headers" else "")
    assert len(set(document["pieces"])) == len(document["pieces"])


def test_found_chunks_are_shown_and_exported(tmp_path: Path) -> None:
    with record_into(tmp_path), otel_agentops.task("support", id="T-1"):
        for words in ("Refunds take a week.", f"the key is {SECRET}"):
            with otel_agentops.retrieval("articles", query="refund") as search:
                search.documents([{"id": "shelf-9", "score": 0.5, "text": words}])
    shown = json.loads(run_command("show", "T-1", "--dir", tmp_path, "--json").stdout)
    found = [turn["facts"]["found 1"] for turn in shown["turns"]]
    assert found[0] == f"id shelf-9, score 0.5, hash {identity('Refunds take a week.')}"
    bundle = export(tmp_path, "T-1")
    again = parse_bundle(json.loads(json.dumps(dump_bundle(bundle))), "again")
    assert [step.parts for step in again.steps] == [step.parts for step in bundle.steps]
    counts = [[len(part.found) for part in step.parts] for step in redact_bundle(bundle).steps]
    assert counts == [[0, 1], [0, 0]]  # a hash of the secret does not leave


def test_proofs_lead_to_a_signed_checkpoint(refunds: Path) -> None:
    bundle = export(refunds, "task-bad")
    (facts,) = bundle.writers.values()
    checkpoint = parse_checkpoint(facts["checkpoint"])
    assert verify_checkpoint(facts["checkpoint"], facts["verifier_key"])
    for step in bundle.steps:
        path = [bytes.fromhex(node) for node in bundle.proofs[step.entry.ref]]
        leaf = hash_leaf(step.entry.line)
        assert verify_inclusion(leaf, step.entry.index, checkpoint.size, path, checkpoint.root)
        if step.parts:
            assert step.entry.commitment == hashlib.sha256(step.manifest or b"").hexdigest()
            hashes = [part.get("sha256") for part in json.loads(step.manifest or b"")["parts"]]
            assert hashes == [part.sha256 for part in step.parts]


def test_entry_of_a_later_version_does_not_break_proofs(tmp_path: Path) -> None:
    """It is a leaf of the tree, though nobody here can read it."""
    writer = RecordWriter(Settings(tmp_path), dict)
    for kind in ("of tomorrow", "outcome"):
        head = {"kind": kind, "time_ns": 1, "monotonic_ns": 1, "attributes": {A.TASK_ID: "T-1"}}
        writer.offer(100, partial(Encoded, head))
    assert writer.close(10)
    bundle = export(tmp_path, "T-1")
    (step,) = bundle.steps
    checkpoint = parse_checkpoint(bundle.writers[step.entry.ref.partition("/")[0]]["checkpoint"])
    proof = [bytes.fromhex(node) for node in bundle.proofs[step.entry.ref]]
    leaf = hash_leaf(step.entry.line)
    assert verify_inclusion(leaf, step.entry.index, checkpoint.size, proof, checkpoint.root)


def test_secrets_are_taken_out_unless_asked_for(provider: FakeProvider, tmp_path: Path) -> None:
    bundle = record_words(tmp_path, provider, f"my key is {SECRET}", f"keep {SECRET} safe")
    assert SECRET in render_bundle(bundle)
    redacted = redact_bundle(bundle)
    assert SECRET not in render_bundle(redacted)
    hashes = {part.sha256 for step in bundle.steps for part in step.parts if part.name in ("request", "response")}
    assert not any(digest in render_bundle(redacted) for digest in hashes if digest)  # a short secret could be guessed
    with ReplayServer(redacted) as server:  # the application still sends the secret
        client = openai.OpenAI(api_key="k", base_url=server.openai_url)
        answer = client.chat.completions.create(
            model="gpt-x", messages=[{"role": "user", "content": f"my key is {SECRET}"}]
        )
        assert answer.choices[0].message.content == "keep [redacted] safe"


def test_secrets_of_a_writers_resource_are_taken_out() -> None:
    bundle = Bundle([], {}, {"w": {"service": "shop", "resource": {"process.command_line": f"app --key {SECRET}"}}})
    assert redact_bundle(bundle).writers == {
        "w": {"service": "shop", "resource": {"process.command_line": "app --key [redacted]"}}
    }


@pytest.mark.parametrize(("answer", "is_kept"), [(f"keep {SECRET} safe", False), ("keep it safe", True)])
def test_bytes_of_a_stream_with_a_secret_are_left_out(
    provider: FakeProvider, tmp_path: Path, answer: str, is_kept: bool
) -> None:
    provider.answer(lambda call: Answer(text=answer, chunks=9))  # the secret is spread over several events
    with record_into(tmp_path):
        client = openai.OpenAI(api_key="k", base_url=provider.openai_url)
        turns: Any = [{"role": "user", "content": "what shall I do"}]
        list(client.chat.completions.create(model="gpt-x", messages=turns, stream=True))
    index = RecordIndex(tmp_path)
    (row,) = index.find_rows()
    index.close()
    (step,) = redact_bundle(export(tmp_path, row["ref"])).steps
    assert (step.read("stream") is not None, step.manifest is not None) == (is_kept, is_kept)
    assert b"data: [DONE]" in (step.read("stream") or b"data: [DONE]")
    assert len((step.read("chunks") or b"").splitlines()) > 3


@pytest.mark.parametrize("ending", ["html", "json"])
def test_exported_file_is_read_and_served(refunds: Path, tmp_path: Path, ending: str) -> None:
    file = tmp_path / f"incident.{ending}"
    option = {"html": "--html", "json": "--bundle"}[ending]
    made = run_command("export", "task-bad", option, file, "--dir", refunds)
    assert made.exit_code == 0, made.output
    bundle = read_bundle(file)
    assert bundle.is_redacted
    assert [step.contents for step in bundle.steps] == [step.contents for step in export(refunds, "task-bad").steps]
    assert json.loads(run_command("show", f"{file}#2", "--json").stdout)["turns"][0]["number"] == 2


@pytest.mark.parametrize("ending", ["json", "html"])
def test_one_call_is_exported_alone(refunds: Path, tmp_path: Path, ending: str) -> None:
    file = tmp_path / f"call.{ending}"
    option = "--html" if ending == "html" else "--bundle"
    assert run_command("export", "task-bad#2", option, file, "--dir", refunds).exit_code == 0
    ((step,), whole) = read_bundle(file).steps, export(refunds, "task-bad")
    assert step.entry == whole.steps[2].entry
    refused = run_command("export", "task-bad#3", option, tmp_path / "none.html", "--dir", refunds)
    assert (refused.exit_code, "the trace has 2 calls" in refused.output) == (1, True)


@pytest.mark.parametrize(
    ("options", "code", "sentence"),
    [
        (("--redact", "no_module:hide"), 1, "no_module:hide: there is no such function"),
        (("--bundle", "page.html"), 2, "are the same file"),
    ],
)
def test_wrong_input_of_an_export_is_a_sentence(
    refunds: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, options: tuple[str, ...], code: int, sentence: str
) -> None:
    monkeypatch.chdir(tmp_path)
    shown = run_command("export", "task-bad", "--html", "page.html", "--dir", refunds, *options)
    assert shown.exit_code == code and sentence in shown.output
    assert not list(tmp_path.iterdir())


def test_page_allows_its_own_script_alone(refunds: Path) -> None:
    page = render_bundle(export(refunds, "task-bad"))
    policy = re.search('Content-Security-Policy" content="([^"]*)"', page)
    assert policy is not None
    assert policy[1].startswith("default-src 'none'; script-src 'sha256-")
    assert "unsafe" not in policy[1]
    assert "http://" not in page.partition('id="bundle"')[0]
    assert "innerHTML" not in page


def test_damaged_bundle_is_one_sentence(tmp_path: Path) -> None:
    file = tmp_path / "incident.json"
    file.write_text('{"format": "otel-agentops-bundle/1", "entries": [{}]}')
    shown = run_command("show", file)
    assert shown.exit_code == 1
    assert shown.output.count("\n") == 1
    assert "the bundle is damaged" in shown.output


def test_table_has_a_row_for_each_entry(refunds: Path, tmp_path: Path) -> None:
    file = tmp_path / "records.parquet"
    assert run_command("export", "--parquet", file, "--dir", refunds).exit_code == 0
    kinds = read_table(file).column("kind").to_pylist()
    assert kinds.count("call") == 4


# -- in a browser

Browse = Callable[..., str]


@pytest.fixture
def browse(tmp_path: Path, chromium: Path) -> Browse:
    """Open a page in Chromium without a network; the function returns the document as it is after the scripts."""

    def open_page(page: str, *, width: int = 1200) -> str:
        file = tmp_path / "page.html"
        file.write_text(page, encoding="utf-8")
        command = [
            str(chromium), "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run",
            "--disable-background-networking", "--disable-component-update", "--disable-sync",
            "--host-resolver-rules=MAP * ~NOTFOUND", f"--user-data-dir={tmp_path / 'profile'}",
            f"--window-size={width},900", "--virtual-time-budget=10000",
        ]  # fmt: skip
        if picture := os.environ.get("AGENTOPS_SCREENSHOTS"):
            subprocess.run([*command, f"--screenshot={picture}-{width}.png", file.as_uri()], capture_output=True)
        done = subprocess.run([*command, "--dump-dom", file.as_uri()], capture_output=True, text=True, timeout=120)
        return done.stdout

    return open_page


@pytest.mark.parametrize("width", [1200, 390])
def test_browser_shows_the_conversation(refunds: Path, browse: Browse, width: int) -> None:
    document = browse(render_bundle(export(refunds, "task-bad")), width=width)
    assert 'data-state="ready"' in document
    assert document.count("<article") == 4
    assert '<pre class="words">I have refunded 80 euros.</pre>' in document


def test_browser_shows_hostile_words_as_text(provider: FakeProvider, tmp_path: Path, browse: Browse) -> None:
    bundle = record_words(tmp_path / "recorder", provider, HOSTILE, HOSTILE.replace("\ud83d", ""))
    document = browse(render_bundle(bundle))
    assert 'data-state="ready"' in document
    assert "<title>Record of" in document
    assert "<img" not in document
    assert "&lt;img src=" in document


def test_browser_folds_a_prompt_of_a_megabyte(provider: FakeProvider, tmp_path: Path, browse: Browse) -> None:
    bundle = record_words(tmp_path / "recorder", provider, "word " * 210_000, "Read.")
    page = render_bundle(bundle)
    assert "data-packed" in page
    document = browse(page)
    assert 'data-state="ready"' in document
    assert "(1,050,000 characters)" in document
    assert document.count("word word") < 100_000 / 5
