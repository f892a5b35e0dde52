"""An index that is really built anew is named by the rules, old build and new, and the service says no version."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path
from urllib.parse import urlsplit

import pytest

import stack
from demo import promises
from nox_sessions import install_environment
from otel_agentops import slo
from otel_agentops.slo import prometheus as rules

HEALTHY = 35  # seconds, for a past to compare with
PATIENCE = 120  # seconds until it is named
PROGRAM = Path(__file__).with_name("index_program.py")


def list_builds(service: stack.Server) -> list[str]:
    """Return the builds that the service has searched so far, in order."""
    return [line for line in service.output.splitlines() if " " not in line]


@pytest.mark.collector
@pytest.mark.slow
@pytest.mark.rotation("long runs", "rebuilt index", 9, seconds=40)
@pytest.mark.usefixtures("otelcol", "prometheus")
@pytest.mark.parametrize("library", ["qdrant_client", "chromadb"])
def test_rebuilt_index_is_named(library: str, tmp_path: Path) -> None:
    # Chroma has an environment of its own.
    python = install_environment("ends(chromadb-newest)") if library == "chromadb" else Path(sys.executable)
    moment, file = tmp_path / "rebuild", tmp_path / "rules.yaml"
    promise = slo.Slo(name="answers", sli="task_completed", objective=0.98, owner="t", runbook="https://r.example")
    file.write_text(rules.render_rules([promise], promises.TIME_SCALE))
    (grpc,) = stack.free_ports(1)
    receiver = {"OTLP_GRPC_ENDPOINT": f"127.0.0.1:{grpc}"}
    with (
        stack.collector([stack.BASE, stack.OVERLAY], tmp_path, receiver) as collector,
        stack.prometheus([urlsplit(collector.metrics).netloc], [file], tmp_path) as prometheus,
    ):
        endpoint = f"{urlsplit(collector.otlp).netloc} {receiver['OTLP_GRPC_ENDPOINT']}"
        command = [python, PROGRAM, library, endpoint, moment]
        variables = {"PYTHONPATH": os.pathsep.join(sys.path)} if library != "chromadb" else {}
        service = stack.Server("searcher", command, tmp_path / "searcher.log", variables)
        try:
            service.wait_until(lambda: bool(list_builds(service)), PATIENCE)  # Chroma takes its time to import
            time.sleep(HEALTHY)
            moment.touch()
            query = 'otel_agentops:variable:moved{variable="index",scope="docs"}'
            prometheus.wait_until(lambda: bool(prometheus.query(query)), PATIENCE)
            ((labels, _),) = prometheus.query(query)
            assert [labels["previous"], labels["value"]] == list_builds(service)
        finally:
            service.stop()
