"""The cohere client is held to the contract."""

from __future__ import annotations

from cohere_subject import CohereSubject

from otel_agentops.testing.contract import Contract


class TestCohere(Contract):
    subject = CohereSubject()
