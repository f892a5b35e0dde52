"""`otel-agentops slo generate` as a person runs it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from otel_agentops import slo
from otel_agentops.slo import generate
from otel_agentops.version import __version__
from otel_agentops.written_files import add_hash

SPEC = "{name: a, sli: tool_success, objective: 0.9, owner: o, runbook: r}\n"
NOTE = (
    "note: a: 14.4 times the budget of 0.1 is 1.44 of all events, which nothing can exceed; the alert over 5m and 1h "
    "takes 8 times (0.8) instead\n"
)
NEED = "note: a: tool_success needs tool calls of an instrumented framework, or `tool` around each tool\n"


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    (tmp_path / "slo").mkdir()
    (tmp_path / "slo" / "a.yaml").write_text(SPEC)
    return tmp_path


def run(directory: Path, *arguments: str) -> tuple[int, str, str]:
    command = [sys.executable, "-m", "otel_agentops.cli", "slo", "generate", *arguments]
    done = subprocess.run(command, cwd=directory, capture_output=True, text=True)
    return done.returncode, done.stdout, done.stderr


def contents(directory: Path) -> dict[str, str]:
    return {str(path.relative_to(directory)): path.read_text() for path in directory.rglob("*") if path.is_file()}


def test_files_are_written_and_checked(directory: Path) -> None:
    arguments = ("--slo", "slo/a.yaml", "--out", "out", "--time-scale", "60")
    made = generate.files(slo.load(directory / "slo"), 60)
    code, printed, said = run(directory, *arguments, "--check")
    assert (code, printed) == (1, "")
    assert said.startswith(NOTE + "out/")
    assert run(directory, *arguments) == (0, "".join(f"out/{path}\n" for path in made), NOTE + NEED)
    assert contents(directory / "out") == {path: add_hash(text) for path, text in made.items()}
    assert run(directory, *arguments, "--check") == (0, "", NOTE)
    rules = directory / "out" / "prometheus" / "otel-agentops.rules.yaml"
    rules.write_text("")
    stale = "out/prometheus/otel-agentops.rules.yaml: not what follows from slo/a.yaml; "
    assert run(directory, *arguments, "--check") == (
        1,
        "",
        f"{NOTE}{stale}run this without --check and commit the result\n",
    )


@pytest.mark.parametrize(
    ("spec", "arguments", "sentence"),
    [
        (SPEC.replace("tool_success", "tools"), (), "slo/a.yaml:1: sli: 'tools' is no service level indicator; "),
        (SPEC.replace("0.9", "0.1"), (), "a: objective: with a budget of 0.9 even 0.8 of bad events burn "),
        (SPEC, ("--time-scale", "0.5"), "time_scale is 0.5; take one between 1 and 600"),
        (SPEC, ("--slo", "nothing"), "nothing: cannot be read: No such file or directory"),
    ],
)
def test_one_sentence(directory: Path, spec: str, arguments: tuple[str, ...], sentence: str) -> None:
    (directory / "slo" / "a.yaml").write_text(spec)
    code, printed, said = run(directory, *arguments)
    assert (code, printed) == (1, "")
    assert said.startswith(f"otel-agentops slo: {sentence}")
    assert said.count("\n") == 1


def test_mistakes_have_a_line_each(directory: Path) -> None:
    (directory / "slo" / "a.yaml").write_text(SPEC.replace("0.9", "95").replace("runbook: r", "window: 30"))
    code, printed, said = run(directory)
    assert (code, printed) == (1, "")
    assert said.splitlines() == [
        "otel-agentops slo: slo/a.yaml:1: objective: 95 will not do: it is a part of all events, between 0 and 1; did "
        "you mean 0.95?",
        "otel-agentops slo: slo/a.yaml:1: runbook: is missing; add it",
        "otel-agentops slo: slo/a.yaml:1: window: 30 will not do: input should be a valid string",
    ]


# -- files of others


def test_no_file_of_others_is_overwritten(directory: Path) -> None:
    """A dashboard and rules of the team have the names that ours would get."""
    dashboard, rules = Path("out/grafana/agentops-budget.json"), Path("out/prometheus/otel-agentops.rules.yaml")
    for path, text in ((dashboard, "{}\n"), (rules, "groups: []\n")):
        (directory / path).parent.mkdir(parents=True)
        (directory / path).write_text(text)
    before = contents(directory)
    code, printed, said = run(directory, "--out", "out")
    assert (code, printed, contents(directory)) == (1, "", before)
    assert {str(dashboard), str(rules)} < {*said.replace(",", "").replace(":", "").split()}
    assert said.endswith(
        "not written by otel-agentops, and left as it is; move it away, choose another place, or overwrite it with "
        "--force, which keeps a backup\n"
    )
    code, _, said = run(directory, "--out", "out", "--force")
    assert code == 0
    assert f"note: {rules}: its old content is kept as {rules}.bak\n" in said
    assert (directory / f"{dashboard}.bak").read_text() == "{}\n"
    assert (directory / f"{rules}.bak").read_text() == "groups: []\n"


def test_an_edited_file_is_kept_as_a_backup(directory: Path) -> None:
    assert run(directory)[0] == 0
    rules = directory / "backends" / "prometheus" / "otel-agentops.rules.yaml"
    made = rules.read_text()
    rules.write_text(f"{made}# mine\n")
    code, _, said = run(directory)
    assert code == 0
    kept = f"note: {rules.relative_to(directory)}: its old content is kept as {rules.relative_to(directory)}.bak\n"
    assert said == NOTE + kept + NEED
    assert (rules.read_text(), rules.with_name(f"{rules.name}.bak").read_text()) == (made, f"{made}# mine\n")
    assert run(directory, "--check")[0] == 0


@pytest.mark.parametrize(
    ("out", "sentence"),
    [
        ("slo/a.yaml", "cannot be written: Not a directory; choose another place"),
        ("/proc/nothing", "cannot be written: No such file or directory; choose another place"),
    ],
)
def test_out_that_cannot_be_written_is_one_sentence(directory: Path, out: str, sentence: str) -> None:
    code, printed, said = run(directory, "--out", out)
    assert (code, printed, said.count("\n")) == (1, "", 2)
    assert said.startswith(f"{NOTE}otel-agentops slo: {out}/")
    assert said.endswith(f": {sentence}\n")


def test_version_is_printed() -> None:
    for argument in ("--version", "version"):
        command = [sys.executable, "-m", "otel_agentops.cli", argument]
        done = subprocess.run(command, capture_output=True, text=True)
        assert (done.returncode, done.stdout, done.stderr) == (0, f"{__version__}\n", "")
