"""The shop's own systems: orders, refunds, and the articles of its help pages."""

from __future__ import annotations

import zlib
from dataclasses import asdict, dataclass
from typing import Any

INDEX_VERSION = "2026-11-01"  # of the articles below
ARTICLES = (
    "Returns: an item can be returned within 30 days of delivery, unused and in its original box.",
    "Refunds: money goes back to the card that paid, within 5 working days after the warehouse received the item.",
    "Shipping: parcels within Europe take 2 to 4 working days; express parcels arrive on the next working day.",
    "Norway and Switzerland: we ship there, and customs duties of up to 12 percent are paid at the door.",
    "Damaged on arrival: send a photo within 14 days and the order is refunded in full, nothing is sent back.",
    "Warranty: electronics have a warranty of 24 months, batteries one of 12 months.",
    "Gift cards: a gift card is valid for 36 months and cannot be exchanged for cash.",
    "Account: the password is changed under Settings, Security; a link comes by mail and works for 20 minutes.",
)
_ITEMS = (("kettle", 39), ("backpack", 85), ("headphones", 129), ("lamp", 24), ("jacket", 149))
_STATES = ("packed", "shipped", "delivered")
_CARRIERS = ("PostNord", "DHL", "Bring")


class OrderNotFoundError(LookupError):
    """There is no order of that number."""


@dataclass(frozen=True)
class Order:
    """One order; the price is in euros."""

    order_id: str
    item: str
    price: int
    state: str
    carrier: str
    due: str


def list_order_ids() -> list[str]:
    return [f"A-{number}" for number in range(1001, 1061)]


def lookup_order(order_id: str) -> dict[str, Any]:
    """Look an order up; an unknown one raises OrderNotFoundError."""
    if order_id not in list_order_ids():
        raise OrderNotFoundError(f"no order {order_id}")
    return asdict(_make_order(order_id))


def issue_refund(order_id: str, reason: str) -> dict[str, Any]:
    """Refund an order; an unknown one raises OrderNotFoundError."""
    order = lookup_order(order_id)
    return {"order_id": order_id, "refunded": order["price"], "currency": "EUR", "reason": reason}


def _make_order(order_id: str) -> Order:
    dice = zlib.crc32(order_id.encode())
    item, price = _ITEMS[dice % len(_ITEMS)]
    state, carrier = _STATES[dice // 7 % len(_STATES)], _CARRIERS[dice // 11 % len(_CARRIERS)]
    return Order(order_id, item, price, state, carrier, f"2026-12-{dice // 13 % 20 + 1:02d}")
