"""The truth about a task: what its event carries, that it is told once, and what a receipt from elsewhere may hold."""

from __future__ import annotations

import asyncio
import json
import threading
import uuid
from collections.abc import Callable
from typing import Any

import openai
import pytest
from helper_spans import EMPTY_TOTALS, ask, boom

from otel_agentops import judge, outcome, retrieval, task, tool
from otel_agentops.helpers import _outcome
from otel_agentops.testing import Capture

Said = Callable[[], list[str]]
STARTED = 1_700_000_000
RECEIPT = {"otel_agentops.task.id": "t-1", "otel_agentops.task.name": "support"}


def at(seconds: float) -> int:
    """So many seconds after the task's start, in ns."""
    return int((STARTED + seconds) * 1e9)


def attributes(seen: Capture) -> list[dict[str, Any]]:
    assert {event["event_name"] for event in seen.events} <= {"otel_agentops.outcome"}
    return [event["attributes"] for event in seen.events]


def test_outcome_carries_the_whole_receipt(seen: Capture, gpt: openai.OpenAI) -> None:
    with task("support", tenant="acme", retry=True) as run:
        with retrieval("help", version="v7") as query:
            query.documents(["a", "b"])
        for order in ("A-1", "a-1 "):
            with tool("lookup", arguments={"order": order}):
                pass
        ask(gpt)
        with judge("grounded", threshold=0.7) as judgement:
            judgement.score(0.25)
        run.used(["a", "z"])
        run.outcome("escalated")
    receipt = json.loads(json.dumps(run.receipt()))
    outcome(True, receipt=receipt, source="refund", sampling="random")
    (event,) = (event for event in seen.events if event["event_name"] == "otel_agentops.outcome")
    told = event["attributes"]
    root = seen.spans[-1]["attributes"]
    assert event["in_span"] is False
    assert uuid.UUID(told.pop("log.record.uid")).version == 5
    assert 0 <= told.pop("otel_agentops.truth.delay") < 60
    assert told == {
        **EMPTY_TOTALS,
        "otel_agentops.task.id": run.id,
        "otel_agentops.task.name": "support",
        "otel_agentops.task.outcome": "escalated",
        "otel_agentops.task.started_at": root["otel_agentops.task.started_at"],
        "otel_agentops.task.retry": True,
        "otel_agentops.task.llm_calls": 1,
        "otel_agentops.task.llm_attempts": 1,
        "otel_agentops.task.input_tokens": 11,
        "otel_agentops.task.output_tokens": 5,
        "otel_agentops.task.tool_calls": 2,
        "otel_agentops.task.tool_repeats": 2,
        "otel_agentops.task.documents_used": 2,
        "otel_agentops.task.documents_unfounded": 1,
        "otel_agentops.traffic.tenant": "acme",
        "gen_ai.request.model": "gpt-x",
        "gen_ai.response.model": "gpt-x-2026-03-01",
        "otel_agentops.retrieval.indexes": ["help@v7"],
        "otel_agentops.task.values": [
            "model/gpt-x=gpt-x-2026-03-01",
            "index/help=v7",
            f"judge/grounded={told['otel_agentops.judge.revision']}",
            "fingerprint/gpt-x=fp_fake",
        ],
        "gen_ai.evaluation.score.value": 0.25,
        "otel_agentops.judge.name": "grounded",
        "otel_agentops.judge.revision": told["otel_agentops.judge.revision"],
        "otel_agentops.judge.threshold": 0.7,
        "otel_agentops.truth.verdict": "good",
        "otel_agentops.truth.source": "refund",
        "otel_agentops.truth.sampling": "random",
    }
    assert root.items() >= {key: value for key, value in told.items() if ".task." in key}.items()


def test_receipt_inside_the_task_holds_the_facts_so_far(seen: Capture) -> None:
    with task("support") as run:
        with tool("lookup"):
            pass
        before = run.receipt()
        with pytest.raises(ZeroDivisionError), tool("lookup"):
            boom()
    after = run.receipt()
    inside = {
        **EMPTY_TOTALS,
        "otel_agentops.task.id": run.id,
        "otel_agentops.task.name": "support",
        "otel_agentops.task.started_at": after["otel_agentops.task.started_at"],
        "otel_agentops.task.tool_calls": 1,
    }
    assert before == inside
    assert after == {
        **inside,
        "otel_agentops.task.tool_calls": 2,
        "otel_agentops.task.tool_failures": 1,
        "otel_agentops.task.outcome": "completed",
    }


def test_outcome_without_receipt_belongs_to_the_current_task(seen: Capture) -> None:
    with task("support") as run:
        outcome(True, source="check")
        around = run.receipt()
    (told,) = attributes(seen)
    assert told.items() >= around.items()
    assert told["otel_agentops.truth.verdict"] == "good"


def test_receipt_holds_the_last_score_of_each_judge(seen: Capture) -> None:
    with task("support") as run:
        for name, score in (("polite", 0.9), ("grounded", 0.4)):
            with judge(name, threshold=0.5) as judgement:
                judgement.score(score)
                judgement.score(label="only a label")
        with judge("grounded") as of_another:
            of_another.score(1, task={"otel_agentops.task.id": "another"})
    judged = {key: value for key, value in run.receipt().items() if "judge" in key or "evaluation" in key}
    assert judged == {
        "gen_ai.evaluation.score.value": 0.4,
        "otel_agentops.judge.name": "grounded",
        "otel_agentops.judge.revision": seen.events[2]["attributes"]["otel_agentops.judge.revision"],
        "otel_agentops.judge.threshold": 0.5,
    }


@pytest.mark.parametrize("is_async", [False, True])
@pytest.mark.parametrize("good", [True, False])
def test_decorated_outcome_takes_the_returned_verdict(seen: Capture, good: bool, is_async: bool) -> None:
    @outcome(receipt=RECEIPT, source="check", sampling="random")
    def found_out() -> bool:
        return good

    @outcome(receipt=RECEIPT, source="check", sampling="random")
    async def found_out_later() -> bool:
        return good

    assert (asyncio.run(found_out_later()) if is_async else found_out()) is good
    assert attributes(seen) == [
        {
            **RECEIPT,
            "log.record.uid": UID,
            "otel_agentops.truth.verdict": "good" if good else "bad",
            "otel_agentops.truth.source": "check",
            "otel_agentops.truth.sampling": "random",
        }
    ]


UID = "3c5c8d83-c3eb-55f2-98ae-538b62def0f4"  # of task t-1 and source check: it never changes


# -- rework and delay


def test_rework_alone_is_an_outcome(seen: Capture) -> None:
    receipt = {**RECEIPT, "otel_agentops.task.started_at": STARTED}
    outcome(receipt=receipt, source="edit", draft="Dear Ann, all good.", kept="Dear Bob, all good.", timestamp=at(7.5))
    (told,) = attributes(seen)
    del told["log.record.uid"]
    assert told == {
        **receipt,
        "otel_agentops.task.rework": round(3 / 19, 4),
        "otel_agentops.truth.delay": 7.5,
        "otel_agentops.truth.source": "edit",
        "otel_agentops.truth.sampling": "unknown",
    }
    assert "Ann" not in str(told) and "Bob" not in str(told)


async def test_outcome_block_emits_verdict_and_rework_as_one_event(seen: Capture) -> None:
    async with outcome(receipt=RECEIPT, source="edit") as truth:
        truth.rework("abcd", "abcx")
        truth.verdict(False)
        assert seen.events == []
    (told,) = attributes(seen)
    assert (told["otel_agentops.task.rework"], told["otel_agentops.truth.verdict"]) == (0.25, "bad")


def test_outcome_older_than_its_task_has_no_delay(seen: Capture, said: Said) -> None:
    receipt = {**RECEIPT, "otel_agentops.task.started_at": STARTED}
    outcome(True, receipt=receipt, source="x", timestamp=STARTED * 1000)  # ms
    assert "otel_agentops.truth.delay" not in attributes(seen)[0]
    assert said() == ["an outcome is older than its task: timestamp is in nanoseconds since the epoch"]


# -- once


def test_outcome_is_emitted_once_per_source_and_task(seen: Capture, said: Said) -> None:
    other = {**RECEIPT, "otel_agentops.task.id": "t-2"}
    for _ in range(3):
        outcome(True, receipt=RECEIPT, source="survey")
        outcome(True, receipt=RECEIPT, source="refund")
        outcome(True, receipt=other, source="survey")
    told = [(one["otel_agentops.task.id"], one["otel_agentops.truth.source"]) for one in attributes(seen)]
    assert told == [("t-1", "survey"), ("t-1", "refund"), ("t-2", "survey")]
    assert len({one["log.record.uid"] for one in attributes(seen)}) == 3
    assert said() == []


def test_second_verdict_of_a_source_is_only_logged(seen: Capture, said: Said) -> None:
    for good in (True, False, False):
        outcome(good, receipt=RECEIPT, source="survey")
    assert [one["otel_agentops.truth.verdict"] for one in attributes(seen)] == ["good"]
    assert said() == [
        "survey had said otel_agentops.truth.verdict=good of task t-1 and now says bad: the first one stays, for it is "
        "counted; give a correction a source of its own"
    ]


def test_verdict_after_rework_of_a_source_is_a_second_event(seen: Capture) -> None:
    outcome(receipt=RECEIPT, source="edit", draft="a", kept="b")
    outcome(True, receipt=RECEIPT, source="edit", draft="a", kept="b")
    first, second = attributes(seen)
    assert first["log.record.uid"] != second["log.record.uid"]
    assert "otel_agentops.truth.verdict" not in first
    assert "otel_agentops.task.rework" not in second


def test_outcomes_of_an_unknown_task_are_all_emitted(seen: Capture) -> None:
    for _ in range(2):
        outcome(True, receipt={}, source="survey")
    assert ["log.record.uid" in one for one in attributes(seen)] == [False, False]


def test_outcome_memory_is_bounded(seen: Capture, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_outcome, "_MAX_PAIRS", 2)
    for number in (0, 1, 0, 2, 2, 0):  # 0 was told longest ago when 2 came
        outcome(True, receipt={**RECEIPT, "otel_agentops.task.id": str(number)}, source="x")
    assert [one["otel_agentops.task.id"] for one in attributes(seen)] == ["0", "1", "2", "0"]


def test_outcome_from_many_threads_is_emitted_once(seen: Capture) -> None:
    ready = threading.Barrier(8)

    def tell() -> None:
        ready.wait()
        for number in range(20):
            outcome(True, receipt={**RECEIPT, "otel_agentops.task.id": str(number)}, source="x")

    threads = [threading.Thread(target=tell) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(int(one["otel_agentops.task.id"]) for one in attributes(seen)) == list(range(20))


# -- receipts from elsewhere


def test_receipt_numbers_get_their_registered_type(seen: Capture) -> None:
    given = {**RECEIPT, "otel_agentops.task.cost": 0, "otel_agentops.task.llm_calls": 3.0}
    outcome(True, receipt=given, source="x")
    (told,) = attributes(seen)
    assert [type(told[f"otel_agentops.task.{name}"]) for name in ("cost", "llm_calls")] == [float, int]


@pytest.mark.parametrize(
    ("key", "value", "kind"),
    [
        ("otel_agentops.task.llm_calls", "3", "int"),
        ("otel_agentops.task.llm_calls", 2.5, "int"),
        ("otel_agentops.task.llm_calls", 2**64, "int"),
        ("otel_agentops.task.cost", True, "double"),
        ("otel_agentops.task.cost", float("nan"), "double"),
        ("otel_agentops.task.retry", 1, "boolean"),
        ("otel_agentops.task.name", 7, "string"),
        ("otel_agentops.task.outcome", "splendid", "string"),
        ("otel_agentops.retrieval.indexes", "help@v7", "string[]"),
        ("otel_agentops.retrieval.indexes", [1], "string[]"),
        ("otel_agentops.task.started_at", None, "int"),
    ],
)
def test_receipt_value_of_a_wrong_type_is_dropped_with_a_warning(
    seen: Capture, said: Said, key: str, value: Any, kind: str
) -> None:
    outcome(True, receipt={"otel_agentops.task.id": "t-1", key: value}, source="x")
    assert key not in attributes(seen)[0]
    assert said() == [f"{key}={value!r} of a receipt is no {kind} and is left out"]


@pytest.mark.parametrize(
    "key",
    ["otel_agentops.truth.verdict", "otel_agentops.task.rework", "otel_agentops.sli.grounded.bad", "log.record.uid"],
)
def test_receipt_cannot_carry_a_verdict(seen: Capture, said: Said, key: str) -> None:
    outcome(receipt={**RECEIPT, key: "bad"}, source="x", draft="a", kept="a")
    told = attributes(seen)[0]
    assert told["otel_agentops.task.rework"] == 0
    assert told.get(key) != "bad"
    assert said() == [f"{key}: not part of a receipt and left out; keep what task.receipt() gave"]


def test_rework_without_two_texts_is_dropped_with_a_warning(seen: Capture, said: Said) -> None:
    outcome(receipt={}, source="x", draft="only one of two")
    outcome(receipt={}, source="x", draft=b"a", kept=b"b")  # type: ignore[arg-type]
    assert seen.events == []
    assert said() == ["the rework of an outcome is left out: draft and kept have to be two texts"]
