"""The person behind an operation, as far as the application says who it is; read on the writer's thread.

    task(user=…)                            the scope
    baggage user.id, enduser.id             the OpenTelemetry context
    using_user(…) of OpenInference          the OpenTelemetry context
    attributes user.id, enduser.id          the spans around, of this process, up to its root
    user, safety_identifier, metadata.user_id of the request

All of them count, because an application may know one person by several ids. A span knows its parent by the id alone,
so the spans themselves are kept; one that is not sampled has no attributes.
"""

from __future__ import annotations

import json
import weakref
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from opentelemetry import baggage, trace
from opentelemetry.context import Context

from otel_agentops.semconv import attributes as A

_KEYS = (A.USER_ID, A.ENDUSER_ID)
_MOST_SPANS = 100  # above an operation: no chain of parents is read without an end
_MOST_USERS = 8  # baggage may come from anybody
# The members of a request that name its user: of OpenAI's protocols, and of Anthropic's below `metadata`.
_MEMBERS = ("user", "safety_identifier")
_METADATA, _METADATA_MEMBER = "metadata", "user_id"
# Few requests have one of them, and those alone are parsed; `"role":"user"` is none of them.
_MARKS = tuple(f'"{name}":'.encode() for name in _MEMBERS)
_METADATA_MARKS = tuple(f'"{name}":'.encode() for name in (_METADATA, _METADATA_MEMBER))

# The parent of each span of this process.
_parents: weakref.WeakKeyDictionary[trace.Span, trace.Span] = weakref.WeakKeyDictionary()


class Origin(NamedTuple):
    """The place at which an operation began.

    Attributes:
        users: As `task(user=…)` has them.
        context: The OpenTelemetry context.
    """

    users: Sequence[str]
    context: Context


def keep_parent(span: trace.Span, parent: trace.Span) -> None:
    """Keep the parent of a span for as long as the span is there."""
    if parent is not trace.INVALID_SPAN:
        _parents[span] = parent


def find_users(origin: Origin, requests: Sequence[object]) -> list[str]:
    """Return the ids of the person behind an operation; usually one or none.

    Args:
        origin: Where it began.
        requests: The bodies that were sent for it.
    """
    values = (*origin.users, *_read_context(origin.context), *_read_spans(origin.context), *_read_bodies(requests))
    users = (str(value) for value in values if isinstance(value, (str, int)) and not isinstance(value, bool))
    return list(dict.fromkeys(user for user in users if user))[:_MOST_USERS]


def _read_context(context: Context) -> Iterator[object]:
    entries = baggage.get_all(context)
    for key in _KEYS:
        yield entries.get(key)
        yield context.get(key)


def _read_spans(context: Context) -> Iterator[object]:
    span: trace.Span | None = trace.get_current_span(context)
    for _ in range(_MOST_SPANS):
        if span is None:
            return
        attributes = getattr(span, "attributes", None) or {}
        for key in _KEYS:
            yield attributes.get(key)
        # logfire makes a wrapper current, and processors see the span that is in it.
        span = _parents.get(span) or _parents.get(getattr(span, "span", span))


def _may_name_user(content: bytes) -> bool:
    return any(mark in content for mark in _MARKS) or all(mark in content for mark in _METADATA_MARKS)


def _read_bodies(requests: Sequence[object]) -> Iterator[object]:
    for content in requests[-1:]:
        if isinstance(content, bytes) and _may_name_user(content):
            try:
                body = json.loads(content)
            except ValueError:
                return
            if isinstance(body, dict):
                yield from (body.get(name) for name in _MEMBERS)
                metadata = body.get(_METADATA)
                yield metadata.get(_METADATA_MEMBER) if isinstance(metadata, dict) else None
