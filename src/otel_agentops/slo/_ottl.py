"""What can be said of an OTTL condition without a collector: whether it is one, and which attributes it reads.

The grammar is that of the collector's conditions:
https://github.com/open-telemetry/opentelemetry-collector-contrib/blob/v0.161.0/pkg/ottl/grammar.go
Which functions there are, and what they take, only a collector knows.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import NamedTuple

CONTEXTS = ("span", "log", "resource", "scope")

_TOKEN = re.compile(
    r"""\s*(?:
      (?P<string>"(?:\\.|[^\\"\n])*")
    | (?P<number>0x[0-9A-Fa-f]+|(?:\d+\.\d*|\.\d+)(?:[eE][-+]?\d+)?|\d+)
    | (?P<word>[A-Za-z_][A-Za-z0-9_]*)
    | (?P<compare>==|!=|<=|>=|<|>)
    | (?P<mark>[-+*/()\[\]{},.:=])
    )""",
    re.VERBOSE,
)
# Go's, since a collector unquotes strings as Go does: no half of a surrogate pair, nothing beyond Unicode or a byte.
_ESCAPE = re.compile(
    r'\\(?:[abfnrtv\\"]|x[0-9A-Fa-f]{2}|u(?![dD][89A-Fa-f])[0-9A-Fa-f]{4}'
    r"|U(?!0000[dD][89A-Fa-f])00(?:0[0-9A-Fa-f]|10)[0-9A-Fa-f]{4}|[0-3][0-7]{2})"
)
_MEANT = {"&": "`and`", "|": "`or`", "!": "`not` or `!=`", "'": 'double quotes ("…")', "“": 'double quotes ("…")'}
_WORDS = {"true", "false", "nil", "and", "or", "not"}
DEEPEST = 40  # a collector's parser and ours are recursive; nobody reads a condition as deep as that


class OttlError(ValueError):
    """Why a text is no condition."""


class Read(NamedTuple):
    """An attribute that a condition reads. context: where from; empty for a bare `attributes["…"]`."""

    context: str
    key: str


class Condition(NamedTuple):
    """What a condition is made of. reads: attributes. compared: attributes and the texts they are held against."""

    reads: tuple[Read, ...]
    compared: tuple[tuple[Read, str], ...]
    contexts: frozenset[str]

    @property
    def is_bare(self) -> bool:
        """Whether it reads nothing but bare attributes, and so means the same on a span and on an event."""
        return not self.contexts


def parse(text: str) -> Condition:
    """The condition. Raises OttlError."""
    parser = _Parser(text)
    parser.whole()
    if not parser.reads and not parser.contexts:
        raise OttlError("reads nothing of a span or an event, and so says the same of each")
    return Condition(tuple(parser.reads), tuple(parser.compared), frozenset(parser.contexts))


def rebased(text: str, context: str) -> str:
    """The condition with every bare `attributes[…]` read from a context: `span.attributes[…]`."""
    pieces, end, before = [], 0, ""
    for token in _tokens(text):
        if token.text == "attributes" and token.kind == "word" and before != ".":
            pieces += [text[end : token.at], f"{context}."]
            end = token.at
        before = token.text
    return "".join([*pieces, text[end:]])


class _Token(NamedTuple):
    kind: str
    text: str
    at: int


def _tokens(text: str) -> Iterator[_Token]:
    at, end = 0, len(text.rstrip())
    while at < end:
        found = _TOKEN.match(text, at)
        if found is None:
            rest = text[at:].lstrip()
            raise OttlError(_no_token(rest, len(text) - len(rest) + 1))
        kind = str(found.lastgroup)
        yield _Token(kind, found[kind], found.start(kind))
        at = found.end()


def _no_token(rest: str, column: int) -> str:
    if rest[0] == '"':
        return f'the string that begins at column {column} has no end; close it with "'
    meant = f"; write {_MEANT[rest[0]]}" if rest[0] in _MEANT else ""
    return f"{rest[0]!r} at column {column} is nothing that a condition knows{meant}"


class _Parser:
    """Recursive descent; one method a rule of the grammar."""

    def __init__(self, text: str) -> None:
        self.tokens = [*_tokens(text), _Token("end", "", len(text))]
        self.next, self.depth = 0, 0
        self.reads: list[Read] = []
        self.compared: list[tuple[Read, str]] = []
        self.contexts: set[str] = set()

    # -- tokens

    @property
    def token(self) -> _Token:
        return self.tokens[self.next]

    def takes(self, *texts: str) -> bool:
        """Whether the next token is one of these; then it is taken."""
        if self.token.kind == "string" or self.token.text not in texts:
            return False
        self.next += 1
        return True

    def wants(self, text: str, why: str) -> None:
        if not self.takes(text):
            raise self.wrong(f"{text!r} {why}")

    def wrong(self, said: str) -> OttlError:
        found = f"{self.token.text!r} at column {self.token.at + 1}" if self.token.kind != "end" else "the end"
        return OttlError(f"{said}, found is {found}")

    def unfinished(self, said: str) -> OttlError:
        """What people write where a condition would go on."""
        if self.token.text == "where":
            return OttlError("`where` belongs to a statement; write the condition that follows it alone")
        if self.token.text == "=":
            return OttlError(f"`=` at column {self.token.at + 1} compares nothing; write ==")
        return self.wrong(said)

    # -- conditions

    def whole(self) -> None:
        self.either()
        if self.token.text in (")", "]", "}"):
            raise OttlError(f"{self.token.text!r} at column {self.token.at + 1} closes what was not opened")
        if self.token.kind != "end":
            raise self.unfinished("`and`, `or` or the end is wanted")

    def either(self) -> None:
        self.depth += 1
        if self.depth > DEEPEST:
            raise OttlError(f"is nested more than {DEEPEST} deep")
        self.each()
        while self.takes("or"):
            self.each()
        self.depth -= 1

    def each(self) -> None:
        self.one()
        while self.takes("and"):
            self.one()

    def one(self) -> None:
        self.takes("not")
        if self.token.text == "(" and self.is_group():
            self.takes("(")
            self.either()
            self.wants(")", "is wanted to close the group")
        else:
            self.comparison()

    def is_group(self) -> bool:
        """Whether a parenthesis holds a condition; the other kind is arithmetic: (1 + 2) * 3 > x."""
        depth = 0
        for token in self.tokens[self.next :]:
            if depth == 0 and token.at > self.token.at:
                return token.kind != "compare" and token.text not in ("+", "-", "*", "/")
            depth += {"(": 1, ")": -1}.get(token.text, 0) if token.kind == "mark" else 0
        return True

    def comparison(self) -> None:
        left, start = self.value(), self.next
        if self.token.kind != "compare":
            if not self.may_stand_alone(start):
                raise self.unfinished("a comparison (==, !=, <, <=, >, >=) is wanted")
            return
        self.next += 1
        right = self.value()
        for read, text in ((left, right), (right, left)):
            if isinstance(read, Read) and isinstance(text, str):
                self.compared.append((read, text))

    def may_stand_alone(self, end: int) -> bool:
        """A converter's call, true and false are conditions; an attribute is not, even where it is a boolean."""
        return self.tokens[end - 1].text in (")", "true", "false") and self.tokens[end - 1].kind != "string"

    # -- values

    def value(self) -> Read | str | None:
        """What it is, where that is an attribute or a text and nothing else."""
        found = self.operand()
        while self.takes("+", "-", "*", "/"):
            self.operand()
            found = None
        return found

    def operand(self) -> Read | str | None:
        token = self.token
        if token.kind == "string":
            self.next += 1
            return _unquoted(token)
        if token.kind == "number" or token.text in ("true", "false", "nil"):
            self.next += 1
            return None
        if token.kind == "word" and token.text not in _WORDS:
            return self.named()
        self.compound()
        return None

    def compound(self) -> None:
        self.depth += 1
        if self.depth > DEEPEST:
            raise OttlError(f"is nested more than {DEEPEST} deep")
        if self.takes("-", "+"):
            self.operand()
        elif self.takes("("):
            self.value()
            self.wants(")", "is wanted to close the sum")
        elif self.takes("["):
            self.values("]", "the list")
        elif self.takes("{"):
            self.entries()
        else:
            raise self.wrong("a value is wanted")
        self.depth -= 1

    def values(self, end: str, where: str) -> None:
        while not self.takes(end):
            if self.token.kind == "word" and self.tokens[self.next + 1].text == "=":
                self.next += 2  # a named argument
            self.value()
            if self.token.text != end:
                self.wants(",", f"or {end!r} is wanted within {where}")

    def entries(self) -> None:
        while not self.takes("}"):
            self.value()
            self.wants(":", "is wanted between a key and its value")
            self.value()
            if self.token.text != "}":
                self.wants(",", "or '}' is wanted within the map")

    def named(self) -> Read | None:
        """An enum's member, a converter's call, or a path."""
        word = self.token
        self.next += 1
        if self.takes("("):
            if word.text[0].islower():
                raise OttlError(f"{word.text} changes data; a condition may call only converters, as IsMatch")
            self.values(")", f"the call of {word.text}")
            self.keys()
            return None
        if not word.text[0].isupper():
            return self.path(word)
        if not word.text.isupper():
            raise OttlError(
                f"{word.text} at column {word.at + 1} is neither a call nor a constant as STATUS_CODE_ERROR"
            )
        return None

    def path(self, first: _Token) -> Read | None:
        parts, keys = [first.text], self.keys()
        while not keys and self.takes("."):
            if self.token.kind != "word":
                raise self.wrong("a name is wanted behind the dot")
            parts.append(self.token.text)
            self.next += 1
            keys = self.keys()
        if parts[0] == "attributes":
            parts.insert(0, "")
        elif parts[0] in CONTEXTS and len(parts) > 1:
            self.contexts.add(parts[0])
        else:
            told = ", ".join(f"`{name}.`" for name in CONTEXTS[:3])
            raise OttlError(f'{".".join(parts)!r} is no path; write attributes["…"], or one that begins with {told}')
        return self.read(parts, keys)

    def read(self, parts: list[str], keys: list[str]) -> Read | None:
        if parts[1:] != ["attributes"]:
            return None
        if not keys:
            raise OttlError('attributes is all of them; name one: attributes["…"]')
        self.reads.append(Read(parts[0], keys[0]))
        return self.reads[-1] if len(keys) == 1 else None

    def keys(self) -> list[str]:
        found = []
        while self.takes("["):
            if self.token.kind not in ("string", "number"):
                raise self.wrong("a key in double quotes is wanted within [ ]")
            found.append(_unquoted(self.token) if self.token.kind == "string" else self.token.text)
            self.next += 1
            self.wants("]", "is wanted behind the key")
        return found


def _unquoted(token: _Token) -> str:
    inner = token.text[1:-1]
    if bad := re.search(r"\\.", _ESCAPE.sub("", inner)):
        raise OttlError(f"{bad[0]} in the string at column {token.at + 1} is no escape; write \\{bad[0]}")
    return _ESCAPE.sub(lambda found: _character(found[0]), inner)


def _character(escape: str) -> str:
    kind, digits = escape[1], escape[2:]
    if kind in "xuU":
        return chr(int(digits, 16))
    if kind in "av":
        return {"a": "\a", "v": "\v"}[kind]
    return chr(int(escape[1:], 8)) if kind.isdigit() else str(json.loads(f'"{escape}"'))
