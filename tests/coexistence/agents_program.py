"""One agent of a framework with one tool, which another instrumentation traces as well, in a process for each.

    python tests/coexistence/agents_program.py FRAMEWORK PEER ours-first|theirs-first|ours-again

Prints, for each way to run the agent: the spans of model calls and of tools by maker, the spans that count input
tokens, the sums of our task, and what was logged as an error. With SHOW_ATTRIBUTES in the environment it prints what
those spans have of ours and of the convention instead. The global providers are used, as by an application.
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
import sys
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from importlib import import_module
from typing import Any

import opentelemetry.trace
from agent_runs import SUMS, read_sums
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor, SpanExportResult
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from otel_agentops import _deferred_work, task
from otel_agentops.testing import span_as_dict
from otel_agentops.testing.fake_provider import Answer, Call, FakeProvider, ToolCall

NAME = "weather agent"
TOKENS = ("gen_ai.usage.input_tokens", "llm.token_count.prompt")
KINDS = ("gen_ai.operation.name", "openinference.span.kind", "traceloop.span.kind", "langfuse.observation.type")
MODEL_KINDS, TOOL_KINDS = {"chat", "text_completion", "llm", "response", "generation"}, {"execute_tool", "tool"}
RUN_KINDS = {"invoke_agent", "invoke_workflow", "agent", "workflow", "chain"}  # they sum what is below them
Ways = Mapping[str, Callable[[], Awaitable[object]]]


# -- a model that asks for the tool, and answers when it has run


def answer_call(call: Call) -> Answer:
    turns = call.body.get("messages") or call.body["input"]
    tools = call.body.get("tools")
    if not tools or any(turn.get("role") == "tool" or turn.get("type") == "function_call_output" for turn in turns):
        return Answer()
    return Answer(text="", tool_calls=(ToolCall(tools[0].get("function", tools[0])["name"], '{"city": "Oslo"}'),))


def weather(city: str) -> str:
    """Return the weather of a city."""
    return f"sunny in {city}"


# -- the frameworks


def list_openai_agents(provider: FakeProvider, handlers: list[Any]) -> Ways:
    import agents

    client = agents.AsyncOpenAI(base_url=provider.openai_url, api_key="k", max_retries=0)
    models = (agents.OpenAIChatCompletionsModel("gpt-x", client), agents.OpenAIResponsesModel("gpt-x", client))
    settings = agents.ModelSettings(include_usage=True)
    chat, respond = (
        agents.Agent(NAME, instructions="Be brief.", model=model, model_settings=settings, tools=[tool])
        for model in models
        for tool in (agents.function_tool(weather),)
    )

    async def read_stream(agent: Any) -> None:
        async for _ in agents.Runner.run_streamed(agent, "How is it?").stream_events():
            pass

    return {
        "chat": lambda: agents.Runner.run(chat, "How is it?"),
        "chat stream": lambda: read_stream(chat),
        "responses": lambda: agents.Runner.run(respond, "How is it?"),
        "responses stream": lambda: read_stream(respond),
    }


def list_pydantic_ai(provider: FakeProvider, handlers: list[Any]) -> Ways:
    from pydantic_ai import Agent
    from pydantic_ai.models.openai import OpenAIChatModel
    from pydantic_ai.providers.openai import OpenAIProvider

    model = OpenAIChatModel("gpt-x", provider=OpenAIProvider(base_url=provider.openai_url, api_key="k"))
    agent = Agent(model, name=NAME, instructions="Be brief.", tools=[weather])

    async def read_stream() -> None:
        async with agent.run_stream("How is it?") as result:
            async for _ in result.stream_output():
                pass

    return {"run": lambda: agent.run("How is it?"), "stream": read_stream}


def list_langgraph(provider: FakeProvider, handlers: list[Any]) -> Ways:
    from langchain_core.runnables import RunnableConfig

    ways = import_module("langgraph_ways")
    agent = ways.make_agent(provider, name=NAME).with_config(callbacks=handlers)

    async def read_stream() -> None:
        async for _ in agent.astream(ways.ASK, stream_mode="messages"):
            pass

    async def run_sync() -> None:
        agent.invoke(ways.ASK)

    async def retrieve() -> None:
        config = RunnableConfig(callbacks=handlers)
        with task("ask"):
            make_retriever().invoke("How is it?", config)
            await make_retriever().ainvoke("How is it?", config=config)

    return {
        "invoke": run_sync,
        "ainvoke": lambda: agent.ainvoke(ways.ASK),
        "astream": read_stream,
        "retrieve": retrieve,
    }


def make_retriever() -> Any:
    from langchain_core.documents import Document
    from langchain_core.retrievers import BaseRetriever

    class WeatherRetriever(BaseRetriever):
        def _get_relevant_documents(self, query: str, **options: Any) -> list[Document]:
            return [Document("sunny")]

    return WeatherRetriever()


def list_llama_index(provider: FakeProvider, handlers: list[Any]) -> Ways:
    from llama_index.core import Document, VectorStoreIndex
    from llama_index.core.agent.workflow import FunctionAgent
    from llama_index.core.embeddings import MockEmbedding
    from llama_index.core.llms import MockLLM
    from llama_index.llms.openai import OpenAI

    usage = {"stream_options": {"include_usage": True}}
    options = {"api_base": provider.openai_url, "api_key": "k", "max_retries": 0}
    models = [OpenAI(model="gpt-4o", **options, additional_kwargs=more) for more in ({}, usage)]
    whole, streamed = (
        FunctionAgent(name=NAME, description="Ask.", llm=model, tools=[weather], streaming=is_streamed)
        for is_streamed, model in enumerate(models)
    )

    index = VectorStoreIndex.from_documents([Document(text="Sunny.")], embed_model=MockEmbedding(embed_dim=4))
    index.set_index_id("weather")

    async def run_whole() -> None:
        await whole.run(user_msg="How is it?")

    async def ask_index() -> None:
        with task("ask"):
            await index.as_retriever().aretrieve("How is it?")
            index.as_query_engine(llm=MockLLM()).query("How is it?")
            for _ in index.as_query_engine(llm=MockLLM(), streaming=True).query("How is it?").response_gen:
                pass

    async def read_stream() -> None:
        handler = streamed.run(user_msg="How is it?")
        async for _ in handler.stream_events():
            pass
        await handler

    return {"run": run_whole, "stream": read_stream, "query": ask_index}


def list_crewai(provider: FakeProvider, handlers: list[Any]) -> Ways:
    from crewai import LLM, Agent, Crew, Task
    from crewai.tools import tool

    def make_crew() -> Crew:
        model = LLM(model="openai/gpt-x", base_url=provider.openai_url, api_key="k", max_retries=0)
        agent = Agent(role="forecaster", goal="Tell.", backstory="Old.", llm=model, tools=[tool("weather")(weather)])
        work = Task(description="How is it?", expected_output="A word.", agent=agent)
        return Crew(name=NAME, agents=[agent], tasks=[work])

    def read_stream() -> None:
        crew = make_crew()
        crew.stream = True
        for _ in crew.kickoff():
            pass

    return {  # it refuses to run in a loop
        "kickoff": lambda: asyncio.to_thread(make_crew().kickoff),
        "akickoff": lambda: make_crew().akickoff(),
        "stream": lambda: asyncio.to_thread(read_stream),
    }


FRAMEWORKS: dict[str, Callable[[FakeProvider, list[Any]], Ways]] = {
    "openai_agents": list_openai_agents,
    "pydantic_ai": list_pydantic_ai,
    "langgraph": list_langgraph,
    "llama_index": list_llama_index,
    "crewai": list_crewai,
}
OURS = {"langgraph": ("langgraph", "langchain_core")}  # if it is not the framework's own alone


# -- those that trace them as well


class Logfire:
    """Logfire over its own tracer provider, as its documentation switches it on."""

    def instrument(self) -> None:
        logfire = import_module("logfire")
        {"pydantic_ai": logfire.instrument_pydantic_ai, "openai_agents": logfire.instrument_openai_agents}[
            sys.argv[1]
        ]()


class Langfuse:
    """The callback of Langfuse for LangChain, which each run gets."""

    def instrument(self) -> None:
        os.environ.update(LANGFUSE_PUBLIC_KEY="k", LANGFUSE_SECRET_KEY="k", LANGFUSE_BASE_URL="http://127.0.0.1:9")
        HANDLERS.append(import_module("langfuse.langchain").CallbackHandler())


class Sentry:
    """Sentry's client, which finds the libraries that it traces by itself. Its spans are not OpenTelemetry's."""

    def instrument(self) -> None:
        import_module("sentry_sdk").init(
            dsn="http://k@127.0.0.1:9/1", traces_sample_rate=1.0, before_send_transaction=keep_transaction
        )


class CrewTelemetry:
    """CrewAI's own telemetry, which is on by default; it sends nothing here."""

    def instrument(self) -> None:
        import_module("crewai_core.telemetry").SafeOTLPSpanExporter = lambda **options: PrivateExporter()
        os.environ.pop("CREWAI_DISABLE_TELEMETRY")


class PrivateExporter(InMemorySpanExporter):
    """Counts the spans that a library keeps to itself."""

    def export(self, spans: Sequence[Any]) -> SpanExportResult:
        PRIVATE_SPANS.update(span.name for span in spans)
        return super().export(spans)


HANDLERS: list[Any] = []  # of LangChain
PRIVATE_SPANS: Counter[str] = Counter()  # by operation, of those that do not come to the application's provider
PEERS = {
    "OpenInference": {
        "openai_agents": "openinference.instrumentation.openai_agents:OpenAIAgentsInstrumentor",
        "llama_index": "openinference.instrumentation.llama_index:LlamaIndexInstrumentor",
        "crewai": "openinference.instrumentation.crewai:CrewAIInstrumentor",
        "langgraph": "openinference.instrumentation.langchain:LangChainInstrumentor",
    },
    "OpenLLMetry": {
        "openai_agents": "opentelemetry.instrumentation.openai_agents:OpenAIAgentsInstrumentor",
        "llama_index": "opentelemetry.instrumentation.llamaindex:LlamaIndexInstrumentor",
        "crewai": "opentelemetry.instrumentation.crewai:CrewAIInstrumentor",
    },
}


def keep_transaction(event: Any, hint: Any) -> None:
    """Count the spans of a transaction, and send none."""
    operations = [span.get("op") or "" for span in event["spans"]]
    PRIVATE_SPANS.update(operation for operation in operations if operation.startswith("gen_ai"))


def trace_by_sentry() -> AbstractContextManager[object]:
    """Return the transaction of a run, which does nothing without Sentry."""
    sentry = sys.modules.get("sentry_sdk")
    return sentry.start_transaction(name="run") if sentry and sentry.get_client().is_active() else nullcontext()


def load_object(path: str) -> Any:
    module, _, name = path.partition(":")
    return getattr(import_module(module), name)()


def load_peer(framework: str, peer: str) -> Any:
    own = {"logfire": Logfire, "Langfuse": Langfuse, "sentry": Sentry, "itself": CrewTelemetry}
    return own[peer]() if peer in own else load_object(PEERS[peer][framework])


# -- what a run makes


class Errors(logging.Handler):
    """The errors that were logged."""

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(f"{record.name}: {record.getMessage()}")


def summarise_spans(spans: Sequence[Any]) -> dict[str, Any]:
    """Return the spans of model calls and of tools by maker, those that count tokens, and the sums of the task."""
    makers: dict[str, Counter[str]] = {"models": Counter(), "tools": Counter(), "tokens": Counter()}
    sums = []
    for span in spans:
        values = span.attributes
        scope = span.instrumentation_scope.name
        maker = "ours" if scope == "otel_agentops" else "theirs"
        if scope == "crewai.telemetry":
            makers["own telemetry"] = Counter(theirs=1)
        kind = str(next((values[key] for key in KINDS if key in values), "")).lower()
        if kind in MODEL_KINDS:
            makers["models"][maker] += 1
        if kind not in RUN_KINDS:
            makers["tokens"][maker] += any(name in values for name in TOKENS)
        makers["tools"][maker] += kind in TOOL_KINDS
        if "otel_agentops.task.llm_calls" in values and span.name.startswith("invoke_workflow"):
            sums.append(read_sums(span_as_dict(span), *SUMS, "agents", "depth"))
    return {name: dict(+count) for name, count in makers.items()} | {"sums": sums}


def list_attributes(spans: Sequence[Any]) -> list[dict[str, Any]]:
    """Return the maker and the attributes of ours and of the convention, of each span of a call, tool or retrieval."""
    kinds, ours = {"chat", "text_completion", "execute_tool", "retrieval"}, ("gen_ai.", "otel_agentops.", "error")
    return [
        {"maker": span.instrumentation_scope.name}
        | {key: value for key, value in span.attributes.items() if key.startswith(ours)}
        for span in spans
        if span.attributes.get("gen_ai.operation.name") in kinds
    ]


def set_up_spans(peer: str) -> InMemorySpanExporter:
    exporter = InMemorySpanExporter()
    if peer == "logfire":
        import_module("logfire").configure(
            send_to_logfire=False,
            console=False,
            metrics=False,
            additional_span_processors=[SimpleSpanProcessor(exporter)],
        )
    else:
        provider = TracerProvider()
        provider.add_span_processor(SimpleSpanProcessor(exporter))
        opentelemetry.trace.set_tracer_provider(provider)
    return exporter


async def run_ways(framework: str, exporter: InMemorySpanExporter) -> dict[str, Any]:
    results = {}
    with FakeProvider() as provider:
        provider.alias("gpt-x", "gpt-x-2026-03-01")
        provider.answer(answer_call)
        for name, run in FRAMEWORKS[framework](provider, HANDLERS).items():
            with trace_by_sentry():
                await run()
            _deferred_work.run_deferred()
            read = list_attributes if "SHOW_ATTRIBUTES" in os.environ else summarise_spans
            results[name] = read(exporter.get_finished_spans())
            exporter.clear()
    return results


def main(framework: str, peer: str, order: str) -> None:
    # CrewAI sends something home, and asks to be allowed to, if nobody says this before it is imported.
    os.environ.update(CREWAI_DISABLE_TELEMETRY="true", CREWAI_TRACING_ENABLED="false", CREWAI_TESTING="true")
    errors = Errors()
    logging.getLogger().addHandler(errors)
    exporter = set_up_spans(peer)
    ours = ["clients.openai", *(f"frameworks.{name}" for name in OURS.get(framework, (framework,)))]
    instrumentors = [load_object(f"otel_agentops.{name}:Instrumentor") for name in ours]
    theirs = [load_peer(framework, peer)] if peer != "-" else []
    for instrumentor in [*theirs, *instrumentors] if order == "theirs-first" else [*instrumentors, *theirs]:
        instrumentor.instrument()
    if order == "ours-again":  # and theirs between
        for instrumentor in instrumentors:
            instrumentor.uninstrument()
            instrumentor.instrument()
    results = asyncio.run(run_ways(framework, exporter))
    if peer == "itself":
        import_module("crewai.telemetry.telemetry").Telemetry().provider.force_flush()
    print(json.dumps({"ways": results, "errors": errors.lines, "private": sorted(PRIVATE_SPANS)}))


if __name__ == "__main__":
    main(*sys.argv[1:])
