"""A trace as people read it, on the terminal and the page: one turn an entry, with the words that are new in it."""

from __future__ import annotations

import datetime
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from typing import Any, NamedTuple

from otel_agentops.operations import Value
from otel_agentops.recorder.commands.conversation import (
    Exchange,
    find_new_messages,
    format_value,
    join_parts,
    read_exchange,
)
from otel_agentops.recorder.commands.steps import Step, list_attempts
from otel_agentops.recorder.entries import (
    Call,
    Gap,
    Intent,
    Judgement,
    Operation,
    Outcome,
    Retrieval,
    Tombstone,
    ToolRun,
)
from otel_agentops.semconv import attributes as A


class Line(NamedTuple):
    """Some words of a turn.

    Attributes:
        role: Who speaks: system, user, assistant, tool, or what it is: arguments, result, query.
        text: The words.
    """

    role: str
    text: str


class Turn(NamedTuple):
    """One entry as people read it.

    Attributes:
        number: Of a call in its trace, from 1; None of anything else.
        title: What it was, in a line.
        facts: What is known of it, by name.
        notes: What is absent or repeated, in sentences.
        lines: The words.
    """

    ref: str
    kind: str
    time: str
    span_id: str | None
    number: int | None
    title: str
    facts: Mapping[str, str]
    notes: Sequence[str]
    lines: Sequence[Line]


def build_turns(steps: Sequence[Step]) -> list[Turn]:
    """Return the turns of steps in order; of a request what it has more than the one before in its conversation."""
    turns, number = [], 0
    before: dict[Value, Exchange] = {}
    for step in steps:
        notes = [f"not recorded: {', '.join(step.entry.missing)}"] if step.entry.missing else []
        if step.trouble:
            notes.append(step.trouble)
        elif step.entry.mode == "hashes":
            notes.append("hashes alone were kept")
        elif names := [part.name for part, content in zip(step.parts, step.contents, strict=True) if content is None]:
            notes.append(f"no words kept of: {', '.join(names)}")
        lines: list[Line] = []
        if isinstance(step.entry, Call):
            number += 1
            exchange = read_exchange(step)
            if step.entry.attributes.get(A.GEN_AI_OPERATION_NAME) == "embeddings":
                lines += _read_embedding(step, notes)
            else:
                lines += _read_call(step, exchange, before.get(step.lane), notes)
            if exchange.is_read:
                before[step.lane] = exchange
        else:
            lines += [
                Line(part.name, _decode(content))
                for part, content in zip(step.parts, step.contents, strict=True)
                if content is not None
            ]
        turns.append(
            Turn(
                ref=step.entry.ref,
                kind=step.entry.kind,
                time=format_time(step.entry.time_ns),
                span_id=step.entry.span_id,
                number=number if isinstance(step.entry, Call) else None,
                title=describe_step(step),
                facts=dict(list_facts(step)),
                notes=notes,
                lines=lines,
            )
        )
    return turns


def _read_embedding(step: Step, notes: list[str]) -> Iterator[Line]:
    body = step.read_json("request")
    if body is not None:
        yield Line("input", format_value(body.get("input", body) if isinstance(body, Mapping) else body))
    if step.read("response") is not None:
        notes.append("the vectors are left out here")


def _read_call(step: Step, exchange: Exchange, before: Exchange | None, notes: list[str]) -> Iterator[Line]:
    if not exchange.is_read:
        for name in ("request", "response", "chunks"):
            if (data := step.read(name)) is not None:
                yield Line(name, _decode(data))
        return
    earlier = before or Exchange()
    if exchange.instructions and exchange.instructions != earlier.instructions:
        yield Line("system", join_parts(exchange.instructions))
    if exchange.tools and exchange.tools != earlier.tools:
        yield Line("tools", "\n".join(map(format_tool, exchange.tools)))
    new = find_new_messages(exchange, earlier)
    if common := len(exchange.messages) - len(new):
        notes.append(f"{common} earlier message{'' if common == 1 else 's'} as before")
    for message in (*new, *exchange.answers):
        yield Line(str(message.get("role")), join_parts(message.get("parts", ())))
    if not exchange.answers and (response := step.read("response") or step.read("chunks")) is not None:
        yield Line("response", _decode(response))


def format_tool(tool: Any) -> str:
    """Return the definition of a tool in a line: its name and what it is for."""
    inner = tool
    for key in ("function", "toolSpec"):
        if isinstance(inner, Mapping) and isinstance(inner.get(key), Mapping):
            inner = inner[key]
    if not isinstance(inner, Mapping) or "name" not in inner:
        return format_value(tool)
    text = inner.get("description")
    return f"{inner['name']}: {text}" if text else str(inner["name"])


def _decode(data: bytes) -> str:
    try:
        return data.decode()
    except UnicodeDecodeError:
        return f"({len(data)} bytes that are no text)"


def describe_step(step: Step) -> str:
    """Return what an entry is, in a line."""
    entry, attributes = step.entry, step.entry.attributes
    if isinstance(entry, Call):
        answered = f" → {entry.answered_model}" if entry.answered_model not in (None, entry.model) else ""
        return f"{attributes.get(A.GEN_AI_OPERATION_NAME, 'call')} {entry.model or 'unknown model'}{answered}"
    if isinstance(entry, (ToolRun, Intent)):
        effect = f" ({entry.effect})" if entry.effect else ""
        return f"{'about to run ' if isinstance(entry, Intent) else ''}tool {entry.tool or 'unknown'}{effect}"
    if isinstance(entry, Retrieval):
        version = attributes.get(A.INDEX_VERSION, "unknown version")
        return f"retrieval from {attributes.get(A.INDEX_NAME) or attributes.get(A.GEN_AI_DATA_SOURCE_ID)} ({version})"
    if isinstance(entry, Judgement):
        return f"judge {attributes.get(A.JUDGE_NAME) or attributes.get(A.GEN_AI_EVALUATION_NAME)}"
    if isinstance(entry, Outcome):
        return f"outcome {attributes.get(A.TRUTH_VERDICT, 'unknown')}"
    if isinstance(entry, Gap):
        lost = "an unknown number of entries" if entry.count is None else f"{entry.count} entries"
        return f"gap: {lost} lost ({entry.reason}) {entry.detail}".rstrip()
    if isinstance(entry, Tombstone):
        return f"deleted: {entry.scope} by {entry.actor} ({entry.reason})"
    return entry.kind


_FACTS = {
    "service tier": A.OPENAI_RESPONSE_SERVICE_TIER,
    "input tokens": A.GEN_AI_USAGE_INPUT_TOKENS,
    "output tokens": A.GEN_AI_USAGE_OUTPUT_TOKENS,
    "finish": A.GEN_AI_RESPONSE_FINISH_REASONS,
    "prompt": A.PROMPT_HASH,
    "tools": A.TOOLS_HASH,
    "params": A.PARAMS_HASH,
    "score": A.GEN_AI_EVALUATION_SCORE_VALUE,
    "label": A.GEN_AI_EVALUATION_SCORE_LABEL,
    "tenant": A.TRAFFIC_TENANT,
    "task": A.TASK_ID,
}


def list_facts(step: Step) -> Iterator[tuple[str, str]]:
    """Yield what is known of an entry, by name."""
    entry = step.entry
    if isinstance(entry, Operation):
        yield "took", f"{entry.duration_ns / 1e9:.3f} s"
        if entry.error_type:
            yield "error", entry.error_type
    if isinstance(entry, Call):
        statuses = [attempt.status for attempt in list_attempts(entry)]
        yield "attempts", " ".join("unknown" if status is None else str(status or "no response") for status in statuses)
        if entry.first_chunk_ns is not None:
            yield "first chunk", f"{entry.first_chunk_ns / 1e9:.3f} s, {entry.chunk_count} chunks"
    for name, key in _FACTS.items():
        value = entry.attributes.get(key)
        if value is not None:
            yield name, ", ".join(map(str, value)) if isinstance(value, (list, tuple)) else str(value)
    for part in step.parts:
        if part.sha256 or part.hmac:
            number = "" if part.attempt is None else f" {part.attempt + 1}"
            kept = f"sha256 {part.sha256}" if part.sha256 else f"hmac {part.hmac}"
            yield f"{part.name}{number}", f"{part.byte_size} bytes, {part.form}, {kept}"
        for place, chunk in enumerate(part.found, 1):
            members = {name: value for name, value in asdict(chunk).items() if value is not None}
            yield f"found {place}", ", ".join(f"{name.replace('_', ' ')} {value}" for name, value in members.items())


def format_time(time_ns: int) -> str:
    """Return a time as ISO 8601 in UTC, to the millisecond."""
    moment = datetime.datetime.fromtimestamp(time_ns // 1_000_000 / 1000, datetime.timezone.utc)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def dump_turns(turns: Sequence[Turn]) -> list[dict[str, Any]]:
    """Return turns as JSON has them."""
    return [{**turn._asdict(), "lines": [line._asdict() for line in turn.lines]} for turn in turns]
