"""The bare SDK is the reference: one scenario with and without us, and everything the application can see compared.

    seen = await bench.same(scenario)      # bare, instrumented, bare again: equal, or an AssertionError that says where
    assert len(seen.spans) == 1

A scenario is `async def scenario(app)`. What it returns, raises and notes, the requests that it makes, warnings, log
output and the telemetry context after it are its observation.
"""

from __future__ import annotations

import logging
import re
import traceback
import warnings
from collections.abc import Awaitable, Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, fields
from typing import Any

import anthropic
import openai
from opentelemetry import context as otel_context
from tests.clients.both import done

from otel_agentops import _client_call, _patching
from otel_agentops.clients.anthropic import Instrumentor as AnthropicInstrumentor
from otel_agentops.clients.openai import Instrumentor as OpenAIInstrumentor
from otel_agentops.testing import Capture, capture
from otel_agentops.testing.fake_provider import Call, FakeProvider

ASK: Any = [{"role": "user", "content": "hi"}]
# What differs between two requests of the bare SDK as well.
_VOLATILE = {"x-stainless-arch", "idempotency-key", "x-stainless-idempotency-key", "host"}
_OURS = "otel_agentops"
_ADDRESS = re.compile(r"\b(0x)?[0-9a-f]{12}\b")


class App:
    """An application on one SDK, sync or async: a client, and notes of what happened in which order."""

    def __init__(self, sdk: str, kind: str, provider: FakeProvider, telemetry: Capture | None) -> None:
        self.sdk = sdk
        self.kind = kind
        self.provider = provider
        self.telemetry = telemetry  # None in a bare run
        self.notes: list[Any] = []
        self.clients: list[Any] = []  # closed after the scenario

    @property
    def library(self) -> Any:
        return openai if self.sdk == "openai" else anthropic

    @property
    def client_class(self) -> Any:
        name = {"openai": "OpenAI", "anthropic": "Anthropic"}[self.sdk]
        return getattr(self.library, name if self.kind == "sync" else f"Async{name}")

    @property
    def stream_class(self) -> Any:
        return self.library.Stream if self.kind == "sync" else self.library.AsyncStream

    @property
    def http(self) -> Any:
        """The HTTP library of the SDK: httpx2, before openai 3 and anthropic 2 httpx."""
        base = self.library._base_client
        return getattr(base, "httpx2", None) or base.httpx

    @property
    def url(self) -> str:
        return self.provider.openai_url if self.sdk == "openai" else self.provider.anthropic_url

    def client(self, made: Any = None, **options: Any) -> Any:
        """A client on the provider. made: a class in the place of the SDK's own."""
        if "http_client" not in options:
            options["http_client"] = self.http_client(verify=False)  # reading the certificates takes 40 ms
        client = (made or self.client_class)(**{"api_key": "k", "base_url": self.url, "max_retries": 0, **options})
        self.clients.append(client)
        return client

    def http_client(self, **options: Any) -> Any:
        """An HTTP client of the application's own."""
        return (self.http.Client if self.kind == "sync" else self.http.AsyncClient)(**options)

    def resource(self, client: Any) -> Any:
        return client.chat.completions if self.sdk == "openai" else client.messages

    def ask(self, client: Any, **more: Any) -> Any:
        """The simplest call: the value, or its awaitable."""
        return self.resource(client).create(**{**self.arguments, **more})

    @property
    def arguments(self) -> dict[str, Any]:
        if self.sdk == "openai":
            return {"model": "gpt-x", "messages": ASK}
        return {"model": "claude-x", "max_tokens": 9, "messages": ASK}

    def note(self, *what: Any) -> None:
        self.notes.append(what)


Scenario = Callable[[App], Awaitable[Any]]


@dataclass
class Observation:
    """What an application sees."""

    outcome: Any = None
    notes: list[Any] = field(default_factory=list)
    requests: list[Any] = field(default_factory=list)
    warnings: list[Any] = field(default_factory=list)
    logs: list[Any] = field(default_factory=list)
    context: Any = None


class Bench:
    """One SDK in one kind on one provider."""

    def __init__(self, sdk: str, kind: str, provider: FakeProvider) -> None:
        self.sdk = sdk
        self.kind = kind
        self.provider = provider

    async def observe(self, scenario: Scenario, telemetry: Capture | None = None) -> Observation:
        """Run it once, on a provider without memory."""
        self.provider.clear()
        app = App(self.sdk, self.kind, self.provider, telemetry)
        seen = Observation(notes=app.notes)
        before = otel_context.get_current()
        with _recorded(seen):
            try:
                seen.outcome = ("returned", *plain(await done(scenario(app))))
            except Exception as error:  # noqa: BLE001  whatever it is, it is what the application sees
                seen.outcome = ("raised", described(error))
            for client in app.clients:
                await done(client.close())
        seen.requests = [request(call) for call in self.provider.requests]
        seen.context = (otel_context.get_current() == before, _client_call.ACTIVE_CALL.get())
        return seen

    async def same(
        self, scenario: Scenario, broken: Callable[[Capture], Any] | None = None, ignoring: str = ""
    ) -> Capture:
        """The telemetry of the scenario, which is the same with us, without us, and after us.

        broken: breaks the telemetry before the scenario runs, so that the guard has something to say in the log.
        ignoring: a request header that is not compared.
        """
        bare = await self.observe(scenario)
        with self.instrumented() as telemetry:
            if broken is not None:
                broken(telemetry)
            watched = await self.observe(scenario, telemetry)
        again = await self.observe(scenario)
        if broken is not None:
            watched.logs = [entry for entry in watched.logs if not entry[0].startswith((_OURS, "opentelemetry"))]
        for _, _, headers in watched.requests:
            headers.pop(ignoring, None)
        assert bare.context == (True, None)
        assert not (found := differences(bare, watched)), f"with us: {found}"
        assert not (found := differences(bare, again)), f"after us: {found}"
        return telemetry

    @contextmanager
    def instrumented(self) -> Iterator[Capture]:
        """The block runs instrumented."""
        with capture(self.instrumentor()) as seen:
            yield seen

    def instrumentor(self) -> Any:
        return OpenAIInstrumentor() if self.sdk == "openai" else AnthropicInstrumentor()

    @property
    def patched(self) -> _patching.PatchedLibrary:
        """The patched library."""
        return self.instrumentor().libraries[0]  # type: ignore[no-any-return]


@contextmanager
def _recorded(seen: Observation) -> Iterator[None]:
    """Warnings and log records, of everybody, into the observation."""
    handler = _Records(seen.logs)
    root = logging.getLogger()
    level = root.level
    with ExitStack() as stack:
        caught = stack.enter_context(warnings.catch_warnings(record=True))
        warnings.simplefilter("always")
        root.addHandler(handler)
        stack.callback(root.removeHandler, handler)
        root.setLevel(logging.INFO)
        stack.callback(root.setLevel, level)
        yield
        seen.warnings = [(entry.category, str(entry.message)) for entry in caught]


class _Records(logging.Handler):
    def __init__(self, into: list[Any]) -> None:
        super().__init__()
        self.into = into

    def emit(self, record: logging.LogRecord) -> None:
        if record.name != "asyncio" or record.levelno >= logging.WARNING:
            self.into.append((record.name, record.levelname, record.getMessage()))


def differences(expected: Observation, seen: Observation) -> dict[str, Any]:
    """The fields in which two observations differ, both values."""
    pairs = {row.name: (getattr(expected, row.name), getattr(seen, row.name)) for row in fields(Observation)}
    return {name: {"bare": pair[0], "seen": pair[1]} for name, pair in pairs.items() if pair[0] != pair[1]}


def request(call: Call) -> tuple[Any, ...]:
    """What a request said; its size is in `content-length`, its bytes in the body."""
    return call.path, call.body, {name: value for name, value in call.headers.items() if name not in _VOLATILE}


def plain(value: Any) -> tuple[Any, Any]:
    """The type of a result and what is in it. Streams are ours by class; their name and bases are the SDK's."""
    kind = type(value)
    if hasattr(value, "model_dump"):
        return kind, value.model_dump()
    if hasattr(kind, "__stream__"):
        return (kind.__module__, kind.__qualname__), None
    if isinstance(value, (list, tuple)):
        return kind, [plain(item) for item in value]
    return kind, value


def described(error: BaseException | None, depth: int = 0) -> Any:
    """Everything about an exception that a handler or a report can see, and where it came from."""
    if error is None or depth > 5:
        return None
    return {
        "type": type(error),
        "args": _ADDRESS.sub("0x", repr(error.args)),
        "text": _ADDRESS.sub("0x", str(error)),
        "notes": getattr(error, "__notes__", None),
        "status": vars(error).get("status_code"),
        "cause": described(error.__cause__, depth + 1),
        "context": described(error.__context__, depth + 1),
        "suppressed": error.__suppress_context__,
        "from": [frame.name for frame in traceback.extract_tb(error.__traceback__) if _OURS not in frame.filename],
    }
