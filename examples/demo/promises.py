"""The promises to customers, from slo/*.yaml, and the project's rules over them with an hour made ten seconds."""

from __future__ import annotations

from pathlib import Path

from demo.seen import Promise
from otel_agentops import slo
from otel_agentops.slo import prometheus
from stack import ROOT

# At 360 the rules look 10 s back for 1h and show a move for 20 s (2h). That is shorter than the next phase, so that
# the next burn is joined with the next move alone.
TIME_SCALE = 360
SLOS = ROOT / "slo"


def load_promises() -> list[Promise]:
    """Load the promises; an unsound one raises slo.SpecError."""
    return [Promise(one.name, one.indicator.name, one.objective) for one in slo.load(SLOS)]


def write_rules(path: Path) -> Path:
    """Write the rules for Prometheus; an unsound promise raises slo.SpecError."""
    path.write_text(prometheus.render_rules(slo.load(SLOS), TIME_SCALE), encoding="utf-8")
    return path
