"""Every adapter is one file with an entry point, a row in the table, a description and the contract."""

from __future__ import annotations

import importlib.metadata
import re
from pathlib import Path

import pytest
from packaging.specifiers import SpecifierSet

import support
from otel_agentops._patching import PatchedLibrary

ROOT = Path(__file__).parents[2]
ADAPTERS = support.load_adapters()
every_adapter = pytest.mark.parametrize("name", ADAPTERS)


@every_adapter
def test_client_has_an_entry_point(name: str) -> None:
    found = importlib.metadata.entry_points(group="opentelemetry_instrumentor", name=f"agentops_{name}")
    assert [entry.value for entry in found] == [f"otel_agentops._entry_points:{name}"], "run make setup"


@every_adapter
def test_client_declares_its_operations(name: str) -> None:
    assert ADAPTERS[name][0].info.operations


@every_adapter
def test_client_version_range_has_two_ends(name: str) -> None:
    def operators(client: PatchedLibrary) -> list[str]:
        return sorted(part.operator for part in SpecifierSet(client.versions))

    assert [operators(client) for client in ADAPTERS[name]] == [["<", ">="] for _ in ADAPTERS[name]]


@every_adapter
def test_client_has_a_contract_test(name: str) -> None:
    folder = ROOT / "tests" / "clients" / name
    assert (folder / f"{name}_subject.py").exists()
    assert "(Contract)" in (folder / f"test_{name}_contract.py").read_text()


def test_readme_leads_to_the_start_of_every_framework() -> None:
    """Each section has its five lines, and a test in the framework's folder runs them."""
    linked = re.findall(r"\]\(docs/frameworks\.md#([a-z-]+)\)", (ROOT / "README.md").read_text())
    page = (ROOT / "docs" / "frameworks.md").read_text()
    headings = re.findall(r"^## (.+)\n\n```python\n", page, re.MULTILINE)
    assert sorted(linked) == sorted(heading.lower().replace(" ", "-") for heading in headings)
    folders = {name: ROOT / "tests" / "clients" / name for name in support.load_adapters("frameworks")}
    del folders["langchain_core"]  # the start of LangGraph's section is an agent of LangChain
    run = {
        name: re.findall(r"run_(?:agent|start)\(\s*\"(.+?)\"", read_contract(folder))
        for name, folder in folders.items()
    }
    assert sorted(heading for each in run.values() for heading in each) == sorted(headings)
    assert all(len(each) == 1 for each in run.values()), run


def read_contract(folder: Path) -> str:
    return (folder / f"test_{folder.name}_contract.py").read_text()


def test_support_tables_are_up_to_date(capsys: pytest.CaptureFixture[str]) -> None:
    assert support.main(["--check"]) == 0, capsys.readouterr().err
