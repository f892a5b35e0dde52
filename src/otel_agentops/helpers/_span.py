"""The span of a block: current while it lasts, ended by the block itself."""

from __future__ import annotations

from contextlib import ExitStack

from opentelemetry.trace import Span, SpanKind, use_span

from otel_agentops import _telemetry
from otel_agentops.operations import Attributes


def start(stack: ExitStack, name: str, attributes: Attributes, kind: SpanKind = SpanKind.INTERNAL) -> Span:
    """Start a span of ours and make it current until the stack is left."""
    telemetry = _telemetry.get()
    telemetry.watch_provider()
    span = telemetry.start(name, attributes, kind)
    stack.enter_context(use_span(span, end_on_exit=False, record_exception=False, set_status_on_exception=False))
    return span


def error_type(error: BaseException | None) -> str | None:
    """`error.type` of what left a block, None where nothing did."""
    return None if error is None else _telemetry.error_type(error)
