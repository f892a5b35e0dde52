"""openai and anthropic beside the real packages, in both patch orders: every way to call them is as the matrix says."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import Any

import matrix
import pytest
from cell import Results, run_cells

ROOT = Path(__file__).parents[2]
SCOPES = {
    "ours": ("otel_agentops",),
    "official": ("opentelemetry.instrumentation.genai.openai", "opentelemetry.instrumentation.genai.anthropic"),
    "OpenLLMetry": (
        "opentelemetry.instrumentation.openai",
        "opentelemetry.instrumentation.openai.v1",
        "opentelemetry.instrumentation.anthropic",
    ),
    "OpenInference": ("openinference.instrumentation.openai", "openinference.instrumentation.anthropic"),
    matrix.NATIVE: ("com.anthropic.sdk.python",),
}
# The carrier has these facts of the request with or without an answer. Embeddings have neither prompt nor tools.
OF_REQUEST = ("otel_agentops.prompt.hash", "otel_agentops.tools.hash")
ALWAYS = ("otel_agentops.params.hash", "otel_agentops.prompt.source")
FACTS = ("otel_agentops.task.id", "otel_agentops.task.name", "otel_agentops.traffic.segment")
clients = pytest.mark.parametrize(
    "client", [pytest.param(client, marks=pytest.mark.xdist_group(client)) for client in matrix.CALLS]
)
every_peer = pytest.mark.parametrize("peer", matrix.PEERS)


@functools.cache
def run_client(client: str) -> dict[str, Results]:
    """Return what a client makes with its own tracing off and, if it has one, on."""
    return {"off": run_cells(client), **({"native": run_cells("anthropic native")} if client == "anthropic" else {})}


def find_wrong(client: str, peers: tuple[str, ...], order: str) -> list[str]:
    combination = f"{peers[0]}, {order}" if peers else "ours"
    wrong = []
    for tracing, results in run_client(client).items():
        beside = peers + ((matrix.NATIVE,) if tracing == "native" else ())
        assert list(results[combination]) == matrix.list_calls(client)
        for call, result in results[combination].items():
            expected = matrix.find_expected(client, beside, order, call)
            problems = list_problems(expected, result)
            wrong += [f"{call}, beside {beside or 'nobody'}: {problem}" for problem in problems]
    return wrong


@clients
def test_call_without_a_peer_is_as_expected(client: str) -> None:
    assert find_wrong(client, (), matrix.OURS_FIRST) == []


@clients
@every_peer
@pytest.mark.parametrize("order", matrix.ORDERS)
def test_call_beside_a_peer_is_as_expected(client: str, peer: str, order: str) -> None:
    assert find_wrong(client, (peer,), order) == []


def list_problems(expected: matrix.Expected, result: dict[str, Any]) -> list[str]:
    """Return the differences between a call and its expectation."""
    spans, problems = result["spans"], []
    carriers = [span for span in spans if "otel_agentops.attempt.count" in span["attributes"]]
    if result["error"]:
        problems.append(f"raises {result['error']}")
    if len(spans) != expected.spans:
        problems.append(f"{[span['scope'] for span in spans]} instead of {expected.spans}")
    if len(carriers) != 1:
        return [*problems, f"{len(carriers)} spans carry our identity"]
    return problems + _check_identity(expected, carriers[0]) + _check_facts(spans) + _check_tokens(expected, result)


def _check_identity(expected: matrix.Expected, carrier: dict[str, Any]) -> list[str]:
    attributes, problems = carrier["attributes"], []
    if carrier["scope"] not in SCOPES[expected.carrier]:
        problems.append(f"our identity is on a span of {carrier['scope']}")
    has_prompt = attributes["otel_agentops.prompt.source"] != "none"
    problems += [f"no {name}" for name in (*ALWAYS, *(OF_REQUEST if has_prompt else ())) if name not in attributes]
    answered = attributes.get("otel_agentops.model.resolution") == "resolved"
    if answered != expected.answer:
        problems.append(f"the answer is {'' if answered else 'not '}on our carrier")
    if answered and not str(attributes.get("gen_ai.response.model")).startswith(("gpt-x-2026", "claude-x-2026")):
        problems.append("no resolved model")
    if attributes["otel_agentops.attempt.count"] != 1 or attributes["otel_agentops.attempt.statuses"] != [200]:
        problems.append("another number of attempts than 1")
    return problems


def _check_facts(spans: list[dict[str, Any]]) -> list[str]:
    return [
        f"no {name} on the span of {span['scope']}"
        for span in spans
        for name in FACTS
        if name not in span["attributes"]
    ]


def _check_tokens(expected: matrix.Expected, result: dict[str, Any]) -> list[str]:
    problems = []
    counting = [span["scope"] for span in result["spans"] if span["attributes"].get("gen_ai.usage.input_tokens")]
    if len(counting) != expected.tokens:
        problems.append(f"input tokens are on spans of {counting}")
    measured = result["measured"]
    is_measured_twice = expected.why == matrix.MEASURED_TWICE or (expected.carrier == "ours" and expected.spans == 2)
    is_alone = expected.carrier == matrix.NATIVE and expected.spans == 1
    is_ours = expected.carrier == "ours" or is_alone or is_measured_twice
    if ("otel_agentops" in measured) != is_ours:
        problems.append("we measure exactly where the span is ours, or the client's and nobody else's")
    if sum(scope.get("input", 0) for scope in measured.values()) > 1 + is_measured_twice:
        problems.append(f"input tokens are measured more than once: {measured}")
    return problems


@clients
@every_peer
def test_peer_without_us_makes_as_many_spans(client: str, peer: str) -> None:
    """Two spans are never our doing, but for a span that is started after the call: those are the rows that say so."""
    for tracing, results in run_client(client).items():
        for call, result in results[peer].items():
            beside = (peer, *((matrix.NATIVE,) if tracing == "native" else ()))
            assert result["error"] is None, call
            assert len(result["spans"]) == len(beside), call
            expected = matrix.find_expected(client, beside, matrix.THEIRS_FIRST, call)
            assert expected.spans == len(beside) + (expected.carrier == "ours"), call


@clients
def test_mode_own_makes_our_span_beside_theirs(client: str) -> None:
    """Their span is left alone: there are two, as documented."""
    combination = f"official, {matrix.THEIRS_FIRST}"
    for call, result in run_cells(client, combination, OTEL_AGENTOPS_MODE="own")[combination].items():
        by_scope = {span["scope"]: span["attributes"] for span in result["spans"]}
        assert sorted(by_scope) == sorted((f"opentelemetry.instrumentation.genai.{client}", "otel_agentops")), call
        assert by_scope["otel_agentops"]["otel_agentops.model.resolution"] == "resolved", call
        theirs = by_scope[f"opentelemetry.instrumentation.genai.{client}"]
        assert {name for name in theirs if name.startswith("otel_agentops.")} == set(FACTS), call


@clients
def test_mode_enrich_never_makes_a_span(client: str) -> None:
    """A call that nobody traces has no span; the client's own is enriched."""
    made = run_cells(client, "ours", OTEL_AGENTOPS_MODE="enrich")["ours"]
    assert {call: result["spans"] for call, result in made.items()} == {call: [] for call in matrix.list_calls(client)}
    if client == "anthropic":
        for call, result in run_cells("anthropic native", "ours", OTEL_AGENTOPS_MODE="enrich")["ours"].items():
            expected = matrix.find_expected(client, (matrix.NATIVE,), matrix.OURS_FIRST, call)
            assert list_problems(expected, result) == [], call


def test_document_shows_the_matrix() -> None:
    document = (ROOT / "docs" / "coexistence.md").read_text()
    assert "\n".join(matrix.write_matrix()) in document, "print it with: python tests/coexistence/matrix.py"
