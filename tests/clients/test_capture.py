"""Capturing telemetry as plain values, in which no unregistered name passes."""

from __future__ import annotations

from typing import Any

import pytest
from opentelemetry.trace import SpanKind

from otel_agentops import _telemetry
from otel_agentops.testing import SECONDS, capture

NAME: Any = {"gen_ai.request.model": "m"}


def test_spans_are_plain_values_with_the_names_of_their_parents() -> None:
    with capture() as seen:
        tracer = seen.tracer_provider.get_tracer("app")
        with tracer.start_as_current_span("outer"):
            _telemetry.get_default().spans.tracer.start_span(
                "inner", kind=SpanKind.CLIENT, attributes={"gen_ai.request.stop_sequences": ["a"]}
            ).end()
    assert seen.spans == [
        {
            "name": "inner",
            "kind": "CLIENT",
            "status": "UNSET",
            "parent": "outer",
            "attributes": {"gen_ai.request.stop_sequences": ["a"]},
        },
        {"name": "outer", "kind": "INTERNAL", "status": "UNSET", "parent": None, "attributes": {}},
    ]


def test_events_are_plain_values() -> None:
    with capture() as seen:
        _telemetry.get_default().emit_event("otel_agentops.change", {"otel_agentops.change.variable": "model"})
    assert seen.events == [
        {
            "event_name": "otel_agentops.change",
            "in_span": False,
            "attributes": {"otel_agentops.change.variable": "model"},
        }
    ]


@pytest.mark.parametrize(
    ("attributes", "sentence"),
    [
        ({"gen_ai.request.nodel": "m"}, "gen_ai.request.nodel is not registered"),
        ({"gen_ai.request.temperature": 0}, "gen_ai.request.temperature is 0, which is no double"),
        ({"otel_agentops.model.resolution": "new"}, "otel_agentops.model.resolution is 'new', which is none of"),
    ],
)
def test_an_unregistered_attribute_fails_the_test(attributes: dict[str, Any], sentence: str) -> None:
    with pytest.raises(AssertionError, match=sentence), capture():
        _telemetry.get_default().spans.tracer.start_span("chat m", attributes=attributes).end()


@pytest.mark.parametrize(
    ("name", "labels", "sentence"),
    [
        ("gen_ai.client.duration", {}, "metric gen_ai.client.duration is not registered"),
        ("gen_ai.client.token.usage", {"gen_ai.model": "m"}, "gen_ai.model is not registered"),
    ],
)
def test_an_unregistered_metric_fails_the_test(name: str, labels: dict[str, Any], sentence: str) -> None:
    with pytest.raises(AssertionError, match=sentence), capture() as seen:
        seen.meter_provider.get_meter("otel_agentops").create_counter(name).add(1, labels)


def test_other_scopes_may_emit_any_name() -> None:
    with capture() as seen:
        seen.tracer_provider.get_tracer("other").start_span("x", attributes={"their.own": 1}).end()
    assert seen.problems == []


def test_capture_restores_the_telemetry_before() -> None:
    before = _telemetry.get_default()
    with pytest.raises(ZeroDivisionError), capture():
        assert _telemetry.get_default() is not before
        raise ZeroDivisionError
    assert _telemetry.get_default() is before


def test_clear_forgets_spans_and_events() -> None:
    with capture() as seen:
        _telemetry.get_default().spans.tracer.start_span("chat m", attributes=NAME).end()
        _telemetry.get_default().emit_event("otel_agentops.change", {})
        seen.clear()
        assert (seen.spans, seen.events) == ([], [])


@pytest.mark.parametrize(("value", "equal"), [(0.1, True), (0.0, False), (-1.0, False), (1, False), (None, False)])
def test_seconds_equal_every_measured_time(value: object, equal: bool) -> None:
    assert ([value] == [SECONDS]) is equal
