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

from otel_agentops.semconv import attributes as A
from otel_agentops.semconv import events as E
from otel_agentops.slo.indicators import Indicator, verdict_attribute

Attributes = Mapping[str, Any]

UNKNOWN = "unknown"
_EVENT_NAME = "event.name"  # where it was before it became a field of the record
_FIELDS = ("service", "environment", "receipt", "good", "source", "sampling", "proxy")
_WORDS = {0: "good", 1: "bad"}


class TruthError(Exception):
    """One sentence that names file, line and field and says what to do."""


class Label(NamedTuple):
    """The truth about one task, by one source. time: of the task, Unix seconds. attributes: those of the event."""

    time: float
    service: str
    environment: str
    verdict: str
    sampling: str
    proxies: tuple[tuple[Indicator, str], ...]
    attributes: Attributes


def read(files: Sequence[Path], indicators: Iterable[Indicator]) -> list[Label]:
    """The labels in the order of their tasks, each task and source once: what was said first stands."""
    known = {each.name: each for each in indicators}
    labels: dict[object, Label] = {}
    for file in files:
        for where, line in _lines(file):
            for resource, record in _records(line, where):
                if A.TRUTH_VERDICT in record:
                    labels.setdefault(_identity(record, where), _label(resource, record, known, where))
    return sorted(labels.values(), key=lambda one: (one.time, str(one.attributes.get(A.TASK_ID)), one.service))


def _identity(record: Attributes, where: str) -> object:
    """Of a task without an id every event is one of its own, but for those that a sender repeated."""
    if A.TASK_ID in record:
        return record[A.TASK_ID], record.get(A.TRUTH_SOURCE)
    return record.get(A.LOG_RECORD_UID, (where, id(record)))


def _lines(file: Path) -> Iterator[tuple[str, Any]]:
    try:
        with file.open(encoding="utf-8") as lines:
            for number, line in enumerate(lines, 1):
                if line.strip():
                    yield f"{file}:{number}", _parsed(line, f"{file}:{number}")
    except OSError as error:
        raise TruthError(f"{file}: cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise TruthError(f"{file}: is no UTF-8; give JSON lines") from None


def _parsed(line: str, where: str) -> Any:
    try:
        return json.loads(line)
    except ValueError as error:
        raise TruthError(f"{where}: is no JSON: {error}") from None


def _records(line: Any, where: str) -> Iterator[tuple[Attributes, Attributes]]:
    """Attributes of the resource and of the event."""
    if not isinstance(line, dict):
        raise TruthError(f"{where}: is no JSON object; write one a line")
    if "resourceLogs" in line:
        yield from _of_collector(line, where)
    elif not line.keys() & {"resourceSpans", "resourceMetrics"}:
        yield _of_receipt(line, where)


# -- what the collector wrote


def _of_collector(payload: Mapping[str, Any], where: str) -> Iterator[tuple[Attributes, Attributes]]:
    try:
        for resource in payload["resourceLogs"]:
            of_resource = _attributes(resource.get("resource", {}))
            for scope in resource.get("scopeLogs", ()):
                for record in scope.get("logRecords", ()):
                    attributes = _attributes(record)
                    if E.OUTCOME in (record.get("eventName"), attributes.get(_EVENT_NAME)):
                        yield of_resource, {**_started(record, attributes), **attributes}
    except (AttributeError, KeyError, TypeError, ValueError):
        raise TruthError(f"{where}: resourceLogs is not as OTLP-JSON has it; take the file exporter's lines") from None


def _started(record: Mapping[str, Any], attributes: Attributes) -> Attributes:
    """From the time of the label and how late it was, where the receipt has no start."""
    if A.TRUTH_DELAY not in attributes or not int(record.get("timeUnixNano", 0)):
        return {}
    return {A.TASK_STARTED_AT: int(record["timeUnixNano"]) / 1e9 - attributes[A.TRUTH_DELAY]}


def _attributes(owner: Mapping[str, Any]) -> dict[str, Any]:
    return {one["key"]: _value(one["value"]) for one in owner.get("attributes", ())}


def _value(value: Mapping[str, Any]) -> Any:
    """A 64 bit integer is a text in OTLP-JSON."""
    if "intValue" in value:
        return int(value["intValue"])
    if "arrayValue" in value:
        return [_value(each) for each in value["arrayValue"].get("values", ())]
    return next((value[kind] for kind in ("stringValue", "boolValue", "doubleValue") if kind in value), None)


# -- what somebody wrote


def _of_receipt(line: Mapping[str, Any], where: str) -> tuple[Attributes, Attributes]:
    for field in line:
        if field not in _FIELDS:
            raise TruthError(f"{where}: {field}: is no field; known are {', '.join(_FIELDS)}")
    good, receipt = line.get("good"), line.get("receipt")
    if not isinstance(good, bool):
        raise TruthError(f"{where}: good: write true or false")
    if not isinstance(receipt, dict):
        raise TruthError(f"{where}: receipt: write what task.receipt() gave")
    resource = {A.SERVICE_NAME: _text(line, "service", where), A.DEPLOYMENT_ENVIRONMENT_NAME: line.get("environment")}
    truth = {
        A.TRUTH_VERDICT: _WORDS[not good],
        A.TRUTH_SOURCE: _text(line, "source", where),
        A.TRUTH_SAMPLING: line.get("sampling", UNKNOWN),
    }
    return resource, {**receipt, **truth, **_said(line.get("proxy"), where)}


def _text(line: Mapping[str, Any], field: str, where: str) -> str:
    if not isinstance(line.get(field), str) or not line[field]:
        raise TruthError(f"{where}: {field}: is missing; write a text")
    return str(line[field])


def _said(proxy: Any, where: str) -> Attributes:
    words = {word: number for number, word in _WORDS.items()}
    if not isinstance(proxy, dict) or not proxy or any(word not in words for word in map(str, proxy.values())):
        raise TruthError(
            f'{where}: proxy: write what each indicator had said of the task, as {{"task_completed": "bad"}}; what a '
            "collector has tagged needs none of it"
        )
    return {verdict_attribute(name): words[word] for name, word in proxy.items()}


# -- a label


def _label(resource: Attributes, record: Attributes, known: Mapping[str, Indicator], where: str) -> Label:
    verdict_, sampling = record[A.TRUTH_VERDICT], record.get(A.TRUTH_SAMPLING, UNKNOWN)
    if verdict_ not in A.TRUTH_VERDICT_VALUES:
        raise TruthError(f"{where}: {A.TRUTH_VERDICT} is {verdict_!r}, neither good nor bad")
    return Label(
        _time(record, where),
        str(resource.get(A.SERVICE_NAME) or UNKNOWN),
        str(resource.get(A.DEPLOYMENT_ENVIRONMENT_NAME) or UNKNOWN),
        verdict_,
        sampling if sampling in A.TRUTH_SAMPLING_VALUES else UNKNOWN,
        tuple(_proxies(record, known, where)),
        record,
    )


def _time(record: Attributes, where: str) -> float:
    started = record.get(A.TASK_STARTED_AT)
    if not isinstance(started, (int, float)) or isinstance(started, bool) or not 0 < started < 1e11:
        raise TruthError(
            f"{where}: {A.TASK_STARTED_AT} is {started!r}; without the time of the task, in Unix seconds, its truth "
            "has no place"
        )
    return float(started)


def _proxies(record: Attributes, known: Mapping[str, Indicator], where: str) -> Iterator[tuple[Indicator, str]]:
    before, after = verdict_attribute("\n").split("\n")
    tags = {key[len(before) : -len(after)]: value for key, value in record.items() if _is_tag(key, before, after)}
    if not tags:
        raise TruthError(
            f"{where}: has no verdict of an indicator ({verdict_attribute('…')}); take the lines behind "
            "transform/otel_agentops_sli, where the collector writes them"
        )
    for name, value in sorted(tags.items()):
        if name not in known:
            raise TruthError(f"{where}: {verdict_attribute(name)} is of no known indicator; give its spec with --slo")
        if value not in _WORDS:
            raise TruthError(f"{where}: {verdict_attribute(name)} is {value!r}, neither 0 nor 1")
        yield known[name], _WORDS[value]


def _is_tag(key: str, before: str, after: str) -> bool:
    return key.startswith(before) and key.endswith(after)
