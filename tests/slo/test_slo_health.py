"""Who falls silent is told, and nights are no silence; days are 144 seconds here."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from slo_promtool import check_story

from otel_agentops import slo
from otel_agentops.semconv import attributes as A
from otel_agentops.semconv import metrics as M
from otel_agentops.slo import prometheus
from otel_agentops.slo._promql import Clock
from otel_agentops.slo.prometheus.health import build_silence_rules

SCALE = 600
DAY, HOUR, WEEK = 144, 6, 7 * 144
END = 13 * DAY
BASE = {"sli": "task_completed", "objective": 0.95, "owner": "o", "runbook": "r", "window": "7d"}
ONE = slo.Slo.model_validate({"name": "answers", **BASE})

Weight = Callable[[int], int]


def series(metric: str, service: str, weight: Weight, instance: str = "c", **labels: str) -> dict[str, str]:
    """A counter that grows by weight(second); not there before its first event."""
    total, values = 0, []
    for second in range(END + 1):
        total += weight(second)
        values.append(str(total) if total and second > 3 else "_")
    known = {A.SERVICE_NAME: service, A.SLI_NAME: "task_completed", A.SLI_TYPE: "proxy"}
    pairs = ", ".join(f'{name.replace(".", "_")}="{value}"' for name, value in {**known, **labels}.items())
    name = M.METRICS[metric].prometheus
    return {"series": f'{name}{{job="otelcol", instance="{instance}", {pairs}}}', "values": " ".join(values)}


def until(end: int, start: int = 0, every: int = 1) -> Weight:
    return lambda second: int(start <= second < end and second % every == 0)


def shifts(end: int) -> Weight:
    """Two fifths of a day, and no Saturday or Sunday."""
    return lambda second: int(second < end and second % DAY < 58 and second // DAY % 7 < 5)


def evaluated(
    promtool: Path,
    directory: Path,
    inputs: Sequence[Mapping[str, str]],
    wanted: Mapping[tuple[str, int], set[str]],
    among: Mapping[str, str],
) -> None:
    """Which services have an alert, by its name and the second."""
    content = prometheus.build_rules([ONE], SCALE)
    groups = [group for group in content["groups"] if "variables" not in group["name"]]
    tests = [
        {
            "expr": "count by (service_name) (ALERTS{"
            f'alertname="{alert}", alertstate="firing", service_name=~"{among[alert]}"}})',
            "eval_time": f"{at}s",
            "exp_samples": [{"labels": f'{{service_name="{each}"}}', "value": 1} for each in sorted(services)],
        }
        for (alert, at), services in wanted.items()
    ]
    story = {"interval": "1s", "input_series": inputs, "promql_expr_test": tests}
    check_story(promtool, directory, groups, story)


UP = {"series": 'up{job="otelcol", instance="c"}', "values": f"1x{END}"}
RANDOM = {A.TRUTH_PROXY: "good", A.TRUTH_VERDICT: "good", A.TRUTH_SAMPLING: "random"}


def young(second: int) -> int:
    """A task in the first hours, then one each work day in the afternoon."""
    return int(second == 10 or (second % DAY == 56 and second // DAY % 7 < 5))


def silences(stop: int) -> tuple[list[dict[str, str]], dict[tuple[str, int], set[str]]]:
    """Services that stop on the tenth day, or never."""
    told = "OtelAgentopsNoData"
    inputs = [
        series(M.SLI_EVENTS, "busy", until(stop)),
        # the longest silence is from Friday's evening to Monday's morning: 86 + 2 * 144 s
        series(M.SLI_EVENTS, "office", shifts(END)),
        series(M.SLI_EVENTS, "rare", until(stop, every=100)),
        series(M.SLI_EVENTS, "new", until(stop, start=5 * DAY - 20)),
        series(M.SLI_EVENTS, "young", young),
    ]
    return inputs, {
        # on the second Monday, before the first task after the first weekend
        (told, 7 * DAY + 45): set(),
        (told, stop): set(),
        (told, stop + HOUR): set(),
        # an hour, five minutes in which the last event is in sight, a quarter of an hour: the two are 4 s here
        (told, stop + HOUR + 5): set(),
        (told, stop + HOUR + 9): {"busy"},
        # the last was at 1200 s; twice 100 s later
        (told, 1200 + 199): {"busy"},
        (told, 1200 + 214): {"busy", "rare"},
        # `new` has no eight days of history when it stops; at that age it has, and no data
        (told, 12 * DAY): {"busy", "rare"},
        (told, 13 * DAY - 5): {"busy", "rare", "new"},
    }


def labels(last: int) -> tuple[list[dict[str, str]], dict[tuple[str, int], set[str]]]:
    """Labels every day, or until the fifth day, or none that is random."""
    stale, without = "OtelAgentopsGroundTruthStale", "OtelAgentopsProxyWithoutTruth"

    def stopping(second: int) -> int:
        return int(second <= last and second % (DAY // 2) == 10)

    inputs = [
        *(series(M.SLI_EVENTS, each, until(END)) for each in ("labelled", "stopped", "never", "complaints")),
        series(M.SLI_EVENTS, "gone", until(5 * DAY)),
        series(M.TRUTH_LABELS, "labelled", until(END, start=10, every=DAY), **RANDOM),
        series(M.TRUTH_LABELS, "stopped", stopping, **RANDOM),
        series(M.TRUTH_LABELS, "gone", stopping, **RANDOM),
        series(M.TRUTH_LABELS, "complaints", until(END, every=50), **{**RANDOM, A.TRUTH_SAMPLING: "escalated"}),
    ]
    # four days of seven had labels when the last came: it is due after three times seven quarters of a day
    due = last + 3 * WEEK // 4
    return inputs, {
        (stale, due - 5): set(),
        (stale, due + 10): {"stopped"},
        (without, WEEK - 5): set(),
        (without, WEEK + 10): {"complaints", "never"},
        (without, last + WEEK - 5): {"complaints", "never"},
        (without, last + WEEK + 10): {"complaints", "never", "stopped"},
    }


@pytest.mark.rotation("simulations", "silences", 8, seconds=28)
def test_silences_and_labels_that_stop(promtool: Path, tmp_path: Path) -> None:
    silent, no_data = silences(9 * DAY)
    labelled, truth = labels(4 * DAY + 10)
    among = dict.fromkeys((alert for alert, _ in truth), "labelled|stopped|never|complaints|gone")
    among["OtelAgentopsNoData"] = "busy|office|rare|new|young|labelled"
    evaluated(promtool, tmp_path, [UP, *silent, *labelled], no_data | truth, among)


def test_a_promise_that_nothing_counts_is_told_after_a_day(promtool: Path, tmp_path: Path) -> None:
    """`answers` has a first event on the third day, `calls` never has one; the alert names what is needed."""
    slos = [ONE, slo.Slo.model_validate({**dict(ONE), "name": "calls", "sli": "call_success", "service": "a|{{b}}"})]
    groups = [
        group for group in prometheus.build_rules(slos, SCALE)["groups"] if group["name"].endswith(("sli", "budget"))
    ]

    def firing(at: int, *names: str) -> dict[str, Any]:
        samples = [{"labels": f'{{slo="{name}"}}', "value": 1} for name in names]
        expr = 'count by (slo) (ALERTS{alertname="OtelAgentopsNeverSeen", alertstate="firing"})'
        return {"expr": expr, "eval_time": f"{at}s", "exp_samples": samples}

    texts = {
        "summary": "nothing was ever counted for calls (direct: call_success)",
        "description": "No event of a service that matches a|{{b}} came within 7d, so this promise cannot burn. What "
        "call_success needs from the application: nothing: it counts the calls of instrumented clients. The collector "
        "needs the overlay and the generated fragment.",
        "service": "a|{{b}}",
        "slo": "calls",
        "type": "direct",
        "owner": "o",
        "runbook": "r",
    }
    labels = {"slo": "calls", "severity": "ticket", "owner": "o"}
    test = {
        "interval": "1s",
        "input_series": [UP, series(M.SLI_EVENTS, "late", until(END, start=2 * DAY))],
        "promql_expr_test": [
            firing(DAY - 5),
            firing(DAY + 5, "answers", "calls"),
            firing(2 * DAY + 5, "calls"),
            firing(3 * DAY, "calls"),
        ],
        "alert_rule_test": [
            {
                "eval_time": f"{3 * DAY}s",
                "alertname": "OtelAgentopsNeverSeen",
                "exp_alerts": [{"exp_labels": labels, "exp_annotations": texts}],
            }
        ],
    }
    check_story(promtool, tmp_path, groups, test)


def test_each_service_that_a_promise_names_is_covered(promtool: Path, tmp_path: Path) -> None:
    both = slo.Slo.model_validate({**dict(ONE), "name": "both", "service": "(late|missing)"})
    groups = [
        group for group in prometheus.build_rules([both], SCALE)["groups"] if group["name"].endswith(("sli", "budget"))
    ]
    alert = 'sum by (service_name) (ALERTS{alertname="OtelAgentopsNeverSeen", alertstate="firing"})'

    def firing(at: int, *services: str) -> dict[str, Any]:
        samples = [{"labels": f'{{service_name="{service}"}}', "value": 1} for service in services]
        return {"expr": alert, "eval_time": f"{at}s", "exp_samples": samples}

    texts = {
        "summary": "nothing was ever counted for both (proxy: task_completed) of missing",
        "description": "No event of missing came within 7d, so this promise cannot burn. What task_completed needs "
        'from the application: runs of an instrumented agent framework, or a block `with task("…"):` around each task. '
        "The collector needs the overlay and the generated fragment.",
        "service": "missing",
        "slo": "both",
        "type": "proxy",
        "owner": "o",
        "runbook": "r",
    }
    labels = {"slo": "both", "severity": "ticket", "owner": "o", "service_name": "missing"}
    test = {
        "interval": "1s",
        "input_series": [UP, series(M.SLI_EVENTS, "late", until(END, start=2 * DAY))],
        "promql_expr_test": [firing(DAY + 5, "late", "missing"), firing(3 * DAY, "missing")],
        "alert_rule_test": [
            {
                "eval_time": f"{3 * DAY}s",
                "alertname": "OtelAgentopsNeverSeen",
                "exp_alerts": [{"exp_labels": labels, "exp_annotations": texts}],
            }
        ],
    }
    check_story(promtool, tmp_path, groups, test)


@pytest.mark.parametrize(
    ("up", "told"),
    [
        ({"c": "1x200"}, ""),
        ({"c": "1x100 0x100"}, "c"),
        ({"c": "1x100 stale"}, "job alone"),
        # a pod was replaced
        ({"c": "1x100 stale", "d": "_x100 1x100"}, ""),
        # half of the last quarter of an hour (here four seconds)
        ({"c": "1x198 0x2"}, ""),
        # a target of that job that never counted anything
        ({"other": "1x100 0x100", "c": "1x200"}, ""),
    ],
)
def test_a_collector_that_is_not_scraped(promtool: Path, tmp_path: Path, up: Mapping[str, str], told: str) -> None:
    targets = [{"series": f'up{{job="otelcol", instance="{name}"}}', "values": values} for name, values in up.items()]
    alerts: Iterator[dict[str, Any]] = (
        rule
        for group in prometheus.build_rules([ONE], SCALE)["groups"]
        if group["name"] == "otel_agentops_health"
        for rule in group["rules"]
    )
    kept = [rule for rule in alerts if "CollectorNotScraped" in str(rule) or "collector:scraped" in str(rule)]
    instance = {"c": 'instance="c", ', "job alone": "", "": ""}[told]
    expected = (
        f'{{alertname="OtelAgentopsCollectorNotScraped", alertstate="firing", {instance}job="otelcol", '
        'severity="ticket"}'
    )
    test = {
        "expr": 'ALERTS{alertstate="firing"}',
        "eval_time": "200s",
        "exp_samples": [{"labels": f"ALERTS{expected}", "value": 1}] if told else [],
    }
    counter = {"series": 'otel_agentops_sli_events_total{job="otelcol", instance="c"}', "values": "1x99 stale"}
    story = {"interval": "1s", "input_series": [*targets, counter], "promql_expr_test": [test]}
    check_story(promtool, tmp_path, [{"name": "a", "rules": kept}], story)


def test_stale_rules_alert_after_two_missed_evaluations(promtool: Path, tmp_path: Path) -> None:
    """The heartbeats are the input here, since no group of promtool ever stops."""
    groups = prometheus.build_rules([ONE])["groups"]
    (stale,) = (rule for group in groups for rule in group["rules"] if rule.get("alert") == "OtelAgentopsRulesStale")
    beats = [
        {"series": 'otel_agentops:rules:evaluated{rule_group="sli"}', "values": "0+60x30 1800x30"},
        {"series": 'otel_agentops:rules:evaluated{rule_group="budget"}', "values": "0x5 300x5 600x5 900x45"},
        {"series": 'otel_agentops:rules:evaluated{rule_group="variables"}', "values": "0+60x60"},
    ]
    expr = "count by (rule_group) (ALERTS{alertstate='firing'})"

    def firing(minute: int, *names: str) -> dict[str, Any]:
        samples = [{"labels": f'{{rule_group="{name}"}}', "value": 1} for name in names]
        return {"expr": expr, "eval_time": f"{minute}m", "exp_samples": samples}

    # a minute's group after five and five more, one of five minutes after 25 and five more
    tests = [firing(35), firing(41, "sli"), firing(44, "sli"), firing(46, "budget", "sli")]
    story = {"interval": "1m", "input_series": beats, "promql_expr_test": tests}
    check_story(promtool, tmp_path, [{"name": "a", "rules": [stale]}], story, every="1m")


def test_silent_judge_is_reported_beside_another(promtool: Path, tmp_path: Path) -> None:
    """`tone` stops after ten days, `facts` gets a new revision then; an evaluation an hour."""
    stop, end = 240, 250
    judges = {("tone", "r1"): (0, stop), ("facts", "r1"): (0, stop), ("facts", "r2"): (stop, end)}
    names = ("sli_events:increase", "sli_events:increase5m", "slo_events:increase")
    inputs = [
        {
            "series": f'otel_agentops:{name}{{slo="{"answers" * name.startswith("slo")}", service_name="s", '
            f'otel_agentops_sli_name="task_completed", otel_agentops_judge_name="{judge}", '
            f'otel_agentops_judge_revision="{revision}"}}',
            "values": " ".join("1" if start <= hour < until else "0" for hour in range(end)),
        }
        for (judge, revision), (start, until) in judges.items()
        for name in names
    ]
    expr = 'count by (otel_agentops_judge_name) (ALERTS{alertname="OtelAgentopsNoData", alertstate="firing"})'
    tests = [
        {"expr": expr, "eval_time": f"{stop}h", "exp_samples": []},
        {
            "expr": expr,
            "eval_time": f"{end - 1}h",
            "exp_samples": [{"labels": '{otel_agentops_judge_name="tone"}', "value": 1}],
        },
    ]
    story = {"interval": "1h", "input_series": inputs, "promql_expr_test": tests}
    group = {"name": "a", "interval": "1h", "rules": list(build_silence_rules(ONE, Clock(1)))}
    check_story(promtool, tmp_path, [group], story, every="1h")
