"""Queries about one service: moves, shares and surfaces, which are the same for all of its burns."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from otel_agentops.prometheus_api import Labels
from otel_agentops.semconv import attributes as A
from otel_agentops.semconv import metrics as M
from otel_agentops.slo import series as S
from otel_agentops.slo.series import SERVICE, spell_label
from otel_agentops.slo.variables import VALUE
from otel_agentops.triage.facts import Move, Routine, Sign, Surface
from otel_agentops.triage.queries import HOUR, MEMORY, Key, Queries, make_move, read_values, select_labels

GAP = 6  # hours with events but without an observation, after which a variable counts as not observed
DOWNSTREAM = 'variable="downstream"'


@dataclass(frozen=True)
class Service:
    """Everything about a service that is the same for all of its burns.

    Attributes:
        moves: All moves that are remembered.
        same_since_s: By variable the begin of its observations without a gap.
        shares: Part of its scope that each value has now.
        shares_before: The same before.
        declared: Variables and values that change events announced; None if there are no change events.
        unlisted: What the lock file does not have.
        suspects: Moves that the rules hold against values: those of now, and those from before a burn.
        surfaces: The surfaces that are observed.
        distance: Part of the traffic that the day before did not have.
        routines: Where new values within the last day were usual.
        schema_changes: Tools, and the fields of their schemas that a process saw change within the last day.
    """

    moves: Sequence[Move]
    same_since_s: Mapping[str, float]
    shares: Mapping[Key, float]
    shares_before: Mapping[Key, float]
    declared: Collection[tuple[str, str]] | None
    unlisted: Collection[Key]
    suspects: Sequence[Move]
    surfaces: Sequence[Surface]
    distance: float | None
    routines: Sequence[Routine]
    schema_changes: Sequence[tuple[str, str]]


class ServiceReader(Queries):
    """Queries about a service at one time."""

    def read_service(self, name: str, environment: str) -> Service:
        """Return what is known about a service at this time."""
        labels = dict(zip(SERVICE, (name, environment), strict=True))
        of = select_labels(labels)
        earlier = select_labels(labels, 'against!="whole"')
        before = f"min by ({VALUE}) ({S.VARIABLE_SHARE_BEFORE}{earlier})"
        declared = self.query_now(f"{S.VARIABLE_DECLARED}{of}")
        routine = f"last_over_time({S.VARIABLE_ROUTINE}{of}[{self.clock.to_duration('1d')}])"
        routines = self.query_now(f"count by (variable, scope, reason) ({routine})")
        seen = f"last_over_time({M.METRICS[M.TOOL_CHANGES].prometheus}{of}[{self.clock.to_duration('1d')}])"
        tool, fields = map(spell_label, (A.CHANGE_SCOPE, A.CHANGE_FIELDS))
        schema_changes = self.query_now(f"count by ({tool}, {fields}) ({seen})")
        distances = [value for _, value in self.query_now(f"{S.TRAFFIC_DISTANCE}{of}")]
        return Service(
            moves=self._read_moves(of),
            same_since_s=self._read_observations(of),
            shares=read_values(self.query_now(f"{S.VARIABLE_SHARE}{of}")),
            shares_before=read_values(self.query_now(before)),
            declared={(each.labels["variable"], each.labels["value"]) for each in declared} if declared else None,
            unlisted={*read_values(self.query_now(f"{S.VARIABLE_UNLISTED}{of}"))},
            suspects=[
                make_move(*sample)
                for sample in self.query_now(f"{S.VARIABLE_SUSPECT}{of} or on ({VALUE}) {S.VARIABLE_RECENT}{of}")
            ],
            surfaces=self._read_surfaces(labels),
            distance=max(distances, default=None),
            routines=sorted(
                (Routine(*map(labels.__getitem__, ("variable", "scope", "reason"))) for labels, _ in routines),
                key=lambda one: (one.variable, one.scope, one.reason),
            ),
            schema_changes=sorted((labels[tool], labels[fields]) for labels, _ in schema_changes),
        )

    def _read_moves(self, of: str) -> list[Move]:
        """Read each move once: it is reported for two hours, so that a look each hour sees all."""
        series = self._query_memory(f"max by ({VALUE}, previous) ({S.VARIABLE_MOVED}{of})")
        moves = {make_move(labels, time_s) for labels, points in series for _, time_s in points}
        return sorted(moves, key=lambda move: move.time_s)

    def _read_observations(self, of: str) -> dict[str, float]:
        """Return the time since which each variable was observed whenever there were events."""
        window = f"[{self.clock.to_range(HOUR, 1)}]"
        counted = f"sum by (variable) (sum_over_time({S.VARIABLE_INCREASE}{of}{window})) > 0"
        observed = {
            labels["variable"]: {time_s for time_s, _ in points} for labels, points in self._query_memory(counted)
        }
        events = self._query_memory(f"sum(sum_over_time({S.SLI_EVENTS_INCREASE}{of}{window})) > 0")
        active = {time_s for _, points in events for time_s, _ in points}.union(*observed.values())
        begins: dict[str, float] = {}
        for variable, times in observed.items():
            gap = 0
            for time_s in sorted(active, reverse=True):
                gap = 0 if time_s in times else gap + 1
                if gap == GAP:
                    break
                if not gap:
                    begins[variable] = time_s - self.clock.to_seconds(HOUR, 1)
        start_s = self.at_s - self.clock.to_seconds(MEMORY)
        for begin_s in {time_s for time_s in begins.values() if time_s > start_s}:
            firsts = self._find_firsts(of, begin_s)
            begins |= {name: firsts.get(name, begin_s) for name, time_s in begins.items() if time_s == begin_s}
        return begins

    def _find_firsts(self, of: str, begin_s: float) -> dict[str, float]:
        """Return the time of the first observation of each variable in the hour that begins at a time."""
        end_s = begin_s + self.clock.to_seconds(HOUR, 1)
        counted = f"sum by (variable) ({S.VARIABLE_INCREASE}{of}) > 0"
        series = self.client.query_range(counted, begin_s, end_s, self.clock.tick)
        return {each.labels["variable"]: min(time_s for time_s, _ in each.points) for each in series}

    def _query_memory(self, expression: str) -> list[tuple[Labels, list[tuple[float, float]]]]:
        step_s = self.clock.to_seconds(HOUR, 1)
        steps = round(self.clock.to_seconds(MEMORY) / step_s) - 1  # the last hour that is looked at begins before it
        start_s = self.at_s - steps * step_s
        return [(each.labels, each.points) for each in self.client.query_range(expression, start_s, self.at_s, step_s)]

    def _read_surfaces(self, labels: Mapping[str, str]) -> list[Surface]:
        names = "|".join((S.SURFACE_NOW, S.SURFACE_SICK, S.SURFACE_USUAL, S.SURFACE_WELL))
        signs: dict[tuple[str, str], dict[str, float]] = {}
        usual: dict[tuple[str, str, str], float] = {}
        well: set[tuple[str, str]] = set()
        for each, value in self.query_now(select_labels(labels, f'__name__=~"{names}"')):
            surface, name, kind = (each.get(label, "") for label in ("surface", "name", "kind"))
            kinds = signs.setdefault((surface, name), {})
            if each["__name__"] == S.SURFACE_USUAL:
                usual[surface, name, kind] = value
            elif each["__name__"] == S.SURFACE_SICK:
                kinds[kind] = value
            elif each["__name__"] == S.SURFACE_WELL:
                well.add((surface, name))
        compared = {(surface, name) for surface, name, _ in usual}
        window = f"{self.clock.to_duration('6h')}:{self.clock.tick}s"
        begins = {
            tuple(each.get(label, "") for label in ("surface", "name", "kind")): value
            for each, value in self.query_now(
                f"min_over_time(timestamp({S.SURFACE_SICK}{select_labels(labels)})[{window}])"
            )
        }
        failed = f"max by (scope, value) ({S.SLI_VALUE_BAD_SINCE}{select_labels(labels, DOWNSTREAM)}) > 0"
        downstream: dict[str, list[str]] = {}
        for each, _ in sorted(self.query_now(failed), key=lambda sample: -sample.value):
            downstream.setdefault(each.get("scope", ""), []).append(each.get("value", ""))
        return [
            Surface(
                *surface,
                [
                    Sign(kind, now, usual.get((*surface, kind)), begins.get((*surface, kind)))
                    for kind, now in sorted(kinds.items())
                ],
                is_well=surface in well,
                is_new=surface not in well and not kinds and surface not in compared,
                downstream=() if surface[0] == "provider" else downstream.get(surface[1], ()),
            )
            for surface, kinds in sorted(signs.items())
        ]
