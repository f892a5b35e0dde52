"""Customers with questions: the same ones in the same order on every run."""

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


def tickets(seed: int = 1) -> Iterator[Ticket]:
    """Yield questions without end; two of three are about an order."""
    dice = random.Random(seed)
    orders = shop.order_ids()
    while True:
        question = dice.choice(ABOUT_AN_ORDER if dice.random() < 2 / 3 else GENERAL)
        asked = f"{dice.choice(NAMES)} here. {question.format(order=dice.choice(orders))}"
        yield Ticket(asked, dice.choice(SEGMENTS))


def was_helped(ticket: Ticket, reply: str) -> bool:
    """Return True if the reply is about the order or the question, as the customer says in a survey.

    One customer in thirty says the opposite, for reasons of their own; always the same ones.
    """
    order = _ORDER.search(ticket.question)
    helped = order[0] in reply if order else bool(_words(ticket.question) & _words(reply))
    return helped != (zlib.crc32(ticket.question.encode()) % 30 == 0)


_ORDER = re.compile(r"A-\d+")


def _words(text: str) -> set[str]:
    return set(re.findall(r"[a-z]{5,}", text.lower()))
