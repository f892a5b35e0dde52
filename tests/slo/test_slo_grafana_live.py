"""Every query of every panel, asked of a real Prometheus that a running demo fills: it returns samples."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

import dashboards

pytestmark = [pytest.mark.collector, pytest.mark.slow]

PATIENCE = 120  # seconds for a busy machine; the story is told after 60


@pytest.mark.usefixtures("otelcol", "prometheus")
def test_every_query_of_every_panel_returns_samples(tmp_path: Path) -> None:
    asked = [one for path in dashboards.FILES for one in dashboards.queries(dashboards.read(path))]
    assert len(asked) > 60
    with dashboards.showing(tmp_path) as show:
        silent = asked
        while silent and time.time() < show.began + PATIENCE:
            show.go_on()
            silent = [one for one in silent if not show.found(one)]
            time.sleep(1)
    assert [one.id for one in silent] == []
