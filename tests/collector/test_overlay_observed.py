"""Observations: where and in which stage a value was seen, sets by judge, and declared changes."""

from __future__ import annotations

import pytest
from overlay_signals import Event, Sender, Span, counters, series, wait_until_settled

from otel_agentops.semconv import attributes as A
from otel_agentops.semconv import events as E
from otel_agentops.semconv import metrics as M
from stack import Collector

pytestmark = pytest.mark.collector

MODEL = {A.GEN_AI_REQUEST_MODEL: "gpt-x", A.GEN_AI_RESPONSE_MODEL: "gpt-x-01"}
FOUND = {A.INDEX_NAME: "docs", A.INDEX_VERSION: "v2"}


def read_observations(collector: Collector, service: str) -> dict[str, float]:
    found = counters(collector.scrape(), service)
    return {name: value for name, value in found.items() if "observations" in name or "changes" in name}


def test_region_and_stage_are_labels_if_known(collector: Collector, sender: Sender, service: str) -> None:
    call = Span("chat gpt-x", {A.GEN_AI_OPERATION_NAME: "chat", **MODEL})
    staged = call._replace(attributes={**call.attributes, A.ROLLOUT_STAGE: "canary"})
    retrieval = Span("retrieval docs", {A.GEN_AI_OPERATION_NAME: "retrieval", **FOUND, A.ROLLOUT_STAGE: "canary"})
    sender.spans(service, call)
    sender.spans(service, call, call, staged, retrieval, cloud_region="eu-west-1")
    wait_until_settled(collector, sender)
    eu, canary = {A.CLOUD_REGION: "eu-west-1"}, {A.ROLLOUT_STAGE: "canary"}
    assert read_observations(collector, service) == {
        series(M.MODEL_OBSERVATIONS, MODEL): 1,
        series(M.MODEL_OBSERVATIONS, {**MODEL, **eu}): 2,
        series(M.MODEL_OBSERVATIONS, {**MODEL, **eu, **canary}): 1,
        series(M.INDEX_OBSERVATIONS, {**FOUND, **eu, **canary}): 1,
        series(M.STAGE_OBSERVATIONS, {**eu, **canary}): 2,
    }
    others = [name for name in counters(collector.scrape(), service) if "observations" not in name]
    assert not [name for name in others if "cloud_region" in name], "calls and budgets are not told apart by it"


def test_variables_of_a_call_are_those_of_the_product(collector: Collector, sender: Sender, service: str) -> None:
    prompt = {A.TASK_NAME: "support", A.GEN_AI_PROMPT_NAME: "greeting", A.PROMPT_HASH: "p1"}
    sent, tools = {**prompt, A.PROMPT_SENT_HASH: "i1"}, {A.TASK_NAME: "support", A.TOOLS_HASH: "s1"}
    asked = {A.GEN_AI_REQUEST_MODEL: "gpt-x"}
    params, served = {**asked, A.PARAMS_HASH: "a1"}, {**asked, A.OPENAI_RESPONSE_SYSTEM_FINGERPRINT: "fp_1"}
    call = Span("chat gpt-x", {A.GEN_AI_OPERATION_NAME: "chat", **MODEL, **sent, **tools, **params, **served})
    sender.spans(service, call, call._replace(attributes={**call.attributes, A.JUDGE_NAME: "helpful"}))
    wait_until_settled(collector, sender)
    assert read_observations(collector, service) == {
        series(M.MODEL_OBSERVATIONS, MODEL): 1,
        series(M.PROMPT_OBSERVATIONS, prompt): 1,
        series(M.INSTRUCTIONS_OBSERVATIONS, sent): 1,
        series(M.TOOLS_OBSERVATIONS, tools): 1,
        series(M.PARAMS_OBSERVATIONS, params): 1,
        series(M.FINGERPRINT_OBSERVATIONS, served): 1,
    }


def test_evaluations_of_a_set_are_counted_by_judge(collector: Collector, sender: Sender, service: str) -> None:
    judge = {A.JUDGE_NAME: "helpful", A.JUDGE_REVISION: "r1"}
    golden = {A.EVAL_SET_NAME: "golden", A.EVAL_SET_VERSION: "7"}
    sender.events(service, *[Event({**judge, **golden})] * 3, Event({A.EVAL_SET_NAME: "bare"}), Event(judge))
    sender.events(service, Event({**judge, **golden}, E.OUTCOME), Event({**judge, **golden}, E.CHANGE))
    wait_until_settled(collector, sender)
    unknown = {A.EVAL_SET_VERSION: "unknown", A.JUDGE_NAME: "unknown", A.JUDGE_REVISION: "unknown"}
    assert read_observations(collector, service) == {
        series(M.EVAL_SET_OBSERVATIONS, {**golden, **judge}): 3,
        series(M.EVAL_SET_OBSERVATIONS, {A.EVAL_SET_NAME: "bare", **unknown}): 1,
        series(M.JUDGE_OBSERVATIONS, judge): 4,
    }


def test_declared_changes_are_counted(collector: Collector, sender: Sender, service: str) -> None:
    change = {A.CHANGE_VARIABLE: "model", A.CHANGE_SCOPE: "gpt-x", A.CHANGE_VALUE: "gpt-x-02"}
    declared = {**change, A.CHANGE_SOURCE: "declared"}
    unscoped = {**declared, A.CHANGE_SCOPE: None}
    sender.events(
        service,
        Event(declared, E.CHANGE),
        Event(unscoped, E.CHANGE),
        Event({**change, A.CHANGE_SOURCE: "first_seen"}, E.CHANGE),
        Event({**declared, "event.name": E.CHANGE}, None),
        Event({**declared, A.CHANGE_VALUE: None}, E.CHANGE),
    )
    wait_until_settled(collector, sender)
    assert read_observations(collector, service) == {
        series(M.CHANGES, change): 2,
        series(M.CHANGES, {**unscoped, A.CHANGE_SCOPE: "unknown", A.CHANGE_SOURCE: None}): 1,
    }


def test_fields_of_a_changed_schema_are_counted(collector: Collector, sender: Sender, service: str) -> None:
    fields = {A.CHANGE_SCOPE: "refund_order", A.CHANGE_FIELDS: "parameters.amount type number -> string"}
    seen = {**fields, A.CHANGE_VARIABLE: "tool", A.CHANGE_VALUE: "b", A.CHANGE_SOURCE: "first_seen"}
    sender.events(service, Event(seen, E.CHANGE), Event({**seen, A.CHANGE_FIELDS: None}, E.CHANGE))
    wait_until_settled(collector, sender)
    assert read_observations(collector, service) == {series(M.TOOL_CHANGES, fields): 1}
