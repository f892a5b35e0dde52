"""A run of an agent is a task, or an agent of one; the library's own spans get what they lack."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from documented_starts import STARTED, run_agent
from opentelemetry import trace
from strands import Agent, tool
from strands.models.openai import OpenAIModel
from strands.multiagent import GraphBuilder

import otel_agentops
from otel_agentops._context import NO_SCOPE, current_scope
from otel_agentops.frameworks._runs import AsyncRunIterator
from otel_agentops.frameworks.strands import Instrumentor
from otel_agentops.testing import Capture, Record
from otel_agentops.testing.fake_provider import FakeProvider

ROOT = "invoke_workflow weather agent"
OUTCOME = "otel_agentops.task.outcome"
SUMS = ("agents", "depth", "llm_calls", "tool_calls", "tool_failures", "input_tokens", "output_tokens")


@tool
def weather(city: str) -> str:
    """Return the weather of a city."""
    return f"sunny in {city}"


@tool
def broken(city: str) -> str:
    """Fail."""
    raise ValueError(city)


@tool(context=True)
def asking(city: str, tool_context: Any) -> str:
    """Ask somebody."""
    return str(tool_context.interrupt("weather", reason=city))


def make_agent(provider: FakeProvider, used: Any = weather, name: str = "weather agent", **options: Any) -> Agent:
    client = {"base_url": provider.openai_url, "api_key": "k", "max_retries": 0}
    model = OpenAIModel(client_args=client, model_id="gpt-x")
    return Agent(model=model, tools=[used], name=name, callback_handler=None, **options)


def run_call(agent: Any) -> Any:
    return agent("What is the weather?")


def run_async(agent: Any) -> Any:
    return asyncio.run(agent.invoke_async("What is the weather?"))


def run_stream(agent: Any) -> Any:
    async def read() -> Any:
        return [event async for event in agent.stream_async("What is the weather?")][-1]["result"]

    return asyncio.run(read())


every_way = pytest.mark.parametrize("run", [run_call, run_async, run_stream])


def find_span(seen: Capture, name: str) -> Record:
    (span,) = [span for span in seen.spans if span["name"] == name]
    return span


def read_sums(seen: Capture, name: str = ROOT) -> list[Any]:
    values = find_span(seen, name)["attributes"]
    return [values[f"otel_agentops.task.{sum_name}"] for sum_name in SUMS]


@every_way
def test_run_of_an_agent_is_the_task(provider: FakeProvider, seen: Capture, run: Callable[[Any], Any]) -> None:
    run(make_agent(provider))
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
    assert [value.partition("=")[0] for value in versions] == [
        "model/gpt-x",
        "tools/weather agent",
        "tool/weather",
        "fingerprint/gpt-x",
    ]
    models = [span for span in seen.spans if span["name"] == "chat"]
    assert not [span for span in seen.spans if span["name"] == "chat gpt-x"]  # one span a call, theirs
    (offered,) = models[0]["attributes"]["otel_agentops.tools.versions"]
    call = find_span(seen, "execute_tool weather")
    ours = {key: value for key, value in call["attributes"].items() if key.startswith("otel_agentops")}
    assert ours == {
        "otel_agentops.task.id": task_id,
        "otel_agentops.task.name": "weather agent",
        "otel_agentops.tool.hash": offered.partition("@")[2],
    }
    facts = ("gen_ai.response.model", "gen_ai.usage.input_tokens", "otel_agentops.task.id")
    assert [[span["attributes"][key] for key in facts] for span in models] == [["gpt-x-2026-03-01", 11, task_id]] * 2


@every_way
def test_run_in_a_task_is_an_agent_of_it(provider: FakeProvider, seen: Capture, run: Callable[[Any], Any]) -> None:
    with otel_agentops.task("trip"):
        run(make_agent(provider))
    assert read_sums(seen, "invoke_workflow trip") == [1, 1, 2, 1, 0, 22, 10]
    theirs, ours = [span for span in seen.spans if span["name"] == "invoke_agent weather agent"]
    assert (theirs["parent"], ours["parent"]) == ("invoke_agent weather agent", "invoke_workflow trip")
    assert OUTCOME not in ours["attributes"]


def test_agent_in_a_tool_is_an_agent(provider: FakeProvider, seen: Capture) -> None:
    inner = make_agent(provider, name="inner")

    @tool
    def delegate(city: str) -> str:
        """Ask another agent."""
        return str(inner(city))

    run_call(make_agent(provider, delegate))
    assert read_sums(seen) == [1, 1, 4, 2, 0, 44, 20]


def test_agents_of_a_graph_are_agents(provider: FakeProvider, seen: Capture) -> None:
    builder = GraphBuilder()
    builder.add_node(make_agent(provider, name="first"), "first")
    builder.add_node(make_agent(provider, name="second"), "second")
    builder.add_edge("first", "second")
    builder.set_graph_id("weather agent")
    run_call(builder.build())
    assert read_sums(seen) == [2, 1, 4, 2, 0, 44, 20]
    assert find_span(seen, ROOT)["attributes"][OUTCOME] == "completed"


@every_way
def test_tool_that_raises_is_a_failure(provider: FakeProvider, seen: Capture, run: Callable[[Any], Any]) -> None:
    run(make_agent(provider, broken))
    assert find_span(seen, "execute_tool broken")["status"] == "ERROR"
    assert (find_span(seen, ROOT)["attributes"][OUTCOME], read_sums(seen)[3:5]) == ("completed", [1, 1])


@every_way
def test_interrupt_is_no_failure(provider: FakeProvider, seen: Capture, run: Callable[[Any], Any]) -> None:
    agent = make_agent(provider, asking)
    result = run(agent)
    assert (find_span(seen, ROOT)["status"], find_span(seen, ROOT)["attributes"][OUTCOME]) == ("UNSET", "interrupted")
    assert read_sums(seen)[4] == 0
    seen.clear()
    agent([{"interruptResponse": {"interruptId": result.interrupts[0].id, "response": "rainy"}}])
    assert find_span(seen, ROOT)["attributes"][OUTCOME] == "completed"


def test_run_that_raises_has_failed(provider: FakeProvider, seen: Capture) -> None:
    agent = make_agent(provider)
    agent.model = None  # type: ignore[assignment]
    with pytest.raises(AttributeError):
        run_call(agent)
    values = find_span(seen, ROOT)["attributes"]
    assert (values[OUTCOME], values["error.type"]) == ("failed", "AttributeError")


def test_cancelled_run_is_cancelled(provider: FakeProvider, seen: Capture) -> None:
    @tool
    def stopping(city: str) -> str:
        """Stop the agent."""
        agent.cancel()
        return city

    agent = make_agent(provider, stopping)
    if not hasattr(agent, "cancel"):
        pytest.skip("this version has no cancel()")
    run_call(agent)
    assert find_span(seen, ROOT)["attributes"][OUTCOME] == "cancelled"


def test_run_over_its_limit_has_failed(provider: FakeProvider, seen: Capture) -> None:
    agent = make_agent(provider)
    if not hasattr(agent, "_validate_limits"):
        pytest.skip("this version has no limits")
    agent("What is the weather?", limits={"turns": 1})
    values = find_span(seen, ROOT)["attributes"]
    assert (values[OUTCOME], values["error.type"]) == ("failed", "limit_turns")


def test_stream_left_early_is_cancelled(provider: FakeProvider, seen: Capture) -> None:
    async def read() -> None:
        with seen.tracer_provider.get_tracer("app").start_as_current_span("around") as around:
            stream = make_agent(provider).stream_async("What is the weather?")
            await anext(stream)
            assert (current_scope(), trace.get_current_span()) == (NO_SCOPE, around)
            await stream.aclose()
            assert (current_scope(), trace.get_current_span()) == (NO_SCOPE, around)

    asyncio.run(read())
    assert find_span(seen, ROOT)["attributes"][OUTCOME] == "cancelled"
    assert find_span(seen, ROOT)["parent"] == "around"


def test_uninstrumented_agent_is_itself_again(provider: FakeProvider) -> None:
    instrumentor = Instrumentor()
    instrumentor.instrument()
    instrumentor.uninstrument()
    assert not isinstance(make_agent(provider).stream_async(""), AsyncRunIterator)


def test_sums_of_parallel_runs_are_exact(provider: FakeProvider, seen: Capture) -> None:
    async def run_all() -> None:
        await asyncio.gather(*(make_agent(provider).invoke_async("What is the weather?") for _ in range(50)))

    asyncio.run(run_all())
    roots = [span["attributes"] for span in seen.spans if span["name"] == ROOT]
    sums = {tuple(root[f"otel_agentops.task.{name}"] for name in SUMS) for root in roots}
    assert (len(roots), sums) == (50, {(0, 0, 2, 1, 0, 22, 10)})


def test_documented_start_is_a_task(provider: FakeProvider, seen: Capture, monkeypatch: pytest.MonkeyPatch) -> None:
    assert run_agent("Strands Agents", provider, seen, monkeypatch) == STARTED
