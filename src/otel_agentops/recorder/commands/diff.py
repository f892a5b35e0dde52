"""The difference of two traces: first which of the six variables differ, then the words."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from difflib import SequenceMatcher
from typing import Any, NamedTuple

from otel_agentops.recorder.commands.conversation import (
    Exchange,
    Message,
    count_common,
    find_new_messages,
    format_value,
    join_parts,
    read_exchange,
)
from otel_agentops.recorder.commands.steps import VARIABLES, Step, list_calls
from otel_agentops.recorder.commands.view import format_tool
from otel_agentops.recorder.entries import ToolRun
from otel_agentops.semconv import attributes as A

CHANGED, UNCHANGED, UNKNOWN = "changed", "unchanged", "unknown"
_TOKENS = re.compile(r"\s+|\w+|[^\w\s]")
_MOST_TOKENS = 4000  # of one side that are compared word by word: the time grows with the square


class VariableDiff(NamedTuple):
    """One variable in two traces.

    Attributes:
        variable: model, prompt, tools, index, judge or traffic.
        state: changed, unchanged, or unknown if a side does not tell.
        before, after: Its values, in order.
    """

    variable: str
    state: str
    before: Sequence[str]
    after: Sequence[str]


class TextDiff(NamedTuple):
    """One text in two traces.

    Attributes:
        place: Where it is: `call 2: message 3 (user)`.
        before, after: The texts; None if a side does not have it.
    """

    place: str
    before: str | None
    after: str | None


def compare_variables(before: Sequence[Step], after: Sequence[Step]) -> list[VariableDiff]:
    """Return the state of each of the six variables."""
    found = []
    for variable, keys in VARIABLES.items():
        values = [sorted(set(_list_values(steps, keys))) for steps in (before, after)]
        if values[0] != values[1]:
            state = CHANGED if values[0] and values[1] else UNKNOWN
        elif not values[0] or (variable == "model" and not (_is_resolved(before) and _is_resolved(after))):
            state = UNKNOWN  # an alias says nothing of the model behind it
        else:
            state = UNCHANGED
        found.append(VariableDiff(variable, state, *values))
    return found


def _list_values(steps: Sequence[Step], keys: Sequence[str]) -> Iterator[str]:
    for step in steps:
        values = [str(step.entry.attributes[key]) for key in keys if key in step.entry.attributes]
        if values:
            yield " → ".join(dict.fromkeys(values)) if keys[0] == A.GEN_AI_REQUEST_MODEL else "@".join(values)


def _is_resolved(steps: Sequence[Step]) -> bool:
    calls = list_calls(steps)
    return bool(calls) and all(step.entry.attributes.get(A.MODEL_RESOLUTION) == "resolved" for step in calls)


def compare_texts(before: Sequence[Step], after: Sequence[Step]) -> list[TextDiff]:
    """Return the texts that differ: calls by their number, tools by name and number, in order."""
    texts = [dict(_list_texts(steps)) for steps in (before, after)]
    places = list(texts[0])
    for place in texts[1]:
        if place not in texts[0]:
            places.append(place)
    pairs = [TextDiff(place, texts[0].get(place), texts[1].get(place)) for place in places]
    return [pair for pair in pairs if pair.before != pair.after]


def _list_texts(steps: Sequence[Step]) -> Iterator[tuple[str, str]]:
    """Yield every text of a trace with its place; of a conversation that goes on, what is new in each call."""
    earlier: dict[object, Exchange] = {}
    for number, step in enumerate(list_calls(steps), 1):
        exchange = read_exchange(step)
        for place, text in _list_call_texts(step, exchange, earlier.get(step.lane, Exchange())):
            yield f"call {number}: {place}", text
        earlier[step.lane] = exchange
    counts: Counter[str] = Counter()
    for step in steps:
        if isinstance(step.entry, ToolRun):
            counts[step.entry.tool] += 1
            for part, content in zip(step.parts, step.contents, strict=True):
                place = f"tool {step.entry.tool} {counts[step.entry.tool]}: {part.name}"
                yield place, (content or b"").decode(errors="replace")


def _list_call_texts(step: Step, exchange: Exchange, last: Exchange) -> Iterator[tuple[str, str]]:
    if not exchange.is_read:
        for name in ("request", "response"):
            yield name, (step.read(name) or b"").decode(errors="replace")
        return
    if exchange.instructions != last.instructions:
        yield "system", join_parts(exchange.instructions)
    if exchange.tools != last.tools:
        for tool in exchange.tools:
            yield f"tool {format_tool(tool).partition(':')[0]}", format_value(tool)
    for name, value in exchange.params.items():
        if name not in last.params or last.params[name] != value:
            yield name, format_value(value)
    new = find_new_messages(exchange, last)
    for place, message in enumerate(new, len(exchange.messages) - len(new) + 1):
        yield f"message {place} ({message.get('role')})", _read_words(message)
    for place, message in enumerate(exchange.answers, 1):
        yield f"answer{'' if place == 1 else f' {place}'}", _read_words(message)


def _read_words(message: Message) -> str:
    return join_parts(message.get("parts", ()))


def compare_words(before: str, after: str) -> Iterator[tuple[str, str]]:
    """Yield pieces of two texts as pairs: one piece of both, or what only one has.

    Long stretches that both begin or end with are shortened. Texts that differ over many pages are not compared word by
    word: both are yielded whole.
    """
    first, second = _TOKENS.findall(before), _TOKENS.findall(after)
    head = count_common(first, second)
    tail = count_common(first[head:][::-1], second[head:][::-1])
    inside = [first[head : len(first) - tail], second[head : len(second) - tail]]
    yield from _pair(_shorten("".join(first[:head]), keep_start=False))
    if max(map(len, inside)) > _MOST_TOKENS:
        yield "".join(inside[0]), "".join(inside[1])
    else:
        for kind, start, end, other_start, other_end in SequenceMatcher(
            None, inside[0], inside[1], autojunk=False
        ).get_opcodes():
            texts = "".join(inside[0][start:end]), "".join(inside[1][other_start:other_end])
            yield from _pair(_shorten(texts[0])) if kind == "equal" else [texts]
    yield from _pair(_shorten("".join(first[len(first) - tail :]), keep_end=False))


def _pair(text: str) -> list[tuple[str, str]]:
    return [(text, text)] if text else []


def _shorten(text: str, *, keep_start: bool = True, keep_end: bool = True, most: int = 160) -> str:
    """Return a text of which the middle, the start or the end is left out if it is long."""
    if len(text) <= most:
        return text
    half = most // 2
    return f"{text[:half] if keep_start else ''} […] {text[-half:] if keep_end else ''}"


def dump_diff(variables: Sequence[VariableDiff], texts: Sequence[TextDiff]) -> Mapping[str, Any]:
    """Return a difference as JSON has it."""
    return {
        "variables": [one._asdict() for one in variables],
        "texts": [{**one._asdict(), "words": list(compare_words(one.before or "", one.after or ""))} for one in texts],
    }
