"""A model that is asked again, because a parser could make nothing of its answer, is a retry of the level `model`."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from typing import Any

import pytest
from langchain_classic.output_parsers import OutputFixingParser, RetryOutputParser, RetryWithErrorOutputParser
from langchain_core.output_parsers import JsonOutputParser, StrOutputParser
from langchain_core.prompt_values import StringPromptValue
from langchain_core.runnables import RunnableLambda
from langchain_openai import ChatOpenAI

import otel_agentops
from otel_agentops.clients import openai
from otel_agentops.frameworks.langchain_core import Instrumentor
from otel_agentops.testing import Capture, capture
from otel_agentops.testing.fake_provider import Answer, Call, FakeProvider, Status

ASK = "Where is my order?"
WRONG, RIGHT = "It is here: {", json.dumps({"place": "Oslo"})
ASKED_AGAIN = {"otel_agentops.retry.level": "model", "otel_agentops.retry.cause": "invalid_output"}
SENT_AGAIN = {"otel_agentops.retry.level": "application", "otel_agentops.retry.cause": "openai.InternalServerError"}


@pytest.fixture
def seen() -> Iterator[Capture]:
    with capture(Instrumentor(), openai.Instrumentor()) as everything:
        yield everything


@pytest.fixture
def provider() -> Iterator[FakeProvider]:
    """Return a provider whose first answer is no JSON."""
    with FakeProvider() as running:
        answers: list[str] = []

        def answer(call: Call) -> Answer:
            answers.append(RIGHT if answers else WRONG)
            return Answer(answers[-1])

        running.answer(answer)
        yield running


def make_model(provider: FakeProvider) -> ChatOpenAI:
    return ChatOpenAI(model="gpt-x", base_url=provider.openai_url, api_key="k", max_retries=0)


def retry_chain(model: Any) -> Any:
    return (model | JsonOutputParser()).with_retry(wait_exponential_jitter=False)


def fix_output(model: Any) -> Any:
    return model | OutputFixingParser.from_llm(model, JsonOutputParser())


def ask_with_prompt(kind: Any) -> Any:
    """Return what makes a chain that hands the prompt to a parser which asks again with it."""

    def make(model: Any) -> Any:
        parser = kind.from_llm(llm=model, parser=JsonOutputParser())
        prompt = StringPromptValue(text=ASK)

        def parse(text: str) -> Any:
            return parser.parse_with_prompt(text, prompt)

        async def parse_async(text: str) -> Any:
            return await parser.aparse_with_prompt(text, prompt)

        return model | StrOutputParser() | RunnableLambda(parse, parse_async)

    return make


def run(chain: Any) -> Any:
    return chain.invoke(ASK)


def run_async(chain: Any) -> Any:
    return asyncio.run(chain.ainvoke(ASK))


def read_marks(seen: Capture) -> list[dict[str, Any]]:
    calls = [span["attributes"] for span in seen.spans if span["name"] == "chat gpt-x"]
    return [{key: value for key, value in call.items() if ".retry." in key} for call in calls]


@pytest.mark.parametrize("ask", [run, run_async])
@pytest.mark.parametrize(
    "make",
    [retry_chain, fix_output, ask_with_prompt(RetryOutputParser), ask_with_prompt(RetryWithErrorOutputParser)],
    ids=["with_retry", "fix", "retry", "retry_with_error"],
)
def test_answer_that_is_refused_is_asked_for_again(provider: FakeProvider, seen: Capture, make: Any, ask: Any) -> None:
    with otel_agentops.task("support"):
        assert ask(make(make_model(provider))) == json.loads(RIGHT)
    assert read_marks(seen) == [{}, ASKED_AGAIN]
    assert seen.spans[-1]["attributes"]["otel_agentops.task.model_retries"] == 1


@pytest.mark.parametrize("ask", [run, run_async])
def test_call_that_fails_is_sent_again(provider: FakeProvider, seen: Capture, ask: Any) -> None:
    provider.script(Status(500))
    with otel_agentops.task("support"):
        assert ask(make_model(provider).with_retry(wait_exponential_jitter=False)).content == RIGHT
    assert read_marks(seen) == [{}, SENT_AGAIN]


def test_answer_that_is_refused_once_is_not_asked_for_again(provider: FakeProvider, seen: Capture) -> None:
    with otel_agentops.task("support"):
        with pytest.raises(ValueError, match="Invalid json output"):
            run(make_model(provider) | JsonOutputParser())
        run(make_model(provider))
    assert read_marks(seen) == [{}, {}]
