"""A query is a task, or an agent of one: calls and tokens once, tools with their failures, the cost as reported."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from agent_runs import OUTCOME, describe_root, find_span, read_sums
from claude_agent_sdk import (
    AgentDefinition,
    ClaudeAgentOptions,
    ClaudeSDKClient,
    ResultMessage,
    create_sdk_mcp_server,
    query,
    tool,
)
from documented_starts import run_start

import otel_agentops
from otel_agentops._context import NO_SCOPE, current_scope
from otel_agentops.frameworks.claude_agent_sdk import Instrumentor
from otel_agentops.testing import Capture
from otel_agentops.testing.fake_provider import ToolCall

pytestmark = pytest.mark.usefixtures("provider")
Make = Callable[..., ClaudeAgentOptions]
ROOT = "invoke_workflow claude_agent"
SUMS = ("agents", "depth", "llm_calls", "tool_calls", "tool_failures", "input_tokens", "output_tokens")


async def ask(options: ClaudeAgentOptions) -> list[Any]:
    return [message async for message in query(prompt="Where is my parcel?", options=options)]


async def ask_client(options: ClaudeAgentOptions) -> list[Any]:
    async with ClaudeSDKClient(options) as client:
        await client.query("Where is my parcel?")
        return [message async for message in client.receive_response()]


every_way = pytest.mark.parametrize("one", [ask, ask_client])


def sums_of(seen: Capture, name: str = ROOT) -> list[Any]:
    return read_sums(find_span(seen, name), *SUMS)


def find_result(messages: list[Any]) -> ResultMessage:
    (result,) = [message for message in messages if isinstance(message, ResultMessage)]
    return result


@every_way
def test_query_is_the_task(
    seen: Capture, make_options: Make, requests: list[ToolCall], one: Callable[..., Any], tmp_path: Path
) -> None:
    (tmp_path / "order.txt").write_text("sent")
    requests.append(ToolCall("Read", f'{{"file_path": "{tmp_path}/order.txt"}}'))
    result = find_result(asyncio.run(one(make_options(allowed_tools=["Read"]))))
    root = find_span(seen, ROOT)
    values = root["attributes"]
    assert values.pop("otel_agentops.task.started_at") > 1_700_000_000
    task_id = values.pop("otel_agentops.task.id")
    assert root == describe_root(
        "claude_agent",
        **{
            "gen_ai.conversation.id": result.session_id,
            "otel_agentops.task.cost": pytest.approx(result.total_cost_usd),
            "otel_agentops.task.llm_attempts": None,
            "otel_agentops.task.values": ["model/claude-x=claude-x-2026-03-01"],
        },
    )
    call = find_span(seen, "execute_tool Read")
    shape = call["attributes"].pop("otel_agentops.tool.result.shape")
    assert shape
    assert call == {
        "name": "execute_tool Read",
        "kind": "INTERNAL",
        "status": "UNSET",
        "parent": ROOT,
        "attributes": {
            "gen_ai.operation.name": "execute_tool",
            "gen_ai.tool.call.id": "toolu_1",
            "gen_ai.tool.name": "Read",
            "gen_ai.tool.type": "function",
            "otel_agentops.task.id": task_id,
            "otel_agentops.task.name": "claude_agent",
            "otel_agentops.tool.result.empty": False,
        },
    }
    assert len(seen.spans) == 2


@every_way
def test_failed_tool_is_a_failure(
    seen: Capture, make_options: Make, requests: list[ToolCall], one: Callable[..., Any], tmp_path: Path
) -> None:
    requests.append(ToolCall("Read", f'{{"file_path": "{tmp_path}/nothing.txt"}}'))
    asyncio.run(one(make_options(allowed_tools=["Read"])))
    call = find_span(seen, "execute_tool Read")
    assert (call["status"], call["attributes"]["error.type"]) == ("ERROR", "tool_error")
    assert (find_span(seen, ROOT)["attributes"][OUTCOME], sums_of(seen)[3:5]) == ("completed", [1, 1])


@every_way
def test_query_in_a_task_is_an_agent_of_it(seen: Capture, make_options: Make, one: Callable[..., Any]) -> None:
    with otel_agentops.task("trip"):
        asyncio.run(one(make_options()))
    assert sums_of(seen, "invoke_workflow trip") == [1, 1, 1, 0, 0, 11, 5]


def test_subagent_is_an_agent(
    seen: Capture,
    make_options: Make,
    requests: list[ToolCall],
    agent_requests: list[ToolCall],
    answered: list[Any],
    tmp_path: Path,
) -> None:
    """It goes on after the tool that started it has returned."""
    (tmp_path / "order.txt").write_text("sent")
    helper = AgentDefinition(description="Looks up", prompt="Look up.", tools=["Read"])
    requests.append(ToolCall("Agent", '{"description": "look", "prompt": "look", "subagent_type": "helper"}'))
    agent_requests.append(ToolCall("Read", f'{{"file_path": "{tmp_path}/order.txt"}}'))
    asyncio.run(ask(make_options(agents={"helper": helper}, allowed_tools=["Agent", "Read"])))
    calls = len(answered)
    assert sums_of(seen) == [1, 1, calls, 2, 0, 11 * calls, 5 * calls]
    assert find_span(seen, "invoke_agent helper")["parent"] == "execute_tool Agent"
    assert find_span(seen, "execute_tool Read")["parent"] == "invoke_agent helper"


def test_tool_of_this_process_is_that_of_its_server(
    seen: Capture, make_options: Make, requests: list[ToolCall]
) -> None:
    @tool("add", "Add two numbers.", {"a": int, "b": int})
    async def add(arguments: dict[str, Any]) -> dict[str, Any]:
        return {"content": [{"type": "text", "text": str(arguments["a"] + arguments["b"])}]}

    requests.append(ToolCall("mcp__calc__add", '{"a": 1, "b": 2}'))
    server = create_sdk_mcp_server("calc", "2.1.0", [add])
    asyncio.run(ask(make_options(mcp_servers={"calc": server}, allowed_tools=["mcp__calc__add"])))
    (call,) = [span for span in seen.spans if span["attributes"].get("gen_ai.operation.name") == "execute_tool"]
    assert (call["name"], call["kind"], call["attributes"]["otel_agentops.tool.version"]) == (
        "tools/call add", "SERVER", "2.1.0",
    )  # fmt: skip
    assert len(call["attributes"]["otel_agentops.tool.hash"]) == 16
    assert sums_of(seen) == [0, 0, 2, 1, 0, 22, 10]


def test_second_query_of_a_session_has_its_own_sums(seen: Capture, make_options: Make) -> None:
    async def run() -> None:
        async with ClaudeSDKClient(make_options()) as client:
            for question in ("Where is my parcel?", "And now?"):
                await client.query(question)
                assert [message async for message in client.receive_response()]

    asyncio.run(run())
    roots = [span["attributes"] for span in seen.spans if span["name"] == ROOT]
    assert [root["otel_agentops.task.input_tokens"] for root in roots] == [11, 11]
    costs = [root["otel_agentops.task.cost"] for root in roots]
    assert costs[0] == pytest.approx(costs[1])


@every_way
def test_too_many_turns_are_a_failure(
    seen: Capture, make_options: Make, requests: list[ToolCall], one: Callable[..., Any], tmp_path: Path
) -> None:
    requests += [ToolCall("Read", f'{{"file_path": "{tmp_path}/nothing.txt"}}')] * 3
    try:
        asyncio.run(one(make_options(allowed_tools=["Read"], max_turns=1)))
    except Exception as error:  # noqa: BLE001  newer ones raise what the result says
        assert "turn" in str(error)
    values = find_span(seen, ROOT)["attributes"]
    assert values[OUTCOME] == "failed"
    assert "otel_agentops.task.llm_calls" in values


def test_stream_left_early_is_cancelled(seen: Capture, make_options: Make) -> None:
    async def read() -> None:
        async with ClaudeSDKClient(make_options()) as client:
            await client.query("Where is my parcel?")
            stream = client.receive_response()
            await anext(stream)
            assert current_scope() is NO_SCOPE
            await stream.aclose()  # type: ignore[attr-defined]

    asyncio.run(read())
    values = find_span(seen, ROOT)["attributes"]
    assert values[OUTCOME] == "cancelled"
    assert "otel_agentops.task.cost" not in values


def test_uninstrumented_client_is_itself_again() -> None:
    before = ClaudeSDKClient.receive_response
    instrumentor = Instrumentor()
    instrumentor.instrument()
    assert ClaudeSDKClient.receive_response is not before
    instrumentor.uninstrument()
    assert ClaudeSDKClient.receive_response is before


def test_documented_start_is_a_task(make_options: Make, seen: Capture, monkeypatch: pytest.MonkeyPatch) -> None:
    options = make_options()
    for name, value in options.env.items():
        monkeypatch.setenv(name, value)
    monkeypatch.chdir(str(options.cwd))
    run_start("Claude Agent SDK")
    root = find_span(seen, "invoke_workflow support")
    assert (root["attributes"][OUTCOME], *read_sums(root, "llm_calls", "tool_calls")) == ("completed", 1, 0)
