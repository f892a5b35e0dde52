"""Environments of the clients: both ends of every supported range, and the clients' own unit tests.

    nox -s ends -t openai -- [--whole] [--fresh | --lock] [arguments of pytest]
    nox -s peers -t openai -- [--quick] [--part 1/3] [--strict] [--instrumentation NAME]

A tag is a client or an end. `make ends` and `make peers` run all of them.
"""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

import nox

sys.path.insert(0, "tools")

from ends import HEADER, RESOLUTION, Environment, list_environments
from suites import SOURCES, find_kept_versions

nox.needs_version = ">=2026.10"
nox.options.default_venv_backend = "uv"
nox.options.download_python = "never"
nox.options.reuse_venv = "yes"
# A shim of pyenv runs the activated versions alone; the other versions are found if PATH has them.
_PYENV = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv")
os.environ["PATH"] = os.pathsep.join((os.environ["PATH"], *map(str, sorted(_PYENV.glob("versions/3.*/bin")))))


ENVIRONMENTS = {str(environment): environment for environment in list_environments()}


@nox.session(default=False, allow_parallel=True)
@nox.parametrize(
    ("python", "name"),
    [nox.param(each.python, name, id=name, tags=[each.client, each.end]) for name, each in ENVIRONMENTS.items()],
)
def ends(session: nox.Session, name: str) -> None:
    """Run the tests of a client at one end of its range."""
    environment = ENVIRONMENTS[name]
    parser = argparse.ArgumentParser()
    for option in ("whole", "fresh", "lock"):
        parser.add_argument(f"--{option}", action="store_true")
    options, arguments = parser.parse_known_args(session.posargs)
    versions = environment.kept
    if options.lock or options.fresh or environment.stale:
        versions = resolve_versions(session, environment)
    session.install("--exact", "--no-deps", "--requirement", str(versions), "--editable", ".")
    if options.lock:
        environment.keep_versions(versions.read_text(), str(session.python))
        return
    tests = environment.tests if options.whole else environment.contract
    variables: dict[str, str | None] = {
        # Variables of tests that run this session; one chooses among the tests of a whole run.
        **{name: None for name in os.environ if name.startswith(("PYTEST_", "OTEL_AGENTOPS_ROTATION"))},
        "PYTHONPATH": os.pathsep.join(("examples", "tools")),
        "AGENTOPS_END": environment.client,  # its tests are not left out here, whatever is missing
    }
    session.run("python", "-m", "pytest", "-n", "0", "-p", "no:cacheprovider", *tests, *arguments, env=variables)


def resolve_versions(session: nox.Session, environment: Environment) -> Path:
    """Return a file with the versions that uv finds today."""
    wanted, limits, versions = (Path(session.create_tmp()) / name for name in ("wanted.in", "limits.txt", "versions"))
    wanted.write_text("\n".join(environment.requirements))
    limits.write_text("\n".join(environment.constraints))
    session.run_install(
        *("uv", "pip", "compile", "--quiet", "--no-header", "--no-annotate", "--upgrade"),
        *("--resolution", RESOLUTION[environment.end], "--constraint", str(limits), "--output-file", str(versions)),
        *("pyproject.toml", *environment.options, str(wanted)),
    )
    return versions


def find_python(client: str) -> str | None:
    """Return the Python of the versions that are kept for a client, None for the one that runs nox."""
    versions = find_kept_versions(client)
    header = HEADER.search(versions.read_text()) if versions else None
    return header and header[1]


@nox.session(default=False)
@nox.parametrize(("python", "client"), [nox.param(find_python(name), name, id=name, tags=[name]) for name in SOURCES])
def peers(session: nox.Session, client: str) -> None:
    """Run the unit tests of a client, without and with an instrumentation."""
    from peers import takes_part  # it imports pytest and OpenTelemetry

    if not takes_part([client, *session.posargs]):
        session.skip("not chosen, or without such tests")
    if versions := find_kept_versions(client):
        own = versions.with_name("suite.in")
        session.install(
            "--requirement", str(versions), "--requirement", str(own), "--group", "suite", "--editable", "."
        )
    else:
        groups = ("--group", "suite", "--group", f"suite-{client.replace('_', '-')}")
        session.run_install("uv", "sync", "--active", "--frozen", "--no-default-groups", *groups)
    session.run("python", "tools/peers.py", client, *session.posargs)
