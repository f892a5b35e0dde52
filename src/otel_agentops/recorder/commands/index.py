"""Look-up of entries by what they are about: an SQLite file beside the segments, which is a cache and never the truth.

It is brought up to date before each question: of a sealed segment the heads are read once, of one that is being written
whenever it has grown. If the directory cannot be written, the index is made in memory. Whoever deletes it loses time.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from otel_agentops._yaml import InputError
from otel_agentops.recorder.codec import CodecError
from otel_agentops.recorder.entries import Entry, Gap, Operation, ToolRun
from otel_agentops.recorder.reading import list_segment_files, open_segments, read_entries, read_head
from otel_agentops.recorder.segment import Decipher
from otel_agentops.semconv import attributes as A

FILE_NAME = "index.sqlite"
_MOST_TRACES = 400  # in one question: SQLite before 3.32 takes 999 values
_VERSION = 3  # of the table: another one is made anew
# Columns with a value of a span, by the attribute that has it.
_ATTRIBUTE_COLUMNS = {
    "task_id": A.TASK_ID,
    "task_name": A.TASK_NAME,
    "conversation_id": A.GEN_AI_CONVERSATION_ID,
    "tenant": A.TRAFFIC_TENANT,
    "model": A.GEN_AI_REQUEST_MODEL,
    "answered_model": A.GEN_AI_RESPONSE_MODEL,
    "prompt_hash": A.PROMPT_HASH,
    "tools_hash": A.TOOLS_HASH,
    "index_name": A.INDEX_NAME,
    "index_version": A.INDEX_VERSION,
    "judge": A.JUDGE_NAME,
    "verdict": A.TRUTH_VERDICT,
    "judge_label": A.GEN_AI_EVALUATION_SCORE_LABEL,
    "input_tokens": A.GEN_AI_USAGE_INPUT_TOKENS,
    "output_tokens": A.GEN_AI_USAGE_OUTPUT_TOKENS,
}
_OWN_COLUMNS = (
    "ref", "kind", "time_ns", "duration_ns", "trace_id", "span_id", "service", "tool", "error_type", "mode", "missing",
    "reason", "lost", "detail", "position", "file",
)  # fmt: skip
COLUMNS = (*_OWN_COLUMNS, *_ATTRIBUTE_COLUMNS)
_LOOKED_UP = (
    "trace_id",
    "ref",
    "task_id",
    "time_ns",
    "model",
    "answered_model",
    "prompt_hash",
    "tool",
    "tenant",
    "verdict",
)

Row = Mapping[str, Any]


class Filter(NamedTuple):
    """Conditions on entries; None for any value.

    Attributes:
        model: Asked for or answered.
        index_name: `name` or `name@version`.
        tool: Name of a tool that ran.
        verdict: Of the task that they belong to, known late, or of a judge about it.
        since_ns, until_ns: When they began; the end is not included.
    """

    trace: str | None = None
    task: str | None = None
    conversation: str | None = None
    ref: str | None = None
    model: str | None = None
    prompt: str | None = None
    tool: str | None = None
    tenant: str | None = None
    service: str | None = None
    index_name: str | None = None
    verdict: str | None = None
    since_ns: int | None = None
    until_ns: int | None = None


# Conditions by the field of `Filter`; each `?` is its value.
_CONDITIONS = {
    "trace": "trace_id = ?",
    "task": "task_id = ?",
    "conversation": "conversation_id = ?",
    "ref": "ref = ?",
    "model": "? IN (model, answered_model)",
    "prompt": "prompt_hash = ?",
    "tool": "tool = ?",
    "tenant": "tenant = ?",
    "service": "service = ?",
    "index_name": "? IN (index_name, index_name || '@' || index_version)",
    "verdict": "task_id IN (SELECT task_id FROM entries WHERE ? IN (verdict, judge_label))",
    "since_ns": "time_ns >= ?",
    "until_ns": "time_ns < ?",
}


_IS_OPERATION = "kind NOT IN ('gap', 'tombstone', 'outcome')"


def _write_conditions(wanted: Filter) -> tuple[str, tuple[object, ...]]:
    """Return a filter as the condition of a statement and its values."""
    conditions = {_CONDITIONS[name]: value for name, value in wanted._asdict().items() if value is not None}
    return " AND ".join(conditions) or "1", (*conditions.values(),)


def check_directory(root: Path) -> None:
    """Refuse a path at which nothing can be read: a list of what is there would be empty without a word.

    Raises:
        InputError: There is no such directory, or somebody else alone may read it.
    """
    if not root.exists():
        raise InputError(f"{root}: there is no such directory; name the one that OTEL_AGENTOPS_RECORDER has")
    folders = [root] if root.is_dir() else []
    try:
        for _ in range(4):  # the directory, v1, services, days
            folders = [Path(child.path) for folder in folders for child in os.scandir(folder) if child.is_dir()]
    except OSError as error:
        advice = "run this as the user of the application"
        raise InputError(f"{error.filename}: cannot be read: {error.strerror or error}; {advice}") from None


class RecordIndex:
    """The index of one directory of the recorder.

    Args:
        root: The directory, or one segment.
        decipher: The keys of encrypted content; None if there are none at hand.

    Raises:
        InputError: The directory does not exist or cannot be read, or a codec is not installed.
    """

    def __init__(self, root: Path, decipher: Decipher | None = None) -> None:
        check_directory(root)
        self.root = root
        self._decipher = decipher
        try:
            self._base = self._open(root / FILE_NAME if root.is_dir() else ":memory:")
            self._refresh()
        except sqlite3.Error:  # read-only, or damaged: it is a cache
            self._base = self._open(":memory:")
            self._refresh()

    def _open(self, path: Path | str) -> sqlite3.Connection:
        if isinstance(path, Path):
            try:
                os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))  # as segments: it has names of tasks and tenants
            except OSError as error:
                raise sqlite3.OperationalError(str(error)) from None
        base = sqlite3.connect(path, timeout=10)
        base.row_factory = sqlite3.Row
        if base.execute("PRAGMA user_version").fetchone()[0] != _VERSION:
            base.executescript(
                "DROP TABLE IF EXISTS segments; DROP TABLE IF EXISTS entries;"
                "PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL;"
                "CREATE TABLE segments (file TEXT PRIMARY KEY, size INTEGER, mtime_ns INTEGER, damage TEXT);"
                f"CREATE TABLE entries ({', '.join(COLUMNS)});"
                + "".join(f"CREATE INDEX by_{name} ON entries ({name});" for name in (*_LOOKED_UP, "file"))
                + f"PRAGMA user_version = {_VERSION};"
            )
        return base

    def close(self) -> None:
        """Close the file."""
        self._base.close()

    def _refresh(self) -> None:
        """Read the segments that are new or have grown, and forget those that are gone."""
        before = {
            name: (size, mtime) for name, size, mtime in self._base.execute("SELECT file, size, mtime_ns FROM segments")
        }
        present = {}
        for file in list_segment_files(self.root):
            try:
                state = file.stat()
            except FileNotFoundError:  # sealed under another name meanwhile: the next question finds it
                continue
            present[self._name(file)] = file, (state.st_size, state.st_mtime_ns)
        with self._base:
            for name in before.keys() | present.keys():
                if name in present and before.get(name) == present[name][1]:
                    continue
                self._base.execute("DELETE FROM entries WHERE file = ?", (name,))
                self._base.execute("DELETE FROM segments WHERE file = ?", (name,))
                if name in present:
                    file, state_now = present[name]
                    marks = ", ".join("?" * len(COLUMNS))
                    rows, damage = _read_rows(file, name)
                    self._base.executemany(f"INSERT INTO entries VALUES ({marks})", rows)
                    self._base.execute("INSERT INTO segments VALUES (?, ?, ?, ?)", (name, *state_now, damage))

    def _name(self, file: Path) -> str:
        return file.relative_to(self.root).as_posix() if self.root.is_dir() else file.name

    def find_rows(self, wanted: Filter = Filter()) -> list[Row]:  # noqa: B008  a tuple
        """Return the clear facts of entries, oldest first."""
        return self._ask("ORDER BY time_ns, file, position", wanted)

    def _ask(self, tail: str, wanted: Filter) -> list[Row]:
        where, values = _write_conditions(wanted)
        return list(map(dict, self._base.execute(f"SELECT * FROM entries WHERE {where} {tail}", values)))

    def list_traces(self, wanted: Filter) -> list[str]:
        """Return the traces that have an operation which fits, by when that began; one outside of any by its ref."""
        where, values = _write_conditions(wanted)
        ask = f"SELECT coalesce(trace_id, ref) AS trace FROM entries WHERE {where} AND {_IS_OPERATION} "
        return [row[0] for row in self._base.execute(ask + "GROUP BY trace ORDER BY min(time_ns), trace", values)]

    def find_trace_rows(self, traces: Sequence[str]) -> Iterator[Row]:
        """Yield the clear facts of all entries of traces, of each the oldest first."""
        for start in range(0, len(traces), _MOST_TRACES):
            some = traces[start : start + _MOST_TRACES]
            marks = ", ".join("?" * len(some))
            where = f"(trace_id IN ({marks}) OR (trace_id IS NULL AND ref IN ({marks}))) AND {_IS_OPERATION}"
            ask = f"SELECT * FROM entries WHERE {where} ORDER BY time_ns, file, position"
            yield from map(dict, self._base.execute(ask, (*some, *some)))

    def find_verdicts(self) -> dict[str, str]:
        """Return the verdicts that are known late, the last one of each task."""
        ask = "SELECT task_id, verdict FROM entries WHERE kind = 'outcome' ORDER BY time_ns, file, position"
        return dict(self._base.execute(ask).fetchall())

    def find_gaps(self, since_ns: int | None = None, until_ns: int | None = None) -> list[Row]:
        """Return what is known to be missing between two times: gaps of the log, and files that are damaged.

        A gap is written after what it names was lost, at the latest when the next process starts.
        """
        gaps = self._find_damages()
        for row in map(dict, self._base.execute("SELECT * FROM entries WHERE kind = 'gap' ORDER BY time_ns")):
            gaps.append((self._find_start(row), row["time_ns"], row))
        return [
            row
            for start_ns, end_ns, row in gaps
            if (since_ns is None or end_ns >= since_ns) and (until_ns is None or start_ns < until_ns)
        ]

    def _find_damages(self) -> list[tuple[int, int, Row]]:
        """Return segments that cannot be read to their end as gaps, each with the times of what is missing."""
        ask = (
            "SELECT file, mtime_ns, damage, (SELECT max(time_ns) FROM entries WHERE entries.file = segments.file) "
            "FROM segments WHERE damage IS NOT NULL ORDER BY file"
        )
        nothing = dict.fromkeys(COLUMNS)
        return [
            (last_ns or 0, mtime_ns, {**nothing, "kind": "gap", "reason": "damaged", "detail": damage, "file": name})
            for name, mtime_ns, damage, last_ns in self._base.execute(ask)
        ]

    def _find_start(self, gap: Row) -> int:
        """Return the time of the last entry before a gap; 0 if it is not known."""
        if gap["reason"] == "crashed":  # another process: the detail begins with the name of its segment
            ask, values = "file LIKE '%/' || ?", (str(gap["detail"]).partition(":")[0],)
        else:
            ask, values = "file = ? AND position < ?", (gap["file"], gap["position"])  # type: ignore[assignment]
        (start_ns,) = self._base.execute(f"SELECT max(time_ns) FROM entries WHERE {ask}", values).fetchone()
        return start_ns or 0

    def load_entries(self, rows: Sequence[Row]) -> list[Entry]:
        """Return the entries of rows, whose content can be read."""
        wanted: dict[str, set[str]] = {}
        for row in rows:
            wanted.setdefault(row["file"], set()).add(row["ref"])
        entries: list[Entry] = []
        for name, refs in wanted.items():
            file = self.root / name if self.root.is_dir() else self.root
            for segment in open_segments(file, self._decipher):
                entries += read_entries(segment, refs)
        return entries

    def find_traces(self, text: str) -> Filter | None:
        """Return the filter that a text stands for: a ref, a trace (or its first digits), a task, a conversation.

        Raises:
            InputError: Several traces begin so.
        """
        for name in ("ref", "trace", "task", "conversation"):
            wanted = Filter(**{name: text})  # type: ignore[arg-type]  # all of these are texts
            if self._ask("LIMIT 1", wanted):
                return wanted
        ask = "SELECT DISTINCT trace_id FROM entries WHERE substr(trace_id, 1, ?) = ? LIMIT 2"
        traces = [row[0] for row in self._base.execute(ask, (len(text), text))] if text else []
        if len(traces) > 1:
            raise InputError(f"{text}: more than one trace begins so; write more of it")
        return Filter(trace=traces[0]) if traces else None


def _read_rows(file: Path, name: str) -> tuple[list[Sequence[object]], str | None]:
    """Return the rows of a segment, and what is wrong with the file; None if nothing is."""
    rows: list[Sequence[object]] = []
    try:
        for segment in open_segments(file):
            service = read_head(segment).service
            for position, entry in enumerate(read_entries(segment)):
                rows.append(tuple(_make_row(entry, service, name, position).values()))
            if segment.path.suffix == ".seg" and (segment.is_torn or not segment.is_sealed):
                return rows, f"{file}: it is cut or was changed behind these {len(rows)} entries"
    except CodecError as error:
        raise InputError(f"{file}: {error}") from None
    except ValueError as error:
        return [], str(error)
    return rows, None


def _make_row(entry: Entry, service: str | None, file: str, position: int) -> dict[str, object]:
    attributes = entry.attributes
    row: dict[str, object] = {
        "ref": entry.ref,
        "kind": entry.kind,
        "time_ns": entry.time_ns,
        "duration_ns": entry.duration_ns if isinstance(entry, Operation) else None,
        "trace_id": entry.trace_id,
        "span_id": entry.span_id,
        "service": service,
        "tool": entry.tool if isinstance(entry, ToolRun) else None,
        "error_type": entry.error_type if isinstance(entry, Operation) else None,
        "mode": entry.mode,
        "missing": ",".join(entry.missing),
        "reason": entry.reason if isinstance(entry, Gap) else None,
        "lost": entry.count if isinstance(entry, Gap) else None,
        "detail": entry.detail if isinstance(entry, Gap) else None,
        "position": position,
        "file": file,
    }
    for column, key in _ATTRIBUTE_COLUMNS.items():
        value = attributes.get(key)
        row[column] = value if value is None or isinstance(value, (str, int, float)) else str(value)
    return row
