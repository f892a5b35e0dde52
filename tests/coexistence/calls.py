"""The calls of the coexistence matrix: every way to call openai and anthropic, the plain ways of each client, and the
bodies of Bedrock's InvokeModel.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from importlib import import_module
from pathlib import Path
from typing import Any

from both import KINDS, done
from opentelemetry import trace
from opentelemetry.sdk.trace import SpanProcessor, TracerProvider

from otel_agentops.testing.fake_provider import Answer, FakeProvider
from otel_agentops.testing.subject import MODEL, RESOLVED, TOOL, ChatRequest, Subject, load

CLIENTS = Path(__file__).parents[1] / "clients"
MESSAGES = [{"role": "user", "content": "hi"}]
SCHEMA = {"type": "object", "properties": {"town": {"type": "string"}}}

Call = Callable[[], Awaitable[None]]
Way = Callable[[Any, str], Awaitable[None]]  # of a client and its kind


class Calls:
    """The calls of one part of the matrix.

    Attributes:
        instrumentor: Our instrumentor, `module:class`.
        peers: The other instrumentations by title, `module:class`.
        kinds: The kinds of clients.
    """

    instrumentor: str
    peers: Mapping[str, str]
    kinds: Sequence[str] = KINDS

    def set_provider(self, processor: SpanProcessor) -> None:
        """Set the global tracer provider."""
        provider = TracerProvider()
        provider.add_span_processor(processor)
        trace.set_tracer_provider(provider)

    def serve(self) -> AbstractContextManager[FakeProvider]:
        raise NotImplementedError

    def open_client(self, kind: str, provider: FakeProvider) -> Any:
        raise NotImplementedError

    def close_client(self, client: Any) -> Any:
        return None

    def list_calls(self, client: Any, kind: str) -> Iterator[tuple[str, Call]]:
        """Yield each call: its name, and a function that makes it and reads its answer to the end."""
        raise NotImplementedError


# -- every way to call openai and anthropic


async def read_stream(items: Any, kind: str) -> None:
    """Read a stream as an application does, by the kind of client: a peer's proxy may claim to be both."""
    if kind == "async":
        async for _ in items:
            pass
    else:
        for _ in items:
            pass


async def call_plain(create: Any, kind: str, **call: Any) -> None:
    await done(create.create(**call))


async def call_stream(create: Any, kind: str, **call: Any) -> None:
    await read_stream(await done(create.create(**call, stream=True)), kind)


async def call_manager(create: Any, kind: str, **call: Any) -> None:
    if kind == "async":
        async with create.stream(**call) as entered:
            await read_stream(entered, kind)
    else:
        with create.stream(**call) as entered:
            await read_stream(entered, kind)


async def call_raw(create: Any, kind: str, **call: Any) -> None:
    await done((await done(create.with_raw_response.create(**call))).parse())


async def call_raw_stream(create: Any, kind: str, **call: Any) -> None:
    response = await done(create.with_raw_response.create(**call, stream=True))
    await read_stream(await done(response.parse()), kind)


async def call_streaming_response(create: Any, kind: str, **call: Any) -> None:
    if kind == "async":
        async with create.with_streaming_response.create(**call) as response:
            await response.parse()
    else:
        with create.with_streaming_response.create(**call) as response:
            response.parse()


def _make_way(call_way: Callable[..., Awaitable[None]], resource: Callable[[Any], Any], **call: Any) -> Way:
    return lambda client, kind: call_way(resource(client), kind, **call)


def list_anthropic_ways() -> dict[str, Way]:
    tool = {"name": "weather", "description": "of a town", "input_schema": SCHEMA}
    call: Any = {"model": "claude-x", "max_tokens": 9, "messages": MESSAGES, "system": "Be brief.", "tools": [tool]}
    ways = {
        "": call_plain,
        " stream": call_stream,
        " manager": call_manager,
        " raw": call_raw,
        " raw stream": call_raw_stream,
        " streaming response": call_streaming_response,
    }
    messages = {f"messages{name}": _make_way(way, lambda client: client.messages, **call) for name, way in ways.items()}
    beta = {name: _make_way(ways[name], lambda client: client.beta.messages, **call) for name in ("", " manager")}
    return messages | {f"beta messages{name}": way for name, way in beta.items()}


def list_openai_ways() -> dict[str, Way]:
    function = {"name": "weather", "description": "of a town", "parameters": SCHEMA}
    turns = [{"role": "system", "content": "Be brief."}, *MESSAGES]
    chat: Any = {
        "model": "gpt-x",
        "temperature": 0,
        "messages": turns,
        "tools": [{"type": "function", "function": function}],
    }
    usage = {"stream_options": {"include_usage": True}}
    flat: Any = {
        "model": "gpt-x",
        "temperature": 0,
        "input": "hi",
        "instructions": "Be brief.",
        "tools": [{"type": "function", **function}],
    }

    def get_completions(client: Any) -> Any:
        return client.chat.completions

    return {
        "chat": _make_way(call_plain, get_completions, **chat),
        "chat stream": _make_way(call_stream, get_completions, **chat, **usage),
        "chat manager": _make_way(call_manager, get_completions, **chat, **usage),
        "chat raw": _make_way(call_raw, get_completions, **chat),
        "chat raw stream": _make_way(call_raw_stream, get_completions, **chat, **usage),
        "chat streaming response": _make_way(call_streaming_response, get_completions, **chat),
        "responses": _make_way(call_plain, lambda client: client.responses, **flat),
        "responses stream": _make_way(call_stream, lambda client: client.responses, **flat),
        "embeddings": _make_way(call_plain, lambda client: client.embeddings, model="gpt-x", input="hi"),
    }


IDS = map(str, itertools.count())  # a peer keeps what it saw of an answer by its id


class AllWays(Calls):
    """Every way to call openai or anthropic.

    Args:
        client: The name of the library.
        title: The same as the names of classes have it.
        is_native: True if the client's own tracing is on.
    """

    def __init__(self, client: str, title: str, *, is_native: bool = False) -> None:
        self.client = client
        self.title = title
        self.is_native = is_native
        self.instrumentor = f"otel_agentops.clients.{client}:Instrumentor"
        self.peers = {
            "official": f"opentelemetry.instrumentation.genai.{client}:{title}Instrumentor",
            "OpenLLMetry": f"opentelemetry.instrumentation.{client}:{title}Instrumentor",
            "OpenInference": f"openinference.instrumentation.{client}:{title}Instrumentor",
        }

    @contextmanager
    def serve(self) -> Iterator[FakeProvider]:
        with FakeProvider() as provider:
            provider.alias("gpt-x", "gpt-x-2026-03-01")
            provider.alias("claude-x", "claude-x-20260301")
            provider.answer(lambda call: Answer(id=next(IDS)))
            yield provider

    def open_client(self, kind: str, provider: FakeProvider) -> Any:
        make = getattr(import_module(self.client), {"sync": self.title, "async": f"Async{self.title}"}[kind])
        if self.client == "openai":
            return make(api_key="k", base_url=provider.openai_url)
        return make(api_key="k", base_url=provider.anthropic_url, open_telemetry=None if self.is_native else False)

    def list_calls(self, client: Any, kind: str) -> Iterator[tuple[str, Call]]:
        ways = list_openai_ways() if self.client == "openai" else list_anthropic_ways()
        for name, call_way in ways.items():
            yield f"{kind} {name}", lambda call_way=call_way: call_way(client, kind)


# -- the plain ways of the other clients


class SubjectCalls(Calls):
    """A plain call with a tool, a stream and embeddings of the client that a `Subject` describes."""

    def __init__(self, subject: Subject) -> None:
        ours = type(subject.instrumentor())
        self.subject = subject
        self.instrumentor = f"{ours.__module__}:{ours.__qualname__}"
        self.peers = subject.peers
        self.kinds = subject.kinds

    @contextmanager
    def serve(self) -> Iterator[FakeProvider]:
        with self.subject.serve() as provider:
            provider.alias(MODEL, RESOLVED)
            yield provider

    def open_client(self, kind: str, provider: FakeProvider) -> Any:
        return self.subject.client(kind, provider)

    def close_client(self, client: Any) -> Any:
        return self.subject.close(client)

    def list_calls(self, client: Any, kind: str) -> Iterator[tuple[str, Call]]:
        request = ChatRequest(tools=[] if "tools" in self.subject.missing else [TOOL])

        async def chat() -> None:
            await done(self.subject.chat(client, request))

        async def stream() -> None:
            await read_stream(await done(self.subject.stream(client, request)), kind)

        async def embed() -> None:
            await done(self.subject.embed(client, ["hi"]))

        for call in (chat, stream, embed):
            if call.__name__ not in self.subject.missing:
                yield f"{kind} {call.__name__}", call


# -- the bodies of Bedrock


class BedrockBodies(SubjectCalls):
    """InvokeModel in every family of models, and knowledge bases."""

    def __init__(self) -> None:
        super().__init__(load(CLIENTS / "bedrock"))
        self.kinds = ("sync",)

    def serve(self) -> AbstractContextManager[FakeProvider]:  # type: ignore[override]
        return FakeProvider()

    def open_client(self, kind: str, provider: FakeProvider) -> Any:
        make = import_module("bedrock_subject").made
        return [make(kind, service, provider.url) for service in ("bedrock-runtime", "bedrock-agent-runtime")]

    def close_client(self, client: Any) -> Any:
        return None

    def list_calls(self, client: Any, kind: str) -> Iterator[tuple[str, Call]]:
        for name, call in self._list_requests(*client):

            async def make_call(call: Callable[[], Any] = call) -> None:
                call()

            yield name, make_call

    def _list_requests(self, runtime: Any, bases: Any) -> Iterator[tuple[str, Callable[[], Any]]]:
        families, requests = import_module("test_bedrock_invoke").FAMILIES, import_module("test_bedrock_bases")
        bodies = {name: row[:2] for name, row in families.items()}
        for name, (model, body) in {**bodies, **EMBEDDINGS}.items():
            request = {"modelId": model, "body": json.dumps(body)}
            yield f"plain {name}", lambda request=request: runtime.invoke_model(**request)["body"].read()
            if name not in EMBEDDINGS:
                yield (
                    f"stream {name}",
                    lambda request=request: list(runtime.invoke_model_with_response_stream(**request)["body"]),
                )
        yield "retrieve", lambda: bases.retrieve(**requests.LOOKUP)
        yield "generate", lambda: bases.retrieve_and_generate(**requests.ASKED)
        yield "stream generate", lambda: list(bases.retrieve_and_generate_stream(**requests.ASKED)["stream"])


EMBEDDINGS: dict[str, tuple[str, dict[str, Any]]] = {
    "titan-embed": ("amazon.titan-embed-text-v2:0", {"inputText": "hi"}),
    "cohere-embed": ("cohere.embed-english-v3", {"texts": ["hi"], "input_type": "search_query"}),
}


def load_calls(name: str) -> Calls:
    """Return the calls of a name: a part of the matrix, or the folder of a client's tests."""
    parts: dict[str, Callable[[], Calls]] = {
        "openai": lambda: AllWays("openai", "OpenAI"),
        "anthropic": lambda: AllWays("anthropic", "Anthropic"),
        "anthropic native": lambda: AllWays("anthropic", "Anthropic", is_native=True),
        "bedrock bodies": BedrockBodies,
        **import_module("frameworks").PACKAGES,
    }
    return parts[name]() if name in parts else SubjectCalls(load(CLIENTS / name))
