"""A rate limit that is nearly used up is told, by the lowest of what the processes of a service saw."""

from __future__ import annotations

from pathlib import Path

from slo_promtool import check_story

from otel_agentops import slo
from otel_agentops.slo import prometheus

ONE = slo.Slo(name="answers", sli="task_completed", objective=0.95, owner="o", runbook="r")
LABELS = (
    'service_name="bot",deployment_environment_name="prod",gen_ai_provider_name="openai",gen_ai_request_model="%s",'
    'otel_agentops_rate_limit_kind="tokens"'
)
ALERT = 'ALERTS{alertname="OtelAgentopsRateLimitNear",alertstate="firing"}'


def test_limit_that_is_nearly_used_up_is_told(promtool: Path, tmp_path: Path) -> None:
    def gauge(metric: str, model: str, instance: str, values: str) -> dict[str, str]:
        name = f"otel_agentops_rate_limit_{metric}"
        return {"series": f'{name}{{{LABELS % model},instance="{instance}"}}', "values": values}

    story = {
        "interval": "1m",
        "input_series": [
            gauge("limit", "tight", "a", "1000x60"),
            gauge("remaining", "tight", "a", "500x60"),
            gauge("limit", "tight", "b", "1000x60"),
            gauge("remaining", "tight", "b", "500x20 90x20 500x20"),
            gauge("limit", "wide", "a", "1000x60"),
            gauge("remaining", "wide", "a", "500x20 90x2 500x40"),  # refilled within five minutes
            gauge("remaining", "unlimited", "a", "0x60"),  # nobody says of how much
        ],
        "promql_expr_test": [
            {
                "expr": f"count by (gen_ai_request_model, severity) ({ALERT})",
                "eval_time": time,
                "exp_samples": [
                    {"labels": f'{{gen_ai_request_model="{model}",severity="ticket"}}', "value": 1} for model in models
                ],
            }
            for time, models in {"20m": [], "28m": ["tight"], "50m": []}.items()
        ],
    }
    check_story(promtool, tmp_path, prometheus.build_rules([ONE])["groups"], story, "1m")
