"""Words of the rules: durations, windows under a time scale, and how much a counter grew since the last evaluation."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from otel_agentops.slo.units import format_duration, parse_window


@dataclass(frozen=True)
class Clock:
    """How long a nominal window lasts when everything is `scale` times faster."""

    scale: float

    @property
    def tick(self) -> int:
        """Return the seconds between two evaluations, which one sample of an `:increase` series covers."""
        return max(1, round(60 / self.scale))

    def to_seconds(self, nominal: str, ticks: int = 4) -> float:
        """Scale a window to seconds, never fewer than some ticks: a shorter one holds hardly any scrape."""
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


def make_rule(record: str, expr: str, **labels: str) -> dict[str, Any]:
    """Return a recording rule."""
    return {"record": record, "expr": expr, **({"labels": labels} if labels else {})}


def set_label(expression: str, label: str, value: str) -> str:
    """Return an expression whose series have a label of that value."""
    return f'label_replace({expression}, "{label}", "{value}", "", "")'


def express_growth(metric: str, clock: Clock) -> str:
    """Return how much each series of a counter grew since the evaluation before.

    `increase` extrapolates, loses what a series is born with, and is blind to what falls between two windows. Here the
    last value is compared with the last one before, so that the sum over many evaluations is what was counted:
    * after a gap of up to an hour (nominal) the value from before the gap is the one before;
    * a series that was born while its target was being scraped grew from 0. Where the target was not scraped, nobody
      knows how old the value is, and nothing is added;
    * after a reset it grew to its highest value, then from 0. Where it has overtaken that value already, what came
      between the last evaluation and the reset is not known, and not added. A reset that is overtaken between two
      scrapes is not seen, as with `increase`.
    """
    tick, gap = format_duration(clock.tick), clock.to_duration("1h", 20)
    last = f"last_over_time({metric}[{tick}])"
    before = f"""\
(
      last_over_time({metric}[{gap}] offset {tick})
      or {last} * 0 and on (job, instance) last_over_time(up[{format_duration(2 * clock.tick)}] offset {tick}) == 1
    )"""
    return f"""\
(
    {last} - {before}
    and min_over_time({metric}[{tick}]) >= {before}
    unless resets({metric}[{tick}]) > 0
  ) or (
    clamp_min((max_over_time({metric}[{tick}]) > {last}) - {before}, 0) + {last}
  ) or (
    {last} + 0 * {before}
  )"""
