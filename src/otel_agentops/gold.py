"""The gold cohort: a share of all traces that everybody chooses alike, because the trace id alone decides.

A trace is in it if the last 56 bits of its id, which W3C asks to be random, are at or above a threshold. That is how
OpenTelemetry's consistent probability sampling decides, so samplers and collectors choose the same traces:
https://opentelemetry.io/docs/specs/otel/trace/tracestate-probability-sampling/
"""

from __future__ import annotations

import math

_RANDOM_BITS = 56


def is_gold(trace_id: int | str, ratio: float) -> bool:
    """Return True if a trace is in the gold cohort.

    A cohort of a larger ratio has all traces of a smaller one.

    Args:
        trace_id: A number as OpenTelemetry's SDK has it, or its 32 hexadecimal digits.
        ratio: The share of all traces, above 0 and at most 1.

    Raises:
        ValueError: The ratio is out of range, or the text is no trace id.
    """
    if not 0 < ratio <= 1:
        raise ValueError(f"is_gold(ratio={ratio!r}): give a share of all traces, above 0 and at most 1")
    number = trace_id if isinstance(trace_id, int) else int(trace_id, 16)
    whole = 1 << _RANDOM_BITS
    return number % whole >= whole - math.floor(ratio * whole + 0.5)
