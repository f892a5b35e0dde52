"""The clients' own tests pass with us, and the comparison that says so finds what breaks."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

import ends
import peers
import toolchain
from suites import SOURCES, WITHOUT_TESTS

pytestmark = pytest.mark.slow

SUITE = '''
"""What a client's suite may hold: run 1 is without, 2 with, 3 and 4 the same again for what broke."""

import pathlib

import httpx2
import openai
import pytest
from openai._base_client import SyncAPIClient

runs = pathlib.Path(__file__).with_name("runs")


def test_that_makes_a_span():
    answer = httpx2.MockTransport(lambda request: httpx2.Response(200, json={"model": "gpt-x", "choices": []}))
    client = openai.OpenAI(api_key="k", http_client=httpx2.Client(transport=answer))
    assert client.chat.completions.create(model="gpt-x", messages=[]).model == "gpt-x"


def test_that_breaks():
    assert not hasattr(SyncAPIClient.request, "__wrapped__"), "somebody is here"


def test_that_fails():
    assert False


def test_that_fails_now_and_then():
    runs.write_text(runs.read_text() + "." if runs.exists() else ".")
    assert runs.read_text() != ".."


@pytest.fixture
def broken_teardown():
    yield
    assert False


def test_that_fails_in_the_end(broken_teardown):
    pass


def test_that_is_skipped():
    pytest.skip("not here")
'''


def suite(client: str) -> peers.Suite:
    """The unpacked tests of a client; where they are not to be had the test is skipped, with CI=true it fails."""
    try:
        return peers.suite(client, processes=0)
    except toolchain.UnavailableError as reason:
        if os.environ.get("CI") == "true":
            pytest.fail(str(reason))
        pytest.skip(str(reason))


@pytest.mark.parametrize(("client", "least"), [("openai", 500), ("anthropic", 500), ("ollama", 50)])
def test_nothing_breaks(client: str, least: int) -> None:
    """Requests, responses and streams; `make peers` runs everything, and the clients of fewer people."""
    found = peers.compare(suite(client), "ours", quick=True)
    assert found.broke == {}
    assert found.observed.swallowed == []
    assert not found.unseen
    assert len(found.without.passed) > least


def test_every_client_takes_part_or_it_is_said_why_not() -> None:
    assert {*ends.adapters()} <= {*SOURCES, *WITHOUT_TESTS}
    assert not SOURCES.keys() & WITHOUT_TESTS.keys()
    said = (ends.ROOT / "docs" / "compatibility.md").read_text()
    assert [client for client in (*SOURCES, *WITHOUT_TESTS) if f"| {client} |" not in said] == []


@pytest.fixture
def small(tmp_path: Path) -> peers.Suite:
    """A suite of one file, in the environment of the real ones."""
    suite("openai")
    (tmp_path / "tests").mkdir()
    (tmp_path / "tests" / "test_small.py").write_text(SUITE)
    return peers.Suite("openai", tmp_path, processes=0)


def test_what_breaks_is_found(small: peers.Suite, capsys: pytest.CaptureFixture[str]) -> None:
    found = peers.compare(small, "ours")
    test = "tests/test_small.py::test_that_{}".format
    assert found.without.tests == {
        test("makes_a_span"): "passed",
        test("breaks"): "passed",
        test("fails"): "failed",
        test("fails_now_and_then"): "passed",
        test("fails_in_the_end"): "failed",
        test("is_skipped"): "skipped",
    }
    assert found.observed.tests.keys() == found.without.passed
    assert list(found.broke) == [test("breaks")]
    assert found.flaky == [test("fails_now_and_then")]
    assert (found.unseen, found.harmless) == (False, False)
    assert peers.idle("openai", "ours", found.without, found.without), "no span of ours: nothing was observed"
    assert not peers.idle("openrouter", "ours", found.without, found.observed), "patched, where no test asks a model"
    assert peers.idle("openrouter", "ours", found.without, found.without)
    peers.show(small.client, "ours", found)
    said = capsys.readouterr().out
    assert "somebody is here" in said
    assert "1 broke" in said
