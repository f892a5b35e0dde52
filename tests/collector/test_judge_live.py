"""A judge of DeepEval that is really configured anew is named by the rules, old revision and new."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit

import pytest

import stack
from demo import promises
from nox_sessions import install_environment
from otel_agentops import slo
from otel_agentops.slo import prometheus as rules
from otel_agentops.testing.fake_provider import Answer, FakeProvider

HEALTHY = 35  # seconds, for a past to compare with
PATIENCE = 120  # seconds until it is named
PROGRAM = Path(__file__).with_name("judge_program.py")
MODEL = "gpt-4o"


def edit_rubric(provider: FakeProvider, moment: Path) -> None:
    moment.touch()


def repoint_model(provider: FakeProvider, moment: Path) -> None:
    """Let another model answer under the same name: no line of the service changes."""
    provider.alias(MODEL, f"{MODEL}-2026-11-01")


def list_revisions(service: stack.Server) -> list[str]:
    """Return the revisions that the service has judged with so far, in order."""
    return [line for line in service.output.splitlines() if len(line) == 16 and " " not in line]


@pytest.mark.collector
@pytest.mark.slow
@pytest.mark.rotation("long runs", "reconfigured judge", 9, seconds=40)
@pytest.mark.usefixtures("otelcol", "prometheus")
@pytest.mark.parametrize("reconfigure", [edit_rubric, repoint_model])
def test_reconfigured_judge_is_named(reconfigure: Callable[[FakeProvider, Path], None], tmp_path: Path) -> None:
    python = install_environment("ends(deepeval-newest)")
    moment, file = tmp_path / "edit", tmp_path / "rules.yaml"
    promise = slo.Slo(name="judged", sli="judge_score", objective=0.9, owner="t", runbook="https://r.example")
    file.write_text(rules.render_rules([promise], promises.TIME_SCALE))
    with (
        FakeProvider() as provider,
        stack.collector([stack.BASE, stack.OVERLAY], tmp_path) as collector,
        stack.prometheus([urlsplit(collector.metrics).netloc], [file], tmp_path) as prometheus,
    ):
        provider.alias(MODEL, f"{MODEL}-2024-11-20")
        provider.answer(lambda call: Answer(text=json.dumps({"score": 8, "reason": "as scripted"})))
        command = [python, PROGRAM, collector.otlp, provider.openai_url, moment]
        service = stack.Server("judged", command, tmp_path / "judged.log", {})
        try:
            service.wait_until(lambda: bool(list_revisions(service)), PATIENCE)  # DeepEval takes its time to import
            time.sleep(HEALTHY)
            reconfigure(provider, moment)
            query = 'otel_agentops:variable:moved{service_name="judged"}'
            prometheus.wait_until(lambda: bool(prometheus.query(query)), PATIENCE)
            moves = [labels for labels, _ in prometheus.query(query)]
            assert [(move["variable"], move["scope"], move["previous"], move["value"]) for move in moves] == [
                ("judge", "Correctness", *list_revisions(service))
            ]
        finally:
            service.stop()
