"""The values of variables that a task used: on its root span, its judges' events and its receipt, never content."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context

import openai
import pytest

from otel_agentops import _task_values, judge, outcome, prompt, retrieval, task, tool
from otel_agentops._hashing import identity
from otel_agentops.semconv import attributes as A
from otel_agentops.task_totals import TaskTotals
from otel_agentops.testing import Capture
from otel_agentops.testing.fake_provider import FakeProvider

SECRET = "Account 4711 of Jane Doe"
TOOL = {"type": "function", "function": {"name": "refund", "parameters": {"type": "object"}}}


@pytest.fixture(autouse=True)
def _fresh_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_task_values, "_last_uses", {})


def ask_model(provider: FakeProvider, system: str, model: str = "gpt-5.5") -> None:
    messages = [{"role": "system", "content": system}, {"role": "user", "content": SECRET}]
    with openai.OpenAI(api_key="k", base_url=provider.openai_url) as client:
        client.chat.completions.create(model=model, messages=messages, tools=[TOOL])  # type: ignore[call-overload]


def find_root(seen: Capture) -> dict[str, object]:
    (root,) = [span for span in seen.spans if A.TASK_OUTCOME in span["attributes"]]
    return dict(root["attributes"])


def test_root_and_events_carry_all_values_of_a_task(seen: Capture, provider: FakeProvider) -> None:
    with task("support") as run:
        with prompt("greeting", template="Be kind to {name}"):
            ask_model(provider, SECRET)
        ask_model(provider, "You are terse.")
        with tool("refund", arguments={"of": SECRET}):
            pass
        with retrieval("help-pages", version="2026-11-01") as found:
            found.documents([SECRET])
        with judge("grounded", rubric_version="3", threshold=0.5) as verdict:
            ask_model(provider, "Judge it.", "judge-model")
            verdict.score(0.7)
    spans = [span["attributes"] for span in seen.spans]
    first, second = [span for span in spans if span.get(A.GEN_AI_REQUEST_MODEL) == "gpt-5.5"]
    tool_hash = next(span[A.TOOL_HASH] for span in spans if A.TOOL_HASH in span)
    (event,) = [event["attributes"] for event in seen.events]
    used = [
        f"model/gpt-5.5={first[A.GEN_AI_RESPONSE_MODEL]}",
        f"prompt/support/greeting={identity(['Be kind to {name}'])}",
        f"tools/support={first[A.TOOLS_HASH]}",
        f"prompt/support/unknown={second[A.PROMPT_HASH]}",
        f"tool/refund={tool_hash}",
        "index/help-pages=2026-11-01",
    ]
    details = [
        f"instructions/support/greeting/{identity(['Be kind to {name}'])}={identity([SECRET])}",
        "fingerprint/gpt-5.5=fp_fake",
    ]
    assert list(event[A.TASK_VALUES]) == [*used, *details]
    values = [*used, f"judge/grounded={event[A.JUDGE_REVISION]}", *details]
    assert list(find_root(seen)[A.TASK_VALUES]) == values  # type: ignore[call-overload]
    assert run.receipt()[A.TASK_VALUES] == values
    assert not [value for value in values if any(word in value for word in SECRET.split())]


def test_late_events_carry_the_values_of_the_receipt(seen: Capture, provider: FakeProvider) -> None:
    with task("support") as run:
        ask_model(provider, "You are terse.")
    receipt = run.receipt()
    outcome(True, receipt=receipt, source="review")
    with judge("late", threshold=0.5) as verdict:
        verdict.score(0.2, task=receipt)
    values = find_root(seen)[A.TASK_VALUES]
    assert [event["attributes"][A.TASK_VALUES] for event in seen.events] == [values, values]


def test_task_without_values_says_nothing(seen: Capture) -> None:
    with task("idle"):
        pass
    assert A.TASK_VALUES not in find_root(seen)


def test_unknown_values_are_left_out(seen: Capture) -> None:
    with task("support"):
        with tool("refund"):
            pass
        with retrieval("help-pages"):
            pass
    assert A.TASK_VALUES not in find_root(seen)


def test_equals_signs_inside_are_escaped() -> None:
    values = _task_values.format_values([("model", "a=b", "c=d"), ("prompt", "t/p", "x")])
    assert values == ["model/a%3Db=c%3Dd", "prompt/t/p=x"]


@pytest.mark.parametrize(
    ("count", "expected"), [(14, [f"t{n}" for n in range(14)]), (15, [*(f"t{n}" for n in range(13)), "other"])]
)
def test_a_fifteenth_value_of_a_task_is_other(count: int, expected: list[str]) -> None:
    values = _task_values.format_values(("tool", f"t{number}", "v") for number in range(count))
    assert [value.removeprefix("tool/").removesuffix("=v") for value in values] == expected


def test_a_process_tells_twenty_values_of_a_scope_apart() -> None:
    named = [_task_values.format_values([("prompt", "support", f"h{number}")])[0] for number in range(25)]
    assert named[19:] == ["prompt/support=h19", *["prompt/support=other"] * 5]
    assert _task_values.format_values([("prompt", "sales", "h24"), ("prompt", "support", "h3")]) == [
        "prompt/sales=h24",
        "prompt/support=h3",
    ]


def test_idle_value_makes_room_for_a_new_one(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 0.0
    monkeypatch.setattr(_task_values, "monotonic", lambda: now)
    for number in range(20):
        _task_values.format_values([("prompt", "support", f"h{number}")])
    now = 1800.0
    _task_values.format_values([("prompt", "support", "h0")])
    assert _task_values.format_values([("prompt", "support", "new")]) == ["prompt/support=other"]
    now = 3601.0
    assert _task_values.format_values([("prompt", "support", "new")]) == ["prompt/support=new"]
    assert _task_values.format_values([("prompt", "support", "h0")]) == ["prompt/support=h0"]


def test_scopes_that_are_remembered_are_bounded() -> None:
    for number in range(2500):
        _task_values.format_values([("tool", f"t{number}", "v")])
    assert len(_task_values._last_uses) <= 1000


def test_parallel_branches_lose_no_value(seen: Capture) -> None:
    def use(number: int) -> None:
        with retrieval("docs", version=f"v{number % 5}"):
            pass

    with task("support"), ThreadPoolExecutor(8) as pool:
        for number in range(200):
            pool.submit(copy_context().run, use, number)
    assert set(find_root(seen)[A.TASK_VALUES]) == {f"index/docs=v{number}" for number in range(5)}  # type: ignore[call-overload]


def test_async_branches_share_the_values(seen: Capture, provider: FakeProvider) -> None:
    async def call(system: str) -> None:
        async with openai.AsyncOpenAI(api_key="k", base_url=provider.openai_url) as client:
            messages = [{"role": "system", "content": system}]
            await client.chat.completions.create(model="gpt-5.5", messages=messages)  # type: ignore[call-overload]

    async def run() -> None:
        async with task("support"):
            await asyncio.gather(call("a"), call("b"))

    asyncio.run(run())
    prompts = [value for value in find_root(seen)[A.TASK_VALUES] if value.startswith("prompt/")]  # type: ignore[attr-defined]
    assert len(prompts) == 2


def test_tool_of_a_framework_gets_the_hash_that_was_sent() -> None:
    totals = TaskTotals("support")
    totals.tool_hashes["refund"] = "h1"
    totals.used_identities["tool", "refund", None] = None
    assert totals.list_values() == ["tool/refund=h1"]
