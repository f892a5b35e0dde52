"""OTTL conditions without a collector: if a text is one, and which attributes it reads.

The grammar is that of the collector's conditions:
https://github.com/open-telemetry/opentelemetry-collector-contrib/blob/v0.161.0/pkg/ottl/grammar.go
Only a collector knows which functions there are, and what they take.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from typing import Any, NamedTuple

from lark import Lark, Token, Tree, UnexpectedCharacters, UnexpectedToken

Node = Tree[Any]  # lark types a tree by its leaves, and its children as either
CONTEXTS = ("span", "log", "resource", "scope")
DEEPEST = 40  # a collector's parser is recursive, and nobody reads a condition as deep as that

_GRAMMAR = r"""
    start: condition
    condition: all (OR all)*
    all: term (AND term)*
    term: NOT? (GROUP condition RPAR | comparison)
    comparison: value COMPARE value | call | TRUE | FALSE

    ?value: operand ((PLUS | MINUS | STAR | SLASH) operand)*
    ?operand: STRING | NUMBER | TRUE | FALSE | NIL | path | call | element | sum | signed | list | map
    sum: LPAR value RPAR
    signed: (PLUS | MINUS) operand
    list: LSQB (value (COMMA value)* COMMA?)? RSQB
    map: LBRACE (value COLON value (COMMA value COLON value)* COMMA?)? RBRACE
    call: WORD LPAR (argument (COMMA argument)* COMMA?)? RPAR
    argument: (WORD EQUAL)? value
    element: call key+
    path: WORD (DOT WORD)* key*
    key: LSQB (STRING | NUMBER) RSQB

    STRING: /"(?:\\.|(?!\\)[^"\n])*"/
    NUMBER: /0x[0-9A-Fa-f]+|(?:\d+\.\d*|\.\d+)(?:[eE][-+]?\d+)?|\d+/
    WORD: /[A-Za-z_][A-Za-z0-9_]*/
    COMPARE: /==|!=|<=|>=|<|>/
    AND: "and"
    OR: "or"
    NOT: "not"
    TRUE: "true"
    FALSE: "false"
    NIL: "nil"
    LPAR: "("
    RPAR: ")"
    LSQB: "["
    RSQB: "]"
    LBRACE: "{"
    RBRACE: "}"
    COMMA: ","
    DOT: "."
    COLON: ":"
    EQUAL: "="
    PLUS: "+"
    MINUS: "-"
    STAR: "*"
    SLASH: "/"
    %declare GROUP
    %ignore /\s+/
"""
_BEFORE_CONDITION = ("AND", "OR", "NOT", "GROUP", "")
_AFTER_SUM = ("COMPARE", "PLUS", "MINUS", "STAR", "SLASH")
# Go's, since a collector unquotes strings as Go does: no half of a surrogate pair, nothing beyond Unicode or a byte.
_ESCAPE = re.compile(
    r'\\(?:[abfnrtv\\"]|x[0-9A-Fa-f]{2}|u(?![dD][89A-Fa-f])[0-9A-Fa-f]{4}'
    r"|U(?!0000[dD][89A-Fa-f])00(?:0[0-9A-Fa-f]|10)[0-9A-Fa-f]{4}|[0-3][0-7]{2})"
)
_MEANT = {"&": "`and`", "|": "`or`", "!": "`not` or `!=`", "'": 'double quotes ("…")', "“": 'double quotes ("…")'}


class OttlError(ValueError):
    """A text that is no condition, and the reason."""


class Read(NamedTuple):
    """An attribute that a condition reads. context: where from; empty for a bare `attributes["…"]`."""

    context: str
    key: str


class Condition(NamedTuple):
    """The parts of a condition. reads: attributes. compared: attributes and the texts they are compared with."""

    reads: tuple[Read, ...]
    compared: tuple[tuple[Read, str], ...]
    contexts: frozenset[str]

    @property
    def is_bare(self) -> bool:
        """Return True if it reads bare attributes alone.

        Then it means the same on a span and on an event.
        """
        return not self.contexts


def parse(text: str) -> Condition:
    """Parse a condition.

    Raises:
        OttlError: If a collector would refuse it, or if it reads nothing.
    """
    try:
        tree = _PARSER.parse(text)
    except UnexpectedCharacters as error:
        raise OttlError(_describe_character(text, error.pos_in_stream or 0)) from None
    except UnexpectedToken as error:
        # What stands before the token may be wrong by itself, and is then what the author has to mend.
        _read_condition(Tree("unfinished", [*error.interactive_parser.parser_state.value_stack]))
        raise OttlError(_describe_token(error)) from None
    condition = _read_condition(tree)
    if not condition.reads and not condition.contexts:
        raise OttlError("reads nothing of a span or an event, and so says the same of each")
    return condition


def _read_condition(tree: Node) -> Condition:
    for token in tree.scan_values(lambda each: isinstance(each, Token)):
        _unquote(token)
    for call in tree.find_data("call"):
        name = str(call.children[0])
        if name[0].islower():
            raise OttlError(f"{name} changes data; a condition may call only converters, as IsMatch")
    nodes = _walk(tree)
    paths = [node for node in nodes if node.data == "path" and not _is_constant(node)]
    reads = {id(path): read for path in paths if (read := _read_attribute(path))}
    contexts = frozenset(str(path.children[0]) for path in paths) - {"attributes"}
    return Condition(tuple(reads.values()), tuple(_find_compared(nodes, reads)), contexts)


def set_context(text: str, context: str) -> str:
    """Return the condition with its bare `attributes[…]` read from a context."""
    pieces, end, before = [], 0, ""
    for token in _PARSER.lex(text):
        if token.type == "WORD" and token == "attributes" and before != "DOT":
            pieces += [text[end : token.start_pos], f"{context}."]
            end = int(token.start_pos or 0)
        before = token.type
    return "".join([*pieces, text[end:]])


# -- tokens


class _Groups:
    """Tells the parenthesis that groups conditions from that of a sum, which takes more than one token ahead."""

    always_accept = ()

    def process(self, stream: Iterator[Token]) -> Iterator[Token]:
        tokens, before = [*stream], ""
        _refuse_depth(tokens)
        for at, token in enumerate(tokens):
            if token.type == "LPAR" and before in _BEFORE_CONDITION and _is_group(tokens[at:]):
                token = Token.new_borrow_pos("GROUP", token.value, token)
            yield token
            before = token.type


def _is_group(tokens: Sequence[Token]) -> bool:
    depth = 0
    for token, following in pairwise(tokens):
        depth += {"LPAR": 1, "RPAR": -1}.get(token.type, 0)
        if depth == 0:
            return following.type not in _AFTER_SUM
    return True


def _refuse_depth(tokens: Sequence[Token]) -> None:
    depth = signs = 0
    for token in tokens:
        depth += {"(": 1, "[": 1, "{": 1, ")": -1, "]": -1, "}": -1}.get(token, 0)
        signs = signs + 1 if token.type in ("PLUS", "MINUS") else 0
        if depth + signs > DEEPEST:
            raise OttlError(f"is nested more than {DEEPEST} deep")


_PARSER = Lark(_GRAMMAR, parser="lalr", lexer="basic", postlex=_Groups())


# -- paths and texts


def _is_constant(path: Node) -> bool:
    """Return True for the member of an enumeration, which parses as a path."""
    word = path.children[0]
    if not isinstance(word, Token) or not word[0].isupper():
        return False
    if not word.isupper() or len(path.children) > 1:
        raise OttlError(f"{word} at column {word.column} is neither a call nor a constant as STATUS_CODE_ERROR")
    return True


def _read_attribute(path: Node) -> Read | None:
    """Return the attribute of a path, or None for a field: `span.name`."""
    parts = [str(each) for each in path.children if isinstance(each, Token) and each.type == "WORD"]
    if parts[0] != "attributes" and not (parts[0] in CONTEXTS and len(parts) > 1):
        begins = ", ".join(f"`{name}.`" for name in CONTEXTS[:3])
        raise OttlError(f'{".".join(parts)!r} is no path; write attributes["…"], or one that begins with {begins}')
    if parts[-1] != "attributes" or len(parts) > 2:
        return None
    keys = _list_keys(path)
    if not keys:
        raise OttlError('attributes is all of them; name one: attributes["…"]')
    return Read(parts[0] if len(parts) == 2 else "", keys[0])


def _list_keys(path: Node) -> list[str]:
    return [_unquote(each.children[1]) for each in path.children if isinstance(each, Tree)]


def _walk(node: Node) -> list[Node]:
    """Return a node and all below it in the order of the text.

    `_refuse_depth` bounds how deep that is.
    """
    return [node, *(each for child in node.children if isinstance(child, Tree) for each in _walk(child))]


def _find_compared(nodes: Sequence[Node], reads: Mapping[int, Read]) -> Iterator[tuple[Read, str]]:
    for node in nodes:
        if node.data == "comparison" and len(node.children) == 3:
            left, _, right = node.children
            for path, literal in ((left, right), (right, left)):
                is_text = isinstance(literal, Token) and literal.type == "STRING"
                if is_text and id(path) in reads and len(_list_keys(path)) == 1:
                    yield reads[id(path)], _unquote(literal)


def _unquote(token: object) -> str:
    """Return a string token as a collector reads it, and any other as it is."""
    if not isinstance(token, Token) or token.type != "STRING":
        return str(token)
    inner = token[1:-1]
    if bad := re.search(r"\\.", _ESCAPE.sub("", inner)):
        raise OttlError(f"{bad[0]} in the string at column {token.column} is no escape; write \\{bad[0]}")
    return _ESCAPE.sub(lambda match: _unescape(match[0]), inner)


def _unescape(escape: str) -> str:
    kind, digits = escape[1], escape[2:]
    if kind in "xuU":
        return chr(int(digits, 16))
    if kind in "av":
        return {"a": "\a", "v": "\v"}[kind]
    return chr(int(escape[1:], 8)) if kind.isdigit() else str(json.loads(f'"{escape}"'))


# -- sentences


def _describe_character(text: str, at: int) -> str:
    if text[at] == '"':
        return f'the string that begins at column {at + 1} has no end; close it with "'
    suggestion = f"; write {_MEANT[text[at]]}" if text[at] in _MEANT else ""
    return f"{text[at]!r} at column {at + 1} is nothing that a condition knows{suggestion}"


def _describe_token(error: UnexpectedToken) -> str:
    token, accepted = error.token, error.accepts or set()
    place = f"{str(token)!r} at column {token.column}"
    is_whole, is_open = "$END" in accepted, "COMPARE" in accepted and "RPAR" not in accepted
    if is_whole and token.type in ("RPAR", "RSQB", "RBRACE"):
        return f"{place} closes what was not opened"
    if (is_whole or is_open) and token == "where":
        return "`where` belongs to a statement; write the condition that follows it alone"
    if (is_whole or is_open) and token.type == "EQUAL":
        return f"`=` at column {token.column} compares nothing; write =="
    if is_whole:
        sentence = "`and`, `or` or the end is wanted"
    elif is_open:
        sentence = "a comparison (==, !=, <, <=, >, >=) is wanted"
    elif "STRING" in accepted:
        sentence = "a value is wanted" if "WORD" in accepted else "a key in double quotes is wanted within [ ]"
    elif "WORD" in accepted:
        sentence = "a name is wanted behind the dot"
    elif "COLON" in accepted:
        sentence = "':' is wanted between a key and its value"
    else:
        sentence = _describe_closing(error, "COMMA" in accepted)
    return f"{sentence}, found is {'the end' if token.type == '$END' else place}"


def _describe_closing(error: UnexpectedToken, is_listed: bool) -> str:
    """Return the sentence for the innermost bracket that is open."""
    stack = error.interactive_parser.parser_state.value_stack
    open_brackets = []
    for at, token in enumerate(stack):
        if isinstance(token, Token) and token.type in ("GROUP", "LPAR", "LSQB", "LBRACE"):
            open_brackets.append(at)
        elif isinstance(token, Token) and token.type in ("RPAR", "RSQB", "RBRACE"):
            open_brackets.pop()
    at = open_brackets[-1]
    if stack[at].type == "LPAR" and is_listed:
        return f"',' or ')' is wanted within the call of {stack[at - 1]}"
    return {
        "GROUP": "')' is wanted to close the group",
        "LPAR": "')' is wanted to close the sum",
        "LSQB": "',' or ']' is wanted within the list" if is_listed else "']' is wanted behind the key",
        "LBRACE": "',' or '}' is wanted within the map",
    }[stack[at].type]
