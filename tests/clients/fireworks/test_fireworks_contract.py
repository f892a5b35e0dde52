"""Fireworks keeps the contract."""

from __future__ import annotations

from fireworks_subject import FireworksSubject

from otel_agentops.testing.contract import Contract


class TestFireworks(Contract):
    subject = FireworksSubject()
