"""One rendered file means what the collector makes of several."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from test_overlay_merge import BASES, CONFIGS, parsed, print_config
from typer.testing import CliRunner

from otel_agentops.collector import shipped
from otel_agentops.collector.cli import app
from otel_agentops.collector.document import ConfigError, Document
from otel_agentops.collector.legacy import RENAMED, make_legacy
from otel_agentops.collector.render import merged, rendered, round_trip
from stack import BASE, OVERLAY, ROOT

EVERY = {**BASES, "anchors": (CONFIGS / "anchors.yaml", "otlp"), "stored": (CONFIGS / "stored.yaml", "otlp")}
every_base = pytest.mark.parametrize("base", EVERY)
TAGGING = ROOT / "collector-config" / "examples" / "tagging.yaml"


def documents(*texts: str) -> list[Document]:
    return [Document(f"{name}.yaml", text) for name, text in zip("abc", texts, strict=False)]


@pytest.mark.collector
@every_base
def test_the_rendered_file_is_what_several_configs_are(otelcol: Path, base: str, tmp_path: Path) -> None:
    config, receiver = EVERY[base]
    several = [config, OVERLAY, shipped.find("guard"), shipped.find("tail-sampling")]
    one = tmp_path / "one.yaml"
    one.write_text(rendered([Document.read(path) for path in several]))
    assert print_config(otelcol, receiver, one) == print_config(otelcol, receiver, *several)


@pytest.mark.collector
@pytest.mark.parametrize("order", [[BASE, OVERLAY, TAGGING], [OVERLAY, BASE], [TAGGING, BASE, OVERLAY]], ids=str)
def test_the_order_counts_as_the_collector_counts_it(otelcol: Path, order: list[Path], tmp_path: Path) -> None:
    one = tmp_path / "one.yaml"
    one.write_text(rendered([Document.read(path) for path in order]))
    assert print_config(otelcol, "otlp", one) == print_config(otelcol, "otlp", *order)


@every_base
def test_the_rendered_file_has_the_values_that_are_linted(base: str) -> None:
    several = [Document.read(EVERY[base][0]), Document.read(OVERLAY)]
    assert parsed(rendered(several)) == merged(several)


def test_maps_are_merged_and_everything_else_replaced() -> None:
    several = documents(
        "a: {x: 1, y: [1, 2]}\nb: {c: {d: 1}}\nc: {x: 1}\nd: text\n",
        "a: {y: [3], z: {}}\nb: {c: {}}\nc:\nd: {x: 1}\n",
    )
    assert merged(several) == {"a": {"x": 1, "y": [3], "z": {}}, "b": {"c": {"d": 1}}, "c": None, "d": {"x": 1}}
    assert parsed(rendered(several)) == merged(several)


def test_a_merge_does_not_reach_what_an_alias_shares() -> None:
    several = documents("a: &a {l: {x: 1}}\nb: *a\nc: {<<: *a, y: 1}\n", "a: {l: {x: 2}}\nc: {l: {z: 3}}\n")
    assert merged(several) == {"a": {"l": {"x": 2}}, "b": {"l": {"x": 1}}, "c": {"l": {"x": 1, "z": 3}, "y": 1}}
    assert parsed(rendered(several)) == merged(several)


def test_comments_quotes_numbers_and_references_stay() -> None:
    text = "# mine\na: {n: 010, f: 1e3, q: '5', e: \"${env:X:-y}\"}  # why\nb: ${env:B}\n"
    once, twice = rendered(documents(text, "c:\n  d: ${env:D}\n")).split("\n", 3)[3], "c:\n  d: ${env:D}\n"
    assert once == text + twice


def test_a_rendered_file_says_where_it_comes_from() -> None:
    head = rendered(documents("a: 1\n", "b: 2\n"))
    assert (
        head
        == "# Rendered by otel-agentops; edit these files, then render again:\n#   a.yaml\n#   b.yaml\na: 1\nb: 2\n"
    )


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("a: 1\na: 2\n", 'x.yaml:2: found duplicate key "a" with value "2" (original value: "1")'),
        ("a: [1\nb: 2\n", "x.yaml:2: expected ',' or ']', but got ':'"),
        ("- a\n", "x.yaml:1: a collector's config is a mapping, this is not"),
        ("a: 1\n---\nb: 1\n", "x.yaml:2: but found another document"),
        ("a: 1\nb::c: 1\n", "x.yaml:2: write b::c as a key below a key, `::` is for --set"),
    ],
)
def test_what_cannot_be_read_is_one_sentence(text: str, sentence: str) -> None:
    with pytest.raises(ConfigError) as error:
        Document("x.yaml", text)
    assert str(error.value) == sentence


def test_a_position_is_that_of_the_key_or_of_what_is_nearest_above() -> None:
    text = "a: &a\n  b:\n    c: 1\nd:\n  <<: *a\n  e: 2\n"
    document = Document("x.yaml", text)
    found = [document.at(*keys.split("/")) for keys in ("a/b/c", "d/e", "d/b", "d/nope", "nope")]
    assert found == ["x.yaml:3", "x.yaml:6", "x.yaml:2", "x.yaml:4", "x.yaml:1"]


# -- old names


@pytest.mark.collector
def test_files_with_old_names_mean_the_same_to_a_collector_that_takes_both(otelcol: Path, tmp_path: Path) -> None:
    """Its own output is in the new names but for the ids; what else differs is listed in legacy.py."""
    CliRunner().invoke(app, ["fragments", "--legacy-names", "--out", str(tmp_path)])
    names = ["guard", "push-prometheus", "honeycomb", "tail-sampling", "honeycomb-sampled", "content", "lock"]
    files = [tmp_path / OVERLAY.name, *(tmp_path / "fragments" / f"{name}.yaml" for name in names)]
    text = "".join(path.read_text() for path in files)
    assert [new for kind in RENAMED.values() for new in kind if f"{new}/" in text] == []
    assert "_conditions:" not in text
    old = parsed(print_config(otelcol, "otlp", BASE, *files))
    new = parsed(print_config(otelcol, "otlp", BASE, OVERLAY, *map(shipped.find, names)))
    assert old["service"]["pipelines"] == {
        id_: {key: [_old(one, key) for one in entries] for key, entries in pipeline.items()}
        for id_, pipeline in new["service"]["pipelines"].items()
    }
    span_metrics = old["connectors"]["spanmetrics/otel_agentops"]
    assert span_metrics == new["connectors"]["span_metrics/otel_agentops"]


def _old(id_: str, place: str) -> str:
    kind, _, name = id_.partition("/")
    kinds = {"receivers": ["connectors"], "exporters": ["connectors", "exporters"]}.get(place, [place])
    found = next((RENAMED[one][kind] for one in kinds if kind in RENAMED[one]), kind)
    return f"{found}/{name}" if name.startswith("otel_agentops") else id_


def test_old_filters_name_the_context_in_the_key_and_not_in_the_path() -> None:
    config = round_trip().load(
        "processors:\n  # ours\n  filter/otel_agentops_x:\n    error_mode: ignore\n    trace_conditions:\n"
        '      - span.attributes["a.span.b"] == nil and span.name == "span.name"\n'
        "  filter/theirs: {trace_conditions: [span.name == nil]}\n"
    )
    make_legacy(config)
    assert config["processors"] == {
        "filter/otel_agentops_x": {
            "error_mode": "ignore",
            "traces": {"span": ['attributes["a.span.b"] == nil and name == "span.name"']},
        },
        "filter/theirs": {"trace_conditions": ["span.name == nil"]},
    }


# -- the command


def test_the_command_writes_what_the_function_returns(tmp_path: Path) -> None:
    out = tmp_path / "new" / "one.yaml"
    done = CliRunner().invoke(app, ["render", str(BASE), "--with", "guard", "--out", str(out)])
    assert (done.exit_code, done.output) == (0, "")
    several = [Document.read(BASE), shipped.read(OVERLAY), shipped.read(shipped.find("guard"))]
    assert out.read_text() == rendered(several)


def test_an_overlay_that_is_given_is_not_added() -> None:
    given = CliRunner().invoke(app, ["render", str(OVERLAY), str(BASE)])
    assert given.output == rendered([Document.read(OVERLAY), Document.read(BASE)])


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["nope.yaml"], "nope.yaml: No such file or directory"),
        (
            [str(BASE), "--with", "nope"],
            "nope: neither a file nor a fragment; there are content, content-redact, guard",
        ),
    ],
)
def test_what_is_not_there_is_named(arguments: list[str], sentence: str) -> None:
    command = [sys.executable, "-m", "otel_agentops.cli", "collector", "render", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr.startswith(f"otel-agentops collector: {sentence}")
    assert len(done.stderr.splitlines()) == 1
