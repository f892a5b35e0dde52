"""One YAML file of a collector: its values, and the line that each of them stands on."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.nodes import MappingNode, Node, SequenceNode

MERGE = "<<"
Keys = tuple[str, ...]


class ConfigError(Exception):
    """A config that cannot be used as it is; the text says file, line and what to do."""


class Document:
    """A config file as text, as values and as nodes with positions. path: where it was read from."""

    def __init__(self, name: str, text: str, path: Path | None = None) -> None:
        """Raises ConfigError where the text is no mapping in YAML."""
        self.name = name
        self.path = path
        self.text = text
        try:
            self.root = YAML().compose(text)
            self.data: dict[str, Any] = YAML(typ="safe").load(text) or {}
        except MarkedYAMLError as error:
            line = (error.problem_mark or error.context_mark).line + 1
            raise ConfigError(f"{name}:{line}: {error.problem}") from None
        except YAMLError as error:
            raise ConfigError(f"{name}: {error}") from None
        if not isinstance(self.data, dict):
            raise ConfigError(f"{name}:1: a collector's config is a mapping, this is not")
        for key in self.data:
            if "::" in str(key):
                raise ConfigError(f"{self.at(str(key))}: write {key} as a key below a key, `::` is for --set")

    @classmethod
    def read(cls, path: Path, name: str | None = None) -> Document:
        """A file. name: what it is called in messages. Raises ConfigError."""
        return cls(name or str(path), cls.text_of(path), path)

    @staticmethod
    def text_of(path: Path) -> str:
        """What is in a file, its line ends as they are. Raises ConfigError."""
        try:
            return path.read_bytes().decode()
        except OSError as error:
            raise ConfigError(f"{path}: {error.strerror}") from None
        except UnicodeDecodeError:
            raise ConfigError(f"{path}: no text in UTF-8") from None

    def at(self, *keys: str) -> str:
        """`file:line` of a value, or of what is nearest above it."""
        key = next((found[0] for n in range(len(keys), 0, -1) if (found := self.entry(*keys[:n]))), None)
        return f"{self.name}:{key.start_mark.line + 1 if key else 1}"

    def entry(self, *keys: str) -> tuple[Node, Node] | None:
        """The nodes of a key and its value."""
        found = None
        for key in keys:
            above = found[1] if found else self.root
            found = next((entry for entry in entries(above) if entry[0].value == key), None)
            if found is None:
                return None
        return found

    def get(self, *keys: str) -> Any:
        """A value, None where there is none."""
        return lookup(self.data, *keys)


def lookup(data: Any, *keys: str) -> Any:
    """A value in mappings of mappings, None where there is none."""
    for key in keys:
        if not isinstance(data, Mapping):
            return None
        data = data.get(key)
    return data


def is_ours(id_: str) -> bool:
    """Whether a component or a pipeline is one of this project."""
    return id_.partition("/")[2].startswith("otel_agentops")


def entries(node: Node | None) -> Iterator[tuple[Node, Node]]:
    """Keys and values of a mapping, those taken over with `<<` behind its own; none where it is no mapping."""
    if not isinstance(node, MappingNode):
        return
    yield from ((key, value) for key, value in node.value if key.value != MERGE)
    for key, value in node.value:
        if key.value == MERGE:
            for source in value.value if isinstance(value, SequenceNode) else [value]:
                yield from entries(source)
