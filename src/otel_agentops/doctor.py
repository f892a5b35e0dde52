"""Checks of what `opentelemetry-instrument` will do for a program here, and of what would go wrong.

Every check is a function from the environment to findings; it changes nothing and calls no client.
"""

from __future__ import annotations

import importlib.metadata
import json
import logging
import os
import socket
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlsplit

from otel_agentops import _config, _guard, _patching, _prices, _redaction

GROUP = "opentelemetry_instrumentor"
UNBIASED = ("always_on", "parentbased_always_on")
_OFFICIAL = {f"opentelemetry-instrumentation-{name}" for name in ("botocore", "google-genai", "openai-v2")}


class Finding(NamedTuple):
    """A result of a check.

    Attributes:
        level: ok, note, warning or problem.
        subject: The thing that was checked.
        text: The state of the subject.
        advice: The next step; empty if there is none.
        names: The things that the text counts.
    """

    level: str
    subject: str
    text: str
    advice: str = ""
    names: Sequence[str] = ()


Check = Callable[[Mapping[str, str]], Iterator[Finding]]


def examine_environment(environ: Mapping[str, str]) -> list[Finding]:
    """Run every check, in the order in which a program meets the causes."""
    return [finding for check in CHECKS for finding in check(environ)]


def check_settings(environ: Mapping[str, str]) -> Iterator[Finding]:
    """Report our own variables whose name is unknown or whose value is refused; tell where prices are from."""
    for name, nearest in _config.find_unknown_variables(environ).items():
        text = _config.describe_unknown_variable(name, nearest)
        yield Finding("problem", "settings", text, f"rename it to {nearest}" if nearest else "unset it")
    with _collect_warnings() as warnings:
        config = _config.read_config(environ)
        prices = _prices.load_prices(config.prices)
    for warning in warnings:
        yield Finding("problem", "settings", warning.getMessage(), "correct or unset it")
    yield from _check_recorder_values(config)
    if prices is not None:
        with Path(str(config.prices)).open(encoding="utf-8") as file:
            notes = json.load(file)
        text = (
            f"{len(prices)} model names; date {notes.get('date', 'unknown')}, source {notes.get('source', 'unknown')}"
        )
        yield Finding("ok", "prices", text)


@contextmanager
def _collect_warnings() -> Iterator[list[logging.LogRecord]]:
    """Collect the warnings of our log, which are findings here and no lines on standard error."""
    records: list[logging.LogRecord] = []
    handler = logging.Handler()
    handler.emit = records.append  # type: ignore[method-assign, assignment]
    _guard.log.addHandler(handler)
    propagates, _guard.log.propagate = _guard.log.propagate, False
    try:
        yield records
    finally:
        _guard.log.propagate = propagates
        _guard.log.removeHandler(handler)


def _read_config(environ: Mapping[str, str]) -> _config.Config:
    with _collect_warnings():  # `check_settings` reports them
        return _config.read_config(environ)


def _check_recorder_values(config: _config.Config) -> Iterator[Finding]:
    """Check the settings of the recorder that no program reads before it records something."""
    from otel_agentops.recorder import keys, retention

    if config.recorder_keep is not None:
        try:
            retention.parse_limits(config.recorder_keep)
        except ValueError as error:
            yield Finding("problem", "settings", f"{error}; everything is kept", "correct or unset it")
    if config.recorder is None:
        return
    loads: list[Callable[[], object]] = [partial(keys.load_signer, "doctor", config.recorder_signing_key)]
    if (source := config.recorder_key) is not None:
        loads.insert(0, partial(keys.load_ring, Path(config.recorder), source))
    for load in loads:
        try:
            load()
        except keys.KeyMissingError as error:
            yield Finding("problem", "settings", error.problem, error.advice)


def check_sdk(environ: Mapping[str, str]) -> Iterator[Finding]:
    """Check that a tracer provider will be set up, with a service name."""
    if environ.get("OTEL_SDK_DISABLED", "").strip().lower() == "true":
        yield Finding("problem", "sdk", "OTEL_SDK_DISABLED=true: nothing is recorded", "unset it")
    if not list(importlib.metadata.entry_points(group="opentelemetry_configurator")):
        yield Finding("problem", "sdk", "no package configures the SDK", "pip install opentelemetry-distro")
    if not environ.get("OTEL_SERVICE_NAME") and "service.name=" not in environ.get("OTEL_RESOURCE_ATTRIBUTES", ""):
        text = "no service name: every budget would be counted for unknown_service"
        yield Finding("warning", "service", text, "set OTEL_SERVICE_NAME")


def check_clients(environ: Mapping[str, str]) -> Iterator[Finding]:
    """Check each supported client: version, switch, patches and other tracers."""
    active: list[str] = []
    inactive: list[str] = []
    absent: list[str] = []
    clients = list(_load_clients())
    for entry, client in clients:
        version = _find_version(client.distribution)
        if version is None:
            absent.append(client.distribution)
        elif _is_disabled(entry.name, environ):
            text = f"{version}; switched off by OTEL_PYTHON_DISABLED_INSTRUMENTATIONS"
            yield Finding("warning", client.distribution, text, f"remove {entry.name} from it")
        elif not client.supports(version):
            text = f"{version} is outside the supported range {client.versions}: its calls are not instrumented"
            yield Finding("problem", client.distribution, text, "install a version within it")
        else:
            yield Finding("ok", client.distribution, f"{version} is in the supported range {client.versions}")
            yield from _check_patches(client) if client.active else ()
            yield _describe_coexistence(
                client.distribution, _find_other_tracers(client, version, environ), _read_mode(environ)
            )
            (active if client.active else inactive).append(client.distribution)
    if absent:
        text = f"{len(absent)} of {len(clients)} supported libraries are not installed"
        yield Finding("note", "libraries", text, names=absent)
    if inactive:
        names = f"{', '.join(inactive)} not" if active else "nothing is"
        text = f"{names} patched here: this process was started without opentelemetry-instrument"
        advice = "opentelemetry-instrument otel-agentops doctor checks the patches as well"
        yield Finding("note", "patches", text, advice)


def _load_clients() -> Iterator[tuple[importlib.metadata.EntryPoint, _patching.PatchedLibrary]]:
    for entry in _list_entry_points():
        yield from ((entry, client) for client in entry.load().libraries)


def _check_patches(client: _patching.PatchedLibrary) -> Iterator[Finding]:
    wanted = [target for target in client.targets if target.is_in_every_version]
    for module in dict.fromkeys(target.module for target in wanted):
        importlib.import_module(module)
    missing = [f"{target.module}.{target.owner}.{target.name}" for target in wanted if target not in client.patches]
    if missing:
        text = f"not patched: {', '.join(missing)}"
        yield Finding("problem", client.distribution, text, "report it with the version")
    else:
        yield Finding("ok", client.distribution, f"{len(client.patches)} places patched in this process")


class _OtherTracer(NamedTuple):
    """Another tracer of a client, and how to stop it."""

    name: str
    stop: str


def _find_other_tracers(
    client: _patching.PatchedLibrary, version: str, environ: Mapping[str, str]
) -> list[_OtherTracer]:
    tracers = []
    for package in client.info.peers:
        entry = _find_entry_name(package)
        if entry is not None and not _is_disabled(entry, environ):
            tracers.append(_OtherTracer(_name_instrumentation(package), f"uninstall {package}"))
    own = client.info.tracing
    if own and _patching.matches_range(own.versions, version) and environ.get(own.variable, "").lower() != own.off:
        tracers.append(_OtherTracer("its own tracing", f"set {own.variable}={own.off}"))
    return tracers


def _name_instrumentation(package: str) -> str:
    """Return the maker of an instrumentation, from the name of its distribution."""
    if package.startswith("openinference-"):
        return "OpenInference"
    return "official" if package in _OFFICIAL or "-genai-" in package else "OpenLLMetry"


def _describe_coexistence(client: str, others: list[_OtherTracer], mode: str) -> Finding:
    """Report how many spans a call will have; docs/coexistence.md has every case."""
    names = " and ".join(other.name for other in others)
    if not others and mode == "enrich":
        text = "nothing else traces it, and the mode is enrich: its calls will have no span"
        return Finding("problem", client, text, "set OTEL_AGENTOPS_MODE=auto")
    if not others:
        return Finding("ok", client, "nothing else traces it: each call gets a span of ours")
    if mode == "own":
        text = f"also traced by {names}; the mode is own: every call has a span of ours beside theirs, and counts twice"
        return Finding("warning", client, text, "set OTEL_AGENTOPS_MODE=auto")
    if len(others) > 1:
        text = f"also traced by {names}: a call has {len(others)} spans, with us or without; we enrich the innermost"
        return Finding("warning", client, text, "keep one: " + ", ".join(other.stop for other in others))
    return Finding("ok", client, f"also traced by {names}: its span of a call is enriched, no second one is made")


def check_sampler(environ: Mapping[str, str]) -> Iterator[Finding]:
    """Warn of a head sampler, which drops spans before they are counted."""
    sampler = environ.get("OTEL_TRACES_SAMPLER", "parentbased_always_on").strip().lower()
    if sampler in UNBIASED:
        yield Finding("ok", "sampler", f"{sampler}: every call is counted")
        return
    ratio = environ.get("OTEL_TRACES_SAMPLER_ARG", "")
    share = f" ({ratio} of the traces)" if ratio else ""
    text = f"{sampler}{share} drops spans before they are counted: budgets are estimates, rare failures get lost"
    yield Finding("warning", "sampler", text, "sample behind the collector's counting (tail sampling) instead")


def check_hash_key(environ: Mapping[str, str]) -> Iterator[Finding]:
    """Report a missing key: without one a guess of a short text can be checked."""
    if environ.get("OTEL_AGENTOPS_HASH_KEY"):
        yield Finding("ok", "hash key", "identities are keyed")
        return
    text = "no key: whoever sees a hash can check a guess of a short prompt against it"
    yield Finding("note", "hash key", text, "set OTEL_AGENTOPS_HASH_KEY to one secret for all services of the project")


def check_content(environ: Mapping[str, str]) -> Iterator[Finding]:
    """Report whether prompts and answers leave the process, and settings of others that are not honoured."""
    config = _read_config(environ)
    if config.content_mode == "NO_CONTENT":
        yield Finding("ok", "content", "no prompt and no answer leaves the process")
    else:
        place = {"SPAN_ONLY": "spans", "EVENT_ONLY": "events"}.get(config.content_mode, "spans and events")
        text = f"prompts, answers and tools' results go on {place}, without the secrets that a pattern knows"
        yield Finding("note", "content", text, "see docs/content.md for what else to take out")
    if config.redact is not None:
        yield from _check_redaction(config.redact)
    for name in _NOT_HONOURED:
        if environ.get(name, "").strip():
            text = f"{name} is set, and not honoured: content goes on spans and events, and nowhere else"
            yield Finding("warning", "content", text, f"unset it, or choose the place by {_config.CAPTURE_CONTENT}")


def check_recorder(environ: Mapping[str, str]) -> Iterator[Finding]:
    """Check the flight recorder: mode, directory, packages, and what its log says was lost."""
    config = _read_config(environ)
    if config.recorder is None:
        return
    root = Path(config.recorder)
    modes = config.recorder_mode.list_modes()
    if modes == {"off"}:
        text = f"OTEL_AGENTOPS_RECORDER={root}, and the mode is off: nothing is recorded"
        yield Finding("warning", "recorder", text, "set OTEL_AGENTOPS_RECORDER_MODE to hashes, redacted or full")
        return
    place = next(folder for folder in (root, *root.absolute().parents) if folder.exists())
    if not place.is_dir() or not os.access(place, os.W_OK):
        text = f"{place} cannot be written: nothing will be recorded"
        yield Finding("problem", "recorder", text, "make it a directory that the process may write")
        return
    yield Finding("ok", "recorder", f"{config.recorder_mode} content goes to {root}")
    for package, lack in (("cryptography", "checkpoints are not signed"), ("backports-zstd", "files are a bit larger")):
        if _find_version(package) is None and (package != "backports-zstd" or sys.version_info < (3, 14)):
            yield Finding(
                "note", "recorder", f"{package} is not installed: {lack}", "pip install 'otel-agentops[recorder]'"
            )
    if config.recorder_key is None and modes & {"redacted", "full"}:
        yield Finding("note", "recorder", "content is not encrypted on disk", "see OTEL_AGENTOPS_RECORDER_KEY")
    yield from _report_gaps(root)


def _report_gaps(root: Path) -> Iterator[Finding]:
    from otel_agentops.recorder.entries import Gap
    from otel_agentops.recorder.reading import open_records

    try:
        gaps = [entry for entry in open_records(root) if isinstance(entry, Gap)]
    except (OSError, ValueError) as error:
        yield Finding("problem", "recorder", str(error), "otel-agentops record verify names every damaged file")
        return
    for reason in dict.fromkeys(gap.reason for gap in gaps):
        counts = [gap.count for gap in gaps if gap.reason == reason]
        lost = sum(count for count in counts if count is not None)
        what = f"{lost} entries lost" if lost else "an unknown number of entries lost"
        yield Finding(
            "warning", "recorder", f"{reason}: {what} in {len(counts)} gaps", "otel-agentops record ls --kind gap"
        )


# What the official instrumentations read beside the mode:
# https://github.com/open-telemetry/opentelemetry-python-genai/tree/main/util/opentelemetry-util-genai
_NOT_HONOURED = tuple(
    f"OTEL_INSTRUMENTATION_GENAI_{name}"
    for name in ("COMPLETION_HOOK", "UPLOAD_BASE_PATH", "UPLOAD_FORMAT", "UPLOAD_MAX_QUEUE_SIZE", "EMIT_EVENT")
)


def _check_redaction(name: str) -> Iterator[Finding]:
    try:
        _redaction.load_function(name)
    except (ImportError, ValueError) as error:
        text = f"OTEL_AGENTOPS_REDACT={name} cannot be loaded ({error}): no content is recorded at all"
        yield Finding("problem", "content", text, "correct it to module:function, or unset it")
    else:
        yield Finding("ok", "content", f"everything passes {name} before it leaves")


def check_indexes(environ: Mapping[str, str]) -> Iterator[Finding]:
    """Report indexes whose store was asked in this process, and does not tell which build answers."""
    if _read_config(environ).index_ttl == 0:
        text = "OTEL_AGENTOPS_INDEX_TTL=0: no store is asked which build of an index answers"
        yield Finding("note", "indexes", text, "unset it, or declare the versions")
    module = sys.modules.get(f"{__package__}.stores._index_resolver")  # imported with the first store
    for (_, name), kind in sorted(module.RESOLVER.refusals.items()) if module is not None else ():
        text = f"its store does not tell which build answers ({kind})"
        advice = "allow the program to read the metadata of the index, or declare its version"
        yield Finding("warning", f"index {name}", text, advice)


def check_exporters(environ: Mapping[str, str]) -> Iterator[Finding]:
    """Check the exporters of spans and events, and that their endpoints listen."""
    signals_by_endpoint: dict[tuple[str, str], list[str]] = {}
    for signal, carries in (("TRACES", "spans"), ("LOGS", "evaluations and outcomes")):
        exporter = environ.get(f"OTEL_{signal}_EXPORTER", "otlp").strip().lower()
        if exporter == "none":
            text = f"OTEL_{signal}_EXPORTER=none: {carries} go nowhere"
            yield Finding("problem", "exporter", text, f"set OTEL_{signal}_EXPORTER=otlp")
        elif "otlp" in exporter:
            signals_by_endpoint.setdefault(_find_endpoint(environ, signal, exporter), []).append(carries)
        else:
            yield Finding("note", "exporter", f"{carries} go to {exporter}, not to a collector")
    for (protocol, endpoint), signals in signals_by_endpoint.items():
        yield _check_endpoint(protocol, endpoint, ", ".join(signals))


def _find_endpoint(environ: Mapping[str, str], signal: str, exporter: str) -> tuple[str, str]:
    protocol = environ.get(f"OTEL_EXPORTER_OTLP_{signal}_PROTOCOL") or environ.get("OTEL_EXPORTER_OTLP_PROTOCOL")
    if "otlp_proto_" in exporter:
        protocol = "http/protobuf" if "otlp_proto_http" in exporter else "grpc"
    protocol = protocol or "grpc"  # the default of opentelemetry-distro
    default = "http://localhost:4318" if protocol.startswith("http") else "http://localhost:4317"
    endpoint = environ.get(f"OTEL_EXPORTER_OTLP_{signal}_ENDPOINT") or environ.get(
        "OTEL_EXPORTER_OTLP_ENDPOINT", default
    )
    return protocol, endpoint


def _check_endpoint(protocol: str, endpoint: str, carries: str) -> Finding:
    package = "http" if protocol.startswith("http") else "grpc"
    if _find_version(f"opentelemetry-exporter-otlp-proto-{package}") is None:
        text = f"{carries} would go over {protocol}, and no exporter for it is installed"
        advice = f"pip install opentelemetry-exporter-otlp-proto-{package}"
        other = "http/protobuf" if package == "grpc" else "grpc"
        return Finding("problem", "exporter", text, f"{advice}, or set OTEL_EXPORTER_OTLP_PROTOCOL={other}")
    try:
        _try_connection(endpoint)
    except ValueError:
        text = f"{carries} would go to {endpoint!r}, which is no URL"
        return Finding("problem", "exporter", text, "write OTEL_EXPORTER_OTLP_ENDPOINT as http://host:port")
    except OSError as error:
        text = f"{carries} go to {endpoint}, where nothing answers ({error.strerror or error})"
        return Finding("problem", "exporter", text, "start the collector, or set OTEL_EXPORTER_OTLP_ENDPOINT")
    return Finding("ok", "exporter", f"{carries} go to {endpoint} over {protocol}; it accepts connections")


def _try_connection(endpoint: str) -> None:
    """Open and close a connection to an endpoint.

    Raises:
        OSError: Nothing listens there.
        ValueError: The endpoint has no host.
    """
    parts = urlsplit(endpoint if "//" in endpoint else f"//{endpoint}")
    if not parts.hostname:
        raise ValueError(endpoint)
    port = parts.port or (443 if parts.scheme == "https" else 80)
    socket.create_connection((parts.hostname, port), timeout=3).close()


def _list_entry_points() -> list[importlib.metadata.EntryPoint]:
    entries = importlib.metadata.entry_points(group=GROUP)
    return sorted((entry for entry in entries if entry.name.startswith("agentops_")), key=lambda entry: entry.name)


def _find_version(distribution: str) -> str | None:
    try:
        return importlib.metadata.version(distribution)
    except importlib.metadata.PackageNotFoundError:
        return None


def _find_entry_name(package: str) -> str | None:
    """Return the entry point of an installed instrumentation; None if it is not installed."""
    if _find_version(package) is None:
        return None
    entries = importlib.metadata.distribution(package).entry_points.select(group=GROUP)
    return next((entry.name for entry in entries), None)


def _is_disabled(entry: str, environ: Mapping[str, str]) -> bool:
    disabled = {name.strip() for name in environ.get("OTEL_PYTHON_DISABLED_INSTRUMENTATIONS", "").split(",")}
    return entry in disabled or "*" in disabled


def _read_mode(environ: Mapping[str, str]) -> str:
    return environ.get("OTEL_AGENTOPS_MODE", "auto").strip().lower() or "auto"


CHECKS: tuple[Check, ...] = (
    check_settings,
    check_sdk,
    check_clients,
    check_sampler,
    check_hash_key,
    check_content,
    check_indexes,
    check_recorder,
    check_exporters,
)
