"""Objectives as OpenSLO v1 objects (https://github.com/OpenSLO/OpenSLO), over the counters of the collector.

Annotations hold what OpenSLO has no field for, so that an import gets everything back. OpenSLO cannot express alerts
over two windows; they stay with our rules. Its `service` is one name, so a pattern is in an annotation and in the
queries.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from io import StringIO
from typing import Any

from otel_agentops.semconv import metrics as M
from otel_agentops.slo.exchange import own
from otel_agentops.slo.prometheus.objective import select_indicator
from otel_agentops.slo.spec import Slo
from otel_agentops.slo.units import format_number
from otel_agentops.slo.wording import describe_indicator, describe_promise

VERSION = "openslo/v1"
ANY = "any-service"
LONGEST = 1050  # characters of a description
# Keys of annotations: no prefix, since that would be a DNS name that somebody owns.
NAME, SERVICE, SLI, OWNER, RUNBOOK, POLICY, SEVERITY, EVENTS, FAILURES = (
    f"otel-agentops.{word}"
    for word in (
        "name", "service", "sli", "owner", "runbook", "trip-policy", "severity", "minimum-events", "minimum-failures",
    )
)  # fmt: skip


def render_text(slos: Sequence[Slo]) -> str:
    """Render all objects, one document each.

    Raises:
        ValueError: If two names become one.
    """
    _refuse_twins(slos)
    out = StringIO()
    for at, content in enumerate(map(build_document, slos)):
        out.write("---\n" if at else "")
        own.dump_yaml(content, out)
    return out.getvalue()


def build_document(slo: Slo) -> dict[str, Any]:
    """Build the object of an objective."""
    return {
        "apiVersion": VERSION,
        "kind": "SLO",
        "metadata": {
            "name": _spell_name(slo.name),
            "displayName": f"{slo.name} ({describe_indicator(slo)})",
            "labels": {"sli-type": slo.indicator.type},
            "annotations": _list_annotations(slo),
        },
        "spec": {
            "description": describe_promise(slo)[:LONGEST],
            "service": slo.service if _is_plain(slo.service) else ANY,
            "indicator": {
                "metadata": {"name": _spell_name(slo.indicator.name)},
                "spec": {"ratioMetric": _build_ratio(slo)},
            },
            "timeWindow": [{"duration": slo.window, "isRolling": True}],
            "budgetingMethod": "Occurrences",
            "objectives": [{"displayName": slo.name, "target": float(format_number(1 - slo.budget))}],
        },
    }


def _list_annotations(slo: Slo) -> dict[str, str]:
    sli = own.list_fields(slo)["sli"]
    annotations = {
        NAME: slo.name,
        SERVICE: slo.service,
        SLI: sli if isinstance(sli, str) else json.dumps(sli, ensure_ascii=False),
        OWNER: slo.owner,
        RUNBOOK: slo.runbook,
        SEVERITY: slo.severity,
        EVENTS: str(slo.minimum.events),
        FAILURES: str(slo.minimum.failures),
    }
    return annotations | ({POLICY: slo.trip_policy} if slo.trip_policy else {})


def _build_ratio(slo: Slo) -> dict[str, Any]:
    halves = (("bad", M.SLI_BAD), ("total", M.SLI_EVENTS))
    return {"counter": True} | {half: {"metricSource": _build_source(slo, metric)} for half, metric in halves}


def _build_source(slo: Slo, metric: str) -> dict[str, Any]:
    """Return the counter itself.

    Its reader takes the increase before the sum, as counters want it.
    """
    return {"type": "Prometheus", "spec": {"query": f"{M.METRICS[metric].prometheus}{select_indicator(slo)}"}}


def _spell_name(name: str) -> str:
    """Return a name as RFC 1123 has it, which knows no underscore."""
    return name.replace("_", "-").strip("-")


def _is_plain(service: str) -> bool:
    return re.fullmatch(r"[a-z0-9]([a-z0-9-]*[a-z0-9])?", service) is not None


def _refuse_twins(slos: Sequence[Slo]) -> None:
    first_names: dict[str, str] = {}
    for slo in slos:
        before = first_names.setdefault(_spell_name(slo.name), slo.name)
        if before != slo.name:
            raise ValueError(
                f"{before} and {slo.name} have one name in OpenSLO, {_spell_name(slo.name)!r}; rename one of them"
            )
