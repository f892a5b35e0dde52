"""Terraform's language is written as it is read, and as `terraform fmt` writes it."""

from __future__ import annotations

import json
import re
from decimal import Decimal

import hcl2
from hypothesis import given, settings
from hypothesis import strategies as st

from otel_agentops.slo.honeycomb._hcl import Block, Raw, quoted, text


def test_a_file() -> None:
    blocks = [
        Block("provider", []),
        Block(
            'a "b"',
            [
                ("x", 1),
                ("longer", Raw("each.value")),
                ("map", {"k": "v", "longer": [True, "x"]}),
                ("rate", Decimal("2.5")),
                None,
                ("alone", "${live} %{if}"),
                Block("inner", [("empty", {})]),
            ],
        ),
    ]
    assert text(blocks) == (
        "provider {}\n"
        "\n"
        'a "b" {\n'
        "  x      = 1\n"
        "  longer = each.value\n"
        "  map = {\n"
        '    k      = "v"\n'
        '    longer = [true, "x"]\n'
        "  }\n"
        "  rate = 2.5\n"
        "\n"
        '  alone = "$${live} %%{if}"\n'
        "  inner {\n"
        "    empty = {}\n"
        "  }\n"
        "}\n"
    )


@settings(deadline=None)
@given(st.text(st.characters(exclude_categories=["Cc", "Cs", "Zl", "Zp"]), max_size=30))
def test_any_text_is_a_string_with_nothing_live(value: str) -> None:
    (block,) = hcl2.loads(f"a {{\n  x = {quoted(value)}\n}}\n")["a"]
    read = str(block["x"])
    assert not re.search(r"(?<![$])\$\{|(?<!%)%\{", read.replace("$${", "").replace("%%{", ""))
    assert json.loads(read).replace("$${", "${").replace("%%{", "%{") == value
