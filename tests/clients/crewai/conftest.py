"""Real crews on a fake provider, with what our instrumentations of both emit; the library sends nothing home."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator

# It reads these when it is imported.
os.environ.update(CREWAI_DISABLE_TELEMETRY="true", CREWAI_TRACING_ENABLED="false", CREWAI_TESTING="true")

import pytest

from otel_agentops.clients import openai
from otel_agentops.frameworks import crewai
from otel_agentops.testing import Capture, capture
from otel_agentops.testing.fake_provider import Answer, Call, FakeProvider, ToolCall


@pytest.fixture(autouse=True)
def _keep_files_here(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CREWAI_STORAGE_DIR", str(tmp_path_factory.mktemp("crewai")))


@pytest.fixture
def seen() -> Iterator[Capture]:
    with capture(openai.Instrumentor(), crewai.Instrumentor()) as everything:
        yield everything


@pytest.fixture
def provider() -> Iterator[FakeProvider]:
    """Return a provider whose model asks for the first tool that it is offered, and answers with what comes back."""

    def answer(call: Call) -> Answer:
        tools, messages = call.body.get("tools"), call.body["messages"]
        if not tools or any(message["role"] == "tool" for message in messages):
            return Answer()
        function = tools[0]["function"]
        arguments = dict.fromkeys(function["parameters"]["properties"], "Oslo")
        return Answer(text="", tool_calls=(ToolCall(function["name"], json.dumps(arguments)),))

    with FakeProvider() as running:
        running.alias("gpt-x", "gpt-x-2026-03-01")
        running.answer(answer)
        yield running
