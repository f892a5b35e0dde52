"""Terraform's JSON syntax: expressions stay live, and any other text is what it was."""

from __future__ import annotations

import json
import re
from decimal import Decimal

from hypothesis import given, settings
from hypothesis import strategies as st

from otel_agentops.slo.honeycomb._terraform import HEAD, Block, Template, quote_text, render_file

LIVE = re.compile(r"(?<![$])\$\{|(?<!%)%\{")


def test_file_holds_values_as_json() -> None:
    content: Block = {
        "provider": {},
        "a": {
            "b": {
                "x": 1,
                "longer": Template("${each.value}"),
                "map": {"k": "v", "longer": [True, "x"]},
                "rate": Decimal("2.5"),
                "whole": Decimal("9E+1"),
                "nothing": None,
                "alone": "${live} %{if} é",
                "inner": {"empty": {}, "${live}": []},
            }
        },
    }
    text = render_file(content)
    assert json.loads(text) == {
        "//": HEAD,
        "provider": {},
        "a": {
            "b": {
                "x": 1,
                "longer": "${each.value}",
                "map": {"k": "v", "longer": [True, "x"]},
                "rate": 2.5,
                "whole": 90,
                "nothing": None,
                "alone": "$${live} %%{if} é",
                "inner": {"empty": {}, "$${live}": []},
            }
        },
    }
    assert '"whole": 90,' in text and "é" in text and text.endswith("}\n")


@settings(deadline=None)
@given(st.text(st.characters(exclude_categories=["Cc", "Cs"]), max_size=30))
def test_text_holds_nothing_live(value: str) -> None:
    written = json.loads(render_file({"x": value}))["x"]
    literal = json.loads(quote_text(value))
    for text in (written, literal):
        assert not LIVE.search(text.replace("$${", "").replace("%%{", ""))
        assert text.replace("$${", "${").replace("%%{", "%{") == value
