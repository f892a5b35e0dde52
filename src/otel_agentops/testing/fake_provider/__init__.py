"""A fake provider: the wire protocols of many providers on loopback, deterministic and scriptable.

    with FakeProvider() as provider:
        provider.alias("gpt-x", "gpt-x-2026-03-01")
        provider.script(Status(429, retry_after=0.01), Break(after=2))
        openai.OpenAI(api_key="k", base_url=provider.openai_url).chat.completions.create(...)
        provider.requests[-1].body

`with process() as provider:` runs it in a process of its own, as does
`python -m otel_agentops.testing.fake_provider --port 8099`.
"""

from __future__ import annotations

from otel_agentops.testing.fake_provider.behaviour import (
    Answer,
    Break,
    Call,
    Delay,
    Fail,
    Hang,
    Malformed,
    Ok,
    Say,
    Status,
    Step,
    ToolCall,
)
from otel_agentops.testing.fake_provider.provider import FakeProvider
from otel_agentops.testing.fake_provider.remote import Remote, process

__all__ = [
    "Answer",
    "Break",
    "Call",
    "Delay",
    "Fail",
    "FakeProvider",
    "Hang",
    "Malformed",
    "Ok",
    "Remote",
    "Say",
    "Status",
    "Step",
    "ToolCall",
    "process",
]
