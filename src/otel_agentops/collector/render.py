"""Several configs as the one that a collector makes of them: maps are merged, everything else is replaced."""

from __future__ import annotations

import io
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap, CommentedSeq
from ruamel.yaml.scalarstring import (
    DoubleQuotedScalarString,
    FoldedScalarString,
    LiteralScalarString,
    PlainScalarString,
    SingleQuotedScalarString,
)

from otel_agentops.collector.document import Document
from otel_agentops.collector.legacy import make_legacy

_TEXTS = (
    DoubleQuotedScalarString,
    FoldedScalarString,
    LiteralScalarString,
    PlainScalarString,
    SingleQuotedScalarString,
)


def merged(documents: Sequence[Document]) -> dict[str, Any]:
    """The values of the config that a collector would run, references to the environment as they are written."""
    result: dict[str, Any] = {}
    for document in documents:
        _merge(result, document.data)
    return result


def rendered(documents: Sequence[Document], *, legacy: bool = False) -> str:
    """One file that means what several `--config` mean. Comments of the first are kept. legacy: with old names."""
    yaml = round_trip()
    first = yaml.load(documents[0].text) or CommentedMap()
    for document in documents[1:]:
        _graft(first, yaml.load(document.text) or {}, _shared(first))
    names = "\n".join(f"#   {document.name}" for document in documents)
    head = f"# Rendered by otel-agentops; edit these files, then render again:\n{names}\n"
    return head + _dumped(first, legacy)


def legacy_text(document: Document) -> str:
    """One file of ours with the names that collectors had before the renames."""
    return _dumped(plain(round_trip().load(document.text)), True)


def _dumped(config: CommentedMap, legacy: bool) -> str:
    if legacy:
        make_legacy(config)
    output = io.StringIO()
    round_trip().dump(config, output)
    return output.getvalue()


def plain(value: Any) -> Any:
    """A copy with no anchors, aliases and comments of its own; quotes and folds stay."""
    if isinstance(value, Mapping):
        return CommentedMap((str(key), plain(content)) for key, content in value.items())
    if isinstance(value, list):
        return CommentedSeq(map(plain, value))
    return type(value)(str(value)) if isinstance(value, _TEXTS) else value


def _merge(into: dict[str, Any], new: Mapping[str, Any]) -> None:
    """As koanf merges, which the collector's confmap uses (knadh/koanf, maps.Merge)."""
    for key, value in new.items():
        if isinstance(value, Mapping):
            below = into.get(key)
            fresh = dict(below) if isinstance(below, Mapping) else {}
            _merge(fresh, value)
            into[key] = fresh
        else:
            into[key] = value


def _graft(into: CommentedMap, new: Mapping[str, Any], shared: set[int]) -> None:
    """The same in a file that keeps its comments. What stands behind an anchor is written out before it is changed."""
    for key, value in new.items():
        below = into.get(key)
        if not (isinstance(value, Mapping) and isinstance(below, CommentedMap)):
            into[key] = plain(value)
            into.fa.set_block_style()
            continue
        if id(below) in shared:
            below = into[key] = plain(below)
        _graft(below, value, shared)
        if not below.fa.flow_style():
            into.fa.set_block_style()


def _shared(root: Any) -> set[int]:
    """What is reached twice: by an alias, or as part of what is merged in."""
    return {reached for reached, times in Counter(_reached(root)).items() if times > 1}


def _reached(value: Any) -> Iterator[int]:
    if isinstance(value, (Mapping, list)):
        yield id(value)
        for content in value.values() if isinstance(value, Mapping) else value:
            yield from _reached(content)


def round_trip() -> YAML:
    """A reader and writer that keeps comments, quotes, numbers and lines."""
    yaml = YAML()
    yaml.preserve_quotes = True
    yaml.width = 4096  # no line of the user's is broken
    yaml.indent(mapping=2, sequence=4, offset=2)
    return yaml
