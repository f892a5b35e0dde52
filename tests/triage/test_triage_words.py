"""Lines for incidents that no story tells: rare verdicts, values without a past, many moves, a terminal."""

from __future__ import annotations

import io
from dataclasses import replace

import pytest
from rich.console import Console

from otel_agentops.triage.facts import (
    Burn,
    Contact,
    Incident,
    Move,
    Onset,
    Routine,
    Sign,
    Snapshot,
    Surface,
    Suspect,
    Variable,
)
from otel_agentops.triage.report import Outcome, build_report
from otel_agentops.triage.screen import show_report
from otel_agentops.triage.verdict import Need, Verdict, estimate_need, reach_verdict
from otel_agentops.triage.words import describe_incident

AT = 1_794_454_200.0  # 2026-11-12T03:30Z
ONSET = AT - 2580
BURN = Burn(
    *("support", "prod", "answers", "task_completed", "proxy", None, None, "page"),
    since_s=ONSET,
    ratio=0.3,
    objective=0.95,
    word="nothing_moved",
)
ONSET_FOUND = Onset(60, ONSET, ONSET, ONSET, 400, 100, 0.02)
INCIDENT = Incident(AT, BURN, ONSET_FOUND, variables=[Variable("model", same_since_s=AT - 86400), Variable("prompt")])


def make_suspect(variable: str, scope: str, value: str, previous: str | None = None, ago: float = 2640) -> Suspect:
    move = Move(variable, scope, value, previous, AT - ago)
    return Suspect(variable, scope, value, word="likely", odds=42, move=move, rarity=40)


def name_suspect(incident: Incident, word: str, lead: Suspect, *others: Suspect) -> Incident:
    about = (lead.variable, lead.scope, lead.value)
    return replace(incident, burn=replace(BURN, word=word, about=about), suspects=[lead, *others])


def find_line(incident: Incident, label: str) -> str:
    (text,) = [line.text for line in describe_incident(incident) if line.label == label]
    return text


@pytest.mark.parametrize(
    ("lead", "advice"),
    [
        (make_suspect("model", "m-1", "m-2", "m-1"), "ask for model m-1"),
        (make_suspect("index", "faq", "2", "1"), "search version 1 of faq again"),
        (make_suspect("tools", "support", "b", "a"), "offer the tools of before again (a)"),
        (make_suspect("params", "m-1", "b", "a"), "send the parameters a to m-1 again"),
        (make_suspect("instructions", "s/p/t", "b", "a"), "send the instructions a of s/p/t again"),
        (
            make_suspect("fingerprint", "m-1", "fp_b", "fp_a"),
            "nothing of yours moved: ask the provider of m-1, or use another model",
        ),
        (make_suspect("deploy", "support", "4.3", "4.2"), "roll support back to 4.2"),
        (make_suspect("flag", "ranking", "on", "off"), "set flag ranking back to off"),
        (make_suspect("stage", "all", "canary", "stable"), "set stage all back to stable"),
        (make_suspect("index", "faq", "2"), "undo the move of index faq; the value before is not known"),
    ],
)
def test_advice_undoes_the_move_of_each_variable(lead: Suspect, advice: str) -> None:
    incident = name_suspect(INCIDENT, "likely", lead)
    assert find_line(incident, "do") == advice
    assert find_line(incident, "LIKELY").endswith("42 : 1 that it is worse")


def test_move_of_sent_text_is_said_in_words() -> None:
    lead = make_suspect("instructions", "support/greeting/t1", "b", "a")
    text = find_line(name_suspect(INCIDENT, "likely", lead), "LIKELY")
    assert text.startswith("instructions support/greeting/t1: a -> b (sent text changed under one template) · ")


def test_new_values_that_are_usual_are_said() -> None:
    routines = [
        Routine("fingerprint", "gpt-5.5", "pool"),
        Routine("instructions", "support/greeting/t1", "rendered"),
        Routine("prompt", "support/unknown", "daily"),
        Routine("tools", "support", "daily"),
    ]
    assert find_line(replace(INCIDENT, routines=routines), "usual") == (
        "fingerprint gpt-5.5: one of several systems of the provider"
        " · instructions support/greeting/t1 is rendered: values are filled in"
        " · prompt support/unknown is rendered: changes every day · and more"
    )


def test_changed_fields_of_a_tool_are_said_if_a_tool_moved() -> None:
    changes = [("refund_order", "parameters.amount type number -> string")]
    lead = make_suspect("tool", "refund_order", "b", "a")
    moved = replace(name_suspect(INCIDENT, "likely", lead), schema_changes=changes)
    assert find_line(moved, "field") == "refund_order: parameters.amount type number -> string"
    assert not [line for line in describe_incident(replace(INCIDENT, schema_changes=changes)) if line.label == "field"]


def test_timing_alone_is_likely_only_if_rare_and_alone() -> None:
    lead = make_suspect("prompt", "support/greeting", "b", "a")
    lead = replace(lead, word="moved_no_contrast", odds=1)
    alone = name_suspect(INCIDENT, "moved_no_contrast", lead)
    assert reach_verdict(alone) is Verdict.LIKELY
    other = replace(make_suspect("model", "m", "m-2", "m-1"), word=None)
    for changed in (
        replace(alone, suspects=[replace(lead, rarity=12)]),
        replace(alone, suspects=[lead, other]),
        replace(alone, surfaces=[Surface("tool", "refund", [Sign("errors", 0.4, 0.01)])]),
    ):
        assert reach_verdict(changed) is Verdict.NO_CONTRAST
    for changed in (
        replace(alone, suspects=[lead, replace(other, word="moved_not_it")]),
        replace(alone, suspects=[lead, replace(other, move=replace(other.move, time_s=AT - 9000))]),  # type: ignore[type-var]
    ):
        assert reach_verdict(changed) is Verdict.LIKELY
    text = find_line(replace(alone, suspects=[replace(lead, rarity=12)]), "MOVED")
    assert text == "prompt support/greeting: a -> b · no contrast: everybody got it at once; 12 : 1 by timing alone"


def test_rules_without_verdicts_are_told_to_be_old() -> None:
    incident = replace(INCIDENT, burn=replace(BURN, word=None))
    assert find_line(incident, "CANNOT TELL") == (
        "this Prometheus has no verdicts: its rules are older than this command; run slo generate, load them"
    )


@pytest.mark.parametrize(
    ("onset", "odds", "need", "line"),
    [
        (None, 0, Need(10, None), "about 10 more bad tasks"),
        (replace(ONSET_FOUND, bad=4), 0, Need(6, 3870), "about 6 more bad tasks, in about 64 min at this rate"),
        (ONSET_FOUND, 8, Need(44, 1136.9), "about 44 more bad tasks, in about 19 min at this rate"),
        (ONSET_FOUND, 2, Need(None, None), None),
    ],
)
def test_need_follows_from_the_evidence_so_far(onset: Onset | None, odds: float, need: Need, line: str | None) -> None:
    weighed = replace(make_suspect("model", "m", "m-2", "m-1"), word=None, odds=odds)
    incident = replace(INCIDENT, onset=onset, burn=replace(BURN, word="cannot_tell"), suspects=[weighed])
    estimate = estimate_need(incident)
    assert (estimate.bad, estimate.seconds and round(estimate.seconds, 1)) == need
    assert [one.text for one in describe_incident(incident) if one.label == "need"] == ([line] if line else [])


def test_many_moves_are_cut_and_traces_come_first() -> None:
    moves = [replace(make_suspect("prompt", f"p{number}", "b", "a"), word=None, odds=1.2) for number in range(5)]
    incident = replace(
        INCIDENT,
        suspects=moves,
        traces=["4bf92f35", "a01c77e2"],
        surfaces=[Surface("tool", f"t{number}", is_well=number < 6, is_new=number == 7) for number in range(8)],
        contact=Contact(),
    )
    lines = describe_incident(incident)
    assert [line.label for line in lines if line.label in ("prompt", "more")] == ["prompt", "prompt", "prompt", "more"]
    assert find_line(incident, "more") == "2 more moves are in --json"
    assert find_line(incident, "well") == "tool t0, t1, t2, t3 and 2 more"
    assert find_line(incident, "not observed") == (
        "prompt, provider, retrieval (no data), t6 (too few operations), t7 (no earlier hour to compare with): "
        "not cleared"
    )
    assert find_line(incident, "look at") == "4bf92f35  a01c77e2"
    assert find_line(incident, "find more").startswith("TraceQL { resource.service.name")
    assert find_line(incident, "owner") == "not known · no runbook is known"


def test_outage_beside_a_sick_tool_is_called_sick() -> None:
    surfaces = [
        Surface("provider", "openai", [Sign("empty", 0.2, None, AT - 600)]),
        Surface("tool", "refund", [Sign("stale", 0.4, 0.01)]),
    ]
    incident = replace(INCIDENT, burn=replace(BURN, word="sick"), surfaces=surfaces)
    assert find_line(incident, "SICK") == (
        "provider openai since 03:20: 20 % find nothing (usually not known); "
        "tool refund: stale 40 % (usually 1.0 %); nothing of yours moved"
    )
    assert find_line(incident, "do") == (
        "ask provider openai; wait for it; retry less, since retries add load; "
        "page the owners of the tool refund, not the AI team"
    )


def test_terminal_gets_colours_and_wrapped_lines() -> None:
    report = build_report(Snapshot(AT, [name_suspect(INCIDENT, "likely", make_suspect("index", "faq", "2", "1"))], []))
    assert report.outcome is Outcome.NAMED
    out = io.StringIO()
    show_report(report, Console(file=out, force_terminal=True, width=60, color_system="standard"))
    text = out.getvalue()
    assert "\x1b[1;31mLIKELY" in text
    assert "search version 1 of faq again" in text
