"""Facts that an application has to report for an indicator: without them nothing is counted, and nothing burns."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from otel_agentops.slo.indicators import On
from otel_agentops.slo.sli import Own, Use
from otel_agentops.slo.spec import Slo

_BY_OPERATION: Mapping[On, str] = {
    "model": "nothing: it counts the calls of instrumented clients",
    "task": 'runs of an instrumented agent framework, or a block `with task("…"):` around each task',
    "tool": "tool calls of an instrumented framework, or `tool` around each tool",
    "retrieval": "queries of an instrumented store, or `retrieval` around each query",
    "evaluation": "a block `judge(…)` or an instrumented judge",
    "outcome": "`outcome(…)` when the truth about a task is known",
}
# Facts that a built-in indicator reads and that no span has by itself.
_FACTS: Mapping[str, str] = {
    "abandonment": '`run.outcome("abandoned")` where the user left',
    "escalation": '`run.outcome("escalated")` where a human took over',
    "user_retry": "`task(…, retry=True)` or `retry=False` on each task",
    "grounded": "`documents(…)` of each retrieval and `run.used(…)`",
    "cost_ceiling": "the prices of the models ($OTEL_AGENTOPS_PRICES)",
    "user_rework": "`draft=` and `kept=` in it",
    "judge_score": "a score and a threshold",
    "score_floor": "a score",
}


def describe_need(slo: Slo) -> str:
    """Return what the application has to do before the indicator counts anything."""
    name = slo.sli.use if isinstance(slo.sli, Use) else "" if isinstance(slo.sli, Own) else slo.sli
    parts = [_BY_OPERATION[slo.indicator.on], *([_FACTS[name]] if name in _FACTS else [])]
    return ", with ".join(parts)


def list_needs(slos: Sequence[Slo]) -> list[str]:
    """Return a sentence for each objective; docs/tasks.md explains the blocks."""
    return [f"{slo.name}: {slo.indicator.name} needs {describe_need(slo)}" for slo in slos]
