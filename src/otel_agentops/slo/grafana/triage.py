"""Five-surface triage: model, prompt, retrieval, tool and judge one below the other, then traffic and infra."""

from __future__ import annotations

from otel_agentops.semconv import attributes as A
from otel_agentops.semconv import metrics as M
from otel_agentops.slo import series as S
from otel_agentops.slo.grafana import traceql
from otel_agentops.slo.grafana._dashboard import Dashboard, Row
from otel_agentops.slo.grafana._panels import Panel, Query, plot_lines, plot_shares, plot_stack, show_figures
from otel_agentops.slo.grafana._queries import (
    MODEL,
    OF,
    OPERATION,
    REVISION,
    SERVED,
    SLI_NAME,
    SURFACE,
    TASK,
    TOOL,
    estimate_quantile,
    select_series,
    show_label,
    sum_increase,
    sum_rate,
)
from otel_agentops.slo.grafana.moved import plot_share, select_share
from otel_agentops.slo.prometheus.headroom import LIMITED
from otel_agentops.slo.series import SERVICE, spell_label

CALLS = f'{OPERATION}=~"chat|generate_content|text_completion|embeddings"'
TAGGED = f'{SURFACE}!=""'


def build_dashboard() -> Dashboard:
    """Build the dashboard to begin with when a budget burns and nothing moved."""
    return Dashboard(
        uid="agentops-triage",
        title="otel-agentops / Triage by surface",
        description="Which part of the system fails: model, prompt, retrieval, tool, judge; and below them traffic and "
        "infrastructure. A surface is tagged from facts on the span alone; what has no tag is not guessed.",
        rows=(
            _build_surfaces_row(),
            _build_model_row(),
            _build_retries_row(),
            Row("Prompt", (_plot_use("prompt", "calls"), plot_share("prompt"))),
            Row(
                "Retrieval",
                (
                    _plot_tagged("retrieval", width=8),
                    _plot_duration("Duration of retrieval", "the operation `retrieval`", "retrieval", TASK, 8),
                    plot_share("index", 8),
                ),
            ),
            _build_tool_row(),
            Row("Judge", (_plot_scores(), plot_share("judge"))),
            Row("Traffic and infrastructure", (plot_share("traffic"), _plot_tagged("infra", MODEL))),
        ),
        has_moves=True,
        trace_links=(traceql.FAILED_TOOLS, traceql.TAGGED, traceql.BAD_TASKS),
    )


def _build_surfaces_row() -> Row:
    return Row(
        "All surfaces",
        (
            plot_stack(
                "Bad operations by surface",
                "Operations per minute that the collector tagged. Prompt and traffic are never tagged: no span can say "
                "so; look at their rows.",
                "none",
                Query(
                    sum_rate(M.SPAN_DURATION, SURFACE, matchers=(TAGGED,), suffix="_count"),
                    show_label(A.INCIDENT_SURFACE),
                ),
                width=16,
            ),
            show_figures(
                "Bad operations in the time shown",
                "Tagged operations in the time that is shown.",
                "short",
                Query(
                    sum_increase(M.SPAN_DURATION, SURFACE, matchers=(TAGGED,), suffix="_count"),
                    show_label(A.INCIDENT_SURFACE),
                ),
                width=8,
                height=8,
            ),
        ),
    )


def _build_model_row() -> Row:
    attempts, calls = (sum_rate(metric, MODEL, per=1) for metric in (M.LLM_ATTEMPTS, M.LLM_CALLS))
    return Row(
        "Model",
        (
            _plot_tagged("model", MODEL),
            plot_lines(
                "Duration of model calls",
                "95th percentile and median of a call as the application waits for it, retries included. Points lead "
                "to traces.",
                "s",
                Query(
                    estimate_quantile(0.95, M.SPAN_DURATION, MODEL, matchers=(CALLS,)),
                    f"p95 {SERVED} {{{{{MODEL}}}}}",
                    exemplars=True,
                ),
                Query(
                    estimate_quantile(0.5, M.SPAN_DURATION, MODEL, matchers=(CALLS,)),
                    f"p50 {SERVED} {{{{{MODEL}}}}}",
                ),
            ),
            plot_lines(
                "Attempts per call",
                "1: every call went through at once. More: the provider refuses or times out, and the client tries "
                "again.",
                "none",
                Query(f"({attempts}) / ({calls} > 0)", f"{{{{{MODEL}}}}}"),
            ),
            plot_shares(
                "Versions that answered",
                "Of the calls to each model that was asked for, the part that each resolved version answered.",
                Query(select_share("model"), f"{SERVED} {{{{scope}}}}: {{{{value}}}}"),
            ),
        ),
    )


def _build_retries_row() -> Row:
    """Build the row of metrics that the application's process records, and the collector does not count from spans."""
    level, replaced = spell_label(A.RETRY_LEVEL), spell_label(A.FALLBACK_FROM)
    limited = ", ".join((SERVICE[0], *LIMITED))
    left, limit = map(select_series, (M.RATE_LIMIT_REMAINING, M.RATE_LIMIT_LIMIT))
    early = f'{spell_label(A.RETRY_AFTER_HONOURED)}="false"'
    waits, cut_short = (
        sum_rate(M.RETRY_AFTER_WAITS, SERVICE[0], MODEL, matchers=matchers, per=1) for matchers in ((), (early,))
    )
    return Row(
        "Retries, fallbacks and limits",
        (
            plot_lines(
                "Operations done again, by level",
                "Per minute, by who does it again: the model is asked once more, a framework enters a node again, the "
                "model calls the same tool again, or the application sends the same request. Requests that a client "
                "sends again by itself are the attempts per call above.",
                "none",
                Query(sum_rate(M.RETRIES, SERVICE[0], level), f"{SERVED} {show_label(A.RETRY_LEVEL)}"),
            ),
            plot_lines(
                "Operations in place of a refused one",
                "Fallbacks per minute: another model, provider or tool that stands in for the one named, which refused "
                "for want of capacity.",
                "none",
                Query(sum_rate(M.FALLBACKS, SERVICE[0], replaced), f"{SERVED} for {show_label(A.FALLBACK_FROM)}"),
            ),
            plot_shares(
                "Retry-After honoured",
                "Of the waits that a provider asked for, the part after which the next request to the model came no "
                "earlier. The others use up the limit and are refused again.",
                Query(
                    f"({waits} - ({cut_short} or {waits} * 0)) / ({waits} > 0)",
                    f"{SERVED} {show_label(A.GEN_AI_REQUEST_MODEL)}",
                ),
            ),
            plot_shares(
                "Left of the rate limit",
                "The part of each limit that is left, as the provider says in the headers of its responses; the lowest "
                "of all processes. At 0 it refuses.",
                Query(
                    f"min by ({limited}) ({left}) / (max by ({limited}) ({limit}) > 0)",
                    f"{SERVED} {show_label(A.GEN_AI_REQUEST_MODEL)} {show_label(A.RATE_LIMIT_KIND)}",
                ),
            ),
        ),
    )


def _build_tool_row() -> Row:
    executions = (f'{SLI_NAME}="tool_success"',)
    bad, events = (sum_rate(metric, TOOL, matchers=executions, per=1) for metric in (M.SLI_BAD, M.SLI_EVENTS))
    return Row(
        "Tool",
        (
            plot_lines(
                "Tool failures",
                "The part of each tool's executions that failed. Direct: the tool itself says so.",
                "percentunit",
                Query(f"({bad}) / ({events} > 0)", f"{{{{{TOOL}}}}}"),
            ),
            _plot_duration("Duration of tools", "each tool's executions", "execute_tool", TOOL, 12),
            _plot_tagged("tool", TOOL),
            plot_share("tool"),
        ),
    )


def _plot_tagged(surface: str, by: str = OPERATION, width: int = 12) -> Panel:
    return plot_lines(
        f"Operations tagged as {surface} failures",
        f"Operations per minute that were tagged with the surface `{surface}`.",
        "none",
        Query(
            sum_rate(M.SPAN_DURATION, OPERATION, by, matchers=(f'{SURFACE}="{surface}"',), suffix="_count"),
            show_label(A.GEN_AI_OPERATION_NAME) + (f" {{{{{by}}}}}" if by != OPERATION else ""),
        ),
        width=width,
    )


def _plot_use(variable: str, noun: str) -> Panel:
    return plot_lines(
        f"{variable.capitalize()} use",
        f"Number of {noun} within five minutes with each value of the {variable}, by task and name.",
        "short",
        Query(f'{S.VARIABLE_ACTIVE}{{{OF}, variable="{variable}"}}', f"{SERVED} {{{{scope}}}}: {{{{value}}}}"),
    )


def _plot_duration(title: str, noun: str, operation: str, by: str, width: int) -> Panel:
    quantile = estimate_quantile(0.95, M.SPAN_DURATION, by, matchers=(f'{OPERATION}="{operation}"',))
    return plot_lines(
        title,
        f"95th percentile of {noun}. Points lead to traces.",
        "s",
        Query(quantile, f"{SERVED} {{{{{by}}}}}", exemplars=True),
        width=width,
    )


def _plot_scores() -> Panel:
    return plot_lines(
        "Answers that judges call bad",
        "By indicator, judge and revision, which are never added up. A proxy: a new revision may be what is wrong, not "
        "the answers.",
        "percentunit",
        Query(
            f'{S.name_window(S.SLI_ERROR_RATIO, "5m")}{{{OF}, {REVISION}!=""}}',
            f"{SERVED} {{{{{SLI_NAME}}}}} {{{{{spell_label(A.JUDGE_NAME)}}}}} {{{{{REVISION}}}}}",
        ),
    )
