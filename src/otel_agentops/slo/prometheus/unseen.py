"""A promise that nothing counts: the objective exists, and no event of its indicator was ever seen."""

from __future__ import annotations

import re
from collections.abc import Iterator

from otel_agentops.slo import series as S
from otel_agentops.slo._promql import Clock, Rule, make_rule, quote_string, set_label
from otel_agentops.slo.needs import describe_need
from otel_agentops.slo.prometheus.objective import build_alert, escape_template
from otel_agentops.slo.series import SERVICE
from otel_agentops.slo.spec import Slo
from otel_agentops.slo.wording import describe_indicator


def build_unseen_rules(slo: Slo, clock: Clock) -> Iterator[Rule]:
    """Yield the promise while nothing was seen of it, and the alert.

    The alert waits for a day so that a nightly job can have its turn.
    """
    of, label = f"{{slo={quote_string(slo.name)}}}", SERVICE[0]
    names = list_services(slo.service)
    matching = "any service" if slo.service == ".*" else f"a service that matches {slo.service}"
    shown, by = (f"{{{{ $labels.{label} }}}}", f"slo, {label}") if names else (escape_template(slo.service), "slo")
    texts = {
        "summary": f"nothing was ever counted for {slo.name} ({describe_indicator(slo)})"
        + (f" of {shown}" if names else ""),
        "description": f"No event of {shown if names else escape_template(matching)} came within {slo.window}, so this "
        f"promise cannot burn. What {slo.indicator.name} needs from the application: "
        f"{escape_template(describe_need(slo))}. The collector needs the overlay and the generated fragment.",
    }
    promised = S.SLO_OBJECTIVE_RATIO + of
    each = [set_label(promised, label, name) for name in names] or [promised]
    expr = "\nor\n".join(f"{one} unless on ({by}) {S.SLO_EVENTS_SEEN}{of}" for one in each)
    yield make_rule(S.SLO_OBJECTIVE_UNSEEN, expr, slo=slo.name)
    unseen = build_alert("OtelAgentopsNeverSeen", f"{S.SLO_OBJECTIVE_UNSEEN}{of}", slo, "ticket", texts)
    yield {**unseen, "annotations": {**unseen["annotations"], "service": shown}, "for": clock.to_duration("1d")}


def list_services(pattern: str) -> list[str]:
    """Return the services that a pattern names one by one, as `sales|support` does; empty for any other pattern."""
    names = pattern.removeprefix("(").removesuffix(")").split("|")
    return names if len(names) > 1 and all(re.fullmatch(r"[\w./ -]+", name) for name in names) else []
