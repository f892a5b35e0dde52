"""Weaver itself accepts the registry, and what the helpers emit passes its live check."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

import otel_agentops
import semconv_registry
import upstream_facts
from otel_agentops.testing import Capture, capture

CORE_MANIFEST = (
    "schema_url: https://opentelemetry.io/schemas/1.43.0\ndescription: Core conventions.\nstability: stable\n"
)


@pytest.fixture(scope="module")
def workspace(upstream: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Our registry with its dependencies where semconv/manifest.yaml and the GenAI manifest look for them."""
    if shutil.which("weaver") is None:
        pytest.skip("weaver is not on PATH; install it from github.com/open-telemetry/weaver to run its own checks")
    root = tmp_path_factory.mktemp("weaver")
    shutil.copytree(semconv_registry.DIRECTORY, root / "semconv")
    shutil.copytree(upstream / "genai", root / f".build/semconv-genai-{upstream_facts.pinned_commit()}/model")
    shutil.copytree(upstream / "core", root / ".build/sc-upstream-filtered")
    (root / ".build/sc-upstream-filtered/manifest.yaml").write_text(CORE_MANIFEST)
    return root


def test_weaver_accepts_the_registry(workspace: Path) -> None:
    _weaver(workspace, "check")


def test_live_check_of_what_the_helpers_emit(workspace: Path) -> None:
    (workspace / "telemetry.json").write_text(json.dumps(_emitted()))
    source = ["--input-source", "telemetry.json", "--input-format", "json", "--no-stream"]
    _weaver(workspace, "live-check", "--include-unreferenced", *source)


def test_samples_are_what_was_emitted() -> None:
    samples = _emitted()
    assert [sample["span"]["name"] for sample in samples if "span" in sample] == [
        "execute_tool lookup",
        "retrieval articles",
        "invoke_workflow answer",
    ]
    assert [sample["log"]["event_name"] for sample in samples if "log" in sample] == ["gen_ai.evaluation.result"]
    assert all(sample[kind]["attributes"] for sample in samples for kind in sample)


def _weaver(workspace: Path, command: str, *arguments: str) -> None:
    line = ["weaver", "registry", command, "-r", "semconv", "--v2", *arguments]
    done = subprocess.run(line, cwd=workspace, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, f"{' '.join(line)}\n{done.stdout}\n{done.stderr}"


def _emitted() -> list[dict[str, Any]]:
    """Telemetry of one small task in the form of Weaver's JSON samples."""
    with capture() as seen, otel_agentops.task("answer", segment="free"):
        with otel_agentops.tool("lookup", version="1", effect="read"):
            pass
        with otel_agentops.retrieval("articles", version="2026-05-01") as found:
            found.documents(3)
        with otel_agentops.judge("grounded", model="judge-1", threshold=0.7) as verdict:
            verdict.score(0.5)
    return _samples(seen)


def _samples(seen: Capture) -> list[dict[str, Any]]:
    spans = [
        {"span": {"name": span["name"], "kind": span["kind"].lower(), "attributes": _attributes(span)}}
        for span in seen.spans
    ]
    logs = [{"log": {"event_name": event["event_name"], "attributes": _attributes(event)}} for event in seen.events]
    return spans + logs


def _attributes(emitted: Mapping[str, Any]) -> list[dict[str, Any]]:
    return [{"name": name, "value": value} for name, value in emitted["attributes"].items()]
