"""Each way to lose data silently is a finding with a place and an advice; a sound config has none."""

from __future__ import annotations

import contextlib
import copy
import functools
import io
import operator
import os
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path

import pytest
from ruamel.yaml import YAML
from test_overlay_merge import BASES, CONFIGS
from typer.testing import CliRunner

from otel_agentops._yaml import InputError
from otel_agentops.collector import binary, environment, kubernetes, render, sampling, shipped, tags
from otel_agentops.collector.check import run_checks
from otel_agentops.collector.cli import app
from otel_agentops.collector.document import Document
from otel_agentops.collector.situation import build_situation
from otel_agentops.doctor import Finding
from stack import BASE, OVERLAY

NOT_ASKED = Finding(
    "note",
    "collector",
    "not checked: no collector was asked if it takes the files",
    "name yours with --otelcol; --without-collector if there is none here",
)


@cache  # reading it takes half a second
def base() -> Document:
    return Document.read_file(BASE, "base.yaml")


@cache
def overlay() -> Document:
    return shipped.read_config(OVERLAY)


def document(text: str, name: str = "x.yaml") -> Document:
    return Document(name, text)


def findings(*documents: Document, environ: Mapping[str, str] | None = None) -> list[Finding]:
    """Return what is found without a collector."""
    *found, last = run_checks(build_situation(documents, environ or {}))
    assert last == NOT_ASKED
    return found


def only(*documents: Document, environ: Mapping[str, str] | None = None) -> tuple[str, str, str]:
    (found,) = findings(*documents, environ=environ)
    assert found.advice
    return found[:3]


# -- nothing to say


@pytest.mark.parametrize("name", [name for name in BASES if name not in {"no_logs", "other_receiver"}])
def test_a_sound_config_has_no_finding(name: str) -> None:
    path, receiver = BASES[name]
    assert findings(Document.read_file(path), overlay(), environ={"OTEL_AGENTOPS_RECEIVER": receiver}) == []


def test_a_merged_config_with_its_fragments_has_no_finding() -> None:
    loose = [shipped.read_config(shipped.find_fragment(name)) for name in ("tail-sampling", "content")]
    mine = tags.add_tags(base(), tags.list_tag_processors(overlay(), loose))
    assert findings(mine, overlay(), *loose) == []


@pytest.mark.parametrize("name", [fragment.name for fragment in shipped.list_fragments()])
def test_fragment_has_only_notes_about_the_users_list(name: str) -> None:
    before = {"two-tier-2": [], "honeycomb-sampled": ["honeycomb", "tail-sampling"]}.get(name, [])
    if name == "two-tier-2":
        found = findings(
            shipped.read_config(shipped.find_fragment(name)),
            shipped.read_config(shipped.find_fragment("tail-sampling")),
        )
        assert [one.text for one in found] == ["the overlay is not among the files: nothing is counted"]
        return
    found = findings(base(), overlay(), *(shipped.read_config(shipped.find_fragment(one)) for one in [*before, name]))
    loose = name in {"tail-sampling", "content", "content-redact", "gold"}
    assert [one.level for one in found] == ["warning"] * loose
    assert all("is defined and in no pipeline" in one.text for one in found)


# -- sampling


def test_head_sampler_is_a_bias_with_figures() -> None:
    environ = {"OTEL_TRACES_SAMPLER": "parentbased_traceidratio", "OTEL_TRACES_SAMPLER_ARG": "0.1"}
    level, where, text = only(base(), overlay(), environ=environ)
    assert (level, where) == ("warning", "environment")
    assert text.startswith("OTEL_TRACES_SAMPLER=parentbased_traceidratio with 0.1: 1 of 10 traces is counted.")
    assert "for 1 failure 90%, 5 failures 59%, 20 failures 12%." in text  # 0.9 ** n


@pytest.mark.parametrize(
    ("sampler", "argument", "level"),
    [
        ("always_on", "", None),
        ("traceidratio", "1", None),
        ("traceidratio", None, None),
        ("traceidratio", "0", "warning"),
        ("traceidratio", "a tenth", "warning"),
        ("parentbased_jaeger_remote", "x", "warning"),
        ("always_off", None, "problem"),
        ("parentbased_always_off", None, "problem"),
    ],
)
def test_sampler_settings_have_their_level(sampler: str, argument: str | None, level: str | None) -> None:
    environ = {"OTEL_TRACES_SAMPLER": sampler}
    if argument is not None:
        environ["OTEL_TRACES_SAMPLER_ARG"] = argument
    assert [one.level for one in findings(base(), overlay(), environ=environ)] == ([level] if level else [])


def test_sampling_bias_assumes_independent_traces() -> None:
    assert "1 failure 75%, 5 failures 24%, 20 failures 0%" in sampling.describe_bias(0.25)
    assert sampling.describe_bias(0) == "no trace is kept, nothing is counted"


def test_sampler_before_the_overlay_is_a_warning() -> None:
    text = (
        "connectors:\n  forward/kept:\nprocessors:\n  probabilistic_sampler: {sampling_percentage: 5}\n"
        "service:\n  pipelines:\n"
        "    traces/in:\n      receivers: [otlp]\n      processors: [probabilistic_sampler]\n"
        "      exporters: [forward/kept]\n"
    )
    environ = {"OTEL_AGENTOPS_RECEIVER": "forward/kept"}
    found = findings(base(), document(text), overlay(), environ=environ)
    assert found[0][:3] == (
        "warning",
        "x.yaml:9",
        "probabilistic_sampler in traces/in drops spans before forward/kept hands them to the counting",
    )


def test_sampler_that_does_not_see_the_tags_is_a_warning() -> None:
    mine = Document.read_file(CONFIGS / "no_logs.yaml", "x.yaml")
    text = "tail_sampling in traces decides without the tags: incident traces are dropped like any other"
    assert only(mine, overlay()) == ("warning", "x.yaml:13", text)
    assert findings(tags.add_tags(mine, tags.list_tag_processors(overlay())), overlay()) == []
    late = document(mine.text.replace("tail_sampling, batch]", "tail_sampling, transform/otel_agentops, batch]"))
    assert only(late, overlay())[2] == "tail_sampling stands before the tags in traces, and does not see them"
    batched = document(base().text.replace("memory_limiter, batch]", "batch, transform/otel_agentops]", 1))
    assert only(batched, overlay())[2] == "batch stands before the tags in traces, and does not see them"


# -- files


@pytest.mark.parametrize("section", ["receivers", "processors", "exporters", "service"])
def test_empty_section_of_a_later_file_is_a_problem(section: str) -> None:
    found = findings(base(), document(f"# mine\n{section}:\n"), overlay())
    assert found[0][:3] == (
        "problem",
        "x.yaml:2",
        f"{section} is empty here, and takes the place of all that base.yaml has",
    )


def test_section_given_as_a_reference_is_a_problem() -> None:
    text = "processors: ${file:procs.yaml}\n"
    first = findings(document(text), base(), overlay())[0]
    assert first[:2] == ("problem", "base.yaml:7")
    assert first.text == (
        "processors is ${file:procs.yaml} in a file before: the map here takes its place, nothing is merged"
    )
    later = findings(base(), document(text), overlay())
    assert later[0].text == "processors is ${file:procs.yaml} here, and takes the place of all that base.yaml has"


def test_list_that_loses_an_entry_is_a_warning() -> None:
    shorter = document("service:\n  pipelines:\n    traces:\n      processors: [batch]\n")
    assert only(base(), shorter, overlay()) == (
        "warning",
        "x.yaml:4",
        "traces: memory_limiter of base.yaml:18 is not in this list, which takes the place of that one",
    )


def test_exclusive_fragments_are_a_problem() -> None:
    both = [shipped.read_config(shipped.find_fragment(f"push-prometheus{end}")) for end in ("", "-remote-write")]
    found = findings(base(), overlay(), *both)
    assert [one.subject.partition(":")[0] for one in found] == ["push-prometheus-remote-write.yaml"]
    assert {one.text.partition(": ")[2].partition(" of ")[0] for one in found} == {"otlp_http/otel_agentops_prometheus"}


def test_second_overlay_is_a_problem() -> None:
    rendered = document(render.render_documents([base(), overlay()]))
    assert findings(rendered) == []
    assert only(rendered, document(overlay().text, "y.yaml"))[0::2] == (
        "problem",
        "x.yaml holds the overlay, too, and another one: settings of both are mixed",
    )
    assert only(base(), overlay(), document(overlay().text, "y.yaml"))[0::2] == (
        "note",
        "otel-agentops.yaml holds the overlay, too; once is enough",
    )


def test_span_that_arrives_twice_is_reported() -> None:
    text = (
        "connectors: {forward/a: {}, forward/b: {}}\nservice:\n  pipelines:\n"
        "    traces/a: {receivers: [otlp], exporters: [forward/a]}\n"
        "    traces/b: {receivers: [forward/a], exporters: [forward/b]}\n"
    )
    environ = {"OTEL_AGENTOPS_RECEIVER": "otlp,forward/b"}
    assert only(base(), document(text), overlay(), environ=environ)[0::2] == (
        "problem",
        "the overlay reads forward/b and otlp, which feeds forward/b: every span counts twice",
    )
    assert findings(base(), document(text), overlay(), environ={"OTEL_AGENTOPS_RECEIVER": "forward/b"}) == []
    assert only(base(), overlay(), environ={"OTEL_AGENTOPS_RECEIVER": "otlp,otlp"})[0::2] == (
        "problem",
        "the overlay's receivers are otlp, otlp: one is there twice",
    )


# -- the overlay's ends


def test_missing_receiver_is_a_problem() -> None:
    two = Document.read_file(CONFIGS / "two_receivers.yaml", "x.yaml")
    (found,) = findings(two, overlay())
    assert found == Finding(
        "problem",
        "x.yaml:2",
        "the overlay reads from otlp, and there is no such receiver; there are otlp/in, otlp/b",
        "set OTEL_AGENTOPS_RECEIVER=otlp/in,otlp/b",
    )
    assert only(base(), overlay(), environ={"OTEL_AGENTOPS_RECEIVERS": ""})[2] == (
        "the overlay has no receiver: OTEL_AGENTOPS_RECEIVERS is set to nothing"
    )
    assert only(base())[2] == "the overlay is not among the files: nothing is counted"


SECOND = (
    "receivers: {{{id_}: {{}}}}\nservice:\n  pipelines:\n    {pipeline}: {{receivers: [{id_}], exporters: [debug]}}\n"
)
LEAVE = "; leave it if no model is called there, or another collector counted them"
TRACES = "OTEL_AGENTOPS_TRACE_RECEIVER"
# The receivers of contrib that bring spans: https://opentelemetry.io/docs/collector/components/receiver/, and two of
# older versions. The collector of the tests has none of them.
BRINGING_SPANS = (
    "awss3", "awsxray", "azureblob", "azureeventhub", "datadog", "faro", "github", "gitlab", "googlecloudpubsub",
    "jaeger/in", "kafka", "libhoney", "opencensus", "otelarrow", "otlpjsonfile", "pulsar", "receiver_creator", "sapm",
    "skywalking", "solace", "zipkin",
)  # fmt: skip
UNCOUNTED = "that come to {} are not counted; the overlay reads otlp"


@pytest.mark.parametrize(
    ("id_", "pipeline", "environ", "level", "what", "advice"),
    [
        ("otlp/edge", "traces/b", {}, "problem", "spans and events", "OTEL_AGENTOPS_RECEIVER=otlp,otlp/edge"),
        ("otlp/edge", "logs/b", {}, "problem", "events", "OTEL_AGENTOPS_TRACE_RECEIVER=otlp "
         "OTEL_AGENTOPS_LOG_RECEIVER=otlp,otlp/edge"),
        ("otlp/edge", "traces/b", {"OTEL_AGENTOPS_RECEIVER": "otlp"}, "warning", "spans and events",
         "OTEL_AGENTOPS_RECEIVER=otlp,otlp/edge"),
        ("otlp/edge", "traces/b", {"OTEL_AGENTOPS_TRACE_RECEIVER": "otlp,otlp/edge"}, "warning", "events",
         "OTEL_AGENTOPS_RECEIVER=otlp,otlp/edge"),
        *(
            (id_, "traces/b", {}, "warning", "spans", f"OTEL_AGENTOPS_TRACE_RECEIVER=otlp,{id_} "
             f"OTEL_AGENTOPS_LOG_RECEIVER=otlp{LEAVE}")
            for id_ in BRINGING_SPANS
        ),
    ],
)  # fmt: skip
def test_receiver_that_is_not_counted_is_named(
    id_: str, pipeline: str, environ: dict[str, str], level: str, what: str, advice: str
) -> None:
    (found,) = findings(base(), document(SECOND.format(id_=id_, pipeline=pipeline)), overlay(), environ=environ)
    text = f"{what} {UNCOUNTED.format(id_)}".replace(
        "reads otlp", f"reads {environ.get(TRACES, 'otlp')}".replace(",", ", ")
    )
    assert found == Finding(level, "x.yaml:1", text, f"set {advice}")
    chosen = dict(pair.split("=") for pair in advice.removesuffix(LEAVE).split())
    assert findings(base(), document(SECOND.format(id_=id_, pipeline=pipeline)), overlay(), environ=chosen) == []


def test_receiver_of_both_signals_is_advised_for_both() -> None:
    both = document(SECOND.format(id_="kafka", pipeline="traces/b") + "    logs/b: {receivers: [kafka]}\n")
    (found,) = findings(base(), both, overlay())
    assert (found.level, found.advice) == ("warning", f"set OTEL_AGENTOPS_RECEIVER=otlp,kafka{LEAVE}")


@pytest.mark.parametrize(
    ("id_", "pipeline"), [("filelog", "logs/b"), ("hostmetrics", "metrics/b"), ("otlp/m", "metrics/b")]
)
def test_receiver_without_spans_or_events_is_no_finding(id_: str, pipeline: str) -> None:
    assert findings(base(), document(SECOND.format(id_=id_, pipeline=pipeline)), overlay()) == []


def test_receiver_behind_a_connector_that_is_read_is_counted() -> None:
    text = (
        "connectors: {forward/all: {}}\nreceivers: {otlp/edge: {}}\nservice:\n  pipelines:\n"
        "    traces/a: {receivers: [otlp, otlp/edge], exporters: [forward/all]}\n"
        "    traces/b: {receivers: [forward/all], exporters: [debug]}\n"
    )
    environ = {"OTEL_AGENTOPS_TRACE_RECEIVER": "forward/all", "OTEL_AGENTOPS_LOG_RECEIVER": "otlp,otlp/edge"}
    assert findings(base(), document(text), overlay(), environ=environ) == []


def test_missing_fragment_of_a_used_processor_is_a_problem() -> None:
    fragment = shipped.read_config(shipped.find_fragment("tail-sampling"))
    mine = tags.add_tags(base(), tags.list_tag_processors(overlay(), [fragment]))
    assert findings(mine, overlay()) == [
        Finding(
            "problem",
            "base.yaml:18",
            "tail_sampling/otel_agentops is defined in the fragment tail-sampling, which is not among the files",
            "give --config tail-sampling.yaml, too; here: --with tail-sampling",
        )
    ]


@pytest.mark.parametrize(
    ("text", "where", "what"),
    [
        (
            "exporters:\n  prometheus:\n    endpoint: 0.0.0.0:9464\n",
            "x.yaml:3",
            "exporters::prometheus::endpoint is 0.0.0.0:9464",
        ),
        (
            "receivers:\n  otlp/b:\n    protocols: {grpc: {endpoint: 'localhost:9464'}}\n",
            "x.yaml:3",
            "receivers::otlp/b::protocols::grpc::endpoint is localhost:9464",
        ),
        (
            "service: {telemetry: {metrics: {readers: [{pull: {exporter: {prometheus: {port: 9464}}}}]}}}\n",
            "x.yaml:1",
            "service::telemetry::metrics::readers::pull::exporter::prometheus::port is 9464",
        ),
    ],
)
def test_port_used_twice_is_a_problem(text: str, where: str, what: str) -> None:
    expected = ("problem", where, f"{what}, and the overlay's exporter listens on port 9464, too")
    assert only(base(), document(text), overlay()) == expected
    assert findings(base(), document(text), overlay(), environ={"OTEL_AGENTOPS_PROM_ENDPOINT": "127.0.0.1:9465"}) == []


def test_port_of_a_remote_address_is_not_in_use() -> None:
    text = "exporters: {otlp_http: {endpoint: 'http://other:9464'}}\nprocessors: {resource: {port: 9464}}\n"
    assert findings(base(), document(text), overlay()) == []


def test_counters_without_identity_or_accumulation_are_problems() -> None:
    text = "service: {pipelines: {metrics/otel_agentops: {processors: [batch/otel_agentops]}}}\n"
    found = findings(base(), overlay(), document(text))
    assert [(one.level, one.text) for one in found if one.level == "problem"] == [
        (
            "problem",
            "metrics/otel_agentops has no transform/otel_agentops_identity: service and environment are lost, "
            "all services are one",
        ),
        ("problem", "metrics/otel_agentops gives deltas to prometheus/otel_agentops: each overwrites the one before"),
    ]
    assert found[0].text.startswith(
        "metrics/otel_agentops: transform/otel_agentops_sli_labels, transform/otel_agentops_verdicts, "
    )
    promotes = "exporters: {prometheus/otel_agentops: {resource_to_telemetry_conversion: {enabled: true}}}\n"
    again = findings(base(), overlay(), document(text), document(promotes, "y.yaml"))
    assert [one.text for one in again if one.level == "problem"] == [found[-1].text]


def test_unpromoted_resource_attributes_are_a_note() -> None:
    text = (
        "exporters:\n  prometheusremotewrite: {endpoint: 'http://x'}\nservice:\n  pipelines:\n"
        "    metrics/app: {receivers: [otlp], exporters: [prometheusremotewrite]}\n"
    )
    level, where, said = only(base(), document(text), overlay())
    assert (level, where) == ("note", "x.yaml:2")
    assert "have neither service_name nor deployment_environment_name" in said
    promoted = text.replace("'http://x'", "'http://x', resource_to_telemetry_conversion: {enabled: true}")
    assert findings(base(), document(promoted), overlay()) == []


def test_sum_of_mixed_number_types_is_a_problem() -> None:
    text = (
        "connectors:\n  signal_to_metrics/mine:\n    spans:\n"
        "      - {name: a, sum: {value: 'attributes[\"n\"]'}}\n      - {name: b, "
        "sum: {value: 'Int(attributes[\"n\"])'}}\n"
        "      - {name: c, sum: {value: '1'}}\n      - {name: d, gauge: {value: 'attributes[\"n\"]'}}\n"
    )
    assert only(base(), document(text), overlay()) == (
        "warning",
        "x.yaml:2",
        'a: attributes["n"] may be an int and a double; both in one payload end the collector',
    )


def test_limiter_without_a_batch_before_it_is_a_problem() -> None:
    text = overlay().text.replace("        - batch/otel_agentops\n", "", 1)
    found = findings(base(), document(text))
    said = "has a limiter and no batch before it: when it refuses, the SDK sends again what is stored"
    assert [(one.level, one.text) for one in found if one.level == "problem"] == [
        ("problem", f"{signal}/otel_agentops {said}") for signal in ("traces", "logs")
    ]


def test_metric_with_two_descriptions_is_a_problem() -> None:
    text = (
        "connectors:\n  signal_to_metrics/mine:\n    spans:\n      - name: otel_agentops.llm.calls\n"
        "        unit: '{call}'\n        description: calls\n        sum: {value: '1'}\n"
    )
    level, where, said = only(base(), overlay(), document(text))
    assert (level, where) == ("problem", "x.yaml:2")
    assert said.startswith("otel_agentops.llm.calls is ('{call}', 'calls') here and ('{call}', 'Number of model calls")


def _places(value: object, depth: int = 4) -> Iterator[tuple[str, ...]]:
    if isinstance(value, dict) and depth:
        for key, below in value.items():
            yield (key,)
            yield from ((key, *rest) for rest in _places(below, depth - 1))


PLACES = list(_places(Document.read_file(CONFIGS / "other_receiver.yaml").data))


@pytest.mark.parametrize("place", PLACES, ids="/".join)
@pytest.mark.parametrize("value", [None, "${env:X}", [{"a": 1}], {"a": 1}, 7], ids=str)
def test_malformed_config_never_raises(place: tuple[str, ...], value: object) -> None:
    """The collector says what is malformed; here it is only not a reason to end."""
    config = copy.deepcopy(Document.read_file(CONFIGS / "other_receiver.yaml").data)
    above = functools.reduce(operator.getitem, place[:-1], config)
    above[place[-1]] = value
    text = io.StringIO()
    YAML(typ="safe").dump(config, text)
    mine = document(text.getvalue())
    assert findings(mine, overlay(), environ={"OTEL_AGENTOPS_RECEIVER": "otlp/in"}) is not None
    with contextlib.suppress(InputError):
        tags.list_unedited(tags.add_tags(mine, tags.list_tag_processors(overlay())))
    assert isinstance(list(kubernetes.find_unreachable([mine], {})), list)


# -- the environment in a config, as a collector fills it in


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("plain", "plain"),
        ("${env:SET}", 7),
        ("${SET}", 7),
        ("x${env:SET}", "x7"),
        ("${env:UNSET:-a}", "a"),
        ("${env:UNSET:-[a, b]}", ["a", "b"]),
        ("${env:UNSET:-[${env:ALSO:-a}]}", ["a"]),
        ("${env:UNSET:-[${env:TWO}]}", ["a", "b"]),
        ("${env:EMPTY:-a}", None),
        ("${env:UNSET}", None),
        ("$${env:SET}", "${env:SET}"),
        ("${file:x.yaml}", {"$": None}),
    ],
)
def test_environment_references_are_resolved(text: str, value: object) -> None:
    environ = {"SET": "7", "EMPTY": "", "TWO": "a,b"}
    if text.startswith("${file"):
        assert environment.resolve_references(text, environ) == text, "what another provider brings is not known here"
    else:
        assert environment.resolve_references({"a": [text]}, environ) == {"a": [value]}


def test_env_file_is_parsed() -> None:
    text = "# x\nA=1\nexport B = 'two words'\nC=\"x\"\nD=y # why\n\nnothing\nE=a=b\n"
    assert environment.parse_env_file(text) == {"A": "1", "B": "two words", "C": "x", "D": "y", "E": "a=b"}


# -- the collector


OLD_NAMES = {
    "signal_to_metrics/": "signaltometrics/",
    "span_metrics/": "spanmetrics/",
    "delta_to_cumulative/": "deltatocumulative/",
}


def with_old_names() -> str:
    """The overlay over the base, its components called as before the renames."""
    text = render.render_documents([base(), overlay()])
    for new, before in OLD_NAMES.items():
        text = text.replace(new, before)
    return text


@pytest.fixture
def old(tmp_path: Path) -> Path:
    """A program that says what an older contrib says of itself, and takes everything."""
    return program_of(tmp_path, "0.150.1")


def program_of(directory: Path, version: str) -> Path:
    program = directory / "otelcol"
    program.write_text(
        f'#!/bin/sh\n[ "$1" = validate ] && exit 0\ncat <<E\nbuildinfo: {{version: v{version}}}\n'
        "receivers: [{name: otlp}]\nprocessors: [{name: batch}, {name: memory_limiter}, "
        "{name: filter}, {name: transform}, "
        "{name: deltatocumulative}]\nconnectors: [{name: forward}, {name: signaltometrics}, {name: spanmetrics}]\n"
        "exporters: [{name: debug}, {name: prometheus}]\nE\n"
    )
    program.chmod(0o755)
    return program


def test_older_collector_is_a_problem_with_its_names(old: Path) -> None:
    collector = binary.find_collector(str(old), {})
    assert collector is not None
    found = run_checks(build_situation([base(), overlay()], {}, collector))
    problems = [one for one in found if one.level == "problem"]
    assert problems[0].text == "the collector is 0.150; the files are for 0.159 and newer"
    assert {one.text.partition(": ")[2] for one in problems[1:]} == {
        "this collector calls signal_to_metrics signaltometrics",
        "this collector calls span_metrics spanmetrics",
        "this collector calls delta_to_cumulative deltatocumulative",
    }
    assert [one.advice for one in problems] == ["take a newer one", *["take a newer collector"] * (len(problems) - 1)]


def test_component_missing_from_the_collector_is_a_problem(old: Path) -> None:
    text = "receivers:\n  kafka/in: {}\n"
    found = run_checks(build_situation([base(), document(text), overlay()], {}, binary.find_collector(str(old), {})))
    assert ("problem", "x.yaml:2", "kafka/in: this collector has no kafka in its receivers") in [
        one[:3] for one in found
    ]


def test_program_that_is_not_a_collector_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"^nope is no program that can be run; name the collector with --otelcol$"):
        binary.find_collector("nope", {})
    with pytest.raises(InputError, match=r"^/bin/false components: 1; is it a collector"):
        binary.find_collector("/bin/false", {})


@pytest.mark.collector
def test_check_asks_the_real_collector(otelcol: Path) -> None:
    def run(*arguments: str | Path) -> tuple[int, str]:
        done = CliRunner().invoke(app, ["check", *map(str, arguments), "--otelcol", str(otelcol)])
        return done.exit_code, done.output

    code, said = run(BASE)
    assert code == 0
    assert "accepts 2 files" in said
    assert said.endswith("problems: 0, warnings: 0\n")
    code, said = run(CONFIGS / "other_receiver.yaml")
    assert code == 1
    assert 'references receiver "otlp" which is not configured' in said
    assert "→ set OTEL_AGENTOPS_RECEIVER=otlp/in" in said


@pytest.mark.collector
def test_old_names_that_the_collector_accepts_are_a_note(otelcol: Path, tmp_path: Path) -> None:
    path = tmp_path / "old.yaml"
    path.write_text(with_old_names())
    found = run_checks(
        build_situation([Document.read_file(path)], dict(os.environ), binary.find_collector(str(otelcol), {}))
    )
    assert {one.level for one in found} == {"note", "ok"}
    assert {one.advice for one in found if one.level == "note"} == {
        "rename it to signal_to_metrics",
        "rename it to span_metrics",
        "rename it to delta_to_cumulative",
    }


def test_check_command_reads_env_files_and_has_a_strict_mode(tmp_path: Path) -> None:
    (tmp_path / "app.env").write_text("OTEL_TRACES_SAMPLER=traceidratio\nOTEL_TRACES_SAMPLER_ARG=0.5\n")
    (tmp_path / "mine.yaml").write_text(with_old_names())
    program = program_of(tmp_path, "0.160.0")
    arguments = ["check", str(tmp_path / "mine.yaml"), "--env-file", str(tmp_path / "app.env")]
    arguments += ["--otelcol", str(program)]
    done = CliRunner().invoke(app, arguments)
    assert (done.exit_code, done.output.splitlines()[-1]) == (0, "problems: 0, warnings: 1")
    assert "with 0.5: 1 of 2 traces is counted" in done.output
    assert CliRunner().invoke(app, [*arguments, "--strict"]).exit_code == 1


def test_command_without_a_collector_says_so_and_exits_with_2(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("OTELCOL", raising=False)
    refused = tmp_path / "refused.yaml"  # what only a collector knows
    refused.write_text(base().text.replace("debug: {}", "debug: {verbosity: loud}"))
    for arguments, code in (([], 2), (["--strict"], 2), (["--without-collector"], 0)):
        done = CliRunner().invoke(app, ["check", str(refused), *arguments])
        assert done.exit_code == code
        assert "note collector: not checked: no collector was asked if it takes the files" in done.output
        last = "problems: 0, warnings: 0; not checked by a collector, which may refuse the files"
        assert done.output.splitlines()[-1] == last
    refused.write_text(base().text.replace("otlp", "otlp/in"))
    assert CliRunner().invoke(app, ["check", str(refused)]).exit_code == 1
