"""The board: what is promised, then the questions of an incident, over all datasets of the environment."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from otel_agentops.slo.honeycomb._hcl import Block, Raw, Value
from otel_agentops.slo.honeycomb.columns import COLUMNS
from otel_agentops.slo.honeycomb.objectives import HIGHEST, percent
from otel_agentops.slo.honeycomb.questions import DAY, Question, questions
from otel_agentops.slo.spec import Slo

TEXT = """\
**Burning?** The SLOs say which promise. **Since when?** Error ratios. **What moved?** A line that begins or ends just \
before. **Where?** Surfaces. Then BubbleUp on the bad ones: `… .bad = 1`.

A *proxy* stands in for what users care about: *Proxy beside truth* says how far it can be believed. Revisions of a \
judge are never one number: each is a measure of its own."""

_Body = list["tuple[str, Value] | Block | None"]


def blocks(slos: Sequence[Slo]) -> list[Block]:
    """Queries, their names, and the board that shows them."""
    asked = questions(slos)
    return [
        *map(_specification, asked),
        Block("locals", [("questions", {each.key: _said(each) for each in asked})]),
        _query(),
        _annotation(),
        _board(slos, asked),
    ]


def _specification(question: Question) -> Block:
    """Checked by the provider, unlike JSON of our own."""
    body: _Body = [("time_range", DAY), ("breakdowns", list(question.by))]
    if question.compared:
        body.append(("compare_time_offset", DAY))
    body += [part for each in question.calculate for part in (None, _calculation(each))]
    body += [part for each in question.where for part in (None, _filter(each))]
    return Block(f'data "honeycombio_query_specification" "{question.key}"', body)


def _calculation(parts: tuple[str, ...]) -> Block:
    return Block("calculation", list(zip(("op", "column"), parts, strict=False)))


def _filter(parts: tuple[str, ...]) -> Block:
    return Block("filter", list(zip(("column", "op", "value"), parts, strict=False)))


def _said(question: Question) -> dict[str, Value]:
    json = Raw(f"data.honeycombio_query_specification.{question.key}.json")
    return {"name": question.name, "description": question.about, "json": json}


def _query() -> Block:
    columns = ("depends_on", Raw(f"[{COLUMNS}]"))
    body: _Body = [("for_each", Raw("local.questions")), None, ("query_json", Raw("each.value.json")), columns]
    return Block('resource "honeycombio_query" "question"', body)


def _annotation() -> Block:
    body: _Body = [
        ("for_each", Raw("local.questions")),
        None,
        ("query_id", Raw("honeycombio_query.question[each.key].id")),
        ("name", Raw("each.value.name")),
        ("description", Raw("each.value.description")),
    ]
    return Block('resource "honeycombio_query_annotation" "question"', body)


def _board(slos: Sequence[Slo], asked: Sequence[Question]) -> Block:
    body: _Body = [
        ("name", "otel-agentops: which variable moved?"),
        ("description", "Budgets of the LLM features, and what to ask when one burns."),
        None,
        Block("panel", [("type", "text"), None, Block("text_panel", [("content", TEXT)])]),
    ]
    body += [part for slo in slos if percent(slo) <= HIGHEST for part in (None, _slo_panels(slo))]
    return Block('resource "honeycombio_flexible_board" "incident"', [*body, None, *_query_panels(asked)])


def _slo_panels(slo: Slo) -> Block:
    shown = Block("slo_panel", [("slo_id", Raw("panel.value.id"))])
    each = ("for_each", Raw(f"honeycombio_slo.{slo.name}"))
    return Block('dynamic "panel"', [each, None, Block("content", [("type", "slo"), None, shown])])


def _query_panels(asked: Sequence[Question]) -> Iterator[Block]:
    shown = Block(
        "query_panel",
        [
            ("query_id", Raw("honeycombio_query.question[panel.value].id")),
            ("query_annotation_id", Raw("honeycombio_query_annotation.question[panel.value].id")),
            ("query_style", "combo"),
        ],
    )
    order: _Body = [("for_each", [each.key for each in asked]), None]
    yield Block('dynamic "panel"', [*order, Block("content", [("type", "query"), None, shown])])
