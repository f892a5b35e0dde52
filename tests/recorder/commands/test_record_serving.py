"""Recorded answers served in the provider's protocol, matched by the request and its place in the conversation."""

from __future__ import annotations

import socket
from pathlib import Path

import httpx
import openai
import pytest
from recorded_tasks import answer_as_agent, record_into, run_command, run_refund

from otel_agentops.recorder.commands.bundle import Bundle, load_bundle
from otel_agentops.recorder.commands.index import RecordIndex
from otel_agentops.recorder.commands.serving import ReplayServer, find_difference
from otel_agentops.testing.fake_provider import FakeProvider, Status


def load_task(folder: Path, task: str) -> Bundle:
    index = RecordIndex(folder)
    bundle, _ = load_bundle(task, index)
    index.close()
    return bundle


def test_application_gets_its_recorded_answers(refunds: Path) -> None:
    with ReplayServer(load_task(refunds, "task-bad")) as server:
        assert run_refund(server.openai_url, "again") == "I have refunded 80 euros."
        assert (server.misses, server.waiting) == ([], [])


def test_miss_names_the_first_difference(refunds: Path) -> None:
    with ReplayServer(load_task(refunds, "task-bad")) as server:
        with pytest.raises(openai.ConflictError) as caught:
            run_refund(server.openai_url, "again", user="Refund B-2")
        assert len(server.misses) == 1
        assert caught.value.body == {
            "type": "recording_miss",
            "message": 'this request is not call 1 of the recording: /messages/1/content was "Refund A-17" and is '
            '"Refund B-2"',
            "lane": "task-bad",
            "position": 1,
            "pointer": "/messages/1/content",
            "recorded": "Refund A-17",
            "sent": "Refund B-2",
        }
    with ReplayServer(load_task(refunds, "task-bad"), is_lenient=True) as server:
        assert run_refund(server.openai_url, "again", user="Refund B-2") == "I have refunded 80 euros."


def test_call_behind_the_last_is_a_miss(refunds: Path) -> None:
    with ReplayServer(load_task(refunds, "task-bad")) as server:
        run_refund(server.openai_url, "again")
        with pytest.raises(openai.ConflictError, match="no further call"):
            run_refund(server.openai_url, "once more")


def test_errors_and_retry_after_are_replayed(provider: FakeProvider, tmp_path: Path) -> None:
    provider.answer(answer_as_agent)
    provider.script(Status(429, retry_after=0.01))
    ask = {"model": "gpt-x", "messages": [{"role": "user", "content": "Hi"}]}
    with record_into(tmp_path):
        openai.OpenAI(api_key="k", base_url=provider.openai_url, max_retries=1).chat.completions.create(**ask)
    (trace,) = _list_traces(tmp_path)
    with ReplayServer(load_task(tmp_path, trace)) as server:
        first = httpx.post(f"{server.openai_url}/chat/completions", json=ask)
        assert (first.status_code, first.headers["retry-after"]) == (429, "0.01")
        second = httpx.post(f"{server.openai_url}/chat/completions", json=ask)
        assert (second.status_code, second.headers["x-request-id"]) == (200, "req_fake")
    with ReplayServer(load_task(tmp_path, trace)) as server:
        client = openai.OpenAI(api_key="k", base_url=server.openai_url, max_retries=1)
        assert client.chat.completions.create(**ask).choices[0].message.tool_calls
        assert server.waiting == []


def _list_traces(folder: Path) -> list[str]:
    index = RecordIndex(folder)
    rows = index.find_rows()
    index.close()
    return list(dict.fromkeys(row["trace_id"] for row in rows))


@pytest.mark.parametrize(
    ("recorded", "sent", "difference"),
    [
        ({"a": 1}, {"a": 1}, None),
        ({"a": 1, "b": [1, 2]}, {"b": [1, 3], "a": 1}, ("/b/1", 2, 3)),
        ([1], [1, 2], ("/1", None, 2)),
        ({"a/b~c": 1}, {}, ("/a~1b~0c", 1, None)),
        ({"a": True}, {"a": 1}, ("/a", True, 1)),
    ],
)
def test_first_difference_has_a_pointer(recorded: object, sent: object, difference: object) -> None:
    assert find_difference(recorded, sent) == difference


def test_port_that_is_taken_is_a_sentence(refunds: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        shown = run_command("serve", "task-bad", "--port", port, "--dir", refunds)
    assert shown.exit_code == 1
    assert f"port {port}: cannot be listened on: Address already in use; choose another --port" in shown.output
