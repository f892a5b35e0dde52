"""The columns that fields and queries read, with their registered types: Honeycomb takes no field of an unknown one."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from otel_agentops.semconv import attributes as A
from otel_agentops.semconv import check
from otel_agentops.slo.honeycomb._terraform import Block, Template
from otel_agentops.slo.honeycomb.questions import TRUTH, build_questions
from otel_agentops.slo.indicators import verdict_attribute
from otel_agentops.slo.spec import Slo

_RESOURCE, _LABEL = "honeycombio_column", "read"
COLUMNS = f"{_RESOURCE}.{_LABEL}"
_TYPES = {"int": "integer", "double": "float", "boolean": "boolean"}  # an array is text there
_PAIRS = Template(
    "${{ for pair in setproduct(keys(var.services), keys(local.columns)) : "
    '"${pair[0]}/${pair[1]}" => { dataset = pair[0], name = pair[1] } if var.create_columns }}'
)


def build_content(slos: Sequence[Slo]) -> Block:
    """Return a column for each name and dataset.

    Destroying a column destroys its data, so Terraform is told to refuse that.
    """
    column: Block = {
        "for_each": _PAIRS,
        "dataset": Template("${each.value.dataset}"),
        "name": Template("${each.value.name}"),
        "type": Template("${local.columns[each.value.name]}"),
        "lifecycle": {"prevent_destroy": True},
    }
    return {
        "locals": {"columns": {name: _find_type(name) for name in sorted({*_list_columns(slos)})}},
        "resource": {_RESOURCE: {_LABEL: column}},
    }


def _list_columns(slos: Sequence[Slo]) -> Iterator[str]:
    yield from (verdict_attribute(slo.indicator.name) for slo in slos)
    yield from (*TRUTH, A.JUDGE_REVISION)
    for question in build_questions(slos):
        yield from question.breakdowns
        yield from (each[0] for each in question.filters)
        yield from (each[1] for each in question.calculations if len(each) > 1)


def _find_type(name: str) -> str:
    attribute = check.find_attribute(name)
    # A name that is not registered is the verdict of a team's own indicator: 0 or 1, as ours are.
    return _TYPES.get(attribute.type, "string") if attribute else "integer"
