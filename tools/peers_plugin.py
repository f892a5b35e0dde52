"""Loaded into a client's own unit tests (`-p peers_plugin`): providers, one instrumentation, a line for each result.

What to do comes from the environment, because the processes that pytest-xdist starts load this file as well:
PEERS_INSTRUMENTATION, PEERS_REPORT (JSON lines, written), PEERS_ONLY (test ids, one a line; empty: all tests).
"""

from __future__ import annotations

import json
import logging
import os
import traceback
from collections import Counter
from collections.abc import Sequence
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from typing import Any

import pytest
from opentelemetry import metrics, trace
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor, SpanExporter, SpanExportResult

INSTRUMENTATIONS = {
    "none": (),
    "ours": (),  # all of them: the entry points of an installation
    "official": (
        "opentelemetry.instrumentation.genai.openai:OpenAIInstrumentor",
        "opentelemetry.instrumentation.genai.anthropic:AnthropicInstrumentor",
    ),
    "openllmetry": (
        "opentelemetry.instrumentation.openai:OpenAIInstrumentor",
        "opentelemetry.instrumentation.anthropic:AnthropicInstrumentor",
    ),
    "openinference": (
        "openinference.instrumentation.openai:OpenAIInstrumentor",
        "openinference.instrumentation.anthropic:AnthropicInstrumentor",
    ),
}
OURS = "otel_agentops"
GROUP = "opentelemetry_instrumentor"
ENRICHED = "spans of others with attributes of ours"
SWALLOWED = "otel-agentops failed in"  # what the guard logs about a failure of ours


def makers(client: str, instrumentation: str) -> list[EntryPoint]:
    """The instrumentors of a client; of ours all, as an application has them."""
    if instrumentation == "ours":
        found = [each for each in entry_points(group=GROUP) if each.name.startswith("agentops_")]
        return found if f"agentops_{client}" in {each.name for each in found} else []
    named = (EntryPoint(client, place, GROUP) for place in INSTRUMENTATIONS[instrumentation])
    return [each for each in named if client in each.module.split(".")]


class Counted(SpanExporter):
    """Keeps of a span only who made it, and whether somebody else's carries attributes of ours."""

    def __init__(self) -> None:
        self.scopes: Counter[str] = Counter()

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        """Count the spans and forget them."""
        for span in spans:
            scope = span.instrumentation_scope.name if span.instrumentation_scope else ""
            enriched = scope != OURS and any(name.startswith(f"{OURS}.") for name in span.attributes or ())
            self.scopes[ENRICHED if enriched else scope] += 1
        return SpanExportResult.SUCCESS


class Swallowed(logging.Handler):
    """What the guard of ours swallowed while the tests ran: each is a defect, though no test can see it."""

    def __init__(self) -> None:
        super().__init__()
        self.said: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        """Keep the sentence, with the test that was running and the end of the traceback."""
        if str(record.msg).startswith(SWALLOWED):
            test = os.environ.get("PYTEST_CURRENT_TEST", "no test")
            self.said.append(f"{record.getMessage()}\nin {test}\n{traceback.format_exc()[-1000:]}")


class Peers:
    """The hooks of one process: of the run itself, or of one of its xdist workers."""

    def __init__(self, report: Path, only: Path) -> None:
        self.report = report
        self.only = frozenset(only.read_text().splitlines()) if only.name else frozenset()
        self.counted = Counted()
        self.swallowed = Swallowed()
        self.instrumentor: Any = None  # of the client; an installation has others beside it

    def instrument(self, client: str, instrumentation: str) -> None:
        """Set the global providers, which both runs have, and install the instrumentation of the client, if any."""
        tracers = TracerProvider()
        tracers.add_span_processor(SimpleSpanProcessor(self.counted))
        trace.set_tracer_provider(tracers)
        metrics.set_meter_provider(MeterProvider([InMemoryMetricReader()]))
        logging.getLogger(OURS).addHandler(self.swallowed)
        for maker in makers(client, instrumentation):
            instrumentor = maker.load()()
            instrumentor.instrument()
            if maker.name in (client, f"agentops_{client}"):
                self.instrumentor = instrumentor

    @property
    def seen(self) -> dict[str, Any]:
        """Spans by their scope, what was swallowed, and where a client is patched by us, in this process."""
        patched = {
            f"{target.module}.{target.owner}.{target.name}"
            for client in getattr(self.instrumentor, "clients", ())
            for target in client.patches
        }
        return {"scopes": dict(self.counted.scopes), "swallowed": self.swallowed.said, "patched": sorted(patched)}

    def write(self, **line: Any) -> None:
        """Append to the report; lines are read while the run goes on."""
        with self.report.open("a") as report:
            report.write(json.dumps(line) + "\n")

    def pytest_collection_modifyitems(self, config: pytest.Config, items: list[pytest.Item]) -> None:
        """Leave out the tests that were not asked for."""
        if self.only:
            out = [item for item in items if item.nodeid not in self.only]
            items[:] = [item for item in items if item.nodeid in self.only]
            config.hook.pytest_deselected(items=out)


class Worker(Peers):
    """A process of pytest-xdist: what it saw goes to the process of the run."""

    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """Hand over what was seen."""
        session.config.workeroutput["peers"] = self.seen  # type: ignore[attr-defined]


class Run(Peers):
    """The process of the run: gets the results, whoever ran the test."""

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """A test passed, failed or was skipped; a failure in setup or teardown is one of the test."""
        if report.when == "call" or report.outcome != "passed":
            why = report.longreprtext if report.failed else ""
            self.write(test=report.nodeid, outcome=report.outcome, why=why[-4000:])

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        """A file that cannot be imported is a failure of that file."""
        if report.failed:
            self.write(test=report.nodeid, outcome="failed", why=report.longreprtext[-4000:])

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: Any) -> None:
        """A worker of pytest-xdist has ended."""
        self.write(**getattr(node, "workeroutput", {}).get("peers", {"scopes": {}, "swallowed": [], "patched": []}))

    def pytest_sessionfinish(self) -> None:
        """What this process saw by itself, where there are no workers."""
        self.write(**self.seen)


def pytest_configure(config: pytest.Config) -> None:
    """Start before the client's own conftest runs a test, in every process."""
    kind = Worker if hasattr(config, "workerinput") else Run
    peers = kind(Path(os.environ["PEERS_REPORT"]), Path(os.environ["PEERS_ONLY"]))
    peers.instrument(os.environ["PEERS_CLIENT"], os.environ["PEERS_INSTRUMENTATION"])
    config.pluginmanager.register(peers, "peers")
