"""The first lines of each section of docs/frameworks.md, run as they are written, on a provider on loopback."""

from __future__ import annotations

import ast
import asyncio
import inspect
import json
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from agent_runs import OUTCOME

from otel_agentops.testing import Capture
from otel_agentops.testing.fake_provider import Answer, Call, FakeProvider, ToolCall

PAGE = Path(__file__).parents[2] / "docs" / "frameworks.md"
STARTED = ["invoke_workflow support", "completed", 2, 1, 0]  # two calls of the model, and a tool that did not fail
_FACTS = ("outcome", "llm_calls", "tool_calls", "tool_failures")
FOUND = "the order is on its way"
_BLOCK = r"^## {}\n\n```python\n(.*?)^```"


def find_order(order: str) -> str:
    """Return where an order is.

    Args:
        order: The number of the order.
    """
    return f"{FOUND}: {order}"


def read_start(heading: str) -> str:
    """Return the block of Python that begins a section."""
    block = re.search(_BLOCK.format(re.escape(heading)), PAGE.read_text(), re.DOTALL | re.MULTILINE)
    assert block is not None, f"no block follows the heading {heading}"
    return block[1]


def run_start(heading: str, *replacements: tuple[str, str], **names: Any) -> Mapping[str, Any]:
    """Run the block of a section, and return its variables.

    Args:
        heading: That of the section.
        *replacements: Of an address in the block by one that is served here.
        **names: Variables that the block leaves to the reader.
    """
    text = read_start(heading)
    for written, here in replacements:
        assert written in text
        text = text.replace(written, here)
    code = compile(text, str(PAGE), "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
    running = eval(code, names)
    if inspect.iscoroutine(running):
        asyncio.run(running)
    return names


def use_tool_once(call: Call) -> Answer:
    """Ask for `find_order` if it is offered and did not run; then answer, by a tool if an answer is one."""
    body = json.dumps(call.body)
    if '"find_order"' in body and FOUND not in body:
        return Answer(text="", tool_calls=(ToolCall("find_order", '{"order": "4711"}'),))
    if '"final_answer"' in body:
        return Answer(text="", tool_calls=(ToolCall("final_answer", '{"answer": "On its way."}'),))
    return Answer("On its way.")


def run_agent(
    heading: str,
    provider: FakeProvider,
    seen: Capture,
    monkeypatch: pytest.MonkeyPatch,
    answer: Callable[[Call], Answer] | None = use_tool_once,
    **names: Any,
) -> list[Any]:
    """Run the agent of a section, and return what its task says.

    Args:
        heading: That of the section.
        provider: The provider that answers.
        seen: What our instrumentations emit.
        monkeypatch: For the variables that clients read.
        answer: Who decides the answers; None if the provider has them.
        **names: Variables that the block leaves to the reader, beside `find_order`.
    """
    point_clients_to(provider, monkeypatch)
    if answer is not None:
        provider.answer(answer)
    run_start(heading, **{"find_order": find_order, **names})
    tasks = [span for span in seen.spans if OUTCOME in span["attributes"]]
    assert len(tasks) == 1, [span["name"] for span in seen.spans]
    return [tasks[0]["name"], *(tasks[0]["attributes"].get(f"otel_agentops.task.{name}") for name in _FACTS)]


def point_clients_to(provider: FakeProvider, monkeypatch: pytest.MonkeyPatch) -> None:
    """Point the clients of models to a provider, by the variables that they read."""
    variables = {
        "OPENAI_API_KEY": "k",
        "OPENAI_API_BASE": provider.openai_url,
        "OPENAI_BASE_URL": provider.openai_url,
        "AWS_ACCESS_KEY_ID": "k",
        "AWS_SECRET_ACCESS_KEY": "k",
        "AWS_REGION": "us-west-2",
        "AWS_ENDPOINT_URL_BEDROCK_RUNTIME": provider.url,
        "GOOGLE_API_KEY": "k",
        "GOOGLE_GEMINI_BASE_URL": provider.url,
    }
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
