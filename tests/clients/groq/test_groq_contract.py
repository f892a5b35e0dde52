"""Groq keeps the contract."""

from __future__ import annotations

from groq_subject import GroqSubject

from otel_agentops.testing.contract import Contract


class TestGroq(Contract):
    subject = GroqSubject()
