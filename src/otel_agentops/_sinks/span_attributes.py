"""Attributes on a span: what we made is not checked once more by the SDK, and a span's limit drops the rest first.

The SDK's container checks and copies every value again and, when it is full, drops the oldest key: 800 bytecodes for an
ordinary answer, and `gen_ai.operation.name` is the first to go. Both are avoided only for that very container
(`opentelemetry.attributes.BoundedAttributes`); any other span is written by the API.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import cast

from opentelemetry.attributes import BoundedAttributes
from opentelemetry.trace import Span
from opentelemetry.util.types import AnyValue

from otel_agentops._identity import UNSET
from otel_agentops.operations import Attributes, Value
from otel_agentops.semconv import attributes as A

_SCALARS = frozenset({str, bool, int, float})
_PARAM_SOURCE_PREFIX, _, _ = A.PARAM_SOURCE.partition("{")
_REQUEST_PREFIX = A.GEN_AI_REQUEST_MODEL.removesuffix("model")
_KEPT_LONGEST = frozenset(
    {
        A.GEN_AI_OPERATION_NAME,
        A.GEN_AI_PROVIDER_NAME,
        A.GEN_AI_REQUEST_MODEL,
        A.GEN_AI_RESPONSE_MODEL,
        A.GEN_AI_USAGE_INPUT_TOKENS,
        A.GEN_AI_USAGE_OUTPUT_TOKENS,
        A.ERROR_TYPE,
        A.TASK_ID,
        A.TASK_NAME,
        A.PROMPT_HASH,
    }
)


def write_result(span: Span, attributes: Attributes, request_attributes: Mapping[str, Value]) -> None:
    """Write the result of an operation to the span that was started with the request's attributes."""
    container = getattr(span, "_attributes", None)
    if type(container) is BoundedAttributes:
        if container.maxlen is not None and len(container._dict) + len(attributes) > container.maxlen:
            everything: dict[str, AnyValue] = {**container._dict, **request_attributes, **attributes}
            span.set_attributes(_order_by_importance(everything))
            return
        # The container of an ended span is still open in older SDKs, so the span is asked.
        if container.max_value_len is None and span.is_recording() and _write_unchecked(container, attributes):
            return
    span.set_attributes(attributes)


def add_missing(span: Span, attributes: Mapping[str, Value], present: Mapping[str, object]) -> None:
    """Add the attributes that another's span does not have, as far as they push none of its own off it.

    An `unset` of ours gives way to what the provider says that it used.
    """
    missing: dict[str, AnyValue] = {
        key: value for key, value in attributes.items() if key not in present or present[key] == UNSET != value
    }
    container = getattr(span, "_attributes", None)
    if type(container) is BoundedAttributes and container.maxlen is not None:
        excess = len(container._dict.keys() | missing.keys()) - container.maxlen
        if excess > 0:
            further = [key for key in _order_by_importance(missing) if key not in container._dict]
            for key in further[:excess]:
                del missing[key]
    span.set_attributes(missing)


def _write_unchecked(container: BoundedAttributes, attributes: Attributes) -> bool:
    """Write attributes of plain types; return False, and write nothing, if that is to be left to the SDK."""
    values: dict[str, AnyValue] = {}
    for key, value in attributes.items():
        kind = type(value)
        if kind in _SCALARS:
            values[key] = value
        elif kind is list:
            values[key] = tuple(cast("list[AnyValue]", value))
        else:
            return False
    with container._lock:
        if container._immutable:
            return False  # the span has ended
        container._dict.update(values)
    return True


def _order_by_importance(attributes: Mapping[str, AnyValue]) -> dict[str, AnyValue]:
    """Return the attributes in the order in which a full span may lose them: the SDK drops the oldest first."""
    return dict(sorted(attributes.items(), key=lambda item: _rank_attribute(item[0])))


def _rank_attribute(key: str) -> int:
    if key in _KEPT_LONGEST:
        return 3
    if key.startswith(_PARAM_SOURCE_PREFIX):
        return 0
    return 1 if key.startswith(_REQUEST_PREFIX) else 2
