"""`otel-agentops record`: thin shells over the functions of this package."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from otel_agentops._yaml import InputError
from otel_agentops.command_line import stop_on_error
from otel_agentops.recorder.commands.deleting import app as deleting
from otel_agentops.recorder.commands.index import Filter, RecordIndex, Row
from otel_agentops.recorder.commands.log import app as log
from otel_agentops.recorder.commands.options import Directory, IsJson, find_directory, load_keys, print_json
from otel_agentops.recorder.commands.screen import mask_controls, print_table
from otel_agentops.recorder.commands.steps import dump_json

if TYPE_CHECKING:
    from otel_agentops.recorder.commands.bundle import Bundle

app = typer.Typer(no_args_is_help=True, help="The flight recorder: what models were sent and answered.")
app.add_typer(deleting)
app.add_typer(log)

Trace = Annotated[
    str,
    typer.Argument(metavar="TRACE", help="A trace id or its first digits, a task, a conversation, a ref, or a bundle."),
]


@contextmanager
def open_index(directory: str | None) -> Iterator[RecordIndex]:
    """Open the index of a directory."""
    root = find_directory(directory)
    index = RecordIndex(root, load_keys(root))
    try:
        yield index
    finally:
        index.close()


@contextmanager
def load_trace(text: str, directory: str | None) -> Iterator[tuple[Bundle, int | None]]:
    """Load what the argument TRACE names."""
    from otel_agentops.recorder.commands.bundle import load_bundle

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


@app.command("traces")
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
    from otel_agentops.recorder.commands.lists import dump_trace, list_traces

    with stop_on_error("record traces"), open_index(directory) as index:
        wanted = _make_filter(model, prompt, tool, index_name, tenant, service, verdict, since, until, task)
        traces, left_out = list_traces(index, wanted, limit)
        gaps = index.find_gaps(wanted.since_ns, wanted.until_ns)
    if is_json:
        print_json({"traces": list(map(dump_trace, traces)), "left_out": left_out, "gaps": gaps})
        return
    print_table(
        ("began", "trace", "task", "model", "calls", "tools", "errors", "verdict"),
        # `show` takes the first digits of a trace; the name of an entry outside of any trace stays whole.
        [(trace.began[:19].replace("T", " "), trace.name if "/" in trace.name else trace.name[:12], trace.task_name,
          ", ".join(trace.models), trace.calls, trace.tools, trace.errors, trace.verdict) for trace in traces],
        whole=("trace",),
    )  # fmt: skip
    if left_out:
        text = f"the newest {len(traces)} of {len(traces) + left_out} traces; --limit shows more"
        typer.echo(f"otel-agentops record traces: {text}", err=True)
    _note_gaps("record traces", gaps)


def _make_filter(
    model: str | None, prompt: str | None, tool: str | None, index: str | None, tenant: str | None,
    service: str | None, verdict: str | None, since: str | None, until: str | None, task: str | None = None,
) -> Filter:  # fmt: skip
    import time

    from otel_agentops.command_line import parse_time

    def read_ns(text: str | None, option: str) -> int | None:
        """Return a time that the index can compare: before 1970 and behind 2262 nothing is."""
        return None if text is None else max(0, min(int(parse_time(text, now_s, option) * 1e9), 2**63 - 1))

    now_s = time.time()
    since_ns, until_ns = read_ns(since, "--since"), read_ns(until, "--until")
    if since_ns is not None and until_ns is not None and since_ns >= until_ns:
        raise typer.BadParameter(f"nothing can be between {since} and {until}; write the earlier time as --since")
    return Filter(model=model, prompt=prompt, tool=tool, tenant=tenant, service=service, verdict=verdict, task=task,
                  index_name=index, since_ns=since_ns, until_ns=until_ns)  # fmt: skip


def _note_gaps(command: str, gaps: Sequence[Row]) -> None:
    for gap in gaps:
        lost = "an unknown number of" if gap["lost"] is None else gap["lost"]
        reason = f"{gap['reason']}: {mask_controls(gap['detail'])}" if gap["detail"] else gap["reason"]
        typer.echo(f"otel-agentops {command}: {lost} entries are missing there ({reason})", err=True)


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
    from otel_agentops.recorder.commands.lists import list_touched as find_touched

    with stop_on_error("record touched"), open_index(directory) as index:
        wanted = _make_filter(model, prompt, tool, index_name, tenant, service, None, since, until)
        touched = find_touched(index, wanted)
        gaps = index.find_gaps(wanted.since_ns, wanted.until_ns)
    if is_json:
        print_json({"touched": [one._asdict() for one in touched], "is_complete": not gaps, "gaps": gaps})
    else:
        columns = ("task", "conversation", "trace", "tenant", "first", "last", "operations")
        print_table(columns, [tuple(one) for one in touched])
        _note_gaps("record touched", gaps)
    raise typer.Exit(3 if gaps else 0)


@app.command("stats")
def show_stats(directory: Directory = None, since: Since = None, until: Until = None, is_json: IsJson = False) -> None:
    """Say how much is recorded: entries by kind, model and service, bytes on disk, and what is missing."""
    from otel_agentops.recorder.commands.lists import count_entries

    with stop_on_error("record stats"), open_index(directory) as index:
        wanted = _make_filter(*(None,) * 7, since, until)
        stats = count_entries(index, wanted)
        gaps = index.find_gaps(wanted.since_ns, wanted.until_ns)
    if is_json:
        print_json(stats)
        return
    rows: list[tuple[object, ...]] = []
    for name, value in stats.items():
        rows += [(name, key, count) for key, count in value.items()] if isinstance(value, dict) else [(name, "", value)]
    print_table(("", "", ""), rows)
    _note_gaps("record stats", gaps)


@app.command("show")
def show_trace(trace: Trace, directory: Directory = None, is_json: IsJson = False) -> None:
    """Show a trace as a conversation: what was said, which tools ran, what came back. `TRACE#3` is its third call."""
    from otel_agentops.recorder.commands.screen import print_turns
    from otel_agentops.recorder.commands.view import build_turns, dump_turns

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
    from otel_agentops.recorder.commands.diff import CHANGED, compare_texts, compare_variables, dump_diff
    from otel_agentops.recorder.commands.screen import print_diff
    from otel_agentops.recorder.commands.steps import choose_call

    sides = []
    with stop_on_error("record diff", 2):
        for name in (before, after):
            with load_trace(name, directory) as (bundle, number):
                sides.append(bundle.steps if number is None else [choose_call(bundle.steps, number, name)])
    variables, texts = compare_variables(*sides), compare_texts(*sides)
    if is_json:
        print_json(dump_diff(variables, texts))
    else:
        print_diff(variables, texts)
    raise typer.Exit(1 if texts or any(one.state == CHANGED for one in variables) else 0)


@app.command("export")
def export_trace(
    trace: Annotated[
        str | None, typer.Argument(metavar="TRACE", help="As of `show`; of --parquet none for all.")
    ] = None,
    directory: Directory = None,
    html: Annotated[Path | None, typer.Option(metavar="FILE", help="A page that opens offline, with the data.")] = None,
    bundle_file: Annotated[
        Path | None, typer.Option("--bundle", metavar="FILE", help="The data alone, as JSON: for `serve` and tests.")
    ] = None,
    parquet: Annotated[
        Path | None, typer.Option(metavar="FILE", help="The clear facts as a table, no content; needs pyarrow.")
    ] = None,
    redact: Annotated[
        str | None,
        typer.Option(metavar="MODULE:FUNCTION", help="Your redaction, before the patterns; see docs/content.md."),
    ] = None,
    unredacted: Annotated[bool, typer.Option("--unredacted", help="Leave secrets in.")] = False,
    force: Annotated[bool, typer.Option("--force", help="Overwrite a file that this command did not write.")] = False,
) -> None:
    """Write a trace as evidence for others: one page, or its data. Secrets are taken out by pattern."""
    from otel_agentops.recorder.commands.bundle import dump_bundle
    from otel_agentops.recorder.commands.page import render_bundle
    from otel_agentops.recorder.commands.tables import write_parquet
    from otel_agentops.written_files import add_mark, write_all_generated

    if not (html or bundle_file or parquet) or (trace is None and (html or bundle_file)):
        raise typer.BadParameter("name a trace and --html or --bundle, or --parquet alone")
    if html is not None and html == bundle_file:
        raise typer.BadParameter(f"--html and --bundle are the same file, {html}; the page has the data inside")
    with stop_on_error("record export"):
        if parquet is not None:
            with open_index(directory) as index:
                wanted = Filter() if trace is None else index.find_traces(trace)
                if wanted is None:
                    raise InputError(f"{trace}: no trace, task, conversation or ref is called so")
                write_parquet(index.find_rows(wanted), parquet)
        files: dict[Path, str] = {}
        if trace is not None and (html or bundle_file):
            bundle = _load_evidence(trace, directory, redact, is_redacted=not unredacted)
            if html is not None:
                files[html] = add_mark(f"{html.stem}.html", render_bundle(bundle), "record export")
            if bundle_file is not None:
                text = dump_json(dump_bundle(bundle), indent=1) + "\n"
                files[bundle_file] = add_mark(f"{bundle_file.stem}.json", text, "record export")
        for outcome in write_all_generated(files, force):
            if outcome.backup:
                typer.echo(f"note: {outcome.path}: its old content is kept as {outcome.backup}", err=True)


def _load_evidence(trace: str, directory: str | None, redact: str | None, *, is_redacted: bool) -> Bundle:
    """Return what is exported, and say what could not be read."""
    from otel_agentops.recorder.commands.bundle import choose_steps, redact_bundle
    from otel_agentops.recorder.commands.replay import load_function

    if redact is not None:
        load_function(redact)  # what cannot be loaded would leave out every word
    with load_trace(trace, directory) as (bundle, number):
        bundle = choose_steps(bundle, number, trace)
    for trouble, count in Counter(step.trouble for step in bundle.steps if step.trouble).items():
        typer.echo(f"otel-agentops record export: the content of {count} entries is not in it: {trouble}", err=True)
    return redact_bundle(bundle, redact) if is_redacted else bundle


@app.command("serve")
def serve_trace(
    trace: Trace,
    directory: Directory = None,
    port: Annotated[int, typer.Option(min=0, max=65535, help="The port; 0 for a free one.")] = 0,
    lenient: Annotated[bool, typer.Option("--lenient", help="Answer requests that differ, by their place.")] = False,
    times: Annotated[bool, typer.Option("--times", help="Keep the pauses between the chunks of streams.")] = False,
) -> None:
    """Serve the recorded answers of a trace on loopback, in the provider's protocol, until it is interrupted.

    A request that was not recorded gets 409, which names the first difference.
    """
    from otel_agentops.recorder.commands.bundle import choose_steps
    from otel_agentops.recorder.commands.serving import ReplayServer

    with stop_on_error("record serve"), load_trace(trace, directory) as (bundle, number):
        bundle = choose_steps(bundle, number, trace)
        try:
            server = ReplayServer(bundle, port=port, is_lenient=lenient, has_times=times)
        except OSError as error:
            advice = "choose another --port, or none for a free one"
            raise InputError(f"port {port}: cannot be listened on: {error.strerror or error}; {advice}") from None
    for name, url in server.variables.items():
        typer.echo(f"{name}={url}")
    try:
        server.serve_forever()
    except KeyboardInterrupt:
        for miss in server.misses:
            typer.echo(f"otel-agentops record serve: {miss.message}", err=True)


@app.command("replay")
def replay_call(
    trace: Annotated[str, typer.Argument(metavar="TRACE#N", help="The N-th call of a trace or bundle; else its last.")],
    swap: Annotated[
        list[str],
        typer.Option(
            metavar="NAME=VALUE", help="model=…, prompt=@file, tools=@file, params.temperature=0; again for more."
        ),
    ],
    expect: Annotated[
        str, typer.Option(help="regex:…, tool:NAME, json:/pointer=value, schema:@file, python:module:function.")
    ],
    directory: Directory = None,
    count: Annotated[int, typer.Option("-n", min=1, help="Requests of each arm.")] = 20,
    run: Annotated[bool, typer.Option("--run", help="Ask; without it nothing is sent.")] = False,
    base_url: Annotated[str | None, typer.Option(metavar="URL", help="The provider's, as its client takes it.")] = None,
    call: Annotated[
        str | None,
        typer.Option(metavar="MODULE:FUNCTION", help="Your function that sends a request with your client and key."),
    ] = None,
    is_json: IsJson = False,
) -> None:
    """Ask a recorded call again with a change and without, and compare how often each does what is expected.

    Tools never run. Exit 0: the arms differ, or nothing was sent. 3: no difference is shown, or too few answers.
    """
    from otel_agentops.recorder.commands import replay
    from otel_agentops.recorder.commands.steps import choose_call

    with stop_on_error("record replay"), load_trace(trace, directory) as (bundle, number):
        step = choose_call(bundle.steps, number, trace)
        control = replay.read_request_body(step)
        swapped, expectation = replay.swap_members(control, swap), replay.parse_expectation(expect)
        usd = replay.estimate_cost(step, (control, swapped), count)
        changed = [name for name in {**control, **swapped} if control.get(name) != swapped.get(name)]
        plan = {
            "call": step.entry.ref,
            "requests": 2 * count,
            "bytes": count * sum(len(dump_json(body).encode()) for body in (control, swapped)),
            "usd": usd,
            "changed": changed,
        }
        if not run:
            if is_json:
                print_json({"plan": plan})
            else:
                cost = (
                    "an unknown cost, as OTEL_AGENTOPS_PRICES has no price for it" if usd is None else f"{usd:.4f} USD"
                )
                names = ", ".join(changed) or "nothing"
                typer.echo(f"{plan['requests']} requests, {plan['bytes']} bytes, {cost}; the arms differ in: {names}")
                typer.echo("nothing was sent; --run sends it")
            return
        send = replay.make_sender(step, base_url, call)
        found = replay.compare_arms(step, swapped, count, expectation, send)
    if is_json:
        arms = {arm.name: {**arm._asdict(), "interval": arm.interval} for arm in (found.control, found.swap)}
        print_json({"plan": plan, **arms, "difference": found.difference, "verdict": found.verdict})
    else:
        for arm in (found.control, found.swap):
            typer.echo(replay.format_arm(arm))
        if found.difference is not None:
            low, high = (f"{100 * end:+.0f}" for end in found.difference)
            typer.echo(f"difference, swap less control: [{low}, {high}] points")
        typer.echo(found.verdict)
    raise typer.Exit(0 if found.verdict == "differs" else 3)


@app.command("ship")
def ship_records(
    url: Annotated[str, typer.Argument(metavar="URL", help="s3://…, gs://…, az://…, any of fsspec, or a directory.")],
    directory: Directory = None,
    is_json: IsJson = False,
) -> None:
    """Put sealed segments into an object store; those that are there already are left alone.

    It is a process of its own, from cron or a sidecar: inside an application no store is ever talked to.
    """
    from otel_agentops.recorder.commands.shipping import open_store, ship_segments

    with stop_on_error("record ship", 1, OSError):
        shipment = ship_segments(find_directory(directory), open_store(url))
    if is_json:
        print_json(shipment._asdict())
    else:
        typer.echo(
            f"{len(shipment.names)} segments, {shipment.byte_count} bytes put; {shipment.present_count} were there"
        )
    for name in shipment.kept:
        text = f"{name}: content was deleted there and is still here; run the same `record delete` here"
        typer.echo(f"otel-agentops record ship: {text}", err=True)
