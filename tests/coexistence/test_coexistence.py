"""Us beside the real packages, in both patch orders, over every kind of call: each cell makes what is said of it."""

from __future__ import annotations

import functools
import importlib.metadata
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import matrix
import pytest

HERE = Path(__file__).parent
ROOT = HERE.parent.parent
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
# Of the request: on the carrier whatever becomes of the answer. Embeddings have neither prompt nor tools.
ASKED = ("otel_agentops.prompt.hash", "otel_agentops.tools.hash")
ALWAYS = ("otel_agentops.params.hash", "otel_agentops.prompt.source")
FACTS = ("otel_agentops.task.id", "otel_agentops.task.name", "otel_agentops.traffic.segment")
CELLS = [
    pytest.param(client, install, id="-".join((client, *install)), marks=pytest.mark.xdist_group(client))
    for client in matrix.CALLS
    for install in (("ours",), *(both for peer in matrix.PEERS for both in (("ours", peer), (peer, "ours"))))
]
CLIENTS = [pytest.param(client, marks=pytest.mark.xdist_group(client)) for client in matrix.CALLS]


def needed(client: str, peer: str) -> None:
    """The peer, or the test is skipped with the reason; with CI=true that is a failure."""
    package = matrix.PACKAGES[client, peer]
    try:
        importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        reason = f"{package} is not installed: uv sync --group peers"
        if os.environ.get("CI") == "true":
            pytest.fail(reason)
        pytest.skip(reason)


@functools.cache
def run(client: str, install: tuple[str, ...], mode: str = "auto") -> list[dict[str, Any]]:
    """A cell in a process of its own: nothing that one patches is left for the next."""
    ended = subprocess.run(
        [sys.executable, HERE / "cell.py", json.dumps({"client": client, "install": install})],
        env={
            **os.environ,
            "PYTHONPATH": os.pathsep.join(map(str, (ROOT / "examples", ROOT / "tests" / "clients"))),
            "OTEL_AGENTOPS_STRICT": "1",
            "OTEL_AGENTOPS_MODE": mode,
        },
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr[-3000:]
    steps: list[dict[str, Any]] = json.loads(ended.stdout.splitlines()[-1])
    return steps


@pytest.mark.parametrize(("client", "install"), CELLS)
def test_cell(client: str, install: tuple[str, ...]) -> None:
    peers = tuple(who for who in install if who != "ours")
    for peer in peers:
        needed(client, peer)
    order = "theirs first" if install[-1] == "ours" else "ours first"
    wrong = []
    for tracing, made in run(client, install)[-1].items():
        beside = peers + ((matrix.NATIVE,) if tracing == "native" else ())
        assert list(made) == matrix.calls(client)
        for call, found in made.items():
            wrong += [
                f"{call}, beside {beside or 'nobody'}: {said}"
                for said in problems(matrix.expected(client, beside, order, call), found)
            ]
    assert wrong == []


def problems(expected: matrix.Expected, found: dict[str, Any]) -> list[str]:
    """How a call differs from what is said of it."""
    spans, said = found["spans"], []
    carriers = [span for span in spans if "otel_agentops.attempt.count" in span["attributes"]]
    if found["error"]:
        said.append(f"raises {found['error']}")
    if len(spans) != expected.spans:
        said.append(f"{[span['scope'] for span in spans]} instead of {expected.spans}")
    if len(carriers) != 1:
        return [*said, f"{len(carriers)} spans carry our identity"]
    return said + _identity(expected, carriers[0]) + _facts(spans) + _tokens(expected, found)


def _identity(expected: matrix.Expected, carrier: dict[str, Any]) -> list[str]:
    attributes, said = carrier["attributes"], []
    if carrier["scope"] not in SCOPES[expected.carrier]:
        said.append(f"our identity is on a span of {carrier['scope']}")
    chats = attributes["otel_agentops.prompt.source"] != "none"
    said += [f"no {name}" for name in (*ALWAYS, *(ASKED if chats else ())) if name not in attributes]
    answered = attributes.get("otel_agentops.model.resolution") == "resolved"
    if answered != expected.answer:
        said.append(f"the answer is {'' if answered else 'not '}on our carrier")
    if answered and not str(attributes.get("gen_ai.response.model")).startswith(("gpt-x-2026", "claude-x-2026")):
        said.append("no resolved model")
    if attributes["otel_agentops.attempt.count"] != 1 or attributes["otel_agentops.attempt.statuses"] != [200]:
        said.append("another number of attempts than 1")
    return said


def _facts(spans: list[dict[str, Any]]) -> list[str]:
    return [
        f"no {name} on the span of {span['scope']}"
        for span in spans
        for name in FACTS
        if name not in span["attributes"]
    ]


def _tokens(expected: matrix.Expected, found: dict[str, Any]) -> list[str]:
    said = []
    counting = [span["scope"] for span in found["spans"] if span["attributes"].get("gen_ai.usage.input_tokens")]
    if len(counting) != expected.tokens:
        said.append(f"input tokens are on spans of {counting}")
    measured = found["measured"]
    if ("otel_agentops" in measured) != (expected.carrier == "ours"):
        said.append("we measure exactly where the span is ours")
    two = expected.carrier == "ours" and expected.spans == 2
    if sum(scope.get("input", 0) for scope in measured.values()) > 1 + two:
        said.append(f"input tokens are measured more than once: {measured}")
    return said


@pytest.mark.parametrize("peer", matrix.PEERS)
@pytest.mark.parametrize("client", CLIENTS)
def test_what_a_peer_makes_without_us(client: str, peer: str) -> None:
    """Two spans are never our doing, but for a span that is started after the call: those are the rows that say so."""
    needed(client, peer)
    alone = run(client, (peer, "ours"))[0]
    for tracing, made in alone.items():
        for call, found in made.items():
            beside = (peer, *((matrix.NATIVE,) if tracing == "native" else ()))
            assert found["error"] is None, call
            assert len(found["spans"]) == len(beside), call
            expected = matrix.expected(client, beside, "theirs first", call)
            assert expected.spans == len(beside) + (expected.carrier == "ours"), call


@pytest.mark.parametrize("client", CLIENTS)
def test_mode_own(client: str) -> None:
    """Asked to make spans of our own beside others', we do, and leave theirs alone: two, as documented."""
    needed(client, "official")
    for call, found in run(client, ("official", "ours"), "own")[-1]["off"].items():
        by_scope = {span["scope"]: span["attributes"] for span in found["spans"]}
        assert sorted(by_scope) == sorted((f"opentelemetry.instrumentation.genai.{client}", "otel_agentops")), call
        assert by_scope["otel_agentops"]["otel_agentops.model.resolution"] == "resolved", call
        theirs = by_scope[f"opentelemetry.instrumentation.genai.{client}"]
        assert {name for name in theirs if name.startswith("otel_agentops.")} == set(FACTS), call


@pytest.mark.parametrize("client", CLIENTS)
def test_mode_enrich(client: str) -> None:
    """Asked never to make a span, we make none where nobody does, and enrich the client's own."""
    made = run(client, ("ours",), "enrich")[-1]
    assert {call: found["spans"] for call, found in made["off"].items()} == {call: [] for call in matrix.calls(client)}
    for call, found in made.get("native", {}).items():
        assert problems(matrix.expected(client, (matrix.NATIVE,), "ours first", call), found) == [], call


def test_the_document_shows_the_matrix() -> None:
    document = (ROOT / "docs" / "coexistence.md").read_text()
    assert matrix.table() in document, "print it with: python tests/coexistence/matrix.py"
