"""Five-surface triage: model, prompt, retrieval, tool and judge one below the other, then traffic and infra."""

from __future__ import annotations

from otel_agentops.semconv import attributes as A
from otel_agentops.semconv import metrics as M
from otel_agentops.slo.grafana import traceql
from otel_agentops.slo.grafana._dashboard import Dashboard, Row
from otel_agentops.slo.grafana._panels import Panel, Query, figures, lines, shares, stacked
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
    label,
    quantile,
    rate,
    shown,
)
from otel_agentops.slo.grafana.moved import share
from otel_agentops.slo.variables import PREFIX

CALLS = f'{OPERATION}=~"chat|generate_content|text_completion|embeddings"'
TAGGED = f'{SURFACE}!=""'


def dashboard() -> Dashboard:
    """Where to begin when a budget burns and nothing moved."""
    return Dashboard(
        uid="agentops-triage",
        title="otel-agentops / Triage by surface",
        about="Which part of the system fails: model, prompt, retrieval, tool, judge; and below them traffic and "
        "infrastructure. A surface is tagged from facts on the span alone; what has no tag is not guessed.",
        rows=(
            Row("All surfaces", (_tagged(), _counts())),
            Row("Model", (_tagged_of("model", MODEL), _model_duration(), _attempts(), _versions())),
            Row("Prompt", (_active("prompt", "calls"), _share("prompt"))),
            Row("Retrieval", (_tagged_of("retrieval", width=8), _duration("retrieval", TASK, 8), _share("index", 8))),
            Row("Tool", (_tool_failures(), _tool_duration(), _tagged_of("tool", TOOL), _share("tool"))),
            Row("Judge", (_judged(), _share("judge"))),
            Row("Traffic and infrastructure", (_share("traffic"), _tagged_of("infra", MODEL))),
        ),
        moves=True,
        traces=(traceql.FAILED_TOOLS, traceql.TAGGED, traceql.BAD_TASKS),
    )


def _tagged() -> Panel:
    return stacked(
        "Bad operations by surface",
        "Operations per minute that the collector tagged. Prompt and traffic are never tagged: no span can say so; "
        "look at their rows.",
        "none",
        Query(rate(M.SPAN_DURATION, SURFACE, matchers=(TAGGED,), suffix="_count"), shown(A.INCIDENT_SURFACE)),
        width=16,
    )


def _counts() -> Panel:
    counted = f"sum by ({SURFACE}) (increase({_spans(TAGGED)}[$__range]))"
    return figures(
        "In the time shown",
        "Tagged operations in the time that is shown.",
        "short",
        Query(counted, shown(A.INCIDENT_SURFACE)),
        width=8,
        height=8,
    )


def _spans(*matchers: str) -> str:
    return f"{M.METRICS[M.SPAN_DURATION].prometheus}_count{{{', '.join((OF, *matchers))}}}"


def _tagged_of(surface: str, by: str = OPERATION, width: int = 12) -> Panel:
    return lines(
        f"Tagged {surface}",
        f"Operations per minute that were tagged with the surface `{surface}`.",
        "none",
        Query(
            rate(M.SPAN_DURATION, OPERATION, by, matchers=(f'{SURFACE}="{surface}"',), suffix="_count"),
            f"{shown(A.GEN_AI_OPERATION_NAME)} {{{{{by}}}}}" if by != OPERATION else shown(A.GEN_AI_OPERATION_NAME),
        ),
        width=width,
    )


def _model_duration() -> Panel:
    return lines(
        "Duration of model calls",
        "95th percentile and median of a call as the application waits for it, retries included. Points lead to "
        "traces.",
        "s",
        Query(
            quantile(0.95, M.SPAN_DURATION, MODEL, matchers=(CALLS,)), f"p95 {SERVED} {{{{{MODEL}}}}}", exemplars=True
        ),
        Query(quantile(0.5, M.SPAN_DURATION, MODEL, matchers=(CALLS,)), f"p50 {SERVED} {{{{{MODEL}}}}}"),
    )


def _attempts() -> Panel:
    tried, called = (rate(metric, MODEL, per=1) for metric in (M.LLM_ATTEMPTS, M.LLM_CALLS))
    return lines(
        "Attempts per call",
        "1: every call went through at once. More: the provider refuses or times out, and the client tries again.",
        "none",
        Query(f"({tried}) / ({called} > 0)", f"{{{{{MODEL}}}}}"),
    )


def _versions() -> Panel:
    return shares(
        "Versions that answered",
        "Of the calls to each model that was asked for, the part that each resolved version answered.",
        Query(share("model"), f"{SERVED} {{{{scope}}}}: {{{{value}}}}"),
    )


def _active(variable: str, what: str) -> Panel:
    return lines(
        f"Use of each {variable}",
        f"Number of {what} within five minutes with each value of the {variable}, by task and name.",
        "short",
        Query(f'{PREFIX}active{{{OF}, variable="{variable}"}}', f"{SERVED} {{{{scope}}}}: {{{{value}}}}"),
    )


def _share(variable: str, width: int = 12) -> Panel:
    return shares(
        f"Share of each {variable}",
        f"The part of the observations of its scope that each value of the variable `{variable}` has. A step is a "
        "switch, a ramp a roll-out.",
        Query(share(variable), f"{SERVED} {{{{scope}}}}: {{{{value}}}}"),
        width=width,
    )


def _duration(operation: str, by: str, width: int) -> Panel:
    of = (f'{OPERATION}="{operation}"',)
    return lines(
        f"Duration of {operation}",
        f"95th percentile of the operation `{operation}`. Points lead to traces.",
        "s",
        Query(quantile(0.95, M.SPAN_DURATION, by, matchers=of), f"{SERVED} {{{{{by}}}}}", exemplars=True),
        width=width,
    )


def _tool_failures() -> Panel:
    of = (f'{SLI_NAME}="tool_success"',)
    bad, all_ = (rate(metric, TOOL, matchers=of, per=1) for metric in (M.SLI_BAD, M.SLI_EVENTS))
    return lines(
        "Tool failures",
        "The part of each tool's executions that failed. Direct: the tool itself says so.",
        "percentunit",
        Query(f"({bad}) / ({all_} > 0)", f"{{{{{TOOL}}}}}"),
    )


def _tool_duration() -> Panel:
    of = (f'{OPERATION}="execute_tool"',)
    return lines(
        "Duration of tools",
        "95th percentile of each tool's executions. Points lead to traces.",
        "s",
        Query(quantile(0.95, M.SPAN_DURATION, TOOL, matchers=of), f"{SERVED} {{{{{TOOL}}}}}", exemplars=True),
    )


def _judged() -> Panel:
    return lines(
        "Answers below the threshold",
        "By judge and revision, which are never added up. A proxy: a new revision may be what is wrong, not the "
        "answers.",
        "percentunit",
        Query(
            f'otel_agentops:sli_error:ratio5m{{{OF}, {SLI_NAME}="judge_score"}}',
            f"{SERVED} {{{{{label(A.JUDGE_NAME)}}}}} {{{{{REVISION}}}}}",
        ),
    )
