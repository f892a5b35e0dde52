"""The counters by value equal what was sent, to the unit: a task counts once for each value that it used."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import pytest
from overlay_signals import QUICK, Event, Sender, Span, counters, errors, series, value_counters, wait_until_settled

import stack
from otel_agentops.collector import shipped
from otel_agentops.semconv import attributes as A
from otel_agentops.semconv import events as E
from otel_agentops.semconv import metrics as M
from otel_agentops.slo import collector as fragment
from otel_agentops.slo.indicators import BUILT_IN, PARAMETRISED, Indicator

pytestmark = pytest.mark.collector

INDICATORS = [
    *(BUILT_IN[name] for name in ("task_completed", "user_retry", "judge_score", "tool_success", "call_success")),
    PARAMETRISED["user_rework"].make("user_rework", 0.3, "outcome"),
    Indicator(
        "found",
        "direct",
        "retrieval",
        f'attributes["{A.RETRIEVAL_DOCUMENT_COUNT}"] >= 0',
        f'attributes["{A.RETRIEVAL_DOCUMENT_COUNT}"] == 0',
        (A.INDEX_NAME,),
        "searches that found nothing",
    ),
]
TYPES = {each.name: each.type for each in INDICATORS}
JUDGE = {A.JUDGE_NAME: "grounded", A.JUDGE_REVISION: "r3"}


@pytest.fixture(scope="module")
def running(otelcol: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[stack.Collector]:
    """A collector whose indicators come from a fragment, which replaces all that the overlay has of them."""
    directory = tmp_path_factory.mktemp("values")
    (directory / "slo.yaml").write_text(fragment.render_yaml(fragment.build_fragment(INDICATORS)))
    with stack.collector([stack.BASE, stack.OVERLAY, directory / "slo.yaml", *QUICK], directory) as collector:
        yield collector
        assert errors(collector) == []


@pytest.fixture(scope="module")
def sender(running: stack.Collector) -> Sender:
    return Sender(running.otlp)


Counts = Counter[str]


def count_value(counts: Counts, sli: str, value: str, is_bad: bool, labels: Mapping[str, str] | None = None) -> None:
    """Add one event to the pair of a value, written `variable/scope=value`."""
    place, _, text = value.partition("=")
    variable, _, scope = place.partition("/")
    changed = {A.CHANGE_VARIABLE: variable, A.CHANGE_SCOPE: scope, A.CHANGE_VALUE: text}
    unescaped = {key: part.replace("%3D", "=") for key, part in changed.items()}
    pair = {A.SLI_NAME: sli, A.SLI_TYPE: TYPES[sli], **(labels or {}), **unescaped}
    counts[series(M.SLI_VALUE_EVENTS, pair)] += 1
    counts[series(M.SLI_VALUE_BAD, pair)] += is_bad


def find_values(running: stack.Collector, sender: Sender, service: str) -> dict[str, float]:
    """Return the counters by value of a service as they are when all is counted."""
    return value_counters(wait_until_settled(running, sender), service)


class World(NamedTuple):
    """What one service sends, and what has to be counted for it."""

    spans: list[Span]
    events: list[Event]
    counts: Counts


MODELS = ("model/gpt-5.5=gpt-5.5-2026-10-21", "model/gpt-5.5=gpt-5.5-2026-08-01", "model/a%3Db=a%3Db-1")
TOOLS = ("tool/refund=t1", "tool/refund=t2", "tool/lookup=t3", "tools/support=s1")
OTHERS = ("prompt/support/greeting=p1", "prompt/support/greeting=p2", "index/help-pages=2026-11-01", "index/a=v=w")


def make_world(service: str, count: int) -> World:
    """Make tasks with several values of one variable, of each kind of operation, under two versions."""
    dice = random.Random(11)
    world = World([], [], Counter())
    for _ in range(count):
        add_task(world, dice, service)
        add_call(world, dice, service)
        add_tool(world, dice, service)
        add_retrieval(world, dice, service)
    return world


def add_task(world: World, dice: random.Random, service: str) -> None:
    values = dice.sample([*MODELS, *TOOLS, *OTHERS[:3]], dice.randrange(6))
    outcome = dice.choice(["completed", "completed", "failed", "cancelled"])
    segment, stage = dice.choice(["free", "paid", None]), dice.choice(["canary", "stable", None])
    scope = {A.TRAFFIC_SEGMENT: segment, A.ROLLOUT_STAGE: stage, A.ROLLOUT_ROUTE: "eu"}
    retry, score, rework = dice.choice([True, False, None]), dice.random(), dice.choice([0.1, 0.9])
    facts = {A.GEN_AI_OPERATION_NAME: "invoke_workflow", A.TASK_NAME: "support", A.TASK_VALUES: values or None}
    world.spans.append(Span("invoke_workflow", {**facts, **scope, A.TASK_OUTCOME: outcome, A.TASK_RETRY: retry}))
    verdict = {A.GEN_AI_EVALUATION_SCORE_VALUE: score, A.JUDGE_THRESHOLD: 0.5, A.TASK_VALUES: values or None}
    world.events.append(Event({**verdict, **scope, **JUDGE}))
    world.events.append(Event({A.TASK_REWORK: rework, A.TASK_VALUES: values or None, **scope}, E.OUTCOME))
    for value in [*values, *scope_values(segment, stage), "route/all=eu", f"deploy/{service}=1.4.2"]:
        if outcome != "cancelled":
            count_value(world.counts, "task_completed", value, outcome != "completed")
        if retry is not None:
            count_value(world.counts, "user_retry", value, retry)
        count_value(world.counts, "judge_score", value, score < 0.5, JUDGE)
        count_value(world.counts, "user_rework", value, rework > 0.3)


def scope_values(segment: str | None, stage: str | None) -> list[str]:
    return [
        *([f"traffic/all={segment}"] if segment else []),
        *([f"stage/all={stage}"] if stage else []),
    ]


def add_call(world: World, dice: random.Random, service: str) -> None:
    answered = dice.choice(["m-1", "m=2", None])
    prompt, tools = dice.choice(["p1", None]), dice.choice(["s1", None])
    facts = {A.GEN_AI_OPERATION_NAME: "chat", A.GEN_AI_REQUEST_MODEL: "m", A.GEN_AI_RESPONSE_MODEL: answered}
    params, sent, served = dice.choice(["a1", "a2", None]), dice.choice(["i1", None]), dice.choice(["fp_1", None])
    identities = {
        A.TASK_NAME: "support",
        A.PROMPT_HASH: prompt,
        A.PROMPT_SENT_HASH: sent if prompt else None,
        A.TOOLS_HASH: tools,
        A.PARAMS_HASH: params,
        A.OPENAI_RESPONSE_SYSTEM_FINGERPRINT: served,
    }
    provider = dice.choice(["openai", None])
    span = {**facts, **identities, A.GEN_AI_PROVIDER_NAME: provider}
    world.spans.append(Span("chat m", span, error=answered is None))
    values = [f"model/m={answered or 'unknown'}", f"provider/all={provider or 'unknown'}", f"deploy/{service}=1.4.2"]
    values += [f"prompt/support/unknown={prompt}"] if prompt else []
    values += [f"tools/support={tools}"] if tools else []
    values += [f"instructions/support/unknown/p1={sent}"] if prompt and sent else []
    values += [f"params/m={params}"] if params else []
    values += [f"fingerprint/m={served}"] if served else []
    for value in values:
        count_value(world.counts, "call_success", value, answered is None)


def add_tool(world: World, dice: random.Random, service: str) -> None:
    name, identity, is_bad = dice.choice(["refund", "lookup"]), dice.choice(["t1", "t2", None]), dice.random() < 0.4
    span = {A.GEN_AI_OPERATION_NAME: "execute_tool", A.GEN_AI_TOOL_NAME: name, A.TOOL_HASH: identity}
    status = dice.choice(["503", "timeout", None]) if is_bad else None
    failed = {A.DOWNSTREAM_NAME: "search.internal", A.DOWNSTREAM_STATUS: status} if status else {}
    world.spans.append(Span(f"execute_tool {name}", {**span, **failed}, error=is_bad))
    below = [f"downstream/{name}=search.internal {status}"] if status else []
    for value in (f"tool/{name}={identity or 'unknown'}", f"deploy/{service}=1.4.2", *below):
        count_value(world.counts, "tool_success", value, is_bad)


def add_retrieval(world: World, dice: random.Random, service: str) -> None:
    version, documents = dice.choice(["v1", "v=2", None]), dice.randrange(3)
    span = {A.GEN_AI_OPERATION_NAME: "retrieval", A.INDEX_NAME: "docs", A.INDEX_VERSION: version}
    failed = {} if documents else {A.DOWNSTREAM_NAME: "shard-7", A.DOWNSTREAM_STATUS: "504"}
    world.spans.append(Span("retrieval docs", {**span, **failed, A.RETRIEVAL_DOCUMENT_COUNT: documents}))
    below = [] if documents else ["downstream/docs=shard-7 504"]
    for value in (f"index/docs={version or 'unknown'}", f"deploy/{service}=1.4.2", *below):
        count_value(world.counts, "found", value, documents == 0)


def test_every_value_is_counted_to_the_unit(running: stack.Collector, sender: Sender) -> None:
    service = "worlds"
    world = make_world(service, 300)
    for start in range(0, len(world.spans), 170):
        sender.spans(service, *world.spans[start : start + 170], service_version="1.4.2")
    for start in range(0, len(world.events), 90):
        sender.events(service, *world.events[start : start + 90], service_version="1.4.2")
    assert find_values(running, sender, service) == world.counts


def make_root(values: object, outcome: str = "completed", **more: object) -> Span:
    facts = {A.GEN_AI_OPERATION_NAME: "invoke_workflow", A.TASK_OUTCOME: outcome, A.TASK_VALUES: values}
    return Span("invoke_workflow", {**facts, **more})  # type: ignore[dict-item]


def count_roots(values: Sequence[str], good: int, bad: int = 0) -> Counts:
    counts: Counts = Counter()
    for value in values:
        for number in range(good + bad):
            count_value(counts, "task_completed", value, number < bad)
    return counts


def test_a_full_list_and_all_of_its_scope_have_slots(running: stack.Collector, sender: Sender) -> None:
    """The overlay reads fourteen values of the SDK and what it adds itself; `other` alone is no value."""
    values = [f"tool/t{number}=v" for number in range(13)]
    flag = {A.FEATURE_FLAG_KEY: "new-prompt", A.FEATURE_FLAG_RESULT_VARIANT: "on"}
    scope = {A.TRAFFIC_SEGMENT: "free", A.ROLLOUT_STAGE: "canary", A.ROLLOUT_ROUTE: "eu", **flag}
    sender.spans("full", make_root([*values, "other"], **scope), service_version="2")
    added = ["traffic/all=free", "stage/all=canary", "route/all=eu", "deploy/full=2", "flag/new-prompt=on"]
    assert find_values(running, sender, "full") == count_roots([*values, *added], 1)


def test_two_versions_in_one_request_are_two_values(running: stack.Collector, sender: Sender) -> None:
    sender.spans("two", make_root(["model/m=m-1"]), make_root(["model/m=m-1"], "failed"), service_version="1")
    sender.spans("two", make_root(["model/m=m-1"]), service_version="2")
    expected = count_roots(["model/m=m-1"], 2, 1) + count_roots(["deploy/two=1"], 1, 1)
    assert find_values(running, sender, "two") == {**expected, **count_roots(["deploy/two=2"], 1)}


def test_a_task_without_values_has_no_series(running: stack.Collector, sender: Sender) -> None:
    sender.spans("none", make_root(None), make_root([]))
    assert find_values(running, sender, "none") == {}


@pytest.mark.parametrize(
    "values",
    ["model/m=v", ["novariable=v"], ["model/m="], ["model/m"], ["=v"], [""], [1, 2], [True], 7, ["/=x"]],
)
def test_a_list_that_is_none_breaks_nothing(running: stack.Collector, sender: Sender, values: object) -> None:
    service = f"bad-{values}"
    sender.spans(service, make_root(values), make_root(["model/m=v"], "failed"))
    assert find_values(running, sender, service) == count_roots(["model/m=v"], 0, 1)


def test_feature_flags_of_spans_are_values(running: stack.Collector, sender: Sender) -> None:
    """An attribute tells one flag; the events on a span, which OpenFeature's hooks write, several."""
    flag = {A.FEATURE_FLAG_KEY: "new-prompt", A.FEATURE_FLAG_RESULT_VARIANT: "on"}
    event = {A.FEATURE_FLAG_KEY: "rerank", A.FEATURE_FLAG_RESULT_VARIANT: "off"}
    root = make_root(["model/m=v"], **flag)
    sender.spans("flags", root, make_root(None, "failed", **flag)._replace(events=[(FLAG_EVALUATION, event)]))
    sender.events("flags", *[Event({**flag}, FLAG_EVALUATION)] * 3)
    samples = wait_until_settled(running, sender)
    expected = count_roots(["model/m=v"], 1)
    expected.update(count_roots(["flag/new-prompt=on"], 1, 1))
    expected.update(count_roots(["flag/rerank=off"], 0, 1))
    assert value_counters(samples, "flags") == expected
    assert counters(samples, "flags")[series(M.FLAG_OBSERVATIONS, flag)] == 5


FLAG_EVALUATION = "feature_flag.evaluation"


def test_tenants_are_counted_if_the_operator_asks(otelcol: Path, tmp_path: Path) -> None:
    configs = [stack.BASE, stack.OVERLAY, shipped.find_fragment("tenant"), *QUICK]
    with stack.collector(configs, tmp_path) as collector:
        sender = Sender(collector.otlp)
        sender.spans("t", make_root(["model/m=v"], **{A.TRAFFIC_TENANT: "a=b"}), make_root(None, "failed"))
        found = find_values(collector, sender, "t")
        assert errors(collector) == []
    assert found == count_roots(["model/m=v", "tenant/all=a=b"], 1)
