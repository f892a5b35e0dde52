"""Edits of a lock file in place: every byte that people wrote stays as it is, and so does its order."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from ruamel.yaml import YAML
from ruamel.yaml.nodes import MappingNode, ScalarNode, SequenceNode

from otel_agentops._yaml import Edit, InputError, Lines, apply_edits, find_newline, find_pair
from otel_agentops.lock.model import VARIABLES, Entry, Key, Lock
from otel_agentops.lock.text import parse_lock, quote_if_needed, quote_text

HEAD = """\
# What may run: the approved values of everything that can change an answer without a deploy.
# `otel-agentops lock update` adds what is live; a review of this file approves it.
version: 1
"""


def edit_entries(text: str, path: Path, new: Sequence[tuple[Key, Entry]], removed: Iterable[Key] = ()) -> str:
    """Return the text with entries added and others taken out; nothing else of it changes.

    Raises:
        InputError: The text is not a lock file, or is written in a way that cannot be edited.
    """
    before, doomed = parse_lock(text, path), set(removed)
    shorter = apply_edits(text, _remove_entries(text, path, before, doomed))
    if shorter and not shorter.endswith(find_newline(shorter)):
        shorter += find_newline(shorter)
    longer = apply_edits(shorter, _add_entries(shorter, path, new))
    expected = {key: entry for key, entry in before.iterate_entries() if key not in doomed} | dict(new)
    if dict(parse_lock(longer, path).iterate_entries()) != expected:
        raise InputError(
            f"{path}: is written in a way that cannot be edited; write one entry a line, as docs/lock.md does"
        )
    return longer


def _remove_entries(text: str, path: Path, lock: Lock, removed: set[Key]) -> Iterator[Edit]:
    """Take out entries, scopes and variables that are left empty, and the comments right above."""
    lines, root = Lines(text), _compose_root(text)
    doomed: set[int] = set()
    for variable in VARIABLES:
        is_empty = []
        for scope, (name, entries) in _read_section(root, variable, path).items():
            keys = [Key(variable, scope, entry.service, entry.value) for entry in lock.get_scopes(variable)[scope]]
            nodes = [node for key, node in zip(keys, entries.value, strict=True) if key in removed]
            is_empty.append(len(nodes) == len(keys))
            doomed |= {line for node in nodes for line in lines.find_block(name if is_empty[-1] else node, node)}
        if is_empty and all(is_empty) and (heading := find_pair(root, variable)):
            doomed |= set(lines.find_block(heading[0], heading[0]))
    return lines.remove_lines(doomed)


def _add_entries(text: str, path: Path, new: Sequence[tuple[Key, Entry]]) -> Iterator[Edit]:
    lines, root = Lines(text), _compose_root(text)
    for variable in VARIABLES:
        added: dict[str, list[Entry]] = {}
        for key, entry in sorted(new, key=lambda one: (one[0].scope, one[0].service or "", one[0].value)):
            if key.variable == variable:
                added.setdefault(key.scope, []).append(entry)
        if added:
            yield from _add_scopes(root, variable, added, lines, path)


def _add_scopes(
    root: MappingNode, variable: str, added: Mapping[str, Sequence[Entry]], lines: Lines, path: Path
) -> Iterator[Edit]:
    heading, scopes = find_pair(root, variable), _read_section(root, variable, path)
    if heading is None:
        earlier = [find_pair(root, name) for name in ("version", *VARIABLES[: VARIABLES.index(variable)])]
        line = max(lines.find_last(pair[1]) for pair in earlier if pair)
        body = [text for scope, entries in added.items() for text in _format_scope(scope, entries, 2)]
        yield lines.insert_after(line, [f"{variable}:", *body])
        return
    indent = next((name.start_mark.column for name, _ in scopes.values()), 2)
    for scope, entries in added.items():
        if scope in scopes:
            node = scopes[scope][1]
            dash = lines.find_dash(node.value[0])
            yield lines.insert_after(lines.find_last(node), [_format_entry(entry, dash) for entry in entries])
        else:
            smaller = [node for name, (_, node) in scopes.items() if name < scope]
            line = max(map(lines.find_last, smaller), default=heading[0].start_mark.line)
            yield lines.insert_after(line, _format_scope(scope, entries, indent))


def _read_section(root: MappingNode, variable: str, path: Path) -> dict[str, tuple[ScalarNode, SequenceNode]]:
    """Return the scopes of a variable; raise InputError if they do not have a line each."""
    heading = find_pair(root, variable)
    if heading is None or heading[1].value == "":
        return {}
    below = heading[1].value if isinstance(heading[1], MappingNode) else ()
    for node in (heading[1], *(value for _, value in below)):
        if isinstance(node, ScalarNode) or node.flow_style:
            line = node.start_mark.line + 1
            raise InputError(f"{path}:{line}: {variable}: is written in one line; give each scope and entry its own")
    return {key.value: (key, value) for key, value in below}


def _compose_root(text: str) -> MappingNode:
    root = YAML(pure=True).compose(text)
    assert isinstance(root, MappingNode)
    return root


def _format_scope(scope: str, entries: Iterable[Entry], indent: int) -> list[str]:
    return [f"{' ' * indent}{quote_if_needed(scope)}:", *(_format_entry(entry, indent + 2) for entry in entries)]


def _format_entry(entry: Entry, indent: int) -> str:
    fields = {"value": quote_text(entry.value)}
    fields |= {"service": quote_if_needed(entry.service)} if entry.service else {}
    fields |= {"owner": quote_if_needed(entry.owner), "date": entry.date.isoformat()}
    fields |= {"until": entry.until.isoformat()} if entry.until else {}
    fields |= {"note": quote_text(entry.note)} if entry.note else {}
    return f"{' ' * indent}- {{{', '.join(f'{key}: {text}' for key, text in fields.items())}}}"
