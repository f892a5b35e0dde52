"""The registry as data: `semconv/` with its references to upstream facts resolved, or an error if it is unsound.

Weaver resolves the same files; the generators need this part of it, so that they run without Weaver.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

DIRECTORY = Path(__file__).resolve().parent.parent / "semconv"
PREFIX = "otel_agentops."
LABELS = ("yes", "opt_in", "no", "never")

Files: TypeAlias = dict[str, dict[str, Any]]
SIGNALS = {
    "span": ("spans", "type", "span_refinements"),
    "event": ("events", "name", "event_refinements"),
    "metric": ("metrics", "name", "metric_refinements"),
}


class RegistryError(Exception):
    """One sentence that names the file or the field and says what to do."""


@dataclass(frozen=True)
class Attribute:
    """An attribute of ours or of upstream.

    Attributes:
        name: The whole name, with `{}` for the free part of a template attribute.
        values: The members of an enum, None if any value is allowed.
    """

    name: str
    type: str
    values: tuple[str, ...] | None
    label: str
    brief: str = ""
    note: str = ""
    meanings: tuple[str, ...] = ()

    @property
    def own(self) -> bool:
        return self.name.startswith(PREFIX)


@dataclass(frozen=True)
class Signal:
    """A span, event or metric; `attributes` has name, requirement level and its condition of those that we add."""

    kind: str
    name: str
    brief: str
    note: str
    attributes: tuple[tuple[str, str, str], ...]
    instrument: str = ""
    unit: str = ""

    @property
    def prometheus(self) -> str:
        """The name of a metric under Prometheus' UnderscoreEscapingWithSuffixes."""
        unit = {"s": "_seconds"}.get(self.unit, "")
        return self.name.replace(".", "_") + unit + ("_total" if self.instrument == "counter" else "")


@dataclass(frozen=True)
class Registry:
    attributes: tuple[Attribute, ...]
    signals: tuple[Signal, ...]
    commit: str

    def of(self, kind: str) -> tuple[Signal, ...]:
        return tuple(signal for signal in self.signals if signal.kind == kind)


# -- reading


def read(path: Path) -> dict[str, Any]:
    """Return the content of one YAML file."""
    try:
        content = YAML(typ="safe").load(path)
    except YAMLError as error:
        raise RegistryError(f"{path}: not YAML: {' '.join(str(error).split())}") from error
    return content if isinstance(content, dict) else {}


def load(directory: Path = DIRECTORY) -> Files:
    """Return the definition files of a registry by name."""
    paths = sorted(path for path in directory.glob("*.yaml") if path.name != "manifest.yaml")
    return {path.name: read(path) for path in paths}


def load_facts(directory: Path = DIRECTORY) -> dict[str, Any]:
    facts: dict[str, Any] = json.loads((directory / "upstream.json").read_text())
    return facts


def entries(files: Files, section: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield every entry of a section with the file it is in."""
    for name, content in files.items():
        for entry in content.get(section, ()):
            yield name, entry


def list_refined(files: Files, section: str) -> list[str]:
    """Return the upstream signals that a section of refinements builds on."""
    return sorted(entry["ref"] for _, entry in entries(files, section))


def foreign_attributes(files: Files) -> list[str]:
    """Return the attributes that are referred to and not ours."""
    return sorted(
        {name for _, name, _ in _list_borrowed(files)} | {name for _, name in _references(files) if not _is_own(name)}
    )


# -- resolving


def resolve(files: Files, facts: Mapping[str, Any]) -> Registry:
    """Return definitions and references as one sorted table.

    Raises:
        RegistryError: They do not fit together.
    """
    own = [_own_attribute(file, entry) for file, entry in entries(files, "attributes")]
    attributes = own + _foreign(files, facts) + list(_of_records(files))
    signals = [signal for kind in SIGNALS for signal in _signals(kind, files, facts)]
    _refuse_duplicates([attribute.name for attribute in attributes])
    _refuse_duplicates([f"{signal.kind} {signal.name}" for signal in signals])
    _refuse_unknown(files, {entry["key"] for _, entry in entries(files, "attributes")} | set(facts["attributes"]))
    return Registry(
        tuple(sorted(attributes, key=lambda attribute: attribute.name)),
        tuple(_expand_patterns(signal, own, files) for signal in sorted(signals, key=lambda s: (s.kind, s.name))),
        facts["sources"]["genai"]["commit"],
    )


def _own_attribute(file: str, entry: dict[str, Any]) -> Attribute:
    key = entry["key"]
    if not _is_own(key):
        raise RegistryError(f"{file}: {key} is defined here but is not in our namespace {PREFIX}*; use ref instead")
    ours = _ours(entry)
    members = entry["type"]["members"] if isinstance(entry["type"], dict) else ()
    values = [member["value"] for member in members] or ours.get("values")
    return Attribute(
        ours.get("pattern", key),
        "string" if members else entry["type"],
        tuple(values) if values else None,
        _label(file, key, ours),
        _text(entry, "brief"),
        _text(entry, "note"),
        tuple(_text(member, "brief") for member in members),
    )


def _foreign(files: Files, facts: Mapping[str, Any]) -> list[Attribute]:
    attributes = []
    for file, name, annotation in _list_borrowed(files):
        fact = facts["attributes"].get(name)
        if fact is None:
            raise RegistryError(f"{file}: {name} is not in upstream.json; run tools/upstream_facts.py")
        values = fact.get("values")
        attributes.append(
            Attribute(name, fact["type"], tuple(values) if values else None, _label(file, name, annotation))
        )
    return attributes


def _list_borrowed(files: Files) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Yield the foreign attributes in use, as the attribute groups list them."""
    for file, group in entries(files, "attribute_groups"):
        for reference in group.get("attributes", ()):
            yield file, reference["ref"], _ours(reference)
        for name, annotation in _ours(group).get("resource", {}).items():
            if "type" not in annotation:
                yield file, name, annotation


def _of_records(files: Files) -> Iterator[Attribute]:
    """Yield the attributes of log records and resources in general, which have a type of their own."""
    for file, group in entries(files, "attribute_groups"):
        ours = _ours(group)
        typed = {name: each for name, each in ours.get("resource", {}).items() if "type" in each}
        for name, annotation in (ours.get("record", {}) | typed).items():
            yield Attribute(name, annotation["type"], None, _label(file, name, annotation))


def _signals(kind: str, files: Files, facts: Mapping[str, Any]) -> Iterator[Signal]:
    section, key, refinements = SIGNALS[kind]
    for file, entry in entries(files, section):
        if not _is_own(entry[key]):
            raise RegistryError(f"{file}: {kind} {entry[key]} is not in our namespace {PREFIX}*; refine it instead")
        yield _signal(kind, entry[key], entry, entry)
    for file, entry in entries(files, refinements):
        upstream = facts[section].get(entry["ref"])
        if upstream is None:
            raise RegistryError(f"{file}: {kind} {entry['ref']} is not in upstream.json; run tools/upstream_facts.py")
        yield _signal(kind, entry["ref"], entry, upstream)


def _signal(kind: str, name: str, entry: dict[str, Any], typed: Mapping[str, Any]) -> Signal:
    attributes = tuple(
        (reference["ref"], *_level(reference.get("requirement_level", "recommended")))
        for reference in entry.get("attributes", ())
    )
    instrument, unit = typed.get("instrument", ""), typed.get("unit", "")
    return Signal(kind, name, _text(entry, "brief"), _text(entry, "note"), attributes, instrument, unit)


def _expand_patterns(signal: Signal, own: list[Attribute], files: Files) -> Signal:
    """Return the signal with the whole names of template attributes in place of their keys."""
    keys = {entry["key"]: _ours(entry).get("pattern", entry["key"]) for _, entry in entries(files, "attributes")}
    renamed = tuple((keys.get(name, name), level, condition) for name, level, condition in signal.attributes)
    return Signal(signal.kind, signal.name, signal.brief, signal.note, renamed, signal.instrument, signal.unit)


def _level(level: str | dict[str, str]) -> tuple[str, str]:
    if isinstance(level, str):
        return level, ""
    ((name, condition),) = level.items()
    return name, condition


def _label(file: str, name: str, annotation: Mapping[str, Any]) -> str:
    label = annotation.get("label")
    if label not in LABELS:
        raise RegistryError(
            f"{file}: {name} has label {label!r}; set annotations.otel_agentops.label to one of {', '.join(LABELS)}"
        )
    return str(label)


def _ours(entry: Mapping[str, Any]) -> dict[str, Any]:
    annotation: dict[str, Any] = entry.get("annotations", {}).get("otel_agentops", {})
    return annotation


def _is_own(name: str) -> bool:
    return name.startswith(PREFIX)


def _text(entry: Mapping[str, Any], field: str) -> str:
    return re.sub(r"\s+", " ", entry.get(field) or "").strip()


def _references(files: Files) -> Iterator[tuple[str, str]]:
    for section in [part for own, _, refinement in SIGNALS.values() for part in (own, refinement)]:
        for file, entry in entries(files, section):
            for reference in entry.get("attributes", ()):
                yield file, reference["ref"]


def _refuse_duplicates(names: list[str]) -> None:
    twice = [name for name, times in Counter(names).items() if times > 1]
    if twice:
        raise RegistryError(f"{DIRECTORY.name}: defined more than once: {', '.join(twice)}; keep one")


def _refuse_unknown(files: Files, names: set[str]) -> None:
    for file, name in _references(files):
        if name not in names:
            raise RegistryError(f"{file}: ref {name} is neither defined here nor borrowed; add it or correct the name")
