"""The flight recorder's part of every operation: what was sent and answered, handed to the writer as it is.

This sink is installed only if `OTEL_AGENTOPS_RECORDER` names a directory and the mode is not off. On the application's
threads it keeps references and times; reading them is the writer's work. The span says what became of the content:
`recorded` with its ref if the writer has taken it, `dropped` if it had no room, decided before the span is stamped.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from time import monotonic_ns
from typing import Any, NamedTuple

from opentelemetry.metrics import CallbackOptions, Meter
from opentelemetry.metrics import Observation as Measurement
from opentelemetry.trace import Span, SpanContext, get_current_span
from opentelemetry.util.types import AnyValue
from typing_extensions import override

from otel_agentops._config import Config
from otel_agentops._endpoint import ContentReader
from otel_agentops._guard import guard
from otel_agentops._observation import Observation
from otel_agentops._redaction import Redactor, redact_secrets
from otel_agentops._sinks.answer import answer_attributes
from otel_agentops._sinks.foreign_span import ForeignSpan
from otel_agentops._sinks.own_span import OwnSpan
from otel_agentops.operations import (
    AgentRun,
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
from otel_agentops.recorder.deletion import RETENTION, delete_surplus, parse_limits
from otel_agentops.recorder.entries import OBJECT, WIRE
from otel_agentops.recorder.keys import DataKey, KeyRing, load_master_key
from otel_agentops.recorder.parts import PartMaker, read_message, serialise
from otel_agentops.recorder.redaction import PieceRedactor
from otel_agentops.recorder.segment import PartData
from otel_agentops.recorder.writer import Encoded, RecordWriter, Settings, TreeHead
from otel_agentops.semconv import attributes as A
from otel_agentops.semconv import events as E
from otel_agentops.semconv import metrics as M

EFFECTS = frozenset({"write", "irreversible"})  # of tools whose intent is on disk before they run
_INTENT_DEADLINE_S = 1.0
_ENTRY_BYTES, _OBJECT_BYTES = 2048, 2048  # what an entry and an object of a client weigh in memory, about
_PART_NAMES = {
    A.GEN_AI_TOOL_CALL_ARGUMENTS: "arguments",
    A.GEN_AI_TOOL_CALL_RESULT: "result",
    A.GEN_AI_RETRIEVAL_QUERY_TEXT: "query",
    A.GEN_AI_RETRIEVAL_DOCUMENTS: "documents",
}
# The classes of what goes over the wire for an operation, there and back.
_WIRE_CLASSES = {ToolCall: ("arguments", "result"), Retrieval: ("query", "documents")}
_serialise = guard(serialise, has_content=True)
# Made once, because each step of a call looks at them.
_CLIENT_CALLS = (ModelCall, Fetch)
_WITH_PARTS = (ToolCall, Retrieval)
_SPANS = (OwnSpan, ForeignSpan)
# The fields of a model call around its texts and tools, which are in the bytes of the request.
_BEFORE_TEXTS = slice(ModelCall._fields.index("instructions"))
_NO_TEXTS = (None, None)
_AFTER_TEXTS = slice(ModelCall._fields.index("tools") + 1, None)


class _Ended(NamedTuple):
    """The facts of an operation that is over, without the application's objects: those may change, and are many.

    It is made on the writer's thread.
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
    recording: _Recording
    monotonic_ns: int
    place: SpanContext


class _Recording:
    """The content of one operation so far: references alone, with the times at which they came."""

    # Defaults of the class cost nothing on the application's thread.
    answer: Any = None
    wire: bytes | None = None
    headers: Mapping[str, str] | None = None
    intent: str | None = None
    size = _ENTRY_BYTES
    parts: tuple[tuple[str, bytes], ...] = ()

    def __init__(self) -> None:
        self.started_ns = monotonic_ns()
        self.requests: list[tuple[int, Any]] = []
        self.finished_ns: list[int] = []
        self.chunks: list[tuple[int, Any]] = []


class RecorderSink:
    """Hands operations to the writer.

    Args:
        writer: The queue and thread of this process.
        mode: How content is kept, unless its class has a mode of its own.
        modes: The mode of each class of content.
        maker: Makes the parts of entries; used on the writer's thread alone.
        key_source: Where the master key is, if content is encrypted; None if it is not.
        root: The directory, for its data keys.
    """

    has_content = True  # its failures may quote what was said

    def __init__(
        self,
        writer: RecordWriter,
        mode: str,
        modes: Mapping[str, str],
        maker: PartMaker,
        key_source: str | None = None,
        root: Path = Path(),
    ) -> None:
        self.writer = writer
        self._key_source = key_source
        self._root = root
        self._ring: KeyRing | None = None
        self._maker = maker
        self._mode = mode
        self._keeps_stops = modes["request"] == "full"
        self._is_redacted = "redacted" in (mode, *modes.values())
        self._keeps_messages = modes["request"] == "redacted"
        has_words = any(mode in ("redacted", "full") for name, mode in modes.items() if name != "headers")
        self._state = "recorded" if has_words else "hashes"

    def started(self, observation: Observation) -> None:
        """Begin to record; a run of an agent is known by its steps."""
        observation.recording = None if isinstance(observation.operation, AgentRun) else _Recording()

    def request_read(self, observation: Observation, body: Any) -> None:
        """Keep the arguments of a tool or the query of a retrieval, before it can change them."""
        operation = observation.operation
        if not isinstance(operation, _WITH_PARTS):
            return
        recording: _Recording = observation.recording
        self._keep_content(observation, recording, body, is_request=True)
        if isinstance(operation, ToolCall) and operation.attributes.get(A.TOOL_EFFECT) in EFFECTS:
            self._record_intent(observation, operation, recording)

    def _keep_content(self, observation: Observation, recording: _Recording, content: Any, *, is_request: bool) -> None:
        """Keep what a helper or an adapter says of a tool or a retrieval, as JSON: its objects may change."""
        endpoint = getattr(observation, "endpoint", None)
        if endpoint is not None:
            reader: ContentReader | None = endpoint.content
            if reader is None:
                return
            content = reader.request(content) if is_request else reader.response(content)
        for key, name in _PART_NAMES.items():
            if key in content:
                data = serialise(content[key])
                recording.parts += ((name, data),)
                recording.size += len(data)

    def _record_intent(self, observation: Observation, call: ToolCall, recording: _Recording) -> None:
        """Have on disk that the tool is about to run, before it runs; wait for that no longer than a moment."""
        head = {
            "kind": "intent",
            "time_ns": observation.started_ns,
            "monotonic_ns": recording.started_ns,
            "tool": call.name,
            "effect": call.attributes.get(A.TOOL_EFFECT),
            **_write_place(_find_span(observation).get_span_context()),
        }
        encode = partial(self._encode_intent, head, observation.request_attributes, recording.parts)
        recording.intent = self.writer.offer(recording.size, encode, has_effect=True, deadline_s=_INTENT_DEADLINE_S)

    def request_sent(self, observation: Observation, content: Any) -> None:
        """Keep the exact bytes of an attempt; a protobuf message is made to bytes now, for it may change."""
        recording: _Recording | None = getattr(observation, "recording", None)
        if recording is None:  # the operation passes unobserved
            return
        if isinstance(content, bytes):
            recording.size += len(content)
        else:
            recording.size += content.ByteSize()
            if not self._keeps_messages:
                content = content.SerializeToString()
        recording.requests.append((monotonic_ns(), content))
        recording.wire = None  # that was the answer to the attempt before

    def attempt_finished(self, observation: Observation, attempt: Attempt) -> None:
        """Keep when an attempt ended."""
        recording: _Recording | None = observation.recording
        if recording is not None:
            recording.finished_ns.append(monotonic_ns())

    def wire_received(self, observation: Observation, headers: Mapping[str, str] | None, content: bytes | None) -> None:
        """Keep the exact bytes of an answer, and its headers, as far as the client has them."""
        recording: _Recording | None = observation.recording
        if recording is None:
            return
        if headers is not None:
            recording.headers = headers
        if content is not None:
            recording.wire = content
            recording.size += len(content)

    def response_received(self, observation: Observation, result: Any) -> None:
        """Keep the answer."""
        recording: _Recording | None = observation.recording
        if recording is None:
            return
        if isinstance(observation.operation, _WITH_PARTS):
            self._keep_content(observation, recording, result, is_request=False)
        if recording.wire is None and not isinstance(observation.operation, ToolCall):  # else its bytes are there
            recording.answer = result

    def chunk_received(self, observation: Observation, chunk: Any) -> None:
        """Keep a chunk of a stream and when it came."""
        recording: _Recording | None = observation.recording
        if recording is not None:
            recording.chunks.append((monotonic_ns(), chunk))

    def ended(self, observation: Observation) -> None:
        """Hand the operation over and say on its span what became of it."""
        recording: _Recording | None = observation.recording
        if recording is None:
            return
        span = _find_span(observation)
        fields: Any = observation.operation
        kind = type(fields)
        if kind is ModelCall:
            fields = fields[_BEFORE_TEXTS] + _NO_TEXTS + fields[_AFTER_TEXTS]
        facts = (  # a plain tuple, because `_Ended` is made by a Python function
            observation.request_attributes,
            observation.late_attributes,
            observation.result,
            observation.error_type,
            observation.attempts,
            observation.cost_usd,
            observation.started_ns,
            observation.first_chunk_ns,
            recording,
            monotonic_ns(),
            span.get_span_context(),
        )
        ref = self.writer.offer(
            recording.size + _OBJECT_BYTES * (len(recording.chunks) + (recording.answer is not None)),
            partial(self._encode, kind, fields, facts),
            has_effect=recording.intent is not None,
        )
        state: dict[str, Value] = {A.CONTENT_STATE: "dropped" if ref is None else self._state}
        if ref is not None:
            state[A.CONTENT_REF] = ref
            if recording.wire is not None:
                state[A.CONTENT_BYTES] = recording.size - _ENTRY_BYTES
        if kind in _CLIENT_CALLS:
            observation.late_attributes = observation.late_attributes | state
        elif isinstance(observation.span, _SPANS) and span.is_recording():
            span.set_attributes(state)

    def record_outcome(self, attributes: Mapping[str, AnyValue], timestamp_ns: int) -> None:
        """Record the truth about a task."""
        self.writer.offer(_ENTRY_BYTES, partial(self._encode_outcome, dict(attributes), timestamp_ns, monotonic_ns()))

    # -- on the writer's thread

    def _encode(self, kind: type[Operation], fields: Iterable[Any], facts: Iterable[Any]) -> Encoded:
        """Return the entry of an operation that is over.

        Args:
            kind: Its class.
            fields: Its fields, without the texts and tools of a model call.
            facts: The fields of `_Ended` after the operation.
        """
        ended = _Ended(kind._make(fields), *facts)
        operation, recording, place = ended.operation, ended.recording, _write_place(ended.place)
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
            "duration_ns": ended.monotonic_ns - recording.started_ns,
        }
        if (error_type := attributes.get(A.ERROR_TYPE)) is not None:
            head["error_type"] = error_type
        if isinstance(operation, _CLIENT_CALLS):
            head["attempts"] = list(_describe_attempts(ended.attempts or (), recording))
            if ended.first_chunk_ns is not None:
                head["first_chunk_ns"] = ended.first_chunk_ns - ended.started_ns
                head["chunk_count"] = len(recording.chunks)
        elif isinstance(operation, ToolCall):
            head["tool"], head["effect"] = operation.name, operation.attributes.get(A.TOOL_EFFECT)
            if recording.intent is not None:
                head["intent"] = recording.intent
        missing = _find_missing(ended, attributes, {part.name for part in parts})
        return self._finish(head, attributes, missing, parts, lane)

    def _make_parts(self, operation: Operation, recording: _Recording, lane: Value | None) -> list[PartData]:
        make = self._maker.make
        sent, answered = _WIRE_CLASSES.get(type(operation), ("request", "response"))
        parts: list[PartData | None] = []
        for number, (_, content) in enumerate(recording.requests):
            is_wire = isinstance(content, bytes)
            data = content if is_wire else serialise(read_message(content))
            parts.append(make("request", data, lane, sent, form=WIRE if is_wire else OBJECT, attempt=number))
        if isinstance(operation, _CLIENT_CALLS) or recording.requests:
            if recording.wire is not None:
                parts.append(make("response", recording.wire, lane, answered))
            elif recording.chunks:
                parts.append(self._maker.make_chunks(recording.chunks, recording.started_ns, lane, answered))
            elif recording.answer is not None and (data := _serialise(recording.answer)) is not None:
                parts.append(make("response", data, lane, answered, form=OBJECT))
            if recording.headers is not None:
                parts.append(self._maker.make_headers(recording.headers))
        if isinstance(operation, Judgement):
            configuration = _serialise(dict(operation.configuration))
            parts.append(None if configuration is None else make("configuration", configuration, lane, form=OBJECT))
        parts += [make(name, data, lane, form=OBJECT) for name, data in recording.parts]
        return [part for part in parts if part is not None]

    def _encode_intent(
        self, head: Mapping[str, Any], attributes: Attributes, contents: Sequence[tuple[str, bytes]]
    ) -> Encoded:
        lane = attributes.get(A.TASK_ID) or head.get("trace_id")
        made = [self._maker.make(name, data, lane, form=OBJECT) for name, data in contents]
        parts = [part for part in made if part is not None]
        missing = [] if parts else ["arguments"]
        return self._finish(head, attributes, missing, parts, lane)

    def _encode_outcome(self, attributes: Mapping[str, AnyValue], timestamp_ns: int, monotonic: int) -> Encoded:
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
        return Encoded(full_head, parts, lane, self._find_cipher(attributes, head["time_ns"]) if parts else None)

    def _find_cipher(self, attributes: Mapping[str, Any], time_ns: int) -> DataKey | None:
        """Return the key for the content of an entry; None if content is not encrypted.

        If the key cannot be had this raises, and the entry is lost and counted: it must not be on disk in the clear.
        """
        if self._key_source is None:
            return None
        if self._ring is None:
            self._ring = KeyRing(self._root, load_master_key(self._key_source))
        tenant = attributes.get(A.TRAFFIC_TENANT)
        return self._ring.find_key(None if tenant is None else str(tenant), time_ns)


class TenantRecorderSink(RecorderSink):
    """A recorder whose modes depend on the tenant, who is known when an operation starts.

    Args:
        default: The sink of tenants that have no mode of their own; None if nothing of theirs is recorded.
        by_tenant: The sinks of the others.
        writer: The writer of all.
    """

    def __init__(
        self, default: RecorderSink | None, by_tenant: Mapping[str, RecorderSink | None], writer: RecordWriter
    ) -> None:
        self.writer = writer
        self._default = default
        self._by_tenant = by_tenant

    def _find_sink(self, attributes: Mapping[str, Any]) -> RecorderSink | None:
        return self._by_tenant.get(str(attributes.get(A.TRAFFIC_TENANT, "")), self._default)

    @override
    def started(self, observation: Observation) -> None:
        """Begin to record, unless nothing of this tenant is recorded."""
        if self._find_sink(observation.scope.facts) is None:
            observation.recording = None
        else:
            super().started(observation)

    @override
    def request_read(self, observation: Observation, body: Any) -> None:
        """Keep the content as the tenant's sink does."""
        if (sink := self._find_sink(observation.scope.facts)) is not None:
            sink.request_read(observation, body)

    @override
    def request_sent(self, observation: Observation, content: Any) -> None:
        """Keep the bytes of an attempt as the tenant's sink does."""
        if (sink := self._find_sink(observation.scope.facts)) is not None:
            sink.request_sent(observation, content)

    @override
    def ended(self, observation: Observation) -> None:
        """Hand the operation over as the tenant's sink does."""
        if (sink := self._find_sink(observation.scope.facts)) is not None:
            sink.ended(observation)

    @override
    def record_outcome(self, attributes: Mapping[str, AnyValue], timestamp_ns: int) -> None:
        """Record the truth about a task as the tenant's sink does."""
        if (sink := self._find_sink(attributes)) is not None:
            sink.record_outcome(attributes, timestamp_ns)


_KINDS = {
    ModelCall: "call",
    Fetch: "call",
    ToolCall: "tool",
    Retrieval: "retrieval",
    Judgement: "judgement",
}


def _find_span(observation: Observation) -> Span:
    """Return the span of an operation; of one without a span the one around it."""
    span = observation.span
    return span.span if isinstance(span, _SPANS) else get_current_span()


def _write_place(context: SpanContext) -> dict[str, str]:
    if not context.is_valid:
        return {}
    return {"trace_id": f"{context.trace_id:032x}", "span_id": f"{context.span_id:016x}"}


def _describe_attempts(attempts: Sequence[Attempt], recording: _Recording) -> Iterator[dict[str, Any]]:
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


def _find_missing(ended: _Ended, attributes: Mapping[str, Any], parts: set[str]) -> list[str]:
    """Return the mandatory fields that an entry lacks."""
    operation = ended.operation
    has_failed = A.ERROR_TYPE in attributes
    wanted: dict[str, bool] = {}
    if isinstance(operation, _CLIENT_CALLS):
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


def _make_retirement(root: Path, keep: str | None) -> Callable[[], Mapping[str, Any] | None] | None:
    """Return the function that deletes what is kept no longer; None if everything is kept."""
    limits = None if keep is None else guard(parse_limits)(keep)
    if limits is None:
        return None

    def retire() -> Mapping[str, Any] | None:
        count = delete_surplus(root, limits)
        return {"kind": "tombstone", **RETENTION, "count": count} if count else None

    return retire


def make_recorder(
    config: Config, meter: Meter, emit_event: Callable[..., object], describe: Callable[[], Mapping[str, object]]
) -> RecorderSink:
    """Return the flight recorder of one installation.

    Args:
        config: Its settings.
        meter: Makes the counter of what is lost.
        emit_event: Emits the head of the log.
        describe: Returns the attributes of the resource.
    """

    def emit_head(head: TreeHead) -> None:
        attributes: dict[str, Value] = {
            A.RECORDER_WRITER: head.writer,
            A.RECORDER_TREE_SIZE: head.size,
            A.RECORDER_TREE_ROOT: head.root.hex(),
        }
        if head.verifier_key is not None:
            attributes[A.RECORDER_VERIFIER_KEY] = head.verifier_key
        emit_event(E.RECORDER_HEAD, attributes)

    root, modes = Path(str(config.recorder)), config.recorder_mode
    settings = Settings(
        root,
        modes.default,
        config.recorder_queue,
        config.recorder_sync,
        config.recorder_signing_key,
        _make_retirement(root, config.recorder_keep),
    )
    writer = RecordWriter(settings, describe, emit_head)

    def observe_losses(_: CallbackOptions) -> list[Measurement]:
        return [Measurement(lost, {A.RECORDER_REASON: reason}) for reason, lost in list(writer.losses.items())]

    metric = M.METRICS[M.RECORDER_LOST]
    meter.create_observable_counter(metric.name, [observe_losses], metric.unit, metric.brief)
    redactor = PieceRedactor(Redactor(config.redact)) if "redacted" in modes.list_modes() else None

    def make_sink(tenant_mode: str | None) -> RecorderSink | None:
        classes = modes.list_classes(tenant_mode)
        if set(classes.values()) == {"off"}:
            return None
        maker = PartMaker(classes, redactor, config.hash_key)
        return RecorderSink(writer, tenant_mode or modes.default, classes, maker, config.recorder_key, root)

    default = make_sink(None)
    if default is not None and not modes.by_tenant:
        return default
    by_mode = {mode: make_sink(mode) for mode in modes.by_tenant.values()}
    by_tenant = {tenant: by_mode[mode] for tenant, mode in modes.by_tenant.items()}
    return TenantRecorderSink(default, by_tenant, writer)
