"""Traps that a real collector set to less careful overlays, each once more: none may come back.

The traps that are a matter of spelling (pairs, order, types, descriptions) are held by overlay_lint too.
"""

from __future__ import annotations

import socket
import time
from contextlib import closing
from pathlib import Path

import httpx
import overlay_stored
import pytest
from overlay_signals import QUICK, Event, Sender, Span, counters, series, wait_until_settled

import stack
from otel_agentops.semconv import attributes as A
from otel_agentops.semconv import metrics as M

pytestmark = pytest.mark.collector

CONFIGS = Path(__file__).parent / "configs"
CHAT = {A.GEN_AI_OPERATION_NAME: "chat", A.GEN_AI_PROVIDER_NAME: "openai", A.GEN_AI_REQUEST_MODEL: "gpt-x"}
TOOL = {A.GEN_AI_OPERATION_NAME: "execute_tool", A.GEN_AI_TOOL_NAME: "lookup"}
SCORE = A.GEN_AI_EVALUATION_SCORE_VALUE
CALLS = series(M.LLM_CALLS, {**CHAT, A.TASK_NAME: "unknown"})
ATTEMPTS = series(M.LLM_ATTEMPTS, {**CHAT, A.TASK_NAME: "unknown"})
CALL_SLI = {A.SLI_NAME: "call_success", A.SLI_TYPE: "direct", A.GEN_AI_REQUEST_MODEL: "gpt-x"}
TOOL_SLI = {A.SLI_NAME: "tool_success", A.SLI_TYPE: "direct", A.GEN_AI_TOOL_NAME: "lookup"}


# -- mixed number types


MIXED = [Span("chat", {**CHAT, A.ATTEMPT_COUNT: count}) for count in (2, 2.5, 3.0)]


def test_mixed_number_types_are_counted(collector: stack.Collector, sender: Sender, service: str) -> None:
    sender.spans(service, *MIXED)
    good = {series(M.SLI_EVENTS, CALL_SLI): 3, series(M.SLI_BAD, CALL_SLI): 0}
    assert counters(wait_until_settled(collector, sender), service) == {CALLS: 3, ATTEMPTS: 7, **good}


def test_mixed_number_types_would_end_the_collector(otelcol: Path, tmp_path: Path) -> None:
    """Why every sum is in Int(): when this fails, the collector has been mended."""
    typed = f'Int(span.attributes["{A.ATTEMPT_COUNT}"])'
    text = stack.OVERLAY.read_text()
    assert typed in text
    overlay = tmp_path / "plain.yaml"
    overlay.write_text(text.replace(typed, typed.removeprefix("Int(").removesuffix(")")))
    with stack.collector([stack.BASE, overlay, *QUICK], tmp_path) as running:
        Sender(running.otlp).spans("svc", *MIXED)
        assert running.process.wait(10) == 2
        assert "panic: unexpected usage of sum datapoint" in running.output


# -- rubbish


def test_invalid_values_are_left_out_and_the_rest_is_counted(
    collector: stack.Collector, sender: Sender, service: str
) -> None:
    """Also: no error line for any of it, which the fixture checks."""
    rubbish = ["x", "", True, -4, 1e300, float("nan"), float("inf"), [1, 2]]
    verdicts = (A.SLI_TASK_COMPLETED_BAD, A.SLI_TOOL_SUCCESS_BAD, A.SLI_JUDGE_SCORE_BAD)
    for value in rubbish:
        sender.spans(
            service,
            Span("chat", {**CHAT, A.ATTEMPT_COUNT: value, A.GEN_AI_RESPONSE_MODEL: ""}),
            Span("chat", {**CHAT, **dict.fromkeys(verdicts, value)}),
            Span("invoke_workflow", {A.TASK_OUTCOME: value, A.TASK_LLM_CALLS: value, A.TASK_INPUT_TOKENS: value}),
            Span("execute_tool", TOOL),
        )
    for value in ("x", "", True, float("nan"), [1, 2]):
        sender.events(
            service, Event({SCORE: 0.5, A.JUDGE_THRESHOLD: value}), Event({SCORE: value, A.JUDGE_THRESHOLD: 0.5})
        )
    expected = {
        CALLS: 2 * len(rubbish),
        series(M.SLI_EVENTS, TOOL_SLI): len(rubbish),
        series(M.SLI_BAD, TOOL_SLI): 0,
        series(M.SLI_EVENTS, CALL_SLI): 2 * len(rubbish),
        series(M.SLI_BAD, CALL_SLI): 0,
    }
    assert counters(wait_until_settled(collector, sender), service) == expected


def test_verdict_sent_by_an_application_is_not_counted(
    collector: stack.Collector, sender: Sender, service: str
) -> None:
    """A verdict that is no verdict counts in neither half."""
    for value in (7, "1", -1, 0.5):
        sender.spans(service, Span("chat", {A.GEN_AI_OPERATION_NAME: "plan", A.SLI_TASK_COMPLETED_BAD: value}))
        sender.events(service, Event({A.SLI_JUDGE_SCORE_BAD: value}))
    assert counters(wait_until_settled(collector, sender), service) == {}


# -- errors and refusals stay in the overlay


def test_overlay_limiter_does_not_refuse_the_users_data(
    otelcol: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Its limiter refuses everything; the SDK gets its 200 at once, and the user stores each span once."""
    starving = "yaml:processors::memory_limiter/otel_agentops::limit_mib: 1"
    configs = [CONFIGS / "stored.yaml", stack.OVERLAY, *QUICK, starving]
    with stack.collector(configs, tmp_path, {"STORED": str(tmp_path)}) as running:
        running.wait_until(lambda: "Memory usage is above" in running.output)  # the limiter looks once a second
        Sender(running.otlp).spans("svc", *(Span(f"chat {n}", CHAT) for n in range(3)))
        assert "retrying" not in caplog.text, "the SDK says so before it sends again what was refused"
        overlay_stored.spans(tmp_path, 3)
        time.sleep(1.5)  # for a second copy to arrive, if there were one
        assert [span.name for span in overlay_stored.spans(tmp_path, 3)] == ["chat 0", "chat 1", "chat 2"]
        assert "data refused due to high memory usage" in running.output
        assert running.scrape() == []


# -- restart


def test_collector_restart_resets_the_same_series(otelcol: Path, tmp_path: Path) -> None:
    """The same labels begin anew at a lower value, which `increase` sees. What nobody had scraped is lost."""
    seen = []
    for run, count in enumerate((5, 2)):
        with stack.collector([stack.BASE, stack.OVERLAY, *QUICK], tmp_path, name=f"run{run}") as running:
            sender = Sender(running.otlp)
            sender.spans("svc", *[Span("execute_tool", TOOL)] * count)
            seen.append(counters(wait_until_settled(running, sender), "svc"))
    pair = series(M.SLI_EVENTS, TOOL_SLI), series(M.SLI_BAD, TOOL_SLI)
    assert seen == [dict(zip(pair, (5, 0), strict=True)), dict(zip(pair, (2, 0), strict=True))]


# -- a variable that explodes


def test_flood_of_variable_values_leaves_the_budgets_alone(otelcol: Path, tmp_path: Path) -> None:
    limit = "yaml:processors::delta_to_cumulative/otel_agentops_variables::max_streams: 50"
    with stack.collector([stack.BASE, stack.OVERLAY, *QUICK, limit], tmp_path) as running:
        sender = Sender(running.otlp)
        sender.spans("svc", *(Span("chat", {**CHAT, A.PROMPT_HASH: f"{n:016x}"}) for n in range(200)))
        sender.spans("new", Span("execute_tool", TOOL, error=True))
        refused = 'otelcol_deltatocumulative_datapoints{error="limit"} 150'
        running.wait_until(lambda: len(counters(running.scrape(), "new")) == 2)
        running.wait_until(lambda: refused in httpx.get(running.internal).text)
        running.wait_until(lambda: any("prompt_observations" in name for name in counters(running.scrape(), "svc")))
        hashes = [name for name in counters(running.scrape(), "svc") if "prompt_observations" in name]
        assert counters(running.scrape(), "new") == {series(M.SLI_EVENTS, TOOL_SLI): 1, series(M.SLI_BAD, TOOL_SLI): 1}
        assert len(hashes) == 50


# -- the port


def test_collector_names_a_port_in_use(otelcol: Path, tmp_path: Path) -> None:
    """The overlay cannot help it; README.md says what to do."""
    with closing(socket.socket()) as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        endpoint = f"127.0.0.1:{other.getsockname()[1]}"
        taken = {"OTEL_AGENTOPS_PROM_ENDPOINT": endpoint}
        with (
            pytest.raises(stack.NotReadyError, match=f"(?s)ended with 1.*{endpoint}: bind: address already in use"),
            stack.collector([stack.BASE, stack.OVERLAY], tmp_path, taken),
        ):
            pass
