"""An objective as YAML that a team would write: defaults are left out."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from otel_agentops._yaml import dump_text
from otel_agentops.slo.spec import Slo, SpecError

WIDTH = 10_000  # no line is broken


def render_text(slo: Slo, *comments: str) -> str:
    """Render the file, its comments first."""
    lines = (f"# {line}\n" for comment in comments for line in comment.splitlines())
    return "".join([*lines, dump_text(list_fields(slo), width=WIDTH)])


def list_fields(slo: Slo) -> dict[str, Any]:
    """Return what differs from the defaults, in the order of the model."""
    content = slo.model_dump(mode="json", exclude_defaults=True)
    return {key: content[key] for key in Slo.model_fields if key in content}


def plan_files(slos: Iterable[tuple[Slo, str]], directory: Path) -> dict[str, str]:
    """Return the name and text of a file for each objective and its comment.

    Raises:
        SpecError: If a file is there already and says something else.
    """
    texts: dict[str, str] = {}
    for slo, comment in slos:
        name, content = f"{slo.name}.yaml", render_text(slo, *([comment] if comment else []))
        there = directory / name
        if name in texts or (there.exists() and there.read_text("utf-8") != content):
            raise SpecError(f"{there}: is there already and says something else; move it away, or rename one of them")
        texts[name] = content
    return texts
