"""The queries that find a value of a variable: texts in which Prometheus fills in the labels of an alert.

An alert cannot read exemplars or traces, so it names the queries. Prometheus evaluates `share` and `declared`, which
Grafana's templates cannot.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from otel_agentops.semconv import attributes as A
from otel_agentops.semconv import metrics as M
from otel_agentops.slo import series as S
from otel_agentops.slo.prometheus.objective import SERVICE_TEXT
from otel_agentops.slo.series import SERVICE, spell_label
from otel_agentops.slo.variables import VARIABLES

VALUE = "{{ $labels.value }}"


def describe_value() -> dict[str, str]:
    """Return the value, its declaration, and queries for traces of it."""
    labels_of_move = {SERVICE[0]: SERVICE[0], SERVICE[1]: SERVICE[1], "variable": "variable"}
    return {
        "service": SERVICE_TEXT,
        "environment": f"{{{{ $labels.{SERVICE[1]} }}}}",
        "variable": "{{ $labels.variable }}",
        "scope": "{{ $labels.scope }}",
        "value": VALUE,
        "share": _describe_share(labels_of_move),
        "declared": _describe_declaration(labels_of_move),
        "traceql": _select_spans(),
        "exemplars": _select_durations(),
    }


def _describe_declaration(labels_of_move: Mapping[str, str]) -> str:
    """Return yes or no; unknown if the service declares nothing at all."""
    value, anything = (
        _query_series(S.VARIABLE_DECLARED, {**labels_of_move, "value": "value"}),
        _query_series(S.VARIABLE_DECLARED, {name: name for name in SERVICE}),
    )
    no = f"{{{{ with {anything} }}}}no{{{{ else }}}}unknown{{{{ end }}}}"
    return f"{{{{ with {value} }}}}yes{{{{ else }}}}{no}{{{{ end }}}}"


def _describe_share(labels_of_move: Mapping[str, str]) -> str:
    query = _query_series(S.VARIABLE_SHARE, {**labels_of_move, "scope": "scope", "value": "value"})
    return f"{{{{ with {query} }}}}{{{{ . | first | value | humanizePercentage }}}}{{{{ else }}}}unknown{{{{ end }}}}"


def _query_series(series: str, labels: Mapping[str, str]) -> str:
    """Return a query by labels of the alert, as a pipeline of the template."""
    matchers = ",".join(f"{name}=%q" for name in labels)
    values = " ".join(f"$labels.{label}" for label in labels.values())
    return f"printf `{series}{{{matchers}}}` {values} | query"


def _select_spans() -> str:
    """Return TraceQL for the spans with the value."""
    attribute = _choose_by_variable(
        (variable, name_trace_field(value)) for variable, (_, _, value) in VARIABLES.items()
    )
    service = f'resource.{A.SERVICE_NAME} = {{{{ printf "%q" $labels.{SERVICE[0]} }}}}'
    return f'{{ {service} && {attribute} = {{{{ printf "%q" $labels.value }}}} }}'


def name_trace_field(attribute: str) -> str:
    """Return the field of TraceQL that holds an attribute."""
    return f"{'resource' if attribute == A.SERVICE_VERSION else 'span'}.{attribute}"


def _select_durations() -> str:
    """Return the durations to look for exemplars in.

    They have no label for the value itself.
    """
    task = '{{ printf "%q" (reReplaceAll "/.*" "" $labels.scope) }}'
    scope = '{{ printf "%q" $labels.scope }}'
    place = {
        "model": f", {spell_label(A.GEN_AI_REQUEST_MODEL)}={scope}",
        "prompt": f", {spell_label(A.TASK_NAME)}={task}",
        "instructions": f", {spell_label(A.TASK_NAME)}={task}",
        "params": f", {spell_label(A.GEN_AI_REQUEST_MODEL)}={scope}",
        "fingerprint": f", {spell_label(A.GEN_AI_REQUEST_MODEL)}={scope}",
        "tools": f", {spell_label(A.TASK_NAME)}={scope}",
        "tool": f", {spell_label(A.GEN_AI_TOOL_NAME)}={scope}",
        "index": f', {spell_label(A.GEN_AI_OPERATION_NAME)}="retrieval"',
    }
    service = f'{SERVICE[0]}={{{{ printf "%q" $labels.{SERVICE[0]} }}}}'
    return f"{M.METRICS[M.SPAN_DURATION].prometheus}_bucket{{{service}{_choose_by_variable(place.items())}}}"


def _choose_by_variable(texts: Iterable[tuple[str, str]]) -> str:
    """Return a template that chooses a text by the variable."""
    cases = [f'if eq $labels.variable "{variable}" }}}}{text}' for variable, text in texts]
    return "{{ " + "{{ else ".join(cases) + "{{ end }}"
