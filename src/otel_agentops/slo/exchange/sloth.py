"""Objectives as sloth's spec (`version: prometheus/v1`), over the counters that the collector exports.

https://sloth.dev/specs/default/ ; `list_notes` names what the spec of sloth cannot say.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from decimal import Decimal
from io import StringIO
from itertools import groupby
from typing import Any

from otel_agentops.semconv import metrics as M
from otel_agentops.slo.exchange import own
from otel_agentops.slo.prometheus.objective import escape_template, select_indicator
from otel_agentops.slo.series import SLI
from otel_agentops.slo.spec import Slo
from otel_agentops.slo.units import format_number
from otel_agentops.slo.wording import describe_indicator, describe_promise

WINDOWS = ("28d", "30d")  # sloth knows these without a file of windows
ANY = "any-service"


def render_text(slos: Sequence[Slo]) -> str:
    """Render one document for each service, as sloth reads them."""
    out = StringIO()
    for number_, (service, group) in enumerate(groupby(sorted(slos, key=_name_service), _name_service)):
        out.write("---\n" if number_ else "")
        own.dump_yaml(_build_document(service, list(group)), out)
    return out.getvalue()


def list_notes(slos: Sequence[Slo]) -> list[str]:
    """Return one sentence for each field that is lost."""
    return [f"{slo.name}: {note}" for slo in slos for note in _list_notes(slo)]


def _list_notes(slo: Slo) -> Iterator[str]:
    if slo.window not in WINDOWS:
        yield f"sloth knows no window of {slo.window}; give it a file of windows (--slo-period-windows-path)"
    if slo.budget * Decimal("14.4") >= 1:
        yield "sloth pages at 14.4 times the budget, which no ratio reaches here; its fast alert can never fire"
    yield f"sloth has no minimum of events ({slo.minimum.events}) or failures ({slo.minimum.failures}) before an alert"


def _name_service(slo: Slo) -> str:
    """Return the service if it is a name; a pattern stays in the queries."""
    return slo.service if re.fullmatch(r"[A-Za-z0-9]([A-Za-z0-9_-]*[A-Za-z0-9])?", slo.service) else ANY


def _build_document(service: str, slos: Sequence[Slo]) -> dict[str, Any]:
    return {"version": "prometheus/v1", "service": service, "slos": [_build_slo(slo) for slo in slos]}


def _build_slo(slo: Slo) -> dict[str, Any]:
    return {
        "name": slo.name,
        "objective": float(format_number(100 * (1 - slo.budget))),
        "description": describe_promise(slo),
        "labels": {"sli_type": slo.indicator.type},
        "sli": {
            "events": {"error_query": _build_query(slo, M.SLI_BAD), "total_query": _build_query(slo, M.SLI_EVENTS)}
        },
        "alerting": _build_alerting(slo),
    }


def _build_query(slo: Slo, metric: str) -> str:
    """Return a query that keeps services and revisions of a judge apart.

    Sloth reads it as a template.
    """
    selected = escape_template(f"{M.METRICS[metric].prometheus}{select_indicator(slo)}")
    return f"sum by ({', '.join(SLI)}) (rate({selected}[{{{{.window}}}}]))"


def _build_alerting(slo: Slo) -> dict[str, Any]:
    """Return the labels and texts of our own alerts, unless they query a value."""
    annotations = {"summary": f"Error budget of {slo.name} burns ({describe_indicator(slo)})", "runbook": slo.runbook}
    policy = {"trip_policy": slo.trip_policy} if slo.trip_policy else {}
    page = {"labels": {"severity": "page"}} if slo.severity == "page" else {"disable": True}
    return {
        "name": "OtelAgentopsErrorBudgetBurn",
        "labels": {"slo": slo.name, "owner": escape_template(slo.owner)},
        "annotations": {key: escape_template(value) for key, value in {**annotations, **policy}.items()},
        "page_alert": page,
        "ticket_alert": {"labels": {"severity": "ticket"}},
    }
