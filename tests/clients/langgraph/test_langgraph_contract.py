"""A run of a graph is a task, or an agent of one: its sums, its outcome, and what the reader of a stream keeps."""

from __future__ import annotations

import asyncio
import contextvars
import gc
import threading
from collections.abc import Callable, Iterator
from typing import Any, TypedDict

import pytest
from documented_starts import STARTED, run_agent
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.errors import GraphRecursionError
from langgraph.graph import START, MessagesState, StateGraph
from langgraph.types import Command
from langgraph_ways import ASK, LOOP, ROOT, THREAD, WAYS, asking, broken, make_agent, refusing, run_ainvoke, run_invoke
from opentelemetry import trace

import otel_agentops
from otel_agentops._context import NO_SCOPE, current_scope
from otel_agentops._deferred_work import run_deferred
from otel_agentops._hashing import identity
from otel_agentops.frameworks._runs import RunIterator
from otel_agentops.frameworks.langgraph import Instrumentor
from otel_agentops.testing import Capture, Record
from otel_agentops.testing.fake_provider import FakeProvider

OUTCOME = "otel_agentops.task.outcome"
every_way = pytest.mark.parametrize("run", WAYS.values(), ids=WAYS)


def find_span(seen: Capture, name: str) -> Record:
    (span,) = [span for span in seen.spans if span["name"] == name]
    return span


def outcome_of(seen: Capture) -> object:
    return find_span(seen, ROOT)["attributes"].get(OUTCOME)


@every_way
def test_run_of_a_graph_is_the_task(provider: FakeProvider, seen: Capture, run: Callable[[Any], None]) -> None:
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
    assert [value.partition("=")[0] for value in versions] == [
        "model/gpt-x",
        "tools/weather agent",
        "tool/weather",
        "fingerprint/gpt-x",
    ]
    call = find_span(seen, "execute_tool weather")
    (offered,) = [
        span["attributes"]["otel_agentops.tools.versions"] for span in seen.spans if span["name"] == "chat gpt-x"
    ][:1]
    assert call == {
        "name": "execute_tool weather",
        "kind": "INTERNAL",
        "status": "UNSET",
        "parent": ROOT,
        "attributes": {
            "gen_ai.conversation.id": "t-1",
            "gen_ai.operation.name": "execute_tool",
            "gen_ai.tool.call.id": "call_1",
            "gen_ai.tool.name": "weather",
            "gen_ai.tool.type": "function",
            "otel_agentops.task.id": task_id,
            "otel_agentops.task.name": "weather agent",
            "otel_agentops.tool.hash": offered[0].partition("@")[2],
            "otel_agentops.tool.result.shape": identity(["$: text"]),
            "otel_agentops.tool.result.empty": False,
        },
    }
    assert [span["parent"] for span in seen.spans] == [ROOT, ROOT, ROOT, None]
    assert seen.problems == []


@every_way
def test_run_in_a_task_is_an_agent_of_it(provider: FakeProvider, seen: Capture, run: Callable[[Any], None]) -> None:
    with otel_agentops.task("trip"):
        run(make_agent(provider))
    agent = find_span(seen, "invoke_agent weather agent")
    assert (agent["parent"], OUTCOME in agent["attributes"]) == ("invoke_workflow trip", False)
    sums = find_span(seen, "invoke_workflow trip")["attributes"]
    names = ("agents", "depth", "llm_calls", "tool_calls", "input_tokens")
    assert [sums[f"otel_agentops.task.{name}"] for name in names] == [1, 1, 2, 1, 22]


@pytest.mark.parametrize("run", [run_invoke, run_ainvoke])
def test_graph_in_a_graph_is_an_agent(provider: FakeProvider, seen: Capture, run: Callable[[Any], None]) -> None:
    inner = make_agent(provider, name="inner")
    outer = StateGraph(MessagesState).add_node("inner", inner).add_edge(START, "inner").compile(name="weather agent")
    run(outer)
    assert find_span(seen, "invoke_agent inner")["parent"] == ROOT
    sums = find_span(seen, ROOT)["attributes"]
    names = ("agents", "depth", "llm_calls", "tool_calls")
    assert [sums[f"otel_agentops.task.{name}"] for name in names] == [1, 1, 2, 1]


@every_way
def test_tool_that_raises_fails_the_task(provider: FakeProvider, seen: Capture, run: Callable[[Any], None]) -> None:
    with pytest.raises(ValueError, match="Oslo"):
        run(make_agent(provider, broken))
    root, call = find_span(seen, ROOT), find_span(seen, "execute_tool broken")
    assert [span["status"] for span in (root, call)] == ["ERROR", "ERROR"]
    assert [span["attributes"]["error.type"] for span in (root, call)] == ["ValueError", "ValueError"]
    assert (root["attributes"][OUTCOME], root["attributes"]["otel_agentops.task.tool_failures"]) == ("failed", 1)


def test_handled_error_of_a_tool_is_a_failure(provider: FakeProvider, seen: Capture) -> None:
    run_invoke(make_agent(provider, refusing))
    call, root = find_span(seen, "execute_tool refusing"), find_span(seen, ROOT)
    assert (call["status"], call["attributes"]["error.type"]) == ("ERROR", "tool_error")
    assert (root["attributes"][OUTCOME], root["attributes"]["otel_agentops.task.tool_failures"]) == ("completed", 1)


@every_way
def test_interrupt_is_no_failure(provider: FakeProvider, seen: Capture, run: Callable[[Any], None]) -> None:
    agent = make_agent(provider, asking, checkpointer=InMemorySaver())
    run(agent)
    root, call = find_span(seen, ROOT), find_span(seen, "execute_tool asking")
    assert [root["status"], call["status"], root["attributes"][OUTCOME]] == ["UNSET", "UNSET", "interrupted"]
    assert root["attributes"]["otel_agentops.task.tool_failures"] == 0
    seen.clear()
    agent.invoke(Command(resume="rainy"), THREAD)
    assert outcome_of(seen) == "completed"
    assert find_span(seen, ROOT)["attributes"]["gen_ai.conversation.id"] == "t-1"


def test_interrupt_of_an_inner_graph_is_no_failure(provider: FakeProvider, seen: Capture) -> None:
    inner = make_agent(provider, asking, name="inner")
    outer = StateGraph(MessagesState).add_node("inner", inner).add_edge(START, "inner")
    run_invoke(outer.compile(name="weather agent", checkpointer=InMemorySaver()))
    assert find_span(seen, "invoke_agent inner")["status"] == "UNSET"
    assert outcome_of(seen) == "interrupted"


def test_run_without_an_end_has_failed(provider: FakeProvider, seen: Capture) -> None:
    with pytest.raises(GraphRecursionError):
        make_agent(provider).invoke(ASK, {"recursion_limit": 2})
    root = find_span(seen, ROOT)
    assert root["attributes"]["error.type"] == "langgraph.errors.GraphRecursionError"
    assert root["attributes"][OUTCOME] == "failed"


# -- the reader of a stream


def test_scope_of_a_stream_is_its_own(provider: FakeProvider, seen: Capture) -> None:
    stream = make_agent(provider).stream(ASK)
    assert seen.spans == []
    next(stream)
    assert current_scope() is NO_SCOPE
    assert not trace.get_current_span().is_recording()
    with seen.tracer_provider.get_tracer("app").start_as_current_span("between") as between:
        list(stream)
        assert trace.get_current_span() is between
    assert find_span(seen, "between")["parent"] is None
    assert {span["parent"] for span in seen.spans if span["name"].startswith(("chat", "execute_tool"))} == {ROOT}


def test_stream_left_early_is_cancelled(provider: FakeProvider, seen: Capture) -> None:
    for _ in make_agent(provider).stream(ASK):
        break
    assert outcome_of(seen) == "cancelled"


@pytest.mark.filterwarnings("error::pytest.PytestUnraisableExceptionWarning")
def test_stream_that_the_collector_frees_is_cancelled(
    provider: FakeProvider, seen: Capture, caplog: pytest.LogCaptureFixture
) -> None:
    """A stream in a cycle: its parts are finalised in any order, in the context of whoever allocates."""
    cycle: list[object] = [make_agent(provider).stream(ASK)]
    next(cycle[0])  # type: ignore[call-overload]
    cycle.append(cycle)
    del cycle
    contextvars.copy_context().run(gc.collect)
    run_deferred()
    assert outcome_of(seen) == "cancelled"
    assert caplog.records == []


def test_async_stream_left_early_is_cancelled(provider: FakeProvider, seen: Capture) -> None:
    async def read() -> None:
        stream = make_agent(provider).astream(ASK)
        await anext(stream)
        await stream.aclose()

    LOOP.run_until_complete(read())
    assert outcome_of(seen) == "cancelled"


def test_stream_may_be_read_in_another_thread(provider: FakeProvider, seen: Capture) -> None:
    stream = make_agent(provider).stream(ASK)
    next(stream)
    reader = threading.Thread(target=list, args=(stream,))
    reader.start()
    reader.join()
    sums = find_span(seen, ROOT)["attributes"]
    assert (sums[OUTCOME], sums["otel_agentops.task.llm_calls"]) == ("completed", 2)


def test_variable_of_the_reader_is_seen_and_kept(seen: Capture) -> None:
    """The body of a generator shares the context of its reader, also with us around it."""
    variable: contextvars.ContextVar[str] = contextvars.ContextVar("variable", default="none")

    class State(TypedDict):
        value: str

    def read(state: State) -> State:
        return {"value": variable.get()}

    graph = StateGraph(State).add_node("read", read).add_edge(START, "read").compile(name="weather agent")
    stream = graph.stream({"value": ""})
    assert isinstance(stream, Iterator)
    variable.set("mine")
    assert next(stream) == {"read": {"value": "mine"}}
    stream.close()


def test_uninstrumented_graph_is_itself_again(provider: FakeProvider) -> None:
    instrumentor = Instrumentor()
    instrumentor.instrument()
    instrumentor.uninstrument()
    assert not isinstance(make_agent(provider).stream(ASK), RunIterator)


# -- parallel branches


def test_sums_of_parallel_graphs_are_exact(provider: FakeProvider, seen: Capture) -> None:
    agent = make_agent(provider)

    async def run_all() -> None:
        await asyncio.gather(*(agent.ainvoke(ASK, {"configurable": {"thread_id": str(n)}}) for n in range(50)))

    LOOP.run_until_complete(run_all())
    roots = [span["attributes"] for span in seen.spans if span["name"] == ROOT]
    assert sorted(int(root["gen_ai.conversation.id"]) for root in roots) == list(range(50))
    names = ("llm_calls", "tool_calls", "input_tokens", "output_tokens")
    assert {tuple(root[f"otel_agentops.task.{name}"] for name in names) for root in roots} == {(2, 1, 22, 10)}


def test_documented_start_is_a_task(provider: FakeProvider, seen: Capture, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("langchain.agents", reason="langchain is not installed")
    pytest.importorskip("langchain_openai")
    assert run_agent("LangGraph and LangChain", provider, seen, monkeypatch) == STARTED
