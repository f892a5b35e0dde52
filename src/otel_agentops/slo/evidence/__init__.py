"""The rules of evidence: which value explains the bad events, and which surface is sick.

A value explains them if its events are worse than those of the other values of its scope in the same minutes. An outage
that hits all values alike, and a switch of all events at once, leave the evidence at 1 by themselves.
"""

from __future__ import annotations

from otel_agentops.slo._promql import Clock, Rule
from otel_agentops.slo.evidence.contrast import build_contrast_rules
from otel_agentops.slo.evidence.explained import build_before_rule, build_explained_rules
from otel_agentops.slo.evidence.increments import build_increment_rules, build_long_increment_rules
from otel_agentops.slo.evidence.sick import build_surface_rules, build_usual_rules
from otel_agentops.slo.evidence.steps import build_step_rules
from otel_agentops.slo.evidence.suspects import build_suspect_rules
from otel_agentops.slo.evidence.verdicts import build_verdict_rules

__all__ = ["build_evidence_rules", "build_history_rules", "build_surface_rules"]


def build_evidence_rules(clock: Clock) -> list[Rule]:
    """Return the rules of each evaluation, in the order in which they read each other."""
    return [
        *build_increment_rules(clock),
        *build_contrast_rules(clock),
        *build_step_rules(clock),
        *build_explained_rules(clock),
        *build_suspect_rules(clock),
        *build_verdict_rules(clock),
    ]


def build_history_rules(clock: Clock) -> list[Rule]:
    """Return the rules over long windows, for which a look each five minutes is enough."""
    return [*build_long_increment_rules(clock), build_before_rule(clock), *build_usual_rules(clock)]
