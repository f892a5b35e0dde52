"""Google's client keeps the contract, its async half over both of the libraries that it can use."""

from __future__ import annotations

import importlib.util

import pytest
from google_genai_subject import GoogleGenaiSubject, HttpxSubject, InteractionsSubject

from otel_agentops.testing.contract import Contract


class TestGoogleGenai(Contract):
    subject = GoogleGenaiSubject()


class TestOverHttpx(Contract):
    subject = HttpxSubject()

    @pytest.fixture(params=["async"])
    def kind(self, request: pytest.FixtureRequest) -> str:
        return str(request.param)


@pytest.mark.skipif(importlib.util.find_spec("google.genai._gaos") is None, reason="interactions are new in 2.9")
class TestInteractions(Contract):
    subject = InteractionsSubject()
