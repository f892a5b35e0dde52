"""`slo check`, `slo schema`, `slo export` and `slo import` as a person runs them."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner

from otel_agentops import slo
from otel_agentops.slo import schema
from otel_agentops.slo.cli import app
from otel_agentops.slo.exchange import openslo, sloth
from otel_agentops.written_files import add_hash

SPEC = "{name: a, sli: tool_success, objective: 0.99, owner: o, runbook: r}\n"


@pytest.fixture
def directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "slo").mkdir()
    (tmp_path / "slo" / "a.yaml").write_text(SPEC)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run(*arguments: str) -> tuple[int, str, str]:
    done = CliRunner().invoke(app, list(arguments))
    return done.exit_code, done.stdout, done.stderr


def test_check(directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(directory))
    monkeypatch.delenv("OTELCOL", raising=False)
    answer = "1 objective; their conditions are not checked by a collector\n"
    assert run("check") == (2, answer, "")
    assert run("check", "--without-collector") == (0, answer, "")
    (directory / "slo" / "a.yaml").write_text(SPEC.replace("0.99", "0.8"))
    code, _, said = run("check")
    assert code == 2
    assert said.startswith("note: a: 14.4 times the budget of 0.2 is 2.88 of all events, which nothing can exceed")
    (directory / "slo" / "a.yaml").write_text(SPEC.replace("0.99", "0.2"))
    code, printed, said = run("check")
    assert code == 1
    assert (printed + said).startswith("otel-agentops slo: a: objective: with a budget of 0.8 even 0.8 of bad events")


def test_schema(directory: Path) -> None:
    assert run("schema") == (0, schema.render_schema(), "")
    assert run("schema", "--out", "s.json") == (0, "s.json\n", "")
    assert (directory / "s.json").read_text("utf-8") == add_hash(schema.render_schema())
    assert run("schema", "--out", "s.json", "--check") == (0, "", "")
    (directory / "s.json").write_text("{}")
    code, printed, said = run("schema", "--out", "s.json", "--check")
    sentence = "s.json: not the schema of this version; run this without --check and commit the result\n"
    assert (code, printed + said) == (1, sentence)
    code, printed, said = run("schema", "--check")
    assert (code, printed + said) == (1, "otel-agentops slo: --check compares a file; name it with --out\n")


def test_exports(directory: Path) -> None:
    slos = slo.load(directory / "slo")
    assert run("export", "openslo") == (0, openslo.render_text(slos), "")
    code, printed, said = run("export", "sloth")
    assert (code, printed) == (0, sloth.render_text(slos))
    assert said == "note: a: sloth has no minimum of events (20) or failures (3) before an alert\n"
    (directory / "slo" / "b.yaml").write_text(SPEC.replace("name: a", "name: b_c"))
    (directory / "slo" / "c.yaml").write_text(SPEC.replace("name: a", "name: b-c"))
    code, printed, said = run("export", "openslo")
    sentence = "otel-agentops slo: b-c and b_c have one name in OpenSLO, 'b-c'; rename one of them\n"
    assert (code, printed + said) == (1, sentence)


def test_an_export_can_be_imported(directory: Path) -> None:
    assert run("export", "openslo", "--out", "x.yaml")[0] == 0
    assert run("import", "openslo", "x.yaml", "--out", "again") == (0, "again/a.yaml\n", "")
    assert slo.load(directory / "again") == slo.load(directory / "slo")


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("nothing.yaml",), "nothing.yaml: cannot be read: No such file or directory"),
        (("slo/a.yaml",), "slo/a.yaml:1: apiVersion: None is not read; openslo/v1 is"),
        (("slo/a.yaml", "--sli", "errors"), "--sli errors: is no NAME=SLI; write for instance --sli errors=task_"),
        (("slo/a.yaml", "--sli", "errors={"), "'{' is no YAML: "),
    ],
)  # fmt: skip
def test_one_sentence(directory: Path, arguments: tuple[str, ...], sentence: str) -> None:
    code, printed, said = run("import", "openslo", *arguments)
    assert (code, printed + said)[0] == 1
    assert (printed + said).startswith(f"otel-agentops slo: {sentence}")
    assert (printed + said).count("\n") == 1
    assert [path.name for path in directory.rglob("*.yaml")] == ["a.yaml"]


@pytest.mark.parametrize("command", [("schema",), ("export", "openslo"), ("export", "sloth")], ids=" ".join)
def test_out_spares_files_of_others(directory: Path, command: tuple[str, ...]) -> None:
    (directory / "mine").write_text("mine\n")
    code, printed, said = run(*command, "--out", "mine")
    assert (code, printed) == (1, "")
    assert said.startswith("otel-agentops slo: mine: not written by otel-agentops, and left as it is; ")
    assert (directory / "mine").read_text() == "mine\n"
    assert run(*command, "--out", "mine", "--force")[0] == 0
    assert (directory / "mine.bak").read_text() == "mine\n"
    assert run(*command, "--out", "mine")[:2] == (0, "mine\n")
    for place in ("slo", "mine/below"):
        code, printed, said = run(*command, "--out", place)
        assert (code, printed) == (1, "")
        assert said.startswith(f"otel-agentops slo: {place}: cannot be written: ")


def test_import_into_a_file_is_one_sentence(directory: Path) -> None:
    assert run("export", "openslo", "--out", "x.yaml")[0] == 0
    code, printed, said = run("import", "openslo", "x.yaml", "--out", "slo/a.yaml")
    sentence = "otel-agentops slo: slo/a.yaml/a.yaml: cannot be written: File exists; choose another place\n"
    assert (code, printed, said) == (1, "", sentence)
