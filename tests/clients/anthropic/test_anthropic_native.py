"""Anthropic's own tracing: its span is enriched, never doubled, and keeps its name, its status and all it says."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import anthropic
import pytest
from both import block, done, drained, each
from expected_claude import ANSWERED, ASK, CALL, NATIVE, SENT, STREAMED, TRACES, measured, native, span, whole

from otel_agentops import task
from otel_agentops._hashing import identity
from otel_agentops.clients.anthropic import Instrumentor
from otel_agentops.testing import Capture, capture
from otel_agentops.testing.fake_provider import Answer, Break, FakeProvider, Status, ToolCall

pytestmark = pytest.mark.skipif(not TRACES, reason="anthropic before 1.14.0 has no tracing of its own")

STREAM = {name.replace(".", "__"): value for name, value in STREAMED.items()}
SYSTEM = {"otel_agentops__prompt__source": "instructions", "otel_agentops__prompt__hash": identity(["Be brief."])}


async def test_create(provider: FakeProvider, seen: Capture, traced: Any) -> None:
    await done(traced.messages.create(**CALL, system="Be brief."))
    assert seen.spans == [native(provider, **SYSTEM)]
    assert seen.metrics == measured(provider), "the SDK measures nothing"


async def test_native_span_without_us_is_known(provider: FakeProvider, make: Any) -> None:
    """The rest of these attributes is ours: where this changes, what is missing on its span has changed."""
    bare = Capture()
    client = make(open_telemetry={"tracer_provider": bare.tracer_provider})
    await done(client.messages.create(**CALL))
    shared = [key for key in ANSWERED if key.startswith("gen_ai.") and "cache_creation" not in key]
    theirs = {key: ANSWERED[key] for key in shared if key != "gen_ai.response.finish_reasons"}
    asked = {key: value for key, value in SENT.items() if not key.startswith("otel_agentops.")}
    url = {"url.full": f"{provider.url}/v1/messages"}
    expected = span(provider, {**asked, **theirs, **NATIVE, **url}, name="anthropic.messages.create", status="OK")
    assert bare.spans == [expected]


async def test_raw_response(provider: FakeProvider, seen: Capture, traced: Any) -> None:
    response = await done(traced.messages.with_raw_response.create(**CALL))
    await done(response.parse())
    assert seen.spans == [native(provider)]


@pytest.mark.parametrize("how", ["create", "manager", "raw", "streaming"])
async def test_streams(provider: FakeProvider, seen: Capture, traced: Any, how: str) -> None:
    """Its span records until the last event was read; what we know is on it by then."""
    if how == "create":
        await drained(await done(traced.messages.create(**CALL, stream=True)))
    elif how == "manager":
        async with block(traced.messages.stream(**CALL)) as stream:
            await drained(stream)
    elif how == "raw":
        response = await done(traced.messages.with_raw_response.create(**CALL, stream=True))
        await drained(await done(response.parse()))
    else:
        async with block(traced.messages.with_streaming_response.create(**CALL, stream=True)) as response:
            await drained(await done(response.parse()))
    assert seen.spans == [native(provider, **STREAM)]
    assert sorted(seen.metrics) == [
        "gen_ai.client.operation.duration",
        "gen_ai.client.operation.time_per_output_chunk",
        "gen_ai.client.operation.time_to_first_chunk",
        "gen_ai.client.token.usage",
    ]
    assert [(point["count"], point["sum"]) for point in seen.metrics["gen_ai.client.token.usage"]] == [(1, 11), (1, 5)]


async def test_call_that_a_peer_measures_is_not_measured(seen: Capture, traced: Any) -> None:
    """A peer and the SDK make a span each; the peer counts the tokens."""
    facts = {"gen_ai.operation.name": "chat", "gen_ai.request.model": "claude-x"}
    with seen.tracer_provider.get_tracer("a peer").start_as_current_span("chat claude-x", attributes=facts):
        await done(traced.messages.create(**CALL))
    assert len(seen.spans) == 2
    assert seen.metrics == {}


async def test_native_span_of_an_abandoned_stream_is_enriched(
    provider: FakeProvider, seen: Capture, traced: Any
) -> None:
    async with block(traced.messages.stream(**CALL)) as stream:
        async for _ in each(stream):
            break
    (only,) = seen.spans
    assert (only["name"], only["status"]) == ("anthropic.messages.create", "UNSET")
    known = {key: only["attributes"].get(key) for key in ("otel_agentops.model.resolution", "gen_ai.response.model")}
    assert known == {"otel_agentops.model.resolution": "resolved", "gen_ai.response.model": "claude-x-20260301"}


async def test_attempts(provider: FakeProvider, seen: Capture, traced: Any) -> None:
    provider.script(Status(429, retry_after=0.02), Status(529, retry_after=0.01))
    await done(traced.messages.create(**CALL))
    assert seen.spans == [
        native(
            provider,
            http__request__resend_count=2,
            otel_agentops__attempt__count=3,
            otel_agentops__attempt__statuses=[429, 529, 200],
            otel_agentops__attempt__retry_after=[0.02, 0.01],
        )
    ]


async def test_a_failure_keeps_its_attempts(provider: FakeProvider, seen: Capture, traced: Any) -> None:
    """Its span ends before the error reaches us, so the last attempt is written where the error is made."""
    provider.script(*[Status(529, retry_after=0.01)] * 3)
    with pytest.raises(anthropic.APIStatusError):
        await done(traced.messages.create(**CALL))
    (only,) = seen.spans
    found = only["attributes"]
    assert (only["status"], found["http.response.status_code"]) == ("ERROR", 529)
    assert found["otel_agentops.attempt.count"] == 3
    assert found["otel_agentops.attempt.statuses"] == [529, 529, 529]
    assert found["otel_agentops.attempt.retry_after"] == [0.01] * 3


async def test_a_lost_connection_keeps_the_number_of_attempts(provider: FakeProvider, seen: Capture, make: Any) -> None:
    provider.script(Break(), Break())
    client = make(open_telemetry={"tracer_provider": seen.tracer_provider}, max_retries=1)
    with pytest.raises(anthropic.APIConnectionError):
        await done(client.messages.create(**CALL))
    (only,) = seen.spans
    assert only["attributes"]["otel_agentops.attempt.count"] == 2
    assert only["attributes"]["otel_agentops.attempt.statuses"] == [0], "of the last one the span heard nothing more"


async def test_native_spans_of_other_calls_are_left_alone(seen: Capture, traced: Any) -> None:
    await done(traced.messages.count_tokens(model="claude-x", messages=ASK))
    (only,) = seen.spans
    assert only["name"] == "anthropic.messages.count_tokens"
    assert [key for key in only["attributes"] if key.startswith("otel_agentops.")] == []


async def test_task_facts_and_sums(provider: FakeProvider, seen: Capture, traced: Any) -> None:
    with task("refund", id="t1", segment="eu"):
        await done(traced.messages.create(**CALL))
    call, root = seen.spans
    facts = {
        "otel_agentops.task.id": "t1",
        "otel_agentops.task.name": "refund",
        "otel_agentops.traffic.segment": "eu",
    }
    assert facts.items() <= call["attributes"].items()
    sums = {"llm_calls": 1, "llm_attempts": 1, "input_tokens": 11, "output_tokens": 5}
    assert {f"otel_agentops.task.{name}": count for name, count in sums.items()}.items() <= root["attributes"].items()


async def test_a_tool_runner(provider: FakeProvider, seen: Capture, kind: str, traced: Any) -> None:
    """The SDK's own agent: its agent and tool spans are no model calls, and know the task and the tool's version."""

    def weather(town: str) -> str:
        return "sunny"

    async def async_weather(town: str) -> str:
        return weather(town)

    made = {"sync": anthropic.beta_tool(weather), "async": anthropic.beta_async_tool(async_weather, name="weather")}
    calls = ToolCall("weather", '{"town": "Rome"}')
    begun = CALL["messages"]
    provider.answer(lambda call: Answer(tool_calls=(calls,)) if call.body["messages"] == begun else Answer())
    with task("forecast", id="t1"):
        await done(traced.beta.messages.tool_runner(**CALL, tools=[made[kind]]).until_done())
    spans = {found["name"]: found for found in seen.spans}
    assert "execute_tool weather" not in spans
    (duration,) = seen.metrics["gen_ai.execute_tool.duration"]
    assert duration["attributes"] == {"gen_ai.tool.name": "weather", "gen_ai.tool.type": "function"}
    version = spans["anthropic.custom_tool_use weather"]["attributes"]["otel_agentops.tool.hash"]
    first, second = (found["attributes"] for found in seen.spans if found["name"] == "anthropic.messages.create")
    assert first["otel_agentops.tools.versions"] == [f"weather@{version}"]
    if "thread" in provider.requests[-1].body:  # newer versions: a thread that goes on offers its tools no second time
        assert "otel_agentops.tools.versions" not in second
        assert second["gen_ai.request.previous_response.id"] == "msg_fake"
    assert first["otel_agentops.params.hash"] == second["otel_agentops.params.hash"] == identity({"max_tokens": 9})
    agent = spans["anthropic.messages.tool_runner"]["attributes"]
    assert {name for name in agent if name.startswith("otel_agentops.")} == {
        "otel_agentops.task.id",
        "otel_agentops.task.name",
    }
    sums = {"llm_calls": 2, "tool_calls": 1, "tool_failures": 0, "agents": 1, "input_tokens": 22}
    root = spans["invoke_workflow forecast"]["attributes"]
    assert {f"otel_agentops.task.{name}": count for name, count in sums.items()}.items() <= root.items()


@pytest.mark.parametrize(("mode", "names"), [("own", ["anthropic.messages.create", "chat claude-x"]), ("enrich", [])])
async def test_modes(
    provider: FakeProvider, make: Any, monkeypatch: pytest.MonkeyPatch, mode: str, names: list[str]
) -> None:
    """own: a second span, as asked for. enrich: none where nobody else makes one."""
    monkeypatch.setenv("OTEL_AGENTOPS_MODE", mode)
    with capture(Instrumentor()) as seen:
        option = {"tracer_provider": seen.tracer_provider} if mode == "own" else False
        await done(make(open_telemetry=option).messages.create(**CALL))
        assert [found["name"] for found in seen.spans] == names
        if mode == "own":
            theirs, ours = seen.spans
            assert {**ours, "parent": None} == whole(provider)
            assert "otel_agentops.params.hash" not in theirs["attributes"]


PROGRAM = """
import sys, anthropic, json
from opentelemetry import trace
client = anthropic.Anthropic(api_key="k", base_url=sys.argv[1])
client.messages.create(model="claude-x", max_tokens=9, messages=[{"role": "user", "content": "hi"}])
with client.messages.stream(model="claude-x", max_tokens=9, messages=[{"role": "user", "content": "hi"}]) as stream:
    stream.until_done()
trace.get_tracer_provider().shutdown()
"""


def test_native_span_is_enriched_under_opentelemetry_instrument(provider: FakeProvider) -> None:
    """With a global provider the SDK traces by itself, nothing else said: one span a call, with our identity."""
    environ = {
        **os.environ,
        "OTEL_TRACES_EXPORTER": "console",
        "OTEL_METRICS_EXPORTER": "none",
        "OTEL_LOGS_EXPORTER": "none",
        "OTEL_SERVICE_NAME": "test",
        "OTEL_PYTHON_DISABLED_INSTRUMENTATIONS": "anthropic,openai",  # the other instrumentations that are here
    }
    ended = subprocess.run(
        [Path(sys.executable).with_name("opentelemetry-instrument"), sys.executable, "-c", PROGRAM, provider.url],
        env=environ,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr
    assert ended.stdout.count('"name": "anthropic.messages.create"') == 2, ended.stdout
    assert ended.stdout.count('"name": "chat claude-x"') == 0
    assert ended.stdout.count('"otel_agentops.model.resolution": "resolved"') == 2
