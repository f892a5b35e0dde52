"""Secrets in every position: in the mode redacted none reaches the disk, a span or a log."""

from __future__ import annotations

import base64
import json
import logging
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import pytest
from recorder_entries import dump_disk

import otel_agentops
from otel_agentops import _config, _telemetry
from otel_agentops.clients.openai import Instrumentor
from otel_agentops.recorder.commands.steps import load_steps
from otel_agentops.recorder.entries import Call, Entry, ToolRun
from otel_agentops.recorder.reading import open_records, read_chunks, read_json, read_parts, read_request
from otel_agentops.semconv import attributes as A
from otel_agentops.testing import Capture
from otel_agentops.testing.fake_provider import Answer, FakeProvider, Status

openai = pytest.importorskip("openai", reason="the environment of another client")
KEYS = [
    f"sk-proj-{name}4f9Qw2Er7Ty1Ui8Op3As"
    for name in ("SYSTEM", "USER", "ARGS", "RESULT", "STREAM", "BASE64", "QUERY", "ERROR", "HEAD")
]
SYSTEM, USER, ARGS, RESULT, STREAM, BASE64, QUERY, ERROR, HEAD = KEYS
MAIL = "jane.roe@example.com"


def hide_mail(name: str, value: object) -> object:
    return json.loads(json.dumps(value).replace(MAIL, "[mail]"))


@pytest.fixture
def seen() -> Capture:
    return Capture()


@pytest.fixture
def telemetry(seen: Capture, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[_telemetry.Telemetry]:
    environ = {
        "OTEL_AGENTOPS_RECORDER": str(tmp_path),
        "OTEL_AGENTOPS_RECORDER_MODE": getattr(request, "param", "redacted"),
        "OTEL_AGENTOPS_REDACT": f"{__name__}:hide_mail",
    }
    telemetry = _telemetry.Telemetry(_config.read_config(environ), **seen.providers)
    before = _telemetry.replace_default(telemetry)
    instrumentor = Instrumentor()
    instrumentor.instrument(**seen.providers, skip_dep_check=True)
    yield telemetry
    instrumentor.uninstrument()
    _telemetry.replace_default(before)


def read_all(telemetry: _telemetry.Telemetry, root: Path) -> list[Entry]:
    assert telemetry._recorder is not None and telemetry._recorder.writer.close(10)
    return list(open_records(root))


def find_leaks(*texts: str) -> list[str]:
    hidden = [
        form for key in (*KEYS, MAIL) for form in (key, base64.b64encode(key.encode()).decode().rstrip("="), quote(key))
    ]
    return [secret for secret in hidden if any(secret in text for text in texts)]


def test_no_secret_reaches_disk_span_or_log(
    telemetry: _telemetry.Telemetry,
    seen: Capture,
    tmp_path: Path,
    provider: FakeProvider,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.DEBUG, "otel_agentops")
    client = openai.OpenAI(base_url=f"{provider.url}/v1", api_key=HEAD, max_retries=0)
    encoded = base64.b64encode(f"the key is {BASE64}".encode()).decode()
    turns = [
        {"role": "system", "content": f"Use {SYSTEM}. " + "You help. " * 20},
        {"role": "user", "content": f"my key is {USER}, write to {MAIL}"},
        {
            "role": "assistant",
            "content": None,
            "tool_calls": [
                {
                    "id": "1",
                    "type": "function",
                    "function": {"name": "f", "arguments": json.dumps({"password": ARGS, "token": "hunter2hunter2"})},
                }
            ],
        },
        {"role": "tool", "tool_call_id": "1", "content": f"data {encoded} and https://x.example/?key={quote(QUERY)}"},
    ]
    provider.answer(lambda call: Answer(text=f"here it is: {RESULT}"))
    client.chat.completions.create(model="gpt-x", messages=turns)
    provider.answer(lambda call: Answer(text=f"streamed {STREAM} to {MAIL}", chunks=7))
    list(client.chat.completions.create(model="gpt-x", messages=turns, stream=True))
    provider.script(Status(400, message=f"bad key {ERROR}"))
    with pytest.raises(openai.BadRequestError):
        client.chat.completions.create(model="gpt-x", messages=turns)

    @otel_agentops.tool("lookup", effect="write")
    def lookup(account: str, api_key: str) -> dict[str, str]:
        return {"secret": RESULT, "note": f"{account} has {encoded}"}

    lookup(MAIL, ARGS)
    entries = read_all(telemetry, tmp_path)
    spans = json.dumps([span["attributes"] for span in seen.spans], default=str)
    assert find_leaks(dump_disk(tmp_path), spans, caplog.text) == []
    assert "hunter2" not in dump_disk(tmp_path)
    whole, stream, failed = [entry for entry in entries if isinstance(entry, Call)]
    assert {part.form for part in read_parts(whole) if part.name == "request"} == {"redacted"}
    sent = json.loads(read_request(whole) or b"")
    assert sent["messages"][0]["content"].startswith("Use [redacted]. You help.")
    assert sent["messages"][1]["content"] == "my key is [redacted], write to [mail]"
    assert "streamed [redacted] to" in b"".join(chunk.data for chunk in read_chunks(stream)).decode()
    assert failed.error_type is not None
    (tool,) = [entry for entry in entries if isinstance(entry, ToolRun)]
    assert read_json(tool, "arguments") == {"account": "[mail]", "api_key": "[redacted]"}


def test_request_without_secrets_keeps_its_bytes(
    telemetry: _telemetry.Telemetry, tmp_path: Path, provider: FakeProvider
) -> None:
    client = openai.OpenAI(base_url=f"{provider.url}/v1", api_key="none", max_retries=0)
    client.chat.completions.create(model="gpt-x", messages=[{"role": "user", "content": "Grüße"}], temperature=0.0)
    (call,) = read_all(telemetry, tmp_path)
    assert isinstance(call, Call)
    (part,) = [part for part in read_parts(call) if part.name == "request"]
    assert part.sha256 == provider.requests[0].sha256
    assert part.form == "wire"


@pytest.mark.parametrize("telemetry", ["redacted,response=hashes,headers=off,tenant:acme=off"], indirect=True)
def test_client_calls_keep_each_class_in_its_mode(
    telemetry: _telemetry.Telemetry, seen: Capture, tmp_path: Path, provider: FakeProvider
) -> None:
    client = openai.OpenAI(base_url=f"{provider.url}/v1", api_key="none", max_retries=0)
    provider.answer(lambda call: Answer(text="nobody may keep this", chunks=3))
    turns = [{"role": "user", "content": f"my key is {USER}"}]
    for tenant in ("globex", "acme"):
        with otel_agentops.task("support", tenant=tenant):
            client.chat.completions.create(model="gpt-x", messages=turns)
            usage = {"include_usage": True}
            list(client.chat.completions.create(model="gpt-x", messages=turns, stream=True, stream_options=usage))
    entries = read_all(telemetry, tmp_path)
    assert [(entry.kind, entry.tenant, entry.missing) for entry in entries] == [("call", "globex", ())] * 2
    kept = [
        [(part.name, part.form, part.sha256 is not None, content is not None) for part, content in pairs]
        for pairs in (zip(step.parts, step.contents, strict=True) for step in load_steps(entries))
    ]
    request, headers = ("request", "redacted", True, True), ("headers", "off", False, False)
    whole, stream = ("response", "wire", True, False), ("chunks", "object", True, False)
    assert kept == [[request, whole, headers], [request, stream, headers]]
    disk = dump_disk(tmp_path)
    assert find_leaks(disk) == [] and "may keep" not in disk and "acme" not in disk and "content-type" not in disk
    calls = [span["attributes"] for span in seen.spans if A.GEN_AI_REQUEST_MODEL in span["attributes"]]
    assert [(call[A.TRAFFIC_TENANT], call.get(A.CONTENT_STATE), A.CONTENT_REF in call) for call in calls] == [
        ("globex", "recorded", True),
        ("globex", "recorded", True),
        ("acme", None, False),
        ("acme", None, False),
    ]
