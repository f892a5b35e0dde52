"""Which variable moved: what appeared, what came to matter, how the traffic shifted; with a memory in PromQL.

And what is wrong though nothing moves: skew, drift that nobody declared, unlisted values, stale evaluations.
"""

from __future__ import annotations

from typing import Any

from otel_agentops.slo._promql import Clock
from otel_agentops.slo.moves.appeared import appeared_rules
from otel_agentops.slo.moves.before import before_rules
from otel_agentops.slo.moves.drift import drift_rules
from otel_agentops.slo.moves.eval_sets import eval_set_rules
from otel_agentops.slo.moves.ramp import ramp_rules
from otel_agentops.slo.moves.skew import skew_rules
from otel_agentops.slo.moves.told import moved_rule
from otel_agentops.slo.moves.traffic import traffic_rules
from otel_agentops.slo.moves.unlisted import unlisted_rules
from otel_agentops.slo.variables import observed_rules


def move_rules(clock: Clock) -> list[dict[str, Any]]:
    """What moved."""
    return [
        *appeared_rules(clock),
        *before_rules(clock),
        *ramp_rules(clock),
        *traffic_rules(clock),
        moved_rule(clock),
    ]


def variable_rules(clock: Clock) -> list[dict[str, Any]]:
    """The rules in the order in which they read each other."""
    return [
        *observed_rules(clock),
        *move_rules(clock),
        *skew_rules(clock),
        *drift_rules(clock),
        *unlisted_rules(clock),
        *eval_set_rules(clock),
    ]
