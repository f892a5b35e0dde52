"""The contract of every adapter, through the mistralai client."""

from __future__ import annotations

from mistralai_subject import MistralaiSubject

from otel_agentops.testing.contract import Contract


class TestMistralai(Contract):
    subject = MistralaiSubject()
