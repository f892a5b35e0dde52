"""The lock file as text: read with the line of every error, and how a text is quoted."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import ValidationError
from ruamel.yaml import YAML
from ruamel.yaml.constructor import SafeConstructor
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.nodes import MappingNode, Node, SequenceNode

from otel_agentops.lock.model import Entry, Lock, LockError

_PLAIN = re.compile(r"[A-Za-z][A-Za-z0-9_./-]*")
_WORDS = {"true", "false", "yes", "no", "on", "off", "y", "n", "null"}


class _Dates(SafeConstructor):
    """Leaves dates as texts: the model reads them, and can say which one is wrong."""


_Dates.add_constructor("tag:yaml.org,2002:timestamp", SafeConstructor.construct_yaml_str)


def _yaml() -> YAML:
    yaml = YAML(typ="safe", pure=True)
    yaml.Constructor = _Dates
    return yaml


def load(path: Path) -> Lock:
    """The lock of a file. Raises LockError."""
    return parsed(read(path), path)


def read(path: Path) -> str:
    """The text of a file. Raises LockError."""
    try:
        with path.open(encoding="utf-8", newline="") as file:
            return file.read()
    except OSError as error:
        raise LockError(f"{path}: cannot be read: {error.strerror}") from None
    except UnicodeDecodeError as error:
        raise LockError(f"{path}: is no UTF-8: {error.reason} at byte {error.start}") from None


def parsed(text: str, path: Path) -> Lock:
    """A lock, or a LockError that says file, line and field."""
    try:
        content, root = _yaml().load(text), _yaml().compose(text)
    except MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise LockError(f"{path}:{line}: is no YAML: {error.problem}") from None
    except YAMLError as error:
        raise LockError(f"{path}: is no YAML: {' '.join(str(error).split())}") from None
    if not isinstance(root, MappingNode):
        raise LockError(f"{path}:1: is no mapping; write `version: 1` and, below it, the variables")
    try:
        return Lock.model_validate(content)
    except ValidationError as error:
        raise LockError(_sentence(path, root, error.errors()[0])) from None


def _sentence(path: Path, root: Node, error: Mapping[str, Any]) -> str:
    where = [part for part in error["loc"] if part != "[key]"]
    field = ": ".join(str(part) for part in where if isinstance(part, str))
    return ": ".join(part for part in (f"{path}:{_line(root, where)}", field, _problem(error)) if part)


def _line(node: Node, where: Sequence[str | int]) -> int:
    line = node.start_mark.line
    for part in where:
        if isinstance(part, int) and isinstance(node, SequenceNode):
            node = node.value[part]
            line = node.start_mark.line
        elif isinstance(node, MappingNode) and (found := pair(node, str(part))):
            key, node = found
            line = key.start_mark.line
        else:
            break
    return int(line) + 1


def pair(node: MappingNode, key: str) -> tuple[Node, Node] | None:
    """The key and the value of a mapping as they stand in the text."""
    return next(((name, value) for name, value in node.value if name.value == key), None)


def _problem(error: Mapping[str, Any]) -> str:
    kind, given = error["type"], error["input"]
    if kind == "extra_forbidden":
        known = Lock.model_fields if len(error["loc"]) == 1 else Entry.model_fields
        return f"is not known; known are {', '.join(known)}"
    if kind == "value_error":
        return str(error["ctx"]["error"])
    if kind == "string_type" and not isinstance(given, (dict, list, type(None))):
        return f"{given!r} is read as {type(given).__name__}; put it in quotes"
    return "is missing; add it" if kind == "missing" else f"{given!r} will not do: {error['msg'].lower()}"


def plain(text: str) -> str:
    """Without quotes where no reader of YAML could take it for anything else."""
    return text if _PLAIN.fullmatch(text) and text.lower() not in _WORDS else quoted(text)


def quoted(text: str, never: str = "") -> str:
    """In double quotes, as YAML, OTTL and Go read them. never: what must not be seen in it as it is."""
    return '"' + "".join(_escaped(letter, never) for letter in text) + '"'


def _escaped(letter: str, never: str) -> str:
    if letter in '\\"':
        return f"\\{letter}"
    if letter.isprintable() and letter not in never:
        return letter
    return f"\\u{ord(letter):04x}" if ord(letter) < 0x10000 else f"\\U{ord(letter):08x}"
