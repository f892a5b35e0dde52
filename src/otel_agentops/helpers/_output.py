"""A model output that the application validates, with the verdict on the span of the call that made it."""

from __future__ import annotations

from contextlib import ExitStack

from typing_extensions import override

from otel_agentops._block import Block
from otel_agentops._context import current_scope, enter_scope
from otel_agentops._guard import guard, say_once
from otel_agentops._held_spans import HeldSpans


class output(Block):  # noqa: N801
    """A block that calls a model and validates its output, as `otel_agentops.output.valid`.

    The output was valid if the block ends without an error, and invalid if an `Exception` leaves it; so put nothing
    else into the block, or give the verdict by `valid`. If the block calls a model again before a verdict, the call
    before has none. A failed call has no output, only its `error.type`. Spans keep their true times, and are exported
    once the verdict is known.
    """

    def __init__(self) -> None:
        super().__init__()
        self._held_spans = HeldSpans()

    @override
    def enter_block(self, stack: ExitStack) -> None:
        self._held_spans = HeldSpans()
        enter_scope(stack, current_scope()._replace(held_spans=self._held_spans))

    @guard
    def valid(self, valid: bool) -> None:
        """Set if the output of the calls since the last verdict is valid."""
        if valid is True or valid is False:
            self._held_spans.release(valid)
        else:
            say_once("valid", "output.valid(%.60r) is neither True nor False and is left out", valid)

    @override
    def exit_block(self, error: BaseException | None) -> None:
        is_interrupted = error is not None and not isinstance(error, Exception)
        self._held_spans.close(None if is_interrupted else error is None)
