"""The fragment on a real collector: exactly what is not listed is tagged where it is stored, and counted."""

from __future__ import annotations

import datetime
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from lock_values import EVIL, values
from tests.collector import overlay_stored
from tests.collector.overlay_signals import Attributes, Event, Sender, Span, wait_until_settled

import stack
from otel_agentops.lock import fragment
from otel_agentops.lock.edit import HEAD, edit_entries
from otel_agentops.lock.model import VARIABLES, Entry, Key, Lock
from otel_agentops.lock.text import parse_lock
from otel_agentops.semconv import attributes as A
from otel_agentops.semconv import metrics as M

pytestmark = pytest.mark.collector
ROOT = stack.ROOT
TAGGING = ROOT / "collector-config" / "examples" / "tagging.yaml"
STORED = ROOT / "tests" / "collector" / "configs" / "stored.yaml"
UNLISTED = M.METRICS[M.UNLISTED_OBSERVATIONS].prometheus


def lock(*keys: tuple[str, str, str | None, str]) -> Lock:
    """A lock file as it is written and read back."""
    day = datetime.date(2026, 11, 24)
    new = [(Key(*key), Entry(value=key[3], service=key[2], owner="anna", date=day)) for key in keys]
    path = Path("agentops.lock")
    return parse_lock(edit_entries(HEAD, path, new), path)


def test_a_whole_fragment() -> None:
    one, two = lock(("tools", "support", None, "b1")), lock(("judge", "helpful", "shop", "$r1"))
    assert fragment.render_text([one, two]) == (Path(__file__).parent / "fragment.yaml").read_text("utf-8")


def test_an_empty_file_replaces_the_one_before() -> None:
    assert fragment.build_config([lock()]) == {
        "processors": {
            "transform/otel_agentops_lock": {"error_mode": "ignore", "trace_statements": [], "log_statements": []}
        }
    }


def test_the_order_of_entries_does_not_matter() -> None:
    keys = [("model", "gpt-x", None, "a"), ("model", "gpt-x", "shop", "b"), ("index", "docs", None, "v1")]
    assert fragment.render_text([lock(*keys)]) == fragment.render_text([lock(*keys[2:]), lock(*keys[:2]), lock(*keys)])


scopes = values.map(lambda text: f"{text}/x")
keys = st.tuples(st.sampled_from(VARIABLES), scopes, st.none() | values, values)


@settings(max_examples=6, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(keys, min_size=10, max_size=25, unique=True))
def test_any_values_make_a_valid_config(otelcol: Path, tmp_path: Path, found: list[tuple[str, str, str, str]]) -> None:
    (tmp_path / "lock.yaml").write_text(fragment.render_text([lock(*found)]), "utf-8")
    configs = [stack.BASE, stack.OVERLAY, tmp_path / "lock.yaml"]
    command = [otelcol, "validate", *(f"--config={config}" for config in configs)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


# -- a collector


class Case(NamedTuple):
    """A span, or an event, of a service and the variables that are to be tagged on it."""

    service: str | None
    attributes: Attributes
    unlisted: Sequence[str] = ()


def call(service: str | None = "shop", unlisted: Sequence[str] = (), **more: str | int | None) -> Case:
    """A model call with everything that is listed; more: attributes by the constants' names."""
    listed = {
        A.GEN_AI_OPERATION_NAME: "chat",
        A.GEN_AI_REQUEST_MODEL: "gpt-x",
        A.GEN_AI_RESPONSE_MODEL: "gpt-x-1",
        A.TASK_NAME: "support",
        A.GEN_AI_PROMPT_NAME: "greeting",
        A.PROMPT_HASH: "a1",
        A.TOOLS_HASH: "b1",
    }
    return Case(service, listed | {getattr(A, key): value for key, value in more.items()}, unlisted)


def tool(name: str | None, hashed: str, *unlisted: str, operation: str = "execute_tool") -> Case:
    return Case("shop", {A.GEN_AI_OPERATION_NAME: operation, A.GEN_AI_TOOL_NAME: name, A.TOOL_HASH: hashed}, unlisted)


def evaluation_case(service: str, name: str | None, revision: str, *unlisted: str) -> Case:
    return Case(service, {A.JUDGE_NAME: name, A.JUDGE_REVISION: revision}, unlisted)


LOCK = lock(
    ("model", "gpt-x", None, "gpt-x-1"),
    ("model", "gpt-x", None, "<nil>"),
    ("model", "gpt-x", "canary", "gpt-x-2"),
    ("prompt", "support/greeting", "shop", "a1"),
    ("prompt", "unknown/unknown", "unknown", "a2"),
    ("tools", "support", "shop", "b1"),
    ("tools", "unknown", "shop", "b1"),
    ("tool", "refund", None, "c1"),
    ("tool", "refund", None, "7"),
    ("index", "docs", None, "v1"),
    ("judge", "helpful", "shop", "r1"),
    *(("index", value, None, value) for value in EVIL),
)
SPANS = [
    call(),
    call(unlisted=["model"], GEN_AI_RESPONSE_MODEL="gpt-x-2"),
    call(unlisted=["model"], GEN_AI_RESPONSE_MODEL="gpt-x"),
    call(unlisted=["model"], GEN_AI_RESPONSE_MODEL="gpt-x-1\x1e"),
    call(unlisted=["model"], GEN_AI_REQUEST_MODEL="gpt-z"),
    call(unlisted=["model"], GEN_AI_REQUEST_MODEL=None),
    call(GEN_AI_RESPONSE_MODEL=None),
    call(GEN_AI_RESPONSE_MODEL=""),
    call(GEN_AI_OPERATION_NAME="invoke_agent", GEN_AI_RESPONSE_MODEL="gpt-x-9"),
    call(unlisted=["prompt"], PROMPT_HASH="a2"),
    call(unlisted=["prompt"], GEN_AI_PROMPT_NAME=None),
    call(unlisted=["prompt", "tools"], TASK_NAME="sales"),
    call(TASK_NAME=None, unlisted=["prompt"]),
    call(unlisted=["model", "prompt", "tools"], GEN_AI_RESPONSE_MODEL="x", PROMPT_HASH="x", TOOLS_HASH="x"),
    # a model may differ in one service; its prompts and tools have no entry there and are not watched
    call("canary", GEN_AI_RESPONSE_MODEL="gpt-x-2", PROMPT_HASH="x", TOOLS_HASH="x"),
    call("canary", ["model"], GEN_AI_RESPONSE_MODEL="gpt-x-3"),
    call(None, ["prompt"]),
    call(None, TASK_NAME=None, GEN_AI_PROMPT_NAME=None, PROMPT_HASH="a2"),
    # a tag of somebody else's
    Case("shop", {**call().attributes, A.LOCK_UNLISTED: ["index"]}),
    Case("shop", {**call(TOOLS_HASH="x").attributes, A.LOCK_UNLISTED: "index"}, ["tools"]),
    tool("refund", "c1"),
    tool("refund", "c2", "tool"),
    tool("lookup", "c1", "tool"),
    tool(None, "c1", "tool"),
    tool("refund", "c2", operation="plan"),
    Case("shop", {A.GEN_AI_OPERATION_NAME: "execute_tool", A.GEN_AI_TOOL_NAME: "refund", A.TOOL_HASH: 7}),
    Case("shop", {A.GEN_AI_OPERATION_NAME: "execute_tool", A.GEN_AI_TOOL_NAME: "refund", A.TOOL_HASH: 8}, ["tool"]),
    Case("shop", {A.GEN_AI_OPERATION_NAME: "chat", A.JUDGE_NAME: "helpful", A.JUDGE_REVISION: "r2"}, ["judge"]),
    Case("shop", {"http.request.method": "GET"}),
]
SPANS += [
    Case("shop", {A.GEN_AI_OPERATION_NAME: "retrieval", A.INDEX_NAME: scope, A.INDEX_VERSION: value}, unlisted)
    for one, other in zip(EVIL, (*EVIL[1:], EVIL[0]), strict=True)
    for scope, value, unlisted in ((one, one, ()), (one, other, ["index"]), (one, f"{one}x", ["index"]))
]
EVENTS = [
    evaluation_case("shop", "helpful", "r1"),
    evaluation_case("shop", "helpful", "r2", "judge"),
    evaluation_case("shop", "careful", "r1", "judge"),
    evaluation_case("shop", None, "r1", "judge"),
    evaluation_case("canary", "helpful", "r2"),
    Case("shop", {A.JUDGE_NAME: "helpful", A.JUDGE_REVISION: "r2", "event.name": "x"}),
]
NAMES = [None if "event.name" in case.attributes else "gen_ai.evaluation.result" for case in EVENTS]


class Seen(NamedTuple):
    """Stored signals in the order in which they were sent, and counts by service."""

    spans: Sequence[Mapping[str, object]]
    events: Sequence[Mapping[str, object]]
    counted: Mapping[tuple[str, ...], float]
    said: str


@pytest.fixture(scope="module")
def observed_signals(otelcol: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Seen]:
    """Every case, through a collector with the fragment, and as the user's own pipeline stored it."""
    directory = tmp_path_factory.mktemp("lock")
    (directory / "lock.yaml").write_text(fragment.render_text([LOCK]), "utf-8")
    configs = [STORED, stack.OVERLAY, TAGGING, directory / "lock.yaml"]
    with stack.collector(configs, directory, {"STORED": str(directory)}) as running:
        sender = Sender(running.otlp)
        for number, case in enumerate(SPANS):
            sender.spans(case.service, Span(str(number), case.attributes))
        for case, name in zip(EVENTS, NAMES, strict=True):
            sender.events(case.service, Event(case.attributes, name))
        labels = ("service_name", *(f"otel_agentops_change_{part}" for part in ("variable", "scope", "value")))
        counted = {
            tuple(sample.labels[label] for label in labels): sample.value
            for sample in wait_until_settled(running, sender)
            if sample.name == UNLISTED
        }
        spans = {record.name: record.attributes for record in overlay_stored.spans(directory, len(SPANS))}
        events = [record.attributes for record in overlay_stored.logs(directory, len(EVENTS))]
        yield Seen([spans[str(number)] for number in range(len(SPANS))], events, counted, running.output)


def tags(attributes: Mapping[str, object]) -> list[str]:
    """The elements of the tag as the collector's JSON has them."""
    found = attributes.get(A.LOCK_UNLISTED, {"values": []})
    assert isinstance(found, dict)
    return [element["stringValue"] for element in found["values"]]


@pytest.mark.parametrize("number", range(len(SPANS)), ids=lambda n: f"{n}-{'+'.join(SPANS[n].unlisted) or 'listed'}")
def test_a_stored_span_is_tagged(observed_signals: Seen, number: int) -> None:
    assert tags(observed_signals.spans[number]) == list(SPANS[number].unlisted)


@pytest.mark.parametrize("number", range(len(EVENTS)), ids=lambda n: f"{n}-{'+'.join(EVENTS[n].unlisted) or 'listed'}")
def test_a_stored_evaluation_is_tagged(observed_signals: Seen, number: int) -> None:
    assert tags(observed_signals.events[number]) == list(EVENTS[number].unlisted)


def test_every_unlisted_variable_is_counted_for_itself(observed_signals: Seen) -> None:
    expected: dict[tuple[str, ...], float] = {}
    for case in [*SPANS, *EVENTS]:
        for variable in case.unlisted:
            if variable == "judge" and A.GEN_AI_OPERATION_NAME in case.attributes:
                continue  # a judge is counted by its evaluations
            scope, value = of(variable, case.attributes)
            key = (case.service or "unknown", variable, scope, value)
            expected[key] = expected.get(key, 0) + 1
    assert observed_signals.counted == expected


def of(variable: str, attributes: Attributes) -> tuple[str, str]:
    """Scope and value, from the table in docs/lock.md."""
    scope, value = {
        "model": ([A.GEN_AI_REQUEST_MODEL], A.GEN_AI_RESPONSE_MODEL),
        "prompt": ([A.TASK_NAME, A.GEN_AI_PROMPT_NAME], A.PROMPT_HASH),
        "tools": ([A.TASK_NAME], A.TOOLS_HASH),
        "tool": ([A.GEN_AI_TOOL_NAME], A.TOOL_HASH),
        "index": ([A.INDEX_NAME], A.INDEX_VERSION),
        "judge": ([A.JUDGE_NAME], A.JUDGE_REVISION),
    }[variable]
    return "/".join(str(attributes.get(part) or "unknown") for part in scope), str(attributes[value])


def test_the_collector_has_nothing_to_complain_about(observed_signals: Seen) -> None:
    assert [line for line in observed_signals.said.splitlines() if "\terror\t" in line or "\twarn\t" in line] == []
