"""What a model call costs, from the prices that the user gives: nobody else's, and none is guessed.

OTEL_AGENTOPS_PRICES names a JSON file. Prices are USD per million tokens; a model is named as in the response or, where
that has no price, as in the request:

    {
      "date": "2026-11-01",
      "source": "https://example.com/pricing",
      "models": {
        "gpt-x-2026-03-01": {"input": 1.25, "output": 10, "cache_read": 0.125},
        "claude-x": {"input": 3, "output": 15, "cache_read": 0.3, "cache_write": 3.75},
        "embed-x": {"input": 0.02}
      }
    }
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from otel_agentops._guard import log
from otel_agentops.operations import Answer, ModelCall
from otel_agentops.semconv import attributes as A

_FIELDS = ("input", "output", "cache_read", "cache_write")
_NOTES = frozenset({"date", "source"})  # for who reads the file
_MILLION = 1_000_000


class Price(NamedTuple):
    """USD per million tokens of one model, None where that is not known."""

    input: float
    output: float | None = None
    cache_read: float | None = None
    cache_write: float | None = None


Prices = Mapping[str, Price]


class _WrongError(ValueError):
    """The file is not one of prices; the text names the field."""


def load_prices(path: str | None) -> Prices | None:
    """The prices of a file, None where there is none; a wrong file is said in one sentence and prices nothing."""
    if path is None:
        return None
    try:
        return _models(json.loads(Path(path).read_text(encoding="utf-8")))
    except OSError as error:
        reason = error.strerror or type(error).__name__
    except _WrongError as error:
        reason = str(error)
    except (ValueError, RecursionError) as error:
        reason = f"it is not JSON: {error}"
    log.warning("OTEL_AGENTOPS_PRICES=%s cannot be used and no cost is given: %s", path, reason)
    return None


def price_call(prices: Prices, call: ModelCall, answer: Answer) -> float | None:
    """USD of a call, None where its model has no price or a count is missing.

    The totals of an answer include what was read from and written to a cache, as in the GenAI conventions; a count of
    these that was not reported is 0. Where the resolved model has no price, that of the requested one holds.
    """
    price = prices.get(answer.model or "") or prices.get(call.model or "")
    if price is None or answer.input_tokens is None:
        return None
    read = answer.attributes.get(A.GEN_AI_USAGE_CACHE_READ_INPUT_TOKENS, 0)
    written = answer.attributes.get(A.GEN_AI_USAGE_CACHE_CREATION_INPUT_TOKENS, 0)
    output = 0 if call.operation == "embeddings" else answer.output_tokens
    if not isinstance(read, int) or not isinstance(written, int) or output is None:
        return None
    fresh = answer.input_tokens - read - written
    parts = ((fresh, price.input), (read, price.cache_read), (written, price.cache_write), (output, price.output))
    if fresh < 0 or any(tokens and usd is None for tokens, usd in parts):
        return None
    return sum(tokens * usd for tokens, usd in parts if usd is not None) / _MILLION


def _models(given: Any) -> Prices:
    members = _object(given, "the file")
    if unknown := members.keys() - _NOTES - {"models"}:
        raise _WrongError(f"{_named(unknown)} is not a field; use models, date and source")
    models = _object(members.get("models"), "models")
    return {model: _price(fields, f"models.{model}") for model, fields in models.items()}


def _price(given: Any, where: str) -> Price:
    fields = _object(given, where)
    if unknown := fields.keys() - set(_FIELDS):
        raise _WrongError(f"{where}.{_named(unknown)} is not a field; use {', '.join(_FIELDS)}")
    if "input" not in fields:
        raise _WrongError(f"{where}.input is missing")
    return Price(**{name: _usd(value, f"{where}.{name}") for name, value in fields.items()})


def _object(value: Any, where: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise _WrongError(f"{where} is not an object")
    return value


def _usd(value: Any, where: str) -> float:
    if type(value) not in (int, float) or not math.isfinite(value) or value < 0:
        raise _WrongError(f"{where} is {value!r} and not a number of USD per million tokens, 0 or more")
    return float(value)


def _named(names: set[str]) -> str:
    return sorted(names)[0]
