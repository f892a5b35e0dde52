"""A JavaScript program with the official OpenAI instrumentation: the collector's half works for it as it is."""

from __future__ import annotations

import json
import os
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

import stack
import toolchain
from otel_agentops.slo import collector as slo_collector
from otel_agentops.slo import spec
from otel_agentops.testing.fake_provider import FakeProvider, Ok, Status

SHOP = Path(__file__).parent / "javascript" / "shop.js"
QUICK = "yaml:processors::batch/otel_agentops::timeout: 100ms"
PROMISE = """\
name: answers
service: shop-js
sli: call_success
objective: 0.95
owner: support-team
runbook: https://runbooks.example/answers
"""


@pytest.fixture(scope="module")
def node_modules() -> Path:
    try:
        return toolchain.find_node_modules(SHOP.parent)
    except toolchain.UnavailableError as reason:
        if os.environ.get("CI") == "true":
            pytest.fail(str(reason))
        pytest.skip(str(reason))


@pytest.fixture
def collector(otelcol: Path, tmp_path: Path) -> Iterator[stack.Collector]:
    """A collector with the overlay and the fragment of one promise."""
    (tmp_path / "slo").mkdir()
    (tmp_path / "slo" / "answers.yaml").write_text(PROMISE)
    fragment = tmp_path / "slo.yaml"
    fragment.write_text(slo_collector.files(spec.load(tmp_path / "slo"))[slo_collector.PATH])
    configs = [stack.BASE, stack.OVERLAY, fragment, QUICK]
    with stack.collector(configs, tmp_path, {"OTEL_AGENTOPS_FLUSH": "200ms"}) as running:
        yield running


def read_counters(collector: stack.Collector) -> dict[tuple[str, ...], float]:
    """Return the counters by name and the labels that say something."""
    common = {"service_name": "shop-js", "deployment_environment_name": "unknown", "gen_ai_request_model": "gpt-x"}
    return {
        (sample.name, *sorted(f"{key}={value}" for key, value in sample.labels.items() - common.items())): sample.value
        for sample in collector.scrape()
        if sample.matches(sample.name, common) and sample.name.endswith(("_total", "_count"))
    }


@pytest.mark.slow
@pytest.mark.collector
def test_javascript_spans_are_counted_like_those_of_python(
    node_modules: Path, collector: stack.Collector, provider: FakeProvider
) -> None:
    provider.script(Ok(), Status(500))
    environment = {
        **{key: value for key, value in os.environ.items() if not key.startswith("OTEL_")},
        "NODE_PATH": str(node_modules),
        "OPENAI_BASE_URL": provider.openai_url,
        "OPENAI_API_KEY": "k",
        "OTEL_EXPORTER_OTLP_ENDPOINT": collector.otlp,
        "OTEL_SERVICE_NAME": "shop-js",
    }
    command = [toolchain.find("node"), SHOP, "gpt-x", "gpt-x", "gpt-x"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stderr, json.loads(done.stdout)) == (0, "", {"failures": [500]})

    # The instrumentation follows a convention from before gen_ai.provider.name, whose word is gen_ai.system.
    call = ("gen_ai_operation_name=chat", "gen_ai_provider_name=openai")
    incident = ("otel_agentops_incident_reason=server_error", "otel_agentops_incident_surface=model")
    call_success = ("otel_agentops_sli_name=call_success", "otel_agentops_sli_type=direct")
    expected = {
        ("otel_agentops_sli_events_total", *call_success): 3,
        ("otel_agentops_sli_bad_total", *call_success): 1,
        ("otel_agentops_model_observations_total", "gen_ai_response_model=gpt-x-2026-03-01"): 2,
        ("otel_agentops_llm_calls_total", *call, "otel_agentops_task_name=unknown"): 3,
        ("otel_agentops_span_duration_seconds_count", *call): 2,
        ("otel_agentops_span_duration_seconds_count", *call, *incident): 1,
    }
    end = time.monotonic() + 15
    while (counters := read_counters(collector)) != expected and time.monotonic() < end:
        time.sleep(0.1)
    assert counters == expected
