"""A node that a policy retries is entered again: its operations say so, and the node counts once."""

from __future__ import annotations

import json
from typing import Any

import pytest
from langchain_core.runnables import RunnableLambda
from langchain_openai import ChatOpenAI
from langgraph.graph import END, START, MessagesState, StateGraph
from langgraph.types import RetryPolicy
from langgraph_ways import ASK, LOOP, weather
from pydantic import BaseModel, Field

from otel_agentops.testing import Capture
from otel_agentops.testing.fake_provider import Answer, Call, FakeProvider, ToolCall

POLICY = RetryPolicy(initial_interval=0.001, jitter=False, max_attempts=3, retry_on=OSError)
AGAIN = {"otel_agentops.retry.level": "node", "otel_agentops.retry.cause": "ConnectionError"}
ASKED_AGAIN = {"otel_agentops.retry.level": "model", "otel_agentops.retry.cause": "invalid_output"}


def make_graph(provider: FakeProvider, failures: int) -> Any:
    """Return a graph of one node, which asks, executes a tool, and fails so many times."""
    model = ChatOpenAI(model="gpt-x", base_url=provider.openai_url, api_key="k", max_retries=0)
    runs: list[None] = []

    def work(state: MessagesState) -> dict[str, Any]:
        answer = model.invoke(state["messages"])
        weather.invoke({"city": "Oslo"})
        runs.append(None)
        if len(runs) <= failures:
            raise ConnectionError
        return {"messages": [answer]}

    async def work_async(state: MessagesState) -> dict[str, Any]:
        answer = await model.ainvoke(state["messages"])
        await weather.ainvoke({"city": "Oslo"})
        runs.append(None)
        if len(runs) <= failures:
            raise ConnectionError
        return {"messages": [answer]}

    graph = StateGraph(MessagesState)
    graph.add_node("work", RunnableLambda(work, work_async), retry_policy=POLICY)
    graph.add_edge(START, "work").add_edge("work", END)
    return graph.compile(name="weather agent")


def run_sync(graph: Any) -> None:
    graph.invoke(ASK)


def run_async(graph: Any) -> None:
    LOOP.run_until_complete(graph.ainvoke(ASK))


@pytest.mark.parametrize("run", [run_sync, run_async])
@pytest.mark.parametrize("failures", [0, 1, 2])
def test_node_that_is_entered_again_says_so(provider: FakeProvider, seen: Capture, run: Any, failures: int) -> None:
    run(make_graph(provider, failures))
    *spans, root = [span["attributes"] for span in seen.spans]
    marks = [{key: value for key, value in span.items() if ".retry." in key} for span in spans]
    assert marks == [{}, {}] + [AGAIN, AGAIN] * failures
    assert root.get("otel_agentops.task.node_retries", 0) == failures
    assert [key for key in root if key.endswith("_retries")] == ["otel_agentops.task.node_retries"][:failures]
    points = seen.metrics.get("otel_agentops.retries", [])
    labels = {"otel_agentops.retry.level": "node", "otel_agentops.task.name": "weather agent"}
    assert points == ([{"attributes": labels, "value": failures}] if failures else [])


def test_node_that_is_given_up_counts_what_was_tried(provider: FakeProvider, seen: Capture) -> None:
    with pytest.raises(ConnectionError):
        run_sync(make_graph(provider, 9))
    root = seen.spans[-1]["attributes"]
    assert root["otel_agentops.task.node_retries"] == 2
    assert root["otel_agentops.task.llm_calls"] == 3


# -- an agent that asks its model again


class Report(BaseModel):
    """The weather."""

    degrees: int = Field(le=60)


def make_structured_agent(provider: FakeProvider, refused: int, *, handle_errors: bool = True) -> Any:
    """Return an agent whose model gives so many answers that do not fit, and then one that does."""
    agents = pytest.importorskip("langchain.agents", reason="langchain is not installed here")
    structured = pytest.importorskip("langchain.agents.structured_output")
    degrees = iter([*[99] * refused, 7])

    def answer(call: Call) -> Answer:
        return Answer(text="", tool_calls=(ToolCall("Report", json.dumps({"degrees": next(degrees)})),))

    provider.answer(answer)
    model = ChatOpenAI(model="gpt-x", base_url=provider.openai_url, api_key="k", max_retries=0)
    form = structured.ToolStrategy(Report, handle_errors=handle_errors)
    return agents.create_agent(model, response_format=form, name="weather agent")


@pytest.mark.parametrize("run", [run_sync, run_async])
@pytest.mark.parametrize("refused", [0, 1, 2])
def test_output_that_does_not_fit_is_asked_for_again(
    provider: FakeProvider, seen: Capture, run: Any, refused: int
) -> None:
    run(make_structured_agent(provider, refused))
    *calls, root = [span["attributes"] for span in seen.spans]
    marks = [{key: value for key, value in call.items() if ".retry." in key} for call in calls]
    assert marks == [{}] + [ASKED_AGAIN] * refused
    assert root.get("otel_agentops.task.model_retries", 0) == refused


def test_output_error_that_is_raised_is_no_retry(provider: FakeProvider, seen: Capture) -> None:
    with pytest.raises(Exception, match="Report"):
        run_sync(make_structured_agent(provider, 1, handle_errors=False))
    assert seen.spans[-1]["attributes"].get("otel_agentops.task.model_retries") is None
