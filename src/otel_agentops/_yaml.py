"""YAML that people wrote: read with the position of every value, edited in place, and one error that says where.

An edit changes the characters that it is about and nothing else, so comments, order, quotes and line ends stay.
"""

from __future__ import annotations

import io
import re
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from itertools import accumulate
from pathlib import Path
from typing import Any, NamedTuple

from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap, CommentedSeq
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.nodes import CollectionNode, MappingNode, Node, SequenceNode

MERGE = "<<"
# Line breaks as YAML counts them, and so as the line number of a node does.
_BREAK = "\n\r\x85\u2028\u2029"
_LINES = re.compile(f"[^{_BREAK}]*(?:\r\n|[{_BREAK}])|[^{_BREAK}]+$")


# -- errors


class InputError(Exception):
    """Wrong input of a user, in one sentence: `file:line: field: what is wrong; what to do`."""


class Wording(NamedTuple):
    """Sentences for a file that cannot be read; `error` is the exception, `problem` what YAML says."""

    unreadable: str = "cannot be read: {error.strerror}"
    undecodable: str = "is no UTF-8: {error.reason} at byte {error.start}"
    malformed: str = "is no YAML: {problem}"


USUAL = Wording()


@contextmanager
def explain_errors(name: str, wording: Wording = USUAL) -> Iterator[None]:
    """Raise what goes wrong while a file is read as InputError, with the line where there is one."""
    try:
        yield
    except OSError as error:
        raise InputError(f"{name}: {wording.unreadable.format(error=error)}") from None
    except UnicodeDecodeError as error:
        raise InputError(f"{name}: {wording.undecodable.format(error=error)}") from None
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = mark.line + 1 if mark else 1
        raise InputError(f"{name}:{line}: {wording.malformed.format(problem=error.problem)}") from None
    except (YAMLError, ValueError) as error:  # ValueError: a date or a number that is none
        raise InputError(f"{name}: {wording.malformed.format(problem=' '.join(str(error).split()))}") from None
    except RecursionError:
        raise InputError(f"{name}: is nested too deep for anybody to read") from None


# -- reading


def read_text(path: Path, wording: Wording = USUAL) -> str:
    """Return the text of a file in UTF-8, its line ends as they are.

    Raises:
        InputError: The file cannot be read, or is not in UTF-8.
    """
    with explain_errors(str(path), wording):
        return path.read_bytes().decode()


def read_documents(file: Path) -> list[Any]:
    """Return everything between the `---` of a file; `find_line` knows the lines.

    Raises:
        InputError: The file cannot be read, or is not YAML.
    """
    with explain_errors(str(file), Wording(undecodable="is no YAML: {error}")):
        return list(YAML().load_all(file.read_bytes()))


def find_line(content: Any, path: Sequence[str | int]) -> int:
    """Return the line of a field of a loaded document; of the mapping that lacks it if it is missing."""
    line = int(content.lc.line)
    for key in path:
        if isinstance(content, CommentedMap) and key in content:
            line = int(content.lc.key(key)[0])
        elif isinstance(content, CommentedSeq) and isinstance(key, int) and key < len(content):
            line = int(content.lc.item(key)[0])
        else:
            break
        content = content[key]
    return line + 1


class YamlText:
    """A text in YAML: its values, and its nodes, which know where they begin and end."""

    root: Node | None
    data: Any

    def __init__(self, name: str, text: str, wording: Wording = USUAL, loader: YAML | None = None) -> None:
        """Parse a text.

        Args:
            name: Name of the text in messages, a path as a rule.
            text: One document.
            wording: Sentences for a text that is not YAML.
            loader: Reads the values; the default is ruamel's safe one.

        Raises:
            InputError: The text is not YAML.
        """
        self.name = name
        self.text = text
        with explain_errors(name, wording):
            self.root = YAML().compose(text)
            self.data = (loader or YAML(typ="safe")).load(text)

    def find_entry(self, *keys: str) -> tuple[Node, Node] | None:
        """Return the nodes of a key and its value, None if there is no such key."""
        entry = None
        for key in keys:
            entry = find_pair(entry[1] if entry else self.root, key)
            if entry is None:
                return None
        return entry

    def find_line(self, path: Sequence[str | int]) -> int | None:
        """Return the line of a field, or of the nearest one above it that exists; None if there is none."""
        node, line = self.root, None
        for part in path:
            if isinstance(part, int) and isinstance(node, SequenceNode):
                node = node.value[part]
                line = node.start_mark.line + 1
            elif pair := find_pair(node, str(part)):
                key, node = pair
                line = key.start_mark.line + 1
            else:
                break
        return line


def find_pair(node: Node | None, key: str) -> tuple[Node, Node] | None:
    """Return the key and the value of a mapping as they stand in the text."""
    return next((entry for entry in iterate_entries(node) if entry[0].value == key), None)


def iterate_entries(node: Node | None) -> Iterator[tuple[Node, Node]]:
    """Yield keys and values of a mapping, its own before those that `<<` merges in; nothing for another node."""
    if not isinstance(node, MappingNode):
        return
    yield from ((key, value) for key, value in node.value if key.value != MERGE)
    for key, value in node.value:
        if key.value == MERGE:
            for source in value.value if isinstance(value, SequenceNode) else [value]:
                yield from iterate_entries(source)


def is_alias(key: Node, value: Node) -> bool:
    """Return True if a value is an alias: its node is the anchor's, which stands before the key."""
    return bool(value.start_mark.index < key.start_mark.index)


# -- writing


def build_round_trip(width: int = 4096) -> YAML:
    """Return a reader and writer that keeps comments, quotes, numbers and lines up to a width."""
    yaml = YAML()
    yaml.preserve_quotes = True
    yaml.width = width
    yaml.indent(mapping=2, sequence=4, offset=2)
    return yaml


def dump_text(*documents: object, width: int = 4096) -> str:
    """Return documents as YAML, the same text for the same content."""
    output = io.StringIO()
    build_round_trip(width).dump_all(documents, output)
    return output.getvalue()


# -- edits


class Edit(NamedTuple):
    """A replacement of what stands between two positions of a text."""

    start: int
    end: int
    text: str


def apply_edits(text: str, edits: Iterable[Edit]) -> str:
    """Return a text with edits that do not overlap; insertions at one position stay in their order."""
    parts, at = [], 0
    for edit in sorted(edits, key=lambda edit: edit.start):
        parts += [text[at : edit.start], edit.text]
        at = edit.end
    return "".join([*parts, text[at:]])


def find_newline(text: str) -> str:
    """Return the line end that a text uses."""
    return "\r\n" if "\r\n" in text else "\n"


def format_flow(items: Sequence[str]) -> str:
    """Return a list on one line."""
    return f"[{', '.join(items)}]"


def insert_items(text: str, key: Node, sequence: SequenceNode, at: int, items: Sequence[str]) -> Edit:
    """Put items into a list in the list's own style, before the one that is there.

    Args:
        text: The text that the nodes are of.
        key: The key of the list.
        sequence: The list.
        at: Position of the first new item.
        items: New items, as they are to be written.
    """
    nodes, entry = sequence.value, ", ".join(items)
    if sequence.flow_style:
        if not nodes:
            start = text.index("[", sequence.start_mark.index) + 1
            return Edit(start, start, entry)
        start = nodes[at - 1].end_mark.index if at else nodes[0].start_mark.index
        return Edit(start, start, f", {entry}" if at else f"{entry}, ")
    dash = text.rfind("-", 0, nodes[0].start_mark.index)  # a sequence with an anchor begins at the anchor
    indent = text[text.rfind("\n", 0, dash) + 1 : dash]
    # Behind the line of the item before it, whose comment ends that line; a comment above the next one stays with it.
    start = _find_end_of_line(text, (nodes[at - 1] if at else key).end_mark.index)
    return Edit(start, start, "".join(f"{find_newline(text)}{indent}- {item}" for item in items))


def remove_item(text: str, sequence: SequenceNode, at: int) -> Edit:
    """Take one item out of a list, with its comma or its line."""
    nodes = sequence.value
    if not sequence.flow_style:
        start = _find_end_of_line(text, text.rfind("\n", 0, nodes[at].start_mark.index) - 1)
        return Edit(start, _find_end_of_line(text, nodes[at].end_mark.index), "")
    if at:
        return Edit(nodes[at - 1].end_mark.index, nodes[at].end_mark.index, "")
    return Edit(nodes[0].start_mark.index, (nodes[1].start_mark if len(nodes) > 1 else nodes[0].end_mark).index, "")


def insert_key(text: str, mapping: MappingNode, key: str, value: str, before: str) -> Edit:
    """Put a key into a mapping in the mapping's own style, in front of the key `before` or else of the first."""
    keys = [node for node, _ in mapping.value if node.value != MERGE] or [node for node, _ in mapping.value]
    following = next((node for node in keys if node.value == before), keys[0])
    start = following.start_mark.index
    separator = ", " if mapping.flow_style else find_newline(text) + " " * following.start_mark.column
    return Edit(start, start, f"{key}: {value}{separator}")


def _find_end_of_line(text: str, start: int) -> int:
    end = re.compile(r"\r?\n|\Z").search(text, max(start, 0))
    assert end is not None  # the end of the text at the latest
    return end.start()


class Lines:
    """A text by its lines, for edits that add or remove whole ones."""

    def __init__(self, text: str) -> None:
        """Split a text as YAML counts its lines."""
        self._newline = find_newline(text)
        self._lines: list[str] = _LINES.findall(text)
        self._starts = [0, *accumulate(map(len, self._lines))]

    def find_last(self, node: Node) -> int:
        """Return the line on which a node ends."""
        if isinstance(node, CollectionNode) and not node.flow_style and node.value:
            last = node.value[-1]
            return self.find_last(last[1] if isinstance(last, tuple) else last)
        line, column = node.end_mark.line, node.end_mark.column
        if column or line == node.start_mark.line:
            return int(line)
        line -= 1  # a block of text ends where the next thing starts
        while not self._lines[line].strip():
            line -= 1
        return int(line)

    def find_block(self, first: Node, last: Node) -> range:
        """Return the lines from one node to the end of another, with the comments of its indentation above."""
        start = first.start_mark.line
        indent = re.match(" *", self._lines[start])
        while start and indent and self._lines[start - 1].startswith(f"{indent[0]}#"):
            start -= 1
        return range(start, self.find_last(last) + 1)

    def find_dash(self, item: Node) -> int:
        """Return the column of the dash before an item of a list."""
        return len(self._lines[item.start_mark.line].partition("-")[0])

    def insert_after(self, line: int, new: Iterable[str]) -> Edit:
        """Put new lines, without their ends, behind a line."""
        at = self._starts[line + 1]
        return Edit(at, at, "".join(f"{each}{self._newline}" for each in new))

    def remove_lines(self, numbers: Iterable[int]) -> Iterator[Edit]:
        """Take lines out."""
        return (Edit(self._starts[number], self._starts[number + 1], "") for number in numbers)
