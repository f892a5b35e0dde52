"""`python -m` of the fake provider: a wrong option is one sentence."""

from __future__ import annotations

import subprocess
import sys

import pytest

from otel_agentops.testing.fake_provider.provider import FakeProvider


def run(*arguments: str) -> tuple[int, str]:
    """Run it and return the exit code and the last line of its error output."""
    command = [sys.executable, "-m", "otel_agentops.testing.fake_provider", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert "Traceback" not in done.stderr
    return done.returncode, done.stderr.splitlines()[-1]


def test_used_port_is_one_sentence() -> None:
    with FakeProvider() as provider:
        port = provider.url.rpartition(":")[2]
        sentence = f"--port {port}: Address already in use; take another one, or 0 for a free one"
        assert run("--port", port) == (2, f"fake_provider: error: {sentence}")


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("--port", "70000"), "--port 70000: no port has this number; take another one, or 0 for a free one"),
        (("--answers", "nowhere:f"), "--answers nowhere:f: No module named 'nowhere'; write it as MODULE:FUNCTION"),
        (("--answers", "json"), "--answers json: module 'json' has no attribute ''; write it as MODULE:FUNCTION"),
    ],
)
def test_wrong_option_is_one_sentence(arguments: tuple[str, ...], sentence: str) -> None:
    assert run(*arguments) == (2, f"fake_provider: error: {sentence}")
