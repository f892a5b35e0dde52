"""InvokeModel in every family of models, and knowledge bases, beside each instrumentation of Bedrock, in both orders.

Each call is one span that has our identity and the answer, except if `matrix.BODIES` has a row about it.
"""

from __future__ import annotations

import functools
from typing import Any

import matrix
import pytest
from cell import Results, run_cells

from otel_agentops._foreign_spans import SCOPE

pytestmark = pytest.mark.xdist_group("bedrock")


@functools.cache
def run_bodies() -> Results:
    return run_cells("bedrock bodies")


def describe_span(span: dict[str, Any]) -> list[Any]:
    """Return the maker of a span, and if it has our identity and the answer."""
    attributes = span["attributes"]
    is_lookup = attributes.get("gen_ai.operation.name") == "retrieval" or "otel_agentops.index.name" in attributes
    of_answer = "otel_agentops.retrieval.document.count" if is_lookup else "otel_agentops.model.resolution"
    has_answer = of_answer in attributes or "otel_agentops.model.resolution" in attributes
    return ["ours" if span["scope"] == SCOPE else "theirs", "otel_agentops.attempt.count" in attributes, has_answer]


@pytest.mark.parametrize("order", matrix.ORDERS)
@pytest.mark.parametrize("peer", matrix.PEERS)
def test_body_is_one_span_or_as_its_row_says(peer: str, order: str) -> None:
    results = run_bodies()[f"{peer}, {order}"]
    spans = {call: sorted(map(describe_span, result["spans"])) for call, result in results.items()}
    assert spans == {call: matrix.BODIES[peer].get(call, matrix.THEIRS) for call in results}


def test_bodies_raise_no_error() -> None:
    errors = {(peer, call): cell["error"] for peer, cells in run_bodies().items() for call, cell in cells.items()}
    assert {where: error for where, error in errors.items() if error} == {}


def test_lost_spans_are_lost_without_us() -> None:
    alone = run_bodies()["OpenLLMetry"]
    rows = matrix.BODIES["OpenLLMetry"].items()
    assert [call for call, row in rows if row is matrix.LOST and alone[call]["spans"]] == []


def test_spans_that_official_never_ends_are_ended() -> None:
    """Streams of the families that it does not know: alone it never ends their spans."""
    alone = run_bodies()["official"]
    forgotten = [call.partition(" ")[2] for call, result in alone.items() if not result["spans"]]
    assert forgotten == [
        "llama", "mistral", "mistral chat", "command", "command-r", "deepseek", "jamba", "gpt-oss", "hidden", "unknown"
    ]  # fmt: skip
