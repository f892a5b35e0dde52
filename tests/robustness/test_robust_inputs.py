"""Whatever an application passes arrives as without us: read once, in its order, with its error where it is wrong."""

from __future__ import annotations

import datetime
import enum
import re
import types
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import pytest
from bare import ASK, App, Bench
from pydantic import BaseModel
from tests.clients.both import done

from otel_agentops.semconv import attributes as A
from otel_agentops.testing.fake_provider import Status

SYSTEM: Any = {"role": "system", "content": "be brief"}


def tools(app: App) -> list[dict[str, Any]]:
    schema = {"type": "object", "properties": {"city": {"type": "string"}}}
    if app.sdk == "openai":
        return [{"type": "function", "function": {"name": name, "parameters": schema}} for name in ("a", "b")]
    return [{"name": name, "input_schema": schema} for name in ("a", "b")]


def one_shot(app: App, name: str, given: Iterable[Any]) -> Iterator[Any]:
    """Iterable a single time, with a note of every step."""
    app.note(name, "begin")
    for item in given:
        app.note(name, "item")
        yield item
    app.note(name, "end")


async def test_one_shot_messages_and_tools_are_read_once(bench: Bench) -> None:
    async def scenario(app: App) -> Any:
        messages = one_shot(app, "messages", [*ASK, {"role": "assistant", "content": "yes?"}, *ASK])
        return await done(app.ask(app.client(), messages=messages, tools=one_shot(app, "tools", tools(app))))

    seen = await bench.same(scenario)
    (span,) = seen.spans
    assert [entry.partition("@")[0] for entry in span["attributes"]["otel_agentops.tools.versions"]] == ["a", "b"]


@pytest.mark.parametrize("make", [iter, lambda items: (item for item in items), lambda items: map(dict, items), tuple])
async def test_iterators_of_every_kind_are_accepted(bench: Bench, make: Callable[[Any], Any]) -> None:
    async def scenario(app: App) -> Any:
        return await done(app.ask(app.client(), messages=make(ASK), tools=make(tools(app))))

    assert len((await bench.same(scenario)).spans) == 1


async def test_iterator_that_raises_reaches_the_application(bench: Bench) -> None:
    error = RuntimeError("mine")

    async def scenario(app: App) -> Any:
        def messages() -> Iterator[Any]:
            yield from ASK
            raise error

        try:
            return await done(app.ask(app.client(), messages=messages()))
        except RuntimeError as caught:
            app.note("same object", caught is error)
            error.__traceback__ = None
            raise

    await bench.same(scenario)


async def test_retry_reads_no_iterator_again(bench: Bench) -> None:
    async def scenario(app: App) -> Any:
        bench.provider.script(Status(429, retry_after=0.001))
        return await done(app.ask(app.client(max_retries=1), messages=one_shot(app, "messages", ASK)))

    (span,) = (await bench.same(scenario)).spans
    assert span["attributes"]["otel_agentops.attempt.statuses"] == [429, 200]


class Turn(BaseModel):
    role: str = "user"
    content: str = "hi"


class Name(str, enum.Enum):
    GPT = "gpt-x"


class Text(str):
    __slots__ = ()


class Number:
    """Like a scalar of numpy: a number by protocol, not by type."""

    def __float__(self) -> float:
        return 0.5

    def __index__(self) -> int:
        return 5

    def __eq__(self, other: object) -> bool:
        raise ValueError("the truth value of an array is ambiguous")

    __hash__ = None  # type: ignore[assignment]


class Real(float):
    """As numpy.float64: a subclass of float."""


class Hostile:
    """Nothing about it works."""

    def __getattribute__(self, name: str) -> Any:
        raise RuntimeError(f"do not touch {name}")


def deep(levels: int) -> Any:
    return [deep(levels - 1)] if levels else 1


CIRCULAR: list[Any] = []
CIRCULAR.append(CIRCULAR)
ODD: dict[str, Any] = {
    "stop 5": {"stop": 5, "stop_sequences": 5},
    "stop mixed": {"stop": ["a", 5, None], "stop_sequences": ["a", 5, None]},
    "temperature text": {"temperature": "warm"},
    "temperature bool": {"temperature": True},
    "temperature real": {"temperature": Real(0.5)},
    "temperature number": {"temperature": Number()},
    "temperature nan": {"temperature": float("nan")},
    "seed huge": {"extra_body": {"seed": 10**400}},
    "max_tokens text": {"max_tokens": "many"},
    "none": {"temperature": None, "tools": None, "stop": None, "stop_sequences": None},
    "tools empty": {"tools": []},
    "tools of numbers": {"tools": [5, None, "x"]},
    "tools nameless": {"tools": [{}]},
    "tools a mapping": {"tools": {"a": 1}},
    "messages text": {"messages": "hi"},
    "messages none": {"messages": None},
    "messages empty": {"messages": []},
    "messages of text": {"messages": ["hi", 5]},
    "messages mapping": {"messages": {"role": "user"}},
    "message pydantic": {"messages": [Turn()]},
    "message dict subclass": {"messages": [OrderedDict(role="user", content="hi")]},
    "message proxy": {"messages": [types.MappingProxyType({"role": "user", "content": "hi"})]},
    "message bytes": {"messages": [{"role": "user", "content": b"hi"}]},
    "message object": {"messages": [{"role": "user", "content": object}]},
    "message surrogate": {"messages": [{"role": "system", "content": "\ud800"}]},
    "system parts": {"messages": [{"role": "system", "content": [{"type": "text"}, 5, None]}, *ASK]},
    "system object": {"messages": [{"role": "system", "content": {"a": 1}}, *ASK]},
    "system nested": {"system": [{"type": "text", "text": {"deep": [1]}}]},
    "model enum": {"model": Name.GPT},
    "model subclass": {"model": Text("gpt-x")},
    "model none": {"model": None},
    "model number": {"model": 5},
    "a date": {"extra_body": {"when": datetime.datetime(2026, 1, 1)}},
    "a set": {"extra_body": {"when": {1}}},
    "hostile": {"extra_body": {"when": Hostile()}},
    "key not text": {"extra_body": {5: 6, None: 7}},
    "circular": {"extra_body": {"when": CIRCULAR}},
    "deep": {"extra_body": {"when": deep(400)}},
    "extra body replaces": {"extra_body": {"messages": "hi", "tools": 5, "model": ["x"], "stream": "yes"}},
    "stream text": {"stream": ""},
    "headers and query": {"extra_headers": {"x-a": "b"}, "extra_query": {"q": "1"}},
    "timeout none": {"timeout": None},
}
SENTINELS: dict[str, Any] = {
    "NotGiven": lambda library: library.NotGiven(),
    "NOT_GIVEN": lambda library: library.NOT_GIVEN,
    "not_given": lambda library: library.not_given,
    "Omit": lambda library: library.Omit(),
    "omit": lambda library: library.omit,
}


@pytest.mark.parametrize("arguments", ODD.values(), ids=ODD)
async def test_odd_values_pass_unchanged(bench: Bench, arguments: dict[str, Any]) -> None:
    """What is no argument of this SDK is passed as well: the TypeError is the application's."""

    async def scenario(app: App) -> Any:
        return await done(app.ask(app.client(), **arguments))

    seen = await bench.same(scenario)
    assert len(seen.spans) >= len(bench.provider.requests)


@pytest.mark.parametrize("sentinel", SENTINELS.values(), ids=SENTINELS)
async def test_sentinels_pass_unchanged(bench: Bench, sentinel: Callable[[Any], Any]) -> None:
    async def scenario(app: App) -> Any:
        nothing = sentinel(app.library)
        return await done(
            app.ask(app.client(), temperature=nothing, tools=nothing, stream=nothing, extra_body={"seed": nothing})
        )

    seen = await bench.same(scenario)
    for span in seen.spans:
        told = {key: value for key, value in span["attributes"].items() if re.search("temperature|tools|seed", key)}
        names = ("temperature", "seed") if bench.sdk == "openai" else ("temperature",)  # anthropic has no seed
        assert told == {A.PARAM_SOURCE.format(name): "unset" for name in names}


async def test_arguments_are_not_changed(bench: Bench) -> None:
    """The very objects, unchanged; also where identities keep a copy."""

    async def scenario(app: App) -> Any:
        given: dict[str, Any] = {"messages": [SYSTEM, *ASK] if app.sdk == "openai" else ASK, "tools": tools(app)}
        kept = repr(given)
        await done(app.ask(app.client(), **given, extra_body={"a": {"b": [1]}}))
        app.note(repr(given) == kept)
        return given

    await bench.same(scenario)
