"""The exact bytes of every attempt, as a sink that wants them gets them, against what the provider received."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

from opentelemetry.instrumentation.instrumentor import BaseInstrumentor

from otel_agentops import _config, _telemetry
from otel_agentops._observation import Observation
from otel_agentops.testing import Capture
from otel_agentops.testing.fake_provider import FakeProvider


class ContentSink:
    """A sink of requests alone; a gRPC client hands over its message in the place of bytes."""

    def __init__(self) -> None:
        self.contents: list[Any] = []

    def request_sent(self, observation: Observation, content: Any) -> None:
        self.contents.append(content)

    def assert_received(self, provider: FakeProvider, count: int) -> None:
        """Compare the contents so far with the requests that the provider received."""
        requests = provider.requests
        assert [json.loads(content) for content in self.contents] == [request.body for request in requests]
        lengths = [int(request.headers["content-length"]) for request in requests]
        assert [len(content) for content in self.contents] == lengths
        hashes = [hashlib.sha256(content).hexdigest() for content in self.contents]
        assert hashes == [request.sha256 for request in requests]
        assert len(hashes) == count


@contextmanager
def record_content(instrumentor: BaseInstrumentor) -> Iterator[ContentSink]:
    """Instrument for the block, with a sink that keeps the content of every request."""
    sink, providers = ContentSink(), Capture().providers
    telemetry = _telemetry.Telemetry(_config.read_config(), **providers, sinks=(sink,))
    with ExitStack() as stack:
        stack.callback(_telemetry.replace_default, _telemetry.replace_default(telemetry))
        instrumentor.instrument(**providers, skip_dep_check=True)
        stack.callback(instrumentor.uninstrument)
        yield sink


@contextmanager
def check_content(provider: FakeProvider, instrumentor: BaseInstrumentor) -> Iterator[None]:
    """Instrument for the block, and compare what a sink was told in it with the requests of the provider."""
    with record_content(instrumentor) as sink:
        yield
    sink.assert_received(provider, len(provider.requests))
