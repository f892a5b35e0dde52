"""The recorder under gunicorn: workers that are forked, replaced and told to end lose no call that was answered."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import urllib.error
import urllib.request
from collections import defaultdict
from pathlib import Path

import pytest
from recorder_entries import find_gaps, wait_until

from loopback import find_free_port, wait_for_port
from otel_agentops.recorder.entries import Call
from otel_agentops.recorder.reading import open_records, open_segments, read_request
from otel_agentops.recorder.verifying import verify_records
from otel_agentops.testing.fake_provider import FakeProvider

CLIENTS, CALLS, MAX_REQUESTS = 4, 60, 12


def start_gunicorn(port: int, root: Path, provider: FakeProvider) -> subprocess.Popen[bytes]:
    options = [f"--bind=127.0.0.1:{port}", "--workers=2", f"--max-requests={MAX_REQUESTS}"]
    options += ["--preload", "--no-control-socket"]  # the socket would be in the home of the user
    environ = {
        **os.environ,
        "OPENAI_API_KEY": "k",
        "OPENAI_BASE_URL": provider.openai_url,
        "OTEL_AGENTOPS_RECORDER": str(root),
        "OTEL_AGENTOPS_RECORDER_MODE": "full",
        "PYTHONPATH": str(Path(__file__).parent),
    }
    command = [sys.executable, "-m", "gunicorn", *options, "gunicorn_app:app"]
    return subprocess.Popen(command, env=environ, cwd=root, stderr=(root / "gunicorn.log").open("wb"))


@pytest.mark.rotation("long runs", "gunicorn workers", 9, seconds=15)
def test_gunicorn_workers_lose_no_answered_call(tmp_path: Path, provider: FakeProvider) -> None:
    port = find_free_port()
    server = start_gunicorn(port, tmp_path, provider)
    answered: dict[str, str] = {}  # the question, and the process that has answered it

    def ask_until_closed(client: int) -> None:
        for number in range(1000):
            question = f"/{client}-{number}"
            try:
                with urllib.request.urlopen(f"http://127.0.0.1:{port}{question}", timeout=20) as response:
                    answered[question] = response.read().decode()
            except (urllib.error.URLError, ConnectionError):
                return

    threads = [threading.Thread(target=ask_until_closed, args=(client,)) for client in range(CLIENTS)]
    try:
        wait_for_port(port, server)
        for thread in threads:
            thread.start()
        wait_until(lambda: len(answered) >= CALLS, 30)  # or nobody answers any more
        server.send_signal(signal.SIGTERM)  # while workers answer
        assert server.wait(30) == 0
    finally:
        server.kill()
        server.wait()
    for thread in threads:
        thread.join(30)
    answered["master"] = str(server.pid)
    log = (tmp_path / "gunicorn.log").read_text()

    recorded: dict[str, str] = {}
    processes: defaultdict[str, set[str]] = defaultdict(set)  # by writer
    for entry in open_records(tmp_path):
        assert isinstance(entry, Call) and not entry.missing
        body = read_request(entry)
        assert body is not None
        process, question = json.loads(body)["messages"][0]["content"].split()
        assert question not in recorded
        recorded[question] = process
        processes[entry.ref.partition("/")[0]].add(process)
    assert {question: recorded.get(question) for question in answered} == answered, log
    owners = [owner for owners in processes.values() for owner in owners]
    assert len(owners) == len({*owners}) == len(processes) > CALLS // MAX_REQUESTS  # the master, and workers replaced
    assert all(segment.is_sealed and not segment.is_torn for segment in open_segments(tmp_path))
    assert [finding.text for finding in verify_records(tmp_path) if finding.level != "ok"] == []
    assert find_gaps(tmp_path) == [] and not [*tmp_path.glob("v1/*/*/*.open")]
