"""The openai client keeps the contract."""

from __future__ import annotations

from openai_subject import OpenaiSubject

from otel_agentops.testing.contract import Contract


class TestOpenai(Contract):
    subject = OpenaiSubject()
