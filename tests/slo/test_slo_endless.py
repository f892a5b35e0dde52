"""A task that does not end is told by its calls, or by its age where no other task of its name has ended."""

from __future__ import annotations

from pathlib import Path

from slo_promtool import check_story

from otel_agentops import slo
from otel_agentops.slo import prometheus

ONE = slo.Slo(name="answers", sli="task_completed", objective=0.95, owner="o", runbook="r")
WHO = 'service_name="bot",deployment_environment_name="prod",otel_agentops_task_name="%s"'
ALERT = "OtelAgentopsTaskDoesNotEnd"


def firing(*names: str) -> list[dict[str, object]]:
    of = {"service_name": "bot", "deployment_environment_name": "prod", "severity": "ticket"}
    return [{**of, "otel_agentops_task_name": name} for name in names]


def test_loop_and_old_task_are_told(promtool: Path, tmp_path: Path) -> None:
    def gauge(metric: str, name: str, values: str) -> dict[str, str]:
        return {"series": f'otel_agentops_task_open_{metric}{{{WHO % name},instance="a"}}', "values": values}

    def histogram(name: str) -> list[dict[str, str]]:
        """Two tasks a minute, of which each needs three to five calls."""
        counts = {"2": "0x600", "5": "0+2x600", "+Inf": "0+2x600"}
        series = f'otel_agentops_task_llm_calls_bucket{{{WHO % name},le="%s"}}'
        return [{"series": series % bound, "values": values} for bound, values in counts.items()]

    inputs = [
        *histogram("chat"),
        *histogram("busy"),
        gauge("llm_calls", "chat", "0+1x600"),  # ten times its 4.97 at 50 minutes
        gauge("llm_calls", "busy", "5x600"),
        gauge("age_seconds", "busy", "0+60x600"),  # a long one among others that end
        gauge("age_seconds", "first", "0+60x600"),
        gauge("llm_calls", "first", "0+1x600"),
    ]
    expected = {"45m": firing(), "55m": firing("chat"), "5h55m": firing("chat"), "6h5m": firing("chat", "first")}
    story = {
        "interval": "1m",
        "input_series": inputs,
        "promql_expr_test": [
            {
                "expr": f'sum without (alertname, alertstate) (ALERTS{{alertname="{ALERT}"}})',
                "eval_time": time,
                "exp_samples": [
                    {"labels": "{" + ",".join(f'{key}="{value}"' for key, value in each.items()) + "}", "value": 1}
                    for each in alerts
                ],
            }
            for time, alerts in expected.items()
        ],
    }
    groups = prometheus.build_rules([ONE])["groups"]
    check_story(promtool, tmp_path, groups, story, "1m")
