"""A run of an agent is a task, or an agent of one: its sums, its outcome and its tools, called by JSON or by code."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from documented_starts import STARTED, run_agent
from opentelemetry import trace
from smolagents import CodeAgent, OpenAIModel, Tool, ToolCallingAgent, tool
from smolagents.utils import AgentError

import otel_agentops
from otel_agentops._context import NO_SCOPE, current_scope
from otel_agentops._hashing import identity
from otel_agentops.frameworks.smolagents import LIBRARY, Instrumentor
from otel_agentops.testing import Capture, Record
from otel_agentops.testing.fake_provider import FakeProvider

ROOT = "invoke_workflow weather_agent"
OUTCOME = "otel_agentops.task.outcome"


@tool
def weather(city: str) -> str:
    """Return the weather of a city.

    Args:
        city: The city.
    """
    return f"sunny in {city}"


@tool
def broken(city: str) -> str:
    """Fail.

    Args:
        city: The city.
    """
    raise ValueError(city)


def make_agent(
    provider: FakeProvider,
    used: Tool = weather,
    kind: Any = ToolCallingAgent,
    name: str = "weather_agent",
    **options: Any,
) -> Any:
    model = OpenAIModel("gpt-x", api_base=provider.openai_url, api_key="k", client_kwargs={"max_retries": 0})
    options = {"tools": [used], "name": name, "description": "Ask.", "verbosity_level": 0, "max_steps": 3, **options}
    return kind(model=model, **options)


def run_whole(agent: Any) -> None:
    assert agent.run("How is it?")


def run_stream(agent: Any) -> None:
    assert list(agent.run("How is it?", stream=True))


every_way = pytest.mark.parametrize("run", [run_whole, run_stream])
every_kind = pytest.mark.parametrize("kind", [ToolCallingAgent, CodeAgent])
Way = Callable[[Any], None]


def find_span(seen: Capture, name: str) -> Record:
    (span,) = [span for span in seen.spans if span["name"] == name]
    return span


def read_sums(span: Record, *names: str) -> list[Any]:
    return [span["attributes"][f"otel_agentops.task.{name}"] for name in names]


@every_way
def test_run_is_the_task(provider: FakeProvider, seen: Capture, run: Way) -> None:
    run(make_agent(provider))
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
            "gen_ai.workflow.name": "weather_agent",
            "otel_agentops.task.agents": 0,
            "otel_agentops.task.depth": 0,
            "otel_agentops.task.input_tokens": 22,
            "otel_agentops.task.llm_attempts": 2,
            "otel_agentops.task.llm_calls": 2,
            "otel_agentops.task.name": "weather_agent",
            "otel_agentops.task.outcome": "completed",
            "otel_agentops.task.output_tokens": 10,
            "otel_agentops.task.tool_calls": 1,
            "otel_agentops.task.tool_failures": 0,
            "otel_agentops.task.tool_repeats": 1,
        },
    }
    assert started_at > 1_700_000_000
    assert {value.partition("=")[0] for value in versions} >= {"model/gpt-x", "tool/weather"}
    offered = find_offered(seen)
    assert find_span(seen, "execute_tool weather") == {
        "name": "execute_tool weather",
        "kind": "INTERNAL",
        "status": "UNSET",
        "parent": ROOT,
        "attributes": {
            "gen_ai.operation.name": "execute_tool",
            "gen_ai.tool.name": "weather",
            "gen_ai.tool.type": "function",
            "otel_agentops.task.id": task_id,
            "otel_agentops.task.name": "weather_agent",
            "otel_agentops.tool.hash": offered["weather"],
            "otel_agentops.tool.result.empty": False,
            "otel_agentops.tool.result.shape": identity(["$: text"]),
        },
    }
    assert [span["parent"] for span in seen.spans] == [ROOT, ROOT, ROOT, None]
    assert seen.problems == []


def find_offered(seen: Capture) -> dict[str, str]:
    """Return tool name -> hash, as the model was offered them."""
    versions = [span["attributes"].get("otel_agentops.tools.versions", []) for span in seen.spans]
    return dict(version.split("@") for each in versions for version in each)


@every_way
def test_run_in_a_task_is_an_agent_of_it(provider: FakeProvider, seen: Capture, run: Way) -> None:
    with otel_agentops.task("trip"):
        run(make_agent(provider))
    agent = find_span(seen, "invoke_agent weather_agent")
    assert (agent["parent"], OUTCOME in agent["attributes"]) == ("invoke_workflow trip", False)
    sums = read_sums(
        find_span(seen, "invoke_workflow trip"), "agents", "depth", "llm_calls", "tool_calls", "input_tokens"
    )
    assert sums == [1, 1, 2, 1, 22]


@every_way
@pytest.mark.parametrize("limit", [None, 30])
def test_tool_that_code_calls_is_in_the_task(provider: FakeProvider, seen: Capture, run: Way, limit: Any) -> None:
    """The library runs the code in another thread if its time is limited."""
    run(make_agent(provider, kind=CodeAgent, executor_kwargs={"timeout_seconds": limit}))
    root = find_span(seen, ROOT)
    assert read_sums(root, "llm_calls", "tool_calls", "tool_failures") == [2, 1, 0]
    call = find_span(seen, "execute_tool weather")
    assert (call["parent"], len(call["attributes"]["otel_agentops.tool.hash"])) == (ROOT, 16)


def test_hash_of_a_tool_of_code_is_that_of_its_offer(provider: FakeProvider, seen: Capture) -> None:
    run_whole(make_agent(provider, kind=CodeAgent))
    by_code = find_span(seen, "execute_tool weather")["attributes"]["otel_agentops.tool.hash"]
    seen.clear()
    run_whole(make_agent(provider))
    assert find_offered(seen)["weather"] == by_code


def test_managed_agent_is_an_agent_of_the_task(provider: FakeProvider, seen: Capture) -> None:
    inner = make_agent(provider, name="inner")
    run_whole(make_agent(provider, tools=[], managed_agents=[inner]))
    assert find_span(seen, "invoke_agent inner")["parent"] == ROOT
    assert find_span(seen, "execute_tool weather")["parent"] == "invoke_agent inner"
    assert read_sums(find_span(seen, ROOT), "agents", "depth", "tool_calls")[:2] == [1, 1]


@every_way
@every_kind
def test_tool_that_raises_is_a_failure(provider: FakeProvider, seen: Capture, run: Way, kind: Any) -> None:
    broken.name = "weather" if kind is CodeAgent else "broken"
    run(make_agent(provider, broken, kind))
    call, root = find_span(seen, f"execute_tool {broken.name}"), find_span(seen, ROOT)
    assert (call["status"], call["attributes"]["error.type"]) == ("ERROR", "ValueError")
    assert (root["status"], root["attributes"][OUTCOME], read_sums(root, "tool_failures")) == (
        "UNSET",
        "completed",
        [1],
    )


@every_way
def test_run_without_an_end_has_failed(provider: FakeProvider, seen: Capture, run: Way) -> None:
    run(make_agent(provider, max_steps=1))
    root = find_span(seen, ROOT)
    assert (root["status"], root["attributes"][OUTCOME]) == ("ERROR", "failed")
    assert root["attributes"]["error.type"] == "smolagents.utils.AgentMaxStepsError"


def test_run_that_is_interrupted_is_cancelled(provider: FakeProvider, seen: Capture) -> None:
    agent = make_agent(provider, step_callbacks=[lambda step, agent: agent.interrupt()])
    with pytest.raises(AgentError, match="interrupted"):
        agent.run("How is it?")
    assert find_span(seen, ROOT)["attributes"][OUTCOME] == "cancelled"


# -- the reader of a stream


def test_scope_of_a_stream_is_its_own(provider: FakeProvider, seen: Capture) -> None:
    stream = make_agent(provider).run("How is it?", stream=True)
    with seen.tracer_provider.get_tracer("app").start_as_current_span("between") as between:
        for _ in stream:
            assert trace.get_current_span() is between
            assert current_scope() is NO_SCOPE
    assert find_span(seen, ROOT)["attributes"][OUTCOME] == "completed"


def test_stream_left_early_is_cancelled(provider: FakeProvider, seen: Capture) -> None:
    stream = make_agent(provider).run("How is it?", stream=True)
    next(stream)
    with pytest.raises(RuntimeError, match="ignored GeneratorExit"):  # it does so without us
        stream.close()
    assert find_span(seen, ROOT)["attributes"][OUTCOME] == "cancelled"


# -- the application's own


def test_tool_of_a_server_is_left_to_its_client(seen: Capture) -> None:
    class Adapted(type(weather)):  # type: ignore[misc]
        pass

    Adapted.__module__ = "mcpadapt.smolagents_adapter"
    remote = object.__new__(Adapted)
    remote.__dict__.update(vars(weather))
    assert remote("Oslo") == "sunny in Oslo"
    assert weather("Oslo") == weather({"city": "Oslo"}) == weather(city="Oslo", sanitize_inputs_outputs=True)
    assert [span["name"] for span in seen.spans] == ["execute_tool weather"] * 3


def test_uninstrumented_agent_is_itself_again(provider: FakeProvider, seen: Capture) -> None:
    assert LIBRARY.patches.keys() >= set(LIBRARY.targets)
    Instrumentor().uninstrument()
    assert LIBRARY.patches == {}
    run_whole(make_agent(provider))
    assert [span["name"] for span in seen.spans] == ["chat gpt-x"] * 2


@every_kind
def test_sums_of_parallel_runs_are_exact(provider: FakeProvider, seen: Capture, kind: Any) -> None:
    with ThreadPoolExecutor(10) as executor:
        list(executor.map(run_whole, [make_agent(provider, kind=kind) for _ in range(50)]))
    roots = [span for span in seen.spans if span["name"] == ROOT]
    sums = [tuple(read_sums(root, "llm_calls", "tool_calls", "input_tokens", "output_tokens")) for root in roots]
    assert sums == [(2, 1, 22, 10)] * 50


def test_documented_start_is_a_task(provider: FakeProvider, seen: Capture, monkeypatch: pytest.MonkeyPatch) -> None:
    assert run_agent("smolagents", provider, seen, monkeypatch) == STARTED
