"""The figures as they follow from the plans, by counting: no condition of ours, no rule and no collector is asked."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from fractions import Fraction
from typing import NamedTuple

from accuracy_plan import ASKED, INPUT_PRICE, JUDGE_REVISIONS, JUDGES, OUTPUT_PRICE, PRICED, PROMPT, Plan

from otel_agentops._hashing import identity

CLUSTER, LOOPS, CEILING, REWORK = 2, 3, 0.02, 0.5
ENDED = ("completed", "failed", "escalated", "abandoned")


class Key(NamedTuple):
    """A series of an indicator. judged: which of the judges, empty where none is meant."""

    sli: str
    judged: str = ""


class Figures(NamedTuple):
    """events, bad: by series. cells: labels by series, proxy, verdict and sampling."""

    events: Counter[Key]
    bad: Counter[Key]
    cells: Counter[tuple[Key, str, str, str]]

    def __sub__(self, other: Figures) -> Figures:  # type: ignore[override]
        return Figures(self.events - other.events, self.bad - other.bad, self.cells - other.cells)


def figures(plans: Iterable[Plan]) -> Figures:
    """Everything but `latency`, which no plan knows."""
    events: Counter[Key] = Counter()
    bad: Counter[Key] = Counter()
    cells: Counter[tuple[Key, str, str, str]] = Counter()
    for one in plans:
        late = dict(_of_task(one))
        edit = _rework(one)
        for key, verdict in [*late.items(), *_of_calls(one), *edit.items()]:
            events[key] += 1
            bad[key] += verdict
        if one.truth and one.truth.good is not None:
            for key, verdict in {**late, **edit}.items():
                cells[key, _word(not verdict), _word(one.truth.good), one.truth.sampling] += 1
    return Figures(events, bad, cells)


def count_values(plans: Iterable[Plan], tools: str, tool_hashes: Mapping[str, str]) -> Counter[tuple[str, ...]]:
    """Count half, indicator, judge, variable, scope and value of each event, for each value that a task used.

    Args:
        plans: The tasks.
        tools: Identity of the set of tools that every call offers.
        tool_hashes: Identity of each tool.
    """
    counts: Counter[tuple[str, ...]] = Counter()
    for one in plans:
        for key, values, verdict in _of_values(one, tools, tool_hashes):
            for value in values:
                counts[("events", *key, *value)] += 1
                counts[("bad", *key, *value)] += verdict
    return counts


Value = tuple[str, str, str]


def _of_values(one: Plan, tools: str, tool_hashes: Mapping[str, str]) -> Iterator[tuple[Key, Iterable[Value], bool]]:
    shared: Value = ("traffic", "all", one.segment)
    template, prompt_hash = f"{one.name}/greeting", identity([PROMPT[one.name]])
    # The template has nothing to fill in, so that what is sent is what is declared.
    sent = ("instructions", f"{template}/{prompt_hash}", prompt_hash)
    asked = [("prompt", template, prompt_hash), sent, ("tools", one.name, tools)]
    answered = [("model", ASKED, one.model)] if one.status == 200 else []
    executed = [("tool", name, tool_hashes[name]) for name in sorted({call.tool for call in one.calls})]
    indexes = [("index", "docs", "v1")] if one.found is not None else []
    so_far = [*answered, *asked, *executed, *indexes]
    judges = [("judge", "helpful", JUDGE_REVISIONS[one.judged[0]])] if one.judged else []
    for key, verdict in [*_of_task(one), *_rework(one).items()]:
        yield key, [*so_far, *([] if key.judged else judges), shared], verdict
    call = [("model", ASKED, one.model if one.status == 200 else "unknown"), ("provider", "all", "openai"), *asked]
    for key, verdict in _of_calls(one):
        if key.sli != "tool_success":
            yield key, [*call, shared], verdict
    for each in one.calls:
        yield Key("tool_success"), [("tool", each.tool, tool_hashes[each.tool]), shared], each.fails


def _word(good: bool) -> str:
    return "good" if good else "bad"


def _of_task(one: Plan) -> Iterator[tuple[Key, bool]]:
    """Verdicts that the task's receipt carries on."""
    if one.outcome in ENDED:
        yield Key("task_completed"), one.outcome != "completed"
        yield Key("abandonment"), one.outcome == "abandoned"
        yield Key("escalation"), one.outcome == "escalated"
    if one.retry is not None:
        yield Key("user_retry"), one.retry
    if one.calls:
        yield Key("tool_failure_cluster"), sum(call.fails for call in one.calls) >= CLUSTER
        alike = Counter((call.tool, call.number) for call in one.calls)
        yield Key("loop_free"), max(alike.values()) >= LOOPS
    if one.used is not None:
        yield Key("grounded"), bool(set(one.used) - set(one.found or ()))
    if (cost := usd(one)) is not None:
        yield Key("cost_ceiling"), cost > CEILING
    if one.judged:
        name, score = one.judged
        yield Key("judge_score", name), score < JUDGES[name][1]


def _of_calls(one: Plan) -> Iterator[tuple[Key, bool]]:
    if one.status != 0:
        yield Key("call_success"), one.status != 200
    if one.status == 200:
        yield Key("valid_output"), one.valid is False or one.finish != "stop"
    for call in one.calls:
        yield Key("tool_success"), call.fails


def _rework(one: Plan) -> Mapping[Key, bool]:
    changed = one.truth.changed if one.truth else None
    return {} if changed is None else {Key("user_rework"): changed / 100 > REWORK}


def usd(one: Plan) -> float | None:
    """What the task's only call cost: nothing where it was refused, nobody knows where the caller went away."""
    if one.status != 200:
        return 0.0 if one.status else None
    asked, answered = one.tokens
    return (asked * INPUT_PRICE + answered * OUTPUT_PRICE) / 1e6 if one.model == PRICED else None


def remaining(events: int, bad: int, objective: str) -> float:
    """Of the budget."""
    return float(1 - Fraction(bad, events) / (1 - Fraction(objective)))


def share(found: Figures, key: Key, row: str, least: int) -> Fraction | None:
    """How many of the random labels of a row are bad; None where there are fewer than it takes."""
    of_row = {verdict: found.cells[key, row, verdict, "random"] for verdict in ("good", "bad")}
    count = sum(of_row.values())
    return Fraction(of_row["bad"], count) if count >= least else None


def proxies(found: Figures, objectives: Mapping[str, str]) -> dict[str, dict[Key, float]]:
    """ppv, for, corrected error and corrected budget of every proxy, by the names of their rules.

    Ten labels make a row, and where nearly everything is, as many as one of them is the whole budget.
    """
    made: dict[str, dict[Key, float]] = {"ppv": {}, "for": {}, "error": {}, "remaining": {}}
    for key in {key for key, *_ in found.cells}:
        budget = 1 - Fraction(objectives[key.sli])
        ppv, missed = share(found, key, "bad", 10), share(found, key, "good", max(10, -(-1 // budget)))
        made["ppv"] |= {} if ppv is None else {key: float(ppv)}
        made["for"] |= {} if missed is None else {key: float(missed)}
        p = Fraction(found.bad[key], found.events[key])
        if ppv is not None and missed is not None:
            error = ppv * p + missed * (1 - p)
            made["error"][key], made["remaining"][key] = float(error), float(1 - error / budget)
    return made
