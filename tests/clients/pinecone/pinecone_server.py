"""A fake of the part of Pinecone that the adapter uses: descriptions, queries and searches over HTTP.

No real server is here: what is tested is that the client's requests and answers are read.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from loopback import serve_json


class PineconeServer:
    """One index, `docs`, whose tags a test sets.

    Attributes:
        tags: Those of the index.
        metric: That of its vectors.
        matches: Id and score of each answer to a query.
        status: That of a description.
        may_tell: Cleared to let descriptions hang.
        described: How often the index was described.
    """

    def __init__(self) -> None:
        self.tags: dict[str, str] = {}
        self.metric = "cosine"
        self.matches = [("a", 0.9), ("b", 0.5)]
        self.status = 200
        self.may_tell = threading.Event()
        self.may_tell.set()
        self.described = 0
        self.url = ""

    def answer(self, method: str, path: str, body: Any) -> tuple[int, Any]:
        """Return status and JSON of a request."""
        if path.startswith("/indexes/"):
            self.described += 1
            assert self.may_tell.wait(30)
            if self.status != 200 or not path.endswith("/docs"):
                status = 404 if self.status == 200 else self.status
                return status, {"error": {"code": "ERROR", "message": path}, "status": status}
            return 200, {
                "name": "docs",
                "host": self.url,
                "status": {"ready": True, "state": "Ready"},
                "deletion_protection": "disabled",
                "schema": {"fields": {"vector": {"type": "dense_vector", "dimension": 2, "metric": self.metric}}},
                "deployment": {"deployment_type": "managed", "cloud": "aws", "region": "us-east-1"},
                "tags": self.tags,
            }
        if path == "/query":
            if body.get("vector") == [0.0, 0.0]:
                return 400, {"code": 3, "message": "a vector of zeros"}
            matches = [{"id": id, "score": score} for id, score in self.matches]
            return 200, {"matches": matches, "namespace": "", "usage": {"readUnits": 1}}
        hits = [{"_id": id, "_score": score, "fields": {}} for id, score in self.matches]
        return 200, {"result": {"hits": hits}, "usage": {"read_units": 1}}


@contextmanager
def run_pinecone_server() -> Iterator[PineconeServer]:
    """Run the server on loopback for the length of a block."""
    store = PineconeServer()
    with serve_json(store.answer) as store.url:
        try:
            yield store
        finally:
            store.may_tell.set()
