"""Virtual environments that hold just what a list of versions says; made anew only where they hold something else."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path

from packaging.utils import canonicalize_name
from packaging.version import Version

import toolchain

ROOT = Path(__file__).resolve().parents[1]
UV = ROOT / ".tools" / "bin" / "uv"
PYTHONS = ("3.10", "3.11", "3.12", "3.13")  # the supported ones


@cache
def interpreter(version: str) -> str | None:
    """A Python of this version that is here: this one, on PATH or of pyenv. None is downloaded."""
    pyenv = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv") / "versions"
    this = sys.executable if sys.version_info[:2] == tuple(map(int, version.split("."))) else None
    for candidate in (this, shutil.which(f"python{version}"), *map(str, sorted(pyenv.glob(f"{version}.*/bin/python")))):
        if candidate and subprocess.run([candidate, "-c", ""], capture_output=True, check=False).returncode == 0:
            return candidate
    return None


def resolve(what: str, asked: Sequence[str], options: Sequence[str], held: Sequence[str] = ()) -> str:
    """What uv resolves for these requirements, as lines `name==version`. Raises UnavailableError where it finds none.

    held: constraints, that are not asked for themselves.
    """
    with tempfile.TemporaryDirectory() as work:
        wanted, constraints, resolved = (Path(work) / name for name in ("asked.in", "held.txt", "resolved.txt"))
        wanted.write_text("\n".join(asked))
        constraints.write_text("\n".join(held))
        files = [str(wanted), *(["--constraint", str(constraints)] if held else []), "--output-file", str(resolved)]
        compiled = [str(UV), "pip", "compile", "--no-header", "--no-annotate", *options, *files]
        toolchain.run(f"resolving {what}", compiled, ROOT)
        return resolved.read_text()


def hold(place: Path, python: str, versions: str) -> None:
    """Make the environment hold these versions and us, for this interpreter. Raises UnavailableError."""
    place.parent.mkdir(parents=True, exist_ok=True)
    ours = (ROOT / "pyproject.toml").read_text()  # our entry points are installed with us
    stamp = hashlib.sha256("\n".join((python, versions, ours)).encode()).hexdigest()
    done = place / "holds"
    with toolchain.alone(place.with_name(f"{place.name}.lock"), str(place)):
        if done.exists() and done.read_text() == stamp:
            return
        toolchain.run(f"setting up {place}", [str(UV), "venv", "--clear", "--python", python, str(place)], ROOT)
        with tempfile.NamedTemporaryFile("w", suffix=".txt") as wanted:
            wanted.write(f"{versions}\n-e {ROOT}\n")
            wanted.flush()
            sync = [str(UV), "pip", "sync", "--python", str(place / "bin" / "python"), wanted.name]
            toolchain.run(f"installing {place.name}", sync, ROOT)
        done.write_text(stamp)


IMPORTED = """
import importlib, sys
for name in sys.argv[1:]:
    try:
        importlib.import_module(name)
    except ModuleNotFoundError as error:  # not every version has every module
        if (error.name or "").partition(".")[0] != name.partition(".")[0]:
            raise
"""


def imports(place: Path, modules: Sequence[str]) -> None:
    """Try to import these modules, as far as there are such. Raises UnavailableError where one cannot be imported.

    That a distribution can be installed for a Python is what it says; litellm 1.100 says so of 3.10, and needs 3.11.
    """
    toolchain.run(f"importing {', '.join(modules)}", [str(place / "bin" / "python"), "-c", IMPORTED, *modules], ROOT)


def installed(place: Path) -> dict[str, Version]:
    """What the environment holds."""
    listed = [str(UV), "pip", "list", "--quiet", "--python", str(place / "bin" / "python"), "--format", "json"]
    packages = json.loads(subprocess.check_output(listed, cwd=ROOT))
    return {canonicalize_name(package["name"]): Version(package["version"]) for package in packages}


def present(versions: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Those of these versions of Python that are here, each with its interpreter."""
    for version in versions:
        if (found := interpreter(version)) is not None:
            yield version, found
