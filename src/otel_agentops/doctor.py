"""What will happen when this program is started with `opentelemetry-instrument`, and what would go wrong.

Every check is a function from the environment to findings; nothing is changed and no client is called.
"""

from __future__ import annotations

import importlib.metadata
import importlib.util
import logging
import socket
from collections.abc import Callable, Iterator, Mapping
from typing import NamedTuple
from urllib.parse import urlsplit

from packaging.specifiers import SpecifierSet

from otel_agentops import _config, _engine, _safe

GROUP = "opentelemetry_instrumentor"
UNBIASED = ("always_on", "parentbased_always_on")
# Instrumentations of the same clients, by distribution; the word that follows is what they are called here.
PEERS = {
    "openai": {
        "opentelemetry-instrumentation-genai-openai": "official",
        "opentelemetry-instrumentation-openai-v2": "official (older)",
        "opentelemetry-instrumentation-openai": "OpenLLMetry",
        "openinference-instrumentation-openai": "OpenInference",
    },
    "anthropic": {
        "opentelemetry-instrumentation-genai-anthropic": "official",
        "opentelemetry-instrumentation-anthropic": "OpenLLMetry",
        "openinference-instrumentation-anthropic": "OpenInference",
    },
}
NATIVE = {"anthropic": ">=2"}  # clients that make spans themselves as soon as a tracer provider exists


class Finding(NamedTuple):
    """One thing found. level: ok, note, warning or problem. advice: what to do, empty where nothing."""

    level: str
    subject: str
    text: str
    advice: str = ""


Check = Callable[[Mapping[str, str]], Iterator[Finding]]


def examine(environ: Mapping[str, str]) -> list[Finding]:
    """All findings, in the order in which a program meets their causes."""
    return [finding for check in CHECKS for finding in check(environ)]


def settings(environ: Mapping[str, str]) -> Iterator[Finding]:
    """Values of our own variables that are not understood."""
    said: list[logging.LogRecord] = []
    handler = logging.Handler()
    handler.emit = said.append  # type: ignore[method-assign, assignment]
    _safe.log.addHandler(handler)
    try:
        _config.read(environ)
    finally:
        _safe.log.removeHandler(handler)
    for record in said:
        yield Finding("problem", "settings", record.getMessage(), "correct or unset it")


def sdk(environ: Mapping[str, str]) -> Iterator[Finding]:
    """Whether anything sets up a tracer provider."""
    if not list(importlib.metadata.entry_points(group="opentelemetry_configurator")):
        yield Finding("problem", "sdk", "no package configures the SDK", "pip install opentelemetry-distro")
    if not environ.get("OTEL_SERVICE_NAME") and "service.name=" not in environ.get("OTEL_RESOURCE_ATTRIBUTES", ""):
        text = "no service name: every budget would be counted for unknown_service"
        yield Finding("warning", "service", text, "set OTEL_SERVICE_NAME")


def clients(environ: Mapping[str, str]) -> Iterator[Finding]:
    """Each client we know: installed, supported, switched off, patched."""
    disabled = {name.strip() for name in environ.get("OTEL_PYTHON_DISABLED_INSTRUMENTATIONS", "").split(",")}
    for entry in _our_entry_points():
        client: _engine.Client = entry.load().client
        version = _version(client.distribution)
        if version is None:
            yield Finding("note", client.distribution, "not installed")
        elif entry.name in disabled or "*" in disabled:
            text = f"{version}; switched off by OTEL_PYTHON_DISABLED_INSTRUMENTATIONS"
            yield Finding("warning", client.distribution, text, f"remove {entry.name} from it")
        elif not SpecifierSet(client.versions, prereleases=True).contains(version):
            text = f"{version} is outside the supported range {client.versions}: its calls are not instrumented"
            yield Finding("problem", client.distribution, text, "install a version within it")
        else:
            yield from _supported(client, version, environ)


def _supported(client: _engine.Client, version: str, environ: Mapping[str, str]) -> Iterator[Finding]:
    yield Finding("ok", client.distribution, f"{version} is in the supported range {client.versions}")
    if client.active:
        yield from _patched(client)
    mode = _mode(environ)
    others = [
        f"{name} ({package})" for package, name in PEERS.get(client.distribution, {}).items() if _version(package)
    ]
    if (native := NATIVE.get(client.distribution)) and SpecifierSet(native).contains(version):
        others.append("its own tracing")
    yield _outcome(client.distribution, others, mode)


def _patched(client: _engine.Client) -> Iterator[Finding]:
    module = next(iter(client.targets)).module.partition(".")[0]
    importlib.import_module(module)
    for target in {target.module: target for target in client.targets if not target.own_only}.values():
        importlib.import_module(target.module)
    missing = [
        f"{target.module}.{target.owner}.{target.name}"
        for target in client.targets
        if target not in client.patches and not target.own_only
    ]
    if missing:
        yield Finding(
            "problem", client.distribution, f"not patched: {', '.join(missing)}", "report it with the version"
        )
    else:
        yield Finding("ok", client.distribution, f"{len(client.patches)} places patched in this process")


def _outcome(client: str, others: list[str], mode: str) -> Finding:
    if not others:
        if mode == "enrich":
            text = "mode enrich, and nothing else makes spans: no span of its calls will be there"
            return Finding("problem", client, text, "set OTEL_AGENTOPS_MODE=auto")
        return Finding("ok", client, "no other instrumentation of it: each call gets a span of ours")
    names = " and ".join(others)
    if mode == "own":
        text = f"{names} also makes spans, and mode is own: every call has two spans and counts twice"
        return Finding("warning", client, text, "set OTEL_AGENTOPS_MODE=auto")
    return Finding("ok", client, f"where {names} started a span for the call it is enriched; no second one is made")


def sampling(environ: Mapping[str, str]) -> Iterator[Finding]:
    """A head sampler drops spans before anything has counted them."""
    sampler = environ.get("OTEL_TRACES_SAMPLER", "parentbased_always_on").strip().lower()
    if sampler in UNBIASED:
        yield Finding("ok", "sampler", f"{sampler}: every call is counted")
        return
    ratio = environ.get("OTEL_TRACES_SAMPLER_ARG", "")
    share = f" ({ratio} of the traces)" if ratio else ""
    text = f"{sampler}{share} drops spans before they are counted: budgets are estimates, rare failures get lost"
    yield Finding("warning", "sampler", text, "sample behind the collector's counting (tail sampling) instead")


def hash_key(environ: Mapping[str, str]) -> Iterator[Finding]:
    """Hashes without a key can be reversed for text that is short or known."""
    if environ.get("OTEL_AGENTOPS_HASH_KEY"):
        yield Finding("ok", "hash key", "identities are keyed")
        return
    text = "no key: whoever sees a hash can check a guess of a short prompt against it"
    yield Finding("note", "hash key", text, "set OTEL_AGENTOPS_HASH_KEY to one secret for all services of the project")


def exporters(environ: Mapping[str, str]) -> Iterator[Finding]:
    """Where spans and events go, and whether anybody listens there."""
    for signal, carries in (("TRACES", "spans"), ("LOGS", "evaluations and outcomes")):
        exporter = environ.get(f"OTEL_{signal}_EXPORTER", "otlp").strip().lower()
        if exporter == "none":
            text = f"OTEL_{signal}_EXPORTER=none: {carries} go nowhere"
            yield Finding("problem", "exporter", text, f"set OTEL_{signal}_EXPORTER=otlp")
        elif "otlp" in exporter:
            yield _reach(*_endpoint(environ, signal), carries)
        else:
            yield Finding("note", "exporter", f"{carries} go to {exporter}")


def _endpoint(environ: Mapping[str, str], signal: str) -> tuple[str, str]:
    protocol = environ.get(f"OTEL_EXPORTER_OTLP_{signal}_PROTOCOL") or environ.get(
        "OTEL_EXPORTER_OTLP_PROTOCOL", "grpc"
    )
    default = "http://localhost:4318" if protocol.startswith("http") else "http://localhost:4317"
    given = environ.get(f"OTEL_EXPORTER_OTLP_{signal}_ENDPOINT") or environ.get("OTEL_EXPORTER_OTLP_ENDPOINT", default)
    return protocol, given


def _reach(protocol: str, endpoint: str, carries: str) -> Finding:
    package = "http" if protocol.startswith("http") else "grpc"
    if importlib.util.find_spec(f"opentelemetry.exporter.otlp.proto.{package}") is None:
        text = f"{carries} would go over {protocol}, and no exporter for it is installed"
        advice = f"pip install opentelemetry-exporter-otlp-proto-{package}"
        return Finding("problem", "exporter", text, advice if package == "grpc" else advice + ", or set the protocol")
    parts = urlsplit(endpoint if "//" in endpoint else f"//{endpoint}")
    host, port = parts.hostname or "localhost", parts.port or (443 if parts.scheme == "https" else 80)
    try:
        socket.create_connection((host, port), timeout=3).close()
    except OSError as error:
        text = f"{carries} go to {endpoint}, where nothing answers ({error})"
        return Finding("problem", "exporter", text, "start the collector, or set OTEL_EXPORTER_OTLP_ENDPOINT")
    return Finding("ok", "exporter", f"{carries} go to {endpoint} over {protocol}; it accepts connections")


def _our_entry_points() -> list[importlib.metadata.EntryPoint]:
    found = importlib.metadata.entry_points(group=GROUP)
    return sorted((entry for entry in found if entry.name.startswith("agentops_")), key=lambda entry: entry.name)


def _version(distribution: str) -> str | None:
    try:
        return importlib.metadata.version(distribution)
    except importlib.metadata.PackageNotFoundError:
        return None


def _mode(environ: Mapping[str, str]) -> str:
    return environ.get("OTEL_AGENTOPS_MODE", "auto").strip().lower() or "auto"


CHECKS: tuple[Check, ...] = (settings, sdk, clients, sampling, hash_key, exporters)
