"""Dashboards and alerts for Grafana as files, made with Grafana's own models."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib.util import find_spec

from otel_agentops.slo import prometheus
from otel_agentops.slo.links import NO_LINKS, Links
from otel_agentops.slo.spec import Slo
from otel_agentops.written_files import add_mark

__all__ = ["files", "notes"]


def files(slos: Sequence[Slo], time_scale: float = 1.0, links: Links = NO_LINKS) -> Mapping[str, str]:
    """Return relative path to text; nothing without the models, which need Python 3.11."""
    if not _has_models():
        return {}
    from otel_agentops.slo.grafana import alerts, budget, economics, moved, pipeline, start, traceql, triage, trust
    from otel_agentops.slo.grafana._dashboard import render_dashboard

    dashboards = [module.build_dashboard() for module in (start, budget, moved, triage, economics, trust, pipeline)]
    return {
        **{
            f"grafana/{one.uid}.json": add_mark(f"{one.uid}.json", render_dashboard(one, time_scale), "slo generate")
            for one in dashboards
        },
        "grafana/alerts.yaml": alerts.render_alerts(prometheus.build_rules(slos, time_scale, links)),
        "grafana/traceql.md": traceql.render_page(),
    }


def notes() -> list[str]:
    """Return a sentence for what was left out."""
    needs = "no dashboards: grafana-foundation-sdk 0.0.18, which they are made with, needs Python 3.11"
    return [] if _has_models() else [needs]


def _has_models() -> bool:
    return find_spec("grafana_foundation_sdk") is not None
