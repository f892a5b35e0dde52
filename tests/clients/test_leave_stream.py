"""An asynchronous stream that is left as the loop ends: the program says no more than without us.

asyncio closes the generators of a loop that ends all at once; two layers of them are an error in the log.
"""

from __future__ import annotations

from pathlib import Path

import pytest
from leave_stream import check_complaints

import ends
from otel_agentops.testing.subject import load

HERE = Path(__file__).parent
CLIENTS = sorted(path.parent.name for path in HERE.glob("*/*_subject.py") if path.stem == f"{path.parent.name}_subject")


@pytest.mark.parametrize("client", CLIENTS)
def test_stream_left_at_the_end_of_the_loop_is_quiet(client: str) -> None:
    if ends.find_lacking(client) is not None:
        pytest.skip(f'{client} is not installed here: `make ends ARGS="--client {client}"` tests it')
    if "async" not in load(HERE / client).kinds:
        pytest.skip(f"{client} has no asynchronous client")
    check_complaints(client)
