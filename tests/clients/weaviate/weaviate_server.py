"""A fake of the part of Weaviate that the adapter uses: searches over gRPC, aliases and schemas over HTTP.

No real server is here: what is tested is that the client's requests and answers are read.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import grpc
from weaviate.proto.v1 import search_get_pb2, weaviate_pb2_grpc

from loopback import serve_json


class WeaviateServer(weaviate_pb2_grpc.WeaviateServicer):  # type: ignore[misc]
    """Collections with their descriptions, and aliases of them.

    Attributes:
        collections: Description of each.
        aliases: Collection of each alias.
        objects: Id, distance and score of each answer.
        names_collections: True if an object names the collection that it comes from.
        status: That of an answer about metadata.
        may_tell: Cleared to let questions about metadata hang.
        was_asked: Set by the first such question.
    """

    def __init__(self) -> None:
        self.collections: dict[str, str] = {}
        self.aliases: dict[str, str] = {}
        self.objects = [("a", 0.125, 0.875), ("b", 0.5, 0.25)]
        self.names_collections = False
        self.status = 200
        self.may_tell = threading.Event()
        self.may_tell.set()
        self.was_asked = threading.Event()
        self.questions = 0

    def Search(self, request: Any, context: Any) -> Any:  # noqa: N802  the name in the protocol
        """Return the objects."""
        concrete = self.aliases.get(request.collection, request.collection)
        if concrete not in self.collections:
            context.abort(grpc.StatusCode.UNKNOWN, f"could not find class {concrete}")
        reply = search_get_pb2.SearchReply()
        for number, (key, distance, score) in enumerate(self.objects):
            result = reply.results.add()
            metadata = result.metadata
            metadata.id = f"00000000-0000-0000-0000-00000000000{number}"
            metadata.id_as_bytes = bytes(15) + bytes([number])
            metadata.distance, metadata.distance_present = distance, request.metadata.distance
            metadata.score, metadata.score_present = score, request.metadata.score
            result.properties.non_ref_props.fields["text"].text_value = key
            result.properties.target_collection = concrete if self.names_collections else request.collection
        return reply

    def answer(self, method: str, path: str, body: Any) -> tuple[int, Any]:
        """Return status and JSON of a request."""
        _, _, verb, *names = path.split("/")
        if verb == "meta":
            return 200, {"version": "1.33.0", "hostname": "h"}
        if verb == "aliases" and method != "GET":
            self.aliases[names[0] if names else body["alias"]] = body["class"]
            return 200, {}
        self.questions += 1
        self.was_asked.set()
        assert self.may_tell.wait(30)
        if self.status != 200:
            return self.status, {"error": []}
        if verb == "aliases":
            concrete = self.aliases.get(names[0])
            return (404, {}) if concrete is None else (200, {"alias": names[0], "class": concrete})
        vectorizer = {"vectorizer": {"text2vec-x": {"model": "embed-x"}}}
        text = self.collections[names[0]]
        return 200, {"class": names[0], "description": text, "vectorConfig": {"default": vectorizer}}


@contextmanager
def run_weaviate_server() -> Iterator[tuple[WeaviateServer, int, int]]:
    """Run the server on loopback for the length of a block; yield it with its ports for HTTP and gRPC."""
    store = WeaviateServer()
    with ThreadPoolExecutor(4) as threads, serve_json(store.answer) as url:
        server = grpc.server(threads)
        weaviate_pb2_grpc.add_WeaviateServicer_to_server(store, server)
        port = server.add_insecure_port("127.0.0.1:0")
        server.start()
        try:
            yield store, int(url.rpartition(":")[2]), port
        finally:
            store.may_tell.set()
            server.stop(None)
