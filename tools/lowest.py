"""The ends of the declared ranges: the runtime's tests against the oldest supported versions, or the newest.

    python tools/lowest.py [--newest] [arguments of pytest]

An environment of its own (.venvs/lowest, .venvs/newest) gets what uv resolves for the dependencies of pyproject.toml
and the clients in the ranges of their adapters, on the oldest (newest) supported Python of this machine.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from importlib.metadata import entry_points
from pathlib import Path
from typing import NamedTuple

from packaging.requirements import Requirement
from packaging.version import Version

import toolchain

ROOT = Path(__file__).resolve().parents[1]
UV = ROOT / ".tools" / "bin" / "uv"
PYTHONS = ("3.10", "3.11", "3.12", "3.13")
# Not here: what needs a collector, which knows no Python package, and what compares us with another instrumentation.
TESTS = (
    *("tests/clients", "tests/runtime", "-m", "not collector"),
    "--ignore=tests/clients/openai/test_openai_official.py",
)


class End(NamedTuple):
    """One end of the ranges. name: of the environment. resolution: what uv calls it. pythons: first found is taken.

    constraints: on packages that only others require, so that their newest does not hold up what we require.
    """

    name: str
    resolution: str
    pythons: tuple[str, ...]
    constraints: tuple[str, ...] = ()

    @property
    def python(self) -> Path:
        """The interpreter of the environment."""
        return ROOT / ".venvs" / self.name / "bin" / "python"


# Newer ones of these want a newer typing-extensions than we and the clients do.
LOWEST = End("lowest", "lowest-direct", PYTHONS, ("anyio<4.13", "typing-inspection<0.4.3"))
NEWEST = End("newest", "highest", PYTHONS[::-1])


def clients() -> list[Requirement]:
    """The supported clients, each in the range that its adapter supports."""
    ours = (entry for entry in entry_points(group="opentelemetry_instrumentor") if entry.name.startswith("agentops_"))
    patched = (client for entry in ours for client in entry.load().clients)
    adapters = sorted(patched, key=lambda client: str(client.distribution))
    return [Requirement(client.distribution + client.versions) for client in adapters]


def set_up(end: End) -> dict[str, Version]:
    """Make the environment hold just what uv resolves for this end, and say what it holds."""
    home = end.python.parents[1]
    if not end.python.exists():
        python = next(_interpreters(end.pythons), sys.executable)
        toolchain.run(f"setting up {home}", [str(UV), "venv", "--clear", "--python", python, str(home)], ROOT)
    with tempfile.TemporaryDirectory() as work:
        asked, held, resolved = (Path(work) / name for name in ("asked.in", "constraints.txt", "resolved.txt"))
        asked.write_text("\n".join(map(str, clients())))
        held.write_text("\n".join(end.constraints))
        options = ["--extra", "cli", "--group", "testing", "--resolution", end.resolution, "--constraint", str(held)]
        files = ["pyproject.toml", str(asked), "--output-file", str(resolved), "--python", str(end.python)]
        toolchain.run(f"resolving the {end.name} versions", [str(UV), "pip", "compile", *options, *files], ROOT)
        with resolved.open("a") as requirements:
            requirements.write(f"-e {ROOT}\n")
        sync = [str(UV), "pip", "sync", "--python", str(end.python), str(resolved)]
        toolchain.run(f"installing the {end.name} versions", sync, ROOT)
        return {name: Version(number) for name, number in re.findall(r"^(\S+)==(\S+)", resolved.read_text(), re.M)}


def _interpreters(versions: Sequence[str]) -> Iterator[str]:
    """The Pythons of these versions that are here, in this order, on PATH or of pyenv. None is downloaded."""
    pyenv = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv") / "versions"
    for version in versions:
        for candidate in (shutil.which(f"python{version}"), *map(str, sorted(pyenv.glob(f"{version}.*/bin/python")))):
            if candidate and subprocess.run([candidate, "-c", ""], capture_output=True, check=False).returncode == 0:
                yield candidate


def test(end: End, arguments: Sequence[str] = TESTS) -> int:
    """Run tests in the environment of this end: pytest's exit code."""
    outside = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
    environment = {**outside, "PYTHONPATH": os.pathsep.join(str(ROOT / name) for name in ("examples", "tools"))}
    command = [str(end.python), "-m", "pytest", "-p", "no:cacheprovider", *arguments]
    return subprocess.run(command, cwd=ROOT, env=environment, check=False).returncode


def main(arguments: Sequence[str] | None = None) -> int:
    """Set up, say which versions, test."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--newest", action="store_true", help="the other end: the newest versions within the ranges")
    asked, rest = parser.parse_known_args(arguments)
    end = NEWEST if asked.newest else LOWEST
    versions = set_up(end)
    print(subprocess.check_output([str(end.python), "--version"], text=True).strip())
    print(*(f"{name} {version}" for name, version in versions.items()), sep=", ", flush=True)
    return test(end, rest or TESTS)


if __name__ == "__main__":
    sys.exit(main())
