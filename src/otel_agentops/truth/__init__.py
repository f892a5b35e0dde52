"""Truth that comes late: labels from files, written at the time of their tasks."""

from __future__ import annotations

from otel_agentops.truth.labels import Label, TruthError, read

__all__ = ["Label", "TruthError", "read"]
