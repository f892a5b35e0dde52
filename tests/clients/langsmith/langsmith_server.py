"""A fake of the part of LangSmith's HTTP API that an experiment uses: a data set, runs and feedback.

No real server is here: what is tested is that evaluators judge as without us, and not how LangSmith keeps the results.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from loopback import serve_json

CREATED = "2026-11-30T00:00:00+00:00"
DATASET = "sums"
# Runs come as JSON.
BATCHES = {
    "use_multipart_endpoint": False,
    "size_limit": 100,
    "size_limit_bytes": 20_000_000,
    "scale_up_nthreads_limit": 1,
    "scale_up_qsize_trigger": 1000,
    "scale_down_nempty_trigger": 4,
}


class LangsmithServer:
    """One data set, whose only question is 2 + 2.

    Attributes:
        feedback: Key, score and value of each result of an evaluator so far, in no order.
        url: Of the server.
    """

    def __init__(self) -> None:
        self.feedback: list[tuple[str, Any, Any]] = []
        self.url = ""
        self._dataset_id = str(uuid.uuid4())

    def answer(self, method: str, path: str, body: Any) -> tuple[int, Any]:
        """Return status and JSON of a request."""
        kind = path.strip("/").partition("/")[0]
        if kind == "info":
            return 200, {"batch_ingest_config": BATCHES}
        if kind == "datasets":
            return 200, [{"id": self._dataset_id, "name": DATASET, "created_at": CREATED, "modified_at": CREATED}]
        if kind == "examples":
            case = {"inputs": {"question": "2 + 2"}, "outputs": {"answer": "4"}}
            return 200, [{"id": str(uuid.uuid4()), "dataset_id": self._dataset_id, "created_at": CREATED, **case}]
        if kind == "sessions" and body is not None:
            session = {"tenant_id": str(uuid.uuid4()), "reference_dataset_id": self._dataset_id, "start_time": CREATED}
            return 200, {"id": path.rpartition("/")[2], **session, **body}
        if kind == "feedback":
            self.feedback.append((body["key"], body.get("score"), body.get("value")))
        return 200, {}


@contextmanager
def run_langsmith_server() -> Iterator[LangsmithServer]:
    """Run the server on loopback for the length of a block."""
    server = LangsmithServer()
    with serve_json(server.answer) as server.url:
        yield server
