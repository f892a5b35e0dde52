"""PromQL expressions: windows under a time scale, labels, and the growth of a counter."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypedDict

from otel_agentops.slo.units import format_duration, parse_window

# A recording rule has `record`, an alert `alert`, `annotations` and perhaps `for`.
Rule = TypedDict(
    "Rule",
    {"record": str, "alert": str, "expr": str, "for": str, "labels": dict[str, str], "annotations": dict[str, str]},
    total=False,
)


class RuleGroup(TypedDict):
    """Rules that Prometheus evaluates in order, each interval."""

    name: str
    interval: str
    rules: list[Rule]


class RuleFile(TypedDict):
    """A rule file as data."""

    groups: list[RuleGroup]


@dataclass(frozen=True)
class Clock:
    """Windows and the interval of evaluation when everything is `scale` times faster.

    Attributes:
        scale: How many times faster.
        delay: Seconds for which a sample may be on its way before a rule has to see it, at one evaluation a minute.
    """

    scale: float
    delay: float = 0

    @property
    def tick(self) -> int:
        """Return the seconds between two evaluations.

        One sample of an `:increase` series covers as many.
        """
        return max(1, round(60 / self.scale))

    def to_seconds(self, nominal: str, ticks: int = 4) -> float:
        """Scale a window to seconds, never fewer than some ticks.

        A shorter window holds a scrape or two, or none.
        """
        return max(parse_window(nominal) / self.scale, ticks * self.tick)

    def to_duration(self, nominal: str, ticks: int = 4) -> str:
        """Scale a window to a duration, for `offset`."""
        return format_duration(self.to_seconds(nominal, ticks))

    def to_range(self, nominal: str, ticks: int = 4) -> str:
        """Scale a window to a range of samples.

        It is 1 ms shorter, since Prometheus 2 counts a sample at the very start and 3 does not.
        """
        return format_duration(self.to_seconds(nominal, ticks) - 0.001)


def quote_string(text: str) -> str:
    """Return a string literal."""
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n") + '"'


def make_rule(record: str, expr: str, **labels: str) -> Rule:
    """Return a recording rule."""
    return {"record": record, "expr": expr, **({"labels": labels} if labels else {})}


def divide_counts(bad: str, events: str) -> str:
    """Return the bad part of events, at most 1; nothing without events.

    A scrape may fall between the two counters, so that a bad event is seen before the event itself.
    """
    return f"clamp_max({bad} / ({events} > 0), 1)"


def set_label(expression: str, label: str, value: str) -> str:
    """Return an expression whose series have a label of that value."""
    return f'label_replace({expression}, "{label}", "{value}", "", "")'


def express_growth(metric: str, clock: Clock) -> str:
    """Return how much each series of a counter grew since the evaluation before.

    `increase` extrapolates, loses the first value of a series, and does not see what falls between two windows. This
    expression compares the last value with the one before, so that the sum over many evaluations is the exact count,
    however often and in whatever phase the counter is scraped:
    * After a gap of up to an hour (nominal), the value from before the gap is the one before.
    * A series that began while its target was being scraped grew from 0, also if the scrape between failed. If the
      target was not scraped for an hour, nobody knows how old the value is, and nothing is added.
    * After a reset it grew to its highest value, then from 0. If it has passed that value already, the growth between
      the last evaluation and the reset is unknown and not added. A reset that is passed between two scrapes is not
      visible, as with `increase`.
    * A sample has the time at which its scrape began. One that can be read only after the evaluation of that time is
      lost, as is the growth of an evaluation that is left out: `delay` waits for the one, and
      OtelAgentopsCountsMissing reports both.
    """
    tick, delay = clock.tick, clock.delay * clock.tick / 60
    window = f"{metric}[{format_duration(tick)}]{f' offset {format_duration(delay)}' if delay else ''}"
    gap = f"[{clock.to_duration('1h', 20)}] offset {format_duration(tick + delay)}"
    last = f"last_over_time({window})"
    before = f"""\
(
      last_over_time({metric}{gap})
      or {last} * 0 and on (job, instance) max_over_time(up{gap}) == 1
    )"""
    return f"""\
(
    {last} - ({before} <= min_over_time({window}))
    unless resets({window}) > 0
  ) or (
    {last} + clamp_min(max_over_time({window}) * (max_over_time({window}) > bool {last}) - {before}, 0)
  )"""
