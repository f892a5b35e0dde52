"""Tags for the spans that a user stores: our processors, in the right place of the user's own pipelines."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from typing import Any

from otel_agentops._yaml import InputError
from otel_agentops.collector.document import Document, get_nested, is_ours
from otel_agentops.collector.edit import replace_list
from otel_agentops.collector.origins import add_note, restore_origins, split_note
from otel_agentops.collector.situation import COUNTING, PIPELINES, get_type, list_names

SIGNALS = ("traces", "logs")
# What decides or hands over batches: a tag that is set behind them comes too late.
HOLDERS = frozenset({"batch", "tail_sampling", "groupbytrace", "probabilistic_sampler"})
_DIALECTS = "transform/otel_agentops_dialects"  # stored spans keep the words in which they were written
_LAST = "transform/otel_agentops_labels"  # it and what stands behind it is for the counted copy alone


def list_tag_processors(overlay: Document, fragments: Sequence[Document] = ()) -> list[str]:
    """Return what stored spans need, in order: the overlay's tags, then what fragments put into no pipeline."""
    counting = overlay.get(*PIPELINES, COUNTING, "processors")
    before = counting[: counting.index(_LAST)]
    tags = [one for one in before if one.startswith("transform/") and one != _DIALECTS]
    slots = {one for pipeline in overlay.get(*PIPELINES).values() for one in pipeline["processors"]}
    # A fragment that has pipelines of its own puts its processors there, or fills slots of another fragment.
    loose = [
        one
        for document in fragments
        if not document.get(*PIPELINES)
        for one in document.get("processors") or ()
        if one not in slots
    ]
    return [*tags, *sorted(dict.fromkeys(loose), key=lambda one: get_type(one) in HOLDERS)]


def add_tags(document: Document, ours: Sequence[str], only: Sequence[str] = ()) -> Document:
    """Return the user's config with our processors in the pipelines `only`, or in all that an OTLP receiver feeds.

    Raises:
        InputError: That cannot be done without touching anything else; the sentence says file and line.
    """
    wanted = {}
    for id_ in choose_pipelines(document, only):
        fitting = [one for one in ours if get_type(id_) == "traces" or get_type(one) != "tail_sampling"]
        wanted[id_] = place_processors(_list_processors(document, id_), fitting)
    for id_, entries in wanted.items():
        samplers = [one for one in entries if get_type(one) == "tail_sampling"]
        if len(samplers) > 1:
            where = document.locate(*PIPELINES, id_, "processors")
            text = f"{' and '.join(samplers)} would decide one after the other"
            raise InputError(f"{where}: {text}; put the policies of one into the other")
    return add_note(document, replace_lists(document, wanted))


def remove_tags(document: Document) -> Document:
    """Return the config without any processor of ours in the user's own pipelines, its lists written as before."""
    document, origins = split_note(document)
    lists = {id_: _list_processors(document, id_) for id_ in _list_pipelines(document) if not is_ours(id_)}
    theirs = {id_: [one for one in entries if not is_ours(one)] for id_, entries in lists.items()}
    return restore_origins(replace_lists(document, theirs), origins)


def undo_tags(document: Document, backup: Document | None) -> Document:
    """Return the backup if our tags are all that happened since, else the config without them."""
    if backup is not None and is_from(document, backup):
        return Document(document.name, backup.text)
    return remove_tags(document)


def is_from(document: Document, backup: Document) -> bool:
    """Return True if a config is its backup and our processors, to the byte."""
    document, _ = split_note(document)
    lists = {
        id_: _list_processors(document, id_) for id_ in _list_pipelines(document) if id_ in _list_pipelines(backup)
    }
    ours = {id_: entries for id_, entries in lists.items() if any(map(is_ours, entries))}
    try:
        return replace_lists(backup, ours).text == document.text
    except InputError:  # the edit is not possible there, so it was another one
        return False


def replace_lists(document: Document, wanted: Mapping[str, Sequence[str]]) -> Document:
    """Return the config with the processors of some pipelines as wanted, and everything else as it was."""
    data = copy.deepcopy(document.data)
    for id_, entries in wanted.items():
        if entries or get_nested(data, *PIPELINES, id_, "processors") is not None:
            data["service"]["pipelines"][id_] = {**data["service"]["pipelines"][id_], "processors": list(entries)}
    result = document
    for id_ in _list_pipelines(document):  # those not wanted, too: an anchor or `<<` may carry a change to them
        entries = get_nested(data, *PIPELINES, id_, "processors")
        if isinstance(entries, list):
            result = replace_list(result, (*PIPELINES, id_, "processors"), entries)
    if result.data != data:
        where = document.locate(*PIPELINES)
        raise InputError(f"{where}: an anchor here carries the change to another place; write the aliases out first")
    return result


def choose_pipelines(document: Document, only: Sequence[str] = ()) -> list[str]:
    """Return the pipelines `only`, or the user's traces and logs pipelines that an OTLP receiver feeds."""
    there = _list_pipelines(document)
    for id_ in only:
        if id_ not in there or get_type(id_) not in SIGNALS:
            names = ", ".join(one for one in there if get_type(one) in SIGNALS)
            raise InputError(f"{document.locate(*PIPELINES)}: no pipeline {id_} for traces or logs; there are: {names}")
    chosen = list(only) or [
        id_
        for id_, pipeline in (document.get(*PIPELINES) or {}).items()
        if get_type(id_) in SIGNALS
        and not is_ours(id_)
        and any(get_type(one) == "otlp" or one is pipeline["receivers"] for one in list_names(pipeline, "receivers"))
    ]
    if not chosen:
        raise InputError(
            f"{document.locate(*PIPELINES)}: no traces or logs pipeline with an otlp receiver; name one with --pipeline"
        )
    return chosen


def list_unedited(document: Document) -> list[str]:
    """Return the traces pipelines of the user without our processors that another receiver than OTLP feeds."""
    pipelines = document.get(*PIPELINES)
    receivers = document.get("receivers")
    receivers = receivers if isinstance(receivers, Mapping) else {}
    return [
        id_
        for id_ in pipelines
        if get_type(id_) == "traces"
        and not any(map(is_ours, [id_, *_list_processors(document, id_)]))
        and any(one in receivers for one in list_names(pipelines[id_], "receivers"))
    ]


def place_processors(current: Sequence[str], ours: Sequence[str]) -> list[str]:
    """Put ours behind the limiter and before what holds or decides; what is there already stays where it is."""
    result = list(current)
    holder = next((n for n, one in enumerate(result) if get_type(one) in HOLDERS and not is_ours(one)), len(result))
    limiters = [n for n, one in enumerate(result[:holder]) if get_type(one) == "memory_limiter"]
    at = limiters[-1] + 1 if limiters else 0
    for one in ours:
        if one not in result:
            result.insert(at, one)
        at = result.index(one) + 1
    return result


def _list_pipelines(document: Document) -> list[str]:
    """Return the ids of the pipelines; raise InputError if they are not written in this file."""
    section: Any = document.data
    for n, key in enumerate(PIPELINES):
        section = section.get(key)
        if not isinstance(section, dict):
            where, name = document.locate(*PIPELINES[: n + 1]), "::".join(PIPELINES[: n + 1])
            state = "is not there" if section is None else f"is {section!r}"
            raise InputError(f"{where}: {name} {state}; give the file that has the pipelines")
    for id_, pipeline in section.items():
        if not isinstance(pipeline, dict):
            raise InputError(
                f"{document.locate(*PIPELINES, id_)}: the pipeline {id_} is {pipeline!r}; give the file that has it"
            )
    return list(section)


def _list_processors(document: Document, id_: str) -> list[str]:
    value = document.get(*PIPELINES, id_, "processors") or []
    if not isinstance(value, list) or not all(isinstance(one, str) for one in value):
        where = document.locate(*PIPELINES, id_, "processors")
        raise InputError(f"{where}: the processors of {id_} are {value}; edit the list where it is, or write it here")
    return value
