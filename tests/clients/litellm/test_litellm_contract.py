"""LiteLLM keeps the contract."""

from __future__ import annotations

from litellm_subject import LitellmSubject, ThroughOpenai

from otel_agentops.testing.contract import Contract


class TestLitellm(Contract):
    subject = LitellmSubject()


class TestThroughOpenai(Contract):
    subject = ThroughOpenai()
