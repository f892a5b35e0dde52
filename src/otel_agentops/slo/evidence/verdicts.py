"""The verdict of each value: it is, likely, moved but not it, or moved without a contrast.

What moved or grew needs 20 : 1 to be likely. What did neither, as an arm of an A/B test that rots, is one of many
values that could be: its evidence is divided by their number and has to be 100 : 1. It must have become worse, too: a
segment of traffic that has always been worse than the others does not explain a burn, unless it grew.
"""

from __future__ import annotations

from collections.abc import Iterator

from otel_agentops.slo import series as S
from otel_agentops.slo._promql import Clock, Rule, make_rule
from otel_agentops.slo.evidence.contrast import select_count
from otel_agentops.slo.evidence.increments import INDICATOR, SCOPE, VALUE
from otel_agentops.slo.evidence.suspects import CHANGED
from otel_agentops.slo.variables import VALUE as OBSERVED

LIKELY, SURE = 20, 100  # odds
MOST = 0.5  # of the excess, explained
FEWEST = 10  # bad events since the start, without which nothing can be told
ALIKE = 1.5  # rate of a value by that of the others, below which it is cleared
ALL = 0.99  # part of the scope that leaves no contrast
BEYOND = 3  # standard deviations of chance
SAME = 0.9  # part of the events of two values that makes them one
# A set of tools, a stage and a deploy contain something more precise that moved with them; a model is the more precise
# name of what its fingerprint stands for.
BROAD = "tools|stage|deploy|fingerprint"


def build_verdict_rules(clock: Clock) -> Iterator[Rule]:
    """Yield the verdicts in the order of their precedence, the value that explains most, and what is tied with it."""
    verdict, evidence = S.SLI_VALUE_VERDICT, S.SLI_VALUE_EVIDENCE
    changed, reported = f"on ({OBSERVED}) {CHANGED}", f"on ({OBSERVED}) {S.VARIABLE_SUSPECT}"
    enough = f"and on ({INDICATOR}) {S.SLI_BAD_SINCE} >= {FEWEST}"
    competing = f"on ({INDICATOR}) group_left () count by ({INDICATOR}) ({evidence})"
    worse = f"and on ({VALUE}) ({_express_worsened(clock)})"
    standing = f"{evidence} and on ({VALUE}) {evidence} / {competing} >= {SURE} {worse} unless {changed}"

    moved = f"{evidence} >= {LIKELY} and {changed}"
    explains = f"and on ({VALUE}) {S.SLI_VALUE_EXPLAINED} >= {MOST}"
    sure = f"({evidence} >= {SURE} and {changed} or {standing}) {explains} {enough}"
    yield make_rule(verdict, sure, word="it_is")
    yield make_rule(
        verdict, f"({moved} or {standing}) {enough} unless on ({VALUE}) {_select_words('it_is')}", word="likely"
    )
    before = f"unless on ({VALUE}) {_select_words('it_is|likely')}"
    yield make_rule(
        verdict, f"{evidence} and {reported} and on ({VALUE}) ({_express_cleared()}) {before}", word="moved_not_it"
    )
    before = f"unless on ({VALUE}) {_select_words('it_is|likely|moved_not_it')}"
    yield make_rule(verdict, f"{_express_no_contrast(reported)} {before}", word="moved_no_contrast")
    yield from _build_leader_rules()


def _select_words(words: str) -> str:
    return f'{S.SLI_VALUE_VERDICT}{{word=~"{words}"}}'


def _express_cleared() -> str:
    """Select values that had their chance to be bad and are about as good as the others.

    The upper end of the interval of 95 % of a ratio of two rates follows from its logarithm.
    """
    bad, events, other_bad, other_events = map(select_count, ("bad", "events", "other_bad", "other_events"))
    spread = f"on ({INDICATOR}) group_left () {S.SLI_BAD_SPREAD}"
    return f"""
  {events} * {other_bad} / {other_events} >= {FEWEST}
  and (({bad} + 0.5) / {events}) / ({other_bad} / {other_events})
    * exp(1.96 * sqrt((1 / ({bad} + 0.5) + 1 / {other_bad}) * {spread})) < {ALIKE}
"""


def _express_worsened(clock: Clock) -> str:
    """Select values whose part of the bad events is above that of the day before, beyond chance.

    asin sqrt of a part deviates by 1 / (2 sqrt(bad)) by chance, also if hardly any of the others is bad.
    """
    before = f"last_over_time({S.SLI_VALUE_BEFORE}[{clock.to_duration('10m')}])"
    bad, events, other_bad, other_events = map(select_count, ("bad", "events", "other_bad", "other_events"))
    expected = f"{before} * {events} / ({before} * {events} + {other_events})"
    spread = f"on ({INDICATOR}) group_left () {S.SLI_BAD_SPREAD}"
    return (
        f"asin(sqrt({bad} / ({bad} + {other_bad}))) - asin(sqrt({expected})) "
        f"> {BEYOND / 2} * sqrt(1 / ({bad} + {other_bad}) * {spread})"
    )


def _express_no_contrast(reported: str) -> str:
    """Select moved values that the whole scope has now, of which too little came beside the others to compare.

    The evidence of such a value is 1.
    """
    recent = S.name_window(S.SLI_VALUE_EVENTS_INCREASE, "5m")
    share = f"{recent} / on ({SCOPE}) group_left () (sum by ({SCOPE}) ({recent}) > 0)"
    compared = f"{select_count('events')} * {select_count('other_bad')} / {select_count('other_events')}"
    return f"""\
({S.SLI_VALUE_EVIDENCE} or {recent} * 0 + 1)
and {reported}
and on ({VALUE}) {share} >= {ALL}
unless on ({VALUE}) {compared} >= {FEWEST}"""


def _build_leader_rules() -> Iterator[Rule]:
    """Yield the value with most evidence, and the others that cannot be told from it.

    Two values that the same events used have the same counts. A broad variable is not tied with what it contains, but a
    deploy is: it may bring more than the value that moved with it.
    """
    precise, broad = (f'{S.SLI_VALUE_VERDICT}{{word="%s", variable{sign}"{BROAD}"}}' for sign in ("!~", "=~"))
    best = f" or on ({INDICATOR}) ".join(f"({precise % word} or {broad % word} * 0.9)" for word in ("it_is", "likely"))
    leader = f"({_select_words('it_is|likely')} and on ({VALUE}) topk by ({INDICATOR}) (1, {best}))"
    yield make_rule(S.SLI_VALUE_LEADER, _add_previous(leader))
    same = (
        f"and on ({VALUE}) {counts} / on ({INDICATOR}) group_left () ({counts} and on ({VALUE}) {S.SLI_VALUE_LEADER}) "
        f">= {SAME} <= {1 / SAME:.4g}"
        for counts in (S.SLI_VALUE_EVENTS_SINCE, S.SLI_VALUE_BAD_SINCE)
    )
    tied = f'sum without (word) ({S.SLI_VALUE_VERDICT}{{word=~"it_is|likely", variable!~"tools|stage|fingerprint"}})'
    others = "\n".join([tied, f"unless on ({SCOPE}) {S.SLI_VALUE_LEADER}", *same])
    yield make_rule(S.SLI_VALUE_TIED, _add_previous(f"({others})"))


def _add_previous(values: str) -> str:
    """Return values with the label `previous`, if they moved."""
    suspect = f"on ({OBSERVED}) group_left (previous) ({CHANGED} * 0 + 1)"
    return f"{values} * {suspect}\nor on ({VALUE})\n{values}"
