"""A run of a workflow or an engine is a task: its agents, its sums, its outcome, its tools and its retrievals."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import pytest
from agent_runs import OUTCOME, describe_root, describe_tool, find_offered, find_span, fix_root, list_sums, read_sums
from documented_starts import STARTED, run_agent
from llama_index.core import Document, VectorStoreIndex
from llama_index.core.agent.workflow import AgentWorkflow, FunctionAgent, ReActAgent, base_agent
from llama_index.core.base.base_retriever import BaseRetriever
from llama_index.core.chat_engine import SimpleChatEngine
from llama_index.core.embeddings import MockEmbedding
from llama_index.core.memory import Memory
from llama_index.core.tools import FunctionTool, QueryEngineTool
from llama_index.core.workflow import (
    Context,
    HumanResponseEvent,
    InputRequiredEvent,
    StartEvent,
    StopEvent,
    Workflow,
    step,
)
from llama_index.llms.openai import OpenAI
from opentelemetry import trace

import otel_agentops
from otel_agentops._context import NO_SCOPE, current_scope
from otel_agentops.frameworks.llama_index import _INNER_STEPS, _STEPS, LIBRARY, Instrumentor
from otel_agentops.testing import Capture
from otel_agentops.testing.fake_provider import FakeProvider

ROOT = "invoke_workflow weather agent"
QUERY = "invoke_workflow RetrieverQueryEngine"


def weather(city: str) -> str:
    """Return the weather of a city."""
    return f"sunny in {city}"


async def broken(city: str) -> str:
    """Fail."""
    raise ValueError(city)


async def asking(ctx: Context, city: str) -> str:
    """Ask somebody."""
    answer = await ctx.wait_for_event(HumanResponseEvent, waiter_event=InputRequiredEvent(prefix=city))
    return str(answer.response)


asking.__annotations__["ctx"] = Context  # the library compares types with it, not texts


def make_model(provider: FakeProvider) -> OpenAI:
    usage = {"stream_options": {"include_usage": True}}
    return OpenAI(model="gpt-4o", api_base=provider.openai_url, api_key="k", max_retries=0, additional_kwargs=usage)


def make_agent(provider: FakeProvider, *tools: Any, kind: Any = FunctionAgent, **options: Any) -> Any:
    options = {"name": "weather agent", "description": "Ask.", "llm": make_model(provider), **options}
    return kind(tools=list(tools) or [weather], **options)


def make_index() -> VectorStoreIndex:
    documents = [Document(text=f"document {number}", id_=f"d{number}") for number in range(3)]
    index = VectorStoreIndex.from_documents(documents, embed_model=MockEmbedding(8, model_name="mock-8"))
    index.set_index_id("products")
    return index


def make_engine(provider: FakeProvider, **options: Any) -> Any:
    return make_index().as_query_engine(llm=make_model(provider), similarity_top_k=2, **options)


async def run_whole(agent: Any) -> None:
    assert str(await agent.run("How is it?"))


async def read_events(agent: Any) -> None:
    handler = agent.run(user_msg="How is it?", memory=None)
    with trace.get_tracer("app").start_as_current_span("reader") as reader:
        async for _ in handler.stream_events():
            assert trace.get_current_span() is reader
            assert current_scope() is NO_SCOPE
    await handler


Way = Callable[[Any], Coroutine[Any, Any, None]]
every_way = pytest.mark.parametrize("run", [run_whole, read_events])


@pytest.fixture(autouse=True)
def _leave_nothing_open() -> Any:
    yield
    assert _STEPS == _INNER_STEPS == {}


@every_way
async def test_run_is_the_task(provider: FakeProvider, seen: Capture, run: Way) -> None:
    await run(make_agent(provider))
    root, varying = fix_root(find_span(seen, ROOT))
    assert root == describe_root("weather agent")
    assert {value.partition("=")[0] for value in varying["values"]} >= {"model/gpt-4o", "tool/weather"}
    offered = find_offered(seen)["weather"]
    call = describe_tool("weather", "weather agent", varying, offered, **{"gen_ai.tool.call.id": "call_1"})
    assert find_span(seen, "execute_tool weather") == call
    assert [span["parent"] for span in seen.spans] == [ROOT, ROOT, ROOT, None]
    assert seen.problems == []


@every_way
async def test_run_in_a_task_is_an_agent_of_it(provider: FakeProvider, seen: Capture, run: Way) -> None:
    with otel_agentops.task("trip"):
        await run_whole(make_agent(provider))
    agent = find_span(seen, "invoke_agent weather agent")
    assert (agent["parent"], OUTCOME in agent["attributes"]) == ("invoke_workflow trip", False)
    names = ("agents", "depth", "llm_calls", "tool_calls", "input_tokens")
    assert read_sums(find_span(seen, "invoke_workflow trip"), *names) == [1, 1, 2, 1, 22]


async def test_tool_of_an_agent_that_reasons_has_a_hash(provider: FakeProvider, seen: Capture) -> None:
    await run_whole(make_agent(provider, kind=ReActAgent))
    assert list_sums(seen, ROOT) == [(2, 1, 22, 10)]
    call = find_span(seen, "execute_tool weather")
    assert (call["parent"], len(call["attributes"]["otel_agentops.tool.hash"])) == (ROOT, 16)


async def test_agent_that_is_handed_to_is_an_agent_of_the_task(provider: FakeProvider, seen: Capture) -> None:
    front = make_agent(provider, kind=FunctionAgent, name="front", can_handoff_to=["forecaster"])
    front.tools = []
    back = make_agent(provider, name="forecaster", can_handoff_to=[])
    await run_whole(AgentWorkflow(agents=[front, back], root_agent="front"))
    root, agent = find_span(seen, "invoke_workflow front"), find_span(seen, "invoke_agent forecaster")
    assert agent["parent"] == "invoke_workflow front"
    assert find_span(seen, "execute_tool weather")["parent"] == "invoke_agent forecaster"
    chats = [span["parent"] for span in seen.spans if span["name"] == "chat gpt-4o"]
    assert chats == ["invoke_workflow front", "invoke_agent forecaster", "invoke_agent forecaster"]
    assert read_sums(root, "agents", "depth", "llm_calls", "tool_calls", "input_tokens") == [1, 1, 3, 1, 33]


async def test_tool_that_raises_is_a_failure(provider: FakeProvider, seen: Capture) -> None:
    await run_whole(make_agent(provider, broken))
    call, root = find_span(seen, "execute_tool broken"), find_span(seen, ROOT)
    assert (call["status"], call["attributes"]["error.type"]) == ("ERROR", "ValueError")
    assert (root["status"], root["attributes"][OUTCOME], read_sums(root, "tool_failures")) == (
        "UNSET",
        "completed",
        [1],
    )


async def test_call_of_an_unknown_tool_is_a_failure(provider: FakeProvider, seen: Capture) -> None:
    agent = make_agent(provider)
    offered, agent.tools = agent.tools, []
    get_tools = type(agent).get_tools

    class Forgetful(FunctionAgent):
        async def get_tools(self, input_str: str | None = None) -> Any:
            self.tools = offered if input_str == "How is it?" else []
            return await get_tools(self, input_str)

    await run_whole(make_agent(provider, kind=Forgetful))
    call = find_span(seen, "execute_tool weather")
    assert (call["status"], call["attributes"]["error.type"]) == ("ERROR", "tool_error")
    assert read_sums(find_span(seen, ROOT), "tool_calls", "tool_failures") == [1, 1]


async def test_too_many_steps_fail_the_task(provider: FakeProvider, seen: Capture) -> None:
    with pytest.raises(Exception, match="Max iterations"):
        await make_agent(provider).run("How is it?", max_iterations=1)
    root = find_span(seen, ROOT)
    assert (root["status"], root["attributes"][OUTCOME]) == ("ERROR", "failed")
    assert root["attributes"]["error.type"] == "workflows.errors.WorkflowRuntimeError"


# -- stopped, interrupted, gone on


async def test_run_that_is_cancelled(provider: FakeProvider, seen: Capture) -> None:
    async def slow(city: str) -> str:
        """Wait."""
        await asyncio.sleep(60)
        return city

    handler = make_agent(provider, FunctionTool.from_defaults(slow)).run("How is it?")
    async for event in handler.stream_events():
        if type(event).__name__ == "ToolCall":
            break
    await handler.cancel_run()
    assert find_span(seen, ROOT)["attributes"][OUTCOME] == "cancelled"


@pytest.mark.skipif(
    not hasattr(base_agent, "_get_waiting_for_event_exception"),
    reason="this version tells the model of the wait as of a failure, and goes on",
)
async def test_run_that_waits_for_somebody_is_interrupted(provider: FakeProvider, seen: Capture) -> None:
    handler = make_agent(provider, asking).run("How is it?")
    async for event in handler.stream_events():
        if isinstance(event, InputRequiredEvent):
            break
    await handler.cancel_run()
    root, call = find_span(seen, ROOT), find_span(seen, "execute_tool asking")
    assert [root["status"], call["status"], root["attributes"][OUTCOME]] == ["UNSET", "UNSET", "interrupted"]
    assert read_sums(root, "tool_failures") == [0]


async def test_run_that_got_its_answer_is_completed(provider: FakeProvider, seen: Capture) -> None:
    handler = make_agent(provider, asking).run("How is it?")
    async for event in handler.stream_events():
        if isinstance(event, InputRequiredEvent):
            handler.ctx.send_event(HumanResponseEvent(response="rainy"))
    await handler
    root = find_span(seen, ROOT)
    assert (root["status"], root["attributes"][OUTCOME], read_sums(root, "tool_failures")) == (
        "UNSET",
        "completed",
        [0],
    )


async def test_workflow_of_the_application_is_the_task(provider: FakeProvider, seen: Capture) -> None:
    class Trip(Workflow):
        @step
        async def ask(self, ev: StartEvent) -> InputRequiredEvent:
            await make_model(provider).acomplete("Where to?")
            return InputRequiredEvent(prefix="Where to?")

        @step
        async def go(self, ev: HumanResponseEvent) -> StopEvent:
            await run_whole(make_agent(provider))
            return StopEvent(result="there")

    handler = Trip(timeout=None).run()
    async for event in handler.stream_events():
        if isinstance(event, InputRequiredEvent):
            handler.ctx.send_event(HumanResponseEvent(response="Oslo"))
    assert await handler == "there"
    root = find_span(seen, "invoke_workflow Trip")
    assert find_span(seen, "invoke_agent weather agent")["parent"] == "invoke_workflow Trip"
    assert (root["attributes"][OUTCOME], read_sums(root, "agents", "llm_calls", "tool_calls")) == (
        "completed",
        [1, 3, 1],
    )
    seen.clear()
    waiting = Trip(timeout=None).run()
    async for event in waiting.stream_events():
        if isinstance(event, InputRequiredEvent):
            break
    await asyncio.sleep(0.05)
    await waiting.cancel_run()
    assert find_span(seen, "invoke_workflow Trip")["attributes"][OUTCOME] == "interrupted"


class Inquiry(Workflow):
    """A workflow whose only step asks somebody."""

    @step
    async def ask(self, ctx: Context, ev: StartEvent) -> StopEvent:
        event = await ctx.wait_for_event(HumanResponseEvent, waiter_event=InputRequiredEvent(prefix="Where to?"))
        await asyncio.sleep(event.seconds)
        return StopEvent(result=event.response)


@pytest.mark.parametrize(("seconds", "outcome"), [(None, "interrupted"), (60, "cancelled"), (0, "completed")])
async def test_step_waits_until_it_has_the_event(seen: Capture, seconds: float | None, outcome: str) -> None:
    handler = Inquiry(timeout=None).run()
    async for event in handler.stream_events():
        if isinstance(event, InputRequiredEvent):
            break
    await asyncio.sleep(0.05)
    if seconds is not None:
        handler.ctx.send_event(HumanResponseEvent(response="Oslo", seconds=seconds))
        await asyncio.sleep(0.05)
    if seconds == 0:
        assert await handler == "Oslo"
    else:
        await handler.cancel_run()
    root = find_span(seen, "invoke_workflow Inquiry")
    assert (root["status"], root["attributes"][OUTCOME]) == ("UNSET", outcome)


async def test_conversation_is_that_of_the_memory(provider: FakeProvider, seen: Capture) -> None:
    await make_agent(provider).run("How is it?", memory=Memory.from_defaults(session_id="s-1"))
    assert find_span(seen, ROOT)["attributes"]["gen_ai.conversation.id"] == "s-1"


# -- engines and retrievers


def query(engine: Any) -> None:
    assert str(engine.query("Which document?"))


def query_async(engine: Any) -> None:
    async def run() -> None:
        assert str(await engine.aquery("Which document?"))

    asyncio.run(run())


@pytest.mark.parametrize("run", [query, query_async])
def test_question_to_an_index_is_the_task(provider: FakeProvider, seen: Capture, run: Callable[[Any], None]) -> None:
    run(make_engine(provider))
    root, varying = fix_root(find_span(seen, QUERY))
    changes = {
        "llm_attempts": 1,
        "llm_calls": 1,
        "input_tokens": 11,
        "output_tokens": 5,
        "tool_calls": 0,
        "tool_repeats": None,
    }
    sums = {f"otel_agentops.task.{name}": value for name, value in changes.items()}
    assert root == describe_root("RetrieverQueryEngine", **sums)
    assert find_span(seen, "retrieval products") == {
        "name": "retrieval products",
        "kind": "CLIENT",
        "status": "UNSET",
        "parent": QUERY,
        "attributes": {
            "gen_ai.data_source.id": "products",
            "gen_ai.operation.name": "retrieval",
            "gen_ai.retrieval.top_k": 2,
            "otel_agentops.index.embedding_model": "mock-8",
            "otel_agentops.index.name": "products",
            "otel_agentops.index.source": "unknown",
            "otel_agentops.retrieval.document.count": 2,
            "otel_agentops.task.id": varying["id"],
            "otel_agentops.task.name": "RetrieverQueryEngine",
        },
    }
    assert seen.problems == []


@pytest.mark.parametrize("is_async", [False, True])
def test_streamed_answer_is_in_the_task(provider: FakeProvider, seen: Capture, is_async: bool) -> None:
    engine = make_engine(provider, streaming=True)

    async def read() -> None:
        answer = await engine.aquery("Which document?")
        async for _ in answer.async_response_gen():
            assert current_scope() is NO_SCOPE

    if is_async:
        asyncio.run(read())
    else:
        for _ in engine.query("Which document?").response_gen:
            assert current_scope() is NO_SCOPE
    assert list_sums(seen, QUERY) == [(1, 0, 11, 5)]
    assert find_span(seen, QUERY)["attributes"][OUTCOME] == "completed"
    assert find_span(seen, "chat gpt-4o")["parent"] == QUERY


def test_stream_that_is_dropped_is_cancelled(provider: FakeProvider, seen: Capture) -> None:
    stream = make_engine(provider, streaming=True).query("Which document?").response_gen
    next(stream)
    stream.close()
    assert find_span(seen, QUERY)["attributes"][OUTCOME] == "cancelled"


@pytest.mark.parametrize("way", ["chat", "achat", "stream_chat", "astream_chat"])
async def test_chat_is_the_task(provider: FakeProvider, seen: Capture, way: str) -> None:
    memory = Memory.from_defaults(session_id="s-1")
    engine = SimpleChatEngine.from_defaults(llm=make_model(provider), memory=memory)
    if way == "chat":
        await asyncio.to_thread(engine.chat, "Hello")
    elif way == "achat":
        await engine.achat("Hello")
    elif way == "stream_chat":
        await asyncio.to_thread(lambda: list(engine.stream_chat("Hello").response_gen))
    else:
        answer = await engine.astream_chat("Hello")
        assert [token async for token in answer.async_response_gen()]
    root = find_span(seen, "invoke_workflow SimpleChatEngine")
    assert root["attributes"]["gen_ai.conversation.id"] == "s-1"
    assert find_span(seen, "chat gpt-4o")["parent"] == "invoke_workflow SimpleChatEngine"
    assert (list_sums(seen, "invoke_workflow SimpleChatEngine"), root["attributes"][OUTCOME]) == (
        [(1, 0, 11, 5)],
        "completed",
    )


async def test_engine_as_a_tool_is_an_agent(provider: FakeProvider, seen: Capture) -> None:
    engine = QueryEngineTool.from_defaults(make_engine(provider), name="library", description="Look it up.")
    await run_whole(make_agent(provider, engine))
    assert find_span(seen, "execute_tool library")["parent"] == ROOT
    assert find_span(seen, "invoke_agent RetrieverQueryEngine")["parent"] == "execute_tool library"
    assert find_span(seen, "retrieval products")["parent"] == "invoke_agent RetrieverQueryEngine"
    assert list_sums(seen, ROOT) == [(3, 1, 33, 15)]


def test_retriever_alone_is_a_retrieval(seen: Capture) -> None:
    class Nothing(BaseRetriever):
        def _retrieve(self, query_bundle: Any) -> list[Any]:
            return []

    class Failing(BaseRetriever):
        def _retrieve(self, query_bundle: Any) -> list[Any]:
            raise ConnectionError("gone")

    assert Nothing().retrieve("anything") == []
    with pytest.raises(ConnectionError):
        Failing().retrieve("anything")
    index = make_index()
    index.set_index_id("6b7f7d9c-8a50-4b7e-9d0e-9a3fca6a2f10")
    index.as_retriever().retrieve("anything")
    assert [
        (span["name"], span["status"], span["attributes"].get("otel_agentops.retrieval.document.count"))
        for span in seen.spans
    ] == [
        ("retrieval Nothing", "UNSET", 0),
        ("retrieval Failing", "ERROR", None),
        ("retrieval VectorIndexRetriever", "UNSET", 2),
    ]


# -- the application's own


def test_tool_of_a_server_is_left_to_its_client(seen: Capture) -> None:
    def remote(city: str) -> str:
        return f"sunny in {city}"

    remote.__module__ = "llama_index.tools.mcp.base"
    assert str(FunctionTool.from_defaults(remote)(city="Oslo")) == "sunny in Oslo"
    local = FunctionTool.from_defaults(weather)
    assert str(local("Oslo")) == str(local.call(city="Oslo")) == "sunny in Oslo"
    assert [span["name"] for span in seen.spans] == ["execute_tool weather"] * 2


async def test_uninstrumented_agent_is_itself_again(provider: FakeProvider, seen: Capture) -> None:
    assert {*LIBRARY.targets} <= {*LIBRARY.patches}  # the others are the methods of each class of models
    Instrumentor().uninstrument()
    assert LIBRARY.patches == {}
    await run_whole(make_agent(provider))
    query_engine = make_engine(provider)
    await asyncio.to_thread(query, query_engine)
    assert [span["name"] for span in seen.spans] == ["chat gpt-4o"] * 3


@every_way
async def test_sums_of_parallel_runs_are_exact(provider: FakeProvider, seen: Capture, run: Way) -> None:
    model = make_model(provider)
    await asyncio.gather(*(run(make_agent(provider, llm=model)) for _ in range(50)))
    assert list_sums(seen, ROOT) == [(2, 1, 22, 10)] * 50


def test_documented_start_is_a_task(provider: FakeProvider, seen: Capture, monkeypatch: pytest.MonkeyPatch) -> None:
    assert run_agent("LlamaIndex", provider, seen, monkeypatch) == STARTED
