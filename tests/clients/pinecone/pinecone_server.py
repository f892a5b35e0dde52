"""A fake of the part of Pinecone that the adapter uses: descriptions, queries and searches over HTTP, queries by gRPC.

No real server is here: what is tested is that the client's requests and answers are read.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from struct import pack
from typing import Any

import grpc

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
        host: The place of the index that descriptions name; empty for the same server.
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
        self.host = ""

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
                "host": self.host or self.url,
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

    def write_matches(self, request: bytes, context: object) -> bytes:
        """Return the matches as a message of gRPC: of a match, the id is field 1 and the score is field 2."""
        matches = [b"\x0a" + bytes([len(id)]) + id.encode() + b"\x15" + pack("<f", score) for id, score in self.matches]
        return b"".join(b"\x12" + bytes([len(match)]) + match for match in matches)


@contextmanager
def run_grpc_server(store: PineconeServer) -> Iterator[None]:
    """Let the index be on a server of gRPC for the length of a block."""
    handler = grpc.unary_unary_rpc_method_handler(store.write_matches)
    with ThreadPoolExecutor(2) as threads:
        server = grpc.server(threads)
        server.add_generic_rpc_handlers([grpc.method_handlers_generic_handler("VectorService", {"Query": handler})])
        store.host = f"http://127.0.0.1:{server.add_insecure_port('127.0.0.1:0')}"
        server.start()
        try:
            yield
        finally:
            server.stop(None)


@contextmanager
def run_pinecone_server() -> Iterator[PineconeServer]:
    """Run the server on loopback for the length of a block."""
    store = PineconeServer()
    with serve_json(store.answer) as store.url:
        try:
            yield store
        finally:
            store.may_tell.set()
