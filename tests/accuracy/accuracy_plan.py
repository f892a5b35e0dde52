"""What each task will do, and so what is true about it: the number of the task decides, and nothing else."""

from __future__ import annotations

import random
from typing import NamedTuple

from otel_agentops._hashing import identity

PRICED, UNPRICED, ASKED = "m-2026-01-01", "m-2026-02-01", "m"
INPUT_PRICE, OUTPUT_PRICE = 2.0, 8.0  # USD per million tokens
SLOW = 0.0015  # s; what the provider inside the process takes, now less, now more
PROMPT = {"support": "You help customers.", "sales": "You sell things."}
JUDGES = {"r1": ("judge-1", 0.5), "r2": ("judge-2", 0.7)}  # model, threshold: each makes a revision of its own
JUDGE_REVISIONS = {
    name: identity([{"model": model, "threshold": threshold}]) for name, (model, threshold) in JUDGES.items()
}
TOOLS = [
    {"type": "function", "function": {"name": name, "parameters": {"type": "object"}}} for name in ("lookup", "refund")
]


class Call(NamedTuple):
    """A tool call. number: its only argument."""

    tool: str
    number: int
    fails: bool


class Truth(NamedTuple):
    """What is said about a task later. good: None for an edit alone. changed: characters of 100, None for no draft."""

    good: bool | None
    sampling: str
    changed: int | None


class Plan(NamedTuple):
    """One task.

    status: of the model's answer, 0 where the caller went away before. valid: what the application said of the output,
    None for nothing.
    """

    number: int
    name: str
    segment: str
    outcome: str
    retry: bool | None
    model: str
    status: int
    finish: str
    tokens: tuple[int, int]
    valid: bool | None
    calls: tuple[Call, ...]
    found: tuple[str, ...] | None
    used: tuple[str, ...] | None
    judged: tuple[str, float] | None
    truth: Truth | None


def plan(number: int) -> Plan:
    """Task number so and so; the odds differ from task to task, so that what is counted is never a round share."""
    dice = random.Random(number * 2_654_435_761)
    name = _one(dice, support=70, sales=30)
    status = int(_one(dice, s200=96, s500=2, s429=1, s0=1)[1:])
    troubled = dice.random() < 0.05
    calls = tuple(
        Call(_one(dice, lookup=60, refund=40), dice.randrange(3), dice.random() < (0.7 if troubled else 0.06))
        for _ in range(int(_one(dice, n0=45, n1=25, n2=15, n4=10, n6=5)[1:]))
    )
    found = tuple(f"d{n}" for n in range(dice.randrange(4))) if dice.random() < 0.4 else None
    used = tuple(f"d{dice.randrange(4)}" for _ in range(dice.randrange(1, 4))) if dice.random() < 0.4 else None
    outcome = _one(dice, completed=86, failed=4, escalated=4, abandoned=4, cancelled=2)
    return Plan(
        number=number,
        name=name,
        segment=_one(dice, web=80, phone=20),
        outcome=outcome,
        retry={"none": None, "true": True, "false": False}[_one(dice, none=30, true=7, false=63)],
        model=_one(dice, first=92, second=8).replace("first", PRICED).replace("second", UNPRICED),
        status=status,
        finish=_one(dice, stop=94, length=4, content_filter=2),
        tokens=(dice.randrange(100, 9000), dice.randrange(1, 3000)),
        valid={"none": None, "true": True, "false": False}[_one(dice, none=60, true=38, false=2)],
        calls=calls,
        found=found,
        used=used,
        judged=(_one(dice, r1=60, r2=40), dice.randrange(101) / 100) if dice.random() < 0.3 else None,
        truth=_truth(dice, outcome) if dice.random() < 0.4 else None,
    )


def _truth(dice: random.Random, outcome: str) -> Truth:
    good = dice.random() < (0.93 if outcome == "completed" else 0.2)
    changed = dice.randrange(101) if dice.random() < 0.5 else None
    edit_alone = changed is not None and dice.random() < 0.2
    return Truth(None if edit_alone else good, _one(dice, random=70, escalated=20, unknown=10), changed)


def _one(dice: random.Random, **weights: int) -> str:
    return dice.choices(list(weights), list(weights.values()))[0]
