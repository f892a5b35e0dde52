"""`record ls` and `record verify`: the entries of the log, and the proof that they are what was recorded."""

from __future__ import annotations

import datetime
import json
import sys
from pathlib import Path
from typing import Any

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from otel_agentops.recorder.entries import Call, Entry, Gap, Intent, Operation, Tombstone, ToolRun
from otel_agentops.recorder.keys import KeyRing, load_master_key
from otel_agentops.recorder.reading import open_records
from otel_agentops.recorder.segment import SegmentError
from otel_agentops.recorder.verifying import KeptHead, verify_records

app = typer.Typer()
_PATH = typer.Argument(..., help="A directory of the recorder, or one segment.", envvar="OTEL_AGENTOPS_RECORDER")
_KEY = typer.Option(None, "--key", help="The master key of encrypted content.", envvar="OTEL_AGENTOPS_RECORDER_KEY")
_HEADS = typer.Option([], "--head", help="WRITER:SIZE:ROOT of a head that the backend has kept.")
_JSON = typer.Option(False, "--json", help="One JSON object a line.")
_MARKS = {"ok": "[green]ok", "note": "[blue]note", "problem": "[red]problem"}


def open_ring(path: Path, key: str | None) -> KeyRing | None:
    """Return the keys of a directory; None if no master key is named. A wrong one ends the command with a sentence."""
    if key is None:
        return None
    try:
        return KeyRing(path, load_master_key(key))
    except (OSError, ValueError) as error:
        sys.exit(f"the master key: {error}")  # what is named may be the key itself


@app.command("verify")
def verify_directory(
    path: Path = _PATH,
    head: list[str] = _HEADS,
    key: str | None = _KEY,
    as_json: bool = _JSON,
) -> None:
    """Verify every frame, tree, signature and body, and that the heads kept elsewhere were those of this log."""
    heads = []
    for text in head:
        try:
            writer, size, root = text.split(":")
            heads.append(KeptHead(writer, int(size), bytes.fromhex(root)))
        except ValueError:
            sys.exit(f"--head {text}: it is not WRITER:SIZE:ROOT; take them from an otel_agentops.recorder.head event")
    findings = verify_records(path, heads, open_ring(path, key))
    if not findings:
        sys.exit(f"{path}: there is no segment of the recorder")
    if as_json:
        for finding in findings:
            typer.echo(json.dumps({**finding._asdict(), "path": str(finding.path)}))
    else:
        table = Table(box=None, pad_edge=False, show_header=False)
        for finding in findings:
            table.add_row(_MARKS[finding.level], finding.path.name, escape(finding.text))
        Console(highlight=False).print(table)
    if any(finding.level == "problem" for finding in findings):
        raise typer.Exit(1)


@app.command("ls")
def list_entries(
    path: Path = _PATH,
    trace: str | None = typer.Option(None, help="Of this trace alone."),
    task: str | None = typer.Option(None, help="Of this task alone."),
    kind: str | None = typer.Option(None, help="call, tool, retrieval, judgement, outcome, intent, gap or tombstone."),
    as_json: bool = _JSON,
) -> None:
    """List entries, oldest first; content is not read."""
    table = Table(box=None, pad_edge=False)
    for name in ("time", "kind", "what", "state", "ms", "trace", "ref"):
        table.add_column(name, overflow="fold", no_wrap=name == "ref")  # an identity that is cut is of no use
    try:
        for entry in sorted(open_records(path), key=lambda each: each.time_ns):
            is_wanted = (trace, task, kind) == tuple(
                None if wanted is None else value
                for wanted, value in ((trace, entry.trace_id), (task, entry.task_id), (kind, entry.kind))
            )
            if not is_wanted:
                continue
            if as_json:
                typer.echo(json.dumps({**json.loads(entry.line), "ref": entry.ref, "index": entry.index}))
            else:
                table.add_row(*map(escape, describe_entry(entry)))
    except (OSError, SegmentError) as error:
        sys.exit(str(error))
    if not as_json:
        Console(highlight=False).print(table)


def describe_entry(entry: Entry) -> tuple[str, ...]:
    """Return the cells of an entry in a list."""
    moment = datetime.datetime.fromtimestamp(entry.time_ns / 1e9, datetime.timezone.utc)
    what: Any = ""
    if isinstance(entry, Call):
        what = entry.model if entry.answered_model in (None, entry.model) else f"{entry.model} → {entry.answered_model}"
    elif isinstance(entry, (ToolRun, Intent)):
        what = f"{entry.tool} ({entry.effect})" if entry.effect else entry.tool
    elif isinstance(entry, Gap):
        what = f"{entry.reason}: {'?' if entry.count is None else entry.count} lost; {entry.detail}".rstrip("; ")
    elif isinstance(entry, Tombstone):
        what = f"{entry.scope}, by {entry.actor}: {entry.reason}"
    state = entry.error_type or "ok" if isinstance(entry, Operation) else ""
    if entry.missing:
        state += f" (missing: {', '.join(entry.missing)})"
    duration = f"{entry.duration_ns / 1e6:.0f}" if isinstance(entry, Operation) else ""
    time_text = moment.strftime("%Y-%m-%d %H:%M:%S.%f")[:-3]
    return time_text, entry.kind, str(what or ""), state, duration, entry.trace_id or "", entry.ref
