"""What all rules of an objective are made of: its series, its labels, and the sentences of its spec."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from otel_agentops.slo import series as S
from otel_agentops.slo._promql import quoted
from otel_agentops.slo.series import SERVICE, SLI, SLI_NAME
from otel_agentops.slo.spec import Slo

SERVICE_TEXT = f"{{{{ $labels.{SERVICE[0]} }}}}"
# An annotation that begins with it can tell other series of the same objective and the same indicator.
OF = (
    f"{{{{ $of := printf `{{slo=%q,{','.join(f'{label}=%q' for label in SLI)}}}` "
    f"$labels.slo {' '.join(f'$labels.{label}' for label in SLI)} }}}}"
)


def selector(slo: Slo) -> str:
    """The indicator, in the services that promise it."""
    matchers = [f"{SLI_NAME}={quoted(slo.indicator.name)}"]
    if slo.service != ".*":
        matchers.append(f"{SERVICE[0]}=~{quoted(slo.service)}")
    return "{" + ", ".join(matchers) + "}"


def labels(slo: Slo, severity: str) -> dict[str, str]:
    """Of an alert."""
    return {"slo": slo.name, "severity": severity, "owner": literal(slo.owner)}


def burn_of(slo: Slo, severity: str) -> str:
    """Selects the series of one burn."""
    return f"{{slo={quoted(slo.name)}, severity={quoted(severity)}}}"


def alert(name: str, expr: str, slo: Slo, severity: str, texts: Mapping[str, str]) -> dict[str, Any]:
    """An alert of an objective."""
    annotations = {**texts, **facts(slo)}
    return {"alert": name, "expr": expr, "labels": labels(slo, severity), "annotations": annotations}


def told(series: str, form: str) -> str:
    """The value of another series, in an annotation that begins with OF."""
    return (
        f'{{{{ with printf "{series}%s" $of | query }}}}{{{{ . | first | value | {form} }}}}'
        "{{ else }}unknown{{ end }}"
    )


def policy_step(slo: Slo) -> dict[str, str]:
    """Where the team is on its trip policy: an annotation of what an indicator's series raises."""
    if not slo.trip_policy:
        return {}
    step = (
        f'{{{{ with printf "{S.SLO_BUDGET_REMAINING}%s" $of | query }}}}'
        "{{ with . | first | value }}"
        "{{ if gt . 0.0 }}{{ . | humanizePercentage }} of the budget is left: the trip policy holds from 0 on."
        "{{ else }}The budget is spent ({{ . | humanizePercentage }} is left): the trip policy holds.{{ end }}"
        "{{ else }}The budget is spent: the trip policy holds.{{ end }}"  # `with` takes 0 for nothing
        "{{ else }}How much of the budget is left is not known.{{ end }}"
    )
    return {"policy_step": OF + step}


def facts(slo: Slo) -> dict[str, str]:
    """What the spec says."""
    policy = {"trip_policy": slo.trip_policy} if slo.trip_policy else {}
    said = {"slo": slo.name, "type": slo.indicator.type, "owner": slo.owner, "runbook": slo.runbook, **policy}
    return {"service": SERVICE_TEXT} | {key: literal(value) for key, value in said.items()}


def literal(text: str) -> str:
    """A text of the spec in a place where Prometheus reads templates."""
    return text.replace("{{", '{{ "{{" }}')
