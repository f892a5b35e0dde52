"""The verdict about an incident, from the words of the rules and from what only a look at the whole can tell."""

from __future__ import annotations

from collections.abc import Sequence
from enum import Enum
from math import log
from typing import NamedTuple

from otel_agentops.triage.facts import Incident, Suspect

LEAST_BAD = 10  # bad events, below which nothing is said
LIKELY_ODDS, LEAD_ODDS, LIKELY_RARITY = 20, 3, 20
MOST_OF_MIX = 0.5  # part of the excess that another mix explains


class Verdict(str, Enum):
    """The source of the bad events, as far as it can be told."""

    IT_IS = "it_is"
    LIKELY = "likely"
    TRAFFIC = "traffic"
    NEW_RULER = "new_ruler"
    SICK = "sick"
    NO_CONTRAST = "moved_no_contrast"
    NOTHING_MOVED = "nothing_moved"
    TIE = "tie"
    CANNOT_TELL = "cannot_tell"

    @property
    def is_named(self) -> bool:
        """Return True if it names what to act on."""
        return self in (Verdict.IT_IS, Verdict.LIKELY, Verdict.TRAFFIC, Verdict.NEW_RULER, Verdict.SICK)


class Need(NamedTuple):
    """An estimate of what it takes until something can be said.

    Attributes:
        bad: Further bad events; None if no number of them would do, since no value stands out.
        seconds: Time in which they come at the present rate; None if none come.
    """

    bad: int | None
    seconds: float | None


def reach_verdict(incident: Incident) -> Verdict:
    """Return the verdict about an incident.

    The rules weigh values against each other. The rest is seen only here: a mix of traffic that explains the excess
    though no segment got worse, a judge that changed under its own indicator, and a move without a contrast that comes
    so close to the onset, and so alone, that chance hardly explains it.
    """
    word = incident.burn.word
    if word in ("it_is", "likely"):
        lead = find_lead(incident)
        is_mix = incident.mix is not None and incident.mix.explained >= MOST_OF_MIX
        return Verdict.TRAFFIC if lead and lead.variable == "traffic" and is_mix else Verdict(word)
    if find_judge_move(incident):
        return Verdict.NEW_RULER
    if word == "moved_no_contrast":
        return Verdict.LIKELY if _is_alone(incident) else Verdict.NO_CONTRAST
    if word in ("sick", "nothing_moved"):
        return Verdict(word)
    return Verdict.TIE if len(find_tied(incident)) > 1 else Verdict.CANNOT_TELL


def find_lead(incident: Incident) -> Suspect | None:
    """Return the value that the rules name, if they name one."""
    burn = incident.burn
    if burn.word not in ("it_is", "likely", "moved_no_contrast"):
        return None
    return next((one for one in incident.suspects if burn.about == (one.variable, one.scope, one.value)), None)


def find_judge_move(incident: Incident) -> Suspect | None:
    """Return the move of the judge that the indicator is about, to the revision that it is about."""
    burn = incident.burn
    return next(
        (
            one
            for one in incident.suspects
            if burn.judge_revision and one.move and one.variable == "judge" and one.value == burn.judge_revision
        ),
        None,
    )


def find_tied(incident: Incident) -> Sequence[Suspect]:
    """Return the values that the same events had, if one of them could be it as well as another."""
    return [one for one in incident.suspects if one.is_tied]


def estimate_need(incident: Incident) -> Need:
    """Estimate how many more bad events it takes: ten, then as many as carry the strongest evidence to 20 : 1."""
    onset = incident.onset
    bad = onset.bad if onset else 0.0
    strongest = max((one.odds or 0 for one in incident.suspects), default=0.0)
    more: float | None = LEAST_BAD - bad
    if bad >= LEAST_BAD:
        more = bad * (log(LIKELY_ODDS) / log(strongest) - 1) if LEAD_ODDS <= strongest < LIKELY_ODDS else None
    if more is None:
        return Need(None, None)
    seconds = (incident.at_s - onset.at_s) / bad * more if onset and bad else None
    return Need(max(1, round(more)), seconds)


def _is_alone(incident: Incident) -> bool:
    """Return True if a move is close to the onset, no other is nearly as close, and nothing else is sick."""
    lead = find_lead(incident)
    if lead is None or lead.move is None or (lead.rarity or 0) < LIKELY_RARITY:
        return False
    own = {"tool": "tool", "index": "retrieval"}.get(lead.variable), lead.scope
    if any((surface.surface, surface.name) != own for surface in incident.sick):
        return False
    near_s = 2 * abs(lead.move.time_s - incident.onset_s) + 600 / incident.time_scale
    return not any(
        other.move
        and abs(other.move.time_s - incident.onset_s) <= near_s
        and other.word != "moved_not_it"
        and (other.variable, other.scope) != (lead.variable, lead.scope)
        and {other.variable, lead.variable} != {"tool", "tools"}
        for other in incident.suspects
    )
