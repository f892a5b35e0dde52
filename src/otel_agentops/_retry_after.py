"""The seconds that a response asks to wait before the next attempt."""

from __future__ import annotations

import time
from collections.abc import Mapping
from email.utils import parsedate_to_datetime


def parse_retry_after(headers: Mapping[str, str] | None) -> float | None:
    """Return the seconds that a response asked to wait; None if it did not.

    RFC 9110 section 10.2.3 (seconds or a date), or the header `retry-after-ms`.
    """
    if not headers:
        return None
    if (milliseconds := _parse_number(headers.get("retry-after-ms"))) is not None:
        return milliseconds / 1000
    value = headers.get("retry-after")
    seconds = _parse_number(value)
    return seconds if seconds is not None or value is None else _seconds_until(value)


def _parse_number(text: str | None) -> float | None:
    try:
        return float(text) if text else None
    except ValueError:
        return None


def _seconds_until(date: str) -> float | None:
    try:
        return max(0.0, parsedate_to_datetime(date).timestamp() - time.time())
    except (ValueError, TypeError, OverflowError):
        return None
