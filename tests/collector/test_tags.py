"""The edit of a user's own config: one list longer, every other byte as it was, refused where that cannot be."""

from __future__ import annotations

import json
from collections.abc import Callable
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
from otel_agentops.collector.origins import explain_differences
from stack import BASE, OVERLAY

EVERY = {**BASES, "anchors": (CONFIGS / "anchors.yaml", "otlp"), "stored": (CONFIGS / "stored.yaml", "otlp")}
OURS = ["transform/otel_agentops", "transform/otel_agentops_sli", "transform/otel_agentops_lock"]


def read(name: str) -> Document:
    return shipped.read_config(shipped.find_fragment(name))


def edit_text(pipelines: str, only: tuple[str, ...] = (), ours: tuple[str, ...] = ("T",)) -> str:
    """Return what becomes of the text below `pipelines`; T stands for our processors."""
    head = "service:\n  pipelines:\n"
    return tags.add_tags(Document("x.yaml", head + pipelines), ours, only).text.removeprefix(head)


def note(**origins: str | None) -> str:
    """Return the line that keeps what undo cannot know."""
    return f"# otel-agentops collector undo reads this: {json.dumps(origins)}\n"


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
            "    traces:\n      receivers: [otlp]\n      processors: [T]\n      exporters: [debug]\n"
            + note(traces=None),
            id="no list",
        ),
        pytest.param(
            "    traces: {receivers: [otlp], exporters: [debug]}\n",
            "    traces: {receivers: [otlp], processors: [T], exporters: [debug]}\n" + note(traces=None),
            id="no list, flow style",
        ),
        pytest.param(
            "    traces:\n      receivers: [otlp]\n      processors:\n      exporters: [debug]\n",
            "    traces:\n      receivers: [otlp]\n      processors: [T]\n      exporters: [debug]\n" + note(traces=""),
            id="nothing behind the colon",
        ),
        pytest.param(
            "    traces: {receivers: [otlp], processors: []}\n",
            "    traces: {receivers: [otlp], processors: [T]}\n" + note(traces="[]"),
            id="empty",
        ),
        pytest.param(
            "    traces: {receivers: [otlp], processors: &p [memory_limiter, batch]}\n"
            "    logs: {receivers: [otlp], processors: *p}\n    metrics: {receivers: [otlp], processors: *p}\n",
            "    traces: {receivers: [otlp], processors: &p [memory_limiter, T, batch]}\n"
            "    logs: {receivers: [otlp], processors: *p}\n"
            "    metrics: {receivers: [otlp], processors: [memory_limiter, batch]}\n" + note(metrics="*p"),
            id="an alias that wants the same stays, another one is written out",
        ),
        pytest.param(
            "    metrics: &m\n      receivers: [otlp]\n      processors: [memory_limiter, batch]\n"
            "    traces:\n      <<: *m\n      exporters: [debug]\n",
            "    metrics: &m\n      receivers: [otlp]\n      processors: [memory_limiter, batch]\n"
            "    traces:\n      <<: *m\n      processors: [memory_limiter, T, batch]\n      exporters: [debug]\n"
            + note(traces=None),
            id="taken over with <<",
        ),
        pytest.param(
            "    traces:\n      receivers: [otlp]\n      processors: &p\n      - batch\n      exporters: [a]\n",
            "    traces:\n      receivers: [otlp]\n      processors: &p\n      - T\n      - batch\n"
            "      exporters: [a]\n",
            id="first in a block with an anchor",
        ),
        pytest.param(
            "    traces:\n      receivers: [otlp]\n      processors: null  # none\n      exporters: [debug]\n",
            "    traces:\n      receivers: [otlp]\n      processors: [T]  # none\n      exporters: [debug]\n"
            + note(traces="null"),
            id="null",
        ),
        pytest.param(
            "    traces: &t\n      receivers: [otlp]\n      processors: [batch]\n    metrics:\n      <<: *t\n"
            "      exporters: [a]\n",
            "    traces: &t\n      receivers: [otlp]\n      processors: [T, batch]\n    metrics:\n      <<: *t\n"
            "      processors: [batch]\n      exporters: [a]\n" + note(metrics=None),
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
    assert edit_text(two, ("traces/b",)) == two.replace("[jaeger], processors: []", "[jaeger], processors: [T]") + note(
        **{"traces/b": "[]"}
    )


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
    anchor = f"&{id_[0]} " if draw(st.booleans()) else ""
    if draw(st.booleans()) or not entries:
        space, comma = draw(st.sampled_from(["", " "])), draw(st.sampled_from([", ", " , ", ",  "]))
        flow = f"{anchor}[{space}{comma.join(entries)}{space}]"
        if not entries:  # ways to have none
            flow = draw(st.sampled_from([flow, "[]", "[ ]", "", "null", "~"]))
        source = f"{key} {flow}".rstrip() if draw(st.integers(0, 3)) else None
        if draw(st.booleans()):
            written = f"{source}{' ' * (not flow)}, " if source else ""
            return f"    {id_}: {{receivers: [otlp], {written}exporters: [debug]}}{end}\n"
        written = f"      {source}{end}\n" if source else ""
        return f"    {id_}:\n      receivers: [otlp]\n{written}      exporters: [debug]\n"
    indent = " " * draw(st.integers(6, 9))
    lines = [f"{indent}-{' ' * draw(st.integers(1, 3))}{entry}{end}" for entry in entries]
    comment = draw(st.sampled_from([[], [f"{indent}# about"], ["# far left"]]))
    body = "\n".join([f"      {key} {anchor}".rstrip() + end, *comment, *lines])
    blank = "\n" * draw(st.integers(0, 2))
    return f"    {id_}:\n      receivers: [otlp]\n{body}\n{blank}      exporters: [debug]\n"


@st.composite
def config(draw: st.DrawFn) -> str:
    """Return pipelines of one config, of which later ones may point at what stands before."""
    first, second = draw(pipeline("traces")), draw(pipeline("logs/x"))
    third = draw(pipeline("metrics"))
    if "&t" in first and draw(st.booleans()):
        third = draw(
            st.sampled_from(
                [
                    "    metrics: {receivers: [otlp], processors: *t , exporters: [debug]}\n",
                    "    traces/2:\n      receivers: [otlp]\n      processors:  *t  # so\n      exporters: [debug]\n",
                ]
            )
        )
    elif draw(st.booleans()):
        first = first.replace("traces:", "traces: &all", 1)
        third = draw(
            st.sampled_from(
                [
                    "    metrics:\n      <<: *all\n      exporters: [debug]\n",
                    "    logs/2: {<<: *all, exporters: [debug]}\n",
                ]
            )
        )
    head = draw(st.sampled_from(["", "---\n", "# mine\n\n"]))
    tail = draw(st.sampled_from(["", "  telemetry: {logs: {level: warn}}\n", "x: |+\n  a\n\n", "# last\n", "...\n"]))
    text = f"{head}service:\n  pipelines:\n{first}{second}{third}{tail}"
    text = draw(st.sampled_from([text, text.rstrip("\n")]))
    return draw(st.sampled_from([text, text.replace("\n", "\r\n")]))


@settings(max_examples=40, deadline=None)  # each parses YAML a dozen times
@given(config())
def test_undo_without_a_backup_is_the_same_text(text: str) -> None:
    before = Document("x.yaml", text)
    try:
        after = tags.add_tags(before, OURS)
    except InputError as error:  # what `<<` would carry on
        assert str(error).endswith("write the aliases out first")
        return
    for id_ in tags.choose_pipelines(before):
        current = before.get("service", "pipelines", id_, "processors") or []
        assert after.get("service", "pipelines", id_, "processors") == tags.place_processors(current, OURS)
    assert tags.add_tags(after, OURS).text == after.text
    undone = tags.remove_tags(after)
    assert undone.text == before.text
    assert list(explain_differences(after, undone)) == []
    more = tags.add_tags(after, [*OURS, "transform/otel_agentops_content"])
    assert tags.remove_tags(more).text == before.text


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
    assert said[0] == "nothing is written: this shows the edit; --in-place makes it, --out FILE writes another file"
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


def test_other_file_that_is_there_is_kept(mine: Path) -> None:
    out = mine.with_name("other.yaml")
    out.write_text("mine: too\n")
    code, said = run("merge", mine, "--out", out, "--yes")
    assert (code, f"{out} is written; what stood there is {out}.bak" in said) == (0, True)
    assert Path(f"{out}.bak").read_text() == "mine: too\n"


SECOND = """\
receivers: {otlp: {}, otlp/edge: {}, kafka: {}}
service:
  pipelines:
    traces: {receivers: [otlp, otlp/edge], processors: [batch], exporters: [debug]}
    traces/k: {receivers: [kafka], processors: [batch], exporters: [debug]}
"""


def test_merge_names_what_is_left_and_not_counted(mine: Path) -> None:
    mine.write_text(SECOND)
    code, said = run("merge", mine)
    assert code == 0
    assert "traces/k is left as it is, no otlp receiver feeds it; `--pipeline traces/k` edits it" in said
    warnings = [line for line in said if line.startswith("warning: ")]
    assert [line.split(": ")[2] for line in warnings] == [
        "spans and events that come to otlp/edge are not counted; the overlay reads otlp; set OTEL_AGENTOPS_"
        "TRACE_RECEIVER=otlp,otlp/edge,kafka OTEL_AGENTOPS_LOG_RECEIVER=otlp,otlp/edge",
        "spans that come to kafka are not counted; the overlay reads otlp; set OTEL_AGENTOPS_TRACE_RECEIVER="
        "otlp,otlp/edge,kafka OTEL_AGENTOPS_LOG_RECEIVER=otlp,otlp/edge; leave it if no model is called there, or "
        "another collector counted them",
    ]
    assert not [line for line in run("merge", mine, "--pipeline", "traces")[1] if "is left as it is" in line]


WITHOUT = "service:\n  pipelines:\n    traces:\n      receivers: [otlp]\n      exporters: [debug]\n"


@pytest.mark.parametrize(
    ("edit", "left", "sentences"),
    [
        pytest.param(lambda text: text, WITHOUT, [], id="nothing"),
        pytest.param(
            lambda text: text[: text.index("# otel-agentops")],
            WITHOUT.replace("      exporters", "      processors: []\n      exporters"),
            ["mine.yaml:5: the processors of traces are empty; take the key out if it was not there before"],
            id="the note is gone",
        ),
        pytest.param(
            lambda text: text.replace("[transform", "[batch, transform"),
            WITHOUT.replace("      exporters", "      processors: [batch]\n      exporters"),
            ["mine.yaml:3: the processors of traces were missing before; they were edited since"],
            id="a processor was added",
        ),
        pytest.param(
            lambda text: text.replace("      processors", "      # mine\n      processors"),
            WITHOUT.replace("      exporters", "      # mine\n      exporters"),
            [],
            id="a comment was added",
        ),
        pytest.param(
            lambda text: text.replace("null}", "nul}"),
            WITHOUT.replace("      exporters", "      processors: []\n      exporters"),
            ["mine.yaml:5: the processors of traces are empty; take the key out if it was not there before"],
            id="the note is spoilt",
        ),
    ],
)
def test_undo_names_what_may_differ(
    mine: Path, edit: Callable[[str], str], left: str, sentences: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(mine.parent)
    mine.write_text(WITHOUT)
    assert run("merge", mine.name, "--in-place", "--yes")[0] == 0
    Path("mine.yaml.before-otel-agentops").unlink()
    mine.write_text(edit(mine.read_text()))
    code, said = run("undo", mine.name, "--yes")
    assert (code, mine.read_text()) == (0, left)
    assert [line for line in said if line.startswith("note: ")] == [f"note: {sentence}" for sentence in sentences]


def test_merge_command_follows_a_link(mine: Path) -> None:
    link = mine.with_name("link.yaml")
    link.symlink_to(mine)
    run("merge", link, "--in-place", "--yes")
    assert link.is_symlink()
    assert mine.read_text() == tags.add_tags(Document.read_file(BASE), OURS).text
