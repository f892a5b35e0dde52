"""All that the clear head of a call says, and which of the answer's headers are beside it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import openai
from recorded_tasks import record_into

import otel_agentops
from otel_agentops.recorder.entries import Call
from otel_agentops.recorder.reading import open_records, open_segments, read_head, read_headers
from otel_agentops.testing.fake_provider import Answer, FakeProvider, Status

KEPT = {"openai-organization": "shop", "x-ratelimit-remaining-tokens": "9", "openai-processing-ms": "12"}
LEFT_OUT = {"set-cookie": "session=s3cret", "authorization": "Bearer s3cret", "x-other": "s3cret"}
MEASURED = ("time_ns", "monotonic_ns", "duration_ns", "trace_id", "span_id", "commitment")


def record_call(folder: Path, provider: FakeProvider) -> Call:
    provider.alias("gpt-x", "gpt-x-2026-03-01")
    provider.script(Status(429, retry_after=0.01))
    provider.answer(lambda call: Answer(text="Hello", headers=(*KEPT.items(), *LEFT_OUT.items())))
    with record_into(folder), otel_agentops.task("support", id="T-17", tenant="acme", segment="new", stage="canary"):
        client: Any = openai.OpenAI(api_key="k", base_url=provider.openai_url, max_retries=1)
        messages = [{"role": "user", "content": "hi"}]
        client.chat.completions.create(model="gpt-x", messages=messages, temperature=0.0, seed=None)
    (call,) = (entry for entry in open_records(folder) if isinstance(entry, Call))
    return call


def test_head_of_a_call_says_every_fact(provider: FakeProvider, tmp_path: Path) -> None:
    call = record_call(tmp_path, provider)
    head = json.loads(call.line)
    assert all(head.pop(name) for name in MEASURED)
    attempts = [(attempt["status"], attempt.get("retry_after")) for attempt in head.pop("attempts")]
    attributes = head.pop("attributes")
    assert attempts == [(429, 0.01), (200, None)]
    assert head == {"ref": 0, "kind": "call", "mode": "full"}
    assert all(attributes.pop(name) for name in ("server.port", "otel_agentops.params.hash"))
    assert attributes == {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "openai",
        "gen_ai.request.model": "gpt-x",
        "gen_ai.request.temperature": 0.0,
        "gen_ai.response.finish_reasons": ["stop"],
        "gen_ai.response.id": "chatcmpl-fake",
        "gen_ai.response.model": "gpt-x-2026-03-01",
        "gen_ai.usage.cache_read.input_tokens": 4,
        "gen_ai.usage.input_tokens": 11,
        "gen_ai.usage.output_tokens": 5,
        "gen_ai.usage.reasoning.output_tokens": 2,
        "openai.api.type": "chat_completions",
        "openai.response.service_tier": "default",
        "openai.response.system_fingerprint": "fp_fake",
        "otel_agentops.attempt.count": 2,
        "otel_agentops.attempt.retry_after": [0.01],
        "otel_agentops.attempt.statuses": [429, 200],
        "otel_agentops.model.resolution": "resolved",
        "otel_agentops.param.frequency_penalty.source": "unset",
        "otel_agentops.param.presence_penalty.source": "unset",
        "otel_agentops.param.seed.source": "unset",
        "otel_agentops.param.stop.source": "unset",
        "otel_agentops.param.temperature.source": "explicit",
        "otel_agentops.param.top_p.source": "unset",
        "otel_agentops.prompt.source": "none",
        "otel_agentops.rollout.stage": "canary",
        "otel_agentops.task.id": "T-17",
        "otel_agentops.task.name": "support",
        "otel_agentops.traffic.segment": "new",
        "otel_agentops.traffic.tenant": "acme",
        "server.address": "127.0.0.1",
    }
    assert call.missing == ()


def test_headers_of_an_answer_are_an_allow_list(provider: FakeProvider, tmp_path: Path) -> None:
    headers = dict(read_headers(record_call(tmp_path, provider)))
    assert headers.pop("content-type") == "application/json"
    assert {name: headers[name] for name in KEPT} == KEPT
    assert "s3cret" not in json.dumps(headers)


def test_segment_says_which_service_wrote_it(provider: FakeProvider, tmp_path: Path) -> None:
    record_call(tmp_path, provider)
    (segment,) = open_segments(tmp_path)
    head = read_head(segment)
    assert (head.service or "").startswith("unknown_service")  # the SDK adds the name of the program
    assert (head.number, head.first_index, head.mode) == (0, 0, "full")
    assert segment.foot is not None
    summary = {name: segment.foot[name] for name in ("models", "answered_models", "tenants")}
    assert summary == {"models": ["gpt-x"], "answered_models": ["gpt-x-2026-03-01"], "tenants": ["acme"]}
