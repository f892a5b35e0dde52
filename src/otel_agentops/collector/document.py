"""A YAML file of a collector: its values, and the line on which each of them stands."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from otel_agentops._yaml import InputError, Wording, YamlText, read_text

WORDING = Wording("{error.strerror}", "no text in UTF-8", "{problem}")


class Document(YamlText):
    """A config file as text, as values and as nodes with positions."""

    data: dict[str, Any]

    def __init__(self, name: str, text: str, path: Path | None = None) -> None:
        """Parse a config.

        Args:
            name: Name in messages.
            text: Text of the file.
            path: Where it was read from.

        Raises:
            InputError: The text is not a mapping in YAML.
        """
        super().__init__(name, text, WORDING)
        self.path = path
        self.data = self.data or {}
        if not isinstance(self.data, dict):
            raise InputError(f"{name}:1: a collector's config is a mapping, this is not")
        for key in self.data:
            if "::" in str(key):
                raise InputError(f"{self.locate(str(key))}: write {key} as a key below a key, `::` is for --set")

    @classmethod
    def read_file(cls, path: Path, name: str | None = None) -> Document:
        """Read a file.

        Args:
            path: The file.
            name: Name in messages; the path if left out.

        Raises:
            InputError: The file cannot be read, or is not a mapping in YAML.
        """
        return cls(name or str(path), read_text(path, WORDING), path)

    def locate(self, *keys: str) -> str:
        """Return `file:line` of a value, or of what is nearest above it."""
        return f"{self.name}:{self.find_line(keys) or 1}"

    def get(self, *keys: str) -> Any:
        """Return a value, None if there is none."""
        return get_nested(self.data, *keys)


def get_nested(data: Any, *keys: str) -> Any:
    """Return a value in mappings of mappings, None if there is none."""
    for key in keys:
        if not isinstance(data, Mapping):
            return None
        data = data.get(key)
    return data


def is_ours(id_: str) -> bool:
    """Return True if a component or a pipeline is one of this project."""
    return id_.partition("/")[2].startswith("otel_agentops")
