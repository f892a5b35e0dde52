"""The checks of a collector's configs: what would not start, and what would silently lose data."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from otel_agentops.collector import binary, lints, receivers, sampling
from otel_agentops.collector.situation import Situation, get_type
from otel_agentops.doctor import Finding

Check = Callable[[Situation], Iterator[Finding]]

OLDEST = (0, 159)  # what the files are for
# The type's name and the one before it, which newer collectors still take, with a warning. In contrib since: otlp_*
# 0.144, delta_to_cumulative 0.158; signal_to_metrics is of March 2026.
RENAMED: dict[str, dict[str, str]] = {
    "processors": {"delta_to_cumulative": "deltatocumulative"},
    "connectors": {"signal_to_metrics": "signaltometrics", "span_metrics": "spanmetrics"},
    "exporters": {
        "load_balancing": "loadbalancing",
        "otlp_grpc": "otlp",
        "otlp_http": "otlphttp",
        "prometheus_remote_write": "prometheusremotewrite",
    },
}


def run_checks(situation: Situation) -> list[Finding]:
    """Return all findings, in the order in which data meets their causes."""
    return [finding for check in CHECKS for finding in check(situation)]


def check_version(situation: Situation) -> Iterator[Finding]:
    """Find components that this collector does not have, or knows by another name."""
    collector = situation.collector
    if collector is None:
        return
    if collector.version and collector.version < OLDEST:
        version, oldest = map(_format_version, (collector.version, OLDEST))
        text = f"the collector is {version}; the files are for {oldest} and newer"
        yield Finding("problem", str(collector.path), text, "take a newer one")
    for section in binary.SECTIONS:
        for id_ in situation.get_section(section):
            if get_type(id_) not in collector.components[section]:
                yield _explain_unknown(situation, collector, section, id_)


def _explain_unknown(situation: Situation, collector: binary.Collector, section: str, id_: str) -> Finding:
    renamed, components = RENAMED.get(section, {}), collector.components[section]
    where, type_ = situation.locate(section, id_), get_type(id_)
    newer = next((new for new, old in renamed.items() if old == type_ and new in components), None)
    if newer:
        text = f"{id_}: this collector calls {type_} {newer}; the old name still works, with a warning"
        return Finding("note", where, text, f"rename it to {newer}")
    if renamed.get(type_) in components:
        text = f"{id_}: this collector calls {type_} {renamed[type_]}"
        return Finding("problem", where, text, "take a newer collector")
    text = f"{id_}: this collector has no {type_} in its {section}"
    return Finding("problem", where, text, "take otelcol-contrib, or a build that has it")


def check_acceptance(situation: Situation) -> Iterator[Finding]:
    """Ask the collector itself."""
    collector = situation.collector
    if collector is None:
        text = "not checked: no collector was asked if it takes the files"
        yield Finding("note", "collector", text, "name yours with --otelcol; --without-collector if there is none here")
        return
    files = [document.path for document in situation.documents if document.path]
    reason = binary.explain_refusal(collector, files, situation.environ)
    if reason:
        yield Finding("problem", str(collector.path), reason, "correct the file; the collector would not start")
    else:
        version = _format_version(collector.version) if collector.version else "of an unknown version"
        text = f"{collector.path} ({version}) accepts {len(files)} file{'s'[: len(files) > 1]}"
        yield Finding("ok", "collector", text)


def _format_version(version: tuple[int, int]) -> str:
    return ".".join(map(str, version))


CHECKS: tuple[Check, ...] = (
    sampling.check_head_sampler,
    lints.check_replaced,
    lints.check_twice,
    receivers.check_readers,
    receivers.check_uncounted,
    sampling.check_before_counting,
    sampling.check_before_tags,
    lints.check_loose,
    lints.check_undefined,
    lints.check_hand_over,
    lints.check_port,
    lints.check_identity,
    lints.check_mixed_numbers,
    lints.check_definitions,
    lints.check_promotion,
    check_version,
    check_acceptance,
)
