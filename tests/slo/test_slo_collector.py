"""The collector fragment: the same for the same objectives, equal to the overlay's defaults, taken by a collector."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from ruamel.yaml import YAML

import overlay
import stack
from otel_agentops import slo
from otel_agentops.slo import collector, generate
from otel_agentops.slo.indicators import BUILT_IN, PARAMETRISED, Indicator, On

HERE = Path(__file__).parent


def parsed(text: str) -> Any:
    return YAML(typ="safe").load(text)


def fragment_of(*indicators: Indicator) -> Any:
    return parsed(collector.render_yaml(collector.build_fragment(indicators)))


def one(name: str, sli: object) -> slo.Slo:
    return slo.Slo.model_validate({"name": name, "sli": sli, "objective": 0.9, "owner": "o", "runbook": "r"})


# -- what it holds


def test_the_committed_fragment_is_that_of_slo() -> None:
    made = collector.files(slo.load(stack.ROOT / "slo"))
    assert generate.find_stale_files(made, stack.ROOT / "backends") == []
    assert collector.files(slo.load(stack.ROOT / "slo")) == made


def test_the_overlay_has_the_default_indicators() -> None:
    text = stack.OVERLAY.read_text()
    assert overlay.fill_marks(text) == text
    ours, fragment = parsed(text), fragment_of(*(BUILT_IN[name] for name in overlay.DEFAULTS))
    for section, components in fragment.items():
        for id_, component in components.items():
            assert ours[section][id_] == component


def test_a_default_that_differs_would_be_seen() -> None:
    text = stack.OVERLAY.read_text()
    assert overlay.fill_marks(text.replace("default_value: tool_success", "default_value: x")) == text


def test_two_objectives_of_one_indicator_count_once() -> None:
    once = collector.files([one("a", "task_completed")])
    assert collector.files([one("a", "task_completed"), one("b", "task_completed")]) == once


def test_one_name_has_one_meaning() -> None:
    slow, slower = ({"use": "latency", "threshold": threshold, "on": "task"} for threshold in (1, 2))
    with pytest.raises(ValueError, match="b: sli: 'latency' means two things; give one of them another name"):
        collector.files([one("a", slow), one("b", slower)])


def test_both_signals_are_written_even_where_one_is_empty() -> None:
    """A list that is not there would leave the overlay's own in place."""
    made = fragment_of(BUILT_IN["tool_success"])
    assert made["processors"][collector.TRANSFORM]["log_statements"] == []
    assert made["connectors"][collector.CONNECTOR]["logs"] == []
    made = fragment_of(BUILT_IN["judge_score"])
    assert made["processors"][collector.TRANSFORM]["trace_statements"] == []
    assert made["connectors"][collector.CONNECTOR]["spans"] == []


def test_what_reads_the_span_has_no_verdict_beside_the_truth() -> None:
    timed = PARAMETRISED["latency"].make("slow", 1, "task")
    assert fragment_of(timed)["connectors"][collector.CONNECTOR]["logs"] == []
    (label,) = fragment_of(BUILT_IN["escalation"])["connectors"][collector.CONNECTOR]["logs"]
    assert label["name"] == "otel_agentops.truth.labels"


def test_folding_changes_nothing() -> None:
    """Also of texts with spaces in them, and `$` is written twice."""
    parts = ["a  b " * 20 + f'{n} $ \\" c' for n in range(4)]
    condition = " or ".join(f'attributes["x"] == "{part}"' for part in parts)
    made = fragment_of(indicator("tool", condition, condition))
    (group,) = made["processors"][collector.TRANSFORM]["trace_statements"]
    spans = condition.replace("attributes", "span.attributes").replace("$", "$$")
    key, cache = (f'span.{where}["otel_agentops.sli.mine.bad"]' for where in ("attributes", "cache"))
    assert group["statements"] == [
        f"set({cache}, 2) where {spans}",
        f"set({cache}, 0) where {cache} == 2 and not ({spans})",
        f"set({cache}, 1) where {cache} == 2 and ({spans})",
        f"set({key}, {cache}) where {cache} < 2",
    ]


def indicator(on: On, eligible: str, bad: str) -> Indicator:
    return Indicator("mine", "proxy", on, eligible, bad, (), "x")


# -- what a collector says


def validate(otelcol: Path, fragment: Mapping[str, Any] | str, directory: Path) -> str:
    """What it complains of; empty where it would start."""
    path = directory / "slo.yaml"
    path.write_text(fragment if isinstance(fragment, str) else json.dumps(fragment))
    configs = [f"--config={config}" for config in (stack.BASE, stack.OVERLAY, path)]
    done = subprocess.run([otelcol, "validate", *configs], capture_output=True, text=True, check=False)
    return done.stderr if done.returncode else ""


MADE = [each.make(f"{name}_{on}", 2, on) for name, each in PARAMETRISED.items() for on in each.ons]
EVERY = [*BUILT_IN.values(), *MADE]
OWN: Sequence[tuple[On, str]] = [
    ("tool", 'attributes["x"] > 1 or span.status.code == STATUS_CODE_ERROR'),
    ("retrieval", 'resource.attributes["region"] == "eu" and IsMatch(attributes["x"], "^$$|a b")'),
    ("outcome", 'log.severity_number > SEVERITY_NUMBER_WARN or attributes["x"] == true'),
    ("evaluation", 'attributes["x"] - 1 > 2.5'),
    ("task", 'not (attributes["x"] == "\\"" or attributes["y"] == nil)'),
]


@given(
    st.lists(st.sampled_from(EVERY), unique=True, min_size=1), st.lists(st.sampled_from(OWN), unique=True, max_size=3)
)
@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_collector_takes_any_of_them(
    otelcol: Path, tmp_path: Path, counted: list[Indicator], own: list[tuple[On, str]]
) -> None:
    mine = [Indicator(f"mine_{n}", "direct", on, text, text, (), "x") for n, (on, text) in enumerate(own)]
    assert validate(otelcol, collector.render_yaml(collector.build_fragment([*counted, *mine])), tmp_path) == ""


def test_a_function_that_a_collector_does_not_have_is_named(otelcol: Path, tmp_path: Path) -> None:
    """`slo check` asks for each condition by itself; here is what happens to who does not."""
    wrong = collector.render_yaml(
        collector.build_fragment([indicator("tool", 'attributes["x"] == 1', 'Foo(attributes["x"])')])
    )
    assert 'does not support the function "Foo"' in validate(otelcol, wrong, tmp_path)
