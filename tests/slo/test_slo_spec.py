"""A spec is read whole, or one sentence says which line of which file is wrong and what to do."""

from __future__ import annotations

import re
from decimal import Decimal
from pathlib import Path

import pytest

from otel_agentops import slo
from otel_agentops.slo.indicators import PARAMETRISED
from otel_agentops.slo.sli import Use
from otel_agentops.slo.spec import Minimum
from stack import ROOT

WHOLE = """\
# a comment
name: answers
service: support-.*
sli: task_completed
objective: 0.95
window: 28d
owner: support-team
runbook: https://runbooks.example/answers
trip_policy: >-
  No new prompt
  until it holds.
severity: ticket
minimum:
  events: 50
  failures: 5
"""


PER_CENT = "will not do: it is a part of all events, between 0 and 1; did you mean 0.95?"


def spec(tmp_path: Path, text: str, name: str = "a.yaml") -> Path:
    file = tmp_path / name
    file.write_text(text)
    return file


def test_a_whole_spec(tmp_path: Path) -> None:
    assert slo.load(spec(tmp_path, WHOLE)) == [
        slo.Slo(
            name="answers",
            service="support-.*",
            sli="task_completed",
            objective=0.95,
            window="28d",
            owner="support-team",
            runbook="https://runbooks.example/answers",
            trip_policy="No new prompt until it holds.",
            severity="ticket",
            minimum=Minimum(events=50, failures=5),
        )
    ]


def test_what_is_left_out(tmp_path: Path) -> None:
    (one,) = slo.load(spec(tmp_path, "{name: a, sli: tool_success, objective: 0.999, owner: o, runbook: r}"))
    assert (one.service, one.window, one.severity, one.trip_policy) == (".*", "30d", "page", None)
    assert (one.minimum.events, one.minimum.failures) == (20, 3)


def test_a_budget_is_a_decimal(tmp_path: Path) -> None:
    (one,) = slo.load(spec(tmp_path, WHOLE.replace("0.95", "0.999")))
    assert one.budget == Decimal("0.001"), "1 - 0.999 is 0.0010000000000000009"


def test_a_directory_is_read_in_the_order_of_names(tmp_path: Path) -> None:
    spec(tmp_path, WHOLE.replace("name: answers", "name: z"), "1.yaml")
    spec(tmp_path, WHOLE.replace("name: answers", "name: b"), "2.yaml")
    spec(tmp_path, "not a spec", "notes.txt")
    assert [one.name for one in slo.load(str(tmp_path))] == ["b", "z"]


@pytest.mark.parametrize(
    ("old", "new", "sentence"),
    [
        (
            "sli: task_completed",
            "sli: task_complete",
            f"4: sli: 'task_complete' is no service level indicator; did you mean task_completed? take one of "
            f"{', '.join(sorted([*slo.BUILT_IN, *PARAMETRISED]))}, or write conditions of your own (docs/slo.md)",
        ),
        ("owner: support-team\n", "", "2: owner: is missing; add it"),
        (
            "owner:",
            "ownr:",
            "7: ownr: is no field; did you mean owner? known are name, sli, objective, owner, runbook, service, "
            "window, trip_policy, severity, minimum",
        ),
        (
            "severity:",
            "severty:",
            "12: severty: is no field; did you mean severity? known are name, sli, objective, owner, runbook, service, "
            "window, trip_policy, severity, minimum",
        ),
        ("objective: 0.95", "objective: 95", f"5: objective: 95 {PER_CENT}"),
        ("objective: 0.95", "objective: 99.9", f"5: objective: 99.9 {PER_CENT.replace('0.95', '0.999')}"),
        ("objective: 0.95", "objective: 100", "5: objective: 100 will not do: input should be less than 1"),
        ("objective: 0.95", "objective: 0.0", "5: objective: 0.0 will not do: input should be greater than 0"),
        ("objective: 0.95", "objective: .nan", "5: objective: nan will not do: input should be less than 1"),
        ("objective: 0.95", "objective: 95%", f"5: objective: '95%' {PER_CENT}"),
        ("objective: 0.95", "objective: most", "5: objective: 'most' will not do: input should be a valid number"),
        ("window: 28d", "window: 3d", "6: window: '3d' is not between 7d and 90d; the slowest alert looks at 3 days"),
        ("window: 28d", "window: 4w", "6: window: '4w' is no number of days; write for instance 30d"),
        ("window: 28d", "window: 30", "6: window: 30 will not do: input should be a valid string"),
        (
            "name: answers",
            "name: My Answers",
            "2: name: 'My Answers' is no name; take a-z, 0-9, - and _, at most 63, a letter first, no - or _ last",
        ),
        ("owner: support-team", "owner: ' '", "7: owner: is empty; fill it in"),
        ("owner: support-team", 'owner: "a\\x07"', "7: owner: has the control character '\\x07'; take it out"),
        (
            "support-.*",
            "support-(",
            "3: service: 'support-(' is no regular expression: missing ), unterminated subpattern at position 8",
        ),
        (
            "support-.*",
            "(?!test).*",
            "3: service: '(?!test).*' has '(?', which Prometheus (RE2) does not know; say it without",
        ),
        (
            "severity: ticket",
            "severity: sms",
            "12: severity: 'sms' will not do: input should be 'page' or 'ticket'",
        ),
        (
            "events: 50",
            "events: 0",
            "14: minimum.events: 0 will not do: input should be greater than or equal to 1",
        ),
        ("events: 50", "event: 50", "14: minimum.event: is no field; did you mean events? known are events, failures"),
        ("name: answers", "name: [", "4: is no YAML: expected ',' or ']', but got ':'"),
        (
            "name: answers",
            "name: a\nname: b",
            '3: is no YAML: found duplicate key "name" with value "b" (original value: "a")',
        ),
    ],
)
def test_one_sentence(tmp_path: Path, old: str, new: str, sentence: str) -> None:
    file = spec(tmp_path, WHOLE.replace(old, new, 1))
    with pytest.raises(slo.SpecError) as error:
        slo.load(file)
    assert str(error.value) == f"{file}:{sentence}"


def test_mistakes_are_told_all_at_once(tmp_path: Path) -> None:
    wrong = (
        WHOLE.replace("0.95", "95").replace("owner:", "ownr:").replace("28d", "4w").replace("events: 50", "evens: 0")
    )
    first, second = spec(tmp_path, wrong, "1.yaml"), spec(tmp_path, "a: [", "2.yaml")
    third = spec(tmp_path, "name: a\nsli: {use: latency, threshold: 0, name: A}\nobjective: 0.9", "3.yaml")
    with pytest.raises(slo.SpecError) as error:
        slo.load(tmp_path)
    known = "name, sli, objective, owner, runbook, service, window, trip_policy, severity, minimum"
    assert str(error.value).splitlines() == [
        f"{first}:5: objective: 95 {PER_CENT}",
        f"{first}:6: window: '4w' is no number of days; write for instance 30d",
        f"{first}:7: ownr: is no field; did you mean owner? known are {known}",
        f"{first}:14: minimum.evens: is no field; did you mean events? known are events, failures",
        f"{second}:1: is no YAML: expected the node content, but found '<stream end>'",
        f"{third}:1: owner: is missing; add it",
        f"{third}:1: runbook: is missing; add it",
        f"{third}:2: sli.name: 'A' is no name; take a-z, 0-9 and _, at most 63 of them, a letter first",
        f"{third}:2: sli.threshold: 0 will not do: input should be greater than 0",
    ]


@pytest.mark.parametrize("service", ["(?<=a)b", "(?P<n>a)", r"(a)\1", r"a\u0041", "a++", "(?x)a"])
def test_what_re2_does_not_know(service: str) -> None:
    with pytest.raises(ValueError, match="which Prometheus"):
        slo.Slo(name="a", sli="tool_success", objective=0.9, owner="o", runbook="r", service=service)


@pytest.mark.parametrize("text", ["", "- a\n- b", "just text"])
def test_no_mapping(tmp_path: Path, text: str) -> None:
    file = spec(tmp_path, text)
    with pytest.raises(slo.SpecError, match=re.escape(f"{file}:1: is no mapping of fields")):
        slo.load(file)


def test_not_utf8(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_bytes(b"name: \xff\xfe")
    with pytest.raises(slo.SpecError, match=r"a\.yaml: is no YAML: unacceptable character #x00ff"):
        slo.load(tmp_path)


def test_files_that_are_not_there(tmp_path: Path) -> None:
    with pytest.raises(slo.SpecError, match=r"x\.yaml: cannot be read: No such file or directory"):
        slo.load(tmp_path / "x.yaml")
    with pytest.raises(slo.SpecError, match=r"no \*\.yaml here; write a first objective"):
        slo.load(tmp_path)


def test_two_of_one_name(tmp_path: Path) -> None:
    first, second = spec(tmp_path, WHOLE, "1.yaml"), spec(tmp_path, WHOLE, "2.yaml")
    sentence = f"{first}, {second}: name: 'answers' is taken more than once; give each objective its own"
    with pytest.raises(slo.SpecError, match=re.escape(sentence)):
        slo.load(tmp_path)


def test_several_documents(tmp_path: Path) -> None:
    file = spec(tmp_path, f"{WHOLE}---\n{WHOLE}")
    with pytest.raises(
        slo.SpecError, match=r"a\.yaml: has 2 documents \(---\); write each objective into a file of its"
    ):
        slo.load(file)


@pytest.mark.parametrize(
    "text", ["a: &a [*a]", "<<: x", "? [a]\n: b", "!!python/object:os.system x", "a: " + "[" * 900]
)
def test_evil_yaml_is_a_sentence_a_mistake(tmp_path: Path, text: str) -> None:
    file = spec(tmp_path, text)
    with pytest.raises(slo.SpecError) as error:
        slo.load(file)
    assert all(sentence.startswith(f"{file}:") for sentence in str(error.value).splitlines())


def test_a_bomb_is_not_shown(tmp_path: Path) -> None:
    """Thirty lines that would be a billion names, where one is wanted."""
    levels = "".join(f"- &a{n} [*a{n - 1}, *a{n - 1}]\n" for n in range(1, 30))
    file = spec(tmp_path, f"owner:\n- &a0 [x]\n{levels}name: a\nsli: tool_success\nobjective: 0.9\nrunbook: r\n")
    with pytest.raises(slo.SpecError, match=r"a\.yaml:1: owner: a list will not do: input should be a valid string"):
        slo.load(file)


def test_examples() -> None:
    assert [(one.name, one.sli) for one in slo.load(ROOT / "slo")] == [
        ("answers", "task_completed"),
        ("calls", "call_success"),
        ("judged", Use(use="score_floor", threshold=0.7)),
        ("tools", "tool_success"),
    ]
