"""Settings from the environment, read once; a wrong value leaves the default, with one warning.

| variable | meaning | default |
|---|---|---|
| OTEL_AGENTOPS_MODE | auto: enrich a span that was started for the call, else make one; own; enrich | auto |
| OTEL_AGENTOPS_HASH_KEY | key of the identity hashes; without one short prompts can be guessed from theirs | none |
| OTEL_AGENTOPS_PROMPT_LIMIT | distinct prompt hashes of one scope before it is called unbounded | 100 |
| OTEL_AGENTOPS_PRICES | file with the prices of models, see docs/tasks.md; without one no cost is given | none |
| OTEL_AGENTOPS_BAGGAGE | facts that travel over HTTP, out and in: task, traffic, tenant, rollout; or none | task |
| OTEL_AGENTOPS_REDACT | `module:function` that content passes before it leaves, see docs/content.md | none |
| OTEL_AGENTOPS_CONTENT_LIMIT | bytes of one attribute of content | 65536 |
| OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT | NO_CONTENT, SPAN_ONLY, EVENT_ONLY, SPAN_AND_EVENT | NO_CONTENT |

The HTTP instrumentations send baggage to every host. So by default only the id and the name of a task travel, which
are needed to count a task in two services once; tenant and roll-out stay in the service.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import NamedTuple, TypeVar

from otel_agentops._guard import log, say_once

T = TypeVar("T")

_MAX_LIMIT = 999_999_999
MODES = ("auto", "own", "enrich")
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
    "BAGGAGE", "CACHE", "CONTENT_LIMIT", "DECISION_WAIT", "FLUSH", "GRAFANA_URL", "HASH_KEY", "INSTANCE",
    "LOG_RECEIVER", "MAX_DURATION_SERIES", "MAX_SERIES", "MAX_VALUE_SERIES", "MAX_VARIABLE_SERIES", "MODE", "PRICES",
    "PROMETHEUS_URL", "PROMPT_LIMIT", "PROM_ENDPOINT", "RECEIVER", "RECEIVERS", "REDACT", "REMOTE_WRITE_URL",
    "ROTATION", "RUNBOOK_URL", "SAMPLE_PERCENT", "STORE", "STRICT", "TEMPO_UID", "TIER", "TRACE_RECEIVER",
    "WAITING_TRACES",
])  # fmt: skip


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


def read_config(environ: Mapping[str, str] = os.environ) -> Config:
    """Read the settings from environment variables; never raises."""
    default = Config()
    return Config(
        mode=_parse_mode(environ.get("OTEL_AGENTOPS_MODE", ""), default.mode),
        hash_key=environ.get("OTEL_AGENTOPS_HASH_KEY", "").strip().encode(errors="surrogateescape") or None,
        prompt_limit=_parse_limit("OTEL_AGENTOPS_PROMPT_LIMIT", environ, default.prompt_limit),
        baggage=_parse_groups(environ.get("OTEL_AGENTOPS_BAGGAGE", ""), default.baggage),
        prices=environ.get("OTEL_AGENTOPS_PRICES", "").strip() or None,
        content_mode=_parse_content_mode(environ.get(CAPTURE_CONTENT, ""), default.content_mode),
        content_limit=min(
            _parse_limit("OTEL_AGENTOPS_CONTENT_LIMIT", environ, default.content_limit),
            *(int(text) for name in _SDK_LIMITS if (text := environ.get(name, "").strip()).isdecimal()),
            _MAX_LIMIT,
        ),
        redact=environ.get("OTEL_AGENTOPS_REDACT", "").strip() or None,
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


def _parse_mode(text: str, default: str) -> str:
    value = text.strip().lower()
    if value in MODES:
        return value
    return default if not value else _refuse_value("OTEL_AGENTOPS_MODE", text, "one of " + ", ".join(MODES), default)


def _parse_content_mode(text: str, default: str) -> str:
    value = text.strip().upper()
    value = _OLD_CONTENT_MODES.get(value, value)
    if not value or value in CONTENT_MODES:
        return value or default
    return _refuse_value(CAPTURE_CONTENT, text, "one of " + ", ".join(CONTENT_MODES), default)


def _parse_limit(name: str, environ: Mapping[str, str], default: int) -> int:
    text = environ.get(name, "").strip()
    if not text:
        return default
    if text.isdecimal() and int(text[:10]) in range(1, _MAX_LIMIT + 1):
        return int(text)
    return _refuse_value(name, text, f"a whole number from 1 to {_MAX_LIMIT}", default)


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


def _refuse_value(name: str, value: str, wanted: str, default: T) -> T:
    shown = ",".join(sorted(default)) if isinstance(default, frozenset) else default
    log.warning("%s=%r is not %s; %s is used", name, value, wanted, shown)
    return default
