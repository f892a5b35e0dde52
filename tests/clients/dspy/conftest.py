"""Real programs on a fake provider, with what our instrumentations of both and of the client below emit."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

import pytest
from dspy_models import library, make_model

from otel_agentops.clients import litellm, openai
from otel_agentops.frameworks import dspy
from otel_agentops.testing import Capture, capture
from otel_agentops.testing.fake_provider import Answer, Call, FakeProvider

FIELD = "[[ ## {} ## ]]\n{}\n\n"


@pytest.fixture
def seen() -> Iterator[Capture]:
    with capture(openai.Instrumentor(), litellm.Instrumentor(), dspy.Instrumentor()) as everything:
        yield everything


@pytest.fixture
def provider() -> Iterator[FakeProvider]:
    """Return a provider whose model fills in the fields that it is prompt for, the first tool once among them."""

    def answer(call: Call) -> Answer:
        prompt = str(call.body["messages"][-1]["content"])
        offered = re.search(r"\(1\) (weather|find_order)", str(call.body))
        tool = "finish" if "observation_0" in prompt else offered[1] if offered else "broken"
        arguments = {"finish": "{}", "find_order": '{"order": "4711"}'}.get(tool, '{"city": "Oslo"}')
        calls = json.dumps({"tool_calls": [{"name": tool, "args": json.loads(arguments)}]})
        fields = {
            "next_thought": "Look.",
            "next_tool_name": tool,
            "next_tool_args": arguments,
            "next_tool_calls": calls,
        }
        if "next_thought" not in str(call.body["messages"][0]["content"]):
            fields = {"reasoning": "It is so.", "answer": "Sunny."}
        return Answer(text="".join(FIELD.format(*field) for field in (*fields.items(), ("completed", ""))))

    with FakeProvider() as running:
        running.alias("gpt-x", "gpt-x-2026-03-01")
        running.answer(answer)
        yield running


@pytest.fixture(autouse=True)
def _use_model(provider: FakeProvider, request: pytest.FixtureRequest) -> Iterator[None]:
    """Set the model of a test, unless its program does so by itself."""
    if "program_sets_model" in request.fixturenames:
        yield
        return
    model = make_model(provider)
    with library.context(lm=model, adapter=library.ChatAdapter()):
        yield


@pytest.fixture
def program_sets_model() -> Iterator[None]:
    """Let the program of a test set the model, which holds for the whole process."""
    yield
    library.settings.configure(lm=None)
