"""Chat completions: every way of making a call is one whole span."""

from __future__ import annotations

from typing import Any

from both import done
from openai_spans import CHAT, span

from fake_provider import FakeProvider
from otel_agentops.testing import Capture

ASK: Any = [{"role": "user", "content": "hi"}]


async def test_a_plain_call(provider: FakeProvider, client: Any, seen: Capture) -> None:
    answer = await done(client.chat.completions.create(model="gpt-x", messages=ASK))
    assert answer.choices[0].message.content == "Hello there."
    assert seen.spans == [span(provider, CHAT)]
