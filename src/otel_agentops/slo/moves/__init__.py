"""The rules of variables: what moved, and what is wrong although nothing moves. PromQL holds the memory.

A move is a value that appeared, a value that came to matter, or a shift of the traffic. Wrong without a move are skew,
drift that nobody declared, unlisted values and stale evaluations.
"""

from __future__ import annotations

from otel_agentops.slo._promql import Clock, Rule
from otel_agentops.slo.moves.appeared import build_appeared_rules
from otel_agentops.slo.moves.before import build_before_rules
from otel_agentops.slo.moves.drift import build_drift_rules
from otel_agentops.slo.moves.eval_sets import build_eval_set_rules
from otel_agentops.slo.moves.ramp import build_ramp_rules
from otel_agentops.slo.moves.reported import build_moved_rule
from otel_agentops.slo.moves.skew import build_skew_rules
from otel_agentops.slo.moves.traffic import build_traffic_rules
from otel_agentops.slo.moves.unlisted import build_unlisted_rules
from otel_agentops.slo.variables import build_observed_rules


def build_move_rules(clock: Clock) -> list[Rule]:
    """Return the rules of what moved."""
    return [
        *build_appeared_rules(clock),
        *build_before_rules(clock),
        *build_ramp_rules(clock),
        *build_traffic_rules(clock),
        build_moved_rule(clock),
    ]


def build_variable_rules(clock: Clock) -> list[Rule]:
    """Return all rules of variables, in the order in which they read each other."""
    return [
        *build_observed_rules(clock),
        *build_move_rules(clock),
        *build_skew_rules(clock),
        *build_drift_rules(clock),
        *build_unlisted_rules(clock),
        *build_eval_set_rules(clock),
    ]
