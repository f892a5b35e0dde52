"""An output that the application validates: the span of the call that made it says whether it was valid."""

from __future__ import annotations

from contextlib import ExitStack

from typing_extensions import override

from otel_agentops._block import Block
from otel_agentops._context import current_scope, enter_scope
from otel_agentops._guard import guard, say_once
from otel_agentops._held_spans import HeldSpans


class output(Block):  # noqa: N801
    """A model is called and its output validated: the call's span says `otel_agentops.output.valid`.

    A block that ends well had a valid output, one that an `Exception` leaves had not; so put nothing else into it. Or
    say it by `valid`. Where the block calls a model again before a word on the last call, that call has none. A call
    that fails has no output, and its `error.type`. The spans have their true times, and are exported when the word is
    said.
    """

    def __init__(self) -> None:
        super().__init__()
        self._held_spans = HeldSpans()

    @override
    def enter(self, stack: ExitStack) -> None:
        self._held_spans = HeldSpans()
        stack.enter_context(enter_scope(current_scope()._replace(held_spans=self._held_spans)))

    @guard
    def valid(self, valid: bool) -> None:
        """Set if the output of the calls since the last verdict is valid."""
        if valid is True or valid is False:
            self._held_spans.release(valid)
        else:
            say_once("valid", "output.valid(%.60r) is neither True nor False and is left out", valid)

    @override
    def exit(self, error: BaseException | None) -> None:
        stopped = error is not None and not isinstance(error, Exception)
        self._held_spans.close(None if stopped else error is None)
