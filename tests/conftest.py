"""A provider with two aliases, and the programs that a test may need.

The guard is loud under test: a telemetry step that fails raises where it failed.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import toolchain
from rotation import Rotation

os.environ.setdefault("OTEL_AGENTOPS_STRICT", "1")  # read when otel_agentops is imported

from otel_agentops.testing.fake_provider import FakeProvider

PROGRAMS = ("otelcol", "prometheus", "promtool", "alertmanager", "amtool", "victoria_metrics", "vmalert")  # fixtures


def pytest_configure(config: pytest.Config) -> None:
    config.pluginmanager.register(Rotation(config))


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if not {*PROGRAMS}.isdisjoint(getattr(item, "fixturenames", ())):
            item.add_marker("program")


@pytest.fixture(autouse=True)
def _remove_what_openinference_leaves() -> Iterator[None]:
    """Remove the methods that OpenInference leaves on OpenAI's clients: they hide what another test patches below."""
    yield
    # Without the library, `openai` may be the folder of its tests.
    if (openai := sys.modules.get("openai")) and hasattr(openai, "OpenAI"):
        for client in (openai.OpenAI, openai.AsyncOpenAI):
            if "request" in vars(client) and not hasattr(vars(client)["request"], "__wrapped__"):
                del client.request


@pytest.fixture
def provider() -> Iterator[FakeProvider]:
    with FakeProvider() as running:
        running.alias("gpt-x", "gpt-x-2026-03-01")
        running.alias("claude-x", "claude-x-20260301")
        yield running


def _needed(name: str, *, make: bool = False) -> Path:
    """A program, or the test is skipped with the reason; with CI=true that is a failure."""
    try:
        return toolchain.find(name, make=make)
    except toolchain.UnavailableError as reason:
        if os.environ.get("CI") == "true":
            pytest.fail(str(reason))
        pytest.skip(str(reason))


@pytest.fixture(scope="session")
def chromium() -> Path:
    return _needed(toolchain.BROWSER, make=True)


@pytest.fixture(scope="session")
def otelcol() -> Path:
    return _needed("otelcol")


@pytest.fixture(scope="session")
def prometheus() -> Path:
    return _needed("prometheus")


@pytest.fixture(scope="session")
def promtool() -> Path:
    return _needed("promtool")


@pytest.fixture(scope="session")
def alertmanager() -> Path:
    return _needed("alertmanager")


@pytest.fixture(scope="session")
def amtool() -> Path:
    return _needed("amtool")


@pytest.fixture(scope="session")
def victoria_metrics() -> Path:
    return _needed("victoria-metrics")


@pytest.fixture(scope="session")
def vmalert() -> Path:
    return _needed("vmalert")
