"""A run of a tool of LangChain is one execution, whoever runs it."""

from __future__ import annotations

from typing import Any

import pytest
from langchain_core.tools import BaseTool, StructuredTool, ToolException, tool
from opentelemetry import baggage

import otel_agentops
from otel_agentops._hashing import identity
from otel_agentops.frameworks.langchain_core import Instrumentor
from otel_agentops.testing import Capture, Record

RESULT = "otel_agentops.tool.result."
CALL = {"type": "tool_call", "id": "call_7", "name": "add", "args": {"a": 1, "b": 2}}
ADD = {
    "name": "add",
    "description": "Add two numbers.",
    "input_schema": {
        "type": "object",
        "properties": {"a": {"type": "integer"}, "b": {"type": "integer"}},
        "required": ["a", "b"],
    },
}


@tool
def add(a: int, b: int) -> int:
    """Add two numbers."""
    return a + b


class Own(BaseTool):
    """A class of an application, which writes both methods itself."""

    name: str = "own"
    description: str = "Answer."

    def _run(self, question: str) -> str:
        return question.upper()

    async def _arun(self, question: str) -> str:
        return question.upper()


def describe_span(name: str, error: str | None = None, shape: str = "$: text", **attributes: Any) -> Record:
    return {
        "name": f"execute_tool {name}",
        "kind": "INTERNAL",
        "status": "ERROR" if error else "UNSET",
        "parent": None,
        "attributes": {
            "gen_ai.operation.name": "execute_tool",
            "gen_ai.tool.name": name,
            "gen_ai.tool.type": "function",
            **({"error.type": error} if error else {RESULT + "shape": identity([shape]), RESULT + "empty": False}),
            **{key.replace("__", "."): value for key, value in attributes.items()},
        },
    }


def pop_hash(seen: Capture) -> list[Record]:
    spans = seen.spans
    for span in spans:
        assert len(span["attributes"].pop("otel_agentops.tool.hash")) == 16
    return spans


def test_tool_without_a_model_has_its_own_hash(seen: Capture) -> None:
    message: Any = add.invoke(CALL)
    assert message.content == "3"
    span = describe_span("add", gen_ai__tool__call__id="call_7", otel_agentops__tool__hash=identity(ADD))
    assert seen.spans == [span]
    assert seen.problems == []


async def test_async_and_own_classes_are_observed(seen: Capture) -> None:
    assert await add.ainvoke({"a": 1, "b": 2}) == 3
    assert Own().invoke("hi") == "HI"
    assert await Own().ainvoke("hi") == "HI"
    assert pop_hash(seen) == [describe_span("add", shape="$: number"), describe_span("own"), describe_span("own")]


def test_shape_is_that_of_the_result_as_json(seen: Capture) -> None:
    def find(found: list[str], key: str = "items") -> dict[str, Any]:
        """Find."""
        return {key: [{"name": name} for name in found]}

    run = StructuredTool.from_function(find)
    for _ in range(20):
        run.invoke({"type": "tool_call", "id": "call_9", "name": "find", "args": {"found": ["a secret"]}})
    run.invoke({"found": ["a secret"]})
    run.invoke({"found": [], "key": "results"})
    lines = sorted(["$: object", "$.items: list", "$.items[*]: object", "$.items[*].name: text"])
    shapes = [(span["attributes"][RESULT + "shape"], span["attributes"][RESULT + "empty"]) for span in seen.spans]
    assert shapes[:-1] == [(identity(lines), False)] * 21
    assert shapes[-1] == (identity(sorted(["$: object", "$.results: list"])), True)
    (event,) = seen.events
    assert event["attributes"] == {
        "otel_agentops.change.variable": "tool",
        "otel_agentops.change.scope": "find",
        "otel_agentops.change.value": shapes[-1][0],
        "otel_agentops.change.previous": identity(lines),
        "otel_agentops.change.source": "first_seen",
        RESULT + "added": ["$.results"],
        RESULT + "removed": ["$.items"],
    }
    assert "secret" not in str(seen.spans) + str(seen.events)


def test_error_is_a_failure_and_is_raised(seen: Capture) -> None:
    def fail(a: int) -> int:
        """Fail."""
        raise KeyError(a)

    with pytest.raises(KeyError, match="1"):
        StructuredTool.from_function(fail).invoke({"a": 1})
    with pytest.raises(ValueError, match="a"):  # arguments that do not fit, before the tool runs
        add.invoke({"b": 1})
    errors = ["KeyError", "pydantic_core._pydantic_core.ValidationError"]
    assert pop_hash(seen) == [describe_span("fail", errors[0]), describe_span("add", errors[1])]


def test_handled_error_is_a_failure(seen: Capture) -> None:
    def refuse() -> str:
        """Refuse."""
        raise ToolException("no")

    refusing = StructuredTool.from_function(refuse, handle_tool_error=True)
    message: Any = refusing.invoke({"type": "tool_call", "id": "call_8", "name": "refuse", "args": {}})
    assert message.status == "error"
    assert pop_hash(seen) == [describe_span("refuse", "tool_error", gen_ai__tool__call__id="call_8")]


def test_runs_count_for_the_task(seen: Capture) -> None:
    with otel_agentops.task("sum"):
        for _ in range(3):
            add.invoke({"a": 1, "b": 2})
        add.invoke({"a": 1, "b": 3})
    (root,) = [span["attributes"] for span in seen.spans if span["parent"] is None]
    names = ("tool_calls", "tool_failures", "tool_repeats")
    assert [root[f"otel_agentops.task.{name}"] for name in names] == [4, 0, 3]


def test_body_of_a_tool_has_its_context(seen: Capture) -> None:
    """A tool may call services of the application: what the caller sends along stays."""
    found: list[object] = []

    @tool
    def look() -> str:
        """Look."""
        found.append(baggage.get_baggage("tenant.id"))
        return add.invoke({"a": 1, "b": 2}) and "done"

    from opentelemetry import context

    token = context.attach(baggage.set_baggage("tenant.id", "t"))
    look.invoke({})
    context.detach(token)
    assert found == ["t"]
    assert [(span["name"], span["parent"]) for span in seen.spans] == [
        ("execute_tool add", "execute_tool look"),
        ("execute_tool look", None),
    ]


def test_verb_in_a_tool_is_the_same_execution(seen: Capture) -> None:
    """A tool of MCP that LangChain runs is one execution, too."""

    @tool
    def fetch() -> str:
        """Fetch."""
        with otel_agentops.tool("fetch", effect="read"):
            return "done"

    with otel_agentops.task("trip"):
        fetch.invoke({})
    assert [span["name"] for span in seen.spans] == ["execute_tool fetch", "invoke_workflow trip"]
    assert [
        seen.spans[0]["attributes"]["otel_agentops.tool.effect"],
        seen.spans[1]["attributes"]["otel_agentops.task.tool_calls"],
    ] == ["read", 1]


def test_content_is_recorded_if_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    from otel_agentops.testing import capture

    monkeypatch.setenv("OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT", "SPAN_ONLY")
    with capture(Instrumentor()) as seen:
        add.invoke(CALL)
    (attributes,) = [span["attributes"] for span in seen.spans]
    content = {
        key: value for key, value in attributes.items() if key.startswith("gen_ai.tool.call.") and "id" not in key
    }
    assert content == {"gen_ai.tool.call.arguments": '{"a":1,"b":2}', "gen_ai.tool.call.result": "3"}


def test_uninstrumented_tool_makes_no_span(seen: Capture) -> None:
    Instrumentor().uninstrument()
    assert add.invoke({"a": 1, "b": 2}) == 3
    assert seen.spans == []
