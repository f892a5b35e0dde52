"""A collector is asked about what it alone knows."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from otel_agentops import slo
from otel_agentops.slo import conditions
from otel_agentops.slo.indicators import BUILT_IN, PARAMETRISED

pytestmark = pytest.mark.collector
OWN = {
    "name": "x",
    "type": "proxy",
    "on": "tool",
    "eligible": 'attributes["a"] == "$b"',
    "bad": "",
    "about": "bad ones",
}


def own(**fields: object) -> slo.Slo:
    said = {"name": "a", "sli": {**OWN, **fields}, "objective": 0.9, "owner": "o", "runbook": "r"}
    return slo.Slo.model_validate(said)


@pytest.mark.parametrize(
    ("on", "bad", "reason"),
    [
        ("tool", 'attributes["x"] > 1 or span.status.code == STATUS_CODE_ERROR', None),
        ("tool", 'Foo(attributes["x"]) == 1', 'inferred context "span" does not support the function "Foo"'),
        ("tool", 'attributes["x"] == STATUS_X', 'inferred context "span" does not support the enum symbol "STATUS_X"'),
        ("tool", 'attributes["x"] == "\U00010000 é $b ${env:HOME}"', None),
        ("outcome", 'attributes["x"] > 1 and log.severity_number > 3', None),
        ("outcome", "log.no == 1", 'unable to parse OTTL condition "log.no == 1": segment "no" from path'),
    ],
)  # fmt: skip
def test_what_a_collector_says(otelcol: Path, on: str, bad: str, reason: str | None) -> None:
    said = conditions.list_refused([own(on=on, bad=bad)], otelcol)
    assert len(said) == (reason is not None)
    assert all(sentence.startswith(f"a: sli.bad: the collector says: {reason}") for sentence in said)


def test_built_ins_are_taken(otelcol: Path) -> None:
    """Once for all of them; by name nobody would ask."""
    made = [*BUILT_IN.values(), *(kind.make(name, 1, on) for name, kind in PARAMETRISED.items() for on in kind.ons)]
    parts = {on: [one for one in made if one.on == on] for on in {one.on for one in made}}
    for on, ones in parts.items():
        either = [" or ".join(f"({getattr(one, field)})" for one in ones) for field in ("eligible", "bad")]
        assert conditions.list_refused([own(on=on, eligible=either[0], bad=either[1])], otelcol) == []


def test_the_command(otelcol: Path, tmp_path: Path) -> None:
    head = "{name: a, objective: 0.99, owner: o, runbook: r, sli: {use: latency, threshold: 8}}"
    (tmp_path / "a.yaml").write_text(head)
    assert run(tmp_path, otelcol) == (0, f"1 objective; {otelcol.name} takes their conditions\n", "")
    sli = (
        "{name: x, type: direct, on: tool, about: x, eligible: 'attributes[\"gen_ai.x\"] == 1', bad: 'Foo(span.name)'}"
    )
    (tmp_path / "b.yaml").write_text(f"{{name: b, objective: 0.99, owner: o, runbook: r, sli: {sli}}}")
    code, printed, said = run(tmp_path, otelcol)
    assert (code, printed) == (1, "")
    assert said.splitlines() == [
        "note: b: sli: gen_ai.x is none of the attributes that are known here; check its spelling",
        'otel-agentops slo: b: sli.bad: the collector says: inferred context "span" does not support the function '
        '"Foo"',
    ]
    wrong = "otel-agentops slo: nowhere is no program that can be run; correct --collector or $OTELCOL"
    code, _, said = run(tmp_path, Path("nowhere"))
    assert (code, said.splitlines()[-1]) == (1, wrong)


def run(directory: Path, otelcol: Path) -> tuple[int, str, str]:
    command = [sys.executable, "-m", "otel_agentops.cli", "slo", "check", "--slo", ".", "--collector", otelcol]
    done = subprocess.run(command, cwd=directory, capture_output=True, text=True)
    return done.returncode, done.stdout, done.stderr
