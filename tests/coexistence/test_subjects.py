"""Every other client beside every instrumentation of it, in both orders: one span a call, or the reason."""

from __future__ import annotations

import functools
import importlib.metadata
import importlib.util
from typing import Any

import matrix
import pytest
from cell import Results, run_cells

from otel_agentops._foreign_spans import SCOPE
from otel_agentops.testing.subject import Beside, Subject, load

MARK = "otel_agentops.attempt.count"  # on the carrier of our identity; if attempts are unknown, the prompt's source
FACTS = ("otel_agentops.task.id", "otel_agentops.traffic.segment")
clients = pytest.mark.parametrize(
    "client", [pytest.param(name, marks=pytest.mark.xdist_group(name)) for name in matrix.list_subjects()]
)


@functools.cache
def load_subject(client: str) -> Subject:
    try:
        subject = load(matrix.CLIENTS / client)
        importlib.metadata.version(subject.instrumentor.libraries[0].distribution)
    except ModuleNotFoundError as missing:
        pytest.skip(f"{missing.name} is not in this environment: make ends has one for {client}")
    return subject


@functools.cache
def run_client(client: str) -> Results:
    """Return what the client's calls make; its own tracing is off."""
    tracing = load_subject(client).instrumentor.libraries[0].info.tracing
    return run_cells(client, **({tracing.variable: tracing.off} if tracing else {}))


@clients
def test_call_without_a_peer_is_our_span(client: str) -> None:
    """The other combinations are compared with this span."""
    for call, result in run_client(client)["ours"].items():
        assert result["error"] is None, call
        assert [span["scope"] for span in result["spans"]] == [SCOPE], call


@clients
def test_span_of_the_client_itself_is_enriched(client: str) -> None:
    if load_subject(client).instrumentor.libraries[0].info.tracing is not None:
        for call, result in run_cells(client, "ours")["ours"].items():
            ours = run_client(client)["ours"][call]["spans"][0]["attributes"]
            assert list_problems(None, result, ours) == [], call


@clients
def test_call_beside_a_peer_is_as_its_row_says(client: str) -> None:
    subject, wrong = load_subject(client), []
    alone = run_client(client)["ours"]
    for peer in subject.peers:
        for order in matrix.ORDERS:
            for call, result in run_client(client)[f"{peer}, {order}"].items():
                row = matrix.find_row(subject, peer, order, call)
                problems = list_problems(row, result, alone[call]["spans"][0]["attributes"])
                wrong += [f"{peer}, {order}, {call}: {problem}" for problem in problems]
    assert wrong == []


def list_problems(row: Beside | None, result: dict[str, Any], ours: dict[str, Any]) -> list[str]:
    """Return the differences between a call and its row; `ours` are the attributes of our own span of the call."""
    spans, problems = result["spans"], []
    if result["error"]:
        problems.append(f"raises {result['error']}")
    if len(spans) != (row.spans if row else 1):
        problems.append(f"{[(span['scope'], span['name']) for span in spans]}")
    mark = MARK if MARK in ours else "otel_agentops.prompt.source"
    carriers = [span for span in spans if mark in span["attributes"]]
    if len(carriers) != 1:
        return [*problems, f"{len(carriers)} spans carry our identity"]
    is_ours = carriers[0]["scope"] == SCOPE
    if is_ours != (row.ours if row else False):
        problems.append(f"our identity is on a span of {carriers[0]['scope']}")
    problems += [
        f"no {fact} on a span of {span['scope']}" for span in spans for fact in FACTS if fact not in span["attributes"]
    ]
    return problems + _check_carrier(row, carriers[0]["attributes"], ours)


def _check_carrier(row: Beside | None, carrier: dict[str, Any], ours: dict[str, Any]) -> list[str]:
    """Return the attributes of our own span that the carrier lacks."""
    answered = "otel_agentops.model.resolution" in carrier
    if answered != (row.answer if row else True):
        return [f"the answer is {'' if answered else 'not '}on the carrier"]
    missing = [name for name in ours if name not in carrier] if answered else []
    others = [
        f"{name} is {carrier[name]}, not {value}"
        for name, value in ours.items()
        if name.startswith("otel_agentops.") and name in carrier and carrier[name] != value and answered
    ]
    return ([f"not on the carrier: {', '.join(missing)}"] if missing else []) + others


@clients
def test_every_row_is_about_a_call(client: str) -> None:
    """A deviation that no call shows any more is taken out."""
    subject = load_subject(client)
    for row in subject.beside:
        calls = [
            call
            for peer in subject.peers
            for order in matrix.ORDERS
            for call in run_client(client)[f"{peer}, {order}"]
            if matrix.find_row(subject, peer, order, call) is row
        ]
        assert calls, f"no call is meant by {row}"


@clients
def test_peers_are_installed(client: str) -> None:
    """A peer that is not installed would be compared with nobody."""
    for path in load_subject(client).peers.values():
        assert importlib.util.find_spec(path.partition(":")[0]), path
