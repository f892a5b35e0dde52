"""A day that is worse than those of a month is reported by a ticket, and a noisy month is no regression."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

from bench.detect.world import write_json

from otel_agentops import slo
from otel_agentops.slo._promql import Clock
from otel_agentops.slo.prometheus.regression import build_regression_rules

ONE = slo.Slo(name="answers", sli="task_completed", objective=0.95, owner="o", runbook="r")
LABELS = 'service_name="{}", otel_agentops_sli_name="task_completed", otel_agentops_sli_type="proxy"'
EVENTS, DAYS = 14_400, 45
JITTER = (0.93, 1.08, 1.0, 0.9, 1.1, 1.03, 0.96)  # a week of days
HOURS_OF_DAY = 24


def rise_after(day: int, by: float) -> Callable[[int], float]:
    return lambda now: 1 + by if now >= day else 1.0


def creep_after(day: int) -> Callable[[int], float]:
    return lambda now: 1.03 ** max(0, now - day)


SERVICES: dict[str, tuple[Callable[[int], float], int]] = {
    # service: how many times 2 % are bad on a day, its first day
    "steady": (lambda _: 1.0, 0),
    "step": (rise_after(40, 0.5), 0),
    "creep": (creep_after(30), 0),
    "young": (rise_after(40, 0.5), 27),  # eleven days of the month that is compared
    "better": (rise_after(40, -0.5), 0),
}


def build_series(service: str) -> list[dict[str, str]]:
    """Return the recorded events and bad events of the last day, one sample an hour."""
    weight, born = SERVICES[service]
    hours = range(DAYS * HOURS_OF_DAY + 1)
    days = [hour // HOURS_OF_DAY for hour in hours]
    bad = [str(round(0.02 * EVENTS * JITTER[day % 7] * weight(day))) if day >= born else "_" for day in days]
    events = [str(EVENTS) if day >= born else "_" for day in days]
    return [
        {"series": f"otel_agentops:sli_{name}1d{{{LABELS.format(service)}}}", "values": " ".join(values)}
        for name, values in (
            ("events:increase", events),
            ("bad:increase", bad),
            ("error:ratio", [value if value == "_" else str(int(value) / EVENTS) for value in bad]),
        )
    ]


def test_slow_regression_is_a_ticket(promtool: Path, tmp_path: Path) -> None:
    rules = build_regression_rules([ONE], Clock(1))
    write_json(tmp_path / "rules.yaml", {"groups": [{"name": "a", "interval": "1h", "rules": list(rules)}]})
    expr = 'group by (service_name) (ALERTS{alertname="OtelAgentopsSlowRegression", alertstate="firing"})'

    def firing(day: int, hour: int, *services: str) -> dict[str, object]:
        samples = [{"labels": f'{{service_name="{each}"}}', "value": 1} for each in services]
        return {"expr": expr, "eval_time": f"{day * HOURS_OF_DAY + hour}h", "exp_samples": samples}

    description = (
        "Over the last day 2.792% of the events is bad, on an average day of the month before 1.995%: 5.3 standard "
        "deviations. 5 % in 30d may be tasks that failed, were escalated or abandoned. This is a proxy: it stands in "
        "for what users care about."
    )
    label_names = {
        "service_name": "step",
        "otel_agentops_sli_name": "task_completed",
        "otel_agentops_sli_type": "proxy",
    }
    test = {
        "interval": "1h",
        "input_series": [each for service in SERVICES for each in build_series(service)],
        "promql_expr_test": [
            firing(34, 0),
            firing(40, 2, "creep"),
            firing(40, 4, "creep", "step"),
            firing(44, 23, "creep", "step"),
        ],
        "alert_rule_test": [
            {
                "eval_time": f"{42 * HOURS_OF_DAY}h",
                "alertname": "OtelAgentopsSlowRegression",
                "exp_alerts": [
                    {
                        "exp_labels": {"slo": "answers", "severity": "ticket", "owner": "o", **label_names},
                        "exp_annotations": {
                            "summary": "step: answers is slowly getting worse (proxy: task_completed)",
                            "description": description,
                            "service": "step",
                            "slo": "answers",
                            "type": "proxy",
                            "owner": "o",
                            "runbook": "r",
                        },
                    }
                ],
            }
        ],
    }
    write_json(tmp_path / "test.yaml", {"rule_files": ["rules.yaml"], "evaluation_interval": "1h", "tests": [test]})
    done = subprocess.run([promtool, "test", "rules", tmp_path / "test.yaml"], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
