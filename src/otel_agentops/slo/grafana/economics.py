"""Task economics: what one task takes, in calls, attempts, tokens, money and time."""

from __future__ import annotations

from otel_agentops.semconv import attributes as A
from otel_agentops.semconv import metrics as M
from otel_agentops.slo.grafana._dashboard import Dashboard, Row
from otel_agentops.slo.grafana._panels import Panel, Query, lines, rows, stacked
from otel_agentops.slo.grafana._queries import OUTCOME, SERVED, TASK, increase, mean, quantile, rate, shown

PARTS = ((0.5, "p50"), (0.95, "p95"), (0.99, "p99"))
ENDED = (f'{OUTCOME}!=""',)


def dashboard() -> Dashboard:
    """Per task, since a call that is cheap may be made forty times."""
    return Dashboard(
        uid="agentops-economics",
        title="otel-agentops / Task economics",
        about="What a task takes: model calls, attempts, tools, tokens, cost and time, as percentiles over tasks. Of a "
        "task that goes through several services these are the shares of the one in which it began.",
        rows=(
            Row("Tasks", (_tasks(), _outcomes())),
            Row("Time and money", (_duration(), _cost(), _spent(), _cost_by_outcome())),
            Row("Calls", (*_each(CALLS), _wasted())),
            Row("Tokens", _each(TOKENS)),
        ),
        moves=True,
    )


CALLS = (
    (M.TASK_LLM_CALLS, "Model calls per task", "Model calls, each counted once however often it was tried."),
    (M.TASK_LLM_ATTEMPTS, "Attempts per task", "Requests to model providers, retries included."),
    (M.TASK_TOOL_CALLS, "Tool executions per task", "Tool executions, failed ones included."),
    (M.TASK_TOOL_FAILURES, "Failed tool executions per task", "Tool executions that ended in an error."),
)
TOKENS = (
    (M.TASK_INPUT_TOKENS, "Input tokens per task", "Sum over the calls of the task that reported it."),
    (M.TASK_OUTPUT_TOKENS, "Output tokens per task", "Sum over the calls of the task that reported it."),
)


def _each(metrics: tuple[tuple[str, str, str], ...]) -> tuple[Panel, ...]:
    return tuple(_percentiles(title, about, "short", metric) for metric, title, about in metrics)


def _percentiles(title: str, about: str, unit: str, metric: str, matchers: tuple[str, ...] = ()) -> Panel:
    """Percentiles by task; within a bucket they are interpolated."""
    made = [
        Query(
            quantile(part, metric, TASK, matchers=matchers),
            f"{name} {SERVED} {{{{{TASK}}}}}",
            exemplars=part == PARTS[-1][0],
        )
        for part, name in PARTS
    ]
    note = "Percentiles are estimates within the histogram's buckets."
    return lines(title, f"{about} {note}", unit, *made)


def _tasks() -> Panel:
    counted = rate(M.SPAN_DURATION, TASK, OUTCOME, matchers=ENDED, suffix="_count")
    return stacked(
        "Tasks per minute by outcome",
        "Tasks that ended, by how they ended. The outcome is what the application can tell: a proxy for whether the "
        "user was helped.",
        "none",
        Query(counted, f"{shown(A.TASK_NAME)} {shown(A.TASK_OUTCOME)}"),
    )


def _outcomes() -> Panel:
    return rows(
        "Tasks in the time shown",
        "Number of tasks that ended in the time that is shown, by name and outcome.",
        "short",
        Query(increase(M.SPAN_DURATION, TASK, OUTCOME, matchers=ENDED, suffix="_count"), "tasks"),
        width=12,
    )


def _duration() -> Panel:
    return _percentiles("Duration of a task", "From start to outcome.", "s", M.SPAN_DURATION, ENDED)


def _cost() -> Panel:
    about = "In US dollars, of the tasks whose every call has a known price; the others are not counted."
    return _percentiles("Cost of a task", about, "currencyUSD", M.TASK_COST)


def _spent() -> Panel:
    return lines(
        "Spent per hour",
        "In US dollars, on tasks whose every call has a known price.",
        "currencyUSD",
        Query(rate(M.TASK_COST, TASK, suffix="_sum", per=3600), shown(A.TASK_NAME)),
    )


def _cost_by_outcome() -> Panel:
    return lines(
        "Mean cost by outcome",
        "What a task costs that helped, and one that did not.",
        "currencyUSD",
        Query(mean(M.TASK_COST, TASK, OUTCOME), f"{SERVED} {shown(A.TASK_NAME)} {shown(A.TASK_OUTCOME)}"),
    )


def _wasted() -> Panel:
    tried, called = (mean(metric, TASK) for metric in (M.TASK_LLM_ATTEMPTS, M.TASK_LLM_CALLS))
    return lines(
        "Attempts beyond the first, per task",
        "What retries add: mean attempts less mean calls of a task.",
        "none",
        Query(f"({tried}) - ({called})", f"{SERVED} {shown(A.TASK_NAME)}"),
    )
