"""Rules for every collector config of ours; a real collector did harm without each of them.

Pure functions from a parsed config to sentences about what is wrong.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from otel_agentops.semconv import attributes as A
from otel_agentops.semconv import metrics as M

Config = Mapping[str, Any]
SIGNALS = ("spans", "logs", "datapoints")
SECTIONS = ("receivers", "processors", "connectors", "exporters", "extensions")
# An int or a double by construction: a literal, or one of OTTL's converters around everything.
_TYPED = re.compile(r"\d+|(?:Int|Double)\((?:[^()]|\([^()]*\))*\)")
_READ = re.compile(r"(?:span|log)\.attributes\[\"[^\"]+\"\]")


def problems(config: Config) -> list[str]:
    """Everything that is wrong with a config."""
    checks = (untyped_sums, unguarded_values, asymmetric_pairs, unequal_definitions, shared_limit, bad_order, not_ours)
    return [problem for check in checks for problem in check(config)]


def untyped_sums(config: Config) -> Iterator[str]:
    """An int and a double for one series in one payload end the collector."""
    for where, metric in _metrics(config):
        if "sum" in metric and not _TYPED.fullmatch(str(metric["sum"]["value"])):
            yield f"{where}: the sum {metric['sum']['value']} is neither in Int() nor in Double()"
        if "sum" in metric and metric["sum"].get("monotonic") is not True:
            yield f"{where}: the sum is not monotonic, it would be a gauge"


def unguarded_values(config: Config) -> Iterator[str]:
    """A value that may be nil or text is an error line for every span."""
    for where, metric in _metrics(config):
        value = str(next(metric[kind]["value"] for kind in ("sum", "histogram") if kind in metric))
        for read in _READ.findall(value):
            guards = [re.search(re.escape(read) + r" (?:>=|==) \d", condition) for condition in _conditions(metric)]
            if not guards or not all(guards):
                yield f"{where}: {read} is used, but not every condition compares it with a number"


def asymmetric_pairs(config: Config) -> Iterator[str]:
    """`bad` and `events` are made of one count, whose first label is the verdict: 0 or 1, or it is not counted."""
    for where, metric in _metrics(config):
        if metric["name"] == M.SLI_BAD:
            yield f"{where}: is a half of a pair"
        if metric["name"] in (M.SLI_EVENTS, M.TRUTH_LABELS):
            name = next(label["default_value"] for label in metric["attributes"] if label["key"] == A.SLI_NAME)
            verdict = {"key": f"otel_agentops.sli.{name}.bad"}
            if metric["attributes"][0] != verdict or metric["sum"]["value"] != "1":
                yield f"{where}: does not count the verdict of {name}"
            only = re.compile(rf'\w+\.attributes\["{re.escape(verdict["key"])}"\] == [01](?: and [^|]*)?')
            if not _conditions(metric) or not all(map(only.fullmatch, _conditions(metric))):
                yield f"{where}: {name} counts more than the verdicts 0 and 1"


def unequal_definitions(config: Config) -> Iterator[str]:
    """Metrics of one name that differ in unit, description or type overwrite each other."""
    kinds: dict[str, set[tuple[Any, ...]]] = {}
    for _, metric in _metrics(config):
        kind = tuple(key for key in ("sum", "histogram", "exponential_histogram", "gauge") if key in metric)
        kinds.setdefault(metric["name"], set()).add((metric.get("unit"), metric.get("description"), kind))
    yield from (f"{name} has {len(found)} definitions" for name, found in kinds.items() if len(found) > 1)


def shared_limit(config: Config) -> Iterator[str]:
    """The variables' streams are limited apart from those of the error budgets."""
    for id_, pipeline in config["service"]["pipelines"].items():
        names = {
            metric["name"]
            for receiver in pipeline["receivers"]
            if receiver in config["connectors"]
            for _, metric in _metrics({"connectors": {receiver: config["connectors"][receiver]}})
        }
        variables = {name for name in names if name.endswith(".observations")}
        if variables and names - variables:
            yield f"{id_}: {min(variables)} shares max_streams with {min(names - variables)}"
        is_handed_on = all(exporter.startswith("signal_to_metrics/") for exporter in pipeline["exporters"])
        if (
            names
            and not is_handed_on
            and not any(processor.startswith("delta_to_cumulative/") for processor in pipeline["processors"])
        ):
            yield f"{id_}: deltas are pulled, each would overwrite the one before"


def bad_order(config: Config) -> Iterator[str]:
    """Find what can refuse without a batch before it, whose errors the user's receiver gets; a filter cannot."""
    for id_, pipeline in config["service"]["pipelines"].items():
        if id_.startswith(("traces", "logs")):
            kinds = [processor.partition("/")[0] for processor in pipeline["processors"]]
            if kinds[:3] != ["filter", "batch", "memory_limiter"]:
                yield f"{id_}: begins with {', '.join(kinds[:3])} and not with filter, batch, memory_limiter"
    for section in ("processors", "connectors"):
        for id_, settings in config[section].items():
            if "error_mode" in (settings or {}) and settings["error_mode"] != "ignore":
                yield f"{id_}: error_mode is {settings['error_mode']}"
            elif id_.startswith(("signal_to_metrics", "transform", "filter")) and "error_mode" not in settings:
                yield f"{id_}: has no error_mode"


def not_ours(config: Config) -> Iterator[str]:
    """A list or a component of the user's would be replaced: everything of ours is called `…/otel_agentops…`."""
    for section in SECTIONS:
        yield from (f"{section}: {id_} is not ours" for id_ in config.get(section) or {} if not _ours(id_))
    service = config["service"]
    yield from (f"service: {key} is not ours" for key in service if key != "pipelines")
    for id_, pipeline in service["pipelines"].items():
        if not _ours(id_):
            yield f"pipelines: {id_} is not ours"
        used = [*pipeline["processors"], *pipeline["exporters"]]
        yield from (f"{id_}: uses {component}, which is not ours" for component in used if not _ours(component))


def _ours(id_: str) -> bool:
    return id_.partition("/")[2].startswith("otel_agentops")


def _metrics(config: Config, *signals: str) -> Iterator[tuple[str, Mapping[str, Any]]]:
    for id_, connector in config["connectors"].items():
        for signal in signals or SIGNALS:
            for index, metric in enumerate(connector.get(signal) or ()):
                yield f"{id_}/{signal}/{index} {metric['name']}", metric


def _conditions(metric: Mapping[str, Any]) -> Sequence[str]:
    return metric.get("conditions") or ()
