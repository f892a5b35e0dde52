"""Hashes of prompt, tools and parameters that cost next to nothing as long as nothing moves.

Each hash is kept beside a copy of what was hashed. Instructions are found again by their text, or by identity of the
object if that is long; tools and parameters by equality with the copy (1.4 us for five tools against 45 us to hash
them), which still sees a mutated list.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple, ParamSpec, TypeAlias, TypeVar

from typing_extensions import override

from otel_agentops._context import PromptTemplate, Scope
from otel_agentops._guard import say_once
from otel_agentops._hashing import identity, identity_of_texts
from otel_agentops._offered_tools import learn_tools
from otel_agentops.operations import NO_ATTRIBUTES, UNHASHED, Attributes, ModelCall, Value
from otel_agentops.semconv import attributes as A
from otel_agentops.task_totals import TaskTotals

K = TypeVar("K")
V = TypeVar("V")
P = ParamSpec("P")

_MAX_ENTRIES = 256  # of one memory before it starts over; the hot set of a service is a handful
_MAX_PER_SHAPE = 4  # callers that take turns with lists that differ in their middle alone
_MAX_TEXT = 65_536  # characters of a text that is a dictionary key: with 256 entries at most 16 MB
_MAX_NAMES = 32  # parameters of a call whose source is told: a span has 128 attributes, and loses the oldest first
_MAX_NAME = 64  # characters of such a parameter: it becomes a part of an attribute's key
_LIMITS = frozenset({"max_tokens", "max_completion_tokens"})
_MAX_LONG_TEXTS = 4  # longer texts that are kept alive to be recognised as the same object


class ToolSet(NamedTuple):
    """The identity of an offered tool set. hashes: by tool name."""

    attributes: Attributes
    hashes: Mapping[str, str]


class ParamSet(NamedTuple):
    """The identity of the parameters of a call. sources: attributes that say where each comes from."""

    attributes: Attributes
    sources: Attributes


_NO_PARAMS = ParamSet(NO_ATTRIBUTES, NO_ATTRIBUTES)


class Identities:
    """The hashes of one process under one key, with what they were computed from."""

    def __init__(self, key: bytes | None, prompt_limit: int) -> None:
        self.key = key
        self._prompt_limit = prompt_limit
        self._texts: dict[tuple[object, ...], str] = {}
        self._long_texts: tuple[tuple[tuple[str, ...], str], ...] = ()
        self._tools: Memory[ToolSet] = {}
        self._params: Memory[ParamSet] = {}
        self._prompts_by_scope: dict[str, set[str]] = {}

    def identify_call(self, call: ModelCall, scope: Scope) -> Attributes:
        """Return the identity attributes of a call's prompt and tools."""
        attributes: Attributes = {}
        _update_if_json(attributes, self._identify_prompt, call, scope)
        if call.tools and call.normalise_tool is not None:
            _update_if_json(attributes, self._identify_offered, call.tools, call.normalise_tool, scope.task)
        return attributes

    def identify_params(self, call: ModelCall) -> ParamSet:
        """Return the hash of the parameters that are set, and the source of each and of the sampling ones."""
        if not call.params:
            return _NO_PARAMS
        try:
            return self._identify_params(call.params, call.default_params or NO_ATTRIBUTES, call.is_inference)
        except _NO_JSON:
            return _NO_PARAMS

    def hash_prompt(self, parts: tuple[Any, ...]) -> str:
        """Return the identity of prompt text: a tuple of texts or JSON parts, in order."""
        length = 0
        for part in parts:
            if type(part) is not str:  # not remembered: True and 1 are one key of a dict and two JSON values
                return identity(list(parts), self.key)
            length += len(part)
        if length > _MAX_TEXT:
            return self._hash_long_texts(parts)
        return self._texts.get(parts) or _keep_entry(self._texts, parts, identity(list(parts), self.key))

    def _hash_long_texts(self, parts: tuple[str, ...]) -> str:
        """Hash texts unless the very same objects were hashed before: to compare them would cost as much."""
        for kept_parts, value in self._long_texts:
            if len(kept_parts) == len(parts) and all(map(_is_same, kept_parts, parts)):
                return value
        value = identity_of_texts(parts, self.key)
        self._long_texts = ((parts, value), *self._long_texts[: _MAX_LONG_TEXTS - 1])
        return value

    def declare_template(self, name: str | None, version: str | None, template: str | None = None) -> PromptTemplate:
        """Return a declared template: its text is its identity; if that is unseen, its name and version are."""
        if template is not None:
            return PromptTemplate(name, version, self.hash_prompt((template,)))
        value = identity({"name": name, "version": version}, self.key) if version else None
        return PromptTemplate(name, version, value)

    def identify_tools(self, tools: Sequence[object], normalise: Callable[[Any], Mapping[str, object]]) -> ToolSet:
        """Return the identity of tools in their wire form.

        normalise: gives {name, description, input_schema, ...} of one tool.
        """
        shape = (normalise, len(tools), _first_name(tools))
        known = _recall_result(self._tools, shape, tools)
        return known or _remember_result(
            self._tools, shape, tools, self._hash_tools([normalise(tool) for tool in tools])
        )

    def _hash_tools(self, tools: Sequence[Mapping[str, object]]) -> ToolSet:
        pairs = [(str(tool["name"]), identity(tool, self.key)) for tool in tools]
        attributes: Attributes = {
            A.TOOLS_HASH: identity(sorted(value for _, value in pairs), self.key),
            A.TOOLS_VERSIONS: [f"{name}@{value}" for name, value in pairs],
        }
        return ToolSet(attributes, dict(pairs))

    def _identify_offered(
        self, tools: Sequence[object], normalise: Callable[[Any], Mapping[str, object]], task: TaskTotals | None
    ) -> Attributes:
        tool_set = self.identify_tools(tools, normalise)
        learn_tools(tool_set.hashes, task)
        return tool_set.attributes

    def _identify_prompt(self, call: ModelCall, scope: Scope) -> Attributes:
        template = scope.prompt or (call.prompt and self.declare_template(*call.prompt))
        if template is not None:
            return _describe_template(template)
        if not call.instructions:
            return {} if call.instructions is None else {A.PROMPT_SOURCE: "none"}
        place = f"{scope.task.name if scope.task else ''}/{call.operation}"
        return self._bound_prompts(self.hash_prompt(call.instructions), place)

    def _bound_prompts(self, value: str, place: str) -> Attributes:
        """Return the hash, unless this place makes a new one all the time: then a value is rendered per call."""
        hashes = self._prompts_by_scope.get(place)
        if hashes is None:
            hashes = _keep_entry(self._prompts_by_scope, place, set())
        if len(hashes) <= self._prompt_limit:
            hashes.add(value)
        if len(hashes) <= self._prompt_limit:
            return {A.PROMPT_SOURCE: "instructions", A.PROMPT_HASH: value}
        say_once(f"unbounded:{place}", _UNBOUNDED, self._prompt_limit, place)
        return {A.PROMPT_SOURCE: "unbounded"}

    def _identify_params(
        self, params: Mapping[str, object], defaults: Mapping[str, Value], is_sampled: bool
    ) -> ParamSet:
        """Return what `identify_params` does.

        is_sampled: False if no text is generated, so that sampling parameters have no meaning.
        """
        # What one client fills in by itself, another's application has set.
        shape = (is_sampled, *defaults.items(), *params) if defaults else (is_sampled, *params)
        if (known := _recall_result(self._params, shape, params)) is not None:
            return known
        values = {name: value for name, value in params.items() if value is not None and value is not UNHASHED}
        attributes: Attributes = {A.PARAMS_HASH: identity(values, self.key)} if values else {}
        sources: Attributes = {}
        for name in _bound_names(params):
            is_default = name in defaults and defaults[name] == params[name]
            source = UNSET if params[name] is None else "unknown" if is_default else "explicit"
            if source != UNSET or is_sampled:
                sources[A.PARAM_SOURCE.format(name)] = source
        return _remember_result(self._params, shape, params, ParamSet(attributes, sources))


def _bound_names(names: Iterable[str]) -> list[str]:
    """Return the parameters whose source is told: no name that is a text, and limits first if there are too many.

    names: Those of sampling come before all others.
    """
    bounded = [name for name in names if len(name) <= _MAX_NAME and name.isascii() and name.isprintable()]
    if len(bounded) > _MAX_NAMES:
        bounded.sort(key=lambda name: name not in _LIMITS)
    return bounded[:_MAX_NAMES]


_NO_JSON = (TypeError, ValueError, RecursionError)
UNSET = "unset"  # the source of a parameter that is not in the request
_UNBOUNDED = (
    "more than %d different system prompts in scope %r: a rendered value (a date, a user name) makes a new prompt hash "
    "per call; the hash is no longer exported for this scope; declare the template with otel_agentops.prompt(...)"
)


def _is_same(one: object, other: object) -> bool:
    return one is other


def _update_if_json(
    attributes: Attributes, identify: Callable[P, Attributes], *args: P.args, **kwargs: P.kwargs
) -> None:
    """Add what identifies a part of the body, unless that part is not JSON: the client is about to refuse it."""
    try:
        attributes.update(identify(*args, **kwargs))
    except _NO_JSON:
        return


def _describe_template(template: PromptTemplate) -> Attributes:
    attributes: Attributes = {A.PROMPT_SOURCE: "template"}
    if template.hash:
        attributes[A.PROMPT_HASH] = template.hash
    if template.name:
        attributes[A.GEN_AI_PROMPT_NAME] = template.name
    if template.version:
        attributes[A.GEN_AI_PROMPT_VERSION] = template.version
    return attributes


def _first_name(tools: Sequence[object]) -> object:
    """Return the name of the first tool, or its bytes: a cheap part of the key under which a tool set is kept."""
    first = tools[0]
    if not isinstance(first, dict):
        return first if isinstance(first, bytes) else None
    inner = first.get("function", first)
    return inner.get("name") if isinstance(inner, dict) else None


class _Digit:
    """0 or 1 as JSON sees it: equal to that number, or to that boolean, and not to both as in Python."""

    __slots__ = ("is_boolean", "value")

    def __init__(self, value: float) -> None:
        self.value = value
        self.is_boolean = type(value) is bool

    @override
    def __eq__(self, other: object) -> bool:
        return (type(other) is bool) is self.is_boolean and bool(other == self.value)

    __hash__ = None  # type: ignore[assignment]  # only ever compared


def _copy_json(value: Any) -> Any:
    """Return a copy that is equal to the same JSON for as long as that is not changed."""
    kind = type(value)
    if kind is dict:
        return {key: _copy_json(member) for key, member in value.items()}
    if kind is list or kind is tuple:
        return kind(map(_copy_json, value))
    return _Digit(value) if kind in (bool, int, float) and value in (0, 1) else copy.deepcopy(value)


# Copies of what was hashed with the result: the latest few of each shape, the newest first.
Memory: TypeAlias = "dict[tuple[object, ...], tuple[tuple[object, V], ...]]"


def _recall_result(memory: Memory[V], shape: tuple[object, ...], subject: object) -> V | None:
    for kept_copy, value in memory.get(shape, ()):
        if kept_copy == subject:
            return value
    return None


def _remember_result(memory: Memory[V], shape: tuple[object, ...], subject: object, value: V) -> V:
    _keep_entry(memory, shape, ((_copy_json(subject), value), *memory.get(shape, ())[: _MAX_PER_SHAPE - 1]))
    return value


def _keep_entry(memory: dict[K, V], key: K, value: V) -> V:
    if len(memory) >= _MAX_ENTRIES:
        memory.clear()
    memory[key] = value
    return value
