"""The exact bytes of every attempt, as a sink that wants them gets them, against what the provider received."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from opentelemetry.instrumentation.instrumentor import BaseInstrumentor

from otel_agentops import _config, _telemetry
from otel_agentops._observation import Observation
from otel_agentops.testing import Capture
from otel_agentops.testing.fake_provider import FakeProvider


class ContentSink:
    """A sink of requests alone."""

    def __init__(self) -> None:
        self.contents: list[bytes] = []

    def request_sent(self, observation: Observation, content: bytes) -> None:
        self.contents.append(content)


@contextmanager
def check_content(provider: FakeProvider, instrumentor: BaseInstrumentor) -> Iterator[None]:
    """Instrument for the block, and compare what a sink was told in it with the requests of the provider."""
    sink, providers = ContentSink(), Capture().providers
    telemetry = _telemetry.Telemetry(_config.read_config(), **providers, sinks=(sink,))
    with ExitStack() as stack:
        stack.callback(_telemetry.replace_default, _telemetry.replace_default(telemetry))
        instrumentor.instrument(**providers, skip_dep_check=True)
        stack.callback(instrumentor.uninstrument)
        yield
    requests = provider.requests
    assert [json.loads(content) for content in sink.contents] == [request.body for request in requests]
    assert [len(content) for content in sink.contents] == [int(each.headers["content-length"]) for each in requests]
