"""The shapes of the results of tools: which members they have and of which types, without any value.

Members that a result may leave out vary from answer to answer, so each process remembers what it has seen of a tool. A
change is what was never seen before, or what never was missing before.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from itertools import count, islice
from typing import NamedTuple

from otel_agentops._hashing import identity
from otel_agentops._tool_arguments import find_members

STEADY = 20  # answers without anything new before the next new thing is a change
_MOST_ELEMENTS = 4  # of a list that are read: those of one list are alike
_MOST_MEMBERS = 64  # of an object; one with more is a map, whose keys are data
_MOST_VALUES = 500  # of an answer
_MOST_TEXT = 65_536  # characters of JSON in an answer that are parsed
_DEEPEST = 8
_MOST_TOOLS = 1000
_MOST_NODES = 20_000  # of all tools, about 10 MB
_MOST_HASHES = 64  # of a tool before they are computed anew
# A key that looks like a field of a program; one with more digits is rather an id.
_FIELD = re.compile(r"(?!(?:[^0-9]*[0-9]){5})[A-Za-z_][A-Za-z0-9_-]{0,63}")
_ANY, _ELEMENT = ".*", "[*]"  # as in JSONPath
_OBJECT, _LIST, _TEXT = "object", "list", "text"
_KINDS: Mapping[type, str] = {
    dict: _OBJECT, list: _LIST, tuple: _LIST, set: "set", frozenset: "set", str: _TEXT, bytes: "binary",
    bool: "boolean", int: "number", float: "number",
}  # fmt: skip


class ResultShape(NamedTuple):
    """The shape of one result, and how it differs from those before.

    Attributes:
        hash: Of its members and types; None if it is nothing, or too long to be read.
        is_empty: True if it holds nothing; None if that is unknown.
        previous: The hash of the result before; None if there is none.
        added: Paths that were never seen before, with the type if that alone is new.
        removed: Paths that were in every result so far.
    """

    hash: str | None
    is_empty: bool | None
    previous: str | None
    added: list[str]
    removed: list[str]


class _Node:
    """One place in the results of a tool.

    Attributes:
        path: In the notation of JSONPath.
        lines: Type to the line of the shape that says so.
        members: Name to the place below; `_ANY` for keys that are data, `_ELEMENT` for the elements of a list.
        required: Members that were never missing, and the answer since when.
        answers: The number of answers that had a value here.
        grown_at: The one of them that brought something new last.
        last_answer: The number of the last of them among all answers.
        is_map: True if its keys are data.
    """

    __slots__ = ("answers", "grown_at", "is_map", "last_answer", "lines", "members", "path", "required")

    def __init__(self, path: str) -> None:
        self.path = path
        self.lines: dict[str, str] = {}
        self.members: dict[str, _Node] = {}
        self.required: dict[str, int] = {}
        self.answers = self.grown_at = self.last_answer = 0
        self.is_map = False


class _Tool:
    """All that is remembered of the results of one tool."""

    __slots__ = ("hashes", "last_hash", "numbers", "root")

    def __init__(self) -> None:
        self.root = _Node("$")
        self.numbers = count(1)
        self.hashes: dict[frozenset[str], str] = {}
        self.last_hash: str | None = None


class ResultShapes:
    """The shapes that this process has seen of each tool.

    There is no lock: dictionaries are atomic in CPython, whoever inserts or removes an entry tells of it, and a count
    that is lost between two threads only makes a change be told one answer later.
    """

    def __init__(self, key: bytes | None) -> None:
        self._key = key
        self._tools: dict[tuple[str, str], _Tool] = {}
        self._node_count = 0

    def describe_result(self, tool: tuple[str, str], result: object) -> ResultShape:
        """Return the shape of a result, and remember it.

        Args:
            tool: The method by which it is called, and its name.
            result: A value, or its JSON.
        """
        result, is_whole = _parse_text(result, _MOST_TEXT)
        is_empty = _is_empty(result)
        known = self._tools.get(tool)
        if known is None and len(self._tools) < _MOST_TOOLS:
            known = self._tools.setdefault(tool, _Tool())
        if result is None or not is_whole or known is None:
            return ResultShape(None, is_empty, None, [], [])
        walk = _Walk(next(known.numbers), _MOST_NODES - self._node_count)
        walk.read_value(result, known.root, 0)
        self._node_count += walk.node_count
        lines = frozenset(walk.lines)
        shape = known.hashes.get(lines)
        if shape is None:
            if len(known.hashes) >= _MOST_HASHES:
                known.hashes.clear()
            shape = known.hashes[lines] = identity(sorted(lines), self._key)
        previous, known.last_hash = known.last_hash, shape
        return ResultShape(shape, is_empty, previous, walk.added, walk.removed)


class _Walk:
    """One walk through a result, beside what is remembered of the tool, with a limit on values and depth."""

    def __init__(self, number: int, nodes_left: int) -> None:
        self._number = number
        self._nodes_left = nodes_left
        self._values_left = _MOST_VALUES
        self._text_left = _MOST_TEXT
        self._newest: _Node | None = None
        self.node_count = 0
        self.lines: set[str] = set()
        self.added: list[str] = []
        self.removed: list[str] = []

    def read_value(self, value: object, node: _Node, depth: int) -> None:
        """Read a value; null is a value that is missing, of any type."""
        self._values_left -= 1
        if value is None or self._values_left < 0:
            return
        kind = _KINDS.get(type(value)) or _name_kind(value)
        if node.last_answer != self._number:
            node.last_answer = self._number
            node.answers += 1
        line = node.lines.get(kind)
        if line is not None and kind is not _OBJECT and kind is not _LIST:
            self.lines.add(line)
            return
        is_first, is_steady = not node.lines, node.answers - node.grown_at >= STEADY
        if line is None:
            line = f"{node.path}: {kind}"
            if node.lines.setdefault(kind, line) is line and is_steady and not is_first:
                self.added.append(line)
            node.grown_at = node.answers
        self.lines.add(line)
        if depth >= _DEEPEST:
            return
        if kind is _OBJECT:
            members = value if type(value) is dict else find_members(value)
            self._read_members(members or {}, node, is_first, is_steady, depth)
        elif kind is _LIST and isinstance(value, (list, tuple)) and value:
            self._read_elements(value, node, depth)

    def _read_elements(self, elements: list[object] | tuple[object, ...], node: _Node, depth: int) -> None:
        child = node.members.get(_ELEMENT) or self._add_member(node, _ELEMENT)
        if child is None:
            return
        for element in elements[:_MOST_ELEMENTS]:
            # A server of MCP may write one text for each element of a list.
            whole, is_whole = _parse_text(element, self._text_left) if depth == 0 else (element, True)
            if whole is not element and isinstance(element, str):
                self._text_left -= len(element)
            if is_whole:
                self.read_value(whole, child, depth + 1)

    def _read_members(
        self, members: Mapping[object, object], node: _Node, is_first: bool, is_steady: bool, depth: int
    ) -> None:
        has_data_alone = is_steady and len(node.members) == 1 and _ANY in node.members
        if not node.is_map and (has_data_alone or max(len(members), len(node.members)) > _MOST_MEMBERS):
            node.is_map = True
            node.members, node.required = {}, {}
        for name, member in islice(members.items(), _MOST_MEMBERS):
            child = node.members.get(name) if type(name) is str else None
            if child is None:
                child = self._find_member(node, name, is_first, is_steady)
            if child is not None:
                self.read_value(member, child, depth + 1)
        if node.required.keys() <= members.keys():
            return
        for key in node.required.keys() - members.keys():
            since = node.required.pop(key, None)
            if since is not None and node.answers - since >= STEADY:
                self.removed.append(node.members[key].path)

    def _find_member(self, node: _Node, name: object, is_first: bool, is_steady: bool) -> _Node | None:
        """Return the place of a key that is data, or a new place; None if there are too many."""
        is_field = not node.is_map and type(name) is str and _FIELD.fullmatch(name)
        if not is_field or not isinstance(name, str):
            return node.members.get(_ANY) or self._add_member(node, _ANY)
        child = self._add_member(node, name)
        if child is None or child is not self._newest:
            return child  # there are too many, or another thread was first and tells of it
        if is_first or is_steady:
            node.required[name] = node.answers
        if is_steady and not is_first:
            self.added.append(child.path)
        node.grown_at = node.answers
        return child

    def _add_member(self, node: _Node, key: str) -> _Node | None:
        """Return a new place below another; None if there are too many."""
        if self.node_count >= self._nodes_left:
            return None
        self.node_count += 1
        self._newest = _Node(node.path + (key if key in {_ANY, _ELEMENT} else f".{key}"))
        return node.members.setdefault(key, self._newest)


def _name_kind(value: object) -> str:
    """Return the type of a value of no built-in class, for example a named tuple or a type of ids."""
    for base in (list, tuple, str, int, float):
        if isinstance(value, base):
            return _KINDS[base]
    return _OBJECT if find_members(value) is not None else "other"


def _parse_text(value: object, most: int) -> tuple[object, bool]:
    """Return the value of a text that is a JSON object or list, and False if it is too long to be read."""
    if type(value) is not str or value[:64].lstrip()[:1] not in {"{", "["}:
        return value, True
    if len(value) > most:
        return value, False
    try:
        return json.loads(value), True
    except (ValueError, RecursionError):
        return value, True


def _is_empty(result: object) -> bool | None:
    """Return True if a result holds nothing, nor does any of its members; None for an object that nobody can read."""
    members = find_members(result)
    if members is not None:
        return all(map(_is_void, islice(members.values(), _MOST_MEMBERS))) and len(members) <= _MOST_MEMBERS
    is_known = result is None or type(result) in _KINDS or _name_kind(result) != "other"
    return _is_void(result) if is_known else None


def _is_void(value: object) -> bool:
    """Return True for null, a blank text and an empty container; 0 and false are values."""
    if isinstance(value, str):
        return not value or value.isspace() or value == "null"  # a framework may write None as JSON
    return value is None or (isinstance(value, (dict, list, tuple, set, frozenset, bytes)) and not value)
