"""One execution of a tool: what it was offered as, what it does, and if it succeeded."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from typing import NamedTuple
from weakref import WeakKeyDictionary

from typing_extensions import override

from otel_agentops import _coerce
from otel_agentops._block import Block, P, R
from otel_agentops._context import current_scope
from otel_agentops._guard import guard
from otel_agentops._observation import Observation
from otel_agentops._tool_arguments import TOOL_MARK, hash_tool_call
from otel_agentops.helpers._observed import error_type_of, observe_block, tell_content
from otel_agentops.operations import NO_VALUE, Attributes, ToolCall, ToolResult
from otel_agentops.semconv import attributes as A

_ENUMS = (("tool effect", A.TOOL_EFFECT, A.TOOL_EFFECT_VALUES), ("tool tier", A.TOOL_TIER, A.TOOL_TIER_VALUES))
_Arguments = Mapping[str, object] | str | None


class tool(Block):  # noqa: N801  a verb, used like contextlib's own
    """One execution of a tool that no framework instruments.

    Inside a span that a framework made for this very execution there is no second one.

    Args:
        name: The tool's name, as it is offered to a model.
        schema: JSON schema of its arguments, for a tool that is not offered to a model on the wire; else the hash it
            was offered under is used.
        description: Part of its identity, beside the schema.
        output_schema: JSON schema of its result; the same.
        annotations: Hints of what it does, e.g. those of MCP; the same.
        version: Declared version; None if there is none.
        effect: none, read, write or irreversible.
        tier: critical, high, medium or low.
        call_id: The id of the model's tool call.
        arguments: By name, or their JSON; those of a decorated function are known. They are compared with those of
            the task's other calls, see docs/tasks.md, and stay here unless content is recorded, see docs/content.md.
    """

    def __init__(
        self,
        name: str,
        *,
        schema: Mapping[str, object] | None = None,
        description: str | None = None,
        output_schema: Mapping[str, object] | None = None,
        annotations: Mapping[str, object] | None = None,
        version: str | None = None,
        effect: str | None = None,
        tier: str | None = None,
        call_id: str | None = None,
        arguments: Mapping[str, object] | str | None = None,
    ) -> None:
        super().__init__(
            name, schema=schema, description=description, output_schema=output_schema, annotations=annotations,
            version=version, effect=effect, tier=tier, call_id=call_id, arguments=arguments,
        )  # fmt: skip
        self.name = str(name)
        # None without a schema: then the hash under which the tool was offered to a model is used.
        self._material: Mapping[str, object] | None = None if schema is None else _coerce.drop_none({
            "name": self.name, "description": description, "input_schema": schema, "output_schema": output_schema,
            "annotations": annotations,
        })  # fmt: skip
        self._declared = {
            A.TOOL_VERSION: version,
            A.TOOL_EFFECT: effect,
            A.TOOL_TIER: tier,
            A.GEN_AI_TOOL_CALL_ID: call_id,
        }
        self._read_arguments: Callable[[], _Arguments] = lambda: arguments
        self._failure: str | None = None
        self._result = NO_VALUE
        self._observation: Observation | None = None

    @override
    def __call__(self, function: Callable[P, R]) -> Callable[P, R]:
        """Decorate a function, which a client that executes it leaves alone from now on."""
        decorated = super().__call__(function)
        setattr(decorated, TOOL_MARK, True)
        return decorated

    @override
    def enter_block(self, stack: ExitStack) -> None:
        self._failure = self._observation = None
        self._result = NO_VALUE
        call = ToolCall(self.name, self._declared_attributes(), self._material, self._hash_arguments())
        self._observation = observation = self.observe(stack, call)
        if observation.hooks.request_read and (arguments := self._read_arguments()) is not None:
            content = {A.GEN_AI_TOOL_CALL_ARGUMENTS: _coerce.parse_json(arguments)}
            tell_content(observation.hooks.request_read, observation, content)

    def observe(self, stack: ExitStack, call: ToolCall) -> Observation:
        """Start the execution."""
        return observe_block(stack, call)

    @override
    @guard
    def record_result(self, result: object) -> None:
        """Record the result: its shape, and itself if content is recorded; that of a decorated function is known."""
        observation = self._observation
        if observation is None or self._failure is not None:
            return
        self._result = result
        if observation.hooks.response_received:
            content = {A.GEN_AI_TOOL_CALL_RESULT: _coerce.parse_json(result)}
            tell_content(observation.hooks.response_received, observation, content)

    @override
    def prepare_call(
        self, function: Callable[..., object], args: tuple[object, ...], kwargs: Mapping[str, object]
    ) -> None:
        if self._constructor_arguments[1]["arguments"] is None:
            self._read_arguments = lambda: _name_arguments(function, args, kwargs)

    @override
    def exit_block(self, error: BaseException | None) -> None:
        if error is not None:
            self.note_refusal(error)
        if self._observation is not None:
            self._observation.finish(ToolResult(self._failure, value=self._result), error_type_of(error))
        self._result = NO_VALUE

    @guard
    def note_refusal(self, error: BaseException) -> None:
        """Keep the HTTP status of an exception, or of its cause, as the common HTTP clients and SDKs have it."""
        for each in (error, error.__cause__):
            status = getattr(each, "status_code", None) or getattr(getattr(each, "response", None), "status_code", None)
            if type(status) is int and self._observation is not None:
                self._observation.refusal = status
                return

    def fail(self, error_type: str = "tool_error") -> None:
        """Report a failure without raising.

        error_type: a low-cardinality kind of failure.
        """
        self._failure = str(error_type)

    @guard
    def _hash_arguments(self) -> int | None:
        """Return the hash of the arguments; None if they cannot be read or nobody compares them."""
        if current_scope().task is None:
            return None
        arguments = self._read_arguments()
        return None if arguments is None else hash_tool_call(self.name, arguments)

    def _declared_attributes(self) -> Attributes:
        attributes: Attributes = {**_coerce.as_texts(self._declared)}
        for what, key, values in _ENUMS:
            if key in attributes and not _coerce.is_enum_value(what, attributes[key], values):
                del attributes[key]
        return attributes


class _Parameters(NamedTuple):
    """The parameters of a function.

    names: those that can be given by position. defaults: those that can be compared.
    """

    names: tuple[str, ...]
    defaults: Mapping[str, object]


_parameters: WeakKeyDictionary[Callable[..., object], _Parameters] = WeakKeyDictionary()
_RECEIVERS = frozenset({"self", "cls"})  # a method's first parameter, which is none of the tool's
_BY_POSITION = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)


def _name_arguments(
    function: Callable[..., object], args: tuple[object, ...], kwargs: Mapping[str, object]
) -> dict[str, object]:
    """Return the arguments of a call by the names of the function's parameters."""
    parameters = _parameters.get(function)
    if parameters is None:
        parameters = _parameters[function] = _read_parameters(function)
    names = parameters.names
    arguments: dict[str, object] = {**parameters.defaults, **dict(zip(names, args, strict=False)), **kwargs}
    if len(args) > len(names):
        arguments["*"] = args[len(names) :]
    if names and names[0] in _RECEIVERS:
        del arguments[names[0]]
    return arguments


def _read_parameters(function: Callable[..., object]) -> _Parameters:
    parameters = inspect.signature(function).parameters.values()
    names = tuple(one.name for one in parameters if one.kind in _BY_POSITION)
    defaults = {one.name: one.default for one in parameters if one.default is not one.empty}
    comparable = {name: value for name, value in defaults.items() if hash_tool_call("", value) is not None}
    return _Parameters(names, comparable)
