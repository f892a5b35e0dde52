"""Claude Agent SDK: each query is a task or an agent of one, by what the Claude Code program says of it.

That program calls the model and runs the tools, in a process of its own. So a tool begins and ends when the message
about it is read. A call of a model has no span, because no message says when it began: it is in the sums alone.
Patched are the streams of messages that an application reads:
https://github.com/anthropics/claude-agent-sdk-python/blob/main/src/claude_agent_sdk/_internal/client.py
"""

from __future__ import annotations

from collections.abc import Mapping
from contextvars import Context, copy_context
from typing import Any, NamedTuple
from weakref import WeakKeyDictionary

from typing_extensions import override

from otel_agentops import _patching
from otel_agentops._block import Block
from otel_agentops._observation import Observation
from otel_agentops._patching import ClientInfo, PatchedLibrary, Target
from otel_agentops._telemetry import get_default
from otel_agentops._wrapping import Arguments, Keywords
from otel_agentops.frameworks._runs import INTERRUPTED, Run, wrap_block
from otel_agentops.frameworks.mcp._library import LIBRARY as MCP
from otel_agentops.helpers import tool
from otel_agentops.operations import OTHER_ERROR, Answer, Fetch, ModelCall
from otel_agentops.semconv import attributes as A

_UNNAMED = "claude_agent"
_INPUT = ("inputTokens", "cacheReadInputTokens", "cacheCreationInputTokens")


class Totals(NamedTuple):
    """The tokens and US dollars of a session so far, which the program counts from its start."""

    input_tokens: int = 0
    output_tokens: int = 0
    usd: float = 0.0


class Part(NamedTuple):
    """A tool or an agent that has begun: what is below it begins in its context."""

    block: Block
    context: Context
    name: str


def begin_part(block: Block, name: str, within: Context) -> Part:
    """Begin a tool or an agent in a context of its own, because the application reads on in its own."""
    context = within.copy()
    context.run(block.__enter__)
    return Part(block, context, name)


def end_part(part: Part, error: BaseException | None = None) -> None:
    """End a tool or an agent."""
    part.context.run(part.block.__exit__, None if error is None else type(error), error, None)


class QueryRun(Run):
    """One query, from the first message that is read to its result.

    Args:
        options: Those of the session.
        session: The client that keeps it for several queries; None if it has one alone.
    """

    def __init__(self, options: Any, session: object = None) -> None:
        super().__init__(_UNNAMED, conversation_id=getattr(options, "resume", None))
        servers = getattr(options, "mcp_servers", None)
        named = servers.items() if isinstance(servers, Mapping) else ()
        # Their tools run in this process, where the server's spans tell more.
        own = [name for name, config in named if isinstance(config, Mapping) and config.get("type") == "sdk"]
        self._served_here = tuple(f"mcp__{name}__" for name in own)
        self._session = session
        self._before = Totals()
        self._requested: str | None = None
        self._pending: Answer | None = None  # of the last call of a model
        self._message_ids: set[str] = set()
        self._tools: dict[str, Part] = {}
        self._agents: dict[str, Part] = {}  # by the id of the tool call that started each
        self._background: set[str] = set()  # those of them that go on after that tool has returned

    def see_message(self, message: Any) -> None:
        """Record what a message says."""
        kind = type(message).__name__
        if kind == "SystemMessage" and message.subtype == "init":
            self._requested = message.data.get("model")
            self._tell_conversation(message.data.get("session_id"))
        elif kind == "AssistantMessage":
            self._see_answer(message)
        elif kind == "UserMessage" and isinstance(message.content, list):
            for block in message.content:
                if type(block).__name__ == "ToolResultBlock":
                    self._end_tool(block)
        elif kind == "TaskStartedMessage":
            self._begin_agent(message)
        elif kind == "TaskNotificationMessage" and message.tool_use_id in self._background:
            self._end_agent(message.tool_use_id, has_failed=message.status != "completed")
        elif kind == "ResultMessage":
            self._see_result(message)

    def _tell_conversation(self, session_id: object) -> None:
        span = self._observation and self._observation.span
        if span and isinstance(session_id, str):
            span.set_server({A.GEN_AI_CONVERSATION_ID: session_id})

    def _see_answer(self, message: Any) -> None:
        within = self._context_of(message.parent_tool_use_id)
        # Each block of an answer is a message of its own, with the id of the answer.
        if message.message_id is not None and message.message_id not in self._message_ids:
            self._message_ids.add(message.message_id)
            self._record_call(usd=0.0)  # the result tells the sum of all, which the last one gets
            self._pending = Answer(message.model, {})
        for block in message.content:
            if type(block).__name__ == "ToolUseBlock" and not self._is_served_here(block.name):
                execution = tool(block.name, call_id=block.id, arguments=block.input)
                name = str(block.input.get("subagent_type") or block.name)
                self._tools[block.id] = begin_part(execution, name, within)

    def _is_served_here(self, name: str) -> bool:
        return MCP.active and name.startswith(self._served_here)

    def _begin_agent(self, message: Any) -> None:
        """Begin an agent that may go on after the tool that started it; a shell is none."""
        started_by = self._tools.get(message.tool_use_id)
        if message.task_type == "local_agent" and started_by is not None:
            self._background.add(message.tool_use_id)
            self._agents[message.tool_use_id] = begin_part(Run(started_by.name), started_by.name, started_by.context)

    def _end_agent(self, tool_use_id: str, has_failed: bool = False) -> None:
        self._background.discard(tool_use_id)
        if (agent := self._agents.pop(tool_use_id, None)) is not None:
            if has_failed and isinstance(agent.block, Run):
                agent.block.end_as("failed", OTHER_ERROR)
            end_part(agent)

    def _context_of(self, tool_use_id: str | None) -> Context:
        """Return the context of the agent that a tool has started; that of the query itself for None."""
        if tool_use_id in self._agents:
            return self._agents[tool_use_id].context
        if tool_use_id is None or (started_by := self._tools.get(tool_use_id)) is None:
            return copy_context()
        self._agents[tool_use_id] = begin_part(Run(started_by.name), started_by.name, started_by.context)
        return self._agents[tool_use_id].context

    def _end_tool(self, result: Any) -> None:
        if result.tool_use_id not in self._background:
            self._end_agent(result.tool_use_id)
        if (execution := self._tools.pop(result.tool_use_id, None)) is not None:
            assert isinstance(execution.block, tool)
            if result.is_error:
                execution.block.fail()
            else:
                execution.block.record_result(result.content)
            end_part(execution)

    def _see_result(self, message: Any) -> None:
        before, after = self._read_before(), read_totals(message)
        if self._session is not None:
            SESSIONS[self._session] = after
        self._before = after
        if after.usd < before.usd:  # the conversation was reset, and counts from its start again
            before = Totals()
        self._record_call(usd=None if message.total_cost_usd is None else after.usd - before.usd)
        if message.model_usage:
            tokens = (after.input_tokens - before.input_tokens, after.output_tokens - before.output_tokens)
            self._observe(Fetch(None, {}), Answer(None, {}, *tokens))
        reason = str(getattr(message, "terminal_reason", None) or "")
        if reason.startswith("aborted"):
            self.end_as("cancelled")
        elif getattr(message, "deferred_tool_use", None) is not None:
            self.end_as(INTERRUPTED)
        elif message.is_error:
            status = getattr(message, "api_error_status", None)
            self.end_as("failed", str(status) if message.subtype == "success" and status else message.subtype)

    def _read_before(self) -> Totals:
        return self._before if self._session is None else SESSIONS.get(self._session, Totals())

    def _record_call(self, usd: float | None) -> None:
        """Add the last call of a model to the sums of the task."""
        pending, self._pending = self._pending, None
        if pending is not None:
            self._observe(ModelCall("chat", None, self._requested, {}), pending._replace(usd=usd))

    def _observe(self, operation: ModelCall | Fetch, answer: Answer) -> None:
        observation = Observation(get_default())
        observation.adopt(operation, self._scope)
        observation.finish(answer)

    @override
    def exit_block(self, error: BaseException | None) -> None:
        self._record_call(usd=None)
        for part in (*self._agents.values(), *self._tools.values()):
            if error is None and isinstance(part.block, tool):
                part.block.fail(OTHER_ERROR)  # its result never came
            end_part(part, error)
        super().exit_block(error)


SESSIONS: WeakKeyDictionary[object, Totals] = WeakKeyDictionary()


def read_totals(result: Any) -> Totals:
    """Read the tokens and the cost of a session up to a result; sub-agents are a part of it."""
    usages = [usage for usage in (result.model_usage or {}).values() if isinstance(usage, Mapping)]
    input_tokens = sum(int(usage.get(name) or 0) for usage in usages for name in _INPUT)
    output_tokens = sum(int(usage.get("outputTokens") or 0) for usage in usages)
    return Totals(input_tokens, output_tokens, float(result.total_cost_usd or 0.0))


def read_query(args: Arguments, kwargs: Keywords) -> QueryRun:
    """Read the options of a query that has a session of its own."""
    return QueryRun(args[2] if len(args) > 2 else kwargs.get("options"))


def read_response(args: Arguments, kwargs: Keywords) -> QueryRun:
    """Read the options of a client, whose session has several queries."""
    return QueryRun(args[0].options, args[0])


LIBRARY = PatchedLibrary(
    "claude-agent-sdk",
    ">=0.2.189,<0.3",
    (
        Target(
            "claude_agent_sdk._internal.client",
            "InternalClient",
            "process_query",
            wrap_block(read_query, "async_iterator", QueryRun.see_message),
            ("prompt", "options"),
        ),
        Target(
            "claude_agent_sdk.client",
            "ClaudeSDKClient",
            "receive_response",
            wrap_block(read_response, "async_iterator", QueryRun.see_message),
        ),
    ),
    ClientInfo(
        operations=("invoke_workflow or invoke_agent (a query)", "execute_tool"),
        not_covered=(
            "`receive_messages`, which has no end",
            "spans of model calls: they are in the sums alone",
            "the schema of a tool",
        ),
    ),
)


class Instrumentor(_patching.Instrumentor):
    """Entry point `agentops_claude_agent_sdk`."""

    libraries = (LIBRARY,)


ClaudeAgentSDKInstrumentor = Instrumentor  # the name that others give theirs
