"""`python -m support_agent "QUESTION"` answers one question; `--rate 5` serves customers, five a second, until ended.

OPENAI_API_KEY, OPENAI_BASE_URL, ANTHROPIC_API_KEY and ANTHROPIC_BASE_URL say where the models are.
"""

from __future__ import annotations

import argparse
import logging
import random
import signal
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import anthropic
import openai

from support_agent import customers
from support_agent.agent import Agent, Reply, Ticket
from support_agent.grading import Judge
from support_agent.telemetry import outcome
from support_agent.tools import PUBLISHED, Toolbox

SURVEYED = 0.1  # share of customers, at random, who are asked if the reply helped
ANSWERED_AFTER = 2.0  # seconds until a customer answers the survey
IMPATIENT = 0.3  # share of the escalated customers who ask once more
log = logging.getLogger("support_agent")


def main() -> None:
    parser = argparse.ArgumentParser(prog="support_agent", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("question", nargs="?")
    parser.add_argument("--rate", type=float, default=0, help="customers a second")
    parser.add_argument("--seed", type=int, default=1, help="of the customers")
    parser.add_argument("--surveyed", type=float, default=SURVEYED, help="share of them who are asked if it helped")
    parser.add_argument("--tools", type=Path, default=PUBLISHED, help="file with the published tools")
    options = parser.parse_args()
    agent = Agent(openai.OpenAI(), Judge(), Toolbox(options.tools))
    if options.question:
        print(agent.handle_ticket(Ticket(options.question)).text)
    elif options.rate > 0:
        serve_customers(agent, options.rate, options.seed, options.surveyed)
    else:
        parser.error("ask a question, or give a --rate")


def serve_customers(agent: Agent, rate: float, seed: int, surveyed: float) -> None:
    """Serve customers at a steady rate until a signal; then finish open tickets."""
    done = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: done.set())
    dice, moods = random.Random(seed), random.Random(seed + 1)
    next_at = time.monotonic()
    with ThreadPoolExecutor(max_workers=8) as pool:
        for ticket in customers.iterate_tickets(seed):
            pool.submit(_serve_one, agent, ticket, dice.random() < surveyed, moods.random() < IMPATIENT)
            next_at += 1 / rate
            if done.wait(max(0.0, next_at - time.monotonic())):
                break


def _serve_one(agent: Agent, ticket: Ticket, surveyed: bool, impatient: bool) -> None:
    try:
        reply = agent.handle_ticket(ticket)
        if impatient and reply.outcome == "escalated":
            agent.handle_ticket(ticket._replace(again=True))
    except (openai.OpenAIError, anthropic.AnthropicError, ValueError):
        log.exception("ticket failed: %s", ticket.question)
        return
    if surveyed:
        threading.Timer(ANSWERED_AFTER, _answer_survey, (ticket, reply)).start()


def _answer_survey(ticket: Ticket, reply: Reply) -> None:
    outcome(customers.has_helped(ticket, reply.text), receipt=reply.receipt, source="survey", sampling="random")


if __name__ == "__main__":
    main()
