"""Time that an instrumentation adds to the start of a program that does not use the client at all.

All instrumentations of a client share one entry-point name, so they cannot be told apart by
OTEL_PYTHON_DISABLED_INSTRUMENTATIONS. Instead every other one is hidden: a distribution of the same name without entry
points, first on the path, is the one that `importlib.metadata` sees.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

from bench.variants import VARIANTS, instrumenting_distributions

_NO_EXPORTERS = {f"OTEL_{signal}_EXPORTER": "none" for signal in ("TRACES", "METRICS", "LOGS")}


def hide_all_but(variant: str, folder: Path) -> None:
    """Fill a folder with stand-ins for every instrumentation that is not of this variant."""
    for name in instrumenting_distributions() - set(VARIANTS[variant].packages.values()):
        info = folder / f"{name.replace('-', '_')}-0.dist-info"
        info.mkdir(parents=True)
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 0\n")


def start(client: str, variant: str, folder: Path) -> dict[str, float]:
    """Return processor and wall time in milliseconds of `opentelemetry-instrument python -c pass`.

    folder: filled by `hide_all_but`. Of the packages left, those for other clients are switched off by name.
    """
    others = {name for name in VARIANTS["official"].packages if name != client}
    disabled = ",".join(sorted(others | {f"agentops_{name}" for name in others}))
    path = os.pathsep.join(part for part in (str(folder), os.environ.get("PYTHONPATH", "")) if part)
    environ = {
        **os.environ,
        **_NO_EXPORTERS,
        "PYTHONPATH": path,
        "OTEL_PYTHON_DISABLED_INSTRUMENTATIONS": disabled,
    }
    command = [str(Path(sys.executable).with_name("opentelemetry-instrument")), sys.executable, "-c", "pass"]
    before = time.perf_counter()
    process = subprocess.Popen(command, env=environ)
    _, status, used = os.wait4(process.pid, 0)
    wall = time.perf_counter() - before
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise RuntimeError(f"{' '.join(command)} with {variant} ended with exit code {process.returncode}")
    return {"cpu": (used.ru_utime + used.ru_stime) * 1000, "wall": wall * 1000}
