"""A call has three spans of the library and none of ours; those of its client and its server get what they lack."""

from __future__ import annotations

from typing import Any

import fastmcp
import pytest
from documented_starts import find_order, run_start
from fastmcp.exceptions import ToolError
from mcp.types import ToolAnnotations

import otel_agentops
from otel_agentops.frameworks.fastmcp import Instrumentor
from otel_agentops.testing import Capture, Record

CALLS = ["tools/call add", "MCP send tools/call add", "tools/call add"]  # as they end: server, message, client


def make_server() -> Any:
    server: Any = fastmcp.FastMCP("calculator", version="3.2.1")

    @server.tool(version="2.0", annotations=ToolAnnotations(readOnlyHint=True))
    def add(a: int, b: int) -> int:
        """Add two numbers."""
        return a + b

    @server.tool
    def refuse() -> str:
        """Fail."""
        raise ValueError("a secret that no attribute may quote")

    @server.tool
    def research(question: str) -> str:
        """Look something up."""
        with otel_agentops.task("research"), otel_agentops.tool("search", arguments={"question": question}):
            return "found"

    return server


def list_calls(seen: Capture, name: str = "add") -> list[Record]:
    return [span for span in seen.spans if span["name"].endswith(f"tools/call {name}")]


async def test_call_is_three_spans_of_the_library(seen: Capture) -> None:
    async with fastmcp.Client(make_server()) as client:
        await client.list_tools()
        result = await client.call_tool("add", {"a": 1, "b": 2})
    assert result.data == 3
    server, message, called = list_calls(seen)
    assert [(span["kind"], span["parent"]) for span in (server, message, called)][1:] == [
        ("CLIENT", "tools/call add"), ("CLIENT", None),
    ]  # fmt: skip
    ours = [
        {key: value for key, value in span["attributes"].items() if key.startswith("otel_agentops")}
        for span in (server, called)
    ]
    common = {
        "otel_agentops.tool.effect": "read",
        "otel_agentops.tool.tier": "medium",
        "otel_agentops.tool.server": "calculator",
        "otel_agentops.tool.version": "2.0",
        "otel_agentops.tool.hash": ours[1]["otel_agentops.tool.hash"],
    }
    assert ours[0] == {**common, "otel_agentops.tool.counted_elsewhere": True}
    result_keys = {key: ours[1].pop(f"otel_agentops.tool.result.{key}") for key in ("shape", "empty")}
    assert ours[1] == common
    assert result_keys["empty"] is False
    assert len({span.context.trace_id for span in seen.finished_spans if span.name in CALLS}) == 1


async def test_tool_that_was_not_listed_has_its_version(seen: Capture) -> None:
    """Its client learns it from the list, which the library asks for to check the first result."""
    async with fastmcp.Client(make_server()) as client:
        await client.call_tool("add", {"a": 1, "b": 2})
        await client.call_tool("add", {"a": 1, "b": 2})
    versions = [span["attributes"].get("otel_agentops.tool.version") for span in list_calls(seen)]
    assert versions == ["2.0", None, "3.2.1", "2.0", None, "2.0"]


async def test_failure_is_one_of_both_sides(seen: Capture) -> None:
    async with fastmcp.Client(make_server()) as client:
        with pytest.raises(ToolError):
            await client.call_tool("refuse", {})
    server, _, called = list_calls(seen, "refuse")
    assert [(span["status"], span["attributes"]["error.type"]) for span in (server, called)] == [
        ("ERROR", "tool_error")
    ] * 2
    assert "secret" not in str([span["attributes"] for span in seen.spans])


async def test_task_counts_a_call_once(seen: Capture) -> None:
    async with fastmcp.Client(make_server()) as client:
        with otel_agentops.task("sum") as run:
            await client.call_tool("add", {"a": 1, "b": 2})
            await client.call_tool("refuse", {}, raise_on_error=False)
    (root,) = [span["attributes"] for span in seen.spans if span["name"] == "invoke_workflow sum"]
    assert [root[f"otel_agentops.task.{name}"] for name in ("tool_calls", "tool_failures", "agents")] == [2, 1, 0]
    assert "otel_agentops.task.unattributed" not in root
    calls = [*list_calls(seen), *list_calls(seen, "refuse")]
    tools = [span for span in calls if not span["name"].startswith("MCP")]
    assert {span["attributes"]["otel_agentops.task.id"] for span in tools} == {run.id}


async def test_agent_behind_a_tool_is_in_one_sum(seen: Capture) -> None:
    async with fastmcp.Client(make_server()) as client:
        with otel_agentops.task("support"):
            await client.call_tool("research", {"question": "Where?"})
    (root,) = [span["attributes"] for span in seen.spans if span["name"] == "invoke_workflow support"]
    (agent,) = [span["attributes"] for span in seen.spans if span["name"] == "invoke_agent research"]
    counts = root["otel_agentops.task.tool_calls"] + agent.get("otel_agentops.task.tool_calls", 0)
    assert counts == 2
    assert root["otel_agentops.task.id"] == agent["otel_agentops.task.id"]


def test_uninstrumented_server_is_itself_again() -> None:
    import fastmcp.server.server as module

    before = module.server_span
    instrumentor = Instrumentor()
    instrumentor.instrument()
    assert module.server_span is not before
    instrumentor.uninstrument()
    assert module.server_span is before


def test_documented_start_counts_the_call(seen: Capture) -> None:
    run_start("FastMCP", find_order=find_order)
    server, _, called = list_calls(seen, "find_order")
    assert [span["attributes"]["otel_agentops.tool.server"] for span in (server, called)] == ["orders", "orders"]
