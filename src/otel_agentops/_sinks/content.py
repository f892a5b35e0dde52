"""The words of people and models, on the span of the operation and in an event, if the user asks for it.

This sink is installed only then. It reads the body of the request, the answer or the chunks of a stream by the
`ContentReader` of their endpoint; everything passes the redaction and the byte limit before it is written anywhere.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Protocol

from opentelemetry.context import Context
from opentelemetry.trace import Span, set_span_in_context
from opentelemetry.util.types import AnyValue

from otel_agentops import _foreign_spans
from otel_agentops._content_limits import dump_json, fit_content
from otel_agentops._endpoint import Content, ContentReader
from otel_agentops._observation import Observation
from otel_agentops._redaction import Redactor
from otel_agentops._sinks.answer import answer_attributes
from otel_agentops._sinks.foreign_span import ForeignSpan
from otel_agentops._sinks.own_span import OwnSpan
from otel_agentops._sinks.span_attributes import add_missing
from otel_agentops.operations import Attributes, ModelCall, Operation
from otel_agentops.semconv import attributes as A
from otel_agentops.semconv import events as E


class EmitEvent(Protocol):
    """A function that emits an event."""

    def __call__(self, name: str, attributes: Mapping[str, AnyValue], *, context: Context) -> object:
        """Emit the event of the span that the context has."""


# Instrumentations that read the same setting as we do, and write the messages by themselves.
_OFFICIAL_SCOPES = (
    "opentelemetry.instrumentation.genai",
    "opentelemetry.instrumentation.google_genai",
    "opentelemetry.instrumentation.openai_v2",
    "opentelemetry.instrumentation.botocore",
    "opentelemetry.instrumentation.vertexai",
    "opentelemetry.instrumentation.langchain",
    "opentelemetry.util.genai",
)
# Attributes in which others write the messages, from the start of their span.
_THEIR_MESSAGES = re.compile(
    r"(?:gen_ai|llm)\.prompts?(?:\.[0-9].*)?|gen_ai\.input\.messages|llm\.input_messages\..*"
    r"|input\.value|traceloop\.entity\.input"
)


class _Recorded:
    """The content of one operation so far, redacted and within its limit; chunks: of a stream, unread until its end."""

    __slots__ = ("answer", "attributes", "chunks", "has_answer", "reader", "request")

    def __init__(self, reader: ContentReader | None) -> None:
        self.reader = reader
        self.attributes: Attributes = {}
        self.request: Content = {}
        self.answer: Content = {}
        self.has_answer = False
        self.chunks: list[Any] = []


class ContentSink:
    """Writes content to spans, to events, or to both.

    Args:
        redactor: What all content passes.
        limit: Bytes of an attribute that is a text or JSON.
        writes_span: True if content goes on spans.
        emit_event: Emits the event of an inference; None if there is to be none.
    """

    has_content = True  # its failures may quote what was said

    def __init__(self, redactor: Redactor, limit: int, writes_span: bool, emit_event: EmitEvent | None) -> None:
        self._redactor = redactor
        self._limit = limit
        self._writes_span = writes_span
        self._emit_event = emit_event

    def request_read(self, observation: Observation, body: Any) -> None:
        """Read what is sent, before the application or the client can change it."""
        span = observation.span
        endpoint = getattr(observation, "endpoint", None)
        reader: ContentReader | None = _BLOCK if endpoint is None else endpoint.content
        if reader is None or not self._is_wanted(observation):
            return
        observation.content = recorded = _Recorded(reader)
        recorded.request = self._clean({**reader.request(body), **_define_tools(observation)})
        if isinstance(span, ForeignSpan) and isinstance(operation := observation.operation, ModelCall):
            # Words of the application, which are not on a foreign span if nobody asked for content.
            stops = operation.attributes.get(A.GEN_AI_REQUEST_STOP_SEQUENCES)
            recorded.attributes = {} if stops is None else {A.GEN_AI_REQUEST_STOP_SEQUENCES: stops}
        if isinstance(span, ForeignSpan):  # if the call fails its maker ends the span before we know
            self._write_span(span.span, recorded, is_foreign=True)

    def _is_wanted(self, observation: Observation) -> bool:
        span = observation.span
        if not isinstance(span, (OwnSpan, ForeignSpan)):
            return False
        if isinstance(span, ForeignSpan) and _writes_messages(span.span):
            return False
        return self._emits_event(observation) or (self._writes_span and span.span.is_recording())

    def _emits_event(self, observation: Observation) -> bool:
        """Return True if the operation gets an event: the convention has one for inferences alone."""
        operation = observation.operation
        return self._emit_event is not None and isinstance(operation, ModelCall) and operation.is_inference

    def _clean(self, content: Content) -> Content:
        """Return the content that may leave, and is not too long."""
        cleaned: Content = {}
        for name, value in content.items():
            redacted = self._redactor.redact(name, value)
            fitting = None if redacted is None else fit_content(redacted, self._limit)
            if fitting is not None:
                cleaned[name] = fitting
        return cleaned

    def response_received(self, observation: Observation, result: Any) -> None:
        """Read the whole answer."""
        recorded = _find(observation)
        if recorded is not None and recorded.reader is not None:
            recorded.has_answer = True
            recorded.answer = self._clean(recorded.reader.response(result))

    def chunk_received(self, observation: Observation, chunk: Any) -> None:
        """Keep a chunk of a stream; all are read when it ends."""
        recorded = _find(observation)
        if recorded is not None:
            recorded.chunks.append(chunk)

    def answer_known(self, observation: Observation) -> None:
        """Write the answer to a foreign span, which may end before the operation does."""
        recorded, span = _find(observation), observation.span
        if recorded is not None and isinstance(span, ForeignSpan):
            self._read_chunks(recorded)
            self._write_span(span.span, recorded, is_foreign=True)

    def ended(self, observation: Observation) -> None:
        """Write everything: the span is still open."""
        recorded, span = _find(observation), observation.span
        if recorded is None or not isinstance(span, (OwnSpan, ForeignSpan)):
            return
        self._read_chunks(recorded)
        self._write_span(span.span, recorded, is_foreign=isinstance(span, ForeignSpan))
        if self._emit_event is not None and self._emits_event(observation):
            attributes = {
                **observation.request_attributes,
                **_find_place(observation.operation),
                **answer_attributes(observation),
                **recorded.attributes,
                **recorded.request,
                **recorded.answer,
            }
            context = set_span_in_context(span.span)
            self._emit_event(E.GEN_AI_CLIENT_INFERENCE_OPERATION_DETAILS, attributes, context=context)

    def _read_chunks(self, recorded: _Recorded) -> None:
        if recorded.reader is not None and recorded.chunks and not recorded.has_answer:
            recorded.answer = self._clean(recorded.reader.chunks(recorded.chunks))

    def _write_span(self, span: Span, recorded: _Recorded, *, is_foreign: bool) -> None:
        if not self._writes_span:
            return
        attributes = dict(recorded.attributes)
        for name, value in (*recorded.request.items(), *recorded.answer.items()):
            attributes[name] = value if isinstance(value, str) else dump_json(value)
        if not span.is_recording():
            return
        if is_foreign:
            add_missing(span, attributes, _foreign_spans.read_attributes(span))
        else:
            span.set_attributes(attributes)


def _find(observation: Observation) -> _Recorded | None:
    recorded = getattr(observation, "content", None)
    return recorded if isinstance(recorded, _Recorded) else None


def _find_place(operation: Operation | None) -> Attributes:
    """Return where the call went, which may be another place than that which was known at its start."""
    if not isinstance(operation, ModelCall):
        return {}
    keys = (A.SERVER_ADDRESS, A.SERVER_PORT)
    place = {key: operation.attributes[key] for key in keys if key in operation.attributes}
    return place if operation.provider is None else {**place, A.GEN_AI_PROVIDER_NAME: operation.provider}


def _writes_messages(span: Span) -> bool:
    """Return True if the maker of a span writes what was said, as far as can be known from its start."""
    scope = getattr(getattr(span, "instrumentation_scope", None), "name", "")
    if scope.startswith(_OFFICIAL_SCOPES):
        return True
    return any(map(_THEIR_MESSAGES.fullmatch, _foreign_spans.read_attributes(span)))


def _define_tools(observation: Observation) -> Content:
    """Return the tools that a request offers, from the material of their identity, which all clients have."""
    operation = observation.operation
    if not isinstance(operation, ModelCall) or not operation.tools or operation.normalise_tool is None:
        return {}
    definitions = [_define_tool(tool, operation.normalise_tool(tool)) for tool in operation.tools]
    return {A.GEN_AI_TOOL_DEFINITIONS: definitions}


def _define_tool(wire: Any, material: Mapping[str, Any]) -> dict[str, Any]:
    name = str(material.get("name"))
    if "settings" in material:  # a tool that runs at the provider
        kind = wire.get("type") if isinstance(wire, Mapping) else None
        return {"type": kind if isinstance(kind, str) else name, "name": name}
    members = {"description": material.get("description"), "parameters": material.get("input_schema")}
    return {"type": "function", "name": name, **{key: value for key, value in members.items() if value is not None}}


def _keep_attributes(content: Content) -> Content:
    return content


# A helper tells its content as attributes.
_BLOCK = ContentReader(_keep_attributes, _keep_attributes)
