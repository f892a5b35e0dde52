"""Cost of the overlay for a collector: the base alone and with it, in one run, in fresh processes that alternate.

python -m bench.load                       the table
python -m bench.load --spans 300000        shorter runs; what a scrape costs weighs more in them
python -m bench.load --with FILE ...       further configs beside the overlay, e.g. a fragment
"""

from __future__ import annotations

import argparse
import json
import statistics
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from bench.load.measure import Taken, run
from bench.load.traffic import make
from rich import box
from rich.console import Console
from rich.table import Table

import stack

# Per GenAI span, and of an exporting base at 8 % GenAI spans: what the overlay may cost.
MICROSECONDS, RATIO = 6.0, 1.25
MIXES = {"all GenAI": 1.0, "8 % GenAI": 0.08}
HASHES = (10, 1_000, 10_000)


def main() -> None:
    """Run, and print."""
    asked = _parser().parse_args()
    console = Console(width=120)
    taken: dict[str, Any] = {}
    mixes = Table("traffic", "base", "with overlay", "ratio", "µs a GenAI span", "RSS MiB", box=box.MARKDOWN)
    for name, part in MIXES.items():
        pairs = [_pair(asked, part) for _ in range(asked.rounds)]
        taken[name] = pairs
        mixes.add_row(name, *_row(pairs))
    console.print("CPU seconds per million spans, the base with an exporter; medians", mixes, sep="\n")
    growth = Table("prompt hashes", "series", "RSS MiB", "scrape ms", "CPU s / million spans", box=box.MARKDOWN)
    for hashes in HASHES:
        one = run(_configs(asked), make(1.0, hashes, max(40, hashes // 200)), asked.spans, overlay=True)
        taken[f"{hashes} hashes"] = one
        per = f"{one.seconds / one.spans * 1e6:.2f}"
        growth.add_row(f"{hashes:,}", f"{one.series:,}", f"{one.rss:.0f}", f"{one.scrape * 1000:.0f}", per)
    console.print(growth)
    if asked.json:
        asked.json.write_text(json.dumps(taken))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m bench.load", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--spans", type=int, default=1_000_000, help="spans of one measurement")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--overlay", type=Path, default=stack.OVERLAY)
    parser.add_argument("--with", dest="further", type=Path, nargs="*", default=[], help="configs after the overlay")
    parser.add_argument("--json", type=Path, help="write the samples to a file")
    return parser


def _configs(asked: argparse.Namespace) -> list[Path | str]:
    return [asked.overlay, *asked.further]


def _pair(asked: argparse.Namespace, part: float) -> tuple[Taken, Taken]:
    traffic = make(part, hashes=10)
    spans = asked.spans if part == 1 else 4 * asked.spans  # as long as the other: what is done each second weighs alike
    return run([], traffic, spans, overlay=False), run(_configs(asked), traffic, spans, overlay=True)


def _row(pairs: list[tuple[Taken, Taken]]) -> Iterator[str]:
    base = statistics.median(one.seconds / one.spans * 1e6 for one, _ in pairs)
    ours = statistics.median(two.seconds / two.spans * 1e6 for _, two in pairs)
    added = statistics.median((two.seconds - one.seconds) / two.genai * 1e6 for one, two in pairs)
    yield f"{base:.2f}"
    yield f"{ours:.2f}"
    yield f"{ours / base:.2f}"
    yield f"{added:.1f}"
    yield f"{max(one.rss for one, _ in pairs):.0f} / {max(two.rss for _, two in pairs):.0f}"


if __name__ == "__main__":
    main()
