"""The contract of every adapter, through the openrouter client."""

from __future__ import annotations

from openrouter_subject import OpenrouterSubject

from otel_agentops.testing.contract import Contract


class TestOpenrouter(Contract):
    subject = OpenrouterSubject()
