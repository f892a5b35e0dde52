"""Who is compared: the packages that instrument a client, one at a time, and what silences their content capture."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.metadata import EntryPoint, distribution, entry_points
from typing import NamedTuple

GROUP = "opentelemetry_instrumentor"


class Variant(NamedTuple):
    """One column of the table. packages: client to distribution. module: of the bench's own, where it is no package."""

    title: str
    packages: Mapping[str, str]
    module: str | None = None

    def version(self, client: str) -> str:
        """Return distribution and version, empty if it is no package."""
        name = self.packages.get(client)
        return f"{name} {distribution(name).version}" if name else ""

    def instrumentor(self, client: str) -> EntryPoint | None:
        """Return the instrumentor of a client, None for the run without instrumentation."""
        if self.module is not None:
            return EntryPoint(client, f"{self.module}:{client}", GROUP)
        if client not in self.packages:
            return None
        found = distribution(self.packages[client]).entry_points.select(group=GROUP)
        return next(point for point in found if point.name.endswith(client))


VARIANTS = {
    "none": Variant("none", {}),
    "floor": Variant("floor", {}, "bench.floor"),
    "ours": Variant("ours", {"openai": "otel-agentops", "anthropic": "otel-agentops"}),
    "official": Variant(
        "official",
        {
            "openai": "opentelemetry-instrumentation-genai-openai",
            "anthropic": "opentelemetry-instrumentation-genai-anthropic",
        },
    ),
    "openllmetry": Variant(
        "OpenLLMetry",
        {
            "openai": "opentelemetry-instrumentation-openai",
            "anthropic": "opentelemetry-instrumentation-anthropic",
        },
    ),
    "openinference": Variant(
        "OpenInference",
        {
            "openai": "openinference-instrumentation-openai",
            "anthropic": "openinference-instrumentation-anthropic",
        },
    ),
}

# Content off for everybody: for the others by their own switches, for us and the official package by default.
NO_CONTENT = {
    "TRACELOOP_TRACE_CONTENT": "false",
    "OPENINFERENCE_HIDE_INPUTS": "true",
    "OPENINFERENCE_HIDE_OUTPUTS": "true",
}


def instrumenting_distributions() -> set[str]:
    """Return every installed distribution that `opentelemetry-instrument` would load something from."""
    return {point.dist.name for point in entry_points(group=GROUP) if point.dist is not None}
