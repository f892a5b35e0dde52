"""Servers on loopback: one of JSON, for fakes of stores, and what starts a real one as a program."""

from __future__ import annotations

import json
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import unquote, urlsplit

Serve = Callable[[str, str, Any], "tuple[int, Any]"]
WriteHead = Callable[[Mapping[str, str]], Mapping[str, str]]


@contextmanager
def serve_json(serve: Serve, write_head: WriteHead = lambda _: {}) -> Iterator[str]:
    """Serve method, path and body as status and JSON for the length of a block.

    Args:
        serve: Answers a request.
        write_head: The request's headers to further ones of the answer.

    Yields:
        The URL.
    """

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _serve(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers.get("content-length") or 0)) or b"null")
            status, answer = serve(self.command, unquote(urlsplit(self.path).path), body)
            text = json.dumps(answer).encode()
            self.send_response(status)
            head = {"content-type": "application/json", **write_head(dict(self.headers)), "content-length": len(text)}
            for name, value in head.items():
                self.send_header(name, str(value))
            self.end_headers()
            self.wfile.write(text)

        do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = _serve  # noqa: N815

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()


def find_free_port() -> int:
    """Return a port that nobody listens on."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
    return port


def wait_for_port(port: int, server: subprocess.Popen[bytes]) -> None:
    """Wait until a program listens on a port."""
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        assert server.poll() is None, "the server has ended"
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
        except OSError:
            time.sleep(0.05)
        else:
            return
    raise TimeoutError("the server does not answer")
