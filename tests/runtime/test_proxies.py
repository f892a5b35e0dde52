"""The facts that proxies are computed from: retries, repeated tool calls, documents, validity, eval sets."""

from __future__ import annotations

import asyncio
import contextvars
import json
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import anthropic
import openai
import pydantic
import pytest
from helper_spans import ask, boom, root, without_ids
from opentelemetry import trace

from otel_agentops import judge, output, retrieval, task, task_totals, tool
from otel_agentops.testing import Capture
from otel_agentops.testing.fake_provider import Answer, FakeProvider, Status, ToolCall

Said = Callable[[], list[str]]
HI: Any = [{"role": "user", "content": "hi"}]
REPEATS = "otel_agentops.task.tool_repeats"
USED = "otel_agentops.task.documents_used"
UNFOUNDED = "otel_agentops.task.documents_unfounded"
VALID = "otel_agentops.output.valid"


def of_task(seen: Capture, name: str) -> Any:
    """An attribute of the last task's root."""
    return [span for span in seen.spans if span["name"].startswith("invoke_workflow")][-1]["attributes"].get(name)


@pytest.fixture
def framework(seen: Capture) -> trace.Tracer:
    return seen.tracer_provider.get_tracer("some.framework")


# -- retry


@pytest.mark.parametrize("retry", [True, False, None])
def test_declared_retry_is_on_the_root_span_alone(seen: Capture, retry: bool | None) -> None:
    with task("support", retry=retry), task("planner", retry=True), tool("lookup"):
        pass
    declared = {} if retry is None else {"otel_agentops.task.retry": retry}
    counts = {"tool_calls": 1, "agents": 1, "depth": 1}
    assert without_ids(seen.spans[-1]) == root(
        **declared, **{f"otel_agentops.task.{key}": value for key, value in counts.items()}
    )
    assert not any("otel_agentops.task.retry" in span["attributes"] for span in seen.spans[:-1])
    assert not any("otel_agentops.task.started_at" in span["attributes"] for span in seen.spans[:-1])


def test_invalid_retry_is_ignored_with_a_warning(seen: Capture, said: Said) -> None:
    with task("support", retry="yes"):  # type: ignore[arg-type]
        pass
    assert said() == ["retry='yes' is neither True nor False and is left out"]
    assert without_ids(seen.spans[0]) == root()


# -- repeats: the helper


def test_near_equal_calls_of_a_tool_are_counted(seen: Capture) -> None:
    with task("support") as run:
        for order in ("A-1", " a-1", "A-2", "A-1."):
            with tool("lookup", arguments={"order": order}):
                pass
        for _ in range(2):
            with tool("refund", arguments='{"order": "A-1"}'):
                pass
        with tool("lookup"):  # nobody says with what
            pass
    assert (of_task(seen, REPEATS), run.receipt()[REPEATS]) == (3, 3)
    assert not any("A-1" in str(span) for span in seen.spans)


def test_repeats_are_unknown_without_arguments(seen: Capture) -> None:
    with task("support"), tool("lookup"), tool("search", arguments={"session": object()}):
        pass
    assert of_task(seen, REPEATS) is None


def test_decorated_tool_arguments_are_compared_by_name(seen: Capture) -> None:
    @tool("lookup")
    def lookup(order: str, limit: int = 10, *more: int, session: object = seen) -> str:
        return order

    with task("support"):
        assert lookup("A-1") == "A-1"
        lookup(order="a-1")
        lookup("A-1", 10)
        lookup("A-1", limit=10.0)  # type: ignore[arg-type]
        lookup("A-1", 10, 3)
        lookup("A-1", 5)
        lookup("A-1", session=object())  # cannot be compared
    assert of_task(seen, REPEATS) == 4


async def test_decorated_method_leaves_out_self(seen: Capture) -> None:
    class Shop:
        @tool("lookup")
        async def lookup(self, order: str) -> str:
            return order

        @tool("count")
        def count(self) -> int:
            return 1

    with task("support"):
        assert (await Shop().lookup("A-1"), await Shop().lookup(order="a-1")) == ("A-1", "a-1")
        assert [Shop().count() for _ in range(3)] == [1, 1, 1]
    assert of_task(seen, REPEATS) == 3


def test_given_arguments_replace_those_of_the_function(seen: Capture) -> None:
    @tool("lookup", arguments={"what": "it"})
    def lookup(session: object) -> None: ...

    with task("support"):
        lookup(object())
        lookup(object())
    assert of_task(seen, REPEATS) == 2


def test_decorated_tool_raises_the_type_error_of_a_wrong_call(seen: Capture) -> None:
    @tool("lookup")
    def lookup(order: str) -> str:
        return order

    assert lookup("A-1") == "A-1"
    with task("support"), pytest.raises(TypeError, match="unexpected keyword"):
        lookup("A-1", colour="red")  # type: ignore[call-arg]
    with task("support"), pytest.raises(TypeError, match="missing"):
        lookup()  # type: ignore[call-arg]


def test_failed_tool_call_counts_as_a_repeat(seen: Capture) -> None:
    @tool("lookup")
    def lookup(order: str) -> None:
        boom()

    with task("support"):
        for _ in range(2):
            with pytest.raises(ZeroDivisionError):
                lookup("A-1")
    assert of_task(seen, REPEATS) == 2


def test_repeats_in_threads_are_counted_together(seen: Capture) -> None:
    def use(number: int) -> None:
        with tool("lookup", arguments={"order": number % 2}):
            pass

    with task("support"), ThreadPoolExecutor(4) as pool:
        for number in range(40):
            pool.submit(contextvars.copy_context().run, use, number)
    assert of_task(seen, REPEATS) == 20


def test_remembered_tool_calls_are_bounded(seen: Capture, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(task_totals, "_MAX_EXECUTIONS", 5)
    with task("support") as run:
        for _ in range(9):
            with tool("lookup", arguments={}):
                pass
        kept = run._scope.task
    assert (len(kept.executed_hashes), of_task(seen, REPEATS)) == (5, 5)  # type: ignore[union-attr]


# -- repeats: frameworks


def executed(framework: trace.Tracer, arguments: Any = None, name: str = "lookup") -> Any:
    given = {} if arguments is None else {"gen_ai.tool.call.arguments": arguments}
    return framework.start_as_current_span(f"execute_tool {name}", attributes=given)


def test_framework_span_may_carry_the_arguments(seen: Capture, framework: trace.Tracer) -> None:
    with task("support"):
        for arguments in ('{"order": "A-1"}', '{"order":"a-1"}', '{"order": "A-2"}', None):
            with executed(framework, arguments):
                pass
        with executed(framework) as span:  # some frameworks say it later
            span.set_attribute("gen_ai.tool.call.arguments", '{"order": "A-1"}')
    assert (of_task(seen, REPEATS), of_task(seen, "otel_agentops.task.tool_calls")) == (3, 5)


@pytest.mark.parametrize("outer", ['{"order": "A-1"}', None])
def test_execution_seen_by_helper_and_framework_counts_once(
    seen: Capture, framework: trace.Tracer, outer: str | None
) -> None:
    """The helper inside of a framework's span, as its own span and enriching that one."""
    with task("support"):
        for between in (False, True):
            with executed(framework, outer):
                if between:
                    with framework.start_as_current_span("step"), tool("lookup", arguments={"order": "A-1"}):
                        pass
                else:
                    with tool("lookup", arguments={"order": "A-1"}):
                        pass
    assert (of_task(seen, REPEATS), of_task(seen, "otel_agentops.task.tool_calls")) == (2, 2)


def test_nested_tool_of_another_name_is_another_execution(seen: Capture, framework: trace.Tracer) -> None:
    with task("support"), executed(framework, "{}"), tool("inner", arguments={}):
        pass
    assert (of_task(seen, REPEATS), of_task(seen, "otel_agentops.task.tool_calls")) == (1, 2)


# -- repeats: what models ask for

CALLS = (ToolCall("lookup", '{"order": "A-1"}', "call_1"), ToolCall("lookup", '{"order": "A-2"}', "call_2"))


def chat(gpt: openai.OpenAI, claude: anthropic.Anthropic, **more: Any) -> None:
    ask(gpt, **more)


def chat_stream(gpt: openai.OpenAI, claude: anthropic.Anthropic, **more: Any) -> None:
    for _ in ask(gpt, stream=True, **more):
        pass


def chat_raw(gpt: openai.OpenAI, claude: anthropic.Anthropic, **more: Any) -> None:
    gpt.chat.completions.with_raw_response.create(model="gpt-x", messages=HI, **more)


def response(gpt: openai.OpenAI, claude: anthropic.Anthropic, **more: Any) -> None:
    gpt.responses.create(model="gpt-x", input="hi", **more)


def response_stream(gpt: openai.OpenAI, claude: anthropic.Anthropic, **more: Any) -> None:
    for _ in gpt.responses.create(model="gpt-x", input="hi", stream=True, **more):
        pass


def message(gpt: openai.OpenAI, claude: anthropic.Anthropic, **more: Any) -> None:
    claude.messages.create(model="claude-x", max_tokens=9, messages=HI, **more)


def message_stream(gpt: openai.OpenAI, claude: anthropic.Anthropic, **more: Any) -> None:
    for _ in claude.messages.create(model="claude-x", max_tokens=9, messages=HI, stream=True, **more):
        pass


OPENAI_CHOICE = {"type": "function", "function": {"name": "lookup"}}
RESPONSES_CHOICE = {"type": "function", "name": "lookup"}
ANTHROPIC_CHOICE = {"type": "tool", "name": "lookup"}
WAYS = {
    chat: OPENAI_CHOICE, chat_stream: OPENAI_CHOICE, chat_raw: OPENAI_CHOICE, response: RESPONSES_CHOICE,
    response_stream: RESPONSES_CHOICE, message: ANTHROPIC_CHOICE, message_stream: ANTHROPIC_CHOICE,
}  # fmt: skip
every_client = pytest.mark.parametrize("ask_model", WAYS)


@every_client
def test_requested_tool_calls_are_counted(
    seen: Capture, provider: FakeProvider, gpt: openai.OpenAI, claude: anthropic.Anthropic, ask_model: Any
) -> None:
    provider.answer(lambda call: Answer("Let me see.", tool_calls=CALLS))
    with task("support"):
        for _ in range(3):
            ask_model(gpt, claude)
    assert of_task(seen, REPEATS) == 3
    assert not any("A-1" in str(span) for span in seen.spans)


@every_client
def test_forced_calls_and_calls_of_judges_are_not_counted(
    seen: Capture, provider: FakeProvider, gpt: openai.OpenAI, claude: anthropic.Anthropic, ask_model: Any
) -> None:
    provider.answer(lambda call: Answer("", tool_calls=CALLS))
    with task("support"):
        ask_model(gpt, claude, tool_choice=WAYS[ask_model])
        with judge("grounded"):
            ask_model(gpt, claude)
    assert of_task(seen, REPEATS) is None


@every_client
def test_answer_without_tool_calls_leaves_repeats_unknown(
    seen: Capture, gpt: openai.OpenAI, claude: anthropic.Anthropic, ask_model: Any
) -> None:
    with task("support"):
        ask_model(gpt, claude)
    assert of_task(seen, REPEATS) is None


def test_requested_and_executed_call_counts_once(seen: Capture, provider: FakeProvider, gpt: openai.OpenAI) -> None:
    provider.answer(lambda call: Answer("", tool_calls=CALLS[:1]))
    with task("support"):
        for _ in range(2):
            (call,) = ask(gpt).choices[0].message.tool_calls
            with tool(call.function.name, arguments=call.function.arguments, call_id=call.id):
                pass
    assert of_task(seen, REPEATS) == 2


# -- documents


class Document(pydantic.BaseModel):
    id: str
    text: str


FOUND: dict[str, list[Any]] = {
    "ids": ["a", "b"],
    "numbers": [1, 2],
    "objects": [Document(id="a", text="x"), Document(id="b", text="y")],
    "mappings": [{"id": "a"}, {"id": "b", "text": "y"}],
}


@pytest.mark.parametrize("kind", FOUND)
def test_used_documents_are_compared_with_returned_ones(seen: Capture, kind: str) -> None:
    found = FOUND[kind]
    with task("support") as run:
        with retrieval("help") as query:
            query.documents(found)
        run.used(found[:1])
        with task("writer") as agent:
            agent.used([*found[:1], "from nowhere"])
    assert (of_task(seen, USED), of_task(seen, UNFOUNDED)) == (2, 1)
    assert "from nowhere" not in str(seen.spans)


async def test_decorated_search_returns_the_documents_to_compare(seen: Capture) -> None:
    @retrieval("help")
    async def search(words: str) -> list[Document]:
        return [Document(id=word, text=word) for word in words.split()]

    async with task("support") as run:
        found, more = await asyncio.gather(search("a b"), search("c"))
        run.used(one.id for one in [*found, *more])
    assert (of_task(seen, USED), of_task(seen, UNFOUNDED)) == (3, 0)


def test_empty_use_is_zero_and_undeclared_use_is_unknown(seen: Capture) -> None:
    with task("support") as run:
        run.used([])
    assert (of_task(seen, USED), of_task(seen, UNFOUNDED)) == (0, 0)
    with task("support"), retrieval("help") as query:
        query.documents(["a"])
    assert (of_task(seen, USED), of_task(seen, UNFOUNDED)) == (None, None)


def only_how_many(framework: trace.Tracer) -> None:
    with retrieval("help") as query:
        query.documents(3)


def nothing(framework: trace.Tracer) -> None:
    with retrieval("help"):
        pass


class Table:
    """As of pandas: it has a length, and its columns are what is iterated."""

    def __len__(self) -> int:
        return 3

    def __iter__(self) -> Iterator[str]:
        return iter(["id", "text"])


def as_a_table(framework: trace.Tracer) -> None:
    with retrieval("help") as query:
        query.documents(Table())


def without_ids_of_their_own(framework: trace.Tracer) -> None:
    with retrieval("help") as query:
        query.documents([{"text": "x"}])


def of_a_framework(framework: trace.Tracer) -> None:
    with framework.start_as_current_span("retrieval help"):
        pass


def of_a_framework_that_talks_rubbish(framework: trace.Tracer) -> None:
    with framework.start_as_current_span("retrieval help", attributes={"gen_ai.retrieval.documents": "[{"}):
        pass


@pytest.mark.parametrize(
    "search",
    [only_how_many, nothing, as_a_table, without_ids_of_their_own, of_a_framework, of_a_framework_that_talks_rubbish],
)
def test_retrieval_without_ids_makes_unfounded_unknown(
    seen: Capture, framework: trace.Tracer, search: Callable[[trace.Tracer], None]
) -> None:
    with task("support") as run:
        search(framework)
        with retrieval("faq") as query:
            query.documents(["a"])
        run.used(["a", "b"])
    assert (of_task(seen, USED), of_task(seen, UNFOUNDED)) == (2, None)


def test_failed_or_empty_retrieval_returned_nothing(seen: Capture, framework: trace.Tracer) -> None:
    with task("support") as run:
        with pytest.raises(ZeroDivisionError), retrieval("help"):
            boom()
        with retrieval("help") as query:
            query.documents(0)
        with framework.start_as_current_span("retrieval help") as span:
            span.set_attribute("error.type", "timeout")
        run.used(["a"])
    assert (of_task(seen, USED), of_task(seen, UNFOUNDED)) == (1, 1)


def test_framework_retrieval_span_may_carry_documents(seen: Capture, framework: trace.Tracer) -> None:
    told = json.dumps([{"id": "a", "score": 0.9}, {"id": "b", "score": 0.1}])
    with task("support") as run:
        with framework.start_as_current_span("retrieval help", attributes={"gen_ai.retrieval.documents": told}):
            pass
        with framework.start_as_current_span("retrieval faq"), retrieval("faq") as query:  # the same one
            query.documents(["c"])
        run.used(["a", "c", "d"])
    assert (of_task(seen, USED), of_task(seen, UNFOUNDED)) == (3, 1)


@pytest.mark.parametrize("wrong", [7, None, [object()], [True], [{"text": "x"}]])
def test_used_documents_without_ids_are_ignored_with_a_warning(seen: Capture, said: Said, wrong: Any) -> None:
    with task("support") as run:
        run.used(wrong)
    assert of_task(seen, USED) is None
    assert said() == ["the documents that a task used are left out: give their ids, each a text or a number"]


def test_remembered_document_ids_are_bounded(seen: Capture, said: Said, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(task_totals, "_MAX_DOCUMENTS", 3)
    with task("support") as run:
        with retrieval("help") as query:
            query.documents(["a", "b"])
        run.used("a")
        run.used(["b", "c", "d"])
    assert (of_task(seen, USED), of_task(seen, UNFOUNDED)) == (1, 0)
    assert said() == ["a task's answer uses more than 3 documents; further ones are not counted"]
    with task("support") as run:
        for _ in range(2):
            with retrieval("help") as query:
                query.documents(["a", "b"])
        run.used("x")
    assert (of_task(seen, USED), of_task(seen, UNFOUNDED)) == (1, None)


# -- output


def calls(seen: Capture) -> list[Any]:
    """What each model call's span says of its output, in the order in which they were exported."""
    return [span["attributes"].get(VALID) for span in seen.spans if span["name"].startswith("chat")]


def test_output_is_valid_unless_its_block_raises(seen: Capture, gpt: openai.OpenAI) -> None:
    with output():
        ask(gpt)
        assert seen.spans == []
    with pytest.raises(ValueError, match="not what was asked for"), output():
        ask(gpt)
        raise ValueError("not what was asked for")
    plain = ask(gpt)
    assert calls(seen) == [True, False, None]
    valid, invalid, without = seen.spans
    assert valid == {**without, "attributes": {**without["attributes"], VALID: True}}
    assert invalid == {**without, "attributes": {**without["attributes"], VALID: False}}
    assert plain.model == "gpt-x-2026-03-01"


def test_late_validity_keeps_the_times_of_the_call(seen: Capture, gpt: openai.OpenAI) -> None:
    with output() as made:
        ask(gpt)
        with tool("validate"):
            pass
        made.valid(False)
        made.valid(True)  # too late: it was said
        assert calls(seen) == [False]
    validate, call = seen.finished_spans
    assert call.end_time <= validate.start_time  # type: ignore[operator]
    assert call.start_time < call.end_time  # type: ignore[operator]


async def test_output_works_as_block_and_decorator(
    seen: Capture, gpt: openai.OpenAI, async_gpt: openai.AsyncOpenAI
) -> None:
    @output()
    def asked() -> Any:
        return ask(gpt)

    @output()
    async def asked_later() -> Any:
        return await ask(async_gpt)  # type: ignore[arg-type]

    assert (asked().id, (await asked_later()).id) == ("chatcmpl-fake", "chatcmpl-fake")
    async with output():
        async for _ in await ask(async_gpt, stream=True):  # type: ignore[arg-type]
            pass
    assert calls(seen) == [True, True, True]


def test_repeated_call_without_a_verdict_has_unknown_validity(
    seen: Capture, provider: FakeProvider, gpt: openai.OpenAI
) -> None:
    with output() as made:
        ask(gpt)
        ask(gpt)
        assert calls(seen) == [None]
        made.valid(False)
        ask(gpt)
    assert calls(seen) == [None, False, True]


def test_validity_is_only_on_calls_with_an_output(seen: Capture, provider: FakeProvider, gpt: openai.OpenAI) -> None:
    """A call that failed, embeddings, a judge's; a block that is stopped; a stream that is read later."""
    provider.script(Status(400))
    with pytest.raises(openai.BadRequestError), output():
        ask(gpt)
    with output():
        gpt.embeddings.create(model="gpt-x", input="hi")
        with judge("grounded"):
            ask(gpt)
    with pytest.raises(KeyboardInterrupt), output():
        ask(gpt)
        raise KeyboardInterrupt
    with output():
        stream = ask(gpt, stream=True)
    list(stream)
    assert len(seen.spans) == 5
    assert not any(VALID in span["attributes"] for span in seen.spans)


def test_judge_output_may_be_validated(seen: Capture, gpt: openai.OpenAI) -> None:
    with judge("grounded"), output():
        ask(gpt)
    assert calls(seen) == [True]


def test_foreign_span_gets_validity_until_it_ends(
    seen: Capture, said: Said, gpt: openai.OpenAI, framework: trace.Tracer
) -> None:
    named = {"gen_ai.operation.name": "chat"}
    with framework.start_as_current_span("chat gpt-x", attributes=named), output():
        ask(gpt)
    with output(), framework.start_as_current_span("chat gpt-x", attributes=named):
        ask(gpt)
    assert calls(seen) == [True, None]
    assert said() == [
        "another instrumentation ended the span of a call before it was known whether the output is valid, so it does "
        "not say so; set OTEL_AGENTOPS_MODE=own for spans that do"
    ]


def test_invalid_validity_is_ignored_with_a_warning(seen: Capture, said: Said, gpt: openai.OpenAI) -> None:
    with output() as made:
        ask(gpt)
        made.valid("yes")  # type: ignore[arg-type]
        made.valid(False)
    assert calls(seen) == [False]
    assert said() == ["output.valid('yes') is neither True nor False and is left out"]


# -- eval sets


def test_verdict_names_its_eval_set(seen: Capture) -> None:
    with judge("grounded", eval_set="refunds", eval_set_version="2026-11") as judgement:
        judgement.score(0.5)
    with judge("grounded") as judgement:
        judgement.score(0.5)
    of_set, of_traffic = (event["attributes"] for event in seen.events)
    assert of_set == {
        **of_traffic, "otel_agentops.eval_set.name": "refunds", "otel_agentops.eval_set.version": "2026-11",
    }  # fmt: skip


class Town(pydantic.BaseModel):
    name: str


def chat_manager(gpt: openai.OpenAI, claude: anthropic.Anthropic) -> None:
    with gpt.chat.completions.stream(model="gpt-x", messages=HI, response_format=Town) as stream:
        stream.get_final_completion()


def response_manager(gpt: openai.OpenAI, claude: anthropic.Anthropic) -> None:
    with gpt.responses.stream(model="gpt-x", input="hi", text_format=Town) as stream:
        stream.get_final_response()


def message_manager(gpt: openai.OpenAI, claude: anthropic.Anthropic) -> None:
    with claude.messages.stream(model="claude-x", max_tokens=9, messages=HI, output_format=Town) as stream:
        stream.get_final_message()


@pytest.mark.parametrize("manage", [chat_manager, response_manager, message_manager])
@pytest.mark.parametrize("fits", [True, False])
def test_output_block_records_parse_errors_of_a_stream_manager(
    seen: Capture, provider: FakeProvider, gpt: openai.OpenAI, claude: anthropic.Anthropic, manage: Any, fits: bool
) -> None:
    """The client parses outside of the call: without a block the span does not say it."""
    provider.answer(lambda call: Answer('{"name": "Oslo"}' if fits else '{"town": "Oslo"}'))
    if fits:
        with output():
            manage(gpt, claude)
    else:
        with pytest.raises(pydantic.ValidationError), output():
            manage(gpt, claude)
    assert calls(seen) == [fits]
    assert "error.type" not in seen.spans[0]["attributes"]
