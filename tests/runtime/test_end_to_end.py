"""A program without telemetry, `opentelemetry-instrument`, a real collector: identity arrives, calls are counted."""

from __future__ import annotations

import importlib.metadata
import json
import os
import re
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import openai
import pytest
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.trace.export import SpanExportResult
from programs import prefork, service, shop

import stack
from otel_agentops import task
from otel_agentops._hashing import identity
from otel_agentops.testing import Capture
from otel_agentops.testing.fake_provider import FakeProvider, Status
from otel_agentops.testing.subject import Subject, name_sources

pytestmark = [pytest.mark.collector, pytest.mark.xdist_group("end_to_end")]

HERE = Path(__file__).parent
SHOP, PREFORK = Path(shop.__file__), Path(prefork.__file__)
KEY = "a project key"
QUICK = "yaml:processors::batch/otel_agentops::timeout: 100ms"


class Running(NamedTuple):
    """A collector with the overlay. stored: the file of the user's own pipeline."""

    collector: stack.Collector
    stored: Path

    def spans(self, service: str, count: int) -> list[dict[str, Any]]:
        """The spans that a service sent, when there are `count` of them; each with its attributes as plain values."""
        return until(lambda: stored_spans(self.stored, service), lambda found: len(found) >= count)

    def counted(self, service: str, metric: str, total: float) -> Counter[tuple[str, ...]]:
        """The series of a counter for a service by the values of its labels, when they add up."""

        def read() -> Counter[tuple[str, ...]]:
            found: Counter[tuple[str, ...]] = Counter()
            for sample in self.collector.scrape():
                if sample.matches(f"{metric}_total", {"service_name": service}):
                    hidden = ("service_name", "deployment_environment_name")
                    labels = tuple(value for key, value in sorted(sample.labels.items()) if key not in hidden)
                    found[labels] += sample.value  # type: ignore[assignment]
            return found

        return until(read, lambda found: found.total() >= total)


def until(read: Callable[[], Any], enough: Callable[[Any], bool]) -> Any:
    """What is read as soon as it is enough, else what there is after a while: the assertion shows it."""
    end = time.monotonic() + 15
    while not enough(found := read()) and time.monotonic() < end:
        time.sleep(0.1)
    return found


def stored_spans(path: Path, service: str) -> list[dict[str, Any]]:
    lines = path.read_text().splitlines(keepends=True) if path.exists() else []
    return [
        {**span, "attributes": {one["key"]: plain(one["value"]) for one in span.get("attributes", ())}}
        for line in lines
        if line.endswith("\n")
        for resource in json.loads(line)["resourceSpans"]
        if {"key": "service.name", "value": {"stringValue": service}} in resource["resource"]["attributes"]
        for scope in resource["scopeSpans"]
        for span in scope["spans"]
    ]


def plain(value: dict[str, Any]) -> Any:
    ((kind, content),) = value.items()
    if kind == "arrayValue":
        return [plain(one) for one in content.get("values", ())]
    return int(content) if kind == "intValue" else content


@pytest.fixture(scope="module")
def running(otelcol: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    directory = tmp_path_factory.mktemp("end_to_end")
    stored = directory / "traces.jsonl"
    configs = [HERE / "stored.yaml", stack.OVERLAY, QUICK]
    with stack.collector(configs, directory, {"STORED": str(stored)}) as collector:
        yield Running(collector, stored)


def others() -> str:
    """The instrumentations that this environment has beside ours: an application has the ones that it wants."""
    entries = importlib.metadata.entry_points(group="opentelemetry_instrumentor")
    return ",".join({entry.name for entry in entries if not entry.name.startswith("agentops_")})


class Outcome(NamedTuple):
    code: int
    out: str
    err: str


def start(provider: FakeProvider, program: Path, otlp: str | None, **variables: str) -> Outcome:
    """Run a program to its end. otlp: with `opentelemetry-instrument` toward there; None for the bare program."""
    provider.script(Status(400), when=lambda call: call.body.get("model") == "gpt-refused")
    environment = {name: value for name, value in os.environ.items() if not name.startswith("OTEL_")} | {
        "OPENAI_API_KEY": "k", "ANTHROPIC_API_KEY": "k",
        "OPENAI_BASE_URL": provider.openai_url, "ANTHROPIC_BASE_URL": provider.anthropic_url,
    }  # fmt: skip
    command = [sys.executable, str(program)]
    if otlp is not None:
        command = [str(Path(sys.executable).with_name("opentelemetry-instrument")), *command]
        environment |= {
            "OTEL_EXPORTER_OTLP_ENDPOINT": otlp, "OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf",
            "OTEL_METRICS_EXPORTER": "none", "OTEL_LOGS_EXPORTER": "none",
            "OTEL_PYTHON_DISABLED_INSTRUMENTATIONS": others(), "OTEL_AGENTOPS_HASH_KEY": KEY,
        }  # fmt: skip
    done = subprocess.run(
        command, env={**environment, **variables}, capture_output=True, text=True, timeout=60, check=False
    )
    return Outcome(done.returncode, done.stdout, done.stderr)


def test_identity_arrives_and_every_call_is_counted(running: Running, provider: FakeProvider) -> None:
    bare = start(provider, SHOP, None)
    assert bare == (0, SAID, "")
    assert start(provider, SHOP, running.collector.otlp, OTEL_SERVICE_NAME="shop") == bare

    spans = running.spans("shop", 5)
    names = Counter(span["name"] for span in spans)
    assert names == {
        "chat gpt-x": 2, "embeddings embed-x": 1, "chat gpt-refused": 1,
        "anthropic.messages.create": 1,  # the client's own span, enriched
    }  # fmt: skip
    first, streamed, embedding, message, refused = sorted(spans, key=lambda span: int(span["startTimeUnixNano"]))
    assert [without_time(span["attributes"]) for span in (first, streamed)] == CHATS
    assert embedding["attributes"]["gen_ai.usage.input_tokens"] == 1
    assert (
        message["attributes"].items()
        >= {
            "gen_ai.response.model": "claude-x-20260301",
            "otel_agentops.model.resolution": "resolved",
            "otel_agentops.prompt.hash": identity([shop.SYSTEM], KEY.encode()),
            "otel_agentops.attempt.count": 1,
        }.items()
    )
    assert refused["status"]["code"] == 2
    assert refused["attributes"]["otel_agentops.attempt.statuses"] == [400]

    calls = {
        ("chat", "anthropic", "claude-x", "unknown"): 1, ("chat", "openai", "gpt-x", "unknown"): 2,
        ("chat", "openai", "gpt-refused", "unknown"): 1, ("embeddings", "openai", "embed-x", "unknown"): 1,
    }  # fmt: skip
    assert running.counted("shop", "otel_agentops_llm_calls", 5) == calls
    assert running.counted("shop", "otel_agentops_llm_attempts", 5) == calls
    prompts = running.counted("shop", "otel_agentops_prompt_observations", 3)
    assert prompts == {("unknown", PROMPT, "unknown"): 3}  # both clients were given the same instructions
    assert running.counted("shop", "otel_agentops_model_observations", 4) == {
        ("claude-x", "claude-x-20260301"): 1, ("embed-x", "embed-x"): 1, ("gpt-x", "gpt-x-2026-03-01"): 2,
    }  # fmt: skip


PROMPT = identity([shop.SYSTEM], KEY.encode())
TOOL = identity(
    {"name": "lookup", "description": "Finds an order.", "input_schema": shop.LOOKUP["parameters"]}, KEY.encode()
)
SAID = """\
chat: Hello there.
stream: Hello there.
embedding: 1
message: Hello there.
refused: 400
"""
COMMON = {
    "gen_ai.operation.name": "chat",
    "gen_ai.provider.name": "openai",
    "gen_ai.request.model": "gpt-x",
    "gen_ai.response.finish_reasons": ["stop"],
    "gen_ai.response.model": "gpt-x-2026-03-01",
    "gen_ai.usage.input_tokens": 11,
    "gen_ai.usage.output_tokens": 5,
    "openai.api.type": "chat_completions",
    "otel_agentops.attempt.count": 1,
    "otel_agentops.attempt.statuses": [200],
    "otel_agentops.model.resolution": "resolved",
    **name_sources(Subject.sampling),
    "otel_agentops.prompt.hash": PROMPT,
    "otel_agentops.prompt.source": "instructions",
}
CHATS = [
    {
        **COMMON,
        "gen_ai.request.temperature": 0.2,
        "otel_agentops.param.temperature.source": "explicit",
        "otel_agentops.params.hash": identity({"temperature": 0.2}, KEY.encode()),
        "otel_agentops.tools.hash": identity([TOOL], KEY.encode()),
        "otel_agentops.tools.versions": [f"lookup@{TOOL}"],
    },
    {**COMMON, "gen_ai.request.stream": True},
]


def without_time(attributes: Mapping[str, Any]) -> dict[str, Any]:
    """Without what tests of the client compare, and what differs from run to run."""
    beside = re.compile(r"server\.|.*time_to|.*time_per|.*response\.id|.*cache|.*reasoning|openai\.response")
    return {key: value for key, value in attributes.items() if not beside.match(key)}


def test_unreachable_collector_does_not_affect_the_application(provider: FakeProvider) -> None:
    (port,) = stack.free_ports(1)
    done = start(
        provider, SHOP, f"http://127.0.0.1:{port}", OTEL_EXPORTER_OTLP_TIMEOUT="1", OTEL_BSP_EXPORT_TIMEOUT="1"
    )
    assert (done.code, done.out) == (0, SAID)
    assert "otel_agentops" not in done.err  # what there is to say the exporter says


def test_wrong_setting_warns_once_and_the_rest_works(running: Running, provider: FakeProvider) -> None:
    done = start(
        provider,
        SHOP,
        running.collector.otlp,
        OTEL_SERVICE_NAME="mistaken",
        OTEL_AGENTOPS_MODE="both",
        OTEL_AGENTOPS_PROMPT_LIMIT="lots",
    )
    assert (done.code, done.out) == (0, SAID)
    assert [line for line in done.err.splitlines() if line] == [
        "OTEL_AGENTOPS_MODE='both' is not one of auto, own, enrich; auto is used",
        "OTEL_AGENTOPS_PROMPT_LIMIT='lots' is not a whole number from 1 to 999999999; 100 is used",
    ]
    assert len(running.spans("mistaken", 5)) == 5


def test_task_in_two_services_counts_once_in_the_budget(
    running: Running, provider: FakeProvider, gpt: openai.OpenAI, seen: Capture
) -> None:
    server = service.serve(gpt)
    with task("support"):
        service.ask(gpt)
        service.call(f"http://127.0.0.1:{server.server_address[1]}")
    server.shutdown()
    server.server_close()
    sent = OTLPSpanExporter(f"{running.collector.otlp}/v1/traces").export(seen.finished_spans)
    assert sent is SpanExportResult.SUCCESS
    name = str(seen.tracer_provider.resource.attributes["service.name"])
    assert running.counted(name, "otel_agentops_llm_calls", 3) == {
        ("chat", "openai", "gpt-x", "support"): 3,  # one here, two there
    }
    assert running.counted(name, "otel_agentops_sli_events", 5) == {
        ("task_completed", "proxy", "support"): 1, ("search", "tool_success", "direct"): 1,
        ("gpt-x", "call_success", "direct"): 3,
    }  # fmt: skip
    per_task = {sample.name: sample.value for sample in running.collector.scrape() if per_task_of(sample, name)}
    assert per_task == {"otel_agentops_task_llm_calls_count": 1, "otel_agentops_task_llm_calls_sum": 1}


def per_task_of(sample: stack.Sample, service_name: str) -> bool:
    """Whether it says how many calls the tasks of a service took."""
    return sample.name.startswith("otel_agentops_task_llm_calls") and (
        sample.labels.get("service_name") == service_name and "le" not in sample.labels
    )


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork on this platform")
def test_forked_workers_export_their_spans(running: Running, provider: FakeProvider) -> None:
    bare = start(provider, PREFORK, None)
    assert bare == (0, "workers ended with [0, 0]\n", "")
    assert start(provider, PREFORK, running.collector.otlp, OTEL_SERVICE_NAME="forked") == bare
    spans = running.spans("forked", 6)
    assert Counter(span["name"] for span in spans) == {"chat gpt-x": 6}
    assert len({span["traceId"] for span in spans}) == 6
    assert running.counted("forked", "otel_agentops_llm_calls", 6).total() == 6
