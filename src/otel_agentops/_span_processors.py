"""Span processors of ours beside those that a tracer provider has."""

from __future__ import annotations

import inspect
from typing import Any

# Phoenix's provider shuts its own exporter down when it gets a processor, unless this argument is False:
# https://github.com/Arize-ai/phoenix/blob/main/packages/phoenix-otel/src/phoenix/otel/otel.py
_REPLACES = "replace_default_processor"


def add_span_processor(provider: Any, processor: Any) -> None:
    """Add a span processor to a tracer provider of anybody, which keeps those that it has."""
    add = provider.add_span_processor
    if _REPLACES in inspect.signature(add).parameters:
        add(processor, **{_REPLACES: False})
    else:
        add(processor)
