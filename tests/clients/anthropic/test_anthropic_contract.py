"""Anthropic keeps the contract."""

from __future__ import annotations

from anthropic_subject import AnthropicSubject

from otel_agentops.testing.contract import Contract


class TestAnthropic(Contract):
    subject = AnthropicSubject()
