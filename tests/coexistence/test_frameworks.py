"""The openai client below LangChain, Langfuse's client and logfire, in both orders: every call is as its row says."""

from __future__ import annotations

import functools
import importlib.util
import os
from typing import Any

import matrix
import pytest
from cell import Results, run_cells

from otel_agentops._foreign_spans import SCOPE

if os.environ.get("AGENTOPS_END") != "coexistence" and importlib.util.find_spec("langfuse") is None:
    pytest.skip('langfuse is not installed here: `make ends ARGS="--client coexistence"`', allow_module_level=True)
packages = pytest.mark.parametrize("package", matrix.FRAMEWORKS)


@functools.cache
def run_package(package: str) -> Results:
    return run_cells(package)


def list_model_spans(result: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the spans of model calls, without those of chains and of a log after a stream."""
    named = ("ChatOpenAI", "ChatOpenAI.chat", "OpenAI-generation", "OpenAI-embedding")
    logged = ("Chat Completion", "Responses API", "Embedding Creation")
    return [
        span
        for span in result["spans"]
        if span["scope"] == SCOPE or span["name"] in named or span["name"].startswith(logged)
    ]


def describe_span(span: dict[str, Any]) -> list[Any]:
    """Return the maker of a span, and if it has our identity and the answer."""
    has_identity, has_answer = (
        f"otel_agentops.{name}" in span["attributes"] for name in ("prompt.source", "model.resolution")
    )
    return ["ours" if span["scope"] == SCOPE else "theirs", has_identity, has_answer]


@packages
@pytest.mark.parametrize("order", matrix.ORDERS)
def test_call_below_a_package_is_as_its_row_says(package: str, order: str) -> None:
    results = run_package(package)
    for peer, rows in matrix.FRAMEWORKS[package].items():
        calls = results[f"{peer}, {order}"]
        spans = {call: sorted(map(describe_span, list_model_spans(result))) for call, result in calls.items()}
        assert spans == {call: rows.get(call.partition(" ")[2], matrix.THEIRS) for call in calls}, peer


@packages
def test_enriched_span_has_all_attributes_of_ours(package: str) -> None:
    """Their own values stay; `logfire.metrics` is a sum that logfire writes on ours."""
    results, wrong = run_package(package), []
    for combination in results:
        for call, result in results[combination].items() if "first" in combination else ():
            ours = results["ours"][call]["spans"][0]["attributes"] if results["ours"][call]["spans"] else {}
            for span in list_model_spans(result):
                if describe_span(span) == ["theirs", True, True]:
                    missing = sorted({*ours} - {*span["attributes"], "logfire.metrics"})
                    wrong += [(combination, call, missing)] if missing else []
    assert wrong == []


@packages
def test_tokens_of_a_call_are_measured_once(package: str) -> None:
    for combination, calls in run_package(package).items():
        for call, result in calls.items():
            counts = [scope["input"] for scope in result["measured"].values()]
            assert sum(counts) <= (2 if "after" in call else 1), (combination, call, result["measured"])


@packages
def test_call_below_a_package_raises_nothing(package: str) -> None:
    errors = {
        (combination, call): result["error"]
        for combination, calls in run_package(package).items()
        for call, result in calls.items()
        if result["error"] and not ("trace_id" in call and combination == "ours")  # an argument of Langfuse alone
    }
    assert errors == {}
