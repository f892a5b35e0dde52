"""Incidents as the rules record them, one service each, as OpenMetrics for `promtool tsdb create-blocks-from`."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from otel_agentops.slo import series as S

AT = 1_794_454_200  # 2026-11-12T03:30:00Z
MINUTE, HOUR, DAY = 60, 3600, 86400
ONSET = AT - 43 * MINUTE  # 02:47
EVENTS = 10  # a minute
# One hour of each earlier day: a service that is asked nothing at other hours, and few blocks for promtool to make.
HOURS = [*(AT - hour * HOUR for hour in range(9)), *(AT - day * DAY for day in range(1, 10))]
OLDEST = AT - 335 * HOUR  # the first hour that triage looks at
Sample = tuple[int, float]


def recall(clock: str) -> int:
    """Return the time of a clock of the morning of the snapshot, or of the evening before."""
    hours, minutes = map(int, clock.split(":"))
    at = AT // DAY * DAY + hours * HOUR + minutes * MINUTE
    return at if at <= AT else at - DAY


class Story:
    """One service and its series.

    Args:
        service: Its name.
        bad: Bad events of a minute since the onset; one in five minutes before.
        onset: Time from which on they are bad.
        events: Events of a minute.
        indicator: The indicator that burns.
        labels: More labels of the indicator.
        kind: Its type.
        slo: The objective.
        severity: Of the burn.
        word: The verdict of the rules; None for no burn.
        about: Variable, scope and value that it is about.
    """

    def __init__(
        self,
        service: str,
        bad: float = 3,
        *,
        onset: int = ONSET,
        events: Callable[[int], float] = lambda _: EVENTS,
        indicator: str = "task_completed",
        labels: Mapping[str, str] | None = None,
        kind: str = "proxy",
        slo: str = "answers",
        severity: str = "page",
        word: str | None = None,
        about: tuple[str, ...] = (),
    ) -> None:
        self.samples: defaultdict[tuple[str, tuple[tuple[str, str], ...]], dict[int, float]] = defaultdict(dict)
        self.service = {"service_name": service, "deployment_environment_name": "prod"}
        self.onset = onset
        self.sli = {
            **self.service,
            "otel_agentops_sli_name": indicator,
            "otel_agentops_sli_type": kind,
            **{f"otel_agentops_judge_{key}": value for key, value in (labels or {}).items()},
        }
        self.count(S.SLI_EVENTS_INCREASE, self.sli, events)
        self.count(S.SLI_BAD_INCREASE, self.sli, lambda time: self.fail(time, bad, events(time)))
        self.add(S.name_window(S.SLI_EVENTS_INCREASE, "1d"), self.sli, {AT: EVENTS * 1440})
        self.add(S.SLO_BUDGET_REMAINING, {**self.sli, "slo": slo}, {AT: 0.62})
        self.add(S.SLO_OBJECTIVE_RATIO, {"slo": slo}, {AT: 0.95})
        if word:
            self.burn = {**self.sli, "slo": slo, "severity": severity}
            self.add(S.SLO_BURN_RATIO, self.burn, {AT: bad / EVENTS})
            self.add(S.SLO_BURN_SINCE, self.burn, dict.fromkeys((AT - HOUR, AT), onset + 2 * MINUTE))
            self.add(
                S.SLO_BURN_VERDICT,
                {**self.burn, "word": word, **dict(zip(("variable", "scope", "value"), about, strict=False))},
                {AT: 1},
            )
            alert = {"alertname": "OtelAgentopsErrorBudgetBurn", "alertstate": "firing", **self.burn}
            self.add("ALERTS", alert, dict.fromkeys(range(onset + 2 * MINUTE, AT + 1, MINUTE), 1))

    def fail(self, time: int, bad: float, events: float) -> float:
        """Return the bad events of a minute: one in five minutes is usual."""
        return bad if time > self.onset else float(events > 0 and time // MINUTE % 5 == 0)

    def add(self, name: str, labels: Mapping[str, str], points: Mapping[int, float]) -> None:
        """Add samples of a series."""
        self.samples[name, tuple(sorted(labels.items()))] |= points

    def count(self, name: str, labels: Mapping[str, str], value: Callable[[int], float]) -> None:
        """Add increments: of each minute of eight hours, before that of a minute each day."""
        self.add(name, labels, {time: value(time) for time in (*range(AT - 8 * HOUR, AT, MINUTE), *HOURS)})

    def observe(
        self, variable: str, scope: str, *values: str, since: int = 0, until: int = AT, share: float = 1
    ) -> None:
        """Add observations of values between two times; the first has the share, the others the rest."""
        for value in values:
            of = {**self.service, "variable": variable, "scope": scope, "value": value}
            self.add(
                S.VARIABLE_INCREASE,
                of,
                {time: 600.0 for time in (OLDEST, *HOURS) if max(since, HOURS[-1]) <= time <= until or time == since},
            )
            if until == AT:
                self.add(S.VARIABLE_SHARE, of, {AT: share if value == values[0] else 1 - share})
                self.add(S.name_window(S.VARIABLE_INCREASE, "1h"), of, {AT: 600})

    def observe_all(self, *left_out: str) -> None:
        """Observe the six variables, the same for as long as the story remembers, and well surfaces."""
        for variable, scope, value in (
            ("model", "gpt-5.5", "gpt-5.5-2026-03-05"),
            ("prompt", "support/greeting", "8c1e24b05d9f7a31"),
            ("tools", "support", "5d20aa17c3e94f60"),
            ("index", "help-pages", "2026-11-01"),
            ("judge", "grounded", "r3"),
            ("traffic", "all", "web"),
            ("deploy", "support", "4.2.0"),
        ):
            if variable not in left_out:
                self.observe(variable, scope, value)
        for surface, name in (("provider", "openai"), ("retrieval", "help-pages"), ("tool", "lookup_order")):
            if surface not in left_out:
                self.add(S.SURFACE_WELL, {**self.service, "surface": surface, "name": name}, {AT: 1})
        self.add(S.TRAFFIC_DISTANCE, self.service, {AT: 0.04})

    def move(self, variable: str, scope: str, previous: str, value: str, at: int) -> None:
        """Add a move, as the rules report it for two hours."""
        of = {**self.service, "variable": variable, "scope": scope, "value": value, "previous": previous}
        times = (AT - hour * HOUR for hour in range(336))
        points = {time: at for time in times if at + 5 * MINUTE <= time <= at + 2 * HOUR + 5 * MINUTE}
        assert points, "reported at no full hour"
        self.add(S.VARIABLE_MOVED, of, points)
        if at > AT - 2 * HOUR:
            self.add(S.VARIABLE_SUSPECT, of, {AT: at})

    def weigh(
        self,
        variable: str,
        scope: str,
        value: str,
        word: str | None,
        odds: float,
        explained: float | None = None,
        ratio: float | None = None,
        others: float | None = None,
        before: float | None = None,
    ) -> None:
        """Add the evidence about a value."""
        of = {**self.sli, "variable": variable, "scope": scope, "value": value}
        self.add(S.SLI_VALUE_EVIDENCE, of, {AT: odds})
        if word:
            self.add(S.SLI_VALUE_VERDICT, {**of, "word": word}, {AT: odds})
        for name, figure in (
            (S.SLI_VALUE_EXPLAINED, explained),
            (S.SLI_VALUE_RATIO, ratio),
            (S.SLI_VALUE_RATIO_OTHERS, others),
        ):
            if figure is not None:
                self.add(name, of, {AT: figure})
        if before is not None:
            share = {**self.service, "variable": variable, "scope": scope, "value": value, "against": "day"}
            self.add(S.VARIABLE_SHARE_BEFORE, share, {AT: before})

    def sicken(self, surface: str, name: str, **signs: tuple[float, float]) -> None:
        """Make a surface sick: the value of each kind now, and of the day before."""
        for kind, (now, usual) in signs.items():
            of = {**self.service, "surface": surface, "name": name, "kind": kind}
            self.add(S.SURFACE_SICK, of, dict.fromkeys(range(self.onset - 5 * MINUTE, AT + 1, MINUTE), now))
            self.add(S.SURFACE_USUAL, of, {AT: usual})


def write_days(stories: Mapping[str, Story], directory: Path) -> Iterator[Path]:
    """Write the samples of all stories, one file for each day: promtool reads a file once for each of its blocks."""
    days: defaultdict[int, defaultdict[str, list[str]]] = defaultdict(lambda: defaultdict(list))
    for story in stories.values():
        for (name, labels), points in story.samples.items():
            text = ",".join(f'{label}="{value}"' for label, value in labels)
            for time, value in sorted(points.items()):
                days[time // DAY][name].append(f"{name}{{{text}}} {value!r} {time}")
    for day, families in sorted(days.items()):
        lines = [
            line for name, samples in families.items() for line in (f"# TYPE {name} gauge", *dict.fromkeys(samples))
        ]
        path = directory / f"{day}.om"
        path.write_text("\n".join([*lines, "# EOF", ""]))
        yield path


# -- the stories


def tell_stories() -> dict[str, Story]:
    """Return the stories by name."""
    return {
        name.removeprefix("_tell_"): tell()
        for name, tell in globals().items()
        if name.startswith("_tell_") and callable(tell)
    }


def _tell_model_repointed() -> Story:
    story = Story("model-repointed", word="it_is", about=("model", "gpt-5.5", "gpt-5.5-2026-10-21"))
    story.observe_all("model")
    story.observe("model", "gpt-5.5", "gpt-5.5-2026-10-21", "gpt-5.5-2026-03-05", share=0.64)
    story.move("model", "gpt-5.5", "gpt-5.5-2026-03-05", "gpt-5.5-2026-10-21", recall("02:43"))
    story.move("tools", "support", "11aa22bb33cc44dd", "5d20aa17c3e94f60", AT - 2 * DAY - 20 * MINUTE)
    story.weigh("model", "gpt-5.5", "gpt-5.5-2026-10-21", "it_is", 1912, 0.96, 0.41, 0.022)
    new = {"variable": "model", "scope": "gpt-5.5", "value": "gpt-5.5-2026-10-21"}
    story.add(S.VARIABLE_UNLISTED, {**story.service, **new}, {AT: 384})
    return story


def _tell_prompt_hotfixed() -> Story:
    story = Story(
        "prompt-hotfixed", 1.7, word="moved_no_contrast", about=("prompt", "support/greeting", "f07a6612de90b845")
    )
    story.observe_all("prompt", "judge")
    story.observe("prompt", "support/greeting", "8c1e24b05d9f7a31", until=AT - HOUR)
    story.observe("prompt", "support/greeting", "f07a6612de90b845", since=AT)
    for days in (1, 3, 4, 6):
        story.move("prompt", "support/farewell", "a", f"b{days}", AT - days * DAY - 20 * MINUTE)
    story.move("prompt", "support/greeting", "8c1e24b05d9f7a31", "f07a6612de90b845", recall("02:46"))
    story.weigh("prompt", "support/greeting", "f07a6612de90b845", "moved_no_contrast", 1.0)
    story.add(S.VARIABLE_DECLARED, {**story.service, "variable": "model", "value": "m"}, {AT: 1})
    return story


def _tell_replica_lost() -> Story:
    story = Story("replica-lost", 2.4, word="sick")
    story.observe_all("retrieval")
    story.sicken("retrieval", "help-pages", errors=(0.38, 0.001), latency=(10.0, 0.4))
    story.weigh("index", "help-pages", "2026-11-01", None, 1.0)
    for status, bad in (("503", 88), ("timeout", 12)):
        value = {"variable": "downstream", "scope": "help-pages", "value": f"search.internal {status}"}
        story.add(S.SLI_VALUE_BAD_SINCE, {**story.sli, **value}, {AT: bad})
    return story


def _tell_schema_drifted() -> Story:
    story = Story("schema-drifted", 2.6, word="it_is", about=("tool", "lookup_order", "9e77d1f2a3b4c5d6"))
    story.observe_all("tools", "tool")
    story.sicken("tool", "lookup_order", errors=(0.52, 0.011))
    story.observe("tools", "support", "77ffcc0192ab34de", "5d20aa17c3e94f60", share=0.5)
    story.observe("tool", "lookup_order", "9e77d1f2a3b4c5d6", share=0.5)
    story.move("tools", "support", "5d20aa17c3e94f60", "77ffcc0192ab34de", recall("02:45"))
    story.weigh("tools", "support", "77ffcc0192ab34de", "it_is", 655, 0.87, 0.52, 0.011)
    story.weigh("tool", "lookup_order", "9e77d1f2a3b4c5d6", "it_is", 640, 0.88, 0.52, 0.011, before=0)
    tool = {"variable": "tool", "scope": "lookup_order", "value": "9e77d1f2a3b4c5d6", "previous": "1f3b2c4d5e6f7081"}
    # The rules give a tool the time of the move of its set, and a second.
    story.add(S.VARIABLE_SUSPECT, {**story.service, **tool}, {AT: recall("02:45") + 1})
    story.add(S.VARIABLE_DECLARED, {**story.service, "variable": "tools", "value": "77ffcc0192ab34de"}, {AT: 1})
    story.add(S.VARIABLE_DECLARED, {**story.service, "variable": "tool", "value": "9e77d1f2a3b4c5d6"}, {AT: 1})
    return story


def _tell_judge_reconfigured() -> Story:
    judge = {"name": "grounded", "revision": "r4"}
    story = Story(
        "judge-reconfigured",
        4,
        onset=AT - 40 * MINUTE,
        events=lambda time: EVENTS if time > AT - 40 * MINUTE else 0,
        indicator="judge_score",
        labels=judge,
        slo="judged",
        severity="ticket",
        word="moved_no_contrast",
        about=("judge", "grounded", "r4"),
    )
    story.observe_all("judge", "model")
    story.observe("model", "gpt-5.5", "gpt-5.5-2026-03-05", since=OLDEST)
    story.observe("judge", "grounded", "r4", since=AT)
    story.move("judge", "grounded", "r3", "r4", AT - 40 * MINUTE)
    story.weigh("judge", "grounded", "r4", "moved_no_contrast", 1.0)
    slo = {**story.sli, "slo": "judged"}
    for name, value in (
        (S.SLO_TRUTH_LABELS, 60),
        (S.SLO_CORRECTED_ERROR, 0.033),
        (S.name_bound(S.SLO_CORRECTED_ERROR, "low"), 0.009),
        (S.name_bound(S.SLO_CORRECTED_ERROR, "high"), 0.11),
    ):
        story.add(name, slo, {AT: value})
    return story


def _tell_traffic_shifted() -> Story:
    shares = {"api": (0.08, 0.46), "web": (0.92, 0.54)}  # before and after
    ratios = {"api": (0.140, 0.144), "web": (0.019, 0.018)}

    def fail(time: int) -> float:
        return sum(EVENTS * shares[one][time > ONSET] * ratios[one][time > ONSET] for one in shares)

    story = Story("traffic-shifted", 0.8, word="it_is", about=("traffic", "all", "api"))
    story.count(S.SLI_BAD_INCREASE, story.sli, fail)
    story.observe_all("traffic")
    story.observe("traffic", "all", "api", "web", share=0.46)
    story.move("traffic", "all", "web", "api", recall("02:40"))
    for name in shares:
        of = {**story.sli, "variable": "traffic", "scope": "all", "value": name}
        story.count(S.SLI_VALUE_EVENTS_INCREASE, of, lambda time, name=name: EVENTS * shares[name][time > ONSET])
        story.count(
            S.SLI_VALUE_BAD_INCREASE,
            of,
            lambda time, name=name: EVENTS * shares[name][time > ONSET] * ratios[name][time > ONSET],
        )
    story.weigh("traffic", "all", "api", "it_is", 312, 0.94, 0.144, 0.018)
    return story


def _tell_provider_down() -> Story:
    story = Story("provider-down", 4.1, word="sick")
    story.observe_all("provider")
    story.sicken("provider", "openai", errors=(0.34, 0.001), rate_limited=(0.12, 0.004))
    story.add(S.SURFACE_WELL, {**story.service, "surface": "provider", "name": "anthropic"}, {AT: 1})
    story.weigh("model", "gpt-5.5", "gpt-5.5-2026-03-05", None, 1.3)
    return story


def _tell_nothing_moved() -> Story:
    story = Story("nothing-moved", 1.2, word="nothing_moved", severity="ticket")
    story.observe_all()
    story.observe("flag", "new-ranking", "on")
    story.weigh("prompt", "support/greeting", "8c1e24b05d9f7a31", None, 0.8)
    return story


def _tell_too_few() -> Story:
    story = Story("too-few", 1, events=lambda _: 1, severity="ticket", word="cannot_tell")
    story.count(S.SLI_BAD_INCREASE, story.sli, lambda time: float(time // MINUTE % (10 if time > ONSET else 120) == 0))
    story.observe_all("index", "retrieval", "tools", "tool")
    return story


def _tell_two_at_once() -> Story:
    story = Story("two-at-once", word="cannot_tell")
    story.observe_all("model", "prompt")
    story.observe("model", "gpt-5.5", "gpt-5.5-2026-10-21", "gpt-5.5-2026-03-05", share=0.5)
    story.observe("prompt", "support/greeting", "f07a6612de90b845", "8c1e24b05d9f7a31", share=0.5)
    story.move("model", "gpt-5.5", "gpt-5.5-2026-03-05", "gpt-5.5-2026-10-21", recall("02:45"))
    story.move("prompt", "support/greeting", "8c1e24b05d9f7a31", "f07a6612de90b845", recall("02:45"))
    story.weigh("model", "gpt-5.5", "gpt-5.5-2026-10-21", "it_is", 900, 0.95, 0.4, 0.02)
    story.weigh("prompt", "support/greeting", "f07a6612de90b845", "it_is", 870, 0.95, 0.4, 0.02)
    leader = {"variable": "model", "scope": "gpt-5.5", "value": "gpt-5.5-2026-10-21", "word": "it_is"}
    tied = {"variable": "prompt", "scope": "support/greeting", "value": "f07a6612de90b845"}
    story.add(S.SLI_VALUE_LEADER, {**story.sli, **leader}, {AT: 900})
    story.add(S.SLI_VALUE_TIED, {**story.sli, **tied}, {AT: 870})
    return story


def _tell_arm_rotted() -> Story:
    """An arm of a test went bad without a move; another move of that hour is cleared."""
    story = Story("arm-rotted", word="it_is", about=("prompt", "support/greeting", "f07a6612de90b845"))
    story.observe_all("prompt", "index")
    story.observe("prompt", "support/greeting", "f07a6612de90b845", "8c1e24b05d9f7a31", share=0.5)
    story.observe("index", "help-pages", "2026-11-12", "2026-11-01", share=0.4)
    story.move("index", "help-pages", "2026-11-01", "2026-11-12", recall("02:10"))
    story.weigh("prompt", "support/greeting", "f07a6612de90b845", "it_is", 2.5e9, 0.998, 0.58, 0.02)
    story.weigh("index", "help-pages", "2026-11-12", "moved_not_it", 0.2, 0, 0.29, 0.31)
    return story


def _tell_just_started() -> Story:
    """A service that is twenty minutes old."""
    begin = AT - 20 * MINUTE
    story = Story(
        "just-started",
        2,
        onset=begin,
        events=lambda time: EVENTS * (time > begin),
        word="nothing_moved",
        severity="ticket",
    )
    of = {**story.service, "variable": "model", "scope": "gpt-5.5", "value": "gpt-5.5-2026-03-05"}
    story.add(S.VARIABLE_INCREASE, of, dict.fromkeys(range(begin, AT + 1, MINUTE), 10.0))
    for kind, now in (("errors", 0.2), ("latency", 1.5)):
        surface = {**story.service, "surface": "provider", "name": "openai", "kind": kind}
        story.add(S.SURFACE_NOW, surface, {AT: now})
    return story


def _tell_calm() -> Story:
    story = Story("calm", 0.2)
    story.observe_all("judge")
    story.move("model", "gpt-5.5", "gpt-5.5-2026-03-05", "gpt-5.5-2026-10-21", AT - 4 * HOUR - 10 * MINUTE)
    return story
