"""`record ls` and `record verify`: the entries of the log, and the proof that they are what was recorded."""

from __future__ import annotations

import datetime
import json
from typing import Annotated, Any

import typer

from otel_agentops._yaml import InputError
from otel_agentops.command_line import stop_on_error
from otel_agentops.recorder.codec import CodecError
from otel_agentops.recorder.commands.options import Directory, find_directory, load_keys
from otel_agentops.recorder.commands.screen import print_table
from otel_agentops.recorder.entries import KINDS, Call, Entry, Gap, Intent, Operation, Tombstone, ToolRun
from otel_agentops.recorder.reading import list_segment_files, open_segments, read_entries
from otel_agentops.recorder.segment import SegmentError
from otel_agentops.recorder.verifying import KeptHead, verify_records

app = typer.Typer()
_Path = Annotated[
    str | None,
    typer.Argument(
        metavar="[PATH]", help="A directory of the recorder, or one segment; else --dir says it.", show_default=False
    ),
]
_Key = Annotated[
    str | None,
    typer.Option("--key", help="The master key of encrypted content.", envvar="OTEL_AGENTOPS_RECORDER_KEY"),
]
_Heads = Annotated[
    list[str] | None, typer.Option("--head", help="WRITER:SIZE:ROOT of a head that the backend has kept.")
]
_IsJson = Annotated[bool, typer.Option("--json", help="One JSON object a line.")]


@app.command("verify")
def verify_directory(
    path: _Path = None, directory: Directory = None, head: _Heads = None, key: _Key = None, is_json: _IsJson = False
) -> None:
    """Verify every frame, tree, signature and body, and that the heads kept elsewhere were those of this log."""
    with stop_on_error("record verify", 1, OSError, CodecError):
        heads = list(map(_parse_head, head or ()))
        root = find_directory(path or directory)
        findings = verify_records(root, heads, load_keys(root, key))
        if not findings:
            raise InputError(f"{root}: there is no segment of the recorder")
    if is_json:
        for finding in findings:
            typer.echo(json.dumps({**finding._asdict(), "path": str(finding.path)}))
    else:
        print_table(("", "", ""), [(finding.level, finding.path.name, finding.text) for finding in findings])
    if any(finding.level == "problem" for finding in findings):
        raise typer.Exit(1)


def _parse_head(text: str) -> KeptHead:
    try:
        writer, size, root = text.split(":")
        return KeptHead(writer, int(size), bytes.fromhex(root))
    except ValueError:
        advice = "take them from an otel_agentops.recorder.head event"
        raise InputError(f"--head {text}: it is not WRITER:SIZE:ROOT; {advice}") from None


@app.command("ls")
def list_entries(
    path: _Path = None,
    directory: Directory = None,
    trace: Annotated[str | None, typer.Option(help="Of this trace alone; its first digits are enough.")] = None,
    task: Annotated[str | None, typer.Option(help="Of this task alone.")] = None,
    kind: Annotated[str | None, typer.Option(help=f"{', '.join(KINDS)}.")] = None,
    is_json: _IsJson = False,
) -> None:
    """List entries, oldest first; content is not read."""
    if kind is not None and kind not in KINDS:
        raise typer.BadParameter(f"{kind!r} is no kind of entry; write one of {', '.join(KINDS)}", param_hint="--kind")
    entries: list[Entry] = []
    lacking: list[str] = []
    with stop_on_error("record ls", 1, OSError, CodecError):
        for file in list_segment_files(find_directory(path or directory)):
            try:
                for segment in open_segments(file):
                    entries += [
                        entry
                        for entry in read_entries(segment)
                        if (trace is None or (entry.trace_id or "").startswith(trace))
                        and (task is None or entry.task_id == task)
                        and kind in (None, entry.kind)
                    ]
                    if segment.path.suffix == ".seg" and (segment.is_torn or not segment.is_sealed):
                        lacking.append(f"{file}: it is cut or was changed, and entries are missing there")
            except SegmentError as error:
                lacking.append(str(error))
    entries.sort(key=lambda each: each.time_ns)
    if is_json:
        for entry in entries:
            typer.echo(json.dumps({**json.loads(entry.line), "ref": entry.ref, "index": entry.index}))
    else:
        columns = ("time", "kind", "what", "state", "ms", "trace", "ref")
        print_table(columns, list(map(describe_entry, entries)), whole=("ref",))
    for text in lacking:
        typer.echo(f"otel-agentops record ls: {text}; see record verify", err=True)


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
