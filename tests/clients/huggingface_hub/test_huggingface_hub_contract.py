"""The InferenceClient is held to the contract."""

from __future__ import annotations

from huggingface_hub_subject import HuggingfaceHubSubject

from otel_agentops.testing.contract import Contract


class TestHuggingfaceHub(Contract):
    subject = HuggingfaceHubSubject()
