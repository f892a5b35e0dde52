"""Labels from JSON lines: what the collector's file exporter wrote, or receipts with the verdict beside them.

{"resourceLogs": […]}                              outcome events, tagged with the verdicts of the indicators
{"service": "shop", "environment": "prod", "receipt": {…}, "good": false, "source": "review", "sampling": "random",
 "proxy": {"task_completed": "good"}}              what `task.receipt()` gave, and what somebody found out
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from otel_agentops._yaml import InputError, Wording, explain_errors
from otel_agentops.semconv import attributes as A
from otel_agentops.semconv import events as E
from otel_agentops.slo.indicators import Indicator, verdict_attribute

Attributes = Mapping[str, Any]  # values of attributes, or what a file has in their place

UNKNOWN = "unknown"
_EVENT_NAME = "event.name"  # where it was before it became a field of the record
_FIELDS = ("service", "environment", "receipt", "good", "source", "sampling", "proxy")
_WORDS = {0: "good", 1: "bad"}


class Label(NamedTuple):
    """The truth about one task, by one source.

    Attributes:
        time_s: Start of the task, in Unix seconds.
        service: Service of the task.
        environment: Environment of the service.
        verdict: `good` or `bad`.
        sampling: How the task was chosen.
        proxies: Each indicator, and whether it had called the task good or bad.
        attributes: Attributes of the event.
    """

    time_s: float
    service: str
    environment: str
    verdict: str
    sampling: str
    proxies: tuple[tuple[Indicator, str], ...]
    attributes: Attributes


def read_labels(files: Sequence[Path], indicators: Iterable[Indicator]) -> list[Label]:
    """Return the labels in the order of their tasks, each task and source once: the first one stands.

    Raises:
        InputError: A file cannot be read, or a line is not a label.
    """
    by_name = {indicator.name: indicator for indicator in indicators}
    labels: dict[object, Label] = {}
    for file in files:
        for where, line in read_lines(file):
            for resource, record in _find_records(line, where):
                if A.TRUTH_VERDICT in record:
                    labels.setdefault(_identify_label(record, where), _build_label(resource, record, by_name, where))
    return sorted(
        labels.values(), key=lambda label: (label.time_s, str(label.attributes.get(A.TASK_ID)), label.service)
    )


def _identify_label(record: Attributes, where: str) -> object:
    """Return task and source; without a task id every event is one of its own, but for what a sender repeated."""
    if A.TASK_ID in record:
        return record[A.TASK_ID], record.get(A.TRUTH_SOURCE)
    return record.get(A.LOG_RECORD_UID, (where, id(record)))


def read_lines(file: Path) -> Iterator[tuple[str, object]]:
    """Yield the place and the content of each line of JSON.

    Raises:
        InputError: The file cannot be read, or a line is no JSON.
    """
    with (
        explain_errors(str(file), Wording(undecodable="is no UTF-8; give JSON lines")),
        file.open(encoding="utf-8") as lines,
    ):
        for number, line in enumerate(lines, 1):
            if line.strip():
                try:
                    content = json.loads(line)
                except ValueError as error:
                    raise InputError(f"{file}:{number}: is no JSON: {error}") from None
                yield f"{file}:{number}", content


def _find_records(line: object, where: str) -> Iterator[tuple[Attributes, Attributes]]:
    """Yield attributes of the resource and of the event."""
    if not isinstance(line, dict):
        raise InputError(f"{where}: is no JSON object; write one a line")
    if "resourceLogs" in line:
        for resource, record, attributes in _read_records(line, where):
            if E.OUTCOME in (record.get("eventName"), attributes.get(_EVENT_NAME)):
                yield resource, {**_derive_start(record, attributes), **attributes}
    elif not line.keys() & {"resourceSpans", "resourceMetrics"}:
        yield _read_receipt(line, where)


# -- lines of the collector


def read_events(line: object, where: str, name: str) -> Iterator[tuple[Attributes, Attributes]]:
    """Yield attributes of the resource and of each event of a name; a line without log records has none.

    Raises:
        InputError: The records are not as the exporter writes them.
    """
    if isinstance(line, dict) and "resourceLogs" in line:
        for resource, record, attributes in _read_records(line, where):
            if name in (record.get("eventName"), attributes.get(_EVENT_NAME)):
                yield resource, attributes


def _read_records(payload: Mapping[str, Any], where: str) -> Iterator[tuple[Attributes, Mapping[str, Any], Attributes]]:
    """Yield attributes of the resource, the record, and its attributes."""
    try:
        for resource in payload["resourceLogs"]:
            resource_attributes = read_attributes(resource.get("resource", {}))
            for scope in resource.get("scopeLogs", ()):
                for record in scope.get("logRecords", ()):
                    yield resource_attributes, record, read_attributes(record)
    except (AttributeError, KeyError, TypeError, ValueError):
        raise InputError(f"{where}: resourceLogs is not as OTLP-JSON has it; take the file exporter's lines") from None


def _derive_start(record: Mapping[str, str], attributes: Attributes) -> Attributes:
    """Derive the start from the time of the label and its delay, for a receipt that has none."""
    if A.TRUTH_DELAY not in attributes or not int(record.get("timeUnixNano", 0)):
        return {}
    return {A.TASK_STARTED_AT: int(record["timeUnixNano"]) / 1e9 - attributes[A.TRUTH_DELAY]}


def read_attributes(owner: Mapping[str, Any]) -> dict[str, object]:
    """Return the attributes of a resource, a span or a log record of OTLP-JSON."""
    return {each["key"]: _read_value(each["value"]) for each in owner.get("attributes", ())}


def _read_value(value: Mapping[str, Any]) -> object:
    """Return the value of an attribute; a 64 bit integer is a text in OTLP-JSON."""
    if "intValue" in value:
        return int(value["intValue"])
    if "arrayValue" in value:
        return [_read_value(each) for each in value["arrayValue"].get("values", ())]
    return next((value[kind] for kind in ("stringValue", "boolValue", "doubleValue") if kind in value), None)


# -- lines that somebody wrote


def _read_receipt(line: Mapping[str, object], where: str) -> tuple[Attributes, Attributes]:
    for field in line:
        if field not in _FIELDS:
            raise InputError(f"{where}: {field}: is no field; known are {', '.join(_FIELDS)}")
    good, receipt = line.get("good"), line.get("receipt")
    if not isinstance(good, bool):
        raise InputError(f"{where}: good: write true or false")
    if not isinstance(receipt, dict):
        raise InputError(f"{where}: receipt: write what task.receipt() gave")
    resource = {
        A.SERVICE_NAME: _require_text(line, "service", where),
        A.DEPLOYMENT_ENVIRONMENT_NAME: line.get("environment"),
    }
    truth = {
        A.TRUTH_VERDICT: _WORDS[not good],
        A.TRUTH_SOURCE: _require_text(line, "source", where),
        A.TRUTH_SAMPLING: line.get("sampling", UNKNOWN),
    }
    return resource, {**receipt, **truth, **_read_proxies(line.get("proxy"), where)}


def _require_text(line: Mapping[str, object], field: str, where: str) -> str:
    if not isinstance(line.get(field), str) or not line[field]:
        raise InputError(f"{where}: {field}: is missing; write a text")
    return str(line[field])


def _read_proxies(proxy: object, where: str) -> Attributes:
    numbers = {word: number for number, word in _WORDS.items()}
    if not isinstance(proxy, dict) or not proxy or any(word not in numbers for word in map(str, proxy.values())):
        raise InputError(
            f'{where}: proxy: write what each indicator had said of the task, as {{"task_completed": "bad"}}; what a '
            "collector has tagged needs none of it"
        )
    return {verdict_attribute(name): numbers[word] for name, word in proxy.items()}


# -- a label


def _build_label(resource: Attributes, record: Attributes, indicators: Mapping[str, Indicator], where: str) -> Label:
    truth, sampling = record[A.TRUTH_VERDICT], record.get(A.TRUTH_SAMPLING, UNKNOWN)
    if truth not in A.TRUTH_VERDICT_VALUES:
        raise InputError(f"{where}: {A.TRUTH_VERDICT} is {truth!r}, neither good nor bad")
    start_s = record.get(A.TASK_STARTED_AT)
    if not isinstance(start_s, (int, float)) or isinstance(start_s, bool) or not 0 < start_s < 1e11:
        raise InputError(
            f"{where}: {A.TASK_STARTED_AT} is {start_s!r}; without the time of the task, in Unix seconds, its truth "
            "has no place"
        )
    return Label(
        float(start_s),
        str(resource.get(A.SERVICE_NAME) or UNKNOWN),
        str(resource.get(A.DEPLOYMENT_ENVIRONMENT_NAME) or UNKNOWN),
        truth,
        sampling if sampling in A.TRUTH_SAMPLING_VALUES else UNKNOWN,
        tuple(_find_proxies(record, indicators, where)),
        record,
    )


def _find_proxies(
    record: Attributes, indicators: Mapping[str, Indicator], where: str
) -> Iterator[tuple[Indicator, str]]:
    before, after = verdict_attribute("\n").split("\n")
    tags = {
        key[len(before) : -len(after)]: value
        for key, value in record.items()
        if key.startswith(before) and key.endswith(after)
    }
    if not tags:
        raise InputError(
            f"{where}: has no verdict of an indicator ({verdict_attribute('…')}); take the lines behind "
            "transform/otel_agentops_sli, where the collector writes them"
        )
    for name, value in sorted(tags.items()):
        if name not in indicators:
            raise InputError(f"{where}: {verdict_attribute(name)} is of no known indicator; give its spec with --slo")
        if value not in _WORDS:
            raise InputError(f"{where}: {verdict_attribute(name)} is {value!r}, neither 0 nor 1")
        yield indicators[name], _WORDS[value]
