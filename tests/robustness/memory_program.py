"""Calls a real client on a transport in memory, many times, and prints how much more is held after them.

    python memory_program.py streamed 33333
    {"blocks": 3, "resident": 0, "made": 34332, "ended": 34332}

blocks: those of memory that Python holds more after the last half of the calls than after the first half, one half
being thousands of calls. resident: KiB that the process grew in the last half.
"""

from __future__ import annotations

import gc
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import openai
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import SpanProcessor, TracerProvider

from otel_agentops import _deferred_work
from otel_agentops.clients.openai import Instrumentor

http: Any = getattr(openai._base_client, "httpx2", None) or openai._base_client.httpx  # before openai 3
NAMES = {"id": "x", "model": "m", "created": 1, "choices": []}
WHOLE = json.dumps({**NAMES, "usage": {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2}}).encode()
CHUNKS = b"".join(
    b"data: %s\n\n" % part for part in (json.dumps(NAMES).encode(), json.dumps(NAMES).encode(), b"[DONE]")
)
WARM = 1000


class Count(SpanProcessor):
    ended = 0

    def on_end(self, span: Any) -> None:
        Count.ended += 1


class Offline(http.Client):  # type: ignore[misc, name-defined]
    """The HTTP client that the real one stands on, without a network."""

    def send(self, request: Any, *, stream: bool = False, **options: Any) -> Any:
        return http.Response(200, content=CHUNKS if stream else WHOLE, request=request)


class Calls:
    """What differs from call to call must not pile up: prompt, parameters and tools are new each time."""

    def __init__(self) -> None:
        self.client = openai.OpenAI(api_key="k", base_url="http://x/v1", http_client=Offline(verify=False))
        self.made = 0

    def _ask(self, **how: Any) -> Any:
        self.made += 1
        tool = {"type": "function", "function": {"name": "t", "parameters": {"type": "object", "n": self.made}}}
        messages = [{"role": "system", "content": f"it is {self.made}"}, {"role": "user", "content": "hi"}]
        body = {"model": "m", "messages": messages, "tools": [tool], "max_tokens": self.made}
        return self.client.post("/chat/completions", cast_to=object, body=body, **how)

    def plain(self) -> None:
        self._ask()

    def _stream(self) -> Any:
        return self._ask(stream=True, stream_cls=openai.Stream[openai.types.chat.ChatCompletionChunk])

    def streamed(self) -> None:
        for _ in self._stream():
            pass

    def dropped(self) -> None:
        next(self._stream())


def held() -> int:
    gc.collect()
    _deferred_work.run_deferred()
    gc.collect()
    return sys.getallocatedblocks()


def resident() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4


def repeat(call: Callable[[], None], times: int) -> None:
    """What waits for the finalizers' thread is done now and then: on a busy machine its peak would count as growth."""
    for number in range(times):
        call()
        if number % 100 == 0:
            _deferred_work.run_deferred()


def grown(call: Callable[[], None], times: int) -> tuple[int, int]:
    """Blocks and KiB by which the second half of the calls adds to what the first half left."""
    repeat(call, WARM + times // 2)
    before = held(), resident()
    repeat(call, times // 2)
    return held() - before[0], resident() - before[1]


def main(kind: str, times: int) -> None:
    tracing = TracerProvider()
    tracing.add_span_processor(Count())
    Instrumentor().instrument(tracer_provider=tracing, meter_provider=MeterProvider([InMemoryMetricReader()]))
    calls = Calls()
    call = {"plain": calls.plain, "streamed": calls.streamed, "dropped": calls.dropped}[kind]
    blocks, resident_kib = grown(call, times)
    print(json.dumps({"blocks": blocks, "resident": resident_kib, "made": calls.made, "ended": Count.ended}))


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
