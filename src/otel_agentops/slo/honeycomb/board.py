"""The board: what is promised, then the questions of an incident, over all datasets of the environment."""

from __future__ import annotations

from collections.abc import Sequence

from otel_agentops.slo.honeycomb._terraform import Block, Template
from otel_agentops.slo.honeycomb.columns import COLUMNS
from otel_agentops.slo.honeycomb.objectives import HIGHEST, get_percent
from otel_agentops.slo.honeycomb.questions import DAY, Question, build_questions
from otel_agentops.slo.spec import Slo

TEXT = """\
**Burning?** The SLOs say which promise. **Since when?** Error ratios. **What moved?** A line that begins or ends just \
before. **Where?** Surfaces. Then BubbleUp on the bad ones: `… .bad = 1`.

A *proxy* stands in for what users care about: *Proxy beside truth* says how far it can be believed. Revisions of a \
judge are never one number: each is a measure of its own."""


def build_content(slos: Sequence[Slo]) -> Block:
    """Return the queries, their names, and the board that shows them."""
    questions = build_questions(slos)
    return {
        "data": {"honeycombio_query_specification": {each.key: _build_specification(each) for each in questions}},
        "locals": {
            "questions": {
                each.key: {
                    "name": each.name,
                    "description": each.description,
                    "json": Template(f"${{data.honeycombio_query_specification.{each.key}.json}}"),
                }
                for each in questions
            }
        },
        "resource": {
            "honeycombio_query": {
                "question": {
                    "for_each": Template("${local.questions}"),
                    "query_json": Template("${each.value.json}"),
                    "depends_on": [COLUMNS],
                }
            },
            "honeycombio_query_annotation": {
                "question": {
                    "for_each": Template("${local.questions}"),
                    "query_id": Template("${honeycombio_query.question[each.key].id}"),
                    "name": Template("${each.value.name}"),
                    "description": Template("${each.value.description}"),
                }
            },
            "honeycombio_flexible_board": {"incident": _build_board(slos, questions)},
        },
    }


def _build_specification(question: Question) -> Block:
    """Return a query that the provider checks, unlike one that is written as JSON by hand."""
    return {
        "time_range": DAY,
        "breakdowns": question.breakdowns,
        **({"compare_time_offset": DAY} if question.has_day_before else {}),
        "calculation": [dict(zip(("op", "column"), each, strict=False)) for each in question.calculations],
        "filter": [dict(zip(("column", "op", "value"), each, strict=False)) for each in question.filters],
    }


def _build_board(slos: Sequence[Slo], questions: Sequence[Question]) -> Block:
    slo_panels: list[Block] = [
        {
            "for_each": Template(f"${{honeycombio_slo.{slo.name}}}"),
            "content": {"type": "slo", "slo_panel": {"slo_id": Template("${panel.value.id}")}},
        }
        for slo in slos
        if get_percent(slo) <= HIGHEST
    ]
    query_panels: Block = {
        "for_each": [each.key for each in questions],
        "content": {
            "type": "query",
            "query_panel": {
                "query_id": Template("${honeycombio_query.question[panel.value].id}"),
                "query_annotation_id": Template("${honeycombio_query_annotation.question[panel.value].id}"),
                "query_style": "combo",
            },
        },
    }
    return {
        "name": "otel-agentops: which variable moved?",
        "description": "Budgets of the LLM features, and what to ask when one burns.",
        "panel": {"type": "text", "text_panel": {"content": TEXT}},
        "dynamic": {"panel": [*slo_panels, query_panels]},
    }
