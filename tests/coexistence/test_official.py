"""Our spans, events and metrics have all that the official instrumentations write for the same calls.

Each difference has a row in `DIFFERENCES` with its reason; a row that no call shows any more is taken out.
"""

from __future__ import annotations

import base64
import functools
import hashlib
import json
import operator
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from official import OFFICIAL

from otel_agentops.testing.fake_provider import Answer

HERE = Path(__file__).parent
CLIENTS = HERE.parent / "clients"
ABSENT = "absent"
EVENT = "gen_ai.client.inference.operation.details"
PATHS = (HERE, HERE.parent, CLIENTS, CLIENTS / "bedrock")
Attributes = Mapping[str, Any]


class Difference(NamedTuple):
    """An attribute that ours has not, or with another value.

    Attributes:
        clients: Pattern of the clients, with " native" behind the name if the client's own span is enriched.
        names: Pattern of the attributes.
        why: The reason.
        ours: The attribute of ours that says it; empty if it has the same name.
        holds: Their value and ours to True if the difference is the expected one.
        calls: Pattern of the scenarios.
    """

    clients: str
    names: str
    why: str
    ours: str = ""
    holds: Callable[[Any, Any], bool] = operator.eq
    calls: str = ".*"


def _says(words: Mapping[str, Sequence[str]]) -> Callable[[Any, Any], bool]:
    """Return a check that ours has one of the words for each of theirs."""

    def holds(theirs: Any, ours: Any) -> bool:
        pairs = zip(theirs, ours, strict=True) if isinstance(theirs, list) else [(theirs, ours)]
        return all(own in words.get(word, ()) for word, own in pairs)

    return holds


def _is_same_without(member: str) -> Callable[[Any, Any], bool]:
    """Return a check that both are the same once a member is left out."""

    def drop_member(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: drop_member(each) for key, each in value.items() if key != member}
        return list(map(drop_member, value)) if isinstance(value, list) else value

    return lambda theirs, ours: bool(drop_member(theirs) == drop_member(ours))


def _has(text: str) -> Callable[[Any, Any], bool]:
    return lambda theirs, ours: text in str(ours)


REASONS = {
    "stop": ("end_turn", "STOP", "completed", "requires_action"),
    "length": ("max_tokens",),
    "tool_call": ("tool_use",),
}
DIFFERENCES = (
    Difference(
        "openai|anthropic.*",
        "gen_ai.usage.cache_write.input_tokens",
        "the name is not in our version of the convention",
        ours="gen_ai.usage.cache_creation.input_tokens",
    ),
    Difference(
        "anthropic.*|google_genai",
        "gen_ai.response.finish_reasons",
        "ours are the provider's own words; in messages we have the convention's",
        holds=_says(REASONS),
    ),
    Difference(
        "anthropic.*",
        "gen_ai.input.messages",
        "a document of plain text is a text, with them a file",
        holds=_has("Page one."),
        calls="chat with pictures",
    ),
    Difference(
        "anthropic native",
        "error.type",
        "the client's own span has the provider's word",
        holds=_says({"anthropic.BadRequestError": ["invalid_request_error"]}),
    ),
    Difference(
        "google_genai",
        "gen_ai.provider.name",
        "theirs is not in the convention",
        holds=_says({"gemini": ["gcp.gemini"]}),
    ),
    Difference(
        "google_genai",
        "gen_ai.operation.name",
        "theirs is not in the convention",
        holds=_says({"interactions.create": ["generate_content"]}),
    ),
    Difference(
        "google_genai",
        "gen_ai.output.messages",
        "they make up an id for a tool call that has none",
        holds=_is_same_without("id"),
        calls="(chat|stream) tool call",
    ),
    Difference(
        "google_genai",
        "gen_ai.output.messages",
        "the interaction ends because of the tool call",
        holds=_is_same_without("finish_reason"),
        calls="interaction tool call",
    ),
    Difference(
        "google_genai",
        "gen_ai.output.messages",
        "they read no words of a streamed interaction",
        holds=_has("Hello there."),
        calls="interaction stream",
    ),
    Difference(
        "google_genai",
        "gen_ai.usage.output_tokens",
        "thoughts are output, as the convention says; they leave them out of interactions",
        holds=lambda theirs, ours: bool(ours == theirs + Answer().reasoning_tokens),
        calls="interaction.*",
    ),
    Difference(
        "google_genai",
        "gen_ai.tool.definitions",
        "they leave out the parameters of a function",
        holds=_is_same_without("parameters"),
        calls="chat with a function",
    ),
    Difference(
        "google_genai",
        "gen_ai.output.messages|gen_ai.input.messages",
        "theirs is one span for all rounds, ours are one for each",
        holds=_has("weather"),
        calls="chat with a function",
    ),
    Difference("bedrock", "gen_ai.system", "the name before 1.37 of the convention", ours="gen_ai.provider.name"),
    Difference(
        "bedrock",
        "gen_ai.usage.input_tokens",
        "cached tokens are input, as the convention says",
        holds=lambda theirs, ours: bool(ours == theirs + Answer().cached_tokens),
    ),
    Difference(
        "bedrock",
        "error.type",
        "ours has the module before the class",
        holds=lambda theirs, ours: str(ours).endswith(f".{theirs}"),
    ),
    Difference(
        "bedrock",
        "http.status_code",
        "we say it of every attempt",
        ours="otel_agentops.attempt.statuses",
        holds=lambda theirs, ours: bool(ours == [theirs]),
    ),
    Difference(
        "bedrock",
        "retry_attempts",
        "we count the first attempt, too",
        ours="otel_agentops.attempt.count",
        holds=lambda theirs, ours: bool(ours == theirs + 1),
    ),
    Difference(
        "bedrock",
        r"rpc\..*|cloud.region",
        "botocore's instrumentation has them on calls of every service; the GenAI convention does not",
        holds=lambda theirs, ours: bool(ours == ABSENT),
    ),
)


@functools.cache
def run_scenarios(client: str) -> dict[str, Any]:
    ended = subprocess.run(
        [sys.executable, HERE / "official.py", client],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(map(str, PATHS)), "OTEL_AGENTOPS_STRICT": "1"},
        capture_output=True,
        text=True,
        timeout=200,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr[-3000:]
    results: dict[str, Any] = json.loads(ended.stdout.splitlines()[-1])
    return results


def list_cases() -> Iterator[Any]:
    """Yield each client with the sides of ours."""
    for client, official in OFFICIAL.items():
        marks = [pytest.mark.xdist_group(f"official {client}"), pytest.mark.rotation("official", client, 3)]
        yield pytest.param(client, "ours", marks=marks, id=client)
        if official.is_traced_natively:
            yield pytest.param(client, "native", marks=marks, id=f"{client} native")


cases = pytest.mark.parametrize(("client", "side"), list(list_cases()))


def read_value(value: Any) -> Any:
    """Return a value of either side in one form: JSON read, empty texts and members without a value left out.

    Bytes are told by their size and hash, as ours are.
    """
    if isinstance(value, str) and value[:1] in ("[", "{"):
        try:
            value = json.loads(value)
        except ValueError:
            return value
    if isinstance(value, list):
        return [read_value(each) for each in value if each != {"type": "text", "content": ""}]
    if not isinstance(value, dict):
        return value
    members = {key: read_value(each) for key, each in value.items() if each is not None}
    if members.get("type") == "blob" and "content" in members:
        content = base64.b64decode(members.pop("content"))
        members |= {"byte_size": len(content), "sha256": hashlib.sha256(content).hexdigest()}
    return members


class Comparison(NamedTuple):
    """The comparison of one record of theirs with one of ours.

    Attributes:
        problems: The attributes of theirs that ours has not, or with another value, for no known reason.
        rows: The reasons of the others.
    """

    problems: list[str]
    rows: list[Difference]


def compare(name: str, call: str, theirs: Attributes, ours: Attributes) -> Comparison:
    comparison = Comparison([], [])
    for attribute, raw in theirs.items():
        value, own = read_value(raw), read_value(ours.get(attribute, ABSENT))
        if own == value or (attribute == "gen_ai.response.time_to_first_chunk" and isinstance(own, float)):
            continue
        rows = [row for row in list_rows(name) if re.fullmatch(row.names, attribute) and re.fullmatch(row.calls, call)]
        holding = [row for row in rows if row.holds(value, read_value(ours.get(row.ours or attribute, ABSENT)))]
        if holding:
            comparison.rows.extend(holding)
        else:
            comparison.problems.append(f"{call}: {attribute}: {value} is {own}")
    return comparison


def list_rows(name: str) -> list[Difference]:
    return [row for row in DIFFERENCES if re.fullmatch(row.clients, name)]


def find_closest(name: str, call: str, theirs: Attributes, all_of_ours: Iterable[Attributes]) -> Comparison:
    """Return the comparison with that record of ours which has the fewest problems."""
    comparisons = [compare(name, call, theirs, ours) for ours in all_of_ours]
    return min(comparisons, key=lambda each: len(each.problems), default=Comparison([f"{call}: nothing of ours"], []))


def compare_spans(client: str, side: str) -> Iterator[Comparison]:
    results = run_scenarios(client)
    for call, theirs in results["theirs"]["calls"].items():
        ours = results[side]["calls"][call]
        assert theirs["error"] == ours["error"], call
        assert (theirs["error"] is not None) == call.endswith("refused"), (call, theirs["error"])
        assert theirs["spans"], call
        for span in theirs["spans"]:
            attributes = [each["attributes"] for each in ours["spans"]]
            yield find_closest(name_side(client, side), call, span["attributes"], attributes)


def compare_events(client: str, side: str) -> Iterator[Comparison]:
    results = run_scenarios(client)
    for call, theirs in results["theirs"]["calls"].items():
        ours = [event["attributes"] for event in results[side]["calls"][call]["events"] if event["event_name"] == EVENT]
        for event, body in zip(theirs["events"], theirs["bodies"], strict=True):
            if event["event_name"] == EVENT:
                yield find_closest(name_side(client, side), call, event["attributes"], ours)
            else:  # of the convention before 1.37: one for each message, with its words in the body
                texts = "\n".join(list_texts(ours))
                yield Comparison([f"{call}: {text!r} is absent" for text in list_texts(body) if text not in texts], [])


def compare_metrics(client: str, side: str) -> Iterator[Comparison]:
    results = run_scenarios(client)
    for metric, points in results["theirs"]["metrics"].items():
        ours = [point["attributes"] for point in results[side]["metrics"].get(metric, ())]
        for point in points:
            yield find_closest(name_side(client, side), "metrics", point["attributes"], ours)


def name_side(client: str, side: str) -> str:
    return client if side == "ours" else f"{client} {side}"


def list_texts(value: Any) -> list[str]:
    """Return the texts in a value, wherever they are; JSON in a text is read."""
    value = read_value(value)
    if isinstance(value, dict):
        skipped = ("role", "finish_reason", "type", "image")  # in other words, or by size and hash
        return [text for key, each in value.items() if key not in skipped for text in list_texts(each)]
    if isinstance(value, list):
        return [text for each in value for text in list_texts(each)]
    return [value] if isinstance(value, str) else []


@cases
def test_span_has_all_that_official_writes(client: str, side: str) -> None:
    assert [problem for each in compare_spans(client, side) for problem in each.problems] == []


@cases
def test_event_has_all_that_official_emits(client: str, side: str) -> None:
    comparisons = list(compare_events(client, side))
    assert comparisons, "theirs emit events"
    assert [problem for each in comparisons for problem in each.problems] == []


@cases
def test_metrics_have_all_that_official_records(client: str, side: str) -> None:
    comparisons = list(compare_metrics(client, side))
    assert comparisons, "theirs record metrics"
    assert [problem for each in comparisons for problem in each.problems] == []


@cases
def test_every_difference_is_shown_by_a_call(client: str, side: str) -> None:
    """A row that no call shows any more is taken out."""
    comparisons = (*compare_spans(client, side), *compare_events(client, side), *compare_metrics(client, side))
    shown = [row for comparison in comparisons for row in comparison.rows]
    assert [row.why for row in list_rows(name_side(client, side)) if row not in shown] == []
