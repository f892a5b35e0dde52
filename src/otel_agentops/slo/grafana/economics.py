"""Task economics: what one task takes, in calls, attempts, tokens, money and time."""

from __future__ import annotations

from otel_agentops.semconv import attributes as A
from otel_agentops.semconv import metrics as M
from otel_agentops.slo.grafana._dashboard import Dashboard, Row
from otel_agentops.slo.grafana._panels import Panel, Query, plot_lines, plot_stack, show_table
from otel_agentops.slo.grafana._queries import (
    OUTCOME,
    SERVED,
    TASK,
    compute_mean,
    estimate_quantile,
    show_label,
    sum_increase,
    sum_rate,
)

PARTS = ((0.5, "p50"), (0.95, "p95"), (0.99, "p99"))
ENDED = (f'{OUTCOME}!=""',)


def build_dashboard() -> Dashboard:
    """Build the dashboard of one task, since a call that is cheap may be made forty times."""
    return Dashboard(
        uid="agentops-economics",
        title="otel-agentops / Task economics",
        description="What a task takes: model calls, attempts, tools, tokens, cost and time, as percentiles over "
        "tasks. Of a task that goes through several services these are the shares of the one in which it began.",
        rows=(_build_tasks_row(), _build_money_row(), _build_calls_row(), _build_tokens_row()),
        has_moves=True,
    )


def _build_tasks_row() -> Row:
    per_minute = sum_rate(M.SPAN_DURATION, TASK, OUTCOME, matchers=ENDED, suffix="_count")
    return Row(
        "Tasks",
        (
            plot_stack(
                "Tasks per minute by outcome",
                "Tasks that ended, by how they ended. The outcome is what the application can tell: a proxy for "
                "whether the user was helped.",
                "none",
                Query(per_minute, f"{show_label(A.TASK_NAME)} {show_label(A.TASK_OUTCOME)}"),
            ),
            show_table(
                "Tasks in the time shown",
                "Number of tasks that ended in the time that is shown, by name and outcome.",
                "short",
                Query(sum_increase(M.SPAN_DURATION, TASK, OUTCOME, matchers=ENDED, suffix="_count"), "tasks"),
                width=12,
            ),
        ),
    )


def _build_money_row() -> Row:
    return Row(
        "Time and money",
        (
            _plot_percentiles("Duration of a task", "From start to outcome.", M.SPAN_DURATION, "s", ENDED),
            _plot_percentiles(
                "Cost of a task",
                "In US dollars, of the tasks whose every call has a known price; the others are not counted.",
                M.TASK_COST,
                "currencyUSD",
            ),
            plot_lines(
                "Spent per hour",
                "In US dollars, on tasks whose every call has a known price.",
                "currencyUSD",
                Query(sum_rate(M.TASK_COST, TASK, suffix="_sum", per=3600), show_label(A.TASK_NAME)),
            ),
            plot_lines(
                "Mean cost by outcome",
                "What a task costs that helped, and one that did not.",
                "currencyUSD",
                Query(
                    compute_mean(M.TASK_COST, TASK, OUTCOME),
                    f"{SERVED} {show_label(A.TASK_NAME)} {show_label(A.TASK_OUTCOME)}",
                ),
            ),
        ),
    )


def _build_calls_row() -> Row:
    attempts, calls = (compute_mean(metric, TASK) for metric in (M.TASK_LLM_ATTEMPTS, M.TASK_LLM_CALLS))
    return Row(
        "Calls",
        (
            _plot_percentiles(
                "Model calls per task", "Model calls, each counted once however often it was tried.", M.TASK_LLM_CALLS
            ),
            _plot_percentiles(
                "Attempts per task", "Requests to model providers, retries included.", M.TASK_LLM_ATTEMPTS
            ),
            _plot_percentiles("Tool executions per task", "Tool executions, failed ones included.", M.TASK_TOOL_CALLS),
            _plot_percentiles(
                "Failed tool executions per task", "Tool executions that ended in an error.", M.TASK_TOOL_FAILURES
            ),
            plot_lines(
                "Attempts beyond the first, per task",
                "What retries add: mean attempts less mean calls of a task.",
                "none",
                Query(f"({attempts}) - ({calls})", f"{SERVED} {show_label(A.TASK_NAME)}"),
            ),
        ),
    )


def _build_tokens_row() -> Row:
    reported = "Sum over the calls of the task that reported it."
    return Row(
        "Tokens",
        (
            _plot_percentiles("Input tokens per task", reported, M.TASK_INPUT_TOKENS),
            _plot_percentiles("Output tokens per task", reported, M.TASK_OUTPUT_TOKENS),
        ),
    )


def _plot_percentiles(
    title: str, description: str, metric: str, unit: str = "short", matchers: tuple[str, ...] = ()
) -> Panel:
    """Build a panel of percentiles by task, of which the highest has exemplars."""
    queries = [
        Query(
            estimate_quantile(part, metric, TASK, matchers=matchers),
            f"{name} {SERVED} {{{{{TASK}}}}}",
            exemplars=part == PARTS[-1][0],
        )
        for part, name in PARTS
    ]
    note = "Percentiles are estimates within the histogram's buckets."
    return plot_lines(title, f"{description} {note}", unit, *queries)
