"""A recorded decision asked again: swaps, expectations, both arms, and intervals of known value."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from recorded_tasks import run_command

from otel_agentops._yaml import InputError
from otel_agentops.recorder.commands.intervals import compute_newcombe, compute_wilson
from otel_agentops.recorder.commands.replay import Arm, format_arm, judge_arms, parse_expectation, swap_members
from otel_agentops.testing.fake_provider import Answer, Call, FakeProvider, Status

BODY = {"model": "gpt-x", "messages": [{"role": "system", "content": "Be kind."}, {"role": "user", "content": "Hi"}]}
SAID = [{"role": "assistant", "parts": [{"type": "text", "content": '{"refund": 80, "items": ["a"]}'}]}]
CALLED = [{"role": "assistant", "parts": [{"type": "tool_call", "name": "find_order", "arguments": {}}]}]


@pytest.mark.parametrize(
    ("hits", "trials", "low", "high"),
    # R. G. Newcombe, Two-sided confidence intervals for the single proportion, 1998, table I, and the ends
    [(81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605), (0, 20, 0.0, 0.1611), (1, 29, 0.0061, 0.1718)],
)
def test_wilson_interval_has_the_published_value(hits: int, trials: int, low: float, high: float) -> None:
    assert compute_wilson(hits, trials) == pytest.approx((low, high), abs=5e-5)


def test_newcombe_interval_has_the_published_value() -> None:
    # R. G. Newcombe, Interval estimation for the difference, 1998, table II, method 10: 56/70 and 48/80, 9/10 and 3/10
    assert compute_newcombe(56, 70, 48, 80) == pytest.approx((0.0524, 0.3339), abs=5e-5)
    assert compute_newcombe(9, 10, 3, 10) == pytest.approx((0.1705, 0.8090), abs=5e-5)


def test_rate_is_never_without_its_interval() -> None:
    assert format_arm(Arm("swap", 18, 20, {}, {})) == "swap: 18/20 = 90 % [70, 97]"
    assert format_arm(Arm("swap", 4, 4, {"429": 1}, {})) == "swap: 4/4, 1 failed (429)"
    assert judge_arms(Arm("control", 4, 4, {}, {}), Arm("swap", 0, 4, {}, {})).verdict == "too few answers"


@pytest.mark.parametrize(
    ("swap", "expected"),
    [
        ("model=gpt-y", {"model": "gpt-y"}),
        ("params.temperature=0", {"temperature": 0}),
        ("params.user=me", {"user": "me"}),
    ],
)
def test_swap_changes_one_member(swap: str, expected: dict[str, Any]) -> None:
    assert swap_members(BODY, [swap]) == {**BODY, **expected}


def test_swap_reads_files(tmp_path: Path) -> None:
    prompt = tmp_path / "prompt.txt"
    prompt.write_text("Be brief.")
    swapped = swap_members(BODY, [f"prompt=@{prompt}"])
    assert swapped["messages"][0] == {"role": "system", "content": "Be brief."}
    assert BODY["messages"][0]["content"] == "Be kind."  # type: ignore[index]
    with pytest.raises(InputError, match="has no instructions"):
        swap_members({"messages": []}, [f"prompt=@{prompt}"])
    with pytest.raises(InputError, match="cannot be swapped; use model"):
        swap_members(BODY, ["index=new"])


@pytest.mark.parametrize(
    ("expect", "said", "called"),
    [
        ("regex:refund.*80", True, False),
        ("tool:find_order", False, True),
        ("json:/refund=80", True, False),
        ("json:/items/0=a", True, False),
        ("json:/items/1=a", False, False),
    ],
)
def test_expectation_is_read(expect: str, said: bool, called: bool) -> None:
    assert (parse_expectation(expect)(SAID, {}), parse_expectation(expect)(CALLED, {})) == (said, called)


def test_expectation_may_be_a_schema(tmp_path: Path) -> None:
    schema = tmp_path / "schema.json"
    schema.write_text('{"type": "object", "required": ["refund"]}')
    assert parse_expectation(f"schema:@{schema}")(SAID, {})
    assert not parse_expectation(f"schema:@{schema}")(CALLED, {})
    with pytest.raises(InputError, match="write regex:PATTERN"):
        parse_expectation("nice")


def answer_by_model(call: Call) -> Answer:
    return Answer(text="I have refunded 80 euros." if call.model.startswith("gpt-x") else "A colleague has to approve.")


def test_dry_run_sends_nothing(refunds: Path, provider: FakeProvider) -> None:
    shown = run_command(
        "replay", "task-bad#2", "--swap", "model=gpt-old", "--expect", "regex:colleague", "--dir", refunds,
        "--base-url", provider.openai_url,
    )  # fmt: skip
    assert shown.exit_code == 0, shown.output
    assert shown.output.startswith("40 requests, ")
    assert "the arms differ in: model\nnothing was sent; --run sends it" in shown.output
    assert provider.requests == []


def test_both_arms_are_asked_and_compared(refunds: Path, provider: FakeProvider) -> None:
    provider.answer(answer_by_model)
    provider.script(Status(500))
    shown = run_command(
        "replay", "task-bad#2", "--swap", "model=gpt-old", "--expect", "regex:colleague", "--dir", refunds, "-n", "6",
        "--base-url", provider.openai_url, "--run", "--json",
    )  # fmt: skip
    assert shown.exit_code == 0, shown.output
    document = json.loads(shown.stdout)
    assert document["verdict"] == "differs"
    assert {name: document["control"][name] for name in ("hits", "trials", "errors")} == {
        "hits": 0,
        "trials": 5,
        "errors": {"500": 1},
    }
    assert (document["swap"]["hits"], document["swap"]["trials"]) == (6, 6)
    assert document["difference"] == pytest.approx(compute_newcombe(6, 6, 0, 5))
    assert [request.body["model"] for request in provider.requests] == ["gpt-x", "gpt-old"] * 6
    assert all(request.body["messages"][-1]["role"] == "tool" for request in provider.requests)  # no tool ran again


def test_arms_that_do_the_same_do_not_differ(refunds: Path, provider: FakeProvider) -> None:
    shown = run_command(
        "replay", "task-bad#2", "--swap", "params.temperature=0", "--expect", "regex:Hello", "--dir", refunds,
        "-n", "5", "--base-url", provider.openai_url, "--run",
    )  # fmt: skip
    assert shown.exit_code == 3
    assert shown.output.splitlines() == [
        "control: 5/5 = 100 % [57, 100]",
        "swap: 5/5 = 100 % [57, 100]",
        "difference, swap less control: [-43, +43] points",
        "no difference shown",
    ]


@pytest.mark.parametrize(
    ("call", "expect", "sentence"),
    [
        ("task-bad#0", "tool:x", "task-bad#0: the trace has 2 calls; choose one with #, from 1"),
        ("task-bad#1", "regex:(", "--expect regex:(: this is no regular expression: "),
        ("task-bad#1", "schema:@{picture}", "{picture}: this is no text; write it as UTF-8"),
    ],
)
def test_wrong_input_of_a_replay_is_a_sentence(
    refunds: Path, tmp_path: Path, call: str, expect: str, sentence: str
) -> None:
    picture = tmp_path / "picture"
    picture.write_bytes(b"\x89PNG")
    options = ("--swap", "model=y", "--expect", expect.format(picture=picture), "--dir", refunds)
    shown = run_command("replay", call, *options)
    assert shown.exit_code == 1 and sentence.format(picture=picture) in shown.output
