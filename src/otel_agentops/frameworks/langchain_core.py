"""LangChain: each run of a tool is one execution, and each run of a retriever one retrieval.

Patched is the base class of all tools, whose subclasses write what happens inside:
https://github.com/langchain-ai/langchain/blob/master/libs/core/langchain_core/tools/base.py
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import Any

from typing_extensions import override

from otel_agentops import _patching
from otel_agentops._foreign_spans import ForeignSpans
from otel_agentops._offered_tools import find_tool_hash
from otel_agentops._patching import ClientInfo, PatchedLibrary, Target
from otel_agentops._telemetry import get_default
from otel_agentops._wrapping import Arguments, Keywords
from otel_agentops.frameworks import _langchain_retries
from otel_agentops.frameworks._langchain_handlers import HANDLER_TARGETS, AwaitedRun
from otel_agentops.frameworks._langchain_models import TARGETS
from otel_agentops.frameworks._langchain_retrievers import RetrieverRun, read_retriever
from otel_agentops.frameworks._langchain_tracers import (
    LANGFUSE,
    OFFICIAL,
    OPENINFERENCE,
    OPENLLMETRY,
    find_tracers,
    keep_spans,
)
from otel_agentops.frameworks._runs import ToolRun, wrap_block
from otel_agentops.operations import EXECUTE_TOOL


class LangChainToolRun(AwaitedRun, ToolRun):
    """One run of a tool of LangChain."""

    operation = EXECUTE_TOOL

    @override
    def tell(self, result: object) -> None:
        tell_result(self, result)


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


TOOL = ("langchain_core.tools.base", "BaseTool")
RETRIEVER = ("langchain_core.retrievers", "BaseRetriever")
LIBRARY = PatchedLibrary(
    "langchain-core",
    ">=1.0,<2",
    (
        Target(*TOOL, "run", wrap_block(read_run, "call", tell_result), ("tool_input", "tool_call_id")),
        Target(*TOOL, "arun", wrap_block(read_run, "coroutine", tell_result), ("tool_input", "tool_call_id")),
        *TARGETS,
        *HANDLER_TARGETS,
        *_langchain_retries.TARGETS,
        Target(*RETRIEVER, "invoke", wrap_block(read_retriever, "call", tell_documents), ("input",)),
        Target(*RETRIEVER, "ainvoke", wrap_block(read_retriever, "coroutine", tell_documents), ("input",)),
    ),
    ClientInfo(
        operations=(
            "execute_tool (`BaseTool.run` and `arun`, which `invoke` and `ainvoke` call)",
            "retrieval (`BaseRetriever.invoke` and `ainvoke`)",
            "chat (a chat model whose provider has no client here)",
            "`otel_agentops.retry.level` of a call that a parser asks again",
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
