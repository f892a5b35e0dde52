"""Mistral's own tracing: its span is enriched, never doubled, and keeps its name, its status and all it says.

It is on by default before 3, and from 3 on where it is asked for; the provider is the global one.
"""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

import mistralai.client
import pytest
from both import done, drained
from mistralai.client import errors
from mistralai.client.utils import BackoffStrategy, RetryConfig
from mistralai_spans import ANSWERED, CALL, SENT, STREAMED, dotted, span, whole

from otel_agentops import task
from otel_agentops._hashing import identity
from otel_agentops.clients.mistralai import Instrumentor
from otel_agentops.testing import Capture, capture
from otel_agentops.testing.fake_provider import Break, FakeProvider, Hang, Status

BEFORE_3 = mistralai.client.VERSION.startswith("2.")
RETRIES = RetryConfig("backoff", BackoffStrategy(1, 1, 1.0, 60_000), True)
TOOL = {"type": "function", "function": {"name": "weather", "parameters": {"type": "object"}}}
# Words of the conversation, which it writes on its spans and we never do.
WORDS = ("gen_ai.input.messages", "gen_ai.output.messages", "gen_ai.tool.definitions")


@pytest.fixture
def traced(seen: Capture, make: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A client that traces itself; what it emits is seen."""
    monkeypatch.setenv("MISTRAL_SDK_TELEMETRY", "global")
    monkeypatch.setattr("opentelemetry.trace._TRACER_PROVIDER", seen.tracer_provider)
    return make()


def spans(seen: Capture) -> list[dict[str, Any]]:
    """What was emitted, without the words of the conversation."""
    for found in seen.spans:
        assert found["attributes"].keys() & set(WORDS), "its maker's span"
    return [{**found, "attributes": _without_words(found["attributes"])} for found in seen.spans]


def _without_words(attributes: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in attributes.items() if name not in WORDS}


def native(
    provider: FakeProvider,
    path: str = "chat/completions",
    *,
    name: str = "chat m-x",
    status: str = "OK",
    **changes: Any,
) -> dict[str, Any]:
    """Mistral's own span of `CALL`, with what we add."""
    theirs = {
        "agent.trace.public": "",
        "http.request.method": "POST",
        "http.response.status_code": 200,
        "http.url": f"{provider.url}/mistral/v1/{path}",
        "server.address": provider.url.removeprefix("http://"),  # with the port, which is an attribute of its own
    }
    return {**span(provider, {**SENT, **ANSWERED, **theirs, **dotted(changes)}, name=name, status=status), **INTERNAL}


INTERNAL = {"kind": "INTERNAL"}
STREAM = {name.replace(".", "__"): value for name, value in STREAMED.items()}


async def test_complete(provider: FakeProvider, seen: Capture, traced: Any) -> None:
    turns = [{"role": "system", "content": "Be brief."}, *CALL["messages"]]
    await done(traced.call("chat.complete", model="m-x", messages=turns, temperature=0.0, tools=[TOOL]))
    weather = identity({"name": "weather", "input_schema": {"type": "object"}})
    ours = {
        "gen_ai__request__temperature": 0.0,  # which it takes for nothing
        "otel_agentops__param__temperature__source": "explicit",
        "otel_agentops__params__hash": identity({"temperature": 0.0}),
        "otel_agentops__prompt__source": "instructions",
        "otel_agentops__prompt__hash": identity(["Be brief."]),
        "otel_agentops__tools__hash": identity([weather]),
        "otel_agentops__tools__versions": [f"weather@{weather}"],
    }
    assert spans(seen) == [native(provider, **ours)]
    assert [point["sum"] for point in seen.metrics["gen_ai.client.token.usage"]] == [11, 5], "the SDK measures nothing"


async def test_stream(provider: FakeProvider, seen: Capture, traced: Any) -> None:
    await drained(await done(traced.call("chat.stream", **CALL)))
    assert spans(seen) == [native(provider, "chat/completions#stream", **STREAM)]
    assert len(seen.metrics["gen_ai.client.operation.duration"]) == 1


async def test_fill_in_the_middle(provider: FakeProvider, seen: Capture, traced: Any) -> None:
    await done(traced.call("fim.complete", model="m-x", prompt="def f("))
    (only,) = seen.spans
    assert (only["name"], only["attributes"]["otel_agentops.model.resolution"]) == ("text_completion m-x", "resolved")


async def test_embeddings(seen: Capture, traced: Any) -> None:
    await done(traced.call("embeddings.create", model="m-x", inputs=["a"]))
    (only,) = seen.spans
    assert (only["name"], only["attributes"]["otel_agentops.model.resolution"]) == ("embeddings m-x", "resolved")


@pytest.mark.parametrize(
    ("method", "asked"),
    [
        ("agents.complete", {"messages": CALL["messages"]}),
        ("agents.stream", {"messages": CALL["messages"]}),
        ("beta.conversations.start", {"inputs": "hi"}),
        ("beta.conversations.start_stream", {"inputs": "hi"}),
    ],
)
async def test_an_agent_is_one_call(seen: Capture, traced: Any, method: str, asked: dict[str, Any]) -> None:
    """It calls the span of a remote agent `invoke_agent`, which is no call's elsewhere; here it is the only one."""
    with task("trip", id="t1"):
        result = await done(traced.call(method, agent_id="ag:1", **asked))
        if method.endswith("stream"):
            await drained(result)
    found = [each for each in seen.spans if "otel_agentops.attempt.count" in each["attributes"]]
    assert [each["name"] for each in found] == ["invoke_agent"]
    assert [each for each in seen.spans if each["name"] == "chat"] == []
    known = found[0]["attributes"]
    assert (known["gen_ai.agent.id"], known.get("otel_agentops.model.resolution")) == ("ag:1", None), (
        "no model is asked for"
    )
    assert known["otel_agentops.task.id"] == "t1"
    root = seen.spans[-1]["attributes"]
    assert (root["otel_agentops.task.llm_calls"], root["otel_agentops.task.input_tokens"]) == (1, 11)


# -- attempts


async def test_attempts(provider: FakeProvider, seen: Capture, traced: Any) -> None:
    """It starts a span for each; from 3 on it never ends those of the attempts that failed, and nobody sees them."""
    provider.script(Status(429, retry_after=0.01), Status(503))
    await done(traced.call("chat.complete", retries=RETRIES, **CALL))
    tried = {"count": 3, "statuses": [429, 503, 200], "retry_after": [0.01]}
    expected = native(provider, **{f"otel_agentops__attempt__{name}": value for name, value in tried.items()})
    *failed, answered = spans(seen)
    assert answered == expected
    assert [each["status"] for each in failed] == (["ERROR", "ERROR"] if BEFORE_3 else [])
    assert [each for each in failed if "gen_ai.usage.input_tokens" in each["attributes"]] == []


async def test_a_refusal(provider: FakeProvider, seen: Capture, traced: Any) -> None:
    """What it says of the error stays."""
    provider.script(Status(400))
    with pytest.raises(errors.SDKError):
        await done(traced.call("chat.complete", **CALL))
    unknown = {name.replace(".", "__"): None for name in ANSWERED}
    theirs = {
        "error__type": "invalid_request_error",
        "http__response__status_code": 400,
        "mistral_ai__error__code": "400",
    }
    tried = {"otel_agentops__attempt__count": 1, "otel_agentops__attempt__statuses": [400]}
    assert spans(seen) == [native(provider, status="ERROR", **{**unknown, **theirs, **tried})]


async def test_a_lost_connection(provider: FakeProvider, seen: Capture, traced: Any) -> None:
    """Before 3 it forgets the span, and the failure would be unknown: then we end it."""
    provider.script(Break())
    with pytest.raises(Exception, match="disconnected") as raised:
        await done(traced.call("chat.complete", **CALL))
    (only,) = spans(seen)
    found = only["attributes"]
    assert (only["status"], found["otel_agentops.attempt.count"]) == ("ERROR", 1)
    if BEFORE_3:
        assert found["otel_agentops.attempt.statuses"] == [0]
        assert found["error.type"] == f"{type(raised.value).__module__}.{type(raised.value).__qualname__}"


async def test_a_cancelled_call(provider: FakeProvider, seen: Capture, kind: str, traced: Any) -> None:
    """It forgets that span in every version."""
    if kind == "sync":
        pytest.skip("a sync call cannot be cancelled")
    provider.script(Hang(5))
    call = asyncio.ensure_future(traced.call("chat.complete", **CALL))
    while not provider.requests:
        await asyncio.sleep(0.01)
    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call
    (only,) = spans(seen)
    assert (only["status"], only["attributes"]["error.type"]) == ("ERROR", "asyncio.exceptions.CancelledError")


async def test_a_broken_stream(provider: FakeProvider, seen: Capture, traced: Any) -> None:
    """It ends the span before the application sees the error; what the first event said is on it."""
    provider.script(Break(after=2))
    with pytest.raises(Exception, match="closed"):
        await drained(await done(traced.call("chat.stream", **CALL)))
    (only,) = seen.spans
    assert only["attributes"]["otel_agentops.model.resolution"] == "resolved"
    assert "gen_ai.usage.input_tokens" not in only["attributes"]


async def test_task_baggage_is_not_sent_to_mistral(provider: FakeProvider, seen: Capture, traced: Any) -> None:
    """It sends the context of its span along; baggage is for the application's own services."""
    with task("refund", id="t1"):
        await done(traced.call("chat.complete", **CALL))
    sent = provider.requests[-1].headers
    assert "traceparent" in sent
    assert "baggage" not in sent


# -- whose span it is


async def test_call_without_native_tracing_has_our_span(
    provider: FakeProvider, seen: Capture, make: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    if BEFORE_3:
        pytest.skip("before 3 it cannot be turned off where there is a provider")
    monkeypatch.setattr("opentelemetry.trace._TRACER_PROVIDER", seen.tracer_provider)
    await done(make().call("chat.complete", **CALL))
    assert seen.spans == [whole(provider)]


async def test_native_provider_gets_its_span_and_ours_stays_whole(
    provider: FakeProvider, seen: Capture, mistral: Any
) -> None:
    """From 3 on a client may send its spans elsewhere, say to Mistral: our identity does not go there."""
    if BEFORE_3:
        pytest.skip("before 3 there is the global provider alone")
    from mistralai.extra.observability import configure_telemetry

    elsewhere = Capture()
    configure_telemetry(mistral.sdk, provider=elsewhere.tracer_provider)
    await done(mistral.call("chat.complete", **CALL))
    assert seen.spans == [whole(provider)]
    (theirs,) = elsewhere.spans
    assert [name for name in theirs["attributes"] if name.startswith("otel_agentops.")] == []


async def test_other_calls_are_left_alone(seen: Capture, traced: Any) -> None:
    with pytest.raises(errors.SDKError):
        await done(traced.call("models.list"))  # not spoken by the provider
    (only,) = seen.spans
    assert [name for name in only["attributes"] if name.startswith("otel_agentops.")] == []


@pytest.mark.parametrize(("mode", "names"), [("own", ["chat m-x", "chat m-x"]), ("enrich", [])])
async def test_modes(
    provider: FakeProvider, make: Any, monkeypatch: pytest.MonkeyPatch, mode: str, names: list[str]
) -> None:
    """own: a second span, as asked for. enrich: none where nobody else makes one."""
    monkeypatch.setenv("OTEL_AGENTOPS_MODE", mode)
    with capture(Instrumentor()) as seen:
        if mode == "own":
            monkeypatch.setenv("MISTRAL_SDK_TELEMETRY", "global")
            monkeypatch.setattr("opentelemetry.trace._TRACER_PROVIDER", seen.tracer_provider)
        await done(make().call("chat.complete", **CALL))
        assert [found["name"] for found in seen.spans] == names


PROGRAM = """
import sys
from mistralai.client import Mistral
from opentelemetry import trace
client = Mistral(api_key="k", server_url=sys.argv[1])
turns = [{"role": "user", "content": "hi"}]
client.chat.complete(model="m-x", messages=turns)
list(client.chat.stream(model="m-x", messages=turns))
trace.get_tracer_provider().shutdown()
"""


@pytest.mark.parametrize("telemetry", ["global", "false"])
def test_native_span_is_enriched_under_opentelemetry_instrument(provider: FakeProvider, telemetry: str) -> None:
    """One span a call with our identity, whoever makes it."""
    provider.alias("m-x", "m-x-2026-03-01")
    others = {entry.name for entry in entry_points(group="opentelemetry_instrumentor")} - {"agentops_mistralai"}
    environ = {
        **os.environ,
        "MISTRAL_SDK_TELEMETRY": telemetry,
        "OTEL_TRACES_EXPORTER": "console",
        "OTEL_METRICS_EXPORTER": "none",
        "OTEL_LOGS_EXPORTER": "none",
        "OTEL_SERVICE_NAME": "test",
        "OTEL_PYTHON_DISABLED_INSTRUMENTATIONS": ",".join(others),  # those of everything that is installed here
    }
    starter = Path(sys.executable).with_name("opentelemetry-instrument")
    ended = subprocess.run(
        [starter, sys.executable, "-c", PROGRAM, f"{provider.url}/mistral"],
        env=environ,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr
    theirs = BEFORE_3 or telemetry == "global"
    assert ended.stdout.count('"name": "chat m-x"') == 2, ended.stdout
    assert ended.stdout.count('"otel_agentops.model.resolution": "resolved"') == 2
    assert ended.stdout.count('"kind": "SpanKind.INTERNAL"') == (2 if theirs else 0)
