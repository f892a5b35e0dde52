"""Calculated fields, SLOs and burn alerts: one set for each objective, service and revision of a judge.

The fields read the 0 or 1 that the collector wrote (`otel_agentops.sli.<name>.bad`): true is good, false bad, null not
eligible. An outcome event repeats the verdict of its task and is no second event.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from decimal import Decimal

from otel_agentops.semconv import attributes as A
from otel_agentops.slo.burn import BURNS, compute_spent_share, list_severities
from otel_agentops.slo.honeycomb._terraform import LONGEST, Block, Template, cut_text, quote_text
from otel_agentops.slo.honeycomb.columns import COLUMNS
from otel_agentops.slo.honeycomb.questions import TRUTH
from otel_agentops.slo.indicators import verdict_attribute
from otel_agentops.slo.spec import Slo
from otel_agentops.slo.units import parse_window
from otel_agentops.slo.wording import describe_indicator, describe_promise

HIGHEST = Decimal("99.9999")  # per cent; the provider refuses more
LONGEST_OF_FIELD = 255  # characters of the description of a calculated field
EXHAUSTED = 24 * 60  # minutes: the owner of the ticket has a day left


def build_content(slos: Sequence[Slo]) -> Block:
    """Return everything of the objectives that Honeycomb can hold."""
    possible = [slo for slo in slos if get_percent(slo) <= HIGHEST]
    if not possible:
        return {}
    alerts = (alert for slo in possible for alert in _build_alerts(slo))
    return {
        "locals": {f"{slo.name}_promised": _select_services(slo) for slo in possible},
        "resource": {
            "honeycombio_derived_column": {slo.name: _build_field(slo) for slo in possible},
            "honeycombio_slo": {slo.name: _build_slo(slo) for slo in possible},
            "honeycombio_burn_alert": dict(alerts),
        },
    }


def get_percent(slo: Slo) -> Decimal:
    """Return the objective in per cent, as Honeycomb has it."""
    return (100 * (1 - slo.budget)).normalize()


def _is_judged(slo: Slo) -> bool:
    return A.JUDGE_REVISION in slo.indicator.labels


def _select_services(slo: Slo) -> Template:
    """Return the services that promise the objective; for a judge each with each of its revisions."""
    services = "var.services"
    if slo.service != ".*":
        pattern = quote_text(f"^(?:{slo.service})$")
        services = f"{{ for dataset, service in var.services : dataset => service if can(regex({pattern}, service)) }}"
    if not _is_judged(slo):
        return Template(f"${{{services}}}")
    return Template(
        f"${{{{ for pair in setproduct(keys({services}), var.judge_revisions) : "
        '"${pair[0]}/${pair[1]}" => { dataset = pair[0], revision = pair[1] } }}'
    )


def _build_field(slo: Slo) -> Block:
    """Return a field of the whole environment, so that every dataset has the same one."""
    bad = f"${verdict_attribute(slo.indicator.name)}"
    conditions = [f"EXISTS({bad})"]
    if slo.indicator.on != "outcome":
        conditions += [f"NOT(EXISTS(${name}))" for name in TRUTH]
    if _is_judged(slo):
        conditions.append(f'EQUALS(${A.JUDGE_REVISION}, "${{each.key}}")')
    eligible = f"AND({', '.join(conditions)})" if len(conditions) > 1 else conditions[0]
    return {
        **({"for_each": Template("${var.judge_revisions}")} if _is_judged(slo) else {}),
        "alias": Template(f"sli.{slo.name}.${{each.key}}" if _is_judged(slo) else f"sli.{slo.name}"),
        "description": cut_text(f"False for {slo.indicator.about} ({describe_indicator(slo)}).", LONGEST_OF_FIELD),
        "expression": Template(f"IF({eligible}, EQUALS({bad}, 0))"),
        "depends_on": [COLUMNS],
        "lifecycle": {"create_before_destroy": True},  # a field in use can be neither renamed nor deleted
    }


def _build_slo(slo: Slo) -> Block:
    field = f"honeycombio_derived_column.{slo.name}"
    dataset = "each.value.dataset" if _is_judged(slo) else "each.key"
    return {
        "for_each": Template(f"${{local.{slo.name}_promised}}"),
        "name": Template(f"{slo.name}: ${{each.key}}"),
        "description": _describe_slo(slo),
        "datasets": [Template(f"${{{dataset}}}")],
        "sli": Template(f"${{{field}[each.value.revision].alias}}" if _is_judged(slo) else f"${{{field}.alias}}"),
        "target_percentage": get_percent(slo),
        "time_period": int(slo.window[:-1]),
    }


def _describe_slo(slo: Slo) -> str:
    """Return what is promised, that a proxy is one, the owner, the runbook and the policy."""
    policy = f" Policy: {slo.trip_policy}" if slo.trip_policy else ""
    return cut_text(
        f"{describe_promise(slo)} ({describe_indicator(slo)}) Owner: {slo.owner}. Runbook: {slo.runbook}{policy}",
        LONGEST,
    )


# -- burn alerts


def _build_alerts(slo: Slo) -> Iterator[tuple[str, Block]]:
    """Yield name and body of each alert: Honeycomb has neither a second, short window nor a minimum of events."""
    for burn in BURNS:
        if burn.severity not in list_severities(slo):
            continue
        minutes = parse_window(burn.long) // 60
        spent = 100 * compute_spent_share(slo, burn)
        rate: Block = {
            "alert_type": "budget_rate",
            "budget_rate_window_minutes": minutes,
            "budget_rate_decrease_percent": spent.quantize(Decimal("0.0001")),
        }
        yield f"{slo.name}_{burn.severity}_{burn.long}", _build_alert(slo, burn.severity, rate)
    exhaustion: Block = {"alert_type": "exhaustion_time", "exhaustion_minutes": EXHAUSTED}
    yield f"{slo.name}_exhausted", _build_alert(slo, "ticket", exhaustion)


def _build_alert(slo: Slo, severity: str, trigger: Block) -> Block:
    recipients = f"var.{severity}_recipients"
    return {
        "for_each": Template(
            f"${{{{ for key, slo in honeycombio_slo.{slo.name} : key => slo.id if length({recipients}) > 0 }}}}"
        ),
        **trigger,
        "description": _describe_slo(slo),
        "slo_id": Template("${each.value}"),
        "dynamic": {
            "recipient": {
                "for_each": Template(f"${{{recipients}}}"),
                "content": {"id": Template("${recipient.value}")},
            }
        },
    }
