"""Live values from files that the collector's file exporter wrote: OTLP-JSON, one payload a line."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from otel_agentops._yaml import InputError, Wording, explain_errors
from otel_agentops.lock.live import OPERATION, SERVICE, UNKNOWN, WATCHED, Live, LiveValue
from otel_agentops.semconv import attributes as A
from otel_agentops.semconv import events as E

_EVENT_NAME = "event.name"  # where it was before it became a field of the record
_WORDING = Wording(undecodable="is no UTF-8; give the JSON lines of the collector's file exporter")


def read_live(files: Sequence[Path]) -> Live:
    """Return every value on the spans and evaluations of files.

    Raises:
        InputError: A file cannot be read, or holds something else.
    """
    counts = Counter(value for file in files for payload in _read_payloads(file) for value in _find_values(payload))
    return Live(counts, ", ".join(map(str, files)))


def _read_payloads(file: Path) -> Iterator[Mapping[str, Any]]:
    with explain_errors(str(file), _WORDING), file.open(encoding="utf-8") as lines:
        for number, line in enumerate(lines, 1):
            if line.strip():
                yield _parse_payload(line, f"{file}:{number}")


def _parse_payload(line: str, where: str) -> Mapping[str, Any]:
    try:
        payload = json.loads(line)
    except ValueError as error:
        raise InputError(f"{where}: is no JSON: {error}") from None
    if not isinstance(payload, dict) or not payload.keys() & {"resourceSpans", "resourceLogs", "resourceMetrics"}:
        raise InputError(f"{where}: is no OTLP-JSON payload; give the lines of the collector's file exporter")
    return payload


def _find_values(payload: Mapping[str, Any]) -> Iterator[LiveValue]:
    for outer, inner, leaf in (("resourceSpans", "scopeSpans", "spans"), ("resourceLogs", "scopeLogs", "logRecords")):
        for resource in payload.get(outer, ()):
            service = _read_attributes(resource.get("resource", {})).get(SERVICE) or UNKNOWN
            for scope in resource.get(inner, ()):
                for record in scope.get(leaf, ()):
                    attributes = _read_attributes(record)
                    yield from _read_variables(service, leaf == "spans", record.get("eventName"), attributes)


def _read_variables(
    service: str, is_span: bool, event_name: str | None, attributes: Mapping[str, str]
) -> Iterator[LiveValue]:
    operation = attributes.get(OPERATION)
    if is_span and not (OPERATION in attributes or A.TASK_OUTCOME in attributes):
        return
    if not is_span and E.GEN_AI_EVALUATION_RESULT not in (event_name, attributes.get(_EVENT_NAME)):
        return
    for name, variable in WATCHED.items():
        if variable.is_on_span is is_span and (not variable.operations or operation in variable.operations):
            value = attributes.get(variable.value) or None
            if value or name == "model":
                scope = "/".join(attributes.get(part, UNKNOWN) for part in variable.scope)
                yield LiveValue(service, name, scope, value)


def _read_attributes(owner: Mapping[str, Any]) -> dict[str, str]:
    """Return attributes that are texts, or numbers that the collector shows as one text only."""
    texts = {each["key"]: _read_scalar(each.get("value", {})) for each in owner.get("attributes", ())}
    return {key: text for key, text in texts.items() if text is not None}


def _read_scalar(value: Mapping[str, Any]) -> str | None:
    if "boolValue" in value:
        return "true" if value["boolValue"] else "false"
    text = value.get("stringValue", value.get("intValue"))
    return None if text is None else str(text)
