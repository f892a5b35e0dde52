"""Messages that come back whole: every way to ask for one makes the same complete span."""

from __future__ import annotations

from typing import Any

import pytest
from both import block, done
from expected_claude import ASK, CALL, UNTRACED, measured, whole
from pydantic import BaseModel

from otel_agentops._hashing import identity
from otel_agentops.testing import Capture
from otel_agentops.testing.fake_provider import Answer, FakeProvider, ToolCall

WEATHER = {"name": "weather", "description": "of a town", "input_schema": {"type": "object"}, "strict": True}
SEARCH = {"type": "web_search_20250305", "name": "web_search", "max_uses": 2}


class Town(BaseModel):
    name: str
    people: int


async def test_create(provider: FakeProvider, seen: Capture, claude: Any) -> None:
    answer = await done(claude.messages.create(**CALL))
    assert answer.content[0].text == "Hello there."
    assert seen.spans == [whole(provider)]


async def test_beta(provider: FakeProvider, seen: Capture, claude: Any) -> None:
    await done(claude.beta.messages.create(**CALL, betas=["context-1m-2025-08-07"]))
    assert seen.spans == [whole(provider)]


async def test_raw_response(provider: FakeProvider, seen: Capture, claude: Any) -> None:
    response = await done(claude.messages.with_raw_response.create(**CALL))
    assert seen.spans == [whole(provider)], "the span ends with the call, whoever parses its body and when"
    assert (await done(response.parse())).id == "msg_fake"
    assert len(seen.spans) == 1


@pytest.mark.parametrize("read", ["parse", "read", "json", "text"])
async def test_streaming_response(provider: FakeProvider, seen: Capture, claude: Any, read: str) -> None:
    async with block(claude.messages.with_streaming_response.create(**CALL)) as response:
        assert seen.spans == []
        await done(getattr(response, read)())
    assert seen.spans == [whole(provider)]


async def test_unread_streaming_response_has_no_counts(provider: FakeProvider, seen: Capture, claude: Any) -> None:
    async with block(claude.messages.with_streaming_response.create(**CALL)):
        pass
    unknown = {key.replace(".", "__"): None for key in whole(provider)["attributes"] if "usage" in key}
    unknown |= {f"gen_ai__response__{name}": None for name in ("id", "model", "finish_reasons")}
    assert seen.spans == [whole(provider, **unknown, otel_agentops__model__resolution=None)]


async def test_parse(provider: FakeProvider, seen: Capture, claude: Any) -> None:
    answer = await done(claude.messages.parse(**CALL, output_format=Town))
    assert answer.parsed_output == Town(name="text", people=1)
    sent = {"max_tokens": 9, "output_config": provider.requests[-1].body["output_config"]}
    assert seen.spans == [
        whole(
            provider,
            gen_ai__output__type="json",
            otel_agentops__param__output_config__source="explicit",
            otel_agentops__params__hash=identity(sent),
        )
    ]


async def test_unparsable_answer_keeps_its_token_counts(provider: FakeProvider, seen: Capture, claude: Any) -> None:
    provider.answer(lambda call: Answer(text='{"name": 1}'))
    with pytest.raises(ValueError, match="Town"):
        await done(claude.messages.parse(**CALL, output_format=Town))
    attributes = seen.spans[0]["attributes"]
    assert (attributes["gen_ai.usage.input_tokens"], attributes["gen_ai.usage.output_tokens"]) == (11, 5)
    assert (seen.spans[0]["status"], attributes["error.type"]) == (
        "ERROR",
        "pydantic_core._pydantic_core.ValidationError",
    )


@pytest.mark.parametrize(
    "system",
    ["Be brief.", [{"type": "text", "text": "Be brief.", "cache_control": {"type": "ephemeral"}}]],
    ids=["text", "block"],
)
async def test_system_prompt_spellings_have_one_hash(
    provider: FakeProvider, seen: Capture, claude: Any, system: Any
) -> None:
    await done(claude.messages.create(**CALL, system=system))
    prompt = {"otel_agentops__prompt__source": "instructions", "otel_agentops__prompt__hash": identity(["Be brief."])}
    assert seen.spans == [whole(provider, **prompt)]


async def test_different_system_prompts_have_different_hashes(seen: Capture, claude: Any) -> None:
    for system in ("Be brief.", "Be long.", [{"type": "text", "text": "Be"}, {"type": "text", "text": "brief."}]):
        await done(claude.messages.create(**CALL, system=system))
    assert len({span["attributes"]["otel_agentops.prompt.hash"] for span in seen.spans}) == 3


async def test_tools_and_server_tools(provider: FakeProvider, seen: Capture, claude: Any) -> None:
    provider.answer(lambda call: Answer(tool_calls=(ToolCall("weather", "{}"),)))
    cached = {**WEATHER, "cache_control": {"type": "ephemeral"}}
    await done(claude.messages.create(**CALL, tools=[cached, SEARCH], tool_choice={"type": "auto"}))
    weather, search = identity(WEATHER), identity({"name": "web_search", "settings": SEARCH})
    assert seen.spans == [
        whole(
            provider,
            gen_ai__response__finish_reasons=["tool_use"],
            otel_agentops__tools__hash=identity(sorted([weather, search])),
            otel_agentops__tools__versions=[f"weather@{weather}", f"web_search@{search}"],
            otel_agentops__param__tool_choice__source="explicit",
            otel_agentops__params__hash=identity({"max_tokens": 9, "tool_choice": {"type": "auto"}}),
        )
    ]


@pytest.mark.parametrize(
    "drifted",
    [
        {**WEATHER, "description": "of a city"},
        {**WEATHER, "input_schema": {"type": "object", "required": ["town"]}},
        {**WEATHER, "strict": False},
    ],
    ids=["description", "schema", "strict"],
)
async def test_changed_tool_changes_its_hash(seen: Capture, claude: Any, drifted: Any) -> None:
    for tool in (WEATHER, drifted, WEATHER):
        await done(claude.messages.create(**CALL, tools=[tool, SEARCH]))
    before, after, again = (span["attributes"]["otel_agentops.tools.versions"] for span in seen.spans)
    assert before == again
    assert before[0] != after[0], "the tool that changed"
    assert before[1] == after[1], "the one that did not"


async def test_cached_input_is_inside_the_total(provider: FakeProvider, seen: Capture, claude: Any) -> None:
    provider.answer(lambda call: Answer(input_tokens=100, cached_tokens=60, cache_write_tokens=30))
    answer = await done(claude.messages.create(**CALL))
    assert answer.usage.input_tokens == 10, "the API counts cached input apart"
    counts = {"cache_creation__input_tokens": 30, "cache_read__input_tokens": 60, "input_tokens": 100}
    assert seen.spans == [whole(provider, **{f"gen_ai__usage__{name}": count for name, count in counts.items()})]


@pytest.mark.parametrize("reason", ["max_tokens", "stop_sequence", "refusal", "pause_turn"])
async def test_stop_reasons(provider: FakeProvider, seen: Capture, claude: Any, reason: str) -> None:
    provider.answer(lambda call: Answer(finish=reason))
    await done(claude.messages.create(**CALL))
    assert seen.spans == [whole(provider, gen_ai__response__finish_reasons=[reason])]


async def test_thinking_and_effort(provider: FakeProvider, seen: Capture, claude: Any) -> None:
    provider.answer(lambda call: Answer(thinking="Where is Rome?", reasoning_tokens=3))
    settings: Any = {"thinking": {"type": "enabled", "budget_tokens": 1024}, "output_config": {"effort": "high"}}
    await done(claude.messages.create(**CALL, **settings))
    assert seen.spans == [
        whole(
            provider,
            gen_ai__request__reasoning__level="high",
            gen_ai__usage__reasoning__output_tokens=3,
            otel_agentops__param__thinking__source="explicit",
            otel_agentops__param__output_config__source="explicit",
            otel_agentops__params__hash=identity({"max_tokens": 9, **settings}),
        )
    ]


async def test_sampling_keeps_its_types(provider: FakeProvider, seen: Capture, claude: Any) -> None:
    sampling = {"temperature": 0, "top_p": 1, "top_k": 3}  # no longer arguments, so the SDK does not touch them
    await done(claude.messages.create(**CALL, extra_body=sampling, stop_sequences=["END"]))
    sources = {f"otel_agentops__param__{name}__source": "explicit" for name in (*sampling, "stop_sequences")}
    assert seen.spans == [
        whole(
            provider,
            gen_ai__request__temperature=0.0,
            gen_ai__request__top_p=1.0,
            gen_ai__request__top_k=3,
            gen_ai__request__stop_sequences=["END"],
            otel_agentops__params__hash=identity({"max_tokens": 9, "stop_sequences": ["END"], **sampling}),
            **sources,
        )
    ]
    found = seen.spans[0]["attributes"]
    assert [type(found[f"gen_ai.request.{name}"]) for name in sampling] == [float, float, int]


async def test_extra_body_replaces_the_body(provider: FakeProvider, seen: Capture, claude: Any) -> None:
    provider.alias("claude-y", "claude-y-1")
    await done(claude.messages.create(**CALL, extra_body={"model": "claude-y", "max_tokens": 9}))
    found = {"gen_ai__request__model": "claude-y", "gen_ai__response__model": "claude-y-1"}
    assert seen.spans == [{**whole(provider, **found), "name": "chat claude-y"}]


async def test_user_id_is_not_a_parameter(provider: FakeProvider, seen: Capture, claude: Any) -> None:
    await done(claude.messages.create(**CALL, metadata={"user_id": "u1"}))
    assert seen.spans == [whole(provider)]


async def test_echoed_alias_is_reported_as_echoed(provider: FakeProvider, seen: Capture, claude: Any) -> None:
    await done(claude.messages.create(**{**CALL, "model": "claude-unaliased"}))
    assert seen.spans[0]["attributes"]["otel_agentops.model.resolution"] == "echoed"


async def test_one_shot_messages(provider: FakeProvider, seen: Capture, claude: Any) -> None:
    await done(claude.messages.create(**{**CALL, "messages": iter(ASK)}, tools=iter([WEATHER])))
    assert provider.requests[-1].body["messages"] == ASK
    assert provider.requests[-1].body["tools"] == [WEATHER]
    assert seen.spans[0]["attributes"]["otel_agentops.tools.versions"] == [f"weather@{identity(WEATHER)}"]


async def test_middleware(provider: FakeProvider, seen: Capture, make: Any) -> None:
    """A client with middleware takes another way through the SDK."""

    def ask(request: Any, call_next: Any) -> Any:
        return call_next(request)

    async def ask_async(request: Any, call_next: Any) -> Any:
        return await call_next(request)

    plain = make(**UNTRACED)
    client = plain.copy(middleware=[ask_async if "Async" in type(plain).__name__ else ask])
    assert (await done(client.messages.create(**CALL))).id == "msg_fake"
    assert seen.spans == [whole(provider)]


async def test_measurements(provider: FakeProvider, seen: Capture, claude: Any) -> None:
    await done(claude.messages.create(**CALL))
    assert seen.metrics == measured(provider)


async def test_batches_and_token_counts_make_no_span(seen: Capture, claude: Any) -> None:
    await done(claude.messages.count_tokens(model="claude-x", messages=ASK))
    await done(claude.beta.messages.count_tokens(model="claude-x", messages=ASK))
    batch = [{"custom_id": "1", "params": CALL}]
    with pytest.raises(Exception, match="not spoken here"):
        await done(claude.messages.batches.create(requests=batch))
    with pytest.raises(Exception, match="not spoken here"):
        await done(claude.models.list())
    assert seen.spans == []
