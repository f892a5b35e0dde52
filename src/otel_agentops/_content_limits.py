"""Byte limits of content: JSON stays whole, the longest members are left out and what was left out is marked."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, NamedTuple

OMITTED_BYTES = "omitted_bytes"  # the mark of an object that lost members
OMITTED_ITEMS = "omitted_items"  # the mark at the start of a list that lost its first items
# Members that say what something is, and not what was said.
_KEPT = frozenset([
    "type", "id", "name", "role", "parts", "finish_reason", "mime_type", "modality", "uri", "file_id", "byte_size",
    "sha256", "score",
])  # fmt: skip


class _Member(NamedTuple):
    """A member that may be left out, and its size."""

    size: int
    owner: dict[str, Any]
    name: str


def dump_json(value: object) -> str:
    """Return the JSON text of a value, without blanks."""
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)


def _measure(value: object) -> int:
    return len(dump_json(value).encode())


def fit_content(value: Any, limit: int) -> Any:
    """Return a value that needs at most so many bytes as JSON (a text: as itself); None if nothing can be kept.

    The longest members are left out first: of a text stays "", of anything else null, and the object around says how
    many bytes it lost. If that is not enough a list loses its first items.

    Args:
        value: A text or JSON, which is changed in place.
        limit: In bytes.
    """
    if isinstance(value, str):
        size = len(value.encode())
        return value if size <= limit else f"[{size} bytes omitted]"
    excess = _measure(value) - limit
    if excess <= 0:
        return value
    mark = len(f',"{OMITTED_BYTES}":1000000')
    for size, owner, name in sorted(_list_members(value), key=lambda member: -member.size):
        if excess <= 0 or size <= mark:
            break
        owner[name] = "" if isinstance(owner[name], str) else None
        owner[OMITTED_BYTES] = owner.get(OMITTED_BYTES, 0) + size
        excess = _measure(value) - limit if excess <= size else excess - size + mark
    if _measure(value) <= limit:
        return value
    return _drop_first_items(value, limit) if isinstance(value, list) else None


def _list_members(value: Any) -> Iterator[_Member]:
    """Yield the members of an object, of the objects of a list, and of the parts of a message."""
    if isinstance(value, list):
        for item in value:
            yield from _list_members(item)
    elif isinstance(value, dict):
        yield from _list_members(value.get("parts"))
        for name, member in value.items():
            if name not in _KEPT:
                yield _Member(_measure(member), value, name)


def _drop_first_items(items: list[Any], limit: int) -> list[Any] | None:
    """Return the last items that fit, after a mark that says how many there were before."""
    is_messages = isinstance(items[0], dict) and "parts" in items[0]
    shape = {"role": "omitted", "parts": [], "finish_reason": "omitted"} if is_messages else {"type": "omitted"}
    mark = {**shape, "name": "omitted", OMITTED_ITEMS: len(items)}
    room = limit - _measure([mark])
    kept: list[Any] = []
    for item in reversed(items):
        room -= _measure(item) + 1
        if room < 0:
            break
        kept.insert(0, item)
    mark[OMITTED_ITEMS] = len(items) - len(kept)
    return [mark, *kept] if kept else None
