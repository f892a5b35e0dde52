"""Where names are typed by hand, and what is wrong with them: pure functions over source texts.

A name in a collector config is spelled as in OpenTelemetry, one in a rule or a dashboard possibly as in Prometheus.
"""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from otel_agentops.semconv import attributes, check, events, metrics, table
from otel_agentops.slo import collector

# The dot must be followed by a name: `otel_agentops.yaml` in a path, `/otel_agentops` as a component's id are no names.
_DOTTED = re.compile(r"(?<![\w/.:-])(?:otel_agentops|gen_ai|openai)(?:\.[a-z0-9_]+)+(?![\w/(-])")
_UNDERSCORED = re.compile(r"(?<![\w/.:-])(?:otel_agentops|gen_ai|openai)_[a-z0-9_]+(?![\w:/.(-])")
_RECORDED = re.compile(r"\botel_agentops(?::[a-z0-9_]+)+")
_FILES = re.compile(r"\.(?:ya?ml|json|py|md|lock)$")
_SUFFIXES = {"histogram": ("_bucket", "_count", "_sum"), "counter": ("",), "gauge": ("",)}

RESOURCE = frozenset({attributes.SERVICE_NAME, attributes.DEPLOYMENT_ENVIRONMENT_NAME})


def typed_by_hand(source: str) -> list[tuple[int, str]]:
    """String literals that spell a name of a convention, with their lines; docstrings may."""
    tree = ast.parse(source)
    prose = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    strings = (node for node in ast.walk(tree) if isinstance(node, ast.Constant) and isinstance(node.value, str))
    return [
        (node.lineno, node.value)
        for node in strings
        if node.value.startswith(("otel_agentops.", "gen_ai.")) and id(node) not in prose
    ]


def unregistered(text: str) -> list[str]:
    """Names in a text, in either spelling, that the registry does not have."""
    dotted = [name for name in _DOTTED.findall(text) if not _FILES.search(name)]
    wrong = {name for name in dotted if not _is_name(name)}
    return sorted(wrong | (set(_UNDERSCORED.findall(text)) - SPELLED))


def recorded(text: str) -> list[str]:
    """Names of recorded series in a text."""
    return _RECORDED.findall(text)


def strings(content: Any) -> Iterator[str]:
    """Every key and every string value of a parsed file."""
    if isinstance(content, str):
        yield content
    elif isinstance(content, Mapping):
        for key, value in content.items():
            yield from strings(key)
            yield from strings(value)
    elif isinstance(content, (list, tuple)):
        for value in content:
            yield from strings(value)


def parse(path: Path) -> list[Any]:
    """The documents of a YAML or JSON file; of any other one its text."""
    if path.suffix == ".md":
        return [path.read_text()]
    if path.suffix == ".json":
        return [json.loads(path.read_text())]
    return list(YAML(typ="safe").load_all(path))


def without_rule_groups(content: Any) -> Any:
    """A rule file without the names of its groups: they are for people."""
    if not isinstance(content, Mapping) or "groups" not in content:
        return content
    return [{key: value for key, value in group.items() if key != "name"} for group in content["groups"]]


def connector_problems(content: Any) -> Iterator[str]:
    """What is wrong with the metrics that a collector config defines, measured by the registry."""
    connectors = content.get("connectors", {}) if isinstance(content, Mapping) else {}
    for id_, connector in (connectors or {}).items():
        kind = id_.partition("/")[0]
        if kind in ("signal_to_metrics", "signaltometrics"):
            for signal in ("spans", "logs", "datapoints", "profiles"):
                for defined in (connector or {}).get(signal, ()):
                    yield from _metric_problems(defined)
        if kind in ("span_metrics", "spanmetrics"):
            yield from _span_metric_problems(connector or {})


def _metric_problems(defined: Mapping[str, Any]) -> Iterator[str]:
    name = defined["name"]
    metric = metrics.METRICS.get(name)
    if metric is None:
        yield f"{name} is no registered metric"
        return
    instrument = next(kind for kind in ("sum", "histogram", "exponential_histogram", "gauge") if kind in defined)
    found = {"sum": "counter"}.get(instrument, instrument), defined.get("unit"), defined.get("description")
    if found != (metric.instrument, metric.unit, metric.brief):
        yield f"{name} is {found}, registered is {(metric.instrument, metric.unit, metric.brief)}"
    known = set(metric.labels) | RENAMED.get(name, set()) | RESOURCE
    labels = {attribute["key"] for attribute in defined.get("attributes", ())} - known
    if labels:
        yield f"{name} has the labels {sorted(labels)}, which are not registered for it"


def _span_metric_problems(connector: Mapping[str, Any]) -> Iterator[str]:
    if "namespace" not in connector and "dimensions" not in connector:
        return  # a fragment that changes another setting
    name = f"{connector.get('namespace')}.duration"
    metric = metrics.METRICS.get(name)
    if metric is None:
        yield f"{name} is no registered metric"
        return
    labels = {dimension["name"] for dimension in connector.get("dimensions", ())} - set(metric.labels) - RESOURCE
    if labels:
        yield f"{name} has the labels {sorted(labels)}, which are not registered for it"


def _is_name(name: str) -> bool:
    return (
        name in DIALECTS
        or name in metrics.METRICS
        or name in events.EVENTS
        or name in NAMESPACES
        or check.find_attribute(name) is not None
    )


# What transform/otel_agentops_unlisted and transform/otel_agentops_verdicts give the registered names to, or take away.
_VERDICTS = {name for name in table.ATTRIBUTES if re.fullmatch(r"otel_agentops\.sli\.\w+\.bad", name)}
# What the values of variables are made of; transform/otel_agentops_sli_labels takes it away.
_SOURCES = {key for keys in collector._SOURCES.values() for key in keys} | {collector._KIND}
# Labels of core's conventions, which the registry cannot refer to.
_CORE = {attributes.SERVICE_VERSION, attributes.FEATURE_FLAG_KEY, attributes.FEATURE_FLAG_RESULT_VARIANT}
RENAMED = {
    metrics.SLI_EVENTS: _VERDICTS | _SOURCES,
    metrics.SLI_VALUE_EVENTS: {"bad", *(f"slot.{number}" for number in range(20))},
    metrics.DEPLOY_OBSERVATIONS: _CORE,
    metrics.FLAG_OBSERVATIONS: _CORE,
    metrics.TRUTH_LABELS: _VERDICTS,
    metrics.UNLISTED_OBSERVATIONS: {attributes.LOCK_UNLISTED}
    | {label for name in metrics.METRICS if name.endswith(".observations") for label in metrics.METRICS[name].labels},
}
# What other instrumentations write, which transform/otel_agentops_dialects reads.
DIALECTS = {
    "gen_ai.system",
    "gen_ai.usage.prompt_tokens",
    "gen_ai.usage.completion_tokens",
    "gen_ai.response.finish_reason",
}
# `otel_agentops.span` is what the span_metrics connector completes to the name of its metric.
# `otel_agentops.sli` is completed to a verdict's name by transform/otel_agentops_verdicts.
NAMESPACES = frozenset(name.rpartition(".")[0] for name in (metrics.SPAN_DURATION, attributes.SLI_NAME))
SPELLED = {name.replace(".", "_") for name in table.ATTRIBUTES if "{}" not in name} | {
    metric.prometheus + suffix for metric in metrics.METRICS.values() for suffix in _SUFFIXES[metric.instrument]
}
