"""Responses that are fetched, and who tells their tokens: one call or one fetch, never two."""

from __future__ import annotations

from typing import Any

import openai
import pytest
from both import done, drained, each
from openai_spans import COUNTED, ONCE, RESPONSE, failed, parameters, span

from otel_agentops import task
from otel_agentops.clients._protocols import openai_responses
from otel_agentops.clients.openai import READER
from otel_agentops.testing import Capture
from otel_agentops.testing.fake_provider import Answer, FakeProvider, Status

RESOLVED = "gpt-x-2026-03-01"
REASONS = "gen_ai.response.finish_reasons"
FETCHED = {
    **ONCE,
    "gen_ai.operation.name": "fetch_response",
    "gen_ai.provider.name": "openai",
    "gen_ai.response.finish_reasons": ["stop"],
    "gen_ai.response.id": "resp_fake",
    "gen_ai.response.model": RESOLVED,
    "gen_ai.response.status": "completed",
    "openai.api.type": "responses",
    "openai.response.service_tier": "default",
}
BACKGROUND: Any = {"model": "gpt-x", "input": "hi", "background": True}
POLLS = ("queued", "in_progress", None, None)  # None: ended


@pytest.fixture(autouse=True)
def nothing_runs(provider: FakeProvider) -> None:
    """The model of what is fetched, and nothing in the background yet."""
    provider.alias("", RESOLVED)
    READER.background.ids.clear()


def fetched(provider: FakeProvider, *parts: dict[str, Any], **more: Any) -> dict[str, Any]:
    return span(provider, FETCHED, *parts, name="fetch_response", **more)


async def poll(provider: FakeProvider, client: Any, finish: str | None) -> Any:
    provider.answer(lambda call: Answer(finish=finish))
    return await done(client.responses.retrieve("resp_fake"))


async def test_fetched_response_adds_no_tokens(provider: FakeProvider, client: Any, seen: Capture) -> None:
    await done(client.responses.create(model="gpt-x", input="hi"))
    found = await done(client.responses.retrieve("resp_fake"))
    assert found.output_text == "Hello there."
    assert provider.requests[-1].method == "GET"
    assert seen.spans == [span(provider, RESPONSE), fetched(provider)]
    durations = seen.metrics["gen_ai.client.operation.duration"]
    assert sorted(point["attributes"]["gen_ai.operation.name"] for point in durations) == ["chat", "fetch_response"]
    assert [point["sum"] for point in seen.metrics["gen_ai.client.token.usage"]] == [11, 5]


async def test_background_response_is_counted_once(provider: FakeProvider, client: Any, seen: Capture) -> None:
    await done(client.responses.create(**BACKGROUND))
    for status in POLLS:
        await poll(provider, client, status)
    going = [fetched(provider, {"gen_ai.response.status": status}, without=(REASONS,)) for status in POLLS[:2]]
    begun = span(provider, RESPONSE, parameters(background=True), without=(*COUNTED, REASONS))
    assert seen.spans == [begun, *going, fetched(provider, COUNTED), fetched(provider)]


async def test_task_counts_tokens_of_a_background_call_once(provider: FakeProvider, client: Any, seen: Capture) -> None:
    with task("answer"):
        await done(client.responses.create(**BACKGROUND))
        for status in POLLS:
            await poll(provider, client, status)
    sums = seen.spans[-1]["attributes"]
    assert sums["otel_agentops.task.llm_calls"] == 1
    assert sums["otel_agentops.task.llm_attempts"] == 1
    assert (sums["otel_agentops.task.input_tokens"], sums["otel_agentops.task.output_tokens"]) == (11, 5)


@pytest.mark.parametrize(
    ("finish", "status", "reason"),
    [("length", "incomplete", "length"), ("failed", "failed", "error"), ("cancelled", "cancelled", "error")],
)
async def test_fetched_response_has_its_finish_reason(
    provider: FakeProvider, client: Any, seen: Capture, finish: str, status: str, reason: str
) -> None:
    await poll(provider, client, finish)
    assert seen.spans == [fetched(provider, {"gen_ai.response.status": status, REASONS: [reason]})]


@pytest.mark.parametrize("begun", [True, False])
async def test_a_fetched_stream(provider: FakeProvider, client: Any, seen: Capture, begun: bool) -> None:
    if begun:
        await done(client.responses.create(**BACKGROUND))
        seen.clear()
    events = await drained(await done(client.responses.retrieve("resp_fake", stream=True, starting_after=2)))
    assert (events[0].sequence_number, events[-1].type) == (3, "response.completed")
    assert seen.spans == [fetched(provider, {"gen_ai.request.stream_cursor": "2"}, COUNTED if begun else {})]


async def test_abandoned_background_stream_is_counted_when_fetched(
    provider: FakeProvider, client: Any, seen: Capture
) -> None:
    stream = await done(client.responses.create(**BACKGROUND, stream=True))
    async for _ in each(stream):
        break
    await done(stream.close())
    await drained(await done(client.responses.retrieve("resp_fake", stream=True, starting_after=0)))
    begun, rest = seen.spans
    assert begun["name"] == "chat gpt-x"
    assert not [name for name in begun["attributes"] if "usage" in name]
    assert rest == fetched(provider, {"gen_ai.request.stream_cursor": "0"}, COUNTED)


async def test_foreign_inference_span_of_a_fetch_is_enriched(
    provider: FakeProvider, client: Any, seen: Capture
) -> None:
    kind = {"openinference.span.kind": "LLM"}  # as OpenInference does
    with seen.tracer_provider.get_tracer("theirs").start_as_current_span("Response", attributes=kind):
        await done(client.responses.retrieve("resp_fake"))
    (found,) = seen.spans
    assert found["attributes"] == {**fetched(provider)["attributes"], **kind}


async def test_raw_fetch_is_one_span(provider: FakeProvider, client: Any, seen: Capture) -> None:
    assert (await done(client.responses.with_raw_response.retrieve("resp_fake"))).parse().id == "resp_fake"
    assert seen.spans == [fetched(provider)]


async def test_fetch_of_a_missing_response_is_an_error(provider: FakeProvider, client: Any, seen: Capture) -> None:
    provider.script(Status(404))
    with pytest.raises(openai.NotFoundError) as caught:
        await done(client.responses.retrieve("resp_gone"))
    tried = {"otel_agentops.attempt.statuses": [404], "gen_ai.response.id": "resp_gone", **failed(caught.value)}
    unknown = (REASONS, "gen_ai.response.model", "gen_ai.response.status", "openai.response.service_tier")
    assert seen.spans == [fetched(provider, tried, without=unknown, status="ERROR")]


async def test_listing_input_items_makes_no_span(provider: FakeProvider, client: Any, seen: Capture) -> None:
    provider.script(Status(404))
    with pytest.raises(openai.NotFoundError):
        await drained(await done(client.responses.input_items.list("resp_fake")))
    assert seen.spans == []


def test_unfetched_background_responses_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(openai_responses, "_MAX_BACKGROUND", 2)
    for name in ("a", "b", "c"):
        READER.read_response({"id": name, "status": "queued", "background": True})
    assert list(READER.background.ids) == ["b", "c"]
