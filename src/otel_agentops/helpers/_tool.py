"""One execution of a tool: what it was offered as, what it does, whether it succeeded."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from typing import Any, NamedTuple
from weakref import WeakKeyDictionary

from opentelemetry.trace import Span, get_current_span
from typing_extensions import override

from otel_agentops import _coerce, _foreign, _telemetry
from otel_agentops import scope as scopes
from otel_agentops._block import Block
from otel_agentops._guard import guard
from otel_agentops._processor import Place, place_below
from otel_agentops._tool_arguments import near
from otel_agentops.helpers._span import error_type, start
from otel_agentops.operations import Attributes
from otel_agentops.scope import Run, Scope
from otel_agentops.semconv import attributes as A


class tool(Block):  # noqa: N801
    """One execution of a tool that no framework instruments.

    schema: JSON schema of its arguments, for a tool that is not offered to a model on the wire; else the hash it was
    offered under is used. effect: none, read, write, irreversible. tier: critical, high, medium, low. call_id: the id
    of the model's tool call. arguments: by name, or their JSON; those of a decorated function are known. They are
    compared with those of the task's other calls, see docs/tasks.md, and stay here. Inside a span that a framework made
    for this very execution there is no second one.
    """

    def __init__(
        self,
        name: str,
        *,
        schema: Mapping[str, Any] | None = None,
        description: str | None = None,
        version: str | None = None,
        effect: str | None = None,
        tier: str | None = None,
        call_id: str | None = None,
        arguments: Mapping[str, Any] | str | None = None,
    ) -> None:
        super().__init__(
            name, schema=schema, description=description, version=version, effect=effect, tier=tier, call_id=call_id,
            arguments=arguments,
        )  # fmt: skip
        self.name = str(name)
        self._schema = schema
        self._description = description
        self._facts = {
            A.TOOL_VERSION: version,
            A.TOOL_EFFECT: effect,
            A.TOOL_TIER: tier,
            A.GEN_AI_TOOL_CALL_ID: call_id,
        }
        self._arguments: Callable[[], Mapping[str, Any] | str | None] = lambda: arguments
        self._failure: str | None = None
        self._run: Run | None = None
        self._span: Span | None = None
        self._found: Span | None = None

    @override
    def enter(self, stack: ExitStack) -> None:
        scope, current = scopes.current(), get_current_span()
        above = place_below(current, scope)
        counted = above.tool == self.name and not above.ours
        self._run = None if counted else scope.run
        if scope.run is not None:
            self._compare(above)
        self._failure = self._span = self._found = None
        attributes = self._attributes(scope)
        if self._is_made(current):
            self._found = current
            _telemetry.add_missing(current, attributes)
        else:
            self._span = start(stack, f"execute_tool {self.name}", attributes)

    @override
    def called(self, function: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        if self._made_with[1]["arguments"] is None:
            self._arguments = lambda: _by_name(function, args, kwargs)

    @guard
    def _compare(self, above: Place) -> None:
        """Keep the hash of the arguments in the run, or with the framework's span that counts for this execution."""
        arguments = self._arguments()
        key = None if arguments is None else near(self.name, arguments)
        if self._run is not None:
            self._run.execute(key)
        elif key is not None and above.around is not None and above.around.tool == self.name:
            above.around.known.append(key)

    @override
    def exit(self, error: BaseException | None) -> None:
        failure = error_type(error) or self._failure
        if self._run is not None:
            self._run.tool_results.append(failure is None)
        if self._span is not None:
            _telemetry.get().finish(self._span, {}, failure)
        elif self._found is not None and failure is not None:
            _telemetry.add_missing(self._found, {A.ERROR_TYPE: failure})

    def _attributes(self, scope: Scope) -> Attributes:
        attributes: Attributes = {
            A.GEN_AI_OPERATION_NAME: "execute_tool",
            A.GEN_AI_TOOL_NAME: self.name,
            A.GEN_AI_TOOL_TYPE: "function",
            **_coerce.texts(self._facts),
            **scope.facts,
        }
        for what, key, values in _ENUMS:
            if key in attributes and not _coerce.known(what, attributes[key], values):
                del attributes[key]
        if value := scopes.learned_tool(self.name) or self._declared():
            attributes[A.TOOL_HASH] = value
        return attributes

    def _is_made(self, span: Span) -> bool:
        """Whether a framework has made the span of this very execution."""
        if _telemetry.get().config.mode == "own" or _foreign.is_ours(span) or not span.is_recording():
            return False
        return _foreign.operation_of(span) == "execute_tool" and _foreign.tool_of(span) == self.name

    def fail(self, error_type: str = "tool_error") -> None:
        """The tool reports a failure without raising. error_type: a low-cardinality kind of failure."""
        self._failure = str(error_type)

    def _declared(self) -> str | None:
        if self._schema is None:
            return None
        material = _coerce.present({"name": self.name, "description": self._description, "input_schema": self._schema})
        identities = _telemetry.get().identities
        return _coerce.json("a tool's schema", lambda: identities.tools([material], dict).hashes[self.name])


class _Parameters(NamedTuple):
    """names: those that can be given by position. defaults: those that can be compared."""

    names: tuple[str, ...]
    defaults: Mapping[str, Any]


_parameters: WeakKeyDictionary[Callable[..., Any], _Parameters] = WeakKeyDictionary()
_OWNER = frozenset({"self", "cls"})  # a method's first parameter, which is none of the tool's
_BY_POSITION = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)


def _by_name(function: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> dict[str, Any]:
    """What a function is called with, by the names of its parameters."""
    known = _parameters.get(function)
    if known is None:
        known = _parameters[function] = _read(function)
    found = {**known.defaults, **dict(zip(known.names, args, strict=False)), **kwargs}
    if len(args) > len(known.names):
        found["*"] = args[len(known.names) :]
    if known.names and known.names[0] in _OWNER:
        del found[known.names[0]]
    return found


def _read(function: Callable[..., Any]) -> _Parameters:
    parameters = inspect.signature(function).parameters.values()
    names = tuple(one.name for one in parameters if one.kind in _BY_POSITION)
    defaults = {one.name: one.default for one in parameters if one.default is not one.empty}
    return _Parameters(names, {name: value for name, value in defaults.items() if near("", value) is not None})


_ENUMS = (("tool effect", A.TOOL_EFFECT, A.TOOL_EFFECT_VALUES), ("tool tier", A.TOOL_TIER, A.TOOL_TIER_VALUES))
