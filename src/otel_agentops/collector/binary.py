"""The user's own collector: its version, its components, and if it takes a config."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from ruamel.yaml import YAML

from otel_agentops._yaml import InputError

PROGRAMS = ("otelcol-contrib", "otelcol")
SECTIONS = ("receivers", "processors", "exporters", "connectors", "extensions")


class Collector(NamedTuple):
    """A collector that can be run.

    Attributes:
        path: The program.
        version: Major and minor; None if it does not say one.
        components: Types of components by section.
    """

    path: Path
    version: tuple[int, int] | None
    components: Mapping[str, frozenset[str]]


def find_collector(name: str | None, environ: Mapping[str, str]) -> Collector | None:
    """Return the collector of a name or path, else of `$OTELCOL`, else one on PATH.

    Raises:
        InputError: The one that is named is not a collector.
    """
    wanted = name or environ.get("OTELCOL")
    candidates = [wanted] if wanted else list(PROGRAMS)
    path = next((path for candidate in candidates if (path := shutil.which(candidate))), None)
    if path is None and wanted:
        raise InputError(f"{wanted} is no program that can be run; name the collector with --otelcol")
    return None if path is None else _inspect_program(Path(path))


def explain_refusal(collector: Collector, files: Sequence[Path], environ: Mapping[str, str]) -> str:
    """Return the reason why the collector does not take these files, empty if it takes them."""
    done = _run_program(collector.path, ["validate", *(f"--config={path}" for path in files)], environ)
    return "" if done.returncode == 0 else (done.stderr.strip() or f"it ended with {done.returncode}")


def _inspect_program(path: Path) -> Collector:
    done = _run_program(path, ["components"], None)
    if done.returncode != 0:
        raise InputError(f"{path} components: {done.stderr.strip() or done.returncode}; is it a collector?")
    content = YAML(typ="safe").load(done.stdout)
    version = re.match(r"v?(\d+)\.(\d+)", str((content.get("buildinfo") or {}).get("version", "")))
    components = {
        section: frozenset(component["name"] for component in content.get(section) or ()) for section in SECTIONS
    }
    return Collector(path, (int(version[1]), int(version[2])) if version else None, components)


def _run_program(
    path: Path, arguments: list[str], environ: Mapping[str, str] | None
) -> subprocess.CompletedProcess[str]:
    command = [str(path), *arguments]
    try:
        return subprocess.run(command, capture_output=True, text=True, check=False, timeout=60, env=environ)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise InputError(f"{path} cannot be run: {error}") from None
