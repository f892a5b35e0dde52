"""The real SDK and its real Claude Code program on a fake provider; nothing of the machine's own settings is used."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from claude_agent_sdk import ClaudeAgentOptions

from otel_agentops.frameworks import claude_agent_sdk, mcp
from otel_agentops.testing import Capture, capture
from otel_agentops.testing.fake_provider import Answer, Call, FakeProvider, ToolCall


@pytest.fixture
def seen(monkeypatch: pytest.MonkeyPatch) -> Iterator[Capture]:
    with capture(claude_agent_sdk.Instrumentor(), mcp.Instrumentor()) as everything:
        monkeypatch.setattr("opentelemetry.trace._TRACER_PROVIDER", everything.tracer_provider)
        yield everything


@pytest.fixture
def requests() -> list[ToolCall]:
    """Return the tools that the model is going to ask for, one in each answer, before it answers the question."""
    return []


@pytest.fixture
def agent_requests() -> list[ToolCall]:
    """Return those of the agent whose prompt is `Look up.`."""
    return []


@pytest.fixture
def answered() -> list[Call]:
    """Return the calls of the model that were answered."""
    return []


@pytest.fixture
def provider(requests: list[ToolCall], agent_requests: list[ToolCall], answered: list[Call]) -> Iterator[FakeProvider]:
    def answer(call: Call) -> Answer:
        answered.append(call)
        number = str(len(answered))
        waiting = agent_requests if "Look up." in str(call.body.get("system")) else requests
        if not waiting:
            return Answer(id=number)
        return Answer(text="", id=number, tool_calls=(replace(waiting.pop(0), id=f"toolu_{number}"),))

    with FakeProvider() as running:
        running.alias("claude-x", "claude-x-2026-03-01")
        running.answer(answer)
        yield running


@pytest.fixture
def make_options(
    provider: FakeProvider, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., ClaudeAgentOptions]:
    for name in os.environ:
        if name.startswith(("ANTHROPIC_", "CLAUDE", "AWS_")):
            monkeypatch.delenv(name)
    env = {
        "ANTHROPIC_API_KEY": "k",
        "ANTHROPIC_BASE_URL": provider.anthropic_url,
        "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1",
        "CLAUDE_CONFIG_DIR": str(tmp_path),
        "DISABLE_AUTOUPDATER": "1",
        "DISABLE_TELEMETRY": "1",
        "HOME": str(tmp_path),
    }

    def make(**options: Any) -> ClaudeAgentOptions:
        return ClaudeAgentOptions(env=env, model="claude-x", cwd=tmp_path, setting_sources=[], **options)

    return make
