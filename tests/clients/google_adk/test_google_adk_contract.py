"""An invocation is a task, or an agent of one; the library's own spans get what they lack."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from documented_starts import STARTED, run_agent
from google.adk.agents import LlmAgent, RunConfig
from google.adk.agents.invocation_context import LlmCallsLimitExceededError
from google.adk.models import Gemini
from google.adk.runners import InMemoryRunner, Runner
from google.adk.tools import AgentTool, LongRunningFunctionTool
from google.genai import types
from opentelemetry import trace

import otel_agentops
from otel_agentops._context import NO_SCOPE, current_scope
from otel_agentops.frameworks._runs import AsyncRunIterator
from otel_agentops.frameworks.google_adk import Instrumentor
from otel_agentops.testing import Capture, Record
from otel_agentops.testing.fake_provider import Answer, Call, FakeProvider, ToolCall

ROOT = "invoke_workflow weather_agent"
OUTCOME = "otel_agentops.task.outcome"
SUMS = ("agents", "depth", "llm_calls", "tool_calls", "tool_failures", "input_tokens", "output_tokens")


def weather(city: str) -> str:
    """Return the weather of a city."""
    return f"sunny in {city}"


def broken(city: str) -> str:
    """Fail."""
    raise ValueError(city)


def asking(city: str) -> None:
    """Ask somebody, who answers later."""


def make_runner(provider: FakeProvider, *tools: Any, name: str = "weather_agent", **options: Any) -> Runner:
    """Return a runner in memory of an agent with these tools, or that of the weather."""
    return InMemoryRunner(make_agent(provider, *tools, name=name, **options), app_name="app")


def make_agent(provider: FakeProvider, *tools: Any, name: str = "weather_agent", **options: Any) -> LlmAgent:
    model = Gemini(model="gemini-x", base_url=provider.url)
    return LlmAgent(name=name, description=name, model=model, tools=[*tools] or [weather], **options)


async def start_session(runner: Runner, session: str) -> dict[str, Any]:
    await runner.session_service.create_session(app_name="app", user_id="u", session_id=session)
    question = types.UserContent(parts=[types.Part(text="What is the weather?")])
    return {"user_id": "u", "session_id": session, "new_message": question}


async def read_events(runner: Runner, session: str = "s-1", **options: Any) -> None:
    async for _ in runner.run_async(**await start_session(runner, session), **options):
        pass


def run_async(runner: Runner, **options: Any) -> None:
    asyncio.run(read_events(runner, **options))


def run_sync(runner: Runner, **options: Any) -> None:
    assert list(runner.run(**asyncio.run(start_session(runner, "s-1")), **options))


every_way = pytest.mark.parametrize("run", [run_async, run_sync])


def find_span(seen: Capture, name: str) -> Record:
    """Return our root span, or the span of anybody with another name."""
    (span,) = [each for each in seen.spans if each["name"] == name and (name != ROOT or OUTCOME in each["attributes"])]
    return span


def read_sums(seen: Capture, name: str = ROOT) -> list[Any]:
    values = find_span(seen, name)["attributes"]
    return [values[f"otel_agentops.task.{sum_name}"] for sum_name in SUMS]


@every_way
def test_invocation_is_the_task(provider: FakeProvider, seen: Capture, run: Callable[..., None]) -> None:
    run(make_runner(provider))
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
    kinds = {value.partition("/")[0] for value in versions}
    assert {"model", "tools", "tool"} <= kinds
    models = [span for span in seen.spans if span["attributes"].get("gen_ai.operation.name") == "generate_content"]
    facts = ("gen_ai.response.model", "gen_ai.usage.input_tokens", "otel_agentops.task.id")
    assert [[span["attributes"][key] for key in facts] for span in models] == [["gemini-x-2026", 11, task_id]] * 2
    (offered,) = models[0]["attributes"]["otel_agentops.tools.versions"]
    call = find_span(seen, "execute_tool weather")
    ours = {key: value for key, value in call["attributes"].items() if key.startswith("otel_agentops")}
    assert ours == {
        "otel_agentops.task.id": task_id,
        "otel_agentops.task.name": "weather_agent",
        "otel_agentops.tool.hash": offered.partition("@")[2],
    }


@every_way
def test_invocation_in_a_task_is_an_agent(provider: FakeProvider, seen: Capture, run: Callable[..., None]) -> None:
    with otel_agentops.task("trip"):
        run(make_runner(provider))
    assert read_sums(seen, "invoke_workflow trip") == [1, 1, 2, 1, 0, 22, 10]


def test_agent_as_a_tool_is_an_agent(provider: FakeProvider, seen: Capture) -> None:
    def answer(call: Call) -> Answer:
        name = call.body["tools"][0]["functionDeclarations"][0]["name"]
        if "functionResponse" in call.body["contents"][-1]["parts"][-1]:
            return Answer()
        arguments = '{"request": "Oslo"}' if name == "inner" else '{"city": "Oslo"}'
        return Answer(text="", tool_calls=(ToolCall(name, arguments),))

    provider.answer(answer)
    run_async(make_runner(provider, AgentTool(make_agent(provider, name="inner"))))
    assert read_sums(seen) == [1, 1, 4, 2, 0, 44, 20]


def test_transfer_to_another_agent_is_an_agent(provider: FakeProvider, seen: Capture) -> None:
    def answer(call: Call) -> Answer:
        if len(provider.requests) > 1:
            return Answer()
        return Answer(text="", tool_calls=(ToolCall("transfer_to_agent", '{"agent_name": "other"}'),))

    provider.answer(answer)
    run_async(make_runner(provider, sub_agents=[make_agent(provider, name="other")]))
    assert read_sums(seen) == [1, 1, 2, 1, 0, 22, 10]


@every_way
def test_tool_that_raises_fails_the_task(provider: FakeProvider, seen: Capture, run: Callable[..., None]) -> None:
    with pytest.raises(ValueError, match="Oslo"):
        run(make_runner(provider, broken))
    root, call = find_span(seen, ROOT), find_span(seen, "execute_tool broken")
    assert [span["status"] for span in (root, call)] == ["ERROR", "ERROR"]
    assert (root["attributes"]["error.type"], root["attributes"][OUTCOME]) == ("ValueError", "failed")
    assert read_sums(seen)[3:5] == [1, 1]


@every_way
def test_wait_for_an_answer_is_no_failure(provider: FakeProvider, seen: Capture, run: Callable[..., None]) -> None:
    run(make_runner(provider, LongRunningFunctionTool(asking)))
    root = find_span(seen, ROOT)
    assert (root["status"], root["attributes"][OUTCOME], read_sums(seen)[4]) == ("UNSET", "interrupted", 0)


@every_way
def test_run_over_its_limit_has_failed(provider: FakeProvider, seen: Capture, run: Callable[..., None]) -> None:
    with pytest.raises(LlmCallsLimitExceededError):
        run(make_runner(provider), run_config=RunConfig(max_llm_calls=1))
    values = find_span(seen, ROOT)["attributes"]
    kind = "google.adk.agents.invocation_context.LlmCallsLimitExceededError"
    assert (values[OUTCOME], values["error.type"]) == ("failed", kind)


def test_parallel_calls_are_counted_once_each(provider: FakeProvider, seen: Capture) -> None:
    def answer(call: Call) -> Answer:
        if "functionResponse" in call.body["contents"][-1]["parts"][-1]:
            return Answer()
        cities = ('{"city": "Oslo"}', '{"city": "Rome"}')
        return Answer(text="", tool_calls=tuple(ToolCall("weather", city) for city in cities))

    provider.answer(answer)
    run_async(make_runner(provider))
    assert read_sums(seen)[3:5] == [2, 0]


def test_stream_left_early_is_cancelled(provider: FakeProvider, seen: Capture) -> None:
    async def read() -> None:
        runner = make_runner(provider)
        question = await start_session(runner, "s-1")
        with seen.tracer_provider.get_tracer("app").start_as_current_span("around") as around:
            stream = runner.run_async(**question)
            await anext(stream)
            assert (current_scope(), trace.get_current_span()) == (NO_SCOPE, around)
            await stream.aclose()
            assert (current_scope(), trace.get_current_span()) == (NO_SCOPE, around)

    asyncio.run(read())
    assert find_span(seen, ROOT)["attributes"][OUTCOME] == "cancelled"
    assert find_span(seen, ROOT)["parent"] == "around"


def test_user_of_a_run_is_in_its_scope_and_on_no_span(provider: FakeProvider, seen: Capture) -> None:
    users: list[tuple[str, ...]] = []

    def look(city: str) -> str:
        """Look at the weather of a city."""
        users.append(current_scope().users)
        return city

    run_async(make_runner(provider, look))
    assert users == [("u",)]
    assert "u" not in find_span(seen, ROOT)["attributes"].values()


def test_uninstrumented_runner_is_itself_again(provider: FakeProvider) -> None:
    instrumentor = Instrumentor()
    instrumentor.instrument()
    instrumentor.uninstrument()
    stream = make_runner(provider).run_async(user_id="u", session_id="s")
    assert not isinstance(stream, AsyncRunIterator)


def test_sums_of_parallel_runs_are_exact(provider: FakeProvider, seen: Capture) -> None:
    runner = make_runner(provider)

    async def run_all() -> None:
        await asyncio.gather(*(read_events(runner, str(n)) for n in range(50)))

    asyncio.run(run_all())
    roots = [span["attributes"] for span in seen.spans if span["name"] == ROOT and OUTCOME in span["attributes"]]
    assert sorted(int(root["gen_ai.conversation.id"]) for root in roots) == list(range(50))
    sums = {tuple(root[f"otel_agentops.task.{name}"] for name in SUMS) for root in roots}
    assert sums == {(0, 0, 2, 1, 0, 22, 10)}


def test_documented_start_is_a_task(provider: FakeProvider, seen: Capture, monkeypatch: pytest.MonkeyPatch) -> None:
    assert run_agent("Google ADK", provider, seen, monkeypatch) == STARTED
