"""A promise that nothing counts: the objective exists, and no event of its indicator was ever seen."""

from __future__ import annotations

from collections.abc import Iterator

from otel_agentops.slo import series as S
from otel_agentops.slo._promql import Clock, Rule, make_rule, quote_string
from otel_agentops.slo.needs import describe_need
from otel_agentops.slo.prometheus.objective import build_alert, escape_template
from otel_agentops.slo.spec import Slo
from otel_agentops.slo.wording import describe_indicator


def build_unseen_rules(slo: Slo, clock: Clock) -> Iterator[Rule]:
    """Yield the promise while nothing was seen of it, and the alert.

    The alert waits for a day so that a nightly job can have its turn.
    """
    of = f"{{slo={quote_string(slo.name)}}}"
    services = "any service" if slo.service == ".*" else f"a service that matches {slo.service}"
    texts = {
        "summary": f"nothing was ever counted for {slo.name} ({describe_indicator(slo)})",
        "description": escape_template(
            f"No event of {services} came within {slo.window}, so this promise cannot burn. What {slo.indicator.name} "
            f"needs from the application: {describe_need(slo)}. The collector needs the overlay and the generated "
            "fragment."
        ),
    }
    expr = f"{S.SLO_OBJECTIVE_RATIO}{of} unless on (slo) {S.SLO_EVENTS_SEEN}{of}"
    yield make_rule(S.SLO_OBJECTIVE_UNSEEN, expr, slo=slo.name)
    unseen = build_alert("OtelAgentopsNeverSeen", f"{S.SLO_OBJECTIVE_UNSEEN}{of}", slo, "ticket", texts)
    annotations = {**unseen["annotations"], "service": escape_template(slo.service)}
    yield {**unseen, "annotations": annotations, "for": clock.to_duration("1d")}
