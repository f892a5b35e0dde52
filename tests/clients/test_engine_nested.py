"""A call inside a call of another client is an attempt of it if that one has sent it, else an operation of its own."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import openai
import pytest
from both import done, drained

from otel_agentops import _patching
from otel_agentops._client_call import ClientCall, begin_call
from otel_agentops.clients._protocols import openai_chat
from otel_agentops.clients._servers import Server
from otel_agentops.clients.openai import LIBRARY as OPENAI
from otel_agentops.testing import Capture
from otel_agentops.testing.fake_provider import FakeProvider, Status
from otel_agentops.testing.subject import Subject, name_sources

FRAMEWORK = _patching.PatchedLibrary("a-framework", ">=0", ())  # nothing of it is patched: the tests are its calls
TURNS: Any = [{"role": "user", "content": "hi"}]


class Both(_patching.Instrumentor):
    libraries = (FRAMEWORK, OPENAI)


@pytest.fixture
def instrumentor() -> Both:
    return Both()


@contextmanager
def framework_call(model: str = "alias", is_sent: bool = True) -> Iterator[ClientCall]:
    """A call of the framework, which calls OpenAI inside.

    is_sent: False if what it sends is not ready.
    """
    call = begin_call(FRAMEWORK, openai_chat.CHAT, accepts_nested=True)
    assert call is not None
    with call:
        body = {"model": model, "messages": TURNS}
        operation = openai_chat.read_chat_request(body, Server(None, {}))
        call.operation_known(operation._replace(routed_model="gpt-x"), body)
        if is_sent:
            call.attempt_started(None)
        yield call


@pytest.fixture
def client(kind: str, provider: FakeProvider) -> Any:
    made: Any = {"sync": openai.OpenAI, "async": openai.AsyncOpenAI}[kind]
    return made(api_key="k", base_url=provider.openai_url, max_retries=1)


async def ask(client: Any, **more: Any) -> Any:
    result = await done(client.chat.completions.create(model="gpt-x", messages=TURNS, **more))
    return await drained(result) if more.get("stream") else result


async def test_nested_client_supplies_attempts_server_and_model(
    client: Any, provider: FakeProvider, seen: Capture
) -> None:
    """Attempts, what it was asked to wait, the server and the model that answered."""
    provider.script(Status(429, retry_after=0.01))
    with framework_call() as call:
        call.set_server("somebody", {})
        await ask(client)
        call.response_received(
            {"model": "alias", "choices": [{"finish_reason": "stop"}], "usage": {"prompt_tokens": 1}}
        )
    (span,) = seen.spans
    assert span == {
        "name": "chat alias",
        "kind": "CLIENT",
        "status": "UNSET",
        "parent": None,
        "attributes": {
            "gen_ai.operation.name": "chat",
            "gen_ai.provider.name": "somebody",
            "gen_ai.request.model": "alias",
            "gen_ai.response.finish_reasons": ["stop"],
            "gen_ai.response.model": "gpt-x-2026-03-01",
            "gen_ai.usage.input_tokens": 1,
            "otel_agentops.attempt.count": 2,
            "otel_agentops.attempt.retry_after": [0.01],
            "otel_agentops.attempt.statuses": [429, 200],
            "otel_agentops.model.resolution": "resolved",
            **name_sources(Subject.sampling),
            "otel_agentops.prompt.source": "none",
            "server.address": "127.0.0.1",
            "server.port": int(provider.url.rpartition(":")[2]),
        },
    }
    (tokens,) = seen.metrics["gen_ai.client.token.usage"]
    assert (tokens["sum"], tokens["attributes"]["gen_ai.provider.name"]) == (1, "somebody")


async def test_nested_stream_supplies_the_model(client: Any, seen: Capture) -> None:
    with framework_call() as call:
        await ask(client, stream=True)
        call.response_received({"model": "alias", "choices": []})
    (span,) = seen.spans
    assert span["attributes"]["gen_ai.response.model"] == "gpt-x-2026-03-01"


async def test_call_before_sending_is_not_an_attempt(client: Any, seen: Capture) -> None:
    """A hook of the application, say: it runs before anything is ready to be sent."""
    with framework_call(is_sent=False) as call:
        await ask(client)
        call.attempt_started(None)
        call.attempt_finished(200)
        await ask(client)  # and one after the answer
        call.response_received({"model": "alias", "choices": []})
    assert [(span["name"], span["parent"]) for span in seen.spans] == [
        ("chat gpt-x", "chat alias"),
        ("chat gpt-x", "chat alias"),
        ("chat alias", None),
    ]


async def test_nested_call_of_another_operation_is_not_an_attempt(client: Any, seen: Capture) -> None:
    """To embed a question is no attempt to answer it."""
    with framework_call() as call:
        await done(client.embeddings.create(model="text-x", input="hi"))
        call.attempt_finished(200)
        call.response_received({"model": "alias", "choices": []})
    assert [span["name"] for span in seen.spans] == ["embeddings text-x", "chat alias"]


async def test_failed_nested_call_supplies_its_attempts(client: Any, provider: FakeProvider, seen: Capture) -> None:
    provider.script(Status(500), Status(400))
    with pytest.raises(openai.BadRequestError), framework_call():
        await ask(client)
    (span,) = seen.spans
    assert span["attributes"]["otel_agentops.attempt.statuses"] == [500, 400]
    assert span["attributes"]["error.type"] == "openai.BadRequestError"


async def test_nested_frameworks_take_the_innermost_clients_model(client: Any, seen: Capture) -> None:
    with framework_call("outer") as outer:
        with framework_call("inner") as inner:
            await ask(client)
            inner.response_received({"model": "inner", "choices": []})
        outer.response_received({"model": "outer", "choices": []})
    (span,) = seen.spans
    assert span["name"] == "chat outer"
    assert span["attributes"]["otel_agentops.attempt.statuses"] == [200]
    assert span["attributes"]["gen_ai.response.model"] == "gpt-x-2026-03-01"
