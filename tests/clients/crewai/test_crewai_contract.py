"""A run of a crew, a flow or a lone agent is a task: its agents, its sums, its outcome and its tools."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from crewai import LLM, Agent, Crew, Task
from crewai.flow.flow import Flow, listen, start
from crewai.tools import BaseTool, tool
from documented_starts import STARTED, find_order, run_agent
from opentelemetry import trace

import otel_agentops
from otel_agentops._context import NO_SCOPE, current_scope
from otel_agentops._hashing import identity
from otel_agentops.frameworks.crewai import LIBRARY, Instrumentor
from otel_agentops.testing import Capture, Record
from otel_agentops.testing.fake_provider import FakeProvider

ROOT = "invoke_workflow weather crew"
AGENT = "invoke_agent forecaster of {place}"
OUTCOME = "otel_agentops.task.outcome"


@tool("Weather Of")
def weather(city: str) -> str:
    """Return the weather of a city."""
    return f"sunny in {city}"


@tool("broken")
def broken(city: str) -> str:
    """Fail."""
    raise ValueError(city)


class Subclassed(BaseTool):
    name: str = "subclassed"
    description: str = "Return the weather of a city."

    def _run(self, city: str) -> str:
        return f"sunny in {city}"


def make_agent(provider: FakeProvider, used: Any = weather, **options: Any) -> Agent:
    model = LLM(model="openai/gpt-x", base_url=provider.openai_url, api_key="k", max_retries=0)
    options = {"role": "forecaster of {place}", "goal": "Tell.", "backstory": "Old.", "tools": [used], **options}
    return Agent(llm=model, **options)


def make_crew(provider: FakeProvider, used: Any = weather, **options: Any) -> Crew:
    agent = make_agent(provider, used)
    work = Task(description="How is it in {place}?", expected_output="A word.", agent=agent)
    return Crew(name="weather crew", agents=[agent], tasks=[work], **options)


PLACE = {"place": "the north"}


def run_sync(crew: Crew) -> None:
    assert crew.kickoff(PLACE).raw == "Hello there."


def run_in_thread(crew: Crew) -> None:
    asyncio.run(crew.kickoff_async(PLACE))


def run_async(crew: Crew) -> None:
    asyncio.run(crew.akickoff(PLACE))


def run_stream(crew: Crew) -> None:
    crew.stream = True
    for _ in crew.kickoff(PLACE):
        assert not trace.get_current_span().is_recording()
        assert current_scope() is NO_SCOPE


every_way = pytest.mark.parametrize("run", [run_sync, run_in_thread, run_async, run_stream])
Way = Callable[[Crew], None]


def find_span(seen: Capture, name: str) -> Record:
    (span,) = [span for span in seen.spans if span["name"] == name]
    return span


def read_sums(span: Record, *names: str) -> list[Any]:
    return [span["attributes"][f"otel_agentops.task.{name}"] for name in names]


@every_way
def test_run_of_a_crew_is_the_task(provider: FakeProvider, seen: Capture, run: Way) -> None:
    run(make_crew(provider))
    root = find_span(seen, ROOT)
    values = root["attributes"]
    started_at, task_id = values.pop("otel_agentops.task.started_at"), values.pop("otel_agentops.task.id")
    versions = values.pop("otel_agentops.task.values")
    assert root == {
        "name": ROOT,
        "kind": "INTERNAL",
        "status": "UNSET",
        "parent": None,
        "attributes": {
            "gen_ai.operation.name": "invoke_workflow",
            "gen_ai.workflow.name": "weather crew",
            "otel_agentops.task.agents": 1,
            "otel_agentops.task.depth": 1,
            "otel_agentops.task.input_tokens": 22,
            "otel_agentops.task.llm_attempts": 2,
            "otel_agentops.task.llm_calls": 2,
            "otel_agentops.task.name": "weather crew",
            "otel_agentops.task.outcome": "completed",
            "otel_agentops.task.output_tokens": 10,
            "otel_agentops.task.tool_calls": 1,
            "otel_agentops.task.tool_failures": 0,
            "otel_agentops.task.tool_repeats": 1,
        },
    }
    assert started_at > 1_700_000_000
    assert {value.partition("=")[0] for value in versions} >= {"model/gpt-x", "tool/weather_of"}
    offered = next(span["attributes"]["otel_agentops.tools.versions"] for span in seen.spans if "chat" in span["name"])
    assert find_span(seen, "execute_tool weather_of") == {
        "name": "execute_tool weather_of",
        "kind": "INTERNAL",
        "status": "UNSET",
        "parent": AGENT,
        "attributes": {
            "gen_ai.operation.name": "execute_tool",
            "gen_ai.tool.name": "weather_of",
            "gen_ai.tool.type": "function",
            "otel_agentops.task.id": task_id,
            "otel_agentops.task.name": "weather crew",
            "otel_agentops.tool.hash": offered[0].partition("@")[2],
            "otel_agentops.tool.result.empty": False,
            "otel_agentops.tool.result.shape": identity(["$: text"]),
        },
    }
    assert [span["parent"] for span in seen.spans] == [AGENT, AGENT, AGENT, ROOT, None]
    assert seen.problems == []


@pytest.mark.parametrize("run", [run_sync, run_in_thread, run_async])
def test_run_in_a_task_is_an_agent_of_it(provider: FakeProvider, seen: Capture, run: Way) -> None:
    with otel_agentops.task("trip"):
        run(make_crew(provider))
    crew = find_span(seen, "invoke_agent weather crew")
    assert (crew["parent"], OUTCOME in crew["attributes"]) == ("invoke_workflow trip", False)
    sums = read_sums(
        find_span(seen, "invoke_workflow trip"), "agents", "depth", "llm_calls", "tool_calls", "input_tokens"
    )
    assert sums == [2, 2, 2, 1, 22]


def test_lone_agent_is_the_task(provider: FakeProvider, seen: Capture) -> None:
    make_agent(provider, role="lone").kickoff("How is it?")
    assert read_sums(find_span(seen, "invoke_workflow lone"), "agents", "llm_calls", "tool_calls") == [0, 2, 1]
    seen.clear()
    asyncio.run(make_agent(provider, role="lone").kickoff_async("How is it?"))
    assert read_sums(find_span(seen, "invoke_workflow lone"), "agents", "llm_calls", "tool_calls") == [0, 2, 1]


@pytest.mark.parametrize("is_async", [False, True])
def test_flow_is_the_task_of_its_crews(provider: FakeProvider, seen: Capture, is_async: bool) -> None:
    class Forecast(Flow):  # type: ignore[type-arg]
        @start()
        def begin(self) -> str:
            return str(make_crew(provider).kickoff(PLACE))

        @listen(begin)
        def finish(self, word: str) -> str:
            return word

    flow = Forecast()
    assert (asyncio.run(flow.kickoff_async()) if is_async else flow.kickoff()) == "Hello there."
    assert find_span(seen, "invoke_agent weather crew")["parent"] == "invoke_workflow Forecast"
    sums = read_sums(find_span(seen, "invoke_workflow Forecast"), "agents", "depth", "llm_calls", "tool_calls")
    assert sums == [2, 2, 2, 1]


def test_tool_that_is_a_class_is_executed_once(provider: FakeProvider, seen: Capture) -> None:
    run_sync(make_crew(provider, Subclassed()))
    assert find_span(seen, "execute_tool subclassed")["parent"] == AGENT


@every_way
def test_tool_that_raises_is_a_failure(provider: FakeProvider, seen: Capture, run: Way) -> None:
    run(make_crew(provider, broken))
    call, root = find_span(seen, "execute_tool broken"), find_span(seen, ROOT)
    assert (call["status"], call["attributes"]["error.type"]) == ("ERROR", "ValueError")
    assert (root["status"], root["attributes"][OUTCOME], read_sums(root, "tool_failures")) == (
        "UNSET",
        "completed",
        [1],
    )


@every_way
def test_crew_that_raises_has_failed(provider: FakeProvider, seen: Capture, run: Way) -> None:
    def refuse(output: object) -> tuple[bool, str]:
        return False, "no"

    crew = make_crew(provider)
    crew.tasks[0].guardrail = refuse
    crew.tasks[0]._guardrail = refuse
    crew.tasks[0].guardrail_max_retries = 0
    with pytest.raises(Exception, match="guardrail"):
        run(crew)
    root = find_span(seen, ROOT)
    assert (root["status"], root["attributes"][OUTCOME]) == ("ERROR", "failed")


def test_tool_by_itself_has_the_hash_of_its_schema(seen: Capture) -> None:
    assert weather.run(city="Oslo") == weather.to_structured_tool().invoke({"city": "Oslo"}) == "sunny in Oslo"
    first, second = [span["attributes"]["otel_agentops.tool.hash"] for span in seen.spans]
    assert first == second


def test_tool_of_a_server_is_left_to_its_client(seen: Capture) -> None:
    class Native(Subclassed):
        pass

    Native.__module__ = "crewai.tools.mcp_native_tool"
    assert Native().run(city="Oslo") == Native().to_structured_tool().invoke({"city": "Oslo"}) == "sunny in Oslo"
    assert seen.spans == []


def test_uninstrumented_crew_is_itself_again(provider: FakeProvider, seen: Capture) -> None:
    assert LIBRARY.patches.keys() >= set(LIBRARY.targets)
    Instrumentor().uninstrument()
    assert LIBRARY.patches == {}
    run_sync(make_crew(provider))
    assert [span["name"] for span in seen.spans] == ["chat gpt-x"] * 2


def test_sums_of_parallel_crews_are_exact(provider: FakeProvider, seen: Capture) -> None:
    with ThreadPoolExecutor(5) as executor:
        list(executor.map(run_sync, [make_crew(provider) for _ in range(50)]))
    roots = [span for span in seen.spans if span["name"] == ROOT]
    sums = [tuple(read_sums(root, "llm_calls", "tool_calls", "input_tokens", "output_tokens")) for root in roots]
    assert sums == [(2, 1, 22, 10)] * 50


def test_documented_start_is_a_task(provider: FakeProvider, seen: Capture, monkeypatch: pytest.MonkeyPatch) -> None:
    model = LLM(model="openai/gpt-5", base_url=provider.openai_url, api_key="k", max_retries=0)
    clerk = Agent(role="clerk", goal="Help.", backstory="Old.", tools=[tool("find_order")(find_order)], llm=model)
    search = Task(description="Where is order {order}?", expected_output="A word.", agent=clerk)
    assert run_agent("CrewAI", provider, seen, monkeypatch, clerk=clerk, search=search) == STARTED
