"""What all rules of an objective are made of: its series, its labels, and the sentences of its spec."""

from __future__ import annotations

from otel_agentops.semconv import attributes as A
from otel_agentops.slo._promql import SERVICE, number, quoted
from otel_agentops.slo.spec import Slo

SLI = (
    *SERVICE,
    *(name.replace(".", "_") for name in (A.SLI_NAME, A.SLI_TYPE, A.JUDGE_NAME, A.JUDGE_REVISION)),
)
_SLI_NAME = A.SLI_NAME.replace(".", "_")
SERVICE_TEXT = f"{{{{ $labels.{SERVICE[0]} }}}}"


def selector(slo: Slo) -> str:
    """The indicator, in the services that promise it."""
    matchers = [f"{_SLI_NAME}={quoted(slo.indicator.name)}"]
    if slo.service != ".*":
        matchers.append(f"{SERVICE[0]}=~{quoted(slo.service)}")
    return "{" + ", ".join(matchers) + "}"


def labels(slo: Slo, severity: str) -> dict[str, str]:
    """Of an alert."""
    return {"slo": slo.name, "severity": severity, "owner": literal(slo.owner)}


def burn_of(slo: Slo, severity: str) -> str:
    """Selects the series of one burn."""
    return f"{{slo={quoted(slo.name)}, severity={quoted(severity)}}}"


def kind(slo: Slo) -> str:
    """Whether the indicator stands in for something else, and its name."""
    return f"{slo.indicator.type}: {slo.indicator.name}"


def promise(slo: Slo) -> str:
    """What the objective allows, and that a proxy is one."""
    allowed = f"{number(slo.budget * 100)} % in {slo.window} may be {slo.indicator.about}"
    proxy = " This is a proxy: it stands in for what users care about." if slo.indicator.type == "proxy" else ""
    return f"{allowed}.{proxy}"


def facts(slo: Slo) -> dict[str, str]:
    """What the spec says."""
    policy = {"trip_policy": slo.trip_policy} if slo.trip_policy else {}
    said = {"slo": slo.name, "owner": slo.owner, "runbook": slo.runbook, **policy}
    return {"service": SERVICE_TEXT} | {key: literal(value) for key, value in said.items()}


def literal(text: str) -> str:
    """A text of the spec in a place where Prometheus reads templates."""
    return text.replace("{{", '{{ "{{" }}')
