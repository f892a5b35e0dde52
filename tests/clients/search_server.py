"""A fake of the part of Elasticsearch and OpenSearch that their adapters use: searches, aliases and metadata by HTTP.

No real server is here: what is tested is that the clients' requests and answers are read, and not how a server behaves.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from loopback import serve_json


class SearchServer:
    """Indexes by their own name, aliases, and hits as `(index, id, score)`.

    Attributes:
        paths: Method and path of each request so far.
        status: That of an answer about metadata.
        may_tell: Cleared to let requests for metadata hang.
        was_asked: Set by the first such request.
    """

    def __init__(self) -> None:
        self.indexes: dict[str, dict[str, Any]] = {}
        self.aliases: dict[str, list[str]] = {}
        self.hits: list[tuple[str, str, float]] = []
        self.paths: list[str] = []
        self.status = 200
        self.may_tell = threading.Event()
        self.may_tell.set()
        self.was_asked = threading.Event()
        self.url = ""

    def add_index(self, name: str, **meta: str) -> None:
        """Add an index with three documents."""
        self.indexes[name] = {
            "settings": {"index": {"uuid": f"uuid-of-{name}", "creation_date": "1777608000000"}},
            "mappings": {"_meta": meta} if meta else {},
        }
        self.hits = [(name, "a", 0.9), (name, "b", 0.5)]

    def answer(self, method: str, path: str, body: Any) -> tuple[int, Any]:
        """Return status and JSON of a request."""
        self.paths.append(f"{method} {path}")
        name, _, verb = path.strip("/").partition("/")
        if verb == "_search":
            if not any(each in self.indexes or each in self.aliases for each in name.split(",")):
                return 404, {"error": {"type": "index_not_found_exception", "reason": name}, "status": 404}
            hits = [
                {"_index": index, "_id": id, "_score": score, "_source": {"text": id}} for index, id, score in self.hits
            ]
            return 200, {"took": 1, "hits": {"total": {"value": len(hits)}, "max_score": 0.9, "hits": hits}}
        if name == "_aliases":
            for action in body["actions"]:
                self.aliases[action["add"]["alias"]] = [action["add"]["index"]]
            return 200, {"acknowledged": True}
        self.was_asked.set()
        assert self.may_tell.wait(30)
        if self.status != 200:
            return self.status, {"error": {"type": "security_exception"}, "status": self.status}
        return 200, {each: self.indexes[each] for each in self.aliases.get(name, [name]) if each in self.indexes}


@contextmanager
def run_search_server() -> Iterator[SearchServer]:
    """Run the server on loopback for the length of a block."""
    store = SearchServer()

    def write_head(request: Mapping[str, str]) -> Mapping[str, str]:
        # Elasticsearch's client wants both; it takes its own type only if it asked for that.
        accepts_own = any("vnd.elasticsearch" in value for name, value in request.items() if name.lower() == "accept")
        kind = "application/vnd.elasticsearch+json" if accepts_own else "application/json"
        return {"content-type": kind, "x-elastic-product": "Elasticsearch"}

    with serve_json(store.answer, write_head) as store.url:
        try:
            yield store
        finally:
            store.may_tell.set()
