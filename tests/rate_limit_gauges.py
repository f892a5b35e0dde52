"""The gauges of what is left of a provider's limits, as a process reports them."""

from __future__ import annotations

from otel_agentops.testing import Capture

_PREFIX = "otel_agentops.rate_limit."
_LABELS = ("gen_ai.provider.name", "gen_ai.request.model", "otel_agentops.rate_limit.kind")


def read_gauges(seen: Capture) -> dict[tuple[str, str, str, str], float]:
    """Return metric, provider, model and kind to the value of each gauge."""
    return {
        (name.removeprefix(_PREFIX), *(point["attributes"][key] for key in _LABELS)): point["value"]
        for name, points in seen.metrics.items()
        if name.startswith(_PREFIX)
        for point in points
    }
