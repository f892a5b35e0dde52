"""Tasks that run now are gauges: how many, and the highest age, calls, tokens and cost of one."""

from __future__ import annotations

import gc
import threading
from pathlib import Path

import openai
import pytest

import otel_agentops
from otel_agentops.clients.openai import Instrumentor
from otel_agentops.task_totals import TaskTotals
from otel_agentops.testing import Capture, capture
from otel_agentops.testing.fake_provider import FakeProvider

PREFIX = "otel_agentops.task.open."


def read_gauges(seen: Capture) -> dict[str, dict[str, float]]:
    """Return name of the task to each gauge of it."""
    gauges: dict[str, dict[str, float]] = {}
    for metric, points in seen.metrics.items():
        for point in points if metric.startswith(PREFIX) else ():
            name = point["attributes"]["otel_agentops.task.name"]
            gauges.setdefault(name, {})[metric.removeprefix(PREFIX)] = point["value"]
    return gauges


def ask(provider: FakeProvider) -> None:
    client = openai.OpenAI(api_key="k", base_url=provider.openai_url)
    client.chat.completions.create(model="gpt-x", messages=[{"role": "user", "content": "hi"}])


def test_highest_of_the_open_tasks_is_told(provider: FakeProvider, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("time.monotonic", lambda: 200.0)
    with capture(Instrumentor()) as seen, otel_agentops.task("chat"):
        ask(provider)
        ask(provider)
        with otel_agentops.task("inner"):  # an agent of it, whose calls are the task's
            ask(provider)
        gauges = read_gauges(seen)
    assert gauges == {"chat": {"count": 1, "age": 0.0, "llm_calls": 3, "tokens": 48}}  # nobody told prices


def test_two_tasks_of_a_name_are_one_series(provider: FakeProvider) -> None:
    has_asked, may_end = threading.Event(), threading.Event()

    def run(calls: int) -> None:
        with otel_agentops.task("chat"):
            for _ in range(calls):
                ask(provider)
            has_asked.set()
            may_end.wait(10)

    with capture(Instrumentor()) as seen:
        threads = [threading.Thread(target=run, args=(calls,)) for calls in (1, 2)]
        for thread in threads:
            has_asked.clear()
            thread.start()
            assert has_asked.wait(10)
        during = read_gauges(seen)
        may_end.set()
        for thread in threads:
            thread.join()
        after = read_gauges(seen)
    assert during["chat"].pop("age") > 0
    assert during == {"chat": {"count": 2, "llm_calls": 2, "tokens": 32}}
    assert after == {"chat": dict.fromkeys(("count", "age", "llm_calls", "tokens"), 0)}


def test_task_that_is_dropped_is_not_told() -> None:
    with capture(Instrumentor()) as seen:
        TaskTotals("dropped").open()
        gc.collect()
        assert read_gauges(seen) == {}


def test_cost_is_told_where_the_prices_are_known(
    provider: FakeProvider, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    prices = tmp_path / "prices.json"
    prices.write_text('{"models": {"gpt-x-2026-03-01": {"input": 1, "output": 2, "cache_read": 0}}}')
    monkeypatch.setenv("OTEL_AGENTOPS_PRICES", str(prices))
    with capture(Instrumentor()) as seen, otel_agentops.task("chat"):
        ask(provider)
        assert read_gauges(seen)["chat"]["cost"] == pytest.approx((7 + 2 * 5) / 1e6)  # four of eleven are cached
