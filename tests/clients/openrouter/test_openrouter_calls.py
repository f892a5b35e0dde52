"""What is OpenRouter's own: responses, what it charged, and a failure of who answers in the middle of a stream."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import openrouter
import pytest
from both import done, drained
from openrouter.utils import BackoffStrategy, RetryConfig

from otel_agentops import task
from otel_agentops._hashing import identity
from otel_agentops.clients.openrouter import Instrumentor
from otel_agentops.testing import SECONDS, Capture, capture
from otel_agentops.testing.fake_provider import FakeProvider, Malformed, Status, openai_wire, openrouter_wire
from otel_agentops.testing.fake_provider.openrouter_wire import COST
from otel_agentops.testing.fake_provider.wire import SSE_DONE, Route
from otel_agentops.testing.subject import Subject, name_sources

ASK: Any = [{"role": "user", "content": "hi"}]
RETRIED = RetryConfig("backoff", BackoffStrategy(1, 1, 1.0, 60_000), False)
ANSWERED = {
    "gen_ai.operation.name": "chat",
    "gen_ai.provider.name": "openrouter",
    "gen_ai.request.model": "gpt-x",
    "gen_ai.response.finish_reasons": ["stop"],
    "gen_ai.response.id": "chatcmpl-fake",
    "gen_ai.response.model": "gpt-x-2026-03-01",
    "gen_ai.usage.cache_read.input_tokens": 4,
    "gen_ai.usage.input_tokens": 11,
    "gen_ai.usage.output_tokens": 5,
    "gen_ai.usage.reasoning.output_tokens": 2,
    "otel_agentops.attempt.count": 1,
    "otel_agentops.attempt.statuses": [200],
    "otel_agentops.cost": COST,
    "otel_agentops.model.resolution": "resolved",
    **name_sources((*Subject.sampling, "top_k")),
    "otel_agentops.prompt.source": "none",
    "server.address": "127.0.0.1",
}


def whole(provider: FakeProvider, *, status: str = "UNSET", **changes: Any) -> dict[str, Any]:
    """Our span. changes: attributes with `__` for a dot, None for one that is absent."""
    found = {**ANSWERED, "server.port": int(provider.url.rpartition(":")[2])}
    found |= {name.replace("__", "."): value for name, value in changes.items()}
    attributes = {name: found[name] for name in sorted(found) if found[name] is not None}
    return {"name": "chat gpt-x", "kind": "CLIENT", "status": status, "parent": None, "attributes": attributes}


def of_a_response(provider: FakeProvider, **changes: Any) -> dict[str, Any]:
    return whole(
        provider,
        gen_ai__response__id="resp_fake",
        otel_agentops__param__service_tier__source="unknown",  # the SDK sends it by itself
        otel_agentops__params__hash=identity({"service_tier": "auto"}),
        otel_agentops__param__temperature__source="echoed",
        otel_agentops__param__top_p__source="echoed",
        otel_agentops__param__seed__source=None,
        otel_agentops__prompt__source="instructions",
        otel_agentops__prompt__hash=identity(["Be brief."]),
        **changes,
    )


@pytest.fixture(params=["responses", "beta.responses"])
def where(request: pytest.FixtureRequest, router: Any) -> str:
    owner = router.sdk
    for part in request.param.split("."):
        owner = getattr(owner, part, None)
    if owner is None:
        pytest.skip(f"openrouter {openrouter.VERSION} has no {request.param}")
    return str(request.param)


async def test_responses(provider: FakeProvider, seen: Capture, router: Any, where: str) -> None:
    answer = await done(router.call(f"{where}.send", model="gpt-x", input="hi", instructions="Be brief."))
    assert answer.output[0].content[0].text == "Hello there."
    assert seen.spans == [of_a_response(provider)]


async def test_streamed_responses(provider: FakeProvider, seen: Capture, router: Any, where: str) -> None:
    asked: dict[str, Any] = {"model": "gpt-x", "input": "hi", "instructions": "Be brief.", "stream": True}
    events = await drained(await done(router.call(f"{where}.send", **asked)))
    assert events[-1].type == "response.completed"
    streamed = {"gen_ai__request__stream": True, "gen_ai__response__time_to_first_chunk": SECONDS}
    assert seen.spans == [of_a_response(provider, **streamed)]


async def test_retried_call_records_every_attempt(provider: FakeProvider, seen: Capture, router: Any) -> None:
    provider.script(Status(503, retry_after=0.01), Status(500))
    await done(router.call("chat.send", model="gpt-x", messages=ASK, retries=RETRIED))
    tried = {"count": 3, "statuses": [503, 500, 200], "retry_after": [0.01]}
    assert seen.spans == [
        whole(provider, **{f"otel_agentops__attempt__{name}": value for name, value in tried.items()})
    ]


async def test_reasoning_and_routing_are_parameters_but_no_session(
    provider: FakeProvider, seen: Capture, router: Any
) -> None:
    shaped: dict[str, Any] = {"reasoning": {"effort": "high"}, "provider": {"order": ["groq"]}}
    asked: dict[str, Any] = {"model": "gpt-x", "messages": ASK, **shaped}
    await done(router.call("chat.send", session_id="s1", user="u1", **asked))
    assert provider.requests[-1].body["session_id"] == "s1"
    assert seen.spans == [
        whole(
            provider,
            gen_ai__request__reasoning__level="high",
            otel_agentops__param__provider__source="explicit",
            otel_agentops__param__reasoning__source="explicit",
            otel_agentops__params__hash=identity(shaped),
        )
    ]


async def test_malformed_answer_is_an_error(provider: FakeProvider, seen: Capture, router: Any) -> None:
    provider.script(Malformed())
    with pytest.raises(openrouter.errors.ResponseValidationError):
        await done(router.call("chat.send", model="gpt-x", messages=ASK))
    unknown = {name.replace(".", "__"): None for name in ANSWERED if "usage" in name or "response" in name}
    kind = "openrouter.errors.responsevalidationerror.ResponseValidationError"
    changes = {**unknown, "otel_agentops__cost": None, "otel_agentops__model__resolution": "unreported"}
    assert seen.spans == [whole(provider, status="ERROR", error__type=kind, **changes)]


async def test_error_in_the_last_chunk_is_recorded(
    provider: FakeProvider, seen: Capture, router: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """OpenRouter's own form of it: status 200, and a last chunk that carries the error."""

    def failing(*asked: Any) -> Iterator[dict[str, Any]]:
        first = next(openrouter_wire.write_chat_chunks(*asked))
        yield first
        ended = [{"index": 0, "delta": {"content": ""}, "finish_reason": "error"}]
        yield {**first, "error": {"code": 502, "message": "gone"}, "choices": ended}

    route = Route(openrouter_wire.write_chat, failing, SSE_DONE)
    monkeypatch.setitem(openrouter_wire.DIALECT.routes, openai_wire.CHAT, route)
    stream = await done(router.call("chat.send", model="gpt-x", messages=ASK, stream=True))
    assert (await drained(stream))[-1].error.code == 502
    unknown = {name.replace(".", "__"): None for name in ANSWERED if "usage" in name}
    streamed = {"gen_ai__request__stream": True, "gen_ai__response__time_to_first_chunk": SECONDS}
    assert seen.spans == [
        whole(
            provider,
            status="ERROR",
            error__type="502",
            gen_ai__response__finish_reasons=["error"],
            otel_agentops__cost=None,
            **unknown,
            **streamed,
        )
    ]


# -- what it cost


@pytest.mark.parametrize(
    ("charged", "usd"),
    [
        ({"cost": 0.001, "is_byok": True, "cost_details": {"upstream_inference_cost": 0.02}}, 0.021),
        ({"cost": 0.001, "is_byok": True}, None),
        ({"cost": 0}, 0.0),
        ({}, None),
    ],
    ids=["a key of the user's own", "the rest is not said", "nothing", "not said"],
)
async def test_charged_cost_is_recorded(
    provider: FakeProvider,
    seen: Capture,
    router: Any,
    monkeypatch: pytest.MonkeyPatch,
    charged: dict[str, Any],
    usd: float | None,
) -> None:
    def priced(answer: dict[str, Any]) -> dict[str, Any]:
        details = {"upstream_inference_completions_cost": 0, "upstream_inference_prompt_cost": 0}
        told = {**charged}
        if "cost_details" in told:
            told["cost_details"] = {**details, **told["cost_details"]}
        return {**answer, "usage": {**answer["usage"], **told}}

    monkeypatch.setattr(openrouter_wire, "_add_cost", priced)
    await done(router.call("chat.send", model="gpt-x", messages=ASK))
    assert seen.spans == [whole(provider, otel_agentops__cost=usd)]


async def test_task_adds_up_the_charged_cost(seen: Capture, router: Any) -> None:
    with task("refund", id="t1"):
        for _ in range(2):
            await done(router.call("chat.send", model="gpt-x", messages=ASK))
    assert seen.spans[-1]["attributes"]["otel_agentops.task.cost"] == 2 * COST


@pytest.mark.parametrize(("model", "usd"), [("gpt-x-2026-03-01", 11e-6 + 5 * 2e-6), ("gpt-y", COST)])
async def test_configured_prices_replace_the_charged_cost(
    provider: FakeProvider, router: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, model: str, usd: float
) -> None:
    """They may be negotiated; where they have none for the model, what is charged holds."""
    prices = tmp_path / "prices.json"
    prices.write_text(json.dumps({"models": {model: {"input": 1, "output": 2, "cache_read": 1}}}))
    monkeypatch.setenv("OTEL_AGENTOPS_PRICES", str(prices))
    with capture(Instrumentor()) as seen:
        await done(router.call("chat.send", model="gpt-x", messages=ASK))
    assert seen.spans == [whole(provider, otel_agentops__cost=usd)]
