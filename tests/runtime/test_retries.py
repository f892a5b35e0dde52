"""What a task does again after a failure is told apart: by the model, its framework, a tool call, the application."""

from __future__ import annotations

from typing import Any

import anthropic
import openai
import pytest

import otel_agentops
from otel_agentops.testing import Capture, Record
from otel_agentops.testing.fake_provider import FakeProvider, Status

PREFIX = "otel_agentops."
ASK = "What is the price of order 7?"
Marks = dict[str, Any]


def ask(client: openai.OpenAI, text: str = ASK, model: str = "gpt-x", *more: Any) -> None:
    messages: Any = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": text}, *more]
    client.with_options(max_retries=0).chat.completions.create(model=model, messages=messages)


def read_marks(span: Record) -> Marks:
    """Return what a span says of an earlier operation, or a root of all of them, without the prefix."""
    names = {name.removeprefix(PREFIX): value for name, value in span["attributes"].items()}
    wanted = ("retry.", "fallback.", "task.fallbacks")
    return {
        name: value
        for name, value in names.items()
        if name.startswith(wanted) or (name.startswith("task.") and name.endswith("_retries"))
    }


def read_counts(seen: Capture, metric: str) -> list[tuple[Marks, float]]:
    points = seen.metrics.get(PREFIX + metric, [])
    return [
        ({key.removeprefix(PREFIX): value for key, value in point["attributes"].items()}, point["value"])
        for point in points
    ]


def test_first_calls_say_nothing(gpt: openai.OpenAI, seen: Capture) -> None:
    """Equal requests are no retry if nothing failed."""
    with otel_agentops.task("price"):
        ask(gpt)
        ask(gpt)
    assert [read_marks(span) for span in seen.spans] == [{}, {}, {}]
    assert read_counts(seen, "retries") == []


def test_same_request_after_a_failure_is_a_repeat(gpt: openai.OpenAI, seen: Capture, provider: FakeProvider) -> None:
    provider.script(Status(500), Status(500))
    with otel_agentops.task("price"):
        for _ in range(2):
            with pytest.raises(openai.InternalServerError):
                ask(gpt)
        ask(gpt)
        ask(gpt)  # after it went well
        ask(gpt, "And of order 8?")
    again = {"retry.level": "application", "retry.cause": "openai.InternalServerError"}
    assert [read_marks(span) for span in seen.spans] == [
        {}, again, again, {}, {}, {"task.application_retries": 2}
    ]  # fmt: skip
    labels = {"retry.level": "application", "task.name": "price", "gen_ai.request.model": "gpt-x"}
    assert read_counts(seen, "retries") == [(labels, 2)]


def test_repeat_in_another_task_is_a_first_call(gpt: openai.OpenAI, seen: Capture, provider: FakeProvider) -> None:
    provider.script(Status(500))
    with otel_agentops.task("price"), pytest.raises(openai.InternalServerError):
        ask(gpt)
    with otel_agentops.task("price"):
        ask(gpt)
    assert [read_marks(span) for span in seen.spans] == [{}, {}, {}, {}]


async def test_async_repeat_is_seen(async_gpt: openai.AsyncOpenAI, seen: Capture, provider: FakeProvider) -> None:
    provider.script(Status(500))
    messages: Any = [{"role": "user", "content": ASK}]
    with otel_agentops.task("price"):
        for _ in range(2):
            try:
                stream = await async_gpt.with_options(max_retries=0).chat.completions.create(
                    model="gpt-x", messages=messages, stream=True
                )
            except openai.InternalServerError:
                continue
            assert len([chunk async for chunk in stream]) > 1
            messages.append({"role": "user", "content": "more"})
    assert [read_marks(span).get("retry.level") for span in seen.spans] == [None, "application", None]


@pytest.mark.parametrize("more", [(), ({"role": "assistant", "content": "?"}, {"role": "user", "content": "No."})])
def test_model_is_asked_again_after_invalid_output(gpt: openai.OpenAI, seen: Capture, more: tuple[Any, ...]) -> None:
    with otel_agentops.task("price"):
        with otel_agentops.output() as made:
            ask(gpt)
            made.valid(False)
            ask(gpt, ASK, "gpt-x", *more)
            made.valid(True)
        with pytest.raises(ValueError, match="no number"), otel_agentops.output():
            ask(gpt)
            raise ValueError("no number")
        ask(gpt, "Write a letter.")  # for something else
    again = {"retry.level": "model", "retry.cause": "invalid_output"}
    assert [read_marks(span) for span in seen.spans] == [{}, again, {}, {}, {"task.model_retries": 1}]


def test_other_model_after_a_refusal_is_a_fallback(gpt: openai.OpenAI, seen: Capture, provider: FakeProvider) -> None:
    provider.script(Status(429))
    with otel_agentops.task("price"):
        with pytest.raises(openai.RateLimitError):
            ask(gpt)
        ask(gpt, model="gpt-y")
        ask(gpt, model="gpt-y")
    stands_in = {"fallback.from": "gpt-x", "fallback.cause": "openai.RateLimitError"}
    assert [read_marks(span) for span in seen.spans] == [{}, stands_in, {}, {"task.fallbacks": 1}]
    labels = {"fallback.from": "gpt-x", "task.name": "price", "gen_ai.request.model": "gpt-y"}
    assert read_counts(seen, "fallbacks") == [(labels, 1)]


def test_other_provider_after_a_refusal_is_a_fallback(
    gpt: openai.OpenAI, claude: anthropic.Anthropic, seen: Capture, provider: FakeProvider
) -> None:
    """The wires differ; the user's words are the same."""
    provider.script(Status(503))
    with otel_agentops.task("price"):
        with pytest.raises(openai.InternalServerError):
            ask(gpt)
        claude.messages.create(
            model="claude-x", max_tokens=9, system="Be brief.", messages=[{"role": "user", "content": ASK}]
        )
    assert read_marks(seen.spans[1]) == {"fallback.from": "gpt-x", "fallback.cause": "openai.InternalServerError"}


def test_other_model_after_an_error_is_no_fallback(gpt: openai.OpenAI, seen: Capture, provider: FakeProvider) -> None:
    provider.script(Status(400))
    with otel_agentops.task("price"):
        with pytest.raises(openai.BadRequestError):
            ask(gpt)
        ask(gpt, model="gpt-y")
    assert [read_marks(span) for span in seen.spans] == [{}, {}, {}]


class BusyError(Exception):
    """A refusal, as HTTP clients raise it."""

    status_code = 429


def search(name: str, error: type[Exception] | None = None, query: str = "order 7") -> None:
    with otel_agentops.tool(name, arguments={"query": query}):
        if error is not None:
            raise error(query)


def test_tool_that_the_model_calls_again_is_a_retry(gpt: openai.OpenAI, seen: Capture) -> None:
    with otel_agentops.task("price"):
        with pytest.raises(TimeoutError):
            search("web", TimeoutError)
        ask(gpt)
        search("web", query=" Order 7.")
        search("web")  # after it went well
    assert [read_marks(span) for span in seen.spans] == [
        {}, {}, {"retry.level": "tool", "retry.cause": "TimeoutError"}, {}, {"task.tool_retries": 1}
    ]  # fmt: skip
    labels = {"retry.level": "tool", "task.name": "price", "gen_ai.tool.name": "web"}
    assert read_counts(seen, "retries") == [(labels, 1)]


def test_tool_that_the_application_repeats_is_told_apart(seen: Capture) -> None:
    with otel_agentops.task("price"):
        with pytest.raises(TimeoutError):
            search("web", TimeoutError)
        search("web")
    assert read_marks(seen.spans[1])["retry.level"] == "application"


@pytest.mark.parametrize(("error", "is_fallback"), [(BusyError, True), (ValueError, False)])
def test_other_tool_after_a_refusal_is_a_fallback(seen: Capture, error: type[Exception], is_fallback: bool) -> None:
    with otel_agentops.task("price"):
        with pytest.raises(error):
            search("web", error)
        search("index", query="something else")
        search("index")
    cause = "test_retries.BusyError"
    expected: Marks = {"fallback.from": "web", "fallback.cause": cause} if is_fallback else {}
    assert [read_marks(span) for span in seen.spans] == [
        {}, {}, expected, {"task.fallbacks": 1} if is_fallback else {}
    ]  # fmt: skip


def test_tools_without_arguments_stand_in_for_none(seen: Capture) -> None:
    with otel_agentops.task("price"):
        for name, error in (("web", BusyError), ("index", None)):
            with otel_agentops.tool(name, arguments={}) as run:
                if error is not None:
                    run.fail("429")
    assert [read_marks(span) for span in seen.spans] == [{}, {}, {}]


def test_no_words_are_kept(
    gpt: openai.OpenAI, seen: Capture, provider: FakeProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept: list[Any] = []
    provider.script(Status(500))
    monkeypatch.setattr("otel_agentops.task_totals.TaskTotals.add_failure", lambda self, failure: kept.append(failure))
    with otel_agentops.task("price"), pytest.raises(openai.InternalServerError):
        ask(gpt)
    assert len(kept) == 1
    assert "order" not in str(kept)


def test_a_task_remembers_a_hundred_failures(seen: Capture) -> None:
    with otel_agentops.task("price"):
        for number in range(150):
            with pytest.raises(TimeoutError):
                search("web", TimeoutError, str(number))
        search("web", query="49")  # forgotten
        search("web", query="50")
    assert [read_marks(span).get("retry.level") for span in seen.spans[150:152]] == [None, "application"]


@pytest.mark.parametrize(("wait", "honoured"), [(0.02, True), (60, False)])
def test_wait_is_kept_to_or_not(
    gpt: openai.OpenAI, seen: Capture, provider: FakeProvider, wait: float, honoured: bool
) -> None:
    """The client waits as asked; the application does not."""
    provider.script(Status(429, retry_after=wait))
    messages: Any = [{"role": "user", "content": "hi"}]
    if honoured:
        gpt.chat.completions.create(model="gpt-x", messages=messages)
    else:
        with pytest.raises(openai.RateLimitError):
            ask(gpt)
        ask(gpt)
    ask(gpt)
    labels = {"gen_ai.provider.name": "openai", "gen_ai.request.model": "gpt-x", "retry_after.honoured": honoured}
    assert read_counts(seen, "retry_after.waits") == [(labels, 1)]
