"""All generated files of the objectives, for every backend."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

from otel_agentops.slo import collector, grafana, honeycomb, prometheus, shipped
from otel_agentops.slo.links import NO_LINKS, Links
from otel_agentops.slo.spec import Slo


def files(
    slos: Sequence[Slo],
    time_scale: float = 1.0,
    links: Links = NO_LINKS,
    formats: Collection[str] = prometheus.FORMATS[:1],
) -> dict[str, str]:
    """Return relative path to text, for all backends.

    Raises:
        ValueError: If an objective cannot be promised, or for a time scale out of range.
    """
    return {
        **collector.files(slos),
        **prometheus.files(slos, time_scale, links, formats),
        **grafana.files(slos, time_scale, links),
        **honeycomb.files(slos),
        **shipped.files(),
    }


def find_stale_files(texts: Mapping[str, str], directory: Path) -> list[Path]:
    """Return the files that are missing or different."""
    paths = {directory / path: text for path, text in texts.items()}
    return [path for path, text in paths.items() if not (path.exists() and path.read_text("utf-8") == text)]


def write(texts: Mapping[str, str], directory: Path) -> None:
    """Write each file whole or not at all: Prometheus may reload at any moment."""
    for path, text in texts.items():
        file = directory / path
        file.parent.mkdir(parents=True, exist_ok=True)
        new = file.with_name(f"{file.name}.new")
        new.write_text(text, "utf-8")
        new.replace(file)
