"""Several configs as the one that a collector makes of them: maps are merged, everything else is replaced."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ruamel.yaml.comments import CommentedMap, CommentedSeq
from ruamel.yaml.scalarstring import ScalarString

from otel_agentops._yaml import build_round_trip, dump_text
from otel_agentops.collector.document import Document


def merge_documents(documents: Sequence[Document]) -> dict[str, Any]:
    """Return the config that a collector would run, references to the environment as they are written."""
    config: dict[str, Any] = {}
    for document in documents:
        _merge_maps(config, document.data)
    return config


def render_documents(documents: Sequence[Document]) -> str:
    """Return one file that means what several `--config` mean; comments of the first are kept."""
    yaml = build_round_trip()
    first = yaml.load(documents[0].text) or CommentedMap()
    for document in documents[1:]:
        # What is reached twice is reached by an alias, or is part of what is merged in.
        shared = {reached for reached, times in Counter(_iterate_ids(first)).items() if times > 1}
        _graft_maps(first, yaml.load(document.text) or {}, shared)
    names = "\n".join(f"#   {document.name}" for document in documents)
    return f"# Rendered by otel-agentops; edit these files, then render again:\n{names}\n{dump_text(first)}"


def copy_plain(value: Any) -> Any:
    """Return a copy with no anchors, aliases and comments of its own; quotes and folds stay."""
    if isinstance(value, Mapping):
        return CommentedMap((str(key), copy_plain(content)) for key, content in value.items())
    if isinstance(value, list):
        return CommentedSeq(map(copy_plain, value))
    return type(value)(str(value)) if isinstance(value, ScalarString) else value


def _merge_maps(into: dict[str, Any], new: Mapping[str, Any]) -> None:
    """Merge as koanf does, which the collector's confmap uses (knadh/koanf, maps.Merge)."""
    for key, value in new.items():
        if isinstance(value, Mapping):
            below = into.get(key)
            fresh = dict(below) if isinstance(below, Mapping) else {}
            _merge_maps(fresh, value)
            into[key] = fresh
        else:
            into[key] = value


def _graft_maps(into: CommentedMap, new: Mapping[str, Any], shared: set[int]) -> None:
    """Merge into a file that keeps its comments; what stands behind an anchor is written out before it is changed."""
    for key, value in new.items():
        below = into.get(key)
        if not (isinstance(value, Mapping) and isinstance(below, CommentedMap)):
            into[key] = copy_plain(value)
            into.fa.set_block_style()
            continue
        if id(below) in shared:
            below = into[key] = copy_plain(below)
        _graft_maps(below, value, shared)
        if not below.fa.flow_style():
            into.fa.set_block_style()


def _iterate_ids(value: Any) -> Iterator[int]:
    if isinstance(value, (Mapping, list)):
        yield id(value)
        for content in value.values() if isinstance(value, Mapping) else value:
            yield from _iterate_ids(content)
