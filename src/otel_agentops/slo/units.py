"""Durations and numbers as texts, the same for every backend."""

from __future__ import annotations

from decimal import Decimal

# For which a sample may be on its way before the rules see it. A sample has the time at which its scrape began, and can
# be read when the scrape has ended, after 10 s at most unless Prometheus' `scrape_timeout` is raised. An evaluation
# between the two would lose it: with a scrape a minute, every one of a target whose phase is such.
EVALUATION_DELAY_S = 10.0
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400}


def parse_window(window: str) -> int:
    """Return the seconds of a window with one unit: `30m`, `3d`."""
    return int(window[:-1]) * _SECONDS[window[-1]]


def describe_window(window: str) -> str:
    """Return a window in words: `5m` as `5 min`, `3d` as `3 days`."""
    count, unit = window[:-1], window[-1]
    names = {"s": "s", "m": "min", "h": "h", "d": "day" if count == "1" else "days"}
    return f"{count} {names[unit]}"


def format_duration(seconds: float) -> str:
    """Format seconds as a duration of Prometheus and Grafana: 90 as `1m30s`."""
    rest = round(seconds * 1000)
    parts = []
    for unit, size in (("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1000), ("ms", 1)):
        count, rest = divmod(rest, size)
        parts += [f"{count}{unit}"] if count else []
    return "".join(parts)


def format_number(value: Decimal | float) -> str:
    """Format a number without trailing zeros or an exponent."""
    return f"{Decimal(str(value)).normalize():f}"
