"""HTTP/1.1 with keep-alive on loopback, a thread a connection, and no more of it than the two SDKs use.

Not `http.server`: its header parser alone costs more than a client's whole instrumentation, and this server stands
under microbenchmarks. A stream that nothing disturbs leaves in one write.
"""

from __future__ import annotations

import json
import socketserver
import threading
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from otel_agentops.testing.fake_provider import admin, wire
from otel_agentops.testing.fake_provider.behaviour import (
    Answer,
    Break,
    Call,
    Delay,
    Fail,
    Hang,
    Malformed,
    Ok,
    Status,
    Step,
)

if TYPE_CHECKING:
    from otel_agentops.testing.fake_provider.provider import FakeProvider
    from otel_agentops.testing.fake_provider.wire import Dialect

_REASONS = {200: b"OK", 400: b"Bad Request", 404: b"Not Found", 429: b"Too Many Requests"}
_STREAM = b"HTTP/1.1 200 OK\r\ncontent-type: %s\r\ntransfer-encoding: chunked\r\n"
_END = b"0\r\n\r\n"
_IDS = b"x-request-id: req_fake\r\nrequest-id: req_fake\r\n"
_NO_JSON = b"{nope"


class Server:
    """The listening side. Connections end with their client, with a scripted cut, or with `stop`."""

    def __init__(self, provider: FakeProvider, port: int) -> None:
        self.provider = provider
        self.closing = threading.Event()
        self._server = _Sockets(("127.0.0.1", port), _Connection)
        self._server.owner = self
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)

    @property
    def port(self) -> int:
        return int(self._server.server_address[1])

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self.closing.set()
        self._server.shutdown()
        self._server.server_close()


class _Sockets(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True
    block_on_close = False
    request_queue_size = 128
    owner: Server

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that goes away in the middle of a stream is part of many tests; anything else is a mistake here."""
        import sys

        if not isinstance(sys.exc_info()[1], OSError):
            super().handle_error(request, client_address)


class _Cut(Exception):  # noqa: N818  not an error: the scripted end of a connection
    """The connection is closed here."""


class _Connection(socketserver.StreamRequestHandler):
    disable_nagle_algorithm = True
    server: _Sockets

    def handle(self) -> None:
        try:
            while self._one():
                pass
        except _Cut:
            pass

    def _one(self) -> bool:
        """Answer one request; False where none came any more."""
        line = self.rfile.readline(65537)
        if not line:
            return False
        method, path, _ = line.decode("latin-1").split(" ", 2)
        headers = self._headers()
        raw = self.rfile.read(int(headers.get("content-length", 0)))
        if path.startswith(admin.PREFIX):
            self._json(*admin.reply(self.server.owner.provider, method, path, raw))
        else:
            self._answer(method, path, headers, _body(raw))
        return headers.get("connection", "").lower() != "close"

    def _headers(self) -> dict[str, str]:
        headers: dict[str, str] = {}
        while (line := self.rfile.readline(65537)) not in (b"\r\n", b"\n", b""):
            name, _, value = line.decode("latin-1").partition(":")
            headers[name.lower()] = value.strip()
        return headers

    def _answer(self, method: str, path: str, headers: dict[str, str], body: dict[str, Any]) -> None:
        provider, dialect = self.server.owner.provider, wire.of(path)
        call = Call(path, headers, body, provider.resolve(dialect.model(path, body)), method)
        if dialect.reply(call, Answer()) is None:
            self._json(dialect.error(f"{method} {path} is not spoken here", 404), 404, dialect.error_headers(404))
            return
        step, answer = provider.meet(call)
        if answer.seconds:
            self._wait(answer.seconds)
        reply = dialect.reply(call, answer)
        assert reply is not None, "whether a request is answered depends on nothing but the request"
        if isinstance(step, Status):
            after = b"" if step.retry_after is None else f"retry-after: {step.retry_after:g}\r\n".encode()
            said = dialect.error(step.message, step.status)
            self._json(said, step.status, after + dialect.error_headers(step.status))
        elif reply.events:
            self._stream(dialect, reply.events(), reply.end, step, _headers(answer) + reply.headers)
        else:
            self._plain(dialect, reply.whole(), step, _headers(answer) + reply.headers)

    def _plain(self, dialect: Dialect, whole: Any, step: Step, headers: bytes) -> None:
        self._disturb(step)
        if isinstance(step, Fail):
            self._json(dialect.error(step.message, 500), 500, dialect.error_headers(500))
        elif isinstance(step, Malformed):
            self._send(_NO_JSON)
        elif isinstance(whole, bytes):
            self._send(whole, headers=headers)
        else:
            self._json(whole, headers=headers)

    def _stream(self, dialect: Dialect, events: Iterator[Any], end: bytes, step: Step, headers: bytes) -> None:
        head = _STREAM % dialect.content_type.encode() + _IDS + headers + b"\r\n"
        if isinstance(step, Ok):
            self.wfile.write(head + b"".join(_part(dialect.frame(event)) for event in events) + _part(end) + _END)
            return
        self.wfile.write(head)
        for position, event in enumerate(events):
            if position == getattr(step, "after", 0):
                self._disturb(step)
                if isinstance(step, (Fail, Malformed)):
                    broken = dialect.failure(step.message) if isinstance(step, Fail) else dialect.malformed
                    self.wfile.write(_part(broken) + _END)
                    return
            elif isinstance(step, Delay):
                self._wait(step.seconds)
            self.wfile.write(_part(dialect.frame(event)))
        self.wfile.write(_part(end) + _END)

    def _disturb(self, step: Step) -> None:
        if isinstance(step, (Delay, Hang)):
            self._wait(step.seconds)
        if isinstance(step, (Break, Hang)):
            raise _Cut

    def _wait(self, seconds: float) -> None:
        if self.server.owner.closing.wait(seconds):
            raise _Cut

    def _json(self, body: Any, status: int = 200, headers: bytes = b"") -> None:
        self._send(json.dumps(body).encode(), status, headers)

    def _send(self, data: bytes, status: int = 200, headers: bytes = b"") -> None:
        self.wfile.write(
            b"HTTP/1.1 %d %s\r\ncontent-type: application/json\r\ncontent-length: %d\r\n%s%s\r\n%s"
            % (status, _REASONS.get(status, b"As Scripted"), len(data), _IDS, headers, data)
        )


def _body(raw: bytes) -> dict[str, Any]:
    """The JSON object of a request; empty for other kinds, such as multipart."""
    body = json.loads(raw) if raw.startswith(b"{") else {}
    return body if isinstance(body, dict) else {}


def _headers(answer: Answer) -> bytes:
    return "".join(f"{name}: {value}\r\n" for name, value in answer.headers).encode()


def _part(data: bytes) -> bytes:
    return b"%x\r\n%s\r\n" % (len(data), data) if data else b""
