"""What runs, from files that the collector's file exporter wrote: OTLP-JSON, one payload a line."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from otel_agentops.lock.live import OPERATION, SERVICE, UNKNOWN, WATCHED, Live, Seen
from otel_agentops.lock.model import LockError
from otel_agentops.semconv import attributes as A
from otel_agentops.semconv import events as E

_EVENT_NAME = "event.name"  # where it was before it became a field of the record


def live(files: Sequence[Path]) -> Live:
    """Every value on the spans and evaluations of files. Raises LockError."""
    counts = Counter(seen for file in files for payload in _payloads(file) for seen in _seen(payload))
    return Live(counts, ", ".join(map(str, files)))


def _payloads(file: Path) -> Iterator[Mapping[str, Any]]:
    try:
        with file.open(encoding="utf-8") as lines:
            for number, line in enumerate(lines, 1):
                if line.strip():
                    yield _payload(line, f"{file}:{number}")
    except OSError as error:
        raise LockError(f"{file}: cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise LockError(f"{file}: is no UTF-8; give the JSON lines of the collector's file exporter") from None


def _payload(line: str, where: str) -> Mapping[str, Any]:
    try:
        payload = json.loads(line)
    except ValueError as error:
        raise LockError(f"{where}: is no JSON: {error}") from None
    if not isinstance(payload, dict) or not payload.keys() & {"resourceSpans", "resourceLogs", "resourceMetrics"}:
        raise LockError(f"{where}: is no OTLP-JSON payload; give the lines of the collector's file exporter")
    return payload


def _seen(payload: Mapping[str, Any]) -> Iterator[Seen]:
    for outer, inner, leaf in (("resourceSpans", "scopeSpans", "spans"), ("resourceLogs", "scopeLogs", "logRecords")):
        for resource in payload.get(outer, ()):
            service = _attributes(resource.get("resource", {})).get(SERVICE) or UNKNOWN
            for scope in resource.get(inner, ()):
                for record in scope.get(leaf, ()):
                    yield from (_of_span if leaf == "spans" else _of_event)(service, record)


def _of_span(service: str, span: Mapping[str, Any]) -> Iterator[Seen]:
    attributes = _attributes(span)
    if OPERATION in attributes or A.TASK_OUTCOME in attributes:
        for name, variable in WATCHED.items():
            if variable.on_span and (not variable.operations or attributes.get(OPERATION) in variable.operations):
                yield from _value(service, name, attributes)


def _of_event(service: str, record: Mapping[str, Any]) -> Iterator[Seen]:
    attributes = _attributes(record)
    if E.GEN_AI_EVALUATION_RESULT in (record.get("eventName"), attributes.get(_EVENT_NAME)):
        for name, variable in WATCHED.items():
            if not variable.on_span:
                yield from _value(service, name, attributes)


def _value(service: str, name: str, attributes: Mapping[str, str]) -> Iterator[Seen]:
    variable = WATCHED[name]
    value = attributes.get(variable.value) or None
    if value or name == "model":
        yield Seen(service, name, "/".join(attributes.get(part, UNKNOWN) for part in variable.scope), value)


def _attributes(owner: Mapping[str, Any]) -> dict[str, str]:
    """Those that are texts, or numbers that the collector shows as one text only."""
    found = {one["key"]: _text(one.get("value", {})) for one in owner.get("attributes", ())}
    return {key: text for key, text in found.items() if text is not None}


def _text(value: Mapping[str, Any]) -> str | None:
    if "boolValue" in value:
        return "true" if value["boolValue"] else "false"
    text = value.get("stringValue", value.get("intValue"))
    return None if text is None else str(text)
