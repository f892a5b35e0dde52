"""Words of the queries: names as Prometheus spells them, the chosen services, rates and quantiles."""

from __future__ import annotations

from otel_agentops.semconv import attributes as A
from otel_agentops.semconv import metrics as M
from otel_agentops.slo._promql import SERVICE

OF = f'{SERVICE[0]}=~"$service", {SERVICE[1]}=~"$environment"'  # what every series of a service is selected by
OF_SLO = f'{OF}, slo=~"$slo"'


SERVED = f"{{{{{SERVICE[0]}}}}}"  # the service in a legend: several may be chosen


def label(attribute: str) -> str:
    """An attribute's name as a label."""
    return attribute.replace(".", "_")


def shown(attribute: str) -> str:
    """A label's value in a legend."""
    return f"{{{{{label(attribute)}}}}}"


def selected(metric: str, *matchers: str, suffix: str = "") -> str:
    """The series of a registered metric, of the chosen services."""
    return f"{M.METRICS[metric].prometheus}{suffix}{{{', '.join((OF, *matchers))}}}"


def increase(metric: str, *by: str, matchers: tuple[str, ...] = (), suffix: str = "", over: str = "$__range") -> str:
    """By how much a counter grew in the time that is shown."""
    return f"sum by ({', '.join(by)}) (increase({selected(metric, *matchers, suffix=suffix)}[{over}]))"


def rate(metric: str, *by: str, matchers: tuple[str, ...] = (), suffix: str = "", per: int = 60) -> str:
    """A counter's growth per minute, or another number of seconds."""
    grown = f"rate({selected(metric, *matchers, suffix=suffix)}[$__rate_interval])"
    return f"sum by ({', '.join(by)}) ({grown}) * {per}"


def quantile(part: float, metric: str, *by: str, matchers: tuple[str, ...] = ()) -> str:
    """A quantile of a histogram, of each service by itself."""
    grown = f"rate({selected(metric, *matchers, suffix='_bucket')}[$__rate_interval])"
    return f"histogram_quantile({part}, sum by ({', '.join((SERVICE[0], *by, 'le'))}) ({grown}))"


def mean(metric: str, *by: str, matchers: tuple[str, ...] = ()) -> str:
    """The mean of what a histogram counted, of each service by itself."""
    total, count = (
        rate(metric, SERVICE[0], *by, matchers=matchers, suffix=suffix, per=1) for suffix in ("_sum", "_count")
    )
    return f"({total}) / ({count} > 0)"


SURFACE = label(A.INCIDENT_SURFACE)
OPERATION = label(A.GEN_AI_OPERATION_NAME)
OUTCOME = label(A.TASK_OUTCOME)
TASK = label(A.TASK_NAME)
TOOL = label(A.GEN_AI_TOOL_NAME)
MODEL = label(A.GEN_AI_REQUEST_MODEL)
SLI_NAME = label(A.SLI_NAME)
SLI_TYPE = label(A.SLI_TYPE)
REVISION = label(A.JUDGE_REVISION)
