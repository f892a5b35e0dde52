"""Operations that are observed and their results, as plain values: the one vocabulary of adapters and sinks.

Each record knows its operation name, span name and span kind, and carries what its identity is made of. No
OpenTelemetry is imported here. The records are tuples: they are made on every call, and a frozen dataclass costs ten
times a tuple to build. Attribute mappings use the registered names of `otel_agentops.semconv`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple, TypeAlias

Value: TypeAlias = "str | bool | int | float | Sequence[str] | Sequence[bool] | Sequence[int] | Sequence[float]"
Attributes: TypeAlias = "dict[str, Value]"

NO_ATTRIBUTES: Attributes = {}  # never written to
NO_VALUE = object()  # of a tool whose result nobody tells: None is a result
UNHASHED = (
    ...
)  # a parameter whose value differs on every call: it is no part of the identity, and no JSON is equal to it

INFERENCE = frozenset({"chat", "generate_content", "text_completion"})
MODEL_CALLS = INFERENCE | {"embeddings"}
INVOKE_AGENT = "invoke_agent"
AGENT_RUNS = frozenset({INVOKE_AGENT, "invoke_workflow"})
FETCH = "fetch_response"
RETRIEVAL = "retrieval"
EXECUTE_TOOL = "execute_tool"
EVALUATE = "evaluate"

CLIENT = "client"
INTERNAL = "internal"
SERVER = "server"


class ModelCall(NamedTuple):
    """One call of a model as it goes on the wire: an inference, an embedding or a ranking.

    Attributes:
        operation: `gen_ai.operation.name`.
        provider: `gen_ai.provider.name`; None if it is not known yet.
        model: The model asked for; None if the body names none.
        attributes: Further convention attributes of the request.
        instructions: Texts (or JSON parts) of the system and developer turns, in order; empty if there are none, None
            if the body cannot be read.
        tools: The tools offered, in their wire form.
        normalise_tool: Wire form of one tool to its identity material {name, description, input_schema, ...}.
        params: The parameters that shape the answer beside prompt, model and tools; a sampling parameter that the
            request leaves to the provider is None, and a seed is `UNHASHED`.
        default_params: Parameters that the client library fills in by itself with this very value.
        prompt: Name and version of a prompt template kept by the provider; None if none is used.
        is_tool_forced: True if the model has to call one certain tool: that call is the form of the answer, and
            nothing to execute.
        data_source_id: The knowledge base that the provider searches for this call; None if there is none.
        routed_model: The model that is sent, if the application asked for it by a router's name.
    """

    operation: str
    provider: str | None
    model: str | None
    attributes: Attributes
    instructions: tuple[Any, ...] | None = ()
    tools: Sequence[Any] | None = None
    normalise_tool: Callable[[Any], dict[str, Any]] | None = None
    params: Mapping[str, Any] | None = None
    default_params: Mapping[str, Value] | None = None
    prompt: tuple[str, str | None] | None = None
    is_tool_forced: bool = False
    data_source_id: str | None = None
    routed_model: str | None = None

    @property
    def span_name(self) -> str:
        """Return the convention's `{operation} {model}`."""
        target = self.model or self.data_source_id
        return f"{self.operation} {target}" if target else self.operation

    @property
    def span_kind(self) -> str:
        """Return the span kind: a model call leaves the process."""
        return CLIENT

    @property
    def is_inference(self) -> bool:
        """Return True if the model generates something."""
        return self.operation in INFERENCE

    def matches(self, other: LibraryOperation) -> bool:
        """Return True if both are of one kind: a text may be completed by a chat."""
        return self.operation == other.operation or {self.operation, other.operation} <= INFERENCE


class Fetch(NamedTuple):
    """A response that was generated before is fetched; no model runs for it.

    Attributes:
        provider: `gen_ai.provider.name`.
        attributes: Further convention attributes of the request.
    """

    provider: str | None
    attributes: Attributes

    @property
    def operation(self) -> str:
        """Return `gen_ai.operation.name`."""
        return FETCH

    @property
    def model(self) -> None:
        """Return None: nobody names a model to fetch its answer."""
        return

    @property
    def span_name(self) -> str:
        """Return the operation: a response id would make every name another."""
        return FETCH

    @property
    def span_kind(self) -> str:
        """Return the span kind: a fetch leaves the process."""
        return CLIENT

    def matches(self, other: LibraryOperation) -> bool:
        """Return True if both fetch."""
        return other.operation == FETCH


class Retrieval(NamedTuple):
    """Documents are looked up in an index; no model is called that anybody could name.

    Attributes:
        data_source_id: The index or knowledge base as the application asked for it.
        version: The version of the index that answers; None if nobody tells.
        provider: `gen_ai.provider.name` of a hosted knowledge base; None for an index of the application.
        attributes: Further convention attributes of the request.
    """

    data_source_id: str
    version: str | None
    provider: str | None
    attributes: Attributes

    @property
    def operation(self) -> str:
        """Return `gen_ai.operation.name`."""
        return RETRIEVAL

    @property
    def model(self) -> None:
        """Return None: the model that embeds the query is an attribute of the index."""
        return

    @property
    def span_name(self) -> str:
        """Return the convention's `retrieval {data source}`."""
        return f"{RETRIEVAL} {self.data_source_id}"

    @property
    def span_kind(self) -> str:
        """Return the span kind: most indexes are another process."""
        return CLIENT

    def matches(self, other: LibraryOperation) -> bool:
        """Return True if both are retrievals."""
        return other.operation == RETRIEVAL


class ToolCall(NamedTuple):
    """One execution of a tool.

    Attributes:
        name: `gen_ai.tool.name`.
        attributes: Further attributes: version, effect, tier, call id.
        schema: Identity material {name, description, input_schema, ...} if the caller knows it; None if the hash under
            which the tool was last offered to a model is used.
        arguments_hash: Hash of the normalised arguments, of this process alone; None if they cannot be read.
        span_kind: `client` if the tool runs in another process, `server` if it runs here for one.
        method: Protocol method before the tool's name in the span name, e.g. `tools/call` of MCP.
    """

    name: str
    attributes: Attributes
    schema: Mapping[str, Any] | None = None
    arguments_hash: int | None = None
    span_kind: str = INTERNAL
    method: str = EXECUTE_TOOL

    @property
    def operation(self) -> str:
        """Return `gen_ai.operation.name`."""
        return EXECUTE_TOOL

    @property
    def span_name(self) -> str:
        """Return the convention's `execute_tool {tool}`, or `tools/call {tool}` of MCP."""
        return f"{self.method} {self.name}"

    def matches(self, other: LibraryOperation) -> bool:
        """Return True if both execute the same tool."""
        return isinstance(other, ToolCall) and other.name == self.name


class AgentRun(NamedTuple):
    """One run of an agent, or of a whole task, which the convention calls a workflow.

    Attributes:
        name: The agent's or the task's name.
        attributes: Further attributes.
        is_task: True for the root that error budgets count.
        depth: How many agents deep below its task; 0 for the task itself.
    """

    name: str
    attributes: Attributes
    is_task: bool = False
    depth: int = 1

    @property
    def operation(self) -> str:
        """Return `gen_ai.operation.name`."""
        return "invoke_workflow" if self.is_task else INVOKE_AGENT

    @property
    def span_name(self) -> str:
        """Return the convention's `{operation} {name}`."""
        return f"{self.operation} {self.name}"

    @property
    def span_kind(self) -> str:
        """Return the span kind: it runs in this process."""
        return INTERNAL


class Judgement(NamedTuple):
    """One judgement: a verdict is an event, so no span is made for it.

    Attributes:
        name: `gen_ai.evaluation.name`.
        configuration: What the revision is the identity of: model, prompt (hash), rubric_version, threshold, params.
        attributes: The judge's attributes, the revision included.
    """

    name: str
    configuration: Mapping[str, Any]
    attributes: Attributes

    @property
    def operation(self) -> str:
        """Return the name by which sinks tell a judgement apart; the convention has no operation for one."""
        return EVALUATE

    @property
    def span_name(self) -> str:
        """Return the name that a span would have."""
        return f"{EVALUATE} {self.name}"

    @property
    def span_kind(self) -> str:
        """Return the span kind: it runs in this process."""
        return INTERNAL


ClientOperation: TypeAlias = "ModelCall | Fetch | Retrieval"
LibraryOperation: TypeAlias = "ClientOperation | ToolCall"  # what a library does when the application calls it
Operation: TypeAlias = "ModelCall | Fetch | Retrieval | ToolCall | AgentRun | Judgement"


class Answer(NamedTuple):
    """The response to a model call or a fetch.

    Attributes:
        model: The model that answered; None if the provider does not say.
        attributes: Further convention attributes of the response.
        input_tokens: Total, cached input included; None if the provider did not report it, never 0 for unknown.
        output_tokens: Total, reasoning included; None if the provider did not report it.
        effective_params: Sampling values that the provider says it used, by request parameter name.
        error: The provider's code if the answer, though it came, says that the operation failed.
        tool_calls: Name and arguments (JSON, as text or read) of each tool that the application is to execute.
        usd: What the provider says it charges; None if it does not.
    """

    model: str | None
    attributes: Attributes
    input_tokens: int | None = None
    output_tokens: int | None = None
    effective_params: Mapping[str, Any] | None = None
    error: str | None = None
    tool_calls: Sequence[tuple[str, Any]] = ()
    usd: float | None = None


class RetrievalResult(NamedTuple):
    """The documents that a retrieval returned.

    Attributes:
        document_count: How many; None if nobody tells.
        document_hashes: Hashes of their ids, of this process alone; None if one has no id.
        attributes: Further attributes of the response.
        error: A kind of failure that came without an exception; None for none.
    """

    document_count: int | None = None
    document_hashes: Sequence[int] | None = None
    attributes: Attributes = NO_ATTRIBUTES
    error: str | None = None


class ToolResult(NamedTuple):
    """The end of a tool execution.

    Attributes:
        error: A kind of failure that the tool reported without raising; None if it succeeded.
        attributes: Further attributes.
        value: What it returned, for its shape alone; `NO_VALUE` if that is unknown.
    """

    error: str | None = None
    attributes: Attributes = NO_ATTRIBUTES
    value: object = NO_VALUE


class AgentResult(NamedTuple):
    """The end of an agent's or a task's run.

    Attributes:
        attributes: Outcome and, on a task, its sums.
        error: A kind of failure that came without an exception; None for none.
    """

    attributes: Attributes = NO_ATTRIBUTES
    error: str | None = None


class Verdict(NamedTuple):
    """The verdict of a judge.

    Attributes:
        attributes: Score, label and what the application told of the judged task.
        error: `error.type` if the judge failed and so has no score; None if it has one.
        is_of_current_task: False if the judged task ran earlier or elsewhere.
    """

    attributes: Attributes
    error: str | None = None
    is_of_current_task: bool = True


LibraryResult: TypeAlias = "Answer | RetrievalResult | ToolResult"
Result: TypeAlias = "Answer | RetrievalResult | ToolResult | AgentResult | Verdict"
NO_ANSWER = Answer(None, {})
OTHER_ERROR = "_OTHER"  # the convention's `error.type` of a failure that has no name


class Attempt(NamedTuple):
    """One HTTP try.

    Attributes:
        status: HTTP status; 0 if no response came.
        retry_after: Seconds that the server asked to wait; None if it did not.
    """

    status: int
    retry_after: float | None
