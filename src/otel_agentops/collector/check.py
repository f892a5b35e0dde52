"""What would silently lose data when a collector is started with these configs: every check yields findings."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from otel_agentops.collector import binary, lints, sampling
from otel_agentops.collector.document import is_ours
from otel_agentops.collector.legacy import OLDEST, RENAMED
from otel_agentops.collector.situation import Situation, kind
from otel_agentops.doctor import Finding

Check = Callable[[Situation], Iterator[Finding]]


def examine(found: Situation) -> list[Finding]:
    """All findings, in the order in which data meets their causes."""
    return [finding for check in CHECKS for finding in check(found)]


def version(found: Situation) -> Iterator[Finding]:
    """Components that this collector does not have, or knows by another name."""
    collector = found.collector
    if collector is None:
        return
    if collector.version and collector.version < OLDEST and not _is_legacy(found):
        text = f"the collector is {_dotted(collector.version)}; the files are for {_dotted(OLDEST)} and newer"
        yield Finding("problem", str(collector.path), text, "take a newer one, or render with --legacy-names")
    for section in binary.KINDS:
        for id_ in found.section(section):
            if kind(id_) not in collector.components[section]:
                yield from _unknown(found, section, id_, RENAMED.get(section, {}))


def _unknown(found: Situation, section: str, id_: str, renamed: Mapping[str, str]) -> Iterator[Finding]:
    assert found.collector is not None
    there = found.collector.components[section]
    where, type_ = found.at(section, id_), kind(id_)
    newer = next((new for new, old in renamed.items() if old == type_ and new in there), None)
    if newer:
        text = f"{id_}: this collector calls {type_} {newer}; the old name still works, with a warning"
        yield Finding("note", where, text, f"rename it to {newer}")
    elif renamed.get(type_) in there:
        text = f"{id_}: this collector calls {type_} {renamed[type_]}"
        yield Finding("problem", where, text, "render with --legacy-names, or take a newer collector")
    else:
        text = f"{id_}: this collector has no {type_} in its {section}"
        yield Finding("problem", where, text, "take otelcol-contrib, or a build that has it")


def _is_legacy(found: Situation) -> bool:
    """Whether our own components have their old names already."""
    old = {(section, before) for section, renamed in RENAMED.items() for before in renamed.values()}
    return any((section, kind(id_)) in old for section in RENAMED for id_ in found.section(section) if is_ours(id_))


def accepted(found: Situation) -> Iterator[Finding]:
    """What the collector itself says."""
    if found.collector is None:
        text = "not asked: there is no otelcol-contrib on PATH"
        yield Finding("note", "collector", text, "name yours with --otelcol")
        return
    files = [document.path for document in found.documents if document.path]
    reason = binary.refused(found.collector, files, found.environ)
    if reason:
        yield Finding("problem", str(found.collector.path), reason, "correct the file; the collector would not start")
    else:
        named = _dotted(found.collector.version) if found.collector.version else "of an unknown version"
        yield Finding(
            "ok", "collector", f"{found.collector.path} ({named}) accepts {len(files)} file{'s'[: len(files) > 1]}"
        )


def _dotted(version: tuple[int, int]) -> str:
    return ".".join(map(str, version))


CHECKS: tuple[Check, ...] = (
    sampling.head,
    lints.replaced,
    lints.twice,
    lints.receivers,
    sampling.before_counting,
    sampling.before_tags,
    lints.loose,
    lints.undefined,
    lints.handed_over,
    lints.port,
    lints.identity,
    lints.mixed_numbers,
    lints.definitions,
    lints.promoted,
    version,
    accepted,
)
