"""Answers that a test writes itself, in the words of each client's wire, and the facts that are read from them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import pytest

import ends
from otel_agentops import _config, _deferred_work, _telemetry
from otel_agentops._observation import Observation
from otel_agentops.operations import Answer as Facts
from otel_agentops.testing.contract import await_result, iterate_items
from otel_agentops.testing.fake_provider import Answer, Call, FakeProvider, Step, ToolCall, wire
from otel_agentops.testing.subject import TOOL, ChatRequest, Subject, load

REQUEST = ChatRequest(tools=[TOOL])
ANSWER = Answer(text="", tool_calls=(ToolCall("weather", '{"city": "Paris"}'), ToolCall("time", "{}", id="call_2")))


class Way(NamedTuple):
    """One way to ask a client for an answer. ask: the client object to the result."""

    client: str
    is_stream: bool
    ask: Callable[[Subject, Any], object]

    def __str__(self) -> str:
        return f"{self.client} {'stream' if self.is_stream else 'chat'}"


WAYS = [
    Way(client, is_stream, ask)
    for client in (
        "openai", "anthropic", "bedrock", "cohere", "fireworks", "google_genai", "groq", "huggingface_hub", "litellm",
        "mistralai", "ollama", "openrouter", "together", "watsonx", "writer",
    )
    for is_stream, ask in (
        (False, lambda subject, client: subject.chat(client, REQUEST)),
        (True, lambda subject, client: subject.stream(client, REQUEST)),
    )
]  # fmt: skip


class Ended(NamedTuple):
    """How an operation ended: the facts of its answer, and the `error.type` of an exception."""

    facts: Facts | None
    error_type: str | None


class ResultSink:
    """A sink of the results alone."""

    def __init__(self) -> None:
        self.ended_operations: list[Ended] = []

    def ended(self, observation: Observation) -> None:
        result = observation.result
        self.ended_operations.append(Ended(result if isinstance(result, Facts) else None, observation.error_type))


class Conversation:
    """A client under observation, which gets whatever a test lets the provider say."""

    def __init__(self, way: Way, subject: Subject, provider: FakeProvider, sink: ResultSink) -> None:
        self.way = way
        self.subject = subject
        self.provider = provider
        self.sink = sink
        self.client = subject.client("sync", provider)

    def record(self) -> tuple[Ended, list[Any]]:
        """Return the end of an ordinary call, and what the provider said for it."""
        ended, _ = self.hear()
        return ended, list_parts(self.provider.requests[-1])

    def hear(self, *steps: Step) -> tuple[Ended, object]:
        """Return the end of a call that meets these steps, and what the application got or saw."""
        self.sink.ended_operations.clear()
        self.provider.script(*steps)
        outcome = self.ask()
        _deferred_work.run_deferred()
        (ended,) = self.sink.ended_operations
        return ended, outcome

    def ask(self) -> object:
        """Make the call and read its answer; return what came, or the exception."""
        try:
            return asyncio.run(self._read())
        except Exception as error:  # noqa: BLE001  each client has an exception of its own
            return error

    async def _read(self) -> object:
        result = await await_result(self.way.ask(self.subject, self.client))
        if self.way.is_stream:
            return [item async for item in iterate_items(result)]
        return result


def list_parts(call: Call) -> list[Any]:
    """Return the events of a stream, or the body of a plain answer, that the provider gives to a request."""
    dialect, pattern, _, _ = wire.match_path(call.path)
    route = dialect.routes[pattern or ""]
    assert route is not None
    if route.events is not None and (route.whole is None or route.wants_stream(call)):
        return list(route.events(call, ANSWER))
    assert route.whole is not None
    return [route.whole(call, ANSWER)]


@contextmanager
def converse(way: Way) -> Iterator[Conversation]:
    """Observe a client of the way for the block; skip the test if the client is not installed."""
    if lacking := ends.find_lacking(way.client):
        pytest.skip(f"{lacking} is not installed here")
    subject, sink = load(Path(__file__).parent / way.client), ResultSink()
    telemetry = _telemetry.Telemetry(_config.read_config(), sinks=[sink])
    with ExitStack() as stack:
        provider = stack.enter_context(subject.serve())
        provider.answer(lambda call: ANSWER)
        stack.callback(_telemetry.replace_default, _telemetry.replace_default(telemetry))
        subject.instrumentor().instrument(skip_dep_check=True)
        stack.callback(subject.instrumentor().uninstrument)
        yield Conversation(way, subject, provider, sink)
