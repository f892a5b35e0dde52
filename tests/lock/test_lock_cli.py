"""`otel-agentops lock` as a person runs it: what it writes, what it says, and how it ends."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from ruamel.yaml import YAML
from typer.testing import CliRunner

from otel_agentops.lock import fragment, load
from otel_agentops.lock.cli import app
from otel_agentops.written_files import add_hash

LOCK = """\
version: 1
model:
  gpt-x:
    - {value: gpt-x-1, owner: ben, date: 2026-01-01}  # the old one
  gpt-z:
    - {value: gpt-z-1, service: other, owner: ben, date: 2026-01-01}
index:
  docs:
    - {value: v1, owner: ben, date: 2026-01-01}
"""


def payload(model: str | None = "gpt-x-2", service: str = "shop") -> str:
    """One model call, as the collector's file exporter writes it."""
    attributes = {"gen_ai.operation.name": "chat", "gen_ai.request.model": "gpt-x", "gen_ai.response.model": model}
    span = {"attributes": [_attribute(key, value) for key, value in attributes.items() if value is not None]}
    resource = {"attributes": [_attribute("service.name", service)]}
    return json.dumps({"resourceSpans": [{"resource": resource, "scopeSpans": [{"spans": [span]}]}]}) + "\n"


def _attribute(key: str, value: str) -> dict[str, Any]:
    return {"key": key, "value": {"stringValue": value}}


@pytest.fixture(autouse=True)
def directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "agentops.lock").write_text(LOCK)
    (tmp_path / "spans.jsonl").write_text(payload())
    return tmp_path


def run(*arguments: str) -> tuple[int, str, str]:
    done = CliRunner().invoke(app, arguments)
    return done.exit_code, done.stdout, done.stderr


UPDATE = ("update", "--from", "spans", "spans.jsonl")
UNSEEN = "note: every service: model of gpt-x: gpt-x-1 was not seen; --prune takes it out\n"


def test_the_command_is_there(directory: Path) -> None:
    command = [sys.executable, "-m", "otel_agentops.cli", "lock", "check", "--from", "spans", "spans.jsonl"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (1, "")
    assert done.stdout.startswith("unlisted: shop: model of gpt-x: gpt-x-2: 1 times, 100.0% of gpt-x\n")


def test_new_value_without_an_owner_is_not_written(directory: Path) -> None:
    code, printed, said = run(*UPDATE)
    assert (code, printed) == (2, "")
    assert said == (
        "otel-agentops lock: agentops.lock: 1 new values need somebody who answers for them; say who with --owner\n"
    )
    assert (directory / "agentops.lock").read_text() == LOCK


def test_an_update_shows_what_it_adds_and_what_was_not_seen(directory: Path) -> None:
    code, printed, said = run(*UPDATE, "--owner", "anna")
    assert (code, said) == (0, UNSEEN)
    added = [line for line in printed.splitlines() if line.startswith(("+ ", "- "))]
    assert len(added) == 1
    assert added[0].startswith('+    - {value: "gpt-x-2", service: shop, owner: anna, date: 2')
    lines = (directory / "agentops.lock").read_text().splitlines()
    assert lines == [*LOCK.splitlines()[:4], added[0][1:], *LOCK.splitlines()[4:]]
    assert run(*UPDATE, "--owner", "anna") == (
        0,
        "agentops.lock: holds everything that was seen in spans.jsonl\n",
        UNSEEN,
    )
    assert (directory / "agentops.lock").read_text().splitlines() == lines
    assert sorted(path.name for path in directory.iterdir()) == ["agentops.lock", "spans.jsonl"]


def test_pruning_spares_what_the_source_knows_nothing_of(directory: Path) -> None:
    """The index was never seen at all, and the other service neither: that is no proof."""
    code, _, said = run(*UPDATE, "--owner", "anna", "--prune")
    assert (code, said) == (0, "")
    text = (directory / "agentops.lock").read_text()
    assert "gpt-x-1" not in text
    assert "the old one" not in text
    assert "gpt-z-1" in text
    assert "docs" in text


def test_a_dry_run_writes_nothing(directory: Path) -> None:
    code, printed, _ = run(*UPDATE, "--owner", "anna", "--dry-run")
    assert code == 0
    assert '+    - {value: "gpt-x-2"' in printed
    assert (directory / "agentops.lock").read_text() == LOCK


def test_what_was_not_reported_is_never_approved(directory: Path) -> None:
    (directory / "spans.jsonl").write_text(payload(None) + payload(""))
    assert run(*UPDATE, "--owner", "anna") == (0, "agentops.lock: holds everything that was seen in spans.jsonl\n", "")
    code, printed, _ = run("check", "--from", "spans", "spans.jsonl")
    assert (code, printed) == (
        0,
        "floating: shop: gpt-x was answered by nobody knows which model: 2 times, 100.0% of shop\n",
    )


@pytest.mark.parametrize(
    ("arguments", "content", "sentence"),
    [
        (("check", "--from", "spans"), "", "--from spans: name the files that the collector's file exporter wrote"),
        (("check", "--from", "spans", "no.jsonl"), "", "no.jsonl: cannot be read: No such file or directory"),
        (("check", "--from", "spans", "spans.jsonl"), "", "spans.jsonl: nothing was seen; look at another file"),
        (("check", "--from", "spans", "spans.jsonl"), "{\n", "spans.jsonl:1: is no JSON: "),
        (("check", "--from", "spans", "spans.jsonl"), payload() + "[]\n", "spans.jsonl:2: is no OTLP-JSON payload; "),
        (("check", "--from", "spans", "spans.jsonl", "--lock", "no.lock"), payload(), "no.lock: cannot be read: "),
        (("check", "--from", "prometheus", "--url", "http://127.0.0.1:1"), "", "http://127.0.0.1:1: cannot be asked: "),
        (("check", "--from", "prometheus", "--url", "nowhere"), "", "nowhere: cannot be asked: "),
        (("check", "--from", "prometheus", "--window", "week"), "", "--window: 'week' is no duration; "),
        (("fragment", "--lock", "no.lock"), "", "no.lock: cannot be read: "),
    ],
)
def test_what_cannot_be_said_is_one_sentence(
    directory: Path, arguments: tuple[str, ...], content: str, sentence: str
) -> None:
    (directory / "spans.jsonl").write_text(content)
    code, printed, said = run(*arguments)
    assert (code, printed) == (2, "")
    assert said.startswith(f"otel-agentops lock: {sentence}")
    assert said.count("\n") == 1


def test_a_variable_that_is_none() -> None:
    code, _, said = run(*UPDATE, "--variable", "traffic")
    assert code == 2
    assert "'traffic' is no variable" in said


def test_a_fragment_is_written_and_checked(directory: Path) -> None:
    made = fragment.render_text([load(directory / "agentops.lock")])
    assert run("fragment") == (0, made, "")
    stale = "out/lock.yaml: not what follows from agentops.lock; run this without --check and commit it"
    done = CliRunner().invoke(app, ["fragment", "--out", "out/lock.yaml", "--check"])
    assert (done.exit_code, done.stdout, done.stderr) == (1, "", f"{stale}\n")
    assert run("fragment", "--out", "out/lock.yaml") == (0, "", "")
    assert (directory / "out" / "lock.yaml").read_text() == add_hash(made)
    assert run("fragment", "--out", "out/lock.yaml", "--check") == (0, "", "")


def test_the_schema_knows_a_lock_file() -> None:
    schema = json.loads(run("schema")[1])
    content = YAML(typ="safe").load(LOCK.replace("2026-01-01", '"2026-01-01"'))
    jsonschema.validate(content, schema)
    content["model"]["gpt-x"][0]["ownr"] = "x"
    with pytest.raises(jsonschema.ValidationError, match="'ownr' was unexpected"):
        jsonschema.validate(content, schema)


def test_a_fragment_spares_files_of_others(directory: Path) -> None:
    (directory / "mine.yaml").write_text("a: 1\n")
    code, printed, said = run("fragment", "--out", "mine.yaml")
    assert (code, printed) == (2, "")
    assert said.startswith("otel-agentops lock: mine.yaml: not written by otel-agentops, and left as it is; ")
    assert (directory / "mine.yaml").read_text() == "a: 1\n"
    note = "note: mine.yaml: its old content is kept as mine.yaml.bak\n"
    assert run("fragment", "--out", "mine.yaml", "--force") == (0, "", note)
    assert (directory / "mine.yaml.bak").read_text() == "a: 1\n"


@pytest.mark.parametrize(
    "command", [("fragment", "--out"), (*UPDATE, "--owner", "anna", "--lock")], ids=["out", "lock"]
)
def test_a_place_that_cannot_be_written_is_one_sentence(command: tuple[str, ...]) -> None:
    code, _, said = run(*command, "spans.jsonl/x.yaml")
    assert (code, said.count("\n")) == (2, 1)
    assert said.startswith("otel-agentops lock: spans.jsonl/x.yaml: cannot be ")
