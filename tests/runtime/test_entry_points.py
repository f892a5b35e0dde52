"""What starts a program: entry points that load a page of data, and `otel_agentops.instrument()`."""

from __future__ import annotations

import importlib.metadata
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import openai
import pytest
from opentelemetry.sdk.trace import TracerProvider

import otel_agentops
from otel_agentops import _config, _entry_points, _telemetry, doctor
from otel_agentops._adapters import ADAPTERS
from otel_agentops.clients.openai import LIBRARY, Instrumentor
from otel_agentops.testing import Capture
from otel_agentops.testing.fake_provider import FakeProvider

ROOT = Path(__file__).parents[2]
START = """
import json, logging, sys
from opentelemetry import baggage, context, trace
from opentelemetry.instrumentation.auto_instrumentation import initialize
initialize()
"""
OURS = 'print(json.dumps(sorted(name for name in sys.modules if name.startswith("otel_agentops"))))\n'


def run_started(program: str, **environ: str) -> tuple[Any, str]:
    """Run a program as `opentelemetry-instrument` starts it, with our entry points alone; return its JSON, stderr."""
    entries = importlib.metadata.entry_points(group="opentelemetry_instrumentor")
    others = ",".join({entry.name for entry in entries if not entry.name.startswith("agentops_")})
    ended = subprocess.run(
        [sys.executable, "-c", START + program],
        env={
            **{name: value for name, value in os.environ.items() if not name.startswith("OTEL_")},
            **{f"OTEL_{signal}_EXPORTER": "none" for signal in ("TRACES", "METRICS", "LOGS")},
            "OTEL_PYTHON_DISABLED_INSTRUMENTATIONS": others,
            **environ,
        },
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr
    return json.loads(ended.stdout), ended.stderr


# -- what is imported, and when


def test_start_loads_a_page_of_data() -> None:
    modules, _ = run_started(OURS)
    assert modules == [
        "otel_agentops",
        "otel_agentops._adapters",
        "otel_agentops._baggage_processor",
        "otel_agentops._config",
        "otel_agentops._entry_points",
        "otel_agentops._guard",
        "otel_agentops._span_processors",
        "otel_agentops.version",
    ]


def test_library_brings_its_adapter_alone() -> None:
    modules, _ = run_started("import openai\n" + OURS)
    adapters = {module for module, _ in ADAPTERS.values()}
    assert adapters & {name.removeprefix("otel_agentops.") for name in modules} == {"clients.openai"}


PATCHES = """
import importlib, importlib.metadata, importlib.util
from otel_agentops import _entry_points
from otel_agentops._adapters import ADAPTERS
patched = {}
for name in ADAPTERS:
    for library in getattr(_entry_points, name).libraries:
        try:
            version = importlib.metadata.version(library.distribution)
        except importlib.metadata.PackageNotFoundError:
            continue
        wanted = [target for target in library.targets if target.is_in_every_version]
        patched[library.distribution] = [target.name for target in wanted if target not in library.patches]
print(json.dumps(patched))
"""


@pytest.mark.rotation("long runs", "every library imported", 9, seconds=21)
@pytest.mark.slow
def test_every_installed_library_is_patched_when_imported() -> None:
    imports = """
import importlib
modules = {modules}
for module in modules:
    try:
        importlib.import_module(module)
    except ImportError:
        pass
"""
    modules = [
        target.module
        for name in ADAPTERS
        for library in getattr(_entry_points, name).libraries
        for target in library.targets
        if target.is_in_every_version
    ]
    missing, stderr = run_started(imports.format(modules=list(dict.fromkeys(modules))) + PATCHES)
    names = ("openai", "anthropic", "botocore", "cohere", "mistralai", "ollama")
    assert {name for name in names if list(importlib.metadata.distributions(name=name))} <= missing.keys()
    assert {name: places for name, places in missing.items() if places} == {}, stderr


def test_adapter_imported_by_hand_is_instrumented() -> None:
    program = """
from otel_agentops.clients.openai import OpenAIInstrumentor
print(json.dumps([OpenAIInstrumentor().is_instrumented_by_opentelemetry, "openai" in sys.modules]))
"""
    assert run_started(program)[0] == [True, False]


def test_entry_point_undone_before_the_import_patches_nothing() -> None:
    program = """
from otel_agentops import uninstrument
uninstrument()
import openai
is_patched = hasattr(openai._base_client.SyncAPIClient.request, "__wrapped__")
print(json.dumps([is_patched, "otel_agentops.clients" in sys.modules]))
"""
    assert run_started(program)[0] == [False, False]


def test_baggage_is_stamped_without_a_library() -> None:
    program = """
tracer = trace.get_tracer("another.instrumentation")
facts = {"otel_agentops.task.id": "t1", "otel_agentops.task.name": "support"}
for key, value in facts.items():
    context.attach(baggage.set_baggage(key, value))
span = tracer.start_span("chat", attributes={"gen_ai.operation.name": "chat"})
second = tracer.start_span("chat", attributes={"gen_ai.operation.name": "chat"})
print(json.dumps([dict(span.attributes), dict(second.attributes)]))
"""
    spans, _ = run_started(program)
    stamped = {"gen_ai.operation.name": "chat", "otel_agentops.task.id": "t1", "otel_agentops.task.name": "support"}
    assert spans == [stamped, stamped]


# -- names


@pytest.mark.parametrize("name", ADAPTERS)
def test_instrumentor_has_the_name_that_people_guess(name: str) -> None:
    adapter = importlib.import_module(f"otel_agentops.{ADAPTERS[name][0]}")
    names = [each for each in vars(adapter) if each.endswith("Instrumentor") and each != "Instrumentor"]
    assert names
    assert all(getattr(adapter, each) is adapter.Instrumentor for each in names)
    prefixes = {each.removesuffix("Instrumentor").lower() for each in names}
    assert any(
        name.replace("_", "").startswith(prefix) or prefix.startswith(name.replace("_", "")) for prefix in prefixes
    )


@pytest.mark.parametrize("name", ADAPTERS)
def test_entry_point_is_registered(name: str) -> None:
    (entry,) = importlib.metadata.entry_points(group="opentelemetry_instrumentor", name=f"agentops_{name}")
    assert entry.load() is entry.load()() is getattr(_entry_points, name), "run make setup"


@pytest.mark.parametrize("name", ADAPTERS)
def test_entry_point_waits_for_each_patched_module(name: str) -> None:
    module, packages = ADAPTERS[name]
    libraries = importlib.import_module(f"otel_agentops.{module}").Instrumentor.libraries
    patched = {target.module for library in libraries for target in library.targets}
    lost = {each for each in patched if not any(f"{each}.".startswith(f"{package}.") for package in packages)}
    assert lost == set()


# -- in one line


@pytest.fixture
def clean() -> Iterator[None]:
    """Nothing is instrumented before and after."""
    before = _telemetry.replace_default(None)
    yield
    otel_agentops.uninstrument()
    _telemetry.replace_default(before)


def ask(provider: FakeProvider) -> None:
    client = openai.OpenAI(api_key="k", base_url=provider.openai_url, max_retries=0)
    with otel_agentops.task("support"):
        client.chat.completions.create(model="gpt-x", messages=[{"role": "user", "content": "hi"}])


def names(seen: Capture) -> list[str]:
    return [span["name"] for span in seen.spans]


def test_one_line_instruments_calls_and_helpers(clean: None, provider: FakeProvider) -> None:
    seen = Capture()
    otel_agentops.instrument(**seen.providers)
    otel_agentops.instrument()
    otel_agentops.instrument(**seen.providers)
    ask(provider)
    assert names(seen) == ["chat gpt-x", "invoke_workflow support"]
    assert "gen_ai.client.operation.duration" in seen.metrics


def test_new_providers_replace_the_old(clean: None, provider: FakeProvider) -> None:
    first, second = Capture(), Capture()
    otel_agentops.instrument(**first.providers)
    otel_agentops.instrument(**second.providers)
    ask(provider)
    assert (names(first), names(second)) == ([], ["chat gpt-x", "invoke_workflow support"])


def test_uninstrument_puts_everything_back(clean: None, provider: FakeProvider) -> None:
    seen, original = Capture(), openai._base_client.SyncAPIClient.request
    otel_agentops.instrument(**seen.providers)
    assert openai._base_client.SyncAPIClient.request is not original
    otel_agentops.uninstrument()
    otel_agentops.uninstrument()
    assert openai._base_client.SyncAPIClient.request is original
    ask(provider)
    assert names(seen) == []


@pytest.mark.parametrize("clients", [["openai"], "openai"])
def test_named_clients_alone_are_instrumented(clean: None, clients: Any) -> None:
    otel_agentops.instrument(clients, tracer_provider=TracerProvider())
    active = [name for name in ADAPTERS if getattr(_entry_points, name).is_instrumented_by_opentelemetry]
    assert active == ["openai"]
    otel_agentops.uninstrument(clients)
    assert not LIBRARY.active


def test_switched_off_client_is_left_alone(clean: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_PYTHON_DISABLED_INSTRUMENTATIONS", "redis, agentops_openai")
    otel_agentops.instrument()
    assert not Instrumentor().is_instrumented_by_opentelemetry
    assert _entry_points.groq.is_instrumented_by_opentelemetry


@pytest.mark.parametrize(
    ("name", "advice"),
    [
        ("opanai", "did you mean 'openai'?"),
        ("x" * 20, f"there are {', '.join(sorted(ADAPTERS))}"),
    ],
)
def test_unknown_client_is_one_clear_error(clean: None, name: str, advice: str) -> None:
    with pytest.raises(ValueError) as raised:
        otel_agentops.instrument(["groq", name])
    assert str(raised.value) == f"instrument(clients=...): no client is named {name!r}; {advice}"
    assert not _entry_points.groq.is_instrumented_by_opentelemetry


# -- names of variables

MISSPELT = {"OTEL_AGENTOPS_MOED": "own", "OTEL_AGENTOPS_JUNK": "", "OTEL_AGENTOPS_MODE": "own", "OTEL_AGENT": "x"}
SENTENCES = [
    "OTEL_AGENTOPS_JUNK: otel-agentops reads no such variable",
    "OTEL_AGENTOPS_MOED: otel-agentops reads no such variable; did you mean OTEL_AGENTOPS_MODE?",
]


def test_misspelt_variable_is_warned_of_once() -> None:
    _, stderr = run_started(OURS, **MISSPELT)
    assert [line for line in stderr.splitlines() if "OTEL_AGENTOPS" in line] == SENTENCES


def test_doctor_names_misspelt_variables() -> None:
    findings = [finding for finding in doctor.check_settings(MISSPELT) if finding.level == "problem"]
    assert [finding.text for finding in findings] == SENTENCES
    assert [finding.advice for finding in findings] == ["unset it", "rename it to OTEL_AGENTOPS_MODE"]


def test_every_variable_of_the_project_is_known() -> None:
    folders = ("src", "collector-config", "tools", "examples", "docs", "slo")
    paths = [
        path for folder in folders for path in (ROOT / folder).rglob("*") if path.suffix in {".py", ".yaml", ".md"}
    ]
    names = {name for path in paths for name in re.findall(r"OTEL_AGENTOPS_([A-Z_]*[A-Z])\b", path.read_text())}
    assert names <= _config.VARIABLES
