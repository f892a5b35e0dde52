"""The alert of a task that does not end: a loop of an agent costs money long before it has an outcome."""

from __future__ import annotations

from otel_agentops.semconv import metrics as M
from otel_agentops.slo._promql import Clock, Rule

_WHO = "service_name, deployment_environment_name, otel_agentops_task_name"
_TIMES = 10  # the calls that 99 % of the tasks of the day before needed
_FEWEST = 20  # a task of two calls that once needs twenty is no loop yet
_LONGEST = "6h"  # of a task of which nothing is known


def build_endless_alert(clock: Clock) -> Rule:
    """Build the alert: ten times the calls of other tasks of its name, or six hours where no task of it has ended."""
    calls, age = (M.METRICS[name].prometheus for name in (M.TASK_OPEN_LLM_CALLS, M.TASK_OPEN_AGE))
    ended = f"{M.METRICS[M.TASK_LLM_CALLS].prometheus}_bucket[{clock.to_duration('1d')}]"
    usual = f"histogram_quantile(0.99, sum by (le, {_WHO}) (increase({ended}) > 0))"
    expr = f"""\
max by ({_WHO}) ({calls}) > clamp_min({_TIMES} * {usual}, {_FEWEST})
or
max by ({_WHO}) ({age}) > {clock.to_seconds(_LONGEST):g} unless on ({_WHO}) {usual}"""
    return {
        "alert": "OtelAgentopsTaskDoesNotEnd",
        "expr": expr,
        "labels": {"severity": "ticket"},
        "annotations": {
            "summary": "a task {{ $labels.otel_agentops_task_name }} of {{ $labels.service_name }} does not end",
            "description": "It runs now, and has made more than ten times the model calls of other tasks of its name; "
            "where none has ended, it runs for hours. Is it a loop? `otel_agentops_task_open_cost` and `_tokens` say "
            "what it has used; its trace has no root span before it ends.",
        },
    }
