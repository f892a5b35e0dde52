"""A run of an agent is a task, or an agent of one; the library's own spans get what they lack."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Callable
from typing import Any

import pytest
from agent_framework import Agent, ResponseStream, tool
from agent_framework.openai import OpenAIChatCompletionClient
from documented_starts import STARTED, run_agent
from opentelemetry import trace

import otel_agentops
from otel_agentops._context import NO_SCOPE, current_scope
from otel_agentops.frameworks.agent_framework import Instrumentor
from otel_agentops.testing import Capture, Record
from otel_agentops.testing.fake_provider import FakeProvider, Status

ROOT = "invoke_workflow weather agent"
OUTCOME = "otel_agentops.task.outcome"
SUMS = ("agents", "depth", "llm_calls", "tool_calls", "tool_failures", "input_tokens", "output_tokens")


def weather(city: str) -> str:
    """Return the weather of a city."""
    return f"sunny in {city}"


def broken(city: str) -> str:
    """Fail."""
    raise ValueError(city)


@tool(approval_mode="always_require")
def asking(city: str) -> str:
    """Ask somebody first."""
    return city


def make_agent(provider: FakeProvider, used: Any = weather, name: str = "weather agent") -> Agent:
    client = OpenAIChatCompletionClient(model="gpt-x", api_key="k", base_url=provider.openai_url)
    return Agent(client, "Be nice.", name=name, tools=[used])


async def ask(agent: Agent, **options: Any) -> None:
    await agent.run("What is the weather?", **options)


async def ask_stream(agent: Agent, **options: Any) -> None:
    stream = agent.run("What is the weather?", stream=True, **options)
    assert isinstance(stream, ResponseStream)
    assert [update async for update in stream]
    await stream.get_final_response()


def run_whole(agent: Agent, **options: Any) -> None:
    asyncio.run(ask(agent, **options))


def run_stream(agent: Agent, **options: Any) -> None:
    asyncio.run(ask_stream(agent, **options))


every_way = pytest.mark.parametrize("run", [run_whole, run_stream])


def find_span(seen: Capture, name: str) -> Record:
    (span,) = [span for span in seen.spans if span["name"] == name]
    return span


def read_sums(seen: Capture, name: str = ROOT) -> list[Any]:
    values = find_span(seen, name)["attributes"]
    return [values[f"otel_agentops.task.{sum_name}"] for sum_name in SUMS]


@every_way
def test_run_of_an_agent_is_the_task(provider: FakeProvider, seen: Capture, run: Callable[..., None]) -> None:
    agent = make_agent(provider)
    run(agent, session=agent.create_session(session_id="s-1"))
    root = find_span(seen, ROOT)
    values = root["attributes"]
    assert values.pop("otel_agentops.task.started_at") > 1_700_000_000
    task_id, versions = values.pop("otel_agentops.task.id"), values.pop("otel_agentops.task.values")
    assert root == {
        "name": ROOT,
        "kind": "INTERNAL",
        "status": "UNSET",
        "parent": None,
        "attributes": {
            "gen_ai.conversation.id": "s-1",
            "gen_ai.operation.name": "invoke_workflow",
            "gen_ai.workflow.name": "weather agent",
            "otel_agentops.task.agents": 0,
            "otel_agentops.task.depth": 0,
            "otel_agentops.task.input_tokens": 22,
            "otel_agentops.task.llm_attempts": 2,
            "otel_agentops.task.llm_calls": 2,
            "otel_agentops.task.name": "weather agent",
            "otel_agentops.task.outcome": "completed",
            "otel_agentops.task.output_tokens": 10,
            "otel_agentops.task.tool_calls": 1,
            "otel_agentops.task.tool_failures": 0,
            "otel_agentops.task.tool_repeats": 1,
        },
    }
    assert {"model", "tools", "tool"} <= {value.partition("/")[0] for value in versions}
    models = [span for span in seen.spans if span["name"].startswith("chat")]
    facts = ("gen_ai.response.model", "gen_ai.usage.input_tokens", "otel_agentops.task.id")
    assert [[span["attributes"][key] for key in facts] for span in models] == [["gpt-x-2026-03-01", 11, task_id]] * 2
    assert {span["parent"] for span in models} == {"invoke_agent weather agent"}
    (offered,) = models[0]["attributes"]["otel_agentops.tools.versions"]
    call = find_span(seen, "execute_tool weather")
    ours = {key: value for key, value in call["attributes"].items() if key.startswith("otel_agentops")}
    assert ours == {
        "otel_agentops.task.id": task_id,
        "otel_agentops.task.name": "weather agent",
        "otel_agentops.tool.hash": offered.partition("@")[2],
    }


@every_way
def test_run_in_a_task_is_an_agent_of_it(provider: FakeProvider, seen: Capture, run: Callable[..., None]) -> None:
    with otel_agentops.task("trip"):
        run(make_agent(provider))
    assert read_sums(seen, "invoke_workflow trip") == [1, 1, 2, 1, 0, 22, 10]


@every_way
def test_agent_in_a_tool_is_an_agent(provider: FakeProvider, seen: Capture, run: Callable[..., None]) -> None:
    inner = make_agent(provider, name="inner")

    async def delegate(city: str) -> str:
        """Ask another agent."""
        return (await inner.run(city)).text

    run(make_agent(provider, delegate))
    assert read_sums(seen) == [1, 1, 4, 2, 0, 44, 20]


@every_way
def test_tool_that_raises_is_a_failure(provider: FakeProvider, seen: Capture, run: Callable[..., None]) -> None:
    run(make_agent(provider, broken))
    call = find_span(seen, "execute_tool broken")
    assert (call["status"], read_sums(seen)[3:5]) == ("ERROR", [1, 1])
    assert find_span(seen, ROOT)["attributes"][OUTCOME] == "completed"


@every_way
def test_wait_for_an_approval_is_no_failure(provider: FakeProvider, seen: Capture, run: Callable[..., None]) -> None:
    run(make_agent(provider, asking))
    root = find_span(seen, ROOT)
    assert (root["status"], root["attributes"][OUTCOME], read_sums(seen)[3:5]) == ("UNSET", "interrupted", [0, 0])


@every_way
def test_run_that_raises_has_failed(provider: FakeProvider, seen: Capture, run: Callable[..., None]) -> None:
    provider.script(Status(400))
    with pytest.raises(Exception, match="400"):
        run(make_agent(provider))
    root = find_span(seen, ROOT)
    assert (root["status"], root["attributes"][OUTCOME]) == ("ERROR", "failed")


@pytest.mark.parametrize("closes", [True, False])
def test_stream_left_early_is_cancelled(provider: FakeProvider, seen: Capture, closes: bool) -> None:
    async def read() -> None:
        with seen.tracer_provider.get_tracer("app").start_as_current_span("around") as around:
            stream = make_agent(provider).run("What is the weather?", stream=True)
            await anext(stream)
            assert (current_scope(), trace.get_current_span()) == (NO_SCOPE, around)
            if closes and hasattr(stream, "close"):  # 1.10 has none
                await stream.close()

    asyncio.run(read())
    gc.collect()
    assert find_span(seen, ROOT)["attributes"][OUTCOME] == "cancelled"
    assert find_span(seen, ROOT)["parent"] == "around"


def test_cancelled_run_is_cancelled(provider: FakeProvider, seen: Capture) -> None:
    async def wait(city: str) -> None:
        """Wait for ever."""
        asyncio.get_running_loop().call_soon(running.cancel)
        await asyncio.Event().wait()

    async def run() -> None:
        nonlocal running
        running = asyncio.create_task(ask(make_agent(provider, wait)))
        await running

    running: Any = None
    with pytest.raises(asyncio.CancelledError):
        asyncio.run(run())
    assert find_span(seen, ROOT)["attributes"][OUTCOME] == "cancelled"


def test_uninstrumented_agent_is_itself_again() -> None:
    before = Agent.run
    instrumentor = Instrumentor()
    instrumentor.instrument()
    assert Agent.run is not before
    instrumentor.uninstrument()
    assert Agent.run is before


@pytest.mark.parametrize("one", [ask, ask_stream])
def test_sums_of_parallel_runs_are_exact(provider: FakeProvider, seen: Capture, one: Any) -> None:
    agent = make_agent(provider)

    async def run_all() -> None:
        await asyncio.gather(*(one(agent) for _ in range(50)))

    asyncio.run(run_all())
    roots = [span["attributes"] for span in seen.spans if span["name"] == ROOT]
    sums = {tuple(root[f"otel_agentops.task.{name}"] for name in SUMS) for root in roots}
    assert (len(roots), sums) == (50, {(0, 0, 2, 1, 0, 22, 10)})


def test_documented_start_is_a_task(provider: FakeProvider, seen: Capture, monkeypatch: pytest.MonkeyPatch) -> None:
    assert run_agent("Agent Framework", provider, seen, monkeypatch) == STARTED
