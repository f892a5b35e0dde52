"""A verb's block: telemetry trouble inside it never reaches the application, and the context is always left."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import pytest
from opentelemetry import context as otel_context
from opentelemetry.sdk.trace import SpanProcessor, TracerProvider
from opentelemetry.trace import get_current_span

from otel_agentops import _telemetry, judge, prompt, retrieval, task, tool
from otel_agentops._config import Config
from otel_agentops._context import NO_SCOPE, current_scope
from otel_agentops.testing import Capture

Said = Callable[[], list[str]]


class Broken(SpanProcessor):
    """A processor of the application's that fails where it is told to."""

    def __init__(self, where: str) -> None:
        self._where = where

    def on_start(self, span: Any, parent_context: Any = None) -> None:
        self._fail("on_start")

    def on_end(self, span: Any) -> None:
        self._fail("on_end")

    def _fail(self, where: str) -> None:
        if where == self._where:
            raise OSError("disk full")


@pytest.mark.parametrize("where", ["on_start", "on_end"])
@pytest.mark.parametrize(
    "verb", [lambda: task("t"), lambda: tool("t"), lambda: retrieval("t"), lambda: judge("t"), lambda: prompt("t")]
)
def test_a_broken_processor_does_not_reach_the_application(
    production: None, said: Said, verb: Callable[[], Any], where: str
) -> None:
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(Broken(where))
    before = _telemetry.replace_default(_telemetry.Telemetry(Config(), tracer_provider=provider))
    try:
        with pytest.raises(ZeroDivisionError), verb():
            raise ZeroDivisionError
        assert verb()(lambda: 5)() == 5
    finally:
        _telemetry.replace_default(before)
    assert (current_scope(), get_current_span().is_recording()) == (NO_SCOPE, False)
    assert otel_context.get_current() == {}
    assert all("disk full" in sentence for sentence in said())


def test_task_facts_hold_if_its_span_cannot_start(production: None, said: Said) -> None:
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(Broken("on_start"))
    before = _telemetry.replace_default(_telemetry.Telemetry(Config(), tracer_provider=provider))
    try:
        with task("support", segment="web") as run:
            assert current_scope().facts["otel_agentops.task.id"] == run.id
    finally:
        _telemetry.replace_default(before)


def test_decorators_accept_methods_partials_and_coroutines(seen: Capture) -> None:
    class Shop:
        @tool("lookup")
        def lookup(self, order: str) -> str:
            return order

        @classmethod
        @tool("refund")
        def refund(cls, order: str) -> str:
            return order

    assert (Shop().lookup("a"), Shop.refund("b")) == ("a", "b")
    assert tool("partial")(functools.partial(max, 1))(2) == 2
    assert [span["name"] for span in seen.spans] == [
        "execute_tool lookup", "execute_tool refund", "execute_tool partial",
    ]  # fmt: skip


async def test_decorated_partial_of_a_coroutine_ends_when_awaited(seen: Capture) -> None:
    async def wait(number: int) -> int:
        assert get_current_span().is_recording()
        return number

    assert await tool("wait")(functools.partial(wait, 3))() == 3  # type: ignore[misc]
    assert [span["name"] for span in seen.spans] == ["execute_tool wait"]


def test_a_recursive_tool_has_a_span_for_each_call(seen: Capture) -> None:
    @tool("walk")
    def walk(depth: int) -> int:
        return walk(depth - 1) + 1 if depth else 0

    with task("support"):
        assert walk(3) == 3
    assert [span["name"] for span in seen.spans].count("execute_tool walk") == 4
    assert seen.spans[-1]["attributes"]["otel_agentops.task.tool_calls"] == 4
