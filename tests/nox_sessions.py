"""Sessions of noxfile.py, as the tests of the ends and of the peers run them."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import NoReturn

import pytest

ROOT = Path(__file__).parents[1]
VARIABLES = {"UV": str(ROOT / ".tools" / "bin" / "uv"), **os.environ}  # nox installs with the uv that it names


def run_session(session: str, *arguments: str) -> tuple[int, str]:
    """Return the exit code and the output of a session; leave the test if its environment cannot be made."""
    code, output = _run_nox("--session", session, "--", *arguments)
    if code and "nox > python " not in output:
        _leave_test(session, output)
    return code, output


def install_environment(session: str) -> Path:
    """Return the Python of a session; leave the test if its environment cannot be made."""
    code, output = _run_nox("--install-only", "--session", session)
    if code:
        _leave_test(session, output)
    return ROOT / ".nox" / session.replace("(", "-").removesuffix(")") / "bin" / "python"


def _run_nox(*arguments: str) -> tuple[int, str]:
    command = [sys.executable, "-m", "nox", "--error-on-missing-interpreters", *arguments]
    with subprocess.Popen(
        command, cwd=ROOT, env=VARIABLES, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as process:
        output, _ = process.communicate()
    return process.returncode, output


def _leave_test(session: str, output: str) -> NoReturn:
    """Skip the test; fail it if CI is true."""
    if os.environ.get("CI") == "true":
        pytest.fail(output)
    pytest.skip(f"{session} cannot be installed: {output}")
