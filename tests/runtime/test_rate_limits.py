"""What is left of a provider's limits is read from the headers of responses that pass anyway."""

from __future__ import annotations

from typing import Any

import anthropic
import openai
import pytest

from otel_agentops._sinks.rate_limits import read_limits
from otel_agentops.testing import Capture
from otel_agentops.testing.fake_provider import Answer, FakeProvider
from rate_limit_gauges import read_gauges

OPENAI = {
    "x-ratelimit-limit-requests": "10000",
    "x-ratelimit-remaining-requests": "9999",
    "x-ratelimit-reset-requests": "6ms",
    "x-ratelimit-limit-tokens": "200000",
    "x-ratelimit-remaining-tokens": "149984",
}
ANTHROPIC = {
    "anthropic-ratelimit-requests-limit": "50",
    "anthropic-ratelimit-requests-remaining": "49",
    "anthropic-ratelimit-requests-reset": "2026-03-01T00:00:01Z",
    "anthropic-ratelimit-input-tokens-limit": "30000",
    "anthropic-ratelimit-input-tokens-remaining": "29000",
    "anthropic-ratelimit-output-tokens-limit": "8000",
    "anthropic-ratelimit-output-tokens-remaining": "0",
}
TOGETHER = {"x-ratelimit-limit": "60", "x-ratelimit-remaining": "59", "x-tokenlimit-remaining": "70"}
READ = [
    (OPENAI, {"remaining": {"requests": 9999, "tokens": 149984}, "limit": {"requests": 10000, "tokens": 200000}}),
    (
        ANTHROPIC,
        {
            "remaining": {"requests": 49, "input_tokens": 29000, "output_tokens": 0},
            "limit": {"requests": 50, "input_tokens": 30000, "output_tokens": 8000},
        },
    ),
    (TOGETHER, {"remaining": {"requests": 59, "tokens": 70}, "limit": {"requests": 60}}),
    ({"X-RateLimit-Remaining-Requests": " 3 "}, {"remaining": {"requests": 3}, "limit": {}}),
    ({"x-ratelimit-remaining-requests": "none", "content-type": "a"}, {"remaining": {}, "limit": {}}),
]


@pytest.mark.parametrize(("headers", "limits"), READ)
def test_headers_are_read_as_providers_write_them(headers: dict[str, str], limits: dict[str, dict[str, int]]) -> None:
    assert read_limits(headers) == limits


def ask(client: Any, model: str, **more: Any) -> None:
    create = client.messages.create if isinstance(client, anthropic.Anthropic) else client.chat.completions.create
    result = create(model=model, max_tokens=9, messages=[{"role": "user", "content": "hi"}], **more)
    if more.get("stream"):
        assert list(result)


def test_last_response_of_a_model_is_told(
    gpt: openai.OpenAI, claude: anthropic.Anthropic, seen: Capture, provider: FakeProvider
) -> None:
    assert read_gauges(seen) == {}
    provider.answer(lambda call: Answer(headers=tuple(OPENAI.items())))
    ask(gpt, "gpt-x")
    provider.answer(lambda call: Answer(headers=(("x-ratelimit-remaining-requests", "7"),)))
    ask(gpt, "gpt-x", stream=True)
    provider.answer(lambda call: Answer(headers=tuple(ANTHROPIC.items())))
    ask(claude, "claude-x")
    place = ("anthropic", "claude-x")
    assert read_gauges(seen) == {
        ("remaining", "openai", "gpt-x", "requests"): 7,
        ("remaining", *place, "requests"): 49,
        ("remaining", *place, "input_tokens"): 29000,
        ("remaining", *place, "output_tokens"): 0,
        ("limit", *place, "requests"): 50,
        ("limit", *place, "input_tokens"): 30000,
        ("limit", *place, "output_tokens"): 8000,
    }


def test_old_response_is_told_no_more(
    gpt: openai.OpenAI, seen: Capture, provider: FakeProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    provider.answer(lambda call: Answer(headers=(("x-ratelimit-remaining-requests", "7"),)))
    ask(gpt, "gpt-x")
    assert len(read_gauges(seen)) == 1
    monkeypatch.setattr("otel_agentops._sinks.rate_limits._OLDEST_NS", 0)
    assert read_gauges(seen) == {}
