"""Entries come and go in place: every byte that people wrote stays as it is, and so does its order."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from ruamel.yaml import YAML
from ruamel.yaml.nodes import CollectionNode, MappingNode, Node, ScalarNode, SequenceNode

from otel_agentops.lock.model import VARIABLES, Entry, Key, Lock, LockError
from otel_agentops.lock.text import pair, parsed, plain, quoted

HEAD = """\
# What may run: the approved values of everything that can change an answer without a deploy.
# `otel-agentops lock update` adds what is live; a review of this file approves it.
version: 1
"""
# Line breaks as YAML counts them.
_BREAK = "\n\r\x85\u2028\u2029"
_LINES = re.compile(f"[^{_BREAK}]*(?:\r\n|[{_BREAK}])|[^{_BREAK}]+$")


def edited(text: str, path: Path, new: Sequence[tuple[Key, Entry]], gone: Iterable[Key] = ()) -> str:
    """The text with entries added, and others taken out; nothing else of it changes. Raises LockError."""
    before = parsed(text, path)
    kept = {key: entry for key, entry in before.entries() if key not in set(gone)}
    shorter = _without(text, path, before, set(gone))
    longer = _with(shorter, path, new)
    if dict(parsed(longer, path).entries()) != {**kept, **dict(new)}:
        raise LockError(
            f"{path}: is written in a way that cannot be edited; write one entry a line, as docs/lock.md does"
        )
    return longer


def _without(text: str, path: Path, lock: Lock, gone: set[Key]) -> str:
    """Without entries; a scope or a variable that is left empty goes, too, and so do the comments right above."""
    lines, root = _LINES.findall(text), _root(text)
    doomed: set[int] = set()
    for variable in VARIABLES:
        empty = []
        for scope, (name, entries) in _section(root, variable, path).items():
            keys = [Key(variable, scope, entry.service, entry.value) for entry in getattr(lock, variable)[scope]]
            dead = [node for key, node in zip(keys, entries.value, strict=True) if key in gone]
            empty.append(len(dead) == len(keys))
            first = name if empty[-1] else None
            doomed |= {line for node in dead for line in _block(lines, first or node, node)}
        if empty and all(empty):
            key = pair(root, variable)
            doomed |= set(_block(lines, key[0], key[0])) if key else set()
    return "".join(line for number, line in enumerate(lines) if number not in doomed)


def _block(lines: Sequence[str], first: Node, last: Node) -> range:
    """The lines from one node to the end of another, with the comments of the same indentation above."""
    start = first.start_mark.line
    indent = re.match(" *", lines[start])
    while start and indent and lines[start - 1].startswith(f"{indent[0]}#"):
        start -= 1
    return range(start, _last_line(last, lines) + 1)


def _with(text: str, path: Path, new: Sequence[tuple[Key, Entry]]) -> str:
    newline = "\r\n" if "\r\n" in text else "\n"
    text = text if not text or text.endswith(newline) else text + newline
    lines, root = _LINES.findall(text), _root(text)
    after: dict[int, list[str]] = {}
    for variable in VARIABLES:
        added: dict[str, list[Entry]] = {}
        for key, entry in sorted(new, key=lambda one: (one[0].scope, one[0].service or "", one[0].value)):
            if key.variable == variable:
                added.setdefault(key.scope, []).append(entry)
        for line, made in _insertions(root, variable, added, lines, path):
            after.setdefault(line, []).extend(made)
    out = [
        line
        for number, old in enumerate(lines)
        for line in (old, *(f"{one}{newline}" for one in after.get(number, ())))
    ]
    return "".join(out)


def _insertions(
    root: MappingNode, variable: str, added: Mapping[str, Sequence[Entry]], lines: Sequence[str], path: Path
) -> Iterator[tuple[int, list[str]]]:
    """After which line what is to stand."""
    if not added:
        return
    found, scopes = pair(root, variable), _section(root, variable, path)
    if found is None:
        earlier = [pair(root, name) for name in ("version", *VARIABLES[: VARIABLES.index(variable)])]
        line = max(_last_line(one[1], lines) for one in earlier if one)
        yield line, [f"{variable}:", *(text for scope, entries in added.items() for text in _scope(scope, entries, 2))]
        return
    indent = next((name.start_mark.column for name, _ in scopes.values()), 2)
    for scope, entries in added.items():
        if scope in scopes:
            node = scopes[scope][1]
            yield _last_line(node, lines), [_entry(entry, _dash(lines, node.value[0])) for entry in entries]
        else:
            earlier_scopes = [node for name, (_, node) in scopes.items() if name < scope]
            line = max((_last_line(node, lines) for node in earlier_scopes), default=found[0].start_mark.line)
            yield line, _scope(scope, entries, indent)


def _section(root: MappingNode, variable: str, path: Path) -> dict[str, tuple[ScalarNode, SequenceNode]]:
    """The scopes of a variable. Raises LockError where there is no line of its own for each."""
    found = pair(root, variable)
    if found is None or found[1].value == "":
        return {}
    below = found[1].value if isinstance(found[1], MappingNode) else ()
    for node in (found[1], *(value for _, value in below)):
        if isinstance(node, ScalarNode) or node.flow_style:
            line = node.start_mark.line + 1
            raise LockError(f"{path}:{line}: {variable}: is written in one line; give each scope and entry its own")
    return {key.value: (key, value) for key, value in below}


def _root(text: str) -> MappingNode:
    root = YAML(pure=True).compose(text)
    assert isinstance(root, MappingNode)
    return root


def _last_line(node: Node, lines: Sequence[str]) -> int:
    if isinstance(node, CollectionNode) and not node.flow_style and node.value:
        last = node.value[-1]
        return _last_line(last[1] if isinstance(last, tuple) else last, lines)
    line, column = node.end_mark.line, node.end_mark.column
    if column or line == node.start_mark.line:
        return int(line)
    line -= 1  # a block of text ends where the next thing starts
    while not lines[line].strip():
        line -= 1
    return int(line)


def _dash(lines: Sequence[str], entry: Node) -> int:
    return len(lines[entry.start_mark.line].partition("-")[0])


def _scope(scope: str, entries: Iterable[Entry], indent: int) -> list[str]:
    return [f"{' ' * indent}{plain(scope)}:", *(_entry(entry, indent + 2) for entry in entries)]


def _entry(entry: Entry, indent: int) -> str:
    said = {"value": quoted(entry.value)}
    said |= {"service": plain(entry.service)} if entry.service else {}
    said |= {"owner": plain(entry.owner), "date": entry.date.isoformat()}
    said |= {"until": entry.until.isoformat()} if entry.until else {}
    said |= {"note": quoted(entry.note)} if entry.note else {}
    return f"{' ' * indent}- {{{', '.join(f'{key}: {text}' for key, text in said.items())}}}"
