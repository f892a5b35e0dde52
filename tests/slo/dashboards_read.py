"""Dashboards as data: their panels and queries, with the variables filled in as Grafana fills them."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from generate import ROOT

DIRECTORY = ROOT / "backends" / "grafana"
FILES = sorted(DIRECTORY.glob("*.json"))


class Asked(NamedTuple):
    """One query of a panel."""

    dashboard: str
    panel: str
    letter: str
    expr: str
    instant: bool

    @property
    def id(self) -> str:
        return f"{self.dashboard}: {self.panel} {self.letter}"


def read(path: Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads(path.read_text("utf-8"))
    return content


def panels(content: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Those that show something."""
    return [panel for panel in content["panels"] if panel["type"] != "row"]


def queries(content: Mapping[str, Any]) -> Iterator[Asked]:
    for panel in panels(content):
        for target in panel["targets"]:
            yield Asked(content["uid"], panel["title"], target["refId"], target["expr"], target["instant"])


def filled(expr: str, variables: Mapping[str, str] | None = None) -> str:
    """With `.*` for all services, as `All` is, and with the windows of a dashboard that shows an hour."""
    values = {**ALL, **(variables or {})}
    for name in sorted(values, key=len, reverse=True):
        expr = expr.replace(f"${name}", values[name])
    return expr


ALL = {"service": ".*", "environment": ".*", "slo": ".*", "__rate_interval": "1m", "__range": "1h"}
