"""The ends of the supported ranges: an environment for each client and end, and the client's tests in it.

    python tools/ends.py [--client NAME] [--end oldest|newest] [--fresh | --lock] [arguments of pytest]

noxfile.py makes the environments; this module says what belongs in them. A client is the name of its entry point
without `agentops_`; an adapter that patches two distributions has environments for each. `runtime` is the package
itself with its command line, and the oldest versions of all that it requires. `coexistence` has the newest of packages
that call clients and of those that trace them. `personal-data` has the extra of that name.

The versions that uv resolved are kept beside the tests (tests/clients/<client>/<distribution>-oldest.txt; `-newest.txt`
if the development environment lacks the client). Their first line names the Python, and a hash of the requirements:
kept versions are stale if the hash differs. `--lock` writes them, `--fresh` ignores them. Beside the client an
environment has the group `ends` of pyproject.toml and the requirements in requirements.txt and <distribution>-<end>.in
of the client's folder.
"""

from __future__ import annotations

import argparse
import hashlib
import importlib.metadata
import re
import subprocess
import sys
from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import NamedTuple

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parents[1]
OLDEST, NEWEST = "oldest", "newest"
RESOLUTION = {OLDEST: "lowest-direct", NEWEST: "highest"}  # as uv calls them
PYTHON = {OLDEST: "3.10", NEWEST: "3.13"}  # unless the kept versions name another
HEADER = re.compile(r"on Python (\S+), from (\w+)$", re.MULTILINE)
# These show how a client is patched and a span is seen; the contracts run with the oldest versions of ours as well.
RUNTIME_TESTS = (
    "tests/clients/test_patches.py",
    "tests/runtime/test_processor.py",
    "tests/runtime/test_scope.py",
    "tests/runtime/test_span_attributes.py",
)


class Environment(NamedTuple):
    """One end of one distribution's range.

    Attributes:
        client: Entry point of the client, without `agentops_`.
        name: The distribution.
        end: OLDEST or NEWEST.
        home: The folder of the client's tests and of the kept versions.
        requirements: What the environment must satisfy, beside what `options` select.
        options: Arguments of `uv pip compile` that select extras and groups of pyproject.toml.
        contract: Arguments of pytest for the short tests.
        tests: Arguments of pytest for all tests.
        constraints: Limits on packages that only others require, so that their newest do not hold up the oldest.
    """

    client: str
    name: str
    end: str
    home: Path
    requirements: tuple[str, ...]
    options: tuple[str, ...]
    contract: tuple[str, ...] = ()
    tests: tuple[str, ...] = ()
    constraints: tuple[str, ...] = ()

    def __str__(self) -> str:
        return f"{self.name}-{self.end}"

    @property
    def kept(self) -> Path:
        """The file with the versions that uv resolved."""
        return self.home / f"{self}.txt"

    @property
    def python(self) -> str:
        """The version of Python that the kept versions are for."""
        header = HEADER.search(self.kept.read_text()) if self.kept.exists() else None
        return header[1] if header else PYTHON[self.end]

    @property
    def inputs(self) -> str:
        """A short hash of everything that the versions follow from."""
        project = (ROOT / "pyproject.toml").read_text()
        ours = re.findall(r"^(?:dependencies|cli|ends|testing) = \[.*?^\]", project, re.MULTILINE | re.DOTALL)
        parts = (*self.requirements, *self.options, *self.constraints, RESOLUTION[self.end], *ours)
        return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:12]

    @property
    def stale(self) -> str | None:
        """The reason why the kept versions do not hold, None if they do."""
        if not self.kept.exists():
            return f"{self.kept.relative_to(ROOT)} is missing"
        if (header := HEADER.search(self.kept.read_text())) is None or header[2] != self.inputs:
            return f"{self.kept.relative_to(ROOT)} was made for other ranges or requirements"
        return None

    def keep_versions(self, versions: str, python: str) -> None:
        """Write the file with the versions that uv resolved for a version of Python."""
        names = ", ".join(self.requirements)
        command = f'make ends ARGS="--lock --client {self.client}"'
        header = f"# {names} at the {self.end}. By `{command}`, on Python {python}, from {self.inputs}"
        self.home.mkdir(parents=True, exist_ok=True)
        self.kept.write_text(f"{header}\n{versions}")


def list_environments() -> list[Environment]:
    """Return the environments of the runtime and of every client, at both ends."""
    clients = [each for end in RESOLUTION for each in (_describe_runtime(end), *_describe_clients(end))]
    return [*clients, _describe_coexistence(), _describe_personal_data()]


def list_kept() -> list[Environment]:
    """Return the environments that have kept versions: uv.lock has the others, at their newest."""
    return [
        each
        for each in list_environments()
        if each.end == OLDEST or not (each.name == "runtime" or _is_installed(each.name))
    ]


def find_lacking(client: str) -> str | None:
    """Return the distribution that this environment lacks to run the tests of a client, None if it can."""
    names = [requirement.name for requirement in list_ranges().get(client, ())]
    return None if not names or any(map(_is_installed, names)) else names[0]


@cache
def list_ranges() -> dict[str, list[Requirement]]:
    """Return the distributions of each client, in the ranges that the adapter supports."""
    points = importlib.metadata.entry_points(group="opentelemetry_instrumentor")
    ours = {point.name.removeprefix("agentops_"): point for point in points if point.name.startswith("agentops_")}
    return {
        name: [
            Requirement(canonicalize_name(each.distribution) + each.versions) for each in ours[name].load().libraries
        ]
        for name in sorted(ours)
    }


def _is_installed(distribution: str) -> bool:
    try:
        return bool(importlib.metadata.version(distribution))
    except importlib.metadata.PackageNotFoundError:
        return False


def _describe_clients(end: str) -> Iterator[Environment]:
    for client, ranges in list_ranges().items():
        home = ROOT / "tests" / "clients" / client
        tests = str(home.relative_to(ROOT))
        for requirement in ranges:
            files = (home / "requirements.txt", home / f"{requirement.name}-{end}.in")
            yield Environment(
                client,
                requirement.name,
                end,
                home,
                (str(requirement), *(line for file in files for line in _read_requirements(file))),
                ("--group", "ends"),
                (f"{tests}/test_{client}_contract.py",),
                (tests,),
            )


def _read_requirements(file: Path) -> list[str]:
    lines = (line.partition(" #")[0].strip() for line in file.read_text().splitlines()) if file.exists() else ()
    return [line for line in lines if line and not line.startswith("#")]


# The instrumentations of others that the runtime's tests run beside.
OTHERS = ("opentelemetry-instrumentation-httpx>=0.60b0", "opentelemetry-instrumentation-threading>=0.60b0")


def _describe_runtime(end: str) -> Environment:
    # The runtime's tests call these two clients. Another's requirements would hold up the oldest versions of ours.
    clients = tuple(str(requirement) for client in ("anthropic", "openai") for requirement in list_ranges()[client])
    # A collector knows no Python package, and the README's table needs every client.
    general = {path.name for path in (ROOT / "tests" / "clients").glob("test_*.py")} - {"test_support.py"}
    return Environment(
        "runtime",
        "runtime",
        end,
        ROOT / "tests" / "runtime",
        (*clients, *OTHERS),
        ("--extra", "cli", "--group", "ends", "--group", "testing"),
        RUNTIME_TESTS,
        ("tests/runtime", *(f"tests/clients/{name}" for name in sorted(general)), "-m", "not collector"),
        # Newer ones of these want a newer typing-extensions than we and the clients do.
        ("anyio<4.13", "typing-inspection<0.4.3") if end == OLDEST else (),
    )


def _describe_coexistence() -> Environment:
    home = ROOT / "tests" / "coexistence"
    requirements = (str(list_ranges()["openai"][0]), *_read_requirements(home / "requirements.txt"))
    tests = tuple(f"{home.relative_to(ROOT)}/test_{name}.py" for name in ("frameworks", "platforms", "agents_beside"))
    options = ("--group", "ends")
    return Environment(
        "coexistence", "coexistence", NEWEST, home, requirements, options, (*tests, "-m", "not slow"), tests
    )


def _describe_personal_data() -> Environment:
    home = ROOT / "tests" / "personal_data"
    ours = map(Requirement, importlib.metadata.requires("otel-agentops") or ())
    named = tuple(f"{each.name}{each.specifier}" for each in ours if "personal-data" in str(each.marker))
    tests = (str(home.relative_to(ROOT)),)
    return Environment("personal-data", "personal-data", NEWEST, home, named, ("--group", "ends"), tests, tests)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run nox for the chosen environments, several at a time."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    clients = ["runtime", "coexistence", "personal-data", *list_ranges()]
    parser.add_argument("--client", action="append", choices=clients, help="default: all")
    parser.add_argument("--end", choices=[*RESOLUTION], help="default: both")
    parser.add_argument("--lock", action="store_true", help="write the kept versions anew, if `make test` needs them")
    options, rest = parser.parse_known_args(arguments)
    sessions = [
        f"ends({each})"
        for each in (list_kept() if options.lock else list_environments())
        if options.end in (None, each.end) and (options.client is None or each.client in options.client)
    ]
    flags = ["--lock"] if options.lock else ["--whole"]
    nox = [sys.executable, "-m", "nox", "--parallel", "auto", "--session", *sessions, "--", *flags, *rest]
    return subprocess.run(nox, cwd=ROOT, check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
