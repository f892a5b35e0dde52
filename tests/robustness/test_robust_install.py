"""Instrumenting and taking it back: the originals are the originals again, whatever happened in between."""

from __future__ import annotations

import importlib
import logging
import os
import subprocess
import sys
import warnings
from pathlib import Path
from typing import Any

import pytest
from bare import App, Bench
from tests.clients.both import done, drained

from otel_agentops.clients.anthropic import Instrumentor as AnthropicInstrumentor
from otel_agentops.clients.openai import Instrumentor as OpenAIInstrumentor
from otel_agentops.testing import Capture

ROOT = Path(__file__).parents[2]


def members(bench: Bench) -> dict[str, Any]:
    """Every attribute of every class that is patched, and of the classes of streams."""
    owners = {
        getattr(importlib.import_module(target.module), target.owner, None)
        for target in bench.patched.targets
        if target.module in sys.modules
    }
    app = App(bench.sdk, bench.kind, bench.provider, None)
    owners |= {app.client_class, app.stream_class, *app.client_class.__mro__}
    return {f"{owner.__module__}.{owner.__qualname__}": dict(vars(owner)) for owner in owners if owner is not None}


def same_objects(before: dict[str, Any], after: dict[str, Any]) -> bool:
    return before.keys() == after.keys() and all(
        before[owner].keys() == after[owner].keys()
        and all(before[owner][name] is after[owner][name] for name in before[owner] if name != "__abstractmethods__")
        for owner in before
    )


def test_uninstrument_restores_the_originals(bench: Bench) -> None:
    before = members(bench)
    with bench.instrumented():
        assert not same_objects(before, members(bench))
    assert same_objects(before, members(bench))


def test_instrumenting_twice_patches_once(bench: Bench, caplog: pytest.LogCaptureFixture) -> None:
    before = members(bench)
    with bench.instrumented() as seen:
        once = members(bench)
        bench.instrumentor().instrument(**seen.providers, skip_dep_check=True)
        assert same_objects(once, members(bench))
        assert "already instrumented" in caplog.text
    assert same_objects(before, members(bench))
    bench.instrumentor().uninstrument()
    assert same_objects(before, members(bench))


async def test_instrument_and_uninstrument_can_be_repeated(bench: Bench) -> None:
    async def scenario(app: App) -> Any:
        return await done(app.ask(app.client()))

    for _ in range(3):
        assert len((await bench.same(scenario)).spans) == 1


async def test_stream_survives_uninstrument(bench: Bench) -> None:
    before = members(bench)
    seen: Capture
    with bench.instrumented() as seen:
        app = App(bench.sdk, bench.kind, bench.provider, seen)
        client = app.client()
        stream = await done(app.ask(client, stream=True))
    assert same_objects(before, members(bench))
    chunks = await drained(stream)
    assert len(chunks) == len(await drained(await done(app.ask(client, stream=True))))
    assert len(seen.spans) == 1
    await done(client.close())


async def test_client_made_before_instrument_is_observed(bench: Bench) -> None:
    app = App(bench.sdk, bench.kind, bench.provider, None)
    client = app.client()
    kept = app.resource(client).create  # a bound method that somebody stored
    with bench.instrumented() as seen:
        await done(kept(**app.arguments))
        assert len(seen.spans) == 1
    await done(kept(**app.arguments))
    assert len(seen.spans) == 1
    await done(client.close())


async def test_uninstrument_keeps_a_later_wrapper(bench: Bench) -> None:
    """What is theirs stays; ours under it passes calls through."""
    base = importlib.import_module(f"{bench.sdk}._base_client")
    owner = base.SyncAPIClient if bench.kind == "sync" else base.AsyncAPIClient
    original = owner.request
    app = App(bench.sdk, bench.kind, bench.provider, None)
    calls: list[int] = []
    try:
        with bench.instrumented() as seen:
            ours = owner.request

            def theirs(self: Any, *args: Any, **kwargs: Any) -> Any:
                calls.append(1)
                return ours(self, *args, **kwargs)

            owner.request = theirs
        assert owner.request is theirs
        client = app.client()
        await done(app.ask(client))
        await done(client.close())
        assert (len(calls), seen.spans) == (1, [])
    finally:
        owner.request = original
        bench.patched.patches.clear()


def run(program: str, **environ: str) -> subprocess.CompletedProcess[str]:
    """A program of its own: a path with the provider and this folder, nothing of pytest."""
    path = os.pathsep.join([str(ROOT / "examples"), str(ROOT), str(ROOT / "tests/robustness")])
    return subprocess.run(
        [sys.executable, "-c", program],
        env={**os.environ, "PYTHONPATH": path, "OTEL_AGENTOPS_STRICT": "", **environ},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


VERSION = """
import importlib.metadata, logging
logging.basicConfig(format="%(name)s %(levelname)s %(message)s")
real = importlib.metadata.version
importlib.metadata.version = lambda name: {version!r} if name == {sdk!r} else real(name)
import {sdk}
base = {sdk}._base_client
before = [base.SyncAPIClient.request, base.BaseClient._build_request, base.AsyncAPIClient._process_response]
from otel_agentops.clients.{sdk} import Instrumentor
Instrumentor().instrument()
after = [base.SyncAPIClient.request, base.BaseClient._build_request, base.AsyncAPIClient._process_response]
print(before == after)
"""


@pytest.mark.parametrize(
    ("sdk", "version"), [("openai", "0.1.0"), ("anthropic", "99.0.0"), ("openai", "not a version")]
)
def test_unsupported_version_is_left_alone_with_one_warning(sdk: str, version: str) -> None:
    ended = run(VERSION.format(sdk=sdk, version=version))
    assert ended.stdout == "True\n"
    (line,) = ended.stderr.splitlines()
    assert line.startswith(f"otel_agentops WARNING {sdk} {version} is ")
    assert line.endswith("its calls are not instrumented")


RELOAD = """
import importlib, sys
import {sdk}
from bare import Bench
from otel_agentops.testing.fake_provider import FakeProvider
import asyncio

async def scenario(app):
    return app.ask(app.client())

with FakeProvider() as provider:
    bench = Bench({sdk!r}, "sync", provider)
    with bench.instrumented() as seen:
        for name in ("{sdk}._base_client", "{sdk}._client", "{sdk}"):
            importlib.reload(sys.modules[name])
        print(asyncio.run(bench.observe(scenario)).outcome[0])
    print(asyncio.run(bench.observe(scenario)).outcome[0])
    with bench.instrumented() as seen:
        print(asyncio.run(bench.observe(scenario)).outcome[0])
"""


@pytest.mark.parametrize("sdk", ["openai", "anthropic"])
def test_reloaded_client_still_works(sdk: str) -> None:
    """Whether the reloaded classes are observed is another matter: the application goes on."""
    ended = run(RELOAD.format(sdk=sdk))
    assert (ended.stdout.split(), ended.stderr) == (["returned"] * 3, "")


def test_instrumenting_emits_no_warning(caplog: pytest.LogCaptureFixture) -> None:
    with warnings.catch_warnings(record=True) as caught, caplog.at_level(logging.INFO):
        warnings.simplefilter("always")
        for instrumentor in (OpenAIInstrumentor(), AnthropicInstrumentor()):
            instrumentor.instrument()
            instrumentor.uninstrument()
    assert [str(entry.message) for entry in caught] == []
    assert [record.getMessage() for record in caplog.records] == []
