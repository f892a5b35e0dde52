"""Our files for collectors from before the renames: computed from them, so there is no second copy to keep."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from otel_agentops.collector.document import is_ours, lookup

# The type's name and the one before it, which newer collectors still take, with a warning. In contrib since: otlp_*
# 0.144, filter's *_conditions 0.146, delta_to_cumulative 0.158; signal_to_metrics' `monotonic` is of March 2026.
OLDEST = (0, 159)  # what the files are for as they are
RENAMED: dict[str, dict[str, str]] = {
    "receivers": {},
    "processors": {"delta_to_cumulative": "deltatocumulative"},
    "connectors": {"signal_to_metrics": "signaltometrics", "span_metrics": "spanmetrics"},
    "exporters": {
        "load_balancing": "loadbalancing",
        "otlp_grpc": "otlp",
        "otlp_http": "otlphttp",
        "prometheus_remote_write": "prometheusremotewrite",
    },
}
_IDENTITY = "transform/otel_agentops_identity"
_CONDITIONS = {
    "trace_conditions": ("traces", "span"),
    "log_conditions": ("logs", "log_record"),
    "metric_conditions": ("metrics", "metric"),
}
_CONTEXT = re.compile(r"\b(?:span|log|metric)\.(?=[a-z])")


def make_legacy(config: Any) -> None:
    """Change a config in place: components of ours get their old names and settings, the user's stay as they are."""
    for id_, processor in _of(config, "processors"):
        if id_.startswith("filter/"):
            _conditions(processor)
    for _, connector in _of(config, "connectors"):
        _monotonic(connector)
    identity = lookup(config, "processors", _IDENTITY, "metric_statements")
    if identity is not None:  # before `monotonic` every sum was none; what is no counter has no `_total`
        sums = "set(metric.is_monotonic, true) where metric.type == METRIC_DATA_TYPE_SUM"
        identity.insert(0, {"statements": [sums]})
    for kind, names in RENAMED.items():
        _rename(config, kind, names)


def _of(config: Any, kind: str) -> Iterator[tuple[str, Any]]:
    return ((id_, found) for id_, found in (config.get(kind) or {}).items() if is_ours(id_) and found)


def _conditions(processor: Any) -> None:
    """`trace_conditions: [span.x]` was `traces: {span: [x]}`: the context stood in the key, not in the path."""
    for key, (signal, record) in _CONDITIONS.items():
        if key in processor:
            found = processor.pop(key)
            processor[signal] = {record: [_without_context(str(condition)) for condition in found]}


def _without_context(condition: str) -> str:
    parts = condition.split('"')  # every second one is a text
    return '"'.join(part if n % 2 else _CONTEXT.sub("", part) for n, part in enumerate(parts))


def _monotonic(connector: Any) -> None:
    for signal in ("spans", "logs"):
        for metric in connector.get(signal) or ():
            if "monotonic" in metric.get("sum", {}):
                metric["sum"] = {key: value for key, value in metric["sum"].items() if key != "monotonic"}


def _rename(config: Any, kind: str, names: Mapping[str, str]) -> None:
    section = config.get(kind) or {}
    for position, id_ in enumerate(list(section)):
        if is_ours(id_) and _old(id_, names) != id_:
            _move(section, position, id_, _old(id_, names))
    places = {"processors": ("processors",), "connectors": ("receivers", "exporters"), "exporters": ("exporters",)}
    for pipeline in (lookup(config, "service", "pipelines") or {}).values():
        for place in places.get(kind, ()):
            for n, id_ in enumerate(pipeline.get(place) or () if isinstance(pipeline.get(place), list) else ()):
                if is_ours(id_):
                    pipeline[place][n] = _old(id_, names)


def _move(section: Any, position: int, id_: str, name: str) -> None:
    """Under another key in the same place, its comments with it."""
    comments = section.ca.items.pop(id_, None)
    section.insert(position, name, section.pop(id_))
    if comments is not None:
        section.ca.items[name] = comments


def _old(id_: str, names: Mapping[str, str]) -> str:
    kind, slash, name = id_.partition("/")
    return f"{names.get(kind, kind)}{slash}{name}"
