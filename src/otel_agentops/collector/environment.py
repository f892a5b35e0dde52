"""References to the environment in a config, resolved as the collector resolves them; and files that set one."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

# The innermost first: a default may hold another reference. Of other kinds (`${file:…}`) nothing is known here.
_REFERENCE = re.compile(r"\$\{(?:env:)?([A-Za-z_][A-Za-z0-9_]*)(?::-([^${}]*))?\}")
_ESCAPED_DOLLAR = "\0"  # what no YAML text holds
_LINE = re.compile(r"""(?:export\s+)?([A-Za-z_][A-Za-z0-9_]*)\s*=\s*(?:(?P<quoted>'.*'|".*")|(?P<plain>.*))""")


def resolve_references(value: Any, environ: Mapping[str, str]) -> Any:
    """Replace the references in a value, also in mappings and lists; a text that was one is then read as YAML."""
    if isinstance(value, Mapping):
        return {key: resolve_references(content, environ) for key, content in value.items()}
    if isinstance(value, list):
        return [resolve_references(content, environ) for content in value]
    if not isinstance(value, str) or "$" not in value:
        return value
    text, before = value.replace("$$", _ESCAPED_DOLLAR), ""
    is_reference = text.startswith("${") and text.endswith("}")
    while text != before:
        # A variable that is set to nothing is nothing: its default does not count then.
        before, text = text, _REFERENCE.sub(lambda match: environ.get(match[1], match[2] or ""), text)
    if not is_reference:
        return text.replace(_ESCAPED_DOLLAR, "$")
    try:
        return YAML(typ="safe").load(text)
    except YAMLError:  # a text that is no YAML stays a text, in the collector, too
        return text


def parse_env_file(text: str) -> dict[str, str]:
    """Return the variables of an env file, as Docker and systemd read one: NAME=value lines, comments, quotes."""
    matches = (_LINE.fullmatch(line.strip()) for line in text.splitlines())
    return {
        match[1]: match["quoted"][1:-1] if match["quoted"] else match["plain"].partition(" #")[0].rstrip()
        for match in matches
        if match
    }
