"""Settings from the environment, read once; a wrong value leaves the default, with one warning.

| variable | meaning | default |
|---|---|---|
| OTEL_AGENTOPS_MODE | auto: enrich a span that was started for the call, else make one; own; enrich | auto |
| OTEL_AGENTOPS_HASH_KEY | key of the hashes of identities and users; without one short prompts can be guessed | none |
| OTEL_AGENTOPS_PROMPT_LIMIT | distinct prompt hashes of one scope before it is called unbounded | 100 |
| OTEL_AGENTOPS_PRICES | file with the prices of models, see docs/tasks.md; without one no cost is given | none |
| OTEL_AGENTOPS_BAGGAGE | facts that travel over HTTP, out and in: task, traffic, tenant, rollout; or none | task |
| OTEL_AGENTOPS_GOLD_RATIO | share of the tasks that are in the gold cohort, see docs/judges.md | none |
| OTEL_AGENTOPS_REDACT | `module:function` that content passes before it leaves, see docs/content.md | none |
| OTEL_AGENTOPS_CONTENT_LIMIT | bytes of one attribute of content | 65536 |
| OTEL_AGENTOPS_INDEX_TTL | seconds between two questions to a store for the version of an index; 0 asks never | 60 |
| OTEL_AGENTOPS_RECORDER | directory of the flight recorder, see docs/recorder.md | none |
| OTEL_AGENTOPS_RECORDER_MODE | what it keeps of content: off, hashes, redacted, full; by class and tenant | off |
| OTEL_AGENTOPS_RECORDER_SYNC | when it waits for the disk: effects, second, each | effects |
| OTEL_AGENTOPS_RECORDER_QUEUE | bytes that may wait in memory | 64 MiB |
| OTEL_AGENTOPS_RECORDER_SIGNING_KEY | file with the Ed25519 key of its checkpoints | a new one each process |
| OTEL_AGENTOPS_RECORDER_KEY | file, or `command:...`, with the key that encrypts content | none |
| OTEL_AGENTOPS_RECORDER_KEEP | how long, and how much, e.g. `90d,20GB` | everything |
| OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT | NO_CONTENT, SPAN_ONLY, EVENT_ONLY, SPAN_AND_EVENT | NO_CONTENT |

The HTTP instrumentations send baggage to every host. So by default only the id and the name of a task travel, which
are needed to count a task in two services once; tenant and roll-out stay in the service.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import NamedTuple, TypeVar, cast

from otel_agentops._guard import log, say_once

T = TypeVar("T")

_MAX_LIMIT = 999_999_999
MODES = ("auto", "own", "enrich")
RECORDER_MODES = ("off", "hashes", "redacted", "full")  # the strictest first
CONTENT_CLASSES = ("request", "response", "headers", "arguments", "result", "query", "documents", "configuration")
_TENANT = "tenant:"
RECORDER_SYNCS = ("effects", "second", "each")
CAPTURE_CONTENT = "OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT"
CONTENT_MODES = ("NO_CONTENT", "SPAN_ONLY", "EVENT_ONLY", "SPAN_AND_EVENT")
# The setting's values before it had modes, when messages were in events alone.
_OLD_CONTENT_MODES = {"TRUE": "EVENT_ONLY", "FALSE": "NO_CONTENT"}
# The SDK cuts longer texts on spans, which would leave half of a JSON text.
_SDK_LIMITS = ("OTEL_SPAN_ATTRIBUTE_VALUE_LENGTH_LIMIT", "OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT")
BAGGAGE_GROUPS = ("task", "traffic", "tenant", "rollout")
_PREFIX = "OTEL_AGENTOPS_"
# The rest of the name of every variable that a part of the project reads: the settings here, those of the guard and of
# the project's tools, and those of the collector's configuration, which may share its environment with an application.
VARIABLES = frozenset([
    "BAGGAGE", "CACHE", "CONTENT_LIMIT", "DECISION_WAIT", "FLUSH", "GOLD_RATIO", "GRAFANA_URL", "HASH_KEY", "INDEX_TTL",
    "INSTANCE", "LOG_RECEIVER", "MAX_DURATION_SERIES", "MAX_SERIES", "MAX_VALUE_SERIES", "MAX_VARIABLE_SERIES", "MODE",
    "PRICES", "PROMETHEUS_URL", "PROMPT_LIMIT", "PROM_ENDPOINT", "RECEIVER", "RECEIVERS", "RECORDER", "RECORDER_KEEP",
    "RECORDER_KEY", "RECORDER_MODE", "RECORDER_QUEUE", "RECORDER_SIGNING_KEY", "RECORDER_SYNC", "REDACT",
    "REMOTE_WRITE_URL", "ROTATION", "RUNBOOK_URL", "SAMPLE_PERCENT", "STORE", "STRICT", "TEMPO_UID", "TIER",
    "TRACE_RECEIVER", "WAITING_TRACES",
])  # fmt: skip


class RecorderModes(NamedTuple):
    """The modes in which the flight recorder keeps content.

    Attributes:
        default: The mode of what has none of its own.
        by_class: The modes of classes of content, each one of `CONTENT_CLASSES`.
        by_tenant: The modes of tenants.
    """

    default: str = "off"
    by_class: Mapping[str, str] = {}
    by_tenant: Mapping[str, str] = {}

    def list_classes(self, tenant_mode: str | None) -> dict[str, str]:
        """Return the mode of each class of content.

        Args:
            tenant_mode: The mode of the tenant; None if it has none of its own.
        """
        modes = {}
        for name in CONTENT_CLASSES:
            mode = tenant_mode or self.default
            if name == "headers" and mode != "off":
                mode = "full"  # they are an allow-list without secrets: the mode of a class alone is stricter
            own = self.by_class.get(name, mode)
            modes[name] = own if tenant_mode is None else min(own, mode, key=RECORDER_MODES.index)
        return modes

    def list_modes(self) -> set[str]:
        """Return every mode that some class of content of some tenant is kept in."""
        return {mode for tenant in (None, *self.by_tenant.values()) for mode in self.list_classes(tenant).values()}

    def __str__(self) -> str:
        """Return the setting as it is written."""
        tenants = {_TENANT + tenant: mode for tenant, mode in self.by_tenant.items()}
        return ",".join([self.default, *(f"{name}={mode}" for name, mode in {**self.by_class, **tenants}.items())])


class Config(NamedTuple):
    """The settings of one process."""

    mode: str = "auto"
    hash_key: bytes | None = None
    prompt_limit: int = 100
    baggage: frozenset[str] = frozenset({"task"})
    prices: str | None = None
    content_mode: str = "NO_CONTENT"
    content_limit: int = 65_536
    redact: str | None = None
    index_ttl: int = 60
    gold_ratio: float | None = None
    recorder: str | None = None
    recorder_mode: RecorderModes = RecorderModes()
    recorder_sync: str = "effects"
    recorder_queue: int = 67_108_864
    recorder_signing_key: str | None = None
    recorder_key: str | None = None
    recorder_keep: str | None = None


def read_config(environ: Mapping[str, str] = os.environ) -> Config:
    """Read the settings from environment variables; never raises."""
    default = Config()
    return Config(
        mode=_parse_choice("OTEL_AGENTOPS_MODE", environ, MODES, default.mode),
        hash_key=environ.get("OTEL_AGENTOPS_HASH_KEY", "").strip().encode(errors="surrogateescape") or None,
        prompt_limit=_parse_limit("OTEL_AGENTOPS_PROMPT_LIMIT", environ, default.prompt_limit),
        baggage=_parse_groups(environ.get("OTEL_AGENTOPS_BAGGAGE", ""), default.baggage),
        prices=environ.get("OTEL_AGENTOPS_PRICES", "").strip() or None,
        content_mode=_parse_content_mode(environ.get(CAPTURE_CONTENT, ""), default.content_mode),
        content_limit=min(
            _parse_limit("OTEL_AGENTOPS_CONTENT_LIMIT", environ, default.content_limit, unit="bytes"),
            *(int(text) for name in _SDK_LIMITS if (text := environ.get(name, "").strip()).isdecimal()),
            _MAX_LIMIT,
        ),
        redact=environ.get("OTEL_AGENTOPS_REDACT", "").strip() or None,
        index_ttl=_parse_limit("OTEL_AGENTOPS_INDEX_TTL", environ, default.index_ttl, lowest=0, unit="seconds"),
        gold_ratio=_parse_ratio("OTEL_AGENTOPS_GOLD_RATIO", environ),
        recorder=environ.get("OTEL_AGENTOPS_RECORDER", "").strip() or None,
        recorder_mode=_parse_recorder_modes(environ.get("OTEL_AGENTOPS_RECORDER_MODE", "")),
        recorder_sync=_parse_choice("OTEL_AGENTOPS_RECORDER_SYNC", environ, RECORDER_SYNCS, default.recorder_sync),
        recorder_queue=_parse_limit("OTEL_AGENTOPS_RECORDER_QUEUE", environ, default.recorder_queue, unit="bytes"),
        recorder_signing_key=environ.get("OTEL_AGENTOPS_RECORDER_SIGNING_KEY", "").strip() or None,
        recorder_key=environ.get("OTEL_AGENTOPS_RECORDER_KEY", "").strip() or None,
        recorder_keep=environ.get("OTEL_AGENTOPS_RECORDER_KEEP", "").strip() or None,
    )


def find_unknown_variables(environ: Mapping[str, str]) -> dict[str, str | None]:
    """Return the variables with our prefix that nothing reads, each with the nearest name that is read, if one is."""
    names = [name.removeprefix(_PREFIX) for name in sorted(environ) if name.startswith(_PREFIX)]
    unknown = [name for name in names if name not in VARIABLES]
    if not unknown:
        return {}
    import difflib  # seldom needed, and every program imports this module

    nearest_by_name = {name: difflib.get_close_matches(name, VARIABLES, 1) for name in unknown}
    return {_PREFIX + name: _PREFIX + nearest[0] if nearest else None for name, nearest in nearest_by_name.items()}


def describe_unknown_variable(name: str, nearest: str | None) -> str:
    """Return the sentence about a variable that nothing reads."""
    return f"{name}: otel-agentops reads no such variable{f'; did you mean {nearest}?' if nearest else ''}"


def warn_of_unknown_variables() -> None:
    """Warn of variables with our prefix that nothing reads, once for each and process."""
    for name, nearest in find_unknown_variables(os.environ).items():
        say_once(name, "%s", describe_unknown_variable(name, nearest))


def _parse_choice(name: str, environ: Mapping[str, str], choices: Sequence[str], default: str) -> str:
    text = environ.get(name, "")
    value = text.strip().lower()
    if not value or value in choices:
        return value or default
    return _refuse_value(name, text, "one of " + ", ".join(choices), default)


def _parse_content_mode(text: str, default: str) -> str:
    value = text.strip().upper()
    value = _OLD_CONTENT_MODES.get(value, value)
    if not value or value in CONTENT_MODES:
        return value or default
    return _refuse_value(CAPTURE_CONTENT, text, "one of " + ", ".join(CONTENT_MODES), default)


def _parse_limit(name: str, environ: Mapping[str, str], default: int, lowest: int = 1, unit: str = "") -> int:
    text = environ.get(name, "").strip()
    if not text:
        return default
    if text.isdecimal() and int(text[:10]) in range(lowest, _MAX_LIMIT + 1):
        return int(text)
    wanted = f"a whole number of {unit}" if unit else "a whole number"
    return _refuse_value(name, text, f"{wanted} from {lowest} to {_MAX_LIMIT}", default)


def _parse_ratio(name: str, environ: Mapping[str, str]) -> float | None:
    text = environ.get(name, "").strip()
    try:
        ratio = float(text or "nan")
    except ValueError:
        ratio = -1
    if 0 < ratio <= 1 or not text:
        return ratio if text else None
    return _refuse_value(name, text, "a number above 0 and at most 1", None)


def _parse_groups(text: str, default: frozenset[str]) -> frozenset[str]:
    names = frozenset(name.strip().lower() for name in text.split(",") if name.strip())
    if not names:
        return default
    if names == {"none"}:
        return frozenset()
    if names <= set(BAGGAGE_GROUPS):
        return names
    wanted = "a comma-separated list of " + ", ".join(BAGGAGE_GROUPS) + ", or none"
    return _refuse_value("OTEL_AGENTOPS_BAGGAGE", text, wanted, default)


def _parse_recorder_modes(text: str) -> RecorderModes:
    """Return the modes of a setting such as `redacted,documents=hashes,tenant:acme=off`."""
    first, *words = (word.strip() for word in text.split(","))
    modes = RecorderModes(first.lower() or "off", {}, {})
    wrong = None if modes.default in RECORDER_MODES and (first or not words) else first
    for word in words:
        name, _, mode = (part.strip() for part in word.rpartition("="))
        is_tenant = name.startswith(_TENANT) and name != _TENANT
        name = name.removeprefix(_TENANT) if is_tenant else name.lower()
        by_name = cast(dict[str, str], modes.by_tenant if is_tenant else modes.by_class)
        if mode.lower() not in RECORDER_MODES or name in by_name or not (is_tenant or name in CONTENT_CLASSES):
            wrong = wrong or word
        by_name[name] = mode.lower()
    if wrong is None:
        return modes
    log.warning(
        "OTEL_AGENTOPS_RECORDER_MODE=%r: %r is wrong; write one of %s, then each class (%s) or tenant:NAME once, as in "
        "redacted,documents=hashes,tenant:acme=off; off is used",
        text, wrong, ", ".join(RECORDER_MODES), ", ".join(CONTENT_CLASSES),
    )  # fmt: skip
    return RecorderModes()


def _refuse_value(name: str, value: str, wanted: str, default: T) -> T:
    shown = ",".join(sorted(default)) if isinstance(default, frozenset) else default
    log.warning("%s=%r is not %s; %s is used", name, value, wanted, shown)
    return default
