"""Answers that a test writes itself, in the words of each client's wire, and the facts that are read from them."""

from __future__ import annotations

import asyncio
import base64
import importlib
import json
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
from otel_agentops.testing.fake_provider import Answer, Call, FakeProvider, Say, Step, ToolCall, wire
from otel_agentops.testing.subject import TOOL, ChatRequest, Subject, load

REQUEST = ChatRequest(tools=[TOOL])
ANSWER = Answer(text="", tool_calls=(ToolCall("weather", '{"city": "Paris"}'), ToolCall("time", "{}", id="call_2")))


class Way(NamedTuple):
    """One way to ask a client for an answer. ask: the client object to the result. api: if it is not the usual one."""

    client: str
    is_stream: bool
    ask: Callable[[Subject, Any], object]
    api: str = ""

    def __str__(self) -> str:
        return " ".join(filter(None, (self.client, self.api, "stream" if self.is_stream else "chat")))


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


USER = [{"role": "user", "content": "hi"}]
FUNCTIONS = [{"type": "function", "function": dict(TOOL)}]
# Bodies of InvokeModel by model, one for each shape of an answer.
INVOCATIONS: dict[str, dict[str, Any]] = {
    "anthropic.claude-3-haiku-20240307-v1:0": {
        "anthropic_version": "bedrock-2023-05-31", "max_tokens": 9, "messages": USER,
    },
    "amazon.nova-lite-v1:0": {"messages": [{"role": "user", "content": [{"text": "hi"}]}], "inferenceConfig": {}},
    "amazon.titan-text-express-v1": {"inputText": "hi", "textGenerationConfig": {}},
    "meta.llama3-8b-instruct-v1:0": {"prompt": "hi"},
    "mistral.mistral-7b-instruct-v0:2": {"prompt": "hi"},
    "mistral.mistral-large-2407-v1:0": {"messages": USER, "tools": FUNCTIONS},
    "cohere.command-text-v14": {"prompt": "hi"},
    "cohere.command-r-plus-v1:0": {"message": "hi"},
    "openai.gpt-oss-20b-1:0": {"messages": USER, "tools": FUNCTIONS},
    "ai21.j2-mid-v1": {"prompt": "hi"},
}  # fmt: skip
_SINGLE = frozenset({"ai21.j2-mid-v1"})  # models that do not stream


def _invoke(model: str) -> tuple[Callable[[Subject, Any], object], Callable[[Subject, Any], object]]:
    """Return the plain call and the streamed one."""
    request = {"modelId": model, "body": json.dumps(INVOCATIONS[model])}
    return (
        lambda subject, client: client.invoke_model(**request)["body"].read(),
        lambda subject, client: client.invoke_model_with_response_stream(**request)["body"],
    )


def _ask_v1(name: str, client: Any) -> object:
    older = importlib.import_module("cohere").Client(api_key="k", base_url=client._client_wrapper.get_base_url())
    return getattr(older, name)(model="m-x", message="hi")


def _interact(subject: Any, client: Any, **more: Any) -> object:
    described = importlib.import_module("google_genai_subject").interaction(REQUEST)
    return client.interactions.create(**described, **more)


def _converse(client: Any, name: str) -> object:
    return client.call(f"beta.conversations.{name}", model="m-x", inputs="hi", tools=FUNCTIONS)


APIS = [
    *(
        Way("bedrock", is_stream, ask, f"invoke {model}")
        for model in INVOCATIONS
        for is_stream, ask in enumerate(_invoke(model))
        if not (is_stream and model in _SINGLE)
    ),
    Way("cohere", False, lambda subject, client: _ask_v1("chat", client), "v1"),
    Way("cohere", True, lambda subject, client: _ask_v1("chat_stream", client), "v1"),
    Way("google_genai", False, _interact, "interactions"),
    Way("google_genai", True, lambda subject, client: _interact(subject, client, stream=True), "interactions"),
    Way("mistralai", False, lambda subject, client: _converse(client, "start"), "conversations"),
    Way("mistralai", True, lambda subject, client: _converse(client, "start_stream"), "conversations"),
]


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

    def hear_parts(self, parts: list[Any]) -> tuple[Ended, object]:
        """Return the end of a call that is answered by these parts, and what the application got or saw."""
        if self.way.is_stream and self.way.api.startswith("invoke"):
            parts = [{"chunk": {"bytes": base64.b64encode(json.dumps(part).encode()).decode()}} for part in parts]
        return self.hear(Say(parts))

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
    """Return the events of a stream, or the body of a plain answer, that the provider gives to a request.

    An event of InvokeModel is the chunk that is inside.
    """
    dialect, pattern, _, _ = wire.match_path(call.path)
    route = dialect.routes[pattern or ""]
    assert route is not None
    if route.events is not None and (route.whole is None or route.wants_stream(call)):
        events = list(route.events(call, ANSWER))
        return [
            json.loads(base64.b64decode(event["chunk"]["bytes"])) if "chunk" in event else event for event in events
        ]
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
