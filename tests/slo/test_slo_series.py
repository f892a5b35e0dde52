"""A recorded series has one name, which is written in one place."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from otel_agentops import slo
from otel_agentops.slo import prometheus, series

ROOT = Path(__file__).parents[2]
PREFIX = "otel_agentops:"
NAMES = {name: value for name, value in vars(series).items() if isinstance(value, str) and value.startswith(PREFIX)}
SOURCES = [
    path
    for folder in ("src/otel_agentops", "bench", "examples", "tools")
    for path in sorted((ROOT / folder).rglob("*.py"))
    if path != Path(series.__file__)
]


def spelled(tree: ast.AST) -> Iterator[str]:
    """Yield each literal, docstrings included, that spells the name of a series or begins one."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and PREFIX in node.value:
            yield f"line {node.lineno}: {node.value[:60]}"


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_no_other_file_spells_a_series(path: Path) -> None:
    assert [*spelled(ast.parse(path.read_text()))] == []


def test_each_series_has_one_constant() -> None:
    assert len(set(NAMES.values())) == len(NAMES) > 50


def test_the_rules_write_exactly_the_named_series() -> None:
    groups = prometheus.build_rules(slo.load(ROOT / "slo"))["groups"]
    written = {rule["record"] for group in groups for rule in group["rules"] if "record" in rule}
    windows = {series.name_window(name, window) for name in NAMES.values() for window in prometheus.WINDOWS}
    bounds = {series.name_bound(name, bound) for name in NAMES.values() for bound in ("low", "high")}
    assert written - windows - bounds <= set(NAMES.values())
    # A ratio exists over windows alone.
    assert set(NAMES.values()) - written == {series.SLI_ERROR_RATIO}
