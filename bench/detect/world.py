"""A simulated world as counters: the scrapes of a Prometheus, and promtool to run the rules over them."""

from __future__ import annotations

import json
import os
import random
import re
import subprocess
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from otel_agentops.semconv import attributes as A
from otel_agentops.semconv import metrics as M
from otel_agentops.slo._promql import Clock
from otel_agentops.slo.units import format_duration
from otel_agentops.slo.variables import VARIABLES

Rate = Callable[[float], float]  # nominal minute → how often in that minute
BORN = 4  # evaluations of a scraped target after which the first series appears


@dataclass(frozen=True)
class Counter:
    """A counter that grows at a rate, from the first minute at which it is above 0, or from `born`."""

    metric: str
    labels: Mapping[str, str]
    rate: Rate
    born: float | None = None


def count_observations(service: str, variable: str, value: str, rate: Rate, scope: Sequence[str] = ()) -> Counter:
    """Return the counter of a value; `scope` has the values of its scope."""
    metric, parts, key = VARIABLES[variable]
    labels = dict(zip(parts, scope or ["x"] * len(parts), strict=True)) | {key: value}
    return Counter(metric, {A.SERVICE_NAME: service, **labels}, rate)


def count_verdicts(
    service: str, sli: str, kind: str, labels: Mapping[str, str], rate: Rate, bad: Rate
) -> Iterator[Counter]:
    """Yield the pair of counters of an indicator.

    Args:
        service: Its service.name.
        sli: Name of the indicator.
        kind: proxy or direct.
        labels: Further attributes of its points.
        rate: How often there is an event.
        bad: The part of the events that is bad.
    """
    sli_labels = {A.SERVICE_NAME: service, A.SLI_NAME: sli, A.SLI_TYPE: kind, **labels}
    yield Counter(M.SLI_EVENTS, sli_labels, rate)
    yield Counter(M.SLI_BAD, sli_labels, lambda minute: rate(minute) * bad(minute), born=0)


def keep_rate(rate: float) -> Rate:
    """Return a rate that never changes."""
    return lambda _: rate


def step_rates(*parts: tuple[float, float]) -> Rate:
    """Return a rate that changes at each minute; 0 before the first one."""
    return lambda minute: next((rate for start, rate in reversed(parts) if minute >= start), 0.0)


@dataclass(frozen=True)
class World:
    """Counters over some nominal minutes. seed: arrivals are a Poisson process; without one they are even."""

    counters: Sequence[Counter]
    minutes: float
    clock: Clock
    seed: int | None = None
    restart: float | None = None  # the minute in which the collector starts anew, and is away for two evaluations

    def count_ticks(self) -> int:
        """Return the number of evaluations."""
        return round(self.minutes * 60 / self.clock.scale / self.clock.tick)

    def build_series(self) -> list[dict[str, str]]:
        """Return the series as promtool reads them."""
        each = self.clock.tick * self.clock.scale / 60
        down = None if self.restart is None else round(self.restart / each)
        up = ["0" if down is not None and down <= tick < down + 2 else "1" for tick in range(self.count_ticks() + 1)]
        all_series = [{"series": 'up{job="otelcol", instance="c"}', "values": " ".join(up)}]
        for number, counter in enumerate(self.counters):
            chance = None if self.seed is None else random.Random(f"{self.seed} {number}")
            increments = [
                count_arrivals(counter.rate(tick * each) * each, chance) for tick in range(self.count_ticks() + 1)
            ]
            all_series.append(
                {"series": _name_series(counter), "values": " ".join(_scrape_counter(counter, increments, each, down))}
            )
        return _drop_unseen(all_series)


def _drop_unseen(series: list[dict[str, str]]) -> list[dict[str, str]]:
    """Drop series without a sample."""
    return [one for one in series if set(one["values"].split()) != {"_"}]


def _name_series(counter: Counter) -> str:
    labels = {A.DEPLOYMENT_ENVIRONMENT_NAME: "prod", **counter.labels}
    pairs = {"job": "otelcol", "instance": "c", **{key.replace(".", "_"): value for key, value in labels.items()}}
    matchers = ", ".join(f'{key}="{value}"' for key, value in pairs.items())
    return f"{M.METRICS[counter.metric].prometheus}{{{matchers}}}"


def count_arrivals(expected: float, chance: random.Random | None) -> float:
    """Count how many waiting times fit, which is Poisson's definition."""
    if chance is None or not expected:
        return expected
    if expected > 50:
        return max(0, round(chance.gauss(expected, expected**0.5)))
    count, waiting = 0, chance.expovariate(expected)
    while waiting < 1:
        count, waiting = count + 1, waiting + chance.expovariate(expected)
    return count


def _scrape_counter(counter: Counter, increments: Sequence[float], each: float, down: int | None) -> Iterator[str]:
    """Yield the samples of a counter.

    There is none before the series begins, none while the collector is away, and then none until it grows.
    """
    total, born = 0.0, False
    for tick, more in enumerate(increments):
        if down is not None and down <= tick < down + 2:
            total, born = 0.0, False
            yield "stale" if tick == down else "_"
            continue
        total += more if tick >= BORN else 0
        born = born or int(total) > 0 or (tick >= BORN and counter.born is not None and tick * each >= counter.born)
        yield str(int(total)) if born else "_"


READ = re.compile(r'expr: "(?P<expr>.*)", time: .*,\n\s*exp: .*\n\s*got: (?P<got>.*)')
SAMPLE = re.compile(r"\{(?P<labels>[^}]*)\} (?P<value>\S+?)(?:,|$)")
LABEL = re.compile(r'(\w+)="((?:[^"\\]|\\.)*)"')


def evaluate(
    promtool: Path, world: World, rules: Path, folder: Path, *exprs: str
) -> dict[str, dict[tuple[str, ...], float]]:
    """Evaluate expressions at the end, by the values of their sorted labels."""
    answers = query_end(promtool, folder, rules, world.clock, world.build_series(), world.minutes, exprs)
    return {
        expr: {tuple(value for _, value in sorted(labels.items())): value for labels, value in samples}
        for expr, samples in answers.items()
    }


def query_end(
    promtool: Path,
    folder: Path,
    rules: Path,
    clock: Clock,
    series: Sequence[Mapping[str, str]],
    minute: float,
    exprs: Sequence[str],
) -> dict[str, list[tuple[dict[str, str], float]]]:
    """Run rules over series and return the samples of expressions at a nominal minute.

    promtool shows only what differs from the expectation, so each expectation is impossible. It evaluates groups in
    any order that it is not told, which moves times by an evaluation from run to run.
    """
    at, tick = format_duration(minute * 60 / clock.scale), format_duration(clock.tick)
    tests = [{"expr": expr, "eval_time": at, "exp_samples": [{"labels": "nothing", "value": 0}]} for expr in exprs]
    content = {"interval": tick, "input_series": series, "promql_expr_test": tests}
    file = folder / f"{uuid.uuid4().hex}.test.yaml"
    order = [group["name"] for group in json.loads(rules.read_text())["groups"]]
    settings = {"rule_files": [str(rules)], "evaluation_interval": tick, "group_eval_order": order}
    write_json(file, {**settings, "tests": [content]})
    # It makes much garbage and keeps little; collecting that less often takes a quarter off its time.
    variables = {**os.environ, "GOGC": "800"}
    result = subprocess.run([promtool, "test", "rules", file], capture_output=True, text=True, env=variables)
    file.unlink()
    answers = {
        match["expr"].replace('\\"', '"'): [
            (dict(LABEL.findall(sample["labels"])), float(sample["value"])) for sample in SAMPLE.finditer(match["got"])
        ]
        for match in READ.finditer(result.stdout + result.stderr)
    }
    assert len(answers) == len(set(exprs)), result.stdout[-2000:] + result.stderr[-2000:]
    return answers


def write_json(file: Path, content: Mapping[str, object]) -> None:
    """Write JSON, which is YAML and a hundred times faster to write."""
    file.write_text(json.dumps(content))
