"""Price files from the data of genai-prices."""

from __future__ import annotations

import datetime
import json
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from genai_prices import types
from genai_prices.data_snapshot import find_provider_by_id
from pydantic import ValidationError

from otel_agentops._yaml import InputError, explain_errors
from otel_agentops.price_lists import PACKAGE

_UNITS = {  # our field -> theirs
    "input": "input_mtok",
    "output": "output_mtok",
    "cache_read": "cache_read_mtok",
    "cache_write": "cache_write_mtok",
}
_OTHER_OUTPUT = ("output_audio_mtok", "output_image_mtok", "output_video_mtok", "output_reasoning_mtok")


class _UnpricedError(Exception):
    """A model whose price one entry of our file cannot express; the text says why."""


class PriceList(NamedTuple):
    """The content of a price file.

    Attributes:
        document: the file as JSON.
        left_out: reason by model name, for models that have no single price here.
    """

    document: Mapping[str, object]
    left_out: Mapping[str, str]

    @property
    def models(self) -> Mapping[str, Mapping[str, float]]:
        """The prices by model name."""
        return self.document["models"]  # type: ignore[return-value]  # built below


def load_providers(source: str) -> Sequence[types.Provider]:
    """Load the data of the installed package, or of a `data.json` of it.

    Raises:
        InputError: The file cannot be read, or is not such a file.
    """
    if source == PACKAGE:
        from genai_prices.data import providers

        return providers
    with explain_errors(source):
        try:
            raw = json.loads(Path(source).read_text("utf-8"))
            # Nothing public reads a data file; the upper end of the extra `prices` is there for this.
            return types._providers_from_raw(raw if isinstance(raw, list) else None)  # pyright: ignore[reportPrivateUsage]
        except (json.JSONDecodeError, ValidationError):
            raise InputError(f"{source}: is no data file of {PACKAGE}; take its prices/new_data/v2/data.json") from None


def build_price_list(
    every: Sequence[types.Provider], chosen: Iterable[str], extra: Collection[str], source: str, day: datetime.date
) -> PriceList:
    """Build a price file of the models of some providers.

    Args:
        every: All providers of the data.
        chosen: Names of the providers that are paid.
        extra: Names of models beside those that the data spell out.
        source: Where the data are from; it is written into the file.
        day: The prices of this day are taken.

    Raises:
        InputError: A provider is not in the data.
    """
    providers = [_find_provider(every, name) for name in chosen]
    names = [name for provider in providers for name in _list_names(every, provider)]
    models: dict[str, dict[str, float]] = {}
    left_out: dict[str, str] = {}
    for name in sorted({*names, *extra}):
        offers = [model for one in providers if (model := one.find_model(name, all_providers=list(every)))]
        if not offers:
            if name in extra:
                left_out[name] = f"{PACKAGE} does not know it at these providers"
            continue  # the data spell out names of families, too, such as ft:gpt-4o
        try:
            prices = [_read_price(model, day) for model in offers]
        except _UnpricedError as reason:
            left_out[name] = str(reason)
            continue
        if any(price != prices[0] for price in prices):
            left_out[name] = "its price differs between these providers; write a file for each"
        else:
            models[name] = prices[0]
    return PriceList({"date": day.isoformat(), "source": source, "models": models}, left_out)


def _find_provider(every: Sequence[types.Provider], name: str) -> types.Provider:
    provider = find_provider_by_id(list(every), name)
    if provider is None:
        raise InputError(f"--provider: {name} is not known; take one of {', '.join(one.id for one in every)}")
    return provider


def _list_names(every: Sequence[types.Provider], provider: types.Provider) -> Iterator[str]:
    """Yield the names that the data spell out; the rest of it are patterns, which a list of names cannot hold."""
    fallbacks = provider.fallback_model_providers or ()
    for one in (provider, *(other for other in every if other.id in fallbacks)):
        for model in one.models:
            yield from (model.id, *_list_equals(model.match))


def _list_equals(clause: object) -> Iterator[str]:
    if isinstance(clause, types.ClauseEquals):
        yield clause.equals
    elif isinstance(clause, types.ClauseOr):
        for part in clause.or_:
            yield from _list_equals(part)


def _read_price(model: types.ModelInfo, day: datetime.date) -> dict[str, float]:
    """Return the entry of a model.

    Raises:
        _UnpricedError: One entry cannot express it.
    """
    conditions = () if isinstance(model.prices, types.ModelPrice) else model.prices
    if any(isinstance(one.constraint, types.TimeOfDateConstraint) for one in conditions):
        raise _UnpricedError("its price depends on the time of day")
    prices = model.get_prices(datetime.datetime.combine(day, datetime.time(12), datetime.timezone.utc))
    if prices.input_mtok is None:
        raise _UnpricedError("it has no price for a token of input")
    if any(getattr(prices, name) is not None for name in _OTHER_OUTPUT):
        raise _UnpricedError("its output tokens have several prices")
    entry: dict[str, float] = {}
    limits: list[int] = []
    for field, unit in _UNITS.items():
        price = getattr(prices, unit)
        if isinstance(price, types.TieredPrices):
            limits.extend(tier.start for tier in price.tiers)
            price = price.base
        if price is not None:
            entry[field] = int(price) if price == int(price) else float(price)
    return {**entry, "input_limit": min(limits)} if limits else entry


def list_changes(before: Mapping[str, object], after: Mapping[str, object]) -> Iterator[str]:
    """Yield a line for each model whose price changed, appeared or went."""
    for name in sorted({*before, *after}):
        if before.get(name) != after.get(name):
            yield f"{name}: {_format_price(before.get(name))} → {_format_price(after.get(name))}"


def _format_price(price: object) -> str:
    return ", ".join(f"{field} {usd}" for field, usd in price.items()) if isinstance(price, dict) else "no price"


def read_models(path: Path) -> Mapping[str, object] | None:
    """Return the models of the price file that is there; None without one."""
    try:
        return dict(json.loads(path.read_bytes())["models"])
    except (OSError, ValueError, TypeError, KeyError):
        return None  # to write a file says what is wrong with it
