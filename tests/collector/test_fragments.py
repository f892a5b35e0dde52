"""Each fragment is accepted by a real collector, says what it costs, and loses nothing of the overlay's."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import overlay_lint
import pytest
from test_overlay_merge import find_changes, parse_yaml, print_config

from otel_agentops.collector import shipped, tags
from otel_agentops.collector.document import Document
from otel_agentops.collector.render import merge_documents
from otel_agentops.lock import Lock, fragment
from stack import BASE, OVERLAY, ROOT

FRAGMENTS = {fragment.name: fragment.path for fragment in shipped.list_fragments()}
every_fragment = pytest.mark.parametrize("name", FRAGMENTS)
# What each is given with; two-tier-2 is for a collector without the overlay.
BEFORE = {"honeycomb-sampled": ("honeycomb", "tail-sampling")}
WITH = {
    name: [BASE, OVERLAY, *(FRAGMENTS[before] for before in BEFORE.get(name, ())), path]
    for name, path in FRAGMENTS.items()
} | {"two-tier-2": [FRAGMENTS["two-tier-2"], FRAGMENTS["tail-sampling"]]}
TAGS = ["transform/otel_agentops", "transform/otel_agentops_sli", "transform/otel_agentops_lock"]
# Components that the collector of the tests is built without; the rest of the fragment is validated without them.
NOT_BUILT = {"two-tier-1": ("exporters", "load_balancing/otel_agentops")}


def pipelines(config: Mapping[str, Any]) -> Iterator[tuple[str, list[str]]]:
    for id_, pipeline in config.get("service", {}).get("pipelines", {}).items():
        yield id_, pipeline.get("processors") or []


@every_fragment
def test_fragment_head_states_idea_use_and_cost(name: str) -> None:
    head = FRAGMENTS[name].read_text().partition("\nprocessors:")[0].partition("\nreceivers:")[0]
    lines = head.splitlines()
    assert all(line.startswith("#") for line in lines)
    assert lines[0].endswith(".") and lines[1] == "#", "its one idea, then the rest"
    assert [word for word in ("When: ", "Cost: ") if f"\n# {word}" not in head] == []


def test_readme_lists_every_fragment_with_its_idea() -> None:
    overlay = Document.read_file(OVERLAY)
    readme = (OVERLAY.parent / "README.md").read_text()
    rows = []
    for name, path, idea in shipped.list_fragments():
        loose = len(tags.list_tag_processors(overlay, [shipped.read_config(path)])) > len(
            tags.list_tag_processors(overlay)
        )
        rows.append(f"| [`{name}`](fragments/{name}.yaml){' ✎' * (loose and name != 'two-tier-2')} | {idea} |")
    assert "\n".join(rows) in readme


@pytest.mark.collector
@every_fragment
def test_collector_accepts_the_fragment(otelcol: Path, name: str) -> None:
    if name in NOT_BUILT:
        pytest.skip(f"the collector of the tests is built without {NOT_BUILT[name][1]}; see the test below")
    print_config(otelcol, "otlp", *WITH[name])


@pytest.mark.collector
def test_collector_accepts_the_first_tier_with_a_plain_exporter(otelcol: Path, tmp_path: Path) -> None:
    """The same exporter type as load_balancing uses inside, with the settings that are below `protocol`."""
    text = FRAGMENTS["two-tier-1"].read_text()
    exporter = Document.read_file(FRAGMENTS["two-tier-1"]).get("exporters", "load_balancing/otel_agentops")
    assert set(exporter) == {"routing_key", "resolver", "protocol"}
    assert exporter["routing_key"] == "traceID"
    assert set(exporter["resolver"]) == {"dns"}
    before, _, rest = text.partition("exporters:\n")
    inner = {**exporter["protocol"]["otlp"], "endpoint": "tier2:4317"}
    stub = tmp_path / "tier1.yaml"
    service = rest[rest.index("service:") :].replace("load_balancing/", "otlp_grpc/")
    stub.write_text(f"{before}exporters:\n  otlp_grpc/otel_agentops: {inner}\n{service}")
    print_config(otelcol, "otlp", BASE, OVERLAY, stub)


@pytest.mark.collector
@pytest.mark.parametrize("name", [name for name in FRAGMENTS if name not in NOT_BUILT and name != "two-tier-2"])
def test_fragment_changes_nothing_of_the_users_config(otelcol: Path, name: str) -> None:
    before = parse_yaml(print_config(otelcol, "otlp", BASE))
    assert list(find_changes(before, parse_yaml(print_config(otelcol, "otlp", *WITH[name])))) == []


@pytest.mark.parametrize("name", [name for name in FRAGMENTS if name != "two-tier-2"])  # which counts nothing
def test_fragment_keeps_the_overlay_free_of_lint_problems(name: str) -> None:
    ours = merge_documents([Document.read_file(path) for path in WITH[name] if path != BASE])
    counting = {
        id_: pipeline
        for id_, pipeline in ours["service"]["pipelines"].items()
        if not id_.startswith(("traces/otel_agentops_", "logs/otel_agentops_"))
        and id_ != "metrics/otel_agentops_honeycomb"
    }
    assert overlay_lint.problems({**ours, "service": {"pipelines": counting}}) == []


@every_fragment
def test_pipelines_that_count_or_store_have_all_tags(name: str) -> None:
    """A pipeline that reads from a `forward` gets what a pipeline before it has tagged."""
    document = Document.read_file(FRAGMENTS[name])
    for id_, processors in pipelines(document.data):
        forwards = str(document.get("service", "pipelines", id_, "receivers")).startswith("['forward/")
        if id_.startswith(("traces", "logs")) and name != "two-tier-2" and not forwards:
            at = processors.index(TAGS[0])
            assert processors[at : at + 3] == TAGS, f"{id_} in {name}"


def replaced_lists(before: Any, after: Any, where: str = "") -> Iterator[str]:
    """Paths of the lists that a later file has in the place of another one."""
    if isinstance(before, Mapping) and isinstance(after, Mapping):
        for key in before.keys() & after.keys():
            yield from replaced_lists(before[key], after[key], f"{where}/{key}")
    elif isinstance(before, list):
        yield where


@every_fragment
def test_a_fragment_replaces_no_list(name: str) -> None:
    """Maps are merged, lists are replaced: it fills slots by their keys, or has pipelines of its own."""
    before = merge_documents([Document.read_file(path) for path in WITH[name][:-1]])
    assert list(replaced_lists(before, Document.read_file(WITH[name][-1]).data)) == []


def test_objectives_replace_the_default_indicators_only() -> None:
    """The overlay alone counts indicators, so here lists are replaced; all three are generated as wholes."""
    own = Document.read_file(ROOT / "backends" / "collector" / "otel-agentops.slo.yaml")
    transform, connector = "/processors/transform/otel_agentops_sli", "/connectors/signal_to_metrics/otel_agentops_sli"
    assert sorted(replaced_lists(Document.read_file(OVERLAY).data, own.data)) == [
        *(f"{connector}/{signal}" for signal in ("logs", "spans")),
        *(f"{transform}/{signal}_statements" for signal in ("log", "trace")),
        f"{transform}_labels/metric_statements",
    ]


def test_a_lock_file_fills_its_slot() -> None:
    own = fragment.build_config([Lock(version=1)])
    assert own["processors"].keys() <= Document.read_file(OVERLAY).get("processors").keys()
    assert list(replaced_lists(Document.read_file(OVERLAY).data, own)) == []


def test_honeycomb_gets_every_counter() -> None:
    """Beside the overlay's own pipelines; it has the spans themselves for durations and for values."""
    all_connectors = Document.read_file(OVERLAY).get("connectors").keys() - {"signal_to_metrics/otel_agentops_values"}
    connectors = [one for one in all_connectors if one.startswith("signal_to_metrics")]
    pipeline = Document.read_file(FRAGMENTS["honeycomb"]).get("service", "pipelines", "metrics/otel_agentops_honeycomb")
    before = dict(pipelines(Document.read_file(OVERLAY).data))
    counting = [*before["metrics/otel_agentops"], *before["metrics/otel_agentops_variables"]]
    assert sorted(pipeline["receivers"]) == sorted(connectors)
    expected = {one for one in counting if not one.startswith("delta_to_cumulative")}
    assert sorted(pipeline["processors"][:-1]) == sorted(expected)
    assert pipeline["processors"][-2] == "transform/otel_agentops_identity", "the others read what it removes"


def test_push_fragments_differ_in_the_exporter_alone() -> None:
    otlp, write = (Document.read_file(FRAGMENTS[f"push-prometheus{end}"]).data for end in ("", "-remote-write"))
    assert otlp["processors"] == write["processors"]
    assert [list(pipelines(otlp)), list(otlp["service"]["pipelines"])] == [
        list(pipelines(write)),
        list(write["service"]["pipelines"]),
    ]


@pytest.mark.collector
def test_collector_refuses_a_wrong_fragment(otelcol: Path, tmp_path: Path) -> None:
    """The test above can fail."""
    wrong = tmp_path / "wrong.yaml"
    wrong.write_text(FRAGMENTS["guard"].read_text().replace("IsMatch(", "IsMatsch("))
    done = subprocess.run(
        [otelcol, "validate", *(f"--config={path}" for path in (BASE, OVERLAY, wrong))],
        env={**os.environ},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert "IsMatsch" in done.stderr
