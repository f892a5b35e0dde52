"""The doctor finds each thing for real: packages that are installed, ports that answer, processes that are patched."""

from __future__ import annotations

import os
import re
import socket
import subprocess
import sys
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path

import pytest
from packaging.version import Version

from otel_agentops import doctor
from otel_agentops.doctor import Finding, examine_environment

COMMAND = Path(sys.executable).with_name("otel-agentops")
STARTER = Path(sys.executable).with_name("opentelemetry-instrument")
TRACES = pytest.mark.skipif(
    Version(metadata.version("anthropic")) < Version("1.14"), reason="anthropic before 1.14.0 has no tracing of its own"
)
CAPTURE = "OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT"
CONFIGURED = {"OTEL_SERVICE_NAME": "support", "OTEL_AGENTOPS_HASH_KEY": "k"}


def found(subject: str, environ: dict[str, str]) -> list[Finding]:
    return [finding for finding in examine_environment(environ) if finding.subject == subject]


@pytest.fixture
def listening() -> Iterator[int]:
    """A port where somebody listens."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


@pytest.fixture
def silent() -> int:
    """A port where nobody listens."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


def run(*command: str | Path, **environ: str) -> tuple[int, str]:
    """A command as a person starts it, and what it prints, in an environment of its own."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("OTEL_")}
    ended = subprocess.run(
        command, env={**kept, "COLUMNS": "1000", **environ}, capture_output=True, text=True, timeout=60, check=False
    )
    assert "Traceback" not in ended.stderr, ended.stderr
    assert "OTEL_AGENTOPS_" not in ended.stderr, "what is wrong is said on standard output, once"
    return ended.returncode, ended.stdout


# -- settings and SDK


def test_doctor_reports_wrong_settings() -> None:
    environ = {"OTEL_AGENTOPS_MODE": "ownn", "OTEL_AGENTOPS_PROMPT_LIMIT": "-1"}
    assert [(finding.level, finding.text) for finding in found("settings", environ)] == [
        ("problem", "OTEL_AGENTOPS_MODE='ownn' is not one of auto, own, enrich; auto is used"),
        ("problem", "OTEL_AGENTOPS_PROMPT_LIMIT='-1' is not a whole number from 1 to 999999999; 100 is used"),
    ]
    assert found("settings", {"OTEL_AGENTOPS_MODE": "own"}) == []


KEEP = (
    "OTEL_AGENTOPS_RECORDER_KEEP='30 dayz': '30 dayz' is wrong; write an age (h, d or y), a size (MB or GB) and an age "
    "for each class (call, tool, retrieval, judgement), such as 90d,20GB,retrieval=7d; everything is kept"
)
KEY_ADVICE = "name a file with 32 bytes, raw, as hex or as base64, or command: and a command that prints them"
KEY_PROBLEMS = {
    "/nope": "='/nope': the file cannot be read: No such file or directory",
    "command:": "='command:': the command cannot be run: no command is named",
    "command:nope": "='command:nope': the command cannot be run: No such file or directory",
    "command:false": "='command:false': the command exits with 1",
    "command:echo ab": "='command:echo ...': the key is not 32 bytes, raw, as hex or as base64",
    "ab" * 32: ": it is the key itself, not a file that has the key",
}


@pytest.mark.parametrize("value", KEY_PROBLEMS)
def test_recorder_key_that_cannot_be_had_is_a_problem(value: str, tmp_path: Path) -> None:
    environ = {"OTEL_AGENTOPS_RECORDER": str(tmp_path), "OTEL_AGENTOPS_RECORDER_KEY": value}
    text = f"OTEL_AGENTOPS_RECORDER_KEY{KEY_PROBLEMS[value]}; no entry with content is recorded"
    assert found("settings", environ) == [Finding("problem", "settings", text, KEY_ADVICE)]


def test_missing_service_name_is_a_warning() -> None:
    assert [finding.level for finding in found("service", {})] == ["warning"]
    assert found("service", {"OTEL_SERVICE_NAME": "support"}) == []
    assert found("service", {"OTEL_RESOURCE_ATTRIBUTES": "a=b,service.name=support"}) == []


def test_disabled_sdk_is_a_problem() -> None:
    assert found("sdk", {}) == []
    assert [finding.level for finding in found("sdk", {"OTEL_SDK_DISABLED": "true"})] == ["problem"]


# -- clients


def test_supported_client_version_is_ok() -> None:
    for client in ("openai", "anthropic"):
        first = found(client, {})[0]
        assert (first.level, first.advice) == ("ok", "")
        assert first.text.startswith(f"{metadata.version(client)} is in the supported range")


def test_disabled_client_is_a_warning() -> None:
    (only,) = found("openai", {"OTEL_PYTHON_DISABLED_INSTRUMENTATIONS": "redis, agentops_openai"})
    assert only.level == "warning"
    assert only.advice == "remove agentops_openai from it"
    assert [finding.level for finding in found("anthropic", {"OTEL_PYTHON_DISABLED_INSTRUMENTATIONS": "*"})] == [
        "warning"
    ]


def test_unsupported_client_version_is_a_problem(tmp_path: Path) -> None:
    """Another version of the package, first on the path: nothing of it but what it says of itself is looked at."""
    said = tmp_path / "openai-1.2.3.dist-info" / "METADATA"
    said.parent.mkdir()
    said.write_text("Metadata-Version: 2.1\nName: openai\nVersion: 1.2.3\n")
    code, printed = run(COMMAND, "doctor", PYTHONPATH=str(tmp_path))
    assert code == 1
    assert re.search(r"problem +openai +1\.2\.3 is outside the supported range .*not instrumented", printed), printed
    assert "→ install a version within it" in printed


def peers(client: str) -> list[str]:
    there = [doctor._name_instrumentation(package) for package in _packages(client) if _installed(package)]
    if not there:
        pytest.skip(f"no other instrumentation of {client} is installed: uv sync --group peers")
    return there


def _packages(client: str) -> tuple[str, ...]:
    return next(each.info.peers for _, each in doctor._load_clients() if each.distribution == client)


def _installed(package: str) -> bool:
    return any(True for _ in metadata.distributions(name=package))


def test_other_instrumentations_are_listed() -> None:
    """More than one is too many without us, too."""
    last = found("openai", {})[-1]
    names = peers("openai")
    assert last.level == ("warning" if len(names) > 1 else "ok")
    assert f"also traced by {' and '.join(names)}" in last.text
    assert all(f"uninstall {package}" in last.advice for package in _packages("openai") if _installed(package))


@TRACES
def test_disabled_instrumentations_are_not_listed() -> None:
    off = {"OTEL_PYTHON_DISABLED_INSTRUMENTATIONS": "openai,anthropic"}
    assert found("openai", off)[-1] == Finding("ok", "openai", "nothing else traces it: each call gets a span of ours")
    native = "also traced by its own tracing: its span of a call is enriched, no second one is made"
    assert found("anthropic", off)[-1] == Finding("ok", "anthropic", native)
    bare = found("anthropic", {**off, "ANTHROPIC_OPEN_TELEMETRY": "false"})[-1]
    assert bare.text == "nothing else traces it: each call gets a span of ours"


@TRACES
def test_mode_that_double_counts_or_skips_is_reported() -> None:
    off = {"OTEL_PYTHON_DISABLED_INSTRUMENTATIONS": "openai,anthropic"}
    own = found("anthropic", {**off, "OTEL_AGENTOPS_MODE": "own"})[-1]
    assert (own.level, own.advice) == ("warning", "set OTEL_AGENTOPS_MODE=auto")
    assert "a span of ours beside theirs, and counts twice" in own.text
    enrich = found("openai", {**off, "OTEL_AGENTOPS_MODE": "enrich"})[-1]
    assert (enrich.level, enrich.text) == (
        "problem",
        "nothing else traces it, and the mode is enrich: its calls will have no span",
    )


# -- sampler, key, exporters


@pytest.mark.parametrize(
    ("environ", "level", "said"),
    [
        ({}, "ok", "every call is counted"),
        ({"OTEL_TRACES_SAMPLER": "always_on"}, "ok", "every call is counted"),
        (
            {"OTEL_TRACES_SAMPLER": "parentbased_traceidratio", "OTEL_TRACES_SAMPLER_ARG": "0.1"},
            "warning",
            "parentbased_traceidratio (0.1 of the traces) drops spans before they are counted",
        ),
        ({"OTEL_TRACES_SAMPLER": "always_off"}, "warning", "always_off drops spans"),
    ],
)
def test_sampler_is_rated_by_what_it_drops(environ: dict[str, str], level: str, said: str) -> None:
    (only,) = found("sampler", environ)
    assert only.level == level
    assert said in only.text


def test_missing_hash_key_is_a_note() -> None:
    assert [finding.level for finding in found("hash key", {})] == ["note"]
    assert [finding.level for finding in found("hash key", {"OTEL_AGENTOPS_HASH_KEY": "k"})] == ["ok"]


def test_reachable_endpoint_is_ok(listening: int) -> None:
    endpoint = f"http://127.0.0.1:{listening}"
    environ = {"OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf", "OTEL_EXPORTER_OTLP_ENDPOINT": endpoint}
    text = f"spans, evaluations and outcomes go to {endpoint} over http/protobuf; it accepts connections"
    assert found("exporter", environ) == [Finding("ok", "exporter", text)]


def test_unreachable_endpoint_is_a_problem(listening: int, silent: int) -> None:
    environ = {
        "OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf",
        "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": f"http://127.0.0.1:{silent}/v1/traces",
        "OTEL_EXPORTER_OTLP_ENDPOINT": f"http://127.0.0.1:{listening}",
    }
    spans, events = found("exporter", environ)
    assert spans.level == "problem"
    assert spans.text.startswith(f"spans go to http://127.0.0.1:{silent}/v1/traces, where nothing answers (")
    assert (events.level, events.text.partition(" go ")[0]) == ("ok", "evaluations and outcomes")


@pytest.mark.parametrize("endpoint", ["http://localhost:port", "http://:4318", "///"])
def test_malformed_endpoint_is_a_problem(endpoint: str) -> None:
    environ = {"OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf", "OTEL_EXPORTER_OTLP_ENDPOINT": endpoint}
    (only,) = found("exporter", environ)
    assert (only.level, only.advice) == ("problem", "write OTEL_EXPORTER_OTLP_ENDPOINT as http://host:port")
    assert repr(endpoint) in only.text


def test_missing_exporter_package_is_a_problem() -> None:
    if _installed("opentelemetry-exporter-otlp-proto-grpc"):
        pytest.skip("the gRPC exporter is installed here, so that nothing is missing")
    (only,) = found("exporter", {})
    assert only.level == "problem"
    assert "pip install opentelemetry-exporter-otlp-proto-grpc" in only.advice
    assert "or set OTEL_EXPORTER_OTLP_PROTOCOL=http/protobuf" in only.advice


def test_exporters_other_than_otlp_are_reported() -> None:
    environ = {"OTEL_TRACES_EXPORTER": "console", "OTEL_LOGS_EXPORTER": "none"}
    assert [(finding.level, finding.text) for finding in found("exporter", environ)] == [
        ("note", "spans go to console, not to a collector"),
        ("problem", "OTEL_LOGS_EXPORTER=none: evaluations and outcomes go nowhere"),
    ]


def test_exporter_is_recognised_by_its_full_name(silent: int) -> None:
    environ = {"OTEL_TRACES_EXPORTER": "otlp_proto_http", "OTEL_LOGS_EXPORTER": "otlp_proto_http"}
    (only,) = found("exporter", {**environ, "OTEL_EXPORTER_OTLP_ENDPOINT": f"http://127.0.0.1:{silent}"})
    assert "where nothing answers" in only.text


# -- the command


def test_doctor_command_under_opentelemetry_instrument_is_clean(listening: int) -> None:
    """The process that the program would be: everything is patched, and the end is a plain 0."""
    every = metadata.entry_points(group=doctor.GROUP)
    others = {entry.name for entry in every if not entry.name.startswith("agentops_")}
    code, printed = run(
        STARTER,
        COMMAND,
        "doctor",
        **CONFIGURED,
        OTEL_EXPORTER_OTLP_PROTOCOL="http/protobuf",
        OTEL_EXPORTER_OTLP_ENDPOINT=f"http://127.0.0.1:{listening}",
        OTEL_METRICS_EXPORTER="none",
        OTEL_PYTHON_DISABLED_INSTRUMENTATIONS=",".join(others),
    )
    assert code == 0, printed
    lines = [line.split(maxsplit=1) for line in printed.splitlines() if line.strip()]
    marks = [mark for mark, *_ in lines]
    assert {mark for mark in marks if mark in ("ok", "note", "warning", "problem")} <= {"ok", "note"}
    here = [client for _, client in doctor._load_clients() if _installed(client.distribution)]
    assert len(re.findall(r"\d+ places patched in this process", printed)) == len(here) >= 2
    assert printed.endswith("problems: 0, warnings: 0\n")


def test_doctor_command_alone_says_what_it_skipped() -> None:
    code, printed = run(COMMAND, "doctor", **CONFIGURED, OTEL_LOGS_EXPORTER="none")
    assert code == 1, "the problem of the logs"
    assert "nothing is patched here: this process was started without opentelemetry-instrument" in printed
    assert "→ opentelemetry-instrument otel-agentops doctor" in printed


@pytest.mark.parametrize("options", [(), ("--all",)])
def test_doctor_command_names_every_wrong_setting(tmp_path: Path, options: tuple[str, ...]) -> None:
    """The whole output, in an environment where all libraries are switched off: their versions alone are of here."""
    code, printed = run(
        COMMAND,
        "doctor",
        *options,
        **CONFIGURED,
        OTEL_PYTHON_DISABLED_INSTRUMENTATIONS="*",
        OTEL_TRACES_EXPORTER="console",
        OTEL_LOGS_EXPORTER="console",
        OTEL_AGENTOPS_RECORDER=str(tmp_path),
        OTEL_AGENTOPS_RECORDER_MODE="ful",
        OTEL_AGENTOPS_RECORDER_SYNC="never",
        OTEL_AGENTOPS_RECORDER_QUEUE="64MiB",
        OTEL_AGENTOPS_RECORDER_KEEP="30 dayz",
        OTEL_AGENTOPS_RECORDER_KEY="/nope",
    )
    clients = [(entry.name, client.distribution) for entry, client in doctor._load_clients()]
    here = [(entry, name, metadata.version(name)) for entry, name in clients if _installed(name)]
    absent = [name for _, name in clients if not _installed(name)]
    count = f"note libraries {len(absent)} of {len(clients)} supported libraries are not installed"
    expected = [
        "problem settings OTEL_AGENTOPS_RECORDER_MODE='ful': 'ful' is wrong; write one of off, hashes, redacted, full, "
        "then each class (request, response, headers, arguments, result, query, documents, configuration) or "
        "tenant:NAME once, as in redacted,documents=hashes,tenant:acme=off; off is used",
        "→ correct or unset it",
        "problem settings OTEL_AGENTOPS_RECORDER_SYNC='never' is not one of effects, second, each; effects is used",
        "→ correct or unset it",
        "problem settings OTEL_AGENTOPS_RECORDER_QUEUE='64MiB' is not a whole number of bytes from 1 to 999999999; "
        "67108864 is used",
        "→ correct or unset it",
        f"problem settings {KEEP}",
        "→ correct or unset it",
        f"problem settings OTEL_AGENTOPS_RECORDER_KEY{KEY_PROBLEMS['/nope']}; no entry with content is recorded",
        f"→ {KEY_ADVICE}",
        *(
            line
            for entry, name, version in here
            for line in (
                f"warning {name} {version}; switched off by OTEL_PYTHON_DISABLED_INSTRUMENTATIONS",
                f"→ remove {entry} from it",
            )
        ),
        *([f"{count}: {', '.join(absent)}"] if options else [count, "→ --all names them"]),
        "ok sampler parentbased_always_on: every call is counted",
        "ok hash key identities are keyed",
        "ok content no prompt and no answer leaves the process",
        f"warning recorder OTEL_AGENTOPS_RECORDER={tmp_path}, and the mode is off: nothing is recorded",
        "→ set OTEL_AGENTOPS_RECORDER_MODE to hashes, redacted or full",
        "note exporter spans go to console, not to a collector",
        "note exporter evaluations and outcomes go to console, not to a collector",
        "",
        f"problems: 5, warnings: {len(here) + 1}",
    ]
    assert [" ".join(line.split()) for line in printed.splitlines()] == expected
    assert code == 1


@pytest.mark.parametrize(
    ("environ", "expected"),
    [
        ({}, [("ok", "no prompt and no answer leaves the process")]),
        (
            {CAPTURE: "EVENT_ONLY"},
            [("note", "prompts, answers and tools' results go on events, without the secrets that a pattern knows")],
        ),
        (
            {CAPTURE: "SPAN_AND_EVENT", "OTEL_AGENTOPS_REDACT": "json:dumps"},
            [
                (
                    "note",
                    "prompts, answers and tools' results go on spans and events, without the secrets that a pattern "
                    "knows",
                ),
                ("ok", "everything passes json:dumps before it leaves"),
            ],
        ),
        (
            {"OTEL_AGENTOPS_REDACT": "json:absent"},
            [
                ("ok", "no prompt and no answer leaves the process"),
                (
                    "problem",
                    "OTEL_AGENTOPS_REDACT=json:absent cannot be loaded (OTEL_AGENTOPS_REDACT='json:absent': there is "
                    "no such function): no content is recorded at all",
                ),
            ],
        ),
        (
            {
                "OTEL_INSTRUMENTATION_GENAI_COMPLETION_HOOK": "upload",
                "OTEL_INSTRUMENTATION_GENAI_UPLOAD_BASE_PATH": "gs://x",
            },
            [
                ("ok", "no prompt and no answer leaves the process"),
                (
                    "warning",
                    "OTEL_INSTRUMENTATION_GENAI_COMPLETION_HOOK is set, and not honoured: content goes on spans and "
                    "events, and nowhere else",
                ),
                (
                    "warning",
                    "OTEL_INSTRUMENTATION_GENAI_UPLOAD_BASE_PATH is set, and not honoured: content goes on spans and "
                    "events, and nowhere else",
                ),
            ],
        ),
    ],
)
def test_content_that_leaves_is_told(environ: dict[str, str], expected: list[tuple[str, str]]) -> None:
    findings = [(finding.level, finding.text) for finding in found("content", {**CONFIGURED, **environ})]
    assert findings == expected
