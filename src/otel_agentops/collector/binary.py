"""The user's own collector is asked: which version it is, which components it has, whether it takes the config."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from ruamel.yaml import YAML

from otel_agentops.collector.document import ConfigError

PROGRAMS = ("otelcol-contrib", "otelcol")
KINDS = ("receivers", "processors", "exporters", "connectors", "extensions")


class Collector(NamedTuple):
    """A collector. version: major, minor; None where it does not say one. components: kind to types."""

    path: Path
    version: tuple[int, int] | None
    components: Mapping[str, frozenset[str]]


def find(named: str | None, environ: Mapping[str, str]) -> Collector | None:
    """The collector that is named, `$OTELCOL`, or one on PATH. Raises ConfigError where what is named is none."""
    asked = named or environ.get("OTELCOL")
    candidates = [asked] if asked else list(PROGRAMS)
    path = next((found for one in candidates if (found := shutil.which(one))), None)
    if path is None and asked:
        raise ConfigError(f"{asked} is no program that can be run; name the collector with --otelcol")
    return None if path is None else _asked(Path(path))


def refused(collector: Collector, files: Sequence[Path], environ: Mapping[str, str]) -> str:
    """Why the collector does not take these files; empty where it does."""
    done = _run(collector.path, ["validate", *(f"--config={path}" for path in files)], environ)
    return "" if done.returncode == 0 else (done.stderr.strip() or f"it ended with {done.returncode}")


def _asked(path: Path) -> Collector:
    done = _run(path, ["components"], None)
    if done.returncode != 0:
        raise ConfigError(f"{path} components: {done.stderr.strip() or done.returncode}; is it a collector?")
    said = YAML(typ="safe").load(done.stdout)
    version = re.match(r"v?(\d+)\.(\d+)", str((said.get("buildinfo") or {}).get("version", "")))
    components = {kind: frozenset(one["name"] for one in said.get(kind) or ()) for kind in KINDS}
    return Collector(path, (int(version[1]), int(version[2])) if version else None, components)


def _run(path: Path, arguments: list[str], environ: Mapping[str, str] | None) -> subprocess.CompletedProcess[str]:
    command = [str(path), *arguments]
    try:
        return subprocess.run(command, capture_output=True, text=True, check=False, timeout=60, env=environ)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise ConfigError(f"{path} cannot be run: {error}") from None
