"""A run is a task, or an agent of one: its sums, its outcome, its hand-offs and its tools."""

from __future__ import annotations

import asyncio
import copy
from collections.abc import Callable, Coroutine, Iterator
from typing import Any, TypeVar

import pytest
from agents import (
    Agent,
    AsyncOpenAI,
    GuardrailFunctionOutput,
    InputGuardrail,
    InputGuardrailTripwireTriggered,
    MaxTurnsExceeded,
    ModelSettings,
    OpenAIChatCompletionsModel,
    RunConfig,
    Runner,
    SQLiteSession,
    function_tool,
    set_tracing_disabled,
    trace,
)
from agents.tool import ToolOrigin, ToolOriginType
from documented_starts import STARTED, run_agent
from opentelemetry import trace as otel_trace

import otel_agentops
from otel_agentops._context import NO_SCOPE, current_scope
from otel_agentops._hashing import identity
from otel_agentops.frameworks.openai_agents import LIBRARY, Instrumentor
from otel_agentops.testing import Capture, Record
from otel_agentops.testing.fake_provider import FakeProvider

ROOT = "invoke_workflow weather agent"
OUTCOME = "otel_agentops.task.outcome"
ERRORS = "agents.exceptions"
T = TypeVar("T")


@function_tool
def weather(city: str) -> str:
    """Return the weather of a city."""
    return f"sunny in {city}"


@function_tool
def broken(city: str) -> str:
    """Fail in the way that a model is told of."""
    raise ValueError(city)


@function_tool(failure_error_function=None)
def raising(city: str) -> str:
    """Fail."""
    raise ValueError(city)


@function_tool(needs_approval=True)
def asking(city: str) -> str:
    """Wait for somebody."""
    return f"asked about {city}"


@function_tool(timeout=0.01)
async def slow(city: str) -> str:
    """Take too long."""
    await asyncio.sleep(5)
    return city


def make_model(provider: FakeProvider) -> OpenAIChatCompletionsModel:
    client = AsyncOpenAI(base_url=provider.openai_url, api_key="k", max_retries=0)
    return OpenAIChatCompletionsModel("gpt-x", client)


def make_agent(provider: FakeProvider, *tools: Any, name: str = "weather agent", **options: Any) -> Agent[Any]:
    return Agent(
        name=name,
        instructions="Be brief.",
        model=make_model(provider),
        model_settings=ModelSettings(include_usage=True),
        tools=list(tools or (weather,)),
        **options,
    )


def wait_for(coroutine: Coroutine[Any, Any, T]) -> T:
    return asyncio.get_event_loop().run_until_complete(coroutine)


def run_async(agent: Agent[Any], **options: Any) -> Any:
    return wait_for(Runner.run(agent, "How is it?", **options))


def run_sync(agent: Agent[Any], **options: Any) -> Any:
    return Runner.run_sync(agent, "How is it?", **options)


def run_streamed(agent: Agent[Any], **options: Any) -> Any:
    async def read() -> Any:
        result = Runner.run_streamed(agent, "How is it?", **options)
        async for _ in result.stream_events():
            pass
        return result

    return wait_for(read())


every_way = pytest.mark.parametrize("run", [run_async, run_sync, run_streamed])
Way = Callable[..., Any]


@pytest.fixture(params=[False, True], ids=["traced", "untraced"])
def tracing(request: pytest.FixtureRequest) -> Iterator[None]:
    """Turn the SDK's own tracing off, and on again."""
    set_tracing_disabled(request.param)
    yield
    set_tracing_disabled(False)


def find_span(seen: Capture, name: str) -> Record:
    (span,) = [span for span in seen.spans if span["name"] == name]
    return span


def outcome_of(seen: Capture) -> object:
    return find_span(seen, ROOT)["attributes"].get(OUTCOME)


def read_sums(span: Record, *names: str) -> list[Any]:
    return [span["attributes"][f"otel_agentops.task.{name}"] for name in names]


@every_way
@pytest.mark.usefixtures("tracing")
def test_run_is_the_task(provider: FakeProvider, seen: Capture, run: Way) -> None:
    result = run(make_agent(provider), session=SQLiteSession("t-1"))
    assert result.final_output == "Hello there."
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
            "gen_ai.conversation.id": "t-1",
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
    assert started_at > 1_700_000_000
    kinds = ["model/gpt-x", "prompt/weather agent/unknown", "tools/weather agent", "tool/weather", "fingerprint/gpt-x"]
    assert [value.partition("=")[0] for value in versions] == kinds
    offered = [
        span["attributes"]["otel_agentops.tools.versions"] for span in seen.spans if span["name"] == "chat gpt-x"
    ]
    assert find_span(seen, "execute_tool weather") == {
        "name": "execute_tool weather",
        "kind": "INTERNAL",
        "status": "UNSET",
        "parent": ROOT,
        "attributes": {
            "gen_ai.conversation.id": "t-1",
            "gen_ai.operation.name": "execute_tool",
            "gen_ai.tool.call.id": "call_2",
            "gen_ai.tool.name": "weather",
            "gen_ai.tool.type": "function",
            "otel_agentops.task.id": task_id,
            "otel_agentops.task.name": "weather agent",
            "otel_agentops.tool.hash": offered[0][0].partition("@")[2],
            "otel_agentops.tool.result.empty": False,
            "otel_agentops.tool.result.shape": identity(["$: text"]),
        },
    }
    assert [span["parent"] for span in seen.spans] == [ROOT, ROOT, ROOT, None]
    assert seen.problems == []


@every_way
def test_run_in_a_task_is_an_agent_of_it(provider: FakeProvider, seen: Capture, run: Way) -> None:
    with otel_agentops.task("trip"):
        run(make_agent(provider))
    inner = find_span(seen, "invoke_agent weather agent")
    assert (inner["parent"], OUTCOME in inner["attributes"]) == ("invoke_workflow trip", False)
    sums = read_sums(
        find_span(seen, "invoke_workflow trip"), "agents", "depth", "llm_calls", "tool_calls", "input_tokens"
    )
    assert sums == [1, 1, 2, 1, 22]


@every_way
def test_workflow_name_and_group_are_the_run_s(provider: FakeProvider, seen: Capture, run: Way) -> None:
    run(make_agent(provider), run_config=RunConfig(workflow_name="forecast", group_id="g-1"))
    root = find_span(seen, "invoke_workflow forecast")["attributes"]
    assert (root["otel_agentops.task.name"], root["gen_ai.conversation.id"]) == ("forecast", "g-1")
    seen.clear()
    with otel_agentops.task("trip"):
        wait_for(Runner.run(make_agent(provider), "How?", run_config=RunConfig(workflow_name="forecast")))
    assert find_span(seen, "invoke_agent weather agent")


@pytest.mark.usefixtures("tracing")
def test_trace_block_is_one_task(provider: FakeProvider, seen: Capture) -> None:
    async def run_both() -> None:
        with trace("forecast", group_id="g-1"):
            await Runner.run(make_agent(provider), "One?")
            await Runner.run(make_agent(provider, name="other"), "Two?")

    wait_for(run_both())
    root = find_span(seen, "invoke_workflow forecast")
    assert root["attributes"]["gen_ai.conversation.id"] == "g-1"
    assert read_sums(root, "agents", "depth", "llm_calls", "tool_calls") == [2, 1, 4, 2]
    parents = [find_span(seen, f"invoke_agent {name}")["parent"] for name in ("weather agent", "other")]
    assert parents == ["invoke_workflow forecast"] * 2


def test_trace_block_that_raises_has_failed(seen: Capture) -> None:
    with pytest.raises(KeyError), trace("forecast"):
        raise KeyError
    root = find_span(seen, "invoke_workflow forecast")["attributes"]
    assert (root[OUTCOME], root["error.type"]) == ("failed", "KeyError")


# -- hand-offs and agents below


@every_way
@pytest.mark.usefixtures("tracing")
def test_hand_off_is_an_agent_of_the_run(provider: FakeProvider, seen: Capture, run: Way) -> None:
    third = make_agent(provider, name="third")
    second = make_agent(provider, name="second", handoffs=[third])
    result = run(make_agent(provider, handoffs=[second]))
    assert result.last_agent is third
    parents = [span["parent"] for span in seen.spans if span["name"] == "chat gpt-x"]
    assert parents == [ROOT, "invoke_agent second", "invoke_agent third", "invoke_agent third"]
    assert find_span(seen, "execute_tool weather")["parent"] == "invoke_agent third"
    assert [find_span(seen, f"invoke_agent {name}")["parent"] for name in ("second", "third")] == [ROOT, ROOT]
    assert read_sums(find_span(seen, ROOT), "agents", "depth", "llm_calls", "tool_calls") == [2, 1, 4, 1]


@every_way
def test_agent_that_was_handed_to_fails_with_the_run(provider: FakeProvider, seen: Capture, run: Way) -> None:
    second = make_agent(provider, raising, name="second")
    with pytest.raises(Exception, match="Oslo"):
        run(make_agent(provider, handoffs=[second]))
    assert find_span(seen, "invoke_agent second")["status"] == "ERROR"
    assert outcome_of(seen) == "failed"


@every_way
@pytest.mark.usefixtures("tracing")
def test_agent_as_a_tool_is_below_the_tool(provider: FakeProvider, seen: Capture, run: Way) -> None:
    inner = make_agent(provider, name="inner").as_tool("ask_inner", "Ask.")
    run(make_agent(provider, inner))
    agent = find_span(seen, "invoke_agent inner")
    assert agent["parent"] == "execute_tool ask_inner"
    assert find_span(seen, "execute_tool weather")["parent"] == "invoke_agent inner"
    assert read_sums(find_span(seen, ROOT), "agents", "depth", "llm_calls", "tool_calls") == [1, 1, 4, 2]


# -- tools that fail


@every_way
def test_error_that_the_model_is_told_is_a_failure(provider: FakeProvider, seen: Capture, run: Way) -> None:
    run(make_agent(provider, broken))
    call, root = find_span(seen, "execute_tool broken"), find_span(seen, ROOT)
    assert (call["status"], call["attributes"]["error.type"]) == ("ERROR", "ValueError")
    assert (root["status"], root["attributes"][OUTCOME], read_sums(root, "tool_failures")) == (
        "UNSET",
        "completed",
        [1],
    )


@every_way
def test_tool_that_raises_fails_the_task(provider: FakeProvider, seen: Capture, run: Way) -> None:
    with pytest.raises(Exception) as raised:
        run(make_agent(provider, raising))
    call, root = find_span(seen, "execute_tool raising"), find_span(seen, ROOT)
    assert [span["status"] for span in (root, call)] == ["ERROR", "ERROR"]
    assert call["attributes"]["error.type"] == "ValueError"
    assert root["attributes"]["error.type"] in (type(raised.value).__name__, f"{ERRORS}.{type(raised.value).__name__}")
    assert (root["attributes"][OUTCOME], read_sums(root, "tool_failures")) == ("failed", [1])


@every_way
def test_tool_that_takes_too_long_is_a_failure(provider: FakeProvider, seen: Capture, run: Way) -> None:
    run(make_agent(provider, slow))
    call = find_span(seen, "execute_tool slow")
    assert (call["status"], call["attributes"]["error.type"]) == ("ERROR", f"{ERRORS}.ToolTimeoutError")


def test_tool_of_a_server_is_left_to_its_client(provider: FakeProvider, seen: Capture) -> None:
    remote = copy.copy(weather)
    remote._tool_origin = ToolOrigin(type=ToolOriginType.MCP, mcp_server_name="weather server")
    run_async(make_agent(provider, remote))
    assert [span["name"] for span in seen.spans] == ["chat gpt-x", "chat gpt-x", ROOT]


# -- how a run ends


@every_way
def test_run_without_an_end_has_failed(provider: FakeProvider, seen: Capture, run: Way) -> None:
    with pytest.raises(MaxTurnsExceeded):
        run(make_agent(provider), max_turns=1)
    root = find_span(seen, ROOT)
    assert (root["status"], root["attributes"][OUTCOME]) == ("ERROR", "failed")
    assert root["attributes"]["error.type"] == f"{ERRORS}.MaxTurnsExceeded"


@every_way
def test_tripwire_of_a_guardrail_fails_the_task(provider: FakeProvider, seen: Capture, run: Way) -> None:
    async def refuse(context: object, agent: object, words: object) -> GuardrailFunctionOutput:
        return GuardrailFunctionOutput(None, tripwire_triggered=True)

    with pytest.raises(InputGuardrailTripwireTriggered):
        run(make_agent(provider, input_guardrails=[InputGuardrail(refuse)]))
    root = find_span(seen, ROOT)["attributes"]
    assert (root[OUTCOME], root["error.type"]) == ("failed", f"{ERRORS}.InputGuardrailTripwireTriggered")


@every_way
def test_run_that_waits_for_somebody_is_interrupted(provider: FakeProvider, seen: Capture, run: Way) -> None:
    agent = make_agent(provider, asking)
    result = run(agent, run_config=RunConfig(group_id="g-1"))
    root = find_span(seen, ROOT)
    assert (root["status"], root["attributes"][OUTCOME]) == ("UNSET", "interrupted")
    assert read_sums(root, "tool_calls", "tool_failures") == [0, 0]
    seen.clear()
    state = result.to_state()
    state.approve(result.interruptions[0])
    wait_for(Runner.run(agent, state, run_config=RunConfig(group_id="g-1")))
    assert outcome_of(seen) == "completed"
    assert find_span(seen, ROOT)["attributes"]["gen_ai.conversation.id"] == "g-1"
    assert find_span(seen, "execute_tool asking")["status"] == "UNSET"


def test_trace_block_ends_as_its_last_run(provider: FakeProvider, seen: Capture) -> None:
    async def run_twice(is_resumed: bool) -> None:
        agent = make_agent(provider, asking)
        with trace("forecast"):
            result = await Runner.run(agent, "How is it?")
            if is_resumed:
                state = result.to_state()
                state.approve(result.interruptions[0])
                await Runner.run(agent, state)

    for is_resumed, outcome in ((False, "interrupted"), (True, "completed")):
        seen.clear()
        wait_for(run_twice(is_resumed))
        assert find_span(seen, "invoke_workflow forecast")["attributes"][OUTCOME] == outcome


@pytest.mark.parametrize("mode", ["immediate", "after_turn"])
def test_stream_that_is_cancelled_is_so(provider: FakeProvider, seen: Capture, mode: Any) -> None:
    async def read() -> None:
        result = Runner.run_streamed(make_agent(provider), "How is it?")
        async for _ in result.stream_events():
            result.cancel(mode)

    wait_for(read())
    assert outcome_of(seen) == "cancelled"


def test_run_that_is_cancelled_is_so(provider: FakeProvider, seen: Capture) -> None:
    @function_tool
    async def waiting(city: str) -> str:
        task.cancel()
        await asyncio.sleep(5)
        return city

    async def cancel() -> None:
        nonlocal task
        task = asyncio.create_task(Runner.run(make_agent(provider, waiting), "How is it?"))
        with pytest.raises(asyncio.CancelledError):
            await task

    task: asyncio.Task[Any]
    wait_for(cancel())
    assert outcome_of(seen) == "cancelled"


# -- the application's own


def test_context_of_the_application_is_left_alone(provider: FakeProvider, seen: Capture) -> None:
    async def read() -> None:
        with seen.tracer_provider.get_tracer("app").start_as_current_span("between") as between:
            async for _ in Runner.run_streamed(make_agent(provider), "How is it?").stream_events():
                assert otel_trace.get_current_span() is between
                assert current_scope() is NO_SCOPE

    wait_for(read())
    assert find_span(seen, ROOT)["parent"] == "between"


def test_uninstrumented_runner_is_itself_again(provider: FakeProvider, seen: Capture) -> None:
    instrumentor = Instrumentor()
    assert LIBRARY.patches
    instrumentor.uninstrument()
    assert LIBRARY.patches == {}
    run_async(make_agent(provider))
    assert [span["name"] for span in seen.spans] == ["chat gpt-x"] * 2


# -- parallel runs


@pytest.mark.parametrize("is_streamed", [False, True])
def test_sums_of_parallel_runs_are_exact(provider: FakeProvider, seen: Capture, is_streamed: bool) -> None:
    agent = make_agent(provider)

    async def run_one(number: int) -> None:
        config = RunConfig(group_id=str(number))
        if not is_streamed:
            await Runner.run(agent, "How is it?", run_config=config)
            return
        async for _ in Runner.run_streamed(agent, "How is it?", run_config=config).stream_events():
            pass

    async def run_all() -> None:
        await asyncio.gather(*map(run_one, range(50)))

    wait_for(run_all())
    roots = [span["attributes"] for span in seen.spans if span["name"] == ROOT]
    assert sorted(int(root["gen_ai.conversation.id"]) for root in roots) == list(range(50))
    names = ("llm_calls", "tool_calls", "input_tokens", "output_tokens")
    assert {tuple(root[f"otel_agentops.task.{name}"] for name in names) for root in roots} == {(2, 1, 22, 10)}


def test_documented_start_is_a_task(provider: FakeProvider, seen: Capture, monkeypatch: pytest.MonkeyPatch) -> None:
    assert run_agent("OpenAI Agents SDK", provider, seen, monkeypatch) == STARTED
