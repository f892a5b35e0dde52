"""The tags onto the spans that a user stores: our processors, in the right place of the user's own pipelines."""

from __future__ import annotations

import copy
import difflib
from collections.abc import Mapping, Sequence
from typing import Any

from otel_agentops.collector import edit
from otel_agentops.collector.document import ConfigError, Document, is_ours, lookup

PIPELINES = ("service", "pipelines")
SIGNALS = ("traces", "logs")
# What decides or hands over batches: a tag that is set behind them comes too late.
HOLDERS = frozenset({"batch", "tail_sampling", "groupbytrace", "probabilistic_sampler"})
_COUNTING = "traces/otel_agentops"
_LAST = "transform/otel_agentops_labels"  # it and what stands behind it is for the counted copy alone


def processors(overlay: Document, fragments: Sequence[Document] = ()) -> list[str]:
    """What stored spans need, in order: the overlay's tags, then what fragments define and put into no pipeline."""
    counting = overlay.get(*PIPELINES, _COUNTING, "processors")
    tags = [one for one in counting[: counting.index(_LAST)] if one.startswith("transform/")]
    used = {one for document in (overlay, *fragments) for one in _used(document)}
    loose = [one for document in fragments for one in document.get("processors") or () if one not in used]
    return [*tags, *sorted(dict.fromkeys(loose), key=lambda one: _kind(one) in HOLDERS)]


def tagged(document: Document, ours: Sequence[str], only: Sequence[str] = ()) -> Document:
    """The user's config with our processors in the pipelines `only`, or in all that an OTLP receiver feeds.

    Raises ConfigError, with file and line, where that cannot be done without touching anything else.
    """
    wanted = {id_: placed(_list(document, id_), _for(id_, ours)) for id_ in chosen(document, only)}
    for id_, entries in wanted.items():
        _one_sampler(document, id_, entries)
    return with_lists(document, wanted)


def untagged(document: Document) -> Document:
    """The config without any processor of ours in the user's own pipelines."""
    lists = {id_: _list(document, id_) for id_ in _pipelines(document) if not is_ours(id_)}
    return with_lists(document, {id_: [one for one in found if not is_ours(one)] for id_, found in lists.items()})


def undone(document: Document, backup: Document | None) -> Document:
    """The config as it was: the backup where that is all that happened since, else ours taken out of what is there."""
    if backup is not None and is_from(document, backup):
        return Document(document.name, backup.text)
    return untagged(document)


def is_from(document: Document, backup: Document) -> bool:
    """Whether a config is its backup and our processors, to the byte."""
    lists = {id_: _list(document, id_) for id_ in _pipelines(document) if id_ in _pipelines(backup)}
    ours = {id_: entries for id_, entries in lists.items() if any(map(is_ours, entries))}
    try:
        return with_lists(backup, ours).text == document.text
    except ConfigError:  # the edit is not possible there, so it was another one
        return False


def with_lists(document: Document, wanted: Mapping[str, Sequence[str]]) -> Document:
    """The config with the processors of some pipelines as wanted, and everything else as it was."""
    data = copy.deepcopy(document.data)
    for id_, entries in wanted.items():
        if entries or lookup(data, *PIPELINES, id_, "processors") is not None:
            data["service"]["pipelines"][id_] = {**data["service"]["pipelines"][id_], "processors": list(entries)}
    result = document
    for id_ in _pipelines(document):  # those not wanted, too: an anchor or `<<` may carry a change to them
        entries = lookup(data, *PIPELINES, id_, "processors")
        if isinstance(entries, list):
            result = edit.with_list(result, (*PIPELINES, id_, "processors"), entries)
    if result.data != data:
        where = document.at(*PIPELINES)
        raise ConfigError(f"{where}: an anchor here carries the change to another place; write the aliases out first")
    return result


def chosen(document: Document, only: Sequence[str] = ()) -> list[str]:
    """The pipelines to edit: those asked for, else the user's traces and logs pipelines that an OTLP receiver feeds."""
    there = _pipelines(document)
    for id_ in only:
        if id_ not in there or _kind(id_) not in SIGNALS:
            names = ", ".join(one for one in there if _kind(one) in SIGNALS)
            raise ConfigError(f"{document.at(*PIPELINES)}: no pipeline {id_} for traces or logs; there are: {names}")
    found = list(only) or [id_ for id_ in there if _kind(id_) in SIGNALS and not is_ours(id_) and _fed(document, id_)]
    if not found:
        raise ConfigError(
            f"{document.at(*PIPELINES)}: no traces or logs pipeline with an otlp receiver; name one with --pipeline"
        )
    return found


def placed(current: Sequence[str], ours: Sequence[str]) -> list[str]:
    """Ours behind the limiter and before what holds or decides; what is there already stays where it is."""
    result = list(current)
    holder = next((n for n, one in enumerate(result) if _kind(one) in HOLDERS and not is_ours(one)), len(result))
    limiters = [n for n, one in enumerate(result[:holder]) if _kind(one) == "memory_limiter"]
    at = limiters[-1] + 1 if limiters else 0
    for one in ours:
        if one not in result:
            result.insert(at, one)
        at = result.index(one) + 1
    return result


def difference(before: Document, after: Document) -> list[str]:
    """The lines of a unified diff."""
    lines = (before.text.splitlines(), after.text.splitlines())
    return list(difflib.unified_diff(*lines, before.name, after.name, lineterm=""))


def _pipelines(document: Document) -> list[str]:
    """Raises ConfigError where they are not written in this file."""
    found: Any = document.data
    for n, key in enumerate(PIPELINES):
        found = found.get(key)
        if not isinstance(found, dict):
            where, name = document.at(*PIPELINES[: n + 1]), "::".join(PIPELINES[: n + 1])
            said = "is not there" if found is None else f"is {found!r}"
            raise ConfigError(f"{where}: {name} {said}; give the file that has the pipelines")
    for id_, pipeline in found.items():
        if not isinstance(pipeline, dict):
            raise ConfigError(
                f"{document.at(*PIPELINES, id_)}: the pipeline {id_} is {pipeline!r}; give the file that has it"
            )
    return list(found)


def _list(document: Document, id_: str) -> list[str]:
    value = document.get(*PIPELINES, id_, "processors") or []
    if not isinstance(value, list) or not all(isinstance(one, str) for one in value):
        where = document.at(*PIPELINES, id_, "processors")
        raise ConfigError(f"{where}: the processors of {id_} are {value}; edit the list where it is, or write it here")
    return value


def _fed(document: Document, id_: str) -> bool:
    receivers = document.get(*PIPELINES, id_, "receivers")
    named = receivers if isinstance(receivers, list) else ()
    return isinstance(receivers, str) or any(_kind(str(one)) == "otlp" for one in named)


def _for(id_: str, ours: Sequence[str]) -> list[str]:
    return [one for one in ours if _kind(id_) == "traces" or _kind(one) != "tail_sampling"]


def _one_sampler(document: Document, id_: str, entries: Sequence[str]) -> None:
    samplers = [one for one in entries if _kind(one) == "tail_sampling"]
    if len(samplers) > 1:
        where = document.at(*PIPELINES, id_, "processors")
        text = f"{' and '.join(samplers)} would decide one after the other"
        raise ConfigError(f"{where}: {text}; put the policies of one into the other")


def _used(document: Document) -> list[str]:
    pipelines = document.get(*PIPELINES) or {}
    return [one for pipeline in pipelines.values() for one in pipeline.get("processors") or ()]


def _kind(id_: str) -> str:
    return id_.partition("/")[0]
