"""A provider in a process of its own, with the verbs of one that is in this process."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from otel_agentops.testing.fake_provider.behaviour import Call, Step, step_as_json


class Remote:
    """The provider at a URL."""

    def __init__(self, url: str) -> None:
        self.url = url

    @property
    def openai_url(self) -> str:
        return f"{self.url}/v1"

    @property
    def anthropic_url(self) -> str:
        return self.url

    @property
    def azure_url(self) -> str:
        return self.url

    @property
    def requests(self) -> list[Call]:
        return [Call(**call) for call in self._ask("requests")]

    @property
    def aliases(self) -> dict[str, str]:
        return dict(self._ask("state")["aliases"])

    def alias(self, name: str, resolved: str) -> None:
        self._ask("alias", {"name": name, "resolved": resolved})

    def script(self, *steps: Step) -> None:
        self._ask("script", [step_as_json(step) for step in steps])

    def clear(self) -> None:
        self._ask("clear", {})

    def _ask(self, what: str, given: Any = None) -> Any:
        data = None if given is None else json.dumps(given).encode()
        try:
            with urllib.request.urlopen(f"{self.url}/_admin/{what}", data, timeout=10) as answer:
                return json.load(answer)
        except urllib.error.HTTPError as error:
            raise ValueError(json.load(error)["error"]) from None


@contextmanager
def process(*arguments: str, log: Path | None = None) -> Iterator[Remote]:
    """A provider in a child process for the length of a block. arguments: those of its command line."""
    with subprocess.Popen(
        [sys.executable, "-m", str(__package__), *arguments],
        stdout=subprocess.PIPE,
        stderr=log.open("w") if log else None,
        text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(_paths())},
        start_new_session=True,  # Ctrl-C is for the one who started it, who ends it last
    ) as child:
        try:
            yield Remote(_url(child))
        finally:
            child.terminate()


def _url(child: subprocess.Popen[str]) -> str:
    assert child.stdout is not None
    line = child.stdout.readline().strip()
    if not line.startswith("http"):
        raise RuntimeError(f"the fake provider did not start: {line or 'see its error output'}")
    return line


def _paths() -> Sequence[str]:
    """Where this package is, then wherever this process looks."""
    return [str(Path(__file__).resolve().parents[1]), *(path for path in sys.path if path)]
