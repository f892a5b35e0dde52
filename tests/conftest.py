"""The guard is loud under test: a telemetry step that fails raises where it failed."""

from __future__ import annotations

import os

os.environ.setdefault("OTEL_AGENTOPS_STRICT", "1")  # read when otel_agentops is imported
