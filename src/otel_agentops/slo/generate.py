"""All generated files of the objectives, for every backend."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

from otel_agentops.slo import collector, grafana, honeycomb, prometheus, shipped
from otel_agentops.slo.links import NO_LINKS, Links
from otel_agentops.slo.spec import Slo
from otel_agentops.slo.units import EVALUATION_DELAY_S
from otel_agentops.written_files import Outcome, is_current, write_all_generated


def files(
    slos: Sequence[Slo],
    time_scale: float = 1.0,
    links: Links = NO_LINKS,
    formats: Collection[str] = prometheus.FORMATS[:1],
    evaluation_delay: float = EVALUATION_DELAY_S,
) -> dict[str, str]:
    """Return relative path to text, for all backends.

    Raises:
        ValueError: If an objective cannot be promised, or for a time scale out of range.
    """
    return {
        **collector.files(slos),
        **prometheus.files(slos, time_scale, links, formats, evaluation_delay),
        **grafana.files(slos, time_scale, links),
        **honeycomb.files(slos),
        **shipped.files(),
    }


def find_stale_files(texts: Mapping[str, str], directory: Path) -> list[Path]:
    """Return the files that are missing or different."""
    return [directory / path for path, text in texts.items() if not is_current(directory / path, text)]


def write(texts: Mapping[str, str], directory: Path, force: bool = False) -> list[Outcome]:
    """Write each file whole, or none if one of them is not ours to overwrite.

    Args:
        texts: Content by path, each with the mark of a generated file.
        directory: What the paths are relative to.
        force: Overwrite other files, too; a backup of each is kept.

    Raises:
        InputError: A file is not ours, or cannot be written.
    """
    return write_all_generated({directory / path: text for path, text in texts.items()}, force)
