"""Bedrock keeps the contract of every client."""

from __future__ import annotations

from bedrock_subject import BedrockSubject

from otel_agentops.testing.contract import Contract


class TestBedrock(Contract):
    subject = BedrockSubject()
