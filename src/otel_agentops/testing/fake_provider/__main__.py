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
    answerer = None
    if options.answers:
        module, _, name = options.answers.partition(":")
        try:
            answerer = getattr(importlib.import_module(module), name)
        except (ImportError, AttributeError, ValueError) as error:
            parser.error(f"--answers {options.answers}: {error}; write it as MODULE:FUNCTION")
    try:
        provider = FakeProvider(options.port)
    except (OSError, OverflowError) as error:
        reason = error.strerror if isinstance(error, OSError) else "no port has this number"
        parser.error(f"--port {options.port}: {reason}; take another one, or 0 for a free one")
    ending = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: ending.set())
    with provider:
        for name, _, model in aliases:
            provider.alias(name, model)
        if answerer:
            provider.answer(answerer)
        print(provider.url, flush=True)
        ending.wait()
    return 0


if __name__ == "__main__":
    sys.exit(main())
