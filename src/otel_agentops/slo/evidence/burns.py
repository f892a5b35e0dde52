"""The verdict of a burn: one word, and the value that it is about if it is about one.

These rules are in the group of the burns, before the alert that shows the verdict, and read what the group of the
evidence recorded at its last evaluation.
"""

from __future__ import annotations

from collections.abc import Iterator

from otel_agentops.slo import series as S
from otel_agentops.slo._promql import Clock, Rule, make_rule, set_label
from otel_agentops.slo.evidence.increments import INDICATOR, KNOWN, VALUE
from otel_agentops.slo.evidence.sick import SURFACE
from otel_agentops.slo.evidence.suspects import CHANGED
from otel_agentops.slo.evidence.verdicts import FEWEST
from otel_agentops.slo.series import SERVICE
from otel_agentops.slo.variables import VALUE as OBSERVED

LEAD = 3  # odds, from which on a value may turn out to be it
_SURFACE_OF = {"tool": "tool", "index": "retrieval"}  # the surface with the name of the variable's scope
_BURN = f"{INDICATOR}, slo, severity"
_ABOUT = f"on ({INDICATOR}) group_left (variable, scope, value, previous)"


def build_burn_verdict_rules(clock: Clock) -> Iterator[Rule]:
    """Yield the verdicts in the order of their precedence.

    A sick surface comes before a move without a contrast: it is seen to fail, and only the timing speaks for the move.
    But a tool or an index that is sick since it moved itself speaks for its move. And nothing is said of a move without
    a contrast while evidence grows for a value with one, whose own move is reported five minutes late. If the move was
    long before the burn, these five minutes have to be over.
    """
    since, service = S.SLO_BURN_SINCE, f"on ({', '.join(SERVICE)})"
    words: list[str] = []
    enough = f"and on ({INDICATOR}) {S.SLI_BAD_SINCE} >= {FEWEST}"
    no_contrast = f'{S.SLI_VALUE_VERDICT}{{word="moved_no_contrast"}}'
    latest = f"{no_contrast} * 0 + on ({OBSERVED}) group_left (previous) {S.VARIABLE_SUSPECT}"
    began = f"max by ({INDICATOR}) ({since})"
    latest = f"topk by ({INDICATOR}) (1, {latest})"
    soon = f"{latest} >= on ({INDICATOR}) group_left () ({began} - {clock.to_seconds('10m', 8):g})"
    settled = f"{latest} and on ({INDICATOR}) {began} <= time() - {clock.to_seconds('5m'):g}"
    untold = f"unless on ({INDICATOR}) {S.SLI_VALUE_TIED}"
    evidence = f"{S.SLI_VALUE_EVIDENCE}{KNOWN} >= {LEAD}"
    old = f"unless on ({VALUE}) last_over_time({S.SLI_VALUE_BEFORE}[{clock.to_duration('10m')}])"
    unled = f"unless on ({INDICATOR}) ({evidence} {old} or {evidence} and on ({OBSERVED}) {CHANGED})"
    unmoved = f"({S.VARIABLE_KNOWN} unless {service} {CHANGED})"
    exprs = {
        "it_is": f'{since} * 0 + {_ABOUT} {S.SLI_VALUE_LEADER}{{word="it_is"}} {untold}',
        "likely": f'{since} * 0 + {_ABOUT} {S.SLI_VALUE_LEADER}{{word="likely"}} {untold}',
        "sick": f"{since} * 0 + 1 and {service} ({_express_unmoved_sickness()}) {untold}",
        "moved_no_contrast": (f"{since} * 0 + {_ABOUT} (({soon} or {settled}) * 0 + 1) {enough} {untold} {unled}"),
        "nothing_moved": f"{since} * 0 + 1 and {service} {unmoved} {enough} {untold}",
        "cannot_tell": f"{since} * 0 + 1",
    }
    for word, expr in exprs.items():
        earlier = f'\nunless on ({_BURN}) {S.SLO_BURN_VERDICT}{{word=~"{"|".join(words)}"}}' if words else ""
        yield make_rule(S.SLO_BURN_VERDICT, expr + earlier, word=word)
        words.append(word)


def _express_unmoved_sickness() -> str:
    """Select sick surfaces that have not moved."""
    moved = {surface: f'{S.VARIABLE_SUSPECT}{{variable="{variable}"}}' for variable, surface in _SURFACE_OF.items()}
    own = (
        f'label_join({set_label(series, "surface", surface)}, "name", "", "scope")' for surface, series in moved.items()
    )
    return f"{S.SURFACE_SICK} unless on ({SURFACE}) ({' or '.join(own)})"
