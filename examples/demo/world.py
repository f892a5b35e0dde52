"""The stack of the demo, each part a process of its own: provider, collector, Prometheus and the support agent.

Two things in it can be moved while it runs, as they are moved in production: with no deploy and no word to the agent.
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

    def repoint(self, model: str) -> None:
        """The provider moves the alias; nobody here deploys anything."""
        self.provider.alias(brain.ALIAS, model)

    def publish(self, definitions: Sequence[Mapping[str, object]]) -> None:
        """The tools' team publishes other definitions, whole or not at all."""
        new = self.tools.with_suffix(".new")
        new.write_text(json.dumps(definitions, indent=2))
        new.replace(self.tools)

    def addresses(self) -> dict[str, str]:
        """Return the addresses of the parts."""
        return {
            **({"Prometheus": self.prometheus.url} if self.prometheus else {}),
            "collector, metrics": self.collector.metrics,
            "collector, OTLP": self.collector.otlp,
            "provider": self.provider.url,
            "stored traces": str(self.traces),
            "logs": str(self.directory),
        }

    def check(self) -> None:
        """Raises stack.NotReadyError where a part of the stack has ended."""
        for server in (self.collector, self.prometheus, self.agent):
            if server is not None and server.process.poll() is not None:
                server.wait_until(lambda: False, 0)


def published() -> list[dict[str, object]]:
    """The tools as the agent comes with them."""
    definitions: list[dict[str, object]] = json.loads(PUBLISHED.read_text())
    return definitions


def drifted() -> list[dict[str, object]]:
    """The same, with an order's number under a new name and as a number: the shop's code still wants the old one."""
    lookup, *others = published()
    properties = {"order_number": {"type": "integer", "description": "Number of the order, e.g. 1001."}}
    lookup["parameters"] = {"type": "object", "properties": properties, "required": ["order_number"]}
    return [lookup, *others]


@contextmanager
def world(
    directory: Path,
    rules: Path | None,
    rate: float,
    seed: int,
    interval: str,
    configs: Sequence[Path | str] = (),
    customers: Sequence[str] = (),
) -> Iterator[World]:
    """The running stack. rules: for a Prometheus; None to do without one. rate: customers a second. seed: of these.

    configs: more of them, for the collector. customers: more arguments of the agent.
    Raises stack.NotReadyError or toolchain.UnavailableError.
    """
    tools, traces = directory / "tools.json", directory / "traces.jsonl"
    tools.write_text(PUBLISHED.read_text())
    with ExitStack() as running:
        provider = running.enter_context(_provider(directory))
        all_of_them = [stack.BASE, stack.OVERLAY, HERE / "collector.yaml", *configs]
        collector = running.enter_context(stack.collector(all_of_them, directory, {"DEMO_TRACES": str(traces)}))
        prometheus = None
        if rules is not None:
            target = urlsplit(collector.metrics).netloc
            prometheus = running.enter_context(stack.prometheus([target], [rules], directory, interval))
        agent = stack.Server(
            "agent",
            [*_agent(tools, rate, seed), *customers],
            directory / "agent.log",
            _environment(provider, collector),
        )
        running.callback(agent.stop)
        yield World(directory, provider, collector, prometheus, agent, tools, traces)


@contextmanager
def _provider(directory: Path) -> Iterator[Remote]:
    aliases = [f"--alias={name}={model}" for name, model in brain.ALIASES.items()]
    with fake_provider.process("--answers=demo.brain:answer", *aliases, log=directory / "provider.log") as provider:
        yield provider


def _agent(tools: Path, rate: float, seed: int) -> list[str | Path]:
    instrument = Path(sys.executable).with_name("opentelemetry-instrument")
    given = [f"--rate={rate}", f"--seed={seed}", f"--tools={tools}"]
    return [instrument, sys.executable, "-m", "support_agent", *given]


def _environment(provider: Remote, collector: stack.Collector) -> dict[str, str]:
    """Return the variables that a platform team sets around an application that it did not write."""
    return {
        # Those of the shell would lead elsewhere. An empty one is as good as none.
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
        "OTEL_BSP_SCHEDULE_DELAY": "500",
        "OTEL_BLRP_SCHEDULE_DELAY": "500",
        "OTEL_PYTHON_DISABLED_INSTRUMENTATIONS": ",".join(sorted(_others())),
    }


def _others() -> set[str]:
    """The instrumentations that happen to be installed beside ours, say for tests: here they would only be noise."""
    names = {entry.name for entry in entry_points(group="opentelemetry_instrumentor")}
    return {name for name in names if not name.startswith("agentops_")}
