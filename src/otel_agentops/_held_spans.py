"""Spans of calls whose output is still being validated: they end at their true time once the verdict is known."""

from __future__ import annotations

from collections.abc import Callable

from opentelemetry.trace import Span

from otel_agentops._guard import say_once
from otel_agentops.semconv import attributes as A


class HeldSpans:
    """The spans of a block's calls.

    Appending and popping are atomic, so any thread may hold and release.

    Attributes:
        on_invalid: Called if the output of the calls so far was of no use.
    """

    def __init__(self) -> None:
        self._spans: list[tuple[Span, int | None]] = []
        self.on_invalid: list[Callable[[], None]] = []
        self._is_open = True

    def hold(self, span: Span, ended_ns: int | None) -> bool:
        """Keep the span of a call that has ended; return False if the block has ended before it.

        ended_ns: None if somebody else ends the span.
        """
        if not self._is_open:
            return False
        self._spans.append((span, ended_ns))
        if not self._is_open:  # closed meanwhile by another thread
            self.release(None)
        return True

    def release(self, is_valid: bool | None) -> None:
        """Let go of the spans with the verdict on their output; None if nothing is known about it."""
        callbacks, self.on_invalid = self.on_invalid, []
        if is_valid is False:
            for tell in callbacks:
                tell()
        while self._spans:
            try:
                span, ended_ns = self._spans.pop()
            except IndexError:
                return
            if is_valid is not None and span.is_recording():
                span.set_attribute(A.OUTPUT_VALID, is_valid)
            elif is_valid is not None:
                say_once("held", _ENDED_BEFORE)
            if ended_ns is not None:
                span.end(ended_ns)

    def close(self, is_valid: bool | None) -> None:
        """End the block."""
        self._is_open = False
        self.release(is_valid)


_ENDED_BEFORE = (
    "another instrumentation ended the span of a call before it was known whether the output is valid, so it does not "
    "say so; set OTEL_AGENTOPS_MODE=own for spans that do"
)
