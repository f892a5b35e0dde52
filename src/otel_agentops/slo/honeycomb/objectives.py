"""Calculated fields, SLOs and burn alerts: one set for each objective, service and revision of a judge.

The fields read the 0 or 1 that the collector wrote (`otel_agentops.sli.<name>.bad`): true is good, false bad, null not
eligible. An outcome event repeats the verdict of its task and is no second event.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from decimal import Decimal

from otel_agentops.semconv import attributes as A
from otel_agentops.slo._promql import SECONDS
from otel_agentops.slo.honeycomb._hcl import Block, Raw, Value, quoted
from otel_agentops.slo.honeycomb.columns import COLUMNS
from otel_agentops.slo.honeycomb.questions import TRUTH
from otel_agentops.slo.indicators import verdict
from otel_agentops.slo.prometheus.burn import BURNS, Burn, burn_factor, severities
from otel_agentops.slo.prometheus.objective import kind, promise
from otel_agentops.slo.spec import Slo

HIGHEST = Decimal("99.9999")  # per cent; the provider refuses more
LONGEST, LONGEST_OF_FIELD = 1023, 255  # characters of a description
EXHAUSTED = 24 * 60  # minutes: whoever gets the ticket has a day left


def blocks(slos: Sequence[Slo]) -> list[Block]:
    """Everything of all objectives that Honeycomb can hold."""
    return [block for slo in slos if percent(slo) <= HIGHEST for block in _blocks(slo)]


def percent(slo: Slo) -> Decimal:
    """The objective as Honeycomb has it."""
    return (100 * (1 - slo.budget)).normalize()


def judged(slo: Slo) -> bool:
    """Whether its numbers depend on who judges."""
    return A.JUDGE_REVISION in slo.indicator.labels


def _blocks(slo: Slo) -> Iterator[Block]:
    yield _promised(slo)
    yield _field(slo)
    yield _slo(slo)
    yield from (_rate(slo, burn) for burn in BURNS if burn.severity in severities(slo))
    yield _exhaustion(slo)


def _local(slo: Slo) -> str:
    return f"{slo.name}_promised"


def _promised(slo: Slo) -> Block:
    """Where it counts: the services that promise it; for a judge with each of its revisions."""
    services = "var.services"
    if slo.service != ".*":
        pattern = quoted(f"^(?:{slo.service})$")
        services = f"{{ for dataset, service in var.services : dataset => service if can(regex({pattern}, service)) }}"
    if not judged(slo):
        return Block("locals", [(_local(slo), Raw(services))])
    pairs = (
        f"{{ for pair in setproduct(keys({services}), var.judge_revisions) : "
        '"${pair[0]}/${pair[1]}" => { dataset = pair[0], revision = pair[1] } }'
    )
    return Block("locals", [(_local(slo), Raw(pairs))])


def _field(slo: Slo) -> Block:
    """Environment-wide, so that every dataset has the same one."""
    each: list[tuple[str, Value] | Block | None] = (
        [("for_each", Raw("var.judge_revisions")), None] if judged(slo) else []
    )
    alias = Raw(f'"sli.{slo.name}.${{each.key}}"') if judged(slo) else f"sli.{slo.name}"
    body: list[tuple[str, Value] | Block | None] = [
        *each,
        ("alias", alias),
        ("description", _cut(f"False for {slo.indicator.about} ({kind(slo)}).", LONGEST_OF_FIELD)),
        ("expression", _expression(slo)),
        ("depends_on", Raw(f"[{COLUMNS}]")),
        None,
        Block("lifecycle", [("create_before_destroy", True)]),  # a field in use can be neither renamed nor deleted
    ]
    return Block(f'resource "honeycombio_derived_column" "{slo.name}"', body)


def _expression(slo: Slo) -> Value:
    bad = f"${verdict(slo.indicator.name)}"
    repeated = [] if slo.indicator.on == "outcome" else [f"NOT(EXISTS(${name}))" for name in TRUTH]
    if not judged(slo):
        return f"IF({_all(f'EXISTS({bad})', *repeated)}, EQUALS({bad}, 0))"
    revision = f'EQUALS(${A.JUDGE_REVISION}, \\"${{each.key}}\\")'
    return Raw(f'"IF({_all(f"EXISTS({bad})", *repeated, revision)}, EQUALS({bad}, 0))"')


def _all(*conditions: str) -> str:
    return f"AND({', '.join(conditions)})" if len(conditions) > 1 else conditions[0]


def _slo(slo: Slo) -> Block:
    field = f"honeycombio_derived_column.{slo.name}"
    dataset = "each.value.dataset" if judged(slo) else "each.key"
    body: list[tuple[str, Value] | Block | None] = [
        ("for_each", Raw(f"local.{_local(slo)}")),
        None,
        ("name", Raw(f'"{slo.name}: ${{each.key}}"')),
        ("description", _described(slo)),
        ("datasets", Raw(f"[{dataset}]")),
        ("sli", Raw(f"{field}[each.value.revision].alias" if judged(slo) else f"{field}.alias")),
        ("target_percentage", percent(slo)),
        ("time_period", int(slo.window[:-1])),
    ]
    return Block(f'resource "honeycombio_slo" "{slo.name}"', body)


def _described(slo: Slo) -> str:
    """What the objective says: what is promised, that a proxy is one, and whom and what to turn to."""
    policy = f" Policy: {slo.trip_policy}" if slo.trip_policy else ""
    return _cut(f"{promise(slo)} ({kind(slo)}) Owner: {slo.owner}. Runbook: {slo.runbook}{policy}", LONGEST)


def _cut(text: str, longest: int) -> str:
    return text if len(text) <= longest else f"{text[: longest - 1]}…"


# -- burn alerts


def _rate(slo: Slo, burn: Burn) -> Block:
    """One window: Honeycomb has neither the short one nor a minimum of events."""
    minutes = int(burn.long[:-1]) * SECONDS[burn.long[-1]] // 60
    spent = 100 * burn_factor(slo, burn) * minutes / (int(slo.window[:-1]) * 1440)
    said: list[tuple[str, Value]] = [
        ("alert_type", "budget_rate"),
        ("budget_rate_window_minutes", minutes),
        ("budget_rate_decrease_percent", spent.quantize(Decimal("0.0001")).normalize()),
    ]
    return _alert(slo, f"{burn.severity}_{burn.long}", burn.severity, said)


def _exhaustion(slo: Slo) -> Block:
    said: list[tuple[str, Value]] = [("alert_type", "exhaustion_time"), ("exhaustion_minutes", EXHAUSTED)]
    return _alert(slo, "exhausted", "ticket", said)


def _alert(slo: Slo, name: str, severity: str, said: Sequence[tuple[str, Value]]) -> Block:
    recipients = f"var.{severity}_recipients"
    slos = f"{{ for key, slo in honeycombio_slo.{slo.name} : key => slo.id if length({recipients}) > 0 }}"
    body: list[tuple[str, Value] | Block | None] = [
        ("for_each", Raw(slos)),
        None,
        *said,
        ("description", _described(slo)),
        ("slo_id", Raw("each.value")),
        None,
        Block(
            'dynamic "recipient"', [("for_each", Raw(recipients)), Block("content", [("id", Raw("recipient.value"))])]
        ),
    ]
    return Block(f'resource "honeycombio_burn_alert" "{slo.name}_{name}"', body)
