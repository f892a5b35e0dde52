"""Together keeps the contract."""

from __future__ import annotations

from together_subject import TogetherSubject

from otel_agentops.testing.contract import Contract


class TestTogether(Contract):
    subject = TogetherSubject()
