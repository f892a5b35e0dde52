"""`otel-agentops slo generate` as a person runs it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from otel_agentops import slo
from otel_agentops.slo import generate

SPEC = "{name: a, sli: tool_success, objective: 0.9, owner: o, runbook: r}\n"
NOTE = (
    "note: a: 14.4 times the budget of 0.1 is 1.44 of all events, which nothing can exceed; the alert over 5m and 1h "
    "takes 8 times (0.8) instead\n"
)


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
    assert run(directory, *arguments) == (0, "".join(f"out/{path}\n" for path in made), NOTE)
    assert contents(directory / "out") == made
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
