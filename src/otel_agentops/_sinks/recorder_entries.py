"""Recordings of operations, and the entries that they become on the writer's thread.

On the application's threads a `Recording` collects references and times. Everything else is the work of the
`EntryMaker` that it was given: reading them, taking out secrets, and saying what is missing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from operator import attrgetter, itemgetter
from time import monotonic_ns
from typing import Any, NamedTuple

from opentelemetry.context import Context, get_current
from opentelemetry.trace import SpanContext, get_current_span
from opentelemetry.util.types import AnyValue

from otel_agentops._guard import guard
from otel_agentops._observation import Observation
from otel_agentops._redaction import redact_secrets
from otel_agentops._sinks.answer import answer_attributes
from otel_agentops._sinks.foreign_span import ForeignSpan
from otel_agentops._sinks.own_span import OwnSpan
from otel_agentops._sinks.recorder_users import Origin, find_users
from otel_agentops.operations import (
    Answer,
    Attempt,
    Attributes,
    Fetch,
    Judgement,
    ModelCall,
    Operation,
    Result,
    Retrieval,
    ToolCall,
    Value,
)
from otel_agentops.recorder.entries import OBJECT, WIRE
from otel_agentops.recorder.keys import DataKey
from otel_agentops.recorder.parts import PartMaker, read_message, serialise
from otel_agentops.recorder.segment import PartData
from otel_agentops.recorder.writer import Encoded
from otel_agentops.semconv import attributes as A

ENTRY_BYTES = 2048  # what an entry weighs in memory, about
BACKLOG_BYTES = 1024 * 1024  # that wait for the writer: with more it is late, and spans may be large
CLIENT_CALLS = (ModelCall, Fetch)  # made once, because each step of a call looks at them
_KINDS = {
    ModelCall: "call",
    Fetch: "call",
    ToolCall: "tool",
    Retrieval: "retrieval",
    Judgement: "judgement",
}
# The classes of what goes over the wire for an operation, there and back.
_WIRE_CLASSES = {ToolCall: ("arguments", "result"), Retrieval: ("query", "documents")}
# The fields of a model call without its texts and tools, which are in the bytes of the request.
_KEPT_FIELDS = tuple(name for name in ModelCall._fields if name not in ("instructions", "tools", "normalise_tool"))
leave_texts_out = itemgetter(*map(ModelCall._fields.index, _KEPT_FIELDS))
_serialise = guard(serialise, has_content=True)
# The key for the content of an entry, from its attributes and time; None if content is not encrypted.
FindKey = Callable[[Mapping[str, Any], int], "DataKey | None"]
# The hashes of who is behind an operation, from where it began and what was sent for it; None if there is no key.
HashUsers = Callable[[Origin, Sequence[object]], "list[str] | None"]


class Ended(NamedTuple):
    """The facts of an operation that is over, without the application's objects: those may change, and are many.

    It is made on the writer's thread, of what `read_facts` has read on the application's.
    """

    operation: Operation
    request_attributes: Attributes
    late_attributes: Attributes
    result: Result | None
    error_type: str | None
    attempts: Sequence[Attempt] | None
    cost_usd: float | None
    started_ns: int
    first_chunk_ns: int | None


read_facts = attrgetter(*Ended._fields[1:])


class Recording:
    """The content of one operation so far: references alone, with the times at which they came.

    Args:
        maker: Makes its entry.
        observation: The operation.

    Attributes:
        context: In which it began; who is behind it is read from that later.
        place: Its span; None if that is the span of `context`.
    """

    # Defaults of the class cost nothing on the application's thread.
    answer: Any = None
    wire: bytes | None = None
    headers: Mapping[str, str] | None = None
    intent: str | None = None
    size = ENTRY_BYTES
    parts: tuple[tuple[str, bytes], ...] = ()
    place: SpanContext | None = None
    requests: tuple[tuple[int, Any], ...] = ()
    finished_ns: tuple[int, ...] = ()

    def __init__(self, maker: EntryMaker, observation: Observation) -> None:
        self.maker = maker
        self.users: Sequence[str] = observation.scope.users
        span = observation.span
        self.context: Context = span.context if type(span) is OwnSpan else get_current()
        self.started_ns = monotonic_ns()
        self.chunks: list[tuple[int, Any]] = []
        self.body: list[bytes] = []

    def find_place(self) -> SpanContext:
        """Return its span, or of an operation without a span the one around it."""
        return get_current_span(self.context).get_span_context() if self.place is None else self.place


class EntryMaker:
    """Makes entries whose content is kept as the modes of its classes say.

    Args:
        mode: How content is kept, unless its class has a mode of its own.
        modes: The mode of each class of content.
        parts: Makes the parts of entries; used on the writer's thread alone.
        find_key: Finds the key for the content of an entry.
        hash_users: Returns the hashes of who is behind an operation.

    Attributes:
        state: What becomes of content that is recorded, as in `otel_agentops.content.state`.
        keeps_messages: True if a request that is a message is read later, because it is redacted member by member.
        keeps_bodies: True if the bytes of streams are kept; no pattern finds a secret that is spread over their events.
    """

    def __init__(
        self, mode: str, modes: Mapping[str, str], parts: PartMaker, find_key: FindKey, hash_users: HashUsers
    ) -> None:
        has_words = any(mode in ("redacted", "full") for name, mode in modes.items() if name != "headers")
        self.state = "recorded" if has_words else "hashes"
        self.keeps_messages = modes["request"] == "redacted"
        self.keeps_bodies = modes["response"] == "full"
        self._mode = mode
        self._keeps_stops = modes["request"] == "full"
        self._is_redacted = "redacted" in (mode, *modes.values())
        self._parts = parts
        self._find_key = find_key
        self._hash_users = hash_users

    def encode(
        self, kind: type[Operation], fields: Iterable[Any], facts: Iterable[Any], recording: Recording, ended_ns: int
    ) -> Encoded:
        """Return the entry of an operation that is over.

        Args:
            kind: Its class.
            fields: Its fields; of a model call what `leave_texts_out` returns.
            facts: What `read_facts` returns.
            recording: Its content.
            ended_ns: When it ended, on the monotonic clock.
        """
        is_model_call = kind is ModelCall
        operation = ModelCall(**dict(zip(_KEPT_FIELDS, fields, strict=True))) if is_model_call else kind._make(fields)
        ended = Ended(operation, *facts)
        place = write_place(recording.find_place())
        attributes = {**ended.request_attributes, **answer_attributes(ended)}
        if isinstance(operation, Judgement):  # of another operation it is on the event alone
            attributes.setdefault(A.GEN_AI_EVALUATION_NAME, operation.name)
        lane = attributes.get(A.TASK_ID) or place.get("trace_id")
        parts = self._make_parts(operation, recording, lane)
        head: dict[str, Any] = {
            "kind": _KINDS[kind],
            "time_ns": ended.started_ns,
            "monotonic_ns": recording.started_ns,
            **place,
            "duration_ns": ended_ns - recording.started_ns,
        }
        if (error_type := attributes.get(A.ERROR_TYPE)) is not None:
            head["error_type"] = error_type
        if isinstance(operation, CLIENT_CALLS):
            head["attempts"] = list(_describe_attempts(ended.attempts or (), recording))
            if ended.first_chunk_ns is not None:
                head["first_chunk_ns"] = ended.first_chunk_ns - ended.started_ns
                head["chunk_count"] = len(recording.chunks)
        elif isinstance(operation, ToolCall):
            head["tool"], head["effect"] = operation.name, operation.attributes.get(A.TOOL_EFFECT)
            if recording.intent is not None:
                head["intent"] = recording.intent
        missing = _find_missing(ended, attributes, {part.name for part in parts})
        origin = Origin(recording.users, recording.context)
        self._add_users(head, missing, origin, [content for _, content in recording.requests])
        return self._finish(head, attributes, missing, parts, lane)

    def _add_users(
        self, head: dict[str, Any], missing: list[str], origin: Origin, requests: Sequence[object] = ()
    ) -> None:
        """Put the hashes of who is behind an operation into its head; say so if nobody can make them."""
        users = self._hash_users(origin, requests)
        if users is None:
            missing.append("users")
        elif users:
            head["users"] = users

    def _make_parts(self, operation: Operation, recording: Recording, lane: Value | None) -> list[PartData]:
        make = self._parts.make
        sent, answered = _WIRE_CLASSES.get(type(operation), ("request", "response"))
        parts: list[PartData | None] = []
        for number, (_, content) in enumerate(recording.requests):
            is_wire = isinstance(content, bytes)
            data = content if is_wire else serialise(read_message(content))
            parts.append(make("request", data, lane, sent, form=WIRE if is_wire else OBJECT, attempt=number))
        if isinstance(operation, CLIENT_CALLS) or recording.requests:
            if recording.wire is not None:
                parts.append(make("response", recording.wire, lane, answered))
            elif recording.chunks:
                parts.append(self._parts.make_chunks(recording.chunks, recording.started_ns, lane, answered))
            elif recording.answer is not None and (data := _serialise(recording.answer)) is not None:
                parts.append(make("response", data, lane, answered, form=OBJECT))
            if recording.body:
                parts.append(make("stream", b"".join(recording.body), lane, answered))
            if recording.headers is not None:
                parts.append(self._parts.make_headers(recording.headers))
        if isinstance(operation, Judgement):
            configuration = _serialise(dict(operation.configuration))
            parts.append(None if configuration is None else make("configuration", configuration, lane, form=OBJECT))
        parts += [make(name, data, lane, form=OBJECT) for name, data in recording.parts]
        return [part for part in parts if part is not None]

    def encode_intent(
        self, head: dict[str, Any], attributes: Attributes, contents: Sequence[tuple[str, bytes]], origin: Origin
    ) -> Encoded:
        """Return the entry of a tool that is about to run."""
        lane = attributes.get(A.TASK_ID) or head.get("trace_id")
        made = [self._parts.make(name, data, lane, form=OBJECT) for name, data in contents]
        parts = [part for part in made if part is not None]
        missing = [] if parts else ["arguments"]
        self._add_users(head, missing, origin)
        return self._finish(head, attributes, missing, parts, lane)

    def encode_outcome(self, attributes: Mapping[str, AnyValue], timestamp_ns: int, monotonic: int) -> Encoded:
        """Return the entry of the truth about a task."""
        head = {"kind": "outcome", "time_ns": timestamp_ns, "monotonic_ns": monotonic}
        missing = [name for name, key in (("task", A.TASK_ID), ("verdict", A.TRUTH_VERDICT)) if key not in attributes]
        return self._finish(head, attributes, missing, [], None)

    def _finish(
        self,
        head: Mapping[str, Any],
        attributes: Mapping[str, Any],
        missing: Sequence[str],
        parts: Sequence[PartData],
        lane: Value | None,
    ) -> Encoded:
        """Return an entry whose attributes are as clean as its content."""
        if not self._keeps_stops:
            attributes = {name: value for name, value in attributes.items() if name != A.GEN_AI_REQUEST_STOP_SEQUENCES}
        if self._is_redacted:
            attributes = redact_secrets(attributes)
        full_head = {**head, "attributes": attributes, "mode": self._mode}
        if missing:
            full_head["missing"] = missing
        return Encoded(full_head, parts, lane, self._find_key(attributes, head["time_ns"]) if parts else None)


@guard
def forget_context(recording: Recording) -> None:
    """Read on the application's thread who is behind an operation, so that no span of it waits for the writer."""
    recording.place = recording.find_place()
    recording.users = find_users(Origin(recording.users, recording.context), ())
    recording.context = Context()


def find_place(observation: Observation) -> SpanContext:
    """Return the span that an operation has now; of one without a span the one around it."""
    span = observation.span
    return (span.span if isinstance(span, (OwnSpan, ForeignSpan)) else get_current_span()).get_span_context()


def write_place(context: SpanContext) -> dict[str, str]:
    """Return the trace and the span of an entry; none if there is no span."""
    if not context.is_valid:
        return {}
    return {"trace_id": f"{context.trace_id:032x}", "span_id": f"{context.span_id:016x}"}


def _describe_attempts(attempts: Sequence[Attempt], recording: Recording) -> Iterator[dict[str, Any]]:
    for number in range(max(len(attempts), len(recording.requests))):
        described: dict[str, Any] = {}
        if number < len(recording.requests):
            described["sent_ns"] = recording.requests[number][0] - recording.started_ns
        if number < len(recording.finished_ns):
            described["finished_ns"] = recording.finished_ns[number] - recording.started_ns
        if number < len(attempts):
            described["status"] = attempts[number].status
            if attempts[number].retry_after is not None:
                described["retry_after"] = attempts[number].retry_after
        yield described


def _find_missing(ended: Ended, attributes: Mapping[str, Any], parts: set[str]) -> list[str]:
    """Return the mandatory fields that an entry lacks."""
    operation = ended.operation
    has_failed = A.ERROR_TYPE in attributes
    wanted: dict[str, bool] = {}
    if isinstance(operation, CLIENT_CALLS):
        wanted = {
            "request": "request" in parts or isinstance(operation, Fetch),
            "response": has_failed or bool(parts & {"response", "chunks"}),
            "headers": has_failed or "headers" in parts,
            "attempts": ended.attempts is not None,
            "model": isinstance(operation, Fetch) or operation.model is not None,
            "answered_model": has_failed or A.GEN_AI_RESPONSE_MODEL in attributes,
            "usage": has_failed or not isinstance(ended.result, Answer) or ended.result.input_tokens is not None,
        }
    elif isinstance(operation, ToolCall):
        wanted = {
            "arguments": "arguments" in parts,
            "result": has_failed or "result" in parts,
            "effect": A.TOOL_EFFECT in attributes,
        }
    elif isinstance(operation, Retrieval):
        wanted = {
            "query": bool(parts & {"query", "request"}),
            "documents": has_failed or bool(parts & {"documents", "response"}),
            "index_version": operation.version is not None,
        }
    elif isinstance(operation, Judgement):
        wanted = {"score": has_failed or A.GEN_AI_EVALUATION_SCORE_VALUE in attributes}
    return [name for name, is_there in wanted.items() if not is_there]
