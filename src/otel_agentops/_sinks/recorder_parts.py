"""The flight recorder's part of tools and retrievals: what a tool was given and returned, what was asked and found.

What goes over the wire is kept by `RecorderSink`. Here is what only the application's objects say; it is written as
JSON at once, because they may change.
"""

from __future__ import annotations

from functools import partial
from typing import Any

from otel_agentops._endpoint import ContentReader
from otel_agentops._observation import Observation
from otel_agentops._sinks.recorder_entries import BACKLOG_BYTES, Recording, find_place, forget_context, write_place
from otel_agentops._sinks.recorder_users import Origin
from otel_agentops.operations import Retrieval, ToolCall
from otel_agentops.recorder.parts import serialise
from otel_agentops.recorder.writer import RecordWriter
from otel_agentops.semconv import attributes as A

EFFECTS = frozenset({"write", "irreversible"})  # of tools whose intent is on disk before they run
_INTENT_DEADLINE_S = 1.0
_PART_NAMES = {
    A.GEN_AI_TOOL_CALL_ARGUMENTS: "arguments",
    A.GEN_AI_TOOL_CALL_RESULT: "result",
    A.GEN_AI_RETRIEVAL_QUERY_TEXT: "query",
    A.GEN_AI_RETRIEVAL_DOCUMENTS: "documents",
}


class RecorderPartsSink:
    """Keeps what was said in tool calls and retrievals.

    Args:
        writer: The queue and thread of this process.
    """

    has_content = True  # its failures may quote what was said
    hears_calls = False

    def __init__(self, writer: RecordWriter) -> None:
        self._writer = writer

    def request_read(self, observation: Observation, body: Any) -> None:
        """Keep the arguments of a tool or the query of a retrieval, before it can change them."""
        operation, recording = observation.operation, observation.recording
        if recording is None or not isinstance(operation, (ToolCall, Retrieval)):
            return
        _keep_content(observation, recording, body, is_request=True)
        if isinstance(operation, ToolCall) and operation.attributes.get(A.TOOL_EFFECT) in EFFECTS:
            self._record_intent(observation, operation, recording)

    def _record_intent(self, observation: Observation, call: ToolCall, recording: Recording) -> None:
        """Have on disk that the tool is about to run, before it runs; wait for that no longer than a moment."""
        recording.place = find_place(observation)
        head = {
            "kind": "intent",
            "time_ns": observation.started_ns,
            "monotonic_ns": recording.started_ns,
            "tool": call.name,
            "effect": call.attributes.get(A.TOOL_EFFECT),
            **write_place(recording.place),
        }
        if self._writer.queued_bytes > BACKLOG_BYTES:
            forget_context(recording)
        origin = Origin(recording.users, recording.context)
        encode = partial(recording.maker.encode_intent, head, observation.request_attributes, recording.parts, origin)
        recording.intent = self._writer.offer(recording.size, encode, has_effect=True, deadline_s=_INTENT_DEADLINE_S)

    def response_received(self, observation: Observation, result: Any) -> None:
        """Keep what a tool returned or a retrieval found."""
        operation, recording = observation.operation, observation.recording
        if recording is None or not isinstance(operation, (ToolCall, Retrieval)):
            return
        _keep_content(observation, recording, result, is_request=False)
        if isinstance(operation, ToolCall):
            recording.answer = None  # it is kept as JSON; the application's object may live no longer than before


def _keep_content(observation: Observation, recording: Recording, content: Any, *, is_request: bool) -> None:
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
