"""The ends of the declared ranges: an environment for each client and end, and the client's tests in it.

    python tools/ends.py [--client NAME] [--end oldest|newest] [--fresh | --lock] [arguments of pytest]

A client is the name of its entry point without `agentops_`; an adapter that patches two distributions has environments
for each. `runtime` is the package itself with its command line, and the oldest versions of all that it requires.
What uv resolved is kept beside the tests (tests/clients/<client>/<distribution>-oldest.txt; `-newest.txt` where the
development environment lacks the client) and holds while what is asked for is the same. `--lock` writes it, `--fresh`
leaves it aside. Beside the client an environment has the group `ends` of pyproject.toml and, where they exist, what
requirements.txt and <distribution>-<end>.in in the client's folder ask for; a line `--only-binary numpy` there leaves
out a Python for which it would have to be compiled.
"""

from __future__ import annotations

import argparse
import hashlib
import importlib.metadata
import os
import re
import subprocess
import sys
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from pathlib import Path
from typing import NamedTuple

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

import toolchain
import venvs
from otel_agentops._patching import PatchedLibrary
from venvs import PYTHONS, ROOT

OLDEST, NEWEST = "oldest", "newest"
RESOLUTION = {OLDEST: "lowest-direct", NEWEST: "highest"}  # as uv calls them
KEPT = re.compile(r"on Python (\S+), from (\w+)$", re.MULTILINE)


class Environment(NamedTuple):
    """What is tested at one end. asked: requirements, beside those that `options` name to uv.

    home: of the tests and of the file with the versions. held: constraints on packages that only others require, at
    the oldest end, so that their newest does not hold up what we require. modules: those that the adapter patches.
    """

    client: str
    name: str
    end: str
    home: Path
    asked: tuple[str, ...]
    options: tuple[str, ...]
    tests: tuple[str, ...]
    held: tuple[str, ...] = ()
    modules: tuple[str, ...] = ()

    def __str__(self) -> str:
        return f"{self.name}-{self.end}"

    @property
    def place(self) -> Path:
        """The folder of the virtual environment."""
        return ROOT / ".venvs" / "ends" / str(self)

    @property
    def kept(self) -> Path:
        """The file with the versions that uv resolved."""
        return self.home / f"{self}.txt"

    @property
    def pythons(self) -> tuple[str, ...]:
        """The supported Pythons; the first is taken for which uv finds versions that can be installed and imported."""
        return PYTHONS if self.end == OLDEST else PYTHONS[::-1]

    @property
    def inputs(self) -> str:
        """One short number for all that the versions follow from: versions that were made from another are stale."""
        project = (ROOT / "pyproject.toml").read_text()
        ours = re.findall(r"^(?:dependencies|cli|ends|testing) = \[.*?^\]", project, re.MULTILINE | re.DOTALL)
        what = (*self.asked, *self.options, *self.held, *self.pythons, RESOLUTION[self.end], *ours)
        return hashlib.sha256("\n".join(what).encode()).hexdigest()[:12]

    @property
    def stale(self) -> str | None:
        """Why the kept versions do not hold; None where they do."""
        if not self.kept.exists():
            return f"{self.kept.relative_to(ROOT)} is missing"
        if (made := KEPT.search(self.kept.read_text())) is None or made[2] != self.inputs:
            return f"{self.kept.relative_to(ROOT)} was made for other ranges or requirements"
        return None


def environments() -> list[Environment]:
    """The runtime and every client, at both ends."""
    return [environment for end in RESOLUTION for environment in (_runtime(end), *_clients(end))]


def needed() -> list[Environment]:
    """All but the newest that the development environment has, in the version of uv.lock."""
    return [each for each in environments() if each.end == OLDEST or not (each.name == "runtime" or _here(each.name))]


def lacking(client: str) -> str | None:
    """The distribution that this environment lacks to run the tests of a client; None where it can."""
    names = [requirement.name for requirement in adapters().get(client, ())]
    return None if not names or any(map(_here, names)) else names[0]


def _here(distribution: str) -> bool:
    try:
        return bool(importlib.metadata.version(distribution))
    except importlib.metadata.PackageNotFoundError:
        return False


@cache
def adapters() -> dict[str, list[Requirement]]:
    """The name of each client and its distributions, in the ranges that the adapter supports."""
    return {
        name: [Requirement(canonicalize_name(client.distribution) + client.versions) for client in patched]
        for name, patched in _patched().items()
    }


def _patched() -> dict[str, tuple[Client, ...]]:
    found = importlib.metadata.entry_points(group="opentelemetry_instrumentor")
    ours = {entry.name.removeprefix("agentops_"): entry for entry in found if entry.name.startswith("agentops_")}
    return {name: ours[name].load().libraries for name in sorted(ours)}


def _clients(end: str) -> Iterator[Environment]:
    for client, patched in _patched().items():
        home = ROOT / "tests" / "clients" / client
        for requirement, library in zip(adapters()[client], patched, strict=True):
            name = requirement.name
            beside = (*_lines(home / "requirements.txt"), *_lines(home / f"{name}-{end}.in"))
            asked = (str(requirement), *beside)
            modules = tuple(dict.fromkeys(target.module for target in library.targets))
            tests = (str(home.relative_to(ROOT)),)
            yield Environment(client, name, end, home, asked, ("--group", "ends"), tests, modules=modules)


def _lines(file: Path) -> list[str]:
    """The requirements in a file; none where there is no file."""
    lines = (line.partition(" #")[0].strip() for line in file.read_text().splitlines()) if file.exists() else ()
    return [line for line in lines if line and not line.startswith("#")]


def _runtime(end: str) -> Environment:
    # The runtime's tests call these two clients. Another's requirements would hold up the oldest versions of ours.
    asked = tuple(str(requirement) for client in ("anthropic", "openai") for requirement in adapters()[client])
    options = ("--extra", "cli", "--group", "ends", "--group", "testing")
    # A collector knows no Python package, and the README's table needs every client.
    general = {path.name for path in (ROOT / "tests" / "clients").glob("test_*.py")} - {"test_support.py"}
    tests = ("tests/runtime", *(f"tests/clients/{name}" for name in sorted(general)), "-m", "not collector")
    # Newer ones of these want a newer typing-extensions than we and the clients do.
    held = ("anyio<4.13", "typing-inspection<0.4.3") if end == OLDEST else ()
    return Environment("runtime", "runtime", end, ROOT / "tests" / "runtime", asked, options, tests, held)


# -- one environment


def set_up(environment: Environment, *, fresh: bool = False) -> str:
    """Make the environment, with the kept versions where they hold. Returns what a file with its versions says."""
    if not fresh and environment.stale is None:
        kept = environment.kept.read_text()
        made = KEPT.search(kept)
        if made and (python := venvs.interpreter(made[1])) is not None:
            venvs.hold(environment.place, python, kept)
            return kept
    return _resolved(environment)


def _resolved(environment: Environment) -> str:
    """Resolve, for the first Python for which there are versions that can be installed and imported."""
    reasons = []
    for version, python in venvs.present(environment.pythons):
        options = ("pyproject.toml", *environment.options, "--resolution", RESOLUTION[environment.end])
        try:
            found = venvs.resolve(str(environment), environment.asked, (*options, "--python", python), environment.held)
            versions = f"{_made(environment, version)}\n{found}"
            venvs.hold(environment.place, python, versions)
            venvs.imports(environment.place, environment.modules)
        except toolchain.UnavailableError as reason:
            reasons.append(f"Python {version}: {reason}")
        else:
            return versions
    raise toolchain.UnavailableError(f"no environment for {environment}: {'; '.join(reasons)}")


def _made(environment: Environment, python: str) -> str:
    asked = ", ".join(line for line in environment.asked if not line.startswith("--"))
    command = f'make ends ARGS="--lock --client {environment.client}"'
    return f"# {asked} at the {environment.end}. By `{command}`, on Python {python}, from {environment.inputs}"


def lock(environment: Environment) -> str:
    """Resolve, install and keep the versions."""
    versions = _resolved(environment)
    environment.home.mkdir(parents=True, exist_ok=True)
    new = environment.kept.with_suffix(".new")
    new.write_text(versions)
    new.replace(environment.kept)
    return (
        f"{environment.kept.relative_to(ROOT)}: {venvs.installed(environment.place).get(environment.name, 'written')}"
    )


def test(environment: Environment, arguments: Sequence[str]) -> subprocess.CompletedProcess[str]:
    """Run tests in the environment; what pytest said is in `stdout`."""
    outside = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
    variables = {
        **outside,
        "PYTHONPATH": os.pathsep.join(str(ROOT / name) for name in ("examples", "tools")),
        "AGENTOPS_END": environment.client,  # its tests are not left out here, whatever is missing
    }
    python = str(environment.place / "bin" / "python")
    command = [python, "-m", "pytest", "-n", "0", "-p", "no:cacheprovider", *arguments]
    said = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True}
    return subprocess.run(command, cwd=ROOT, env=variables, check=False, **said)  # type: ignore[call-overload,no-any-return]


# -- command line


def _tested(environment: Environment, arguments: Sequence[str], *, fresh: bool) -> bool:
    """Set up, test, and say in one line how it went, or all that pytest said where it failed."""
    try:
        if not fresh and (stale := environment.stale) and environment in needed():
            print(f"{stale}: resolving anew", flush=True)
        set_up(environment, fresh=fresh)
    except toolchain.UnavailableError as reason:
        print(reason, flush=True)
        return False
    done = test(environment, (*environment.tests, *arguments))
    sums = re.findall(r"^\d+ .* in [\d.]+s.*$", done.stdout, re.MULTILINE)  # a client may print more when it ends
    said = sums[-1] if sums and not done.returncode else done.stdout
    holds = venvs.installed(environment.place)
    print(f"{environment} {holds.get(environment.name, holds['otel-agentops'])}: {said}", flush=True)
    return done.returncode == 0


def main(arguments: Sequence[str] | None = None) -> int:
    """Set up and test, two at a time; or write the files with the versions."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--client", action="append", choices=["runtime", *adapters()], help="default: all")
    parser.add_argument("--end", choices=[*RESOLUTION], help="default: both")
    parser.add_argument("--fresh", action="store_true", help="what can be had today instead of the kept versions")
    parser.add_argument(
        "--lock", action="store_true", help="write the kept versions anew, where `make test` needs them"
    )
    asked, rest = parser.parse_known_args(arguments)
    wanted = [each for each in (needed() if asked.lock else environments()) if asked.end in (None, each.end)]
    wanted = [each for each in wanted if asked.client is None or each.client in asked.client]
    with ThreadPoolExecutor(os.cpu_count()) as at_once:
        if asked.lock:
            for line in at_once.map(lock, wanted):
                print(line, flush=True)
            return 0
        went = list(at_once.map(lambda each: _tested(each, rest, fresh=asked.fresh), wanted))
    return 0 if all(went) else 1


if __name__ == "__main__":
    sys.exit(main())
