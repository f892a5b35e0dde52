"""The openai client keeps the contract, with chats and with responses."""

from __future__ import annotations

from openai_subject import OpenaiSubject
from responses_subject import ResponsesSubject

from otel_agentops.testing.contract import Contract


class TestOpenai(Contract):
    subject = OpenaiSubject()


class TestResponses(Contract):
    subject = ResponsesSubject()
