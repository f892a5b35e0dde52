"""What one operation was, in plain values: adapters write these records, the telemetry side reads them.

No OpenTelemetry is imported here. The records are tuples: they are made on every call, and a frozen dataclass
costs ten times a tuple to build. Attribute mappings use the registered names of `otel_agentops.semconv`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, TypeAlias

Value: TypeAlias = "str | bool | int | float | Sequence[str] | Sequence[bool] | Sequence[int] | Sequence[float]"
INFERENCE = frozenset({"chat", "generate_content", "text_completion"})
FETCH = "fetch_response"  # of what a model said before: none runs for it
Attributes: TypeAlias = "dict[str, Value]"


class ModelCall(NamedTuple):
    """One call of a model as it goes on the wire.

    operation: `gen_ai.operation.name`. provider: `gen_ai.provider.name`, None where it is not known yet. model: the
    model asked for, None where the body names none. attributes: further convention attributes of the request.
    instructions: texts (or JSON parts) of the system and developer turns, in order; empty where there are none, None
    where the body cannot be read. tools: the tools offered, normalised by the adapter to `Tool`-shaped mappings when
    asked (see `normalise`). params: what else shapes the answer. defaults: names in `params` that the client library
    fills in by itself with this very value.
    prompt: name and version of a prompt template kept by the provider, None where none is used.
    forced: whether the model has to call one certain tool: that call is the form of the answer, and nothing to execute.
    base: what documents are looked up in for the call, None where none are.
    sent: the model that is sent, where the application asked for it by a name of a router.
    """

    operation: str
    provider: str | None
    model: str | None
    attributes: Attributes
    instructions: tuple[Any, ...] | None = ()
    tools: Sequence[Any] | None = None
    normalise: Any = None
    params: Mapping[str, Any] | None = None
    defaults: Mapping[str, Any] | None = None
    prompt: tuple[str, str | None] | None = None
    forced: bool = False
    base: str | None = None
    sent: str | None = None

    @property
    def lookup(self) -> bool:
        """Whether looking up documents is all that the call does: no model is called that anybody could name."""
        return self.base is not None and self.operation == "retrieval"

    def is_like(self, other: ModelCall) -> bool:
        """Whether both are of one kind: a text may be completed by a chat."""
        return self.operation == other.operation or {self.operation, other.operation} <= INFERENCE


class Answer(NamedTuple):
    """What came back.

    model: the model that answered, None where the provider does not say. Token counts are totals (cached input and
    reasoning output included), None where the provider did not report them; never 0 for unknown.
    effective: sampling values that the provider says it used, by request parameter name. error: the provider's code
    where the answer, though it came, says that the operation failed. asked: name and arguments (JSON, as text or read)
    of each tool that the application is to execute. usd: what the provider says it charges, None where it does not.
    found: the ids of the documents that were looked up, None where one has none.
    """

    model: str | None
    attributes: Attributes
    input_tokens: int | None = None
    output_tokens: int | None = None
    effective: Mapping[str, Any] | None = None
    error: str | None = None
    asked: Sequence[tuple[str, Any]] = ()
    usd: float | None = None
    found: Sequence[str] | None = None


class Attempt(NamedTuple):
    """One HTTP try. status: 0 where no response came. retry_after: seconds the server asked to wait, else None."""

    status: int
    retry_after: float | None
