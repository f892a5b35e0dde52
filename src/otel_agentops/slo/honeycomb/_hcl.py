"""Terraform's language as `terraform fmt` writes it: blocks, lists, maps, and strings with nothing live in them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import TypeAlias


class Raw(str):
    """An expression, written as it is."""


Value: TypeAlias = "str | bool | int | Decimal | Sequence[Value] | Mapping[str, Value]"


@dataclass(frozen=True)
class Block:
    """`head { body }`: attributes are pairs of a name and a value, None is an empty line."""

    head: str
    body: Sequence[tuple[str, Value] | Block | None]


def text(blocks: Sequence[Block]) -> str:
    """A file, an empty line between its blocks."""
    return "\n".join("\n".join(_block(block, "")) + "\n" for block in blocks)


def quoted(value: str) -> str:
    """A string literal: neither `${` nor `%{` begins anything in it."""
    escaped = value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n").replace("\t", "\\t")
    return '"' + escaped.replace("${", "$${").replace("%{", "%%{") + '"'


def _block(block: Block, indent: str) -> Iterator[str]:
    if not block.body:
        yield f"{indent}{block.head} {{}}"
        return
    yield f"{indent}{block.head} {{"
    yield from _body(block.body, f"{indent}  ")
    yield f"{indent}}}"


def _body(body: Sequence[tuple[str, Value] | Block | None], indent: str) -> Iterator[str]:
    for at, each in enumerate(body):
        if each is None:
            yield ""
        elif isinstance(each, Block):
            yield from _block(each, indent)
        else:
            yield from _attribute(each, _width(body, at), indent)


def _width(body: Sequence[tuple[str, Value] | Block | None], at: int) -> int:
    """How wide names are in the run of one-line attributes around this one: their `=` stand below each other."""
    start = end = at
    while start > 0 and _one_line(body[start - 1]) and _one_line(body[at]):
        start -= 1
    while end + 1 < len(body) and _one_line(body[end + 1]) and _one_line(body[at]):
        end += 1
    return max(len(each[0]) for each in body[start : end + 1] if isinstance(each, tuple))


def _one_line(each: tuple[str, Value] | Block | None) -> bool:
    return isinstance(each, tuple) and len(_value(each[1], "")) == 1


def _attribute(pair: tuple[str, Value], width: int, indent: str) -> Iterator[str]:
    first, *rest = _value(pair[1], indent)
    yield f"{indent}{pair[0]:<{width}} = {first}"
    yield from rest


def _value(value: Value, indent: str) -> list[str]:
    """The lines of a value; those after the first with their indent."""
    if isinstance(value, Raw):
        return value.splitlines()
    if isinstance(value, str):
        return [quoted(value)]
    if isinstance(value, bool):
        return [str(value).lower()]
    if isinstance(value, (int, Decimal)):
        return [f"{value:f}" if isinstance(value, Decimal) else str(value)]
    if isinstance(value, Mapping):
        inner = list(_body([(key, each) for key, each in value.items()], f"{indent}  "))
        return ["{", *inner, f"{indent}}}"] if inner else ["{}"]
    return [f"[{', '.join(_value(each, indent)[0] for each in value)}]"]
