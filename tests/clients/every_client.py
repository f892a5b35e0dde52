"""The clients that a subject describes, with the provider and the recorder that tests of every client use."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

import ends
from otel_agentops import _config, _telemetry
from otel_agentops.recorder.entries import Entry
from otel_agentops.recorder.reading import open_records
from otel_agentops.testing import Capture
from otel_agentops.testing.contract import Bench
from otel_agentops.testing.fake_provider import FakeProvider
from otel_agentops.testing.subject import MODEL, RESOLVED, Subject, load

FOLDER = Path(__file__).parent
CLIENTS = sorted(path.name for path in FOLDER.iterdir() if (path / f"{path.name}_subject.py").exists())
ReadBack = Callable[[], list[Entry]]


def load_subject(client: str) -> Subject:
    """Return a client's subject; leave the test if the client is not installed here."""
    if lacking := ends.find_lacking(client):
        pytest.skip(f"{lacking} is not installed here: `make ends` has an environment")
    return load(FOLDER / client)


@contextmanager
def run_provider(subject: Subject) -> Iterator[FakeProvider]:
    """Run the provider that speaks the client's protocol; xAI's needs gRPC, which is not installed everywhere."""
    if subject.name == "xai":
        from otel_agentops.testing.fake_provider.xai import XaiProvider as Provider
    else:
        from otel_agentops.testing.fake_provider import FakeProvider as Provider
    with Provider() as running:
        running.alias(MODEL, RESOLVED)
        yield running


def make_bench(subject: Subject, kind: str, provider: FakeProvider) -> Bench:
    """Return a kind of a client; leave the test if what it needs is not installed here."""
    if subject.name == "bedrock" and kind == "async":
        pytest.importorskip("aiobotocore", reason="aiobotocore is not installed here: `make ends` has an environment")
    return Bench(subject, kind, provider)


@contextmanager
def record_calls(subject: Subject, seen: Capture, folder: Path, mode: str = "full") -> Iterator[ReadBack]:
    """Instrument with a recorder; the function ends it and reads what it wrote."""
    config = _config.read_config({"OTEL_AGENTOPS_RECORDER": str(folder), "OTEL_AGENTOPS_RECORDER_MODE": mode})
    telemetry = _telemetry.Telemetry(config, **seen.providers)
    before = _telemetry.replace_default(telemetry)
    instrumentor = subject.instrumentor()
    instrumentor.instrument(**seen.providers, skip_dep_check=True)

    def read() -> list[Entry]:
        assert telemetry._recorder is not None
        assert telemetry._recorder.writer.close(10)
        return list(open_records(folder))

    try:
        yield read
    finally:
        instrumentor.uninstrument()
        _telemetry.replace_default(before)
