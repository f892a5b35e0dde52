"""Checks for configs that a collector accepts and that lose data all the same, each met on a real one."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from itertools import pairwise
from typing import Any

from otel_agentops.collector import shipped
from otel_agentops.collector.document import get_nested, is_ours
from otel_agentops.collector.situation import (
    COUNTING,
    PIPELINES,
    Situation,
    get_type,
    list_names,
)
from otel_agentops.doctor import Finding

_IDENTITY = "transform/otel_agentops_identity"
_PULL = "prometheus/otel_agentops"
_PROMETHEUS = frozenset({"prometheus", "prometheusremotewrite", "prometheus_remote_write"})
_COUNTERS = frozenset({"signal_to_metrics", "signaltometrics"})
_TYPED = re.compile(r"\d+|(?:Int|Double)\(.*\)", re.DOTALL)


def check_replaced(situation: Situation) -> Iterator[Finding]:
    """Find an empty key, a reference or a list of a later file that takes the place of what was there."""
    for section in ("receivers", "processors", "connectors", "exporters", "service"):
        before = None
        for document in situation.documents:
            if section not in document.data:
                continue
            value, where = document.data[section], document.locate(section)
            if before is not None and not isinstance(value, Mapping):
                state = "is empty here" if value is None else f"is {value} here"
                text = f"{section} {state}, and takes the place of all that {before} has"
                yield Finding("problem", where, text, "take the key out, or write the entries below it")
            elif isinstance(before, str) and isinstance(value, Mapping) and "$" in before:
                text = f"{section} is {before} in a file before: the map here takes its place, nothing is merged"
                yield Finding("problem", where, text, "write the section into the file, or load it with --config")
            before = value if isinstance(value, str) else document.name
    yield from _check_shortened(situation)


def _check_shortened(situation: Situation) -> Iterator[Finding]:
    """Find a pipeline's list in a later file without an entry of the one before."""
    last: dict[tuple[str, str], tuple[str, list[str]]] = {}
    for document in situation.documents:
        pipelines = document.get(*PIPELINES)
        lists = [
            (id_, key, pipeline[key])
            for id_, pipeline in (pipelines.items() if isinstance(pipelines, Mapping) else ())
            for key in ("receivers", "processors", "exporters")
            if isinstance(pipeline, Mapping) and isinstance(pipeline.get(key), list)
        ]
        for id_, key, entries in lists:
            before, there = last.get((id_, key), ("", []))
            where = document.locate(*PIPELINES, id_, key)
            if lost := [one for one in there if one not in entries and one != _PULL]:  # a push takes the pull's place
                text = f"{id_}: {', '.join(lost)} of {before} is not in this list, which takes the place of that one"
                yield Finding(
                    "warning", where, text, "add what is missing, lists are not merged; or leave one file out"
                )
            last[id_, key] = (where, entries)


def check_twice(situation: Situation) -> Iterator[Finding]:
    """Find the overlay in two files."""
    holders = [document for document in situation.documents if document.get(*PIPELINES, COUNTING, "exporters")]
    for first, second in pairwise(holders):
        is_same = all(first.data.get(key) == second.data.get(key) for key in ("processors", "connectors"))
        text = f"{first.name} holds the overlay, too" + ("" if is_same else ", and another one")
        text += "; once is enough" if is_same else ": settings of both are mixed"
        level = "note" if is_same else "problem"
        yield Finding(level, second.locate(*PIPELINES, COUNTING), text, f"give one of {first.name} and {second.name}")


def check_loose(situation: Situation) -> Iterator[Finding]:
    """Find a processor of ours that is defined and in no pipeline, so that it does nothing."""
    used = {one for pipeline in situation.get_pipelines().values() for one in list_names(pipeline, "processors")}
    for id_ in situation.get_section("processors"):
        if is_ours(id_) and id_ not in used:
            text = f"{id_} is defined and in no pipeline: it does nothing"
            advice = "otel-agentops collector merge yours.yaml --with the fragment it is from"
            yield Finding("warning", situation.locate("processors", id_), text, advice)


def check_undefined(situation: Situation) -> Iterator[Finding]:
    """Find a processor of ours in a pipeline, whose fragment is not among the files."""
    missing = {
        one: situation.locate(*PIPELINES, id_, "processors")
        for id_, pipeline in situation.get_pipelines().items()
        for one in list_names(pipeline, "processors")
        if is_ours(one) and one not in situation.get_section("processors")
    }
    for fragment in shipped.list_fragments() if missing else ():
        for one in missing.keys() & set(shipped.read_config(fragment.path).get("processors") or ()):
            text = f"{one} is defined in the fragment {fragment.name}, which is not among the files"
            advice = f"give --config {fragment.path.name}, too; here: --with {fragment.name}"
            yield Finding("problem", missing[one], text, advice)


def check_port(situation: Situation) -> Iterator[Finding]:
    """Find a port that is taken: it ends the whole collector at start, and `validate` does not see it."""
    if not any(_PULL in list_names(pipeline, "exporters") for pipeline in situation.get_pipelines().values()):
        return
    own = str(get_nested(situation.get_section("exporters"), _PULL, "endpoint")).rpartition(":")[2]
    if own == "0":  # a push takes the place of the pull: any free port
        return
    for keys, value in _iterate_leaves(situation.config, ()):
        is_same = str(value) == own if keys[-1] == "port" else str(value).rpartition(":")[1:] == (":", own)
        if is_same and _is_listening(keys):
            text = f"{'::'.join(keys)} is {value}, and the overlay's exporter listens on port {own}, too"
            advice = "set OTEL_AGENTOPS_PROM_ENDPOINT=127.0.0.1:<a free port>"
            yield Finding("problem", situation.locate(*keys[:3]), text, advice)


def _is_listening(keys: tuple[str, ...]) -> bool:
    """Return True if another component listens on an address; of exporters only `prometheus` does."""
    if keys[0] == "exporters":
        return get_type(keys[1]) == "prometheus" and keys[1] != _PULL
    return keys[0] in ("receivers", "extensions", "service")


def check_identity(situation: Situation) -> Iterator[Finding]:
    """Find metrics without the processor that makes labels of the service, or that makes counters of deltas."""
    for id_, pipeline in situation.get_pipelines().items():
        connectors = [one for one in list_names(pipeline, "receivers") if get_type(one) != "forward"]
        if not (id_.startswith("metrics") and any(map(is_ours, connectors))):  # it reads nothing that we count
            continue
        processors = list_names(pipeline, "processors")
        prometheus = [one for one in situation.iterate_exporters(pipeline) if get_type(one) in _PROMETHEUS]
        where = situation.locate(*PIPELINES, id_, "processors")
        if (
            prometheus
            and _IDENTITY not in processors
            and not all(_promotes_resource(situation, one) for one in prometheus)
        ):
            text = f"{id_} has no {_IDENTITY}: service and environment are lost, all services are one"
            yield Finding("problem", where, text, f"put {_IDENTITY} into the list")
        has_deltas = any(
            one.startswith(("signal_to_metrics/", "signaltometrics/")) for one in list_names(pipeline, "receivers")
        )
        is_cumulative = any(get_type(one) in {"delta_to_cumulative", "deltatocumulative"} for one in processors)
        if prometheus and has_deltas and not is_cumulative:
            text = f"{id_} gives deltas to {prometheus[0]}: each overwrites the one before"
            yield Finding("problem", where, text, "put delta_to_cumulative/otel_agentops into the list")


def check_hand_over(situation: Situation) -> Iterator[Finding]:
    """Find what can refuse without a batch before it: its refusal is the receiver's, and the SDK sends again."""
    for id_, pipeline in situation.get_pipelines().items():
        if not is_ours(id_) or id_.startswith("metrics") or any(map(is_ours, list_names(pipeline, "receivers"))):
            continue
        types = [get_type(one) for one in list_names(pipeline, "processors")]
        if "memory_limiter" in types and "batch" not in types[: types.index("memory_limiter")]:
            text = f"{id_} has a limiter and no batch before it: when it refuses, the SDK sends again what is stored"
            yield Finding(
                "problem", situation.locate(*PIPELINES, id_, "processors"), text, "put a batch of ours before it"
            )


def check_definitions(situation: Situation) -> Iterator[Finding]:
    """Find metrics of one name that differ in unit or description: one overwrites the other."""
    definitions: dict[str, tuple[Any, str]] = {}
    for id_, connector in situation.get_section("connectors").items():
        for metric in _iterate_metrics(connector) if get_type(id_) in _COUNTERS else ():
            definition = (metric.get("unit"), metric.get("description"))
            before, where = definitions.setdefault(
                str(metric.get("name")), (definition, situation.locate("connectors", id_))
            )
            if definition != before:
                text = f"{metric.get('name')} is {definition} here and {before} at {where}: one overwrites the other"
                yield Finding(
                    "problem", situation.locate("connectors", id_), text, "make the file of the same version again"
                )


def check_promotion(situation: Situation) -> Iterator[Finding]:
    """Find the application's own metrics on the user's way to Prometheus without the service as a label."""
    for id_, pipeline in situation.get_pipelines().items():
        if is_ours(id_) or not id_.startswith("metrics") or any(map(is_ours, list_names(pipeline, "receivers"))):
            continue
        for one in list_names(pipeline, "exporters"):
            if get_type(one) in _PROMETHEUS and not _promotes_resource(situation, one):
                text = (
                    f"{one} in {id_} puts the service into `job` and the environment into target_info alone: "
                    "series of the application have neither service_name nor deployment_environment_name"
                )
                advice = "resource_to_telemetry_conversion: {enabled: true}; our own metrics do not need it"
                yield Finding("note", situation.locate("exporters", one), text, advice)


def _promotes_resource(situation: Situation, exporter: str) -> bool:
    return bool(get_nested(situation.get_section("exporters"), exporter, "resource_to_telemetry_conversion", "enabled"))


def check_mixed_numbers(situation: Situation) -> Iterator[Finding]:
    """Find a sum that may be an int and a double, which in one payload end the collector (0.161; 0.165's source)."""
    for id_, connector in situation.get_section("connectors").items():
        if get_type(id_) in _COUNTERS:
            for metric in _iterate_metrics(connector):
                name, value = metric.get("name"), str(get_nested(metric, "sum", "value"))
                if get_nested(metric, "sum", "value") is not None and not _TYPED.fullmatch(value):
                    text = f"{name}: {value} may be an int and a double; both in one payload end the collector"
                    advice = f"write Int({value}) or Double({value})"
                    yield Finding("warning", situation.locate("connectors", id_), text, advice)


def _iterate_metrics(connector: Any) -> Iterator[Mapping[str, Any]]:
    for signal in ("spans", "logs", "datapoints"):
        metrics = get_nested(connector, signal)
        yield from (one for one in (metrics if isinstance(metrics, list) else ()) if isinstance(one, Mapping))


def _iterate_leaves(value: Any, keys: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], Any]]:
    if isinstance(value, Mapping):
        for key, content in value.items():
            yield from _iterate_leaves(content, (*keys, str(key)))
    elif isinstance(value, list):
        for content in value:
            yield from _iterate_leaves(content, keys)
    else:
        yield keys, value
