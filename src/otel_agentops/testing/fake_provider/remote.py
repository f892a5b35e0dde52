"""A provider in a process of its own, with the methods of one in this process."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from otel_agentops.testing.fake_provider.behaviour import Call, Step, dump_step
from otel_agentops.testing.fake_provider.provider import Addresses


class Remote(Addresses):
    """The provider at a URL."""

    def __init__(self, url: str) -> None:
        self.url = url

    @property
    def requests(self) -> list[Call]:
        """Return the last thousand requests, oldest first."""
        return [Call(**call) for call in self._send_command("requests")]

    @property
    def aliases(self) -> dict[str, str]:
        """Return the model of each alias."""
        return dict(self._send_command("state")["aliases"])

    def alias(self, name: str, resolved: str) -> None:
        """Answer requests for `name` as the model `resolved` from now on."""
        self._send_command("alias", {"name": name, "resolved": resolved})

    def script(self, *steps: Step) -> None:
        """Let the next requests meet these steps, one each; after them all goes well again."""
        self._send_command("script", [dump_step(step) for step in steps])

    def clear(self) -> None:
        """Forget the requests so far and the rest of the script."""
        self._send_command("clear", {})

    def _send_command(self, command: str, arguments: object = None) -> Any:
        data = None if arguments is None else json.dumps(arguments).encode()
        try:
            with urllib.request.urlopen(f"{self.url}/_admin/{command}", data, timeout=10) as response:
                return json.load(response)
        except urllib.error.HTTPError as error:
            raise ValueError(json.load(error)["error"]) from None


@contextmanager
def process(*arguments: str, log: Path | None = None) -> Iterator[Remote]:
    """Run a provider in a child process for the length of a block.

    Args:
        *arguments: Its command line, as `python -m otel_agentops.testing.fake_provider` takes it.
        log: The file for its error output; None for that of this process.

    Yields:
        The provider, which answers already.

    Raises:
        RuntimeError: The child did not start.
    """
    package = str(Path(__file__).resolve().parents[1])
    with subprocess.Popen(
        [sys.executable, "-m", str(__package__), *arguments],
        stdout=subprocess.PIPE,
        stderr=log.open("w") if log else None,
        text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join([package, *filter(None, sys.path)])},
        start_new_session=True,  # Ctrl-C reaches this process alone, which ends the child last
    ) as child:
        try:
            assert child.stdout is not None
            line = child.stdout.readline().strip()
            if not line.startswith("http"):
                raise RuntimeError(f"the fake provider did not start: {line or 'see its error output'}")
            yield Remote(line)
        finally:
            child.terminate()
