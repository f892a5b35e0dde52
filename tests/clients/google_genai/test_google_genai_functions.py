"""Functions that the client executes by itself between two rounds: one `execute_tool` span for each execution.

This file does without `from __future__ import annotations`: the oldest versions execute no function whose annotations
are strings.
"""

import asyncio
import json
from collections.abc import Callable
from typing import Any

import pytest
from both import done, drained
from google import genai
from google_genai_subject import options
from opentelemetry.instrumentation.utils import suppress_instrumentation

from otel_agentops import task, tool
from otel_agentops._hashing import identity
from otel_agentops.testing import SECONDS, Capture, Record
from otel_agentops.testing.fake_provider import Answer, Call, FakeProvider, ToolCall

IN_ROME = ToolCall("weather", '{"town": "Rome"}')
ERROR = "google.genai.errors.UnknownFunctionCallArgumentError"


def weather(town: str) -> str:
    """The weather in a town."""
    return "sunny"


def time_zone(town: str) -> str:
    """The time zone of a town."""
    return "CET"


def fail(town: str) -> str:
    """Look up a town."""
    raise LookupError("a secret that no span may quote")


def make_async(function: Callable[[str], str]) -> Callable[..., Any]:
    """Return a coroutine function that the client offers as the same tool."""

    async def call_function(town: str) -> str:
        await asyncio.sleep(0)
        return function(town)

    call_function.__name__, call_function.__doc__ = function.__name__, function.__doc__
    call_function.__annotations__ = function.__annotations__
    return call_function


@pytest.fixture(params=["plain", "stream", "chat", "chat stream"])
def ask(request: pytest.FixtureRequest, gemini: Any) -> Callable[..., Any]:
    """A function that asks the model, which may call functions."""

    async def ask_with_tools(*functions: Any) -> None:
        config = {"tools": list(functions)}
        chat = gemini.chats.create(model="gemini-x", config=config)
        arguments: Any = {"model": "gemini-x", "contents": "hi", "config": config}
        if request.param == "plain":
            await done(gemini.models.generate_content(**arguments))
        elif request.param == "stream":
            await drained(await done(gemini.models.generate_content_stream(**arguments)))
        elif request.param == "chat":
            await done(chat.send_message("hi"))
        else:
            await drained(await done(chat.send_message_stream("hi")))

    return ask_with_tools


@pytest.fixture(params=["sync", "async", "async with coroutine functions"])
def mode(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def kind(mode: str) -> str:
    return mode.partition(" ")[0]


@pytest.fixture
def adapt(mode: str) -> Callable[[Callable[[str], str]], Callable[..., Any]]:
    """A function that makes a tool: the function itself or a coroutine function."""
    return make_async if "coroutine" in mode else lambda function: function


def call_first(provider: FakeProvider, *calls: ToolCall) -> None:
    """Have the model call tools as long as it has not seen a result."""

    def answer(call: Call) -> Answer:
        return Answer() if "functionResponse" in str(call.body) else Answer(text="", tool_calls=calls)

    provider.answer(answer)


def list_executions(seen: Capture) -> list[Record]:
    return [span for span in seen.spans if span["attributes"]["gen_ai.operation.name"] == "execute_tool"]


def read_versions(seen: Capture) -> dict[str, str]:
    """Return the hash of each tool as the model was offered it."""
    offered = next(span for span in seen.spans if "otel_agentops.tools.versions" in span["attributes"])
    return dict(version.split("@") for version in offered["attributes"]["otel_agentops.tools.versions"])


def describe_execution(seen: Capture, name: str, error: str | None = None, **more: Any) -> Record:
    attributes = {
        "error.type": error,
        "gen_ai.operation.name": "execute_tool",
        "gen_ai.tool.name": name,
        "gen_ai.tool.type": "function",
        "otel_agentops.tool.hash": read_versions(seen)[name],
        "otel_agentops.tool.result.shape": None if error else identity(["$: text"]),
        "otel_agentops.tool.result.empty": None if error else False,
    }
    span = {
        "name": f"execute_tool {name}",
        "kind": "INTERNAL",
        "status": "ERROR" if error else "UNSET",
        "parent": None,
        "attributes": {key: value for key, value in attributes.items() if value is not None},
    }
    return {**span, **more}


def describe_duration(name: str, **labels: str) -> Record:
    attributes = {**labels, "gen_ai.tool.name": name, "gen_ai.tool.type": "function"}
    return {"attributes": attributes, "count": 1, "sum": SECONDS}


async def test_function_is_one_execution(provider: FakeProvider, seen: Capture, ask: Any, adapt: Any) -> None:
    call_first(provider, IN_ROME)
    await ask(adapt(weather))
    assert list_executions(seen) == [describe_execution(seen, "weather")]
    assert seen.metrics["gen_ai.execute_tool.duration"] == [describe_duration("weather")]
    assert "sunny" in str(provider.requests[-1].body)
    assert "sunny" not in str(seen.spans)


async def test_failure_is_that_of_the_function(provider: FakeProvider, seen: Capture, ask: Any, adapt: Any) -> None:
    call_first(provider, ToolCall("fail", '{"town": "Rome"}'))
    await ask(adapt(fail))
    assert list_executions(seen) == [describe_execution(seen, "fail", "LookupError")]
    (point,) = seen.metrics["gen_ai.execute_tool.duration"]
    assert point["attributes"]["error.type"] == "LookupError"
    assert "Failed to invoke function fail" in str(provider.requests[-1].body), "what the client tells the model"
    assert "secret" not in str(seen.spans)


async def test_arguments_of_another_type_fail(provider: FakeProvider, seen: Capture, ask: Any, adapt: Any) -> None:
    call_first(provider, ToolCall("weather", '{"town": 7}'))
    await ask(adapt(weather))
    assert list_executions(seen) == [describe_execution(seen, "weather", ERROR)]


async def test_annotations_as_strings_do_what_they_do(
    provider: FakeProvider, seen: Capture, ask: Any, adapt: Any
) -> None:
    """The oldest versions tell the model of a failure."""

    def find_coast(town: "str") -> "str":
        """Name the coast of a town."""
        return "west"

    call_first(provider, ToolCall("find_coast", '{"town": "Rome"}'))
    with suppress_instrumentation():
        await ask(adapt(find_coast))
    alone = provider.requests[-1].body
    await ask(adapt(find_coast))
    assert provider.requests[-1].body == alone
    (execution,) = list_executions(seen)
    assert execution["attributes"].get("error.type") == (None if "west" in str(alone) else "TypeError")


async def test_each_of_two_functions_has_its_hash(provider: FakeProvider, seen: Capture, ask: Any, adapt: Any) -> None:
    call_first(provider, IN_ROME, ToolCall("time_zone", '{"town": "Rome"}'))
    with task("forecast", id="t1"):
        await ask(adapt(weather), adapt(time_zone))
    names = ("weather", "time_zone")
    hashes = [span["attributes"]["otel_agentops.tool.hash"] for span in list_executions(seen)]
    assert hashes == [read_versions(seen)[name] for name in names]
    assert len(set(hashes)) == 2
    root = seen.spans[-1]["attributes"]
    sums = {"llm_calls": 2, "tool_calls": 2, "tool_failures": 0, "tool_repeats": 1}
    assert {f"otel_agentops.task.{name}": count for name, count in sums.items()}.items() <= root.items()


async def test_same_arguments_are_a_repeat(provider: FakeProvider, seen: Capture, ask: Any, adapt: Any) -> None:
    call_first(provider, IN_ROME, ToolCall("weather", '{"town": "rome "}'))
    with task("forecast", id="t1"):
        await ask(adapt(weather))
    assert seen.spans[-1]["attributes"]["otel_agentops.task.tool_calls"] == 2
    assert seen.spans[-1]["attributes"]["otel_agentops.task.tool_repeats"] == 2


async def test_function_may_ask_a_model(provider: FakeProvider, seen: Capture, mode: str, make: Any, ask: Any) -> None:
    inner = make()

    def look_up(town: str) -> str:
        """Ask another model."""
        model = genai.Client(api_key="k", http_options=options(provider)).models
        return str(model.generate_content(model="gemini-y", contents="What of functionResponse?").text)

    async def look_up_async(town: str) -> str:
        """Ask another model."""
        answer = await done(inner.models.generate_content(model="gemini-y", contents="What of functionResponse?"))
        return str(answer.text)

    look_up_async.__name__ = "look_up"
    call_first(provider, ToolCall("look_up", '{"town": "Rome"}'))
    with task("forecast", id="t1"):
        await ask(look_up_async if "coroutine" in mode else look_up)
    parents = {span["name"]: span["parent"] for span in seen.spans}
    assert parents == {
        "generate_content gemini-x": "invoke_workflow forecast",
        "execute_tool look_up": "invoke_workflow forecast",
        "generate_content gemini-y": "execute_tool look_up",
        "invoke_workflow forecast": None,
    }
    root = seen.spans[-1]["attributes"]
    assert [root[f"otel_agentops.task.{name}"] for name in ("llm_calls", "tool_calls")] == [3, 1]


async def test_decorated_function_has_one_span(provider: FakeProvider, seen: Capture, ask: Any, adapt: Any) -> None:
    """The verb knows more of the tool than the client, and makes the span."""
    call_first(provider, IN_ROME)
    with task("forecast", id="t1"):
        await ask(tool("weather", version="7", effect="read")(adapt(weather)))
    (execution,) = list_executions(seen)
    assert execution["attributes"]["otel_agentops.tool.version"] == "7"
    assert execution["attributes"]["otel_agentops.tool.hash"] == read_versions(seen)["weather"]
    assert seen.spans[-1]["attributes"]["otel_agentops.task.tool_calls"] == 1


async def test_suppressed_execution_passes(provider: FakeProvider, seen: Capture, ask: Any, adapt: Any) -> None:
    call_first(provider, IN_ROME)
    with suppress_instrumentation():
        await ask(adapt(weather))
    assert "sunny" in str(provider.requests[-1].body)
    assert seen.spans == []


async def test_content_has_arguments_and_result(provider: FakeProvider, content: Capture, ask: Any, adapt: Any) -> None:
    call_first(provider, IN_ROME, ToolCall("fail", '{"town": "Rome"}'))
    await ask(adapt(weather), adapt(fail))
    names = ("gen_ai.tool.description", "gen_ai.tool.call.arguments", "gen_ai.tool.call.result")
    described, failed = ([span["attributes"].get(name) for name in names] for span in list_executions(content))
    assert [described[0], json.loads(described[1]), described[2]] == [weather.__doc__, {"town": "Rome"}, "sunny"]
    assert failed[2] is None, "a tool that failed has no result"
