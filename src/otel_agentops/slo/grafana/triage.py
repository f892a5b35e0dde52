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
    show_label,
    sum_increase,
    sum_rate,
)
from otel_agentops.slo.grafana.moved import plot_share, select_share
from otel_agentops.slo.series import spell_label

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
