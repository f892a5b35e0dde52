"""Proxy trust: how often the proxy is right if the truth is known, and the error of all events that follows."""

from __future__ import annotations

from otel_agentops.semconv import metrics as M
from otel_agentops.slo import series as S
from otel_agentops.slo.grafana import traceql
from otel_agentops.slo.grafana._dashboard import Dashboard, Row
from otel_agentops.slo.grafana._panels import Panel, Query, plot_lines, plot_shares, plot_stack, show_table
from otel_agentops.slo.grafana._queries import OF, OF_SLO, SLI_NAME, SLI_TYPE, estimate_quantile
from otel_agentops.slo.grafana.budget import WHO
from otel_agentops.slo.series import TRUTH_PROXY, TRUTH_SAMPLING, TRUTH_VERDICT

RANDOM = "Of labels of a random sample alone: who complains is no sample."


def build_dashboard() -> Dashboard:
    """Build the dashboard that says how far a proxy's budget can be believed."""
    return Dashboard(
        uid="agentops-trust",
        title="otel-agentops / Proxy trust",
        description="Where the truth about a task became known, was the proxy right? What the labels of a random "
        "sample say about all events is the corrected error, and a budget of its own.",
        rows=(
            Row(
                "Is it right?",
                (
                    _show_proxies(),
                    _plot_errors(),
                    _plot_disagreement(),
                    _plot_truth_share("ppv"),
                    _plot_truth_share("for"),
                ),
            ),
            Row(
                "Labels", (_plot_label_count(), _plot_coverage(), _plot_arriving_labels(), _plot_delay(), _show_cells())
            ),
        ),
        has_slo=True,
        has_moves=True,
        trace_links=(traceql.BAD_TASKS,),
    )


def of(name: str) -> str:
    """Select a series of the objectives whose indicator is a proxy."""
    return f'{name}{{{OF_SLO}, {SLI_TYPE}="proxy"}}'


def _show_proxies() -> Panel:
    return show_table(
        "Proxies",
        f"ppv: truly bad where the proxy says bad. for: truly bad where it says good. {RANDOM} A share is absent while "
        "there are too few labels for one.",
        "percentunit",
        Query(of(S.SLO_TRUTH_PPV), "ppv"),
        Query(of(S.SLO_TRUTH_FOR), "for"),
        Query(of(S.SLO_ERROR_RATIO), "error (proxy)"),
        Query(of(S.SLO_CORRECTED_ERROR), "error (corrected)"),
        Query(of(S.SLO_TRUTH_LABELS), "labels"),
        Query(of(S.SLO_TRUTH_COVERAGE), "labelled"),
        Query(of(S.SLO_TRUTH_DELAY), "delay"),
        height=6,
        units={"labels": "short", "delay": "s"},
    )


def _plot_errors() -> Panel:
    return plot_lines(
        "Error, as the proxy says and corrected",
        "Corrected: ppv · p + for · (1 - p), where p is what the proxy says; with its interval of 95 %. Over the "
        "window of the promise.",
        "percentunit",
        Query(of(S.SLO_ERROR_RATIO), f"{WHO} proxy"),
        Query(of(S.SLO_CORRECTED_ERROR), f"{WHO} corrected"),
        Query(of(S.name_bound(S.SLO_CORRECTED_ERROR, "low")), f"{WHO} corrected, low"),
        Query(of(S.name_bound(S.SLO_CORRECTED_ERROR, "high")), f"{WHO} corrected, high"),
    )


def _plot_disagreement() -> Panel:
    return plot_lines(
        "Error: proxy minus corrected",
        "Above 0 the proxy calls more bad than is, below 0 it misses some. `reported`: it is more than chance and "
        "matters, which is the alert OtelAgentopsProxyDisagreesWithTruth; the page of such a proxy is a ticket.",
        "percentunit",
        Query(f"{of(S.SLO_ERROR_RATIO)} - {of(S.SLO_CORRECTED_ERROR)}", WHO),
        Query(of(S.SLO_TRUTH_DISAGREES), f"{WHO} reported"),
        from_zero=False,
    )


def _plot_truth_share(name: str) -> Panel:
    series, says, what = {
        "ppv": (S.SLO_TRUTH_PPV, "bad", "Truly bad where the proxy says bad"),
        "for": (S.SLO_TRUTH_FOR, "good", "Truly bad though called good"),
    }[name]
    return plot_lines(
        f"{what} ({name})",
        f"Of the labelled tasks that the proxy called {says}, with the interval of 95 %. {RANDOM}",
        "percentunit",
        Query(of(series), WHO),
        Query(of(S.name_bound(series, "low")), f"{WHO} low"),
        Query(of(S.name_bound(series, "high")), f"{WHO} high"),
    )


def _plot_label_count() -> Panel:
    return plot_lines(
        "Random labels",
        "Labels of a random sample within the window of the promise.",
        "short",
        Query(of(S.SLO_TRUTH_LABELS), WHO),
    )


def _plot_coverage() -> Panel:
    return plot_shares(
        "Labelled part of all events",
        "Labels of any kind as a part of all events within the window of the promise.",
        Query(of(S.SLO_TRUTH_COVERAGE), WHO),
    )


def _plot_arriving_labels() -> Panel:
    arrived = f"sum by ({TRUTH_SAMPLING}) (sum_over_time({S.TRUTH_LABELS_INCREASE}{{{OF}}}[$__rate_interval]))"
    return plot_stack(
        "Labels that arrive, by sampling",
        "Labels within the smallest interval of this view, one for each indicator that a task has. `escalated`: picked "
        "because something looked wrong; such labels speak for themselves alone and correct nothing.",
        "short",
        Query(arrived, f"{{{{{TRUTH_SAMPLING}}}}}"),
    )


def _show_cells() -> Panel:
    by = ", ".join((SLI_NAME, TRUTH_PROXY, TRUTH_VERDICT, TRUTH_SAMPLING))
    return show_table(
        "Proxy and truth in the time shown",
        "How many tasks the proxy called good or bad, and what they were, by how they came to be labelled.",
        "short",
        Query(f"sum by ({by}) (sum_over_time({S.TRUTH_LABELS_INCREASE}{{{OF}}}[$__range]))", "labels"),
        height=6,
    )


def _plot_delay() -> Panel:
    median, late = (estimate_quantile(part, M.TRUTH_DELAY, TRUTH_SAMPLING) for part in (0.5, 0.95))
    return plot_lines(
        "How late the truth is",
        "From the start of a task to its label, of the labels that arrive. What is younger than this has no truth yet.",
        "s",
        Query(median, f"p50 {{{{{TRUTH_SAMPLING}}}}}"),
        Query(late, f"p95 {{{{{TRUTH_SAMPLING}}}}}"),
    )
