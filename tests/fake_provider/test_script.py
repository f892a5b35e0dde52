"""Steps of a script happen in order and to the requests they are meant for, as the real SDKs see it."""

from __future__ import annotations

import time
from typing import Any

import anthropic
import openai
import pytest

from otel_agentops.testing.fake_provider import (
    Answer,
    Break,
    Call,
    Delay,
    Fail,
    FakeProvider,
    Hang,
    Malformed,
    Ok,
    Status,
    Step,
    process,
)
from otel_agentops.testing.fake_provider.behaviour import dump_step, parse_step

ASK: Any = [{"role": "user", "content": "hi"}]


def send_chat(gpt: openai.OpenAI, **more: Any) -> Any:
    return gpt.chat.completions.create(model="gpt-x", messages=ASK, **more)


def test_retries_meet_one_step_each(provider: FakeProvider, gpt: openai.OpenAI) -> None:
    provider.script(Status(429, retry_after=0.01), Status(500, retry_after=0.01))
    assert send_chat(gpt.with_options(max_retries=2)).id == "chatcmpl-fake"
    assert [call.headers["x-stainless-retry-count"] for call in provider.requests] == ["0", "1", "2"]


def test_an_error_carries_its_header_and_message(provider: FakeProvider, gpt: openai.OpenAI) -> None:
    provider.script(Ok(), Status(429, retry_after=7, message="slow down"))
    send_chat(gpt)
    with pytest.raises(openai.RateLimitError, match="slow down") as caught:
        send_chat(gpt)
    assert caught.value.response.headers["retry-after"] == "7"
    send_chat(gpt)


def test_anthropic_errors_have_their_own_shape(provider: FakeProvider, claude: anthropic.Anthropic) -> None:
    provider.script(Status(529))
    with pytest.raises(anthropic.APIStatusError) as caught:
        claude.messages.create(model="claude-x", max_tokens=9, messages=ASK)
    assert caught.value.body == {
        "type": "error",
        "error": {"type": "overloaded_error", "message": "as scripted"},
        "request_id": "req_fake",
    }


def test_a_broken_stream_gave_what_came_before(provider: FakeProvider, gpt: openai.OpenAI) -> None:
    provider.script(Break(after=2))
    seen = []
    with pytest.raises(openai.APIConnectionError):
        for chunk in send_chat(gpt, stream=True):
            seen.append(chunk.choices[0].delta.content)
    assert seen == ["Hell", "o th"]


def test_a_cut_before_a_plain_answer(provider: FakeProvider, gpt: openai.OpenAI) -> None:
    provider.script(Break())
    with pytest.raises(openai.APIConnectionError):
        send_chat(gpt)


@pytest.mark.parametrize("step", [Fail(after=1), Malformed(after=1)])
def test_a_stream_goes_wrong_on_its_way(provider: FakeProvider, gpt: openai.OpenAI, step: Step) -> None:
    provider.script(step)
    seen = []
    with pytest.raises((openai.APIError, ValueError)):
        for chunk in send_chat(gpt, stream=True):
            seen.append(chunk.choices[0].delta.content)
    assert seen == ["Hell"]


def test_an_anthropic_stream_may_end_in_an_error(provider: FakeProvider, claude: anthropic.Anthropic) -> None:
    provider.script(Fail(after=3))
    with pytest.raises(anthropic.APIStatusError, match="as scripted"):
        list(claude.messages.create(model="claude-x", max_tokens=9, messages=ASK, stream=True))


def test_a_plain_answer_goes_wrong(provider: FakeProvider, gpt: openai.OpenAI) -> None:
    provider.script(Malformed(), Fail())
    with pytest.raises(ValueError):
        send_chat(gpt)
    with pytest.raises(openai.InternalServerError):
        send_chat(gpt)


def test_a_hang_runs_into_the_timeout(provider: FakeProvider, gpt: openai.OpenAI) -> None:
    provider.script(Hang(30), Hang(30, after=1))
    with pytest.raises(openai.APITimeoutError):
        send_chat(gpt.with_options(timeout=0.1))
    with pytest.raises(openai.APITimeoutError):
        list(send_chat(gpt.with_options(timeout=0.1), stream=True))


def test_chunks_are_late_one_by_one(provider: FakeProvider, gpt: openai.OpenAI) -> None:
    provider.script(Delay(0.05))
    times = [time.monotonic() for _ in send_chat(gpt, stream=True)]
    assert times[-1] - times[0] > 0.05 * 2


def test_a_step_waits_for_the_request_that_it_is_for(provider: FakeProvider, gpt: openai.OpenAI) -> None:
    provider.script(Status(400), when=lambda call: call.body["model"] == "other")
    send_chat(gpt)
    with pytest.raises(openai.BadRequestError):
        gpt.chat.completions.create(model="other", messages=ASK)


def test_answers_are_made_from_the_call(provider: FakeProvider, gpt: openai.OpenAI) -> None:
    provider.answer(lambda call: Answer(text=f"{call.model} heard {call.body['messages'][0]['content']}"))
    assert send_chat(gpt).choices[0].message.content == "gpt-x-2026-03-01 heard hi"


def test_a_model_may_think(provider: FakeProvider, gpt: openai.OpenAI) -> None:
    provider.answer(lambda call: Answer(seconds=0.1))
    started = time.monotonic()
    send_chat(gpt)
    assert time.monotonic() - started > 0.1


def test_an_alias_is_repointed_while_it_runs(provider: FakeProvider, gpt: openai.OpenAI) -> None:
    before = send_chat(gpt).model
    provider.alias("gpt-x", "gpt-x-2026-08-07")
    assert (before, send_chat(gpt).model) == ("gpt-x-2026-03-01", "gpt-x-2026-08-07")


def test_requests_are_recorded(provider: FakeProvider, gpt: openai.OpenAI) -> None:
    send_chat(gpt, temperature=0)
    (call,) = provider.requests
    assert (call.path, call.headers["authorization"]) == ("/v1/chat/completions", "Bearer k")
    assert call.body == {"messages": ASK, "model": "gpt-x", "temperature": 0}
    provider.clear()
    assert provider.requests == []


def test_another_path_is_named(provider: FakeProvider, gpt: openai.OpenAI) -> None:
    with pytest.raises(openai.NotFoundError, match="/v1/moderations is not spoken here"):
        gpt.moderations.create(input="hi")


@pytest.mark.parametrize("step", [Ok(), Status(429, 0.5), Break(2), Fail(1), Hang(1, 2), Delay(0.1), Malformed(3)])
def test_steps_travel_as_json(step: Step) -> None:
    assert parse_step(dump_step(step)) == step


def test_a_provider_in_its_own_process() -> None:
    with process("--alias", "gpt-x=gpt-x-1") as provider:
        gpt = openai.OpenAI(api_key="k", base_url=provider.openai_url, max_retries=0)
        first = send_chat(gpt).model
        provider.alias("gpt-x", "gpt-x-2")
        provider.script(Status(503))
        with pytest.raises(openai.InternalServerError):
            send_chat(gpt)
        assert (first, send_chat(gpt).model, provider.aliases) == ("gpt-x-1", "gpt-x-2", {"gpt-x": "gpt-x-2"})
        assert isinstance(provider.requests[0], Call)
        assert len(provider.requests) == 3
        with pytest.raises(ValueError, match="step 'Nap' is not known; use one of Ok, Status"):
            provider._send_command("script", [{"step": "Nap"}])
