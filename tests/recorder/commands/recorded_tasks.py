"""Tasks of a small agent over the fake provider, recorded: what the tests of the reader read."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import openai
from typer.testing import CliRunner, Result

import otel_agentops
from otel_agentops import _config, _telemetry, cli
from otel_agentops.clients.openai import Instrumentor
from otel_agentops.testing import Capture
from otel_agentops.testing.fake_provider import Answer, Call, FakeProvider, ToolCall

SYSTEM = "You are the refund desk. Refund up to 50 euros yourself; ask a person above that."
TOOLS = [
    {
        "type": "function",
        "function": {
            "name": "find_order",
            "description": "Find an order by its number.",
            "parameters": {"type": "object", "properties": {"number": {"type": "string"}}},
        },
    }
]


def answer_as_agent(call: Call) -> Answer:
    """Ask for the tool first; then say what the model that answers would say."""
    messages = call.body.get("messages", [])
    if messages and messages[-1]["role"] == "tool":
        is_new = call.model.startswith("gpt-x-2026-06")
        text = "I have refunded 80 euros." if is_new else "A colleague has to approve 80 euros."
        return Answer(text=text)
    return Answer(text="", tool_calls=(ToolCall("find_order", '{"number": "A-17"}'),))


@contextmanager
def record_into(folder: Path, mode: str = "full") -> Iterator[Capture]:
    """Record what openai does in the block; the segment is sealed when it is left."""
    seen = Capture()
    config = _config.read_config({"OTEL_AGENTOPS_RECORDER": str(folder), "OTEL_AGENTOPS_RECORDER_MODE": mode})
    telemetry = _telemetry.Telemetry(config, **seen.providers)
    before = _telemetry.replace_default(telemetry)
    instrumentor = Instrumentor()
    instrumentor.instrument(**seen.providers, skip_dep_check=True)
    try:
        yield seen
        assert telemetry._recorder is not None
        assert telemetry._recorder.writer.close(10)
    finally:
        instrumentor.uninstrument()
        _telemetry.replace_default(before)


@otel_agentops.tool("find_order", effect="read")
def find_order(number: str) -> dict[str, Any]:
    return {"number": number, "total": 80}


def run_refund(
    base_url: str, task_id: str, *, model: str = "gpt-x", user: str = "Refund A-17", person: str | None = None
) -> str:
    """Run the agent: a call, its tool, and the call with the result. Returns the last words."""
    client = openai.OpenAI(api_key="k", base_url=base_url, max_retries=0)
    messages: list[Any] = [{"role": "system", "content": SYSTEM}, {"role": "user", "content": user}]
    with otel_agentops.task("refund", id=task_id, tenant="acme", user=person) as task:
        while True:
            made = client.chat.completions.create(model=model, messages=messages, tools=TOOLS, temperature=0.5)
            said = made.choices[0].message
            if not said.tool_calls:
                RECEIPTS[task_id] = task.receipt()
                return str(said.content)
            messages.append({"role": "assistant", "tool_calls": [call.model_dump() for call in said.tool_calls]})
            for call in said.tool_calls:
                result = find_order(**json.loads(call.function.arguments))
                messages.append({"role": "tool", "tool_call_id": call.id, "content": json.dumps(result)})


RECEIPTS: dict[str, Any] = {}


def record_two_refunds(folder: Path, provider: FakeProvider) -> None:
    """Record a good task of the old model and a bad one of the new model behind the same alias."""
    provider.answer(answer_as_agent)
    with record_into(folder):
        run_refund(provider.openai_url, "task-good")
        provider.alias("gpt-x", "gpt-x-2026-06-01")
        run_refund(provider.openai_url, "task-bad")
        otel_agentops.outcome(False, receipt=RECEIPTS["task-bad"], source="refund")


def run_command(*arguments: object) -> Result:
    """Run `otel-agentops record …`."""
    return CliRunner().invoke(cli._build_app(), ["record", *map(str, arguments)], env={"COLUMNS": "200"})
