"""The columns that fields and queries read, with their registered types: Honeycomb takes no field of an unknown one."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from otel_agentops.semconv import attributes as A
from otel_agentops.semconv import check
from otel_agentops.slo.honeycomb._hcl import Block, Raw
from otel_agentops.slo.honeycomb.questions import TRUTH, questions
from otel_agentops.slo.indicators import verdict
from otel_agentops.slo.spec import Slo

_RESOURCE, _LABEL = "honeycombio_column", "read"
COLUMNS = f"{_RESOURCE}.{_LABEL}"
_TYPES = {"int": "integer", "double": "float", "boolean": "boolean"}  # an array is text there


def blocks(slos: Sequence[Slo]) -> list[Block]:
    """One for each dataset and column. A column that is destroyed takes its data with it: that is refused."""
    pairs = (
        "{ for pair in setproduct(keys(var.services), keys(local.columns)) : "
        '"${pair[0]}/${pair[1]}" => { dataset = pair[0], name = pair[1] } if var.create_columns }'
    )
    return [
        Block("locals", [("columns", {f'"{name}"': _type(name) for name in sorted({*_read(slos)})})]),
        Block(
            f'resource "{_RESOURCE}" "{_LABEL}"',
            [
                ("for_each", Raw(pairs)),
                None,
                ("dataset", Raw("each.value.dataset")),
                ("name", Raw("each.value.name")),
                ("type", Raw("local.columns[each.value.name]")),
                None,
                Block("lifecycle", [("prevent_destroy", True)]),
            ],
        ),
    ]


def _read(slos: Sequence[Slo]) -> Iterator[str]:
    yield from (verdict(slo.indicator.name) for slo in slos)
    yield from (*TRUTH, A.JUDGE_REVISION)
    for question in questions(slos):
        yield from question.by
        yield from (each[0] for each in question.where)
        yield from (each[1] for each in question.calculate if len(each) > 1)


def _type(name: str) -> str:
    """A verdict of the team's own is a number like ours."""
    attribute = check.lookup(name)
    return _TYPES.get(attribute.type, "string") if attribute else "integer"
