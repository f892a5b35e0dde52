"""Google's client keeps the contract."""

from __future__ import annotations

from google_genai_subject import GoogleGenaiSubject

from otel_agentops.testing.contract import Contract


class TestGoogleGenai(Contract):
    subject = GoogleGenaiSubject()
