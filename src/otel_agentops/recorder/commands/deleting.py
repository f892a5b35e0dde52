"""`record delete`: the content of a task, a conversation, a trace, a tenant or a person goes, and the log says so."""

from __future__ import annotations

import os
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from otel_agentops._yaml import InputError
from otel_agentops.command_line import stop_on_error
from otel_agentops.recorder.commands.index import RecordIndex
from otel_agentops.recorder.commands.options import (
    Directory,
    IsJson,
    find_directory,
    find_key_root,
    load_keys,
    print_json,
)

if TYPE_CHECKING:
    from otel_agentops.recorder.keys import KeyRing
    from otel_agentops.recorder.subjects import Plan, Subject

app = typer.Typer()

Names = Annotated[list[str] | None, typer.Option(metavar="NAME", help="Its content; again for more.")]


@app.command("delete")
def delete_content(
    reason: Annotated[str, typer.Option(metavar="TEXT", help="Why; it stays readable in the log.")],
    directory: Directory = None,
    task: Names = None,
    conversation: Names = None,
    trace: Names = None,
    tenant: Annotated[
        list[str] | None, typer.Option(metavar="NAME", help="Its content and its keys; again for more.")
    ] = None,
    user: Annotated[
        list[str] | None, typer.Option(metavar="ID", help="A person's, as your application says it; again for more.")
    ] = None,
    actor: Annotated[str | None, typer.Option(metavar="NAME", help="Who deletes it; by default your login.")] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Delete; without it nothing is changed.")] = False,
    is_json: IsJson = False,
) -> None:
    """Delete what was recorded of a task, a conversation, a trace, a tenant or a person; names, times and hashes stay.

    A tombstone says who and why, and the log still verifies. Exit 0: all of it is gone, or nothing was to be changed.
    1: a legal hold keeps it, no entry of it is there, or the input is wrong. 3: some is in a segment that is still
    written; run it again later.
    """
    from otel_agentops.recorder import subjects
    from otel_agentops.recorder.commands.shipping import open_store, ship_segments
    from otel_agentops.recorder.segment import SegmentError

    named = {"task": task, "conversation": conversation, "trace": trace, "tenant": tenant, "user": user}
    given = [subjects.Subject(kind, tuple(names)) for kind, names in named.items() if names]
    if len(given) != 1:
        raise typer.BadParameter("name a task, a conversation, a trace, a tenant or a user, and one kind of them alone")
    (subject,) = given
    place = directory or os.environ.get("OTEL_AGENTOPS_RECORDER", "").strip()
    with stop_on_error("record delete", 1, OSError, SegmentError, subjects.DeletionError):
        root = find_directory(directory)
        keys = load_keys(root)
        if subject.kind == "trace":
            subject = _resolve_traces(root, subject)
        elif subject.kind == "user":
            subject = subject._replace(names=_hash_users(root, subject.names, keys))
        if not yes:
            plan = subjects.plan_deletion(root, subject, keys)
        else:
            plan = subjects.delete_subject(
                root,
                subject,
                actor=actor or _find_login(),
                reason=reason,
                keys=keys,
                publish=partial(ship_segments, root, open_store(place)) if "://" in place else None,
            )
    if is_json:
        print_json({"scope": subject.scope, "is_deleted": yes and plan.is_known, **plan.describe(root)})
    else:
        _print_plan(subject.scope, plan, is_deleted=yes)
    raise typer.Exit(1 if not plan.is_known else 3 if yes and plan.open_count else 0)


def _resolve_traces(root: Path, subject: Subject) -> Subject:
    """Return the traces whose first digits somebody wrote."""
    index = RecordIndex(root)
    try:
        found = {text: index.find_traces(text) for text in subject.names}
    finally:
        index.close()
    for text, wanted in found.items():
        if wanted is None or wanted.trace is None:
            raise InputError(f"{text}: no trace begins so in {root}")
    return subject._replace(names=tuple(str(wanted.trace) for wanted in found.values() if wanted is not None))


def _hash_users(root: Path, ids: Sequence[str], keys: KeyRing | None) -> tuple[str, ...]:
    """Return the hashes that entries may have of users' ids."""
    from otel_agentops._config import read_config
    from otel_agentops.recorder.users import hash_user, list_user_keys

    key_root = find_key_root(root)
    user_keys = list_user_keys(key_root, keys, read_config().hash_key)
    if not user_keys:
        raise InputError(
            f"{key_root / 'keys'}: no key of users' hashes is there, so no entry can be found by a user; name the "
            "directory of the recorder in OTEL_AGENTOPS_RECORDER, or set OTEL_AGENTOPS_HASH_KEY as it was"
        )
    return tuple(hash_user(key, user_id) for user_id in ids for key in user_keys)


def _find_login() -> str:
    """Return who runs this; a container may know a number alone."""
    import getpass

    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return f"user {os.getuid()}"


def _print_plan(scope: str, plan: Plan, *, is_deleted: bool) -> None:
    typer.echo(f"{scope}: the content of {plan.entry_count} entries in {len(plan.segments)} segments")
    if plan.torn:
        typer.echo(f"{len(plan.torn)} files with bytes that a crash tore off, beside these segments")
    if plan.open_count:
        typer.echo(f"{plan.open_count} entries are in segments that are still written; they cannot be deleted yet")
    if plan.hold is not None:
        typer.echo(f"a legal hold keeps it: {plan.hold}")
    for earlier in plan.unfinished:
        state = "is finished now" if is_deleted else "was not finished, and --yes does that"
        typer.echo(f"an earlier deletion {state}: {earlier}")
    if not plan.is_known:
        typer.echo(
            "no entry of it is in the log, so nothing of it was deleted; is it written as `record traces` has it?"
        )
        return
    way = "--yes deletes it" if plan.hold is None else "remove the file of the hold first"
    typer.echo("deleted" if is_deleted else f"nothing was deleted; {way}")
