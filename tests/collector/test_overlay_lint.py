"""The overlay keeps the rules that keep a collector alive, and the lint sees where one is broken."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import overlay_lint
import pytest
from ruamel.yaml import YAML

from stack import OVERLAY

MAIN = "signal_to_metrics/otel_agentops"
SLI = "signal_to_metrics/otel_agentops_sli"
VARIABLES = "signal_to_metrics/otel_agentops_variables"


@pytest.fixture
def overlay() -> Any:
    """The overlay with its anchors written out, so that a test changes one place only."""
    return json.loads(json.dumps(YAML(typ="safe").load(OVERLAY)))


def test_the_overlay_has_no_problems(overlay: Any) -> None:
    assert overlay_lint.problems(overlay) == []


def _metric(config: Any, name: str) -> Any:
    found = [metric for id_ in (MAIN, VARIABLES) for metric in config["connectors"][id_]["spans"]]
    return next(metric for metric in found if metric["name"] == name)


def _drop_type(config: Any) -> None:
    _metric(config, "otel_agentops.llm.attempts")["sum"]["value"] = 'span.attributes["otel_agentops.attempt.count"]'


def _half_typed(config: Any) -> None:
    value = 'Int(span.attributes["otel_agentops.attempt.count"]) + 0.5'
    _metric(config, "otel_agentops.llm.attempts")["sum"]["value"] = value


def _gauge(config: Any) -> None:
    _metric(config, "otel_agentops.llm.calls")["sum"]["monotonic"] = False


def _drop_guard(config: Any) -> None:
    del _metric(config, "otel_agentops.task.llm_calls")["conditions"]


def _guarded_by_half(config: Any) -> None:
    _metric(config, "otel_agentops.task.llm_calls")["conditions"].append('span.name == "x"')


def _half(config: Any) -> None:
    config["connectors"][SLI]["spans"][1]["name"] = "otel_agentops.sli.bad"


def _no_verdict(config: Any) -> None:
    del config["connectors"][SLI]["logs"][1]["attributes"][0]


def _others_verdict(config: Any) -> None:
    config["connectors"][SLI]["spans"][1]["attributes"][0] = {"key": "otel_agentops.sli.escalation.bad"}


def _loose_pair(config: Any) -> None:
    config["connectors"][SLI]["spans"][1]["conditions"] = [
        'span.attributes["otel_agentops.sli.task_completed.bad"] >= 0'
    ]


def _other_description(config: Any) -> None:
    config["connectors"][SLI]["logs"][0]["description"] = "Events"


def _one_connector(config: Any) -> None:
    config["connectors"][MAIN]["spans"] += config["connectors"][VARIABLES]["spans"]


def _deltas(config: Any) -> None:
    config["service"]["pipelines"]["metrics/otel_agentops"]["processors"].pop()


def _limiter_first(config: Any) -> None:
    config["service"]["pipelines"]["logs/otel_agentops"]["processors"].reverse()


def _propagates(config: Any) -> None:
    config["processors"]["transform/otel_agentops"]["error_mode"] = "propagate"


def _default_mode(config: Any) -> None:
    del config["connectors"][VARIABLES]["error_mode"]


def _users_processor(config: Any) -> None:
    config["processors"]["batch"] = {}


def _users_pipeline(config: Any) -> None:
    config["service"]["pipelines"]["traces"] = config["service"]["pipelines"]["traces/otel_agentops"]


def _users_telemetry(config: Any) -> None:
    config["service"]["telemetry"] = {"metrics": {"level": "none"}}


BROKEN: list[tuple[Callable[[Any], None], str]] = [
    (_drop_type, "is neither in Int() nor in Double()"),
    (_half_typed, "is neither in Int() nor in Double()"),
    (_gauge, "the sum is not monotonic"),
    (_drop_guard, "not every condition compares it with a number"),
    (_guarded_by_half, "not every condition compares it with a number"),
    (_half, "is a half of a pair"),
    (_no_verdict, "does not count the verdict of"),
    (_others_verdict, "does not count the verdict of task_completed"),
    (_loose_pair, "task_completed counts more than the verdicts 0 and 1"),
    (_other_description, "otel_agentops.sli.events has 2 definitions"),
    (_one_connector, "shares max_streams with"),
    (_deltas, "metrics/otel_agentops: deltas are pulled"),
    (
        _limiter_first,
        "logs/otel_agentops: begins with transform, transform, transform and not with filter, batch, memory_limiter",
    ),
    (_propagates, "transform/otel_agentops: error_mode is propagate"),
    (_default_mode, "signal_to_metrics/otel_agentops_variables: has no error_mode"),
    (_users_processor, "processors: batch is not ours"),
    (_users_pipeline, "pipelines: traces is not ours"),
    (_users_telemetry, "service: telemetry is not ours"),
]


@pytest.mark.parametrize(("broken", "problem"), BROKEN)
def test_overlay_lint_reports_a_broken_overlay(overlay: Any, broken: Callable[[Any], None], problem: str) -> None:
    broken(overlay)
    assert any(problem in found for found in overlay_lint.problems(overlay)), overlay_lint.problems(overlay)
