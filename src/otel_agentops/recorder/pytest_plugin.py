"""A recorded incident as a regression test: the model's answers are those of a bundle.

    # conftest.py
    pytest_plugins = ["otel_agentops.recorder.pytest_plugin"]

    # test_refunds.py
    @pytest.mark.recorded("incident.html")
    def test_refund_asks_a_person(recorded):
        answer = my_agent(base_url=recorded.openai_url)

The path is that of the test's folder. Variables of the environment that clients read, such as OPENAI_BASE_URL, name the
server during the test, with a key where there is none. A request that was not recorded fails the test and names its
first difference. Options of the mark: `lenient=True` answers it all the same, `complete=True` fails the test if a
recorded call was not made.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from otel_agentops.recorder.commands.serving import ReplayServer

_KEYS = ("OPENAI_API_KEY", "ANTHROPIC_API_KEY", "GEMINI_API_KEY", "GROQ_API_KEY", "MISTRAL_API_KEY", "CO_API_KEY",
         "TOGETHER_API_KEY", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")  # fmt: skip


def pytest_configure(config: pytest.Config) -> None:
    """Register the mark."""
    config.addinivalue_line("markers", "recorded(bundle, lenient, complete): answer model calls from a recorded bundle")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Start the server for marked tests that do not ask for it by name."""
    for item in items:
        names = getattr(item, "fixturenames", None)
        if names is not None and item.get_closest_marker("recorded") and "recorded" not in names:
            names.insert(0, "recorded")


@pytest.fixture(name="recorded")
def serve_bundle(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[ReplayServer]:
    """Serve the bundle of the test's mark."""
    from otel_agentops._yaml import InputError
    from otel_agentops.recorder.commands.bundle import read_bundle
    from otel_agentops.recorder.commands.serving import ReplayServer

    mark = request.node.get_closest_marker("recorded")
    if mark is None or not mark.args:
        pytest.fail('the fixture `recorded` needs its bundle: @pytest.mark.recorded("incident.html")')
    try:
        bundle = read_bundle(request.path.parent / mark.args[0])
    except InputError as error:
        pytest.fail(str(error))
    with ReplayServer(bundle, is_lenient=bool(mark.kwargs.get("lenient"))) as server:
        for name, url in server.variables.items():
            monkeypatch.setenv(name, url)
        for name in _KEYS:
            if not os.environ.get(name):
                monkeypatch.setenv(name, "recorded")
        yield server
    if server.misses:
        pytest.fail("\n".join(miss.message for miss in server.misses))
    if mark.kwargs.get("complete") and server.waiting:
        numbers = ", ".join(str(number) for number in sorted({turn.position for turn in server.waiting}))
        pytest.fail(f"recorded calls were not made: {numbers}")
