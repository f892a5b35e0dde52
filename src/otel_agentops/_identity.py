"""Which prompt, tools and parameters a call is made of, as hashes that cost next to nothing when nothing moved.

What was hashed is kept beside its hash. Instructions are found again by their text, unless that is long; tools and
parameters by equality with a kept copy (1.4 us for five tools against 45 us to hash them), which still sees a mutated
list.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple, ParamSpec, TypeAlias, TypeVar

from typing_extensions import override

from otel_agentops import scope as scopes
from otel_agentops._guard import say_once
from otel_agentops._hashing import identity, text_identity
from otel_agentops.operations import FETCH, Attributes, ModelCall
from otel_agentops.scope import Prompt, Run, Scope
from otel_agentops.semconv import attributes as A

K = TypeVar("K")
V = TypeVar("V")
P = ParamSpec("P")

_KEPT = 256  # entries of a memory before it starts over; the hot set of a service is a handful
_ALIKE = 4  # contents of one shape: callers that take turns with lists that differ in their middle alone
_LONGEST = 65_536  # characters of a text that is kept: with 256 entries at most 16 MB


class Tools(NamedTuple):
    """The identity of an offered tool set. hashes: tool name -> hash."""

    attributes: Attributes
    hashes: Mapping[str, str]


class Identities:
    """The hashes of one process under one key, with what they were computed from."""

    def __init__(self, key: bytes | None, prompt_limit: int) -> None:
        self.key = key
        self._prompt_limit = prompt_limit
        self._texts: dict[tuple[Any, ...], str] = {}
        self._tools: Memory[Tools] = {}
        self._params: Memory[Attributes] = {}
        self._prompts: dict[str, set[str]] = {}

    def of(self, call: ModelCall, scope: Scope) -> Attributes:
        """The identity attributes of a call: prompt, tools and parameters. A fetch of what was said before has none."""
        if call.operation == FETCH:
            return {}
        found: Attributes = {}
        _if_json(found, self._prompt, call, scope)
        if call.tools:
            _if_json(found, self._offered, call.tools, call.normalise, scope.run)
        if call.params:
            _if_json(found, self._parameters, call.params, call.defaults or {})
        return found

    def _offered(
        self, offered: Sequence[Any], normalise: Callable[[Any], dict[str, Any]], run: Run | None
    ) -> Attributes:
        tools = self.tools(offered, normalise)
        scopes.learn_tools(tools.hashes, run)
        return tools.attributes

    def text(self, parts: tuple[Any, ...]) -> str:
        """The identity of prompt text: a tuple of texts or JSON parts, in order."""
        length = 0
        for part in parts:
            if type(part) is not str:  # not remembered: True and 1 are one key of a dict and two JSON values
                return identity(list(parts), self.key)
            length += len(part)
        if length > _LONGEST:  # to look it up would be to hash it once more
            return text_identity(parts, self.key)
        return self._texts.get(parts) or _keep(self._texts, parts, identity(list(parts), self.key))

    def declared(self, name: str | None, version: str | None, template: str | None = None) -> Prompt:
        """A declared template. Its text is its identity; where that is unseen, its name and version are."""
        if template is not None:
            return Prompt(name, version, self.text((template,)))
        return Prompt(name, version, identity({"name": name, "version": version}, self.key) if version else None)

    def tools(self, offered: Sequence[Any], normalise: Callable[[Any], dict[str, Any]]) -> Tools:
        """The identity of tools in their wire form; `normalise` gives {name, description, input_schema, ...} of one."""
        shape = (normalise, len(offered), _first_name(offered))
        known = _find(self._tools, shape, offered)
        return known or _remember(self._tools, shape, offered, self._hash_tools([normalise(tool) for tool in offered]))

    def _hash_tools(self, tools: Sequence[Mapping[str, Any]]) -> Tools:
        pairs = [(str(tool["name"]), identity(tool, self.key)) for tool in tools]
        attributes: Attributes = {
            A.TOOLS_HASH: identity(sorted(value for _, value in pairs), self.key),
            A.TOOLS_VERSIONS: [f"{name}@{value}" for name, value in pairs],
        }
        return Tools(attributes, dict(pairs))

    def _prompt(self, call: ModelCall, scope: Scope) -> Attributes:
        declared = scope.prompt or (call.prompt and self.declared(*call.prompt))
        if declared is not None:
            return _declared(declared)
        if not call.instructions:
            return {} if call.instructions is None else {A.PROMPT_SOURCE: "none"}
        return self._bounded(self.text(call.instructions), f"{scope.run.name if scope.run else ''}/{call.operation}")

    def _bounded(self, value: str, where: str) -> Attributes:
        """The hash, unless this scope makes a new one all the time: then instructions are rendered per call."""
        seen = self._prompts.get(where)
        if seen is None:
            seen = _keep(self._prompts, where, set())
        if len(seen) <= self._prompt_limit:
            seen.add(value)
        if len(seen) <= self._prompt_limit:
            return {A.PROMPT_SOURCE: "instructions", A.PROMPT_HASH: value}
        say_once(f"unbounded:{where}", _UNBOUNDED, self._prompt_limit, where)
        return {A.PROMPT_SOURCE: "unbounded"}

    def _parameters(self, params: Mapping[str, Any], defaults: Mapping[str, Any]) -> Attributes:
        shape = tuple(params)
        if (known := _find(self._params, shape, params)) is not None:
            return known
        attributes: Attributes = {A.PARAMS_HASH: identity(dict(params), self.key)}
        for name, value in params.items():
            framework = name in defaults and defaults[name] == value
            attributes[A.PARAM_SOURCE.format(name)] = "unknown" if framework else "explicit"
        return _remember(self._params, shape, params, attributes)


_UNBOUNDED = (
    "more than %d different system prompts in scope %r: a rendered value (a date, a user name) makes a new prompt hash "
    "per call; the hash is no longer exported for this scope; declare the template with otel_agentops.prompt(...)"
)


def _if_json(found: Attributes, identify: Callable[P, Attributes], *args: P.args, **kwargs: P.kwargs) -> None:
    """Add what identifies a part of the body, unless that part is not JSON: the client is about to refuse it."""
    try:
        found.update(identify(*args, **kwargs))
    except (TypeError, ValueError, RecursionError):
        return


class _Digit:
    """0 or 1 as JSON sees it: equal to that number, or to that boolean, and not to both as in Python."""

    __slots__ = ("boolean", "value")

    def __init__(self, value: Any) -> None:
        self.value = value
        self.boolean = type(value) is bool

    @override
    def __eq__(self, other: object) -> bool:
        return (type(other) is bool) is self.boolean and bool(other == self.value)

    __hash__ = None  # type: ignore[assignment]  # only ever compared


def _kept(value: Any) -> Any:
    """A copy that is equal to what is the same JSON, for as long as that is not changed."""
    kind = type(value)
    if kind is dict:
        return {key: _kept(member) for key, member in value.items()}
    if kind is list or kind is tuple:
        return kind(map(_kept, value))
    return _Digit(value) if kind in (bool, int, float) and value in (0, 1) else copy.deepcopy(value)


def _declared(prompt: Prompt) -> Attributes:
    found: Attributes = {A.PROMPT_SOURCE: "template"}
    if prompt.hash:
        found[A.PROMPT_HASH] = prompt.hash
    if prompt.name:
        found[A.GEN_AI_PROMPT_NAME] = prompt.name
    if prompt.version:
        found[A.GEN_AI_PROMPT_VERSION] = prompt.version
    return found


def _first_name(offered: Sequence[Any]) -> Any:
    first = offered[0]
    if not isinstance(first, dict):
        return first if isinstance(first, bytes) else None
    inner = first.get("function", first)
    return inner.get("name") if isinstance(inner, dict) else None


# What was hashed, as a copy, with what came of it: the latest few of each shape, the newest first.
Memory: TypeAlias = "dict[tuple[Any, ...], tuple[tuple[Any, V], ...]]"


def _find(memory: Memory[V], shape: tuple[Any, ...], given: Any) -> V | None:
    for kept, value in memory.get(shape, ()):
        if kept == given:
            return value
    return None


def _remember(memory: Memory[V], shape: tuple[Any, ...], given: Any, value: V) -> V:
    _keep(memory, shape, ((_kept(given), value), *memory.get(shape, ())[: _ALIKE - 1]))
    return value


def _keep(memory: dict[K, V], key: K, value: V) -> V:
    if len(memory) >= _KEPT:
        memory.clear()
    memory[key] = value
    return value
