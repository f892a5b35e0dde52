"""Spans of calls whose output is still being validated: they end at their true time, once the word on it is said."""

from __future__ import annotations

from typing import Any

from otel_agentops._guard import say_once
from otel_agentops.semconv import attributes as A


class Held:
    """The spans of a block's calls. Appending and popping are atomic, so any thread may take and tell."""

    def __init__(self) -> None:
        self._spans: list[tuple[Any, int | None]] = []
        self._open = True

    def take(self, span: Any, ended: int | None) -> bool:
        """Keep the span of a call that has ended, where the block has not. ended: ns, None where others end it."""
        if not self._open:
            return False
        self._spans.append((span, ended))
        if not self._open:  # closed meanwhile by another thread
            self.tell(None)
        return True

    def tell(self, valid: bool | None) -> None:
        """Let go of the spans, with the word on their output; None where nothing is known about it."""
        while self._spans:
            try:
                span, ended = self._spans.pop()
            except IndexError:
                return
            if valid is not None and span.is_recording():
                span.set_attribute(A.OUTPUT_VALID, valid)
            elif valid is not None:
                say_once("held", _ENDED)
            if ended is not None:
                span.end(ended)

    def close(self, valid: bool | None) -> None:
        """The block has ended."""
        self._open = False
        self.tell(valid)


_ENDED = (
    "another instrumentation ended the span of a call before it was known whether the output is valid, so it does not "
    "say so; set OTEL_AGENTOPS_MODE=own for spans that do"
)
