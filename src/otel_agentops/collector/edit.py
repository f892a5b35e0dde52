"""One entry of one list is put into the text of a config, or taken out; every other byte stays as it is."""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import takewhile
from typing import NamedTuple

from ruamel.yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from otel_agentops.collector.document import ConfigError, Document

_ALIAS = re.compile(r"\s*:\s*(\*[^\s,\]}]+)")


class Edit(NamedTuple):
    """What stands between two positions becomes a text."""

    start: int
    end: int
    text: str


def with_list(document: Document, keys: Sequence[str], wanted: Sequence[str]) -> Document:
    """The document with one list as it is wanted: entries that are new put in, others taken out, in the same style.

    What an anchor shares is written out where it is an alias. Raises ConfigError where the list is not in this file.
    """
    for _ in range(len(_listed(document, keys)) + len(wanted) + 1):
        current = _listed(document, keys)
        if current == list(wanted):
            return document
        document = Document(document.name, _applied(document.text, _step(document, keys, current, wanted)))
    raise ConfigError(f"{document.at(*keys)}: {'::'.join(keys)} has another order than {_flow(wanted)}")


def _listed(document: Document, keys: Sequence[str]) -> list[str]:
    return document.get(*keys) or []


def _step(document: Document, keys: Sequence[str], current: Sequence[str], wanted: Sequence[str]) -> Edit:
    """The next single change on the way from the current list to the one that is wanted."""
    above = document.entry(*keys[:-1])
    if above is None or not isinstance(above[1], MappingNode) or _is_alias(*above):
        where = document.at(*keys[:-1])
        raise ConfigError(f"{where}: {'::'.join(keys[:-1])} is an alias; write it out, then run this again")
    own = next(((key, value) for key, value in above[1].value if key.value == keys[-1]), None)
    if own is None:
        return _new_key(document.text, above[1], keys[-1], wanted)
    key, value = own
    if _is_alias(key, value):
        alias = _ALIAS.match(document.text, key.end_mark.index)
        assert alias is not None  # the parser has found one
        return Edit(alias.start(1), alias.end(1), _flow(wanted))
    if isinstance(value, ScalarNode):  # `processors:` and nothing behind it
        colon = document.text.index(":", key.end_mark.index) + 1
        return Edit(colon, colon, f" {_flow(wanted)}")
    if any(item.start_mark.index < value.start_mark.index for item in value.value):
        raise ConfigError(f"{document.at(*keys)}: an entry of this list is an alias; write it out, then run this again")
    at = next((n for n, one in enumerate(current) if n >= len(wanted) or one != wanted[n]), len(current))
    if at < len(current) and current[at] not in wanted:
        return _out(document.text, value, at)
    new = list(takewhile(lambda one: one not in current, wanted[at:]))
    return _in(document.text, key, value, at, new or [wanted[at]])


def _in(text: str, key: Node, sequence: SequenceNode, at: int, new: Sequence[str]) -> Edit:
    items, entry = sequence.value, ", ".join(new)
    if sequence.flow_style:
        if not items:
            start = text.index("[", sequence.start_mark.index) + 1
            return Edit(start, start, entry)
        start = items[at - 1].end_mark.index if at else items[0].start_mark.index
        return Edit(start, start, f", {entry}" if at else f"{entry}, ")
    indent = " " * sequence.start_mark.column
    # Behind the line of the entry before it, whose comment ends that line; a comment above the next one stays with it.
    start = _end_of_line(text, (items[at - 1] if at else key).end_mark.index)
    return Edit(start, start, "".join(f"{_line_end(text)}{indent}- {one}" for one in new))


def _out(text: str, sequence: SequenceNode, at: int) -> Edit:
    items = sequence.value
    if not sequence.flow_style:
        start = _end_of_line(text, text.rfind("\n", 0, items[at].start_mark.index) - 1)
        return Edit(start, _end_of_line(text, items[at].end_mark.index), "")
    if at:
        return Edit(items[at - 1].end_mark.index, items[at].end_mark.index, "")
    return Edit(items[0].start_mark.index, (items[1].start_mark if len(items) > 1 else items[0].end_mark).index, "")


def _new_key(text: str, mapping: MappingNode, key: str, entries: Sequence[str]) -> Edit:
    """In front of `exporters`, where there is one: that is where people look for processors."""
    keys = [one for one, _ in mapping.value if one.value != "<<"] or [one for one, _ in mapping.value]
    before = next((one for one in keys if one.value == "exporters"), keys[0])
    start = before.start_mark.index
    if mapping.flow_style:
        return Edit(start, start, f"{key}: {_flow(entries)}, ")
    indent = " " * before.start_mark.column
    return Edit(start, start, f"{key}: {_flow(entries)}{_line_end(text)}{indent}")


def _applied(text: str, edit: Edit) -> str:
    return text[: edit.start] + edit.text + text[edit.end :]


def _is_alias(key: Node, value: Node) -> bool:
    """The parser returns the node of the anchor, which stands before the key that the alias is the value of."""
    return bool(value.start_mark.index < key.start_mark.index)


def _flow(entries: Sequence[str]) -> str:
    return f"[{', '.join(entries)}]"


def _line_end(text: str) -> str:
    return "\r\n" if "\r\n" in text else "\n"


def _end_of_line(text: str, start: int) -> int:
    end = re.compile(r"\r?\n|\Z").search(text, max(start, 0))
    assert end is not None  # the end of the text at the latest
    return end.start()
