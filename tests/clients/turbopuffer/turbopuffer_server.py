"""A fake of the part of turbopuffer that the adapter uses: queries and metadata of namespaces over HTTP.

No real server is here: what is tested is that the client's requests and answers are read.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from loopback import serve_json

BILLING = {"billable_logical_bytes_queried": 1, "billable_logical_bytes_returned": 1}
PERFORMANCE = {
    "approx_namespace_size": 3,
    "cache_hit_ratio": 1.0,
    "cache_temperature": "hot",
    "exhaustive_search_count": 0,
    "query_execution_ms": 1,
    "server_total_ms": 1,
}


class TurbopufferServer:
    """Namespaces, with the time when each was made.

    Attributes:
        created: Time of each namespace.
        rows: Id and `$dist` of each answer.
        status: That of an answer about metadata.
        may_tell: Cleared to let questions about metadata hang.
        was_asked: Set by the first such question.
        reports: For each request, True if it carried records of earlier ones, as the client's own telemetry sends.
    """

    def __init__(self) -> None:
        self.created = {"docs": "2026-05-01T04:00:00Z"}
        self.rows = [("a", 0.1), ("b", 0.4)]
        self.status = 200
        self.may_tell = threading.Event()
        self.may_tell.set()
        self.was_asked = threading.Event()
        self.questions = 0
        self.reports: list[bool] = []
        self.url = ""

    def read_head(self, headers: Mapping[str, str]) -> Mapping[str, str]:
        """Note if a request carries records, and answer with no further headers."""
        self.reports.append("x-turbopuffer-client-telemetry" in map(str.lower, headers))
        return {}

    def answer(self, method: str, path: str, body: Any) -> tuple[int, Any]:
        """Return status and JSON of a request."""
        _, _, _, name, *verb = path.split("/")
        if verb == ["metadata"]:
            self.questions += 1
            self.was_asked.set()
            assert self.may_tell.wait(30)
            if self.status != 200:
                return self.status, {"status": "error", "error": "not allowed"}
        if name not in self.created:
            return 404, {"status": "error", "error": f"namespace {name} was not found"}
        if verb == ["metadata"]:
            return 200, {
                "approx_logical_bytes": 1,
                "approx_row_count": 3,
                "created_at": self.created[name],
                "updated_at": self.created[name],
                "encryption": {"sse": True},
                "index": {"status": "up-to-date"},
                "schema": {},
            }
        if method == "DELETE":
            self.created[name] = "2026-06-01T04:00:00Z"  # whoever deletes a namespace here makes it anew
            return 200, {"status": "OK"}
        rows = [{"id": id, "$dist": distance} for id, distance in self.rows]
        answer: dict[str, Any] = {"billing": BILLING, "performance": PERFORMANCE}
        queries = (body or {}).get("queries")
        return 200, answer | ({"rows": rows} if queries is None else {"results": [{"rows": rows} for _ in queries]})


@contextmanager
def run_turbopuffer_server() -> Iterator[TurbopufferServer]:
    """Run the server on loopback for the length of a block."""
    store = TurbopufferServer()
    with serve_json(store.answer, store.read_head) as store.url:
        try:
            yield store
        finally:
            store.may_tell.set()
