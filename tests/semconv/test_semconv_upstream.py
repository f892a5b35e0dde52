"""What we refer to exists upstream, with the type that the committed facts say."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

import semconv_registry
import upstream_facts
from semconv_registry import Files, Registry, RegistryError


def _definitions(path: Path, section: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = YAML(typ="safe").load(path)[section]
    return found


def test_committed_facts_are_those_of_upstream(files: Files, upstream: Path) -> None:
    assert upstream_facts.FACTS.read_text() == upstream_facts.render(upstream_facts.facts(upstream, files))


def test_committed_schemas_are_those_of_upstream(upstream: Path) -> None:
    assert upstream_facts.SCHEMAS.read_text() == upstream_facts.render(upstream_facts.find_schemas(upstream))


def test_every_genai_reference_has_its_upstream_type(registry: Registry, upstream: Path) -> None:
    """Read from the upstream file itself, not through the facts."""
    defined = {
        entry["key"]: entry["type"] for entry in _definitions(upstream / "genai/gen-ai/registry.yaml", "attributes")
    }
    ours = {attribute.name: attribute for attribute in registry.attributes if attribute.name.startswith("gen_ai.")}
    assert set(ours) <= set(defined)
    for name, attribute in ours.items():
        type_ = defined[name]
        if isinstance(type_, dict):
            assert attribute.values == tuple(member["value"] for member in type_["members"]), name
        else:
            assert (attribute.type, attribute.values) == (type_, None), name


def test_client_metrics_have_their_upstream_instrument(registry: Registry, upstream: Path) -> None:
    defined = {entry["name"]: entry for entry in _definitions(upstream / "genai/gen-ai/metrics.yaml", "metrics")}
    ours = [metric for metric in registry.of("metric") if metric.name.startswith("gen_ai.")]
    assert len(ours) == 5
    for metric in ours:
        assert (metric.instrument, metric.unit) == (defined[metric.name]["instrument"], defined[metric.name]["unit"])


def test_reference_that_upstream_lost_is_named(files: Files, upstream: Path) -> None:
    changed: Files = copy.deepcopy(files)
    changed["borrowed.yaml"]["attribute_groups"][0]["attributes"].append({"ref": "gen_ai.renamed"})
    with pytest.raises(
        RegistryError, match=r"^upstream has no attribute gen_ai\.renamed; correct the ref in semconv/$"
    ):
        upstream_facts.facts(upstream, changed)


def test_facts_need_to_know_where_upstream_is(capsys: pytest.CaptureFixture[str]) -> None:
    assert upstream_facts.main([]) == 2
    assert capsys.readouterr().err.startswith("name the directory of genai/ and core/")


def test_facts_hold_no_prose(facts: dict[str, Any]) -> None:
    """Names, types and values only: the texts are upstream's."""
    assert {key for fact in facts["attributes"].values() for key in fact} == {"type", "values"}
    assert {key for fact in facts["metrics"].values() for key in fact} == {"instrument", "unit"}
    assert {key for fact in facts["spans"].values() for key in fact} == {"kind"}
    assert semconv_registry.load_facts() == facts
