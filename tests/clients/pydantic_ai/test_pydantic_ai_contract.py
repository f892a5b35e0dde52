"""A run of an agent is a task, or an agent of one, with and without the library's own tracing."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from documented_starts import STARTED, run_agent
from opentelemetry import trace
from pydantic import BaseModel
from pydantic_ai import (
    Agent,
    ApprovalRequired,
    DeferredToolRequests,
    DeferredToolResults,
    ModelRetry,
    UsageLimitExceeded,
    UsageLimits,
)
from pydantic_ai.models.instrumented import InstrumentationSettings
from pydantic_ai.models.openai import OpenAIChatModel
from pydantic_ai.providers.openai import OpenAIProvider

import otel_agentops
from otel_agentops._context import NO_SCOPE, current_scope
from otel_agentops._hashing import identity
from otel_agentops.frameworks._runs import ManagedRun
from otel_agentops.frameworks.pydantic_ai import Instrumentor
from otel_agentops.testing import Capture, Record
from otel_agentops.testing.fake_provider import Answer, FakeProvider, ToolCall

ROOT = "invoke_workflow weather agent"
OUTCOME = "otel_agentops.task.outcome"
SUMS = ("agents", "depth", "llm_calls", "tool_calls", "tool_failures", "input_tokens", "output_tokens")


def weather(city: str) -> str:
    """Return the weather of a city."""
    return f"sunny in {city}"


def broken(city: str) -> str:
    """Fail."""
    raise ValueError(city)


def refusing(city: str) -> str:
    """Fail in the way that a model is told of."""
    raise ModelRetry(f"no {city}")


def strict(town: str) -> str:
    """Want another argument than the model gives."""
    return town


def asking(city: str) -> str:
    """Ask somebody."""
    raise ApprovalRequired


@pytest.fixture(params=["alone", "native"])
def make_agent(
    request: pytest.FixtureRequest, provider: FakeProvider, seen: Capture
) -> Callable[..., Agent[None, Any]]:
    """Return a function that makes an agent, which traces itself or does not."""

    def make(tool: Callable[..., Any] = weather, name: str = "weather agent", **options: Any) -> Agent[None, Any]:
        client = OpenAIProvider(base_url=provider.openai_url, api_key="k")
        agent: Agent[None, Any] = Agent(OpenAIChatModel("gpt-x", provider=client), name=name, tools=[tool], **options)
        if request.param == "native":
            agent.instrument = InstrumentationSettings(tracer_provider=seen.tracer_provider, include_content=False)
        return agent

    return make


def run_sync(agent: Agent[None, Any], **options: Any) -> None:
    agent.run_sync("What is the weather?", **options)


def run_async(agent: Agent[None, Any], **options: Any) -> None:
    asyncio.run(agent.run("What is the weather?", **options))


def run_iter(agent: Agent[None, Any], **options: Any) -> None:
    async def read() -> None:
        async with agent.iter("What is the weather?", **options) as run:
            async for _ in run:
                pass

    asyncio.run(read())


def run_stream(agent: Agent[None, Any], **options: Any) -> None:
    async def read() -> None:
        async with agent.run_stream("What is the weather?", **options) as result:
            await result.get_output()

    asyncio.run(read())


def run_stream_sync(agent: Agent[None, Any], **options: Any) -> None:
    agent.run_stream_sync("What is the weather?", **options).get_output()


def run_events(agent: Agent[None, Any], **options: Any) -> None:
    async def read() -> None:
        async with agent.run_stream_events("What is the weather?", **options) as events:
            async for _ in events:
                pass

    asyncio.run(read())


every_way = pytest.mark.parametrize("run", [run_sync, run_async, run_iter, run_stream, run_stream_sync, run_events])


def find_span(seen: Capture, name: str) -> Record:
    (span,) = [span for span in seen.spans if span["name"] == name]
    return span


def read_sums(seen: Capture, name: str = ROOT) -> list[Any]:
    values = find_span(seen, name)["attributes"]
    return [values[f"otel_agentops.task.{sum_name}"] for sum_name in SUMS]


@every_way
def test_run_of_an_agent_is_the_task(make_agent: Any, seen: Capture, run: Callable[..., None]) -> None:
    run(make_agent(), conversation_id="c-1")
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
            "gen_ai.conversation.id": "c-1",
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
        "params/gpt-x",
        "fingerprint/gpt-x",
    ]
    call = find_span(seen, "execute_tool weather")
    models = [span for span in seen.spans if span["name"] == "chat gpt-x"]
    (offered,) = models[0]["attributes"]["otel_agentops.tools.versions"]
    ours = {key: value for key, value in call["attributes"].items() if key.startswith(("gen_ai.tool", "otel_agentops"))}
    assert (call["kind"], call["status"], ours) == ("INTERNAL", "UNSET", {
        "gen_ai.tool.call.id": "call_1",
        "gen_ai.tool.name": "weather",
        "gen_ai.tool.type": "function",
        "otel_agentops.task.id": task_id,
        "otel_agentops.task.name": "weather agent",
        "otel_agentops.tool.hash": offered.partition("@")[2],
        "otel_agentops.tool.result.empty": False,
        "otel_agentops.tool.result.shape": identity(["$: text"]),
    })  # fmt: skip
    assert len(models) == 2  # one span a call, whoever made it
    native = [span["parent"] for span in seen.spans if span["name"].startswith("invoke_agent")]
    inside = "invoke_agent weather agent" if native else ROOT
    assert ([span["parent"] for span in models], call["parent"], native[1:]) == ([inside] * 2, inside, [])


@every_way
def test_run_in_a_task_is_an_agent_of_it(make_agent: Any, seen: Capture, run: Callable[..., None]) -> None:
    with otel_agentops.task("trip"):
        run(make_agent())
    agents = [span for span in seen.spans if span["name"] == "invoke_agent weather agent"]
    assert agents[-1]["parent"] == "invoke_workflow trip"
    assert OUTCOME not in agents[-1]["attributes"]
    assert read_sums(seen, "invoke_workflow trip") == [1, 1, 2, 1, 0, 22, 10]


def test_agent_in_a_tool_is_an_agent(make_agent: Any, seen: Capture) -> None:
    inner = make_agent(name="inner")

    async def delegate(city: str) -> str:
        """Ask another agent."""
        return str((await inner.run(city)).output)

    run_sync(make_agent(delegate))
    assert read_sums(seen) == [1, 1, 4, 2, 0, 44, 20]
    assert find_span(seen, "execute_tool delegate")["status"] == "UNSET"


def test_verb_in_a_tool_is_the_same_execution(make_agent: Any, seen: Capture) -> None:
    run_sync(make_agent(otel_agentops.tool("weather", effect="read")(weather)))
    assert find_span(seen, "execute_tool weather")["attributes"]["otel_agentops.tool.effect"] == "read"
    assert read_sums(seen) == [0, 0, 2, 1, 0, 22, 10]


@every_way
def test_tool_that_raises_fails_the_task(make_agent: Any, seen: Capture, run: Callable[..., None]) -> None:
    with pytest.raises(ValueError, match="Oslo"):
        run(make_agent(broken))
    root, call = find_span(seen, ROOT), find_span(seen, "execute_tool broken")
    assert [span["status"] for span in (root, call)] == ["ERROR", "ERROR"]
    assert [span["attributes"]["error.type"] for span in (root, call)] == ["ValueError", "ValueError"]
    assert (root["attributes"][OUTCOME], read_sums(seen)[4]) == ("failed", 1)


@pytest.mark.parametrize("tool", [refusing, strict])
def test_failure_that_the_model_is_told_of_counts(make_agent: Any, seen: Capture, tool: Any) -> None:
    run_sync(make_agent(tool))
    call = find_span(seen, f"execute_tool {tool.__name__}")
    assert (call["status"], read_sums(seen)[3:5]) == ("ERROR", [1, 1])
    assert find_span(seen, ROOT)["attributes"][OUTCOME] == "completed"


def test_wait_for_an_approval_is_no_failure(make_agent: Any, seen: Capture) -> None:
    agent = make_agent(asking, output_type=[str, DeferredToolRequests])
    result = agent.run_sync("What is the weather?")
    root, call = find_span(seen, ROOT), find_span(seen, "execute_tool asking")
    assert [root["status"], call["status"], root["attributes"][OUTCOME]] == ["UNSET", "UNSET", "interrupted"]
    assert read_sums(seen)[4] == 0
    seen.clear()
    denied = DeferredToolResults(approvals={result.output.approvals[0].tool_call_id: False})
    agent.run_sync(message_history=result.all_messages(), deferred_tool_results=denied)
    root = find_span(seen, ROOT)
    assert root["attributes"][OUTCOME] == "completed"
    assert root["attributes"]["gen_ai.conversation.id"] == result.all_messages()[-1].conversation_id


@every_way
def test_run_over_its_limit_has_failed(make_agent: Any, seen: Capture, run: Callable[..., None]) -> None:
    with pytest.raises(UsageLimitExceeded):
        run(make_agent(), usage_limits=UsageLimits(request_limit=1))
    values = find_span(seen, ROOT)["attributes"]
    assert (values[OUTCOME], values["error.type"]) == ("failed", "pydantic_ai.exceptions.UsageLimitExceeded")


# -- how a run is left


def test_cancelled_run_is_cancelled(make_agent: Any, seen: Capture) -> None:
    async def wait(city: str) -> None:
        """Wait for ever."""
        asyncio.get_running_loop().call_soon(running.cancel)
        await asyncio.Event().wait()

    async def run() -> None:
        nonlocal running
        running = asyncio.create_task(make_agent(wait).run("What is the weather?"))
        await running

    running: Any = None
    with pytest.raises(asyncio.CancelledError):
        asyncio.run(run())
    assert find_span(seen, ROOT)["attributes"][OUTCOME] == "cancelled"


def test_stream_left_early_is_cancelled(make_agent: Any, seen: Capture) -> None:
    async def read() -> None:
        async with make_agent().run_stream("What is the weather?") as result:
            async for _ in result.stream_text():
                break

    asyncio.run(read())
    assert find_span(seen, ROOT)["attributes"][OUTCOME] == "cancelled"


def test_context_of_the_application_is_unchanged(make_agent: Any, seen: Capture) -> None:
    async def read() -> None:
        with seen.tracer_provider.get_tracer("app").start_as_current_span("around") as around:
            async with make_agent().run_stream("What is the weather?") as result:
                assert current_scope().task is not None
                await result.get_output()
            assert (current_scope(), trace.get_current_span()) == (NO_SCOPE, around)

    asyncio.run(read())
    assert find_span(seen, ROOT)["parent"] == "around"


def test_uninstrumented_agent_is_itself_again(provider: FakeProvider) -> None:
    before = Agent.iter
    instrumentor = Instrumentor()
    instrumentor.instrument()
    assert isinstance(Agent("test").iter("").gen, ManagedRun)
    instrumentor.uninstrument()
    assert Agent.iter is before


def test_sums_of_parallel_runs_are_exact(make_agent: Any, seen: Capture) -> None:
    agent = make_agent()

    async def run_all() -> None:
        await asyncio.gather(*(agent.run("What is the weather?", conversation_id=f"{n}") for n in range(50)))

    asyncio.run(run_all())
    roots = [span["attributes"] for span in seen.spans if span["name"] == ROOT]
    assert sorted(int(root["gen_ai.conversation.id"]) for root in roots) == list(range(50))
    sums = {tuple(root[f"otel_agentops.task.{name}"] for name in SUMS) for root in roots}
    assert sums == {(0, 0, 2, 1, 0, 22, 10)}


def test_answer_by_a_tool_executes_none(make_agent: Any, provider: FakeProvider, seen: Capture) -> None:
    """The library offers the answer's schema as a tool, which the model calls to answer."""

    def final(call: Any) -> Answer:
        (name,) = [tool["function"]["name"] for tool in call.body["tools"] if "final" in tool["function"]["name"]]
        return Answer(text="", tool_calls=(ToolCall(name, '{"degrees": 3}'),))

    class Forecast(BaseModel):
        degrees: int

    provider.answer(final)
    assert make_agent(output_type=Forecast).run_sync("What is the weather?").output.degrees == 3
    assert read_sums(seen)[3] == 0


def read_retries(seen: Capture) -> list[Any]:
    """Return the level of each model call, in order, and the sum of the task."""
    spans = [span["attributes"] for span in seen.spans]
    calls = [span.get("otel_agentops.retry.level") for span in spans if span["gen_ai.operation.name"] == "chat"]
    return [*calls, spans[-1].get("otel_agentops.task.model_retries")]


@pytest.mark.parametrize("run", [run_sync, run_async])
def test_output_that_is_refused_is_asked_for_again(
    make_agent: Any, provider: FakeProvider, seen: Capture, run: Callable[..., None]
) -> None:
    provider.answer(lambda call: Answer())
    agent, outputs = make_agent(), list[str]()

    @agent.output_validator
    def check(output: str) -> str:
        outputs.append(output)
        if len(outputs) == 1:
            raise ModelRetry("in Celsius")
        return output

    run(agent)
    assert read_retries(seen) == [None, "model", 1]
    assert "Celsius" not in str(seen.spans)


def test_tool_that_asks_for_another_try_is_told(make_agent: Any, seen: Capture) -> None:
    run_sync(make_agent(refusing))
    assert read_retries(seen) == [None, "model", 1]


def test_documented_start_is_a_task(provider: FakeProvider, seen: Capture, monkeypatch: pytest.MonkeyPatch) -> None:
    assert run_agent("Pydantic AI", provider, seen, monkeypatch) == STARTED
