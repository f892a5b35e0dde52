"""Runs of LangChain for which a handler of another instrumentation keeps a span: that span is found and enriched.

LangChain tells its handlers of a run when it starts and when it ends, those of an asynchronous run in another thread.
Patched are the managers that do so:
https://github.com/langchain-ai/langchain/blob/master/libs/core/langchain_core/callbacks/manager.py
"""

from __future__ import annotations

from contextlib import ExitStack
from contextvars import ContextVar
from typing import Any, ClassVar
from uuid import UUID

from typing_extensions import override

from otel_agentops._block import Block
from otel_agentops._foreign_spans import Description, describe_span
from otel_agentops._observation import Observation
from otel_agentops._patching import PatchedLibrary, Target
from otel_agentops._telemetry import get_default
from otel_agentops._wrapping import Arguments, Around, Keywords, wrap_step
from otel_agentops.frameworks._langchain_tracers import RunManager, find_run_span, keep_spans
from otel_agentops.frameworks._runs import enter_span


class AwaitedRun(Block):
    """A run of a tool or a retriever, the first base of its class.

    If a handler keeps a span for the run, the operation begins after that has started and ends before it does, so that
    there is no second one.

    Attributes:
        operation: What the span stands for.
        name: The tool's, if it is one.
        awaits_span: True if a handler is to be told of the run first.
        run_id: LangChain's id of the run; None until then.
    """

    operation: ClassVar[str]
    name = ""
    awaits_span = False
    run_id: UUID | None = None
    _observation: Observation | None

    @override
    def enter_block(self, stack: ExitStack) -> None:
        if self.awaits_span:
            stack.callback(_AWAITING.reset, _AWAITING.set(self))
            self._inside = stack.enter_context(ExitStack())
            self._has_ended = False
        else:
            super().enter_block(stack)

    def begin(self, manager: RunManager) -> None:
        """Begin the operation, in the span of a handler if there is one."""
        self.run_id = manager.run_id
        if (span := find_run_span(manager)) is not None:
            describe_span(span, Description(self.operation, self.name))
            enter_span(self._inside, span)
        super().enter_block(self._inside)

    def tell(self, result: object) -> None:
        """Tell the result."""
        self.record_result(result)

    def end(self, error: BaseException | None) -> None:
        """End the operation, which LangChain tells its handlers next."""
        self._has_ended = True
        try:
            super().exit_block(error)
        finally:
            self._observation = None
            self._inside.close()

    @override
    def exit_block(self, error: BaseException | None) -> None:
        if not self.awaits_span:
            super().exit_block(error)
        elif not self._has_ended:
            if self.run_id is None:  # a handler raised
                super().enter_block(self._inside)
            self.end(error)


_AWAITING: ContextVar[AwaitedRun | None] = ContextVar("otel_agentops.langchain_core.run", default=None)


def _find_awaiting(library: PatchedLibrary, args: Arguments, kwargs: Keywords) -> AwaitedRun | None:
    run = _AWAITING.get()
    return run if run is not None and run.run_id is None else None


def _begin_run(run: AwaitedRun, manager: RunManager, args: Arguments, kwargs: Keywords) -> None:
    run.begin(manager)


def _end_run(library: PatchedLibrary, args: Arguments, kwargs: Keywords) -> None:
    if (run := _find_told(args[0])) is not None:
        run.tell(args[1] if len(args) > 1 else kwargs.get("output", kwargs.get("documents")))
        run.end(None)


def _fail_run(library: PatchedLibrary, args: Arguments, kwargs: Keywords) -> None:
    if (run := _find_told(args[0])) is not None:
        run.end(args[1] if len(args) > 1 else kwargs.get("error"))


def _find_told(manager: RunManager) -> AwaitedRun | None:
    run = _AWAITING.get()
    return run if run is not None and run.run_id == manager.run_id else None


def _watch_calls(library: PatchedLibrary, args: Arguments, kwargs: Keywords) -> PatchedLibrary | None:
    is_watched = library.active and get_default().config.mode != "own"
    return library if is_watched and keep_spans(args[0]) else None


def _describe_calls(library: PatchedLibrary, managers: Any, args: Arguments, kwargs: Keywords) -> None:
    """Say of the spans that handlers have for calls of a model what they are, where the client of it looks for one."""
    for manager in managers:
        if (span := find_run_span(manager)) is not None:
            describe_span(span, Description("chat"))


_BEGIN, _END, _FAIL = Around(_find_awaiting, _begin_run), Around(_end_run), Around(_fail_run)
HANDLER_TARGETS = tuple(
    Target(
        "langchain_core.callbacks.manager",
        f"{prefix}CallbackManager{owner}",
        name,
        wrap_step(around, is_async=bool(prefix)),
        parameters,
    )
    for prefix in ("", "Async")
    for owner, name, around, parameters in (
        ("", "on_chat_model_start", Around(_watch_calls, _describe_calls), ()),
        ("", "on_tool_start", _BEGIN, ()),
        ("ForToolRun", "on_tool_end", _END, ("output",)),
        ("ForToolRun", "on_tool_error", _FAIL, ("error",)),
        ("", "on_retriever_start", _BEGIN, ()),
        ("ForRetrieverRun", "on_retriever_end", _END, ("documents",)),
        ("ForRetrieverRun", "on_retriever_error", _FAIL, ("error",)),
    )
)
