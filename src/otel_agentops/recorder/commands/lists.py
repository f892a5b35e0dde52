"""Lists over a whole directory: its traces, what a value touched, and how much there is."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from otel_agentops.recorder.commands.index import Filter, RecordIndex, Row
from otel_agentops.recorder.commands.view import format_time
from otel_agentops.recorder.reading import list_segment_files


class TraceSummary(NamedTuple):
    """One trace in a list.

    Attributes:
        name: By which `show` finds it: its trace id, or the ref of an entry outside of any.
        models: Asked for, with what answered.
        calls, tools: How many ran.
        errors: Their kinds, each once.
        verdict: Of its task, known late; else a judge's label; None if there is neither.
    """

    began: str
    name: str
    task: str | None
    task_name: str | None
    service: str | None
    tenant: str | None
    models: Sequence[str]
    calls: int
    tools: int
    errors: str
    verdict: str | None


def list_traces(index: RecordIndex, wanted: Filter, limit: int) -> tuple[list[TraceSummary], int]:
    """Return the newest traces that have an entry which fits, oldest first, and how many older ones are left out.

    Each trace is counted whole.
    """
    every = index.list_traces(wanted)
    names = every[-limit:]
    groups: dict[str, list[Row]] = {name: [] for name in names}
    for row in index.find_trace_rows(names):
        groups[row["trace_id"] or row["ref"]].append(row)
    verdicts = index.find_verdicts()
    return [_summarise(name, group, verdicts) for name, group in groups.items()], len(every) - len(names)


def _summarise(name: str, rows: Sequence[Row], verdicts: Mapping[str, str]) -> TraceSummary:
    def find(column: str) -> Any:
        return next((row[column] for row in rows if row[column] is not None), None)

    calls = [row for row in rows if row["kind"] == "call"]
    models = [" → ".join(dict.fromkeys(filter(None, (row["model"], row["answered_model"])))) for row in calls]
    task = find("task_id")
    return TraceSummary(
        began=format_time(rows[0]["time_ns"]),
        name=name,
        task=task,
        task_name=find("task_name"),
        service=find("service"),
        tenant=find("tenant"),
        models=list(dict.fromkeys(filter(None, models))),
        calls=len(calls),
        tools=sum(row["kind"] == "tool" for row in rows),
        errors=", ".join(dict.fromkeys(row["error_type"] for row in rows if row["error_type"])),
        verdict=verdicts.get(task) or find("judge_label"),
    )


def dump_trace(trace: TraceSummary) -> dict[str, Any]:
    """Return a trace of the list as JSON has it."""
    return trace._asdict()


class Touched(NamedTuple):
    """A task or conversation that a value touched."""

    task: str | None
    conversation: str | None
    trace: str | None
    tenant: str | None
    first: str
    last: str
    operations: int


def list_touched(index: RecordIndex, wanted: Filter) -> list[Touched]:
    """Return every task and conversation with an operation that fits, in the order in which each was touched first."""
    groups: dict[tuple[Any, ...], list[Row]] = {}
    for row in index.find_rows(wanted):
        if row["kind"] not in ("gap", "tombstone", "outcome"):
            key = row["task_id"], row["conversation_id"]
            groups.setdefault(key if any(key) else (None, None, row["trace_id"] or row["ref"]), []).append(row)
    return [
        Touched(
            rows[0]["task_id"],
            rows[0]["conversation_id"],
            rows[0]["trace_id"],
            rows[0]["tenant"],
            format_time(rows[0]["time_ns"]),
            format_time(rows[-1]["time_ns"]),
            len(rows),
        )
        for rows in groups.values()
    ]


def count_entries(index: RecordIndex, wanted: Filter) -> dict[str, Any]:
    """Return how much there is."""
    rows = index.find_rows(wanted)

    def count(column: str) -> dict[str, int]:
        return dict(Counter(row[column] for row in rows if row[column] is not None).most_common())

    missing = Counter(name for row in rows for name in (row["missing"] or "").split(",") if name)
    return {
        "entries": len(rows),
        "from": format_time(rows[0]["time_ns"]) if rows else None,
        "to": format_time(rows[-1]["time_ns"]) if rows else None,
        "segments": len(list_segment_files(index.root)),
        "bytes on disk": sum(file.stat().st_size for file in list_segment_files(index.root)),
        "kinds": count("kind"),
        "services": count("service"),
        "models": count("model"),
        "tools": count("tool"),
        "modes": count("mode"),
        "missing fields": dict(missing),
        "lost": _count_lost(index.find_gaps(wanted.since_ns, wanted.until_ns)),
    }


def _count_lost(gaps: Sequence[Row]) -> dict[str, int | str]:
    """Return how many entries are missing, by reason."""
    counts: dict[str, list[int | None]] = {}
    for gap in gaps:
        counts.setdefault(gap["reason"], []).append(gap["lost"])
    return {reason: "unknown" if None in lost else sum(filter(None, lost)) for reason, lost in counts.items()}
