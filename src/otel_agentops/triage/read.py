"""Everything that a Prometheus with our rules knows about what burns at one time.

Evidence comes from the rules and is computed nowhere else. Onset, rarity and mix are computed from their increments.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from functools import cache
from typing import NamedTuple

from otel_agentops.prometheus_api import Labels, PrometheusClient, PrometheusError
from otel_agentops.semconv import attributes as A
from otel_agentops.semconv import metrics as M
from otel_agentops.slo import series as S
from otel_agentops.slo._promql import Clock
from otel_agentops.slo.series import SERVICE, SLI
from otel_agentops.slo.units import format_duration
from otel_agentops.triage.facts import (
    VARIABLES,
    Burn,
    Calm,
    Contact,
    Incident,
    Mix,
    Segment,
    Snapshot,
    Suspect,
    Truth,
    Variable,
)
from otel_agentops.triage.onset import Minute, compute_rarity, find_onset
from otel_agentops.triage.queries import (
    HOUR,
    MEMORY,
    Key,
    Queries,
    identify_value,
    make_move,
    read_values,
    select_labels,
)
from otel_agentops.triage.service import Service, ServiceReader

LOOK_BACK = {"page": "6h", "ticket": "1d"}  # before a burn: about the time after which it is visible
MOST_TRACES = 3
BAD_OUTCOMES = "failed|escalated|abandoned"
BURN_ALERT = "OtelAgentopsErrorBudgetBurn"
RANKS = {"it_is": 0, "likely": 1, "moved_no_contrast": 2, None: 3, "moved_not_it": 4}


class Question(NamedTuple):
    """A question to a Prometheus.

    Attributes:
        at_s: Time of the snapshot.
        from_s: Begin of the time to look at; None for as long as the burn needs.
        service: Only this service.
        environment: Only this environment.
        time_scale: How many times faster the rules run than in production.
    """

    at_s: float
    from_s: float | None = None
    service: str | None = None
    environment: str | None = None
    time_scale: float = 1.0


def read_snapshot(client: PrometheusClient, question: Question) -> Snapshot:
    """Return the incidents, the worst first, and the services that are calm; both are empty without data.

    If the question has a begin and nothing burns at its end, the snapshot is that of the last time at which something
    burned.

    Raises:
        PrometheusError: The Prometheus does not answer.
    """
    chosen = {SERVICE[0]: question.service, SERVICE[1]: question.environment}
    of = select_labels({label: value for label, value in chosen.items() if value is not None})
    reader = Reader(client, question.at_s // 1, Clock(question.time_scale))  # Prometheus answers to the millisecond
    burns = reader.read_burns(of)
    if not burns and question.from_s is not None:
        span = f"{format_duration(max(question.at_s - question.from_s, 1))}:{reader.clock.tick}s"
        last = f"max(max_over_time(timestamp({S.SLO_BURN_SINCE}{of})[{span}]))"
        for sample in reader.query_now(last):
            reader = Reader(client, sample.value, Clock(question.time_scale))
            burns = reader.read_burns(of)
    incidents = [reader.read_incident(burn, question.from_s) for burn in burns]
    burning = {(burn.service, burn.environment) for burn in burns}
    return Snapshot(reader.at_s, incidents, [*reader.read_calm(of, burning)])


def list_services(client: PrometheusClient, at_s: float) -> list[str]:
    """Return the names of all services that the rules know.

    Raises:
        PrometheusError: The Prometheus does not answer.
    """
    events = S.name_window(S.SLI_EVENTS_INCREASE, "1d")
    samples = client.query_instant(f"count by ({SERVICE[0]}) ({events})", at_s)
    return sorted(sample.labels.get(SERVICE[0], "") for sample in samples)


class Reader(Queries):
    """Queries about what burns at one time, and about the services that are calm."""

    def __init__(self, client: PrometheusClient, at_s: float, clock: Clock) -> None:
        super().__init__(client, at_s, clock)
        self.read_service = cache(ServiceReader(client, at_s, clock).read_service)

    def read_burns(self, of: str) -> list[Burn]:
        """Return one burn for each objective and indicator, the worst first."""
        since = {_identify_burn(labels): value for labels, value in self.query_now(f"{S.SLO_BURN_SINCE}{of}")}
        verdicts = {_identify_burn(labels): labels for labels, _ in self.query_now(f"{S.SLO_BURN_VERDICT}{of}")}
        objectives = {labels.get("slo"): value for labels, value in self.query_now(S.SLO_OBJECTIVE_RATIO)}
        burns: dict[tuple[str, ...], Burn] = {}
        for labels, ratio in self.query_now(f"{S.SLO_BURN_RATIO}{of}"):
            key = _identify_burn(labels)
            one = Burn(
                service=labels.get(SERVICE[0], ""),
                environment=labels.get(SERVICE[1], ""),
                slo=labels.get("slo", ""),
                indicator=labels.get(S.SLI_NAME, ""),
                type=labels.get(S.SLI_TYPE, ""),
                judge=labels.get(SLI[4]),
                judge_revision=labels.get(SLI[5]),
                severity=labels.get("severity", ""),
                since_s=since.get(key, self.at_s),
                ratio=ratio,
                objective=objectives.get(labels.get("slo")),
                word=verdicts.get(key, {}).get("word"),
                about=identify_value(verdicts[key]) if "variable" in verdicts.get(key, {}) else None,
            )
            other = burns.get(key[:-1])
            if other is None or one.severity == "page":
                burns[key[:-1]] = one
        return sorted(burns.values(), key=lambda burn: (burn.severity != "page", -(burn.speed or 0), burn.service))

    def read_incident(self, burn: Burn, from_s: float | None) -> Incident:
        """Return everything about a burn; its onset is looked for from a time on, if one is given."""
        service = self.read_service(burn.service, burn.environment)
        sli = {
            **dict(zip(SERVICE, (burn.service, burn.environment), strict=True)),
            S.SLI_NAME: burn.indicator,
            S.SLI_TYPE: burn.type,
            SLI[4]: burn.judge or "",
            SLI[5]: burn.judge_revision or "",
        }
        back = self.clock.to_seconds(LOOK_BACK.get(burn.severity, "1d"))
        onset = find_onset(self._read_minutes(sli, from_s or burn.since_s - back), self.clock.tick)
        onset_s = onset.at_s if onset else burn.since_s
        first_s = min(onset_s, burn.since_s) - self.clock.to_seconds(HOUR)
        suspects = self._list_suspects(sli, service, onset_s, first_s, burn.about)
        has_traffic = any(suspect.variable == "traffic" and suspect.word != "moved_not_it" for suspect in suspects)
        return Incident(
            at_s=self.at_s,
            burn=burn,
            onset=onset,
            suspects=suspects,
            variables=[*self._list_variables(service, first_s)],
            surfaces=service.surfaces,
            mix=self._read_mix(sli, onset_s) if has_traffic else None,
            truth=self._read_truth({**sli, "slo": burn.slo}),
            contact=self._read_contact(burn),
            traces=self._read_traces(burn, onset_s),
            routines=service.routines,
            schema_changes=service.schema_changes,
            time_scale=self.clock.scale,
        )

    def read_calm(self, of: str, burning: Collection[tuple[str, str]]) -> Iterator[Calm]:
        """Yield the services without a burn, in the order of their names."""
        events, lately = S.name_window(S.SLI_EVENTS_INCREASE, "1d"), S.name_window(S.VARIABLE_INCREASE, HOUR)
        by = ", ".join(SERVICE)
        services = {_name_service(labels) for labels, _ in self.query_now(f"count by ({by}) ({events}{of})")}
        if not services - {*burning}:
            return
        budgets = [
            (labels, value) for labels, value in self.query_now(f"min by ({by}, slo) ({S.SLO_BUDGET_REMAINING}{of})")
        ]
        observed = [labels for labels, _ in self.query_now(f"count by ({by}, variable) ({lately}{of})")]
        recent = f"max_over_time({S.VARIABLE_MOVED}{of}[{self.clock.to_duration('1d')}])"
        moves = [(labels, make_move(labels, time_s)) for labels, time_s in self.query_now(recent)]
        for service in sorted(services - {*burning}):
            names = {labels["variable"] for labels in observed if _name_service(labels) == service}
            own_moves = [move for labels, move in moves if _name_service(labels) == service]
            yield Calm(
                *service,
                budgets={labels["slo"]: value for labels, value in budgets if _name_service(labels) == service},
                observed=[name for name in VARIABLES if name in names],
                last_move=max(own_moves, key=lambda move: move.time_s, default=None),
            )

    def _read_minutes(self, sli: Mapping[str, str], start_s: float) -> list[Minute]:
        """Return events and bad events of each minute up to now, as far back as there are any."""
        tick = self.clock.tick
        start_s = self.at_s - (self.at_s - start_s) // tick * tick
        counts: list[dict[float, float]] = []
        for record in (S.SLI_EVENTS_INCREASE, S.SLI_BAD_INCREASE):
            expression = f"sum(sum_over_time({record}{select_labels(sli)}[{self.clock.to_range('1m', 1)}]))"
            series = self.client.query_range(expression, start_s, self.at_s, tick)
            counts.append({time_s: value for one in series for time_s, value in one.points})
        events, bad = counts
        first_s = min(events, default=self.at_s + tick)
        times = (start_s + number * tick for number in range(int((self.at_s - start_s) // tick) + 1))
        return [Minute(time_s, events.get(time_s, 0), bad.get(time_s, 0)) for time_s in times if time_s >= first_s]

    def _list_suspects(
        self, sli: Mapping[str, str], service: Service, onset_s: float, first_s: float, about: Key | None
    ) -> list[Suspect]:
        """Return each value that moved or that the rules weigh, the strongest first."""
        figures = (S.SLI_VALUE_EVIDENCE, S.SLI_VALUE_EXPLAINED, S.SLI_VALUE_RATIO, S.SLI_VALUE_RATIO_OTHERS)
        records = (*figures, S.SLI_VALUE_VERDICT, S.SLI_VALUE_LEADER, S.SLI_VALUE_TIED)
        samples = self.query_now(select_labels(sli, f'__name__=~"{"|".join(records)}"'))
        of = {record: read_values(one for one in samples if one.labels["__name__"] == record) for record in records}
        words = {identify_value(labels): labels["word"] for labels, _ in samples if "word" in labels}
        tied = {*of[S.SLI_VALUE_TIED], *of[S.SLI_VALUE_LEADER]} if of[S.SLI_VALUE_TIED] else set()
        remembered = (move for move in service.moves if move.time_s >= first_s)
        moves = {(move.variable, move.scope, move.value): move for move in (*service.suspects, *remembered)}
        odds = {**of[S.SLI_VALUE_EVIDENCE], **of[S.SLI_VALUE_VERDICT]}
        suspects: list[Suspect] = []
        for key in {**odds, **moves, **({about: 0} if about else {})}:
            move = moves.get(key)
            others = sum(one.variable == key[0] for one in service.moves if one != move)
            suspects.append(
                Suspect(
                    *key,
                    word=words.get(key),
                    odds=odds.get(key),
                    explained=of[S.SLI_VALUE_EXPLAINED].get(key),
                    ratio=of[S.SLI_VALUE_RATIO].get(key),
                    ratio_others=of[S.SLI_VALUE_RATIO_OTHERS].get(key),
                    share=service.shares.get(key),
                    share_before=service.shares_before.get(key),
                    move=move,
                    rarity=compute_rarity(move.time_s - onset_s, others, self.clock.scale) if move else None,
                    is_declared=(key[0], key[2]) in service.declared if service.declared is not None else None,
                    is_unlisted=True if key in service.unlisted else None,
                    is_tied=key in tied,
                )
            )
        return sorted(suspects, key=lambda one: _rank_suspect(one, onset_s, about))

    def _list_variables(self, service: Service, first_s: float) -> Iterator[Variable]:
        """Yield the variables that are always spoken of, then the others that moved."""
        start_s = self.at_s - self.clock.to_seconds(MEMORY)
        others = {move.variable for move in service.moves if move.time_s >= first_s} - {*VARIABLES}
        for name in (*VARIABLES, *sorted(others)):
            moves = [move for move in service.moves if move.variable == name]
            begin_s = service.same_since_s.get(name)
            last_s = max((move.time_s for move in moves), default=start_s)
            yield Variable(
                name,
                moves=[move for move in moves if move.time_s >= first_s],
                same_since_s=None if begin_s is None else max(begin_s, last_s),
                is_since_memory=begin_s is not None and max(begin_s, last_s) <= start_s,
                distance=service.distance if name == "traffic" else None,
            )

    def _read_mix(self, sli: Mapping[str, str], onset_s: float) -> Mix | None:
        """Return how much of the excess another mix of the same segments explains."""
        then, now = (
            self._count_segments(sli, start_s, end_s)
            for start_s, end_s in (
                (onset_s - self.clock.to_seconds(LOOK_BACK["page"]), onset_s),
                (onset_s, self.at_s),
            )
        )
        total_then, total_now = (
            (sum(events for events, _ in counts.values()), sum(bad for _, bad in counts.values()))
            for counts in (then, now)
        )
        if not total_then[0] or not total_now[0]:
            return None
        before, after = total_then[1] / total_then[0], total_now[1] / total_now[0]
        segments = [
            Segment(
                name,
                share=now.get(name, (0.0, 0.0))[0] / total_now[0],
                share_before=then.get(name, (0.0, 0.0))[0] / total_then[0],
                ratio=_divide_counts(now.get(name)),
                ratio_before=_divide_counts(then.get(name)),
            )
            for name in sorted({*then, *now})
        ]
        # A segment that is new is taken to have been like the others: then the mix explains nothing of it.
        moved = sum(
            (one.share - one.share_before) * (before if one.ratio_before is None else one.ratio_before)
            for one in segments
        )
        segments.sort(key=lambda one: one.share_before - one.share)
        return Mix(moved / (after - before), segments) if after > before else None

    def _count_segments(self, sli: Mapping[str, str], start_s: float, end_s: float) -> dict[str, tuple[float, float]]:
        """Return events and bad events of each segment between two times."""
        if end_s - start_s < self.clock.tick:
            return {}
        of, window = select_labels({**sli, "variable": "traffic"}), f"{round((end_s - start_s) * 1000) - 1}ms"
        events, bad = (
            {
                labels["value"]: value
                for labels, value in self.client.query_instant(
                    f"sum by (value) (sum_over_time({record}{of}[{window}]))", end_s
                )
            }
            for record in (S.SLI_VALUE_EVENTS_INCREASE, S.SLI_VALUE_BAD_INCREASE)
        )
        return {name: (count, bad.get(name, 0.0)) for name, count in events.items()}

    def _read_truth(self, slo: Mapping[str, str]) -> Truth | None:
        error = S.SLO_CORRECTED_ERROR
        names = (S.SLO_TRUTH_LABELS, error, S.name_bound(error, "low"), S.name_bound(error, "high"))
        samples = self.query_now(select_labels(slo, f'__name__=~"{"|".join(names)}"'))
        values = {sample.labels["__name__"]: sample.value for sample in samples}
        return Truth(*(values[name] for name in names)) if values.keys() >= {*names} else None

    def _read_contact(self, burn: Burn) -> Contact:
        """Return owner and runbook, from the rules of the alert; unknown where a backend does not list its rules."""
        alert = select_labels(
            {
                "alertname": BURN_ALERT,
                "alertstate": "firing",
                "slo": burn.slo,
                **dict(zip(SERVICE, (burn.service, burn.environment), strict=True)),
            }
        )
        window = f"{self.clock.to_duration('1d')}:{self.clock.tick}s"
        firing = [
            (labels.get("owner"), time_s)
            for labels, time_s in self.query_now(f"min_over_time(timestamp(ALERTS{alert})[{window}])")
        ]
        try:
            rules = [
                rule
                for rule in self.client.list_alert_rules()
                if rule.name == BURN_ALERT and rule.labels.get("slo") == burn.slo
            ]
        except PrometheusError:
            rules = []
        notes = rules[0].annotations if rules else {}
        return Contact(
            owner=rules[0].labels.get("owner") if rules else next((owner for owner, _ in firing if owner), None),
            runbook=notes.get("runbook_url") or notes.get("runbook") or None,
            alert_since_s=min((time_s for _, time_s in firing), default=None),
        )

    def _read_traces(self, burn: Burn, onset_s: float) -> list[str]:
        """Return the latest traces of bad tasks, then of tagged operations; none where exemplars are not kept."""
        of = dict(zip(SERVICE, (burn.service, burn.environment), strict=True))
        outcome, surface = S.spell_label(A.TASK_OUTCOME), S.spell_label(A.INCIDENT_SURFACE)
        traces: dict[str, None] = {}
        for bad in (f'{outcome}=~"{BAD_OUTCOMES}"', f'{surface}!=""'):
            durations = f"{M.METRICS[M.SPAN_DURATION].prometheus}_bucket{select_labels(of, bad)}"
            try:
                exemplars = self.client.query_exemplars(durations, onset_s, self.at_s)
            except PrometheusError:
                return []
            latest = sorted(exemplars, key=lambda exemplar: -exemplar.time_s)
            traces.update(dict.fromkeys(one.labels["trace_id"] for one in latest if "trace_id" in one.labels))
        return [*traces][:MOST_TRACES]


def _rank_suspect(suspect: Suspect, onset_s: float, about: Key | None) -> tuple[object, ...]:
    """Return a key that sorts the strongest suspect first."""
    key = (suspect.variable, suspect.scope, suspect.value)
    distance_s = abs(suspect.move.time_s - onset_s) if suspect.move else float("inf")
    return key != about, RANKS.get(suspect.word, len(RANKS)), -(suspect.odds or 0), distance_s, key


def _identify_burn(labels: Labels) -> tuple[str, ...]:
    return tuple(labels.get(label, "") for label in (*SLI, "slo", "severity"))


def _name_service(labels: Labels) -> tuple[str, str]:
    return labels.get(SERVICE[0], ""), labels.get(SERVICE[1], "")


def _divide_counts(counts: tuple[float, float] | None) -> float | None:
    return min(1, counts[1] / counts[0]) if counts and counts[0] else None
