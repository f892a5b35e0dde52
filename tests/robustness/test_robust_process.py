"""Programs of their own: forked, ended with a stream open, with the SDK disabled or absent, started from outside."""

from __future__ import annotations

import pytest
from test_robust_install import run

PROLOGUE = """
import os, sys, gc, warnings
import {sdk}
from otel_agentops.testing.fake_provider import FakeProvider, Hang
from bare import App, Bench
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor, BatchSpanProcessor, ConsoleSpanExporter, SpanExporter
from otel_agentops.clients.{sdk} import Instrumentor

class Names(SpanExporter):
    def export(self, spans):
        for span in spans:
            os.write(1, f"{{span.name}} {{span.attributes.get('otel_agentops.attempt.statuses')}}\\n".encode())

provider = FakeProvider()
provider.__enter__()
app = App({sdk!r}, "sync", provider, None)
"""
GLOBAL = """
tracing = TracerProvider()
tracing.add_span_processor(BatchSpanProcessor(Names()))
trace.set_tracer_provider(tracing)
Instrumentor().instrument()
"""
# With a global provider Anthropic's client makes spans by itself; they are enriched.
SDKS = pytest.mark.parametrize(
    ("sdk", "span"), [("openai", "chat gpt-x (200,)"), ("anthropic", "anthropic.messages.create (200,)")]
)


def outcome(program: str, sdk: str, **environ: str) -> tuple[list[str], str]:
    """The lines of a program's output, sorted, and all of its complaints."""
    ended = run(PROLOGUE.format(sdk=sdk) + program, **environ)
    assert ended.returncode == 0, ended.stderr
    return sorted(ended.stdout.splitlines()), ended.stderr


@SDKS
def test_interpreter_exit_ends_open_streams(sdk: str, span: str) -> None:
    program = """
client = app.client()
unread, read, held, dropped = [app.ask(client, stream=True) for _ in range(4)]
next(read)
iterator = iter(held)
next(iterator)
next(dropped)
cycle = [dropped]
cycle.append(cycle)
del dropped, cycle
"""
    lines, complaints = outcome(GLOBAL + program, sdk)
    assert complaints == outcome(program, sdk)[1] == ""
    assert set(lines) <= {span}


@SDKS
def test_stream_dropped_at_exit_ends_before_providers_shut_down(sdk: str, span: str) -> None:
    program = f"""
from otel_agentops import _deferred_work
class Late:
    def start_new_thread(self, *args):
        raise RuntimeError("no thread comes to it any more")
_deferred_work._thread = Late()
app = App({sdk!r}, "sync", provider, None)
client = app.client()
stream = app.ask(client, stream=True)
next(stream)
del stream
gc.collect()
"""
    lines, complaints = outcome(GLOBAL + program, sdk)
    assert (lines, complaints) == ([span], "")


@SDKS
def test_open_async_stream_ends_with_its_loop(sdk: str, span: str) -> None:
    program = f"""
import asyncio
app = App({sdk!r}, "async", provider, None)
async def main():
    client = app.client()
    global stream
    stream = await app.ask(client, stream=True)
    await anext(stream)
asyncio.run(main())
"""
    lines, complaints = outcome(GLOBAL + program, sdk)
    assert "otel_agentops" not in complaints  # the bare client's own generators are complained about at times
    assert lines == [span]


@SDKS
def test_forked_child_exports_its_calls(sdk: str, span: str) -> None:
    """Also one that was forked while the parent reads a stream and while its finalizers have work."""
    program = """
import threading
from otel_agentops import _deferred_work
client = app.client()
app.ask(client)
tracing.force_flush()
stream = app.ask(client, stream=True)
next(stream)
_deferred_work._run_lock.acquire()
child = os.fork()
if child == 0:
    client = app.client()
    app.ask(client)
    dropped = app.ask(client, stream=True)
    next(dropped)
    del dropped
    gc.collect()
    _deferred_work.run_deferred()
    tracing.force_flush()
    os.write(1, b"child\\n")
    os._exit(0)
_deferred_work._run_lock.release()
_, status = os.waitpid(child, 0)
list(stream)
tracing.force_flush()
os.write(1, f"parent {status}\\n".encode())
"""
    lines, complaints = outcome(GLOBAL + program, sdk)
    assert lines == sorted([*[span] * 4, "child", "parent 0"])
    assert "Traceback" not in complaints


ASK = """
client = app.client()
print(type(app.ask(client)).__name__, len(list(app.ask(client, stream=True))))
"""


@SDKS
@pytest.mark.parametrize(("telemetry", "disabled"), [("Instrumentor().instrument()\n", ""), (GLOBAL, "true")])
def test_missing_or_disabled_sdk_changes_nothing(sdk: str, span: str, telemetry: str, disabled: str) -> None:
    lines, complaints = outcome(telemetry + ASK, sdk, OTEL_SDK_DISABLED=disabled)
    assert (lines, complaints) == ([{"openai": "ChatCompletion 4", "anthropic": "Message 8"}[sdk]], "")


def test_wrong_setting_is_one_sentence() -> None:
    program = "Instrumentor().instrument()\n" + ASK
    lines, complaints = outcome(program, "openai", OTEL_AGENTOPS_MODE="loud", OTEL_AGENTOPS_PROMPT_LIMIT="-1")
    assert lines == ["ChatCompletion 4"]
    assert complaints.splitlines() == [
        "OTEL_AGENTOPS_MODE='loud' is not one of auto, own, enrich; auto is used",
        "OTEL_AGENTOPS_PROMPT_LIMIT='-1' is not a whole number from 1 to 999999999; 100 is used",
    ]
