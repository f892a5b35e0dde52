"""Edits of one list in the text of a config, entry by entry; every other byte stays as it is."""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import takewhile

from ruamel.yaml.nodes import MappingNode, ScalarNode

from otel_agentops._yaml import (
    Edit,
    InputError,
    apply_edits,
    format_flow,
    insert_items,
    insert_key,
    is_alias,
    remove_item,
)
from otel_agentops.collector.document import Document

_ALIAS = re.compile(r"\s*:\s*(\*[^\s,\]}]+)")


def replace_list(document: Document, keys: Sequence[str], wanted: Sequence[str]) -> Document:
    """Return the document with one list as wanted: new entries put in, others taken out, in the same style.

    What an anchor shares is written out where it is an alias.

    Raises:
        InputError: The list is not in this file, or would have another order.
    """
    for _ in range(len(document.get(*keys) or ()) + len(wanted) + 1):
        current = document.get(*keys) or []
        if current == list(wanted):
            return document
        edit = _find_next_edit(document, keys, current, wanted)
        document = Document(document.name, apply_edits(document.text, [edit]))
    raise InputError(f"{document.locate(*keys)}: {'::'.join(keys)} has another order than {format_flow(wanted)}")


def _find_next_edit(document: Document, keys: Sequence[str], current: Sequence[str], wanted: Sequence[str]) -> Edit:
    """Return the next single change on the way from the current list to the one that is wanted."""
    above, text = document.find_entry(*keys[:-1]), document.text
    if above is None or not isinstance(above[1], MappingNode) or is_alias(*above):
        where = document.locate(*keys[:-1])
        raise InputError(f"{where}: {'::'.join(keys[:-1])} is an alias; write it out, then run this again")
    own = next(((key, value) for key, value in above[1].value if key.value == keys[-1]), None)
    if own is None:  # in front of `exporters`, where people look for processors
        return insert_key(text, above[1], keys[-1], format_flow(wanted), before="exporters")
    key, value = own
    if is_alias(key, value):
        alias = _ALIAS.match(text, key.end_mark.index)
        assert alias is not None  # the parser has found one
        return Edit(alias.start(1), alias.end(1), format_flow(wanted))
    if isinstance(value, ScalarNode):  # `processors:` and nothing or `null` behind it
        if value.value:
            return Edit(value.start_mark.index, value.end_mark.index, format_flow(wanted))
        colon = text.index(":", key.end_mark.index) + 1
        return Edit(colon, colon, f" {format_flow(wanted)}")
    if any(item.start_mark.index < value.start_mark.index for item in value.value):
        where = document.locate(*keys)
        raise InputError(f"{where}: an entry of this list is an alias; write it out, then run this again")
    at = next((n for n, one in enumerate(current) if n >= len(wanted) or one != wanted[n]), len(current))
    if at < len(current) and current[at] not in wanted:
        return remove_item(text, value, at)
    new = list(takewhile(lambda one: one not in current, wanted[at:]))
    return insert_items(text, key, value, at, new or [wanted[at]])
