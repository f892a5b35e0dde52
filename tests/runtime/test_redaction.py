"""Secrets are replaced by pattern, whatever is around them; nothing else is."""

from __future__ import annotations

import datetime
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from otel_agentops._content_limits import dump_json, fit_content
from otel_agentops._redaction import copy_json, redact_secrets, redact_text

SECRETS = (
    "sk-proj-a1b2c3d4e5f6g7h8",
    "sk-ant-api03-Ab1Cd2Ef3Gh4Ij5Kl6",
    "sk_live_4eC39HqLyjWDarjtT1zdp7dc",
    "ghp_16C7e42F292c6912E7710c838347Ae178B4a",
    "github_pat_11ABCDEFG0aBcDeFgHiJkL_mnopqrstuv",
    "hf_aBcDeFgHiJkLmNoPqRsTuVwXyZ123456",
    "gsk_a1B2c3D4e5F6g7H8i9J0k1L2",
    "xai-a1B2c3D4e5F6g7H8i9J0k1L2",
    "xoxb-123456789012-abcdefghij",
    "AKIAIOSFODNN7EXAMPLE",
    "AIzaSyA1234567890abcdefghijklmnopqrstuv",
    "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.dozjgNryP4J3jVmNHl0w5N",
    "-----BEGIN RSA PRIVATE KEY-----\nMIIEow\n-----END RSA PRIVATE KEY-----",
)
PLAIN = (
    "Where is my order 10093?",
    "pip install scikit-learn and sk-learn-contrib",
    "the password is required",
    "max_tokens: 64",
    "https://shop.example/a?b=c",
    "a task-oriented-dialogue-system-for-shops",
    "basic understanding of authentication",
    "the --password option, --token VALUE",
    "https://shop.example/a?key=frontpage-banner",
    '{"total_tokens": "9", "tokens": "12"}',
    "A1b2/" * 300,
)


@pytest.mark.parametrize("secret", SECRETS)
def test_secret_in_a_text_is_replaced(secret: str) -> None:
    assert redact_text(f"use {secret}, please") == "use [redacted], please"
    assert redact_text(json.dumps({"key": secret})) == '{"key": "[redacted]"}'
    assert redact_text(f"my_{secret}") == "my_[redacted]"
    assert redact_text(f"密钥是{secret}。") == "密钥是[redacted]。"


@pytest.mark.parametrize(
    ("text", "redacted"),
    [
        ("Authorization: Bearer abcdefgh12345678", "Authorization: [redacted]"),
        ("postgres://ann:hunter2@db:5432/x", "postgres://[redacted]@db:5432/x"),
        ("API_KEY=abcdef123", "API_KEY=[redacted]"),
        ('{"password": "hunter22"}', '{"password": "[redacted]"}'),
        ("client_secret: abcdef&x=1", "client_secret: [redacted]&x=1"),
        ("PGPASSWORD=hunter22 psql", "PGPASSWORD=[redacted] psql"),
        ("aws_secret_access_key = wJalrXUtnFEMI", "aws_secret_access_key = [redacted]"),
        ("login --password hunter22 --yes", "login --password [redacted] --yes"),
        ("https://x.example/a?page=2&sig=aB3%2Fdef456&b=c", "https://x.example/a?page=2&sig=[redacted]&b=c"),
        ('Result: {"token": "s3cr3t, and more", "a": 1}', 'Result: {"token": "[redacted]", "a": 1}'),
        (r'body "{\"dbPassword\": \"hunter\"}"', r'body "{\"dbPassword\": \"[redacted]\"}"'),
        ("{'session_token': 'abc', 'n': 1}", "{'session_token': '[redacted]', 'n': 1}"),
        ('{"arguments": {"token": "hunter2, cut he', '{"arguments": {"token": "[redacted]'),
    ],
)
def test_secret_after_its_name_is_replaced(text: str, redacted: str) -> None:
    assert redact_text(text) == redacted


@pytest.mark.parametrize("text", PLAIN)
def test_plain_text_stays(text: str) -> None:
    assert redact_text(text) == text


def test_member_named_as_a_secret_is_replaced() -> None:
    value = {"api_key": "k", "headers": [{"Authorization": "x"}], "db_password": 7, "total_tokens": 9, "max_tokens": 1}
    assert redact_secrets(value) == {
        "api_key": "[redacted]",
        "headers": [{"Authorization": "[redacted]"}],
        "db_password": "[redacted]",
        "total_tokens": 9,
        "max_tokens": 1,
    }


@pytest.mark.parametrize(
    "name", ["clientSecret", "awsSecretAccessKey", "passphrase", "pwd", "Set-Cookie", "x.api.token"]
)
def test_secret_name_is_known_however_it_is_written(name: str) -> None:
    assert redact_secrets({name: "k"}) == {name: "[redacted]"}


def test_secrets_in_a_list_are_replaced() -> None:
    assert redact_secrets({"passwords": ["a", 7, {"user": "b"}]}) == {
        "passwords": ["[redacted]", "[redacted]", {"user": "b"}]
    }


def test_schema_of_a_secret_stays() -> None:
    schema = {"properties": {"password": {"type": "string"}}, "required": ["password"]}
    assert redact_secrets(schema) == schema


@dataclass
class Order:
    number: int
    when: datetime.date


def test_objects_are_read_as_json() -> None:
    cycle: list[Any] = []
    cycle.append(cycle)
    values = (1, Order(7, datetime.date(2026, 5, 1)), b"abc", Path("a/b"), float("nan"), object(), iter((1,)), "\ud800")
    assert copy_json(values) == [
        1,
        {"number": 7, "when": "2026-05-01"},
        {"byte_size": 3},
        str(Path("a/b")),
        "nan",
        "<object>",
        "<tuple_iterator>",
        "?",
    ]
    dump_json(copy_json(cycle))


# -- limits

PARTS = st.lists(
    st.fixed_dictionaries({"type": st.sampled_from(["text", "reasoning"]), "content": st.text(max_size=300)}),
    max_size=4,
)
MESSAGES = st.lists(st.fixed_dictionaries({"role": st.sampled_from(["user", "assistant"]), "parts": PARTS}), min_size=1)


@given(MESSAGES, st.integers(1, 2000))
def test_limit_holds_and_json_stays_whole(messages: Any, limit: int) -> None:
    before = dump_json(messages)
    fitting = fit_content(copy_json(messages), limit)
    if len(before.encode()) <= limit:
        assert fitting == json.loads(before)
    elif fitting is not None:
        assert len(dump_json(fitting).encode()) <= limit
        assert "omitted" in dump_json(fitting)


def test_longest_members_are_left_out_first() -> None:
    call = {"type": "tool_call", "id": "1", "name": "f", "arguments": {"text": "y" * 500}}
    messages = [
        {"role": "user", "parts": [{"type": "text", "content": "short"}, {"type": "text", "content": "x" * 400}, call]}
    ]
    (message,) = fit_content(messages, 700)
    assert message["parts"][1]["content"] == "x" * 400
    assert message["parts"][2] == {"type": "tool_call", "id": "1", "name": "f", "arguments": None, "omitted_bytes": 511}


def test_long_history_keeps_its_end() -> None:
    messages = [{"role": "user", "parts": [{"type": "text", "content": str(number)}]} for number in range(100)]
    mark, *kept = fit_content(messages, 1000)
    assert mark["omitted_items"] + len(kept) == 100
    assert kept[-1]["parts"][0]["content"] == "99"


def test_text_beyond_the_limit_is_told_by_its_size() -> None:
    assert fit_content("x" * 500, 100) == "[500 bytes omitted]"
    assert fit_content({"a": "x" * 500, "b": 1}, 100) == {"a": "", "b": 1, "omitted_bytes": 502}
    assert fit_content({"name": "x" * 500}, 100) is None
