"""The outermost call of a module is the task: its agents, its sums, its outcome and its tools."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import dspy
import pytest
from agent_runs import OUTCOME, describe_root, describe_tool, find_span, fix_root, list_sums, read_sums
from documented_starts import run_agent
from dspy_models import ENGINE, make_model
from opentelemetry import trace

import otel_agentops
from otel_agentops._context import NO_SCOPE, current_scope
from otel_agentops.frameworks.dspy import LIBRARY, Instrumentor
from otel_agentops.testing import Capture
from otel_agentops.testing.fake_provider import FakeProvider, Status

ROOT = "invoke_workflow WeatherAgent"


def weather(city: str) -> str:
    """Return the weather of a city."""
    return f"sunny in {city}"


def broken(city: str) -> str:
    """Fail."""
    raise ValueError(city)


class WeatherAgent(dspy.ReAct):
    def __init__(self, used: Callable[..., str] = weather) -> None:
        super().__init__("question -> answer", [used])


def run_sync(program: Any) -> None:
    assert program(question="How is it?").answer == "Sunny."


def run_async(program: Any) -> None:
    async def run() -> None:
        assert (await program.acall(question="How is it?")).answer == "Sunny."

    asyncio.run(run())


def run_stream(program: Any) -> None:
    async def read() -> None:
        async for _ in dspy.streamify(program)(question="How is it?"):
            assert not trace.get_current_span().is_recording()
            assert current_scope() is NO_SCOPE

    asyncio.run(read())


Way = Callable[[Any], None]
every_way = pytest.mark.parametrize("run", [run_sync, run_async, run_stream])


@every_way
def test_call_of_a_program_is_the_task(seen: Capture, run: Way) -> None:
    run(WeatherAgent())
    root, varying = fix_root(find_span(seen, ROOT))
    # Nobody asks for the tokens of a stream.
    tokens = {"input_tokens": None, "output_tokens": None} if run is run_stream else {}
    sums = {"llm_attempts": 3, "llm_calls": 3, "input_tokens": 33, "output_tokens": 15, **tokens}
    assert root == describe_root("WeatherAgent", **{f"otel_agentops.task.{name}": sums[name] for name in sums})
    tool_hash = find_span(seen, "execute_tool weather")["attributes"]["otel_agentops.tool.hash"]
    assert find_span(seen, "execute_tool weather") == describe_tool("weather", "WeatherAgent", varying, tool_hash)
    assert [span["parent"] for span in seen.spans] == [ROOT, ROOT, ROOT, ROOT, None]
    assert seen.problems == []


@every_way
def test_program_in_a_task_is_an_agent_of_it(seen: Capture, run: Way) -> None:
    with otel_agentops.task("trip"):
        run_sync(WeatherAgent())
    agent = find_span(seen, "invoke_agent WeatherAgent")
    assert (agent["parent"], OUTCOME in agent["attributes"]) == ("invoke_workflow trip", False)
    names = ("agents", "depth", "llm_calls", "tool_calls", "input_tokens")
    assert read_sums(find_span(seen, "invoke_workflow trip"), *names) == [1, 1, 3, 1, 33]


class Question(dspy.Signature):
    """Answer."""

    question: str = dspy.InputField()
    answer: str = dspy.OutputField()


class Pipeline(dspy.Module):
    def __init__(self) -> None:
        self.first = dspy.ChainOfThought("question -> answer")
        self.agent = WeatherAgent()

    def forward(self, question: str) -> Any:
        self.first(question=question)
        return self.agent(question=question)


@pytest.mark.parametrize(
    ("program", "name"),
    [
        (lambda: dspy.Predict(Question), "Question"),
        (lambda: dspy.Predict("question -> answer"), "Predict"),
        (lambda: dspy.ChainOfThought("question -> answer"), "ChainOfThought"),
    ],
)
def test_module_of_the_library_has_the_name_of_its_signature(
    seen: Capture, program: Callable[[], Any], name: str
) -> None:
    run_sync(program())
    assert list_sums(seen, f"invoke_workflow {name}") == [(1, 0, 11, 5)]


def test_agent_in_a_program_is_an_agent_of_the_task(seen: Capture) -> None:
    run_sync(Pipeline())
    root = find_span(seen, "invoke_workflow Pipeline")
    assert find_span(seen, "invoke_agent WeatherAgent")["parent"] == "invoke_workflow Pipeline"
    assert find_span(seen, "execute_tool weather")["parent"] == "invoke_agent WeatherAgent"
    assert read_sums(root, "agents", "depth", "llm_calls", "tool_calls") == [1, 1, 4, 1]


@every_way
def test_tool_that_raises_is_a_failure(seen: Capture, run: Way) -> None:
    run(WeatherAgent(broken))
    call, root = find_span(seen, "execute_tool broken"), find_span(seen, ROOT)
    assert (call["status"], call["attributes"]["error.type"]) == ("ERROR", "ValueError")
    assert (root["status"], root["attributes"][OUTCOME], read_sums(root, "tool_failures")) == (
        "UNSET",
        "completed",
        [1],
    )


def test_program_that_raises_has_failed(provider: FakeProvider, seen: Capture) -> None:
    class Raising(dspy.Module):
        def forward(self, question: str) -> Any:
            raise LookupError(question)

    with pytest.raises(LookupError):
        Raising()(question="How is it?")
    root = find_span(seen, "invoke_workflow Raising")
    assert (root["status"], root["attributes"][OUTCOME], root["attributes"]["error.type"]) == (
        "ERROR",
        "failed",
        "LookupError",
    )


def test_program_that_is_stopped_is_cancelled(seen: Capture) -> None:
    class Slow(dspy.Module):
        async def aforward(self, question: str) -> Any:
            await asyncio.sleep(60)

    async def run() -> None:
        with pytest.raises(asyncio.TimeoutError):
            await asyncio.wait_for(Slow().acall(question="How is it?"), 0.05)

    asyncio.run(run())
    assert find_span(seen, "invoke_workflow Slow")["attributes"][OUTCOME] == "cancelled"


def test_answer_of_the_cache_is_no_model_call(provider: FakeProvider, seen: Capture) -> None:
    with dspy.context(lm=make_model(provider, cache=True)):
        for _ in range(2):
            run_sync(dspy.Predict(Question))
    sums = list_sums(seen, "invoke_workflow Question")
    assert sums == [(1, 0, 11, 5), (0, 0, None, None)]
    assert [span["name"] for span in seen.spans].count("chat gpt-x") == 1


# -- its own client


own_client = pytest.mark.skipif(not ENGINE, reason="this version of DSPy has no client of its own")


@own_client
@every_way
def test_call_of_the_own_client_is_a_model_call(provider: FakeProvider, seen: Capture, run: Way) -> None:
    with dspy.context(lm=make_model(provider, engine="lm15")):
        run(WeatherAgent())
    assert list_sums(seen, ROOT) == [(3, 1, 33, 15)]
    model = None if run is run_stream else "gpt-x-2026-03-01"  # the client does not hand it on
    first, *_ = [span for span in seen.spans if span["name"] == "chat gpt-x"]
    assert first["parent"] == ROOT
    names = ("provider.name", "request.model", "response.model", "usage.input_tokens")
    assert [first["attributes"].get(f"gen_ai.{name}") for name in names] == ["openai", "gpt-x", model, 11]
    assert len(first["attributes"]["otel_agentops.prompt.hash"]) == 16
    assert seen.problems == []


@own_client
@pytest.mark.parametrize("run", [run_sync, run_async])
def test_refused_call_of_the_own_client_has_failed(provider: FakeProvider, seen: Capture, run: Way) -> None:
    provider.script(Status(429, retry_after=7))
    with dspy.context(lm=make_model(provider, engine="lm15")), pytest.raises(Exception, match="429"):
        run(dspy.Predict(Question))
    call = next(span for span in seen.spans if span["name"] == "chat gpt-x")
    names = ("attempt.statuses", "attempt.retry_after")
    assert [list(call["attributes"][f"otel_agentops.{name}"]) for name in names] == [[429], [7.0]]
    assert (call["status"], find_span(seen, "invoke_workflow Question")["status"]) == ("ERROR", "ERROR")


# -- the application's own


def test_tool_of_a_server_is_left_to_its_client(seen: Capture) -> None:
    def remote(city: str) -> str:
        return f"sunny in {city}"

    remote.__module__ = "dspy.utils.mcp"
    assert dspy.Tool(remote)(city="Oslo") == dspy.Tool(weather)(city="Oslo") == "sunny in Oslo"
    assert [span["name"] for span in seen.spans] == ["execute_tool weather"]


def test_uninstrumented_program_is_itself_again(seen: Capture) -> None:
    assert LIBRARY.patches.keys() >= {target for target in LIBRARY.targets if ENGINE or "lm15" not in target.module}
    Instrumentor().uninstrument()
    assert LIBRARY.patches == {}
    run_sync(WeatherAgent())
    assert [span["name"] for span in seen.spans] == ["chat gpt-x"] * 3


def test_callbacks_of_the_application_are_called(seen: Capture) -> None:
    class Listener(dspy.utils.callback.BaseCallback):
        names: list[str] = []

        def on_module_start(self, call_id: str, instance: Any, inputs: dict[str, Any]) -> None:
            self.names.append(type(instance).__name__)

    with dspy.context(callbacks=[Listener()]):
        run_sync(dspy.Predict(Question))
    assert Listener.names == ["Predict"]


@pytest.mark.parametrize("is_in_task", [False, True])
def test_sums_of_parallel_runs_are_exact(seen: Capture, is_in_task: bool) -> None:
    examples = [dspy.Example(question="How is it?").with_inputs("question") for _ in range(50)]
    if is_in_task:
        with otel_agentops.task("trip"):
            WeatherAgent().batch(examples, num_threads=10, disable_progress_bar=True)
        assert list_sums(seen, "invoke_workflow trip") == [(150, 50, 1650, 750)]
    else:
        WeatherAgent().batch(examples, num_threads=10, disable_progress_bar=True)
        assert list_sums(seen, ROOT) == [(3, 1, 33, 15)] * 50


@pytest.mark.usefixtures("program_sets_model")
def test_documented_start_is_a_task(provider: FakeProvider, seen: Capture, monkeypatch: pytest.MonkeyPatch) -> None:
    """Asked are the model that calls the tool, that finishes, and that answers."""
    started = run_agent("DSPy", provider, seen, monkeypatch, answer=None)
    assert started == ["invoke_workflow ReAct", "completed", 3, 1, 0]
