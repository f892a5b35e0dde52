"""A note at the end of an edited config: how the lists were written that the edit had to write anew.

From the edited text nobody can tell if a list was missing, empty or an alias before, and a backup may be lost. The note
is one comment line; `undo` reads it and takes it out.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

from ruamel.yaml.nodes import Node, ScalarNode

from otel_agentops._yaml import Edit, InputError, apply_edits, find_newline, is_alias
from otel_agentops.collector.document import Document
from otel_agentops.collector.situation import PIPELINES

# By pipeline the source behind `processors:`, None if there is no such key. Only of what is not a list with entries of
# its own, out of which an entry can be taken again.
Origins = Mapping[str, str | None]
_NOTE = "# otel-agentops collector undo reads this: "
_LINE = re.compile(rf"^{re.escape(_NOTE)}(.*?)(\r?\n|\Z)", re.MULTILINE)
_ALIAS = re.compile(r"\s*:\s*(\*[^\s,\]}]+)")


def find_origins(document: Document) -> dict[str, str | None]:
    """Return the source of each pipeline's processors that are not a list with entries of its own."""
    origins: dict[str, str | None] = {}
    for id_ in document.get(*PIPELINES) or ():
        own = _find_own(document, id_)
        if own is None:
            origins[id_] = None
        elif is_alias(*own) or isinstance(own[1], ScalarNode) or not own[1].value:
            start, end = _find_source(document, *own)
            origins[id_] = document.text[start:end]
    return origins


def add_note(before: Document, after: Document) -> Document:
    """Return an edited config with a note of what the edit wrote anew; a note of an earlier edit stays."""
    bare, noted = split_note(after)
    now = find_origins(bare)
    changed = {id_: origin for id_, origin in find_origins(before).items() if id_ not in now or now[id_] != origin}
    if not (changed := {**changed, **noted}):
        return after
    line, newline = _NOTE + json.dumps(changed), find_newline(bare.text)
    text = f"{bare.text}{line}{newline}" if bare.text.endswith("\n") else f"{bare.text}{newline}{line}"
    return Document(after.name, text, after.path)


def split_note(document: Document) -> tuple[Document, Origins]:
    """Return a config without its note, and what the note says; a note that somebody spoilt says nothing."""
    match = _LINE.search(document.text)
    if match is None:
        return document, {}
    start = match.start() if match[2] else re.search(r"(\r?\n)?\Z", document.text[: match.start()]).start()  # type: ignore[union-attr]
    try:
        noted = json.loads(match[1])
    except ValueError:
        noted = {}
    bare = Document(document.name, document.text[:start] + document.text[match.end() :], document.path)
    return bare, noted if isinstance(noted, dict) else {}


def restore_origins(document: Document, origins: Origins) -> Document:
    """Return a config with lists written as they were, but for those that somebody has changed since."""
    for id_, origin in origins.items():
        own = _find_own(document, id_)
        edit = _find_restoration(document, id_, own, origin) if own else None
        if edit is None:
            continue
        try:
            restored = Document(document.name, apply_edits(document.text, [edit]), document.path)
        except InputError:  # an anchor that is not there any more
            continue
        if _normalise(restored) == _normalise(document):
            document = restored
    return document


def explain_differences(before: Document, after: Document) -> Iterator[str]:
    """Yield a sentence for each list that `undo` may not have written as it was.

    Args:
        before: The config with our processors.
        after: The same without them.
    """
    _, noted = split_note(before)
    now = find_origins(after)
    for id_, origin in noted.items():
        if id_ in (after.get(*PIPELINES) or ()) and (id_ not in now or now[id_] != origin):
            was = "missing" if origin is None else repr(origin) if origin else "empty"
            yield f"{after.locate(*PIPELINES, id_)}: the processors of {id_} were {was} before; they were edited since"
    was_empty = find_origins(before)
    for id_, origin in now.items():
        if origin is not None and not origin.startswith("*") and id_ not in noted and id_ not in was_empty:
            where = after.locate(*PIPELINES, id_, "processors")
            yield f"{where}: the processors of {id_} are empty; take the key out if it was not there before"


def _find_own(document: Document, id_: str) -> tuple[Node, Node] | None:
    """Return key and value of a pipeline's processors as they stand in its own mapping."""
    entry = document.find_entry(*PIPELINES, id_)
    pairs = entry[1].value if entry and isinstance(document.get(*PIPELINES, id_), Mapping) else ()
    return next((pair for pair in pairs if pair[0].value == "processors"), None)


def _find_source(document: Document, key: Node, value: Node) -> tuple[int, int]:
    if is_alias(key, value):
        alias = _ALIAS.match(document.text, key.end_mark.index)
        assert alias is not None  # the parser has found one
        return alias.span(1)
    return value.start_mark.index, value.end_mark.index


def _find_restoration(document: Document, id_: str, own: tuple[Node, Node], origin: str | None) -> Edit | None:
    """Return the edit that writes a list as it was, None if it is so or somebody has moved the key."""
    key, value = own
    start, end = _find_source(document, key, value)
    if origin is not None:
        empty = document.text.index(":", key.end_mark.index) + 1
        return Edit(start if origin else empty, end, origin)
    entry = document.find_entry(*PIPELINES, id_)
    keys = [pair[0] for pair in entry[1].value] if entry else []
    following = next((node for node in keys if node.start_mark.index > key.start_mark.index), None)
    if following is None or document.text[end : following.start_mark.index].strip(" \r\n") not in ("", ","):
        return None
    return Edit(key.start_mark.index, following.start_mark.index, "")


def _normalise(document: Document) -> Any:
    """Return the values of a config, for which a missing list of processors is as good as an empty one."""
    pipelines = {
        id_: {**pipeline, "processors": pipeline.get("processors") or []}
        for id_, pipeline in document.get(*PIPELINES).items()
    }
    return {**document.data, "service": {**document.data["service"], "pipelines": pipelines}}
