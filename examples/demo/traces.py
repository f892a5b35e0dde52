"""The demo's trace store, a file of OTLP JSON as the collector writes it."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from otel_agentops.semconv import attributes as A


class Span(NamedTuple):
    """One stored span."""

    trace_id: str
    name: str
    start: int
    error: bool
    attributes: Mapping[str, Any]

    @property
    def is_bad(self) -> bool:
        """True if it failed, or is a task that did not end as it should."""
        return self.error or self.attributes.get(A.TASK_OUTCOME, "completed") not in ("completed", "cancelled")

    def describe_span(self) -> str:
        """Describe the span in a few words."""
        words = [self.name]
        if (model := self.attributes.get(A.GEN_AI_RESPONSE_MODEL)) and model not in self.name:
            words.append(f"answered by {model}")
        if outcome := self.attributes.get(A.TASK_OUTCOME):
            words.append(str(outcome))
        if self.error:
            words.append(f"failed: {self.attributes.get(A.ERROR_TYPE, 'no reason given')}")
        return ", ".join(words)


def read_trace(store: Path, trace_id: str) -> list[Span]:
    """Read the stored spans of a trace in the order of their start."""
    return sorted(
        (span for span in _read_spans(store, trace_id) if span.trace_id == trace_id), key=lambda span: span.start
    )


def find_bad_trace(store: Path, trace_ids: Iterable[str]) -> list[Span]:
    """Find the first of these traces that is stored and has a bad span."""
    for trace_id in trace_ids:
        spans = read_trace(store, trace_id)
        if any(span.is_bad for span in spans):
            return spans
    return []


def _read_spans(store: Path, trace_id: str) -> Iterator[Span]:
    with store.open(encoding="utf-8") as lines:
        for line in lines:
            if trace_id in line and line.endswith("\n"):  # the last line may be half written
                yield from _parse_line(json.loads(line))


def _parse_line(batch: Mapping[str, Any]) -> Iterator[Span]:
    for resource in batch["resourceSpans"]:
        for scope in resource["scopeSpans"]:
            for span in scope["spans"]:
                attributes = {one["key"]: _parse_value(one["value"]) for one in span.get("attributes", [])}
                failed = span.get("status", {}).get("code") == _ERROR
                yield Span(span["traceId"], span["name"], int(span["startTimeUnixNano"]), failed, attributes)


_ERROR = 2  # STATUS_CODE_ERROR of OTLP


def _parse_value(value: Mapping[str, Any]) -> Any:
    """Return an OTLP value as Python; numbers of a list stay texts, as in JSON."""
    kind, inner = next(iter(value.items()), ("", ""))
    return int(inner) if kind == "intValue" else inner
