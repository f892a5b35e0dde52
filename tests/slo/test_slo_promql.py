"""Durations, numbers and strings as PromQL reads them."""

from __future__ import annotations

from decimal import Decimal

import promql_parser
import pytest
from hypothesis import given
from hypothesis import strategies as st

from otel_agentops.slo import _promql, units


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (90, "1m30s"),
        (300, "5m"),
        (299.999, "4m59s999ms"),
        (2_592_000, "30d"),
        (0.25, "250ms"),
        (3_661.5, "1h1m1s500ms"),
    ],
)
def test_duration(seconds: float, text: str) -> None:
    assert units.format_duration(seconds) == text


@given(st.integers(1, 10**10))
def test_durations_are_read_back(milliseconds: int) -> None:
    read = promql_parser.parse_duration(units.format_duration(milliseconds / 1000))
    assert round(read.total_seconds() * 1000) == milliseconds


@pytest.mark.parametrize(
    ("value", "text"),
    [(Decimal("0.720"), "0.72"), (Decimal(100), "100"), (Decimal("1E-7"), "0.0000001"), (0.1, "0.1"), (20, "20")],
)
def test_number(value: Decimal | float, text: str) -> None:
    assert units.format_number(value) == text


@given(st.text(st.characters(exclude_categories=["Cs"]), max_size=30))
def test_quoted_text_is_read_back(text: str) -> None:
    assert promql_parser.parse(_promql.quote_string(text)).val == text
