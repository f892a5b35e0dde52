"""CPU that the lock's fragment adds to a collector, per model call, by the number of approved values.

PYTHONPATH=tools python -m bench.lock: none, 10, 500 and 1,500 values, three times in turn
"""

from __future__ import annotations

import datetime
import os
import tempfile
from collections.abc import Sequence
from pathlib import Path

import httpx
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

import stack
from otel_agentops.lock import fragment
from otel_agentops.lock.edit import HEAD, edit_entries
from otel_agentops.lock.model import Entry, Key
from otel_agentops.lock.text import parse_lock
from otel_agentops.semconv import attributes as A

SPANS, REQUESTS, ROUNDS = 1000, 300, 3
VARIABLES = ("model", "prompt", "tools")
BASE = """\
receivers: {otlp: {protocols: {http: {endpoint: "${env:OTLP_HTTP_ENDPOINT}"}}}}
exporters: {nop: {}}
service:
  telemetry: {metrics: {level: none}}
  pipelines: {traces: {receivers: [otlp], processors: [transform/otel_agentops_lock], exporters: [nop]}}
"""


def lock(values: int) -> str:
    """Return the fragment of a file with that many values of a model call's three variables, in up to fifty scopes."""
    day, path = datetime.date(2026, 11, 24), Path("agentops.lock")
    keys = [
        Key(variable, _scope(variable, number % 50), None, f"{number:016x}")
        for variable in VARIABLES
        for number in range(values // len(VARIABLES))
    ]
    new = [(key, Entry(value=key.value, owner="bench", date=day)) for key in keys]
    return fragment.render_text([parse_lock(edit_entries(HEAD, path, new), path)])


def _scope(variable: str, number: int) -> str:
    return f"scope-{number}/x" if variable == "prompt" else f"scope-{number}"


def payload(values: int) -> bytes:
    """Return model calls whose three values are listed, spread over the file."""
    request = ExportTraceServiceRequest()
    spans = request.resource_spans.add().scope_spans.add().spans
    for number in range(SPANS):
        listed = number * 37 % (values // len(VARIABLES))
        scope, value = f"scope-{listed % 50}", f"{listed:016x}"
        span = spans.add(name="chat", trace_id=os.urandom(16), span_id=os.urandom(8))
        texts = {
            A.GEN_AI_OPERATION_NAME: "chat",
            A.GEN_AI_PROVIDER_NAME: "openai",
            A.SERVER_ADDRESS: "api.example",
            A.TASK_ID: f"task-{number}",
            A.GEN_AI_REQUEST_MODEL: scope,
            A.GEN_AI_RESPONSE_MODEL: value,
            A.TASK_NAME: scope,
            A.GEN_AI_PROMPT_NAME: "x",
            A.PROMPT_HASH: value,
            A.TOOLS_HASH: value,
        }
        for key, text in texts.items():
            span.attributes.add(key=key).value.string_value = text
    return request.SerializeToString()


def microseconds(configs: Sequence[Path], body: bytes, directory: Path) -> float:
    """Return the CPU of a collector per span."""
    with stack.collector(configs, directory) as running, httpx.Client() as client:

        def send(times: int) -> float:
            headers = {"content-type": "application/x-protobuf"}
            for _ in range(times):
                client.post(f"{running.otlp}/v1/traces", content=body, headers=headers).raise_for_status()
            fields = Path(f"/proc/{running.process.pid}/stat").read_text().rpartition(")")[2].split()
            return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

        return (-send(20) + send(REQUESTS)) / (SPANS * REQUESTS) * 1e6


def main() -> None:
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        (directory / "base.yaml").write_text(BASE)
        (directory / "0.yaml").write_text("processors: {transform/otel_agentops_lock: {error_mode: ignore}}\n")
        for values in (10, 500, 1500):
            (directory / f"{values}.yaml").write_text(lock(values))
        for _ in range(ROUNDS):
            found = {
                values: microseconds([directory / "base.yaml", directory / f"{values}.yaml"], payload(of), directory)
                for values, of in ((0, 10), (10, 10), (500, 500), (1500, 1500))
            }
            print(", ".join(f"{values} values: {each:.2f} us" for values, each in found.items()), flush=True)


if __name__ == "__main__":
    main()
