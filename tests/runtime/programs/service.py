"""A second service, in a process of its own: it answers a request with one model call in a task, one beside it.

It prints its port, then one line of JSON with all its spans when its input ends.
"""

from __future__ import annotations

import json
import sys
import threading
from collections.abc import Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import httpx
import openai
from opentelemetry import context as otel_context
from opentelemetry import propagate

from otel_agentops import task, tool
from otel_agentops.clients.openai import Instrumentor
from otel_agentops.testing import capture


def ask(gpt: openai.OpenAI) -> Any:
    return gpt.chat.completions.create(model="gpt-x", messages=[{"role": "user", "content": "hi"}])


class Handler(BaseHTTPRequestHandler):
    gpt: openai.OpenAI

    def do_POST(self) -> None:
        token = otel_context.attach(propagate.extract(dict(self.headers)))
        try:
            with task("research"):
                ask(self.gpt)
                with tool("search"):
                    pass
            ask(self.gpt)
        finally:
            otel_context.detach(token)
        self.send_response(204)
        self.end_headers()

    def log_message(self, format: str, *args: Any) -> None: ...


def serve(gpt: openai.OpenAI) -> ThreadingHTTPServer:
    """A server that is running, each request in a thread with a clean context."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Bound", (Handler,), {"gpt": gpt}))
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    return server


def call(url: str, headers: Mapping[str, str] | None = None) -> None:
    """A request to the service as an HTTP instrumentation sends it; headers: others than it would."""
    carrier: dict[str, str] = dict(headers or {})
    if headers is None:
        propagate.inject(carrier)
    httpx.post(url, headers=carrier).raise_for_status()


def main() -> None:
    with capture(Instrumentor()) as seen:
        server = serve(openai.OpenAI(api_key="k", base_url=sys.argv[1]))
        print(server.server_address[1], flush=True)
        sys.stdin.read()
        server.shutdown()
    print(json.dumps(seen.spans))


if __name__ == "__main__":
    main()
