"""Instrumentation in one line, for programs that `opentelemetry-instrument` does not start."""

from __future__ import annotations

import difflib
import importlib.metadata
import os
from collections.abc import Iterable
from typing import Any

from opentelemetry._logs import LoggerProvider
from opentelemetry.metrics import MeterProvider
from opentelemetry.trace import TracerProvider

from otel_agentops._entry_points import PROVIDERS

GROUP = "opentelemetry_instrumentor"
PREFIX = "agentops_"
_DISABLED = "OTEL_PYTHON_DISABLED_INSTRUMENTATIONS"


def instrument(
    clients: Iterable[str] | None = None,
    tracer_provider: TracerProvider | None = None,
    meter_provider: MeterProvider | None = None,
    logger_provider: LoggerProvider | None = None,
) -> None:
    """Instrument the clients that are imported, and each other one as soon as it is.

    To call it again changes nothing, unless it is given providers: then the clients and the helpers write to these.

    Args:
        clients: Their names, e.g. `["openai", "bedrock"]`; None for all that
            `OTEL_PYTHON_DISABLED_INSTRUMENTATIONS` does not switch off.
        tracer_provider: None for the global one at the time of each span.
        meter_provider: None for the global one.
        logger_provider: None for the global one.

    Raises:
        ValueError: There is no client of that name.
    """
    providers = (tracer_provider, meter_provider, logger_provider)
    has_providers = any(provider is not None for provider in providers)
    entries = _select_entries(clients)
    if has_providers:
        from otel_agentops import _telemetry  # nearly the whole package, which else comes with the first client

        _telemetry.replace_default(_telemetry.install(*providers))
    for entry in entries:
        instrumentor = entry.load()()
        if instrumentor.is_instrumented_by_opentelemetry and has_providers:
            instrumentor.uninstrument()
        if not instrumentor.is_instrumented_by_opentelemetry:
            instrumentor.instrument(skip_dep_check=True, **dict(zip(PROVIDERS, providers, strict=True)))


def uninstrument(clients: Iterable[str] | None = None) -> None:
    """Put back what `instrument` or `opentelemetry-instrument` patched; calls pass unobserved from now on.

    Args:
        clients: Their names; None for all. Then the helpers write to the global providers again.

    Raises:
        ValueError: There is no client of that name.
    """
    for entry in _select_entries(clients):
        instrumentor = entry.load()()
        if instrumentor.is_instrumented_by_opentelemetry:
            instrumentor.uninstrument()
    if clients is None:
        from otel_agentops import _telemetry  # as above

        _telemetry.replace_default(None)


def _select_entries(clients: Iterable[str] | None) -> list[Any]:
    """Return the entry points of the named clients, of adapters in other packages as well."""
    entries = importlib.metadata.entry_points(group=GROUP)
    entries_by_name = {entry.name.removeprefix(PREFIX): entry for entry in entries if entry.name.startswith(PREFIX)}
    if clients is None:
        disabled = {name.strip() for name in os.environ.get(_DISABLED, "").split(",")}
        return [entry for entry in entries_by_name.values() if entry.name not in disabled]
    names = [clients] if isinstance(clients, str) else list(clients)
    for name in names:
        if name not in entries_by_name:
            nearest = difflib.get_close_matches(str(name).lower(), entries_by_name, 1)
            advice = f"did you mean {nearest[0]!r}?" if nearest else f"there are {', '.join(sorted(entries_by_name))}"
            raise ValueError(f"instrument(clients=...): no client is named {name!r}; {advice}")
    return [entries_by_name[name] for name in names]
