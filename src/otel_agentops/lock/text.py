"""The lock file as text: read with the line of every error, and how a text is quoted."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import ValidationError
from ruamel.yaml import YAML
from ruamel.yaml.constructor import SafeConstructor
from ruamel.yaml.nodes import MappingNode

from otel_agentops._yaml import InputError, YamlText, read_text
from otel_agentops.lock.model import Entry, Lock

_PLAIN = re.compile(r"[A-Za-z][A-Za-z0-9_./-]*")
_WORDS = {"true", "false", "yes", "no", "on", "off", "y", "n", "null"}


class _Dates(SafeConstructor):
    """A constructor that leaves dates as texts: the model reads them, and can say which one is wrong."""


_Dates.add_constructor("tag:yaml.org,2002:timestamp", SafeConstructor.construct_yaml_str)


def load(path: Path) -> Lock:
    """Return the lock of a file.

    Raises:
        InputError: The file cannot be read, or is not a lock file.
    """
    return parse_lock(read_text(path), path)


def parse_lock(text: str, path: Path) -> Lock:
    """Return the lock of a text.

    Raises:
        InputError: It is not a lock file; the sentence says file, line and field.
    """
    loader = YAML(typ="safe", pure=True)
    loader.Constructor = _Dates
    file = YamlText(str(path), text, loader=loader)
    if not isinstance(file.root, MappingNode):
        raise InputError(f"{path}:1: is no mapping; write `version: 1` and, below it, the variables")
    try:
        return Lock.model_validate(file.data)
    except ValidationError as error:
        first = error.errors()[0]
        where = [part for part in first["loc"] if part != "[key]"]
        line = file.find_line(where) or file.root.start_mark.line + 1
        field = ": ".join(part for part in where if isinstance(part, str))
        sentence = ": ".join(part for part in (f"{path}:{line}", field, _explain_problem(first)) if part)
        raise InputError(sentence) from None


def _explain_problem(error: Mapping[str, Any]) -> str:
    kind, value = error["type"], error["input"]
    if kind == "extra_forbidden":
        fields = Lock.model_fields if len(error["loc"]) == 1 else Entry.model_fields
        return f"is not known; known are {', '.join(fields)}"
    if kind == "value_error":
        return str(error["ctx"]["error"])
    if kind == "string_type" and not isinstance(value, (dict, list, type(None))):
        return f"{value!r} is read as {type(value).__name__}; put it in quotes"
    return "is missing; add it" if kind == "missing" else f"{value!r} will not do: {error['msg'].lower()}"


def quote_if_needed(text: str) -> str:
    """Return a text without quotes if no reader of YAML could take it for anything else."""
    return text if _PLAIN.fullmatch(text) and text.lower() not in _WORDS else quote_text(text)


def quote_text(text: str, never: str = "") -> str:
    """Return a text in double quotes, as YAML, OTTL and Go read them; what is in `never` is written as its number."""
    return '"' + "".join(_escape_letter(letter, never) for letter in text) + '"'


def _escape_letter(letter: str, never: str) -> str:
    if letter in '\\"':
        return f"\\{letter}"
    if letter.isprintable() and letter not in never:
        return letter
    return f"\\u{ord(letter):04x}" if ord(letter) < 0x10000 else f"\\U{ord(letter):08x}"
