"""The demo's trace store, a file of OTLP JSON as the collector writes it: which task a trace id stands for."""

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
    def bad(self) -> bool:
        """True if it failed, or is a task that did not end as it should."""
        return self.error or self.attributes.get(A.TASK_OUTCOME, "completed") not in ("completed", "cancelled")

    def told(self) -> str:
        """The span in a few words."""
        words = [self.name]
        if (answered := self.attributes.get(A.GEN_AI_RESPONSE_MODEL)) and answered not in self.name:
            words.append(f"answered by {answered}")
        if outcome := self.attributes.get(A.TASK_OUTCOME):
            words.append(str(outcome))
        if self.error:
            words.append(f"failed: {self.attributes.get(A.ERROR_TYPE, 'no reason given')}")
        return ", ".join(words)


def of_trace(store: Path, trace_id: str) -> list[Span]:
    """The stored spans of a trace in the order in which they began; none where it is not stored."""
    return sorted((span for span in _spans(store, trace_id) if span.trace_id == trace_id), key=lambda span: span.start)


def bad_trace(store: Path, trace_ids: Iterable[str]) -> list[Span]:
    """The first of these traces that is stored and in which something was bad; none where there is none."""
    for trace_id in trace_ids:
        spans = of_trace(store, trace_id)
        if any(span.bad for span in spans):
            return spans
    return []


def _spans(store: Path, trace_id: str) -> Iterator[Span]:
    with store.open(encoding="utf-8") as lines:
        for line in lines:
            if trace_id in line and line.endswith("\n"):  # the last line may be half written
                yield from _of_line(json.loads(line))


def _of_line(batch: Mapping[str, Any]) -> Iterator[Span]:
    for resource in batch["resourceSpans"]:
        for scope in resource["scopeSpans"]:
            for span in scope["spans"]:
                attributes = {one["key"]: _value(one["value"]) for one in span.get("attributes", [])}
                failed = span.get("status", {}).get("code") == _ERROR
                yield Span(span["traceId"], span["name"], int(span["startTimeUnixNano"]), failed, attributes)


_ERROR = 2  # STATUS_CODE_ERROR of OTLP


def _value(value: Mapping[str, Any]) -> Any:
    """The value itself; numbers of a list keep the text that JSON gives them."""
    kind, inner = next(iter(value.items()), ("", ""))
    return int(inner) if kind == "intValue" else inner
