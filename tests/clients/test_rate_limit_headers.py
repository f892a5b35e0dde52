"""The limits that a provider states in the headers of its responses, read through its own SDK.

The headers are those that each provider documents or was seen to send; src/otel_agentops/_sinks/rate_limits.py links
them.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from typing import NamedTuple

import pytest
from every_client import load_subject, make_bench, run_provider

from otel_agentops.testing import capture
from otel_agentops.testing.fake_provider import Answer, Status
from otel_agentops.testing.subject import MODEL
from rate_limit_gauges import read_gauges


class Limit(NamedTuple):
    """What a provider states of one limit.

    Attributes:
        remaining, limit: The headers.
        kind: What they count.
    """

    remaining: str
    limit: str
    kind: str = "requests"


OPENAI = (
    Limit("x-ratelimit-remaining-requests", "x-ratelimit-limit-requests"),
    Limit("x-ratelimit-remaining-tokens", "x-ratelimit-limit-tokens", "tokens"),
)
FIREWORKS = (
    "x-ratelimit-{}-tokens-prompt",
    "x-ratelimit-{}-tokens-cache-adjusted-prompt",
    "x-ratelimit-{}-tokens-generated",
)
STATED = {
    "openai": OPENAI,
    "groq": OPENAI,
    "fireworks": tuple(
        Limit(name.format("remaining"), name.format("limit"), kind)
        for name, kind in zip(FIREWORKS, ("input_tokens", "uncached_input_tokens", "output_tokens"), strict=True)
    ),
    "together": (
        Limit("x-ratelimit-remaining", "x-ratelimit-limit"),
        Limit("x-tokenlimit-remaining", "x-tokenlimit-limit", "tokens"),
    ),
    "mistralai": (
        Limit("x-ratelimit-remaining-req-minute", "x-ratelimit-limit-req-minute"),
        Limit("x-ratelimit-remaining-tokens-minute", "x-ratelimit-limit-tokens-minute", "tokens"),
    ),
    "cohere": (Limit("x-trial-endpoint-call-remaining", "x-trial-endpoint-call-limit"),),
    "watsonx": (Limit("x-requests-limit-remaining", "x-requests-limit-rate"),),
    "litellm": OPENAI,
}


def write_headers(limits: tuple[Limit, ...]) -> tuple[tuple[str, str], ...]:
    """Return the headers, with another number in each."""
    named = [header for limit in limits for header in (limit.remaining, limit.limit)]
    return tuple((name, str(number)) for number, name in enumerate(named, 7))


def expect_gauges(limits: tuple[Limit, ...], provider: str) -> Mapping[tuple[str, str, str, str], float]:
    """Return the gauges that follow from `write_headers`."""
    gauges = {}
    for number, limit in enumerate(limits):
        gauges["remaining", provider, MODEL, limit.kind] = 7 + 2 * number
        gauges["limit", provider, MODEL, limit.kind] = 8 + 2 * number
    return gauges


@pytest.mark.parametrize("way", ["chat", "stream", "refused"])
@pytest.mark.parametrize("kind", ["sync", "async"])
@pytest.mark.parametrize("client", STATED)
def test_headers_become_gauges(client: str, kind: str, way: str) -> None:
    subject, limits = load_subject(client), STATED[client]
    if kind not in subject.kinds:
        pytest.skip(f"{client} has no {kind} client")
    with run_provider(subject) as provider, capture(subject.instrumentor()) as seen:
        bench = make_bench(subject, kind, provider)
        provider.answer(lambda call: Answer(headers=write_headers(limits)))
        if way == "refused":
            provider.script(Status(429))
        with suppress(Exception):  # each client has one of its own for the refusal
            (bench.stream if way == "stream" else bench.chat)()
        assert read_gauges(seen) == expect_gauges(limits, subject.provider)


@pytest.mark.parametrize("client", ["bedrock", "google_genai", "writer", "ollama", "huggingface_hub"])
def test_provider_that_states_no_limit_has_no_gauge(client: str) -> None:
    subject = load_subject(client)
    with run_provider(subject) as provider, capture(subject.instrumentor()) as seen:
        make_bench(subject, "sync", provider).chat()
        assert read_gauges(seen) == {}
