"""The oldest versions that we declare are there, and the calls of both clients are seen whole with them."""

from __future__ import annotations

import importlib.metadata
import subprocess
from collections.abc import Iterator

import pytest
from packaging.requirements import Requirement
from packaging.version import Version

import lowest

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("lowest")]

# Chat and messages, plain and streamed, sync and async, and how a client is patched; `make lowest` runs everything.
QUICK = (
    "tests/clients/test_engine_targets.py",
    "tests/clients/openai/test_openai_chat.py",
    "tests/clients/anthropic/test_anthropic_messages.py",
    "tests/clients/anthropic/test_anthropic_streams.py",
)


@pytest.fixture(scope="module")
def installed() -> dict[str, Version]:
    return lowest.set_up(lowest.LOWEST)


def declared() -> Iterator[Requirement]:
    """What the package and its command line require on that Python, and the clients."""
    version = subprocess.check_output([lowest.LOWEST.python, "-c", "import sys; print('%d.%d' % sys.version_info[:2])"])
    place = {"extra": "cli", "python_version": version.decode().strip()}
    for text in importlib.metadata.requires("otel-agentops") or ():
        if (requirement := Requirement(text)).marker is None or requirement.marker.evaluate(place):
            yield requirement
    yield from lowest.clients()


def test_each_range_begins_with_the_version_that_is_tested(installed: dict[str, Version]) -> None:
    for requirement in declared():
        begins = [Version(part.version) for part in requirement.specifier if part.operator in (">=", "==")]
        assert begins == [installed[requirement.name.replace(".", "-")]], f"the lowest that works of {requirement}"


def test_the_clients_calls(installed: dict[str, Version]) -> None:
    assert lowest.test(lowest.LOWEST, ("-n", "0", *QUICK)) == 0
