"""Truth that comes late: labels from files, written at the time of their tasks."""

from __future__ import annotations

from otel_agentops._yaml import InputError
from otel_agentops.truth.labels import Label, read_labels

__all__ = ["InputError", "Label", "read_labels"]
