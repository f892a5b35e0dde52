"""Both ends of what we declare are there, and every client's calls are seen whole at them."""

from __future__ import annotations

import importlib.metadata
import os
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.version import Version

import ends
import toolchain
import venvs

pytest_plugins = ["pytester"]

# How a client is patched and a span is seen; the contracts are run with the oldest versions of ours as well.
QUICK = ("tests/clients/test_patches.py", "tests/runtime/test_processor.py", "tests/runtime/test_scope.py")
ENVIRONMENTS = {str(environment): environment for environment in ends.needed()}
RUNTIME = ENVIRONMENTS.pop("runtime-oldest")
every_environment = pytest.mark.parametrize("name", ENVIRONMENTS)


def first(requirement: Requirement) -> Version:
    begins = [Version(part.version) for part in requirement.specifier if part.operator in (">=", "==")]
    assert len(begins) == 1, f"no oldest version is named: {requirement}"
    return begins[0]


def set_up(environment: ends.Environment) -> dict[str, Version]:
    """What the environment holds; where it cannot be had the test is skipped, with CI=true it fails."""
    try:
        ends.set_up(environment)
    except toolchain.UnavailableError as reason:
        if os.environ.get("CI") == "true":
            pytest.fail(str(reason))
        pytest.skip(str(reason))
    return venvs.installed(environment.place)


def test_the_kept_versions_are_those_of_the_ranges() -> None:
    stale = {environment.stale for environment in (RUNTIME, *ENVIRONMENTS.values())} - {None}
    assert not stale, "`make ends ARGS=--lock` makes them anew"


def test_no_versions_are_kept_that_nobody_needs() -> None:
    kept = {path for end in ends.RESOLUTION for path in (ends.ROOT / "tests").rglob(f"*-{end}.txt")}
    assert kept == {environment.kept for environment in (RUNTIME, *ENVIRONMENTS.values())}


@pytest.mark.slow
@every_environment
def test_the_contract_is_kept(name: str) -> None:
    environment = ENVIRONMENTS[name]
    holds = set_up(environment)
    requirement = Requirement(environment.asked[0])
    assert holds[requirement.name] in requirement.specifier
    if environment.end == ends.OLDEST:
        assert holds[requirement.name] == first(requirement), f"the oldest version that works of {requirement}"
    done = ends.test(environment, [str(environment.home / f"test_{environment.client}_contract.py")])
    assert done.returncode == 0, done.stdout
    assert " passed" in done.stdout


@pytest.fixture(scope="module")
def runtime() -> dict[str, Version]:
    return set_up(RUNTIME)


def declared() -> Iterator[Requirement]:
    """What the package and its command line require on the Python of the oldest versions, and the clients."""
    python = re.search(ends.KEPT, RUNTIME.kept.read_text())
    assert python is not None
    place = {"extra": "cli", "python_version": python[1]}
    for text in importlib.metadata.requires("otel-agentops") or ():
        if (requirement := Requirement(text)).marker is None or requirement.marker.evaluate(place):
            yield requirement
    yield from map(Requirement, RUNTIME.asked)


@pytest.mark.slow
@pytest.mark.xdist_group("runtime-oldest")
def test_each_range_begins_with_the_version_that_is_tested(runtime: dict[str, Version]) -> None:
    for requirement in declared():
        assert first(requirement) == runtime[requirement.name.replace(".", "-")], "the lowest that works"


@pytest.mark.slow
@pytest.mark.xdist_group("runtime-oldest")
def test_the_runtime_works_with_the_oldest_versions(runtime: dict[str, Version]) -> None:
    done = ends.test(RUNTIME, QUICK)
    assert done.returncode == 0, done.stdout


# -- what makes kept versions stale, and what is left out


@pytest.fixture
def small(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ends.Environment:
    """An environment of a client without an adapter, below another root."""
    monkeypatch.setattr(ends, "ROOT", tmp_path)
    (tmp_path / "pyproject.toml").write_text('dependencies = [\n  "wrapt>=1.17",\n]\nends = [\n  "pytest>=8.4",\n]\n')
    return ends.Environment("small", "iniconfig", ends.OLDEST, tmp_path, ("iniconfig>=2,<3",), (), ())


def test_versions_are_stale_when_what_was_asked_for_is_another(small: ends.Environment, tmp_path: Path) -> None:
    assert small.stale == "iniconfig-oldest.txt is missing"
    small.kept.write_text(
        f"# iniconfig>=2,<3 at the oldest. By ours, on Python 3.10, from {small.inputs}\niniconfig==2\n"
    )
    assert small.stale is None
    said = "iniconfig-oldest.txt was made for other ranges or requirements"
    assert small._replace(asked=("iniconfig>=2.1,<3",)).stale == said
    assert small._replace(held=("iniconfig<2.1",)).stale == said
    project = tmp_path / "pyproject.toml"
    project.write_text(project.read_text() + 'scripts = [\n  "x",\n]\n')
    assert small.stale is None, "what the environment does not get changes nothing"
    project.write_text(project.read_text().replace("8.4", "8.5"))
    assert small.stale == said


def test_the_requirements_of_a_folder_are_the_clients(tmp_path: Path) -> None:
    file = tmp_path / "requirements.txt"
    file.write_text("# peers\naiohttp>=3.9  # async by default\n\nhttpx<0.28\n")
    assert ends._lines(file) == ["aiohttp>=3.9", "httpx<0.28"]
    assert ends._lines(tmp_path / "iniconfig-oldest.in") == []


@pytest.mark.parametrize(("place", "left_out"), [("", True), ("nowhere", False)])
def test_a_client_that_is_not_here_is_left_out_in_a_line_but_in_its_own_environment(
    place: str, left_out: bool, pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("conftest.py", "both.py"):
        (pytester.path / name).write_text((ends.ROOT / "tests" / "clients" / name).read_text())
    (pytester.mkdir("nowhere") / "conftest.py").write_text("import agentops_nowhere")
    (pytester.path / "nowhere" / "test_nowhere.py").write_text("import agentops_nowhere")
    (pytester.mkdir("general") / "test_general.py").write_text("def test_that_needs_no_client(): pass")
    monkeypatch.setattr(ends, "adapters", lambda: {"nowhere": [Requirement("agentops-nowhere>=1,<2")]})
    monkeypatch.setenv("AGENTOPS_END", place)
    said = pytester.inline_run("-p", "no:asyncio", "--continue-on-collection-errors")
    skipped = [report.longrepr[2] for report in said.getreports("pytest_collectreport") if report.skipped]
    line = 'agentops-nowhere is not installed here: `make ends ARGS="--client nowhere"` tests it'
    assert skipped == ([f"Skipped: {line}"] if left_out else [])
    assert [len(outcome) for outcome in said.listoutcomes()] == [1, len(skipped), 0 if left_out else 1]
