"""One rendered file means what the collector makes of several."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from test_overlay_merge import BASES, CONFIGS, parse_yaml, print_config
from typer.testing import CliRunner

from otel_agentops._yaml import InputError
from otel_agentops.collector import shipped
from otel_agentops.collector.cli import app
from otel_agentops.collector.document import Document
from otel_agentops.collector.render import merge_documents, render_documents
from stack import BASE, OVERLAY, ROOT

EVERY = {**BASES, "anchors": (CONFIGS / "anchors.yaml", "otlp"), "stored": (CONFIGS / "stored.yaml", "otlp")}
every_base = pytest.mark.parametrize("base", EVERY)
TAGGING = ROOT / "collector-config" / "examples" / "tagging.yaml"


def documents(*texts: str) -> list[Document]:
    return [Document(f"{name}.yaml", text) for name, text in zip("abc", texts, strict=False)]


@pytest.mark.collector
@every_base
def test_rendered_file_equals_the_merged_configs(otelcol: Path, base: str, tmp_path: Path) -> None:
    config, receiver = EVERY[base]
    several = [config, OVERLAY, shipped.find_fragment("guard"), shipped.find_fragment("tail-sampling")]
    one = tmp_path / "one.yaml"
    one.write_text(render_documents([Document.read_file(path) for path in several]))
    assert print_config(otelcol, receiver, one) == print_config(otelcol, receiver, *several)


@pytest.mark.collector
@pytest.mark.parametrize("order", [[BASE, OVERLAY, TAGGING], [OVERLAY, BASE], [TAGGING, BASE, OVERLAY]], ids=str)
def test_rendered_file_keeps_the_order_of_the_collector(otelcol: Path, order: list[Path], tmp_path: Path) -> None:
    one = tmp_path / "one.yaml"
    one.write_text(render_documents([Document.read_file(path) for path in order]))
    assert print_config(otelcol, "otlp", one) == print_config(otelcol, "otlp", *order)


@every_base
def test_rendered_file_equals_the_linted_values(base: str) -> None:
    several = [Document.read_file(EVERY[base][0]), Document.read_file(OVERLAY)]
    assert parse_yaml(render_documents(several)) == merge_documents(several)


def test_maps_are_merged_and_everything_else_replaced() -> None:
    several = documents(
        "a: {x: 1, y: [1, 2]}\nb: {c: {d: 1}}\nc: {x: 1}\nd: text\n",
        "a: {y: [3], z: {}}\nb: {c: {}}\nc:\nd: {x: 1}\n",
    )
    assert merge_documents(several) == {
        "a": {"x": 1, "y": [3], "z": {}},
        "b": {"c": {"d": 1}},
        "c": None,
        "d": {"x": 1},
    }
    assert parse_yaml(render_documents(several)) == merge_documents(several)


def test_merge_leaves_aliased_values_alone() -> None:
    several = documents("a: &a {l: {x: 1}}\nb: *a\nc: {<<: *a, y: 1}\n", "a: {l: {x: 2}}\nc: {l: {z: 3}}\n")
    assert merge_documents(several) == {
        "a": {"l": {"x": 2}},
        "b": {"l": {"x": 1}},
        "c": {"l": {"x": 1, "z": 3}, "y": 1},
    }
    assert parse_yaml(render_documents(several)) == merge_documents(several)


def test_render_keeps_comments_quotes_numbers_and_references() -> None:
    text = "# mine\na: {n: 010, f: 1e3, q: '5', e: \"${env:X:-y}\"}  # why\nb: ${env:B}\n"
    once, twice = render_documents(documents(text, "c:\n  d: ${env:D}\n")).split("\n", 3)[3], "c:\n  d: ${env:D}\n"
    assert once == text + twice


def test_rendered_file_names_its_sources() -> None:
    head = render_documents(documents("a: 1\n", "b: 2\n"))
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
def test_unreadable_yaml_is_one_sentence(text: str, sentence: str) -> None:
    with pytest.raises(InputError) as error:
        Document("x.yaml", text)
    assert str(error.value) == sentence


def test_locate_returns_the_line_of_the_key_or_its_parent() -> None:
    text = "a: &a\n  b:\n    c: 1\nd:\n  <<: *a\n  e: 2\n"
    document = Document("x.yaml", text)
    found = [document.locate(*keys.split("/")) for keys in ("a/b/c", "d/e", "d/b", "d/nope", "nope")]
    assert found == ["x.yaml:3", "x.yaml:6", "x.yaml:2", "x.yaml:4", "x.yaml:1"]


# -- the command


def test_render_command_writes_the_rendered_documents(tmp_path: Path) -> None:
    out = tmp_path / "new" / "one.yaml"
    done = CliRunner().invoke(app, ["render", str(BASE), "--with", "guard", "--out", str(out)])
    assert (done.exit_code, done.output) == (0, "")
    several = [
        Document.read_file(BASE),
        shipped.read_config(OVERLAY),
        shipped.read_config(shipped.find_fragment("guard")),
    ]
    assert out.read_text() == render_documents(several)


def test_render_command_adds_no_second_overlay() -> None:
    given = CliRunner().invoke(app, ["render", str(OVERLAY), str(BASE)])
    assert given.output == render_documents([Document.read_file(OVERLAY), Document.read_file(BASE)])


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
def test_render_command_names_a_missing_file(arguments: list[str], sentence: str) -> None:
    command = [sys.executable, "-m", "otel_agentops.cli", "collector", "render", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr.startswith(f"otel-agentops collector: {sentence}")
    assert len(done.stderr.splitlines()) == 1
