"""Work in threads that lost the task: its sums are not known, and are never a false number."""

from __future__ import annotations

import asyncio
import contextvars
import gc
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import openai
import pytest
from opentelemetry.instrumentation.threading import ThreadingInstrumentor
from opentelemetry.trace import SpanKind

from otel_agentops import retrieval, task, tool
from otel_agentops.task_totals import open_tasks
from otel_agentops.testing import Capture

Said = Callable[[], list[str]]
MESSAGES: list[Any] = [{"role": "user", "content": "hi"}]
NO_TOOLS = {"agents": 0, "depth": 0, "tool_calls": 0, "tool_failures": 0}
TWO_CALLS = {"llm_calls": 2, "llm_attempts": 2, "input_tokens": 22, "output_tokens": 10}


def read_sums(seen: Capture) -> dict[str, Any]:
    """Return the sums on the root span that ended last."""
    attributes = [span["attributes"] for span in seen.spans if span["name"].startswith("invoke_workflow")][-1]
    facts = {"id", "name", "outcome", "started_at", "values"}
    prefix = "otel_agentops.task."
    found = {key.removeprefix(prefix): value for key, value in attributes.items() if key.startswith(prefix)}
    return {key: value for key, value in found.items() if key not in facts}


def ask(gpt: openai.OpenAI) -> None:
    gpt.chat.completions.create(model="gpt-x", messages=MESSAGES)


@tool("lookup")
def look_up() -> str:
    return "found"


def run_elsewhere(*steps: Callable[[], object]) -> None:
    """Run steps in a thread that knows nothing of the context here."""
    with ThreadPoolExecutor(1) as executor:
        for step in steps:
            executor.submit(step).result()


def test_executor_without_context_leaves_the_sums_out(seen: Capture, gpt: openai.OpenAI, said: Said) -> None:
    with task("support") as run, ThreadPoolExecutor(2) as executor:
        ask(gpt)
        list(executor.map(ask, [gpt, gpt, gpt]))
        receipt = run.receipt()
    assert read_sums(seen) == {**NO_TOOLS, "unattributed": 3}
    assert receipt["otel_agentops.task.unattributed"] == 3
    assert "otel_agentops.task.llm_calls" not in receipt
    assert said() == [
        "'chat gpt-x' ran outside of any task while the task 'support' was open, so the sums of that task are not "
        "known and are left out: hand the context to the thread with contextvars.copy_context().run, or install "
        "otel-agentops[threads], which does it for all threads and executors; work that is no part of a task needs a "
        "task or a server span of its own"
    ]


def test_executor_with_a_copied_context_is_summed(seen: Capture, gpt: openai.OpenAI, said: Said) -> None:
    with task("support"):
        copies = [contextvars.copy_context() for _ in range(2)]
        run_elsewhere(*(lambda copied=copied: copied.run(ask, gpt) for copied in copies))
    assert read_sums(seen) == {**NO_TOOLS, **TWO_CALLS}
    assert said() == []


def test_extra_for_threads_hands_the_task_over(seen: Capture, gpt: openai.OpenAI, said: Said) -> None:
    ThreadingInstrumentor().instrument()
    try:
        with task("support"), ThreadPoolExecutor(2) as executor:
            list(executor.map(ask, [gpt, gpt]))
    finally:
        ThreadingInstrumentor().uninstrument()
    assert read_sums(seen) == {**NO_TOOLS, **TWO_CALLS}
    assert said() == []


async def test_worker_made_before_the_task_is_unattributed(seen: Capture, async_gpt: openai.AsyncOpenAI) -> None:
    queue: asyncio.Queue[None] = asyncio.Queue()

    async def work() -> None:
        await queue.get()
        await async_gpt.chat.completions.create(model="gpt-x", messages=MESSAGES)

    worker = asyncio.create_task(work())
    async with task("support"):
        queue.put_nowait(None)
        await worker
    assert read_sums(seen) == {**NO_TOOLS, "unattributed": 1}


def test_each_kind_loses_its_own_sums(seen: Capture, gpt: openai.OpenAI) -> None:
    def retrieve() -> None:
        with retrieval("articles") as query:
            query.documents(["a"])

    with task("support") as run:
        run.used(["a"])
        ask(gpt)
        ask(gpt)
        run_elsewhere(look_up)
    assert read_sums(seen) == {
        "agents": 0, "depth": 0, **TWO_CALLS, "unattributed": 1, "documents_used": 1, "documents_unfounded": 1,
    }  # fmt: skip
    with task("support") as run:
        run.used(["a"])
        run_elsewhere(retrieve)
    assert read_sums(seen) == {**NO_TOOLS, "llm_calls": 0, "llm_attempts": 0, "unattributed": 1, "documents_used": 1}


def test_call_inside_a_lost_tool_is_unattributed(seen: Capture, gpt: openai.OpenAI) -> None:
    @tool("summarise")
    def summarise() -> None:
        ask(gpt)

    with task("support"):
        run_elsewhere(summarise)
    assert read_sums(seen) == {"agents": 0, "depth": 0, "unattributed": 2}


def test_span_of_a_framework_in_a_thread_is_unattributed(seen: Capture) -> None:
    tracer = seen.tracer_provider.get_tracer("a.framework")
    start = {"name": "execute_tool lookup", "attributes": {"gen_ai.operation.name": "execute_tool"}}
    with task("support"):
        run_elsewhere(lambda: tracer.start_span(**start).end())
    assert read_sums(seen) == {"agents": 0, "depth": 0, "llm_calls": 0, "llm_attempts": 0, "unattributed": 1}


@pytest.mark.parametrize("kind", [SpanKind.SERVER, SpanKind.CONSUMER])
def test_request_without_a_task_is_not_the_tasks(seen: Capture, gpt: openai.OpenAI, said: Said, kind: SpanKind) -> None:
    tracer = seen.tracer_provider.get_tracer("a.server")

    def serve() -> None:
        with tracer.start_as_current_span("request", kind=kind):
            ask(gpt)
            with tracer.start_as_current_span("step"):
                look_up()

    with task("support"):
        ask(gpt)
        ask(gpt)
        run_elsewhere(serve)
    assert read_sums(seen) == {**NO_TOOLS, **TWO_CALLS}
    assert said() == []


def test_every_open_task_may_have_lost_the_call(seen: Capture, gpt: openai.OpenAI) -> None:
    def run_task() -> None:
        with task("other"):
            run_elsewhere(lambda: ask(gpt))

    with task("support"):
        run_elsewhere(run_task)
    assert read_sums(seen) == {**NO_TOOLS, "unattributed": 1}
    with task("support"):
        run_elsewhere(lambda: None)
    assert read_sums(seen) == {**NO_TOOLS, "llm_calls": 0, "llm_attempts": 0}


def test_no_task_stays_open(seen: Capture) -> None:
    def stream() -> Iterator[int]:
        with task("support"):
            yield len(open_tasks)

    with pytest.raises(RuntimeError), task("support"):
        raise RuntimeError
    abandoned = stream()
    assert next(abandoned) == 1
    del abandoned
    gc.collect()
    assert open_tasks == {}
