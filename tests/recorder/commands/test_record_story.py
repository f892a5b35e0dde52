"""An incident from the first look to the regression test: list, show, diff, replay, bundle, serve."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from recorded_tasks import answer_as_agent, run_command, run_refund

from otel_agentops.recorder.commands.bundle import read_bundle
from otel_agentops.recorder.commands.serving import ReplayServer
from otel_agentops.testing.fake_provider import FakeProvider


def test_incident_is_found_compared_replayed_and_kept(
    refunds: Path, provider: FakeProvider, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OTEL_AGENTOPS_RECORDER", str(refunds))

    (bad,) = json.loads(run_command("traces", "--verdict", "bad", "--json").stdout)["traces"]
    assert "I have refunded 80 euros." in run_command("show", bad["name"]).output

    compared = run_command("diff", "task-good", bad["name"])
    assert compared.output.splitlines()[0].split()[:2] == ["model", "changed"]
    old_model = json.loads(run_command("show", "task-good", "--json").stdout)["turns"][0]["title"].rpartition(" ")[2]

    provider.answer(answer_as_agent)
    provider.alias("gpt-x", "gpt-x-2026-06-01")
    replayed = run_command(
        "replay", f"{bad['name']}#2", "--swap", f"model={old_model}", "--expect", "regex:colleague", "-n", "10",
        "--base-url", provider.openai_url, "--run",
    )  # fmt: skip
    assert replayed.output.splitlines() == [
        "control: 0/10 = 0 % [0, 28]",
        "swap: 10/10 = 100 % [72, 100]",
        "difference, swap less control: [+61, +100] points",
        "differs",
    ]

    page = tmp_path / "incident.html"
    assert run_command("export", bad["name"], "--html", page).exit_code == 0
    with ReplayServer(read_bundle(page)) as server:
        assert run_refund(server.openai_url, "again") == "I have refunded 80 euros."
