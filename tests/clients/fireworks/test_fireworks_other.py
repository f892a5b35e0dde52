"""Fireworks beside its chat: completions, and messages in Anthropic's words."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest
from both import done
from fireworks_subject import FireworksSubject

from otel_agentops._hashing import identity
from otel_agentops.clients.fireworks import Instrumentor
from otel_agentops.testing import Capture
from otel_agentops.testing.contract import Bench
from otel_agentops.testing.fake_provider import FakeProvider
from otel_agentops.testing.subject import MODEL, RESOLVED, SYSTEM, USER

SUBJECT = FireworksSubject()


@pytest.fixture
def instrumentor() -> Instrumentor:
    return Instrumentor()


@pytest.fixture
async def client(kind: str, provider: FakeProvider) -> AsyncIterator[Any]:
    provider.alias(MODEL, RESOLVED)
    talking = SUBJECT.client(kind, provider)
    yield talking
    await done(SUBJECT.close(talking))


def name_source(parameter: str) -> str:
    return f"otel_agentops__param__{parameter}__source"


async def test_message_has_the_hashes_of_a_chat(provider: FakeProvider, kind: str, client: Any, seen: Capture) -> None:
    turns = [{"role": "user", "content": USER}]
    await done(client.messages.create(model=MODEL, system=SYSTEM, messages=turns, max_tokens=64, temperature=0.2))
    of_chat = {name_source(name): None for name in ("frequency_penalty", "presence_penalty", "seed", "stop")}
    own = {
        **of_chat,
        name_source("stop_sequences"): "unset",
        "gen_ai__response__id": "msg_fake",
        "gen_ai__response__finish_reasons": ["end_turn"],
        "gen_ai__usage__reasoning__output_tokens": None,
        "gen_ai__usage__cache_creation__input_tokens": 0,
    }
    assert seen.spans == [Bench(SUBJECT, kind, provider).expect_span("chat", **own)]


async def test_a_completion(provider: FakeProvider, kind: str, client: Any, seen: Capture) -> None:
    said = await done(client.completions.create(model=MODEL, prompt=USER, max_tokens=64, temperature=0.2))
    assert said.choices[0].text == "Hello there."
    own = {
        "gen_ai__operation__name": "text_completion",
        "gen_ai__response__id": "cmpl-fake",
        "otel_agentops__prompt__hash": None,
        "otel_agentops__prompt__source": "none",
    }
    assert seen.spans == [Bench(SUBJECT, kind, provider).expect_span("chat", **own)]
    assert seen.spans[0]["attributes"]["otel_agentops.params.hash"] == identity({"max_tokens": 64, "temperature": 0.2})
