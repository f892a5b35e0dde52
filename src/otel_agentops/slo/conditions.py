"""Conditions as a real collector reads them: its functions, paths and types, which nothing else knows."""

from __future__ import annotations

import json
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from otel_agentops.slo import _ottl
from otel_agentops.slo.sli import EVENTS, Own
from otel_agentops.slo.spec import Slo


def refused(slos: Sequence[Slo], otelcol: Path) -> list[str]:
    """The conditions of the team's own that a collector would not start with, one sentence each."""
    return [text for slo in slos if isinstance(slo.sli, Own) for text in _refused(slo.name, slo.sli, otelcol)]


def _refused(name: str, own: Own, otelcol: Path) -> Iterator[str]:
    for field in ("eligible", "bad"):
        if reason := _reason(getattr(own, field), own.on in EVENTS, otelcol):
            yield f"{name}: sli.{field}: the collector says: {reason}"


def _reason(condition: str, event: bool, otelcol: Path) -> str:
    with tempfile.TemporaryDirectory() as directory:
        config = Path(directory, "config.json")
        config.write_text(json.dumps(_config(condition, event), ensure_ascii=False), "utf-8")
        done = subprocess.run([otelcol, "validate", "--config", config], capture_output=True, text=True, check=False)
    if done.returncode == 0:
        return ""
    return " ".join((done.stderr or done.stdout).split()).removeprefix("Error: processors::filter: ")


def _config(condition: str, event: bool) -> dict[str, object]:
    """The least that starts: a `$` of a config is written twice."""
    signal, context, field = ("logs", "log", "log_conditions") if event else ("traces", "span", "trace_conditions")
    text = _ottl.set_context(condition, context).replace("$", "$$")
    return {
        "receivers": {"otlp": {"protocols": {"http": None}}},
        "processors": {"filter": {field: [text]}},
        "exporters": {"debug": None},
        "service": {"pipelines": {signal: {"receivers": ["otlp"], "processors": ["filter"], "exporters": ["debug"]}}},
    }
