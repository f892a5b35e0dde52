"""Quiet fortnights with the counters by value: services in which nothing goes wrong, though some look as if it did."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from math import pi, sin
from pathlib import Path
from typing import NamedTuple

from bench.detect.cases import DAY, HOUR
from bench.detect.outcomes import choose_rules
from bench.detect.tasks import USUAL, Mix, Service, Values, build_service_series, keep_value
from bench.detect.verdict import FIRST, build_first_rule
from bench.detect.world import keep_rate, query_end, write_json
from otel_agentops.slo import series as S
from otel_agentops.slo._promql import Clock, make_rule

HEAD = ("quiet fortnight", "tasks a minute", "false alarms", "values named")
# Others are about places, lock files and sets of cases, which these services do not have.
_ALERTS = ("OtelAgentopsErrorBudgetBurn", "OtelAgentopsVariableMoved", "OtelAgentopsBurnAfterMove")
_NAMED = "bench:named"
_NAMING = f'max by (service_name, variable, value) ({S.SLO_BURN_VERDICT}{{word=~"it_is|likely|moved_no_contrast"}})'


class Quiet(NamedTuple):
    """What was told of a service in which nothing went wrong."""

    service: Service
    alarms: Sequence[str]
    names: Sequence[str]

    def build_row(self) -> tuple[str, ...]:
        """Return the row of the table."""
        told = (", ".join(each) or "0" for each in (self.alarms, self.names))
        return (self.service.name, f"{self.service.tasks(HOUR * 12):g}", *told)


def list_quiet_services() -> Iterator[Service]:
    """Yield eight services; of each 2 % of the tasks are bad."""
    judged = {"judge": keep_value("judge-1", "helpful")}
    plain = Service("nothing", judged, judged=keep_rate(0.2))
    yield plain
    yield replace(plain, name="day and night", tasks=lambda at: 10 + 9 * sin(2 * pi * at / DAY))
    yield replace(plain, name="closed at night", tasks=lambda at: 10 if 8 * HOUR <= at % DAY < 20 * HOUR else 0)
    yield replace(plain, name="hardly anybody", tasks=keep_rate(0.05))
    prompts = {"prompt": Mix(("support", "answer"), lambda _: {"prompt-2": 0.4, "prompt-1": 0.6})}
    yield replace(plain, name="two prompts in one place", mixes={**judged, **prompts})
    canary = {"model": Mix(("gpt-x",), lambda _: {"model-2": 0.05, "model-1": 0.95})}
    yield replace(plain, name="a canary for good", mixes={**judged, **canary})
    half = {"model": Mix(("gpt-x",), lambda _: {"model-2": 0.5, "model-1": 0.5})}
    yield replace(plain, name="few tasks, of two models", mixes={**judged, **half}, tasks=keep_rate(0.2))
    segments = {"traffic": Mix((), lambda _: {"api": 0.2, "web": 0.8})}
    yield replace(plain, name="a segment that is always worse", mixes={**judged, **segments}, bad=_fail_in_api)


def _fail_in_api(_: float, values: Values) -> float:
    return 0.06 if values["traffic"] == "api" else USUAL / 2


def simulate_fortnights(
    promtool: Path, folder: Path, days: float, scale: float, seed: int, name: str = ""
) -> list[Quiet]:
    """Return what the generated rules told of each service whose name has a text."""
    clock = Clock(scale)
    each = clock.tick * scale / 60
    ticks = round(days * DAY / each)
    named = make_rule(_NAMED, f"{_NAMED} or ({_NAMING}) * 0 + time()")
    rules = choose_rules(clock, [build_first_rule(), named], alerts=_ALERTS)
    write_json(folder / "quiet.yaml", {"groups": rules})
    services = [(number, service) for number, service in enumerate(list_quiet_services()) if name in service.name]
    series = [
        one
        for number, service in services
        for one in build_service_series(service, ticks, each, f"{seed} {number}", has_yesterday=False)
    ]
    answers = query_end(promtool, folder, folder / "quiet.yaml", clock, series, days * DAY, [FIRST, _NAMED])

    def list_told(query: str, service: Service, *labels: str) -> list[str]:
        mine = [found for found, _ in answers[query] if found.get("service_name") == service.name]
        return sorted(" ".join(found[label] for label in labels if label in found) for found in mine)

    return [
        Quiet(
            service,
            list_told(FIRST, service, "alertname", "variable"),
            list_told(_NAMED, service, "variable", "value"),
        )
        for _, service in services
    ]
