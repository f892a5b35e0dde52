"""The registry is sound by Weaver's schema and by the naming rules that the OpenTelemetry conventions check."""

from __future__ import annotations

import copy
import json
import re
from collections import Counter
from pathlib import Path
from typing import Any

import jsonschema
import pytest

import semconv_registry
import upstream_facts
from semconv_registry import Files, Registry, RegistryError

NAME = re.compile(r"[a-z][a-z0-9]*([._][a-z0-9]+)*")
PATHS = sorted(path for path in semconv_registry.DIRECTORY.glob("*.yaml") if path.name != "manifest.yaml")
SECTIONS = [part for spec in semconv_registry.SIGNALS.values() for part in (spec[0], spec[2])]


@pytest.mark.parametrize("path", PATHS, ids=lambda path: path.name)
def test_file_is_valid_by_weavers_schema(path: Path, upstream: Path) -> None:
    schema = json.loads((upstream / "weaver-semconv.schema.v2.json").read_text())
    errors = jsonschema.Draft202012Validator(schema).iter_errors(semconv_registry.read(path))
    assert [f"{error.json_path}: {error.message}" for error in errors] == []


def test_schema_would_notice_a_wrong_file(upstream: Path) -> None:
    schema = json.loads((upstream / "weaver-semconv.schema.v2.json").read_text())
    wrong = {"file_format": "definition/2", "attributes": [{"key": "otel_agentops.x", "type": "text", "brief": "X."}]}
    assert not jsonschema.Draft202012Validator(schema).is_valid(wrong)


def test_manifest_pins_the_commit_that_the_facts_were_read_from(facts: dict[str, Any]) -> None:
    assert upstream_facts.pinned_commit() == facts["sources"]["genai"]["commit"]


def test_names_and_members_are_formed_as_the_conventions_ask(files: Files, registry: Registry) -> None:
    members = [
        member["id"]
        for _, entry in semconv_registry.entries(files, "attributes")
        if isinstance(entry["type"], dict)
        for member in entry["type"]["members"]
    ]
    names = [attribute.name.replace("{}", "x") for attribute in registry.attributes]
    names += [signal.name for signal in registry.signals]
    assert [name for name in names + members if not NAME.fullmatch(name)] == []


def test_no_attribute_name_is_the_namespace_of_another(files: Files) -> None:
    keys = [entry["key"] for _, entry in semconv_registry.entries(files, "attributes")]
    assert [(short, long) for short in keys for long in keys if long.startswith(f"{short}.")] == []


def test_no_metric_name_is_the_namespace_of_another(registry: Registry) -> None:
    names = [metric.name for metric in registry.of("metric")]
    assert [(short, long) for short in names for long in names if long.startswith(f"{short}.")] == []


def test_values_of_an_enum_are_distinct(registry: Registry) -> None:
    repeated = {a.name: a.values for a in registry.attributes if a.values and len(set(a.values)) < len(a.values)}
    assert repeated == {}


def test_everything_of_ours_says_what_it_means_in_a_sentence(registry: Registry) -> None:
    briefs = {attribute.name: attribute.brief for attribute in registry.attributes if attribute.own}
    briefs |= {signal.name: signal.brief for signal in registry.signals if signal.name.startswith("otel_agentops.")}
    briefs |= {
        f"{a.name}={value}": m
        for a in registry.attributes
        for value, m in zip(a.values or (), a.meanings, strict=False)
    }
    assert [name for name, brief in briefs.items() if not re.fullmatch(r"[A-Z].+\.", brief)] == []


def test_everything_of_ours_is_in_development_and_has_examples(files: Files) -> None:
    attributes = [entry for _, entry in semconv_registry.entries(files, "attributes")]
    signals = [entry for section in ("events", "metrics") for _, entry in semconv_registry.entries(files, section)]
    assert [entry for entry in attributes + signals if entry["stability"] != "development"] == []
    assert [entry["key"] for entry in attributes if isinstance(entry["type"], str) and "examples" not in entry] == []


def test_examples_have_the_type_of_their_attribute(files: Files) -> None:
    from otel_agentops.semconv import check

    wrong = []
    for _, entry in semconv_registry.entries(files, "attributes"):
        name = entry["annotations"]["otel_agentops"].get("pattern", entry["key"]).replace("{}", "temperature")
        wrong += [problem for example in entry.get("examples", ()) for problem in check.find_problems({name: example})]
    assert wrong == []


def test_refinements_require_nothing(registry: Registry) -> None:
    # Weaver enforces a `required` of a metric refinement on every point of the base metric, also of others.
    refinements = [signal for signal in registry.signals if not signal.name.startswith("otel_agentops.")]
    assert [(s.name, name) for s in refinements for name, level, _ in s.attributes if level == "required"] == []
    assert len(refinements) >= 10


def test_metrics_have_no_label_that_must_not_be_one(registry: Registry) -> None:
    labels = {attribute.name: attribute.label for attribute in registry.attributes}
    used = {(metric.name, name): labels[name] for metric in registry.of("metric") for name, _, _ in metric.attributes}
    assert {key: label for key, label in used.items() if label not in ("yes", "opt_in")} == {}


def test_every_attribute_of_ours_is_on_some_signal(registry: Registry) -> None:
    used = {name for signal in registry.signals for name, _, _ in signal.attributes}
    assert [attribute.name for attribute in registry.attributes if attribute.own and attribute.name not in used] == []


def test_no_two_names_have_the_same_constant(registry: Registry) -> None:
    import generate

    for kind in (registry.attributes, registry.of("metric"), registry.of("event")):
        constants = Counter(generate.constant(item.name) for item in kind)
        assert [name for name, times in constants.items() if times > 1] == []


# -- what is unsound is refused with a sentence that says where and what to do


def _with(files: Files, name: str, section: str, entry: dict[str, Any]) -> Files:
    changed = copy.deepcopy(files)
    changed[name].setdefault(section, []).append(entry)
    return changed


LABELLED = {"annotations": {"otel_agentops": {"label": "no"}}}
UNSOUND = {
    "foreign attribute": (
        ("task.yaml", "attributes", {"key": "gen_ai.request.model", "type": "string", **LABELLED}),
        "task.yaml: gen_ai.request.model is defined here but is not in our namespace otel_agentops.*; use ref instead",
    ),
    "twice": (
        ("task.yaml", "attributes", {"key": "otel_agentops.prompt.hash", "type": "string", **LABELLED}),
        "semconv: defined more than once: otel_agentops.prompt.hash; keep one",
    ),
    "no label rule": (
        ("task.yaml", "attributes", {"key": "otel_agentops.x", "type": "string"}),
        "task.yaml: otel_agentops.x has label None; "
        "set annotations.otel_agentops.label to one of yes, opt_in, no, never",
    ),
    "unknown upstream": (
        ("borrowed.yaml", "attribute_groups", {"id": "x", "attributes": [{"ref": "gen_ai.nonsense", **LABELLED}]}),
        "borrowed.yaml: gen_ai.nonsense is not in upstream.json; run tools/upstream_facts.py",
    ),
    "unknown ref": (
        ("metrics.yaml", "metrics", {"name": "otel_agentops.x", "attributes": [{"ref": "otel_agentops.nonsense"}]}),
        "metrics.yaml: ref otel_agentops.nonsense is neither defined here nor borrowed; add it or correct the name",
    ),
    "foreign metric": (
        ("metrics.yaml", "metrics", {"name": "gen_ai.x"}),
        "metrics.yaml: metric gen_ai.x is not in our namespace otel_agentops.*; refine it instead",
    ),
    "unknown span": (
        ("spans.yaml", "span_refinements", {"id": "otel_agentops.x", "ref": "gen_ai.nonsense.client"}),
        "spans.yaml: span gen_ai.nonsense.client is not in upstream.json; run tools/upstream_facts.py",
    ),
}


@pytest.mark.parametrize("case", UNSOUND)
def test_unsound_registry_is_refused(case: str, files: Files, facts: dict[str, Any]) -> None:
    (name, section, entry), sentence = UNSOUND[case]
    with pytest.raises(RegistryError, match=f"^{re.escape(sentence)}$"):
        semconv_registry.resolve(_with(files, name, section, entry), facts)


def test_file_that_is_no_yaml_is_named(tmp_path: Path) -> None:
    (tmp_path / "broken.yaml").write_text("attributes: [")
    with pytest.raises(RegistryError, match=r"broken\.yaml: not YAML: "):
        semconv_registry.load(tmp_path)


def test_references_are_listed_with_their_file(files: Files) -> None:
    changed = _with(files, "events.yaml", "events", {"name": "otel_agentops.x", "attributes": [{"ref": "gen_ai.new"}]})
    assert "gen_ai.new" in semconv_registry.foreign_attributes(changed)
    assert "gen_ai.new" not in semconv_registry.foreign_attributes(files)
