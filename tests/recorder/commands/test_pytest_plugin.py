"""The pytest plugin, in a pytest of its own."""

from __future__ import annotations

from pathlib import Path

import pytest
from recorded_tasks import run_command

pytest_plugins = ["pytester"]
AGENT = """
import os, httpx, pytest

def ask(text):
    body = {"model": "gpt-x", "messages": [{"role": "user", "content": text}]}
    return httpx.post(os.environ["OPENAI_BASE_URL"] + "/chat/completions", json=body)
"""


@pytest.fixture
def tests(pytester: pytest.Pytester, refunds: Path) -> pytest.Pytester:
    made = run_command("export", "task-bad", "--html", pytester.path / "incident.html", "--dir", refunds)
    assert made.exit_code == 0, made.output
    pytester.makeconftest('pytest_plugins = ["otel_agentops.recorder.pytest_plugin"]')
    return pytester


def test_marked_test_fails_on_a_miss(tests: pytest.Pytester) -> None:
    tests.makepyfile(
        AGENT
        + """
@pytest.mark.recorded("incident.html")
def test_agent():
    assert ask("something else").status_code == 409

def test_other():
    assert "OPENAI_BASE_URL" not in os.environ
"""
    )
    result = tests.runpytest_subprocess("-p", "no:cacheprovider")
    result.assert_outcomes(passed=2, errors=1)
    result.stdout.fnmatch_lines(["*this request is not call 1 of the recording: /messages*"])


def test_marked_test_is_answered_from_the_bundle(tests: pytest.Pytester) -> None:
    tests.makepyfile(
        AGENT
        + """
@pytest.mark.recorded("incident.html", lenient=True)
def test_agent(recorded):
    answer = ask("something else").json()
    assert answer["choices"][0]["message"]["tool_calls"][0]["function"]["name"] == "find_order"
    assert len(recorded.waiting) == 1

@pytest.mark.recorded("incident.html", complete=True)
def test_complete():
    pass

@pytest.mark.recorded("nowhere.html")
def test_nowhere():
    pass
"""
    )
    result = tests.runpytest_subprocess("-p", "no:cacheprovider")
    result.assert_outcomes(passed=2, errors=2)
    result.stdout.fnmatch_lines(["*recorded calls were not made: 1, 2*", "*nowhere.html: cannot be read*"])
