"""Alerts of moves: a variable that moved, and a burn that began after it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from otel_agentops.slo import series as S
from otel_agentops.slo._promql import Clock, rule
from otel_agentops.slo.burn import list_severities
from otel_agentops.slo.prometheus._look import look, runbook
from otel_agentops.slo.prometheus.objective import SERVICE_TEXT, burn_of, facts, labels
from otel_agentops.slo.series import SERVICE
from otel_agentops.slo.spec import Slo
from otel_agentops.slo.wording import describe_indicator, describe_promise

# How long before a slow burn the move may be: about as long as such a burn takes to be seen (the windows of burn.py).
LOOK_BACK = {"page": "6h", "ticket": "1d"}

_SEEN_TEXT = "The new value was first seen at {{ $value | humanizeTimestamp }}."
_MOVE_TEXT = "{{ $labels.variable }} of {{ $labels.scope }} moved from {{ $labels.previous }} to {{ $labels.value }}"
_MOVE = {"previous": "{{ $labels.previous }}", "first_seen": "{{ $value | humanizeTimestamp }}"}


def move_alerts(slos: Sequence[Slo], clock: Clock) -> Iterator[dict[str, Any]]:
    """A move alone, and each burn that a move came before."""
    yield _moved_alert()
    for slo in slos:
        for severity in list_severities(slo):
            yield _burn_moved(slo, severity, clock)
            yield _after_move_alert(slo, severity)


def _burn_moved(slo: Slo, severity: str, clock: Clock) -> dict[str, Any]:
    """The moves from before a burn, give or take two evaluations, for as long as it burns.

    A rollback comes while it burns, and is not to blame. Where no move is told any more, the last one before it: but
    only when it has burnt for longer than a move takes to be told.
    """
    of, service = burn_of(slo, severity), ", ".join(SERVICE)
    since = f"{S.SLO_BURN_SINCE}{of}"
    before = f"<= on ({service}) group_left () max by ({service}) ({since}) + {2 * clock.tick}"
    while_ = f"and on ({service}) {since} < time() - {clock.seconds('10m', 8):g}"
    earlier = f"last_over_time({S.VARIABLE_MOVED}[{clock.window(LOOK_BACK[severity])}])"
    expr = f"""\
{S.VARIABLE_MOVED} {before}
or
max without (slo, severity) ({S.SLO_BURN_MOVED}{of} and on ({service}) {since})
or on ({service})
topk by ({service}) (1, {earlier} {before}) {while_}"""
    return rule(S.SLO_BURN_MOVED, expr, slo=slo.name, severity=severity)


def _after_move_alert(slo: Slo, severity: str) -> dict[str, Any]:
    burns = f"burns the error budget of {slo.name} ({describe_indicator(slo)})"
    return {
        "alert": "OtelAgentopsBurnAfterMove",
        "expr": f"{S.SLO_BURN_MOVED}{burn_of(slo, severity)}",
        "labels": labels(slo, severity),
        "annotations": {
            "summary": f"{SERVICE_TEXT} {burns} after {_MOVE_TEXT}",
            "description": f"{describe_promise(slo)} {_SEEN_TEXT}",
            **look(),
            **_MOVE,
            **facts(slo),
        },
    }


def _moved_alert() -> dict[str, Any]:
    return {
        "alert": "OtelAgentopsVariableMoved",
        "expr": S.VARIABLE_MOVED,
        "labels": {"severity": "info"},
        "annotations": {
            "summary": f"{SERVICE_TEXT}: {_MOVE_TEXT}",
            "description": _SEEN_TEXT,
            **look(),
            **_MOVE,
            "runbook": runbook("OtelAgentopsVariableMoved"),
            "policy_step": "Nothing where it was meant and declared; else find out who moved it, or pin the old value.",
        },
    }
