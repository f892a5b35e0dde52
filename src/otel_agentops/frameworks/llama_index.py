"""LlamaIndex: each run of a workflow or an engine is a task or an agent of one, each call of a tool an execution.

Patched is the dispatcher, the library's own hook, which is told of every step in the context that the step runs in:
https://github.com/run-llama/workflows-py/blob/main/packages/llama-index-instrumentation/src/llama_index_instrumentation/dispatcher.py
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Mapping
from contextlib import ExitStack
from contextvars import ContextVar
from typing import Any, Protocol, TypeAlias
from uuid import UUID

from typing_extensions import override

from otel_agentops import _patching
from otel_agentops._client_call import active_call
from otel_agentops._foreign_spans import Description, ForeignSpans, describe_span, find_last_started
from otel_agentops._guard import guard
from otel_agentops._offered_tools import find_tool_hash
from otel_agentops._patching import ClientInfo, PatchedLibrary, Target
from otel_agentops._wrapping import Arguments, Around, Keywords, wrap_step
from otel_agentops.frameworks._llama_index_models import MODEL_METHODS, TARGETS, UNKNOWN_MODEL, ModelRun
from otel_agentops.frameworks._model_calls import FrameworkCall
from otel_agentops.frameworks._runs import INTERRUPTED, PulledRun, Run, ToolRun, continue_run, current_run
from otel_agentops.helpers import retrieval
from otel_agentops.helpers._observed import error_type_of
from otel_agentops.operations import EXECUTE_TOOL, RETRIEVAL

# The scopes of others.
OPENINFERENCE, OPENLLMETRY = "openinference.instrumentation.llama_index", "opentelemetry.instrumentation.llamaindex"
_STEP = "step"  # a wait whose question is an event that a step returned, and whose answer begins another step
HANDOFF = "handoff"  # the tool that is no more than a way to another agent
Tell: TypeAlias = "Callable[[Any], object]"  # reads the result of a step


class ToolCall(Protocol):
    """A model's call of a tool."""

    tool_name: str
    tool_id: str
    tool_kwargs: Mapping[str, object]


class Node(Protocol):
    """A node that a retriever returned."""

    node_id: str
    score: float | None

    def get_content(self) -> str:
        """Return its words."""


# -- runs


class WorkflowRun(Run):
    """One run of a workflow; an agent that it hands off to is an agent of it, until the next hand-off or the end.

    Attributes:
        waits: What the run waits for, that somebody is to answer.
        agent: The agent that it was handed to; None for the first one, which is the run itself.
    """

    def __init__(self, name: str, conversation_id: object) -> None:
        super().__init__(name, conversation_id=conversation_id)
        self.waits: set[str] = set()
        self.agent: PulledRun | None = None
        self._agent_name: str | None = None

    def begin_agent(self, name: str) -> None:
        """Begin an agent, unless it is the one that runs."""
        if name != self._agent_name and self._agent_name is not None:
            self._end_agent(None)
            self.agent = PulledRun(None, HandedOffRun(name, self), _tell_nothing)
        self._agent_name = name

    def _end_agent(self, error: BaseException | None) -> None:
        if self.agent is not None:
            self.agent.end(error)

    @override
    def exit_block(self, error: BaseException | None) -> None:
        is_stopped = self._outcome == "cancelled" if error is None else not isinstance(error, Exception)
        if self.waits and is_stopped:
            self.end_as(INTERRUPTED)
            error = None
        self._end_agent(error)
        super().exit_block(error)


class HandedOffRun(Run):
    """The part of a run that another agent does."""

    def __init__(self, name: str, whole: WorkflowRun) -> None:
        super().__init__(name)
        self.whole = whole


class EngineRun(Run):
    """One question to a query engine or a chat engine."""

    def __init__(self, engine: Any) -> None:
        memory = getattr(engine, "_memory", None)
        super().__init__(type(engine).__name__, conversation_id=getattr(memory, "session_id", None))
        self.engine = engine
        self.steps = PulledRun(None, self, _tell_nothing)


def _tell_nothing(block: Any, result: Any) -> None:
    """Leave it to the exception, or its absence, how the run ended."""


def _find_workflow_run() -> WorkflowRun | None:
    run = current_run()
    run = run.whole if isinstance(run, HandedOffRun) else run
    return run if isinstance(run, WorkflowRun) else None


def _begin_workflow(stack: ExitStack, workflow: Any, arguments: Mapping[str, Any]) -> Tell | None:
    """Begin a run in the task that does it; its method returns before that has begun."""
    if "init_state" not in arguments:
        return None
    memory = getattr(arguments.get("start_event"), "memory", None)
    run = WorkflowRun(_name_workflow(workflow), getattr(memory, "session_id", None))
    _begin_run(stack, PulledRun(None, run, _tell_nothing))
    # A run that the application cancels ends without a result.
    return lambda result: run.end_as("cancelled") if result is None else None


def _name_workflow(workflow: Any) -> str:
    """Return the name that the program gave it, else that of its first agent, else its class."""
    for attribute in ("_workflow_name", "name", "root_agent"):
        if isinstance(name := getattr(workflow, attribute, None), str):
            return name
    return type(workflow).__name__


def _begin_engine(stack: ExitStack, engine: Any, arguments: Mapping[str, Any]) -> Tell | None:
    from llama_index.core.base.base_query_engine import BaseQueryEngine
    from llama_index.core.chat_engine.types import BaseChatEngine

    outer = current_run()
    if not isinstance(engine, (BaseQueryEngine, BaseChatEngine)):
        return None
    if isinstance(outer, EngineRun) and outer.engine is engine:  # a method of it that calls another
        return None
    run = EngineRun(engine)
    _begin_run(stack, run.steps)

    def tell_answer(answer: Any) -> None:
        # A chat makes a stream of its own each time that it is pending for one.
        if "response_gen" in getattr(answer, "__dict__", ()):
            answer.response_gen = continue_run(run.steps, answer.response_gen)

    return tell_answer


def _begin_run(stack: ExitStack, steps: PulledRun) -> None:
    """Begin a run, which ends with the stack unless a stream of it goes on."""
    stack.push(lambda kind, error, trace: steps.end(error))
    stack.enter_context(steps.pull())


def _see_chat_stream(library: PatchedLibrary, args: Arguments, kwargs: Keywords) -> None:
    """Let a run go on while its chat is streamed, which a thread or a task of the library reads."""
    run, chat = current_run(), args[0]
    if library.active and isinstance(run, EngineRun):
        for attribute in ("chat_stream", "achat_stream"):
            if (stream := getattr(chat, attribute)) is not None:
                setattr(chat, attribute, continue_run(run.steps, stream))


# -- retrievers


def _begin_retrieval(stack: ExitStack, retriever: Any, arguments: Mapping[str, Any]) -> Tell | None:
    from llama_index.core.base.base_retriever import BaseRetriever

    if not isinstance(retriever, BaseRetriever):
        return None
    index, query = getattr(retriever, "_index", None), arguments.get("str_or_query_bundle")
    model = getattr(getattr(index, "_embed_model", None), "model_name", None)
    block = retrieval(
        _name_index(retriever, index),
        embedding_model=None if model == UNKNOWN_MODEL else model,
        top_k=getattr(retriever, "similarity_top_k", getattr(retriever, "_similarity_top_k", None)),
        query=query if isinstance(query, str) else getattr(query, "query_str", None),
    )
    stack.enter_context(block)
    return lambda nodes: block.documents(list(map(_describe_node, nodes)))


def _name_index(retriever: Any, index: Any) -> str:
    """Return the id of the index, if the program gave it one, else the name of its store, else the retriever's class.

    An id that the library makes up is another one in each process, and names nothing.
    """
    store = getattr(retriever, "_vector_store", None)
    names = [getattr(index, "index_id", None)]
    names += [getattr(store, attribute, None) for attribute in ("collection_name", "index_name", "table_name")]
    return next((name for name in names if isinstance(name, str) and not _is_uuid(name)), type(retriever).__name__)


def _is_uuid(text: str) -> bool:
    try:
        return bool(UUID(text))
    except ValueError:
        return False


def _describe_node(node: Node) -> Mapping[str, object]:
    return {"id": node.node_id, "score": node.score, "content": node.get_content()}


# -- tools


class PendingCall:
    """A model's call of a tool, which a step of an agent does.

    Attributes:
        call: The call.
        has_run: True as soon as the tool runs.
    """

    def __init__(self, call: ToolCall) -> None:
        self.call = call
        self.has_run = False


_CALL: ContextVar[PendingCall | None] = ContextVar("otel_agentops.llama_index.call", default=None)


def _begin_call(stack: ExitStack, agent: Any, arguments: Mapping[str, Any]) -> Tell | None:
    """Remember the call that a step does, because the tool is not told its id."""
    call: Any = arguments.get("ev")
    if not hasattr(call, "tool_id"):
        return None
    pending = PendingCall(call)
    stack.callback(_CALL.reset, _CALL.set(pending))
    return lambda result: _tell_refusal(pending, result)


def _tell_refusal(pending: PendingCall, result: Any) -> None:
    """Tell the failure of a call for which there is no tool."""
    call = pending.call
    if not pending.has_run and result is not None and result.tool_output.is_error:
        with ToolRun(call.tool_name, call_id=call.tool_id, arguments=call.tool_kwargs) as run:
            run.fail()


def _begin_tool(stack: ExitStack, instance: Any, arguments: Mapping[str, Any]) -> Tell | None:
    from llama_index.core.tools.types import BaseTool

    if not isinstance(instance, BaseTool):
        return None
    pending, name = _CALL.get(), str(instance.metadata.name)
    pending = pending if pending is not None and pending.call.tool_name == name else None
    if pending is not None:
        pending.has_run = True
    # The client of MCP tells more of the tools of a server.
    function = getattr(instance, "real_fn", None)
    if name == HANDOFF or str(getattr(function, "__module__", None)).startswith("llama_index.tools.mcp"):
        return None
    # A model whose client is observed told how the tool was offered; a ReAct agent offers it as a text.
    offer = {} if find_tool_hash(name) else instance.metadata.to_openai_tool(skip_length_check=True)["function"]
    waits = sys.modules.get("workflows.runtime.types.results")
    block = ToolRun(
        name,
        pauses=() if waits is None else (waits.WaitingForEvent,),
        schema=offer.get("parameters"),
        description=offer.get("description"),
        call_id=None if pending is None else pending.call.tool_id,
        arguments=_read_arguments(arguments) if pending is None else pending.call.tool_kwargs,
    )
    stack.enter_context(block)

    def tell_output(output: Any) -> None:
        if getattr(output, "is_error", False):
            block.fail(error_type_of(output.exception) or "tool_error")
        block.record_result(getattr(output, "raw_output", output))

    return tell_output


def _read_arguments(arguments: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """Return the arguments of a tool by name; None if the method takes them by position."""
    named = {**arguments, **arguments.get("kwargs", {})}
    named.pop("kwargs", None)
    return None if named.pop("args", None) else named


# -- models


def _begin_call_inside(stack: ExitStack, model: Any, arguments: Mapping[str, Any]) -> Tell | None:
    """Tell a call inside the span that somebody else has of it: that ends before the method returns to us."""
    call = active_call(ModelRun)
    if not isinstance(call, FrameworkCall) or find_last_started(OPENINFERENCE) is None:
        return None
    stack.push(lambda kind, error, trace: None if error is None else call.start_late())
    return call.response_received


def _begin_stream_inside(stack: ExitStack, model: Any, arguments: Mapping[str, Any]) -> None:
    """Remember the span that somebody else has of a stream, until its first chunk comes."""
    call = active_call(ModelRun)
    if isinstance(call, FrameworkCall):
        call.foreign_span = find_last_started(OPENINFERENCE)


# -- waits: a step, or a tool in it, that waits is stopped by an exception, and done again with the answer


def _begin_wait(library: PatchedLibrary, args: Arguments, kwargs: Keywords) -> WorkflowRun | None:
    return _find_workflow_run() if library.active else None


def _end_wait(run: WorkflowRun, event: object, args: Arguments, kwargs: Keywords) -> None:
    run.waits.discard(_name_wait(args, kwargs))


def _see_wait(run: WorkflowRun, error: BaseException, args: Arguments, kwargs: Keywords) -> None:
    change = run.waits.add if type(error).__name__ == "WaitingForEvent" else run.waits.discard
    change(_name_wait(args, kwargs))


def _name_wait(args: Arguments, kwargs: Keywords) -> str:
    """Return what tells one wait from another, as the library does: its id, else the event and its requirements."""
    named = dict(zip(("context", "event_type", "waiter_event", "waiter_id", "requirements"), args, strict=False))
    named |= kwargs
    waiter_id = named.get("waiter_id")
    return str(waiter_id or (named["event_type"], named.get("requirements")))


# -- the dispatcher

# By method: begins what the method is, and returns how its result is told; None for what is not observed.
_BEGIN: Mapping[str, Callable[[ExitStack, Any, Mapping[str, Any]], Tell | None]] = {
    "run": _begin_workflow,
    **dict.fromkeys(("query", "aquery", "chat", "achat", "stream_chat", "astream_chat"), _begin_engine),
    "call_tool": _begin_call,
}
_RETRIEVE = ("retrieve", "aretrieve")
# Of what begins after others have made their span, which may stand for it, and ends before that.
_BEGIN_INSIDE = {
    **dict.fromkeys(("__call__", "call", "acall"), _begin_tool),
    **dict.fromkeys(_RETRIEVE, _begin_retrieval),
    **dict.fromkeys(("chat", "achat", "complete", "acomplete"), _begin_call_inside),
    **dict.fromkeys(("stream_chat", "astream_chat", "stream_complete", "astream_complete"), _begin_stream_inside),
}


class Step:
    """A step that the library has told of, until it ends.

    Attributes:
        stack: All that is to be left with it.
        tell: Reads its result; None if nobody wants it.
    """

    def __init__(self) -> None:
        self.stack = ExitStack()
        self.tell: Tell | None = None

    @guard
    def leave(self, result: Any, error: BaseException | None) -> None:
        """Tell the result, and leave all that was entered."""
        try:
            if error is None and self.tell is not None:
                self.tell(result)
        finally:
            self.stack.__exit__(None if error is None else type(error), error, None)


_STEPS: dict[str, Step] = {}  # by the id that the library gave it
_INNER_STEPS: dict[str, Step] = {}


def _enter_step(library: PatchedLibrary, args: Arguments, kwargs: Keywords) -> PatchedLibrary | None:
    if not library.active or "bound_args" not in kwargs:
        return None
    step_id, arguments = kwargs["id_"], kwargs["bound_args"].arguments
    begin = _BEGIN.get(_name_method(step_id))
    agent = None
    if isinstance(run := current_run(), WorkflowRun):
        _see_events(run, arguments.values())
        agent = run.agent
    if begin is not None or agent is not None:
        _STEPS[step_id] = step = Step()
        if agent is not None:
            step.stack.enter_context(agent.pull())
        if begin is not None:
            step.tell = begin(step.stack, kwargs.get("instance"), arguments)
    return library


def _enter_inner_step(library: PatchedLibrary, result: None, args: Arguments, kwargs: Keywords) -> None:
    step_id, instance = kwargs["id_"], kwargs.get("instance")
    _describe_span(step_id, instance)
    if (begin := _BEGIN_INSIDE.get(_name_method(step_id))) is not None:
        _INNER_STEPS[step_id] = step = Step()
        step.tell = begin(step.stack, instance, kwargs["bound_args"].arguments)


def _name_method(step_id: str) -> str:
    return step_id.partition("-")[0].rpartition(".")[2]


def _describe_span(step_id: str, instance: Any) -> None:
    """Say of OpenInference's span of a step what it stands for, which it says itself when it ends."""
    if (span := find_last_started(OPENINFERENCE)) is None:
        return
    from llama_index.core.base.base_retriever import BaseRetriever
    from llama_index.core.base.embeddings.base import BaseEmbedding
    from llama_index.core.base.llms.base import BaseLLM
    from llama_index.core.tools.types import BaseTool

    method = _name_method(step_id)
    if isinstance(instance, BaseTool):
        description = Description(EXECUTE_TOOL, str(instance.metadata.name))
    elif isinstance(instance, BaseEmbedding):
        description = Description("embeddings")
    elif isinstance(instance, BaseLLM) and method in MODEL_METHODS:
        description = Description("chat")
    elif isinstance(instance, BaseRetriever) and method in _RETRIEVE:
        description = Description(RETRIEVAL)
    else:
        return
    if getattr(span, "name", None) == step_id.partition("-")[0]:
        describe_span(span, description)


def _see_events(run: WorkflowRun, arguments: Iterable[object]) -> None:
    """See which agent does a step of a workflow, and if it has got the answer of somebody."""
    from llama_index.core.workflow import Event, HumanResponseEvent

    for event in arguments:
        if isinstance(event, HumanResponseEvent):
            run.waits.discard(_STEP)
        elif isinstance(event, Event) and isinstance(name := getattr(event, "current_agent_name", None), str):
            run.begin_agent(name)


def _find_step(library: PatchedLibrary, args: Arguments, kwargs: Keywords) -> Step | None:
    """Return a step that is about to end; those whom the library tells of it may have put a span inside of ours."""
    if type(kwargs.get("result")).__name__ == "InputRequiredEvent" and (run := _find_workflow_run()) is not None:
        run.waits.add(_STEP)
    step_id = kwargs.get("id_", "")
    if (inner := _INNER_STEPS.pop(step_id, None)) is not None:
        inner.leave(kwargs.get("result"), kwargs.get("err"))
    return _STEPS.pop(step_id, None)


def _exit_step(step: Step, result: None, args: Arguments, kwargs: Keywords) -> None:
    step.leave(kwargs.get("result"), kwargs.get("err"))


_DISPATCHER = ("llama_index.core.instrumentation", "Dispatcher")
_ENTER = wrap_step(Around(_enter_step, _enter_inner_step))
_END = wrap_step(Around(_find_step, _exit_step))
LIBRARY = PatchedLibrary(
    "llama-index-core",
    ">=0.14.5,<0.15",
    (
        Target(*_DISPATCHER, "span_enter", _ENTER, ("id_", "bound_args", "instance")),
        Target(*_DISPATCHER, "span_exit", _END, ("id_", "result")),
        Target(*_DISPATCHER, "span_drop", _END, ("id_", "err")),
        Target(
            "llama_index.core.workflow",
            "Context",
            "wait_for_event",
            wrap_step(Around(_begin_wait, _end_wait, _see_wait), is_async=True),
            ("event_type", "waiter_id", "requirements"),
        ),
        Target(
            "llama_index.core.chat_engine.types",
            "StreamingAgentChatResponse",
            "__post_init__",
            wrap_step(Around(_see_chat_stream)),
        ),
        *TARGETS,
    ),
    ClientInfo(
        operations=(
            "invoke_workflow or invoke_agent (a workflow, an agent, a query engine, a chat engine)",
            "execute_tool",
            "retrieval (`BaseRetriever.retrieve` and `aretrieve`)",
            "chat and text_completion (a model whose provider has no client here)",
        ),
        not_covered=("steps that durable runtimes run in another process",),
        one_line=(
            "a name of a task of an engine: `with task('support'):` around it",
            "effect and tier of a tool: `@tool('name', effect='read')` on its function",
        ),
        unknown=("the version of an index, unless a store inside tells it",),
        foreign_spans=ForeignSpans(
            suppressing_scopes=frozenset({OPENLLMETRY}), own_parent_scopes=frozenset({OPENINFERENCE})
        ),
    ),
)


class Instrumentor(_patching.Instrumentor):
    """Entry point `agentops_llama_index`."""

    libraries = (LIBRARY,)


LlamaIndexInstrumentor = Instrumentor  # the name that others give theirs
