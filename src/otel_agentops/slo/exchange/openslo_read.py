"""Objectives from OpenSLO v1 objects: an object that cannot be mapped is named with its line, and nothing is guessed.

OpenSLO says how to query a backend, and a spec says which spans count, so a query is never translated. The team says
which indicator means the same, and who the owner is and where the runbook is, for which OpenSLO has no field.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any

from pydantic import ValidationError
from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap
from ruamel.yaml.error import YAMLError

from otel_agentops import _yaml
from otel_agentops.slo.exchange import openslo
from otel_agentops.slo.spec import Slo, SpecError, describe_problem, select_errors

READ = ("SLO", "SLI")
DAYS = {"d": 1, "w": 7}


@dataclass(frozen=True)
class Additions:
    """Facts that the team adds to OpenSLO objects.

    Attributes:
        slis: Name of an indicator of theirs to the `sli:` of a spec.
        owner: For objectives that name none.
        runbook: For objectives that name none.
    """

    slis: Mapping[str, Any] = field(default_factory=dict)
    owner: str | None = None
    runbook: str | None = None


@dataclass(frozen=True)
class Imported:
    """The result of an import.

    Attributes:
        slos: Objectives with the comments for their files.
        problems: A sentence for each object that could not become an objective.
        notes: A sentence for everything that was lost.
    """

    slos: list[tuple[Slo, str]]
    problems: list[str]
    notes: list[str]


class _CannotError(Exception):
    """An object that cannot become an objective: the path of the field, and the sentence."""

    def __init__(self, path: Sequence[str | int], sentence: str) -> None:
        super().__init__(sentence)
        self.path, self.sentence = path, sentence


def read_file(file: Path, additions: Additions) -> Imported:
    """Read the objectives of a file.

    Raises:
        SpecError: If it is not YAML, or not OpenSLO v1.
    """
    objects = [_check_object(file, content) for content in _yaml.read_documents(file) if content is not None]
    slis = {str(each["metadata"]["name"]): each for each in objects if each["kind"] == "SLI"}
    imported = Imported([], [], [])
    for content in objects:
        if content["kind"] == "SLO":
            _add_objective(imported, file, content, slis, additions)
        elif content["kind"] not in READ:
            name = f"{content['kind']} {content['metadata']['name']}"
            imported.notes.append(
                f"{file}:{_yaml.find_line(content, [])}: {name} is left out: {_explain_omission(content['kind'])}"
            )
    return imported


def _explain_omission(kind: str) -> str:
    return {
        "Service": "a service is what spans call themselves (service.name)",
        "DataSource": "our counters come from the collector",
    }.get(kind, "alerts follow from the objective (docs/slo.md), and who is told is for Alertmanager to say")


def _check_object(file: Path, content: Any) -> CommentedMap:
    if not isinstance(content, CommentedMap):
        raise SpecError(f"{file}:1: is no OpenSLO object; it is a mapping with apiVersion, kind, metadata and spec")
    if content.get("apiVersion") != openslo.VERSION:
        at = _yaml.find_line(content, ["apiVersion"])
        raise SpecError(f"{file}:{at}: apiVersion: {content.get('apiVersion')!r} is not read; {openslo.VERSION} is")
    for path in (["kind"], ["metadata", "name"], ["spec"]):
        if _look_up(content, *path) is None:
            raise SpecError(f"{file}:{_yaml.find_line(content, path)}: {'.'.join(path)}: is missing; add it")
    return content


def _look_up(node: Any, *path: str | int) -> Any:
    """Return the value at a path; None if a part of the path is missing."""
    for key in path:
        if isinstance(node, Mapping):
            node = node.get(key)
        elif isinstance(node, list) and isinstance(key, int) and key < len(node):
            node = node[key]
        else:
            return None
    return node


# -- one objective


def _add_objective(
    imported: Imported, file: Path, content: CommentedMap, slis: Mapping[str, CommentedMap], additions: Additions
) -> None:
    name = content["metadata"]["name"]
    try:
        slo = Slo.model_validate(_map_fields(content, slis, additions))
    except _CannotError as error:
        where = f"{file}:{_yaml.find_line(content, error.path)}: {'.'.join(map(str, error.path))}"
        imported.problems.append(f"{where}: SLO {name}: {error.sentence}")
    except ValidationError as error:
        for each in select_errors(error):
            sentence = f"SLO {name}: {'.'.join(map(str, each['loc']))}: {describe_problem(each)}"
            imported.problems.append(f"{file}:{_yaml.find_line(content, [])}: {sentence}")
    else:
        # The description of our own export only repeats the fields.
        is_own = openslo.SLI in _read_annotations(content)
        imported.slos.append((slo, "" if is_own else str(_look_up(content, "spec", "description") or "")))
        imported.notes.extend(f"{file}:{line}: SLO {name}: {note}" for line, note in _list_notes(content))


def _map_fields(content: CommentedMap, slis: Mapping[str, CommentedMap], additions: Additions) -> dict[str, Any]:
    notes = _read_annotations(content)
    objective = _read_objective(content)
    minimum = {"events": notes.get(openslo.EVENTS), "failures": notes.get(openslo.FAILURES)}
    fields = {
        "name": notes.get(openslo.NAME, content["metadata"]["name"]),
        "sli": _choose_sli(content, notes, slis, additions),
        "objective": float(objective),
        "owner": notes.get(openslo.OWNER) or additions.owner,
        "runbook": notes.get(openslo.RUNBOOK) or additions.runbook,
        "service": notes.get(openslo.SERVICE) or re.escape(str(_look_up(content, "spec", "service") or "")) or ".*",
        "window": _read_window(content),
        "trip_policy": notes.get(openslo.POLICY),
        "severity": notes.get(openslo.SEVERITY),
        "minimum": {key: int(value) if value.isdecimal() else value for key, value in minimum.items() if value},
    }
    for field_ in ("owner", "runbook"):
        if not fields[field_]:
            raise _CannotError(["metadata"], f"has no {field_}, for which OpenSLO has no field; say it: --{field_} …")
    return {key: value for key, value in fields.items() if value is not None}


def _read_annotations(content: CommentedMap) -> dict[str, str]:
    node = _look_up(content, "metadata", "annotations") or {}
    return {key: value for key, value in node.items() if isinstance(value, str)}


def _read_objective(content: CommentedMap) -> Decimal:
    node = _look_up(content, "spec", "objectives")
    path: list[str | int] = ["spec", "objectives"]
    if not isinstance(node, list) or len(node) != 1:
        raise _CannotError(path, "an objective of ours has one target; write each into an SLO of its own")
    if _look_up(content, "spec", "budgetingMethod") != "Occurrences":
        method = _look_up(content, "spec", "budgetingMethod")
        raise _CannotError(["spec", "budgetingMethod"], f"{method} cannot be counted; our budgets are of Occurrences")
    if {"op", "value"} & set(node[0]):
        raise _CannotError(
            [*path, 0], "a threshold of a metric is no ratio of events; say when an event is bad instead"
        )
    return _read_target(node[0], [*path, 0])


def _read_target(node: Mapping[str, Any], path: Sequence[str | int]) -> Decimal:
    key, part = ("target", 1) if "target" in node else ("targetPercent", 100)
    if key not in node:
        raise _CannotError(path, "target is missing; add it")
    try:
        return Decimal(str(node[key])) / part
    except InvalidOperation:
        raise _CannotError([*path, key], f"{node[key]!r} is no number; write for instance 0.95") from None


def _read_window(content: CommentedMap) -> str | None:
    path = ["spec", "timeWindow"]
    node = _look_up(content, *path)
    if node is None:
        return None  # ours is 30d, and `_list_notes` says so
    duration = str(_look_up(content, *path, 0, "duration"))
    match = re.fullmatch(r"([0-9]+)([dw])", duration)
    if _look_up(content, *path, 0, "isRolling") is not True or match is None:
        raise _CannotError(path, f"only rolling windows of days (d) or weeks (w) can be counted, not {duration}")
    return f"{int(match[1]) * DAYS[match[2]]}d"


# -- its indicator


def _choose_sli(
    content: CommentedMap, notes: Mapping[str, str], slis: Mapping[str, CommentedMap], additions: Additions
) -> Any:
    """Choose the indicator of the team, else the one of our own export."""
    name = _find_sli_name(content)
    if name in additions.slis:
        return additions.slis[name]
    if openslo.SLI in notes:
        return _parse_exported(notes[openslo.SLI])
    if not name:
        raise _CannotError(["spec"], "has no indicator of its own; a composite is no objective of ours")
    raise _CannotError(
        ["spec", "indicator" if "indicator" in content["spec"] else "indicatorRef"], _ask_for_sli(name, content, slis)
    )


def _find_sli_name(content: CommentedMap) -> str:
    """Return the indicator's name; without one it is that of its SLO."""
    inline = _look_up(content, "spec", "indicator")
    name = _look_up(content, "spec", "indicatorRef") or _look_up(inline, "metadata", "name")
    return str(name or (content["metadata"]["name"] if inline else ""))


def _parse_exported(text: str) -> Any:
    """Parse a name, or JSON as our export writes it."""
    try:
        return json.loads(text) if text.startswith("{") else text
    except json.JSONDecodeError as error:
        path = ["metadata", "annotations", openslo.SLI]
        raise _CannotError(path, f"is no JSON ({error}); take it from an export, or say --sli") from None


def _ask_for_sli(name: str, content: CommentedMap, slis: Mapping[str, CommentedMap]) -> str:
    spec = _look_up(content, "spec", "indicator", "spec") or _look_up(slis.get(name), "spec")
    queries = ", ".join(_list_queries(spec)) if spec else "not in this file"
    return (
        f"{name} ({queries}) is not translated; say which indicator means the same: --sli '{name}=task_completed', or "
        "conditions of your own as in a spec: --sli '…={name: …, type: …, on: …, eligible: …, bad: …, about: …}'"
    )


def _list_queries(spec: Any) -> Iterator[str]:
    for kind in ("thresholdMetric", "ratioMetric"):
        for half, node in {"": _look_up(spec, kind), **(_look_up(spec, kind) or {})}.items():
            source = _look_up(node, "metricSource")
            if source is not None:
                yield " ".join(
                    [half or kind, "of", str(_look_up(source, "type") or _look_up(source, "metricSourceRef"))]
                )


def parse_value(text: str) -> Any:
    """Parse what `sli:` of a spec holds for a text.

    Raises:
        ValueError: If the text is not YAML.
    """
    try:
        return YAML(typ="safe", pure=True).load(text)
    except YAMLError as error:
        raise ValueError(f"{text!r} is no YAML: {' '.join(str(error).split())}") from None


def _list_notes(content: CommentedMap) -> Iterator[tuple[int, str]]:
    if _look_up(content, "spec", "timeWindow") is None:
        yield _yaml.find_line(content, ["spec"]), "has no timeWindow; ours is 30d"
    if _look_up(content, "spec", "alertPolicies"):
        yield (
            _yaml.find_line(content, ["spec", "alertPolicies"]),
            f"alertPolicies are left out: {_explain_omission('AlertPolicy')}",
        )
    if openslo.SERVICE not in _read_annotations(content):
        service = _look_up(content, "spec", "service")
        yield (
            _yaml.find_line(content, ["spec", "service"]),
            f"service {service} is taken for the service.name of its spans",
        )
