"""Writer keeps the contract."""

from __future__ import annotations

from writer_subject import WriterSubject

from otel_agentops.testing.contract import Contract


class TestWriter(Contract):
    subject = WriterSubject()
