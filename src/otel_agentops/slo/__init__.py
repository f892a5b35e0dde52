"""Objectives of an LLM feature, from `slo/*.yaml` to rules and dashboards, as pure functions."""

from __future__ import annotations

from otel_agentops.slo.indicators import BUILT_IN, Indicator
from otel_agentops.slo.spec import Slo, SpecError, load

__all__ = ["BUILT_IN", "Indicator", "Slo", "SpecError", "load"]
