"""Every query of every panel returns samples from a real Prometheus that a running demo fills."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

import dashboards

pytestmark = [pytest.mark.collector, pytest.mark.slow]

PATIENCE = 120  # seconds for a busy machine; the story is told after 60


@pytest.mark.usefixtures("otelcol", "prometheus")
def test_every_query_of_every_panel_returns_samples(tmp_path: Path) -> None:
    queries = [query for path in dashboards.FILES for query in dashboards.list_queries(dashboards.read_dashboard(path))]
    assert len(queries) > 60
    with dashboards.run_show(tmp_path) as show:
        silent = queries
        while silent and time.time() < show.start_time + PATIENCE:
            show.go_on()
            silent = [query for query in silent if not show.find_series(query)]
            time.sleep(1)
    assert [query.id for query in silent] == []
