"""A run of an agent or a team is a task, or an agent of one; the library's own spans get what they lack."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import openai
import pytest
from agent_runs import OUTCOME, describe_root, find_span, fix_root, read_sums
from autogen_agentchat.agents import AssistantAgent, BaseChatAgent
from autogen_agentchat.conditions import MaxMessageTermination
from autogen_agentchat.teams import RoundRobinGroupChat
from autogen_ext.models.openai import OpenAIChatCompletionClient
from documented_starts import run_agent
from opentelemetry import trace

import otel_agentops
from otel_agentops._context import NO_SCOPE, current_scope
from otel_agentops.frameworks.autogen import Instrumentor
from otel_agentops.testing import Capture
from otel_agentops.testing.fake_provider import FakeProvider, Status

ROOT = "invoke_workflow weather_agent"
SUMS = ("agents", "depth", "llm_calls", "tool_calls", "tool_failures", "input_tokens", "output_tokens")
MODEL: Any = {"vision": False, "function_calling": True, "json_output": True, "family": "x", "structured_output": True}


async def weather(city: str) -> str:
    """Return the weather of a city."""
    return f"sunny in {city}"


async def broken(city: str) -> str:
    """Fail."""
    raise ValueError(city)


def make_agent(
    provider: FakeProvider, used: Any = weather, name: str = "weather_agent", **options: Any
) -> AssistantAgent:
    client = OpenAIChatCompletionClient(
        model="gpt-x", base_url=provider.openai_url, api_key="k", model_info=MODEL, max_retries=0
    )
    tools = [used] if used else []
    return AssistantAgent(name, client, tools=tools, reflect_on_tool_use=bool(used), **options)


async def ask(agent: Any, **options: Any) -> Any:
    return await agent.run(task="What is the weather?", **options)


async def ask_stream(agent: Any, **options: Any) -> Any:
    return [item async for item in agent.run_stream(task="What is the weather?", **options)][-1]


every_way = pytest.mark.parametrize("one", [ask, ask_stream])


def sums_of(seen: Capture, name: str = ROOT) -> list[Any]:
    return read_sums(find_span(seen, name), *SUMS)


@every_way
def test_run_of_an_agent_is_the_task(provider: FakeProvider, seen: Capture, one: Callable[..., Any]) -> None:
    asyncio.run(one(make_agent(provider)))
    root, varying = fix_root(find_span(seen, ROOT))
    assert root == describe_root("weather_agent")
    assert {"model", "tools", "tool"} <= {value.partition("/")[0] for value in varying["values"]}
    models = [span for span in seen.spans if span["name"] == "chat gpt-x"]
    facts = ("gen_ai.response.model", "gen_ai.usage.input_tokens", "otel_agentops.task.id")
    told = [[span["attributes"][key] for key in facts] for span in models]
    assert told == [["gpt-x-2026-03-01", 11, varying["id"]]] * 2
    assert {span["parent"] for span in models} == {"invoke_agent weather_agent"}
    (offered,) = models[0]["attributes"]["otel_agentops.tools.versions"]
    call = find_span(seen, "execute_tool weather")
    ours = {key: value for key, value in call["attributes"].items() if key.startswith("otel_agentops")}
    assert ours == {
        "otel_agentops.task.id": varying["id"],
        "otel_agentops.task.name": "weather_agent",
        "otel_agentops.tool.hash": offered.partition("@")[2],
    }


@every_way
def test_run_in_a_task_is_an_agent_of_it(provider: FakeProvider, seen: Capture, one: Callable[..., Any]) -> None:
    with otel_agentops.task("trip"):
        asyncio.run(one(make_agent(provider)))
    assert sums_of(seen, "invoke_workflow trip") == [1, 1, 2, 1, 0, 22, 10]


@every_way
def test_agents_of_a_team_are_agents(provider: FakeProvider, seen: Capture, one: Callable[..., Any]) -> None:
    agents: list[Any] = [make_agent(provider, name="first"), make_agent(provider, name="second")]
    team = RoundRobinGroupChat(agents, termination_condition=MaxMessageTermination(3), name="weather_agent")
    asyncio.run(one(team))
    assert sums_of(seen) == [2, 1, 4, 2, 0, 44, 20]
    assert find_span(seen, ROOT)["attributes"][OUTCOME] == "completed"
    ids = {
        span["attributes"].get("otel_agentops.task.id")
        for span in seen.spans
        if span["name"].startswith(("chat", "execute"))
    }
    assert ids == {find_span(seen, ROOT)["attributes"]["otel_agentops.task.id"]}


def test_agent_in_a_tool_is_an_agent(provider: FakeProvider, seen: Capture) -> None:
    inner = make_agent(provider, name="inner")

    async def delegate(city: str) -> str:
        """Ask another agent."""
        return str(await ask(inner))

    asyncio.run(ask(make_agent(provider, delegate)))
    assert sums_of(seen) == [1, 1, 4, 2, 0, 44, 20]


@every_way
def test_tool_that_raises_is_a_failure(provider: FakeProvider, seen: Capture, one: Callable[..., Any]) -> None:
    asyncio.run(one(make_agent(provider, broken)))
    assert find_span(seen, "execute_tool broken")["status"] == "ERROR"
    assert (find_span(seen, ROOT)["attributes"][OUTCOME], sums_of(seen)[3:5]) == ("completed", [1, 1])


def test_call_in_a_thread_of_a_tool_is_unattributed(provider: FakeProvider, seen: Capture) -> None:
    """The library runs a function that is not async in a thread without the context."""

    def look(city: str) -> str:
        """Ask a model."""
        gpt = openai.OpenAI(api_key="k", base_url=provider.openai_url)
        return str(gpt.chat.completions.create(model="gpt-x", messages=[{"role": "user", "content": city}]))

    asyncio.run(ask(make_agent(provider, look)))
    values = find_span(seen, ROOT)["attributes"]
    assert values["otel_agentops.task.unattributed"] == 1
    assert "otel_agentops.task.llm_calls" not in values
    assert values["otel_agentops.task.tool_calls"] == 1


@every_way
def test_handoff_to_nobody_here_is_interrupted(provider: FakeProvider, seen: Capture, one: Callable[..., Any]) -> None:
    asyncio.run(one(make_agent(provider, None, handoffs=["user"])))
    assert find_span(seen, ROOT)["attributes"][OUTCOME] == "interrupted"


@every_way
def test_run_that_raises_has_failed(provider: FakeProvider, seen: Capture, one: Callable[..., Any]) -> None:
    provider.script(Status(400))
    with pytest.raises(Exception, match="400"):
        asyncio.run(one(make_agent(provider)))
    assert (find_span(seen, ROOT)["status"], find_span(seen, ROOT)["attributes"][OUTCOME]) == ("ERROR", "failed")


@every_way
def test_cancelled_run_is_cancelled(provider: FakeProvider, seen: Capture, one: Callable[..., Any]) -> None:
    async def wait(city: str) -> str:
        """Wait for ever."""
        asyncio.get_running_loop().call_soon(running.cancel)
        await asyncio.Event().wait()
        return city

    async def run() -> None:
        nonlocal running
        running = asyncio.create_task(one(make_agent(provider, wait)))
        await running

    running: Any = None
    with pytest.raises(asyncio.CancelledError):
        asyncio.run(run())
    assert find_span(seen, ROOT)["attributes"][OUTCOME] == "cancelled"


def test_stream_left_early_is_cancelled(provider: FakeProvider, seen: Capture) -> None:
    async def read() -> None:
        with seen.tracer_provider.get_tracer("app").start_as_current_span("around") as around:
            stream = make_agent(provider).run_stream(task="What is the weather?")
            await anext(stream)
            assert (current_scope(), trace.get_current_span()) == (NO_SCOPE, around)
            await stream.aclose()
            assert (current_scope(), trace.get_current_span()) == (NO_SCOPE, around)

    asyncio.run(read())
    assert find_span(seen, ROOT)["attributes"][OUTCOME] == "cancelled"
    assert find_span(seen, ROOT)["parent"] == "around"


def test_uninstrumented_agent_is_itself_again() -> None:
    before = BaseChatAgent.run
    instrumentor = Instrumentor()
    instrumentor.instrument()
    assert BaseChatAgent.run is not before
    instrumentor.uninstrument()
    assert BaseChatAgent.run is before


@every_way
def test_sums_of_parallel_runs_are_exact(provider: FakeProvider, seen: Capture, one: Callable[..., Any]) -> None:
    async def run_all() -> None:
        await asyncio.gather(*(one(make_agent(provider)) for _ in range(20)))

    asyncio.run(run_all())
    sums = [tuple(read_sums(span, *SUMS)) for span in seen.spans if span["name"] == ROOT]
    assert (len(sums), set(sums)) == (20, {(0, 0, 2, 1, 0, 22, 10)})


def test_documented_start_is_a_task(provider: FakeProvider, seen: Capture, monkeypatch: pytest.MonkeyPatch) -> None:
    """Asked is the model that calls the tool, whose result is the answer."""
    started = run_agent("AutoGen", provider, seen, monkeypatch)
    assert started == ["invoke_workflow support", "completed", 1, 1, 0]
