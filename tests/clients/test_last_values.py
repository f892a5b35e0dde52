"""A later piece of a stream that leaves a value out, or has null for it, does not erase what was said before."""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from typing import Any

import pytest
from wire_answers import APIS, INVOCATIONS, WAYS, converse

from otel_agentops.testing.fake_provider import Say

Parts = list[Any]


def blank(value: Any) -> Any:
    """Return a JSON value with null for each number and text in it."""
    if isinstance(value, dict):
        return {name: blank(member) for name, member in value.items()}
    return [blank(member) for member in value] if isinstance(value, list) else None


def repeat_usage(parts: Parts) -> Parts:
    """Add a last chunk whose counts are null, in objects that are there."""
    return [*parts, {**parts[-1], "choices": [], "usage": blank(parts[-1]["usage"])}]


def leave_head_out(parts: Parts) -> Parts:
    """Leave the model, the id and what else is of the head out of all chunks but the first."""
    head = ("model", "id", "system_fingerprint", "service_tier", "modelVersion", "responseId")
    return [parts[0], *({name: value for name, value in part.items() if name not in head} for part in parts[1:])]


def add_usage_alone(parts: Parts) -> Parts:
    """Add a last chunk that has nothing but the usage."""
    usage = next(name for name in ("usageMetadata", "usage") if name in parts[-1])
    return [*parts, {usage: parts[-1][usage]}]


def add_null_counts(parts: Parts) -> Parts:
    """Add a last chunk with null for every count."""
    return [*parts, {**parts[-1], "candidates": [], "usageMetadata": blank(parts[-1]["usageMetadata"])}]


def split_head(parts: Parts) -> Parts:
    """Say the id in the first chunk alone and the model in the second alone, as gateways do that filter first."""
    first, second = copy.deepcopy(parts[:2])
    first["model"], second["id"] = "", ""
    return [first, second, *leave_head_out(parts[1:])[1:]]


def repeat_delta(parts: Parts) -> Parts:
    """Say the end of a message once more, with null for the reason and all counts."""
    place = next(number for number, part in enumerate(parts) if part["type"] == "message_delta")
    return [*parts[: place + 1], {**blank(parts[place]), "type": "message_delta"}, *parts[place + 1 :]]


def blank_last_snapshot(parts: Parts) -> Parts:
    """Forget model, id and tier in the last snapshot of a response."""
    *before, last = copy.deepcopy(parts)
    last["response"].update(model=None, id=None, service_tier=None)
    return [*before, last]


def repeat_metadata(parts: Parts) -> Parts:
    """Say the counts of a conversation once more, as nothing."""
    return [*parts, {"metadata": {"usage": {}, "metrics": {"latencyMs": 1}}}]


def end_in_blanks(parts: Parts) -> Parts:
    """Say each chunk once more, with null for all that it says; the service's counts close the stream."""
    *others, last = parts
    counts = {name: last[name] for name in last if name.startswith("amazon-bedrock")}
    return [*others, {name: last[name] for name in last if name not in counts}, {**blank_values(last), **counts}]


def forget_interaction(parts: Parts) -> Parts:
    """Leave model and id out of the last snapshot of an interaction."""
    *before, last = copy.deepcopy(parts)
    del last["interaction"]["model"], last["interaction"]["id"]
    return [*before, last]


def forget_response(parts: Parts) -> Parts:
    """Leave the finish reason out of the response that ends a stream; the event has it as well."""
    *before, last = copy.deepcopy(parts)
    del last["response"]["finish_reason"]
    return [*before, last]


def name_model_once(parts: Parts) -> Parts:
    """Name the model of a conversation in the second piece alone."""
    pieces = [{name: value for name, value in part.items() if name != "model"} for part in parts]
    return [*pieces[:2], {**pieces[2], "model": parts[2]["model"]}, *pieces[3:]]


def blank_values(part: Any) -> Any:
    """Return a chunk with null for each value, and with its type."""
    return {**blank(part), **{name: part[name] for name in ("type", "event_type") if name in part}}


@pytest.mark.parametrize(
    ("client", "change"),
    [
        *((client, change) for client in ("openai", "together", "fireworks", "writer", "huggingface_hub")
          for change in (repeat_usage, leave_head_out, add_usage_alone, split_head)),
        ("groq", leave_head_out),
        ("groq", split_head),
        ("google_genai", leave_head_out),
        ("google_genai", add_usage_alone),
        ("google_genai", add_null_counts),
        ("anthropic", repeat_delta),
        ("bedrock", repeat_metadata),
        ("watsonx", leave_head_out),
        ("google_genai interactions", forget_interaction),
        ("cohere v1", forget_response),
        ("mistralai conversations", name_model_once),
        *((f"bedrock invoke {model}", end_in_blanks) for model in INVOCATIONS if "j2" not in model),
    ],
)  # fmt: skip
def test_piece_without_a_value_erases_none(client: str, change: Callable[[Parts], Parts]) -> None:
    way = next(way for way in (*WAYS, *APIS) if client in (way.client, f"{way.client} {way.api}") and way.is_stream)
    with converse(way) as conversation:
        before, parts = conversation.record()
        ended, _ = conversation.hear_parts(change(parts))
    assert ended == before


def test_snapshot_that_forgets_the_model_erases_none() -> None:
    way = next(way for way in WAYS if way.client == "openai" and way.is_stream)
    ask = lambda subject, client: client.responses.create(model="m-x", input="hi", stream=True)  # noqa: E731
    with converse(way._replace(ask=ask)) as conversation:
        before, parts = conversation.record()
        ended, _ = conversation.hear(Say(blank_last_snapshot(parts)))
    assert ended == before


ODD_TOOLS: Sequence[tuple[Any, Any]] = [
    ({"city": "Paris"}, {"city": "Paris"}),  # an object, as some gateways send the arguments
    ('{"city": "Paris"}', '{"city": "Paris"}'),
    (None, ""),
]


@pytest.mark.parametrize("index", [0, None])
@pytest.mark.parametrize(("arguments", "expected"), ODD_TOOLS)
def test_odd_tool_call_costs_neither_model_nor_tokens(arguments: Any, expected: Any, index: int | None) -> None:
    way = next(way for way in WAYS if way.client == "openai" and way.is_stream)
    with converse(way) as conversation:
        before, (first, *_, last) = conversation.record()
        call = {"index": 0, "id": "c", "type": "function", "function": {"name": "weather", "arguments": arguments}}
        choice = {"index": index, "delta": {"tool_calls": [call]}, "finish_reason": "tool_calls"}
        ended, _ = conversation.hear(Say([{**first, "choices": [choice]}, last]))
    assert before.facts is not None
    assert ended == before._replace(facts=before.facts._replace(tool_calls=[("weather", expected)]))
