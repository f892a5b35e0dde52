"""The openai client below packages that trace it in other ways: LangChain, Langfuse's client, logfire.

Their instrumentations describe a span after its start, or suppress those of others. They run in an environment of
their own: `make ends ARGS="--client coexistence"`.
"""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from importlib import import_module
from typing import Any

from both import done
from calls import MESSAGES, Call, Calls, read_stream
from opentelemetry.sdk.trace import SpanProcessor

from otel_agentops.testing.fake_provider import FakeProvider

CHAT: Any = {
    "model": "gpt-x",
    "messages": [{"role": "system", "content": "Be brief."}, *MESSAGES],
    "temperature": 0,
}
STREAM: Any = {**CHAT, "stream": True, "stream_options": {"include_usage": True}}


class FrameworkCalls(Calls):
    """Calls of the openai client, which a package makes or traces."""

    instrumentor = "otel_agentops.clients.openai:Instrumentor"

    @contextmanager
    def serve(self) -> Iterator[FakeProvider]:
        with FakeProvider() as provider:
            provider.alias("gpt-x", "gpt-x-2026-03-01")
            yield provider

    def open_client(self, kind: str, provider: FakeProvider) -> Any:
        import openai

        make = openai.OpenAI if kind == "sync" else openai.AsyncOpenAI
        return make(api_key="k", base_url=provider.openai_url)

    def list_calls(self, client: Any, kind: str) -> Iterator[tuple[str, Call]]:
        async def chat() -> None:
            await done(client.chat.completions.create(**CHAT))

        async def stream() -> None:
            await read_stream(await done(client.chat.completions.create(**STREAM)), kind)

        async def respond() -> None:
            await done(client.responses.create(model="gpt-x", input="hi", instructions="Be brief."))

        async def embed() -> None:
            await done(client.embeddings.create(model="gpt-x", input="hi"))

        for call in (chat, stream, respond, embed):
            yield f"{kind} {call.__name__}", call


class LangChainCalls(FrameworkCalls):
    """LangChain's classes for OpenAI, and the client itself after them."""

    instrumentor = "frameworks:OursOfLangChain"
    peers = {
        "OpenLLMetry": "opentelemetry.instrumentation.langchain:LangchainInstrumentor",
        "OpenInference": "openinference.instrumentation.langchain:LangChainInstrumentor",
    }

    def open_client(self, kind: str, provider: FakeProvider) -> Any:
        chains = import_module("langchain_openai")
        server = {"base_url": provider.openai_url, "api_key": "k"}
        return (
            chains.ChatOpenAI(model="gpt-x", temperature=0, stream_usage=True, **server),
            chains.OpenAIEmbeddings(model="gpt-x", check_embedding_ctx_length=False, **server),
            super().open_client(kind, provider),
        )

    def list_calls(self, client: Any, kind: str) -> Iterator[tuple[str, Call]]:
        chat, embeddings, plain_client = client
        turns = [("system", "Be brief."), ("user", "hi")]
        chain = import_module("langchain_core.prompts").ChatPromptTemplate.from_messages(turns) | chat

        def prepare_call(subject: Any, method: str, argument: Any) -> Callable[[], Awaitable[None]]:
            async def make_call() -> None:
                result = getattr(subject, method if kind == "sync" else f"a{method}")(argument)
                await (read_stream(result, kind) if method == "stream" else done(result))

            return make_call

        yield f"{kind} chat", prepare_call(chat, "invoke", turns)
        yield f"{kind} stream", prepare_call(chat, "stream", turns)
        yield f"{kind} chain", prepare_call(chain, "invoke", {})
        yield f"{kind} embed", prepare_call(embeddings, "embed_query", "hi")

        async def call_client_too() -> None:
            await prepare_call(chat, "invoke", turns)()
            await done(plain_client.chat.completions.create(**CHAT))

        yield f"{kind} chat, and the client after it", call_client_too


class OursOfLangChain:
    """Our instrumentations of LangChain and of the client below it."""

    def instrument(self) -> None:
        for name in ("clients.openai", "frameworks.langchain_core"):
            import_module(f"otel_agentops.{name}").Instrumentor().instrument()


class LangfuseCalls(FrameworkCalls):
    """The client as `langfuse.openai` traces it."""

    peers = {"Langfuse": "frameworks:Langfuse"}

    def list_calls(self, client: Any, kind: str) -> Iterator[tuple[str, Call]]:
        yield from super().list_calls(client, kind)

        async def chat_in_a_trace() -> None:
            await done(client.chat.completions.create(**CHAT, trace_id="0123456789abcdef0123456789abcdef"))

        yield f"{kind} chat with trace_id", chat_in_a_trace


class Langfuse:
    """Langfuse's client of OpenAI: it traces as soon as it is imported."""

    def instrument(self) -> None:
        os.environ.update(LANGFUSE_PUBLIC_KEY="k", LANGFUSE_SECRET_KEY="k", LANGFUSE_BASE_URL="http://127.0.0.1:9")
        import_module("langfuse.openai")


class LogfireCalls(FrameworkCalls):
    """The client as logfire traces it, over logfire's own tracer provider."""

    peers = {"logfire": "frameworks:Logfire"}

    def set_provider(self, processor: SpanProcessor) -> None:
        import_module("logfire").configure(
            send_to_logfire=False, console=False, metrics=False, additional_span_processors=[processor]
        )


class Logfire:
    """The instrumentation of logfire."""

    def instrument(self) -> None:
        import_module("logfire").instrument_openai()


PACKAGES = {"langchain": LangChainCalls, "langfuse": LangfuseCalls, "logfire": LogfireCalls}
