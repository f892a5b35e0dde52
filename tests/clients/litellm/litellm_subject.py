"""LiteLLM under the contract: chat completions that it sends itself, and through openai's SDK, instrumented as well."""

from __future__ import annotations

import importlib
import inspect
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from otel_agentops import _patching
from otel_agentops.clients import openai
from otel_agentops.clients.litellm import LIBRARY, Instrumentor
from otel_agentops.testing.fake_provider import FakeProvider
from otel_agentops.testing.subject import ChatRequest, Subject


class Read:
    """A stream as a sync application reads it: the object has the methods of an async one as well."""

    def __init__(self, stream: Any) -> None:
        self.stream = stream

    def __iter__(self) -> Iterator[Any]:
        try:
            for item in self.stream:  # noqa: UP028  `yield from` would close it
                yield item
        finally:
            _logged()


def _logged() -> None:
    """Wait for LiteLLM's threads: they log each item, and hold the stream for as long."""
    pool: Any = importlib.import_module("litellm.litellm_core_utils.thread_pool_executor").executor
    for _ in range(500):
        if pool._work_queue.empty() and pool._idle_semaphore._value == len(pool._threads):
            return
        time.sleep(0.01)


class LitellmSubject(Subject):
    name = "litellm"
    instrumentor = Instrumentor
    provider = "groq"  # one of the many that it speaks to by itself
    volatile = frozenset({"created"})  # of a chunk
    missing = {
        "raw": "it has no raw responses",
        "one_shot": "it iterates the messages several times",
        "unset": "it has no sentinels of its own: None is not given",
    }
    peers = {
        "OpenLLMetry": "opentelemetry.instrumentation.litellm:LiteLLMInstrumentor",
        "OpenInference": "openinference.instrumentation.litellm:LiteLLMInstrumentor",
    }

    def client(self, kind: str, provider: FakeProvider, *, retries: int = 0, timeout: float = 5.0) -> Any:
        import litellm  # is not in the environment that the documentation is made in

        litellm.in_memory_llm_clients_cache.flush_cache()  # of another loop
        where = {"api_base": provider.openai_url, "api_key": "k", "num_retries": retries, "timeout": timeout}
        called = {"chat": litellm.completion, "embed": litellm.embedding}
        if kind == "async":
            called = {"chat": litellm.acompletion, "embed": litellm.aembedding}

        def call(what: str, **given: Any) -> Any:
            return called[what](**where, **given)

        return call

    def chat(self, client: Callable[..., Any], request: ChatRequest, **more: Any) -> Any:
        offered = {"tools": request.functions()} if request.tools else {}
        return client(
            "chat",
            model=f"{self.provider}/{request.model}",
            messages=request.turns(),
            **request.sampling(),
            **offered,
            **more,
        )

    def stream(self, client: Callable[..., Any], request: ChatRequest) -> Any:
        found = self.chat(client, request, stream=True, stream_options={"include_usage": True})
        return found if inspect.isawaitable(found) else Read(found)

    def chat_structured(self, client: Callable[..., Any], request: ChatRequest) -> Any:
        return self.chat(client, request, response_format=self.format(request.schema))

    def embed(self, client: Callable[..., Any], texts: Sequence[str]) -> Any:
        return client("embed", model="openai/m-x", input=list(texts))  # the others' embeddings are not OpenAI's

    def close(self, client: Any) -> Any:
        return None

    def differs(self, way: str) -> Mapping[str, Any]:
        if way == "embed":
            return {"gen_ai.usage.input_tokens": 1, "gen_ai.provider.name": "openai"}
        return {} if way == "failed" else {"gen_ai.response.id": "chatcmpl-fake"}


class Both(_patching.Instrumentor):
    """What the entry points of both make together."""

    libraries = (LIBRARY, openai.LIBRARY)


class ThroughOpenai(LitellmSubject):
    """LiteLLM sends with openai's SDK: one span all the same."""

    name = "litellm through openai"
    instrumentor = Both
    provider = "openai"
