"""The parts of all rules of an objective: its series, its labels, and the sentences of its spec."""

from __future__ import annotations

import re
from collections.abc import Mapping

from otel_agentops.slo import series as S
from otel_agentops.slo._promql import Rule, quote_string
from otel_agentops.slo.series import SERVICE, SLI, SLI_NAME
from otel_agentops.slo.spec import Slo

SERVICE_TEXT = f"{{{{ $labels.{SERVICE[0]} }}}}"
# An annotation that begins with OF_INDICATOR can show other series of the same indicator.
OF_INDICATOR = (
    f"{{{{ $of := printf `{{{','.join(f'{label}=%q' for label in SLI)}}}` "
    f"{' '.join(f'$labels.{label}' for label in SLI)} }}}}"
)
# An annotation that begins with OF can show other series of the same objective and the same indicator.
OF = (
    f"{{{{ $of := printf `{{slo=%q,{','.join(f'{label}=%q' for label in SLI)}}}` "
    f"$labels.slo {' '.join(f'$labels.{label}' for label in SLI)} }}}}"
)


def select_indicator(slo: Slo) -> str:
    """Select the indicator in the services that promise it."""
    matchers = [f"{SLI_NAME}={quote_string(slo.indicator.name)}"]
    if slo.service != ".*":
        matchers.append(f"{SERVICE[0]}=~{quote_string(slo.service)}")
    return "{" + ", ".join(matchers) + "}"


def select_slo(slo: Slo) -> str:
    """Select the series of an objective."""
    return f"{{slo={quote_string(slo.name)}}}"


def build_labels(slo: Slo, severity: str) -> dict[str, str]:
    """Return the labels of an alert."""
    return {"slo": slo.name, "severity": severity, "owner": escape_template(slo.owner)}


def select_burn(slo: Slo, severity: str) -> str:
    """Select the series of one burn."""
    return f"{{slo={quote_string(slo.name)}, severity={quote_string(severity)}}}"


def build_alert(name: str, expr: str, slo: Slo, severity: str, texts: Mapping[str, str]) -> Rule:
    """Build an alert of an objective."""
    annotations = {**texts, **list_facts(slo)}
    return {"alert": name, "expr": expr, "labels": build_labels(slo, severity), "annotations": annotations}


def show_value(series: str, form: str) -> str:
    """Return a template of another series' value, for a text that begins with OF."""
    return (
        f'{{{{ with printf "{series}%s" $of | query }}}}{{{{ . | first | value | {form} }}}}'
        "{{ else }}unknown{{ end }}"
    )


def describe_policy(slo: Slo) -> dict[str, str]:
    """Return the annotation of what the trip policy asks for now, if any."""
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


def list_facts(slo: Slo) -> dict[str, str]:
    """Return the annotations that hold for every alert of an objective."""
    policy = {"trip_policy": slo.trip_policy} if slo.trip_policy else {}
    texts = {"slo": slo.name, "type": slo.indicator.type, "owner": slo.owner, "runbook": slo.runbook, **policy}
    return {"service": SERVICE_TEXT} | {key: escape_template(value) for key, value in texts.items()}


def escape_template(text: str) -> str:
    """Escape a text of the spec for a place in which Prometheus reads templates.

    A single brace at the end is escaped too, since a template of ours may follow it.
    """
    return re.sub(r"\{\{|\{$", lambda match: f'{{{{ "{match[0]}" }}}}', text)
