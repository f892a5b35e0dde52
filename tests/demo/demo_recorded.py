"""A recorded run of the stack: healthy, the alias repointed, restored, the tools published with a renamed argument."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, NamedTuple

from demo.embedded import Scrape

RECORDED = Path(__file__).with_name("recorded.json")


class Recorded(NamedTuple):
    """The counters of a run, a scrape a second. moved: what was moved, and after how many seconds."""

    scrapes: list[Scrape]
    moved: dict[str, float]


def recorded() -> Recorded:
    content: dict[str, Any] = json.loads(RECORDED.read_text())
    series = [(name, frozenset(labels.items())) for name, labels in content["series"]]
    scrapes = [
        Scrape(at, {one: value for one, value in zip(series, values, strict=True) if value is not None})
        for at, values in content["scrapes"]
    ]
    return Recorded(scrapes, content["moved"])
