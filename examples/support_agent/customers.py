"""Customers with questions, the same ones in the same order on every run."""

from __future__ import annotations

import random
import re
import zlib
from collections.abc import Iterator

from support_agent import shop
from support_agent.agent import Ticket

ABOUT_AN_ORDER = (
    "Where is my order {order}?",
    "Has {order} been shipped yet, and with which carrier?",
    "My order {order} arrived damaged, I want my money back.",
)
GENERAL = (
    "How many days do I have to return an item?",
    "Do you ship to Norway, and are there customs duties?",
    "How long is the warranty of electronics?",
    "When does the money of a refund go back to my card?",
)
NAMES = (
    "Ada", "Alan", "Barbara", "Claude", "Donald", "Edsger", "Frances", "Grace", "Hedy", "John", "Katherine", "Ken",
    "Leslie", "Lynn", "Margaret", "Niklaus", "Radia", "Shafi", "Tim", "Tony",
)  # fmt: skip
SEGMENTS = ("web", "web", "app", "phone")


def iterate_tickets(seed: int = 1) -> Iterator[Ticket]:
    """Yield questions without end; two of three are about an order."""
    dice = random.Random(seed)
    orders = shop.list_order_ids()
    while True:
        question = dice.choice(ABOUT_AN_ORDER if dice.random() < 2 / 3 else GENERAL)
        text = f"{dice.choice(NAMES)} here. {question.format(order=dice.choice(orders))}"
        yield Ticket(text, dice.choice(SEGMENTS))


def has_helped(ticket: Ticket, reply: str) -> bool:
    """Return True if the customer says in a survey that the reply helped.

    A reply helps if it is about the order or the question. One customer in thirty, always the same ones, says the
    opposite.
    """
    order = _ORDER.search(ticket.question)
    helped = order[0] in reply if order else bool(_split_words(ticket.question) & _split_words(reply))
    return helped != (zlib.crc32(ticket.question.encode()) % 30 == 0)


_ORDER = re.compile(r"A-\d+")


def _split_words(text: str) -> set[str]:
    return set(re.findall(r"[a-z]{5,}", text.lower()))
