"""The promises to customers, slo/*.yaml, and the project's own rules over it, with an hour made ten seconds."""

from __future__ import annotations

from pathlib import Path

from demo.seen import Promise
from otel_agentops import slo
from otel_agentops.slo import prometheus
from stack import ROOT

# At 360 the rules look 10 s back for 1h, and tell of a move for 20 s (2h): shorter than the phase after it, so that
# the next burn is joined with the next move alone.
TIME_SCALE = 360
SLOS = ROOT / "slo"


def promises() -> list[Promise]:
    """Read the promises; an unsound one raises slo.SpecError."""
    return [Promise(one.name, one.indicator.name, one.objective) for one in slo.load(SLOS)]


def rules(path: Path) -> Path:
    """Write the file of rules for Prometheus; an unsound promise raises slo.SpecError."""
    path.write_text(prometheus.render_rules(slo.load(SLOS), TIME_SCALE), encoding="utf-8")
    return path
