"""A time scale for people who watch: a burn after a move, the way back and a drift, within two minutes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import accumulate, cycle
from pathlib import Path

import pytest
from slo_promtool import check_story

from otel_agentops import slo
from otel_agentops.semconv import attributes as A
from otel_agentops.semconv import metrics as M
from otel_agentops.slo import prometheus
from stack import ROOT

# Seconds. A scrape a second sees what the collector's batches let through: eight tasks a second, unevenly.
MOVED, BACK, DRIFTED, END = 40, 75, 110, 140
ARRIVE = (8, 0, 16, 8, 3, 13)
SERVICE = {A.SERVICE_NAME: "shop", A.DEPLOYMENT_ENVIRONMENT_NAME: "demo"}


def series(metric: str, labels: dict[str, str], weight: Callable[[int], float]) -> dict[str, str]:
    """A counter, from its birth on; weight: the part of what arrives in a second that counts."""
    grown = [round(n * weight(second)) for second, n in zip(range(END), cycle(ARRIVE), strict=False)]
    total = list(accumulate(grown))
    born = next(second for second, value in enumerate(total) if value or weight(second)) or 4
    shown = ["_" if second < max(born, 4) else str(value) for second, value in enumerate(total)]
    pairs = {"job": "otelcol", "instance": "c", **{key.replace(".", "_"): v for key, v in (SERVICE | labels).items()}}
    written = ", ".join(f'{key}="{value}"' for key, value in pairs.items())
    return {"series": f"{M.METRICS[metric].prometheus}{{{written}}}", "values": " ".join(shown)}


def between(start: int, end: int) -> Callable[[int], float]:
    return lambda second: start <= second < end


def scenario() -> Iterator[dict[str, str]]:
    yield {"series": 'up{job="otelcol", instance="c"}', "values": f"1x{END}"}
    model = {A.GEN_AI_REQUEST_MODEL: "gpt-x"}
    bad = between(MOVED, BACK)
    old, new = model | {A.GEN_AI_RESPONSE_MODEL: "old"}, model | {A.GEN_AI_RESPONSE_MODEL: "new"}
    yield series(M.MODEL_OBSERVATIONS, old, lambda second: not bad(second))
    yield series(M.MODEL_OBSERVATIONS, new, bad)
    for value, weight in (("t1", between(0, DRIFTED)), ("t2", between(DRIFTED, END))):
        yield series(M.TOOLS_OBSERVATIONS, {A.TASK_NAME: "support", A.TOOLS_HASH: value}, weight)
        yield series(M.TOOL_OBSERVATIONS, {A.GEN_AI_TOOL_NAME: "refund", A.TOOL_HASH: value}, weight)
    task = {A.SLI_NAME: "task_completed", A.SLI_TYPE: "proxy", A.TASK_NAME: "support"}
    yield series(M.SLI_EVENTS, task, lambda _: 1)
    yield series(M.SLI_BAD, task, lambda second: 0.9 * bad(second))
    tool = {A.SLI_NAME: "tool_success", A.SLI_TYPE: "direct", A.GEN_AI_TOOL_NAME: "refund"}
    yield series(M.SLI_EVENTS, tool, lambda _: 1)
    yield series(M.SLI_BAD, tool, lambda second: 0.5 * (second >= DRIFTED))


NAMED = 'sum by (slo, variable, previous, value) (ALERTS{alertname="OtelAgentopsBurnAfterMove", severity="page"})'
MOVES = "group by (variable, previous, value) (otel_agentops:variable:moved)"
MODEL = '{variable="model", previous="old", value="new"}'
RETURN = '{variable="model", previous="new", value="old"}'
TOOLS = '{variable="tools", previous="t1", value="t2"}'


def expected() -> Iterator[tuple[int, str, list[str]]]:
    """Second, expression, series that are 1 then."""
    yield MOVED, MOVES, []
    yield MOVED + 12, MOVES, [MODEL]
    yield MOVED + 20, NAMED, ['{slo="answers", ' + MODEL[1:]]
    yield BACK - 1, NAMED, ['{slo="answers", ' + MODEL[1:]]
    yield BACK + 12, MOVES, [RETURN]
    yield BACK + 12, 'ALERTS{severity="page"}', []
    yield DRIFTED + 12, MOVES, [TOOLS]
    yield DRIFTED + 12, NAMED, ['{slo="tools", ' + TOOLS[1:]]
    yield END - 1, NAMED, ['{slo="tools", ' + TOOLS[1:]]


@pytest.mark.parametrize(
    "scale",
    [
        pytest.param(scale, marks=pytest.mark.rotation("simulations", f"scale {scale}", 8, seconds=19))
        for scale in (240, 300, 360)
    ],
)
def test_a_story_in_two_minutes(promtool: Path, tmp_path: Path, scale: float) -> None:
    tests = [
        {"expr": expr, "eval_time": f"{at}s", "exp_samples": [{"labels": labels, "value": 1} for labels in labels_]}
        for at, expr, labels_ in expected()
    ]
    story = {"interval": "1s", "input_series": list(scenario()), "promql_expr_test": tests}
    check_story(promtool, tmp_path, prometheus.build_rules(slo.load(ROOT / "slo"), scale)["groups"], story)
