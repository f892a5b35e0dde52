"""The xai-sdk client keeps the contract."""

from __future__ import annotations

import logging

import pytest
from xai_subject import XaiSubject

from otel_agentops.testing.contract import Contract


class TestXai(Contract):
    subject = XaiSubject()

    @pytest.fixture(autouse=True)
    def forgotten(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """A generator of the SDK that is closed in another context makes OpenTelemetry log a traceback, with and
        without us: pytest would keep it, and with it the frame that holds the stream.
        """
        monkeypatch.setattr(logging.getLogger("opentelemetry.context"), "disabled", True)
