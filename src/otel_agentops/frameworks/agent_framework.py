"""Microsoft's Agent Framework: each run of an agent is a task or an agent of one.

The library traces itself as soon as there is a global tracer provider, so its spans of models and tools are enriched.
Patched is `Agent.run`, which returns an awaitable or a stream that has hooks of its own:
https://github.com/microsoft/agent-framework/blob/main/python/packages/core/agent_framework/_agents.py
"""

from __future__ import annotations

import weakref
from collections.abc import Awaitable
from typing import Any, Protocol

from otel_agentops import _patching
from otel_agentops._deferred_work import defer
from otel_agentops._guard import guard
from otel_agentops._patching import ClientInfo, Method, PatchedLibrary, Target
from otel_agentops.frameworks._agent_framework_models import TARGET as MODELS
from otel_agentops.frameworks._runs import INTERRUPTED, PulledRun, Run


class Answer(Protocol):
    """A response, or a part of one that is streamed."""

    user_input_requests: list[object]


@guard
def read_run(agent: Any, session: Any) -> Run:
    """Read the agent's name, and the session that the application keeps."""
    return Run(agent.name or agent.id, conversation_id=getattr(session, "session_id", None), has_native_span=True)


@guard
def tell_answer(run: Run, answer: Answer) -> None:
    """Tell that the run waits for somebody, who is to confirm a call of a tool."""
    if answer.user_input_requests:
        run.end_as(INTERRUPTED)


def wrap_run(original: Method, library: PatchedLibrary) -> Method:
    """Return the wrapper of a method that returns an awaitable, or a stream if it is asked for one."""

    def run(*args: Any, **kwargs: Any) -> Any:
        block = read_run(args[0], kwargs.get("session")) if library.active else None
        if block is None:
            return original(*args, **kwargs)
        if not kwargs.get("stream"):
            return finish(block, original(*args, **kwargs))
        steps = PulledRun(None, block, tell_answer)
        try:
            with steps.pull():  # the library starts its span before there is a stream
                stream = original(*args, **kwargs)
        except BaseException:
            steps.close()
            raise
        follow(stream, steps, block)
        return stream

    async def finish(block: Run, answer: Awaitable[Any]) -> Any:
        with block:
            result = await answer
            tell_answer(block, result)
            return result

    return run


@guard
def follow(stream: Any, steps: PulledRun, run: Run) -> None:
    """Have the library enter the run around each step of the stream, and end it after the last."""
    # First, as what the library enters makes its own span current, which is to be below ours.
    stream._pull_context_manager_factories.insert(0, steps.pull)
    stream.with_transform_hook(lambda update: tell_answer(run, update))
    stream.with_cleanup_hook(steps.close)
    # A stream that is dropped is a cycle, whose parts the garbage collector would end in any order.
    weakref.finalize(stream, defer, steps.close).atexit = False


LIBRARY = PatchedLibrary(
    "agent-framework-core",
    ">=1.10,<2",
    (Target("agent_framework._agents", "Agent", "run", wrap_run, ("stream", "session")), MODELS),
    ClientInfo(
        operations=(
            "invoke_workflow or invoke_agent (`Agent.run`, streamed or not)",
            "chat (a model whose provider has no client here)",
        ),
        native="on if there is a global tracer provider: its spans are below ours, and get what they lack",
        not_covered=("a run of a workflow, whose agents are observed one by one",),
        one_line=("a run of a workflow: `with task('support'):` around it",),
        unknown=("tools without its own tracing",),
    ),
)


class Instrumentor(_patching.Instrumentor):
    """Entry point `agentops_agent_framework`."""

    libraries = (LIBRARY,)


AgentFrameworkInstrumentor = Instrumentor  # the name that others give theirs
