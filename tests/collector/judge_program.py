"""A service whose answers DeepEval judges; its rubric changes when a file appears. It prints each revision once.

judge_program.py <endpoint of OTLP over HTTP> <address of the judge's model> <the file>
"""

import os
import sys
import tempfile
import time
from pathlib import Path

from opentelemetry._logs import set_logger_provider
from opentelemetry.exporter.otlp.proto.http._log_exporter import OTLPLogExporter
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk._logs import LoggerProvider, LogRecordProcessor
from opentelemetry.sdk._logs.export import BatchLogRecordProcessor
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace import set_tracer_provider

import otel_agentops

ENDPOINT, MODEL_URL, MOMENT = sys.argv[1], sys.argv[2], Path(sys.argv[3])


class RevisionPrinter(LogRecordProcessor):
    """Prints each revision of the judge once."""

    def __init__(self) -> None:
        self._known = {None}

    def on_emit(self, log_record) -> None:
        revision = (log_record.log_record.attributes or {}).get("otel_agentops.judge.revision")
        if revision not in self._known:
            self._known.add(revision)
            print(revision, flush=True)

    def shutdown(self) -> None:
        """Do nothing."""

    def force_flush(self, timeout_millis: int = 30000) -> bool:
        return True


def set_up() -> None:
    """Send spans and events, and observe the judge."""
    resource = Resource({"service.name": "judged"})
    spans = TracerProvider(resource=resource)
    spans.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(f"{ENDPOINT}/v1/traces"), schedule_delay_millis=200))
    set_tracer_provider(spans)
    logs = LoggerProvider(resource=resource)
    logs.add_log_record_processor(RevisionPrinter())
    logs.add_log_record_processor(
        BatchLogRecordProcessor(OTLPLogExporter(f"{ENDPOINT}/v1/logs"), schedule_delay_millis=200)
    )
    set_logger_provider(logs)
    otel_agentops.instrument()


def judge(rubric: str) -> None:
    """Judge an answer."""
    params = [SingleTurnParams.INPUT, SingleTurnParams.ACTUAL_OUTPUT]
    model = GPTModel("gpt-4o", api_key="k", base_url=MODEL_URL)
    metric = GEval("Correctness", params, evaluation_steps=[rubric], model=model, async_mode=False)
    metric.measure(LLMTestCase(input="What is 2 + 2?", actual_output="4"), _show_indicator=False)


os.environ["DEEPEVAL_TELEMETRY_OPT_OUT"] = "1"
os.chdir(tempfile.mkdtemp())  # the library keeps files in the current folder
set_up()
from deepeval.metrics import GEval  # noqa: E402  as in a program that is instrumented when it starts
from deepeval.models import GPTModel  # noqa: E402
from deepeval.test_case import LLMTestCase, SingleTurnParams  # noqa: E402

while True:
    with otel_agentops.task("answer"):
        judge("Is it right, to the digit?" if MOMENT.exists() else "Is it right?")
    time.sleep(0.05)
