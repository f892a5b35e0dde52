"""Simulated services over the rules of slo/, by promtool: which variable was named when; exit code 1 for a miss.

python -m bench.detect                     everything; the fortnight in which nothing happens takes long
python -m bench.detect --part causes       what is named for a burn, in many runs of each cause
python -m bench.detect --part quiet        fortnights with the counters by value in which nothing goes wrong
python -m bench.detect --part causes --seeds 5 --case canary
python -m bench.detect --calm-scale 300    the fortnight with the rules of a time scale: an evaluation in five minutes
python -m bench.detect --days 2 --seed 7   a shorter fortnight, other arrivals
python -m bench.detect --markdown          a table to paste
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import toolchain
from bench.detect import outcomes
from bench.detect.cases import DAY, HOUR, list_moving, list_quiet, list_restarted, list_shifting
from bench.detect.causes import list_causes
from bench.detect.outcomes import simulate_cause
from bench.detect.quiet import HEAD as quiet_head  # noqa: N811
from bench.detect.quiet import simulate_fortnights
from bench.detect.verdict import Setting, Verdict, build_first_rule, simulate_cases
from bench.detect.world import World, write_json
from otel_agentops import slo
from otel_agentops.slo import prometheus
from otel_agentops.slo._promql import Clock
from stack import ROOT

PARTS = ("moves", "quiet", "causes")
HEAD = ("case", "burns", "told as moved", "named for the burn", "false alarms", "")


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.detect", description=__doc__)
    parser.add_argument("--days", type=float, default=14, help="how long nothing happens")
    parser.add_argument("--calm-scale", type=float, default=1, help="time scale of that")
    parser.add_argument("--seed", type=int, default=1, help="of the arrivals")
    parser.add_argument("--markdown", action="store_true")
    parser.add_argument("--part", choices=PARTS, help="one of them; else all")
    parser.add_argument("--seeds", type=int, default=20, help="runs of each cause")
    parser.add_argument("--case", default="", help="only causes and quiet services whose name has this")
    options = parser.parse_args(arguments)
    style, is_good = "markdown" if options.markdown else "plain", True
    if options.part in (None, "moves"):
        verdicts = run_settings(build_settings(options.seed, options.days, options.calm_scale))
        show_rows([HEAD, *(verdict.build_row() for verdict in verdicts)], style)
        is_good = all(verdict.is_good for verdict in verdicts)
    if options.part in (None, "quiet"):
        with tempfile.TemporaryDirectory() as name:
            figures = options.days, options.calm_scale, options.seed, options.case
            quiet = simulate_fortnights(toolchain.find("promtool"), Path(name), *figures)
        show_rows([quiet_head, *(each.build_row() for each in quiet)], style)
        is_good = is_good and not any(each.alarms or each.names for each in quiet)
    if options.part in (None, "causes"):
        causes = [cause for cause in list_causes() if options.case in cause.name]
        seeds, rows = range(options.seed, options.seed + options.seeds), [outcomes.HEAD]
        with tempfile.TemporaryDirectory() as name:
            for cause in causes:
                runs = simulate_cause(toolchain.find("promtool"), Path(name), cause, seeds)
                rows.append(outcomes.build_row(cause, runs))
                is_good = is_good and outcomes.is_good(cause, runs)
                print(*rows[-1], sep=" | ", file=sys.stderr, flush=True)
        show_rows(rows, style)
    return 0 if is_good else 1


def build_settings(seed: int, days: float, calm_scale: float) -> list[Setting]:
    """Return the runs of promtool.

    A mix of traffic has to be known for a day before it can shift.
    """
    clock, calm = Clock(1), list(list_quiet())
    return [
        *(Setting(half, 0, World((), days * DAY, Clock(calm_scale), seed)) for half in (calm[::2], calm[1::2])),
        Setting(list(list_moving(12 * HOUR)), 12 * HOUR, World((), 17 * HOUR, clock, seed)),
        Setting(list(list_shifting(30 * HOUR)), 30 * HOUR, World((), 32 * HOUR, clock, seed)),
        Setting(list(list_restarted(12 * HOUR)), 12 * HOUR, World((), 14 * HOUR, clock, seed, restart=12 * HOUR + 3)),
    ]


def run_settings(settings: Sequence[Setting]) -> list[Verdict]:
    """Run all settings, two at a time; those in which something moves come first."""
    promtool = toolchain.find("promtool")
    with tempfile.TemporaryDirectory() as name, ThreadPoolExecutor(2) as pool:
        folder = Path(name)
        for scale in {each.world.clock.scale for each in settings}:
            write_json(folder / f"rules{scale}.yaml", select_rules(scale))
        verdicts_by_setting = pool.map(
            lambda each: simulate_cases(promtool, folder / f"rules{each.world.clock.scale}.yaml", folder, each),
            settings,
        )
        verdicts = [verdict for verdicts in verdicts_by_setting for verdict in verdicts]
    return sorted(verdicts, key=lambda verdict: not verdict.case.culprits)


def select_rules(scale: float) -> dict[str, object]:
    """Return the rules whose series these worlds have."""
    groups = prometheus.build_rules(slo.load(ROOT / "slo"), scale)["groups"]
    chosen_groups = [group for group in groups if group["name"].rpartition("_")[2] in ("sli", "variables", "standing")]
    assert len(chosen_groups) == 3
    return {
        "groups": [
            *chosen_groups,
            {"name": "bench", "interval": chosen_groups[0]["interval"], "rules": [build_first_rule()]},
        ]
    }


def show_rows(rows: Sequence[Sequence[str]], style: str) -> None:
    """Print a table, of which the first row is the head."""
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    edge = "| " if style == "markdown" else ""
    for number, row in enumerate(rows):
        cells = [cell.ljust(width) for cell, width in zip(row, widths, strict=True)]
        print(edge + (" | " if edge else "  ").join(cells).rstrip() + (" |" if edge else ""))
        if number == 0 and edge:
            print("|" + "---|" * len(rows[0]))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
