"""References to the environment in a config, resolved as the collector resolves them; and files that set one."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

# The innermost first: a default may hold another reference. Of other kinds (`${file:…}`) nothing is known here.
_REFERENCE = re.compile(r"\$\{(?:env:)?([A-Za-z_][A-Za-z0-9_]*)(?::-([^${}]*))?\}")
_ESCAPED = "\0"  # what no YAML text holds
_LINE = re.compile(r"(?:export\s+)?([A-Za-z_][A-Za-z0-9_]*)\s*=\s*(.*)")


def resolved(value: Any, environ: Mapping[str, str]) -> Any:
    """A value with its references replaced, in mappings and lists, too. A text that was one is read as YAML then."""
    if isinstance(value, Mapping):
        return {key: resolved(content, environ) for key, content in value.items()}
    if isinstance(value, list):
        return [resolved(content, environ) for content in value]
    if not isinstance(value, str) or "$" not in value:
        return value
    text = value.replace("$$", _ESCAPED)
    whole = text.startswith("${") and text.endswith("}")
    while (replaced := _REFERENCE.sub(lambda found: _value(found, environ), text)) != text:
        text = replaced
    return _read(text) if whole else text.replace(_ESCAPED, "$")


def from_file(text: str) -> dict[str, str]:
    """Variables of an env file, as Docker and systemd read one: NAME=value lines, comments, quotes around a value."""
    found = (_LINE.fullmatch(line.strip()) for line in text.splitlines())
    return {one[1]: _unquoted(one[2]) for one in found if one}


def _value(found: re.Match[str], environ: Mapping[str, str]) -> str:
    name, default = found.groups()
    return environ.get(name, default or "")  # one that is set to nothing is nothing: no default then


def _read(text: str) -> Any:
    try:
        return YAML(typ="safe").load(text)
    except YAMLError:  # a text that is no YAML stays a text, in the collector, too
        return text


def _unquoted(value: str) -> str:
    if len(value) > 1 and value[0] == value[-1] and value[0] in "'\"":
        return value[1:-1]
    return value.partition(" #")[0].rstrip()
