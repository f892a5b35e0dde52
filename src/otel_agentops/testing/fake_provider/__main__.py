"""A provider as a process of its own: `python -m` prints its URL and serves until it is ended."""

from __future__ import annotations

import argparse
import importlib
import signal
import sys
import threading

from otel_agentops.testing.fake_provider.provider import FakeProvider


def main() -> int:
    """Serve until a signal ends the process."""
    parser = argparse.ArgumentParser(prog="fake_provider", description=(__doc__ or "").strip())
    parser.add_argument("--port", type=int, default=0, help="0, the default, for a free one")
    parser.add_argument("--alias", action="append", default=[], metavar="NAME=MODEL", help="may be given several times")
    parser.add_argument("--answers", metavar="MODULE:FUNCTION", help="who decides the answers: Call -> Answer")
    options = parser.parse_args()
    aliases = [alias.partition("=") for alias in options.alias]
    if wrong := next((name for name, _, model in aliases if not (name and model)), None):
        parser.error(f"--alias {wrong}: write it as NAME=MODEL")
    ending = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: ending.set())
    with FakeProvider(options.port) as provider:
        for name, _, model in aliases:
            provider.alias(name, model)
        if options.answers:
            module, _, name = options.answers.partition(":")
            provider.answer(getattr(importlib.import_module(module), name))
        print(provider.url, flush=True)
        ending.wait()
    return 0


if __name__ == "__main__":
    sys.exit(main())
