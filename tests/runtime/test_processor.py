"""Scope facts on the spans of frameworks, whose tools and agents count once however many spans stand for them."""

from __future__ import annotations

import contextvars
import gc
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import openai
import pytest
from opentelemetry import context as otel_context
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import StatusCode

from otel_agentops import _entry_points, _guard, _placement, _processor, _telemetry, judge, task, tool
from otel_agentops._baggage_processor import BaggageProcessor
from otel_agentops._config import Config
from otel_agentops.testing import Capture

FACTS = {"otel_agentops.task.name": "support", "otel_agentops.traffic.segment": "web"}


@pytest.fixture
def framework(seen: Capture) -> trace.Tracer:
    return seen.tracer_provider.get_tracer("some.framework")


def span(framework: trace.Tracer, name: str, **attributes: str) -> Any:
    return framework.start_as_current_span(
        name, attributes={key.replace("__", "."): value for key, value in attributes.items()}
    )


def execute(framework: trace.Tracer, name: str, tool_name: str | None = None) -> Any:
    """A framework's tool span, with all its attributes from the start or with its name alone."""
    named = {"gen_ai__tool__name": tool_name} if tool_name else {}
    attributes = {"gen_ai__operation__name": "execute_tool", **named} if tool_name else {}
    return span(framework, name, **attributes)


def root(seen: Capture) -> dict[str, int]:
    (found,) = (one["attributes"] for one in seen.spans if "otel_agentops.task.outcome" in one["attributes"])
    return {name: found[f"otel_agentops.task.{name}"] for name in ("tool_calls", "tool_failures", "agents", "depth")}


def sums(tool_calls: int = 0, tool_failures: int = 0, agents: int = 0, depth: int = 0) -> dict[str, int]:
    return {"tool_calls": tool_calls, "tool_failures": tool_failures, "agents": agents, "depth": depth}


# -- what is stamped

GENAI = [
    ("chat gpt-x", {}),
    ("generate_content gemini-x", {}),
    ("invoke_agent planner", {}),
    ("execute_tool lookup", {}),
    ("retrieval help", {}),
    ("openai.chat", {}),
    ("anything", {"gen_ai.operation.name": "chat"}),
    ("anything", {"gen_ai.operation.name": "something of tomorrow"}),
    ("anything", {"openinference.span.kind": "LLM"}),
    ("anything", {"traceloop.span.kind": "tool"}),
    ("anything", {"llm.request.type": "chat"}),
]
PLAIN = [("GET /chat", {}), ("chat", {}), ("execute_tool", {}), ("select", {"db.system": "x"}), ("invoke", {})]


@pytest.mark.parametrize(("name", "attributes"), GENAI)
def test_genai_spans_of_any_library_carry_the_facts(
    seen: Capture, framework: trace.Tracer, name: str, attributes: dict[str, str]
) -> None:
    with task("support", segment="web"), framework.start_as_current_span(name, attributes=attributes):
        pass
    stamped = seen.spans[0]["attributes"]
    assert stamped.items() >= {**FACTS, **attributes}.items()
    assert stamped.keys() == {"otel_agentops.task.id", *FACTS, *attributes}


@pytest.mark.parametrize(("name", "attributes"), PLAIN)
def test_other_spans_are_left_alone(
    seen: Capture, framework: trace.Tracer, name: str, attributes: dict[str, str]
) -> None:
    with task("support", segment="web"), framework.start_as_current_span(name, attributes=attributes):
        pass
    assert seen.spans[0]["attributes"] == attributes
    assert root(seen) == sums()


def test_spans_outside_of_a_scope_are_left_alone(seen: Capture, framework: trace.Tracer) -> None:
    with span(framework, "chat gpt-x"):
        pass
    assert seen.spans[0]["attributes"] == {}


def test_framework_call_inside_a_judge_carries_the_judge(seen: Capture, framework: trace.Tracer) -> None:
    with judge("grounded", threshold=0.5), span(framework, "chat gpt-x"):
        pass
    assert seen.spans[0]["attributes"].items() >= {
        "otel_agentops.judge.name": "grounded", "otel_agentops.judge.threshold": 0.5,
    }.items()  # fmt: skip


@pytest.mark.parametrize("tool_name", [None, "weather"])
def test_framework_tool_carries_the_hash_offered_to_the_model(
    seen: Capture, framework: trace.Tracer, gpt: openai.OpenAI, tool_name: str | None
) -> None:
    offered = {"type": "function", "function": {"name": "weather", "parameters": {"type": "object"}}}
    with task("support"):
        gpt.chat.completions.create(model="gpt-x", messages=[], tools=[offered])  # type: ignore[list-item]
        with execute(framework, "execute_tool weather", tool_name):
            pass
    chat, executed, _ = (one["attributes"] for one in seen.spans)
    assert chat["otel_agentops.tools.versions"] == [f"weather@{executed['otel_agentops.tool.hash']}"]


# -- what is counted


def test_framework_tools_are_counted_by_their_result(seen: Capture, framework: trace.Tracer) -> None:
    with task("support"):
        with execute(framework, "execute_tool a"):
            pass
        with execute(framework, "running", "b") as status:
            status.set_status(StatusCode.ERROR)
        with execute(framework, "running", "c") as typed:
            typed.set_attribute("error.type", "timeout")
        with pytest.raises(ZeroDivisionError), execute(framework, "execute_tool d"):
            raise ZeroDivisionError
    assert root(seen) == sums(tool_calls=4, tool_failures=3)


def test_framework_agents_are_counted_with_their_depth(seen: Capture, framework: trace.Tracer) -> None:
    with (
        task("support"),
        span(framework, "invoke_workflow graph"),
        span(framework, "plain step"),
        span(framework, "invoke_agent planner"),
        task("ours"),
        span(framework, "step"),
    ):
        with span(framework, "invoke_agent writer"):
            pass
        with span(framework, "invoke_agent reader"):
            pass
    assert root(seen) == sums(agents=5, depth=4)


def test_task_below_a_framework_agent_counts_from_zero(seen: Capture, framework: trace.Tracer) -> None:
    with span(framework, "invoke_agent outside"), task("support"), span(framework, "invoke_agent inside"):
        pass
    assert root(seen) == sums(agents=1, depth=1)


def test_task_below_an_agent_of_another_task_counts_from_zero(seen: Capture, framework: trace.Tracer) -> None:
    """As a job that is handed to a worker with nothing but the span that it belongs to."""

    def job(agent: trace.Span) -> None:
        otel_context.attach(trace.set_span_in_context(agent, otel_context.Context()))
        with task("job"), span(framework, "invoke_agent inside"):
            pass

    with task("support"), span(framework, "invoke_agent outside") as agent:
        contextvars.Context().run(job, agent)
    job_root, support_root = (one["attributes"] for one in seen.spans if one["name"].startswith("invoke_workflow"))
    assert [one["otel_agentops.task.depth"] for one in (job_root, support_root)] == [1, 1]
    assert [one["otel_agentops.task.agents"] for one in (job_root, support_root)] == [1, 1]


def foreign_around_ours(framework: trace.Tracer) -> Iterator[None]:
    with execute(framework, "running", "lookup"), tool("lookup"):
        yield


def foreign_around_a_step_around_ours(framework: trace.Tracer) -> Iterator[None]:
    with execute(framework, "running", "lookup"), span(framework, "step"), tool("lookup"):
        yield


def ours_around_foreign(framework: trace.Tracer) -> Iterator[None]:
    with tool("lookup"), span(framework, "step"), execute(framework, "execute_tool lookup"):
        yield


def foreign_around_foreign(framework: trace.Tracer) -> Iterator[None]:
    with execute(framework, "running", "lookup"), span(framework, "tools/call"), execute(framework, "x", "lookup"):
        yield


@pytest.mark.parametrize("fails", [False, True])
@pytest.mark.parametrize(
    "nest", [foreign_around_ours, foreign_around_a_step_around_ours, ours_around_foreign, foreign_around_foreign]
)
def test_spans_of_one_tool_execution_count_once(
    seen: Capture, framework: trace.Tracer, nest: Callable[[trace.Tracer], Iterator[None]], fails: bool
) -> None:
    with task("support"):
        try:
            with contextmanager(nest)(framework):
                if fails:
                    raise LookupError
        except LookupError:
            pass
    assert root(seen) == sums(tool_calls=1, tool_failures=int(fails))


def test_nested_tools_are_counted_each(seen: Capture, framework: trace.Tracer) -> None:
    with task("support"), tool("outer"), execute(framework, "running", "inner"), tool("innermost"), tool("innermost"):
        pass
    assert root(seen) == sums(tool_calls=4)


def test_tool_enriches_the_framework_span_of_its_execution(seen: Capture, framework: trace.Tracer) -> None:
    with (
        task("support"),
        framework.start_as_current_span("execute_tool lookup", attributes={"gen_ai.tool.type": "extension"}),
        tool("lookup", effect="read") as call,
    ):
        call.fail("not_found")
    executed, support = seen.spans
    assert executed["name"] == "execute_tool lookup"
    assert (
        executed["attributes"].items()
        >= {
            "gen_ai.tool.name": "lookup",
            "gen_ai.tool.type": "extension",
            "otel_agentops.tool.effect": "read",
            "error.type": "not_found",
        }.items()
    )
    assert executed["status"] == "UNSET"  # the span is its maker's
    assert root(seen) == sums(tool_calls=1, tool_failures=1)
    assert support["parent"] is None


def test_tool_in_own_mode_has_its_own_span_and_counts_once(seen: Capture, framework: trace.Tracer) -> None:
    before = _telemetry.replace_default(_telemetry.Telemetry(Config(mode="own"), **seen.providers))
    with task("support"), execute(framework, "running", "lookup"), tool("lookup"):
        pass
    _telemetry.replace_default(before)
    assert [one["name"] for one in seen.spans] == ["execute_tool lookup", "running", "invoke_workflow support"]
    assert root(seen) == sums(tool_calls=1)


# -- providers


class Plain:
    """A provider of another vendor: it takes no processors."""

    def get_tracer(self, *args: Any, **kwargs: Any) -> trace.Tracer:
        return trace.NoOpTracer()


class Refusing(TracerProvider):
    def add_span_processor(self, span_processor: Any) -> None:
        raise RuntimeError("no more processors")


def test_provider_without_processors_is_left_alone() -> None:
    before = _telemetry.replace_default(_telemetry.Telemetry(Config(), tracer_provider=Plain()))
    with task("support") as run, tool("lookup"):
        pass
    _telemetry.replace_default(before)
    assert run._scope.task is not None and run._scope.task.tool_results == [True]


def test_provider_that_refuses_processors_still_gets_our_spans(production: None, said: Callable[[], list[str]]) -> None:
    provider, names = Refusing(shutdown_on_exit=False), []
    provider._active_span_processor.add_span_processor(_Noting(names))
    before = _telemetry.replace_default(_telemetry.Telemetry(Config(), tracer_provider=provider))
    with task("support"), task("agent"):
        pass
    _telemetry.replace_default(before)
    assert names == ["invoke_agent agent", "invoke_workflow support"]
    assert len(said()) == 1 and "no more processors" in said()[0]
    assert not _guard.is_strict


class _Noting(_processor.SpanProcessor):
    def __init__(self, names: list[str]) -> None:
        self._names = names

    def on_end(self, span: Any) -> None:
        self._names.append(span.name)


def test_provider_gets_one_processor() -> None:
    provider = TracerProvider(shutdown_on_exit=False)
    for _ in range(3):
        _telemetry.Telemetry(Config(), tracer_provider=provider).watch_provider()
    kinds = [type(one) for one in provider._active_span_processor._span_processors]
    assert kinds == [_processor.ScopeProcessor]


class PhoenixProvider(TracerProvider):
    """A provider that gives up its own processor for the next one, unless it is told not to, as that of Phoenix."""

    def add_span_processor(self, processor: Any, *, replace_default_processor: bool = True) -> None:
        if replace_default_processor:
            self._active_span_processor._span_processors = ()
        super().add_span_processor(processor)


@pytest.mark.parametrize("way", ["processor", "entry point"])
def test_provider_keeps_its_own_processor(way: str) -> None:
    provider = PhoenixProvider()
    own = SimpleSpanProcessor(InMemorySpanExporter())
    provider.add_span_processor(own)
    if way == "processor":
        _processor.add_scope_processor(provider, _telemetry.get_default())
    else:
        _entry_points._watch_baggage({"tracer_provider": provider})
    kept, ours = provider._active_span_processor._span_processors
    assert kept is own
    assert isinstance(ours, (_processor.ScopeProcessor, BaggageProcessor))


def test_global_provider_set_late_gets_the_processor(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    late = Capture()
    telemetry = _telemetry.Telemetry(Config())
    before = _telemetry.replace_default(telemetry)
    telemetry.watch_provider()
    monkeypatch.setattr(trace, "get_tracer_provider", lambda: late.tracer_provider)  # what setting it changes
    tracer = late.tracer_provider.get_tracer("some.framework")
    with task("support", segment="web"), tracer.start_as_current_span("chat gpt-x"):
        pass
    _telemetry.replace_default(before)
    assert late.spans[0]["attributes"].items() >= FACTS.items()


# -- memory


def test_spans_that_never_end_are_forgotten(seen: Capture, framework: trace.Tracer) -> None:
    """What is remembered of a span goes with the span, of a task with the task."""
    places = len(_placement._placements)
    (processor,) = (
        one
        for one in seen.tracer_provider._active_span_processor._span_processors
        if isinstance(one, _processor.ScopeProcessor)
    )
    with task("support") as run:
        for number in range(1000):
            framework.start_span(f"execute_tool t{number}")
            framework.start_span(f"invoke_agent a{number}")
        gc.collect()
        assert len(_placement._placements) == places
        ended = weakref.ref(run._scope.task)  # type: ignore[arg-type]
    del run
    gc.collect()
    assert ended() is None
    assert len(processor._pending) == 0
