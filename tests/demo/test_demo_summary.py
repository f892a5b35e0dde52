"""The summary tells the truth beside the answer, leads to a stored bad trace, and asks questions that can be asked."""

from __future__ import annotations

import json
import urllib.parse
from collections.abc import Mapping, Sequence
from pathlib import Path

import promql_parser
import pytest

from demo import summary, tell, traces
from demo.phases import Phase
from demo.seen import BURN, JOINED, SLI, Alert, Exemplar, Look, Move, Seen, Spell
from demo.summary import Moved, Summary
from demo.verdict import Ran, Verdict
from otel_agentops.semconv import attributes as A
from otel_agentops.semconv import metrics as M
from otel_agentops.slo.variables import VARIABLES

MODEL = Move("model", "gpt-x", "gpt-x-2", "gpt-x-1")
RAN = Ran(Phase("model", "the alias is repointed", None, MODEL, True, 0, 0), 1000, 1020)
SPELL = Spell(1004, 1015)


def verdict(sli: str, *wrong: str) -> Verdict:
    about = {"slo": "answers", SLI: sli, "severity": "page"}
    burn = Alert.from_labels({"alertname": BURN, **about})
    joined = Alert.from_labels({"alertname": JOINED, **about, **MODEL._asdict()})
    return Verdict(RAN, [(MODEL, SPELL)], [(burn, SPELL), (joined, SPELL)], wrong)


class Told:
    """A source with exemplars. asked: the labels that were asked for."""

    name = "told"

    def __init__(self, *trace_ids: str) -> None:
        self.found = [Exemplar(trace_id, 1000.0 + number) for number, trace_id in enumerate(trace_ids)]
        self.asked: Mapping[str, str] = {}

    def take_look(self) -> Look:
        raise NotImplementedError

    def list_seen(self, start: float, end: float) -> Seen:
        raise NotImplementedError

    def explain_burns(self, at: float) -> Sequence[str]:
        return [f"told at {at:g}"]

    def find_exemplars(self, labels: Mapping[str, str], start: float, end: float) -> Sequence[Exemplar]:
        self.asked = labels
        return self.found


def stored(trace_id: str, name: str, start: int, attributes: Mapping[str, str], error: bool = False) -> str:
    pairs = [{"key": key, "value": {"stringValue": value}} for key, value in attributes.items()]
    span = {"traceId": trace_id, "name": name, "startTimeUnixNano": str(start), "attributes": pairs}
    if error:
        span["status"] = {"code": 2}
    return json.dumps({"resourceSpans": [{"scopeSpans": [{"spans": [span]}]}]}) + "\n"


@pytest.fixture
def store(tmp_path: Path) -> Path:
    """A good task, an escalated one, one with a failed tool; the last line is half written."""
    lines = [
        stored("good", "invoke_workflow support", 1, {A.TASK_OUTCOME: "completed"}),
        stored("bad", "chat gpt-x", 2, {A.GEN_AI_RESPONSE_MODEL: "gpt-x-2"}),
        stored("bad", "invoke_workflow support", 1, {A.TASK_OUTCOME: "escalated"}),
        stored("tool", "execute_tool lookup", 1, {A.ERROR_TYPE: "TypeError"}, error=True),
        stored("half", "x", 1, {A.TASK_OUTCOME: "failed"})[:-10],
    ]
    path = tmp_path / "traces.jsonl"
    path.write_text("".join(lines))
    return path


def test_newest_stored_bad_trace_is_shown(store: Path) -> None:
    source = Told("tool", "bad", "good", "half", "nowhere")
    made = summary.summarise_phase(verdict("task_completed"), source, store)
    assert made.trace is not None
    assert (made.trace.trace_id, made.trace.spans) == (
        "bad", ["invoke_workflow support, escalated", "chat gpt-x, answered by gpt-x-2"],
    )  # fmt: skip
    assert source.asked == {"gen_ai_operation_name": "invoke_workflow", "otel_agentops_task_outcome": "escalated"}


def test_burn_of_tools_shows_the_trace_of_a_failed_tool(store: Path) -> None:
    source = Told("tool")
    made = summary.summarise_phase(verdict("tool_success"), source, store)
    assert made.trace is not None
    assert made.trace.spans == ["execute_tool lookup, failed: TypeError"]
    assert source.asked == {"gen_ai_operation_name": "execute_tool", "otel_agentops_incident_surface": "tool"}


def test_phase_without_a_bad_trace_shows_none(store: Path) -> None:
    assert summary.summarise_phase(verdict("task_completed"), Told("good", "half"), store).trace is None
    assert traces.read_trace(store, "nowhere") == []


def test_truth_stands_beside_the_answer(store: Path) -> None:
    made = summary.summarise_phase(verdict("task_completed", "not named: x"), Told(), store).model_dump(mode="json")
    moved = {"variable": "model", "scope": "gpt-x", "previous": "gpt-x-1", "value": "gpt-x-2"}
    assert made["moved"] == moved
    assert made["named"] == [{**moved, "at": "1970-01-01T00:16:44Z", "after": 4.0}]
    assert [alert["alert"] for alert in made["alerts"]] == [BURN, JOINED]
    assert made["why"] == [f"told at {SPELL.end:g}"]
    assert made["wrong"] == ["not named: x"]


# -- where to look


@pytest.mark.parametrize("variable", VARIABLES)
def test_every_variable_has_valid_queries(variable: str) -> None:
    parts = ("support", "system", "1a2b")
    move = Moved(
        variable=variable, scope="/".join(parts[: max(2, len(VARIABLES[variable][1]))]), previous="a", value="b"
    )
    where = summary.locate_move(move, {A.GEN_AI_OPERATION_NAME: "execute_tool"})
    metric, scope, value = VARIABLES[variable]
    assert M.METRICS[metric].prometheus in promql_parser.parse(where.activity).prettify()
    assert "otel_agentops_span_duration_seconds_bucket" in promql_parser.parse(where.exemplars).prettify()
    assert promql_parser.parse(where.moved).prettify().startswith("otel_agentops:variable:moved{")

    url = urllib.parse.urlsplit(where.grafana)
    (panes,) = urllib.parse.parse_qs(url.query)["panes"]
    assert [query["expr"] for query in json.loads(panes)["demo"]["queries"]] == [where.activity, where.exemplars]

    asked = json.loads(where.honeycomb)
    assert asked["breakdowns"] == [value, "root.otel_agentops.task.outcome"]
    assert [one["column"] for one in asked["filters"]] == ["service.name", *scope, value]


def test_query_of_a_scope_names_both_of_its_parts() -> None:
    where = summary.locate_move(Moved(variable="prompt", scope="support/system", previous="a", value="b"), {})
    assert 'otel_agentops_task_name="support",gen_ai_prompt_name="system"' in where.activity


# -- for the eye


def told(store: Path, *wrong: str) -> list[str]:
    made = summary.summarise_phase(verdict("task_completed", *wrong), Told("bad"), store)
    whole = Summary(ok=not wrong, source="told", left_out=["x"], seed=1, rate=8, seconds=9, phases=[made])
    return [line for _, line in tell.format_summary(whole)]


def test_summary_is_printed_for_people(store: Path) -> None:
    assert told(store) == [
        "which variable moved? asked of told, 9 s; an hour is ten seconds here",
        "  left out: x",
        "",
        "✔ model: the alias is repointed, at 00:16:40 UTC",
        "  moved       model gpt-x: gpt-x-1 → gpt-x-2, named after 4 s",
        "  alert       OtelAgentopsBurnAfterMove (page) of answers, after 4 s",
        "  alert       OtelAgentopsErrorBudgetBurn (page) of answers, after 4 s",
        "  why         otel-agentops triage:",
        f"    told at {SPELL.end:g}",
        "  trace       bad",
        "              invoke_workflow support, escalated",
        "              chat gpt-x, answered by gpt-x-2",
        '  Prometheus  otel_agentops:variable:moved{variable="model",scope="gpt-x"}',
        "              sum by (gen_ai_response_model) "
        '(rate(otel_agentops_model_observations_total{gen_ai_request_model="gpt-x"}[10s]))',
        "  Grafana     Explore, with exemplars: sum by (le) (rate(otel_agentops_span_duration_seconds_bucket"
        '{gen_ai_operation_name="invoke_workflow",otel_agentops_task_outcome="escalated"}[10s]))',
        "  Honeycomb   COUNT, group by gen_ai.response.model, root.otel_agentops.task.outcome, "
        "where gen_ai.request.model = gpt-x",
        "",
        "In every phase the right variable was named, with old and new value, and nothing beside it.",
    ]


def test_errors_are_printed_in_the_phase_and_at_the_end(store: Path) -> None:
    lines = told(store, "not named: y")
    assert lines[3].startswith("✘ model")
    assert lines[-3] == "  WRONG       not named: y"
    assert lines[-1] == "The answer is not the truth in: model."
