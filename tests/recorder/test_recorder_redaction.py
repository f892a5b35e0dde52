"""Secrets in every position: in the mode redacted none reaches the disk, a span or a log."""

from __future__ import annotations

import base64
import json
import logging
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from recorder_entries import dump_disk, offer

import otel_agentops
from otel_agentops import _config, _telemetry
from otel_agentops._redaction import Redactor
from otel_agentops.clients.openai import Instrumentor
from otel_agentops.recorder.commands.steps import load_steps
from otel_agentops.recorder.cutting import Cutter
from otel_agentops.recorder.entries import Call, Entry, ToolRun
from otel_agentops.recorder.parts import serialise
from otel_agentops.recorder.reading import (
    open_records,
    open_segments,
    read_chunks,
    read_head,
    read_json,
    read_parts,
    read_request,
)
from otel_agentops.recorder.redaction import PieceRedactor
from otel_agentops.recorder.writer import RecordWriter, Settings
from otel_agentops.semconv import attributes as A
from otel_agentops.testing import Capture
from otel_agentops.testing.fake_provider import Answer, FakeProvider, Status, ToolCall

openai = pytest.importorskip("openai", reason="the environment of another client")
# Where secrets and personal data can be in what is recorded, and what has no place on disk in any mode.
RECORDED = (
    "system", "user", "assistant", "metadata", "stop", "tool_description", "schema", "image_url",
    "call_arguments", "member_name", "tool_message", "base64", "base64_url", "url_query", "json_in_json",
    "answer", "answer_arguments", "stream", "stream_arguments", "error_body", "response_header",
    "embedding", "tool_arguments", "tool_result", "retrieval_query", "document", "judge",
)  # fmt: skip
NOWHERE = ("request_header", "other_header", "tool_exception", "judge_exception", "request_query")
POSITIONS = (*RECORDED, *NOWHERE)
ON_SPANS = {"stop"}  # the convention has them as an attribute of the span, with or without a recorder
MAIL = re.compile(r"[a-z0-9]+\.roe@example\.com")


def make_key(position: str) -> str:
    return f"sk-proj-{position.replace('_', '')}4f9Qw2Er7Ty1Ui8Op3As"


def make_mail(position: str) -> str:
    return f"{position.replace('_', '')}.roe@example.com"


def seed(position: str) -> str:
    """A text with a secret and an address that tell where they were."""
    assert position in POSITIONS
    return f"my key is {make_key(position)}, write to {make_mail(position)}"


def hide_mail(name: str, value: object) -> object:
    return json.loads(MAIL.sub("[mail]", json.dumps(value)))


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


def find_leaks(*texts: str) -> set[str]:
    """The positions whose secret or address is in a text, in the clear or encoded."""
    whole = "\n".join(texts)
    return {
        position
        for position in POSITIONS
        for hidden in (make_key(position), make_mail(position))
        if any(form in whole for form in (hidden, quote(hidden), *encode_base64(hidden)))
    }


def encode_base64(text: str) -> list[str]:
    """What is in the base64 of any longer text that has this one in it: one form for each place modulo 3."""
    return [base64.b64encode(b" " * shift + text.encode()).decode()[4:-4] for shift in range(3)]


def run_all_positions(provider: FakeProvider) -> None:
    client = openai.OpenAI(
        base_url=f"{provider.url}/v1",
        api_key=make_key("request_header"),
        default_headers={"x-mail": seed("request_header")},
        default_query={"note": seed("request_query")},
        max_retries=0,
    )
    turns: Any = [
        {"role": "system", "content": f"Use {seed('system')}. " + "You help. " * 20},
        {
            "role": "user",
            "content": [
                {"type": "text", "text": seed("user")},
                {"type": "image_url", "image_url": {"url": f"https://x.example/{quote(seed('image_url'))}.png"}},
            ],
        },
        {
            "role": "assistant",
            "content": seed("assistant"),
            "tool_calls": [
                {
                    "id": "1",
                    "type": "function",
                    "function": {
                        "name": "f",
                        "arguments": json.dumps(
                            {"password": seed("call_arguments"), "token": "hunter2hunter2", seed("member_name"): 1}
                        ),
                    },
                }
            ],
        },
        {
            "role": "tool",
            "tool_call_id": "1",
            "content": json.dumps(
                {
                    "standard": base64.b64encode(f"a {seed('base64')}".encode()).decode(),
                    "safe": base64.urlsafe_b64encode(f"b? {seed('base64_url')}".encode()).decode(),
                    "link": f"https://x.example/?key={quote(seed('url_query'))}",
                    "text": seed("tool_message"),
                    "inner": json.dumps({"more": json.dumps([seed("json_in_json")])}),
                }
            ),
        },
    ]
    tools: Any = [
        {"type": "function", "function": {"name": "f", "description": seed("tool_description"), "parameters": {}}}
    ]
    schema: Any = {"name": "s", "schema": {"type": "object", "description": seed("schema")}}
    more: Any = {
        "tools": tools,
        "stop": [seed("stop")],
        "metadata": {"note": seed("metadata")},
        "response_format": {"type": "json_schema", "json_schema": schema},
    }
    headers = (("x-ratelimit-note", seed("response_header")), ("x-other", seed("other_header")))
    call = ToolCall("f", json.dumps({"note": seed("answer_arguments")}))
    provider.answer(lambda _: Answer(text=seed("answer"), tool_calls=(call,), headers=headers))
    client.chat.completions.create(model="gpt-x", messages=turns, **more)
    call_in_stream = ToolCall("f", json.dumps({"note": seed("stream_arguments")}))
    provider.answer(lambda _: Answer(text=seed("stream"), tool_calls=(call_in_stream,), chunks=7))
    list(client.chat.completions.create(model="gpt-x", messages=turns, stream=True))
    client.embeddings.create(model="gpt-x", input=[seed("embedding")])
    provider.script(Status(400, message=seed("error_body")))
    with pytest.raises(openai.BadRequestError):
        client.chat.completions.create(model="gpt-x", messages=turns)

    @otel_agentops.tool("lookup", effect="write")
    def lookup(account: str, api_key: str) -> dict[str, str]:
        return {"secret": "hunter2hunter2", "note": seed("tool_result")}

    @otel_agentops.tool("fail", effect="read")
    def fail() -> None:
        raise ValueError(seed("tool_exception"))

    with otel_agentops.task("support"):
        lookup(seed("tool_arguments"), make_key("tool_arguments"))
        with pytest.raises(ValueError, match="my key"):
            fail()
        with otel_agentops.retrieval("articles", version="7", query=seed("retrieval_query")) as search:
            search.documents([{"id": "1", "score": 0.5, "text": seed("document")}])
        with otel_agentops.judge("tone", model="j", params={"note": seed("judge")}) as verdict:
            verdict.score(0.9)
        with pytest.raises(ValueError, match="my key"), otel_agentops.judge("tone", model="j"):
            raise ValueError(seed("judge_exception"))


def dump_telemetry(seen: Capture) -> str:
    return json.dumps([seen.spans, seen.events, {name: seen.metrics[name] for name in seen.metrics}], default=str)


def test_no_secret_reaches_disk_span_metric_or_log(
    telemetry: _telemetry.Telemetry,
    seen: Capture,
    tmp_path: Path,
    provider: FakeProvider,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.DEBUG, "otel_agentops")
    run_all_positions(provider)
    entries = read_all(telemetry, tmp_path)
    disk = dump_disk(tmp_path)
    assert find_leaks(disk) == set()
    assert find_leaks(dump_telemetry(seen), caplog.text) == ON_SPANS
    assert "hunter2" not in disk
    whole, stream, _, failed = [entry for entry in entries if isinstance(entry, Call)]
    assert {part.form for part in read_parts(whole) if part.name == "request"} == {"redacted"}
    sent = json.loads(read_request(whole) or b"")
    assert sent["messages"][0]["content"].startswith("Use my key is [redacted], write to [mail]. You help.")
    assert sent["messages"][1]["content"][0]["text"] == "my key is [redacted], write to [mail]"
    assert "my key is [redacted], write to [mail]" in b"".join(chunk.data for chunk in read_chunks(stream)).decode()
    assert failed.error_type is not None
    tool, _ = [entry for entry in entries if isinstance(entry, ToolRun)]
    assert read_json(tool, "arguments") == {
        "account": "my key is [redacted], write to [mail]",
        "api_key": "[redacted]",
    }


def test_resource_of_a_segment_has_no_secret(tmp_path: Path) -> None:
    """OpenTelemetry's detector of processes puts the command line among the attributes of the resource."""
    line = f"app --key {make_key('user')}"
    writer = RecordWriter(Settings(tmp_path), lambda: {"service.name": "shop", "process.command_line": line})
    offer(writer, 1)
    assert writer.close(10)
    (segment,) = open_segments(tmp_path)
    assert read_head(segment).resource == {"process.command_line": "app --key [redacted]"}


@pytest.mark.parametrize("telemetry", ["full"], indirect=True)
def test_every_position_is_one_that_is_recorded(
    telemetry: _telemetry.Telemetry, seen: Capture, tmp_path: Path, provider: FakeProvider
) -> None:
    """Without redaction all of them are on disk, so a test that finds none shows something; spans have none ever."""
    run_all_positions(provider)
    read_all(telemetry, tmp_path)
    assert find_leaks(dump_disk(tmp_path)) == set(RECORDED) - {"stream"}  # which no chunk has whole
    assert find_leaks(dump_telemetry(seen)) == ON_SPANS


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
    turns = [{"role": "user", "content": seed("user")}]
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
    assert find_leaks(disk) == set() and "may keep" not in disk and "acme" not in disk and "content-type" not in disk
    calls = [span["attributes"] for span in seen.spans if A.GEN_AI_REQUEST_MODEL in span["attributes"]]
    assert [(call[A.TRAFFIC_TENANT], call.get(A.CONTENT_STATE), A.CONTENT_REF in call) for call in calls] == [
        ("globex", "recorded", True),
        ("globex", "recorded", True),
        ("acme", None, False),
        ("acme", None, False),
    ]


def redact(content: str, name: str = "request") -> str:
    """A text as it is recorded inside of a body."""
    body = json.dumps({"model": "gpt-x", "messages": [{"role": "user", "content": content}]}).encode()
    redacted = PieceRedactor(Redactor()).redact_body(name, Cutter().cut(body, ("", name)))
    assert redacted is not None
    kept: str = json.loads(b"".join(redacted))["messages"][0]["content"]
    return kept


def encode(data: str | bytes) -> str:
    return base64.b64encode(data.encode() if isinstance(data, str) else data).decode()


KEY = make_key("user")
PICTURE = b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 4096


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        (f' {{"token": "{KEY}"}}\n', ' {"token": "[redacted]"}\n'),
        (json.dumps(json.dumps({"token": "hunter2"})), json.dumps(json.dumps({"token": "[redacted]"}))),
        (f"log: \\u0073{KEY[1:]}", "log: [redacted]"),
        (f"log: \\x73{KEY[1:]}", "log: [redacted]"),
        (encode(encode(f"a {KEY}")), "[redacted]"),
        (encode('{"token": "hunter2hunter2"}'), "[redacted]"),
        (encode(f"Grüße {KEY}".encode("latin-1")), "[redacted]"),
        (encode(f"$key = {KEY}".encode("utf-16-le")), "[redacted]"),
        (base64.encodebytes(f"{'a ' * 20}{KEY} {'b ' * 40}".encode()).decode(), "[redacted]\n"),
        (f"https://x.example/files/{encode(f'my {KEY} key')}", "https://x.[redacted]"),
        (f"data:image/png;base64,{encode(PICTURE + b'tEXtComment' + bytes(1) + KEY.encode())}",
         "data:image/png;base64,[redacted]"),
        (f"https://x.example/?a={quote(quote('key ' + KEY))}", "https://x.example/?a=key [redacted]"),
        (f"https://x.example/?a={quote(encode('key ' + KEY))}", "https://x.example/?a=[redacted]"),
    ],
)  # fmt: skip
def test_secret_is_found_inside_of_encodings(text: str, kept: str) -> None:
    assert redact(text) == kept


def test_what_is_encoded_too_often_is_left_out() -> None:
    text = KEY
    for _ in range(12):
        text = quote(f"%{text}")
    assert redact(text) == "[redacted]"


def test_picture_of_a_megabyte_stays_as_it_is() -> None:
    text = f"data:image/png;base64,{encode(PICTURE)}"
    assert redact(text) == text


def interleave(first: str, second: str) -> list[tuple[int, str]]:
    """Two texts in pieces that come by turns, each with the number of its text."""
    cuts = [
        (number, text[start : start + 7]) for start in range(0, 56, 7) for number, text in enumerate((first, second))
    ]
    return [cut for cut in cuts if cut[1]]


Wrap = Callable[[int, str], Any]
Unwrap = Callable[[Any], str]


@pytest.mark.parametrize(
    ("wrap", "unwrap"),
    [
        pytest.param(
            lambda number, text: {"choices": [{"index": number, "delta": {"content": text}}]},
            lambda chunk: chunk["choices"][0]["delta"]["content"],
            id="choices",
        ),
        pytest.param(
            lambda number, text: {
                "choices": [{"index": 0, "delta": {"tool_calls": [{"index": number, "args": text}]}}]
            },
            lambda chunk: chunk["choices"][0]["delta"]["tool_calls"][0]["args"],
            id="tool calls",
        ),
        pytest.param(
            lambda number, text: {"output_index": number, "delta": text}, lambda chunk: chunk["delta"], id="blocks"
        ),
    ],
)
def test_secret_is_found_in_answers_that_come_by_turns(wrap: Wrap, unwrap: Unwrap) -> None:
    texts = interleave(f"the key is {KEY} ok", "another answer, and no secret is in it")
    redacted = PieceRedactor(Redactor()).redact_chunks([json.dumps(wrap(*text)).encode() for text in texts])
    assert redacted is not None
    answers = ["", ""]
    for (number, _), line in zip(texts, redacted, strict=True):
        answers[number] += unwrap(json.loads(line))
    assert answers == ["the key is [redacted] ok", "another answer, and no secret is in it"]


def test_secret_is_found_in_chunks_of_bytes() -> None:
    """Bedrock's InvokeModelWithResponseStream has the JSON of each event as bytes."""
    chunks = [{"chunk": {"bytes": json.dumps({"delta": text}).encode()}} for text in ("a ", KEY[:9], KEY[9:], " b")]
    redacted = PieceRedactor(Redactor()).redact_chunks(list(map(serialise, chunks)))
    assert redacted is not None
    texts = [json.loads(base64.b64decode(json.loads(line)["chunk"]["bytes"]["base64"]))["delta"] for line in redacted]
    assert texts == ["a [redacted] b", "", "", ""]


def test_secret_is_found_in_texts_that_are_told_again() -> None:
    """The Responses API has the instructions in its first events and in its last one."""
    chunks = [{"response": {"instructions": "--password hunter2hunter2"}}, {"delta": "ok"}] * 3
    redacted = PieceRedactor(Redactor()).redact_chunks([json.dumps(chunk).encode() for chunk in chunks])
    assert redacted is not None
    texts = [json.loads(line)["response"]["instructions"] for line in redacted[::2]]
    assert texts == ["--password [redacted] [redacted]--password [redacted]", "", ""]
    assert redacted[1::2] == [b'{"delta": "ok"}'] * 3
