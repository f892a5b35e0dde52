"""The clients' own tests pass with us, and the comparison that proves it finds tests that break."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import ends
import peers
from nox_sessions import install_environment, run_session
from suites import SOURCES, WITHOUT_TESTS, find_kept_versions
from support import load_adapters

pytestmark = pytest.mark.slow

# Client or framework, the number of parts, and fewer tests than each part has.
SUITES = (
    ("openai", 8, 50),
    ("anthropic", 8, 50),
    ("ollama", 1, 50),
    ("langchain_core", 1, 100),
    ("openai_agents", 1, 100),
    ("autogen", 1, 50),
    ("claude_agent_sdk", 1, 100),
    ("langchain", 1, 200),
    ("langgraph", 1, 150),
    ("mcp", 1, 150),
    ("smolagents", 1, 50),
)
TURNS = 32

SUITE = '''
"""A small suite of a client: run 1 is without, 2 with, 3 and 4 repeat them for the tests that broke."""

import pathlib
import types

import httpx2
import openai
import pytest
from openai._base_client import SyncAPIClient
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

runs = pathlib.Path(__file__).with_name("runs")


def test_that_makes_a_span():
    answer = httpx2.MockTransport(lambda request: httpx2.Response(200, json={"model": "gpt-x", "choices": []}))
    client = openai.OpenAI(api_key="k", http_client=httpx2.Client(transport=answer))
    assert client.chat.completions.create(model="gpt-x", messages=[]).model == "gpt-x"


@pytest.mark.parametrize("held", [False, True])
def test_that_sees_spans(held):
    exporter = InMemorySpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    trace.set_tracer_provider(types.SimpleNamespace(provider=provider) if held else provider)
    trace.get_tracer("client").start_span("step").end()
    assert [span.name for span in exporter.get_finished_spans()] == ["step"]


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

FAILING = '''
"""A suite during which telemetry of ours fails where a log does not show it."""

import atexit
import logging.config

from otel_agentops._guard import guard


@guard
def fail():
    raise LookupError("lost")


def test_first():
    atexit.register(fail)
    fail()


def test_again():
    fail()


def test_without_loggers():
    logging.config.dictConfig({"version": 1})
    guard(open)("no such file")
'''


@pytest.mark.parametrize(
    ("client", "part", "least"),
    [
        pytest.param(client, part, least, marks=pytest.mark.rotation("peers", f"{client} {part}", TURNS))
        for client, parts, least in SUITES
        for part in (f"{number}/{parts}" for number in range(1, parts + 1))
    ],
)
def test_suite_of_client_passes_with_us(client: str, part: str, least: int) -> None:
    """Requests, responses, streams, runs and tools; `make peers` runs everything, and the clients of fewer people."""
    code, output = run_session(f"peers({client})", "--quick", "--part", part)
    assert code == 0, output
    passed = re.search(r"^ +(\d+) passed without$", output, re.MULTILINE)
    assert passed is not None, output
    assert int(passed[1]) > least


def test_every_client_takes_part_or_has_a_reason() -> None:
    adapters = {name for folder in ("clients", "frameworks", "stores", "judges") for name in load_adapters(folder)}
    assert adapters - {*SOURCES, *WITHOUT_TESTS} == set()
    assert {source.adapter or name for name, source in SOURCES.items()} <= adapters
    assert not SOURCES.keys() & WITHOUT_TESTS.keys()
    document = (ends.ROOT / "docs" / "compatibility.md").read_text()
    assert [client for client in (*SOURCES, *WITHOUT_TESTS) if f"| {client} |" not in document] == []


def test_suite_is_of_the_recorded_version() -> None:
    kept = {name: versions for name in SOURCES if (versions := find_kept_versions(name))}
    assert kept and all(versions.with_name("suite.in").exists() for versions in kept.values())
    for name, versions in kept.items():
        version, digest = peers.read_version(name)
        assert f"\n{SOURCES[name].distribution}=={version}\n" in versions.read_text()
        assert digest == "", "a file of kept versions names none"
    assert peers.read_version("langgraph")[1].startswith("sha256:")


@pytest.fixture
def small(tmp_path: Path) -> peers.Suite:
    """Return a suite of one file, in the environment of a real one."""
    return write_suite(tmp_path, SUITE)


def write_suite(folder: Path, text: str, processes: int = 0) -> peers.Suite:
    python = install_environment("peers(openai)")
    (folder / "tests").mkdir()
    (folder / "tests" / "test_small.py").write_text(text)
    return peers.Suite("openai", folder, processes, str(python))


@pytest.mark.rotation("peers", "the comparison", TURNS)
def test_comparison_finds_what_breaks(small: peers.Suite, capsys: pytest.CaptureFixture[str]) -> None:
    comparison = peers.compare_runs(small, "ours")
    test = "tests/test_small.py::test_that_{}".format
    assert comparison.without.tests == {
        test("makes_a_span"): "passed",
        test("sees_spans[False]"): "passed",
        test("sees_spans[True]"): "passed",
        test("breaks"): "passed",
        test("fails"): "failed",
        test("fails_now_and_then"): "passed",
        test("fails_in_the_end"): "failed",
        test("is_skipped"): "skipped",
    }
    assert comparison.observed.tests.keys() == comparison.without.passed
    assert list(comparison.broke) == [test("breaks")]
    assert comparison.flaky == [test("fails_now_and_then")]
    assert (comparison.unseen, comparison.harmless) == (False, False)
    assert peers.is_idle("openai", "ours", comparison.without, comparison.without), "no span of ours"
    assert not peers.is_idle("openrouter", "ours", comparison.without, comparison.observed), "patched is enough"
    assert peers.is_idle("openrouter", "ours", comparison.without, comparison.without)
    peers.show_comparison(small.client, "ours", comparison)
    output = capsys.readouterr().out
    assert "somebody is here" in output
    assert "1 broke" in output


@pytest.mark.rotation("peers", "the guard", TURNS)
@pytest.mark.parametrize("processes", [0, 1])
def test_comparison_shows_each_failure_of_the_guard(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], processes: int
) -> None:
    comparison = peers.compare_runs(write_suite(tmp_path, FAILING, processes), "ours")
    assert comparison.without.swallowed == []
    test = "tests/test_small.py::test_{} (call)".format
    assert [failure.splitlines()[0] for failure in comparison.observed.swallowed] == [
        f"our guard swallowed LookupError in fail, in {test('first')}",
        f"our guard swallowed LookupError in fail, in {test('again')}",
        f"our guard swallowed FileNotFoundError in open, in {test('without_loggers')}",
        "our guard swallowed LookupError in fail, in no test",
    ]
    assert all("Traceback (most recent call last)" in failure for failure in comparison.observed.swallowed)
    assert not comparison._replace(broke={}, unseen=False).harmless
    peers.show_comparison("openai", "ours", comparison)
    assert "4 failures swallowed by our guard" in capsys.readouterr().out
