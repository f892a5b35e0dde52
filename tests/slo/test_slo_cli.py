"""`otel-agentops slo generate` as a person runs it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from otel_agentops import slo
from otel_agentops.slo import prometheus

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


def test_rules_are_printed_and_what_was_changed_is_said(directory: Path) -> None:
    text = prometheus.text(slo.load(directory / "slo"), 60)
    assert run(directory, "--time-scale", "60") == (0, text, NOTE)


def test_a_file_is_written_and_checked(directory: Path) -> None:
    arguments = ("--slo", "slo/a.yaml", "--out", "out/rules.yaml")
    stale = "out/rules.yaml does not follow from slo/a.yaml; run this without --check, or `make gen`, and commit it\n"
    assert run(directory, *arguments, "--check") == (1, "", NOTE + stale)
    assert run(directory, *arguments) == (0, "", NOTE)
    assert (directory / "out" / "rules.yaml").read_text() == prometheus.text(slo.load(directory / "slo"))
    assert run(directory, *arguments, "--check") == (0, "", NOTE)
    (directory / "slo" / "a.yaml").write_text(SPEC.replace("owner: o", "owner: other"))
    assert run(directory, *arguments, "--check") == (1, "", NOTE + stale)


@pytest.mark.parametrize(
    ("spec", "arguments", "sentence"),
    [
        (SPEC.replace("tool_success", "tools"), (), "slo/a.yaml:1: sli: 'tools' is no service level indicator; "),
        (SPEC.replace("0.9", "0.1"), (), "a: objective: with a budget of 0.9 even 0.8 of bad events burn "),
        (SPEC, ("--time-scale", "0.5"), "time_scale is 0.5; take one between 1 and 600"),
        (SPEC, ("--slo", "nothing"), "nothing: cannot be read: No such file or directory"),
        (SPEC, ("--check",), "--check compares a file; name it with --out"),
    ],
)
def test_one_sentence(directory: Path, spec: str, arguments: tuple[str, ...], sentence: str) -> None:
    (directory / "slo" / "a.yaml").write_text(spec)
    code, printed, said = run(directory, *arguments)
    assert (code, printed) == (1, "")
    assert said.startswith(f"otel-agentops slo: {sentence}")
    assert said.count("\n") == 1
