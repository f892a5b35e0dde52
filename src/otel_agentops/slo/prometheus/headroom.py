"""The alert of a rate limit that is nearly used up: refusals and fallbacks come next."""

from __future__ import annotations

from otel_agentops.semconv import attributes as A
from otel_agentops.semconv import metrics as M
from otel_agentops.slo._promql import Clock, Rule
from otel_agentops.slo.series import spell_label

LIMITED = tuple(map(spell_label, (A.GEN_AI_PROVIDER_NAME, A.GEN_AI_REQUEST_MODEL, A.RATE_LIMIT_KIND)))
_WHO = ", ".join(("service_name", "deployment_environment_name", *LIMITED))
_LEAST = 0.1


def build_headroom_alert(clock: Clock) -> Rule:
    """Build the alert: less than a tenth of a limit was left for five minutes."""
    left, limit = (M.METRICS[name].prometheus for name in (M.RATE_LIMIT_REMAINING, M.RATE_LIMIT_LIMIT))
    provider, model, kind = (f"{{{{ $labels.{label} }}}}" for label in LIMITED)
    return {
        "alert": "OtelAgentopsRateLimitNear",
        "expr": f"min by ({_WHO}) ({left}) / (max by ({_WHO}) ({limit}) > 0) < {_LEAST}",
        "for": clock.to_duration("5m"),
        "labels": {"severity": "ticket"},
        "annotations": {
            "summary": f"{{{{ $labels.service_name }}}} has {{{{ $value | humanizePercentage }}}} of the {kind} limit "
            f"of {model} left",
            "description": f"{provider} says so in the headers of its responses. When nothing is left it refuses with "
            "429, and `otel_agentops_fallbacks_total` and `otel_agentops_retries_total` grow. Ask for a higher limit, "
            "spread the traffic over time or models, or shed the least important part yourself.",
        },
    }
