"""Read one item of an asynchronous stream and let the event loop end: what is on stderr, with and without us.

python tests/clients/leave_stream.py CLIENT NUMBER [ours]

asyncio closes the generators in the order of their addresses. So whether the generators of openai and httpx2 complain
depends on how memory is laid out, and NUMBER lays it out in another way.
"""

from __future__ import annotations

import asyncio
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

from otel_agentops.testing import capture
from otel_agentops.testing.contract import await_result
from otel_agentops.testing.fake_provider import FakeProvider
from otel_agentops.testing.subject import ChatRequest, Subject, load

HERE = Path(__file__).parent


def find_complaints(client: str, number: int, *arguments: str) -> str:
    """Return what a program says on stderr that leaves a stream, without addresses."""
    path = os.pathsep.join((str(HERE), str(HERE / client)))
    ended = subprocess.run(
        [sys.executable, __file__, client, str(number), *arguments],
        env={**os.environ, "PYTHONPATH": path, "OTEL_AGENTOPS_STRICT": "1"},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert (ended.returncode, ended.stdout) == (0, "read\n"), ended.stderr[-3000:]
    return re.sub(r"0x[0-9a-f]+", "0x", ended.stderr)


def check_complaints(client: str) -> None:
    """Check that we add no complaint.

    What we add comes in every run. What openai and httpx2 say comes in some, also without us.
    """
    for number in range(12):
        if (ours := find_complaints(client, number, "ours")) == "" or (
            "otel_agentops" not in ours and find_complaints(client, number) != ""
        ):
            return
    raise AssertionError(ours)


async def leave_stream(subject: Subject, provider: FakeProvider) -> Any:
    """Read one item, drop the stream and return the client, which nobody closes."""
    client = subject.client("async", provider)
    async for _ in await await_result(subject.stream(client, ChatRequest())):
        break
    print("read")
    return client


def main(name: str, number: str, *arguments: str) -> None:
    layout = [bytearray(size) for size in range(16, 512, 16) for _ in range(7 * int(number))]
    subject = load(HERE / name)
    with subject.serve() as provider:
        if arguments:
            with capture(subject.instrumentor()) as seen:
                asyncio.run(leave_stream(subject, provider))
            assert len(seen.spans) == 1, seen.spans
        else:
            asyncio.run(leave_stream(subject, provider))
    del layout


if __name__ == "__main__":
    main(*sys.argv[1:])
