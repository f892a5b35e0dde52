"""The examples and the table of docs/slo.md: each example is a valid spec, each field is described."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from otel_agentops import slo
from stack import ROOT

PAGE = (ROOT / "docs" / "slo.md").read_text("utf-8")
EXAMPLES = [text for text in re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL) if not text.startswith("#")]
REST = "name: a\nobjective: 0.9\nowner: o\nrunbook: r\n"


@pytest.mark.parametrize("text", EXAMPLES, ids=range(len(EXAMPLES)))
def test_example_is_a_valid_spec(tmp_path: Path, text: str) -> None:
    (tmp_path / "a.yaml").write_text(text if text.startswith("name:") else REST + text, "utf-8")
    (one,) = slo.load(tmp_path)
    assert one.indicator.about


def test_examples_show_every_form_in_six_lines() -> None:
    assert [text.partition(":")[0] for text in EXAMPLES] == ["name", "sli", "sli", "sli", "sli"]
    assert len(EXAMPLES[0].splitlines()) == 6


def test_table_describes_every_field() -> None:
    described = {name for name in slo.Slo.model_fields if f"\n| `{name}` | " in PAGE}
    assert described == set(slo.Slo.model_fields)
