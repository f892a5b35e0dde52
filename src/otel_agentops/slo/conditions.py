"""The collector's own check of conditions: it alone knows functions, paths and types."""

from __future__ import annotations

import json
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path

from otel_agentops.slo import _ottl
from otel_agentops.slo.sli import EVENTS, Own
from otel_agentops.slo.spec import Slo


def list_refused(slos: Sequence[Slo], otelcol: Path) -> list[str]:
    """Return one sentence for each condition of a team that a collector refuses."""
    return [
        f"{slo.name}: sli.{field}: the collector says: {reason}"
        for slo in slos
        if isinstance(slo.sli, Own)
        for field in ("eligible", "bad")
        if (reason := _ask_collector(getattr(slo.sli, field), slo.sli.on in EVENTS, otelcol))
    ]


def _ask_collector(condition: str, event: bool, otelcol: Path) -> str:
    with tempfile.TemporaryDirectory() as directory:
        config = Path(directory, "config.json")
        config.write_text(json.dumps(_build_config(condition, event), ensure_ascii=False), "utf-8")
        result = subprocess.run([otelcol, "validate", "--config", config], capture_output=True, text=True, check=False)
    if result.returncode == 0:
        return ""
    return " ".join((result.stderr or result.stdout).split()).removeprefix("Error: processors::filter: ")


def _build_config(condition: str, event: bool) -> dict[str, object]:
    """Build the smallest config that starts; a `$` is written twice in one."""
    signal, context, field = ("logs", "log", "log_conditions") if event else ("traces", "span", "trace_conditions")
    text = _ottl.set_context(condition, context).replace("$", "$$")
    return {
        "receivers": {"otlp": {"protocols": {"http": None}}},
        "processors": {"filter": {field: [text]}},
        "exporters": {"debug": None},
        "service": {"pipelines": {signal: {"receivers": ["otlp"], "processors": ["filter"], "exporters": ["debug"]}}},
    }
