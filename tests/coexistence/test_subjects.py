"""Every client beside every instrumentation of it that there is, in both orders: one span a call, or the reason."""

from __future__ import annotations

import functools
import importlib.metadata
import importlib.util
import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from otel_agentops._foreign import SCOPE

from otel_agentops.testing.subject import Beside, Subject, load

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
MARK = "otel_agentops.attempt.count"  # on the carrier of our identity; where attempts are unknown, the next one
FACTS = ("otel_agentops.task.id", "otel_agentops.traffic.segment")
# openai and anthropic have a matrix of their own, with more ways to call them (matrix.py).
CLIENTS = sorted(
    path.name.removesuffix("_subject.py")
    for path in (ROOT / "tests" / "clients").glob("*/*_subject.py")
    if path.parent.name not in ("openai", "anthropic") and path.name == f"{path.parent.name}_subject.py"
)
clients = pytest.mark.parametrize(
    "client", [pytest.param(name, marks=pytest.mark.xdist_group(name)) for name in CLIENTS]
)


@functools.cache
def subject_of(client: str) -> Subject:
    try:
        subject = load(ROOT / "tests" / "clients" / client)
        importlib.metadata.version(subject.instrumentor.libraries[0].distribution)
    except ModuleNotFoundError as missing:
        pytest.skip(f"{missing.name} is not in this environment: make ends has one for {client}")
    return subject


@functools.cache
def cells(client: str) -> dict[str, Any]:
    """Everything that the client's calls make, by who is installed; its own tracing is off."""
    tracing = subject_of(client).instrumentor.libraries[0].info.tracing
    return run(client, **({tracing.variable: tracing.off} if tracing else {}))


def run(client: str, *arguments: str, **environ: str) -> dict[str, Any]:
    """What the program prints. It is told by its environment: some clients look there when they are imported."""
    folders = (ROOT / "tests" / "clients", ROOT / "tests" / "clients" / client)
    ended = subprocess.run(
        [sys.executable, HERE / "subject_cell.py", client, *arguments],
        env={**os.environ, **environ, "PYTHONPATH": os.pathsep.join(map(str, folders)), "OTEL_AGENTOPS_STRICT": "1"},
        capture_output=True,
        text=True,
        timeout=200,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr[-3000:]
    found: dict[str, Any] = json.loads(ended.stdout.splitlines()[-1])
    return found


@clients
def test_alone(client: str) -> None:
    """Each call is one span of ours: what the others are compared with."""
    for call, made in cells(client)["alone"].items():
        assert made["error"] is None, call
        assert [span["scope"] for span in made["spans"]] == [SCOPE], call


@clients
def test_its_own_tracing_is_enriched(client: str) -> None:
    """Where the client traces itself unasked, its span of a call has everything."""
    if subject_of(client).instrumentor.libraries[0].info.tracing is not None:
        for call, made in run(client, "alone")["alone"].items():
            assert problems(None, made, cells(client)["alone"][call]["spans"][0]["attributes"]) == [], call


@clients
def test_beside_each_peer(client: str) -> None:
    subject, wrong = subject_of(client), []
    alone = cells(client)["alone"]
    for title in subject.peers:
        for order in ("ours", "theirs"):
            for call, made in cells(client)[f"{title}, {order}"].items():
                known = deviation(subject, title, order, call)
                said = problems(known, made, alone[call]["spans"][0]["attributes"])
                wrong += [f"{title}, {order} first, {call}: {sentence}" for sentence in said]
    assert wrong == []


def deviation(subject: Subject, peer: str, order: str, call: str) -> Beside | None:
    """What is said of this call where it is not one span that has everything."""
    found = [
        each
        for each in subject.beside
        if each.peer == peer and each.order in (None, order) and re.fullmatch(each.calls, call)
    ]
    assert len(found) < 2, f"two rows say something about {peer}, {order}, {call}"
    return found[0] if found else None


def problems(known: Beside | None, made: dict[str, Any], alone: dict[str, Any]) -> list[str]:
    """How a call differs from what is said of it. alone: the attributes of our own span of the same call."""
    spans, said = made["spans"], []
    if made["error"]:
        said.append(f"raises {made['error']}")
    if len(spans) != (known.spans if known else 1):
        said.append(f"{[(span['scope'], span['name']) for span in spans]}")
    mark = MARK if MARK in alone else "otel_agentops.prompt.source"
    carriers = [span for span in spans if mark in span["attributes"]]
    if len(carriers) != 1:
        return [*said, f"{len(carriers)} spans carry our identity"]
    ours = carriers[0]["scope"] == SCOPE
    if ours != (known.ours if known else False):
        said.append(f"our identity is on a span of {carriers[0]['scope']}")
    said += [
        f"no {fact} on a span of {span['scope']}" for span in spans for fact in FACTS if fact not in span["attributes"]
    ]
    return said + _carried(known, carriers[0]["attributes"], alone)


def _carried(known: Beside | None, carrier: dict[str, Any], alone: dict[str, Any]) -> list[str]:
    """What of our own span is not on the carrier."""
    answered = "otel_agentops.model.resolution" in carrier
    if answered != (known.answer if known else True):
        return [f"the answer is {'' if answered else 'not '}on the carrier"]
    missing = [name for name in alone if name not in carrier] if answered else []
    others = [
        f"{name} is {carrier[name]}, not {value}"
        for name, value in alone.items()
        if name.startswith("otel_agentops.") and name in carrier and carrier[name] != value and answered
    ]
    return ([f"not on the carrier: {', '.join(missing)}"] if missing else []) + others


@clients
def test_every_row_is_about_something(client: str) -> None:
    """A deviation that no call shows any more is taken out."""
    subject = subject_of(client)
    for row in subject.beside:
        matched = [
            call
            for title in subject.peers
            for order in ("ours", "theirs")
            for call in cells(client)[f"{title}, {order}"]
            if deviation(subject, title, order, call) is row
        ]
        assert matched, f"no call is meant by {row}"


@clients
def test_the_peers_are_there(client: str) -> None:
    """A peer that is not installed would be compared with nobody."""
    for where in subject_of(client).peers.values():
        assert importlib.util.find_spec(where.partition(":")[0]), where
