"""The ollama client is held to the contract."""

from __future__ import annotations

from ollama_subject import OllamaSubject

from otel_agentops.testing.contract import Contract


class TestOllama(Contract):
    subject = OllamaSubject()
