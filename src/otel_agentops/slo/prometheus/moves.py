"""Alerts of moves: a variable that moved, and a burn that began after a move."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from otel_agentops.slo import series as S
from otel_agentops.slo._promql import Clock, Rule, make_rule, quote_string, set_label
from otel_agentops.slo.burn import list_severities
from otel_agentops.slo.moves.appeared import select_always_new
from otel_agentops.slo.prometheus._lookup import describe_value
from otel_agentops.slo.prometheus.burn import describe_windows
from otel_agentops.slo.prometheus.objective import SERVICE_TEXT, build_labels, escape_template, list_facts, select_burn
from otel_agentops.slo.series import SERVICE, SLI_NAME
from otel_agentops.slo.spec import Slo
from otel_agentops.slo.variables import SCOPE, VALUE
from otel_agentops.slo.wording import describe_indicator, describe_promise

# A move may precede a burn by about the time after which the slower burn is visible (the windows of slo/burn.py).
LOOK_BACK = {"page": "6h", "ticket": "1d"}

_SEEN_TEXT = "The new value was first seen at {{ $value | humanizeTimestamp }}."
_MOVE_TEXT = "{{ $labels.variable }} of {{ $labels.scope }} moved from {{ $labels.previous }} to {{ $labels.value }}"
_MOVE = {"previous": "{{ $labels.previous }}", "first_seen": "{{ $value | humanizeTimestamp }}"}


def build_move_alerts(slos: Sequence[Slo], clock: Clock) -> Iterator[Rule]:
    """Yield the alert of a move, and one for each burn that a move came before."""
    yield _build_moved_alert(clock)
    for slo in slos:
        for severity in list_severities(slo):
            yield _build_burn_moved_rule(slo, severity, clock)
            yield _build_after_move_alert(slo, severity)


def _build_burn_moved_rule(slo: Slo, severity: str, clock: Clock) -> Rule:
    """Select the moves from before a burn, as long as it burns.

    Two evaluations more or less do not matter. A rollback comes while it burns and is not to blame. If no move is
    reported any more, the last one before the burn counts, but only if it has burnt for longer than a move takes to be
    reported.
    """
    of, service = select_burn(slo, severity), ", ".join(SERVICE)
    since = f"{S.SLO_BURN_SINCE}{of}"
    before = f"<= on ({service}) group_left () max by ({service}) ({since}) + {2 * clock.tick}"
    while_ = f"and on ({service}) {since} < time() - {clock.to_seconds('10m', 8):g}"
    earlier = f"last_over_time({S.VARIABLE_MOVED}[{clock.to_duration(LOOK_BACK[severity])}])"
    expr = f"""\
{S.VARIABLE_MOVED} {before}
or
max without (slo, severity) ({S.SLO_BURN_MOVED}{of} and on ({service}) {since})
or on ({service})
topk by ({service}) (1, {earlier} {before}) {while_}"""
    return make_rule(S.SLO_BURN_MOVED, expr, slo=slo.name, severity=severity)


def _build_after_move_alert(slo: Slo, severity: str) -> Rule:
    """Build the alert of each move before a burn; `explains` is yes if the evidence says that it is to blame."""
    matchers = f"{','.join(f'{label}=%q' for label in SERVICE)},{SLI_NAME}={quote_string(slo.indicator.name)}"
    head = f"{{{{ $of := printf `{{{matchers}}}` {' '.join(f'$labels.{label}' for label in SERVICE)} }}}}"
    windows = describe_windows(severity, head, "too many")
    burns = f"burns the error budget of {slo.name} ({describe_indicator(slo)})"
    of = select_burn(slo, severity)
    blamed = f'on ({VALUE}) {S.SLO_BURN_VERDICT}{of[:-1]}, word=~"it_is|likely"}}'
    exprs = (
        set_label(f"{S.SLO_BURN_MOVED}{of} {operator} {blamed}", "explains", explains)
        for operator, explains in (("and", "yes"), ("unless", "no"))
    )
    return {
        "alert": "OtelAgentopsBurnAfterMove",
        "expr": "\nor\n".join(exprs),
        "labels": build_labels(slo, severity),
        "annotations": {
            "summary": f"{SERVICE_TEXT} {burns} after {_MOVE_TEXT}",
            "description": f"{windows} {_SEEN_TEXT} {escape_template(describe_promise(slo))}",
            **describe_value(),
            **_MOVE,
            **list_facts(slo),
        },
    }


def _build_moved_alert(clock: Clock) -> Rule:
    return {
        "alert": "OtelAgentopsVariableMoved",
        # A burn after such a move is reported all the same: the value may be to blame.
        "expr": f"{S.VARIABLE_MOVED} unless on ({SCOPE}) {select_always_new(clock)}",
        "labels": {"severity": "info"},
        "annotations": {
            "summary": f"{SERVICE_TEXT}: {_MOVE_TEXT}",
            "description": _SEEN_TEXT,
            **describe_value(),
            **_MOVE,
            "policy_step": "Nothing where it was meant and declared; else find out who moved it, or pin the old value.",
        },
    }
