"""An HTTP/1.1 server on loopback with keep-alive, a thread a connection, and no more of HTTP than SDKs use.

It is not `http.server`, because its header parser alone costs more than a client's whole instrumentation, and this
server stands under microbenchmarks. A stream that nothing disturbs leaves in one write.
"""

from __future__ import annotations

import hashlib
import json
import socketserver
import sys
import threading
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from otel_agentops.testing.fake_provider import admin, wire
from otel_agentops.testing.fake_provider.behaviour import (
    Break,
    Call,
    Delay,
    Fail,
    Hang,
    Json,
    Malformed,
    Ok,
    Say,
    Status,
    Step,
)
from otel_agentops.testing.fake_provider.schema import bind_answer

if TYPE_CHECKING:
    from otel_agentops.testing.fake_provider.provider import FakeProvider
    from otel_agentops.testing.fake_provider.wire import Dialect

_REASONS = {200: b"OK", 400: b"Bad Request", 404: b"Not Found", 429: b"Too Many Requests"}
_STREAM = b"HTTP/1.1 200 OK\r\ncontent-type: %s\r\ntransfer-encoding: chunked\r\n"
_WHOLE = b"HTTP/1.1 %d %s\r\ncontent-type: application/json\r\ncontent-length: %d\r\n%s%s\r\n%s"
_END = b"0\r\n\r\n"
_IDS = b"x-request-id: req_fake\r\nrequest-id: req_fake\r\n"
_NO_JSON = b"{nope"


class Server(socketserver.ThreadingTCPServer):
    """The listening side. A connection ends with its client, with a scripted cut, or with `stop_serving`."""

    allow_reuse_address = True
    daemon_threads = True
    block_on_close = False
    request_queue_size = 128

    def __init__(self, provider: FakeProvider, port: int) -> None:
        super().__init__(("127.0.0.1", port), _Connection)
        self.provider = provider
        self.closing = threading.Event()
        self._thread = threading.Thread(target=self.serve_forever, args=(0.02,), daemon=True)

    def start_serving(self) -> None:
        """Serve in a thread."""
        self._thread.start()

    def stop_serving(self) -> None:
        """Stop listening and cut the connections that wait."""
        self.closing.set()
        self.shutdown()
        self.server_close()

    def handle_error(self, request: object, client_address: object) -> None:
        """Report an error of this server; a client that goes away in the middle of a stream is part of many tests."""
        if not isinstance(sys.exc_info()[1], OSError):
            super().handle_error(request, client_address)  # type: ignore[arg-type]


class _Cut(Exception):  # noqa: N818  it is not an error but the scripted end of a connection
    """The end of a connection."""


class _Connection(socketserver.StreamRequestHandler):
    disable_nagle_algorithm = True
    server: Server

    def handle(self) -> None:
        """Answer requests until the client or a scripted cut ends the connection."""
        try:
            while line := self.rfile.readline(65537):
                method, path, _ = line.decode("latin-1").split(" ", 2)
                headers: dict[str, str] = {}
                while (header := self.rfile.readline(65537)) not in (b"\r\n", b"\n", b""):
                    name, _, value = header.decode("latin-1").partition(":")
                    headers[name.lower()] = value.strip()
                raw = self.rfile.read(int(headers.get("content-length", 0)))
                if path.startswith(admin.PREFIX):
                    self._send_json(*admin.answer_command(self.server.provider, method, path, raw))
                else:
                    self._answer_request(method, path, headers, raw)
                if headers.get("connection", "").lower() == "close":
                    break
        except _Cut:
            pass

    def _answer_request(self, method: str, path: str, headers: Mapping[str, str], raw: bytes) -> None:
        provider, (dialect, pattern, model, default_model) = self.server.provider, wire.match_path(path)
        route = None if pattern is None else dialect.routes[pattern]
        if route is None or route.method != method:
            self._send_error(dialect, f"{method} {path} is not spoken here", 404)
            return
        body = json.loads(raw) if raw.startswith(b"{") else {}  # empty for other kinds, such as multipart
        model = model or str(body.get(dialect.model_key) or default_model)
        call = Call(path, headers, body, provider.resolve(model), method, hashlib.sha256(raw).hexdigest())
        step, answer = provider.meet(call)
        if answer.seconds:
            self._wait_for(answer.seconds)
        lines = "".join(f"{name}: {value}\r\n" for name, value in answer.headers).encode()
        if isinstance(step, Status):
            wait = b"" if step.retry_after is None else f"retry-after: {step.retry_after:g}\r\n".encode()
            self._send_error(dialect, step.message, step.status, wait + lines)
            return
        answer = bind_answer(answer, dialect.find_schema(body))
        lines += route.headers(answer)
        if route.events is not None and (route.whole is None or route.wants_stream(call)):
            events = step.parts if isinstance(step, Say) else route.events(call, answer)
            self._send_stream(dialect, events, route.end, step, lines)
        elif route.whole is not None:
            body = step.parts[0] if isinstance(step, Say) else route.whole(call, answer)
            self._send_whole(dialect, body, step, lines)

    def _send_whole(self, dialect: Dialect, body: object, step: Step, headers: bytes) -> None:
        self._disturb(step)
        if isinstance(step, Fail):
            self._send_error(dialect, step.message, 500)
        elif isinstance(step, Malformed):
            self._send_bytes(_NO_JSON)
        else:
            self._send_json(body, headers=headers)

    def _send_stream(self, dialect: Dialect, events: Iterable[Json], end: bytes, step: Step, headers: bytes) -> None:
        head = _STREAM % dialect.content_type.encode() + _IDS + headers + b"\r\n"
        tail = _format_part(end) + _END
        if isinstance(step, (Ok, Say)):
            self.wfile.write(head + b"".join(_format_part(dialect.frame(event)) for event in events) + tail)
            return
        self.wfile.write(head)
        for position, event in enumerate(events):
            if position == getattr(step, "after", 0):
                self._disturb(step)
                if isinstance(step, (Fail, Malformed)):
                    broken = dialect.malformed
                    if isinstance(step, Fail):
                        message = step.message
                        fail = dialect.failure
                        broken = fail(message) if fail else dialect.frame(dialect.error(message, 500))
                    self.wfile.write(_format_part(broken) + _END)
                    return
            elif isinstance(step, Delay):
                self._wait_for(step.seconds)
            self.wfile.write(_format_part(dialect.frame(event)))
        self.wfile.write(tail)

    def _disturb(self, step: Step) -> None:
        if isinstance(step, (Delay, Hang)):
            self._wait_for(step.seconds)
        if isinstance(step, (Break, Hang)):
            raise _Cut

    def _wait_for(self, seconds: float) -> None:
        if self.server.closing.wait(seconds):
            raise _Cut

    def _send_error(self, dialect: Dialect, message: str, status: int, headers: bytes = b"") -> None:
        self._send_json(dialect.error(message, status), status, headers + dialect.error_headers(status))

    def _send_json(self, body: object, status: int = 200, headers: bytes = b"") -> None:
        self._send_bytes(json.dumps(body).encode(), status, headers)

    def _send_bytes(self, data: bytes, status: int = 200, headers: bytes = b"") -> None:
        reason = _REASONS.get(status, b"As Scripted")
        self.wfile.write(_WHOLE % (status, reason, len(data), _IDS, headers, data))


def _format_part(data: bytes) -> bytes:
    return b"%x\r\n%s\r\n" % (len(data), data) if data else b""
