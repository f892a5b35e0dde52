"""What the verbs' tests share: whole root spans, and spans without what differs on every run."""

from __future__ import annotations

import time
import uuid
from typing import Any

import openai

HASH = "0123456789abcdef"
STARTED = 1_700_000_000


def without_ids(record: dict[str, Any]) -> dict[str, Any]:
    """A span or event with every hash and every made-up id replaced, after a look at its form."""
    attributes = dict(record["attributes"])
    for key, value in attributes.items():
        if key.endswith((".hash", ".revision")):
            assert len(value) == 16 and set(value) <= set(HASH), (key, value)
            attributes[key] = HASH
        elif key == "otel_agentops.task.id":
            assert uuid.UUID(value).version == 4
            attributes[key] = "made up"
        elif key == "otel_agentops.task.started_at":
            assert type(value) is int and 0 <= time.time() - value < 3600
            attributes[key] = STARTED
    return {**record, "attributes": attributes}


def ask(gpt: openai.OpenAI, **more: Any) -> Any:
    return gpt.chat.completions.create(model="gpt-x", messages=[{"role": "user", "content": "hi"}], **more)


def boom() -> None:
    raise ZeroDivisionError("the customer's own words")


EMPTY_TOTALS = {
    "otel_agentops.task.llm_calls": 0,
    "otel_agentops.task.llm_attempts": 0,
    "otel_agentops.task.tool_calls": 0,
    "otel_agentops.task.tool_failures": 0,
    "otel_agentops.task.agents": 0,
    "otel_agentops.task.depth": 0,
}


def root(name: str = "support", status: str = "UNSET", **attributes: Any) -> dict[str, Any]:
    return {
        "name": f"invoke_workflow {name}",
        "kind": "INTERNAL",
        "status": status,
        "parent": None,
        "attributes": {
            "gen_ai.operation.name": "invoke_workflow",
            "gen_ai.workflow.name": name,
            "otel_agentops.task.id": "made up",
            "otel_agentops.task.name": name,
            "otel_agentops.task.outcome": "completed",
            "otel_agentops.task.started_at": STARTED,
            **EMPTY_TOTALS,
            **attributes,
        },
    }
