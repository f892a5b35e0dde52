"""Operations of a task that are done again after a failure, or in the place of one that was refused.

Compared are hashes that differ from process to process: of whole requests, of the user's turns in them, and of a tool's
arguments. They are made for a failed operation, and for what follows it in the same task; most tasks make none.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import NamedTuple

from otel_agentops._tool_arguments import hash_shared_arguments
from otel_agentops.operations import Attributes, ModelCall, ToolCall
from otel_agentops.semconv import attributes as A

MODEL, NODE, TOOL, APPLICATION = "model", "node", "tool", "application"
INVALID_OUTPUT = "invalid_output"
_SHED_STATUSES = frozenset({429, 503, 529})  # 529: Anthropic is overloaded
_SHED_WORDS = ("ratelimit", "toomanyrequests", "overloaded", "serviceunavailable", "throttl", "resourceexhausted")
_SHED_TEXTS = frozenset(map(str, _SHED_STATUSES))
_TURNS_KEYS = ("messages", "input", "contents", "prompt")
_USER_ROLES = frozenset({None, "user", "human"})


class StepRetry:
    """A step of a framework that may be done again.

    Attributes:
        level: NODE for a node that a policy retries, MODEL for a call that asks a model once more.
        cause: `error.type` of the failure after which it was entered again; None while it runs for the first time.
        failure_count: How often it has failed with an error that is retried.
    """

    __slots__ = ("cause", "failure_count", "level")

    def __init__(self, level: str, cause: str | None = None) -> None:
        self.level = level
        self.cause = cause
        self.failure_count = 0


class Request(NamedTuple):
    """The hashes of a request.

    Attributes:
        hash: Of the whole body, or of a tool call; None if it cannot be read.
        goal: What it is for: of each text of the user; of a tool, of its arguments alone.
    """

    hash: int | None
    goal: tuple[int, ...]


class Failure(NamedTuple):
    """A failed operation of a task, or one whose output was of no use.

    Attributes:
        name: The tool or the model.
        cause: `error.type`.
        request: What was asked.
        maker: Provider and server of a model; None of a tool.
        is_shed: True if it was refused for want of capacity.
        is_invalid: True if an answer came and was of no use.
        place: The facts of the agent that is going to ask again, as its framework says; None if nobody says so.
        model_call_count: The model calls of the task before it ended.
    """

    name: str | None
    cause: str
    request: Request
    maker: tuple[object, ...] | None = None
    is_shed: bool = False
    is_invalid: bool = False
    place: Mapping[str, object] | None = None
    model_call_count: int = 0


NO_REQUEST = Request(None, ())


def hash_request(body: object) -> Request:
    """Return the hashes of a request's body."""
    if not isinstance(body, Mapping):
        return NO_REQUEST
    whole: int | None = None
    with suppress(TypeError, ValueError, RecursionError):  # keys or values that JSON does not have
        whole = hash(json.dumps(body, sort_keys=True, default=repr))
    turns = next((body[key] for key in _TURNS_KEYS if body.get(key)), ())
    if isinstance(turns, str):
        return Request(whole, (hash(turns),))
    texts = map(_read_user_text, turns) if isinstance(turns, Sequence) else ()
    return Request(whole, tuple(hash(text) for text in texts if text))


def hash_tool(call: ToolCall) -> Request:
    """Return the hashes of an execution of a tool; none if its arguments are not known."""
    if call.arguments_hash is None:
        return NO_REQUEST
    goal = hash_shared_arguments(call.name, call.arguments_hash)
    return Request(call.arguments_hash, () if goal is None else (goal,))


def was_shed(cause: str, status: int | None) -> bool:
    """Return True if an operation was refused for want of capacity.

    Args:
        cause: `error.type`.
        status: HTTP status of its last attempt; None if unknown.
    """
    if status is not None:
        return status in _SHED_STATUSES
    word = cause.rpartition(".")[2].replace("_", "").lower()
    return cause in _SHED_TEXTS or any(each in word for each in _SHED_WORDS)


def match_model_call(
    failures: list[Failure], call: ModelCall, request: Request, maker: tuple[object, ...], place: Mapping[str, object]
) -> Attributes:
    """Return what a model call does again, or stands in for, and forget the failure; nothing if it is a first one."""
    for failure in reversed(failures):
        if failure.maker is None:
            continue
        level = None
        is_same_goal = bool(request.goal) and failure.request.goal == request.goal
        is_same_request = request.hash is not None and failure.request.hash == request.hash
        if failure.place is not None:
            level = MODEL if failure.place is place and call.is_inference else None
        elif failure.is_invalid:
            goal = failure.request.goal
            level = MODEL if is_same_request or (goal and request.goal[: len(goal)] == goal) else None
        elif failure.is_shed and is_same_goal and (failure.name, failure.maker) != (call.model, maker):
            return _replace_failure(failures, failure, call.model)
        elif is_same_request:
            level = APPLICATION
        if level is not None:
            return _repeat_failure(failures, failure, level)
    return {}


def match_tool_call(failures: list[Failure], call: ToolCall, model_call_count: int) -> Attributes:
    """Return what an execution does again, or stands in for, and forget the failure; nothing if it is a first one.

    model_call_count: the model calls of the task so far; without a new one it is the application that tries again.
    """
    request = hash_tool(call)
    if request.hash is None:
        return {}
    for failure in reversed(failures):
        if failure.maker is not None:
            continue
        if failure.request.hash == request.hash:
            return _repeat_failure(
                failures, failure, TOOL if model_call_count > failure.model_call_count else APPLICATION
            )
        if failure.is_shed and request.goal and failure.request.goal == request.goal:
            return _replace_failure(failures, failure, call.name)
    return {}


def _repeat_failure(failures: list[Failure], failure: Failure, level: str) -> Attributes:
    with suppress(ValueError):  # a parallel branch was faster
        failures.remove(failure)
    return {A.RETRY_LEVEL: level, A.RETRY_CAUSE: failure.cause}


def _replace_failure(failures: list[Failure], failure: Failure, name: str | None) -> Attributes:
    with suppress(ValueError):
        failures.remove(failure)
    replaced = failure.name
    if replaced == name and failure.maker:  # the same model elsewhere
        replaced = str(failure.maker[0] or "unknown")
    return {A.FALLBACK_FROM: replaced or "unknown", A.FALLBACK_CAUSE: failure.cause}


def _read_user_text(message: object) -> str:
    """Return the text of a user's turn, in the form of any wire; empty if it is no such turn."""
    if isinstance(message, str):
        return message
    if _get(message, "role", "type") not in _USER_ROLES:
        return ""
    content = _get(message, "content", "parts")
    if isinstance(content, str):
        return content
    parts = content if isinstance(content, Sequence) else ()
    texts = (part if isinstance(part, str) else _get(part, "text") for part in parts)
    return "\n".join(text for text in texts if isinstance(text, str))


def _get(value: object, *names: str) -> object:
    """Return the first of these members that a mapping or an object has."""
    for name in names:
        member = value.get(name) if isinstance(value, Mapping) else getattr(value, name, None)
        if member is not None:
            return member
    return None
