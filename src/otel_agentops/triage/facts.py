"""Records of what was read about incidents. No text is made here, and nothing is asked.

Times are Unix seconds, ratios parts of 1. None is for what is not known.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

# The variables that the screen always speaks of, in its order; others are shown when they move.
VARIABLES = ("model", "prompt", "tools", "index", "judge", "traffic", "deploy", "flag")
SURFACES = ("provider", "retrieval", "tool")
MEMORY_S = 14 * 86400  # how far triage looks back for moves and observations, at time scale 1


@dataclass(frozen=True)
class Move:
    """A value of a variable that became active, or that came to matter."""

    variable: str
    scope: str
    value: str
    previous: str | None
    time_s: float


@dataclass(frozen=True)
class Variable:
    """A variable of a service: what moved near the onset, and since when it is the same.

    Attributes:
        name: The variable.
        moves: Moves from an hour before the onset on.
        same_since_s: Time since which it was observed without a move; None if it is not observed now.
        is_since_memory: True if that reaches as far back as triage looks.
        distance: Of traffic, the part of the mix that the day before did not have.
    """

    name: str
    moves: Sequence[Move] = ()
    same_since_s: float | None = None
    is_since_memory: bool = False
    distance: float | None = None


@dataclass(frozen=True)
class Suspect:
    """A value of a variable, and how much speaks for it as the cause.

    Attributes:
        variable: The variable.
        scope: The place in the program.
        value: The value.
        word: The verdict of the rules about it; None if they have none.
        odds: Odds, to one, that events with it are worse than the others of the same minutes.
        explained: Part of the excess of bad events that it explains.
        ratio: Bad events with it, as a part of the events with it.
        ratio_others: The same of the other values of its scope, in the same minutes.
        share: Its part of its scope now.
        share_before: The same before.
        move: Its move near the onset; None if it did not move.
        rarity: How much rarer a move that close to the onset is than one by chance.
        is_declared: True if a change event announced it; None if the service sends no change events.
        is_unlisted: True if the lock file does not have it; None if that is not known.
        is_tied: True if the same events had this and another value that is as likely.
    """

    variable: str
    scope: str
    value: str
    word: str | None = None
    odds: float | None = None
    explained: float | None = None
    ratio: float | None = None
    ratio_others: float | None = None
    share: float | None = None
    share_before: float | None = None
    move: Move | None = None
    rarity: float | None = None
    is_declared: bool | None = None
    is_unlisted: bool | None = None
    is_tied: bool = False


@dataclass(frozen=True)
class Sign:
    """One way in which a surface is ill: errors, latency, empty or rate_limited.

    Attributes:
        kind: The way.
        now: Part of its operations, or seconds at the 95th percentile if the kind is latency.
        usual: The same of the day before.
        since_s: Time since which it has been so.
    """

    kind: str
    now: float
    usual: float | None = None
    since_s: float | None = None


@dataclass(frozen=True)
class Surface:
    """A provider, an index or a tool; it is sick if it has signs.

    Attributes:
        surface: `provider`, `retrieval` or `tool`.
        name: Its name.
        signs: The ways in which it is ill.
        is_well: True if there is enough to say so; if it is neither sick nor well, there is too little.
        is_new: True if it has no earlier hour to be compared with.
        downstream: Peer and status of the requests below it that failed in bad events, the most frequent first.
    """

    surface: str
    name: str
    signs: Sequence[Sign] = ()
    is_well: bool = False
    is_new: bool = False
    downstream: Sequence[str] = ()


@dataclass(frozen=True)
class Onset:
    """The change point of the part of bad events.

    Attributes:
        step_s: Seconds between two times that are told apart.
        at_s: The most likely time.
        earliest_s: Start of the interval of 95 %.
        latest_s: Its end.
        events: Events since then.
        bad: Bad ones among them.
        ratio_before: Part of bad events before it.
    """

    step_s: float
    at_s: float
    earliest_s: float
    latest_s: float
    events: float
    bad: float
    ratio_before: float

    @property
    def ratio(self) -> float:
        """Return the part of bad events since the onset; an evaluation may see a bad event before it sees the event."""
        return min(1, self.bad / self.events)


@dataclass(frozen=True)
class Segment:
    """A segment of the traffic before and after the onset."""

    name: str
    share: float
    share_before: float
    ratio: float | None
    ratio_before: float | None


@dataclass(frozen=True)
class Mix:
    """The part of the excess of bad events that another mix of the same segments explains."""

    explained: float
    segments: Sequence[Segment]


@dataclass(frozen=True)
class Truth:
    """Error of the objective by its random labels, with an interval of 95 %."""

    labels: float
    error: float
    low: float
    high: float


@dataclass(frozen=True)
class Burn:
    """A budget that burns, by one indicator.

    Attributes:
        service: The service.
        environment: Its environment.
        slo: The objective.
        indicator: The indicator.
        type: `proxy` or `direct`.
        judge: The judge of the indicator, if it has one.
        judge_revision: Its revision.
        severity: `page` or `ticket`.
        since_s: Time at which it began to burn.
        ratio: Part of bad events now, over a short window.
        objective: Part of events that must be good.
        word: The verdict of the rules; None if they are older than this command.
        about: Variable, scope and value that the verdict is about, if it is about a value.
    """

    service: str
    environment: str
    slo: str
    indicator: str
    type: str
    judge: str | None
    judge_revision: str | None
    severity: str
    since_s: float
    ratio: float
    objective: float | None
    word: str | None
    about: tuple[str, str, str] | None = None

    @property
    def speed(self) -> float | None:
        """Return how many times too fast the budget is spent."""
        return self.ratio / (1 - self.objective) if self.objective not in (None, 1) else None


@dataclass(frozen=True)
class Contact:
    """The person who answers for an objective, and what is there to help."""

    owner: str | None = None
    runbook: str | None = None
    alert_since_s: float | None = None


@dataclass(frozen=True)
class Routine:
    """A place in which new values are usual, so that one is no move.

    reason: `daily`, `rendered`, `pool` or `model`, as slo/moves/appeared.py has it.
    """

    variable: str
    scope: str
    reason: str


@dataclass(frozen=True)
class Incident:
    """A burn with everything that was read about it.

    Attributes:
        at_s: Time of the snapshot.
        burn: The burn.
        onset: Its change point; None if none stands out.
        suspects: Values with evidence or a move, the strongest first.
        variables: All variables of the service.
        surfaces: All surfaces of the service that are observed.
        mix: The traffic before and after, if it shifted.
        truth: Random labels of the objective, if there are any.
        contact: Owner and runbook.
        traces: Trace ids of tagged operations since the onset.
        routines: Where new values within the last day were usual.
        schema_changes: Tools, and the fields of their schemas that a process saw change within the last day.
        time_scale: How many times faster the rules run than in production.
    """

    at_s: float
    burn: Burn
    onset: Onset | None = None
    suspects: Sequence[Suspect] = ()
    variables: Sequence[Variable] = ()
    surfaces: Sequence[Surface] = ()
    mix: Mix | None = None
    truth: Truth | None = None
    contact: Contact = field(default_factory=Contact)
    traces: Sequence[str] = ()
    routines: Sequence[Routine] = ()
    schema_changes: Sequence[tuple[str, str]] = ()
    time_scale: float = 1

    @property
    def sick(self) -> list[Surface]:
        """Return the surfaces that are sick."""
        return [surface for surface in self.surfaces if surface.signs]

    @property
    def onset_s(self) -> float:
        """Return the onset, or the begin of the burn if no change point stands out."""
        return self.onset.at_s if self.onset else self.burn.since_s


@dataclass(frozen=True)
class Calm:
    """A service in which no budget burns.

    Attributes:
        service: The service.
        environment: Its environment.
        budgets: What is left of the budget of each objective.
        observed: The variables that were observed within the hour.
        last_move: The latest move within the day.
    """

    service: str
    environment: str
    budgets: dict[str, float]
    observed: Sequence[str]
    last_move: Move | None


@dataclass(frozen=True)
class Snapshot:
    """All incidents at one time, the worst first, and the services that are calm."""

    at_s: float
    incidents: Sequence[Incident]
    calm: Sequence[Calm]
