"""One `tools/call` is one execution of a tool: its hash, its failure, and its place in a task; in both majors."""

from __future__ import annotations

import asyncio
import datetime
import json
from typing import Any

import mcp
import pytest
from documented_starts import find_order, run_start
from mcp.types import CallToolResult, ListToolsResult, Tool, ToolAnnotations
from mcp_sessions import IS_2, Connect, ConnectTo, connect_in_memory
from opentelemetry.instrumentation.utils import suppress_instrumentation
from tool_server import VERSION, make_server

try:
    from mcp.server.mcpserver import Context
except ImportError:  # 1.x
    from mcp.server.fastmcp import Context

import otel_agentops
from otel_agentops._hashing import identity
from otel_agentops.frameworks._runs import ToolRun
from otel_agentops.frameworks.mcp import Instrumentor, ToolSchemas, read_result, read_tool
from otel_agentops.operations import ToolResult
from otel_agentops.testing import Capture, Record, capture

RESULT = "otel_agentops.tool.result."
ADD = {
    "name": "add",
    "description": "Add two numbers.",
    "input_schema": {
        "type": "object",
        "title": "addArguments",
        "properties": {"a": {"title": "A", "type": "integer"}, "b": {"title": "B", "type": "integer"}},
        "required": ["a", "b"],
    },
    "output_schema": {
        "type": "object",
        "title": "addOutput",
        "properties": {"result": {"title": "Result", "type": "integer"}},
        "required": ["result"],
    },
    "annotations": {"readOnlyHint": True},
}
REFUSE = {
    "name": "refuse",
    "description": "Fail.",
    "input_schema": {"type": "object", "title": "refuseArguments", "properties": {}},
    "output_schema": {
        "type": "object",
        "title": "refuseOutput",
        "properties": {"result": {"title": "Result", "type": "string"}},
        "required": ["result"],
    },
}
WAIT = {
    "name": "wait",
    "description": "Answer too late.",
    "input_schema": {"type": "object", "title": "waitArguments", "properties": {}},
    "output_schema": {
        "type": "object",
        "title": "waitOutput",
        "properties": {"result": {"title": "Result", "type": "string"}},
        "required": ["result"],
    },
}


SUM = identity(sorted(["$: object", "$.result: number"]))  # the shape of a number, which the server wraps


def describe_span(tool: str, schema: Record | None = None, error: str | None = None, **more: Any) -> Record:
    is_read = schema is ADD  # the only one that says so
    facts = {
        "otel_agentops.tool.hash": schema and identity(schema),
        "otel_agentops.tool.effect": "read" if is_read else "irreversible",
        "otel_agentops.tool.tier": "medium" if is_read else "critical",
    }
    attributes = {
        "gen_ai.operation.name": "execute_tool",
        "gen_ai.tool.name": tool,
        "gen_ai.tool.type": "function",
        "mcp.method.name": "tools/call",
        "otel_agentops.tool.server": "calculator",
        "otel_agentops.tool.version": VERSION,
        **(facts if schema else {}),
        **({"error.type": error} if error else {RESULT + "shape": SUM, RESULT + "empty": False}),
    }
    span = {
        "name": f"tools/call {tool}",
        "kind": "CLIENT",
        "status": "ERROR" if error else "UNSET",
        "parent": None,
        "attributes": dict(sorted(attributes.items())),
    }
    return {**span, **more}


def find_root(seen: Capture, name: str = "sum") -> Record:
    (root,) = [span for span in seen.spans if span["name"] == f"invoke_workflow {name}"]
    return root["attributes"]


def list_calls(seen: Capture) -> list[Record]:
    """Return the spans of the client, whose protocol is the newest that the transport has."""
    calls = [span for span in seen.spans if span["kind"] == "CLIENT" and span["name"].startswith("tools/call")]
    for call in calls:
        assert call["attributes"].pop("mcp.protocol.version") >= "2025-06-18"
    return calls


def list_ours(seen: Capture) -> list[str]:
    return [span["name"] for span in list_calls(seen)]


async def test_call_is_one_span_with_the_listed_hash(seen: Capture, connect: Connect) -> None:
    async with connect() as session:
        await session.list_tools()
        result = await session.call_tool("add", {"a": 1, "b": 2})
    assert result.content[0].text == "3"
    assert list_calls(seen) == [describe_span("add", ADD)]
    assert seen.metrics == {}


async def test_arguments_are_read_by_keyword_as_well(seen: Capture, connect: Connect) -> None:
    async with connect() as session:
        await session.list_tools()
        await session.call_tool(arguments={"a": 1, "b": 2}, name="add")
    assert list_calls(seen) == [describe_span("add", ADD)]


async def test_result_that_is_an_error_fails_the_span(seen: Capture, connect: Connect) -> None:
    async with connect() as session:
        await session.list_tools()
        await session.call_tool("refuse", {})
        await session.call_tool("unknown", {})
        await session.call_tool("add", {"a": "one"})
    assert list_calls(seen) == [
        describe_span("refuse", REFUSE, "tool_error"),
        describe_span("unknown", None, "tool_error"),
        describe_span("add", ADD, "tool_error"),
    ]
    assert "secret" not in str(seen.spans)


@pytest.mark.parametrize(
    ("result", "value"),
    [
        ({"structuredContent": {"result": []}, "content": []}, {"result": []}),
        ({"content": [{"type": "text", "text": '{"items": []}'}]}, '{"items": []}'),
        ({"content": [{"type": "text", "text": ""}]}, ""),
        ({"content": [{"type": "text", "text": "1"}, {"type": "text", "text": "2"}]}, ["1", "2"]),
        ({"content": [{"type": "image", "data": "", "mimeType": "image/png"}]}, {"type": "image"}),
        ({"content": []}, []),
    ],
)
def test_result_is_its_structure_or_its_texts(result: Record, value: object) -> None:
    assert read_result(CallToolResult.model_validate(result)) == ToolResult(value=value)


async def test_exception_is_the_one_of_the_library(seen: Capture, connect: Connect) -> None:
    async with connect() as session:
        await session.list_tools()
        with pytest.raises(mcp.MCPError if IS_2 else mcp.McpError) as raised:
            await session.call_tool("wait", {}, 0.1 if IS_2 else datetime.timedelta(seconds=0.1))
    assert list_calls(seen) == [describe_span("wait", WAIT, str(raised.value.error.code))]


async def test_exception_without_a_code_is_named(seen: Capture) -> None:
    async with connect_in_memory() as session:
        with pytest.raises(Exception, match="validation error") as raised:
            await session.call_tool(1, {})
    (span,) = list_calls(seen)
    assert span["attributes"]["error.type"] == f"{raised.type.__module__}.{raised.type.__qualname__}"


async def test_tool_that_was_not_listed_has_no_hash(seen: Capture, connect: Connect) -> None:
    """The library lists the tools by itself to check the first result, so the second call knows more."""
    async with connect() as session:
        await session.call_tool("add", {"a": 1, "b": 2})
        await session.call_tool("add", {"a": 1, "b": 2})
    assert list_calls(seen) == [describe_span("add"), describe_span("add", ADD)]


@pytest.mark.usefixtures("native")
async def test_task_counts_each_call_once(seen: Capture, connect: Connect) -> None:
    with otel_agentops.task("sum"):
        async with connect() as session:
            await session.call_tool("add", {"a": 1, "b": 2})
            await session.call_tool("add", {"a": 1, "b": 2})
            await session.call_tool("refuse", {})
    root = find_root(seen)
    assert list_ours(seen) == ["tools/call add", "tools/call add", "tools/call refuse"]
    assert root["otel_agentops.task.tool_calls"] == 3
    assert root["otel_agentops.task.tool_failures"] == 1
    assert root["otel_agentops.task.tool_repeats"] == 2


@pytest.mark.usefixtures("native")
async def test_span_of_framework_is_enriched_and_counted_once(seen: Capture, connect: Connect) -> None:
    tracer = seen.tracer_provider.get_tracer("framework")
    attributes = {"gen_ai.operation.name": "execute_tool", "gen_ai.tool.name": "add"}
    with otel_agentops.task("sum"):
        async with connect() as session:
            await session.list_tools()
            with tracer.start_as_current_span("execute_tool add", attributes=attributes):
                await session.call_tool("add", {"a": 1, "b": 2})
    (framework,) = [span for span in seen.spans if span["name"] == "execute_tool add"]
    assert list_ours(seen) == []
    assert framework["attributes"]["otel_agentops.tool.hash"] == identity(ADD)
    assert find_root(seen)["otel_agentops.task.tool_calls"] == 1


async def test_call_inside_a_tool_of_a_framework_is_a_part_of_it(seen: Capture, connect: Connect) -> None:
    async with connect() as session:
        with otel_agentops.task("support"), ToolRun("add", arguments={"a": 1, "b": 2}):
            await session.call_tool("add", {"a": 1, "b": 2})
    spans = [span for span in seen.spans if span["kind"] != "SERVER"]
    tools = [span["name"] for span in spans if span["attributes"].get("gen_ai.operation.name") == "execute_tool"]
    assert tools == ["execute_tool add"]
    assert seen.spans[-1]["attributes"]["otel_agentops.task.tool_calls"] == 1


async def test_call_inside_our_own_tool_is_counted_once(seen: Capture, connect: Connect) -> None:
    with otel_agentops.task("sum"):
        async with connect() as session:
            with otel_agentops.tool("add", arguments={"a": 1, "b": 2}):
                await session.call_tool("add", {"a": 1, "b": 2})
    assert [span["parent"] for span in list_calls(seen)] == ["execute_tool add"]
    sums = [find_root(seen)[f"otel_agentops.task.{name}"] for name in ("tool_calls", "tool_repeats")]
    assert sums == [1, 1]


async def test_suppressed_and_uninstrumented_calls_pass(seen: Capture, instrumentor: Instrumentor) -> None:
    async with connect_in_memory() as session:
        with suppress_instrumentation():
            await session.call_tool("add", {"a": 1, "b": 2})
        instrumentor.uninstrument()
        result = await session.call_tool("add", {"a": 1, "b": 2})
    assert result.content[0].text == "3"
    assert list_calls(seen) == []


def refund(order: str, amount: float) -> str:
    """Refund an order."""
    return f"{amount} for {order}"


def refund_text(order: str, amount: str) -> str:
    """Refund an order."""
    return f"{amount} for {order}"


async def test_schema_that_changes_is_an_event_once(seen: Capture, connect_to: ConnectTo) -> None:
    hashes = {}
    for kind, run in {"number": refund, "string": refund_text, "again": refund, "and again": refund_text}.items():
        server = make_server(f"orders-{connect_to.__name__}")
        server.tool(name="refund_order")(run)
        async with connect_to(server) as session:
            await session.list_tools()
            await session.list_tools()
            await session.call_tool("refund_order", {"order": "4711", "amount": 2 if run is refund else "2"})
        hashes[kind] = list_calls(seen)[-1]["attributes"]["otel_agentops.tool.hash"]
    assert [event["attributes"] for event in seen.events] == [
        {
            "otel_agentops.change.variable": "tool",
            "otel_agentops.change.scope": "refund_order",
            "otel_agentops.change.previous": hashes["number"],
            "otel_agentops.change.value": hashes["string"],
            "otel_agentops.change.fields": "parameters.amount type number -> string",
            "otel_agentops.change.source": "first_seen",
        }
    ]


async def test_schema_that_changes_within_a_session_is_told(seen: Capture, connect_to: ConnectTo) -> None:
    server = make_server(f"live-{connect_to.__name__}")
    server.tool(name="refund_order")(refund)
    async with connect_to(server) as session:
        await session.list_tools()
        server._tool_manager._tools.clear()
        server.tool(name="refund_order")(refund_text)
        await session.list_tools()
    (event,) = seen.events
    assert event["attributes"]["otel_agentops.change.fields"] == "parameters.amount type number -> string"


def test_first_page_replaces_what_was_listed() -> None:
    schemas, session = ToolSchemas(), ToolSchemas()  # any object can be a session
    pages = [ListToolsResult(tools=[Tool(name=name, inputSchema={"type": "object"})]) for name in ("one", "two")]
    schemas.learn(session, pages[0], is_first=True)
    schemas.learn(session, pages[1], is_first=False)
    assert schemas.find(session, "one").schema == {"name": "one", "input_schema": {"type": "object"}}
    assert schemas.find(session, "two").schema is not None
    schemas.learn(session, pages[1], is_first=True)
    assert schemas.find(session, "one").schema is None
    assert schemas.find(schemas, "two").schema is None


HINTS = [
    ({}, "irreversible", "critical"),
    ({"readOnlyHint": True}, "read", "medium"),
    ({"readOnlyHint": True, "openWorldHint": False}, "read", "low"),
    ({"destructiveHint": False}, "write", "high"),
    ({"destructiveHint": False, "openWorldHint": False}, "write", "high"),
    ({"destructiveHint": False, "openWorldHint": False, "idempotentHint": True}, "write", "medium"),
    ({"destructiveHint": True, "openWorldHint": False, "idempotentHint": True}, "irreversible", "high"),
    ({"readOnlyHint": False, "openWorldHint": True, "idempotentHint": True}, "irreversible", "critical"),
]


@pytest.mark.parametrize(("hints", "effect", "tier"), HINTS)
def test_hints_tell_effect_and_tier(hints: Record, effect: str, tier: str) -> None:
    """What a hint leaves open counts as the highest."""
    schemas = ToolSchemas()
    tool = Tool(name="one", inputSchema={"type": "object"}, annotations=ToolAnnotations.model_validate(hints))
    schemas.learn(schemas, ListToolsResult(tools=[tool]), is_first=True)
    rated = {"otel_agentops.tool.effect": effect, "otel_agentops.tool.tier": tier}
    assert schemas.find(schemas, "one").attributes == rated


def test_identity_has_what_a_provider_adds() -> None:
    listed = {"name": "one", "inputSchema": {"type": "object"}, "title": "One", "_meta": {"a": 1}, "icons": []}
    tool = Tool.model_validate({**listed, "input_examples": [{"a": 1}]})
    added = {} if IS_2 else {"input_examples": [{"a": 1}]}  # 2.x drops what it does not know
    assert read_tool(tool) == {"name": "one", "input_schema": {"type": "object"}, **added}


async def test_changed_list_forgets_the_tools(seen: Capture, connect_to: ConnectTo) -> None:
    server = make_server("calculator")

    async def change(ctx: Any) -> str:
        """Change the tools."""
        await ctx.session.send_tool_list_changed()
        return "done"

    change.__annotations__["ctx"] = Context  # 1.10 reads no annotations that are texts
    server.tool()(change)
    async with connect_to(server) as session:
        await session.list_tools()
        await session.call_tool("change", {})
        await asyncio.sleep(0.1)
        await session.call_tool("refuse", {})
        await session.list_tools()
        await session.call_tool("refuse", {})
        protocol = getattr(session, "protocol_version", None)
    _, unknown, known = list_calls(seen)
    if protocol == "2026-07-28":  # sends no such message to whoever did not ask
        assert unknown == known
    else:
        assert (unknown, known) == (
            describe_span("refuse", None, "tool_error"),
            describe_span("refuse", REFUSE, "tool_error"),
        )


async def test_content_has_arguments_and_result(connect: Connect, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT", "SPAN_ONLY")
    with capture(Instrumentor()) as seen:
        async with connect() as session:
            await session.call_tool("add", {"a": 1, "b": 2})
            await session.call_tool("refuse")
        spans = [span["attributes"] for span in list_calls(seen)]
    names = ("gen_ai.tool.call.arguments", "gen_ai.tool.call.result")
    added, refused = ([span.get(name) for name in names] for span in spans)
    assert [json.loads(added[0]), json.loads(added[1])] == [{"a": 1, "b": 2}, {"result": 3}]
    assert refused == ["{}", None], "a tool that failed has no result"


@pytest.mark.skipif(not IS_2, reason="mcp 1.x has no `Client`")
def test_documented_start_is_a_call(seen: Capture) -> None:
    server = make_server()
    server.tool()(find_order)
    run_start("MCP", ('"http://localhost:8000/mcp"', "server"), server=server)
    names = [(span["name"], span["kind"]) for span in seen.spans if span["name"].startswith("tools/call")]
    assert names == [("tools/call find_order", "SERVER"), ("tools/call find_order", "CLIENT")]
