"""The parts of queries: names as Prometheus spells them, the chosen services, rates and quantiles."""

from __future__ import annotations

from otel_agentops.semconv import attributes as A
from otel_agentops.semconv import metrics as M
from otel_agentops.slo.series import SERVICE, spell_label

OF = f'{SERVICE[0]}=~"$service", {SERVICE[1]}=~"$environment"'  # the matchers that select the chosen services
OF_SLO = f'{OF}, slo=~"$slo"'


SERVED = f"{{{{{SERVICE[0]}}}}}"  # the service in a legend: several may be chosen


def show_label(attribute: str) -> str:
    """Return the part of a legend that shows an attribute's value."""
    return f"{{{{{spell_label(attribute)}}}}}"


def select_series(metric: str, *matchers: str, suffix: str = "") -> str:
    """Select the series of a registered metric, of the chosen services."""
    return f"{M.METRICS[metric].prometheus}{suffix}{{{', '.join((OF, *matchers))}}}"


def sum_increase(metric: str, *by: str, matchers: tuple[str, ...] = (), suffix: str = "") -> str:
    """Count what a counter grew by in the time that is shown.

    `increase` extrapolates to the ends of the range; a count has no fractions.
    """
    return f"round(sum by ({', '.join(by)}) (increase({select_series(metric, *matchers, suffix=suffix)}[$__range])))"


def sum_rate(metric: str, *by: str, matchers: tuple[str, ...] = (), suffix: str = "", per: int = 60) -> str:
    """Sum a counter's growth per minute, or per another number of seconds."""
    growth = f"rate({select_series(metric, *matchers, suffix=suffix)}[$__rate_interval])"
    return f"sum by ({', '.join(by)}) ({growth}) * {per}"


def estimate_quantile(part: float, metric: str, *by: str, matchers: tuple[str, ...] = ()) -> str:
    """Estimate a quantile of a histogram, of each service by itself."""
    growth = f"rate({select_series(metric, *matchers, suffix='_bucket')}[$__rate_interval])"
    return f"histogram_quantile({part}, sum by ({', '.join((SERVICE[0], *by, 'le'))}) ({growth}))"


def compute_mean(metric: str, *by: str, matchers: tuple[str, ...] = ()) -> str:
    """Compute the mean of a histogram's values, of each service by itself."""
    total, count = (
        sum_rate(metric, SERVICE[0], *by, matchers=matchers, suffix=suffix, per=1) for suffix in ("_sum", "_count")
    )
    return f"({total}) / ({count} > 0)"


SURFACE = spell_label(A.INCIDENT_SURFACE)
OPERATION = spell_label(A.GEN_AI_OPERATION_NAME)
OUTCOME = spell_label(A.TASK_OUTCOME)
TASK = spell_label(A.TASK_NAME)
TOOL = spell_label(A.GEN_AI_TOOL_NAME)
MODEL = spell_label(A.GEN_AI_REQUEST_MODEL)
SLI_NAME = spell_label(A.SLI_NAME)
SLI_TYPE = spell_label(A.SLI_TYPE)
REVISION = spell_label(A.JUDGE_REVISION)
