"""What docs/slo.md shows is what can be written."""

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
def test_an_example_is_a_spec(tmp_path: Path, text: str) -> None:
    (tmp_path / "a.yaml").write_text(text if text.startswith("name:") else REST + text, "utf-8")
    (one,) = slo.load(tmp_path)
    assert one.indicator.about


def test_every_form_is_shown_and_six_lines_are_enough() -> None:
    assert [text.partition(":")[0] for text in EXAMPLES] == ["name", "sli", "sli", "sli"]
    assert len(EXAMPLES[0].splitlines()) == 6


def test_every_field_is_in_the_table() -> None:
    told = {name for name in slo.Slo.model_fields if f"\n| `{name}` | " in PAGE}
    assert told == set(slo.Slo.model_fields)
