"""Truth that comes late: labels from files, written at the time of their tasks."""

from __future__ import annotations

from otel_agentops._yaml import InputError
from otel_agentops.truth.labels import Label, read_labels
from otel_agentops.truth.tasks import StoredSpan, StoredTask, read_tasks

__all__ = ["InputError", "Label", "StoredSpan", "StoredTask", "read_labels", "read_tasks"]
