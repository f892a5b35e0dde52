"""A local server that plays recorded answers, in the words of the provider.

    with ReplayServer(read_bundle(Path("incident.html"))) as server:
        openai.OpenAI(api_key="none", base_url=server.openai_url).chat.completions.create(...)

A request is answered by the recorded attempt that has not been played and whose body is the same JSON; the same request
twice gets its answers in order. If there is none, the application does something else than it did: the answer is 409,
which names the first difference to the attempt that comes next in its conversation. Errors, Retry-After and the chunks
of streams are as they were.
"""

from __future__ import annotations

import json
import sys
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, NamedTuple

from otel_agentops._redaction import Redactor
from otel_agentops.operations import Value
from otel_agentops.recorder.commands.bundle import Bundle, redact_body
from otel_agentops.recorder.commands.steps import Step, list_attempts, list_calls, parse_json, unwrap_event
from otel_agentops.recorder.entries import REDACTED, Attempt
from otel_agentops.recorder.redaction import PieceRedactor
from otel_agentops.testing.fake_provider.provider import Addresses
from otel_agentops.testing.fake_provider.wire import Dialect, match_path

_ABSENT = object()
_NOT_PLAYED = frozenset({"content-length", "transfer-encoding", "content-encoding", "connection", "date", "server"})


class Turn(NamedTuple):
    """One attempt that can be played.

    Attributes:
        lane: Its conversation.
        position: Of its call among all calls, from 1.
        step: Its call.
        number: Of the attempt in its call, from 0.
        is_last: True if the call ended with it.
        body: Of its request, as JSON if it is that; None if it was not recorded.
    """

    lane: Value
    position: int
    step: Step
    number: int
    attempt: Attempt
    is_last: bool
    body: Any


class Miss(NamedTuple):
    """A request that was not recorded.

    Attributes:
        message: What happened, for a person.
        pointer: JSON pointer of the first difference to the attempt that was due; None if none was.
        recorded, sent: The values there; None if a side has none.
    """

    message: str
    lane: Value | None = None
    position: int | None = None
    pointer: str | None = None
    recorded: Any = None
    sent: Any = None


def find_difference(recorded: Any, sent: Any, pointer: str = "") -> tuple[str, Any, Any] | None:
    """Return JSON pointer (RFC 6901) and both values of the first difference; None if there is none."""
    if isinstance(recorded, dict) and isinstance(sent, dict):
        names = [*recorded, *(name for name in sent if name not in recorded)]
        pairs = [(name.replace("~", "~0").replace("/", "~1"), name) for name in names]
        members = ((text, recorded.get(name, _ABSENT), sent.get(name, _ABSENT)) for text, name in pairs)
    elif isinstance(recorded, list) and isinstance(sent, list):
        sides = [[*side, *[_ABSENT] * (max(len(recorded), len(sent)) - len(side))] for side in (recorded, sent)]
        members = ((str(place), *pair) for place, pair in enumerate(zip(*sides, strict=True)))
    else:
        is_same = recorded == sent and isinstance(recorded, bool) == isinstance(sent, bool)
        if is_same:
            return None
        return pointer, None if recorded is _ABSENT else recorded, None if sent is _ABSENT else sent
    found = (find_difference(first, second, f"{pointer}/{text}") for text, first, second in members)
    return next((difference for difference in found if difference is not None), None)


class Playlist:
    """The attempts of a bundle, and which of them were played.

    Args:
        bundle: The recorded calls.
        is_lenient: True to answer a request that differs with the attempt that comes next in its conversation.
    """

    def __init__(self, bundle: Bundle, *, is_lenient: bool = False) -> None:
        self._is_lenient = is_lenient
        self._lock = threading.Lock()
        self._lane: Value | None = None
        is_redacted = bundle.is_redacted or any(part.form == REDACTED for step in bundle.steps for part in step.parts)
        self._redactor = PieceRedactor(Redactor()) if is_redacted else None
        self.waiting = list(list_turns(bundle.steps))
        self.misses: list[Miss] = []

    def take_turn(self, method: str, content: bytes) -> Turn | Miss:
        """Return the attempt that answers a request, or why none does."""
        if self._redactor is not None and content:
            content = redact_body(self._redactor, "request", content) or b""
        body = read_body(content) if method == "POST" else None
        with self._lock:
            same = [turn for turn in self.waiting if turn.body is not None or method != "POST"]
            turn = next((turn for turn in same if find_difference(turn.body, body) is None), None)
            if turn is None:
                due = self._find_due()
                miss = describe_miss(due, body)
                if due is None or not self._is_lenient:
                    self.misses.append(miss)
                    return miss
                turn = due
            self._lane = turn.lane
            self.waiting.remove(turn)
            if turn.number:  # an attempt before it that the client did not make this time
                self.waiting = [
                    other for other in self.waiting if other.step is not turn.step or other.number > turn.number
                ]
            return turn

    def _find_due(self) -> Turn | None:
        """Return what comes next in the conversation that was played last, or in the first one that is not over."""
        in_lane = (turn for turn in self.waiting if turn.lane == self._lane)
        return next(in_lane, next(iter(self.waiting), None))


def list_turns(steps: Sequence[Step]) -> Iterator[Turn]:
    """Yield the attempts of all calls, in the order in which the calls began."""
    for position, step in enumerate(list_calls(steps), 1):
        attempts = list_attempts(step.entry)  # type: ignore[arg-type]
        for number, attempt in enumerate(attempts):
            content = step.read("request", number)
            body = None if content is None else read_body(content)
            yield Turn(step.lane, position, step, number, attempt, number == len(attempts) - 1, body)


def read_body(content: bytes) -> Any:
    """Return a body as JSON, or as it is if it is something else."""
    parsed = parse_json(content)
    return content if parsed is None else parsed


def describe_miss(due: Turn | None, body: Any) -> Miss:
    """Return why a request has no answer: its first difference to the attempt that was due."""
    if due is None:
        return Miss("the recording has no further call; this request was not made then")
    where = f"call {due.position} of the recording"
    if due.body is None:
        return Miss(f"the request of {where} was not recorded, so none can be the same", due.lane, due.position)
    pointer, recorded, sent = find_difference(due.body, body) or ("", None, None)
    values = [json.dumps(value, ensure_ascii=False, default=repr) for value in (recorded, sent)]
    texts = [text if len(text) <= 200 else f"{text[:200]}…" for text in values]
    message = f"this request is not {where}: {pointer or 'the body'} was {texts[0]} and is {texts[1]}"
    return Miss(message, due.lane, due.position, pointer, recorded, sent)


class ReplayServer(Addresses):
    """A server on loopback that plays a bundle, for the length of a block.

    Args:
        bundle: The recorded calls.
        port: The port to listen on; 0 for a free one.
        is_lenient: True to answer a request that differs with the attempt that comes next in its conversation.
        has_times: True to keep the pauses between chunks as they were.
    """

    def __init__(self, bundle: Bundle, *, port: int = 0, is_lenient: bool = False, has_times: bool = False) -> None:
        self.playlist = Playlist(bundle, is_lenient=is_lenient)
        self.has_times = has_times
        self._server = _Server(("127.0.0.1", port), _Handler)
        self._server.replay = self
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)

    @property
    def variables(self) -> dict[str, str]:
        """Return the variables of the environment by which clients find this server."""
        return {
            "OPENAI_BASE_URL": self.openai_url,
            "ANTHROPIC_BASE_URL": self.anthropic_url,
            "AZURE_OPENAI_ENDPOINT": self.azure_url,
            "GOOGLE_GEMINI_BASE_URL": self.url,
            "GROQ_BASE_URL": self.url,
            "TOGETHER_BASE_URL": self.openai_url,
            "CO_API_URL": self.url,
            "OLLAMA_HOST": self.url,
            "AWS_ENDPOINT_URL_BEDROCK_RUNTIME": self.url,
        }

    @property
    def misses(self) -> list[Miss]:
        """Return the requests that were not recorded."""
        return list(self.playlist.misses)

    @property
    def waiting(self) -> list[Turn]:
        """Return the attempts that nobody has asked for."""
        return list(self.playlist.waiting)

    def serve_forever(self) -> None:
        """Serve in this thread, until it is interrupted."""
        self._server.serve_forever()

    def __enter__(self) -> ReplayServer:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    replay: ReplayServer

    def handle_error(self, request: object, client_address: object) -> None:
        """Report an error of this server; that a client goes away is none."""
        if not isinstance(sys.exc_info()[1], OSError):
            super().handle_error(request, client_address)  # type: ignore[arg-type]


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server

    def do_POST(self) -> None:
        self._answer()

    def do_GET(self) -> None:
        self._answer()

    def log_message(self, format: str, *args: object) -> None:
        """Print nothing: the misses are kept."""

    def _answer(self) -> None:
        content = self.rfile.read(int(self.headers.get("content-length", 0)))
        match = match_path(self.path)
        route = None if match.pattern is None else match.dialect.routes[match.pattern]
        turn = self.server.replay.playlist.take_turn(self.command, content)
        if isinstance(turn, Miss):
            error = {"type": "recording_miss", **turn._asdict()}
            body = json.dumps({"error": error, "message": turn.message}, default=repr).encode()
            self._send(409, body, {"x-should-retry": "false"})  # Stainless clients try a 409 again without it
            return
        status = turn.attempt.status
        if status == 0:
            self.close_connection = True  # no response came then
            return
        headers = _list_headers(turn)
        if not turn.is_last or (status or 200) >= 400:
            recorded = turn.step.read("response") if turn.is_last else None
            words = f"recorded as {status}, without its words"
            body = recorded or json.dumps(match.dialect.error(words, status or 500)).encode()
            error_headers = _parse_headers(match.dialect.error_headers(status or 500))
            self._send(status or 500, body, {**error_headers, **headers})
        elif chunks := turn.step.read_chunks():
            self._send_stream(match.dialect, b"" if route is None else route.end, chunks, headers)
        elif (response := turn.step.read("response")) is not None:
            self._send(status or 200, response, headers)
        else:
            words = "the answer of this call was not recorded"
            self._send(409, json.dumps(match.dialect.error(words, 409)).encode(), {"x-should-retry": "false"})

    def _send(self, status: int, body: bytes, headers: Mapping[str, str]) -> None:
        self._send_head(status, {"content-type": "application/json", **headers, "content-length": str(len(body))})
        self.wfile.write(body)

    def _send_stream(
        self, dialect: Dialect, end: bytes, chunks: Sequence[tuple[int, Any]], headers: Mapping[str, str]
    ) -> None:
        head = {**headers, "content-type": dialect.content_type, "transfer-encoding": "chunked"}
        self._send_head(200, head)
        last_ns = chunks[0][0]
        for time_ns, chunk in chunks:
            if self.server.replay.has_times:
                time.sleep(max(time_ns - last_ns, 0) / 1e9)
                last_ns = time_ns
            self._send_part(dialect.frame(unwrap_event(chunk)))
        self._send_part(end)
        self.wfile.write(b"0\r\n\r\n")

    def _send_part(self, data: bytes) -> None:
        if data:
            self.wfile.write(b"%x\r\n%s\r\n" % (len(data), data))

    def _send_head(self, status: int, headers: Mapping[str, str]) -> None:
        self.send_response_only(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()


def _list_headers(turn: Turn) -> dict[str, str]:
    """Return the headers of an answer: those that were recorded, and how long it asked to wait."""
    recorded = turn.step.read_json("headers") or {} if turn.is_last else {}
    headers = {name: value for name, value in recorded.items() if name not in _NOT_PLAYED}
    if turn.attempt.retry_after is not None:
        headers["retry-after"] = f"{turn.attempt.retry_after:g}"
    return headers


def _parse_headers(lines: bytes) -> dict[str, str]:
    pairs = (line.partition(": ") for line in lines.decode().split("\r\n") if line)
    return {name: value for name, _, value in pairs}
