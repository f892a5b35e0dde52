"""A graph of a model and a tool, and the ways in which programs run one."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from langchain_core.runnables import RunnableLambda
from langchain_core.tools import BaseTool, ToolException, tool
from langchain_openai import ChatOpenAI
from langgraph.graph import END, START, MessagesState, StateGraph
from langgraph.prebuilt import ToolNode
from langgraph.types import interrupt

from otel_agentops.testing.fake_provider import Answer, Call, FakeProvider, ToolCall

ASK: Any = {"messages": [{"role": "user", "content": "What is the weather?"}]}
THREAD: Any = {"configurable": {"thread_id": "t-1"}}
LOOP = asyncio.new_event_loop()  # LangChain shares one HTTP client between models, which is bound to its loop
ROOT = "invoke_workflow weather agent"


@tool
def weather(city: str) -> str:
    """Return the weather of a city."""
    return f"sunny in {city}"


@tool
def broken(city: str) -> str:
    """Fail."""
    raise ValueError(city)


@tool
def refusing(city: str) -> str:
    """Fail in the way that a model is told of."""
    raise ToolException(f"no {city}")


refusing.handle_tool_error = True


@tool
def asking(city: str) -> str:
    """Ask somebody."""
    return str(interrupt({"ask": city}))


def make_agent(provider: FakeProvider, used: BaseTool = weather, name: str = "weather agent", **options: Any) -> Any:
    """Return a loop of a model and one tool, as `create_agent` of langchain compiles it."""
    model = ChatOpenAI(
        model="gpt-x", base_url=provider.openai_url, api_key="k", max_retries=0, stream_usage=True
    ).bind_tools([used])

    def ask(state: MessagesState) -> dict[str, Any]:
        return {"messages": [model.invoke(state["messages"])]}

    async def ask_async(state: MessagesState) -> dict[str, Any]:
        return {"messages": [await model.ainvoke(state["messages"])]}

    def is_done(state: MessagesState) -> str:
        return "tools" if state["messages"][-1].tool_calls else END  # type: ignore[union-attr]

    graph = StateGraph(MessagesState)
    graph.add_node("model", RunnableLambda(ask, ask_async))
    graph.add_node("tools", ToolNode([used], handle_tool_errors=False))
    graph.add_edge(START, "model")
    graph.add_conditional_edges("model", is_done, ["tools", END])
    graph.add_edge("tools", "model")
    return graph.compile(name=name, **options)


def run_invoke(agent: Any) -> None:
    agent.invoke(ASK, THREAD)


def run_stream(agent: Any) -> None:
    assert list(agent.stream(ASK, config=THREAD))


def run_ainvoke(agent: Any) -> None:
    LOOP.run_until_complete(agent.ainvoke(ASK, THREAD))


def run_astream(agent: Any) -> None:
    async def read() -> list[Any]:
        return [item async for item in agent.astream(ASK, THREAD, stream_mode="messages")]

    assert LOOP.run_until_complete(read())


WAYS = {"invoke": run_invoke, "stream": run_stream, "ainvoke": run_ainvoke, "astream": run_astream}


@contextmanager
def open_provider() -> Iterator[FakeProvider]:
    """Serve a model that asks for the first tool that it is offered, and answers when that has run."""

    def answer(call: Call) -> Answer:
        tools = call.body.get("tools")
        if not tools or call.body["messages"][-1]["role"] == "tool":
            return Answer()
        return Answer(text="", tool_calls=(ToolCall(tools[0]["function"]["name"], '{"city": "Oslo"}'),))

    with FakeProvider() as running:
        running.alias("gpt-x", "gpt-x-2026-03-01")
        running.answer(answer)
        yield running
