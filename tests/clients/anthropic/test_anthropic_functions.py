"""Functions that a tool runner of the client executes: one `execute_tool` span for each execution."""

from __future__ import annotations

import json
from typing import Any

import anthropic
import pytest
from anthropic.lib.tools import ToolError
from both import done
from expected_claude import CALL

from otel_agentops import task, tool
from otel_agentops._hashing import identity
from otel_agentops.testing import SECONDS, Capture, Record
from otel_agentops.testing.fake_provider import Answer, FakeProvider, ToolCall

IN_ROME = ToolCall("weather", '{"town": "Rome"}')


def weather(town: str) -> str:
    """The weather in a town."""
    return "sunny"


async def weather_async(town: str) -> str:
    return weather(town)


weather_async.__name__, weather_async.__doc__ = weather.__name__, weather.__doc__


def refuse(town: str) -> str:
    """Refuse a town."""
    raise ToolError("a secret that no span may quote")


async def refuse_async(town: str) -> str:
    return refuse(town)


refuse_async.__name__, refuse_async.__doc__ = refuse.__name__, refuse.__doc__


@pytest.fixture
def functions(kind: str) -> list[Any]:
    return [weather, refuse] if kind == "sync" else [weather_async, refuse_async]


@pytest.fixture
def decorate(kind: str) -> Any:
    return anthropic.beta_tool if kind == "sync" else anthropic.beta_async_tool


def call_first(provider: FakeProvider, *calls: ToolCall) -> None:
    """Have the model call tools before it answers."""
    provider.answer(lambda call: Answer(tool_calls=calls) if len(provider.requests) == 1 else Answer())


def describe_execution(seen: Capture, name: str, error: str | None = None) -> Record:
    offered = next(span for span in seen.spans if "otel_agentops.tools.versions" in span["attributes"])
    hashes = dict(version.split("@") for version in offered["attributes"]["otel_agentops.tools.versions"])
    attributes = {
        "error.type": error,
        "gen_ai.operation.name": "execute_tool",
        "gen_ai.tool.name": name,
        "gen_ai.tool.type": "function",
        "otel_agentops.tool.hash": hashes[name],
        "otel_agentops.tool.result.shape": None if error else identity(["$: text"]),
        "otel_agentops.tool.result.empty": None if error else False,
    }
    return {
        "name": f"execute_tool {name}",
        "kind": "INTERNAL",
        "status": "ERROR" if error else "UNSET",
        "parent": None,
        "attributes": {key: value for key, value in attributes.items() if value is not None},
    }


def list_executions(seen: Capture) -> list[Record]:
    return [span for span in seen.spans if span["attributes"]["gen_ai.operation.name"] == "execute_tool"]


async def test_function_is_one_execution(
    provider: FakeProvider, seen: Capture, claude: Any, functions: Any, decorate: Any
) -> None:
    call_first(provider, IN_ROME, ToolCall("refuse", '{"town": "Rome"}'), ToolCall("weather", '{"place": "Rome"}'))
    await done(claude.beta.messages.tool_runner(**CALL, tools=[decorate(each) for each in functions]).until_done())
    assert list_executions(seen) == [
        describe_execution(seen, "weather"),
        describe_execution(seen, "refuse", "anthropic.lib.tools._beta_functions.ToolError"),
        describe_execution(seen, "weather", "ValueError"),
    ]
    durations = seen.metrics["gen_ai.execute_tool.duration"]
    assert [(point["count"], point["sum"]) for point in durations] == [(1, SECONDS)] * 3
    assert "sunny" in str(provider.requests[-1].body)
    assert "secret" not in str(seen.spans)


async def test_task_counts_executions(
    provider: FakeProvider, seen: Capture, claude: Any, functions: Any, decorate: Any
) -> None:
    call_first(provider, IN_ROME, IN_ROME, ToolCall("refuse", '{"town": "Rome"}'))
    with task("forecast", id="t1"):
        await done(claude.beta.messages.tool_runner(**CALL, tools=[decorate(each) for each in functions]).until_done())
    root = seen.spans[-1]["attributes"]
    sums = {"llm_calls": 2, "tool_calls": 3, "tool_failures": 1, "tool_repeats": 2}
    assert {f"otel_agentops.task.{name}": count for name, count in sums.items()}.items() <= root.items()


async def test_decorated_function_has_one_span(
    provider: FakeProvider, seen: Capture, claude: Any, functions: Any, decorate: Any
) -> None:
    call_first(provider, IN_ROME)
    function = decorate(tool("weather", effect="read")(functions[0]))
    await done(claude.beta.messages.tool_runner(**CALL, tools=[function]).until_done())
    (execution,) = list_executions(seen)
    assert execution["attributes"]["otel_agentops.tool.effect"] == "read"


async def test_content_has_arguments_and_result(
    provider: FakeProvider, content: Capture, claude: Any, functions: Any, decorate: Any
) -> None:
    call_first(provider, IN_ROME)
    await done(claude.beta.messages.tool_runner(**CALL, tools=[decorate(functions[0])]).until_done())
    (execution,) = list_executions(content)
    names = ("gen_ai.tool.description", "gen_ai.tool.call.arguments", "gen_ai.tool.call.result")
    described = [execution["attributes"][name] for name in names]
    assert [described[0], json.loads(described[1]), described[2]] == [weather.__doc__, {"town": "Rome"}, "sunny"]
