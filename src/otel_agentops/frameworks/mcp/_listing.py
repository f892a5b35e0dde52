"""Tools as a server lists them: their identity, what they may do, and where two listings differ."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple, Protocol
from weakref import WeakKeyDictionary

from otel_agentops.operations import NO_ATTRIBUTES, Attributes
from otel_agentops.semconv import attributes as A

Schema = Mapping[str, object]
_MAX_TOOLS = 1000  # of all servers that are remembered, before the memory starts over
# For people and transports, and no part of what a tool is.
_NO_IDENTITY = frozenset({"title", "icons", "execution", "_meta", "meta"})
_EFFECTS = ("read", "write", "irreversible")
_TIERS = ("low", "medium", "high", "critical")


class Annotations(Protocol):
    """The hints of a tool, a pydantic model."""

    def model_dump(self, *, mode: str, by_alias: bool, exclude_none: bool) -> dict[str, object]:
        """Return the members as JSON has them."""


class ListedTools(Protocol):
    """A page of `tools/list`."""

    @property
    def tools(self) -> Sequence[object]:
        """Return its tools."""


class ListedTool(NamedTuple):
    """A tool that a server listed.

    Attributes:
        schema: Its identity material.
        attributes: What it may do, as far as its server says it.
    """

    schema: Schema | None
    attributes: Attributes


UNLISTED = ListedTool(None, NO_ATTRIBUTES)


class Change(NamedTuple):
    """A tool that its server lists with another schema than before."""

    tool: str
    before: Schema
    after: Schema


class ToolSchemas:
    """The tools that were listed in each session, or by each server here, for as long as that lives.

    The last schema of each tool of a server is kept longer, to tell what changed between two sessions.
    """

    def __init__(self) -> None:
        self._by_session: WeakKeyDictionary[object, dict[str, ListedTool]] = WeakKeyDictionary()
        self._last: dict[tuple[str, str], Schema] = {}
        self._told: set[tuple[str, str, str]] = set()

    def find(self, session: object, name: str) -> ListedTool:
        """Return a tool; `UNLISTED` if the session has not listed it."""
        return self._by_session.get(session, {}).get(name, UNLISTED)

    def learn(self, session: object, page: ListedTools, is_first: bool) -> None:
        """Remember a page of tools; the first page replaces what was listed before."""
        tools = {} if is_first else self._by_session.get(session, {})
        tools.update((str(getattr(tool, "name", None)), read_listed(tool)) for tool in page.tools)
        self._by_session[session] = tools

    def forget(self, session: object) -> None:
        """Forget the tools of a session, whose server says that they are others by now."""
        self._by_session.pop(session, None)

    def find_changes(self, server: str, page: ListedTools) -> Iterator[Change]:
        """Yield the tools of a page that the server of that name listed with another schema before.

        Each new schema is told once: two servers of one name, and the replicas of one in a roll-out, take turns.
        """
        for schema in map(read_tool, page.tools):
            name = str(schema["name"])
            if len(self._last) >= _MAX_TOOLS or len(self._told) >= _MAX_TOOLS:
                self._last.clear()
                self._told.clear()
            before = self._last.get((server, name))
            self._last[server, name] = schema
            told = (server, name, json.dumps(schema, sort_keys=True, default=str))
            if before is not None and before != schema and told not in self._told:
                yield Change(name, before, schema)
            self._told.add(told)


def read_tool(tool: object) -> Schema:
    """Return the identity material of a listed tool, the same for both majors.

    Members that the protocol does not know are part of it. 2.x drops them before anybody sees them.
    """
    annotations: Annotations | None = getattr(tool, "annotations", None)
    added: Mapping[str, object] = getattr(tool, "model_extra", None) or {}
    material = {
        **{key: value for key, value in added.items() if key not in _NO_IDENTITY},
        "name": getattr(tool, "name", None),
        "description": getattr(tool, "description", None),
        "input_schema": read_field(tool, "inputSchema", "input_schema"),
        "output_schema": read_field(tool, "outputSchema", "output_schema"),
        "annotations": annotations and annotations.model_dump(mode="json", by_alias=True, exclude_none=True),
    }
    return {key: value for key, value in material.items() if value is not None}


def read_listed(tool: object) -> ListedTool:
    """Read a listed tool; FastMCP lists the version of one beside it, for which the protocol has no place."""
    schema = read_tool(tool)
    meta = getattr(tool, "meta", None)
    added = meta.get("fastmcp") if isinstance(meta, Mapping) else None
    version = added.get("version") if isinstance(added, Mapping) else None
    declared: Attributes = {} if version is None else {A.TOOL_VERSION: str(version)}
    return ListedTool(schema, {**rate_tool(schema.get("annotations")), **declared})


def rate_tool(annotations: object) -> Attributes:
    """Return the effect and the tier of a tool by its hints; what a hint leaves open counts as the highest.

    The protocol has the same defaults: https://modelcontextprotocol.io/specification/2025-11-25/schema#toolannotations
    """
    hints: Mapping[str, Any] = annotations if isinstance(annotations, Mapping) else {}
    effect = 0 if hints.get("readOnlyHint") is True else 1 if hints.get("destructiveHint") is False else 2
    is_closed = hints.get("openWorldHint") is False
    is_repeatable = effect == 0 or hints.get("idempotentHint") is True
    return {A.TOOL_EFFECT: _EFFECTS[effect], A.TOOL_TIER: _TIERS[effect + (not (is_closed and is_repeatable))]}


def read_field(record: object, name: str, name_in_2: str) -> Any:
    """Return a field, which is in camel case in 1.x and on the wire, and in snake case in 2.x."""
    if isinstance(record, Mapping):
        return record.get(name)
    # FastMCP warns of the names of 1.x.
    return getattr(record, name_in_2) if hasattr(record, name_in_2) else getattr(record, name, None)
