"""The identities that the text of a file has, by the functions that give a span its own.

A file in plain text is a prompt. JSON, YAML and the literals of a Python file are searched for tools, lists of tools,
configurations of a judge, and texts that may be prompts. A lock file has the values that it approves.
"""

from __future__ import annotations

import ast
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from enum import Enum
from pathlib import Path, PurePath
from typing import Any, NamedTuple, TypeGuard

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from otel_agentops._identity import Identities
from otel_agentops._yaml import InputError
from otel_agentops.clients import google_genai
from otel_agentops.clients._protocols import anthropic_messages, cohere
from otel_agentops.clients._protocols.fields import drop_none
from otel_agentops.clients.bedrock import _converse
from otel_agentops.helpers._judge import identify_judge
from otel_agentops.lock.text import parse_lock
from otel_agentops.semconv import attributes as A

LOCK_FILE = "agentops.lock"
JUDGE_FIELDS = frozenset({"name", "model", "prompt", "rubric_version", "threshold", "params"})
_GOOGLE_LISTS = ("functionDeclarations", "function_declarations")
# A member that only a tool has, and how its wire is read; `function` is OpenAI's, and cohere's reader knows it too.
_NORMALISERS: dict[str, Callable[[Any], dict[str, Any]]] = {
    **dict.fromkeys(_GOOGLE_LISTS, google_genai.normalise_tool),
    "toolSpec": _converse.normalise_tool,
    "input_schema": anthropic_messages.normalise_tool,
    "parameter_definitions": cohere.normalise_tool,
}
_SCHEMAS = {"parameters", "inputSchema", "parametersJsonSchema", "parameters_json_schema"}
# The variables of a lock file whose values are not names or versions of a provider's own.
_LOCKED = {
    "prompt": A.PROMPT_HASH,
    "tools": A.TOOLS_HASH,
    "tool": A.TOOL_HASH,
    "judge": A.JUDGE_REVISION,
}


class Kind(str, Enum):
    """A kind of file."""

    PROMPT = "prompt"
    TOOLS = "tools"
    TOOL = "tool"
    JUDGE = "judge"


class FileIdentity(NamedTuple):
    """One identity in a file.

    Attributes:
        value: The hash.
        attribute: The attribute that has it on a span.
        part: The part of the file; empty for the whole text.
    """

    value: str
    attribute: str
    part: str


class Contents(NamedTuple):
    """The identities of a file and what it was taken for: a noun phrase."""

    taken_as: str
    identities: list[FileIdentity]


def read_contents(name: str, text: str, identities: Identities) -> Contents:
    """Return the identities of a text by the name of its file.

    A file that does not parse as what its name says is a plain text.

    Raises:
        InputError: It is called a lock file, and is none.
    """
    path = PurePath(name)
    if path.name == LOCK_FILE:
        return Contents("a lock file", list(_read_lock(text, Path(name))))
    try:
        if path.suffix == ".py":
            return Contents("Python source", _drop_twins(_read_python(text, identities)))
        if path.suffix == ".json":
            return Contents("JSON", _drop_twins(_read_value(json.loads(text), "", identities)))
        if path.suffix in {".yaml", ".yml"}:
            return Contents("YAML", _drop_twins(_read_value(YAML(typ="safe").load(text), "", identities)))
    except (YAMLError, *_UNREADABLE):
        return read_prompt(text, identities)
    is_of_judge = "rubric" in path.stem.lower() or "judge" in path.stem.lower()
    return read_prompt(text, identities, A.JUDGE_PROMPT_HASH if is_of_judge else A.PROMPT_HASH)


def read_as(kind: Kind, name: str, text: str, identities: Identities) -> Contents:
    """Return the identities of a text that is of one kind.

    Raises:
        InputError: It is not JSON, or not of that kind.
    """
    if kind is Kind.PROMPT:
        return read_prompt(text, identities)
    try:
        value = json.loads(text)
    except (ValueError, RecursionError) as error:
        if kind is Kind.JUDGE:
            return read_prompt(text, identities, A.JUDGE_PROMPT_HASH)
        raise InputError(f"{name}: is no JSON ({error}); write a tool, or a list of tools, as it is sent") from None
    if kind is Kind.JUDGE:
        if not (isinstance(value, Mapping) and value and value.keys() <= JUDGE_FIELDS):
            known = ", ".join(sorted(JUDGE_FIELDS))
            raise InputError(f"{name}: is no configuration of a judge; write an object with some of {known}")
        return Contents("a judge", list(_read_judge(value, "", identities)))
    tools = value if isinstance(value, list) else [value]
    if not tools or not all(isinstance(tool, Mapping) for tool in tools):
        raise InputError(f"{name}: is no tool and no list of tools; write them as they are sent")
    try:
        tool_identities = list(_read_tools(tools, "", identities))
    except _UNREADABLE as error:
        raise InputError(f"{name}: is no tool that can be sent ({error}); write it as it is sent") from None
    if kind is Kind.TOOLS:
        return Contents("a set of tools", tool_identities)
    return Contents("a tool", [one for one in tool_identities if one.attribute == A.TOOL_HASH])


def read_prompt(text: str, identities: Identities, attribute: str = A.PROMPT_HASH) -> Contents:
    """Return the identities of a template, as programs read one: with its last line end, without it, and stripped."""
    parts = {text.strip(): "stripped", text.removesuffix("\n"): "without the last line end"}
    parts |= {text: ""}  # the last name of a text that is equal to another one holds
    taken_as = "a prompt" if attribute == A.PROMPT_HASH else "the prompt of a judge"
    return Contents(
        taken_as,
        [FileIdentity(identities.hash_prompt((each,)), attribute, part) for each, part in reversed(parts.items())],
    )


# Of parsers, and of readers of tools that expect what an SDK would send.
_UNREADABLE = (TypeError, ValueError, LookupError, AttributeError, RecursionError, SyntaxError, MemoryError)


def _read_lock(text: str, path: Path) -> Iterator[FileIdentity]:
    for key, entry in parse_lock(text, path).iterate_entries():
        if key.variable in _LOCKED:
            part = f"{key.variable} of {key.scope}, approved by {entry.owner}"
            yield FileIdentity(entry.value, _LOCKED[key.variable], part)


def _read_python(text: str, identities: Identities) -> Iterator[FileIdentity]:
    """Yield the identities of the literals of a program; docstrings and pieces of f-strings are none.

    A search walks every version of every file, and `ast.walk` takes twice as long.
    """
    stack: list[ast.AST] = [ast.parse(text)]
    while stack:
        node = stack.pop()
        kind = type(node)
        if isinstance(node, ast.Constant):
            yield from _read_text(node.value, f"line {node.lineno}", identities)
        elif isinstance(node, (ast.Dict, ast.List)):
            try:
                value = ast.literal_eval(node)
            except _UNREADABLE:
                value = None
            yield from _read_object(value, f"line {node.lineno}", identities)
            if _is_tool(value) or _is_tool_list(value):
                continue
        elif kind is ast.JoinedStr or (kind is ast.Expr and type(vars(node)["value"]) is ast.Constant):
            continue
        for child in reversed(vars(node).values()):
            if isinstance(child, list):
                stack.extend(one for one in reversed(child) if isinstance(one, ast.AST))
            elif isinstance(child, ast.AST) and type(child) is not ast.Name:
                stack.append(child)


def _read_value(value: object, part: str, identities: Identities) -> Iterator[FileIdentity]:
    """Yield the identities of a document and of everything inside it, but for what is inside a tool."""
    yield from _read_object(value, part, identities)
    yield from _read_text(value, part, identities)
    if _is_tool(value) or _is_tool_list(value):
        return
    if isinstance(value, Mapping):
        for name, member in value.items():
            yield from _read_value(member, f"{part}.{name}" if part else str(name), identities)
    elif isinstance(value, list):
        for number, item in enumerate(value):
            yield from _read_value(item, f"{part}[{number}]", identities)


def _read_text(value: object, part: str, identities: Identities) -> Iterator[FileIdentity]:
    """Yield the identity of a text that may be a prompt: one with a blank in it."""
    if isinstance(value, str) and len(value.split(maxsplit=1)) > 1:
        for each in dict.fromkeys((value, value.strip())):
            note = part if each == value else f"{part} stripped".strip()
            yield FileIdentity(identities.hash_prompt((each,)), A.PROMPT_HASH, note)


def _read_object(value: object, part: str, identities: Identities) -> Iterator[FileIdentity]:
    """Yield the identities of a tool, a list of tools or a judge; nothing for another value."""
    try:
        if _is_tool_list(value):
            yield from _read_tools(value, part, identities)
        elif _is_tool(value):
            yield from _read_tools([value], part, identities)
        elif isinstance(value, Mapping) and value.keys() <= JUDGE_FIELDS and isinstance(value.get("prompt"), str):
            yield from _read_judge(value, part, identities)
    except _UNREADABLE:
        return  # what JSON cannot hold was never sent


def _read_judge(value: Mapping[str, Any], part: str, identities: Identities) -> Iterator[FileIdentity]:
    attributes = identify_judge(identities, **{"name": "", **value}).attributes
    for attribute in (A.JUDGE_REVISION, A.JUDGE_PROMPT_HASH, A.JUDGE_PARAMS_HASH):
        if attribute in attributes:
            yield FileIdentity(str(attributes[attribute]), attribute, part)


def _read_tools(tools: Sequence[Any], part: str, identities: Identities) -> Iterator[FileIdentity]:
    members = {name for tool in tools for name in tool}
    normalise = next((_NORMALISERS[name] for name in _NORMALISERS if name in members), _normalise_tool)
    wire = [one for tool in tools for one in next((tool[name] for name in _GOOGLE_LISTS if name in tool), [tool])]
    tool_set = identities.identify_tools(wire, normalise)
    yield FileIdentity(str(tool_set.attributes[A.TOOLS_HASH]), A.TOOLS_HASH, part)
    for name, value in tool_set.hashes.items():
        yield FileIdentity(value, A.TOOL_HASH, f"{part} {name}".strip())


def _normalise_tool(wire: Mapping[str, Any]) -> dict[str, Any]:
    """Return the identity material of a tool of OpenAI's shape, or as an MCP server lists it."""
    if "inputSchema" not in wire:
        return cohere.normalise_tool(wire)
    return drop_none(
        name=wire["name"],
        description=wire.get("description"),
        input_schema=wire["inputSchema"],
        output_schema=wire.get("outputSchema"),
        annotations=drop_none(**hints) if isinstance(hints := wire.get("annotations"), Mapping) else None,
    )


def _is_tool(value: object) -> bool:
    """Return True if a JSON object has the shape of a tool that has a schema."""
    if not isinstance(value, Mapping):
        return False
    if not _NORMALISERS.keys().isdisjoint(value) or ("name" in value and not _SCHEMAS.isdisjoint(value)):
        return True
    return value.get("type") == "function" and isinstance(value.get("function"), Mapping)


def _is_tool_list(value: object) -> TypeGuard[list[Any]]:
    """Return True for a list of objects with a tool among them; a provider's own tools have no schema."""
    return isinstance(value, list) and any(map(_is_tool, value)) and all(isinstance(one, Mapping) for one in value)


def _drop_twins(many: Iterable[FileIdentity]) -> list[FileIdentity]:
    """Return the first identity of each value and attribute."""
    return list({one[:2]: one for one in reversed(list(many))}.values())[::-1]
