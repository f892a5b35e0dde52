"""Live values are the same from a Prometheus and from stored spans, and the commands act on them."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import pytest
from lock_values import EVIL
from tests.collector import overlay_stored
from tests.collector.overlay_signals import Event, Sender, Span, wait_until_settled
from typer.testing import CliRunner

import stack
from otel_agentops import slo
from otel_agentops.lock import prometheus as rules
from otel_agentops.lock import spans
from otel_agentops.lock.cli import app
from otel_agentops.lock.live import Live
from otel_agentops.semconv import attributes as A
from otel_agentops.slo import prometheus as slo_rules

pytestmark = [pytest.mark.collector, pytest.mark.xdist_group("lock_live")]

SCALE = 30
CHAT = {
    A.GEN_AI_OPERATION_NAME: "chat",
    A.GEN_AI_REQUEST_MODEL: "gpt-x",
    A.TASK_NAME: "support",
    A.GEN_AI_PROMPT_NAME: "greeting",
}
SPANS = [
    *[Span("chat", {**CHAT, A.GEN_AI_RESPONSE_MODEL: "gpt-x-2026-03-01", A.PROMPT_HASH: "a1", A.TOOLS_HASH: "b1"})] * 6,
    *[Span("chat", {**CHAT, A.GEN_AI_RESPONSE_MODEL: "gpt-x-2026-04-01", A.PROMPT_HASH: "1e10"})] * 2,
    *[Span("chat", {**CHAT, A.GEN_AI_REQUEST_MODEL: "m", A.GEN_AI_RESPONSE_MODEL: "m"})] * 3,
    *[Span("chat", {**CHAT, A.GEN_AI_REQUEST_MODEL: "m-20260301", A.GEN_AI_RESPONSE_MODEL: "m-20260301"})] * 4,
    *[Span("chat", {**CHAT, A.GEN_AI_REQUEST_MODEL: "silent"})] * 5,
    Span("chat", {A.GEN_AI_OPERATION_NAME: "chat", A.GEN_AI_RESPONSE_MODEL: "x", A.PROMPT_HASH: "a1"}),
    Span("invoke_agent", {**CHAT, A.GEN_AI_OPERATION_NAME: "invoke_agent", A.GEN_AI_RESPONSE_MODEL: "y"}),
    *[Span("t", {A.GEN_AI_OPERATION_NAME: "execute_tool", A.GEN_AI_TOOL_NAME: "refund", A.TOOL_HASH: "c1"})] * 2,
    Span("t", {A.GEN_AI_OPERATION_NAME: "execute_tool", A.GEN_AI_TOOL_NAME: "refund", A.TOOL_HASH: 7}),
    Span("task", {A.TASK_NAME: "support", A.TASK_OUTCOME: "failed", A.PROMPT_HASH: "a1"}),
    Span("GET /", {A.PROMPT_HASH: "a1"}),
    *[Span("r", {A.GEN_AI_OPERATION_NAME: "retrieval", A.INDEX_NAME: v, A.INDEX_VERSION: f"{v}."}) for v in EVIL],
]
EVENTS = [
    *[Event({A.JUDGE_NAME: "helpful", A.JUDGE_REVISION: "r1"})] * 2,
    Event({A.JUDGE_NAME: "helpful", A.JUDGE_REVISION: "r2"}, None),
]
COUNTS = {
    ("model", "gpt-x", "gpt-x-2026-03-01"): 6,
    ("model", "gpt-x", "gpt-x-2026-04-01"): 2,
    ("model", "m", "m"): 3,
    ("model", "m-20260301", "m-20260301"): 4,
    ("model", "silent", None): 5,
    ("model", "unknown", "x"): 1,
    ("prompt", "support/greeting", "a1"): 6,
    ("prompt", "support/greeting", "1e10"): 2,
    ("prompt", "unknown/unknown", "a1"): 1,
    ("prompt", "support/unknown", "a1"): 1,
    ("tools", "support", "b1"): 6,
    ("tool", "refund", "c1"): 2,
    ("tool", "refund", "7"): 1,
    ("judge", "helpful", "r1"): 2,
    **{("index", value, f"{value}."): 1 for value in EVIL},
}


class Running(NamedTuple):
    """The address of a Prometheus with the rules, and the files of the same spans."""

    url: str
    traces: Path
    logs: Path


@pytest.fixture(scope="module")
def running(otelcol: Path, prometheus: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    directory = tmp_path_factory.mktemp("live")
    (directory / "rules.yaml").write_text(slo_rules.render_rules(slo.load(stack.ROOT / "slo"), SCALE))
    configs = [stack.ROOT / "tests" / "collector" / "configs" / "stored.yaml", stack.OVERLAY]
    with (
        stack.collector(configs, directory, {"STORED": str(directory)}) as collector,
        stack.prometheus([collector.metrics.split("/")[2]], [directory / "rules.yaml"], directory) as server,
    ):
        until(lambda: server.query("count_over_time(up[1m]) > 5"))
        sender = Sender(collector.otlp)
        sender.spans("shop", *SPANS)
        sender.events("shop", *EVENTS)
        overlay_stored.spans(directory, len(SPANS))
        overlay_stored.logs(directory, len(EVENTS))
        wait_until_settled(collector, sender)
        until(lambda: of_shop(rules.read_live(server.url, "5m")) == COUNTS)
        yield Running(server.url, directory / "traces.jsonl", directory / "logs.jsonl")


def until(good: Callable[[], object], seconds: float = 40) -> None:
    """Scrapes and evaluations come in their own time; what never comes is for the assertion to show."""
    end = time.monotonic() + seconds
    while not good() and time.monotonic() < end:
        time.sleep(0.3)


def of_shop(live: Live) -> dict[tuple[str, str, str | None], float]:
    """The counts of the service that the test sends, without what `settled` sends."""
    return {(one.variable, one.scope, one.value): count for one, count in live.counts.items() if one.service == "shop"}


def run(directory: Path, *arguments: str | Path) -> tuple[int, str, str]:
    """Exit code, output and errors of `otel-agentops lock`; dates are hidden."""
    before = Path.cwd()
    os.chdir(directory)
    try:
        done = CliRunner().invoke(app, [str(argument) for argument in arguments])
    finally:
        os.chdir(before)
    return done.exit_code, re.sub(r"20[0-9]{2}-[0-9]{2}-[0-9]{2}(?=})", "DATE", done.stdout), done.stderr


def test_prometheus_knows_what_runs(running: Running) -> None:
    assert of_shop(rules.read_live(running.url, "5m")) == COUNTS


def test_stored_spans_say_the_same(running: Running) -> None:
    assert of_shop(spans.read_live([running.traces, running.logs])) == COUNTS


def test_nothing_is_live_that_was_not_seen_within_the_window(running: Running) -> None:
    assert rules.read_live(running.url, "1s").counts.keys() <= rules.read_live(running.url, "5m").counts.keys()

    def is_gone() -> bool:
        return "shop" not in {seen.service for seen in rules.read_live(running.url, "1s").values}

    until(is_gone)
    assert is_gone()


WRITTEN = """\
# What may run: the approved values of everything that can change an answer without a deploy.
# `otel-agentops lock update` adds what is live; a review of this file approves it.
version: 1
model:
  gpt-x:
    - {value: "gpt-x-2026-03-01", service: shop, owner: anna, date: DATE}
    - {value: "gpt-x-2026-04-01", service: shop, owner: anna, date: DATE}
  m:
    - {value: "m", service: shop, owner: anna, date: DATE}
  m-20260301:
    - {value: "m-20260301", service: shop, owner: anna, date: DATE}
  unknown:
    - {value: "x", service: shop, owner: anna, date: DATE}
prompt:
  support/greeting:
    - {value: "1e10", service: shop, owner: anna, date: DATE}
    - {value: "a1", service: shop, owner: anna, date: DATE}
  support/unknown:
    - {value: "a1", service: shop, owner: anna, date: DATE}
  unknown/unknown:
    - {value: "a1", service: shop, owner: anna, date: DATE}
"""


def test_both_write_the_same_file(running: Running, tmp_path: Path) -> None:
    """The file lacks what was not reported; the second time nothing is left to do."""
    only = ("--owner", "anna", "--variable", "model", "--variable", "prompt")
    sources = [("--from", "prometheus", "--url", running.url, "--window", "5m"), ("--from", "spans", running.traces)]
    for number, source in enumerate(sources):
        path = tmp_path / f"{number}.lock"
        code, diff, said = run(tmp_path, "update", *source, *only, "--lock", path)
        assert (code, said) == (0, "")
        assert diff.startswith(f"--- /dev/null\n+++ {path}\n@@ -0,0 +1,21 @@\n+# What may run")
        assert re.sub(r"20[0-9]{2}-[0-9]{2}-[0-9]{2}(?=})", "DATE", path.read_text()) == WRITTEN
        assert run(tmp_path, "update", *source, *only, "--lock", path)[0::2] == (0, "")
        assert path.read_text() == (tmp_path / "0.lock").read_text()


CHECKED = """\
unlisted: shop: model of gpt-x: gpt-x-2026-04-01: 2 times, 25.0% of gpt-x
unlisted: shop: model of unknown: x: 1 times, 100.0% of unknown
expired: every service: model of m-20260301: m-20260301: approved until 2026-01-31 by ben
floating: shop: gpt-x is an alias, gpt-x-2026-03-01 answered: 6 times, 28.6% of shop
floating: shop: gpt-x is an alias, gpt-x-2026-04-01 answered: 2 times, 9.5% of shop
floating: shop: m came back as it was and has no date, which proves nothing: 3 times, 14.3% of shop
floating: shop: silent was answered by nobody knows which model: 5 times, 23.8% of shop
note: shop: prompt has no entry and is not checked
note: shop: tools has no entry and is not checked
note: shop: tool has no entry and is not checked
note: shop: index has no entry and is not checked
"""
LOCK = """\
version: 1
model:
  gpt-x:
    - {value: gpt-x-2026-03-01, owner: ben, date: 2026-01-01}
  m:
    - {value: m, owner: ben, date: 2026-01-01, until: 9999-12-31}
  m-20260301:
    - {value: m-20260301, owner: ben, date: 2026-01-01, until: 2026-01-31}
"""


def test_a_check_says_what_is_wrong(running: Running, tmp_path: Path) -> None:
    (tmp_path / "agentops.lock").write_text(LOCK)
    expected = (1, CHECKED, "")
    assert run(tmp_path, "check", "--from", "spans", running.traces) == expected
    code, printed, said = run(tmp_path, "check", "--from", "prometheus", "--url", running.url, "--window", "5m")
    only_shop = [line for line in printed.splitlines() if "shop" in line or line.startswith("expired")]
    assert (code, "\n".join(line for line in only_shop if "judge" not in line) + "\n", said) == expected


def test_what_is_updated_passes_the_check(running: Running, tmp_path: Path) -> None:
    source = ("--from", "spans", running.traces, running.logs)
    assert run(tmp_path, "update", *source, "--owner", "anna")[0] == 0
    code, printed, _ = run(tmp_path, "check", *source)
    assert code == 0
    assert {line.partition(":")[0] for line in printed.splitlines()} == {"floating"}
