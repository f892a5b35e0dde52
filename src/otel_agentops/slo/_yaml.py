"""YAML with the lines of its fields, and the error that names file and line."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap, CommentedSeq
from ruamel.yaml.error import MarkedYAMLError, YAMLError


class SpecError(Exception):
    """An error that names file, line and field, and says what to do."""


def read_documents(file: Path) -> list[Any]:
    """Read everything between the `---` of a file.

    Raises:
        SpecError: If the file cannot be read or is not YAML.
    """
    try:
        return list(YAML().load_all(file.read_bytes()))
    except OSError as error:
        raise SpecError(f"{file}: cannot be read: {error.strerror}") from None
    except MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise SpecError(f"{file}:{line}: is no YAML: {error.problem}") from None
    except (YAMLError, UnicodeDecodeError) as error:
        raise SpecError(f"{file}: is no YAML: {' '.join(str(error).split())}") from None
    except RecursionError:
        raise SpecError(f"{file}: is nested too deep for anybody to read") from None
    except ValueError as error:  # an impossible date or number
        raise SpecError(f"{file}: is no YAML: {' '.join(str(error).split())}") from None


def find_line(node: Any, path: Sequence[str | int]) -> int:
    """Return the line of a field, or of the mapping that lacks it."""
    number = int(node.lc.line)
    for key in path:
        if isinstance(node, CommentedMap) and key in node:
            number = int(node.lc.key(key)[0])
        elif isinstance(node, CommentedSeq) and isinstance(key, int) and key < len(node):
            number = int(node.lc.item(key)[0])
        else:
            break
        node = node[key]
    return number + 1
