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

from opentelemetry.metrics import CallbackOptions, Meter
from opentelemetry.metrics import Observation as Measurement
from opentelemetry.util.types import AnyValue

from otel_agentops._config import Config
from otel_agentops._guard import guard, log
from otel_agentops._observation import Observation
from otel_agentops._redaction import Redactor
from otel_agentops._sinks.foreign_span import ForeignSpan
from otel_agentops._sinks.own_span import OwnSpan
from otel_agentops._sinks.recorder_entries import (
    BACKLOG_BYTES,
    CLIENT_CALLS,
    ENTRY_BYTES,
    EntryMaker,
    Recording,
    find_place,
    forget_context,
    leave_texts_out,
    read_facts,
)
from otel_agentops._sinks.recorder_keys import ProcessKeys
from otel_agentops._sinks.recorder_users import keep_parent
from otel_agentops.operations import AgentRun, Attempt, ModelCall, Value
from otel_agentops.recorder.parts import PartMaker
from otel_agentops.recorder.redaction import PieceRedactor
from otel_agentops.recorder.retention import Retention, parse_limits
from otel_agentops.recorder.writer import RecordWriter, Settings, TreeHead
from otel_agentops.semconv import attributes as A
from otel_agentops.semconv import events as E
from otel_agentops.semconv import metrics as M

_OBJECT_BYTES = 2048  # what an object of a client weighs in memory, about


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
        is_run = type(observation.operation) is AgentRun
        observation.recording = None if maker is None or is_run else Recording(maker, observation)

    def request_sent(self, observation: Observation, content: Any) -> None:
        """Keep the exact bytes of an attempt; a protobuf message is made to bytes now, for it may change."""
        recording: Recording | None = observation.recording
        if recording is None:
            return
        if isinstance(content, bytes):
            recording.size += len(content)
        else:
            recording.size += content.ByteSize()
            if not recording.maker.keeps_messages:
                content = content.SerializeToString()
        recording.requests += ((monotonic_ns(), content),)
        recording.wire = None  # that was the answer to the attempt before

    def attempt_finished(self, observation: Observation, attempt: Attempt) -> None:
        """Keep when an attempt ended."""
        recording: Recording | None = observation.recording
        if recording is not None:
            recording.finished_ns += (monotonic_ns(),)

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
        """Keep the answer, unless its bytes are there."""
        recording: Recording | None = observation.recording
        if recording is not None and recording.wire is None:
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
        operation: Any = observation.operation
        kind, span, writer, maker = type(operation), observation.span, self.writer, recording.maker
        if type(span) is not OwnSpan:
            recording.place = find_place(observation)
        if writer.queued_bytes > BACKLOG_BYTES:
            forget_context(recording)
        size = recording.size
        if recording.wire is None:
            size += _OBJECT_BYTES * (len(recording.chunks) + (recording.answer is not None))
        fields = leave_texts_out(operation) if kind is ModelCall else operation
        encode = partial(maker.encode, kind, fields, read_facts(observation), recording, monotonic_ns())
        ref = writer.offer(size, encode, recording.intent is not None)
        state: dict[str, Value]
        if ref is None:
            state = {A.CONTENT_STATE: "dropped"}
        elif recording.wire is None:
            state = {A.CONTENT_STATE: maker.state, A.CONTENT_REF: ref}
        else:
            state = {A.CONTENT_STATE: maker.state, A.CONTENT_REF: ref, A.CONTENT_BYTES: size - ENTRY_BYTES}
        if kind in CLIENT_CALLS:
            observation.late_attributes = observation.late_attributes | state
        elif isinstance(span, (OwnSpan, ForeignSpan)) and span.span.is_recording():
            span.span.set_attributes(state)

    def record_outcome(self, attributes: Mapping[str, AnyValue], timestamp_ns: int) -> None:
        """Record the truth about a task."""
        if (maker := self._find_maker(attributes)) is not None:
            encode = partial(maker.encode_outcome, dict(attributes), timestamp_ns, monotonic_ns())
            self.writer.offer(ENTRY_BYTES, encode)


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
        None if config.recorder_key is None else keys.load_ring,
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
