"""The flight recorder's part of every operation: what was sent and answered, handed to the writer as it is.

This sink is installed only if `OTEL_AGENTOPS_RECORDER` names a directory and the mode is not off. On the application's
threads it keeps references and times; reading them is the writer's work. The span says what became of the content:
`recorded` with its ref if the writer has taken it, `dropped` if it had no room, decided before the span is stamped.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache, partial
from pathlib import Path
from time import monotonic_ns
from typing import Any

from opentelemetry.context import Context
from opentelemetry.metrics import CallbackOptions, Meter
from opentelemetry.metrics import Observation as Measurement
from opentelemetry.trace import Span, get_current_span
from opentelemetry.util.types import AnyValue

from otel_agentops._config import Config
from otel_agentops._endpoint import ContentReader
from otel_agentops._guard import guard, log
from otel_agentops._observation import Observation
from otel_agentops._redaction import Redactor
from otel_agentops._sinks.foreign_span import ForeignSpan
from otel_agentops._sinks.own_span import OwnSpan
from otel_agentops._sinks.recorder_entries import (
    CLIENT_CALLS,
    ENTRY_BYTES,
    EntryMaker,
    Recording,
    write_place,
)
from otel_agentops._sinks.recorder_keys import ProcessKeys
from otel_agentops._sinks.recorder_users import Origin, find_users, keep_parent
from otel_agentops.operations import AgentRun, Attempt, ModelCall, Retrieval, ToolCall, Value
from otel_agentops.recorder.parts import PartMaker, serialise
from otel_agentops.recorder.redaction import PieceRedactor
from otel_agentops.recorder.retention import Retention, parse_limits
from otel_agentops.recorder.writer import RecordWriter, Settings, TreeHead
from otel_agentops.semconv import attributes as A
from otel_agentops.semconv import events as E
from otel_agentops.semconv import metrics as M

EFFECTS = frozenset({"write", "irreversible"})  # of tools whose intent is on disk before they run
_INTENT_DEADLINE_S = 1.0
_BACKLOG_BYTES = 1024 * 1024  # that wait for the writer: with more it is late, and spans may be large
_OBJECT_BYTES = 2048  # what an object of a client weighs in memory, about
_PART_NAMES = {
    A.GEN_AI_TOOL_CALL_ARGUMENTS: "arguments",
    A.GEN_AI_TOOL_CALL_RESULT: "result",
    A.GEN_AI_RETRIEVAL_QUERY_TEXT: "query",
    A.GEN_AI_RETRIEVAL_DOCUMENTS: "documents",
}
# Made once, because each step of a call looks at them.
_WITH_PARTS = (ToolCall, Retrieval)
_SPANS = (OwnSpan, ForeignSpan)
# The fields of a model call around its texts and tools, which are in the bytes of the request.
_BEFORE_TEXTS = slice(ModelCall._fields.index("instructions"))
_NO_TEXTS = (None, None)
_AFTER_TEXTS = slice(ModelCall._fields.index("tools") + 1, None)


class RecorderSink:
    """Hands operations to the writer.

    Args:
        writer: The queue and thread of this process.
        default: Makes the entries of tenants that have no mode of their own; None if nothing of theirs is recorded.
        by_tenant: Those of the others.
    """

    has_content = True  # its failures may quote what was said
    keep_parent = staticmethod(keep_parent)

    def __init__(
        self, writer: RecordWriter, default: EntryMaker | None, by_tenant: Mapping[str, EntryMaker | None]
    ) -> None:
        self.writer = writer
        self._default = default
        self._by_tenant = by_tenant

    def _find_maker(self, attributes: Mapping[str, Any]) -> EntryMaker | None:
        return self._by_tenant.get(str(attributes.get(A.TRAFFIC_TENANT, "")), self._default)

    def started(self, observation: Observation) -> None:
        """Begin to record, unless nothing of this tenant is; a run of an agent is known by its steps."""
        maker = self._find_maker(observation.scope.facts) if self._by_tenant else self._default
        is_run = isinstance(observation.operation, AgentRun)
        observation.recording = None if maker is None or is_run else Recording(maker, observation.scope.users)

    def request_read(self, observation: Observation, body: Any) -> None:
        """Keep the arguments of a tool or the query of a retrieval, before it can change them."""
        operation, recording = observation.operation, observation.recording
        if recording is None or not isinstance(operation, _WITH_PARTS):
            return
        self._keep_content(observation, recording, body, is_request=True)
        if isinstance(operation, ToolCall) and operation.attributes.get(A.TOOL_EFFECT) in EFFECTS:
            self._record_intent(observation, operation, recording)

    def _keep_content(self, observation: Observation, recording: Recording, content: Any, *, is_request: bool) -> None:
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

    def _record_intent(self, observation: Observation, call: ToolCall, recording: Recording) -> None:
        """Have on disk that the tool is about to run, before it runs; wait for that no longer than a moment."""
        head = {
            "kind": "intent",
            "time_ns": observation.started_ns,
            "monotonic_ns": recording.started_ns,
            "tool": call.name,
            "effect": call.attributes.get(A.TOOL_EFFECT),
            **write_place(_find_span(observation).get_span_context()),
        }
        if self.writer.queued_bytes > _BACKLOG_BYTES:
            _forget_context(recording)
        origin = Origin(recording.users, recording.context)
        encode = partial(recording.maker.encode_intent, head, observation.request_attributes, recording.parts, origin)
        recording.intent = self.writer.offer(recording.size, encode, has_effect=True, deadline_s=_INTENT_DEADLINE_S)

    def request_sent(self, observation: Observation, content: Any) -> None:
        """Keep the exact bytes of an attempt; a protobuf message is made to bytes now, for it may change."""
        recording: Recording | None = getattr(observation, "recording", None)
        if recording is None:  # the operation passes unobserved
            return
        if isinstance(content, bytes):
            recording.size += len(content)
        else:
            recording.size += content.ByteSize()
            if not recording.maker.keeps_messages:
                content = content.SerializeToString()
        recording.requests.append((monotonic_ns(), content))
        recording.wire = None  # that was the answer to the attempt before

    def attempt_finished(self, observation: Observation, attempt: Attempt) -> None:
        """Keep when an attempt ended."""
        recording: Recording | None = observation.recording
        if recording is not None:
            recording.finished_ns.append(monotonic_ns())

    def wire_received(self, observation: Observation, headers: Mapping[str, str] | None, content: bytes | None) -> None:
        """Keep the exact bytes of an answer, and its headers, as far as the client has them."""
        recording: Recording | None = observation.recording
        if recording is None:
            return
        if headers is not None:
            recording.headers = headers
        if content is not None:
            recording.wire = content
            recording.size += len(content)

    def response_received(self, observation: Observation, result: Any) -> None:
        """Keep the answer."""
        recording: Recording | None = observation.recording
        if recording is None:
            return
        if isinstance(observation.operation, _WITH_PARTS):
            self._keep_content(observation, recording, result, is_request=False)
        if recording.wire is None and not isinstance(observation.operation, ToolCall):  # else its bytes are there
            recording.answer = result

    def chunk_received(self, observation: Observation, chunk: Any) -> None:
        """Keep a chunk of a stream and when it came."""
        recording: Recording | None = observation.recording
        if recording is not None:
            recording.chunks.append((monotonic_ns(), chunk))

    def body_received(self, observation: Observation, data: bytes) -> None:
        """Keep bytes of a stream."""
        recording: Recording | None = observation.recording
        if recording is not None and recording.maker.keeps_bodies:
            recording.body.append(data)
            recording.size += len(data)

    def ended(self, observation: Observation) -> None:
        """Hand the operation over and say on its span what became of it."""
        recording: Recording | None = observation.recording
        if recording is None:
            return
        span = _find_span(observation)
        fields: Any = observation.operation
        kind = type(fields)
        if kind is ModelCall:
            fields = fields[_BEFORE_TEXTS] + _NO_TEXTS + fields[_AFTER_TEXTS]
        facts = (  # a plain tuple, because `Ended` is made by a Python function
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
        if self.writer.queued_bytes > _BACKLOG_BYTES:
            _forget_context(recording)
        ref = self.writer.offer(
            recording.size + _OBJECT_BYTES * (len(recording.chunks) + (recording.answer is not None)),
            partial(recording.maker.encode, kind, fields, facts),
            has_effect=recording.intent is not None,
        )
        state: dict[str, Value] = {A.CONTENT_STATE: "dropped" if ref is None else recording.maker.state}
        if ref is not None:
            state[A.CONTENT_REF] = ref
            if recording.wire is not None:
                state[A.CONTENT_BYTES] = recording.size - ENTRY_BYTES
        if kind in CLIENT_CALLS:
            observation.late_attributes = observation.late_attributes | state
        elif isinstance(observation.span, _SPANS) and span.is_recording():
            span.set_attributes(state)

    def record_outcome(self, attributes: Mapping[str, AnyValue], timestamp_ns: int) -> None:
        """Record the truth about a task."""
        if (maker := self._find_maker(attributes)) is not None:
            encode = partial(maker.encode_outcome, dict(attributes), timestamp_ns, monotonic_ns())
            self.writer.offer(ENTRY_BYTES, encode)


@guard
def _forget_context(recording: Recording) -> None:
    """Read on the application's thread who is behind an operation, so that no span of it waits for the writer."""
    recording.users = find_users(Origin(recording.users, recording.context), ())
    recording.context = Context()


def _find_span(observation: Observation) -> Span:
    """Return the span of an operation; of one without a span the one around it."""
    span = observation.span
    return span.span if isinstance(span, _SPANS) else get_current_span()


def _make_retirement(root: Path, keep: str | None, keys: ProcessKeys) -> Callable[[], bool] | None:
    """Return the function that deletes what is kept no longer; None if everything is kept."""
    if keep is None:
        return None
    try:
        limits = parse_limits(keep)
    except ValueError as error:
        log.warning("%s; everything is kept", error)
        return None
    return Retention(root, limits, keys.load_ring).run


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
    keys = ProcessKeys(root, config.recorder_key, config.hash_key)
    settings = Settings(
        root,
        modes.default,
        config.recorder_queue,
        config.recorder_sync,
        config.recorder_signing_key,
        _make_retirement(root, config.recorder_keep, keys),
        keys.look_again,
    )
    writer = RecordWriter(settings, describe, emit_head)

    def observe_losses(_: CallbackOptions) -> list[Measurement]:
        return [Measurement(lost, {A.RECORDER_REASON: reason}) for reason, lost in list(writer.losses.items())]

    metric = M.METRICS[M.RECORDER_LOST]
    meter.create_observable_counter(metric.name, [observe_losses], metric.unit, metric.brief)
    redactor = PieceRedactor(Redactor(config.redact)) if "redacted" in modes.list_modes() else None
    hash_users = guard(keys.hash_users, has_content=True)

    @cache
    def make_maker(tenant_mode: str | None) -> EntryMaker | None:
        classes = modes.list_classes(tenant_mode)
        if set(classes.values()) == {"off"}:
            return None
        parts = PartMaker(classes, redactor, config.hash_key)
        return EntryMaker(tenant_mode or modes.default, classes, parts, keys.find_key, hash_users)

    by_tenant = {tenant: make_maker(mode) for tenant, mode in modes.by_tenant.items()}
    return RecorderSink(writer, make_maker(None), by_tenant)
