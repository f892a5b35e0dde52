"""Configs that a collector accepts, and that lose data all the same: what was met on a real one."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from itertools import pairwise
from typing import Any

from otel_agentops.collector import shipped
from otel_agentops.collector.document import Document, is_ours, lookup
from otel_agentops.collector.situation import COUNTING, PIPELINES, Situation, counting, kind, names
from otel_agentops.doctor import Finding

_IDENTITY = "transform/otel_agentops_identity"
_PULL = "prometheus/otel_agentops"
_PROMETHEUS = frozenset({"prometheus", "prometheusremotewrite", "prometheus_remote_write"})
_COUNTERS = frozenset({"signal_to_metrics", "signaltometrics"})
_TYPED = re.compile(r"\d+|(?:Int|Double)\(.*\)", re.DOTALL)


def replaced(found: Situation) -> Iterator[Finding]:
    """Maps are merged; an empty key, a reference or a list of a later file takes the place of what was there."""
    for section in ("receivers", "processors", "connectors", "exporters", "service"):
        before = None
        for document in found.documents:
            if section not in document.data:
                continue
            value, where = document.data[section], document.at(section)
            if before is not None and not isinstance(value, Mapping):
                said = "is empty here" if value is None else f"is {value} here"
                text = f"{section} {said}, and takes the place of all that {before} has"
                yield Finding("problem", where, text, "take the key out, or write the entries below it")
            elif isinstance(before, str) and isinstance(value, Mapping) and "$" in before:
                text = f"{section} is {before} in a file before: the map here takes its place, nothing is merged"
                yield Finding("problem", where, text, "write the section into the file, or load it with --config")
            before = value if isinstance(value, str) else document.name
    yield from _shortened(found)


def _shortened(found: Situation) -> Iterator[Finding]:
    """A pipeline's list in a later file without an entry of the one before."""
    last: dict[tuple[str, str], tuple[str, list[str]]] = {}
    for document in found.documents:
        for id_, key, entries in _lists(document):
            before, there = last.get((id_, key), ("", []))
            where = document.at(*PIPELINES, id_, key)
            if lost := [one for one in there if one not in entries and one != _PULL]:  # a push takes the pull's place
                text = f"{id_}: {', '.join(lost)} of {before} is not in this list, which takes the place of that one"
                yield Finding(
                    "warning", where, text, "add what is missing, lists are not merged; or leave one file out"
                )
            last[id_, key] = (where, entries)


def _lists(document: Document) -> Iterator[tuple[str, str, list[str]]]:
    pipelines = document.get(*PIPELINES)
    for id_, pipeline in pipelines.items() if isinstance(pipelines, Mapping) else ():
        for key in ("receivers", "processors", "exporters") if isinstance(pipeline, Mapping) else ():
            if isinstance(pipeline.get(key), list):
                yield id_, key, pipeline[key]


def twice(found: Situation) -> Iterator[Finding]:
    """The overlay in two files, or a span that comes to it by two ways."""
    holders = [document for document in found.documents if document.get(*PIPELINES, COUNTING, "exporters")]
    for first, second in pairwise(holders):
        same = all(first.data.get(key) == second.data.get(key) for key in ("processors", "connectors"))
        text = f"{first.name} holds the overlay, too" + ("" if same else ", and another one")
        text += "; once is enough" if same else ": settings of both are mixed"
        level = "note" if same else "problem"
        yield Finding(level, second.at(*PIPELINES, COUNTING), text, f"give one of {first.name} and {second.name}")
    readers = names(found.pipelines().get(COUNTING, {}), "receivers")
    for one in readers:
        again = sorted(_sources(found, one, set()) & (set(readers) - {one}))
        if again:
            text = f"the overlay reads {one} and {again[0]}, which feeds {one}: every span counts twice"
            yield Finding("problem", "environment", text, "take one of them out of OTEL_AGENTOPS_RECEIVERS")
    if len(set(readers)) < len(readers):
        text = f"the overlay's receivers are {', '.join(readers)}: one is there twice"
        yield Finding("problem", "environment", text, "name each once in OTEL_AGENTOPS_RECEIVER")


def _sources(found: Situation, connector: str, seen: set[str]) -> set[str]:
    """Receivers whose spans come out of a connector."""
    for pipeline in found.pipelines().values():
        if connector in names(pipeline, "exporters"):
            for receiver in names(pipeline, "receivers"):
                if receiver not in seen:
                    seen.add(receiver)
                    _sources(found, receiver, seen)
    return seen


def receivers(found: Situation) -> Iterator[Finding]:
    """What the overlay reads from has to be there."""
    if COUNTING not in found.pipelines():
        text = "the overlay is not among the files: nothing is counted"
        yield Finding("problem", found.documents[0].name, text, "give otel-agentops.yaml, too")
        return
    there = [*found.section("receivers"), *found.section("connectors")]
    readers = names(found.pipelines()[COUNTING], "receivers")
    for one in readers:
        if one not in there:
            mine = [id_ for id_ in there if not is_ours(id_)]
            text = f"the overlay reads from {one}, and there is no such receiver; there are {', '.join(mine) or 'none'}"
            advice = (
                f"set OTEL_AGENTOPS_RECEIVER={','.join(one for one in mine if one.startswith('otlp')) or '<yours>'}"
            )
            yield Finding("problem", found.at("receivers"), text, advice)
    if not readers:
        text = "the overlay has no receiver: OTEL_AGENTOPS_RECEIVERS is set to nothing"
        yield Finding("problem", "environment", text, "unset it, or name the receiver")


def loose(found: Situation) -> Iterator[Finding]:
    """A processor of ours that is defined and in no pipeline does nothing."""
    used = {one for pipeline in found.pipelines().values() for one in names(pipeline, "processors")}
    for id_ in found.section("processors"):
        if is_ours(id_) and id_ not in used:
            text = f"{id_} is defined and in no pipeline: it does nothing"
            advice = "otel-agentops collector merge yours.yaml --with the fragment it is from"
            yield Finding("warning", found.at("processors", id_), text, advice)


def undefined(found: Situation) -> Iterator[Finding]:
    """A processor of ours in a pipeline, whose fragment is not among the files."""
    missing = {
        one: found.at(*PIPELINES, id_, "processors")
        for id_, pipeline in found.pipelines().items()
        for one in names(pipeline, "processors")
        if is_ours(one) and one not in found.section("processors")
    }
    for fragment in shipped.fragments() if missing else ():
        for one in missing.keys() & set(shipped.read(fragment.path).get("processors") or ()):
            text = f"{one} is defined in the fragment {fragment.name}, which is not among the files"
            advice = f"give --config {fragment.path.name}, too; here: --with {fragment.name}"
            yield Finding("problem", missing[one], text, advice)


def port(found: Situation) -> Iterator[Finding]:
    """A port that is taken ends the whole collector at start; `validate` does not see it."""
    if not any(_PULL in names(pipeline, "exporters") for pipeline in found.pipelines().values()):
        return
    own = str(lookup(found.section("exporters"), _PULL, "endpoint")).rpartition(":")[2]
    for keys, value in _leaves(found.config, ()):
        same = str(value) == own if keys[-1] == "port" else str(value).rpartition(":")[1:] == (":", own)
        if same and _listens(keys):
            text = f"{'::'.join(keys)} is {value}, and the overlay's exporter listens on port {own}, too"
            advice = "set OTEL_AGENTOPS_PROM_ENDPOINT=127.0.0.1:<a free port>"
            yield Finding("problem", found.at(*keys[:3]), text, advice)


def _listens(keys: tuple[str, ...]) -> bool:
    """Whether an address is one to listen on, of another component; of exporters only `prometheus` does."""
    if keys[0] == "exporters":
        return kind(keys[1]) == "prometheus" and keys[1] != _PULL
    return keys[0] in ("receivers", "extensions", "service")


def identity(found: Situation) -> Iterator[Finding]:
    """Service and environment are labels because of one processor; deltas become counters because of another."""
    for id_, pipeline in counting(found):
        processors = names(pipeline, "processors")
        prometheus = [one for one in names(pipeline, "exporters") if kind(one) in _PROMETHEUS]
        where = found.at(*PIPELINES, id_, "processors")
        if prometheus and _IDENTITY not in processors and not all(_promotes(found, one) for one in prometheus):
            text = f"{id_} has no {_IDENTITY}: service and environment are lost, all services are one"
            yield Finding("problem", where, text, f"put {_IDENTITY} into the list")
        deltas = any(one.startswith(("signal_to_metrics/", "signaltometrics/")) for one in names(pipeline, "receivers"))
        cumulative = any(kind(one) in {"delta_to_cumulative", "deltatocumulative"} for one in processors)
        if prometheus and deltas and not cumulative:
            text = f"{id_} gives deltas to {prometheus[0]}: each overwrites the one before"
            yield Finding("problem", where, text, "put delta_to_cumulative/otel_agentops into the list")


def handed_over(found: Situation) -> Iterator[Finding]:
    """What can refuse stands behind a batch: else its refusal is the receiver's, and the SDK sends again."""
    for id_, pipeline in found.pipelines().items():
        if not is_ours(id_) or id_.startswith("metrics") or any(map(is_ours, names(pipeline, "receivers"))):
            continue
        kinds = [kind(one) for one in names(pipeline, "processors")]
        if "memory_limiter" in kinds and "batch" not in kinds[: kinds.index("memory_limiter")]:
            text = f"{id_} has a limiter and no batch before it: when it refuses, the SDK sends again what is stored"
            yield Finding("problem", found.at(*PIPELINES, id_, "processors"), text, "put a batch of ours before it")


def definitions(found: Situation) -> Iterator[Finding]:
    """Metrics of one name that differ in unit or description: one overwrites the other."""
    known: dict[str, tuple[Any, str]] = {}
    for id_, connector in found.section("connectors").items():
        for metric in _metrics(connector) if kind(id_) in _COUNTERS else ():
            said = (metric.get("unit"), metric.get("description"))
            before, where = known.setdefault(str(metric.get("name")), (said, found.at("connectors", id_)))
            if said != before:
                text = f"{metric.get('name')} is {said} here and {before} at {where}: one overwrites the other"
                yield Finding("problem", found.at("connectors", id_), text, "make the file of the same version again")


def promoted(found: Situation) -> Iterator[Finding]:
    """The application's own metrics on the user's way to Prometheus."""
    for id_, pipeline in found.pipelines().items():
        if is_ours(id_) or not id_.startswith("metrics") or any(map(is_ours, names(pipeline, "receivers"))):
            continue
        for one in names(pipeline, "exporters"):
            if kind(one) in _PROMETHEUS and not _promotes(found, one):
                text = (
                    f"{one} in {id_} puts the service into `job` and the environment into target_info alone: "
                    "series of the application have neither service_name nor deployment_environment_name"
                )
                advice = "resource_to_telemetry_conversion: {enabled: true}; our own metrics do not need it"
                yield Finding("note", found.at("exporters", one), text, advice)


def _promotes(found: Situation, exporter: str) -> bool:
    return bool(lookup(found.section("exporters"), exporter, "resource_to_telemetry_conversion", "enabled"))


def mixed_numbers(found: Situation) -> Iterator[Finding]:
    """An int and a double for one sum in one payload end the whole collector (0.161; still in 0.165's source)."""
    for id_, connector in found.section("connectors").items():
        if kind(id_) in _COUNTERS:
            for name, value in _sums(connector):
                if not _TYPED.fullmatch(value):
                    text = f"{name}: {value} may be an int and a double; both in one payload end the collector"
                    advice = f"write Int({value}) or Double({value})"
                    yield Finding("warning", found.at("connectors", id_), text, advice)


def _sums(connector: Any) -> Iterator[tuple[str, str]]:
    for metric in _metrics(connector):
        if (value := lookup(metric, "sum", "value")) is not None:
            yield str(metric.get("name")), str(value)


def _metrics(connector: Any) -> Iterator[Mapping[str, Any]]:
    for signal in ("spans", "logs", "datapoints"):
        found = lookup(connector, signal)
        yield from (one for one in (found if isinstance(found, list) else ()) if isinstance(one, Mapping))


def _leaves(value: Any, keys: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], Any]]:
    if isinstance(value, Mapping):
        for key, content in value.items():
            yield from _leaves(content, (*keys, str(key)))
    elif isinstance(value, list):
        for content in value:
            yield from _leaves(content, keys)
    else:
        yield keys, value
