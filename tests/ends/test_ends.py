"""Both ends of every supported range can be installed, and every client keeps its contract there."""

from __future__ import annotations

import importlib.metadata
from collections.abc import Iterator
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.version import Version

import ends
from nox_sessions import run_session

pytest_plugins = ["pytester"]

ENVIRONMENTS = {str(environment): environment for environment in ends.list_kept()}
RUNTIME = ENVIRONMENTS["runtime-oldest"]


def find_first(requirement: Requirement) -> Version:
    versions = [Version(part.version) for part in requirement.specifier if part.operator in (">=", "==")]
    assert len(versions) == 1, f"no oldest version is named: {requirement}"
    return versions[0]


def read_versions(environment: ends.Environment) -> dict[str, Version]:
    """Return the kept versions: a session installs these and nothing else."""
    lines = environment.kept.read_text().splitlines()
    pins = (line.partition(";")[0].strip().partition("==") for line in lines if not line.startswith("#"))
    return {name.partition("[")[0]: Version(version) for name, _, version in pins}


def test_kept_versions_are_up_to_date() -> None:
    stale = {environment.stale for environment in ENVIRONMENTS.values()} - {None}
    assert not stale, "`make ends ARGS=--lock` makes them anew"


def test_no_versions_are_kept_that_nobody_needs() -> None:
    kept = {path for end in ends.RESOLUTION for path in (ends.ROOT / "tests").rglob(f"*-{end}.txt")}
    assert kept == {environment.kept for environment in ENVIRONMENTS.values()}


@pytest.mark.parametrize("name", [name for name in ENVIRONMENTS if name != "runtime-oldest"])
def test_kept_version_of_client_is_the_end(name: str) -> None:
    environment = ENVIRONMENTS[name]
    requirement = Requirement(environment.requirements[0])
    version = read_versions(environment)[requirement.name]
    assert version in requirement.specifier
    if environment.end == ends.OLDEST:
        assert version == find_first(requirement), f"the oldest version that works of {requirement}"


def list_declared() -> Iterator[Requirement]:
    """Yield the requirements of the package and its command line on the oldest Python, and of the clients."""
    markers = {"extra": "cli", "python_version": RUNTIME.python}
    for text in importlib.metadata.requires("otel-agentops") or ():
        if (requirement := Requirement(text)).marker is None or requirement.marker.evaluate(markers):
            yield requirement
    yield from map(Requirement, RUNTIME.requirements)


def test_every_range_begins_with_the_tested_version() -> None:
    versions = read_versions(RUNTIME)
    for requirement in list_declared():
        assert find_first(requirement) == versions[requirement.name.replace(".", "-")], "the lowest that works"


@pytest.mark.slow
@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=pytest.mark.rotation("ends", name, 48)) for name in ENVIRONMENTS]
)
def test_contract_holds_at_the_end(name: str) -> None:
    code, output = run_session(f"ends({name})")
    assert code == 0, output
    assert " passed" in output


# -- stale versions, and clients that are not installed


@pytest.fixture
def small(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ends.Environment:
    """Return an environment of a client without an adapter, below another root."""
    monkeypatch.setattr(ends, "ROOT", tmp_path)
    (tmp_path / "pyproject.toml").write_text('dependencies = [\n  "wrapt>=1.17",\n]\nends = [\n  "pytest>=8.4",\n]\n')
    return ends.Environment("small", "iniconfig", ends.OLDEST, tmp_path, ("iniconfig>=2,<3",), ())


def test_versions_are_stale_after_a_change_of_inputs(small: ends.Environment, tmp_path: Path) -> None:
    assert small.stale == "iniconfig-oldest.txt is missing"
    small.kept.write_text(
        f"# iniconfig>=2,<3 at the oldest. By ours, on Python 3.10, from {small.inputs}\niniconfig==2\n"
    )
    assert small.stale is None
    stale = "iniconfig-oldest.txt was made for other ranges or requirements"
    assert small._replace(requirements=("iniconfig>=2.1,<3",)).stale == stale
    assert small._replace(constraints=("iniconfig<2.1",)).stale == stale
    project = tmp_path / "pyproject.toml"
    project.write_text(project.read_text() + 'scripts = [\n  "x",\n]\n')
    assert small.stale is None, "what the environment does not get changes nothing"
    project.write_text(project.read_text().replace("8.4", "8.5"))
    assert small.stale == stale


def test_requirements_are_read_from_the_folder(tmp_path: Path) -> None:
    file = tmp_path / "requirements.txt"
    file.write_text("# peers\naiohttp>=3.9  # async by default\n\nhttpx<0.28\n")
    assert ends._read_requirements(file) == ["aiohttp>=3.9", "httpx<0.28"]
    assert ends._read_requirements(tmp_path / "iniconfig-oldest.in") == []


@pytest.mark.parametrize(("client", "left_out"), [("", True), ("nowhere", False)])
def test_missing_client_is_skipped_outside_its_environment(
    client: str, left_out: bool, pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("conftest.py", "both.py"):
        (pytester.path / name).write_text((ends.ROOT / "tests" / "clients" / name).read_text())
    (pytester.mkdir("nowhere") / "conftest.py").write_text("import agentops_nowhere")
    (pytester.path / "nowhere" / "test_nowhere.py").write_text("import agentops_nowhere")
    (pytester.mkdir("general") / "test_general.py").write_text("def test_that_needs_no_client(): pass")
    monkeypatch.setattr(ends, "list_ranges", lambda: {"nowhere": [Requirement("agentops-nowhere>=1,<2")]})
    monkeypatch.setenv("AGENTOPS_END", client)
    result = pytester.inline_run("-p", "no:asyncio", "--continue-on-collection-errors")
    skipped = [report.longrepr[2] for report in result.getreports("pytest_collectreport") if report.skipped]
    line = 'agentops-nowhere is not installed here: `make ends ARGS="--client nowhere"` tests it'
    assert skipped == ([f"Skipped: {line}"] if left_out else [])
    assert [len(outcome) for outcome in result.listoutcomes()] == [1, len(skipped), 0 if left_out else 1]
