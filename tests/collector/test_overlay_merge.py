"""The overlay adds to a collector's configuration and changes nothing of it."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from stack import BASE, OVERLAY, ROOT

pytestmark = pytest.mark.collector

CONFIGS = Path(__file__).parent / "configs"
BASES = {
    "typical": (BASE, "otlp"),
    "no_logs": (CONFIGS / "no_logs.yaml", "otlp"),
    "other_receiver": (CONFIGS / "other_receiver.yaml", "otlp/in"),
    "two_receivers": (CONFIGS / "two_receivers.yaml", "otlp/in,otlp/b"),
}
every_base = pytest.mark.parametrize("base", BASES)


def print_config(otelcol: Path, receiver: str, *configs: Path) -> str:
    """The configuration as the collector runs it, its defaults filled in. Raises where it would not start."""
    done = subprocess.run(
        [otelcol, "print-config", *(f"--config={config}" for config in configs)],
        env={**os.environ, "OTEL_AGENTOPS_RECEIVER": receiver},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def parse_yaml(text: str) -> Any:
    return YAML(typ="safe").load(text)


def find_changes(before: Any, after: Any, where: str = "") -> Iterator[str]:
    """Paths of what is not in `after` as it was; keys that are new do not matter."""
    if isinstance(before, Mapping) and isinstance(after, Mapping):
        for key, value in before.items():
            if key in after:
                yield from find_changes(value, after[key], f"{where}/{key}")
            else:
                yield f"{where}/{key} is gone"
    elif before != after:
        yield f"{where}: {before} became {after}"


@every_base
def test_every_key_and_list_of_the_base_is_unchanged(otelcol: Path, base: str) -> None:
    config, receiver = BASES[base]
    before = parse_yaml(print_config(otelcol, receiver, config))
    after = parse_yaml(print_config(otelcol, receiver, config, OVERLAY))
    assert list(find_changes(before, after)) == []
    assert after["service"]["pipelines"]["traces/otel_agentops"]["receivers"] == receiver.split(",")


@every_base
def test_overlay_twice_or_first_merges_the_same(otelcol: Path, base: str) -> None:
    config, receiver = BASES[base]
    once = print_config(otelcol, receiver, config, OVERLAY)
    assert print_config(otelcol, receiver, config, OVERLAY, OVERLAY) == once
    assert print_config(otelcol, receiver, OVERLAY, config) == once


def test_find_changes_reports_every_change() -> None:
    before = {"a": [1, 2], "b": {"c": 1, "d": 2}, "e": None}
    after = {"a": [1], "b": {"c": 1}, "e": None, "new": 1}
    assert list(find_changes(before, after)) == ["/a: [1, 2] became [1]", "/b/d is gone"]


def test_collector_names_a_missing_receiver(otelcol: Path) -> None:
    with pytest.raises(AssertionError, match='references receiver "otlp/other" which is not configured'):
        print_config(otelcol, "otlp/other", BASE, OVERLAY)


def test_tagging_changes_one_list(otelcol: Path) -> None:
    """As README tells for stored spans: the user's own list with three entries more, in the right place."""
    tagging = ROOT / "collector-config" / "examples" / "tagging.yaml"
    before = parse_yaml(print_config(otelcol, "otlp", BASE, OVERLAY))
    after = parse_yaml(print_config(otelcol, "otlp", BASE, OVERLAY, tagging))
    assert list(find_changes(before, after)) == [
        f"/service/pipelines/{signal}/processors: ['memory_limiter', 'batch'] became "
        "['memory_limiter', 'transform/otel_agentops', 'transform/otel_agentops_sli', 'transform/otel_agentops_lock', "
        "'batch']"
        for signal in ("logs", "traces")
    ]
