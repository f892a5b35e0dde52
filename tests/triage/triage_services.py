"""Services that go wrong, each in its own way, in one process: `python triage_services.py OTLP-URL FILE [NAME ...]`.

All is well until the file exists. Each task really is a search, a model call and a tool call, over a provider on
loopback; whose they are is a resource that a processor puts on each span and each event.
"""

from __future__ import annotations

import random
import sys
import threading
import time
from collections.abc import Callable
from contextvars import ContextVar
from dataclasses import dataclass
from pathlib import Path

import anthropic
import openai
from opentelemetry import trace
from opentelemetry._logs import set_logger_provider
from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http._log_exporter import OTLPLogExporter
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk._logs import LoggerProvider, LogRecordProcessor, ReadWriteLogRecord
from opentelemetry.sdk._logs.export import BatchLogRecordProcessor
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import Span, SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor

import otel_agentops
from otel_agentops import judge, prompt, retrieval, task, tool
from otel_agentops.testing.fake_provider import FakeProvider

ALIAS, OLD, NEW = "gpt-5.5", "gpt-5.5-2026-03-05", "gpt-5.5-2026-10-21"
PROMPTS = ("You are the support agent.", "You are the support agent. Be very friendly.")
SCHEMAS = (
    {"type": "object", "properties": {"order_id": {"type": "string"}}},
    {"type": "object", "properties": {"order_id": {"type": "integer"}}},
)
USUAL = 0.01  # part of the tasks that fails anyway
current_service: ContextVar[Resource] = ContextVar("current_service")


@dataclass(frozen=True)
class Situation:
    """The state that a task meets.

    Attributes:
        has_new_model: The alias answers as another model.
        prompt: The number of the template.
        schema: The number of the tool's schema.
        bad: The chance that the task fails.
        lost: The chance that the search times out.
        down: The chance that OpenAI does not answer.
        threshold: The judge's.
        api: The part of the tasks that come over the API, of a service that has one. These are always harder.
    """

    has_new_model: bool = False
    prompt: int = 0
    schema: int = 0
    bad: float = USUAL
    lost: float = 0
    down: float = 0
    threshold: float = 0.7
    api: float = 0.08


@dataclass(frozen=True)
class Service:
    """A service: the situation of a part of its tasks once it goes wrong, its tasks a second, and what each does."""

    name: str
    wrong: Situation = Situation()
    share: float = 1
    rate: float = 4
    searches: int = 1
    calls: int = 1
    is_judged: bool = False
    has_api: bool = False


SERVICES = (
    Service("model-repointed", Situation(has_new_model=True, bad=0.9), 0.5),
    Service("prompt-hotfixed", Situation(prompt=1, bad=0.6)),
    Service("replica-lost", Situation(lost=0.3), searches=8),
    Service("schema-drifted", Situation(schema=1, bad=0.9), 0.5),
    Service("judge-reconfigured", Situation(threshold=0.8), is_judged=True),
    Service("provider-down", Situation(down=0.5), rate=8, calls=3),
    Service("nothing-moved", Situation(bad=0.5)),
    Service("two-at-once", Situation(has_new_model=True, prompt=1, bad=0.9), 0.5, rate=4),
    Service("too-few", Situation(bad=0.4), rate=0.5),
    Service("calm", rate=1),
)
# A mix of traffic has to be known for a day before it can shift, so this one is run by itself.
SHIFTING = Service("traffic-shifted", Situation(api=0.6), rate=12, has_api=True)


class _NameSpans(SpanProcessor):
    """A processor that gives each span the resource of the service whose task it is in."""

    def on_start(self, span: Span, parent_context: Context | None = None) -> None:
        span._resource = current_service.get()


class _NameEvents(LogRecordProcessor):
    """The same for events."""

    def on_emit(self, log_record: ReadWriteLogRecord) -> None:
        log_record.resource = current_service.get()

    def shutdown(self) -> None: ...

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        return True


class Clients:
    """The clients of one service: OpenAI before and after the alias moved, one that is down, and Anthropic."""

    def __init__(self, old: FakeProvider, new: FakeProvider) -> None:
        self.by_model = {
            is_new: openai.OpenAI(api_key="none", base_url=url, max_retries=0)
            for is_new, url in ((False, old.openai_url), (True, new.openai_url))
        }
        self.down = openai.OpenAI(api_key="none", base_url="http://127.0.0.1:9/v1", max_retries=0)
        self.anthropic = anthropic.Anthropic(api_key="none", base_url=old.anthropic_url, max_retries=0)


def handle_task(service: Service, situation: Situation, clients: Clients, chance: random.Random) -> None:
    """Run one task of a service."""
    segment = "api" if service.has_api and chance.random() < situation.api else "web"
    with task("support", segment=segment) as run:
        is_bad = chance.random() < (0.6 if segment == "api" else situation.bad)
        for _ in range(service.searches):
            try:
                with retrieval("help-pages", version="2026-11-01") as query:
                    if chance.random() < situation.lost:
                        raise TimeoutError
                    query.documents(3)
            except TimeoutError:
                is_bad = True
        try:
            for _ in range(service.calls):
                _ask_model(service, situation, clients, chance)
            with tool("lookup_order"):
                if is_bad and situation.schema:
                    raise ValueError("order_id is no integer")
        except (ValueError, openai.APIConnectionError):
            is_bad = True
        if service.is_judged:
            with judge("grounded", prompt="Is it grounded?", threshold=situation.threshold) as verdict:
                verdict.score(0.75 if chance.random() < 0.6 else 0.9)
        run.outcome("failed" if is_bad else "completed")


def _ask_model(service: Service, situation: Situation, clients: Clients, chance: random.Random) -> None:
    with prompt("greeting", template=PROMPTS[situation.prompt]):
        if service.name == "provider-down" and chance.random() < 0.1:
            messages = [{"role": "user", "content": "Where is my order?"}]
            clients.anthropic.messages.create(model="claude-x", max_tokens=20, messages=messages)  # type: ignore[arg-type]
            return
        client = clients.down if chance.random() < situation.down else clients.by_model[situation.has_new_model]
        tools = [{"type": "function", "function": {"name": "lookup_order", "parameters": SCHEMAS[situation.schema]}}]
        messages = [
            {"role": "system", "content": PROMPTS[situation.prompt]},
            {"role": "user", "content": "Where is it?"},
        ]
        client.chat.completions.create(model=ALIAS, messages=messages, tools=tools)  # type: ignore[arg-type]


def run_service(service: Service, clients: Clients, has_gone_wrong: Callable[[], bool]) -> None:
    """Run tasks for good, as many a second as the service has."""
    attributes = {"service.name": service.name, "deployment.environment.name": "prod", "service.version": "4.2.0"}
    current_service.set(Resource(attributes))
    chance, due = random.Random(service.name), time.monotonic()
    while True:
        is_wrong = has_gone_wrong() and chance.random() < service.share
        handle_task(service, service.wrong if is_wrong else Situation(), clients, chance)
        due = max(due + 1 / service.rate, time.monotonic() - 1)
        time.sleep(max(0.0, due - time.monotonic()))


def main(otlp: str, file: str, *names: str) -> None:
    """Run the services of these names until the process ends; by default all that need no long past."""
    tracers, loggers = TracerProvider(), LoggerProvider()
    tracers.add_span_processor(_NameSpans())
    tracers.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(f"{otlp}/v1/traces"), schedule_delay_millis=500))
    loggers.add_log_record_processor(_NameEvents())
    loggers.add_log_record_processor(
        BatchLogRecordProcessor(OTLPLogExporter(f"{otlp}/v1/logs"), schedule_delay_millis=500)
    )
    trace.set_tracer_provider(tracers)
    set_logger_provider(loggers)
    otel_agentops.instrument(["openai", "anthropic"])
    moment = Path(file)
    with FakeProvider() as old, FakeProvider() as new:
        for provider, model in ((old, OLD), (new, NEW)):
            provider.alias(ALIAS, model)
        clients = Clients(old, new)
        services = [each for each in (*SERVICES, SHIFTING) if each.name in names] or SERVICES
        threads = [threading.Thread(target=run_service, args=(each, clients, moment.exists)) for each in services]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()


if __name__ == "__main__":
    main(*sys.argv[1:])
