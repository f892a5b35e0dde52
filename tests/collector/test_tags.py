"""The edit of a user's own config: one list longer, every other byte as it was, refused where that cannot be."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from test_overlay_merge import BASES, CONFIGS, find_changes, parse_yaml, print_config
from typer.testing import CliRunner

from otel_agentops._yaml import InputError
from otel_agentops.collector import shipped, tags
from otel_agentops.collector.cli import app
from otel_agentops.collector.document import Document
from stack import BASE, OVERLAY

EVERY = {**BASES, "anchors": (CONFIGS / "anchors.yaml", "otlp"), "stored": (CONFIGS / "stored.yaml", "otlp")}
OURS = ["transform/otel_agentops", "transform/otel_agentops_sli", "transform/otel_agentops_lock"]


def read(name: str) -> Document:
    return shipped.read_config(shipped.find_fragment(name))


def edit_text(pipelines: str, only: tuple[str, ...] = (), ours: tuple[str, ...] = ("T",)) -> str:
    """Return what becomes of the text below `pipelines`; T stands for our processors."""
    head = "service:\n  pipelines:\n"
    return tags.add_tags(Document("x.yaml", head + pipelines), ours, only).text.removeprefix(head)


def test_tag_processors_come_from_overlay_and_fragments() -> None:
    overlay = shipped.read_config(OVERLAY)
    assert tags.list_tag_processors(overlay) == OURS
    loose = [read(name) for name in ("tail-sampling", "content", "guard")]
    assert tags.list_tag_processors(overlay, loose) == [
        *OURS,
        "transform/otel_agentops_content",
        "tail_sampling/otel_agentops",
    ]


@pytest.mark.parametrize(
    ("current", "placed"),
    [
        ("memory_limiter batch", "memory_limiter T U batch"),
        ("batch", "T U batch"),
        ("", "T U"),
        ("memory_limiter k8sattributes tail_sampling batch", "memory_limiter T U k8sattributes tail_sampling batch"),
        ("memory_limiter/a memory_limiter/b batch/x", "memory_limiter/a memory_limiter/b T U batch/x"),
        ("batch memory_limiter", "T U batch memory_limiter"),
        ("groupbytrace memory_limiter", "T U groupbytrace memory_limiter"),
        ("memory_limiter probabilistic_sampler", "memory_limiter T U probabilistic_sampler"),
        ("memory_limiter T batch", "memory_limiter T U batch"),
        ("memory_limiter U batch", "memory_limiter T U batch"),
        ("memory_limiter x T U batch", "memory_limiter x T U batch"),
    ],
)
def test_tags_go_after_the_limiter_and_before_batching(current: str, placed: str) -> None:
    assert tags.place_processors(current.split(), ["T", "U"]) == placed.split()


@pytest.mark.parametrize(
    ("before", "after"),
    [
        pytest.param(
            "    traces: {receivers: [otlp],  processors: [ memory_limiter,batch ]}  # mine\n",
            "    traces: {receivers: [otlp],  processors: [ memory_limiter, T,batch ]}  # mine\n",
            id="flow style as it is",
        ),
        pytest.param(
            "    traces:\n      receivers: [otlp]\n      processors:\n      # first\n      - memory_limiter   # limit\n"
            "      # last\n      - 'batch'\n      exporters: []\n",
            "    traces:\n      receivers: [otlp]\n      processors:\n      # first\n      - memory_limiter   # limit\n"
            "      - T\n      # last\n      - 'batch'\n      exporters: []\n",
            id="block style, comments with their entries",
        ),
        pytest.param(
            "    traces:\n        receivers: [otlp]\n        processors:  # all\n            # why\n"
            "            - batch",
            "    traces:\n        receivers: [otlp]\n        processors:  # all\n            - T\n"
            "            # why\n            - batch",
            id="first in a block, no newline at the end",
        ),
        pytest.param(
            "    traces:\r\n      receivers: [otlp]\r\n      processors:\r\n        - memory_limiter\r\n"
            "        - batch\r\n",
            "    traces:\r\n      receivers: [otlp]\r\n      processors:\r\n        - memory_limiter\r\n"
            "        - T\r\n        - batch\r\n",
            id="line ends of Windows",
        ),
        pytest.param(
            "    traces: {receivers: [otlp], processors: [\n      memory_limiter,\n      batch,\n    ]}\n",
            "    traces: {receivers: [otlp], processors: [\n      memory_limiter, T,\n      batch,\n    ]}\n",
            id="flow style over several lines",
        ),
        pytest.param(
            "    traces:\n      receivers: [otlp]\n      exporters: [debug]\n",
            "    traces:\n      receivers: [otlp]\n      processors: [T]\n      exporters: [debug]\n",
            id="no list",
        ),
        pytest.param(
            "    traces: {receivers: [otlp], exporters: [debug]}\n",
            "    traces: {receivers: [otlp], processors: [T], exporters: [debug]}\n",
            id="no list, flow style",
        ),
        pytest.param(
            "    traces:\n      receivers: [otlp]\n      processors:\n      exporters: [debug]\n",
            "    traces:\n      receivers: [otlp]\n      processors: [T]\n      exporters: [debug]\n",
            id="nothing behind the colon",
        ),
        pytest.param(
            "    traces: {receivers: [otlp], processors: []}\n",
            "    traces: {receivers: [otlp], processors: [T]}\n",
            id="empty",
        ),
        pytest.param(
            "    traces: {receivers: [otlp], processors: &p [memory_limiter, batch]}\n"
            "    logs: {receivers: [otlp], processors: *p}\n    metrics: {receivers: [otlp], processors: *p}\n",
            "    traces: {receivers: [otlp], processors: &p [memory_limiter, T, batch]}\n"
            "    logs: {receivers: [otlp], processors: *p}\n"
            "    metrics: {receivers: [otlp], processors: [memory_limiter, batch]}\n",
            id="an alias that wants the same stays, another one is written out",
        ),
        pytest.param(
            "    metrics: &m\n      receivers: [otlp]\n      processors: [memory_limiter, batch]\n"
            "    traces:\n      <<: *m\n      exporters: [debug]\n",
            "    metrics: &m\n      receivers: [otlp]\n      processors: [memory_limiter, batch]\n"
            "    traces:\n      <<: *m\n      processors: [memory_limiter, T, batch]\n      exporters: [debug]\n",
            id="taken over with <<",
        ),
        pytest.param(
            "    traces: &t\n      receivers: [otlp]\n      processors: [batch]\n    metrics:\n      <<: *t\n"
            "      exporters: [a]\n",
            "    traces: &t\n      receivers: [otlp]\n      processors: [T, batch]\n    metrics:\n      <<: *t\n"
            "      processors: [batch]\n      exporters: [a]\n",
            id="given on with <<",
        ),
        pytest.param(
            "    traces: {receivers: [otlp], processors: ['${env:FIRST}', memory_limiter, \"${env:LAST}\"]}  # ü😀\n"
            "    logs: {receivers: [otlp], processors: [batch]}\n",
            "    traces: {receivers: [otlp], processors: ['${env:FIRST}', memory_limiter, T, \"${env:LAST}\"]}  # ü😀\n"
            "    logs: {receivers: [otlp], processors: [T, batch]}\n",
            id="references in the list, characters of several units",
        ),
        pytest.param(
            "    traces: {receivers: [zipkin], processors: [a]}\n"
            "    traces/otel_agentops: {receivers: [otlp], processors: [b]}\n"
            "    traces/x: {receivers: [otlp/in], processors: [c]}\n    metrics: {receivers: [otlp], processors: [d]}\n"
            "    logs: {receivers: '${env:RECEIVERS}', processors: [e]}\n",
            "    traces: {receivers: [zipkin], processors: [a]}\n"
            "    traces/otel_agentops: {receivers: [otlp], processors: [b]}\n"
            "    traces/x: {receivers: [otlp/in], processors: [T, c]}\n"
            "    metrics: {receivers: [otlp], processors: [d]}\n"
            "    logs: {receivers: '${env:RECEIVERS}', processors: [T, e]}\n",
            id="the user's traces and logs that OTLP feeds",
        ),
    ],
)
def test_tag_edit_keeps_every_other_byte(before: str, after: str) -> None:
    assert edit_text(before) == after
    assert edit_text(after) == after, "the second time there is nothing to do"


def test_tags_go_into_the_named_pipeline_only() -> None:
    two = "    traces: {receivers: [otlp], processors: []}\n    traces/b: {receivers: [jaeger], processors: []}\n"
    assert edit_text(two, ("traces/b",)) == two.replace("[jaeger], processors: []", "[jaeger], processors: [T]")


def test_sampler_is_added_to_traces_alone() -> None:
    both = "    traces: {receivers: [otlp], processors: [batch]}\n    logs: {receivers: [otlp], processors: [batch]}\n"
    ours = ("T", "tail_sampling/otel_agentops")
    assert edit_text(both, ours=ours).count("T, tail_sampling/otel_agentops, batch") == 1
    assert edit_text(both, ours=ours).endswith("logs: {receivers: [otlp], processors: [T, batch]}\n")


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (
            "service:\n  pipelines:\n    traces:\n      receivers: [otlp]\n      processors: ${env:PROCESSORS}\n",
            "x.yaml:5: the processors of traces are ${env:PROCESSORS}; edit the list where it is, or write it here",
        ),
        (
            "service: ${file:service.yaml}\n",
            "x.yaml:1: service is '${file:service.yaml}'; give the file that has the pipelines",
        ),
        (
            "service:\n  pipelines: ${file:p.yaml}\n",
            "x.yaml:2: service::pipelines is '${file:p.yaml}'; give the file that has the pipelines",
        ),
        ("receivers: {}\n", "x.yaml:1: service is not there; give the file that has the pipelines"),
        (
            "service:\n  pipelines:\n    traces: ${file:t.yaml}\n",
            "x.yaml:3: the pipeline traces is '${file:t.yaml}'; give the file that has it",
        ),
        (
            "service:\n  pipelines:\n    metrics: {receivers: [otlp]}\n    traces: {receivers: [zipkin]}\n",
            "x.yaml:2: no traces or logs pipeline with an otlp receiver; name one with --pipeline",
        ),
        (
            "service:\n  pipelines:\n    logs: &l {receivers: [otlp], processors: [batch]}\n    metrics: *l\n",
            "x.yaml:4: service::pipelines::metrics is an alias; write it out, then run this again",
        ),
        (
            "service:\n  pipelines:\n    traces: {receivers: [otlp], processors: [&b batch]}\n"
            "    logs:\n      receivers: [otlp]\n      processors: [*b]\n",
            "x.yaml:6: an entry of this list is an alias; write it out, then run this again",
        ),
        (
            "x: &p [batch]\nservice:\n  pipelines:\n    traces: {receivers: [otlp], processors: [[batch]]}\n",
            "x.yaml:4: the processors of traces are [['batch']]; edit the list where it is, or write it here",
        ),
    ],
)
def test_uneditable_list_is_refused_with_its_line(text: str, sentence: str) -> None:
    with pytest.raises(InputError) as error:
        tags.add_tags(Document("x.yaml", text), ["T"])
    assert str(error.value) == sentence


def test_missing_pipeline_is_refused() -> None:
    with pytest.raises(InputError) as error:
        tags.add_tags(Document.read_file(BASE, "base.yaml"), ["T"], ["traces/x"])
    assert str(error.value) == "base.yaml:17: no pipeline traces/x for traces or logs; there are: traces, logs"


def test_two_samplers_are_refused() -> None:
    with pytest.raises(InputError) as error:
        tags.add_tags(Document.read_file(CONFIGS / "no_logs.yaml", "x.yaml"), ["T", "tail_sampling/otel_agentops"])
    assert str(error.value) == (
        "x.yaml:13: tail_sampling/otel_agentops and tail_sampling would decide one after the other; "
        "put the policies of one into the other"
    )


# -- with a real collector


@pytest.mark.collector
@pytest.mark.parametrize("base", EVERY)
def test_collector_sees_only_the_edited_lists_change(otelcol: Path, base: str, tmp_path: Path) -> None:
    config, receiver = EVERY[base]
    before = Document.read_file(config)
    after = tags.add_tags(before, OURS)
    (tmp_path / "mine.yaml").write_text(after.text)
    was, is_ = (parse_yaml(print_config(otelcol, receiver, path, OVERLAY)) for path in (config, tmp_path / "mine.yaml"))
    expected = set()
    for id_ in tags.choose_pipelines(before):
        current = before.get("service", "pipelines", id_, "processors")
        expected.add(f"/service/pipelines/{id_}/processors: {current} became {tags.place_processors(current, OURS)}")
    assert set(find_changes(was, is_)) == expected


# -- back


@pytest.mark.parametrize("base", EVERY)
def test_undo_restores_the_backup_byte_for_byte(base: str) -> None:
    before = Document.read_file(EVERY[base][0])
    after = tags.add_tags(before, OURS)
    assert tags.undo_tags(after, before).text == before.text
    assert parse_yaml(tags.remove_tags(after).text) == before.data, "without a backup the values are the same"


def test_undo_keeps_what_the_user_edited_since() -> None:
    before = Document.read_file(BASE)
    later = tags.add_tags(before, OURS).text.replace("exporters: [debug]", "exporters: [debug, debug/b]", 1)
    undone = tags.undo_tags(Document("x", later), before).text
    assert undone == before.text.replace("exporters: [debug]", "exporters: [debug, debug/b]", 1)


def test_undo_without_tags_changes_nothing() -> None:
    before = Document.read_file(BASE)
    assert tags.undo_tags(before, None).text == before.text


# Lists as people write them: flow or block, entries quoted or not, comments, indents, aligned or not.
ENTRIES = st.lists(
    st.sampled_from(
        ["memory_limiter", "batch", "'batch/x'", '"k8sattributes"', "transform", "tail_sampling", "filter/é😀"]
    ),
    max_size=5,
    unique_by=lambda entry: entry.strip("'\""),
)


@st.composite
def pipeline(draw: st.DrawFn, id_: str) -> str:
    entries, key = draw(ENTRIES), draw(st.sampled_from(["processors:", "processors :", "'processors':"]))
    end = draw(st.sampled_from(["", "  # why", " #"]))
    if draw(st.booleans()) or not entries:
        space, comma = draw(st.sampled_from(["", " "])), draw(st.sampled_from([", ", " , ", ",  "]))
        flow = f"[{space}{comma.join(entries)}{space}]"
        if draw(st.booleans()):
            return f"    {id_}: {{receivers: [otlp], {key} {flow}, exporters: [debug]}}{end}\n"
        return f"    {id_}:\n      receivers: [otlp]\n      {key} {flow}{end}\n      exporters: [debug]\n"
    indent = " " * draw(st.integers(6, 9))
    lines = [f"{indent}-{' ' * draw(st.integers(1, 3))}{entry}{end}" for entry in entries]
    comment = draw(st.sampled_from([[], [f"{indent}# about"], ["# far left"]]))
    body = "\n".join([f"      {key}{end}", *comment, *lines])
    blank = "\n" * draw(st.integers(0, 2))
    return f"    {id_}:\n      receivers: [otlp]\n{body}\n{blank}      exporters: [debug]\n"


@settings(max_examples=30, deadline=None)  # each parses YAML a dozen times
@given(st.tuples(pipeline("traces"), pipeline("logs/x"), pipeline("metrics")).map("".join))
def test_adding_and_removing_tags_restores_the_text(pipelines: str) -> None:
    before = Document("x.yaml", f"service:\n  pipelines:\n{pipelines}")
    after = tags.add_tags(before, OURS)
    for id_ in ("traces", "logs/x"):
        current = before.get("service", "pipelines", id_, "processors") or []
        assert after.get("service", "pipelines", id_, "processors") == tags.place_processors(current, OURS)
    assert tags.add_tags(after, OURS).text == after.text
    assert tags.remove_tags(after).text == before.text


# -- the commands


@pytest.fixture
def mine(tmp_path: Path) -> Path:
    path = tmp_path / "mine.yaml"
    path.write_text(BASE.read_text())
    path.chmod(0o640)
    return path


def run(*arguments: str | Path) -> tuple[int, list[str]]:
    done = CliRunner().invoke(app, list(map(str, arguments)))
    return done.exit_code, done.output.splitlines()


def test_merge_command_prints_the_diff_by_default(mine: Path) -> None:
    code, said = run("merge", mine)
    assert code == 0
    assert [line for line in said if line.startswith(("+", "-")) and "pipelines" not in line][2:] == [
        *("-" + line for line in BASE.read_text().splitlines() if "    traces:" in line),
        *(
            "+" + line
            for line in tags.add_tags(Document.read_file(BASE), OURS).text.splitlines()
            if "    traces:" in line
        ),
        *("-" + line for line in BASE.read_text().splitlines() if "    logs:" in line),
        *(
            "+" + line
            for line in tags.add_tags(Document.read_file(BASE), OURS).text.splitlines()
            if "    logs:" in line
        ),
    ]
    assert said[-2] == "nothing is written; --in-place edits the file, --out FILE writes another"
    assert said[-1].endswith(f"otelcol-contrib --config {mine} --config otel-agentops.yaml")
    assert mine.read_text() == BASE.read_text()


def test_merge_command_without_an_answer_writes_nothing(mine: Path) -> None:
    assert run("merge", mine, "--in-place") == (1, run("merge", mine, "--in-place")[1])
    assert mine.read_text() == BASE.read_text()
    assert list(mine.parent.iterdir()) == [mine]


def test_merge_command_is_idempotent_and_undoable(mine: Path) -> None:
    assert run("merge", mine, "--in-place", "--yes")[0] == 0
    assert mine.read_text() == tags.add_tags(Document.read_file(BASE), OURS).text
    assert mine.stat().st_mode & 0o777 == 0o640
    assert run("merge", mine, "--in-place", "--yes") == (0, [f"{mine}: nothing to do, the tags are there"])
    assert run("merge", mine, "--in-place", "--yes", "--with", "tail-sampling")[0] == 0
    assert "transform/otel_agentops_lock, tail_sampling/otel_agentops, batch" in mine.read_text()
    assert run("undo", mine, "--yes")[0] == 0
    assert mine.read_text() == BASE.read_text()
    assert list(mine.parent.iterdir()) == [mine]
    assert run("undo", mine) == (0, [f"{mine}: nothing to do, there is nothing of ours in its pipelines"])


def test_merge_command_writes_another_file(mine: Path) -> None:
    out = mine.with_name("other.yaml")
    assert run("merge", mine, "--out", out, "--yes", "--pipeline", "traces")[0] == 0
    assert mine.read_text() == BASE.read_text()
    assert out.read_text() == tags.add_tags(Document.read_file(BASE), OURS, ["traces"]).text


def test_merge_command_follows_a_link(mine: Path) -> None:
    link = mine.with_name("link.yaml")
    link.symlink_to(mine)
    run("merge", link, "--in-place", "--yes")
    assert link.is_symlink()
    assert mine.read_text() == tags.add_tags(Document.read_file(BASE), OURS).text
