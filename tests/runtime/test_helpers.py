"""Each verb as context manager and decorator, sync and async: whole spans and whole events."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Callable, Iterator
from typing import Any

import openai
import pytest
from helper_spans import EMPTY_TOTALS, HASH, ask, boom, root, without_ids
from opentelemetry import trace

from otel_agentops import _telemetry, change, judge, outcome, prompt, retrieval, task, tool
from otel_agentops._config import Config
from otel_agentops._hashing import identity
from otel_agentops.testing import Capture
from otel_agentops.testing.fake_provider import FakeProvider, Status

Said = Callable[[], list[str]]
# -- every verb, every way


FACTS = {
    "otel_agentops.tool.effect": "write",
    "otel_agentops.tool.tier": "high",
    "otel_agentops.tool.version": "3",
    "otel_agentops.tool.hash": HASH,
    "gen_ai.tool.call.id": "call_1",
}
TEXT = {
    "otel_agentops.tool.result.shape": identity(["$: text"]),
    "otel_agentops.tool.result.empty": False,
}
VERBS = {
    "task": (lambda: task("support", tenant="acme", segment="web", intent="refund", stage="canary", route="eu"), root(
        **{
            "otel_agentops.traffic.tenant": "acme",
            "otel_agentops.traffic.segment": "web",
            "otel_agentops.traffic.intent": "refund",
            "otel_agentops.rollout.stage": "canary",
            "otel_agentops.rollout.route": "eu",
        }
    )),
    "tool": (lambda: tool(
        "refund", schema={"type": "object"}, description="Gives money back.", version="3", effect="write",
        tier="high", call_id="call_1",
    ), {
        "name": "execute_tool refund",
        "kind": "INTERNAL",
        "status": "UNSET",
        "parent": None,
        "attributes": {
            "gen_ai.operation.name": "execute_tool",
            "gen_ai.tool.name": "refund",
            "gen_ai.tool.type": "function",
            **FACTS,
        },
    }),
    "retrieval": (lambda: retrieval(
        "help-pages", version="v7", embedding_model="e-3", built_at="2026-11-01T00:00:00Z", top_k=4
    ), {
        "name": "retrieval help-pages",
        "kind": "CLIENT",
        "status": "UNSET",
        "parent": None,
        "attributes": {
            "gen_ai.operation.name": "retrieval",
            "gen_ai.data_source.id": "help-pages",
            "gen_ai.retrieval.top_k": 4,
            "otel_agentops.index.name": "help-pages",
            "otel_agentops.index.version": "v7",
            "otel_agentops.index.embedding_model": "e-3",
            "otel_agentops.index.built_at": "2026-11-01T00:00:00Z",
            "otel_agentops.index.source": "declared",
        },
    }),
}  # fmt: skip


def with_block(block: Any, body: Callable[[], Any]) -> Any:
    with block:
        return body()


def with_async_block(block: Any, body: Callable[[], Any]) -> Any:
    async def run() -> Any:
        async with block:
            await asyncio.sleep(0)
            return body()

    return asyncio.run(run())


def decorated(block: Any, body: Callable[[], Any]) -> Any:
    return block(body)()


def async_decorated(block: Any, body: Callable[[], Any]) -> Any:
    async def run() -> Any:
        await asyncio.sleep(0)
        return body()

    return asyncio.run(block(run)())


every_way = pytest.mark.parametrize("way", [with_block, with_async_block, decorated, async_decorated])
every_verb = pytest.mark.parametrize("verb", VERBS)


@every_way
@every_verb
def test_each_verb_makes_one_whole_span(seen: Capture, verb: str, way: Callable[..., Any]) -> None:
    make, expected = VERBS[verb]
    assert way(make(), lambda: "result") == "result"
    if verb == "tool" and way in {decorated, async_decorated}:  # the result of a block is not known
        expected = {**expected, "attributes": {**expected["attributes"], **TEXT}}
    assert [without_ids(span) for span in seen.spans] == [expected]


@every_way
@every_verb
def test_error_passes_unchanged_and_its_text_is_not_recorded(seen: Capture, verb: str, way: Callable[..., Any]) -> None:
    make, expected = VERBS[verb]
    with pytest.raises(ZeroDivisionError) as raised:
        way(make(), boom)
    assert raised.value.__context__ is None and raised.value.__cause__ is None
    failed = {"error.type": "ZeroDivisionError"}
    if verb == "task":
        failed["otel_agentops.task.outcome"] = "failed"
    attributes = {**expected["attributes"], **failed}
    assert [without_ids(span) for span in seen.spans] == [{**expected, "status": "ERROR", "attributes": attributes}]
    assert all(not span.events and span.status.description is None for span in seen.finished_spans)


@pytest.mark.parametrize("way", [decorated, async_decorated])
def test_decorated_function_keeps_its_name_with_a_task_per_call(seen: Capture, way: Callable[..., Any]) -> None:
    @task("support")
    def answer(question: str) -> str:
        """Says something."""
        return question.upper()

    assert (answer.__name__, answer.__doc__) == ("answer", "Says something.")
    assert [answer("a"), answer(question="b")] == ["A", "B"]
    ids = {span["attributes"]["otel_agentops.task.id"] for span in seen.spans}
    assert len(ids) == 2


def test_decorating_a_generator_raises_type_error() -> None:
    def stream() -> Iterator[str]:
        yield "a"

    with pytest.raises(TypeError, match=r"@task cannot decorate the generator .*stream; use `with task\(...\)` inside"):
        task("support")(stream)


# -- task


@pytest.mark.parametrize(
    ("error", "ending"),
    [(asyncio.CancelledError, "cancelled"), (KeyboardInterrupt, "cancelled"), (SystemExit, "cancelled"),
     (TimeoutError, "failed")],
)  # fmt: skip
def test_cancellation_is_not_a_failed_task(seen: Capture, error: type[BaseException], ending: str) -> None:
    with pytest.raises(error), task("support"):
        raise error
    assert seen.spans[0]["attributes"]["otel_agentops.task.outcome"] == ending


def test_task_in_an_unfinished_generator_is_cancelled(seen: Capture) -> None:
    def stream() -> Iterator[int]:
        with task("support"):
            yield 1
            yield 2

    for _ in stream():
        break
    assert seen.spans[0]["attributes"]["otel_agentops.task.outcome"] == "cancelled"


def test_declared_outcome_wins_over_an_exception(seen: Capture) -> None:
    with pytest.raises(ZeroDivisionError), task("support") as run:
        run.outcome("escalated")
        boom()
    assert seen.spans[0]["attributes"]["otel_agentops.task.outcome"] == "escalated"


def test_id_takes_no_number_of_the_application(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(uuid, "uuid4", lambda: pytest.fail("a test of an application counts these"))
    with task("support") as run:
        assert run.id


def test_task_keeps_the_id_of_the_application(seen: Capture) -> None:
    given = uuid.uuid4()
    with task("support", id=given, tenant=7) as run:  # type: ignore[arg-type]
        assert run.id == str(given)
    attributes = seen.spans[0]["attributes"]
    assert attributes["otel_agentops.task.id"] == str(given)
    assert attributes["otel_agentops.traffic.tenant"] == "7"


def test_reused_task_object_makes_two_tasks(seen: Capture) -> None:
    block = task("support")
    with block as run:
        run.outcome("failed")
    with block:
        pass
    first, second = (span["attributes"] for span in seen.spans)
    assert first["otel_agentops.task.id"] != second["otel_agentops.task.id"]
    assert [first["otel_agentops.task.outcome"], second["otel_agentops.task.outcome"]] == ["failed", "completed"]


def test_reentered_task_object_stays_one_task(seen: Capture, said: Said) -> None:
    block = task("support")
    with block:
        with block:
            pass
        assert trace.get_current_span().is_recording()
        assert seen.spans == []
    assert [span["name"] for span in seen.spans] == ["invoke_workflow support"]
    assert said() == [
        "a task(...) is entered again before it has ended and goes on as one; make a new one for each run"
    ]
    assert trace.get_current_span() is trace.INVALID_SPAN


def test_nested_agent_has_no_outcome(seen: Capture, said: Said) -> None:
    with task("support") as outer, task("planner") as agent:
        agent.outcome("failed")
        assert agent.id == outer.id
    planner, support = seen.spans
    assert planner == {
        "name": "invoke_agent planner",
        "kind": "INTERNAL",
        "status": "UNSET",
        "parent": "invoke_workflow support",
        "attributes": {
            "gen_ai.agent.name": "planner",
            "gen_ai.operation.name": "invoke_agent",
            "otel_agentops.task.id": outer.id,
            "otel_agentops.task.name": "support",
        },
    }
    assert without_ids(support) == root(**{"otel_agentops.task.agents": 1, "otel_agentops.task.depth": 1})
    assert said() == [
        "the outcome of 'planner' is left out: it is an agent of another task here, and only the task's own block has "
        "an outcome"
    ]


def test_receipt_holds_facts_of_the_answer_not_of_the_judge(seen: Capture, gpt: openai.OpenAI, claude: Any) -> None:
    weather = {"type": "function", "function": {"name": "weather", "parameters": {"type": "object"}}}
    with task("support", segment="web") as run:
        with retrieval("help", version="v7"), retrieval("help", version="v7"):
            gpt.embeddings.create(model="embed-x", input="hi")
        ask(gpt, tools=[weather], temperature=0)
        with judge("grounded", model="claude-x") as judgement:
            judgement.skip()
            claude.messages.create(model="claude-x", max_tokens=9, messages=[{"role": "user", "content": "ok?"}])
        with task("planner", segment="inner") as agent:
            inner = agent.receipt()
        run.outcome("escalated")
        receipt = run.receipt()
    assert run.receipt() == receipt
    chat = next(span["attributes"] for span in seen.spans if span["name"] == "chat gpt-x")
    hashes = {key: chat[key] for key in ("otel_agentops.tools.hash", "otel_agentops.params.hash")}
    assert receipt == {
        **EMPTY_TOTALS,
        "otel_agentops.task.llm_calls": 2,
        "otel_agentops.task.llm_attempts": 2,
        "otel_agentops.task.input_tokens": 12,
        "otel_agentops.task.output_tokens": 5,
        "otel_agentops.task.agents": 1,
        "otel_agentops.task.depth": 1,
        "otel_agentops.task.started_at": seen.spans[-1]["attributes"]["otel_agentops.task.started_at"],
        "otel_agentops.task.id": run.id,
        "otel_agentops.task.name": "support",
        "otel_agentops.task.outcome": "escalated",
        "otel_agentops.traffic.segment": "web",
        "gen_ai.request.model": "gpt-x",
        "gen_ai.response.model": "gpt-x-2026-03-01",
        "otel_agentops.retrieval.indexes": ["help@v7"],
        "otel_agentops.task.values": [
            "model/embed-x=embed-x",
            "model/gpt-x=gpt-x-2026-03-01",
            f"tools/support={chat['otel_agentops.tools.hash']}",
            "index/help=v7",
            f"params/embed-x={identity({'encoding_format': 'base64'})}",
            f"params/gpt-x={chat['otel_agentops.params.hash']}",
            "fingerprint/gpt-x=fp_fake",
        ],
        **hashes,
    }
    assert inner["otel_agentops.traffic.segment"] == "inner"
    assert inner["gen_ai.response.model"] == "gpt-x-2026-03-01"


# -- prompt


def test_declared_template_is_the_prompt_of_calls_inside(seen: Capture, gpt: openai.OpenAI) -> None:
    for name in ("Ann", "Bo"):
        with prompt("greeting", template="Greet {name}.", version="3", variables={"name": name}) as template:
            assert template.text == f"Greet {name}."
            gpt.chat.completions.create(model="gpt-x", messages=[{"role": "system", "content": template.text}])
    ask(gpt)
    first, second, outside = (span["attributes"] for span in seen.spans)
    sent = [span.pop("otel_agentops.prompt.sent.hash") for span in (first, second)]
    assert sent == [identity(["Greet Ann."]), identity(["Greet Bo."])]
    assert first == second
    assert first["otel_agentops.prompt.source"] == "template"
    assert first["gen_ai.prompt.name"] == "greeting"
    assert first["gen_ai.prompt.version"] == "3"
    assert first["otel_agentops.prompt.hash"] == _telemetry.get_default().identities.hash_prompt(("Greet {name}.",))
    assert outside["otel_agentops.prompt.source"] == "none"


def test_prompt_without_text_is_identified_by_name_and_version(seen: Capture, gpt: openai.OpenAI) -> None:
    for version in ("3", "4", 4, None):
        with prompt("greeting", version=version):  # type: ignore[arg-type]
            ask(gpt)
    three, four, number, unknown = (span["attributes"].get("otel_agentops.prompt.hash") for span in seen.spans)
    assert three != four == number
    assert unknown is None


async def test_prompt_decorates_a_coroutine(seen: Capture, async_gpt: openai.AsyncOpenAI) -> None:
    @prompt("greeting", template="Be kind.")
    async def greet() -> None:
        await ask(async_gpt)  # type: ignore[arg-type]

    await greet()
    assert seen.spans[0]["attributes"]["gen_ai.prompt.name"] == "greeting"


def test_missing_template_variable_raises_key_error() -> None:
    with pytest.raises(KeyError, match="name"):
        _ = prompt(template="Greet {name}.", variables={"nme": "Ann"}).text


# -- tool


def test_tool_reports_a_failure_without_raising(seen: Capture) -> None:
    with task("support"), tool("lookup") as call:
        call.fail("not_found")
    lookup, support = seen.spans
    assert (lookup["status"], lookup["attributes"]["error.type"]) == ("ERROR", "not_found")
    assert support["attributes"]["otel_agentops.task.tool_failures"] == 1


def test_tool_carries_the_hash_offered_to_the_model(seen: Capture, gpt: openai.OpenAI) -> None:
    schema = {"type": "object", "properties": {"id": {"type": "string"}}}
    offered = {"name": "lookup", "description": "Finds an order.", "parameters": schema}
    with task("support"):
        with tool("lookup"):
            pass
        ask(gpt, tools=[{"type": "function", "function": offered}])
        with tool("lookup"), tool("other"):
            pass
    with tool("lookup", schema=schema, description="Finds an order."):
        pass
    before, chat, other, lookup, _, declared = (span["attributes"] for span in seen.spans)
    assert "otel_agentops.tool.hash" not in before
    assert "otel_agentops.tool.hash" not in other
    assert chat["otel_agentops.tools.versions"] == [f"lookup@{lookup['otel_agentops.tool.hash']}"]
    assert declared["otel_agentops.tool.hash"] == lookup["otel_agentops.tool.hash"]


# -- retrieval


@pytest.mark.parametrize(("found", "count"), [([], 0), (["a", "b"], 2), (3, 3), ({"a": 1}, 1), ("a", 1)])
def test_documents_are_counted_and_not_recorded(seen: Capture, found: Any, count: int) -> None:
    with retrieval("help") as query:
        query.documents(found)
    attributes = seen.spans[0]["attributes"]
    assert attributes["otel_agentops.retrieval.document.count"] == count
    assert attributes["otel_agentops.index.source"] == "unknown"
    assert "otel_agentops.index.version" not in attributes


async def test_decorated_search_counts_the_list_it_returns(seen: Capture) -> None:
    @retrieval("help", version="1")
    async def search(words: str) -> list[str]:
        return words.split()

    @retrieval("help", version="1")
    def title(words: str) -> str:
        return words

    assert (await search("a b c"), title("abc")) == (["a", "b", "c"], "abc")
    counts = [span["attributes"].get("otel_agentops.retrieval.document.count") for span in seen.spans]
    assert counts == [3, None]


def test_model_call_names_the_indexes_that_fed_it(seen: Capture, gpt: openai.OpenAI) -> None:
    with task("support"):
        with retrieval("help", version="v7"), retrieval("faq"):
            pass
        with pytest.raises(ZeroDivisionError), retrieval("news", version="1"):
            boom()
        ask(gpt)
    chat = next(span["attributes"] for span in seen.spans if span["name"] == "chat gpt-x")
    assert chat["otel_agentops.retrieval.indexes"] == ["faq@unknown", "help@v7"]


# -- judge


CONFIGURATION: dict[str, Any] = {
    "model": "claude-x", "prompt": "Grade it.", "rubric_version": "3", "threshold": 0.7, "params": {"temperature": 0},
}  # fmt: skip
JUDGED = {
    "gen_ai.evaluation.name": "grounded",
    "otel_agentops.judge.name": "grounded",
    "otel_agentops.judge.revision": HASH,
    "otel_agentops.judge.prompt.hash": HASH,
    "otel_agentops.judge.params.hash": HASH,
    "otel_agentops.judge.rubric.version": "3",
    "otel_agentops.judge.threshold": 0.7,
}


IDENTITIES = {
    "otel_agentops.task.id", "otel_agentops.task.name", "otel_agentops.traffic.segment", "gen_ai.request.model",
    "gen_ai.response.model", "otel_agentops.params.hash",
}  # fmt: skip


RECEIPT = {"otel_agentops.task.name": "support", "gen_ai.response.model": "gpt-x-2026-03-01"}


def verdict(in_span: bool = False, **attributes: Any) -> dict[str, Any]:
    return {"event_name": "gen_ai.evaluation.result", "in_span": in_span, "attributes": {**JUDGED, **attributes}}


def silence(**attributes: Any) -> dict[str, Any]:
    """Return the event of a judge that ended without a verdict, and whose model did not answer."""
    event = verdict(**{**attributes, "error.type": "no_verdict"})
    del event["attributes"]["otel_agentops.judge.revision"]  # a failure is no other judge
    return event


def test_verdict_is_an_event_with_the_facts_of_its_task(seen: Capture, gpt: openai.OpenAI, claude: Any) -> None:
    with task("support", segment="web") as run:
        answer = ask(gpt)
        with judge("grounded", **CONFIGURATION) as judgement:
            claude.messages.create(model="claude-x", max_tokens=9, messages=[{"role": "user", "content": "ok?"}])
            judgement.score(1, label="pass", response_id=answer.id)
        receipt = run.receipt()
    (event,) = seen.events
    assert without_ids(event) == without_ids(
        verdict(
            in_span=True,
            **{key: value for key, value in receipt.items() if key in IDENTITIES},
            **{
                "gen_ai.evaluation.score.value": 1.0,
                "gen_ai.evaluation.score.label": "pass",
                "gen_ai.response.id": answer.id,
                "otel_agentops.judge.model": "claude-x-20260301",
                "otel_agentops.task.values": ["model/gpt-x=gpt-x-2026-03-01", "fingerprint/gpt-x=fp_fake"],
            },
        )
    )
    grading = next(span["attributes"] for span in seen.spans if span["name"] == "chat claude-x")
    answered = ("otel_agentops.judge.model", "otel_agentops.judge.revision")  # not known when the span starts
    facts = event["attributes"].items()
    judged = {key: value for key, value in facts if ".judge." in key and key not in answered}
    assert grading.items() >= judged.items()
    assert answered[1] not in grading


def test_agent_and_tools_of_a_judge_are_its_own(seen: Capture, gpt: openai.OpenAI) -> None:
    """They are in no sum of the task, whose agents and tools are counted."""
    with task("support") as run, judge("grounded", **CONFIGURATION) as judgement:
        with task("checker"), tool("lookup"), retrieval("facts", version="1"):
            ask(gpt)
        judgement.score(1)
    assert run.receipt().items() >= EMPTY_TOTALS.items()
    assert "otel_agentops.task.values" not in run.receipt() or [
        value.partition("/")[0] for value in run.receipt()["otel_agentops.task.values"]
    ] == ["judge"]
    judged = [span["attributes"].get("otel_agentops.judge.name") for span in seen.spans]
    assert judged == ["grounded"] * 4 + [None]


def test_agent_of_a_judge_is_no_task(seen: Capture, gpt: openai.OpenAI) -> None:
    with judge("grounded", **CONFIGURATION) as judgement:
        with task("checker"):
            ask(gpt)
        judgement.score(1)
    agent = seen.spans[-1]
    assert agent["name"] == "invoke_agent checker"
    assert not any("outcome" in key or "llm_calls" in key for key in agent["attributes"])
    assert agent["attributes"]["otel_agentops.judge.name"] == "grounded"


def test_late_judgement_carries_the_receipt_not_its_own_task(seen: Capture) -> None:
    with task("nightly-grading", segment="batch"), judge("grounded", **CONFIGURATION) as judgement:
        judgement.score(0.25, task={**RECEIPT, "otel_agentops.task.llm_calls": 3})
    expected = verdict(in_span=True, **RECEIPT, **{"gen_ai.evaluation.score.value": 0.25})
    assert [without_ids(event) for event in seen.events] == [expected]


@pytest.mark.parametrize("way", [decorated, async_decorated])
def test_decorated_judge_returns_its_score(seen: Capture, way: Callable[..., Any]) -> None:
    assert way(judge("grounded", **CONFIGURATION), lambda: 1) == 1
    assert way(judge("grounded", **CONFIGURATION), lambda: True) is True  # no score
    expected = [verdict(**{"gen_ai.evaluation.score.value": 1.0}), silence()]
    assert [without_ids(event) for event in seen.events] == expected


def test_failed_judge_has_an_error_and_no_score(seen: Capture) -> None:
    with pytest.raises(ZeroDivisionError), judge("grounded", **CONFIGURATION):
        boom()
    expected = verdict(**{"error.type": "ZeroDivisionError"})
    del expected["attributes"]["otel_agentops.judge.revision"]  # no model answered: a failure is no other judge
    assert [without_ids(event) for event in seen.events] == [expected]


def say_nothing(judgement: judge) -> None:
    pass


def score_nothing(judgement: judge) -> None:
    """Record a first try without a number, then a second one."""
    for _ in range(2):
        judgement.score(None, response_id="resp_1", task=RECEIPT)


def score_no_number(judgement: judge) -> None:
    judgement.score(float("nan"), task=RECEIPT)


@pytest.mark.parametrize(
    ("fall_silent", "facts"),
    [(say_nothing, {}), (score_nothing, {**RECEIPT, "gen_ai.response.id": "resp_1"}), (score_no_number, RECEIPT)],
)
def test_judge_that_falls_silent_is_counted_once(
    seen: Capture, fall_silent: Callable[[judge], None], facts: dict[str, Any]
) -> None:
    with judge("grounded", **CONFIGURATION) as judgement:
        fall_silent(judgement)
    assert [without_ids(event) for event in seen.events] == [silence(**facts)]


def test_verdict_after_a_silent_try_is_the_only_one(seen: Capture) -> None:
    with judge("grounded", **CONFIGURATION) as judgement:
        judgement.score(None)
        judgement.score(1)
    assert [without_ids(event) for event in seen.events] == [verdict(**{"gen_ai.evaluation.score.value": 1.0})]


def test_judge_that_does_not_apply_has_no_verdict(seen: Capture) -> None:
    with judge("grounded", **CONFIGURATION) as judgement:
        judgement.skip()
    assert seen.events == []


def list_revisions(seen: Capture) -> list[str | None]:
    return [event["attributes"].get("otel_agentops.judge.revision") for event in seen.events]


def revise(**more: Any) -> str:
    """Return the revision of a judge on gpt-x with the rubric `Grade it.`."""
    declared = {"model": "gpt-x", "prompt": identity(["Grade it."])}
    return identity([{**declared, "resolved_models": ["gpt-x-2026-03-01"], **more}])


def grade(gpt: openai.OpenAI, rubric: str, declared: str | None = "Grade it.") -> None:
    with judge("grounded", model="gpt-x", prompt=declared) as judgement:
        messages = [{"role": "system", "content": rubric}, {"role": "user", "content": "Is this right?"}]
        gpt.chat.completions.create(model="gpt-x", messages=messages)  # type: ignore[arg-type]
        judgement.score(0.5)


def test_rubric_as_declared_is_the_judges_alone(seen: Capture, gpt: openai.OpenAI) -> None:
    with task("support") as run:
        grade(gpt, "Grade it.")
    assert list_revisions(seen) == [revise()]
    assert run.receipt()["otel_agentops.task.values"] == [f"judge/grounded={revise()}"]
    (chat,) = [span["attributes"] for span in seen.spans if span["name"] == "chat gpt-x"]
    assert chat["otel_agentops.prompt.source"] == "judge"
    assert "otel_agentops.prompt.hash" not in chat


def test_sent_rubric_counts_from_its_third_verdict(seen: Capture, gpt: openai.OpenAI) -> None:
    for rubric in ("Grade it.", *["Be strict."] * 4, *["Be lenient."] * 3):
        grade(gpt, rubric)
    strict, lenient = (revise(sent_prompt=identity([text])) for text in ("Be strict.", "Be lenient."))
    assert list_revisions(seen) == [*[revise()] * 3, *[strict] * 4, lenient]


def test_rubric_with_the_judged_answer_is_no_revision(seen: Capture, gpt: openai.OpenAI) -> None:
    for number in range(6):
        grade(gpt, f"Grade answer {number}.", "Grade answer {number}.")
    assert len(set(list_revisions(seen))) == 1


def test_judge_whose_model_does_not_answer_has_no_revision(
    seen: Capture, gpt: openai.OpenAI, provider: FakeProvider
) -> None:
    provider.script(Status(400))
    with pytest.raises(openai.BadRequestError):
        grade(gpt, "Grade it.")
    assert list_revisions(seen) == [None]


def test_judge_model_is_unknown_without_a_model_call(seen: Capture) -> None:
    with judge("grounded", **CONFIGURATION) as judgement:
        judgement.score(0.5)
    assert "otel_agentops.judge.model" not in seen.events[0]["attributes"]


def test_every_part_of_a_judges_configuration_moves_its_revision(seen: Capture) -> None:
    changed = {"model": "claude-y", "prompt": "Grade!", "rubric_version": "4", "threshold": 0.8, "params": {"seed": 1}}
    for one in [{}, {}, *({key: value} for key, value in changed.items())]:
        with judge("grounded", **{**CONFIGURATION, **one}) as judgement:
            judgement.score(0.5)
    revisions = [event["attributes"]["otel_agentops.judge.revision"] for event in seen.events]
    assert revisions[0] == revisions[1]
    assert len(set(revisions)) == 1 + len(changed)


# -- change


def test_declared_change_is_one_event(seen: Capture) -> None:
    change("index", scope="help", value="v8", previous="v7")
    with task("deploy", stage="canary") as run:
        change("model", scope="gpt-x", value="gpt-x-2026-09-01")
    first, second = seen.events
    assert first == {
        "event_name": "otel_agentops.change",
        "in_span": False,
        "attributes": {
            "otel_agentops.change.variable": "index",
            "otel_agentops.change.scope": "help",
            "otel_agentops.change.value": "v8",
            "otel_agentops.change.previous": "v7",
            "otel_agentops.change.source": "declared",
        },
    }
    assert second["attributes"].items() >= {
        "otel_agentops.rollout.stage": "canary", "otel_agentops.task.id": run.id,
    }.items()  # fmt: skip
    assert "otel_agentops.change.previous" not in second["attributes"]


def test_failed_or_silent_block_emits_no_outcome_and_no_change(seen: Capture) -> None:
    with outcome(receipt={}, source="x"):
        pass
    with pytest.raises(KeyError), outcome(receipt={}, source="x") as truth:
        truth.verdict(True)
        raise KeyError
    with change("index", scope="help"):
        pass
    with pytest.raises(KeyError), change("index", scope="help") as moved:
        moved.to("v8")
        raise KeyError
    assert seen.events == []


async def test_outcome_and_change_blocks_emit_at_their_end(seen: Capture) -> None:
    async with outcome(receipt={"otel_agentops.task.id": "1"}, source="survey") as truth:
        truth.verdict(True)
    async with change("index", scope="help", previous="v7") as moved:
        moved.to("v8")
    told, changed = (event["attributes"] for event in seen.events)
    assert (told["otel_agentops.task.id"], told["otel_agentops.truth.verdict"]) == ("1", "good")
    assert (changed["otel_agentops.change.previous"], changed["otel_agentops.change.value"]) == ("v7", "v8")


@pytest.mark.parametrize("is_async", [False, True])
def test_decorated_change_takes_the_returned_value(seen: Capture, is_async: bool) -> None:
    @change("index", scope="help")
    def rebuild() -> str:
        assert seen.events == []
        return "v8"

    @change("index", scope="help")
    async def rebuild_later() -> str:
        return rebuild.__wrapped__()

    assert (asyncio.run(rebuild_later()) if is_async else rebuild()) == "v8"
    (event,) = seen.events
    assert event["attributes"] == {
        "otel_agentops.change.variable": "index",
        "otel_agentops.change.scope": "help",
        "otel_agentops.change.value": "v8",
        "otel_agentops.change.source": "declared",
    }


# -- wrong values: one sentence, no exception, the rest is kept


def wrong_outcome() -> None:
    with task("support") as run:
        run.outcome("splendid")


def wrong_sampling() -> None:
    outcome(True, receipt={}, source="x", sampling="sometimes")


def wrong_tool() -> None:
    with tool("t", effect="boom"), tool("t", tier="vip"):
        pass


def wrong_schema() -> None:
    with tool("t", schema={"default": object()}):
        pass


def wrong_judge() -> None:
    with judge("j", threshold="high", params={"x": {1, 2}}) as judgement:  # type: ignore[arg-type]
        judgement.score("0.9")  # type: ignore[arg-type]


def wrong_documents() -> None:
    with retrieval("i", top_k="many") as query:  # type: ignore[arg-type]
        query.documents(2.5)  # type: ignore[arg-type]


WRONG: dict[Callable[[], None], list[str]] = {
    wrong_outcome: [
        "'splendid' is not a task outcome and is left out; "
        "use one of completed, failed, escalated, abandoned, cancelled, interrupted"
    ],
    wrong_sampling: ["'sometimes' is not a sampling and is left out; use one of random, escalated, unknown"],
    wrong_tool: [
        "'boom' is not a tool effect and is left out; use one of none, read, write, irreversible",
        "'vip' is not a tool tier and is left out; use one of critical, high, medium, low",
    ],
    wrong_schema: ["a tool's schema has no identity, because it is not JSON: unsupported type: <class 'object'>"],
    wrong_judge: [
        "threshold='high' is not a number and is left out",
        "a judge's configuration has no identity, because it is not JSON: unsupported type: <class 'set'>",
        "score='0.9' is not a number and is left out",
    ],
    wrong_documents: [
        "top_k='many' is not a number and is left out",
        "number of documents=2.5 is not a whole number and is left out",
    ],
    lambda: outcome("no", receipt={}, source="x"): ["outcome('no') is neither True nor False and is left out"],  # type: ignore[arg-type,dict-item]
    lambda: outcome(True, receipt=None, source="x"): [  # type: ignore[arg-type,dict-item]
        "a NoneType is not a receipt and is left out; keep what task.receipt() gave"
    ],
    lambda: outcome(True, receipt={"mail": "ann@x.org", "otel_agentops.task.id": "1"}, source="x"): [
        "mail: not part of a receipt and left out; keep what task.receipt() gave"
    ],
    lambda: outcome(True, receipt={}, source="x", timestamp="today"): [  # type: ignore[arg-type,dict-item]
        "timestamp='today' is not a number and is left out"
    ],
    lambda: change("weather", scope="s", value="v"): [
        "'weather' is not a variable and is left out; use one of model, prompt, instructions, params, "
        "fingerprint, judge, index, tools, tool, traffic, provider, deploy, flag, stage, route, tenant"
    ],
}


@pytest.mark.parametrize("mistake", WRONG)
def test_wrong_value_warns_once_and_raises_nothing(seen: Capture, said: Said, mistake: Callable[[], None]) -> None:
    mistake()
    mistake()
    assert said() == WRONG[mistake]
    assert all("ann@x.org" not in str(event) for event in seen.events)


# -- where nothing listens


def test_helpers_without_a_provider_emit_nothing(gpt: openai.OpenAI) -> None:
    before = _telemetry.replace_default(_telemetry.Telemetry(Config()))
    try:
        with task("support") as run, tool("t"), retrieval("i"), prompt(template="x"), judge("j") as judgement:
            assert not trace.get_current_span().is_recording()
            judgement.score(1)
            ask(gpt)
            outcome(True, receipt=run.receipt(), source="x")
            change("model", scope="a", value="b")
    finally:
        _telemetry.replace_default(before)
    assert run.receipt()["otel_agentops.task.id"] == run.id


def test_late_provider_is_used_from_then_on(seen: Capture) -> None:
    """The global provider often comes late; here a whole telemetry does."""
    late = Capture()
    with task("early"):
        pass
    before = _telemetry.replace_default(_telemetry.Telemetry(Config(), **late.providers))
    try:
        with task("late"):
            pass
    finally:
        _telemetry.replace_default(before)
    assert [span["name"] for span in seen.spans] == ["invoke_workflow early"]
    assert [span["name"] for span in late.spans] == ["invoke_workflow late"]


def test_task_counts_attempts_and_failures_of_its_calls(
    seen: Capture, provider: FakeProvider, gpt: openai.OpenAI
) -> None:
    provider.script(Status(429, retry_after=0.01), Status(500))
    with task("support"):
        ask(gpt)
    totals = seen.spans[-1]["attributes"]
    assert (totals["otel_agentops.task.llm_calls"], totals["otel_agentops.task.llm_attempts"]) == (1, 3)
