"""A model that asks for a tool, and questions that the tests of frameworks ask of the spans of a run."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from otel_agentops._hashing import identity
from otel_agentops.testing import Capture, Record
from otel_agentops.testing.fake_provider import Answer, Call, FakeProvider, ToolCall

OUTCOME = "otel_agentops.task.outcome"
SUMS = ("llm_calls", "tool_calls", "input_tokens", "output_tokens")
_VARYING = ("otel_agentops.task.started_at", "otel_agentops.task.id", "otel_agentops.task.values")


@contextmanager
def run_tool_model() -> Iterator[FakeProvider]:
    """Run a provider whose model asks for the first tool that it is offered, and answers with what comes back."""

    def answer(call: Call) -> Answer:
        tools = call.body.get("tools")
        if not tools or call.body["messages"][-1]["role"] == "tool":
            return Answer()
        function = tools[0]["function"]
        arguments = '{"city": "Oslo"}' if "city" in function["parameters"]["properties"] else "{}"
        return Answer(text="", tool_calls=(ToolCall(function["name"], arguments),))

    with FakeProvider() as running:
        running.alias("gpt-x", "gpt-x-2026-03-01")
        running.answer(answer)
        yield running


def find_span(seen: Capture, name: str) -> Record:
    """Return the only span of a name."""
    (span,) = [span for span in seen.spans if span["name"] == name]
    return span


def read_sums(span: Record, *names: str) -> list[Any]:
    """Return sums of a task; None for one that is unknown."""
    return [span["attributes"].get(f"otel_agentops.task.{name}") for name in names]


def outcome_of(seen: Capture, name: str) -> object:
    return find_span(seen, name)["attributes"].get(OUTCOME)


def fix_root(root: Record) -> tuple[Record, dict[str, Any]]:
    """Return the span of a task without what differs from run to run, and that by its name in short."""
    attributes = dict(root["attributes"])
    varying = {name.rpartition(".")[2]: attributes.pop(name) for name in _VARYING}
    assert varying["started_at"] > 1_700_000_000
    return {**root, "attributes": attributes}, varying


def describe_root(name: str, **changes: Any) -> Record:
    """Return the span of a task of two model calls and one tool; changes are by attribute, `None` for none."""
    attributes = {
        "gen_ai.operation.name": "invoke_workflow",
        "gen_ai.workflow.name": name,
        "otel_agentops.task.agents": 0,
        "otel_agentops.task.depth": 0,
        "otel_agentops.task.input_tokens": 22,
        "otel_agentops.task.llm_attempts": 2,
        "otel_agentops.task.llm_calls": 2,
        "otel_agentops.task.name": name,
        OUTCOME: "completed",
        "otel_agentops.task.output_tokens": 10,
        "otel_agentops.task.tool_calls": 1,
        "otel_agentops.task.tool_failures": 0,
        "otel_agentops.task.tool_repeats": 1,
        **changes,
    }
    return {
        "name": f"invoke_workflow {name}",
        "kind": "INTERNAL",
        "status": "UNSET",
        "parent": None,
        "attributes": {key: value for key, value in attributes.items() if value is not None},
    }


def describe_tool(name: str, task: str, varying: dict[str, Any], tool_hash: str, **more: Any) -> Record:
    """Return the span of a tool that returned a text, directly below its task."""
    return {
        "name": f"execute_tool {name}",
        "kind": "INTERNAL",
        "status": "UNSET",
        "parent": f"invoke_workflow {task}",
        "attributes": {
            "gen_ai.operation.name": "execute_tool",
            "gen_ai.tool.name": name,
            "gen_ai.tool.type": "function",
            "otel_agentops.task.id": varying["id"],
            "otel_agentops.task.name": task,
            "otel_agentops.tool.hash": tool_hash,
            "otel_agentops.tool.result.empty": False,
            "otel_agentops.tool.result.shape": identity(["$: text"]),
            **more,
        },
    }


def describe_model_call(operation: str = "chat", parent: str | None = None, **more: Any) -> Record:
    """Return the span of a call of `house-1`, a model of a provider that no client here is for."""
    return {
        "name": f"{operation} house-1",
        "kind": "CLIENT",
        "status": "UNSET",
        "parent": parent,
        "attributes": {
            "gen_ai.operation.name": operation,
            "gen_ai.request.model": "house-1",
            "gen_ai.request.temperature": 0.2,
            "gen_ai.response.model": "house-1-2026-03-01",
            "gen_ai.usage.input_tokens": 12,
            "gen_ai.usage.output_tokens": 3,
            "otel_agentops.model.resolution": "resolved",
            "otel_agentops.param.temperature.source": "explicit",
            "otel_agentops.params.hash": identity({"temperature": 0.2}),
            **more,
        },
    }


INSTRUCTED = {"otel_agentops.prompt.hash": identity(["Be brief."]), "otel_agentops.prompt.source": "instructions"}
# What a model says that knows its provider, and gives its answers an id.
NAMED = {
    "gen_ai.provider.name": "house",
    "gen_ai.response.finish_reasons": ["stop"],
    "gen_ai.response.id": "msg-1",
}


def find_offered(seen: Capture) -> dict[str, str]:
    """Return tool name -> hash, as models were offered them."""
    versions: Sequence[Any] = [span["attributes"].get("otel_agentops.tools.versions", []) for span in seen.spans]
    return dict(version.split("@") for each in versions for version in each)


def list_sums(seen: Capture, name: str) -> list[tuple[Any, ...]]:
    """Return the sums of each span of a name: model calls, tools, tokens in and out."""
    return [tuple(read_sums(span, *SUMS)) for span in seen.spans if span["name"] == name]
