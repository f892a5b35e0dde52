"""Objectives as Terraform for Honeycomb: calculated fields, SLOs, burn alerts, a board, markers.

https://github.com/honeycombio/terraform-provider-honeycombio/tree/main/docs ; README.md says how to apply it.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from otel_agentops.slo.honeycomb import board, columns, markers, objectives, settings
from otel_agentops.slo.honeycomb._terraform import HEAD, render_file
from otel_agentops.slo.spec import Slo


def files(slos: Sequence[Slo]) -> dict[str, str]:
    """Return relative path to text. No window is scaled: the shortest that Honeycomb has is an hour."""
    contents = {
        "settings": settings.build_content(),
        "columns": columns.build_content(slos),
        "objectives": objectives.build_content(slos),
        "board": board.build_content(slos),
        "markers": markers.build_content(),
    }
    return {f"honeycomb/{name}.tf.json": render_file(content) for name, content in contents.items() if content}


def notes(slos: Sequence[Slo]) -> list[str]:
    """Return a sentence for each objective that has no SLO in Honeycomb."""
    return [
        f"{slo.name}: honeycomb: takes no objective above {objectives.HIGHEST} %, so there is no SLO of it there"
        for slo in slos
        if objectives.get_percent(slo) > objectives.HIGHEST
    ]


def find_superseded_files(directory: Path) -> list[Path]:
    """Return the files of earlier versions, which define the same resources a second time.

    Args:
        directory: The one that `files` are written to.
    """
    written = sorted((directory / "honeycomb").glob("*.tf"))
    return [path for path in written if path.read_text("utf-8").startswith(f"# {HEAD}")]
