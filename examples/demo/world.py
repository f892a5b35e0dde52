"""The stack of the demo, each part a process of its own: provider, collector, Prometheus and the support agent.

Two variables of it can be moved while it runs, as in production: with no deploy, and without telling the agent.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from importlib.metadata import entry_points
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlsplit

import stack
from demo import brain
from otel_agentops.testing import fake_provider
from otel_agentops.testing.fake_provider import Remote
from support_agent.tools import PUBLISHED

SERVICE = "support-agent"
HERE = Path(__file__).parent


class World(NamedTuple):
    """The running parts; `prometheus` may be None, `tools` is the file that the tools' team publishes."""

    directory: Path
    provider: Remote
    collector: stack.Collector
    prometheus: stack.Prometheus | None
    agent: stack.Server
    tools: Path
    traces: Path

    def repoint_alias(self, model: str) -> None:
        """Point the provider's alias to another model."""
        self.provider.alias(brain.ALIAS, model)

    def publish_tools(self, definitions: Sequence[Mapping[str, object]]) -> None:
        """Replace the published tool definitions in one step."""
        new = self.tools.with_suffix(".new")
        new.write_text(json.dumps(definitions, indent=2))
        new.replace(self.tools)

    def list_addresses(self) -> dict[str, str]:
        """Return the addresses of the parts."""
        return {
            **({"Prometheus": self.prometheus.url} if self.prometheus else {}),
            "collector, metrics": self.collector.metrics,
            "collector, OTLP": self.collector.otlp,
            "provider": self.provider.url,
            "stored traces": str(self.traces),
            "logs": str(self.directory),
        }

    def check_servers(self) -> None:
        """Raise stack.NotReadyError if a part of the stack has ended."""
        for server in (self.collector, self.prometheus, self.agent):
            if server is not None and server.process.poll() is not None:
                server.wait_until(lambda: False, 0)


def read_published_tools() -> list[dict[str, object]]:
    """Read the tool definitions that the agent comes with."""
    definitions: list[dict[str, object]] = json.loads(PUBLISHED.read_text())
    return definitions


def build_drifted_tools() -> list[dict[str, object]]:
    """Build definitions whose order number has a name that the shop does not accept."""
    lookup, *others = read_published_tools()
    properties = {"order_number": {"type": "integer", "description": "Number of the order, e.g. 1001."}}
    lookup["parameters"] = {"type": "object", "properties": properties, "required": ["order_number"]}
    return [lookup, *others]


@contextmanager
def run_world(
    directory: Path,
    rules: Path | None,
    rate: float,
    seed: int,
    interval: str,
    configs: Sequence[Path | str] = (),
    customers: Sequence[str] = (),
    records: Path | None = None,
) -> Iterator[World]:
    """Run the stack for the time of a block.

    Args:
        directory: for logs, traces and the published tools.
        rules: file of rules for Prometheus; None runs none.
        rate: customers per second.
        seed: of the customers.
        interval: between scrapes and between evaluations of the rules.
        configs: more configs for the collector.
        customers: more arguments of the agent.
        records: directory of the flight recorder; None records nothing.

    Raises:
        stack.NotReadyError: a part did not start.
        toolchain.UnavailableError: a program is not installed.
    """
    tools, traces = directory / "tools.json", directory / "traces.jsonl"
    tools.write_text(PUBLISHED.read_text())
    with ExitStack() as running:
        provider = running.enter_context(_run_provider(directory / "provider.log"))
        all_of_them = [stack.BASE, stack.OVERLAY, stack.PROMISES, HERE / "collector.yaml", *configs]
        collector = running.enter_context(stack.collector(all_of_them, directory, {"DEMO_TRACES": str(traces)}))
        prometheus = None
        if rules is not None:
            target = urlsplit(collector.metrics).netloc
            prometheus = running.enter_context(stack.prometheus([target], [rules], directory, interval))
        agent = stack.Server(
            "agent",
            [*_build_agent_command(tools, rate, seed), *customers],
            directory / "agent.log",
            {**_build_environment(provider, collector), **_switch_recorder(records)},
        )
        running.callback(agent.stop)
        yield World(directory, provider, collector, prometheus, agent, tools, traces)


@contextmanager
def run_region(world: World, rate: float, seed: int) -> Iterator[Remote]:
    """Run the same service in another region, where a provider of its own answers.

    Args:
        world: the running stack.
        rate: customers per second of that region.
        seed: of the customers.

    Raises:
        stack.NotReadyError: a part did not start.
    """
    with _run_provider(world.directory / "region-provider.log") as provider:
        agent = stack.Server(
            "agent of the region",
            _build_agent_command(world.tools, rate, seed),
            world.directory / "region-agent.log",
            _build_environment(provider, world.collector),
        )
        try:
            yield provider
        finally:
            agent.stop()


@contextmanager
def _run_provider(log: Path) -> Iterator[Remote]:
    aliases = [f"--alias={name}={model}" for name, model in brain.ALIASES.items()]
    with fake_provider.process("--answers=demo.brain:answer_call", *aliases, log=log) as provider:
        yield provider


def _build_agent_command(tools: Path, rate: float, seed: int) -> list[str | Path]:
    instrument = Path(sys.executable).with_name("opentelemetry-instrument")
    options = [f"--rate={rate}", f"--seed={seed}", f"--tools={tools}"]
    return [instrument, sys.executable, "-m", "support_agent", *options]


def _build_environment(provider: Remote, collector: stack.Collector) -> dict[str, str]:
    """Build the environment that a platform team sets around an application."""
    return {
        # Variables of the shell would lead elsewhere; an empty one counts as not set.
        **{name: "" for name in os.environ if name.startswith("OTEL_") and name != "OTEL_AGENTOPS_STRICT"},
        "PYTHONPATH": os.pathsep.join(path for path in sys.path if path),
        "OPENAI_API_KEY": "none-needed",
        "OPENAI_BASE_URL": provider.openai_url,
        "ANTHROPIC_API_KEY": "none-needed",
        "ANTHROPIC_BASE_URL": provider.anthropic_url,
        "OTEL_SERVICE_NAME": SERVICE,
        "OTEL_RESOURCE_ATTRIBUTES": "deployment.environment.name=demo",
        "OTEL_EXPORTER_OTLP_ENDPOINT": collector.otlp,
        "OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf",
        "OTEL_TRACES_EXPORTER": "otlp",
        "OTEL_LOGS_EXPORTER": "otlp",
        "OTEL_METRICS_EXPORTER": "otlp",
        "OTEL_AGENTOPS_PRICES": str(HERE / "prices.json"),
        # Phoenix makes spans of its own, with what it judges in them.
        "OPENINFERENCE_HIDE_INPUTS": "true",
        "OPENINFERENCE_HIDE_OUTPUTS": "true",
        "OTEL_BSP_SCHEDULE_DELAY": "500",
        "OTEL_BLRP_SCHEDULE_DELAY": "500",
        "OTEL_PYTHON_DISABLED_INSTRUMENTATIONS": ",".join(sorted(_list_other_instrumentations())),
    }


def _switch_recorder(records: Path | None) -> dict[str, str]:
    if records is None:
        return {}
    return {"OTEL_AGENTOPS_RECORDER": str(records.absolute()), "OTEL_AGENTOPS_RECORDER_MODE": "full"}


def _list_other_instrumentations() -> set[str]:
    """Return the names of instrumentations that are installed beside ours."""
    names = {entry.name for entry in entry_points(group="opentelemetry_instrumentor")}
    return {name for name in names if not name.startswith("agentops_")}
