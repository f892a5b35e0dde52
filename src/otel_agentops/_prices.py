"""The cost of a model call at the prices of a file of the user's; no price is built in or guessed.

OTEL_AGENTOPS_PRICES names a JSON file. Prices are USD per million tokens; a model is named as in the response or, if
that has no price, as in the request. They hold for calls of up to `input_limit` input tokens:

    {
      "date": "2026-11-01",
      "source": "https://example.com/pricing",
      "models": {
        "gpt-x-2026-03-01": {"input": 1.25, "output": 10, "cache_read": 0.125},
        "claude-x": {"input": 3, "output": 15, "cache_read": 0.3, "cache_write": 3.75, "input_limit": 200000},
        "embed-x": {"input": 0.02}
      }
    }
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from otel_agentops._guard import log
from otel_agentops.operations import Answer, ModelCall
from otel_agentops.semconv import attributes as A

_FIELDS = ("input", "output", "cache_read", "cache_write", "input_limit")
_NOTES = frozenset({"date", "source", "__generated_by"})  # for readers of the file
_MILLION = 1_000_000


class Price(NamedTuple):
    """USD per million tokens of one model; None if unknown.

    Attributes:
        input_limit: the prices hold for a call of up to so many input tokens; None if for all.
    """

    input: float
    output: float | None = None
    cache_read: float | None = None
    cache_write: float | None = None
    input_limit: float | None = None


Prices = Mapping[str, Price]


class _WrongError(ValueError):
    """A wrong file of prices; the text names the field."""


def load_prices(path: str | None) -> Prices | None:
    """Load a file of prices; None without a file, or with a warning for a wrong one."""
    if path is None:
        return None
    try:
        return _parse_prices(json.loads(Path(path).read_text(encoding="utf-8")))
    except OSError as error:
        reason = error.strerror or type(error).__name__
    except _WrongError as error:
        reason = str(error)
    except (ValueError, RecursionError) as error:
        reason = f"it is not JSON: {error}"
    log.warning("OTEL_AGENTOPS_PRICES=%s cannot be used and no cost is given: %s", path, reason)
    return None


def price_call(prices: Prices, call: ModelCall, answer: Answer) -> float | None:
    """Return the USD of a call; None if a price or a token count is missing.

    The totals of an answer include the tokens read from and written to a cache, as in the GenAI conventions; a cache
    count that is not reported is 0. If the resolved model has no price, the price of the requested one applies.
    """
    price = prices.get(answer.model or "") or prices.get(call.model or "")
    if price is None or answer.input_tokens is None:
        return None
    cache_read = answer.attributes.get(A.GEN_AI_USAGE_CACHE_READ_INPUT_TOKENS, 0)
    cache_write = answer.attributes.get(A.GEN_AI_USAGE_CACHE_CREATION_INPUT_TOKENS, 0)
    output = 0 if call.operation == "embeddings" else answer.output_tokens
    if not isinstance(cache_read, int) or not isinstance(cache_write, int) or output is None:
        return None
    if price.input_limit is not None and answer.input_tokens > price.input_limit:
        return None
    uncached = answer.input_tokens - cache_read - cache_write
    parts = (
        (uncached, price.input),
        (cache_read, price.cache_read),
        (cache_write, price.cache_write),
        (output, price.output),
    )
    if uncached < 0 or any(tokens and usd is None for tokens, usd in parts):
        return None
    return sum(tokens * usd for tokens, usd in parts if usd is not None) / _MILLION


def _parse_prices(document: object) -> Prices:
    members = _require_object(document, "the file")
    if unknown := members.keys() - _NOTES - {"models"}:
        raise _WrongError(f"{min(unknown)} is not a field; use models, date and source")
    models = _require_object(members.get("models"), "models")
    return {model: _parse_price(fields, f"models.{model}") for model, fields in models.items()}


def _parse_price(member: object, place: str) -> Price:
    fields = _require_object(member, place)
    if unknown := fields.keys() - set(_FIELDS):
        raise _WrongError(f"{place}.{min(unknown)} is not a field; use {', '.join(_FIELDS)}")
    if "input" not in fields:
        raise _WrongError(f"{place}.input is missing")
    return Price(**{name: _parse_number(value, f"{place}.{name}") for name, value in fields.items()})


def _require_object(value: object, place: str) -> dict[str, object]:
    if not isinstance(value, dict):
        raise _WrongError(f"{place} is not an object")
    return value


def _parse_number(value: object, place: str) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value) or value < 0:
        unit = "tokens" if place.endswith(".input_limit") else "USD per million tokens"
        raise _WrongError(f"{place} is {value!r} and not a number of {unit}, 0 or more")
    return float(value)
