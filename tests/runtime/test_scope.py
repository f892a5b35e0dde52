"""A task's sums count each thing once, whatever the branches; facts travel where they may and nowhere else."""

from __future__ import annotations

import asyncio
import contextvars
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import anthropic
import openai
import pytest
from opentelemetry import baggage, propagate
from opentelemetry import context as otel_context

from otel_agentops import _offered_tools, _telemetry, prompt, retrieval, task, tool
from otel_agentops._config import Config
from otel_agentops._context import NO_SCOPE, Scope, current_scope
from otel_agentops._offered_tools import find_tool_hash, learn_tools
from otel_agentops.semconv import attributes as A
from otel_agentops.testing import Capture
from otel_agentops.testing.fake_provider import FakeProvider, Status

Said = Callable[[], list[str]]
BRANCHES = 8


def ask(client: Any, **more: Any) -> Any:
    return client.chat.completions.create(model="gpt-x", messages=[{"role": "user", "content": "hi"}], **more)


def work(gpt: openai.OpenAI, number: int) -> None:
    """One branch: an agent with two calls, one of them streamed, and a tool, which fails in every other branch."""
    with task(f"worker-{number}"):
        ask(gpt)
        with tool("lookup") as call:
            if number % 2:
                call.fail()
        for _ in ask(gpt, stream=True, stream_options={"include_usage": True}):
            pass


async def async_work(gpt: openai.AsyncOpenAI, number: int) -> None:
    async with task(f"worker-{number}"):
        await ask(gpt)
        async with tool("lookup") as call:
            await asyncio.sleep(0)
            if number % 2:
                call.fail()
        async for _ in await ask(gpt, stream=True, stream_options={"include_usage": True}):
            pass


def totals(seen: Capture, name: str = "invoke_workflow support") -> dict[str, Any]:
    (root,) = (span["attributes"] for span in seen.spans if span["name"] == name)
    sums = {key.rpartition(".")[2]: value for key, value in root.items() if type(value) is int}
    del sums["started_at"]
    return sums


def expected(branches: int = BRANCHES) -> dict[str, int]:
    return {
        "llm_calls": 2 * branches,
        "llm_attempts": 2 * branches,
        "input_tokens": 22 * branches,
        "output_tokens": 10 * branches,
        "tool_calls": branches,
        "tool_failures": branches // 2,
        "agents": branches,
        "depth": 1,
    }


def in_order(gpt: openai.OpenAI) -> None:
    for number in range(BRANCHES):
        work(gpt, number)


def in_threads(gpt: openai.OpenAI) -> None:
    threads = [
        threading.Thread(target=contextvars.copy_context().run, args=(work, gpt, number)) for number in range(BRANCHES)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def in_a_pool(gpt: openai.OpenAI) -> None:
    with ThreadPoolExecutor(3) as pool:
        for done in [pool.submit(contextvars.copy_context().run, work, gpt, n) for n in range(BRANCHES)]:
            done.result()


def in_threads_with_the_opentelemetry_context_alone(gpt: openai.OpenAI) -> None:
    """As `opentelemetry-instrumentation-threading` does it."""
    here = otel_context.get_current()

    def run(number: int) -> None:
        token = otel_context.attach(here)
        work(gpt, number)
        otel_context.detach(token)

    with ThreadPoolExecutor(3) as pool:
        list(pool.map(run, range(BRANCHES)))


def in_threads_of_a_loop(gpt: openai.OpenAI) -> None:
    async def run() -> None:
        await asyncio.gather(*(asyncio.to_thread(work, gpt, number) for number in range(BRANCHES)))

    asyncio.run(run())


@pytest.mark.parametrize(
    "branch",
    [in_order, in_threads, in_a_pool, in_threads_with_the_opentelemetry_context_alone, in_threads_of_a_loop],
)
def test_threads_of_a_task_are_summed_once(
    seen: Capture, gpt: openai.OpenAI, branch: Callable[[openai.OpenAI], None]
) -> None:
    with task("support"):
        branch(gpt)
    assert totals(seen) == expected()
    ids = {span["attributes"]["otel_agentops.task.id"] for span in seen.spans}
    assert len(ids) == 1
    workers = [span for span in seen.spans if span["name"].startswith("invoke_agent")]
    assert {worker["parent"] for worker in workers} == {"invoke_workflow support"}
    assert all("otel_agentops.task.llm_calls" not in worker["attributes"] for worker in workers)


async def gathered(gpt: openai.AsyncOpenAI) -> None:
    await asyncio.gather(*(async_work(gpt, number) for number in range(BRANCHES)))


async def grouped(gpt: openai.AsyncOpenAI) -> None:
    async with asyncio.TaskGroup() as group:
        for number in range(BRANCHES):
            group.create_task(async_work(gpt, number))


@pytest.mark.parametrize(
    "branch",
    [gathered, pytest.param(grouped, marks=pytest.mark.skipif(sys.version_info < (3, 11), reason="Python 3.11"))],
)
async def test_coroutines_of_a_task_are_summed_once(
    seen: Capture, async_gpt: openai.AsyncOpenAI, branch: Callable[..., Any]
) -> None:
    async with task("support"):
        await branch(async_gpt)
    assert totals(seen) == expected()


async def test_mixed_branches_with_retries_and_failures_are_summed(
    seen: Capture, provider: FakeProvider, gpt: openai.OpenAI, async_gpt: openai.AsyncOpenAI
) -> None:
    provider.script(Status(429, retry_after=0.01), Status(500), when=lambda call: call.body.get("user") == "tried")
    provider.script(Status(400), when=lambda call: call.body.get("user") == "refused")

    def in_thread() -> None:
        with ThreadPoolExecutor(2) as pool:
            list(pool.map(lambda n: contexts[n].run(work, gpt, n), range(2)))

    async with task("support"):
        contexts = [contextvars.copy_context() for _ in range(2)]
        await asyncio.gather(asyncio.to_thread(in_thread), async_work(async_gpt, 0), async_work(async_gpt, 1))
        await ask(async_gpt, user="tried")
        with pytest.raises(openai.BadRequestError):
            await ask(async_gpt, user="refused")
    sums = expected(4)
    assert totals(seen) == {
        **sums,
        "llm_calls": sums["llm_calls"] + 2,
        "llm_attempts": sums["llm_attempts"] + 3 + 1,
        "input_tokens": sums["input_tokens"] + 11,
        "output_tokens": sums["output_tokens"] + 5,
    }


def framework_work(seen: Capture, gpt: openai.OpenAI, claude: anthropic.Anthropic) -> None:
    """One branch on a framework that traces itself: agent, model call, tool, and an agent of ours below."""
    tracer = seen.tracer_provider.get_tracer("some.framework")
    with tracer.start_as_current_span("invoke_agent planner"), tracer.start_as_current_span("step"):
        with tracer.start_as_current_span("llm", attributes={A.GEN_AI_OPERATION_NAME: "chat"}):
            ask(gpt)
        with tracer.start_as_current_span("execute_tool lookup"), tool("lookup"), task("researcher"):
            claude.messages.create(model="claude-x", max_tokens=9, messages=[{"role": "user", "content": "hi"}])


@pytest.mark.parametrize("how", ["threads", "loop"])
def test_mixed_framework_and_helper_branches_are_summed_once(
    seen: Capture, gpt: openai.OpenAI, claude: anthropic.Anthropic, how: str
) -> None:
    async def in_loop() -> None:
        await asyncio.gather(*(asyncio.to_thread(framework_work, seen, gpt, claude) for _ in range(BRANCHES)))

    with task("support"):
        if how == "loop":
            asyncio.run(in_loop())
        else:
            with ThreadPoolExecutor(3) as pool:
                contexts = [contextvars.copy_context() for _ in range(BRANCHES)]
                list(pool.map(lambda context: context.run(framework_work, seen, gpt, claude), contexts))
    assert totals(seen) == {
        "llm_calls": 2 * BRANCHES,
        "llm_attempts": 2 * BRANCHES,
        "input_tokens": 22 * BRANCHES,
        "output_tokens": 10 * BRANCHES,
        "tool_calls": BRANCHES,
        "tool_failures": 0,
        "agents": 2 * BRANCHES,
        "depth": 2,
    }
    calls = [span for span in seen.spans if span["attributes"].get("gen_ai.operation.name") == "chat"]
    assert len(calls) == 2 * BRANCHES  # the framework's own span is the call's: there is no second one


def test_nested_agents_are_counted_with_their_depth(seen: Capture) -> None:
    with task("support"), task("a"), task("b"):
        with task("c"):
            pass
        with task("d"):
            pass
    assert (totals(seen)["agents"], totals(seen)["depth"]) == (4, 3)


def test_two_tasks_side_by_side_do_not_mix(seen: Capture, async_gpt: openai.AsyncOpenAI) -> None:
    async def one(name: str, calls: int) -> None:
        async with task(name):
            for _ in range(calls):
                await ask(async_gpt)

    async def both() -> None:
        await asyncio.gather(one("first", 1), one("second", 3))

    asyncio.run(both())
    assert totals(seen, "invoke_workflow first")["llm_calls"] == 1
    assert totals(seen, "invoke_workflow second")["llm_calls"] == 3


def test_unreported_tokens_are_absent_and_not_zero(seen: Capture, gpt: openai.OpenAI) -> None:
    with task("support"):
        for _ in ask(gpt, stream=True):
            pass
    assert totals(seen).items() >= {"llm_calls": 1, "llm_attempts": 1}.items()
    assert not totals(seen).keys() & {"input_tokens", "output_tokens"}


def test_stream_read_after_the_task_has_its_id_and_no_sum(seen: Capture, gpt: openai.OpenAI) -> None:
    with task("support") as run:
        stream = ask(gpt, stream=True, stream_options={"include_usage": True})
    assert len(list(stream)) > 1
    assert totals(seen).items() >= {"llm_calls": 0, "llm_attempts": 0}.items()
    (chat,) = (span["attributes"] for span in seen.spans if span["name"] == "chat gpt-x")
    assert chat.items() >= {"otel_agentops.task.id": run.id, "gen_ai.usage.input_tokens": 11}.items()


def test_thread_without_a_context_has_no_task(seen: Capture, gpt: openai.OpenAI) -> None:
    with task("support"):
        thread = threading.Thread(target=ask, args=(gpt,))
        thread.start()
        thread.join()
    chat = seen.spans[0]
    assert (chat["name"], chat["parent"]) == ("chat gpt-x", None)
    assert "otel_agentops.task.id" not in chat["attributes"]
    sums = totals(seen)
    assert ("llm_calls" in sums, sums["unattributed"]) == (False, 1)


def test_failed_blocks_restore_the_context(seen: Capture) -> None:
    before = otel_context.get_current()
    with pytest.raises(ZeroDivisionError), task("a"), prompt(template="x"), tool("t"), retrieval("i"):
        raise ZeroDivisionError
    assert current_scope() is NO_SCOPE
    assert otel_context.get_current() == before


# -- tools that were offered


def test_tool_hashes_without_a_task_stay_in_their_context(seen: Capture) -> None:
    learn_tools({"lookup": "h1"}, None)
    learn_tools({"refund": "h2"}, None)
    assert [find_tool_hash(name) for name in ("lookup", "refund", "other")] == ["h1", "h2", None]
    assert contextvars.Context().run(find_tool_hash, "lookup") is None
    with task("support"):
        assert find_tool_hash("lookup") is None


def test_tool_hashes_without_a_task_are_bounded(seen: Capture) -> None:
    def learn() -> int:
        for number in range(5000):
            learn_tools({f"tool-{number}": "h"}, None)
        return len(_offered_tools._HASHES.get() or ())

    assert contextvars.Context().run(learn) <= _offered_tools._MAX_TOOLS
    assert contextvars.Context().run(find_tool_hash, "tool-1") is None


# -- baggage


@pytest.fixture
def travelling(seen: Capture) -> Iterator[Callable[[str], None]]:
    """Sets which groups of facts travel, as OTEL_AGENTOPS_BAGGAGE does."""

    def set_groups(*groups: str) -> None:
        telemetry = _telemetry.get_default()
        _telemetry.replace_default(_telemetry.Telemetry(Config(baggage=frozenset(groups)), **seen.providers))
        stack.append(telemetry)

    stack: list[Any] = []
    yield set_groups
    for telemetry in reversed(stack):
        _telemetry.replace_default(telemetry)


def told() -> dict[str, str]:
    """The baggage that an outgoing request would carry, by name."""
    carrier: dict[str, str] = {}
    propagate.inject(carrier)
    return dict(item.split("=", 1) for item in carrier.get("baggage", "").split(",") if item)


EVERYTHING = {"tenant": "acme", "segment": "web", "intent": "refund", "stage": "canary", "route": "eu"}


def test_baggage_holds_task_id_and_name_by_default(seen: Capture) -> None:
    with task("support", **EVERYTHING) as run:
        assert told() == {"otel_agentops.task.id": run.id, "otel_agentops.task.name": "support"}
        with prompt(template="x"), tool("t"), task("agent", segment="inner"):
            assert told() == {"otel_agentops.task.id": run.id, "otel_agentops.task.name": "support"}
    assert told() == {}


@pytest.mark.parametrize(
    ("groups", "facts"),
    [
        ((), set()),
        (("traffic",), {"traffic.segment", "traffic.intent"}),
        (("tenant",), {"traffic.tenant"}),
        (("task", "rollout"), {"task.id", "task.name", "rollout.stage", "rollout.route"}),
    ],
)
def test_baggage_holds_the_configured_groups(
    travelling: Callable[..., None], groups: tuple[str, ...], facts: set[str]
) -> None:
    travelling(*groups)
    with task("support", **EVERYTHING):
        assert told().keys() == {f"otel_agentops.{fact}" for fact in facts}


def test_model_provider_gets_none_of_our_baggage(
    seen: Capture, gpt: openai.OpenAI, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An HTTP instrumentation injects where the request is sent: as this hook of the client's own does."""
    sent: list[dict[str, str]] = []
    gpt._client.event_hooks["request"].append(lambda request: sent.append(told()))
    token = otel_context.attach(baggage.set_baggage("shop", "1"))
    with task("support") as run:
        ask(gpt)
        for _ in ask(gpt, stream=True):
            assert told()["otel_agentops.task.id"] == run.id
        after = told()
    otel_context.detach(token)
    assert sent == [{"shop": "1"}, {"shop": "1"}]
    assert after == {"shop": "1", "otel_agentops.task.id": run.id, "otel_agentops.task.name": "support"}


def test_overlong_baggage_value_is_dropped_with_a_warning(seen: Capture, said: Said) -> None:
    with task("support", id="x" * 300):
        assert told() == {"otel_agentops.task.name": "support"}
    assert said() == ["a otel_agentops.task.id of more than 256 characters stays in this service"]


def arrived(**facts: Any) -> Scope:
    """The scope of a request that comes with this baggage."""
    context = otel_context.Context()
    for name, value in facts.items():
        context = baggage.set_baggage(f"otel_agentops.{name.replace('__', '.')}", value, context)
    token = otel_context.attach(context)
    try:
        return contextvars.copy_context().run(current_scope)
    finally:
        otel_context.detach(token)


def test_incoming_baggage_sets_the_task(seen: Capture) -> None:
    scope = arrived(task__id="t1", task__name="support", traffic__tenant="acme", rollout__stage="canary", other="x")
    assert scope == Scope(facts={A.TASK_ID: "t1", A.TASK_NAME: "support"})


def test_incoming_baggage_of_other_groups_is_ignored(travelling: Callable[..., None]) -> None:
    travelling("tenant", "rollout")
    scope = arrived(task__id="t1", task__name="support", traffic__tenant="acme", rollout__stage="canary")
    assert scope.facts == {A.TRAFFIC_TENANT: "acme", A.ROLLOUT_STAGE: "canary"}
    travelling()
    assert arrived(task__id="t1", task__name="support") is NO_SCOPE


@pytest.mark.parametrize("rubbish", ["", "x" * 257, "a\nb", "a\x00", 5, None, {"a": 1}])
def test_invalid_baggage_is_ignored(seen: Capture, rubbish: object) -> None:
    assert arrived(task__id=rubbish, task__name="support") is NO_SCOPE
    assert arrived(task__id="t1", task__name=rubbish) is NO_SCOPE
    assert arrived(task__id="t1") is NO_SCOPE


def test_incoming_task_names_are_limited(seen: Capture, said: Said) -> None:
    scopes_seen = [arrived(task__id=f"t{number}", task__name=f"name-{number}") for number in range(500)]
    believed = {scope.facts.get(A.TASK_NAME) for scope in scopes_seen} - {None}
    assert len(believed) == 200
    assert arrived(task__id="t1000", task__name="name-0").facts[A.TASK_NAME] == "name-0"
    (sentence,) = said()
    assert sentence.startswith("more than 200 different values of otel_agentops.task.name came as baggage")


def test_second_installation_does_not_take_over_the_helpers(seen: Capture) -> None:
    """Another installation with other providers gets its own calls; the helpers stay with the first."""
    other = Capture()
    installed = _telemetry.install(**other.providers)
    assert installed is not _telemetry.get_default()
    assert installed is _telemetry.install(**other.providers)
    with task("support"):
        pass
    assert ([span["name"] for span in seen.spans], other.spans) == (["invoke_workflow support"], [])
