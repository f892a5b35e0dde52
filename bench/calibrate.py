"""How often the generated rules of the evidence name a value that is no worse: E of at least 20 and 100 by chance.

python -m bench.calibrate                    40 days of each case
python -m bench.calibrate --days 200         more of them
python -m bench.calibrate --scale 300        with the rules of a time scale: an evaluation in five minutes
python -m bench.calibrate --seed 7           other days
python -m bench.calibrate --markdown         a table to paste

A day is a service with two values of a variable, ten tasks a minute. After six hours the budget "burns", so that the
evidence is summed for twelve hours and looked at in each minute. `rolling` are eighteen hours in which nothing burns:
the evidence of the last hour starts anew each minute, and has no promise.
"""

from __future__ import annotations

import argparse
import os
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import toolchain
from bench.detect.__main__ import show_rows
from bench.detect.world import LABEL, READ, SAMPLE, count_arrivals, write_json
from otel_agentops.semconv import attributes as A
from otel_agentops.slo import series as S
from otel_agentops.slo._promql import Clock
from otel_agentops.slo.evidence import build_evidence_rules
from otel_agentops.slo.evidence.increments import INDICATOR
from otel_agentops.slo.units import format_duration

BURNS, END = 6 * 60, 18 * 60  # nominal minutes
ODDS = (20, 100)
ALLOWED = {20: 0.05, 100: 0.01}
BATCH = 50  # days in one run of promtool
RECORDS = (  # from what came in each minute to the evidence
    S.SLI_VALUE_SHARE,
    S.SLI_VALUE_CONTRAST_INCREASE,
    S.SLI_BAD_SPREAD,
    S.SLI_VALUE_STEP,
    S.SLI_VALUE_LOG,
    S.SLI_VALUE_EVIDENCE,
)
HIGHEST, LOOKED = "bench:highest", "bench:looked"  # the highest E since somebody looks


@dataclass(frozen=True)
class Case:
    """A kind of day in which no value is worse than the other.

    Attributes:
        name: What the table calls it.
        share: The part of the tasks that use the new value.
        burst: Events of each task; all of them are bad if one is.
        outage: The part of bad tasks once the budget burns.
        is_burning: False for days without a burn.
    """

    name: str
    share: float
    burst: int = 1
    outage: float = 0.02
    is_burning: bool = True


CASES = (
    Case("share 5 %", 0.05),
    Case("share 30 %", 0.3),
    Case("bursts of 5, share 30 %", 0.3, burst=5),
    Case("all alike 2 -> 20 %, share 5 %", 0.05, outage=0.2),
    Case("all alike 2 -> 20 %, share 30 %", 0.3, outage=0.2),
    Case("rolling hour, share 30 %", 0.3, is_burning=False),
)


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.calibrate", description=__doc__)
    parser.add_argument("--days", type=int, default=40, help="of each case")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--jobs", type=int, default=1, help="runs of promtool at a time")
    parser.add_argument("--markdown", action="store_true")
    parser.add_argument("--scale", type=float, default=1, help="time scale of the rules")
    parser.add_argument("--case", default="", help="only cases whose name has this")
    options = parser.parse_args(arguments)
    started = time.monotonic()
    rows = [("case", "days", *(f"E >= {odds}" for odds in ODDS), "highest")]
    is_within = True
    with tempfile.TemporaryDirectory() as name, ThreadPoolExecutor(options.jobs) as pool:
        folder = Path(name)
        clock = Clock(options.scale)
        rules = [rule for rule in build_evidence_rules(clock) if rule.get("record") in RECORDS]
        evidence = f"{S.SLI_VALUE_EVIDENCE} and on ({INDICATOR}) {LOOKED}"
        higher = f"({S.SLI_VALUE_EVIDENCE} > {HIGHEST}) or {HIGHEST} or {evidence}"
        group = {
            "name": "evidence",
            "interval": format_duration(clock.tick),
            "rules": [*rules, {"record": HIGHEST, "expr": higher}],
        }
        write_json(folder / "rules.yaml", {"groups": [group]})
        for case in [each for each in CASES if options.case in each.name]:
            batches = [
                (case, clock, f"{options.seed} {case.name} {first}", min(BATCH, options.days - first), folder)
                for first in range(0, options.days, BATCH)
            ]
            highest = [odds for batch in pool.map(lambda each: simulate_days(*each), batches) for odds in batch]
            parts = {odds: sum(each >= odds for each in highest) / len(highest) for odds in ODDS}
            is_within = is_within and not (case.is_burning and any(parts[odds] > ALLOWED[odds] for odds in ODDS))
            print(f"{case.name}: {len(highest)} days, {parts}, highest {max(highest):.1f}", file=sys.stderr, flush=True)
            rows.append((case.name, str(len(highest)), *(f"{parts[odds]:.1%}" for odds in ODDS), f"{max(highest):.1f}"))
    show_rows(rows, "markdown" if options.markdown else "plain")
    print(f"allowed: {', '.join(f'{part:.0%} for {odds}' for odds, part in ALLOWED.items())}")
    print(f"{time.monotonic() - started:.0f} s")
    return 0 if is_within else 1


def simulate_days(case: Case, clock: Clock, seed: str, days: int, folder: Path) -> list[float]:
    """Return the highest E of the new value on each day."""
    tick = format_duration(clock.tick)
    chance = random.Random(seed)
    series = [each for day in range(days) for each in _build_day(case, clock, f"day{day}", chance)]
    query = f'max by (service_name) ({HIGHEST}{{value="new"}})'
    test = {
        "expr": query,
        "eval_time": format_duration(END * 60 / clock.scale),
        "exp_samples": [{"labels": "nothing", "value": 0}],
    }
    content = {"interval": tick, "input_series": series, "promql_expr_test": [test]}
    file = folder / f"{seed.replace(' ', '_').replace('%', '').replace('>', '')}.test.yaml"
    write_json(file, {"rule_files": ["rules.yaml"], "evaluation_interval": tick, "tests": [content]})
    command = [toolchain.find("promtool"), "test", "rules", file]
    done = subprocess.run(command, capture_output=True, text=True, env={**os.environ, "GOGC": "800"})
    match = READ.search(done.stdout + done.stderr)
    assert match, done.stdout[-2000:] + done.stderr[-2000:]
    odds = {
        dict(LABEL.findall(each["labels"]))["service_name"]: float(each["value"])
        for each in SAMPLE.finditer(match["got"])
    }
    assert len(odds) == days, odds
    return [*odds.values()]


def _build_day(case: Case, clock: Clock, service: str, chance: random.Random) -> Iterator[dict[str, str]]:
    """Yield what came of the two values in each minute, the bad events of all, and the burn."""
    minutes = clock.tick * clock.scale / 60  # in each evaluation
    begin, end = round(BURNS / minutes), round(END / minutes)
    counts = {(value, kind): [0] * (end + 1) for value in ("old", "new") for kind in ("events", "bad")}
    for tick in range(end + 1):
        ratio = case.outage if tick >= begin else 0.02
        for _ in range(round(count_arrivals(10 * minutes / case.burst, chance))):
            value = "new" if chance.random() < case.share else "old"
            counts[value, "events"][tick] += case.burst
            counts[value, "bad"][tick] += case.burst if chance.random() < ratio else 0
    own = {A.SERVICE_NAME: service, A.SLI_NAME: "task_completed", A.SLI_TYPE: "proxy"}
    for (value, kind), increments in counts.items():
        record = S.SLI_VALUE_EVENTS_INCREASE if kind == "events" else S.SLI_VALUE_BAD_INCREASE
        name = _name_series(record, {**own, "variable": "model", "scope": "gpt-x", "value": value})
        yield {"series": name, "values": " ".join(map(str, increments))}
    bad = [sum(pair) for pair in zip(counts["old", "bad"], counts["new", "bad"], strict=True)]
    yield {"series": _name_series(S.SLI_BAD_INCREASE, own), "values": " ".join(map(str, bad))}
    start = begin if case.is_burning else 0
    yield {"series": _name_series(LOOKED, own), "values": f"{'_ ' * start}1x{end - start}"}
    if case.is_burning:
        since = _name_series(S.SLO_BURN_SINCE, {**own, "slo": "answers", "severity": "page"})
        yield {"series": since, "values": f"{'_ ' * begin}{begin * clock.tick}x{end - begin}"}


def _name_series(name: str, labels: dict[str, str]) -> str:
    pairs = (f'{S.spell_label(key)}="{value}"' for key, value in labels.items())
    return f"{name}{{{', '.join(pairs)}}}"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
