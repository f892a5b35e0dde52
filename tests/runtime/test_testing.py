"""Helpers for authors of adapters: all telemetry as plain values, and no test that passes on an unknown name."""

from __future__ import annotations

import openai
import pytest

from otel_agentops import _telemetry, judge, task, tool
from otel_agentops._offered_tools import learn_tools
from otel_agentops.clients.openai import Instrumentor
from otel_agentops.testing import Capture, capture

NAME = "otel_agentops." + "made.up"


def send_chat(gpt: openai.OpenAI) -> None:
    gpt.chat.completions.create(model="gpt-x", messages=[])


def test_capture_holds_all_signals_of_a_call(seen: Capture, gpt: openai.OpenAI) -> None:
    with task("support"), judge("j") as judgement:
        send_chat(gpt)
        judgement.score(1)
    assert [(span["name"], span["parent"]) for span in seen.spans] == [
        ("chat gpt-x", "invoke_workflow support"),
        ("invoke_workflow support", None),
    ]
    assert [event["event_name"] for event in seen.events] == ["gen_ai.evaluation.result"]
    tokens = seen.metrics["gen_ai.client.token.usage"]
    assert sorted((point["attributes"]["gen_ai.token.type"], point["sum"]) for point in tokens) == [
        ("input", 11), ("output", 5),
    ]  # fmt: skip
    seen.clear()
    assert (seen.spans, seen.events) == ([], [])


@pytest.mark.parametrize(
    ("attributes", "sentence"),
    [
        ({NAME: "x"}, "is not registered: correct the name or add it to semconv/"),
        ({"otel_agentops.attempt.count": "3"}, "is '3', which is no int"),
        ({"otel_agentops.task.outcome": "splendid"}, "is 'splendid', which is none of completed, failed"),
    ],
)
def test_an_unregistered_name_fails_the_test(attributes: dict[str, str], sentence: str) -> None:
    with pytest.raises(AssertionError) as raised, capture():
        _telemetry.get_default().spans.tracer.start_span("x", attributes=attributes).end()
    assert str(raised.value).startswith(next(iter(attributes)))
    assert sentence in str(raised.value)


def test_names_of_other_scopes_are_not_checked() -> None:
    with capture() as seen, seen.tracer_provider.get_tracer("x").start_as_current_span("x", attributes={NAME: "x"}):
        pass
    assert seen.problems == []


def test_capture_forgets_tools_of_the_test_before() -> None:
    with capture():
        learn_tools({"lookup": "h1"}, None)
    with capture() as seen, tool("lookup"):
        pass
    (span,) = seen.spans
    assert "otel_agentops.tool.hash" not in span["attributes"]


def test_capture_puts_everything_back(gpt: openai.OpenAI) -> None:
    original, telemetry = openai.OpenAI.request, _telemetry.get_default()
    for _ in range(2):
        with capture(Instrumentor()) as seen:
            assert openai.OpenAI.request is not original
            assert _telemetry.get_default() is not telemetry
            send_chat(gpt)
    with pytest.raises(LookupError), capture(Instrumentor()):
        raise LookupError
    assert openai.OpenAI.request is original
    assert _telemetry.get_default() is telemetry
    send_chat(gpt)
    assert len(seen.spans) == 1
