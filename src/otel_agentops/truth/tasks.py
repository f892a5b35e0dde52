"""Stored tasks that a judge or a person looks at later: what was in their spans, and the receipt to judge them by."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from otel_agentops._coerce import RECEIPT_KEYS
from otel_agentops._yaml import InputError
from otel_agentops.gold import is_gold
from otel_agentops.operations import Value
from otel_agentops.semconv import attributes as A
from otel_agentops.truth.labels import UNKNOWN, read_attributes, read_lines


class StoredSpan(NamedTuple):
    """A span of a file.

    Attributes:
        name: Its name.
        trace_id: Its trace, in hexadecimal digits.
        start_ns: Its start in ns since the epoch.
        attributes: Its attributes.
    """

    name: str
    trace_id: str
    start_ns: int
    attributes: Mapping[str, Any]


class StoredTask(NamedTuple):
    """A task of a file.

    Attributes:
        trace_id: Its trace, in hexadecimal digits.
        service: Its service.
        environment: The environment of the service.
        receipt: What `task.receipt()` gave, as far as the spans say it: for `judge().score(task=…)` and `outcome`.
        spans: The spans of its trace that carry its id, in the order of their start.
    """

    trace_id: str
    service: str
    environment: str
    receipt: dict[str, Value]
    spans: tuple[StoredSpan, ...]


def read_tasks(files: Sequence[Path], gold_ratio: float | None = None) -> list[StoredTask]:
    """Return the tasks of JSON lines that the collector's file exporter wrote, in the order of their start.

    Args:
        files: The files; a task may be in several of them.
        gold_ratio: The share of the tasks to return, always the same ones; None for all.

    Raises:
        InputError: A file cannot be read, or a line is not as the exporter writes it.
        ValueError: The ratio is out of range.
    """
    spans_by_task: dict[object, list[StoredSpan]] = {}
    resources: dict[object, Mapping[str, Any]] = {}
    for file in files:
        for where, line in read_lines(file):
            for resource, span in _read_spans(line, where):
                if (task_id := span.attributes.get(A.TASK_ID)) is None:
                    continue
                if gold_ratio is None or is_gold(span.trace_id, gold_ratio):
                    spans_by_task.setdefault(task_id, []).append(span)
                    if A.TASK_OUTCOME in span.attributes:
                        resources[task_id] = resource
    tasks = [_build_task(resources[task_id], spans_by_task[task_id]) for task_id in resources]
    return sorted(tasks, key=lambda task: (task.spans[0].start_ns, task.trace_id))


def _read_spans(line: object, where: str) -> Iterator[tuple[Mapping[str, Any], StoredSpan]]:
    """Yield the attributes of the resource and the span."""
    try:
        assert isinstance(line, dict)
        for resource in line.get("resourceSpans", ()):
            resource_attributes = read_attributes(resource.get("resource", {}))
            for scope in resource.get("scopeSpans", ()):
                for span in scope.get("spans", ()):
                    start_ns, attributes = int(span["startTimeUnixNano"]), read_attributes(span)
                    yield resource_attributes, StoredSpan(span["name"], span["traceId"], start_ns, attributes)
    except (AssertionError, AttributeError, KeyError, TypeError, ValueError):
        raise InputError(f"{where}: resourceSpans is not as OTLP-JSON has it; take the file exporter's lines") from None


def _build_task(resource: Mapping[str, Any], spans: list[StoredSpan]) -> StoredTask:
    """Build a task; of what several of its spans say, the last one counts, and the root most."""
    spans.sort(key=lambda span: span.start_ns)
    root = next(span for span in spans if A.TASK_OUTCOME in span.attributes)
    own = [span for span in spans if A.JUDGE_NAME not in span.attributes]  # a judge's model is no fact of the task
    said = {key: value for span in (*own, root) for key, value in span.attributes.items()}
    return StoredTask(
        root.trace_id,
        str(resource.get(A.SERVICE_NAME) or UNKNOWN),
        str(resource.get(A.DEPLOYMENT_ENVIRONMENT_NAME) or UNKNOWN),
        {key: said[key] for key in said if key in RECEIPT_KEYS},
        tuple(spans),
    )
