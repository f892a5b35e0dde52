"""`otel-agentops record`: thin shells over the functions of this package."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from otel_agentops._yaml import InputError
from otel_agentops.command_line import stop_on_error
from otel_agentops.record.index import Filter, RecordIndex

if TYPE_CHECKING:
    from otel_agentops.record.bundle import Bundle

app = typer.Typer(no_args_is_help=True, help="Read and replay what the flight recorder wrote.")

Trace = Annotated[
    str,
    typer.Argument(metavar="TRACE", help="A trace id or its first digits, a task, a conversation, a ref, or a bundle."),
]
Directory = Annotated[
    Path | None,
    typer.Option("--dir", metavar="DIR", help="The recorder's directory; else OTEL_AGENTOPS_RECORDER says it."),
]
IsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]


@contextmanager
def open_index(directory: Path | None) -> Iterator[RecordIndex]:
    """Open the index of a directory."""
    path = directory or os.environ.get("OTEL_AGENTOPS_RECORDER", "").strip()
    if not path:
        raise InputError("no directory of the recorder; name it with --dir or in OTEL_AGENTOPS_RECORDER")
    index = RecordIndex(Path(path))
    try:
        yield index
    finally:
        index.close()


def print_json(document: object) -> None:
    """Print a document as JSON."""
    typer.echo(json.dumps(document, indent=2, ensure_ascii=False))


@contextmanager
def load_trace(text: str, directory: Path | None) -> Iterator[tuple[Bundle, int | None]]:
    """Load what the argument TRACE names."""
    from otel_agentops.record.bundle import load_bundle

    if text.partition("#")[0].endswith((".json", ".html")):
        yield load_bundle(text)
    else:
        with open_index(directory) as index:
            yield load_bundle(text, index)


Model = Annotated[str | None, typer.Option(help="Asked for, or answered.")]
Since = Annotated[str | None, typer.Option(metavar="TIME", help="Begun at this time or later: 2026-11-12T03:30Z, 2h.")]
Until = Annotated[str | None, typer.Option(metavar="TIME", help="Begun before this time.")]
Prompt = Annotated[str | None, typer.Option(metavar="HASH", help="The prompt's hash.")]
Tool = Annotated[str | None, typer.Option(metavar="NAME", help="A tool that ran.")]
Index = Annotated[str | None, typer.Option(metavar="NAME[@VERSION]", help="An index that was asked.")]
Tenant = Annotated[str | None, typer.Option(help="The tenant.")]
Service = Annotated[str | None, typer.Option(help="The service.")]
Verdict = Annotated[str | None, typer.Option(help="Of the task, known late (good, bad), or a judge's label.")]


@app.command("ls")
def list_traces(
    directory: Directory = None,
    model: Model = None,
    prompt: Prompt = None,
    tool: Tool = None,
    index_name: Annotated[str | None, typer.Option("--index", metavar="NAME[@VERSION]", help="An index.")] = None,
    tenant: Tenant = None,
    service: Service = None,
    verdict: Verdict = None,
    task: Annotated[str | None, typer.Option(help="The task.")] = None,
    since: Since = None,
    until: Until = None,
    limit: Annotated[int, typer.Option(min=1, help="Traces, the newest ones.")] = 50,
    is_json: IsJson = False,
) -> None:
    """List traces, oldest first: what ran in each, and how it ended."""
    from otel_agentops.record.lists import dump_trace, list_traces

    with stop_on_error("record ls"), open_index(directory) as index:
        wanted = _make_filter(model, prompt, tool, index_name, tenant, service, verdict, since, until, task)
        traces = list_traces(index, wanted)[-limit:]
        gaps = index.find_gaps(wanted.since_ns, wanted.until_ns)
    if is_json:
        print_json({"traces": list(map(dump_trace, traces)), "gaps": gaps})
        return
    _print_table(
        ("began", "trace", "task", "model", "calls", "tools", "errors", "verdict"),
        [(trace.began, trace.name, trace.task, ", ".join(trace.models), trace.calls, trace.tools, trace.errors,
          trace.verdict) for trace in traces],
    )  # fmt: skip
    _note_gaps("record ls", gaps)


def _make_filter(
    model: str | None, prompt: str | None, tool: str | None, index: str | None, tenant: str | None,
    service: str | None, verdict: str | None, since: str | None, until: str | None, task: str | None = None,
) -> Filter:  # fmt: skip
    import time

    from otel_agentops.command_line import parse_time

    now_s = time.time()
    since_ns = None if since is None else int(parse_time(since, now_s, "--since") * 1e9)
    until_ns = None if until is None else int(parse_time(until, now_s, "--until") * 1e9)
    return Filter(model=model, prompt=prompt, tool=tool, tenant=tenant, service=service, verdict=verdict, task=task,
                  index=index, since_ns=since_ns, until_ns=until_ns)  # fmt: skip


def _print_table(columns: tuple[str, ...], rows: list[tuple[object, ...]]) -> None:
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    from otel_agentops.record.screen import mask_controls

    table = Table(*columns, box=None, pad_edge=False)
    for row in rows:
        table.add_row(*(escape(mask_controls("" if cell is None else str(cell))) for cell in row))
    Console(highlight=False).print(table)


def _note_gaps(command: str, gaps: list[dict[str, Any]]) -> None:
    for gap in gaps:
        lost = "an unknown number of" if gap["lost"] is None else gap["lost"]
        typer.echo(f"otel-agentops {command}: {lost} entries are missing there ({gap['reason']})", err=True)


@app.command("touched")
def list_touched(
    directory: Directory = None,
    model: Model = None,
    prompt: Prompt = None,
    tool: Tool = None,
    index_name: Index = None,
    tenant: Tenant = None,
    service: Service = None,
    since: Since = None,
    until: Until = None,
    is_json: IsJson = False,
) -> None:
    """List every task and conversation that a model, prompt, tool or index touched; sampling of traces plays no part.

    Exit 0: the list is complete. 3: entries of that time are known to be missing, and standard error says how many.
    """
    from otel_agentops.record.lists import list_touched as find_touched

    with stop_on_error("record touched"), open_index(directory) as index:
        wanted = _make_filter(model, prompt, tool, index_name, tenant, service, None, since, until)
        touched = find_touched(index, wanted)
        gaps = index.find_gaps(wanted.since_ns, wanted.until_ns)
    if is_json:
        print_json({"touched": [one._asdict() for one in touched], "is_complete": not gaps, "gaps": gaps})
    else:
        columns = ("task", "conversation", "trace", "tenant", "first", "last", "operations")
        _print_table(columns, [tuple(one) for one in touched])
        _note_gaps("record touched", gaps)
    raise typer.Exit(3 if gaps else 0)


@app.command("stats")
def show_stats(directory: Directory = None, since: Since = None, until: Until = None, is_json: IsJson = False) -> None:
    """Say how much is recorded: entries by kind, model and service, bytes on disk, and what is missing."""
    from otel_agentops.record.lists import count_entries

    with stop_on_error("record stats"), open_index(directory) as index:
        stats = count_entries(index, _make_filter(*(None,) * 7, since, until))
    if is_json:
        print_json(stats)
        return
    rows: list[tuple[object, ...]] = []
    for name, value in stats.items():
        rows += [(name, key, count) for key, count in value.items()] if isinstance(value, dict) else [(name, "", value)]
    _print_table(("", "", ""), rows)


@app.command("show")
def show_trace(trace: Trace, directory: Directory = None, is_json: IsJson = False) -> None:
    """Show a trace as a conversation: what was said, which tools ran, what came back. `TRACE#3` is its third call."""
    from otel_agentops.record.screen import print_turns
    from otel_agentops.record.view import build_turns, dump_turns

    with stop_on_error("record show"), load_trace(trace, directory) as (bundle, number):
        turns = [turn for turn in build_turns(bundle.steps) if number is None or turn.number == number]
        if not turns:
            raise InputError(f"{trace}: the trace has no such call; leave the number out to see all")
        if is_json:
            print_json({"source": bundle.source, "turns": dump_turns(turns)})
        else:
            print_turns(turns, bundle.source)


@app.command("diff")
def diff_traces(
    before: Annotated[str, typer.Argument(metavar="BEFORE", help="A trace, task or bundle; `#2` is its second call.")],
    after: Annotated[str, typer.Argument(metavar="AFTER", help="Another one.")],
    directory: Directory = None,
    is_json: IsJson = False,
) -> None:
    """Say which of the six variables differ between two traces, then which words.

    Exit 0: nothing differs. 1: something does.
    """
    from otel_agentops.record.diff import CHANGED, compare_texts, compare_variables, dump_diff
    from otel_agentops.record.screen import print_diff
    from otel_agentops.record.steps import list_calls

    sides = []
    with stop_on_error("record diff", 2):
        for name in (before, after):
            with load_trace(name, directory) as (bundle, number):
                steps = bundle.steps if number is None else list_calls(bundle.steps)[number - 1 : number]
                sides.append(steps)
    variables, texts = compare_variables(*sides), compare_texts(*sides)
    if is_json:
        print_json(dump_diff(variables, texts))
    else:
        print_diff(variables, texts)
    raise typer.Exit(1 if texts or any(one.state == CHANGED for one in variables) else 0)
