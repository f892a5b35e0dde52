"""Personal data hidden by the recognisers of Presidio: what is found, what is not, and what reaches the disk."""

from __future__ import annotations

import socket
from pathlib import Path
from typing import Any

import pytest

import otel_agentops
from otel_agentops import _config, _telemetry
from otel_agentops.personal_data import hide_personal_data
from otel_agentops.recorder.entries import Retrieval, ToolRun
from otel_agentops.recorder.reading import open_records, read_json

pytest.importorskip("presidio_analyzer", reason="`make ends` has an environment with the extra personal-data")

NAME = "otel_agentops.personal_data:hide_personal_data"


@pytest.mark.parametrize(
    ("text", "hidden"),
    [
        ("write to jane.roe@example.com!", "write to [email_address]!"),
        ("card 4111 1111 1111 1111", "card [credit_card]"),
        ("pay to DE89 3704 0044 0532 0130 00", "pay to [iban_code]"),
        ("from 203.0.113.7 and 2001:db8::17", "from [ip_address] and [ip_address]"),
        ("+49 30 901820 or (212) 555-0123", "[phone_number] or [phone_number]"),
        ("Grüße an jörg@beispiel.example.org 🌍", "Grüße an [email_address] 🌍"),
    ],
)
def test_personal_data_is_hidden(text: str, hidden: str) -> None:
    assert hide_personal_data("x", text) == hidden


@pytest.mark.parametrize(
    "text",
    [
        "",
        "Jane Roe, 12 Elm Street, born in May",  # what no pattern finds
        "order 4155552671 of 2026-08-06 12:30:00",
        "std::vector and a::b",
        "gpt-4o-2024-08-06, chatcmpl-123456789012, call_4155552671",
        "4111 1111 1111 1112",  # its check digit is wrong
        "jane@localhost",
    ],
)
def test_other_texts_keep_their_words(text: str) -> None:
    assert hide_personal_data("x", text) == text


def test_members_and_their_names_are_read() -> None:
    value: Any = {"jane.roe@example.com": ["a@example.com", 4111111111111111, None, True, {"n": 0.5}], "plain": "b"}
    assert hide_personal_data("x", value) == {
        "[email_address]": ["[email_address]", 4111111111111111, None, True, {"n": 0.5}],
        "plain": "b",
    }


def test_nothing_is_fetched(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        pytest.fail("it went to the network")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    assert hide_personal_data("x", "write to joe.bloggs@example.co.uk") == "write to [email_address]"


def test_recorder_hides_it_before_it_is_on_disk(tmp_path: Path) -> None:
    environ = {
        "OTEL_AGENTOPS_RECORDER": str(tmp_path),
        "OTEL_AGENTOPS_RECORDER_MODE": "redacted",
        "OTEL_AGENTOPS_REDACT": NAME,
    }
    telemetry = _telemetry.Telemetry(_config.read_config(environ))
    before = _telemetry.replace_default(telemetry)

    @otel_agentops.tool("lookup", effect="read")
    def lookup(account: str) -> dict[str, str]:
        return {account: "+49 30 901820"}

    try:
        lookup("jane.roe@example.com")
        with otel_agentops.retrieval("articles", version="7", query="who is at 203.0.113.7") as search:
            search.documents([{"id": "1", "score": 0.5, "text": "jane.roe@example.com"}])
    finally:
        _telemetry.replace_default(before)
    assert telemetry._recorder is not None and telemetry._recorder.writer.close(60)
    tool, found = list(open_records(tmp_path))
    assert isinstance(tool, ToolRun) and isinstance(found, Retrieval)
    assert read_json(tool, "arguments") == {"account": "[email_address]"}
    assert read_json(tool, "result") == {"[email_address]": "[phone_number]"}
    assert read_json(found, "query") == "who is at [ip_address]"
    assert "[email_address]" in str(read_json(found, "documents")) and "jane" not in str(read_json(found, "documents"))
