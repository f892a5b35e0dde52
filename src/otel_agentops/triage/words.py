"""The sentences of a triage, for somebody who has never seen an AI feature: one line for each thing to know.

Times are UTC. A line has a label and a text; the first line of an incident says what burns, the second why.
"""

from __future__ import annotations

import datetime
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from otel_agentops.semconv import attributes as A
from otel_agentops.slo.indicators import BUILT_IN, PARAMETRISED
from otel_agentops.slo.variables import VARIABLES as COUNTED
from otel_agentops.triage.facts import SURFACES, Calm, Incident, Move, Sign, Surface, Suspect, Variable
from otel_agentops.triage.verdict import (
    LEAD_ODDS,
    LEAST_BAD,
    Verdict,
    estimate_need,
    find_judge_move,
    find_lead,
    find_tied,
    reach_verdict,
)

MOST_MOVES, MOST_NAMES = 3, 4
HIGHEST_ODDS = 1_000_000
WORSE = 1.5  # times the ratio of before
WIDE = 30  # steps, from which on an onset is given as an interval

NOUNS = {
    "task": "tasks",
    "model": "model calls",
    "tool": "tool calls",
    "retrieval": "retrievals",
    "evaluation": "judged answers",
    "outcome": "outcomes",
}
SIGNS = {
    "errors": "{now} fail (usually {usual})",
    "latency": "the slowest 5 % take {now} or longer (usually {usual})",
    "empty": "{now} find nothing (usually {usual})",
    "rate_limited": "{now} are refused by a rate limit (usually {usual})",
}
# A new value that is no move, by the reason.
ROUTINES = {
    "daily": "{name} is rendered: changes every day",
    "rendered": "{name} is rendered: values are filled in",
    "pool": "{name}: one of several systems of the provider",
    "model": "{name} changed with the model",
}
# What moved, if the name of the variable does not say it.
MEANINGS = {
    "instructions": "sent text changed under one template",
    "fingerprint": "the provider serves it from another system",
    "params": "request parameters",
}
SURFACE_KEYS = {"provider": A.GEN_AI_PROVIDER_NAME, "retrieval": A.INDEX_NAME, "tool": A.GEN_AI_TOOL_NAME}
TITLES = {
    Verdict.IT_IS: "IT IS",
    Verdict.TRAFFIC: "IT IS",
    Verdict.LIKELY: "LIKELY",
    Verdict.NEW_RULER: "NEW RULER",
    Verdict.SICK: "SICK",
    Verdict.NO_CONTRAST: "MOVED",
    Verdict.NOTHING_MOVED: "NOTHING MOVED",
    Verdict.TIE: "CANNOT TELL",
    Verdict.CANNOT_TELL: "CANNOT TELL",
}


@dataclass(frozen=True)
class Line:
    """A line of the screen; the head of an incident, and the line of a calm service, have no label."""

    label: str
    text: str


def describe_incident(incident: Incident) -> list[Line]:
    """Return the lines about an incident."""
    verdict = reach_verdict(incident)
    lead = find_judge_move(incident) if verdict is Verdict.NEW_RULER else find_lead(incident)
    return [
        Line("", _describe_burn(incident)),
        Line(_choose_title(incident, verdict), _describe_verdict(incident, verdict, lead)),
        *_describe_moves(incident, lead),
        *_describe_rest(incident, verdict),
        *([Line("told by", _describe_declaration(lead))] if lead and lead.move else []),
        *_describe_limits(incident, verdict),
        Line("do", _advise(incident, verdict, lead)),
        *([Line("look at", "  ".join(incident.traces))] if incident.traces else []),
        Line("find more" if incident.traces else "look at", _express_search(incident, verdict, lead)),
        Line("owner", _describe_contact(incident)),
    ]


def describe_calm(calm: Calm, at_s: float) -> list[Line]:
    """Return the line about a service in which nothing burns."""
    budgets = ", ".join(f"{name} {format_share(left)}" for name, left in sorted(calm.budgets.items()))
    move = calm.last_move
    parts = [
        f"{calm.service}/{calm.environment}: nothing burns",
        f"budget left: {budgets}" if budgets else "no promise is counted here",
        f"observed: {', '.join(calm.observed)}" if calm.observed else "no variable was observed within the hour",
        f"last move {format_clock(move.time_s, at_s)}: {_describe_move(move)}" if move else "no move within a day",
    ]
    return [Line("", " · ".join(parts))]


# -- what burns, and the verdict


def _describe_burn(incident: Incident) -> str:
    burn, onset = incident.burn, incident.onset
    speed = f"burns {float(f'{burn.speed:.2g}'):g}x too fast" if burn.speed is not None else "burns"
    indicator = burn.indicator.replace("_", " ")
    judge = f" by {burn.judge}" if burn.judge else ""
    head = f"{burn.service}/{burn.environment} · {burn.slo} ({burn.type}: {indicator}{judge}) {speed}"
    if onset is None:
        since = format_clock(incident.onset_s, incident.at_s)
        return f"{head} since {since} UTC · {format_share(burn.ratio)} bad, no onset stands out"
    width_s = max(onset.at_s - onset.earliest_s, onset.latest_s - onset.at_s, onset.step_s)
    since = f"since {format_clock(onset.at_s, incident.at_s)} UTC ±{format_span(width_s)}"
    if width_s > WIDE * onset.step_s:
        ends = (format_clock(time_s, incident.at_s) for time_s in (onset.earliest_s, onset.latest_s))
        since = f"since between {' and '.join(ends)} UTC"
    ratios = f"{format_share(onset.ratio)} bad, before {format_share(onset.ratio_before)}"
    return f"{head} {since} · {ratios} · {onset.events:,.0f} {_name_events(incident)}"


def _choose_title(incident: Incident, verdict: Verdict) -> str:
    is_outage = verdict is Verdict.SICK and all(surface.surface == "provider" for surface in incident.sick)
    return "NOT YOURS" if is_outage else TITLES[verdict]


def _describe_verdict(incident: Incident, verdict: Verdict, lead: Suspect | None) -> str:
    if verdict is Verdict.SICK:
        owned = "nothing of yours moved" if not _list_moves(incident) else "nothing that moved explains it"
        return f"{'; '.join(_describe_sick(incident, surface) for surface in incident.sick)}; {owned}"
    if verdict is Verdict.NOTHING_MOVED:
        return "all that is observed stayed the same, and no surface is sick"
    if verdict is Verdict.TIE:
        names = " and ".join(f"{one.variable} {one.value} ({format_odds(one.odds)})" for one in find_tied(incident))
        return f"which it is, since the same {_name_events(incident)} had them: {names}"
    if lead is None:
        return _describe_doubt(incident)
    name = _describe_suspect(lead)
    if verdict is Verdict.NEW_RULER:
        span = format_span(incident.at_s - lead.move.time_s) if lead.move else "an unknown time"
        return f"{name}, {span} ago: the judge changed, which does not mean that answers are worse"
    if verdict is Verdict.TRAFFIC and incident.mix:
        worse = [one.name for one in incident.mix.segments if (one.ratio or 0) > WORSE * (one.ratio_before or 0)]
        inside = f"{_join_names(worse)} got worse, too" if worse else "no segment by itself got worse"
        return f"{name} · the mix {_describe_explained(incident, incident.mix.explained)}; {inside}"
    if lead.word == "moved_no_contrast":
        timing = f"{format_odds(lead.rarity)} by timing alone" if lead.rarity else "the time of the move is not known"
        return f"{name} · no contrast: everybody got it at once; {timing}"
    explained = f", {_describe_explained(incident, lead.explained)}" if lead.explained is not None else ""
    return f"{name} · {format_odds(lead.odds)} that it is worse{explained}"


def _describe_doubt(incident: Incident) -> str:
    onset = incident.onset
    if incident.burn.word is None:
        return "this Prometheus has no verdicts: its rules are older than this command; run slo generate, load them"
    if onset is None or onset.bad < LEAST_BAD:
        bad, events = (onset.bad, onset.events) if onset else (0, 0)
        return f"{bad:,.0f} bad of {events:,.0f} {_name_events(incident)} since the onset are too few"
    return f"no value stands out among the {onset.bad:,.0f} bad of {onset.events:,.0f} {_name_events(incident)}"


def _describe_explained(incident: Incident, explained: float) -> str:
    share = "all" if explained >= 0.995 else format_share(explained)
    return f"explains {share} of the bad {_name_events(incident)} above the usual"


def _describe_sick(incident: Incident, surface: Surface) -> str:
    signs = ", ".join(_describe_sign(sign) for sign in surface.signs)
    since_s = min((sign.since_s for sign in surface.signs if sign.since_s is not None), default=None)
    since = "" if since_s is None else f" since {format_clock(since_s, incident.at_s)}"
    below = f", below it {_join_names(surface.downstream)}" if surface.downstream else ""
    return f"{surface.surface} {surface.name}{since}: {signs}{below}"


def _describe_sign(sign: Sign) -> str:
    format_value = _format_seconds if sign.kind == "latency" else format_share
    usual = "not known" if sign.usual is None else format_value(sign.usual)
    return SIGNS.get(sign.kind, sign.kind + " {now} (usually {usual})").format(now=format_value(sign.now), usual=usual)


# -- the evidence


def _describe_moves(incident: Incident, lead: Suspect | None) -> Iterator[Line]:
    """Yield a line for the suspect and for each other move near the onset."""
    if lead is not None:
        yield Line(lead.variable, _describe_evidence(incident, lead))
        if lead.variable == "traffic" and incident.mix:
            ratios = (
                f"{one.name} {format_share(one.ratio)} bad ({_format_optional(one.ratio_before)} before)"
                for one in incident.mix.segments[:MOST_NAMES]
                if one.ratio is not None
            )
            yield Line("mix", " · ".join(ratios))
    if any(one.variable in ("tool", "tools") for one in _list_moves(incident)):
        for tool, fields in incident.schema_changes[:MOST_MOVES]:
            yield Line("field", f"{tool}: {fields}")
    others = [one for one in _list_moves(incident) if one is not lead and not _is_same_move(one, lead)]
    for one in others[:MOST_MOVES]:
        yield Line(one.variable, _describe_evidence(incident, one, is_lead=False))
    if len(others) > MOST_MOVES:
        yield Line("more", f"{len(others) - MOST_MOVES} more moves are in --json")


def _describe_evidence(incident: Incident, suspect: Suspect, is_lead: bool = True) -> str:
    parts = ["did not move"]
    if suspect.move:
        name = "" if is_lead else f": {_describe_move(suspect.move).partition(' ')[2]}"
        parts = [f"moved {format_clock(suspect.move.time_s, incident.at_s)}{name}"]
    if suspect.word == "moved_not_it":
        parts.append("not it")
    share, before = suspect.share, suspect.share_before
    if suspect.variable == "traffic" and incident.mix:
        segments = [(one.share, one.share_before) for one in incident.mix.segments if one.name == suspect.value]
        share, before = segments[0] if segments else (share, before)
    if share is not None:
        grew = f"{format_share(before)} -> " if before is not None and before >= 0.005 else ""
        parts.append(f"{grew}{format_share(share)} of {'the' if suspect.scope == 'all' else 'its'} calls")
    if suspect.ratio is not None and suspect.ratio_others is not None:
        ratios = f"{format_share(suspect.ratio)} bad with it, {format_share(suspect.ratio_others)} without it"
        parts.append(f"{ratios} in the same minutes")
    elif suspect.odds is not None and suspect.word is None:
        parts.append(f"{format_odds(suspect.odds)} that it is worse")
    return " · ".join(parts)


def _describe_rest(incident: Incident, verdict: Verdict) -> Iterator[Line]:
    """Yield what stayed the same, what is not observed, what is sick and what is well."""
    movers = {one.variable for one in _list_moves(incident)}
    same = [
        _describe_same(one, incident.at_s)
        for one in incident.variables
        if one.same_since_s is not None and not one.moves and one.name not in movers
    ]
    if same:
        yield Line("same", " · ".join(same))
    usual = [ROUTINES[one.reason].format(name=_name_scope(one.variable, one.scope)) for one in incident.routines]
    if usual:
        yield Line("usual", " · ".join([*usual[:MOST_MOVES], *["and more"] * (len(usual) > MOST_MOVES)]))
    unseen = [one.name for one in incident.variables if one.same_since_s is None and not one.moves]
    unseen += [kind for kind in SURFACES if kind not in {surface.surface for surface in incident.surfaces}]
    unknown = [one for one in incident.surfaces if not one.signs and not one.is_well]
    few, new = ([one.name for one in unknown if one.is_new is is_new] for is_new in (False, True))
    if unseen or unknown:
        parts = [f"{', '.join(unseen)} (no data)"] if unseen else []
        parts += [f"{_join_names(few)} (too few operations)"] if few else []
        parts += [f"{_join_names(new)} (no earlier hour to compare with)"] if new else []
        yield Line("not observed", f"{', '.join(parts)}: not cleared")
    if incident.sick and verdict is not Verdict.SICK:
        yield Line("sick", "; ".join(_describe_sick(incident, surface) for surface in incident.sick))
    well = [surface for surface in incident.surfaces if surface.is_well]
    if well:
        groups = ((kind, [one.name for one in well if one.surface == kind]) for kind in SURFACES)
        yield Line("well", " · ".join(f"{kind} {_join_names(names)}" for kind, names in groups if names))
    strongest = max((one.odds or 0 for one in incident.suspects), default=0.0)
    if verdict in (Verdict.SICK, Verdict.CANNOT_TELL, Verdict.NOTHING_MOVED) and strongest:
        best = max(incident.suspects, key=lambda one: one.odds or 0)
        text = f"{format_odds(best.odds)} that {_describe_suspect(best)} is worse"
        yield Line("strongest", text if strongest >= LEAD_ODDS else f"no value is above {LEAD_ODDS} : 1")


def _describe_same(variable: Variable, at_s: float) -> str:
    span = format_span(at_s - (variable.same_since_s or at_s))
    distance = f" ({format_share(variable.distance)} of the mix differs)" if variable.distance is not None else ""
    return f"{variable.name} {'at least ' if variable.is_since_memory else ''}{span}{distance}"


def _describe_declaration(suspect: Suspect) -> str:
    unlisted = "; it is not in agentops.lock" if suspect.is_unlisted else ""
    if suspect.is_declared is None:
        return f"nobody: this service sends no change events{unlisted}"
    return ("a change event" if suspect.is_declared else "nobody: no change event named it") + unlisted


def _describe_limits(incident: Incident, verdict: Verdict) -> Iterator[Line]:
    """Yield what cannot be said, and what it takes to say more."""
    truth = incident.truth
    if truth is not None and verdict in (Verdict.NEW_RULER, Verdict.CANNOT_TELL, Verdict.NOTHING_MOVED):
        interval = f"[{format_share(truth.low)}, {format_share(truth.high)}]"
        yield Line("truth", f"by {truth.labels:,.0f} random labels {format_share(truth.error)} are bad {interval}")
    clock = format_clock(incident.onset_s, incident.at_s)
    if verdict in (Verdict.NO_CONTRAST, Verdict.NOTHING_MOVED) or (
        verdict is Verdict.LIKELY and incident.burn.word == "moved_no_contrast"
    ):
        yield Line("cannot say", f"that nothing outside of these changed at {clock}")
    need = estimate_need(incident)
    if verdict is Verdict.CANNOT_TELL and need.bad is not None:
        span = f", in about {format_span(need.seconds)} at this rate" if need.seconds else ""
        yield Line("need", f"about {need.bad} more bad {_name_events(incident)}{span}")


# -- what to do


def _advise(incident: Incident, verdict: Verdict, lead: Suspect | None) -> str:
    if verdict is Verdict.SICK:
        return "; ".join(_advise_sick(incident, surface) for surface in incident.sick)
    if verdict is Verdict.NEW_RULER:
        return (
            "roll back no product for this: two revisions of a judge are never compared; score some answers with both"
        )
    if verdict is Verdict.TRAFFIC and lead:
        return f"no rollback helps; look at {lead.value} by itself: capacity, limits, or a promise of its own"
    if verdict is Verdict.TIE:
        return "undo one of them, or give it to a part of the calls: that tells them apart"
    if lead is not None:
        advice = _advise_undo(lead)
        if lead.word == "moved_no_contrast":
            advice += "; or give the old one to 10 % of the calls first, which makes a contrast"
        return advice
    if verdict is Verdict.NOTHING_MOVED:
        return "read ten of the bad ones; look at what is not observed, at the documents, and at your own code"
    return "wait for more, or read ten of the bad ones"


def _advise_undo(suspect: Suspect) -> str:
    """Return how to undo a move, in words; a value that did not move is taken out of use."""
    variable, scope = suspect.variable, suspect.scope
    previous = suspect.move.previous if suspect.move else None
    if suspect.move is None:
        return f"send the calls that {variable} {scope} = {suspect.value} gets to its other values"
    if previous is None:
        return f"undo the move of {variable} {scope}; the value before is not known"
    return {
        "model": f"ask for model {previous}" + (f" instead of {scope}" if scope != previous else ""),
        "prompt": f"restore prompt {previous} of {scope}",
        "instructions": f"send the instructions {previous} of {scope} again",
        "params": f"send the parameters {previous} to {scope} again",
        "fingerprint": f"nothing of yours moved: ask the provider of {scope}, or use another model",
        "tools": f"offer the tools of before again ({previous})",
        "tool": f"publish the schema {previous} of {scope} again, or accept both",
        "index": f"search version {previous} of {scope} again",
        "deploy": f"roll {scope} back to {previous}",
        "flag": f"set flag {scope} back to {previous}",
    }.get(variable, f"set {variable} {scope} back to {previous}")


def _advise_sick(incident: Incident, surface: Surface) -> str:
    if surface.surface == "retrieval":
        return f"page the owners of the index {surface.name} (the search team), not the AI team"
    if surface.surface == "tool":
        return f"page the owners of the tool {surface.name}, not the AI team"
    well = [one.name for one in incident.surfaces if one.surface == "provider" and one.is_well]
    route = f"send its calls to {_join_names(well)}, which is well here, if they can" if well else "wait for it"
    return f"ask provider {surface.name}; {route}; retry less, since retries add load"


def _express_search(incident: Incident, verdict: Verdict, lead: Suspect | None) -> str:
    """Return TraceQL for the operations to look at."""
    matchers = [f'resource.{A.SERVICE_NAME} = "{incident.burn.service}"']
    if verdict is Verdict.SICK:
        surface = incident.sick[0]
        matchers += [f'span.{SURFACE_KEYS[surface.surface]} = "{surface.name}"', "status = error"]
    elif lead is not None and lead.variable in COUNTED and lead.variable != "judge":  # which is on events alone
        place = "resource" if lead.variable == "deploy" else "span"
        matchers.append(f'{place}.{COUNTED[lead.variable][2]} = "{lead.value}"')
    elif _name_events(incident) == NOUNS["task"]:
        matchers.append(f'span.{A.TASK_OUTCOME} =~ "failed|escalated|abandoned"')
    else:
        matchers.append(f"span.{A.INCIDENT_SURFACE} != nil")
    return f"TraceQL {{ {' && '.join(matchers)} }}"


def _describe_contact(incident: Incident) -> str:
    contact = incident.contact
    parts = [
        contact.owner or "not known",
        f"runbook {contact.runbook}" if contact.runbook else "no runbook is known",
    ]
    if contact.alert_since_s is not None:
        parts.append(f"{incident.burn.severity} since {format_clock(contact.alert_since_s, incident.at_s)}")
    return " · ".join(parts)


# -- names and numbers


def _describe_suspect(suspect: Suspect) -> str:
    if suspect.move:
        return _describe_move(suspect.move)
    return f"{_name_scope(suspect.variable, suspect.scope)} = {suspect.value}"


def _describe_move(move: Move) -> str:
    meaning = f" ({MEANINGS[move.variable]})" if move.variable in MEANINGS else ""
    return f"{_name_scope(move.variable, move.scope)}: {move.previous or '?'} -> {move.value}{meaning}"


def _name_scope(variable: str, scope: str) -> str:
    return variable if scope == "all" else f"{variable} {scope}"


def _list_moves(incident: Incident) -> list[Suspect]:
    return [one for one in incident.suspects if one.move]


def _is_same_move(one: Suspect, lead: Suspect | None) -> bool:
    """Return True for the set of tools that moved since a tool in it did, and the other way round."""
    return lead is not None and {one.variable, lead.variable} == {"tool", "tools"}


def _name_events(incident: Incident) -> str:
    name = incident.burn.indicator
    if name in BUILT_IN:
        return NOUNS[BUILT_IN[name].on]
    return NOUNS[PARAMETRISED[name].ons[0]] if name in PARAMETRISED else "events"


def _join_names(names: Sequence[str]) -> str:
    more = f" and {len(names) - MOST_NAMES} more" if len(names) > MOST_NAMES else ""
    return ", ".join(names[:MOST_NAMES]) + more


def _format_optional(share: float | None) -> str:
    return "not known" if share is None else format_share(share)


def format_share(share: float) -> str:
    """Format a part of 1 as percent: `31 %`, `1.9 %`."""
    percent = 100 * share
    if 0 < percent < 0.1:
        return "<0.1 %"
    return f"{percent:.0f} %" if percent == 0 or abs(percent) >= 9.95 else f"{percent:.1f} %"


def _format_seconds(seconds: float) -> str:
    return f"{seconds:.1f} s"


def format_odds(odds: float | None) -> str:
    """Format odds with two digits: `1,900 : 1`."""
    if odds is None:
        return "unknown odds"
    if odds >= HIGHEST_ODDS:
        return f"over {HIGHEST_ODDS:,} : 1"
    return f"{float(f'{odds:.2g}'):,.0f} : 1" if odds >= 9.95 else f"{odds:.1f} : 1"


def format_span(seconds: float) -> str:
    """Format a span with its largest unit: `40 s`, `40 min`, `6 h`, `9 d`."""
    for unit, size, least in (("d", 86400, 2 * 86400), ("h", 3600, 5400), ("min", 60, 59.5)):
        if seconds >= least:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds:.0f} s"


def format_clock(time_s: float, at_s: float) -> str:
    """Format a time of day, with its date if that is not the one of the snapshot, and with seconds if it is recent."""
    moment, now = (datetime.datetime.fromtimestamp(each, datetime.timezone.utc) for each in (time_s, at_s))
    clock = moment.strftime("%H:%M:%S" if at_s - time_s < 180 else "%H:%M")
    return clock if moment.date() == now.date() else f"{moment:%b} {moment.day} {clock}"
