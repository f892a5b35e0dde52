"""The whole demo, started as a person or a CI job starts it."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from demo import brain, perform
from demo.summary import Summary

ROOT = Path(__file__).resolve().parents[2]
MODEL = {"variable": "model", "scope": "gpt-5.5", "previous": brain.CAREFUL, "value": brain.HASTY}
# Hashes of the two definitions, by the published recipe and with no key.
TOOLS = {"variable": "tools", "scope": "support", "previous": "30226f176c76503b", "value": "ec08fa402d6dc9a3"}


def back(move: dict[str, str]) -> dict[str, str]:
    return {**move, "previous": move["value"], "value": move["previous"]}


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    paths = os.pathsep.join(str(ROOT / name) for name in ("examples", "tools"))
    kept = {key: value for key, value in os.environ.items() if not key.startswith(("OTEL_", "DEMO_", "COV_"))}
    found = {key: os.environ[key] for key in ("OTEL_AGENTOPS_CACHE",) if key in os.environ}
    return {**kept, **found, "PYTHONPATH": paths, "TMPDIR": str(tmp_path)}


def start(environment: dict[str, str], *arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "demo", *arguments],
        env=environment,
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


@pytest.mark.demo
@pytest.mark.slow
@pytest.mark.usefixtures("otelcol", "prometheus")
def test_demo_names_the_right_variable_in_every_phase(environment: dict[str, str], tmp_path: Path) -> None:
    written, drawn = tmp_path / "demo.json", tmp_path / "demo.svg"
    demo = start({**environment, "DEMO_JSON": str(written)}, f"--svg={drawn}")
    said, complained = demo.communicate()
    assert demo.returncode == 0, said + complained
    assert "\x1b" not in said and complained == ""

    made = json.loads(written.read_text())
    Summary.model_validate(made)
    assert made["source"] == "Prometheus" and made["left_out"] == []
    names, moved = zip(*((phase["name"], phase["moved"]) for phase in made["phases"]), strict=True)
    assert names == ("healthy", "model", "restored", "tool", "tool restored")
    assert moved == (None, MODEL, back(MODEL), TOOLS, back(TOOLS))
    for phase in made["phases"]:
        assert [without_times(named) for named in phase["named"]] == ([phase["moved"]] if phase["moved"] else [])
    _, model, _, tool, _ = made["phases"]
    assert blamed(model) == [MODEL] and blamed(tool) == [TOOLS]
    assert f"chat gpt-5.5, answered by {brain.HASTY}" in model["trace"]["spans"]
    assert "execute_tool lookup_order, failed: TypeError" in tool["trace"]["spans"]
    assert re.fullmatch("[0-9a-f]{32}", tool["trace"]["trace_id"])
    assert BLAME in said and brain.HASTY in drawn.read_text()
    assert leftovers(tmp_path) == [], "what it made for itself is cleaned up"


BLAME = f"BurnAfterMove of answers (page), model gpt-5.5: {brain.CAREFUL} → {brain.HASTY}"


def without_times(named: dict[str, Any]) -> dict[str, str]:
    return {key: named[key] for key in MODEL}


def blamed(phase: dict[str, Any]) -> list[dict[str, str]]:
    """Return the moves that a burn is joined with, each once."""
    joined = [alert["labels"] for alert in phase["alerts"] if alert["alert"] == "OtelAgentopsBurnAfterMove"]
    return [dict(one) for one in {tuple(sorted(without_times(labels).items())) for labels in joined}]


def leftovers(directory: Path) -> list[str]:
    return [path.name for path in directory.glob("otel-agentops-demo-*")]


@pytest.mark.collector
@pytest.mark.rotation("long runs", "end of the demo by hand", 9, seconds=20)
@pytest.mark.skipif(not Path("/proc/self").exists(), reason="no /proc, which tells the processes of a session")
@pytest.mark.usefixtures("otelcol", "prometheus")
def test_demo_ends_cleanly_after_ctrl_c(environment: dict[str, str], tmp_path: Path) -> None:
    demo = start(environment)
    assert demo.stdout is not None
    for line in demo.stdout:
        if "phase 1" in line:
            break
    assert len(processes_of(tmp_path)) > 4
    demo.send_signal(signal.SIGINT)
    said, complained = demo.communicate(timeout=60)
    assert (demo.returncode, complained) == (130, "")
    assert said.splitlines()[-1] == "ended by hand, every part is stopped"
    assert processes_of(tmp_path) == []
    assert leftovers(tmp_path) == []


def processes_of(directory: Path) -> list[str]:
    """Return the processes that use this directory for their temporary files."""
    mark = f"TMPDIR={directory}".encode()
    return [process.name for process in Path("/proc").glob("[0-9]*") if mark in _environment(process)]


def _environment(process: Path) -> list[bytes]:
    try:
        return (process / "environ").read_bytes().split(b"\0")
    except OSError:  # it ended meanwhile, or is somebody else's
        return []


# -- what cannot be had


def refused(environment: dict[str, str], *arguments: str) -> str:
    """Return the message of a demo that cannot run."""
    demo = start(environment, *arguments)
    said, complained = demo.communicate(timeout=60)
    assert demo.returncode == 2, said + complained
    assert "Traceback" not in complained
    return complained


def test_demo_without_a_collector_fails_with_a_reason(environment: dict[str, str], tmp_path: Path) -> None:
    said = refused({**environment, "OTELCOL": "/no/collector"}, "--without-prometheus")
    assert said == "The demo cannot run: OTELCOL=/no/collector is no program that can be run; correct it or unset it\n"
    assert leftovers(tmp_path) == []


def test_unwritable_file_is_refused_at_once(environment: dict[str, str]) -> None:
    said = refused({**environment, "DEMO_JSON": "/no/such/place.json"})
    expected = "DEMO_JSON=/no/such/place.json cannot be written; name a file in a directory that exists."
    assert said == f"The demo cannot run: {expected}\n"


def test_demo_without_a_prometheus_names_what_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PROMETHEUS", "/no/prometheus")
    options = perform.Options(False, False, False, 1, 8.0, None, None)
    (left_out,) = perform._list_omissions(options)
    assert left_out.startswith("Prometheus, because PROMETHEUS=/no/prometheus is no program that can be run")
    assert "collector's own endpoint" in left_out


def test_schema_of_the_summary_is_printed(environment: dict[str, str]) -> None:
    demo = start(environment, "--schema")
    said, _ = demo.communicate(timeout=60)
    assert json.loads(said) == Summary.model_json_schema()
