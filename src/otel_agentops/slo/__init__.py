"""Promises about an LLM feature, and what follows from them: `slo/*.yaml` to rules, as pure functions."""

from __future__ import annotations

from otel_agentops.slo.spec import SLIS, Slo, SpecError, load

__all__ = ["SLIS", "Slo", "SpecError", "load"]
