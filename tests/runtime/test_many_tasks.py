"""A thousand tasks at once, nested, in loops, threads and executors: the sums of each are exact."""

from __future__ import annotations

import asyncio
import contextvars
import importlib
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import openai
import pytest

import otel_agentops
from otel_agentops.clients.openai import Instrumentor
from otel_agentops.testing import capture

HTTP: Any = importlib.import_module(openai.DefaultHttpxClient.__mro__[1].__module__.partition(".")[0])  # httpx, httpx2
COUNT = 1000
NAMES = ("llm_calls", "tool_calls", "tool_failures", "agents", "depth", "input_tokens", "output_tokens")
ANSWER = {
    "id": "chatcmpl-1",
    "object": "chat.completion",
    "created": 1,
    "model": "gpt-x",
    "choices": [{"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": "hi"}}],
    "usage": {"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5},
}


def expected_sums(number: int) -> tuple[int, ...]:
    """Return the sums of a task whose inner agent makes as many calls as the number says."""
    calls = 1 + number % 2
    return (calls, 2, number % 2, 2, 2, 3 * calls, 2 * calls)


async def work(client: openai.AsyncOpenAI, pool: ThreadPoolExecutor, number: int) -> None:
    def search() -> None:
        with otel_agentops.tool("search"):
            pass

    async def ask() -> None:
        await client.chat.completions.create(model="gpt-x", messages=[{"role": "user", "content": "hi"}])

    async with otel_agentops.task(f"task {number}"):
        in_thread = asyncio.get_running_loop().run_in_executor(pool, contextvars.copy_context().run, search)
        async with otel_agentops.task("agent"):
            await ask()
            async with otel_agentops.task("inner"):
                await asyncio.gather(*(ask() for _ in range(number % 2)))
                with otel_agentops.tool("write") as writing:
                    if number % 2:
                        writing.fail()
        await in_thread


@pytest.mark.slow
@pytest.mark.rotation("long runs", "many tasks", 9, seconds=15)
def test_sums_of_a_thousand_tasks_at_once_are_exact() -> None:
    async def run_all() -> None:
        transport = HTTP.MockTransport(lambda request: HTTP.Response(200, json=ANSWER))
        async with HTTP.AsyncClient(transport=transport) as http:
            client = openai.AsyncOpenAI(api_key="k", http_client=http)
            with ThreadPoolExecutor(8) as pool:
                await asyncio.gather(*(work(client, pool, number) for number in range(COUNT)))

    with capture(Instrumentor()) as seen:
        asyncio.run(run_all())
        roots = [span["attributes"] for span in seen.spans if span["name"].startswith("invoke_workflow task")]
    sums = {
        root["otel_agentops.task.name"]: tuple(root.get(f"otel_agentops.task.{name}") for name in NAMES)
        for root in roots
    }
    assert sums == {f"task {number}": expected_sums(number) for number in range(COUNT)}
