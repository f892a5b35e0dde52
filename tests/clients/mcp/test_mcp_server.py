"""A call is one span of its client and one of its server, in one trace; in both majors, and in one process or two."""

from __future__ import annotations

import inspect
import json
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any, Literal

import mcp
import pytest
from mcp.types import CallToolResult, Request
from mcp_sessions import IS_2, ConnectTo, connect_in_memory
from test_mcp_contract import ADD, SUM, find_root
from tool_server import VERSION, make_server

import otel_agentops
from otel_agentops._hashing import identity
from otel_agentops.frameworks.mcp import Instrumentor
from otel_agentops.testing import Capture, Record

Serve = Callable[[Path], AbstractAsyncContextManager[Any]]
OFTEN_DIFFERENT = ("jsonrpc.request.id", "mcp.protocol.version")  # 2.x writes both


def read_served(file: Path) -> list[Record]:
    """Return the spans of the server's process but those of 2.x for other requests."""
    spans = [json.loads(line) for line in file.read_text().splitlines()]
    spans = [span for span in spans if span["kind"] != "SERVER" or span["name"].startswith("tools/call")]
    for span in spans:
        for key in OFTEN_DIFFERENT:
            span["attributes"].pop(key, None)
    return spans


def find_ids(seen: Capture, name: str) -> Record:
    """Return the trace of a span and the id that what is below it has as its parent."""
    (span,) = [span for span in seen.finished_spans if span.name == name and span.kind.name == "CLIENT"]
    return {"trace": f"{span.context.trace_id:032x}", "parent": f"{span.context.span_id:016x}"}


def describe_served(tool: str, error: str | None = None, **more: Any) -> Record:
    attributes = {
        "gen_ai.operation.name": "execute_tool",
        "gen_ai.tool.name": tool,
        "gen_ai.tool.type": "function",
        "mcp.method.name": "tools/call",
        "otel_agentops.tool.server": "calculator",
        "otel_agentops.tool.version": VERSION,
        **({"error.type": error} if error else {}),
        **more,
    }
    return {
        "name": f"tools/call {tool}",
        "kind": "SERVER",
        "status": "ERROR" if error else "UNSET",
        "attributes": attributes,
    }


HIGHEST = {"otel_agentops.tool.effect": "irreversible", "otel_agentops.tool.tier": "critical"}
COUNTED = {"otel_agentops.tool.counted_elsewhere": True}


async def test_served_call_is_one_span_in_the_trace(seen: Capture, serve: Serve, tmp_path: Path) -> None:
    async with serve(tmp_path / "spans") as session:
        await session.list_tools()
        await session.call_tool("add", {"a": 1, "b": 2})
    facts = {
        "otel_agentops.tool.effect": "read",
        "otel_agentops.tool.tier": "medium",
        "otel_agentops.tool.hash": identity(ADD),
        "otel_agentops.tool.result.shape": SUM,
        "otel_agentops.tool.result.empty": False,
    }
    (served,) = read_served(tmp_path / "spans")
    assert served == {**describe_served("add", **COUNTED, **facts), **find_ids(seen, "tools/call add")}


async def test_served_failure_is_one_of_both_sides(seen: Capture, serve: Serve, tmp_path: Path) -> None:
    async with serve(tmp_path / "spans") as session:
        await session.call_tool("refuse", {})
        await session.call_tool("unknown", {})
    served = read_served(tmp_path / "spans")
    assert [[span["status"], span["attributes"]["error.type"]] for span in served] == [["ERROR", "tool_error"]] * 2
    assert [span["trace"] for span in served] == [find_ids(seen, span["name"])["trace"] for span in served]
    assert "secret" not in str([span["attributes"] for span in served])


async def test_call_of_an_unobserved_client_counts(
    seen: Capture, instrumentor: Instrumentor, serve: Serve, tmp_path: Path
) -> None:
    instrumentor.uninstrument()
    async with serve(tmp_path / "spans") as session:
        await session.call_tool("refuse", {})
    (served,) = read_served(tmp_path / "spans")
    assert served["parent"] is None
    assert "otel_agentops.tool.counted_elsewhere" not in served["attributes"]
    assert seen.spans == []


async def test_agent_behind_a_tool_is_in_one_sum(seen: Capture, serve: Serve, tmp_path: Path) -> None:
    async with serve(tmp_path / "spans") as session:
        with otel_agentops.task("support", tenant="acme", segment="web") as run:
            await session.call_tool("research", {"question": "Where?"})
    served = read_served(tmp_path / "spans")
    spans = [*seen.spans, *served]
    assert {span["attributes"].get("otel_agentops.task.id") for span in spans if "tools/list" not in span["name"]} == {
        run.id
    }
    assert len([span for span in spans if "otel_agentops.task.outcome" in span["attributes"]]) == 1
    root = find_root(seen, "support")
    (agent,) = [span["attributes"] for span in served if span["name"] == "invoke_agent research"]
    sums = [[values[f"otel_agentops.task.{name}"] for name in ("tool_calls", "agents")] for values in (root, agent)]
    assert sums == [[1, 0], [1, 1]]
    assert not {key for span in served for key in span["attributes"] if ".traffic." in key}


class CustomCall(Request[dict[str, Any], Literal["tools/call"]]):
    """A request of the application's own class, whose parameters are no model."""

    method: Literal["tools/call"] = "tools/call"


async def test_custom_request_carries_the_task(seen: Capture, serve: Serve, tmp_path: Path) -> None:
    request = CustomCall(params={"name": "add", "arguments": {"a": 1, "b": 2}, "_meta": {"customer": "acme"}})
    bare = CustomCall(params={"name": "add", "arguments": {"a": 1, "b": 2}})
    given = [request.model_copy(deep=True), bare.model_copy(deep=True)]
    async with serve(tmp_path / "spans") as session:
        with otel_agentops.task("support") as run:
            for sent in (request, bare):
                await session.send_request(sent, CallToolResult)
    assert [request, bare] == given
    (trace,) = {
        f"{span.context.trace_id:032x}" for span in seen.finished_spans if span.name == "invoke_workflow support"
    }
    served = read_served(tmp_path / "spans")
    assert [span["attributes"]["otel_agentops.task.id"] for span in served] == [run.id, run.id]
    assert [span["trace"] for span in served] == [trace, trace]


async def test_task_stays_here_if_nothing_may_travel(
    instrumentor: Instrumentor, serve: Serve, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from otel_agentops.testing import capture

    monkeypatch.setenv("OTEL_AGENTOPS_BAGGAGE", "none")
    with capture(instrumentor):
        async with serve(tmp_path / "spans") as session:
            with otel_agentops.task("support"):
                await session.call_tool("research", {"question": "Where?"})
    monkeypatch.undo()
    names = [span["name"] for span in read_served(tmp_path / "spans")]
    assert names == ["execute_tool search", "invoke_workflow research", "tools/call research"]


@pytest.mark.usefixtures("native")
async def test_call_in_one_process_is_two_spans(seen: Capture, connect_to: ConnectTo) -> None:
    async with connect_to(make_server()) as session:
        await session.list_tools()
        with otel_agentops.task("sum"):
            await session.call_tool("add", {"a": 1, "b": 2})
    spans = [span for span in seen.spans if span["name"] == "tools/call add"]
    assert [span["kind"] for span in spans] == ["SERVER", "CLIENT"]
    hashes = {span["attributes"]["otel_agentops.tool.hash"] for span in spans}
    assert hashes == {identity(ADD)}
    assert [span["attributes"].get("otel_agentops.tool.counted_elsewhere") for span in spans] == [True, None]
    root = find_root(seen)
    assert root["otel_agentops.task.tool_calls"] == 1
    assert "otel_agentops.task.unattributed" not in root
    assert (
        len(
            {
                span.context.trace_id
                for span in seen.finished_spans
                if span.name in {"tools/call add", "invoke_workflow sum"}
            }
        )
        == 1
    )


TAKES_META = "meta" in inspect.signature(mcp.ClientSession.call_tool).parameters


@pytest.mark.skipif(IS_2 or not TAKES_META, reason="1.10 takes no meta, and 2.x puts its own trace there")
async def test_context_of_the_application_stays(seen: Capture) -> None:
    """A trace that the program passes on by itself is not replaced by the current one."""
    trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    async with connect_in_memory() as session:
        await session.call_tool("add", {"a": 1, "b": 2}, meta={"traceparent": trace})
    (served,) = [span for span in seen.finished_spans if span.kind.name == "SERVER"]
    assert f"{served.context.trace_id:032x}" in trace
