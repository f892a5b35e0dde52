"""The annotations of a burn that say why: the verdict, what is worst, what is not observed, and how to undo it.

Prometheus looks the figures up when it evaluates the alert. Grafana's templates cannot, so that its alerts lack these
annotations and link to the dashboard.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from otel_agentops.semconv import attributes as A
from otel_agentops.slo import series as S
from otel_agentops.slo.evidence.burns import LEAD
from otel_agentops.slo.evidence.verdicts import FEWEST
from otel_agentops.slo.indicators import On
from otel_agentops.slo.prometheus._lookup import name_trace_field
from otel_agentops.slo.series import SERVICE, SLI
from otel_agentops.slo.spec import Slo
from otel_agentops.slo.variables import VARIABLES

SIX = ("model", "prompt", "tools", "index", "judge", "traffic")
_WORST = ("tool", "index", "model")  # what fails below a task
_FEW = 3  # bad events, below which a part says little
_MOST = "1e6"  # odds, above which more say nothing more


def _bind_labels(name: str, labels: Sequence[str]) -> str:
    """Return a template that sets a variable to the matchers of the alert's labels."""
    pairs, values = ",".join(f"{label}=%q" for label in labels), " ".join(f"$labels.{label}" for label in labels)
    return f"{{{{ {name} := printf `{pairs}` {values} }}}}"


_OF, _SERVICE = _bind_labels("$of", SLI), _bind_labels("$service", SERVICE)
_ANY = "{{ $any := false }}"
_NEXT = "{{ if $any }}%s{{ end }}{{ $any = true }}"
_NAME = "{{ .Labels.variable }} {{ .Labels.scope }}: {{ with .Labels.previous }}{{ . }} -> {{ end }}{{ .Labels.value }}"
_PART = "{{ . | first | value | humanizePercentage }}"

_UNDO = {
    "model": "Pin {{ .Labels.scope }} to {{ .Labels.previous }}.",
    "prompt": "Restore {{ .Labels.previous }} of prompt {{ .Labels.scope }}.",
    "instructions": "Send the instructions {{ .Labels.previous }} of {{ .Labels.scope }} again.",
    "params": "Send the parameters {{ .Labels.previous }} to {{ .Labels.scope }} again.",
    "fingerprint": "Nothing of yours moved: ask the provider of {{ .Labels.scope }}, or use another model.",
    "tools": "Pin the tools of {{ .Labels.scope }}, or their server, to {{ .Labels.previous }}.",
    "tool": "Pin the tool {{ .Labels.scope }}, or its server, to {{ .Labels.previous }}.",
    "index": "Point {{ .Labels.scope }} back to {{ .Labels.previous }}.",
    "judge": "Roll back no product: this is a new ruler. Judge earlier answers with both revisions.",
    "traffic": "No rollback helps: limit or reroute the segment {{ .Labels.value }}.",
    "deploy": "Roll {{ .Labels.scope }} back to {{ .Labels.previous }}.",
    "flag": "Set the flag {{ .Labels.scope }} back to {{ .Labels.previous }}.",
    "stage": "Take the stage {{ .Labels.value }} out of the roll-out.",
}
_BAD: Mapping[On, str] = {  # without backticks, which Slack reads as code
    "task": f' && span.{A.TASK_OUTCOME} =~ "failed|escalated|abandoned"',
    "model": f' && span.{A.GEN_AI_OPERATION_NAME} =~ "chat|generate_content|text_completion" && status = error',
    "tool": f' && span.{A.GEN_AI_OPERATION_NAME} = "execute_tool" && status = error',
    "retrieval": f' && span.{A.GEN_AI_OPERATION_NAME} = "retrieval" && status = error',
}


def describe_causes(slo: Slo) -> dict[str, str]:
    """Return the annotations of a burn that say why it burns, or that nobody can tell."""
    return {
        "verdict": _show_verdict(_choose_by("word", _describe_words()), "Cannot tell: no evidence was evaluated yet."),
        "worst": _describe_worst(),
        "not_observed": _list_unobserved(),
        "undo": _show_verdict(_describe_undo(), "Nothing to undo is known."),
        "traceql": _select_traces(slo),
    }


# -- parts of a template


def _look_up(query: str, *arguments: str) -> str:
    return f"printf `{query}` {' '.join(arguments)} | query"


def _show_if(pipeline: str, then: str, otherwise: str = "") -> str:
    """Return a text about the result of a look-up, or another one if it finds nothing."""
    return f"{{{{ with {pipeline} }}}}{then}{_show_else(otherwise)}{{{{ end }}}}"


def _show_else(otherwise: str) -> str:
    return f"{{{{ else }}}}{otherwise}" if otherwise else ""


def _show_each(pipeline: str, then: str) -> str:
    return f"{{{{ range {pipeline} }}}}{then}{{{{ end }}}}"


def _choose_by(label: str, cases: Iterable[tuple[str, str]], otherwise: str = "") -> str:
    """Return a text by the value of a label."""
    branches = [f'if eq .Labels.{label} "{value}" }}}}{text}' for value, text in cases]
    return f"{{{{ {'{{ else '.join(branches)}{_show_else(otherwise)}{{{{ end }}}}"


def _show_verdict(then: str, otherwise: str) -> str:
    """Return a text about the verdict of the burn."""
    burn = _look_up(f"{S.SLO_BURN_VERDICT}{{%s,slo=%q,severity=%q}}", "$of", "$labels.slo", "$labels.severity")
    return _OF + _show_if(burn, f"{{{{ with first . }}}}{then}{{{{ end }}}}", otherwise)


# -- sentences


def _describe_words() -> Iterable[tuple[str, str]]:
    """Return each word of a verdict with its sentence."""
    values = ".Labels.variable .Labels.scope .Labels.value"
    which = f"{{{{ $which := printf `{{%s,variable=%q,scope=%q,value=%q}}` $of {values} }}}}"
    odds = f'{{{{ if gt . {_MOST} }}}}More than 1,000,000{{{{ else }}}}{{{{ printf "%.0f" . }}}}{{{{ end }}}} : 1'
    about = [
        (S.SLI_VALUE_EVIDENCE, f"{{{{ with . | first | value }}}}{odds}{{{{ end }}}}"),
        (S.SLI_VALUE_EXPLAINED, f", explains {_PART} of the excess"),
        (S.SLI_VALUE_RATIO, f". {_PART} are bad with it"),
        (S.SLI_VALUE_RATIO_OTHERS, f", {_PART} without it in the same minutes"),
    ]
    figures = "".join(_show_if(_look_up(f"{series}%s", "$which"), text) for series, text in about)
    sick = _show_each(_look_up(f"{S.SURFACE_SICK}{{%s}}", "$service"), f" {_describe_surface()}")
    return {
        "it_is": f"{which}It is {_NAME}. {figures}.",
        "likely": f"{which}Likely {_NAME}. {figures}.",
        "sick": f"{_SERVICE}No value explains it, but something is sick:{sick}",
        "moved_no_contrast": f"Moved, no contrast: {_NAME}. All events have it, so that only the timing speaks for it.",
        "nothing_moved": "Nothing moved: no value is new, and none has become worse than the others.",
        "cannot_tell": f"{_SERVICE}Cannot tell: {_describe_doubt()}",
    }.items()


def _describe_doubt() -> str:
    """Return why a burn has no cause yet: a tie, too few bad events, or too little evidence."""
    leader = _show_each(_look_up(f"{S.SLI_VALUE_LEADER}{{%s}}", "$of"), _NAME)
    lead = f' The strongest lead is {_NAME} with {{{{ printf "%.0f" .Value }}}} : 1.'
    best = _look_up(f"topk(1, {S.SLI_VALUE_EVIDENCE}{{%s}} > {LEAD})", "$of")
    cleared = _look_up(f'{S.SLI_VALUE_VERDICT}{{%s,word="moved_not_it"}}', "$of")
    others = _show_each(cleared, f" Moved, not it: {_NAME}.")
    return _show_if(
        _look_up(f"{S.SLI_VALUE_TIED}{{%s}}", "$of"),
        f"the same events used {leader}{_show_each('.', f' and {_NAME}')}.",
        _show_if(
            _look_up(f"{S.SLI_BAD_SINCE}{{%s}} < {FEWEST}", "$of"),
            f'{{{{ . | first | value | printf "%.0f" }}}} bad events are too few; {FEWEST} are needed.',
            _show_if(
                _look_up(f"{S.VARIABLE_KNOWN}{{%s}}", "$service"),
                f"no value is worse than the others beyond doubt.{_show_each(best, lead)}{others}",
                "no variable of this service is observed.",
            ),
        ),
    )


def _describe_surface() -> str:
    part, time = "{{ .Value | humanizePercentage }}", "{{ .Value | humanizeDuration }}"
    figure = f'{{{{ if eq .Labels.kind "latency" }}}}{time}{{{{ else }}}}{part}{{{{ end }}}}'
    of = 'variable="downstream",scope=%q'
    failed = _look_up(f"topk(1, {S.SLI_VALUE_BAD_SINCE}{{%s,{of}}} > 0)", "$of", ".Labels.name")
    below = _show_each(failed, ", below it {{ .Labels.value }}")
    return f"{{{{ .Labels.surface }}}} {{{{ .Labels.name }}}} ({{{{ .Labels.kind }}}} {figure}{below})."


def _describe_worst() -> str:
    """Return the tool, index and model with the highest part of bad events, and the sick surfaces."""
    parts = [_OF, _SERVICE, _ANY]
    for variable in _WORST:
        of = f'{{%s,variable="{variable}"}}'
        query = f"topk(1, {S.SLI_VALUE_RATIO}{of} and {S.SLI_VALUE_BAD_SINCE}{of} >= {_FEW})"
        text = f"{variable} {{{{ .Labels.scope }}}} {{{{ .Labels.value }}}}: {{{{ .Value | humanizePercentage }}}} bad."
        parts.append(_show_each(_look_up(query, "$of", "$of"), _NEXT % " " + text))
    sick = _look_up(f"{S.SURFACE_SICK}{{%s}}", "$service")
    parts.append(_show_each(sick, f"{_NEXT % ' '}Sick: {_describe_surface()}"))
    return "".join(parts) + "{{ if not $any }}Nothing stands out.{{ end }}"


def _list_unobserved() -> str:
    """Return the variables without data in this service; what is not observed cannot be cleared."""
    names = (
        _show_if(_look_up(f'{S.VARIABLE_KNOWN}{{%s,variable="{name}"}}', "$service"), "", _NEXT % ", " + name)
        for name in SIX
    )
    return f"{_SERVICE}{_ANY}{''.join(names)}{{{{ if not $any }}}}none: all six variables are observed{{{{ end }}}}"


def _describe_undo() -> str:
    """Return the step back of the value that the verdict is about."""
    contrast = _choose_by("word", [("moved_no_contrast", "For a part of the events first: that makes a contrast. ")])
    back = contrast + _choose_by("variable", _UNDO.items(), "Set {{ .Labels.scope }} back to {{ .Labels.previous }}.")
    stop = "Take {{ .Labels.value }} of {{ .Labels.scope }} out of use: it did not move, it has become worse."
    tied = _look_up(f"{S.SLI_VALUE_TIED}{{%s}}", "$of")
    apart = "Undo one of them for a part of the events: that tells them apart."
    sick = [("sick", "Page the owner of what is sick; no variable is to blame.")]
    other = _choose_by("word", sick, _show_if(tied, apart, "Nothing to undo is known."))
    unknown = "Set {{ .Labels.variable }} {{ .Labels.scope }} back to its earlier value, which is not known."
    moved = _choose_by("previous", [("unknown", unknown)], back)
    return (
        f"{{{{ if .Labels.previous }}}}{moved}{{{{ else if .Labels.value }}}}{stop}{{{{ else }}}}{other}{{{{ end }}}}"
    )


def _select_traces(slo: Slo) -> str:
    """Return TraceQL for bad traces, of the value that explains them if there is one."""
    value = '{{ printf "%q" .Labels.value }}'
    spans = ((variable, f" && {{ {name_trace_field(key)} = {value} }}") for variable, (_, _, key) in VARIABLES.items())
    service = f'resource.{A.SERVICE_NAME} = {{{{ printf "%q" $labels.{SERVICE[0]} }}}}'
    return f"{{ {service}{_BAD.get(slo.indicator.on, '')} }}" + _show_verdict(_choose_by("variable", spans), "")
