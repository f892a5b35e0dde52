"""What `sli:` may say, and the sentence for what it may not."""

# ruff: noqa: E501 (a sentence a line)

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from otel_agentops import slo
from otel_agentops.slo import spec
from otel_agentops.slo.indicators import BUILT_IN, PARAMETRISED, Indicator
from otel_agentops.slo.sli import Own

HEAD = "name: a\nobjective: 0.9\nowner: o\nrunbook: r\nsli:"
OWN = """
  name: empty_search
  type: proxy
  on: tool
  eligible: attributes["gen_ai.tool.name"] == "search"
  bad: attributes["app.hits"] == 0
  about: searches that found nothing
  labels: [gen_ai.tool.name]
"""
KNOWN = ", ".join(sorted([*BUILT_IN, *PARAMETRISED]))


def load(directory: Path, sli: str, name: str = "a") -> slo.Slo:
    file = directory / f"{name}.yaml"
    file.write_text(HEAD.replace("name: a", f"name: {name}") + sli)
    return slo.load(file)[0]


def test_a_name(tmp_path: Path) -> None:
    assert load(tmp_path, " tool_success\n").indicator == BUILT_IN["tool_success"]


def test_a_threshold(tmp_path: Path) -> None:
    (one,) = {load(tmp_path, " {use: latency, threshold: 8, name: slow_answers, on: task}").indicator}
    assert one == Indicator(
        "slow_answers",
        "direct",
        "task",
        'attributes["otel_agentops.task.outcome"] == "completed" and span.start_time_unix_nano > 0 and '
        "span.end_time_unix_nano >= span.start_time_unix_nano",
        "span.end_time_unix_nano - span.start_time_unix_nano > 8000000000",
        ("otel_agentops.task.name",),
        "tasks that took longer than 8 s",
    )
    assert load(tmp_path, " {use: latency, threshold: 0.25}").indicator.name == "latency"


def test_own_conditions(tmp_path: Path) -> None:
    assert load(tmp_path, OWN).indicator == Indicator(
        "empty_search",
        "proxy",
        "tool",
        'attributes["gen_ai.tool.name"] == "search"',
        'attributes["app.hits"] == 0',
        ("gen_ai.tool.name",),
        "searches that found nothing",
    )


def test_labels_may_be_left_out(tmp_path: Path) -> None:
    assert load(tmp_path, OWN.replace("  labels: [gen_ai.tool.name]\n", "")).indicator.labels == ()


@pytest.mark.parametrize(
    ("sli", "sentence"),
    [
        (" latency", "5: sli: latency needs a threshold (s); write {use: latency, threshold: …}"),
        (" {use: latency}", "5: sli: threshold (s) of latency is missing; only the team can know it"),
        (" {use: latency, threshold: -1}", "5: sli.threshold: -1 will not do: input should be greater than 0"),
        (" {use: latency, threshold: 0}", "5: sli.threshold: 0 will not do: input should be greater than 0"),
        (" {use: latency, threshold: .inf}", "5: sli.threshold: inf will not do: input should be a finite number"),
        (" {use: latency, threshold: .nan}", "5: sli.threshold: nan will not do: input should be a finite number"),
        (" {use: latency, threshold: 8s}", "5: sli.threshold: '8s' will not do: input should be a valid number"),
        (" {use: latency, threshold: true}", "5: sli.threshold: True will not do: input should be a valid number"),
        (" {use: latency, treshold: 8}", "5: sli.treshold: is no field; did you mean threshold? known are use, threshold, on, name, judge"),
        (" {use: latency, threshold: 8, on: outcome}", "5: sli: latency counts no outcome; on is one of model, task, tool, retrieval"),
        (" {use: latency, threshold: 8, name: tool_success}", "5: sli: the name tool_success is that of another built-in indicator; give it another one"),
        (" {use: latency, threshold: 8, judge: helpful}", "5: sli: latency counts no judgements; take judge out"),
        (" score_floor", "5: sli: score_floor needs a threshold (score); write {use: score_floor, threshold: …}"),
        (" {use: latncy, threshold: 8}", f"5: sli.use: 'latncy' takes no threshold; did you mean latency? those that do are {', '.join(sorted(PARAMETRISED))}"),
        (" {use: tool_success, threshold: 8}", "5: sli.use: tool_success takes no threshold; write sli: tool_success"),
        (" 7", "5: sli: 7 will not do: input should be a valid string"),
        (" [tool_success]", "5: sli: a list will not do: input should be a valid string"),
    ],
)  # fmt: skip
def test_one_sentence(tmp_path: Path, sli: str, sentence: str) -> None:
    with pytest.raises(slo.SpecError) as error:
        load(tmp_path, sli)
    assert str(error.value) == f"{tmp_path / 'a.yaml'}:{sentence}"


@pytest.mark.parametrize(
    ("old", "new", "sentence"),
    [
        ("  type: proxy\n", "", "5: sli.type: is missing; write proxy where it stands in for what users care about, direct where it measures just that"),
        ("proxy", "quality", "7: sli.type: 'quality' will not do: input should be 'proxy' or 'direct'"),
        ("on: tool", "on: tools", "8: sli.on: 'tools' will not do: input should be 'task', 'model', 'tool', 'retrieval', 'evaluation' or 'outcome'"),
        ("name: empty", "name: Empty", "6: sli.name: 'Empty_search' is no name; take a-z, 0-9 and _, at most 63 of them, a letter first"),
        ("name: empty_search", "name: tool_success", "6: sli.name: tool_success is a built-in indicator; give yours another name"),
        ("bad: attributes", "bda: attributes", "5: sli.bad: is missing; add it\n<file>:10: sli.bda: is no field; known are name, type, on, eligible, bad, about, labels"),
        ('== "search"', '= "search"', "9: sli.eligible: is no condition: `=` at column 32 compares nothing; write =="),
        ("app.hits", "otel_agentops.tool.hsh", "10: sli.bad: otel_agentops.tool.hsh is no attribute; did you mean otel_agentops.tool.hash? docs/semconv.md lists them"),
        ('"app.hits"] == 0', '"otel_agentops.task.outcome"] == "complete"', "10: sli.bad: otel_agentops.task.outcome is never 'complete'; did you mean completed? it is one of completed, failed, escalated, abandoned, cancelled, interrupted"),
        ('attributes["app.hits"] == 0', 'log.attributes["app.hits"] == 0', "5: sli: bad reads `log.`, but tool is a span; write attributes[\"…\"]"),
        ("[gen_ai.tool.name]", "[gen_ai.tool.nam]", "12: sli.labels.0: gen_ai.tool.nam is no attribute of the registry; did you mean gen_ai.tool.name? docs/semconv.md has them"),
        ("[gen_ai.tool.name]", "[gen_ai.tool.name, otel_agentops.task.id]", "12: sli.labels.1: otel_agentops.task.id is unbounded or personal; docs/semconv.md says what may be one"),
        ("[gen_ai.tool.name]", "[otel_agentops.task.depth]", "12: sli.labels.0: otel_agentops.task.depth is of no use as a label; docs/semconv.md says what may be one"),
        ("[gen_ai.tool.name]", "[service.name]", "12: sli.labels.0: service.name is on every point already; leave it out"),
        ("[gen_ai.tool.name]", "[gen_ai.tool.name, gen_ai.tool.name]", "5: sli: labels names one twice; take it out"),
        ("[gen_ai.tool.name]", "gen_ai.tool.name", "12: sli.labels: 'gen_ai.tool.name' will not do: input should be a valid tuple"),
        ("searches that found nothing", "' '", "11: sli.about: is empty; fill it in"),
    ],
)  # fmt: skip
def test_one_sentence_of_own_conditions(tmp_path: Path, old: str, new: str, sentence: str) -> None:
    with pytest.raises(slo.SpecError) as error:
        load(tmp_path, OWN.replace(old, new, 1))
    assert str(error.value) == f"<file>:{sentence}".replace("<file>", str(tmp_path / "a.yaml"))


def test_an_event_has_no_span(tmp_path: Path) -> None:
    wrong = OWN.replace("on: tool", "on: outcome").replace(
        'attributes["app.hits"] == 0', "span.kind == SPAN_KIND_CLIENT"
    )
    with pytest.raises(
        slo.SpecError, match=re.escape('bad reads `span.`, but outcome is an event; write attributes["…"]')
    ):
        load(tmp_path, wrong)


def test_one_name_has_one_meaning(tmp_path: Path) -> None:
    load(tmp_path, " {use: latency, threshold: 8}", "a")
    load(tmp_path, " {use: latency, threshold: 8}", "b")
    assert [one.name for one in slo.load(tmp_path)] == ["a", "b"]
    load(tmp_path, " {use: latency, threshold: 9}", "b")
    sentence = f"{tmp_path / 'a.yaml'}, {tmp_path / 'b.yaml'}: sli: 'latency' means two things here; give one of them"
    with pytest.raises(slo.SpecError, match=re.escape(sentence)):
        slo.load(tmp_path)


def test_notes(tmp_path: Path) -> None:
    odd = OWN.replace("app.hits", "gen_ai.tool.nmae").replace("[gen_ai.tool.name]", "[otel_agentops.traffic.tenant]")
    assert spec.list_notes([load(tmp_path, odd)]) == [
        "a: sli: label otel_agentops.traffic.tenant has as many values as the application has users of it; a series is "
        "kept for each",
        "a: sli: gen_ai.tool.nmae is none of the attributes that are known here; did you mean gen_ai.tool.name? check "
        "its spelling",
    ]
    assert spec.list_notes([load(tmp_path, OWN), load(tmp_path, " tool_success")]) == []


@given(st.text(max_size=30))
def test_any_text_is_kept_or_refused(text: str) -> None:
    own = {"name": "x", "type": "direct", "on": "tool", "eligible": 'attributes["a"] == 1', "bad": text, "about": "x"}
    try:
        one = slo.Slo.model_validate({"name": "a", "sli": own, "objective": 0.9, "owner": "o", "runbook": "r"})
    except ValueError:
        return
    assert one.indicator.bad == " ".join(text.split())


def take_as_own(one: Indicator) -> slo.Slo:
    """Write an indicator's conditions as a team would."""
    own = {field: getattr(one, field) for field in Own.model_fields}
    made = slo.Slo.model_validate({"name": "a", "sli": own, "objective": 0.9, "owner": "o", "runbook": "r"})
    assert made.indicator == replace(one, floor=None, judge=None), "these two are for events that no collector has seen"
    return made


@pytest.mark.parametrize("name", sorted(BUILT_IN))
def test_built_ins_would_be_taken_as_own(name: str) -> None:
    """Their conditions and labels are held to what is asked of a team's."""
    made = take_as_own(replace(BUILT_IN[name], name=f"{name}_too"))
    assert spec.list_notes([made]) == []


@pytest.mark.parametrize("use", sorted(PARAMETRISED))
def test_parametrised_ones_would_be_taken_as_own(use: str) -> None:
    kind = PARAMETRISED[use]
    for on in kind.ons:
        made = take_as_own(kind.make(f"{use}_too", 1.0, on))
        assert spec.list_notes([made]) == []
