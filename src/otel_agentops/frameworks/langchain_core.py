"""LangChain: each run of a tool is one execution, and each run of a retriever one retrieval.

Patched is the base class of all tools, whose subclasses write what happens inside:
https://github.com/langchain-ai/langchain/blob/master/libs/core/langchain_core/tools/base.py
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from contextlib import ExitStack
from contextvars import ContextVar
from typing import Any
from uuid import UUID

from typing_extensions import override

from otel_agentops import _patching
from otel_agentops._foreign_spans import Description, ForeignSpans, describe_span
from otel_agentops._offered_tools import find_tool_hash
from otel_agentops._patching import ClientInfo, PatchedLibrary, Target
from otel_agentops._telemetry import get_default
from otel_agentops._wrapping import Arguments, Around, Keywords, wrap_step
from otel_agentops.frameworks._langchain_models import TARGETS
from otel_agentops.frameworks._langchain_retrievers import RetrieverRun, read_retriever
from otel_agentops.frameworks._langchain_tracers import (
    LANGFUSE,
    OFFICIAL,
    OPENINFERENCE,
    OPENLLMETRY,
    RunManager,
    find_run_span,
    find_tracers,
    keep_spans,
)
from otel_agentops.frameworks._runs import ToolRun, enter_span, wrap_block
from otel_agentops.operations import EXECUTE_TOOL


class LangChainToolRun(ToolRun):
    """One run of a tool of LangChain.

    If a handler keeps a span for the run, the execution begins after that has started and ends before it does, so that
    there is no second one.

    Attributes:
        awaits_span: True if a handler is to be told of the run first.
        run_id: LangChain's id of the run; None until then.
    """

    awaits_span = False
    run_id: UUID | None = None

    @override
    def enter_block(self, stack: ExitStack) -> None:
        if self.awaits_span:
            stack.callback(_AWAITING.reset, _AWAITING.set(self))
            self._inside = stack.enter_context(ExitStack())
            self._has_ended = False
        else:
            super().enter_block(stack)

    def begin(self, manager: RunManager) -> None:
        """Begin the execution, in the span of a handler if there is one."""
        self.run_id = manager.run_id
        if (span := find_run_span(manager)) is not None:
            describe_span(span, Description(EXECUTE_TOOL, self.name))
            enter_span(self._inside, span)
        super().enter_block(self._inside)

    def end(self, error: BaseException | None) -> None:
        """End the execution, which LangChain tells its handlers next."""
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


_AWAITING: ContextVar[LangChainToolRun | None] = ContextVar("otel_agentops.langchain_core.tool", default=None)


def read_run(args: Arguments, kwargs: Keywords) -> LangChainToolRun | None:
    """Read the tool, and the arguments that the model gave it; None if another instrumentation tells of this run."""
    tracers = () if get_default().config.mode == "own" else find_tracers()
    if OFFICIAL in tracers or OPENLLMETRY in tracers:  # their span says what it is when it starts, and is the execution
        return None
    instance = args[0]
    arguments = args[1] if len(args) > 1 else kwargs.get("tool_input")
    # A model whose client is observed told how the tool was offered.
    offer = {} if find_tool_hash(instance.name) else read_offer(instance)
    # An interrupt in a tool, or a command for the graph around; nobody raises one before langgraph is imported.
    errors = sys.modules.get("langgraph.errors")
    run = LangChainToolRun(
        instance.name,
        pauses=() if errors is None else (errors.GraphBubbleUp,),
        schema=offer.get("parameters"),
        description=offer.get("description"),
        call_id=kwargs.get("tool_call_id"),
        arguments=arguments,
    )
    run.awaits_span = get_default().config.mode != "own" and (
        OPENINFERENCE in tracers or keep_spans(kwargs.get("callbacks")) or keep_spans(instance.callbacks)
    )
    return run


def read_offer(instance: Any) -> Mapping[str, Any]:
    """Return name, description and parameters of a tool, as LangChain offers it to most models."""
    from langchain_core.utils.function_calling import convert_to_openai_tool

    offer: Mapping[str, Any] = convert_to_openai_tool(instance)["function"]
    return offer


def tell_result(run: ToolRun, result: object) -> None:
    """Tell the result: the message for the model says if an error was handled."""
    if getattr(result, "status", None) == "error":
        run.fail()
    run.record_result(getattr(result, "content", result))


def tell_documents(run: RetrieverRun, result: object) -> None:
    """Tell the documents that a retriever returned."""
    run.record_result(result)


# -- runs, as the handlers of LangChain are told of them


def _find_awaiting(library: PatchedLibrary, args: Arguments, kwargs: Keywords) -> LangChainToolRun | None:
    run = _AWAITING.get()
    return run if run is not None and run.run_id is None else None


def _begin_tool(run: LangChainToolRun, manager: RunManager, args: Arguments, kwargs: Keywords) -> None:
    run.begin(manager)


def _end_tool(library: PatchedLibrary, args: Arguments, kwargs: Keywords) -> None:
    if (run := _find_told(args[0])) is not None:
        tell_result(run, args[1] if len(args) > 1 else kwargs.get("output"))
        run.end(None)


def _fail_tool(library: PatchedLibrary, args: Arguments, kwargs: Keywords) -> None:
    if (run := _find_told(args[0])) is not None:
        run.end(args[1] if len(args) > 1 else kwargs.get("error"))


def _find_told(manager: RunManager) -> LangChainToolRun | None:
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


TOOL = ("langchain_core.tools.base", "BaseTool")
RETRIEVER = ("langchain_core.retrievers", "BaseRetriever")
MANAGERS = "langchain_core.callbacks.manager"
_TELL_TARGETS = tuple(
    Target(MANAGERS, f"{prefix}{owner}", name, wrap_step(around, is_async=bool(prefix)), parameters)
    for prefix in ("", "Async")
    for owner, name, around, parameters in (
        ("CallbackManager", "on_chat_model_start", Around(_watch_calls, _describe_calls), ()),
        ("CallbackManager", "on_tool_start", Around(_find_awaiting, _begin_tool), ()),
        ("CallbackManagerForToolRun", "on_tool_end", Around(_end_tool), ("output",)),
        ("CallbackManagerForToolRun", "on_tool_error", Around(_fail_tool), ("error",)),
    )
)
LIBRARY = PatchedLibrary(
    "langchain-core",
    ">=1.0,<2",
    (
        Target(*TOOL, "run", wrap_block(read_run, "call", tell_result), ("tool_input", "tool_call_id")),
        Target(*TOOL, "arun", wrap_block(read_run, "coroutine", tell_result), ("tool_input", "tool_call_id")),
        *TARGETS,
        *_TELL_TARGETS,
        Target(*RETRIEVER, "invoke", wrap_block(read_retriever, "call", tell_documents), ("input",)),
        Target(*RETRIEVER, "ainvoke", wrap_block(read_retriever, "coroutine", tell_documents), ("input",)),
    ),
    ClientInfo(
        operations=(
            "execute_tool (`BaseTool.run` and `arun`, which `invoke` and `ainvoke` call)",
            "retrieval (`BaseRetriever.invoke` and `ainvoke`)",
            "chat (a chat model whose provider has no client here)",
        ),
        not_covered=("chains that are no graph: they run no agent", "`stream_events(version='v3')` of such a model"),
        one_line=("effect and tier of a tool: `@tool('name', effect='read')` on its function",),
        # LangChain tells handlers which run a run is part of: their parent is not the span that is current.
        foreign_spans=ForeignSpans(own_parent_scopes=frozenset({LANGFUSE, OPENINFERENCE})),
    ),
)


class Instrumentor(_patching.Instrumentor):
    """Entry point `agentops_langchain_core`."""

    libraries = (LIBRARY,)


LangChainInstrumentor = Instrumentor  # the name that others give theirs
